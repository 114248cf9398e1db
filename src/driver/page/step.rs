//! Performing one step: journal, request, record; and what a failure means.
//!
//! Invariant: what must not happen twice is on record before it is sent, over the very state that the plan saw; and it is
//! sent a moment after, while this process leads, or not at all.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::give_way::{Way, giving_way};
use super::{PageDriver, UnsavedStatus, organization};
use crate::api::{Kind, Reason};
use crate::causes::with_causes;
use crate::driver::perform::perform;
use crate::driver::{Conclusion, Event, EventKind, Interrupt, PendingRecord, RemoteWrite, Store, StoreChange, View};
use crate::engine::{self, Action, DELETION_WINDOW, Declaration, ObjectKey, Reply, Request, SEND_WITHIN, Status, Step};
use crate::statuspage::{Client, CollectionKind, Error, ErrorClass, Permit, Priority, Trace};

impl<S: Store> PageDriver<S> {
    /// Performs a step. True when all went as the plan predicted, or when what did not is a matter of this object alone.
    pub(super) async fn step(
        &mut self,
        view: &View,
        client: &Client,
        page_id: &str,
        step: &Step,
        permit: Permit,
        interrupt: &Interrupt,
    ) -> bool {
        let (Some(request), Some(declaration)) = (step.action.request(), view.get(&step.key)) else {
            permit.release_unused();
            return true;
        };
        let began = self.options.clock.steady();
        if !self.record_beforehand(view, declaration, step, began).await {
            permit.release_unused();
            return false;
        }
        // On the record before it is sent: what a crash interrupts is found there.
        let known = self
            .recorder
            .is_some()
            .then(|| self.refresh_declaration(&step.key))
            .flatten();
        let pending = self.recorder.as_ref().map(|recorder| {
            recorder.begin(RemoteWrite {
                page: &self.key,
                page_id,
                declaration: known.as_ref().unwrap_or(declaration),
                step,
            })
        });
        if let Some(why) = self.is_too_late(began) {
            permit.release_unused();
            self.not_sent(step, why, pending);
            return false;
        }
        if let Some(page) = &mut self.supposed {
            permit.release_unused();
            self.snapshot.time = began;
            let reply = page.perform(&mut self.snapshot, step, request);
            self.succeeded(view, step, &reply).await;
            return true;
        }
        self.unanswered.asked();
        let trace = Trace::default();
        let client = client
            .with_priority(step.priority)
            .with_permit(permit)
            .with_trace(&trace);
        let page = client.page(page_id).in_organization(organization(view));
        self.snapshot.time = self.options.clock.steady();
        // Pages of a list from before a change of ours and from after it are not one list.
        self.unfinished
            .retain(|what, _| what.list() != Some(request.collection()));
        let way = match step.priority {
            Priority::Incident => Way::Keeps,
            _ => Way::GivesToIncidents,
        };
        let store = Arc::clone(&self.store);
        let sending = perform(&page, &mut self.snapshot, request);
        let Some(result) = giving_way(&*store, view, interrupt, way, sending).await else {
            // The record shows that its outcome is not known, as the journal does.
            tracing::info!(object = %step.key, step = %step.summary, "no reply yet: put aside for an incident");
            self.doubt_outcome(view, step, request);
            return false;
        };
        self.observe_clock(&trace);
        if let Some(pending) = pending {
            conclude(pending, &result, &trace);
        }
        match result {
            Ok(reply) => self.succeeded(view, step, &reply).await,
            Err(error) => self.failed(view, step, &error),
        }
        self.circuit_breaker.is_none() && self.store_pauses().is_none()
    }

    /// Stores what has to be on record before the request. False when it must not be sent.
    async fn record_beforehand(
        &mut self,
        view: &View,
        declaration: &Declaration,
        step: &Step,
        began: Timestamp,
    ) -> bool {
        if !declaration.finalizer && declaration.key.kind != Kind::StatusPage && !declaration.deleting {
            if let Err(error) = self.write(declaration, StoreChange::AddFinalizer).await {
                self.store_failed(view, &step.key, &error);
                return false;
            }
            self.store_answered();
        }
        if step.action.is_deletion() && !self.note_deletion(view).await {
            return false;
        }
        !step.action.is_journalled() || self.write_journal(view, declaration, step, began).await
    }

    /// Why a request must not be sent any more: whatever has kept us (a store that is slow, a process that was stopped),
    /// what was decided may not be true any more, and another process may have taken over.
    fn is_too_late(&self, began: Timestamp) -> Option<&'static str> {
        if !self.store.may_write() {
            return Some("this process is no longer the leader");
        }
        let late = self.options.clock.steady().duration_since(began) > SEND_WITHIN;
        late.then_some("too much time has passed since it was planned")
    }

    /// Takes back what was put on record for a request that was not sent.
    fn not_sent(&mut self, step: &Step, why: &str, pending: Option<Box<dyn PendingRecord>>) {
        tracing::info!(object = %step.key, step = %step.summary, "not sent: {why}");
        if step.action.is_journalled() {
            self.undo_journal(&step.key);
        }
        if let Some(pending) = pending {
            pending.conclude(Conclusion {
                outcome: "failed",
                error: Some(&format!("not sent: {why}")),
                ..Conclusion::default()
            });
        }
    }

    /// Writes the journal of a step over the state that the plan saw. False when that did not succeed.
    async fn write_journal(&mut self, view: &View, planned: &Declaration, step: &Step, began: Timestamp) -> bool {
        // The finalizer may have made a new version.
        let Some(declaration) = self.refresh_declaration(&step.key) else {
            return false;
        };
        if !is_as_planned(&declaration, planned) {
            tracing::info!(object = %step.key, "not sent: somebody else has changed it meanwhile");
            return false;
        }
        let attempt = uuid::Uuid::new_v4().simple().to_string();
        let at = self.remote_clock.at(began).unwrap_or_else(|| self.options.clock.now());
        let Some(journal) = step.journal(attempt, at) else {
            return false;
        };
        match self.write(&declaration, StoreChange::Journal(journal.clone())).await {
            Ok(()) => {
                self.store_answered();
                if let Some(seen) = self.seen.get_mut(&declaration.uid) {
                    seen.attempt = Some((journal.attempt.clone(), began));
                }
                let mut status = Arc::clone(&declaration.status);
                Arc::make_mut(&mut status).object_mut().journal = Some(journal);
                self.keep_unsaved(&declaration, status, declaration.id_annotation.clone());
                true
            }
            Err(error) => {
                self.store_failed(view, &step.key, &error);
                false
            }
        }
    }

    /// Notes a deletion in the status of the page before it is sent, so that the cap holds across restarts.
    async fn note_deletion(&mut self, view: &View) -> bool {
        let Some(page) = self.refresh_declaration(&view.page.key) else {
            return false;
        };
        let mut status = Arc::clone(&page.status);
        let now = self.options.clock.now();
        if let Status::StatusPage(status) = Arc::make_mut(&mut status) {
            let window = SignedDuration::try_from(DELETION_WINDOW).unwrap_or(SignedDuration::ZERO);
            status
                .recent_deletions
                .retain(|at| now.duration_since(at.0).abs() < window);
            status.recent_deletions.push(Time(now));
        }
        match self.write(&page, StoreChange::Status(Arc::clone(&status))).await {
            Ok(()) => {
                self.store_answered();
                self.keep_unsaved(&page, status, page.id_annotation.clone());
                true
            }
            Err(error) => {
                self.store_failed(view, &page.key, &error);
                false
            }
        }
    }

    /// What was journalled certainly did not happen: the note is closed with the next status.
    fn undo_journal(&mut self, key: &ObjectKey) {
        if let Some(known) = self.unsaved.get_mut(key) {
            let journal = &mut Arc::make_mut(&mut known.status).object_mut().journal;
            *journal = journal.take().and_then(engine::undone);
        }
    }

    async fn succeeded(&mut self, view: &View, step: &Step, reply: &Reply) {
        self.count(|totals| totals.writes += 1);
        self.rereads.clear();
        self.reached();
        self.failures.remove(&step.key);
        if matches!(step.action, Action::Update(_)) {
            self.last_updates.insert(step.key.clone(), step.clone());
        }
        let mut keys: BTreeSet<&ObjectKey> = step.applied.iter().map(|applied| &applied.key).collect();
        keys.insert(&step.key);
        for key in keys {
            if let Some(declaration) = view.get(key) {
                self.fold(declaration, step, reply);
            }
        }
        let Some(declaration) = view.get(&step.key) else {
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
        let note = format!("{}{id}", step.summary.done());
        self.store.emit_event(
            declaration,
            Event {
                kind: EventKind::Normal,
                reason: reason.into(),
                note,
            },
        );
    }

    fn failed(&mut self, view: &View, step: &Step, error: &Error) {
        self.count(|totals| totals.failures += 1);
        let text = with_causes(error);
        tracing::info!(object = %step.key, step = %step.summary, error = text, "a request failed");
        let class = error.class();
        let Some(request) = step.action.request() else { return };
        // A repeatable request that got no proper answer may have been carried out all the same.
        let uncertain = match class {
            ErrorClass::Ambiguous => true,
            ErrorClass::Transient => step.action.is_repeatable(),
            _ => false,
        };
        if step.action.is_journalled() && !uncertain {
            self.undo_journal(&step.key);
        }
        if uncertain {
            self.doubt_outcome(view, step, request);
        }
        match class {
            ErrorClass::Throttled { .. } => self.reached(),
            ErrorClass::Unauthorized => self.close(view, Reason::Unauthorized, text, true),
            ErrorClass::NotFound => {
                self.reached();
                // Somebody deleted it, or something that it names, meanwhile: look again before deciding.
                self.doubt_outcome(view, step, request);
                self.doubt_references(&step.key, request);
                self.fail(view, &step.key, false, Reason::RemoteDeleted, text);
            }
            ErrorClass::Terminal if matches!(request, Request::SubmitMetricData(points) if points.len() > 1) => {
                self.reached();
                // Nobody can tell whose points they are: each metric sends its own from now on.
                self.single_points = true;
            }
            ErrorClass::Terminal => {
                self.reached();
                // Perhaps it names something that is not there any more, and that is not the declaration's fault.
                if self.doubt_references(&step.key, request) {
                    let message = format!(
                        "checking whether what it refers to is still on the page, because Statuspage refused it: {text}"
                    );
                    self.fail(view, &step.key, false, Reason::Progressing, message);
                } else {
                    self.fail(view, &step.key, true, Reason::Rejected, text);
                }
            }
            ErrorClass::Transient | ErrorClass::Ambiguous => {
                self.fail(view, &step.key, false, Reason::Unreachable, text.clone());
                self.answered_or_silent(view, error, text);
            }
        }
    }

    /// What is known of the object of a request counts no more until it is read again.
    fn doubt_outcome(&mut self, view: &View, step: &Step, request: &Request) {
        match (view.get(&step.key).and_then(Declaration::recorded_id), &step.action) {
            (Some(id), Action::Update(_) | Action::Delete(_) | Action::Publish { .. } | Action::Tell { .. }) => {
                let id = id.to_owned();
                self.doubt(step.key.kind, &id);
            }
            (None, Action::Update(_)) if step.key.kind == Kind::StatusPage => {
                self.snapshot.forget(request.collection());
                if request.collection() == CollectionKind::Page {
                    self.page_read_at = None;
                }
            }
            _ => {}
        }
    }

    /// Doubts one object; where it cannot be read by its id, the list that it is in.
    pub(super) fn doubt(&mut self, kind: Kind, id: &str) {
        match engine::object_kind(kind) {
            Some(object) => self.snapshot.doubt(object, id),
            None => self.snapshot.forget(engine::list_of(kind)),
        }
    }

    /// Doubts the objects that a refused request names: a group that has lost its last member is gone, whatever was seen
    /// before. True when there are any that were not read by their ids since the request was refused before.
    fn doubt_references(&mut self, key: &ObjectKey, request: &Request) -> bool {
        let refused_before = self.failures.get(key).map(|failure| failure.at);
        let mut doubted = false;
        for (kind, id) in request.references() {
            let shown_at = self.snapshot.examined(kind, &id).shown_at;
            if refused_before.is_some() && shown_at >= refused_before {
                continue;
            }
            self.snapshot.doubt(kind, &id);
            doubted = true;
        }
        doubted
    }

    /// Adds what a successful step makes known of a declaration.
    pub(super) fn fold(&mut self, declaration: &Declaration, step: &Step, reply: &Reply) {
        let mut after = declaration.clone();
        if let Some(known) = self.unsaved.get(&declaration.key) {
            after.status.clone_from(&known.status);
            after.id_annotation.clone_from(&known.id_annotation);
        } else if let Some(written) = self.written.get(&declaration.key) {
            after.status.clone_from(written);
        }
        engine::record(&mut after, step, reply);
        self.keep_unsaved(declaration, after.status, after.id_annotation);
    }

    pub(super) fn keep_unsaved(
        &mut self,
        declaration: &Declaration,
        status: Arc<Status>,
        id_annotation: Option<String>,
    ) {
        let known = UnsavedStatus {
            uid: declaration.uid.clone(),
            status,
            id_annotation,
        };
        self.unsaved.insert(declaration.key.clone(), known);
    }
}

/// True while nobody else has written what a decision depends on: another process an id or an attempt, the owner another
/// spec or the end.
fn is_as_planned(now: &Declaration, planned: &Declaration) -> bool {
    let attempt = |one: &Declaration| {
        let journal = one.status.object().journal.as_ref();
        journal.map(|journal| journal.attempt.clone())
    };
    now.uid == planned.uid
        && !now.deleting
        && now.generation == planned.generation
        && now.id_annotation == planned.id_annotation
        && now.status.object().id == planned.status.object().id
        && attempt(now) == attempt(planned)
}

/// Puts the end of a request on the record.
fn conclude(pending: Box<dyn PendingRecord>, result: &Result<Reply, Error>, trace: &Trace) {
    let ids = trace.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let error = result.as_ref().err();
    let text = error.map(|error| with_causes(error));
    pending.conclude(Conclusion {
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
