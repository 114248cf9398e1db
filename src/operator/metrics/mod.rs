//! What the operator counts.

mod catalogue;
mod exposition;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::watch;

use crate::api::Kind;
use crate::driver::{Observer, Pending, StoreError, Totals};
use crate::engine::ObjectKey;
use crate::statuspage::{EndedRequest, RequestObserver};

pub use catalogue::{METRICS, Metric, MetricKind, metrics_page};
pub(super) use exposition::Sources;

const BEAT: Duration = Duration::from_secs(1);
/// A loop that did not turn for this long hangs.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Values of the labels of a series, in the order of its metric.
type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// What the operator counts.
#[derive(Debug)]
pub(super) struct Metrics {
    pages: Mutex<BTreeMap<ObjectKey, Page>>,
    panics: AtomicU64,
    beat: Mutex<Instant>,
    passes: Histogram,
    store_writes: Histograms,
    requests: Histograms,
    request_waits: Histogram,
    arrivals: Histograms,
}

/// What is counted of one page.
#[derive(Debug, Default)]
struct Page {
    /// By the drivers that ended.
    ended: Totals,
    /// By the one that runs.
    running: Totals,
    pending: Option<watch::Receiver<Pending>>,
}

fn histogram(metric: Metric) -> Histogram {
    let bounds = match metric.kind {
        MetricKind::Histogram(bounds) => bounds,
        MetricKind::Counter | MetricKind::Gauge => &[],
    };
    Histogram::new(bounds.iter().copied())
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            pages: Mutex::default(),
            panics: AtomicU64::new(0),
            beat: Mutex::new(Instant::now()),
            passes: histogram(catalogue::PASS_DURATION),
            store_writes: Family::new_with_constructor(|| histogram(catalogue::STORE_WRITE_DURATION)),
            requests: Family::new_with_constructor(|| histogram(catalogue::REQUEST_DURATION)),
            request_waits: histogram(catalogue::REQUEST_WAIT),
            arrivals: Family::new_with_constructor(|| histogram(catalogue::DECLARATION_TO_PAGE)),
        }
    }
}

impl Metrics {
    fn pages(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A driver begins with a page, perhaps after one that panicked.
    pub fn begun(&self, page: &ObjectKey, pending: watch::Receiver<Pending>) {
        let mut pages = self.pages();
        let page = pages.entry(page.clone()).or_default();
        page.ended = page.ended + std::mem::take(&mut page.running);
        page.pending = Some(pending);
    }

    /// The page is gone.
    pub fn forget(&self, page: &ObjectKey) {
        self.pages().remove(page);
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

impl RequestObserver for Metrics {
    fn request_ended(&self, request: &EndedRequest) {
        self.request_waits.observe(request.waited.as_secs_f64());
        let labels = vec![
            ("operation", request.operation.replace(' ', "_")),
            ("outcome", request.outcome.as_str().to_owned()),
        ];
        self.requests.get_or_create(&labels).observe(request.took.as_secs_f64());
    }
}

impl Observer for Metrics {
    fn counted(&self, page: &ObjectKey, totals: Totals) {
        if let Some(page) = self.pages().get_mut(page) {
            page.running = totals;
        }
    }

    fn passed(&self, _page: &ObjectKey, took: Duration) {
        self.passes.observe(took.as_secs_f64());
    }

    fn stored(&self, result: &Result<(), StoreError>, took: Duration) {
        let outcome = match result {
            Ok(()) => "success",
            Err(StoreError::Conflict(_)) => "conflict",
            Err(StoreError::Gone(_)) => "gone",
            Err(StoreError::Unavailable { .. }) => "unavailable",
        };
        let labels = vec![("outcome", outcome.to_owned())];
        self.store_writes.get_or_create(&labels).observe(took.as_secs_f64());
    }

    fn reached_page(&self, kind: Kind, took: Duration) {
        let labels = vec![("kind", kind.to_string())];
        self.arrivals.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// Shows that tasks get their turn.
pub(super) async fn beat(metrics: Arc<Metrics>) {
    loop {
        *metrics.beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        tokio::time::sleep(BEAT).await;
    }
}
