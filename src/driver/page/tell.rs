//! What a driver writes to the store, and whom it tells.

use jiff::Timestamp;

use super::{PageDriver, STORE_RETRY, by_key};
use crate::api::Reason;
use crate::driver::{Event, EventKind, Expectation, Happening, Store, StoreChange, StoreError, View};
use crate::engine::{self, Action, Declaration, ObjectKey, Plan, READY, Reply, Status};

impl<S: Store> PageDriver<S> {
    /// Performs the steps that need no request. True when there were any: then it is time to plan again.
    pub(super) async fn small_steps(&mut self, view: &View, plan: &Plan) -> bool {
        let mut any = false;
        if plan.steps.iter().all(|step| step.action.request().is_some()) {
            return false;
        }
        let by_key = by_key(view);
        for step in &plan.steps {
            let Some(declaration) = by_key.get(&step.key).copied() else {
                continue;
            };
            let change = match &step.action {
                Action::RecordId(id) => StoreChange::RecordId(id.clone()),
                Action::Hold => StoreChange::AddFinalizer,
                Action::Release => StoreChange::Release,
                Action::Prune => StoreChange::Prune,
                _ => continue,
            };
            let recovered = declaration.status.object().journal.is_some();
            let happening = match &step.action {
                Action::RecordId(id) => Some(Happening::Adopted { id, recovered }),
                Action::Release => Some(Happening::Released),
                Action::Prune => Some(Happening::Pruned),
                _ => None,
            };
            let expected = happening.and_then(|happening| self.expect(declaration, happening));
            let result = self.write(declaration, change).await;
            if let Some(expected) = expected {
                expected.conclude(result.is_ok());
            }
            match result {
                Ok(()) => {
                    any = true;
                    if let Action::RecordId(_) = &step.action {
                        self.fold(declaration, step, &Reply::Done);
                    }
                }
                Err(StoreError::Gone(_)) => any = true,
                Err(error) => {
                    self.store_trouble = true;
                    tracing::warn!(object = %step.key, %error, "will try again");
                }
            }
        }
        any
    }

    /// Writes the statuses that changed. True when there were any that the store took.
    pub(super) async fn write_statuses(&mut self, view: &View, plan: &Plan, due: impl Fn(&ObjectKey) -> bool) -> bool {
        let by_key = by_key(view);
        let mut told = Vec::new();
        let mut any = false;
        for (key, status) in plan.statuses.iter().filter(|(key, _)| due(key)) {
            let Some(declaration) = by_key.get(key).copied() else {
                continue;
            };
            if *status == *declaration.stored {
                continue;
            }
            let expected = self.expect(declaration, Happening::Status(status));
            let change = StoreChange::Status(Box::new(status.clone()));
            let result = self.write(declaration, change).await;
            match (expected, &result) {
                (Some(expected), Ok(())) => told.push(expected),
                (Some(expected), Err(_)) => expected.conclude(false),
                (None, _) => {}
            }
            match result {
                Ok(()) => {
                    any = true;
                    self.knowledge.remove(key);
                    self.tell_transition(declaration, status);
                }
                Err(StoreError::Gone(_)) => {}
                Err(error) => {
                    self.store_trouble = true;
                    tracing::warn!(object = %key, %error, "status will be written again");
                }
            }
        }
        if !told.is_empty() {
            // A status that the store has kept back so far would be told again by the next process.
            self.flush().await;
            told.into_iter().for_each(|expected| expected.conclude(true));
        }
        any
    }

    /// When to plan again: soon, if the store did not take something that nothing else comes back to.
    pub(super) fn wake(&self, plan: &Plan) -> Option<Timestamp> {
        let soon = self.store_trouble.then(|| {
            self.options
                .clock
                .now()
                .saturating_add(STORE_RETRY)
                .unwrap_or(Timestamp::MAX)
        });
        plan.wake.into_iter().chain(soon).min()
    }

    pub(super) async fn write(&mut self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        self.totals.store_writes += 1;
        self.store.write(declaration, change).await
    }

    /// Makes what the store may have kept back durable, before a pause.
    pub(super) async fn flush(&self) {
        if let Err(error) = self.store.flush().await {
            tracing::warn!(%error, "will try again");
        }
    }

    /// Puts on the record what is about to be written to the store: what a crash interrupts is found there.
    fn expect(&self, declaration: &Declaration, happening: Happening<'_>) -> Option<Box<dyn Expectation>> {
        let recorder = self.recorder.as_ref()?;
        recorder.expect(&self.key, self.page_id.as_deref(), declaration, happening)
    }

    /// An Event when a declaration begins or ceases to need its owner.
    pub(super) fn tell_transition(&self, declaration: &Declaration, status: &Status) {
        let ready = |status: &Status| engine::find_condition(status.object(), READY).cloned();
        let (before, Some(after)) = (ready(&declaration.stored), ready(status)) else {
            return;
        };
        let drifted = |status: &Status| !status.object().drift.is_empty();
        if drifted(status) && !drifted(&declaration.stored) {
            let note = status.object().drift.first().map_or_else(String::new, |drift| {
                format!(
                    "{} is {} on the page, declared is {}",
                    drift.field, drift.observed, drift.desired
                )
            });
            let event = Event {
                kind: EventKind::Warning,
                reason: Reason::DriftDetected.to_string(),
                note,
            };
            self.store.tell(declaration, event);
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
            self.store.tell(declaration, event);
        } else if after.status == "True" && !was.is_empty() && !quiet.contains(&was.as_str()) {
            let event = Event {
                kind: EventKind::Normal,
                reason: "Recovered".into(),
                note: format!("no longer {was}"),
            };
            self.store.tell(declaration, event);
        }
    }
}
