//! What all parts of a run share: its time, its trace and those who judge it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::oracles::{Court, Violation};
use super::trace::{Entry, Fact};

/// The first moment of every run.
pub(super) const BEGINNING: Timestamp = Timestamp::constant(1_772_366_400, 0);
/// The remote page of every run.
pub(super) const PAGE: &str = "page00000001";

/// The time, the trace and the oracles of a run.
#[derive(Debug)]
pub(super) struct Stage {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    trace: Vec<Entry>,
    court: Court,
}

impl Stage {
    pub(super) fn new(court: Court) -> Arc<Self> {
        Arc::new(Stage {
            began: Instant::now(),
            inner: Mutex::new(Inner {
                trace: Vec::new(),
                court,
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the beginning of the run.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The true time.
    pub(super) fn now(&self) -> Timestamp {
        BEGINNING.checked_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// Puts a fact on the trace, and before the oracles.
    pub(super) fn note(&self, fact: Fact) {
        let entry = Entry {
            at: self.elapsed(),
            fact,
        };
        let mut inner = self.inner();
        inner.court.hear(&entry);
        inner.trace.push(entry);
    }

    /// True once an oracle has found something.
    pub(super) fn is_decided(&self) -> bool {
        self.inner().court.has_found()
    }

    /// What the run has left: its trace and what the oracles found.
    pub(super) fn close(&self, ending: &super::oracles::Ending) -> (Vec<Entry>, Vec<Violation>) {
        let at = self.elapsed();
        let mut inner = self.inner();
        let found = inner.court.close(at, ending);
        (std::mem::take(&mut inner.trace), found)
    }
}
