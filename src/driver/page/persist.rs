//! What a driver writes to the store, and whom it tells.
//!
//! A few writes at a time, the urgent ones first, and a look in between whether something has come up: thousands of them
//! must not keep an incident waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::PageDriver;
use crate::api::{Kind, Reason};
use crate::driver::{Event, EventKind, Expectation, Happening, Interrupt, Store, StoreChange, StoreError, View};
use crate::engine::{self, Action, Declaration, ObjectKey, Plan, READY, Reply, Status, Step};

/// So many writes are under way at once.
const CONCURRENT_WRITES: usize = 8;
/// Within this time an object says what it waits for.
const FIRST_STATUS_WITHIN: SignedDuration = SignedDuration::from_millis(500);

/// What has become of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// There were none, or none that the store took.
    Nothing,
    /// The store took some.
    Some,
    /// Something came up before the end.
    Interrupted,
}

/// What has to be told before it is dealt with: what somebody changed on the page, and what new declarations wait for.
pub(super) fn due_early<'a>(view: &View, plan: &'a Plan, now: Timestamp) -> BTreeSet<&'a ObjectKey> {
    let urgent = |(key, status): &(&'a ObjectKey, &'a Arc<Status>)| {
        view.get(key).is_some_and(|known| {
            let stored = known.stored.object();
            let drifted = status.object().drift != stored.drift && !status.object().drift.is_empty();
            let unheard = stored.observed_generation != Some(known.generation);
            drifted || unheard && now.duration_since(known.seen) >= FIRST_STATUS_WITHIN
        })
    };
    let statuses = plan.statuses.iter().map(|(key, status)| (key, status));
    statuses.filter(urgent).map(|(key, _)| key).collect()
}

/// What is to be stored about one object, with the steps that say so.
type Changes<'a> = Vec<(&'a Step, StoreChange)>;

impl<S: Store> PageDriver<S> {
    /// Performs the steps that need no request.
    pub(super) async fn store_steps(&mut self, view: &View, plan: &Plan, interrupt: &Interrupt) -> Written {
        let mut by_object: BTreeMap<&ObjectKey, (&Declaration, Changes<'_>)> = BTreeMap::new();
        for step in &plan.steps {
            let change = match &step.action {
                Action::RecordId(id) => StoreChange::RecordId(id.clone()),
                Action::AddFinalizer => StoreChange::AddFinalizer,
                Action::RemoveFinalizer | Action::Leave => StoreChange::RemoveFinalizer,
                Action::Prune => StoreChange::Prune,
                _ => continue,
            };
            if let Some(declaration) = view.get(&step.key) {
                let entry = by_object.entry(&step.key).or_insert_with(|| (declaration, Vec::new()));
                entry.1.push((step, change));
            }
        }
        let mut objects: Vec<_> = by_object.into_values().collect();
        objects.sort_by_key(|(declaration, _)| declaration.key.kind != Kind::Incident);
        let mut written = Written::Nothing;
        for batch in objects.chunks(CONCURRENT_WRITES) {
            if written == Written::Some && (interrupt.is_due() || !self.store.may_write()) {
                return Written::Interrupted;
            }
            let results = join_all(
                batch
                    .iter()
                    .map(|(declaration, changes)| self.store_step(declaration, changes)),
            )
            .await;
            for ((declaration, changes), results) in batch.iter().zip(results) {
                for ((step, _), result) in changes.iter().zip(results) {
                    self.count(|totals| totals.store_writes += 1);
                    match result {
                        Ok(()) => {
                            self.store_answered();
                            written = Written::Some;
                            match &step.action {
                                Action::RecordId(_) => self.fold(declaration, step, &Reply::Done),
                                Action::Leave => self
                                    .store
                                    .emit_event(declaration, Event::left_on_page(&step.summary.to_string())),
                                _ => {}
                            }
                        }
                        Err(StoreError::Gone(_)) => written = Written::Some,
                        Err(error @ StoreError::Unavailable { .. }) => {
                            self.store_is_away(&error);
                            return Written::Nothing;
                        }
                        Err(error @ StoreError::Conflict(_)) => {
                            tracing::debug!(object = %step.key, %error, "planned again");
                            written = Written::Some;
                        }
                    }
                }
            }
        }
        written
    }

    /// The changes of one object that need no request, one after the other.
    async fn store_step(
        &self,
        declaration: &Declaration,
        changes: &[(&Step, StoreChange)],
    ) -> Vec<Result<(), StoreError>> {
        let mut results = Vec::with_capacity(changes.len());
        for (step, change) in changes {
            let recovered = declaration.status.object().journal.is_some();
            let happening = match &step.action {
                Action::RecordId(id) => Some(Happening::Adopted { id, recovered }),
                Action::RemoveFinalizer | Action::Leave => Some(Happening::Released),
                Action::Prune => Some(Happening::Pruned),
                _ => None,
            };
            let expected = happening.and_then(|happening| self.expect(declaration, happening));
            let result = self.timed_write(declaration, change.clone()).await;
            if let Some(expected) = expected {
                expected.conclude(result.is_ok());
            }
            let failed = result.is_err();
            results.push(result);
            if failed {
                break;
            }
        }
        results
    }

    /// Writes the statuses that changed.
    pub(super) async fn write_statuses(
        &mut self,
        view: &View,
        plan: &Plan,
        due: impl Fn(&ObjectKey) -> bool,
        interrupt: &Interrupt,
    ) -> Written {
        let mut statuses: Vec<(&Declaration, &Arc<Status>)> = plan
            .statuses
            .iter()
            .filter(|(key, _)| due(key))
            .filter_map(|(key, status)| Some((view.get(key)?, status)))
            .filter(|(declaration, status)| !Status::is_same(status, &declaration.stored))
            .collect();
        statuses.sort_by_key(|(declaration, _)| match declaration.key.kind {
            Kind::Incident => 0,
            Kind::StatusPage => 1,
            _ => 2,
        });
        let now = self.options.clock.steady();
        let contest = &self.contest;
        let mut contested_until = self.contested_until;
        statuses.retain(|(declaration, status)| {
            let until = contest.holds_back(declaration, status, now);
            contested_until = contested_until.into_iter().chain(until).min();
            until.is_none()
        });
        self.contested_until = contested_until;
        let mut told = Vec::new();
        let mut written = Written::Nothing;
        for batch in statuses.chunks(CONCURRENT_WRITES) {
            if written == Written::Some && (interrupt.is_due() || !self.store.may_write()) {
                written = Written::Interrupted;
                break;
            }
            let writes = batch
                .iter()
                .map(|(declaration, status)| self.write_status(declaration, status));
            let mut away = false;
            for ((declaration, status), (expected, result)) in batch.iter().zip(join_all(writes).await) {
                self.count(|totals| totals.store_writes += 1);
                match (expected, &result) {
                    (Some(expected), Ok(())) => told.push(expected),
                    (Some(expected), Err(_)) => expected.conclude(false),
                    (None, _) => {}
                }
                match result {
                    Ok(()) => {
                        self.store_answered();
                        written = Written::Some;
                        self.unsaved.remove(&declaration.key);
                        self.written.insert(declaration.key.clone(), Arc::clone(status));
                        if self.contest.wrote(declaration, status, now) {
                            self.emit_contest_event(declaration);
                        }
                        self.emit_transition_event(declaration, status);
                        self.observe_arrival(declaration, status);
                    }
                    Err(StoreError::Gone(_)) => {}
                    Err(error @ StoreError::Unavailable { .. }) => {
                        away = true;
                        self.store_is_away(&error);
                    }
                    // Its own change comes by the watch, and is planned for.
                    Err(error @ StoreError::Conflict(_)) => {
                        tracing::debug!(object = %declaration.key, %error, "the status will be written again");
                    }
                }
            }
            if away {
                break;
            }
        }
        if !told.is_empty() {
            // A status that the store has kept back so far would be told again by the next process.
            self.flush().await;
            told.into_iter().for_each(|expected| expected.conclude(true));
        }
        written
    }

    async fn write_status(
        &self,
        declaration: &Declaration,
        status: &Arc<Status>,
    ) -> (Option<Box<dyn Expectation>>, Result<(), StoreError>) {
        let expected = self.expect(declaration, Happening::Status(status));
        let change = StoreChange::Status(Arc::clone(status));
        let result = self.timed_write(declaration, change).await;
        (expected, result)
    }

    /// When to plan again: also when the store is tried again that did not take something.
    pub(super) fn wake(&self, plan: &Plan) -> Option<Timestamp> {
        let once_more = self.shows_earlier_requests_at();
        let contested = self.contested_until;
        let own = self.store_pauses().into_iter().chain(once_more).chain(contested);
        plan.wake.into_iter().chain(own).min()
    }

    pub(super) async fn write(&mut self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        self.count(|totals| totals.store_writes += 1);
        self.timed_write(declaration, change).await
    }

    async fn timed_write(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        let began = self.now();
        let result = self.store.write(declaration, change).await;
        if let Some(observer) = &self.observer {
            observer.stored(&result, self.since(began));
        }
        result
    }

    /// Tells how long it took when a status says for the first time that what is declared is on the page. What was declared
    /// before this process came is not counted: nobody knows since when it waits.
    fn observe_arrival(&self, declaration: &Declaration, status: &Status) {
        let Some(observer) = &self.observer else { return };
        let is_there = |status: &Status| {
            let ready = engine::find_condition(status.object(), READY);
            ready.is_some_and(|ready| {
                ready.status == "True" && ready.observed_generation == Some(declaration.generation)
            })
        };
        let began_here = self.first_view.is_some_and(|first| declaration.spec_seen > first);
        if began_here && is_there(status) && !is_there(&declaration.stored) {
            observer.reached_page(declaration.key.kind, self.since(declaration.spec_seen));
        }
    }

    /// Makes what the store may have kept back durable, before a pause.
    pub(super) async fn flush(&mut self) {
        if let Err(error) = self.store.flush().await {
            self.store_is_away(&error);
        }
    }

    /// Puts on the record what is about to be written to the store: what a crash interrupts is found there.
    fn expect(&self, declaration: &Declaration, happening: Happening<'_>) -> Option<Box<dyn Expectation>> {
        let recorder = self.recorder.as_ref()?;
        recorder.expect(&self.key, self.page_id.as_deref(), declaration, happening)
    }

    /// Somebody else writes another status all the time.
    fn emit_contest_event(&self, declaration: &Declaration) {
        let note = "another process keeps overwriting this status: a second operator may be managing this page; writing less often";
        tracing::warn!(object = %declaration.key, "{note}");
        let event = Event {
            kind: EventKind::Warning,
            reason: "StatusContested".to_owned(),
            note: note.to_owned(),
        };
        self.store.emit_event(declaration, event);
    }

    /// An Event when a declaration begins or ceases to need its owner.
    fn emit_transition_event(&self, declaration: &Declaration, status: &Status) {
        let ready = |status: &Status| engine::find_condition(status.object(), READY).cloned();
        let (before, Some(after)) = (ready(&declaration.stored), ready(status)) else {
            return;
        };
        let drift = &status.object().drift;
        if let Some(first) = drift.first().filter(|_| *drift != declaration.stored.object().drift) {
            let event = Event {
                kind: EventKind::Warning,
                reason: Reason::DriftDetected.to_string(),
                note: format!(
                    "{} is {} on the page, declared as {}",
                    first.field, first.observed, first.desired
                ),
            };
            self.store.emit_event(declaration, event);
        }
        let quiet = [
            Reason::Progressing,
            Reason::Synced,
            Reason::WaitingForReference,
            Reason::NoMembers,
            Reason::Deleting,
            // The page itself tells, once, not each of its thousand declarations.
            Reason::PageNotReady,
        ]
        .map(Reason::as_str);
        let was = before.map(|condition| condition.reason).unwrap_or_default();
        if was == after.reason {
            return;
        }
        if !quiet.contains(&after.reason.as_str()) {
            let event = Event {
                kind: EventKind::Warning,
                reason: after.reason,
                note: after.message,
            };
            self.store.emit_event(declaration, event);
        } else if after.status == "True" && !was.is_empty() && !quiet.contains(&was.as_str()) {
            let event = Event {
                kind: EventKind::Normal,
                reason: "Recovered".into(),
                note: format!("no longer {was}"),
            };
            self.store.emit_event(declaration, event);
        }
    }
}
