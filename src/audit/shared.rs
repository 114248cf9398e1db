//! What the log and its writer have in common: what waits, what is counted, what is to be deleted.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::AuditError;
use super::event::AuditEvent;
use super::journal::Journal;
use super::queue::{Queue, Recovered, Remains};
use super::store::EventStore;
use super::trouble::Trouble;
use super::value::TraitValue;
use super::write::{Doomed, Retention};
use crate::driver::Clock;

macro_rules! counters {
    ($($name:ident: $meaning:literal,)*) => {
        /// Figures of a log since it was opened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $(#[doc = $meaning] pub $name: u64,)*
        }

        impl Counters {
            /// All of them with their names and what they count.
            pub fn all(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $meaning, self.$name),)*]
            }
        }

        #[derive(Debug, Default)]
        pub(super) struct Counts {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Counts {
            pub(super) fn read(&self) -> Counters {
                Counters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    accepted: "Events that were taken for storing.",
    stored: "Events that are in the store; those that were there already count too.",
    dropped: "Events that did not fit into the spool and are lost.",
    rejected: "Events that the store refused for good and that are lost.",
    recovered: "Events that earlier processes left in the journal.",
    unknown: "Events among those whose outcome is not known.",
    lost: "Events that earlier processes could neither store nor write to the journal, and that are lost.",
    store_failures: "Attempts to store that failed.",
    journal_failures: "Attempts to write the journal that failed.",
    pruned: "Events that were deleted by retention, or with their namespace.",
}

/// Something to delete in pieces, and who waits for it.
#[derive(Debug)]
pub(super) struct Chore {
    pub(super) doomed: Doomed,
    pub(super) done: u64,
    pub(super) reply: Option<oneshot::Sender<Result<u64, AuditError>>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: EventStore,
    pub(super) retention: Retention,
    pub(super) personal_data: bool,
    pub(super) clock: Clock,
    pub(super) queue: Mutex<Queue>,
    pub(super) chores: Mutex<VecDeque<Chore>>,
    pub(super) wake: Notify,
    pub(super) counts: Counts,
    /// How many accepted events are settled: stored, or refused for good.
    pub(super) settled: watch::Sender<u64>,
    pub(super) closing: CancellationToken,
    pub(super) journal_trouble: Trouble,
    pub(super) full: Trouble,
    pub(super) remains: Mutex<Remains>,
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn chores(&self) -> MutexGuard<'_, VecDeque<Chore>> {
        self.chores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something to delete, once nothing waits to be stored.
    pub(super) fn add_chore(&self, doomed: Doomed, reply: Option<oneshot::Sender<Result<u64, AuditError>>>) {
        let chore = Chore { doomed, done: 0, reply };
        self.chores().push_back(chore);
        self.wake.notify_one();
    }

    pub(super) fn with_journal(&self, work: impl FnOnce(&mut Journal) -> io::Result<()>) {
        let (result, recovered) = self.queue().with_journal(work);
        self.journal_did(result, &recovered);
    }

    fn journal_did(&self, result: io::Result<()>, recovered: &Recovered) {
        self.recovered(recovered);
        match result {
            Err(error) => self.journal_failed(&error),
            Ok(()) => {
                if self.journal_trouble.is_over().is_some() {
                    tracing::warn!("the journal of the event log can be written again: all pending events are in it");
                }
            }
        }
    }

    pub(super) fn journal_failed(&self, error: &io::Error) {
        self.counts.journal_failures.fetch_add(1, Ordering::Relaxed);
        if self.journal_trouble.is_news(&error.to_string()) {
            tracing::warn!(
                %error,
                "the journal of the event log cannot be written: what is not stored when this process ends is lost"
            );
        }
    }

    pub(super) fn recovered(&self, recovered: &Recovered) {
        let counts = &self.counts;
        for (count, more) in [
            (&counts.recovered, recovered.events),
            (&counts.unknown, recovered.unknown),
            (&counts.lost, recovered.lost),
        ] {
            count.fetch_add(more, Ordering::Relaxed);
        }
        counts.accepted.fetch_add(recovered.events, Ordering::Release);
        if recovered.lost > 0 {
            let count = recovered.lost;
            tracing::warn!(
                count,
                "events of an earlier process are lost: its journal could not be written"
            );
        }
    }

    pub(super) fn finish(&self, mut event: AuditEvent, outcome: &str) {
        let taken = self.clock.now().duration_since(event.generated);
        event.set("outcome", TraitValue::String(outcome.to_owned()));
        event.set("duration", TraitValue::Float(taken.as_secs_f64().max(0.0)));
        event.normalise();
        self.accept(event);
    }

    pub(super) fn accept(&self, event: AuditEvent) {
        let text = event.to_json().to_string();
        let id = event.message_id.as_str();
        // One lock for both: what is stored is noted before it is settled.
        let mut queue = self.queue();
        let room = queue.has_room();
        let (result, recovered) = if room {
            let done = queue.with_journal(|journal| journal.note(id, &text));
            queue.push(id, text);
            self.counts.accepted.fetch_add(1, Ordering::Release);
            done
        } else {
            queue.with_journal(|journal| journal.settle([id]))
        };
        drop(queue);
        self.journal_did(result, &recovered);
        if room {
            if self.full.is_over().is_some() {
                let dropped = self.counts.dropped.load(Ordering::Relaxed);
                tracing::warn!(
                    dropped,
                    "the event log accepts events again; those that did not fit are lost"
                );
            }
            self.wake.notify_one();
        } else {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            if self.full.is_news("full") {
                tracing::warn!("too many events are pending: until the store is back, further ones are lost");
            }
        }
    }

    /// The oldest events in the queue are settled.
    pub(super) fn settle(&self, count: usize) {
        let result = self.queue().settle(count);
        self.journal_did(result, &Recovered::default());
        self.settled.send_modify(|total| *total += count as u64);
    }
}
