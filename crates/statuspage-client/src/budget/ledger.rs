//! Where it is written down what a token has sent, so that the window is the token's, whatever processes send.
//!
//! Before a budget gives permits it has to have on record how many requests *may* have been started: a few more than
//! were, so that not every request costs a write. A process that is killed at any point leaves a record in which every
//! request of its last minute is counted. Each process has an entry of its own and reads those of the others in the very
//! moment in which it writes, so that of two that live at the same time no request is given twice.
//!
//! Times in a record are those of the machine's clock. Beside them stands for how long the machine had been running: a reader
//! on the same machine sees from it how far the clock was set since. Without that a time in the future counts as now, and a
//! clock that was set forward makes requests look older than they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::SPAN;
use super::reservation::LIFE;
use statuspage_clock::{Clock, Uptime};

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
    /// When this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Moment>,
}

/// A moment by the clocks of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// What the clock on the wall showed.
    pub wall: Timestamp,
    /// How long the machine had been running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Uptime>,
}

impl Moment {
    /// This moment.
    #[must_use]
    pub fn of(clock: &Clock) -> Self {
        Self {
            wall: clock.now(),
            uptime: clock.uptime(),
        }
    }

    /// How far the clock on the wall was set between an earlier moment and this one, as far as that can be known.
    fn set_since(&self, earlier: &Self) -> SignedDuration {
        let (Some(now), Some(then)) = (&self.uptime, &earlier.uptime) else {
            return SignedDuration::ZERO;
        };
        if now.boot != then.boot || now.milliseconds < then.milliseconds {
            return SignedDuration::ZERO;
        }
        let went_by = i64::try_from(now.milliseconds - then.milliseconds).unwrap_or(i64::MAX);
        let shown = self.wall.duration_since(earlier.wall);
        shown.saturating_sub(SignedDuration::from_millis(went_by))
    }
}

impl Usage {
    /// What of it counts still, with times as the clock shows them now. None when nothing does.
    #[must_use]
    pub(super) fn brought_up_to(&self, now: &Moment) -> Option<Self> {
        let set = self
            .written
            .as_ref()
            .map_or(SignedDuration::ZERO, |written| now.set_since(written));
        let later = |at: Timestamp, by: SignedDuration| at.saturating_add(by).unwrap_or(Timestamp::MAX);
        // The record is older than now, whatever it says.
        let at = |at: Timestamp, latest: SignedDuration| later(at, set).min(later(now.wall, latest));
        let counts = |at: &Timestamp| now.wall.duration_since(*at) < COUNTED;
        let ended: Vec<Spent> = self
            .ended
            .iter()
            .map(|spent| Spent {
                at: at(spent.at, SignedDuration::ZERO),
                ..*spent
            })
            .filter(|spent| counts(&spent.at))
            .collect();
        let open_until = self.open_until.unwrap_or(now.wall);
        let open_until = Some(at(open_until, OPEN_FOR)).filter(|at| self.open > 0 && counts(at));
        let paused_until = self.paused_until.map(|until| at(until, LONGEST_PAUSE));
        let usage = Self {
            ended,
            open: open_until.map_or(0, |_| self.open),
            open_until,
            paused_until: paused_until.filter(|until| *until > now.wall),
            written: Some(now.clone()),
        };
        let is_over = usage.ended.is_empty() && usage.open == 0 && usage.paused_until.is_none();
        (!is_over).then_some(usage)
    }
}

/// How long a request counts after its end.
const COUNTED: SignedDuration = SignedDuration::from_secs(SPAN.as_secs().cast_signed());
/// How long after a record was written what it calls open may be under way: started at the last moment, and then for as long
/// as a request may be.
pub(super) const OPEN_FOR: SignedDuration =
    SignedDuration::from_secs(LIFE.as_secs().cast_signed() + LONGEST_REQUEST.as_secs().cast_signed());
/// The client gives a request up after this time.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);
/// Longest pause that is taken over from a record.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(3600);

/// The records of all processes that use a token, by names of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// What each has sent.
    #[serde(default)]
    pub processes: BTreeMap<String, Usage>,
}

impl Book {
    /// Requests that count at this moment, those that may be under way included, and until when the remote service wants to
    /// hear nothing, if it does.
    #[must_use]
    pub fn counted(&self, now: &Moment) -> (usize, Option<Timestamp>) {
        let usages = self.processes.values().filter_map(|usage| usage.brought_up_to(now));
        usages.fold((0, None), |(requests, paused_until), usage| {
            let ended: usize = usage.ended.iter().map(|spent| spent.requests).sum();
            (requests + ended + usage.open, paused_until.max(usage.paused_until))
        })
    }

    /// Drops what does not count any more, and puts times right that the clock of this machine contradicts.
    pub(super) fn bring_up_to(&mut self, now: &Moment) {
        let processes = std::mem::take(&mut self.processes);
        self.processes = processes
            .into_iter()
            .filter_map(|(process, usage)| Some((process, usage.brought_up_to(now)?)))
            .collect();
    }
}

/// What becomes of a book: called with what is on record at the moment of the write, perhaps more than once.
pub type Revision = Box<dyn FnMut(&mut Book) + Send>;

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

/// A place for records. What [`Ledger::revise`] has said is stored must outlive the process, however that ends; and nobody
/// else writes between its reading and its writing.
///
/// What happens while it fails: requests of incidents go on, everything else waits until it works again.
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// What was stored last.
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Book>, LedgerError>>;

    /// Revises what is stored. What cannot be read is an empty book.
    fn revise<'a>(&'a self, key: &'a LedgerKey, revision: Revision) -> BoxFuture<'a, Result<(), LedgerError>>;
}

/// A ledger that outlives budgets, not the process: for tests and simulations. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    books: Arc<Mutex<BTreeMap<LedgerKey, Book>>>,
    failing: Arc<Mutex<Option<LedgerError>>>,
}

impl MemoryLedger {
    /// Makes everything fail from now on, or work again.
    pub fn fail(&self, error: Option<LedgerError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// What is stored.
    #[must_use]
    pub fn book(&self, key: &LedgerKey) -> Option<Book> {
        self.books().get(key).cloned()
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<LedgerKey, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) -> Result<(), LedgerError> {
        match &*self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

impl Ledger for MemoryLedger {
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Book>, LedgerError>> {
        Box::pin(async move { self.works().map(|()| self.book(key)) })
    }

    fn revise<'a>(&'a self, key: &'a LedgerKey, mut revision: Revision) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            self.works()?;
            revision(self.books().entry(key.clone()).or_default());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall: i64, boot: &str, milliseconds: u64) -> Moment {
        Moment {
            wall: Timestamp::from_second(1_000_000 + wall).unwrap(),
            uptime: Some(Uptime {
                boot: boot.to_owned(),
                milliseconds,
            }),
        }
    }

    #[test]
    fn a_clock_that_was_set_is_told_by_the_uptime_of_the_same_run_of_the_machine() {
        let then = moment(0, "a", 20_000);
        for (now, set) in [
            (moment(10, "a", 30_000), 0),
            (moment(3610, "a", 30_000), 3600),
            (moment(-3590, "a", 30_000), -3600),
            (moment(10, "a", 20_000), 10),
            // Nothing can be said of another run, nor of one whose uptime goes back.
            (moment(3610, "b", 30_000), 0),
            (moment(3610, "b", 10_000), 0),
            (moment(3610, "a", 19_999), 0),
        ] {
            assert_eq!(now.set_since(&then), SignedDuration::from_secs(set), "{now:?}");
        }
    }

    #[test]
    fn what_a_process_has_sent_counts_for_a_minute_and_its_pause_until_it_ends() {
        let now = moment(0, "a", 0);
        let at = |ago: i64| moment(-ago, "a", 0).wall;
        let of = |usage: Usage| usage.brought_up_to(&now);
        let ended = |ago| Usage {
            ended: vec![Spent {
                at: at(ago),
                requests: 3,
            }],
            ..Usage::default()
        };
        assert!(of(ended(59)).is_some() && of(ended(60)).is_none());
        let open = |open, ago| Usage {
            open,
            open_until: Some(at(ago)),
            ..Usage::default()
        };
        assert!(of(open(2, 59)).is_some_and(|usage| (usage.open, usage.open_until) == (2, Some(at(59)))));
        assert!(of(open(2, 60)).is_none(), "what was under way has ended a minute ago");
        assert!(of(open(0, 10)).is_none(), "nothing was under way");
        let paused = |ago| Usage {
            paused_until: Some(at(ago)),
            ..Usage::default()
        };
        assert!(of(paused(-1)).is_some() && of(paused(0)).is_none());
        // Of several processes all that counts is counted, and the longest pause holds.
        let usages = [ended(59), ended(60), open(2, 59), paused(-1), paused(-7)];
        let processes = usages.into_iter().enumerate();
        let book = Book {
            processes: processes.map(|(number, usage)| (number.to_string(), usage)).collect(),
        };
        assert_eq!(book.counted(&now), (5, Some(at(-7))));
    }
}
