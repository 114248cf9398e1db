//! What the operator counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::driver::Totals;
use crate::engine::ObjectKey;

const BEAT: Duration = Duration::from_secs(1);
/// A loop that did not turn for this long hangs.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the operator counts.
#[derive(Debug)]
pub(super) struct Metrics {
    pages: Mutex<BTreeMap<ObjectKey, Totals>>,
    panics: AtomicU64,
    beat: Mutex<Instant>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            pages: Mutex::default(),
            panics: AtomicU64::new(0),
            beat: Mutex::new(Instant::now()),
        }
    }
}

impl Metrics {
    pub fn set(&self, page: &ObjectKey, totals: Totals) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(page.clone(), totals);
    }

    pub fn forget(&self, page: &ObjectKey) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.remove(page);
    }

    pub fn pages(&self) -> BTreeMap<ObjectKey, Totals> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// True while the runtime gives tasks their turn.
    pub fn is_alive(&self) -> bool {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < LONGEST_PAUSE
    }
}

/// The sum of two.
pub(super) fn sum(one: Totals, other: Totals) -> Totals {
    Totals {
        passes: one.passes + other.passes,
        plans: one.plans + other.plans,
        requests: one.requests + other.requests,
        reads: one.reads + other.reads,
        writes: one.writes + other.writes,
        failures: one.failures + other.failures,
        store_writes: one.store_writes + other.store_writes,
    }
}

/// Shows that tasks get their turn.
pub(super) async fn beat(metrics: Arc<Metrics>) {
    loop {
        *metrics.beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        tokio::time::sleep(BEAT).await;
    }
}
