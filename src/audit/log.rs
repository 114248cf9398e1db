//! The log at work: what it takes, what it promises, and how it ends. Who stores is [`super::writer`].

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::AuditError;
use super::event::{AuditEvent, UNKNOWN};
use super::filter::Filter;
use super::follow::Follower;
use super::journal::Telling;
use super::outage::is_outage;
use super::place::check_place;
use super::queue::{Queue, Remains};
use super::shared::{Counters, Counts, Shared};
use super::store::{EventStore, Location};
use super::trouble::Trouble;
use super::write::{Doomed, Retention, Writer};
use super::writer;
use crate::driver::Clock;

/// So long a store that does not answer may delay the start, and with it an incident.
const START_LIMIT: Duration = Duration::from_secs(2);

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Where events are stored.
    pub location: Location,
    /// The local file that keeps what is not stored yet; none keeps it in memory only.
    pub journal: Option<PathBuf>,
    /// Events that wait at most while the store is down.
    pub spool: usize,
    pub retention: Retention,
    /// True writes addresses of people, and of webhooks, as they are; false masks them.
    pub personal_data: bool,
    /// True begins also when a PostgreSQL is there and refuses, and tries again: whoever has more urgent work than its
    /// record. False fails, so that a wrong URL is noticed.
    pub patient: bool,
    pub clock: Clock,
}

impl AuditOptions {
    /// The usual options for a place: beside a file, a journal of the same name.
    pub fn new(location: Location) -> Self {
        let journal = match &location {
            Location::File(path) => {
                let mut name = path.as_os_str().to_owned();
                name.push(".journal");
                Some(PathBuf::from(name))
            }
            Location::Memory | Location::Postgres(_) => None,
        };
        AuditOptions {
            location,
            journal,
            spool: 100_000,
            retention: Retention::default(),
            personal_data: false,
            patient: false,
            clock: Clock::System,
        }
    }
}

/// The event log. Clones are the same log; events are stored in the background.
#[derive(Clone, Debug)]
pub struct AuditLog {
    pub(super) shared: Arc<Shared>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl AuditLog {
    /// Opens the log and stores what earlier processes left in its journal. A store that cannot be reached or written
    /// now, such as a PostgreSQL that is down or a file on a full disk, does not stop it: it is tried again in the
    /// background. With [`AuditOptions::patient`] neither does a PostgreSQL that refuses. A journal that cannot be opened
    /// is tried again too.
    ///
    /// # Errors
    /// The file, the journal or the URL can never be used: it names a place that is not there, or what is there is no
    /// event log.
    pub async fn open(options: AuditOptions) -> Result<AuditLog, AuditError> {
        if let Location::File(path) = &options.location {
            check_place(path)?;
        }
        let store = EventStore::connect(&options.location, false)?;
        let mut writer = Writer::new(store.clone());
        match tokio::time::timeout(START_LIMIT, writer.open()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if !(is_outage(&error) || store.postgres && options.patient) => return Err(error),
            Ok(Err(error)) => tracing::warn!(?error, "the event log cannot be used; keeping events"),
            Err(_) => tracing::warn!("the event log does not answer; keeping events"),
        }
        let shared = Arc::new(Shared {
            store,
            retention: options.retention,
            personal_data: options.personal_data,
            clock: options.clock,
            queue: Mutex::new(Queue::new(options.spool, options.journal.clone())),
            chores: Mutex::default(),
            wake: Notify::new(),
            counts: Counts::default(),
            settled: watch::Sender::new(0),
            closing: CancellationToken::new(),
            journal_trouble: Trouble::default(),
            full: Trouble::default(),
            remains: Mutex::default(),
        });
        let opened = shared.queue().open_journal();
        match opened {
            Ok(recovered) => shared.recovered(&recovered),
            Err(source) if Queue::is_impossible(&source) => {
                let path = options.journal.unwrap_or_default();
                return Err(AuditError::File { path, source });
            }
            Err(error) => shared.journal_failed(&error),
        }
        let task = tokio::spawn(writer::run(Arc::clone(&shared), writer));
        Ok(AuditLog {
            shared,
            writer: Arc::new(Mutex::new(Some(task))),
        })
    }

    /// The time, as the log sees it: for the events that are given to it.
    pub fn now(&self) -> jiff::Timestamp {
        self.shared.clock.now()
    }

    /// Takes an event that has happened. Never waits for the store and never fails; see [`Counters::dropped`].
    pub fn record(&self, mut event: AuditEvent) {
        event.normalise();
        self.shared.accept(event);
    }

    /// Takes an event that is about to happen: when this returns, no end of the process loses it any more, unless the
    /// journal cannot be written. Writes one line to the journal and waits for the disk, not for the store.
    #[must_use = "an event that was not completed is stored with the outcome unknown"]
    pub fn begin(&self, mut event: AuditEvent) -> Pending {
        event.normalise();
        self.shared.with_journal(|journal| journal.begin(&event));
        self.pending(event, None)
    }

    /// Takes an event that is about to happen in a store of its own: [`AuditLog::begin`] without waiting for the disk.
    #[must_use = "an event without an outcome is stored with the outcome unknown"]
    pub(super) fn expect(&self, mut event: AuditEvent, telling: Telling) -> Pending {
        event.normalise();
        self.shared
            .with_journal(|journal| journal.expect(&event, Some(&telling)));
        self.pending(event, Some(telling))
    }

    fn pending(&self, event: AuditEvent, telling: Option<Telling>) -> Pending {
        Pending {
            shared: Arc::clone(&self.shared),
            event: Some(event),
            telling,
        }
    }

    /// The store, for reading.
    pub fn store(&self) -> &EventStore {
        &self.shared.store
    }

    /// Follows the log after the marker of the filter, or from now on.
    ///
    /// # Errors
    /// The marker is unknown, or the database fails.
    pub async fn follow(&self, filter: Filter) -> Result<Follower, AuditError> {
        let stored = self.shared.settled.subscribe();
        self.shared.store.follow_with(filter, Some(stored)).await
    }

    /// Cancelled once the log is being closed: what follows it ends with it.
    pub fn closing(&self) -> CancellationToken {
        self.shared.closing.clone()
    }

    /// Figures since the log was opened.
    pub fn counters(&self) -> Counters {
        self.shared.counts.read()
    }

    /// Events that wait for the store now.
    pub fn waiting(&self) -> usize {
        self.shared.queue().len()
    }

    /// Events that would be lost if the process ended now: they are neither in the store nor in the journal.
    pub fn unprotected(&self) -> u64 {
        self.shared.queue().unprotected()
    }

    /// Waits until everything that was taken before is stored. False when that took too long.
    pub async fn flush(&self, limit: Duration) -> bool {
        let accepted = self.shared.counts.accepted.load(Ordering::Acquire);
        let mut settled = self.shared.settled.subscribe();
        let done = settled.wait_for(|settled| *settled >= accepted);
        matches!(tokio::time::timeout(limit, done).await, Ok(Ok(_)))
    }

    /// Deletes what retention does not keep; the log does this itself once an hour. Returns how many events went.
    ///
    /// # Errors
    /// The database fails.
    pub async fn prune(&self) -> Result<u64, AuditError> {
        let shared = &self.shared;
        self.delete(Doomed::Expired(shared.retention, shared.clock.now())).await
    }

    /// Deletes all events of a namespace. Returns how many went.
    ///
    /// # Errors
    /// The database fails.
    pub async fn purge(&self, namespace: &str) -> Result<u64, AuditError> {
        self.delete(Doomed::Tenant(namespace.to_owned())).await
    }

    async fn delete(&self, doomed: Doomed) -> Result<u64, AuditError> {
        let (reply, done) = oneshot::channel();
        self.shared.add_chore(doomed, Some(reply));
        done.await.unwrap_or(Err(AuditError::Closed))
    }

    /// Stores what waits, for as long as `limit`, and closes the log; says what is left in the journal, and what is lost.
    /// False when something is left; see [`AuditLog::remains`].
    pub async fn close(&self, limit: Duration) -> bool {
        let stored = self.flush(limit).await;
        self.shared.closing.cancel();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has nothing more to say.
            let _ = writer.await;
            self.shared.store.close().await;
            let remains = self.shared.queue().close();
            if remains.kept > 0 {
                let count = remains.kept;
                tracing::warn!(
                    count,
                    "some events are not stored yet: the next process with this log stores them"
                );
            }
            if remains.lost > 0 {
                let count = remains.lost;
                tracing::warn!(
                    count,
                    "events are lost: neither the store nor a journal could be written"
                );
            }
            *self.shared.remains.lock().unwrap_or_else(PoisonError::into_inner) = remains;
        }
        stored
    }

    /// What was not stored when the log was closed.
    pub fn remains(&self) -> Remains {
        *self.shared.remains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event that has begun to happen.
#[derive(Debug)]
pub struct Pending {
    shared: Arc<Shared>,
    event: Option<AuditEvent>,
    telling: Option<Telling>,
}

impl Pending {
    /// Adds what is known by now to the event and stores it with an outcome. The time since the beginning becomes its
    /// `duration`, in seconds.
    pub fn complete(mut self, outcome: &str, more: impl FnOnce(AuditEvent) -> AuditEvent) {
        if let Some(event) = self.event.take() {
            self.shared.finish(more(event), outcome);
        }
    }

    /// It happened: stores the event as it is.
    pub(super) fn happened(mut self) {
        if let Some(event) = self.event.take() {
            self.shared.accept(event);
        }
    }

    /// It did not happen, and is no event.
    pub(super) fn forget(mut self) {
        if let Some(event) = self.event.take() {
            self.shared.with_journal(|journal| journal.forget(&event.message_id));
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Cancelled, or unwound: nobody will tell any more.
        if let Some(event) = self.event.take() {
            if let Some(telling) = &self.telling {
                self.shared.queue().interrupted(telling, &event.message_id);
            }
            self.shared.finish(event, UNKNOWN);
        }
    }
}
