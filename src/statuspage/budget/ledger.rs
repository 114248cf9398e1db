//! Where it is written down what a token has sent, so that the window survives the process.
//!
//! Before a budget gives permits it has to have on record how many requests *may* have been started: a few more than
//! were, so that not every request costs a write. A process that is killed at any point leaves a record in which every
//! request of its last minute is counted, and the next process starts from there.
//!
//! Times in a record are those of the machine's clock. A time in the future counts as now; a clock that was set forward
//! in between makes requests look older than they are, which nothing here can know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Requests that ended at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// When they ended, at the latest.
    pub at: Timestamp,
    /// How many.
    pub requests: usize,
}

/// What counts against the window of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Requests that have ended, the oldest first.
    #[serde(default)]
    pub ended: Vec<Spent>,
    /// Requests that may be under way, or may be started before this is written again.
    #[serde(default)]
    pub open: usize,
    /// By when those have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// Until when the remote service wants to hear nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
}

/// Whose requests are counted: those of a token at a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LedgerKey {
    /// Fingerprint of the token.
    pub token: String,
    /// Address of the service.
    pub address: String,
}

/// Why a record cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written now.
    #[error("the record of sent requests cannot be reached: {0}")]
    Unavailable(String),
    /// It is there, and makes no sense.
    #[error("the record of sent requests cannot be read: {0}")]
    Unreadable(String),
}

/// A place for records. What [`Ledger::store`] has said is stored must outlive the process, however that ends; and of
/// two writes the earlier one must not come out on top, though nobody may have waited for its end.
///
/// What happens while it fails: requests of incidents go on, everything else waits until it works again.
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// What was stored last.
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Usage>, LedgerError>>;

    /// Takes the place of what was stored before.
    fn store<'a>(&'a self, key: &'a LedgerKey, usage: &'a Usage) -> BoxFuture<'a, Result<(), LedgerError>>;
}

/// A ledger that outlives budgets, not the process: for tests and simulations. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    records: Arc<Mutex<BTreeMap<LedgerKey, Usage>>>,
    failing: Arc<Mutex<Option<LedgerError>>>,
}

impl MemoryLedger {
    /// Makes everything fail from now on, or work again.
    pub fn fail(&self, error: Option<LedgerError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// What is stored.
    #[must_use]
    pub fn record(&self, key: &LedgerKey) -> Option<Usage> {
        self.records().get(key).cloned()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<LedgerKey, Usage>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) -> Result<(), LedgerError> {
        match &*self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

impl Ledger for MemoryLedger {
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Usage>, LedgerError>> {
        Box::pin(async move { self.works().map(|()| self.record(key)) })
    }

    fn store<'a>(&'a self, key: &'a LedgerKey, usage: &'a Usage) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            self.works()?;
            self.records().insert(key.clone(), usage.clone());
            Ok(())
        })
    }
}
