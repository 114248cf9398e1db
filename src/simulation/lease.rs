//! Leader election by a Lease, as the operator does it, with the times that it has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::chance::Chance;
use super::store::Leads;

/// Nobody takes a Lease over that was renewed within this time.
const DURATION: Duration = Duration::from_secs(15);
/// A leader that did not renew within this time stops.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// The Lease as the API server has it.
#[derive(Debug, Default)]
pub(super) struct Lease(Mutex<Record>);

#[derive(Clone, Debug, Default)]
struct Record {
    holder: Option<usize>,
    version: u64,
}

impl Lease {
    fn read(&self) -> Record {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes over exactly this version.
    fn write(&self, version: u64, holder: Option<usize>) -> bool {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if record.version != version {
            return false;
        }
        *record = Record {
            holder,
            version: version + 1,
        };
        true
    }
}

/// Until when a process leads.
#[derive(Debug, Default)]
pub(super) struct Leadership(Mutex<Option<Instant>>);

impl Leadership {
    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Leads for Leadership {
    fn leads(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

/// Takes part in the election.
pub(super) struct Elector {
    lease: Arc<Lease>,
    process: usize,
    leadership: Arc<Leadership>,
    chance: Mutex<Chance>,
}

impl Elector {
    pub(super) fn new(lease: &Arc<Lease>, process: usize, chance: Chance) -> Self {
        Elector {
            lease: Arc::clone(lease),
            process,
            leadership: Arc::default(),
            chance: Mutex::new(chance),
        }
    }

    pub(super) fn leadership(&self) -> Arc<Leadership> {
        Arc::clone(&self.leadership)
    }

    fn travel(&self) -> Duration {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).millis(1, 20)
    }

    /// Returns once this process leads.
    pub(super) async fn acquire(&self) {
        let mut seen = (u64::MAX, Instant::now());
        loop {
            let begun = Instant::now();
            sleep(self.travel()).await;
            let record = self.lease.read();
            let others = record.holder.is_some_and(|holder| holder != self.process);
            if record.version != seen.0 {
                seen = (record.version, begun);
            }
            if (!others || seen.1.elapsed() >= DURATION) && self.lease.write(record.version, Some(self.process)) {
                self.leadership.set(Some(begun + RENEW_DEADLINE));
                return;
            }
            sleep(RETRY).await;
        }
    }

    /// Renews the Lease; returns when it was lost. A candidate waits here for ever.
    pub(super) async fn keep(&self) {
        loop {
            sleep(RETRY).await;
            if self
                .leadership
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_none()
            {
                continue;
            }
            let begun = Instant::now();
            sleep(self.travel()).await;
            let record = self.lease.read();
            if record.holder != Some(self.process) || !self.lease.write(record.version, Some(self.process)) {
                self.leadership.set(Some(begun));
                return;
            }
            self.leadership.set(Some(begun + RENEW_DEADLINE));
        }
    }

    /// Lets the Lease go, so that another process need not wait for its end.
    pub(super) fn release(&self) {
        self.leadership.set(None);
        let record = self.lease.read();
        if record.holder == Some(self.process) {
            self.lease.write(record.version, None);
        }
    }
}
