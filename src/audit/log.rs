//! The log at work: spool, journal, and the task that stores batches.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::AuditError;
use super::event::{AuditEvent, UNKNOWN};
use super::filter::Filter;
use super::follow::Follower;
use super::journal::Journal;
use super::outage::{check_place, is_no_place, is_outage, is_refusal};
use super::store::{EventStore, Location};
use super::value::TraitValue;
use super::write::Retention;
use crate::driver::Clock;

/// Events that are stored in one transaction.
const BATCH: usize = 2000;
/// How often old events are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// The first pause after the store failed, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);
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
    /// What is kept.
    pub retention: Retention,
    /// True begins also when a PostgreSQL is there and refuses, and tries again: whoever has more urgent work than its
    /// record. False fails, so that a wrong URL is noticed.
    pub patient: bool,
    /// Time.
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
            patient: false,
            clock: Clock::System,
        }
    }
}

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
        struct Counts {
            $($name: AtomicU64,)*
        }

        impl Counts {
            fn read(&self) -> Counters {
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
    store_failures: "Attempts to store that failed.",
    journal_failures: "Attempts to write the journal that failed.",
    pruned: "Events that were deleted by retention.",
}

#[derive(Debug)]
struct Shared {
    store: EventStore,
    retention: Retention,
    clock: Clock,
    limit: usize,
    spool: Mutex<VecDeque<AuditEvent>>,
    /// None without one, and once the log is closed: its lock is given back then.
    journal: Mutex<Option<Journal>>,
    wake: Notify,
    counts: Counts,
    /// How many accepted events are settled: stored, or refused for good.
    settled: watch::Sender<u64>,
    closing: CancellationToken,
    /// One at a time: whoever waited finds nothing left to do.
    pruning: tokio::sync::Mutex<()>,
}

/// The event log. Clones are the same log; events are stored in the background.
#[derive(Clone, Debug)]
pub struct AuditLog {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl AuditLog {
    /// Opens the log and stores what earlier processes left in its journal. A store that cannot be reached or written
    /// now, such as a PostgreSQL that is down or a file on a full disk, does not stop it: it is tried again in the
    /// background. With [`AuditOptions::patient`] neither does a PostgreSQL that refuses. A journal that cannot be opened
    /// is done without.
    ///
    /// # Errors
    /// The file, the journal or the URL can never be used: it names a place that is not there, or what is there is no
    /// event log.
    pub async fn open(options: AuditOptions) -> Result<AuditLog, AuditError> {
        if let Location::File(path) = &options.location {
            check_place(path)?;
        }
        let store = EventStore::connect(&options.location, false)?;
        let mut migrated = false;
        match tokio::time::timeout(START_LIMIT, store.migrate()).await {
            Ok(Ok(())) => migrated = true,
            Ok(Err(error)) if !(is_outage(&error) || store.postgres && options.patient) => return Err(error),
            Ok(Err(error)) => tracing::warn!(?error, "the event log cannot be used; events wait"),
            Err(_) => tracing::warn!("the event log does not answer; events wait"),
        }
        let mut spool = VecDeque::new();
        let counts = Counts::default();
        let opened = match options.journal {
            Some(path) => match Journal::open(&path) {
                Ok(opened) => Some(opened),
                Err(source) if is_no_place(&source) => return Err(AuditError::File { path, source }),
                Err(error) => {
                    counts.journal_failures.store(1, Ordering::Relaxed);
                    tracing::warn!(%error, "the journal of the event log cannot be used; the work goes on without it");
                    None
                }
            },
            None => None,
        };
        let journal = match opened {
            Some((journal, finished, begun)) => {
                let lost = begun.into_iter().map(|mut event| {
                    event.set("outcome", TraitValue::String(UNKNOWN.to_owned()));
                    event.sort_traits();
                    event
                });
                let lost: Vec<AuditEvent> = lost.collect();
                counts.unknown.store(lost.len() as u64, Ordering::Relaxed);
                spool.extend(finished);
                spool.extend(lost);
                spool.make_contiguous().sort_by_key(|event| event.generated);
                counts.recovered.store(spool.len() as u64, Ordering::Relaxed);
                counts.accepted.store(spool.len() as u64, Ordering::Relaxed);
                Some(journal)
            }
            None => None,
        };
        let shared = Arc::new(Shared {
            store,
            retention: options.retention,
            clock: options.clock,
            limit: options.spool,
            spool: Mutex::new(spool),
            journal: Mutex::new(journal),
            wake: Notify::new(),
            counts,
            settled: watch::Sender::new(0),
            closing: CancellationToken::new(),
            pruning: tokio::sync::Mutex::new(()),
        });
        let writer = tokio::spawn(write(Arc::clone(&shared), migrated));
        Ok(AuditLog {
            shared,
            writer: Arc::new(Mutex::new(Some(writer))),
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

    /// Takes an event that is about to happen: when this returns, no end of the process loses it any more. Writes one
    /// line to the journal and waits for the disk, not for the store.
    #[must_use = "an event that is not completed is stored with the outcome unknown"]
    pub fn begin(&self, mut event: AuditEvent) -> Pending {
        event.normalise();
        self.shared.with_journal(|journal| journal.begin(&event));
        Pending {
            shared: Arc::clone(&self.shared),
            event: Some(event),
        }
    }

    /// Takes an event that is about to happen in a store of its own: [`AuditLog::begin`] without waiting for the disk.
    #[must_use = "an event of which nothing more is said is stored with the outcome unknown"]
    pub(super) fn expect(&self, mut event: AuditEvent) -> Pending {
        event.normalise();
        self.shared.with_journal(|journal| journal.expect(&event));
        Pending {
            shared: Arc::clone(&self.shared),
            event: Some(event),
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
        self.shared.spool().len()
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
        self.shared.prune().await
    }

    /// True when what is not stored at the end is kept for the next process.
    pub fn has_journal(&self) -> bool {
        let journal = self.shared.journal.lock();
        journal.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Stores what waits, for as long as `limit`, and closes the log. What is left stays in the journal. False when
    /// something is left.
    pub async fn close(&self, limit: Duration) -> bool {
        let stored = self.flush(limit).await;
        self.shared.closing.cancel();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has nothing more to say.
            let _ = writer.await;
        }
        self.shared.store.close().await;
        self.shared
            .journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        stored
    }
}

/// An event that has begun to happen.
#[derive(Debug)]
pub struct Pending {
    shared: Arc<Shared>,
    event: Option<AuditEvent>,
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
            self.shared.finish(event, UNKNOWN);
        }
    }
}

impl Shared {
    fn spool(&self) -> MutexGuard<'_, VecDeque<AuditEvent>> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_journal(&self, work: impl FnOnce(&mut Journal) -> std::io::Result<()>) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(journal) = journal.as_mut() else { return };
        let Err(error) = work(journal) else { return };
        if self.counts.journal_failures.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%error, "the journal of the event log cannot be written; the work goes on without it");
        }
    }

    fn finish(&self, mut event: AuditEvent, outcome: &str) {
        let taken = self.clock.now().duration_since(event.generated);
        event.set("outcome", TraitValue::String(outcome.to_owned()));
        event.set("duration", TraitValue::Float(taken.as_secs_f64().max(0.0)));
        event.normalise();
        self.accept(event);
    }

    fn accept(&self, event: AuditEvent) {
        let mut spool = self.spool();
        if spool.len() >= self.limit {
            drop(spool);
            self.with_journal(|journal| journal.settle([event.message_id.as_str()]));
            if self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!("the event log takes no more events until its store is back: some are lost");
            }
            return;
        }
        // Noted under the spool's lock, so that it is not settled before it is noted.
        self.with_journal(|journal| journal.note(&event));
        spool.push_back(event);
        self.counts.accepted.fetch_add(1, Ordering::Release);
        drop(spool);
        self.wake.notify_one();
    }

    /// The oldest events in the spool are settled.
    fn settle(&self, count: usize) {
        let settled: Vec<AuditEvent> = {
            let mut spool = self.spool();
            let count = count.min(spool.len());
            spool.drain(..count).collect()
        };
        self.with_journal(|journal| journal.settle(settled.iter().map(|event| event.message_id.as_str())));
        self.settled.send_modify(|total| *total += settled.len() as u64);
    }

    async fn store(&self, batch: &[AuditEvent]) -> Result<(), AuditError> {
        match self.store.insert(batch).await {
            Ok(_) => {
                self.counts.stored.fetch_add(batch.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if is_refusal(&error) => {
                // One event stops only itself.
                for event in batch {
                    match self.store.insert(std::slice::from_ref(event)).await {
                        Ok(_) => {
                            self.counts.stored.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) if is_refusal(&error) => {
                            self.counts.rejected.fetch_add(1, Ordering::Relaxed);
                            tracing::warn!(
                                event = event.message_id,
                                ?error,
                                "an event cannot be stored and is lost"
                            );
                        }
                        // Those before it are stored and will be found so.
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn prune(&self) -> Result<u64, AuditError> {
        let _one = self.pruning.lock().await;
        let pruned = self.store.prune(self.retention, self.clock.now()).await?;
        self.counts.pruned.fetch_add(pruned, Ordering::Relaxed);
        Ok(pruned)
    }
}

/// Stores batches until the log is closed.
async fn write(shared: Arc<Shared>, mut migrated: bool) {
    let mut pause = FIRST_PAUSE;
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    loop {
        let batch: Vec<AuditEvent> = shared.spool().iter().take(BATCH).cloned().collect();
        if batch.is_empty() && migrated {
            tokio::select! {
                () = shared.closing.cancelled() => return,
                () = shared.wake.notified() => {}
                _ = prune.tick(), if shared.retention != Retention::default() => {
                    if let Err(error) = shared.prune().await {
                        tracing::warn!(?error, "old events cannot be deleted; it is tried again in an hour");
                    }
                }
            }
            continue;
        }
        let attempt = async {
            if !migrated {
                shared.store.migrate().await?;
                migrated = true;
            }
            shared.store(&batch).await
        };
        let result = tokio::select! {
            result = attempt => result,
            // Only after the time that closing allows: what is left stays in the journal.
            () = shared.closing.cancelled() => return,
        };
        match result {
            Ok(()) => {
                pause = FIRST_PAUSE;
                shared.settle(batch.len());
            }
            Err(error) => {
                if shared.counts.store_failures.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(?error, "events cannot be stored; they wait");
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shared.closing.cancelled() => return,
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}
