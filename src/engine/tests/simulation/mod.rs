//! Plays plans as the driver does, against a model of the page and of the store, with faults at chosen effects.
//!
//! What a crash leaves is what was written to the store: finalizer, id annotation, status, journal. Every status that
//! is written is examined for the rules of kstatus.

mod examine;
mod remote;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::builders::{page, start};
use crate::api::{Journal, Kind, Reason};
use crate::engine::{
    self, Action, CircuitBreaker, Declaration, Failure, Finding, ObjectKey, Plan, Request, SealKey, State, Step,
    Surroundings, World,
};
use crate::statuspage::{Collection, Incident, Page, Snapshot, Token};

/// What happens instead of an effect going well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process ends before the effect.
    Crash,
    /// The request is carried out, its reply is lost. A crash where the effect is not a request.
    LostReply,
    /// The request is not carried out, and nobody knows. A crash where the effect is not a request.
    LostRequest,
}

/// One write that reached the page.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) key: ObjectKey,
    pub(super) uid: String,
    pub(super) action: Action,
    pub(super) summary: String,
}

pub(super) type Refuse = Box<dyn Fn(&Request) -> Option<(bool, Reason)>>;
pub(super) type Keep = Box<dyn Fn(&mut Snapshot)>;

/// A page, a store and a driver, all in memory.
pub(super) struct Simulation {
    pub(super) now: Timestamp,
    pub(super) page: Declaration,
    pub(super) around: Surroundings,
    pub(super) declarations: Vec<Declaration>,
    /// The truth.
    pub(super) remote: Snapshot,
    /// What the driver has read of it.
    pub(super) known: Snapshot,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    /// How long lists do not show what was created.
    pub(super) lag: SignedDuration,
    /// Faults by the number of the effect.
    pub(super) faults: BTreeMap<usize, Fault>,
    /// Refuses requests: terminal or not, and why.
    pub(super) refuse: Option<Refuse>,
    /// What the page makes of what it was sent: takes back the fields that it does not keep.
    pub(super) keep: Option<Keep>,
    pub(super) sent: Vec<Sent>,
    pub(super) reads: usize,
    pub(super) status_writes: usize,
    pub(super) events: Vec<String>,
    effects: usize,
    crashed: bool,
    page_read_at: Option<Timestamp>,
    failures: BTreeMap<ObjectKey, Failure>,
    /// When the attempts of declarations were first seen, by uid.
    attempts: BTreeMap<String, (String, Timestamp)>,
    /// Annotations that nobody but their owner changes: those of a manifest that is kept elsewhere.
    pub(super) pinned: BTreeMap<ObjectKey, String>,
    stored_annotations: BTreeMap<ObjectKey, Option<String>>,
    pub(super) gone: Vec<ObjectKey>,
    last_update: Option<Step>,
    next_id: usize,
    pub(super) last: Plan,
}

fn blank<T>() -> Option<Collection<T>> {
    // Read twice: one look at an empty list proves nothing.
    let mut list = Collection::read(Vec::new(), start(), true);
    list.looks.push(start());
    Some(list)
}

impl Simulation {
    pub(super) fn new(declarations: Vec<Declaration>) -> Self {
        let remote = Snapshot {
            page: Some(Page {
                id: "page".into(),
                name: Some("Page".into()),
                subdomain: Some("page".into()),
                ..Default::default()
            }),
            components: blank(),
            incidents: blank(),
            metrics_providers: blank(),
            metrics: blank(),
            subscribers: blank(),
            unsubscribed: blank(),
            incident_templates: blank(),
            page_access_users: blank(),
            page_access_groups: blank(),
            organization_users: blank(),
            ..Default::default()
        };
        Simulation {
            now: start(),
            page: page(serde_json::json!({})),
            around: Surroundings::default(),
            declarations,
            remote,
            known: Snapshot::default(),
            circuit_breaker: None,
            lag: SignedDuration::ZERO,
            faults: BTreeMap::new(),
            refuse: None,
            keep: None,
            sent: Vec::new(),
            reads: 0,
            status_writes: 0,
            events: Vec::new(),
            effects: 0,
            crashed: false,
            page_read_at: None,
            failures: BTreeMap::new(),
            attempts: BTreeMap::new(),
            pinned: BTreeMap::new(),
            stored_annotations: BTreeMap::new(),
            gone: Vec::new(),
            last_update: None,
            next_id: 0,
            last: Plan::default(),
        }
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> &Declaration {
        let wanted = super::builders::key(kind, name);
        self.declarations
            .iter()
            .find(|declaration| declaration.key == wanted)
            .unwrap()
    }

    /// Leaves the note of an attempt that was begun now and whose outcome nobody knows.
    pub(super) fn attempted(&mut self, kind: Kind, name: &str, operation: &str) {
        let (now, wanted) = (self.now, super::builders::key(kind, name));
        let mut declarations = self.declarations.iter_mut();
        let declaration = declarations.find(|declaration| declaration.key == wanted).unwrap();
        declaration.attempt_seen = Some(now);
        declaration.status_mut().object_mut().journal = Some(Journal {
            operation: operation.into(),
            attempt: "a".into(),
            at: Time(now),
            after: None,
            title: None,
            beside: Vec::new(),
            replaces: None,
        });
        declaration.stored = Arc::clone(&declaration.status);
    }

    pub(super) fn edit(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Declaration)) {
        let wanted = super::builders::key(kind, name);
        let declaration = self
            .declarations
            .iter_mut()
            .find(|declaration| declaration.key == wanted)
            .unwrap();
        change(declaration);
        declaration.generation += 1;
        declaration.spec_seen = self.now;
        let (key, annotation) = (declaration.key.clone(), declaration.id_annotation.clone());
        self.stored_annotations.insert(key, annotation);
    }

    pub(super) fn respecify(&mut self, kind: Kind, name: &str, spec: Value) {
        self.edit(kind, name, |declaration| super::builders::respecify(declaration, spec));
    }

    pub(super) fn delete(&mut self, kind: Kind, name: &str) {
        self.edit(kind, name, |declaration| declaration.deleting = true);
        self.declarations
            .retain(|declaration| !declaration.deleting || declaration.finalizer);
    }

    pub(super) fn add(&mut self, mut declaration: Declaration) {
        declaration.seen = self.now;
        declaration.spec_seen = self.now;
        declaration.created = self.now;
        self.declarations.push(declaration);
    }

    pub(super) fn id(&self, kind: Kind, name: &str) -> String {
        let declaration = self.get(kind, name);
        declaration
            .recorded_id()
            .unwrap_or_else(|| panic!("{} has no id", declaration.key))
            .to_owned()
    }

    pub(super) fn finding(&self, kind: Kind, name: &str) -> &Finding {
        let wanted = super::builders::key(kind, name);
        self.last.findings.iter().find(|finding| finding.key == wanted).unwrap()
    }

    pub(super) fn stands(&self, kind: Kind, name: &str) -> (State, Reason) {
        let finding = self.finding(kind, name);
        (finding.state, finding.reason)
    }

    pub(super) fn remote_incident(&self, id: &str) -> &Incident {
        self.remote.incidents.as_ref().unwrap().get(id).unwrap()
    }

    pub(super) fn remote_component(&self, id: &str) -> &crate::statuspage::Component {
        self.remote.components.as_ref().unwrap().get(id).unwrap()
    }

    pub(super) fn creates(&self) -> usize {
        self.sent
            .iter()
            .filter(|sent| matches!(sent.action, Action::Create(_)))
            .count()
    }

    /// Requests by their summaries, without what was sent before.
    pub(super) fn summaries(&self) -> Vec<String> {
        self.sent.iter().map(|sent| sent.summary.clone()).collect()
    }

    /// The declarations with what their templates give.
    pub(super) fn filled(&self) -> Vec<Declaration> {
        let mut filled = self.declarations.clone();
        engine::fill_templates(&mut filled, &self.known);
        filled
    }

    pub(super) fn plan(&self) -> Plan {
        self.plan_within(None)
    }

    /// The plan with this much of a request budget.
    pub(super) fn plan_within(&self, budget: Option<crate::statuspage::BudgetStats>) -> Plan {
        self.plan_where(|world| world.budget = budget)
    }

    /// The plan in a world that differs in something.
    pub(super) fn plan_where(&self, differ: impl FnOnce(&mut World<'_>)) -> Plan {
        self.in_world(|mut world| {
            differ(&mut world);
            engine::plan(&world)
        })
    }

    /// Looks at the world as it stands.
    pub(super) fn in_world<T>(&self, look: impl FnOnce(World<'_>) -> T) -> T {
        static KEY: LazyLock<SealKey> =
            LazyLock::new(|| SealKey::of_token(&Token::new("token".to_owned()).expect("a token")));
        let nothing_failed = BTreeMap::new();
        look(World {
            now: self.now,
            wall: self.now,
            remote_now: Some(self.now),
            fresh_for: engine::FRESH,
            page: &self.page,
            page_id: Some("page"),
            around: &self.around,
            declarations: &self.filled(),
            snapshot: &self.known,
            page_read_at: self.page_read_at,
            read_failures: &nothing_failed,
            failures: &self.failures,
            circuit_breaker: self.circuit_breaker.as_ref(),
            budget: None,
            seal_key: Some(&KEY),
            single_points: false,
        })
    }

    /// The first step with a request, once all was read that it needs.
    pub(super) fn next_step(&mut self) -> Step {
        loop {
            let plan = self.plan();
            if let Some(step) = plan.remote_steps().next() {
                return step.clone();
            }
            let read = plan.reads.first().cloned().expect("a step, or something to read");
            self.read(&read.what);
        }
    }

    /// Works until nothing is left to do at this time, as the driver's pass does. Crashes are survived.
    pub(super) fn pass(&mut self) {
        for _ in 0..2_000 {
            if std::mem::take(&mut self.crashed) {
                self.restart();
            }
            let page = &self.page.key;
            let declarations = &self.declarations;
            self.failures
                .retain(|key, _| key == page || declarations.iter().any(|declaration| declaration.key == *key));
            self.note_attempts();
            let mut plan = self.plan();
            if let Some(previous) = self.last_update.take() {
                let repeated = plan
                    .steps
                    .iter()
                    .find(|step| step.key == previous.key)
                    .is_some_and(|step| !step.repeats(&previous).is_empty());
                if repeated {
                    self.fail(&previous.key, true, Reason::NotHonoured, "not kept");
                    plan = self.plan();
                }
            }
            engine::forget_settled(&mut self.failures, &plan.findings, self.now);
            self.last = plan.clone();
            if self.store_steps(&plan) || self.crashed {
                continue;
            }
            let read = plan.reads.first().cloned().filter(|_| self.circuit_breaker.is_none());
            if let Some(read) = read {
                self.read(&read.what);
                continue;
            }
            let Some(step) = plan.remote_steps().next().cloned() else {
                self.write_statuses(&plan, |_| true);
                if self.crashed || !plan.statuses.is_empty() {
                    continue;
                }
                return;
            };
            let waiting: BTreeSet<ObjectKey> = plan.steps.iter().map(|step| step.key.clone()).collect();
            self.write_statuses(&plan, |key| !waiting.contains(key));
            if !self.crashed {
                self.perform(&step);
            }
        }
        panic!("never quiet; last plan {:#?}", self.last);
    }

    /// Dates the attempts that are in the journals.
    fn note_attempts(&mut self) {
        for declaration in &mut self.declarations {
            let attempt = declaration.status.object().journal.as_ref();
            let Some(attempt) = attempt.map(|journal| journal.attempt.clone()) else {
                self.attempts.remove(&declaration.uid);
                declaration.attempt_seen = None;
                continue;
            };
            let known = self
                .attempts
                .get(&declaration.uid)
                .filter(|(known, _)| *known == attempt);
            let seen = known.map_or(self.now, |(_, seen)| *seen);
            self.attempts.insert(declaration.uid.clone(), (attempt, seen));
            declaration.attempt_seen = Some(seen);
        }
    }

    /// Passes, with time going by, until a resync later nothing is written any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..60 {
            let before = self.effects;
            let due = self.last.wake.unwrap_or(self.now);
            self.now = due.max(self.now.saturating_add(SignedDuration::from_secs(1)).unwrap());
            let resynced = self
                .declarations
                .iter()
                .all(|one| one.status.object().journal.is_none() || self.suspended(one));
            self.forget_deletions();
            self.pass();
            let waiting = self.failures.values().any(|failure| !failure.terminal);
            let unproven = self.last.proof_at.is_some();
            if before == self.effects && resynced && !waiting && !unproven {
                // Once more with everything read again.
                self.now = self.now.saturating_add(SignedDuration::from_secs(400)).unwrap();
                self.pass();
                if before == self.effects {
                    return;
                }
            }
        }
        let stuck = self
            .last
            .findings
            .iter()
            .filter(|finding| finding.state != State::InSync);
        panic!(
            "does not settle: {:#?}\nwake {:?}, proof {:?}, now {}\n{:#?}\n{:#?}",
            stuck.collect::<Vec<_>>(),
            self.last.wake,
            self.last.proof_at,
            self.now,
            self.failures,
            self.events.iter().rev().take(12).collect::<Vec<_>>()
        );
    }

    /// Long enough goes by for the page's deletion cap.
    fn forget_deletions(&mut self) {
        if let crate::engine::Status::StatusPage(status) = self.page.status_mut() {
            status.recent_deletions.clear();
        }
        self.page.stored = std::sync::Arc::clone(&self.page.status);
    }

    /// Nothing is done for it, so that what was begun stays open.
    fn suspended(&self, declaration: &Declaration) -> bool {
        let page = match &*self.page.spec {
            crate::engine::Spec::StatusPage(spec) => Some(&**spec),
            _ => None,
        };
        declaration.policies(page).suspend
    }

    /// The process ends and another one begins.
    pub(super) fn restart(&mut self) {
        self.known = Snapshot::default();
        self.page_read_at = None;
        self.failures.clear();
        self.attempts.clear();
        self.last_update = None;
        self.now = self.now.saturating_add(SignedDuration::from_secs(2)).unwrap();
        for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
            declaration.status = std::sync::Arc::clone(&declaration.stored);
            declaration.seen = self.now;
            declaration.spec_seen = self.now;
            if let Some(pinned) = self.pinned.get(&declaration.key) {
                declaration.id_annotation = Some(pinned.clone());
            } else if let Some(annotation) = self.stored_annotations.get(&declaration.key) {
                declaration.id_annotation.clone_from(annotation);
            } else if let Some(id) = declaration.id_annotation.clone() {
                // Given by hand before the beginning.
                self.stored_annotations.insert(declaration.key.clone(), Some(id));
            }
        }
    }

    fn fail(&mut self, key: &ObjectKey, terminal: bool, reason: Reason, message: &str) {
        let generation = self
            .declarations
            .iter()
            .chain(std::iter::once(&self.page))
            .find(|declaration| declaration.key == *key)
            .map_or(0, |declaration| declaration.generation);
        let attempts = self.failures.get(key).map_or(0, |failure| failure.attempts) + 1;
        self.failures.insert(
            key.clone(),
            Failure {
                terminal,
                reason,
                message: message.into(),
                at: self.now,
                attempts,
                generation,
                jitter: 0.0,
                reading: false,
            },
        );
    }

    pub(super) fn effects(&self) -> usize {
        self.effects
    }
}
