//! Plays plans as the driver does, against a model of the page and of the store, with faults at chosen effects.
//!
//! What a crash leaves is what was written to the store: finalizer, id annotation, status, journal. Every status that
//! is written is examined for the rules of kstatus.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::builders::{page, start};
use crate::api::{Kind, Reason};
use crate::engine::model;
use crate::engine::{
    self, Action, Declaration, Failure, Finding, Gate, ObjectKey, Plan, READY, RECONCILING, ReadWhat, Request, STALLED,
    SYNCED, State, Status, Step, World, record,
};
use crate::statuspage::{Collection, CollectionKind, Incident, Page, Snapshot};

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

/// A page, a store and a driver, all in memory.
pub(super) struct Simulation {
    pub(super) now: Timestamp,
    pub(super) page: Declaration,
    pub(super) declarations: Vec<Declaration>,
    /// The truth.
    pub(super) remote: Snapshot,
    /// What the driver has read of it.
    pub(super) known: Snapshot,
    pub(super) gate: Option<Gate>,
    /// How long lists do not show what was created.
    pub(super) lag: SignedDuration,
    /// Faults by the number of the effect.
    pub(super) faults: BTreeMap<usize, Fault>,
    /// Refuses requests: terminal or not, and why.
    pub(super) refuse: Option<Refuse>,
    pub(super) sent: Vec<Sent>,
    pub(super) reads: usize,
    pub(super) status_writes: usize,
    pub(super) events: Vec<String>,
    effects: usize,
    crashed: bool,
    page_read_at: Option<Timestamp>,
    failures: BTreeMap<ObjectKey, Failure>,
    missing: BTreeSet<String>,
    deletions: usize,
    stored_annotations: BTreeMap<ObjectKey, Option<String>>,
    pub(super) gone: Vec<ObjectKey>,
    last_update: Option<Step>,
    next_id: usize,
    pub(super) last: Plan,
}

fn blank<T>() -> Option<Collection<T>> {
    Some(Collection {
        items: Vec::new(),
        read_at: start(),
        complete: true,
    })
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
            ..Default::default()
        };
        Simulation {
            now: start(),
            page: page(serde_json::json!({})),
            declarations,
            remote,
            known: Snapshot::default(),
            gate: None,
            lag: SignedDuration::ZERO,
            faults: BTreeMap::new(),
            refuse: None,
            sent: Vec::new(),
            reads: 0,
            status_writes: 0,
            events: Vec::new(),
            effects: 0,
            crashed: false,
            page_read_at: None,
            failures: BTreeMap::new(),
            missing: BTreeSet::new(),
            deletions: 0,
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

    pub(super) fn edit(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Declaration)) {
        let wanted = super::builders::key(kind, name);
        let declaration = self
            .declarations
            .iter_mut()
            .find(|declaration| declaration.key == wanted)
            .unwrap();
        change(declaration);
        declaration.generation += 1;
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

    pub(super) fn plan(&self) -> Plan {
        self.plan_within(None)
    }

    /// The plan with this much of a request budget.
    pub(super) fn plan_within(&self, budget: Option<crate::statuspage::BudgetStats>) -> Plan {
        engine::plan(&World {
            now: self.now,
            page: &self.page,
            page_id: Some("page"),
            declarations: &self.declarations,
            snapshot: &self.known,
            page_read_at: self.page_read_at,
            read_failures: &BTreeMap::new(),
            failures: &self.failures,
            gate: self.gate.as_ref(),
            budget,
            missing_incidents: &self.missing,
            recent_deletions: self.deletions,
            single_points: false,
        })
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
            for finding in plan.findings.iter().filter(|finding| finding.state == State::InSync) {
                self.failures.remove(&finding.key);
            }
            self.last = plan.clone();
            if self.small_steps(&plan) || self.crashed {
                continue;
            }
            let read = plan.reads.first().cloned().filter(|_| self.gate.is_none());
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

    /// Passes, with time going by, until a resync later nothing is written any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..60 {
            let before = self.effects;
            let due = self.last.wake.unwrap_or(self.now);
            self.now = due.max(self.now.saturating_add(SignedDuration::from_secs(1)).unwrap());
            let resynced = self
                .declarations
                .iter()
                .all(|declaration| declaration.status.object().journal.is_none());
            self.deletions = 0;
            self.pass();
            if before == self.effects && resynced && self.failures.is_empty() {
                // Once more with everything read again.
                self.now = self.now.saturating_add(SignedDuration::from_secs(400)).unwrap();
                self.pass();
                if before == self.effects {
                    return;
                }
            }
        }
        panic!("does not settle: {:#?}\n{:#?}", self.last, self.summaries());
    }

    /// The process ends and another one begins.
    pub(super) fn restart(&mut self) {
        self.known = Snapshot::default();
        self.page_read_at = None;
        self.failures.clear();
        self.missing.clear();
        self.last_update = None;
        self.now = self.now.saturating_add(SignedDuration::from_secs(2)).unwrap();
        for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
            declaration.status = Status::clone(&declaration.stored);
            declaration.seen = self.now;
            if let Some(annotation) = self.stored_annotations.get(&declaration.key) {
                declaration.id_annotation.clone_from(annotation);
            } else if let Some(id) = declaration.id_annotation.clone() {
                // Given by hand before the beginning.
                self.stored_annotations.insert(declaration.key.clone(), Some(id));
            }
        }
    }

    fn fault(&mut self, what: impl FnOnce() -> String) -> Option<Fault> {
        let fault = self.faults.remove(&self.effects);
        self.events.push(format!("{} {} {fault:?}", self.effects, what()));
        self.effects += 1;
        fault
    }

    /// An effect on the store: false when the process ended before it.
    fn store(&mut self, what: impl FnOnce() -> String) -> bool {
        self.crashed = self.fault(what).is_some();
        !self.crashed
    }

    fn small_steps(&mut self, plan: &Plan) -> bool {
        let mut any = false;
        for step in &plan.steps {
            match &step.action {
                Action::RecordId(id) => {
                    if !self.store(|| format!("{} {}", step.key, step.summary)) {
                        return true;
                    }
                    self.annotate(&step.key, Some(id.clone()));
                }
                Action::Release | Action::Prune => {
                    if !self.store(|| format!("{} {}", step.key, step.summary)) {
                        return true;
                    }
                    self.declarations.retain(|declaration| declaration.key != step.key);
                    self.gone.push(step.key.clone());
                    if self.page.key == step.key {
                        self.page.finalizer = false;
                    }
                }
                Action::Hold => {
                    if !self.store(|| format!("{} {}", step.key, step.summary)) {
                        return true;
                    }
                    for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
                        declaration.finalizer |= declaration.key == step.key;
                    }
                }
                _ => continue,
            }
            any = true;
        }
        any
    }

    fn annotate(&mut self, key: &ObjectKey, id: Option<String>) {
        self.stored_annotations.insert(key.clone(), id.clone());
        for declaration in &mut self.declarations {
            if declaration.key == *key {
                declaration.id_annotation.clone_from(&id);
            }
        }
    }

    fn write_statuses(&mut self, plan: &Plan, due: impl Fn(&ObjectKey) -> bool) {
        for (key, status) in plan.statuses.iter().filter(|(key, _)| due(key)) {
            if !self.store(|| format!("{key} status")) {
                return;
            }
            self.status_writes += 1;
            let declaration = self
                .declarations
                .iter_mut()
                .chain(std::iter::once(&mut self.page))
                .find(|declaration| declaration.key == *key)
                .unwrap();
            examine(declaration, status);
            declaration.status.clone_from(status);
            declaration.stored = Arc::new(status.clone());
        }
    }

    fn read(&mut self, what: &ReadWhat) {
        self.reads += 1;
        let shown = self.now.saturating_sub(self.lag).unwrap();
        fn list<T: Clone>(
            of: &Option<Collection<T>>,
            now: Timestamp,
            visible: impl Fn(&T) -> bool,
        ) -> Option<Collection<T>> {
            of.as_ref().map(|list| Collection {
                items: list.items.iter().filter(|item| visible(item)).cloned().collect(),
                read_at: now,
                complete: true,
            })
        }
        let visible = |at: Option<Timestamp>| at.is_none_or(|at| at <= shown);
        match what {
            ReadWhat::Collection(CollectionKind::Page) => {
                self.known.page.clone_from(&self.remote.page);
                self.page_read_at = Some(self.now);
            }
            ReadWhat::Collection(CollectionKind::Components) => {
                self.known.components = list(&self.remote.components, self.now, |item| visible(item.created_at));
            }
            ReadWhat::Collection(CollectionKind::Incidents) => {
                self.known.incidents = list(&self.remote.incidents, self.now, |item| visible(item.created_at));
            }
            ReadWhat::Collection(CollectionKind::MetricsProviders) => {
                self.known.metrics_providers = list(&self.remote.metrics_providers, self.now, |item| {
                    visible(item.created_at)
                });
            }
            ReadWhat::Collection(CollectionKind::Metrics) => {
                self.known.metrics = list(&self.remote.metrics, self.now, |item| visible(item.created_at));
            }
            ReadWhat::Collection(CollectionKind::Subscribers) => {
                self.known.subscribers = list(&self.remote.subscribers, self.now, |item| visible(item.created_at));
            }
            // The simulated page has none of these.
            ReadWhat::Collection(_)
            | ReadWhat::Permissions(_)
            | ReadWhat::UserComponents(_)
            | ReadWhat::UserMetrics(_)
            | ReadWhat::IncidentSubscribers(_)
            | ReadWhat::Uptime(_)
            | ReadWhat::GroupUptime(_) => {}
            ReadWhat::Incident(id) => match self.remote.incidents.as_ref().unwrap().get(id).cloned() {
                Some(incident) => self.known.merge_incidents(vec![incident]),
                None => {
                    self.missing.insert(id.clone());
                }
            },
        }
    }

    fn perform(&mut self, step: &Step) {
        let request = step.action.request().unwrap().clone();
        let at = |simulation: &Self| {
            simulation
                .declarations
                .iter()
                .position(|declaration| declaration.key == step.key)
        };
        if let Some(index) = at(self)
            && !self.declarations[index].finalizer
            && !self.declarations[index].deleting
        {
            if !self.store(|| format!("{} finalizer", step.key)) {
                return;
            }
            self.declarations[index].finalizer = true;
        }
        if step.action.is_journalled() {
            let index = at(self).unwrap();
            let journal = step.journal(format!("attempt-{}", self.effects), self.now).unwrap();
            if !self.store(|| format!("{} journal", step.key)) {
                return;
            }
            let declaration = &mut self.declarations[index];
            Arc::make_mut(&mut declaration.stored).object_mut().journal = Some(journal.clone());
            declaration.status.object_mut().journal = Some(journal);
        }
        let fault = self.fault(|| format!("{} {} {request:?}", step.key, step.summary));
        match fault {
            Some(Fault::Crash) => self.crashed = true,
            Some(Fault::LostRequest) => self.ambiguous(step),
            Some(Fault::LostReply) => {
                self.carry_out(step, &request);
                self.ambiguous(step);
            }
            None => self.answered(step, &request),
        }
    }

    fn carry_out(&mut self, step: &Step, request: &Request) -> (engine::Reply, String) {
        self.next_id += 1;
        let id = format!("id{}", self.next_id);
        let reply = model::perform(&mut self.remote, request, &id, self.now);
        let uid = self
            .declarations
            .iter()
            .find(|declaration| declaration.key == step.key)
            .map_or_else(String::new, |declaration| declaration.uid.clone());
        self.sent.push(Sent {
            key: step.key.clone(),
            uid,
            action: step.action.clone(),
            summary: step.summary.clone(),
        });
        (reply, id)
    }

    fn answered(&mut self, step: &Step, request: &Request) {
        let refused = self.refuse.as_ref().and_then(|refuse| refuse(request));
        if let Some((terminal, reason)) = refused {
            if step.action.is_journalled() {
                for declaration in &mut self.declarations {
                    if declaration.key == step.key {
                        declaration.status.object_mut().journal = None;
                    }
                }
            }
            self.fail(&step.key, terminal, reason, "refused");
            return;
        }
        let (reply, id) = self.carry_out(step, request);
        // The driver folds the reply into what it knows.
        let known_incident = match request {
            Request::UpdateIncident(id, _) | Request::UpdateIncidentUpdate(id, ..) => Some(id),
            _ => None,
        };
        match known_incident {
            Some(id) => {
                let incident = self.remote.incidents.as_ref().unwrap().get(id).cloned();
                if let Some(incident) = incident {
                    self.known.put_incident(incident);
                }
            }
            None => {
                model::perform(&mut self.known, request, &id, self.now);
            }
        }
        self.failures.remove(&step.key);
        if matches!(step.action, Action::Delete(_)) {
            self.deletions += 1;
        }
        if matches!(step.action, Action::Update(_)) {
            self.last_update = Some(step.clone());
        }
        for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
            record(declaration, step, &reply);
        }
        if let (Action::Create(_), engine::Reply::Created(id, _)) = (&step.action, &reply)
            && self.store(|| format!("{} record {id}", step.key))
        {
            self.annotate(&step.key, Some(id.clone()));
        }
    }

    fn ambiguous(&mut self, step: &Step) {
        let collection = match step.key.kind {
            Kind::StatusPage => CollectionKind::Page,
            Kind::Component | Kind::ComponentGroup => CollectionKind::Components,
            Kind::Incident => CollectionKind::Incidents,
            Kind::MetricsProvider => CollectionKind::MetricsProviders,
            Kind::Metric => match step.action.request() {
                Some(Request::CreateMetricsProvider(_)) => CollectionKind::MetricsProviders,
                _ => CollectionKind::Metrics,
            },
            Kind::Subscriber => CollectionKind::Subscribers,
            Kind::IncidentTemplate => CollectionKind::IncidentTemplates,
            Kind::PageAccessUser => CollectionKind::PageAccessUsers,
            Kind::PageAccessGroup => CollectionKind::PageAccessGroups,
            Kind::OrganizationUser => CollectionKind::OrganizationUsers,
        };
        self.known.forget(collection);
        if !step.action.is_journalled() {
            self.fail(&step.key, false, Reason::Unreachable, "lost");
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
            },
        );
    }

    pub(super) fn effects(&self) -> usize {
        self.effects
    }
}

/// The rules that every written status keeps.
fn examine(declaration: &Declaration, status: &Status) {
    let (object, before) = (status.object(), declaration.stored.object());
    let of = |kind: &'static str| {
        object
            .conditions
            .iter()
            .filter(move |condition| condition.type_ == kind)
    };
    if !object.conditions.is_empty() {
        for kind in [READY, SYNCED] {
            assert_eq!(of(kind).count(), 1, "{}: {kind} always, once", declaration.key);
        }
        for kind in [RECONCILING, STALLED] {
            assert!(of(kind).count() <= 1);
            assert!(
                of(kind).all(|condition| condition.status == "True"),
                "{}: {kind} only while true",
                declaration.key
            );
        }
        assert!(of(RECONCILING).count() + of(STALLED).count() <= 1);
        let ready = of(READY).next().unwrap();
        if ready.status == "True" {
            assert_eq!(of(RECONCILING).count() + of(STALLED).count(), 0, "{}", declaration.key);
            assert!(object.id.is_some(), "{} is ready without an id", declaration.key);
            assert!(object.last_sync_time.is_some());
        }
        for condition in &object.conditions {
            assert_eq!(condition.observed_generation, object.observed_generation);
            assert!(!condition.reason.is_empty());
            let old = before.conditions.iter().find(|old| old.type_ == condition.type_);
            if let Some(old) = old.filter(|old| old.status == condition.status) {
                assert_eq!(
                    old.last_transition_time, condition.last_transition_time,
                    "{}: {} moved without a transition",
                    declaration.key, condition.type_
                );
            }
        }
        assert!(
            object
                .observed_generation
                .is_none_or(|seen| seen <= declaration.generation)
        );
    }
    let mut without_sync = status.clone();
    without_sync
        .object_mut()
        .last_sync_time
        .clone_from(&before.last_sync_time);
    assert!(
        without_sync != *declaration.stored,
        "{}: only lastSyncTime changed",
        declaration.key
    );
}
