//! Performing one step: journal, request, record; and what a failure means.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::{Knowledge, PageDriver, described, find, organization};
use crate::api::{Kind, Reason};
use crate::driver::perform::perform;
use crate::driver::{Conclusion, Effect, Event, EventKind, Store, StoreChange, StoreError, Ticket, View};
use crate::engine::{self, Action, Declaration, Failure, ObjectKey, Reply, Request, Status, Step};
use crate::statuspage::{Client, CollectionKind, Error, ErrorClass, Permit, Trace};

impl<S: Store> PageDriver<S> {
    pub(super) async fn step(&mut self, view: &View, client: &Client, page_id: &str, step: &Step, permit: Permit) {
        let (Some(request), Some(declaration)) = (step.action.request(), find(view, &step.key)) else {
            return;
        };
        if !declaration.finalizer
            && declaration.key.kind != Kind::StatusPage
            && !declaration.deleting
            && let Err(error) = self.write(declaration, StoreChange::AddFinalizer).await
        {
            permit.release_unused();
            self.store_failed(view, &step.key, &error);
            return;
        }
        if step.action.is_journalled() && !self.write_journal(step).await {
            permit.release_unused();
            return;
        }
        let trace = Trace::default();
        let client = client
            .with_priority(step.priority)
            .with_permit(permit)
            .with_trace(&trace);
        let page = client.page(page_id).in_organization(organization(view));
        // On the record before it is sent: what a crash interrupts is found there.
        let ticket = self.recorder.as_ref().map(|recorder| {
            recorder.begin(Effect {
                page: &self.key,
                page_id,
                declaration,
                step,
            })
        });
        let result = perform(&page, &mut self.snapshot, request).await;
        if let Some(ticket) = ticket {
            conclude(ticket, &result, &trace);
        }
        match result {
            Ok(reply) => self.succeeded(view, step, &reply).await,
            Err(error) => self.failed(view, step, &error),
        }
    }

    /// Writes the journal of a step on the newest version of its declaration. False when that did not succeed: then
    /// nothing may be sent.
    pub(super) async fn write_journal(&mut self, step: &Step) -> bool {
        // The finalizer may have made a new version.
        let Some(view) = self.look() else { return false };
        let Some(declaration) = find(&view, &step.key) else {
            return false;
        };
        if declaration.deleting {
            return false;
        }
        let attempt = uuid::Uuid::new_v4().simple().to_string();
        let Some(journal) = step.journal(attempt, self.options.clock.now()) else {
            return false;
        };
        let result = self.write(declaration, StoreChange::Journal(journal.clone())).await;
        match result {
            Ok(()) => {
                let mut status = declaration.status.clone();
                status.object_mut().journal = Some(journal);
                self.know(declaration, status, declaration.id_annotation.clone());
                true
            }
            Err(error) => {
                self.store_failed(&view, &step.key, &error);
                false
            }
        }
    }

    /// The store did not take what has to be on record before a request: nothing was sent. Tried again in a while, so
    /// that a store that is away, or that somebody else keeps changing, does not keep us busy.
    pub(super) fn store_failed(&mut self, view: &View, key: &ObjectKey, error: &StoreError) {
        tracing::warn!(object = %key, %error, "nothing was sent");
        let message = format!("nothing was sent, because it could not be recorded first: {error}");
        self.fail(view, key, false, Reason::Progressing, message);
    }

    pub(super) async fn succeeded(&mut self, view: &View, step: &Step, reply: &Reply) {
        self.totals.writes += 1;
        self.reached();
        self.failures.remove(&step.key);
        if step.action.is_deletion() {
            self.deletions.push(self.options.clock.now());
        }
        if matches!(step.action, Action::Update(_)) {
            self.last_update = Some(step.clone());
        }
        let mut keys: BTreeSet<&ObjectKey> = step.applied.iter().map(|(key, ..)| key).collect();
        keys.insert(&step.key);
        for key in keys {
            if let Some(declaration) = find(view, key) {
                self.fold(declaration, step, reply);
            }
        }
        let Some(declaration) = find(view, &step.key) else {
            return;
        };
        if let (Action::Create(_), Reply::Created(id, _)) = (&step.action, reply) {
            // The id is recorded before anything else happens; the status follows with the next plan.
            if let Err(error) = self.write(declaration, StoreChange::RecordId(id.clone())).await {
                tracing::warn!(object = %step.key, %error, "the journal will find the created object");
            }
        }
        let reason = match &step.action {
            Action::Create(_) | Action::Provide(_) => "Created",
            Action::Publish { .. } => "Published",
            Action::Delete(_) | Action::Replace(_) => "Deleted",
            _ => "Updated",
        };
        let id = match reply {
            Reply::Created(id, _) => format!(" ({id})"),
            _ => String::new(),
        };
        let note = format!("{}{id}", step.done());
        self.store.tell(
            declaration,
            Event {
                kind: EventKind::Normal,
                reason: reason.into(),
                note,
            },
        );
    }

    pub(super) fn failed(&mut self, view: &View, step: &Step, error: &Error) {
        self.totals.failures += 1;
        tracing::info!(object = %step.key, step = step.summary, error = described(error), "a request failed");
        let class = error.class();
        let Some(request) = step.action.request() else { return };
        // A repeatable request that got no proper answer may have been carried out all the same.
        let uncertain = match class {
            ErrorClass::Ambiguous => true,
            ErrorClass::Transient => step.action.is_repeatable(),
            _ => false,
        };
        if step.action.is_journalled() && !uncertain {
            // It certainly did not happen: the journal is closed with the next status.
            if let Some(known) = self.knowledge.get_mut(&step.key) {
                let journal = &mut known.status.object_mut().journal;
                *journal = journal.take().and_then(engine::undone);
            }
        }
        match class {
            ErrorClass::Throttled { .. } => {}
            ErrorClass::Unauthorized => self.close(view, Reason::Unauthorized, described(error), true),
            ErrorClass::NotFound => {
                // Somebody deleted it meanwhile: look again before deciding.
                self.snapshot.forget(request.collection());
                if matches!(request, Request::CreateMetric(..)) {
                    self.snapshot.forget(CollectionKind::MetricsProviders);
                }
                self.fail(view, &step.key, false, Reason::RemoteDeleted, described(error));
            }
            ErrorClass::Terminal if matches!(request, Request::SubmitMetricData(points) if points.len() > 1) => {
                // Nobody can tell whose points they are: each metric sends its own from now on.
                self.single_points = true;
            }
            ErrorClass::Terminal => self.fail(view, &step.key, true, Reason::Rejected, described(error)),
            ErrorClass::Transient => {
                if error.status().is_none() {
                    // No answer at all is about the page, not about the object.
                    self.close(view, Reason::Unreachable, described(error), false);
                } else {
                    self.fail(view, &step.key, false, Reason::Unreachable, described(error));
                }
                if step.action.is_repeatable() {
                    self.snapshot.forget(request.collection());
                }
            }
            ErrorClass::Ambiguous => {
                self.snapshot.forget(request.collection());
                if step.action.is_repeatable() {
                    self.fail(view, &step.key, false, Reason::Unreachable, described(error));
                }
            }
        }
    }

    pub(super) fn fail(&mut self, view: &View, key: &ObjectKey, terminal: bool, reason: Reason, message: String) {
        let generation = find(view, key).map_or(0, |declaration| declaration.generation);
        let attempts = self
            .failures
            .get(key)
            .filter(|failure| failure.generation == generation)
            .map_or(0, |failure| failure.attempts);
        let failure = self.failure(terminal, reason, message, attempts + 1, generation);
        self.failures.insert(key.clone(), failure);
    }

    pub(super) fn failure(
        &self,
        terminal: bool,
        reason: Reason,
        message: String,
        attempts: u32,
        generation: i64,
    ) -> Failure {
        let at = self.options.clock.now();
        Failure {
            terminal,
            reason,
            message,
            at,
            attempts,
            generation,
            jitter: self.jitter(),
        }
    }

    /// A number from 0 to 1, another one for each attempt and page.
    pub(super) fn jitter(&self) -> f64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.key, self.totals.failures, self.gate_attempts).hash(&mut hasher);
        f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    /// Adds what a successful step makes known of a declaration.
    pub(super) fn fold(&mut self, declaration: &Declaration, step: &Step, reply: &Reply) {
        let mut after = declaration.clone();
        if let Some(known) = self.knowledge.get(&declaration.key) {
            after.status.clone_from(&known.status);
            after.id_annotation.clone_from(&known.id_annotation);
        }
        engine::record(&mut after, step, reply);
        self.know(declaration, after.status, after.id_annotation);
    }

    pub(super) fn know(&mut self, declaration: &Declaration, status: Status, id_annotation: Option<String>) {
        let known = Knowledge {
            uid: declaration.uid.clone(),
            status,
            id_annotation,
        };
        self.knowledge.insert(declaration.key.clone(), known);
    }
}

/// Puts the end of a request on the record.
fn conclude(ticket: Box<dyn Ticket>, result: &Result<Reply, Error>, trace: &Trace) {
    let ids = trace.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let error = result.as_ref().err();
    let text = error.map(described);
    ticket.conclude(Conclusion {
        outcome: match error.map(Error::may_have_happened) {
            None => "succeeded",
            Some(true) => "unknown",
            Some(false) => "failed",
        },
        created: match result {
            Ok(Reply::Created(id, _)) => Some(id),
            _ => None,
        },
        error: text.as_deref(),
        status: error.and_then(Error::status),
        request_id: ids.request_id.as_deref().or(ids.trace_id.as_deref()),
    });
}
