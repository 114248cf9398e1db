//! How one declaration becomes steps: the flow around the rules of a kind.

use std::collections::BTreeMap;

use super::applied::{Applied, AppliedName};
use super::context::{Blocked, Context};
use super::declaration::{Declaration, Deletion, Spec, Status};
use super::deletion;
use super::evidence::{self, is_fresh, next_look_for, pursue, settled_at};
use super::fields::{self, Comparisons};
use super::identity::Identity;
use super::journal::Operation;
use super::kinds::{self, Rules};
use super::one_shot;
use super::plan::{Action, ReadWhat, State, Step};
use super::planner::{Outcome, Planner, PointsToSend};
use super::replacement::{self, Replacement};
use super::request::Request;
use super::summary::{Summary, Verb};
use crate::api::{Kind, ManagementPolicy, MetricSpec, Reason, with_spec};
use crate::statuspage::{CollectionKind, MetricPoint, Priority};

/// Where an object's way begins.
pub(super) enum Start {
    /// Its outcome is settled already.
    Stopped,
    /// It has to be created.
    Create { beside: Vec<String> },
    /// It is on the page.
    Here { id: String, adopted: bool },
}

impl<'a> Planner<'a> {
    pub(super) fn converge(&mut self, declaration: &'a Declaration) {
        if declaration.set_aside {
            return;
        }
        if declaration.policies(self.world.page_spec()).suspend {
            let outcome = Outcome::new(
                declaration,
                State::Suspended,
                Reason::Suspended,
                "suspend is true: this object is left alone",
            );
            self.record(declaration, outcome);
            return;
        }
        if declaration.deleting {
            deletion::plan(self, declaration);
            return;
        }
        match &*declaration.spec {
            Spec::Incident(spec) => kinds::converge_incident(self, declaration, spec),
            spec => with_spec!(spec, spec => self.object(declaration, &**spec), _ => {}),
        }
    }

    /// The same flow for every kind but incidents.
    fn object<K: Rules>(&mut self, declaration: &'a Declaration, rules: &K) {
        let context = self.context(declaration);
        match self.start(declaration) {
            Start::Stopped => {}
            Start::Create { beside } => self.create(&context, rules, beside),
            Start::Here { id, adopted } => {
                let lookup = self.index.lookup(declaration.key.kind);
                if let Some(remote) = lookup.and_then(|lookup| lookup.get::<K>(self.world.snapshot, &id)) {
                    self.update(&context, rules, remote, adopted);
                }
            }
        }
    }

    /// The part that all kinds begin with: identity, failures.
    pub(super) fn start(&mut self, declaration: &'a Declaration) -> Start {
        let identity = self.identities.get(&declaration.key).cloned();
        let start = match identity {
            None | Some(Identity::BeyondList { .. }) => return Start::Stopped,
            Some(Identity::Stop {
                state, reason, message, ..
            }) => {
                self.record(declaration, Outcome::new(declaration, state, reason, message));
                return Start::Stopped;
            }
            Some(Identity::Absent { beside }) => Start::Create { beside },
            Some(Identity::Here { id, adopted }) => Start::Here { id, adopted },
        };
        match self.failure(declaration) {
            // What the page does not keep may be given to another object.
            Some(outcome)
                if outcome.reason == Reason::NotHonoured
                    && declaration.spec.replace_policy().is_some()
                    && matches!(start, Start::Here { .. }) =>
            {
                start
            }
            Some(mut outcome) => {
                if let Start::Here { id, adopted } = start {
                    self.take(declaration, &id, adopted, outcome.status_mut());
                }
                self.record(declaration, outcome);
                Start::Stopped
            }
            None => start,
        }
    }

    /// The outcome of a declaration whose last request failed and is not to be tried again yet.
    pub(super) fn failure(&mut self, declaration: &Declaration) -> Option<Outcome> {
        let failure = self.world.failures.get(&declaration.key)?;
        if !failure.blocks(declaration.generation, self.world.now) {
            return None;
        }
        self.plan.wake_at(failure.retry_at());
        let state = if failure.terminal {
            State::Stalled
        } else {
            State::Progressing
        };
        Some(Outcome::new(
            declaration,
            state,
            failure.reason,
            failure.message.clone(),
        ))
    }

    fn create<K: Rules>(&mut self, context: &Context<'a>, rules: &K, beside: Vec<String>) {
        let declaration = context.declaration;
        if let Spec::Subscriber(spec) = &*declaration.spec
            && let Err(blocked) = self.may_subscribe(context, spec)
        {
            self.record(declaration, Outcome::blocked(declaration, blocked));
            return;
        }
        let planned = rules.fields(context, None).and_then(|fields| {
            let found = fields::creation(&fields, context.seal());
            rules
                .create(context, found.body.clone())
                .map(|request| (request, found))
        });
        match planned {
            Ok((request, found)) => {
                if let Some(pursuit) = evidence::renewal::<K>(context) {
                    let message = "checking again whether the object is gone from the page";
                    let outcome = Outcome::new(declaration, State::Progressing, Reason::Progressing, message);
                    self.follow(declaration, pursuit, K::PRIORITY);
                    return self.record(declaration, outcome);
                }
                let summary = Verb::Create.of(named(context, rules));
                let mut step = creation(declaration, request, found, K::PRIORITY, summary, beside);
                replacement::carry_on(declaration, &mut step);
                self.begin_creation(declaration, step);
            }
            Err(blocked) => {
                if let Spec::Metric(spec) = &*declaration.spec
                    && let Some(request) = kinds::implied_provider(spec, context)
                    && !std::mem::replace(&mut self.provider_implied, true)
                    && self.provider_is_absent()
                {
                    let summary = Verb::Create.of("metrics provider \"Self\"");
                    let step = Step::new(declaration, Action::Provide(request), K::PRIORITY, summary);
                    self.plan.steps.push(step);
                }
                self.record(declaration, Outcome::blocked(declaration, blocked));
            }
        }
    }

    /// True when the page's provider of type Self is not just too young to show in the list.
    fn provider_is_absent(&mut self) -> bool {
        let Some((attempt, journal)) = self.index.providing() else {
            return true;
        };
        let list = CollectionKind::MetricsProviders;
        let settled = settled_at(self.world, attempt, journal, list);
        let providers = self.world.snapshot.metrics_providers.as_ref();
        if providers.is_some_and(|providers| providers.looks_since(settled) >= 2) {
            return true;
        }
        let last = providers.and_then(|providers| providers.looks.last().copied());
        let next = next_look_for(self.world, attempt, last, settled);
        if self.world.now < next {
            self.wait_for_proof(next);
        } else {
            self.pursue(attempt, ReadWhat::Collection(list), Priority::Read);
        }
        false
    }

    /// Plans the creation of an object: the driver adds finalizer, journal and record.
    pub(super) fn begin_creation(&mut self, declaration: &Declaration, step: Step) {
        let message = format!("will {}", step.summary);
        self.plan.steps.push(step);
        let mut outcome = Outcome::new(declaration, State::Progressing, Reason::Progressing, message);
        // The recorded id stays until another one takes its place: it tells what was there from what never was.
        outcome.status_mut().object_mut().applied.clear();
        self.record(declaration, outcome);
    }

    fn update<K: Rules>(&mut self, context: &Context<'a>, rules: &K, remote: &K::Remote, adopted: bool) {
        let declaration = context.declaration;
        self.unlisted(declaration, rules.unlisted(context, remote));
        let mut outcome = Outcome::new(declaration, State::InSync, Reason::Synced, K::IN_SYNC);
        let status = outcome.status_mut();
        self.take(declaration, K::id(remote), adopted, status);
        rules.observe(context, remote, status);
        let fields = match rules.fields(context, Some(remote)) {
            Ok(fields) => fields,
            Err(blocked) => {
                outcome.state = blocked.state;
                outcome.reason = blocked.reason;
                outcome.message = blocked.message;
                self.record(declaration, outcome);
                return;
            }
        };
        let policies = context.policies();
        self.note_replacement(context, rules, outcome.status_mut());
        let mut found = fields::compare(
            &fields,
            &outcome.status.object().applied,
            policies.drift,
            context.seal(),
        );
        if let Some(kind) = K::OBJECT
            && self.confirm_drift(declaration, kind, K::id(remote), &found.drift, K::PRIORITY)
        {
            return;
        }
        let wanted = rules.needs_fresh(context, remote, &found.body);
        if let Some((what, _)) = wanted.filter(|(_, read_at)| !is_fresh(self.world, declaration, *read_at))
            && policies.management == ManagementPolicy::Full
            && self.failure(declaration).is_none()
        {
            // What else the request writes is taken from what was read.
            let pursuit = pursue(self.world, what);
            match pursuit.says.clone() {
                Some(blocked) => outcome.stop(blocked.state, blocked.reason, blocked.message),
                None => outcome.progress("reading what the change must not touch"),
            }
            self.follow(declaration, pursuit, K::PRIORITY);
            return self.record(declaration, outcome);
        }
        match self.replacement(context, rules, remote, &found, &outcome.status) {
            Replacement::Due(step) => {
                outcome.state = State::Progressing;
                outcome.reason = Reason::Progressing;
                outcome.message = format!("will {}", step.summary);
                self.plan.steps.push(*step);
                self.record(declaration, outcome);
                return;
            }
            Replacement::Blocked(blocked) => {
                outcome.state = blocked.state;
                outcome.reason = blocked.reason;
                outcome.message = blocked.message;
                self.record(declaration, outcome);
                return;
            }
            Replacement::Not(way_out) => found.way_out = way_out,
        }
        self.close_replacement::<K>(declaration, outcome.status_mut());
        let only_status =
            found.body.len() == 1 && declaration.key.kind == Kind::Component && found.body.contains_key("status");
        let priority = if only_status {
            Priority::ComponentStatus
        } else {
            K::PRIORITY
        };
        let settled = self.settle(
            context,
            outcome,
            found,
            policies.management,
            priority,
            |body| rules.update(context, remote, body),
            || named(context, rules),
        );
        if settled && policies.management == ManagementPolicy::Full {
            let asked = self.once(declaration, K::id(remote));
            if let (Spec::Metric(spec), false) = (&*declaration.spec, asked) {
                self.collect_points(declaration, spec, K::id(remote));
            }
        }
    }

    /// Turns a comparison into a step and an outcome. True when the object matches and nothing is to be written.
    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where a comparison becomes a step"
    )]
    pub(super) fn settle(
        &mut self,
        context: &Context<'a>,
        mut outcome: Outcome,
        found: Comparisons,
        management: ManagementPolicy,
        priority: Priority,
        request: impl FnOnce(serde_json::Map<String, serde_json::Value>) -> Result<Request, Blocked>,
        noun: impl FnOnce() -> String,
    ) -> bool {
        let declaration = context.declaration;
        outcome.drift = found.drift.clone();
        if management == ManagementPolicy::ObserveOnly && !found.body.is_empty() {
            let names: Vec<&str> = found.changes.iter().map(|change| change.field.as_str()).collect();
            outcome.state = State::Stalled;
            outcome.reason = Reason::ObserveOnly;
            outcome.message = format!(
                "{} differ on the page; managementPolicy is ObserveOnly: nothing is written",
                names.join(", ")
            );
        } else if !found.immutable.is_empty() {
            outcome.state = State::Stalled;
            outcome.reason = Reason::NotHonoured;
            let way_out = found.way_out.unwrap_or_else(|| match declaration.key.kind {
                Kind::IncidentTemplate => {
                    "edit the template in the console to match, or declare another one".to_owned()
                }
                _ => "delete the declaration and create it again".to_owned(),
            });
            outcome.message = format!(
                "{} can only be given when the {} is created: change it back, or {way_out}",
                found.immutable.join(", "),
                declaration.key.kind.noun()
            );
        } else if !found.body.is_empty() {
            if let Some(failure) = self.failure(declaration) {
                outcome.state = failure.state;
                outcome.reason = failure.reason;
                outcome.message = match &found.way_out {
                    Some(way_out) if failure.reason == Reason::NotHonoured => {
                        format!("{}; or {way_out}", failure.message)
                    }
                    _ => failure.message,
                };
            } else {
                let names: Vec<String> = found.changes.iter().map(|change| change.field.clone()).collect();
                let summary = Verb::Update.of(format!("{}: {}", noun(), names.join(", ")));
                match request(found.body) {
                    Ok(request) => {
                        outcome.state = State::Progressing;
                        outcome.reason = Reason::Progressing;
                        outcome.message = format!("will {summary}");
                        self.plan.steps.push(Step {
                            changes: found.changes,
                            applied: applied(declaration, &found.applied),
                            ..Step::new(declaration, Action::Update(request), priority, summary)
                        });
                    }
                    Err(blocked) => {
                        outcome.state = blocked.state;
                        outcome.reason = blocked.reason;
                        outcome.message = blocked.message;
                    }
                }
            }
        } else {
            let applied = &mut outcome.status_mut().object_mut().applied;
            applied.retain(|name, _| *name == AppliedName::Data.text() || found.keeps(name));
            applied.extend(found.applied);
        }
        let settled = outcome.state == State::InSync;
        self.record(declaration, outcome);
        settled
    }

    /// Takes the remote object: id in the status and in the annotation, journal of its creation closed.
    pub(super) fn take(&mut self, declaration: &Declaration, id: &str, adopted: bool, status: &mut Status) {
        let known = status.object();
        let by_hand = declaration.is_to_take_over() && declaration.recorded_id() == Some(id);
        if by_hand && known.id.is_some() {
            // Nothing that was recorded of the other object is true of this one.
            let mut blank = Status::empty(declaration.key.kind);
            blank.object_mut().conditions.clone_from(&known.conditions);
            blank
                .object_mut()
                .last_handled_request
                .clone_from(&known.last_handled_request);
            *status = blank;
        }
        let object = status.object_mut();
        object.adopted |= adopted || by_hand;
        object.id = Some(id.to_owned());
        object.page_id = self.world.page_id.map(str::to_owned);
        match Operation::open(object) {
            Some(Operation::Create) => {
                object.journal = None;
                // What was recorded is about the object before it, if there was one.
                let done = one_shot::done_by_creation(declaration).into_iter();
                object.applied = done.map(|done| (done.name.to_string(), done.hash)).collect();
            }
            Some(Operation::Provide) => object.journal = None,
            _ => {}
        }
        let policies = declaration.policies(self.world.page_spec());
        if !declaration.finalizer
            && (policies.deletion != Deletion::Orphan
                || declaration.is_to_take_over() && declaration.spec.own_deletion().is_none())
            && policies.management == ManagementPolicy::Full
        {
            let summary = Verb::Add.of("the finalizer");
            let hold = Step::new(declaration, Action::AddFinalizer, Priority::Incident, summary);
            self.plan.steps.push(hold);
        }
        let annotated = declaration.id_annotation.as_deref();
        let out_of_date = annotated.is_some() && annotated == declaration.status.object().former_id.as_deref();
        if annotated != Some(id) && !out_of_date {
            let record = Action::RecordId(id.to_owned());
            let step = Step::new(declaration, record, Priority::Incident, Verb::Record.of("the id"));
            self.plan.steps.push(step);
        }
    }

    fn collect_points(&mut self, declaration: &'a Declaration, spec: &MetricSpec, id: &str) {
        if spec.data.is_empty() {
            return;
        }
        let declared = serde_json::to_value(&spec.data).unwrap_or_default();
        let hash = fields::hash(&declared);
        let applied = &declaration.status.object().applied;
        if applied.get(&*AppliedName::Data.text()) == Some(&hash) || self.failure(declaration).is_some() {
            return;
        }
        let points = kinds::data_points(&spec.data, self.world.wall);
        if points.is_empty() {
            // All of them are older than what Statuspage keeps: there is nothing to send.
            if let Some(outcome) = self.outcomes.get_mut(&declaration.key) {
                let applied = &mut outcome.status_mut().object_mut().applied;
                applied.insert(AppliedName::Data.to_string(), hash);
            }
            return;
        }
        if let Some(outcome) = self.outcomes.get_mut(&declaration.key) {
            outcome.state = State::Progressing;
            outcome.reason = Reason::Progressing;
            outcome.message = format!("will send {} data points", points.len());
        }
        let applied = Applied {
            key: declaration.key.clone(),
            name: AppliedName::Data,
            hash,
        };
        self.points.push(PointsToSend {
            id: id.to_owned(),
            points,
            applied,
        });
    }

    /// One bulk request for the data points of all metrics, or one for each when the page has refused them together.
    pub(super) fn submit_points(&mut self) {
        let collected = std::mem::take(&mut self.points);
        if self.world.single_points {
            for PointsToSend { id, points, applied } in collected {
                self.submit(BTreeMap::from([(id, points)]), vec![applied]);
            }
        } else if !collected.is_empty() {
            let (points, applied) = collected
                .into_iter()
                .map(|sent| ((sent.id, sent.points), sent.applied))
                .unzip();
            self.submit(points, applied);
        }
    }

    fn submit(&mut self, points: BTreeMap<String, Vec<MetricPoint>>, applied: Vec<Applied>) {
        let count: usize = points.values().map(Vec::len).sum();
        let Some(first) = applied.first() else { return };
        self.plan.steps.push(Step {
            key: first.key.clone(),
            action: Action::Update(Request::SubmitMetricData(points)),
            priority: Priority::MetricData,
            summary: Verb::Send.of(format!("{count} data points")),
            changes: Vec::new(),
            applied,
            beside: Vec::new(),
            replaces: None,
        });
    }
}

/// The step that creates an object.
pub(super) fn creation(
    declaration: &Declaration,
    request: Request,
    found: Comparisons,
    priority: Priority,
    summary: Summary,
    beside: Vec<String>,
) -> Step {
    let mut applied = applied(declaration, &found.applied);
    applied.extend(one_shot::done_by_creation(declaration));
    Step {
        changes: found.changes,
        applied,
        beside,
        ..Step::new(declaration, Action::Create(request), priority, summary)
    }
}

/// What is applied once the declared fields are written.
pub(super) fn applied(declaration: &Declaration, hashes: &BTreeMap<String, String>) -> Vec<Applied> {
    let of = |(name, hash): (&String, &String)| Applied {
        key: declaration.key.clone(),
        name: AppliedName::Field(name.clone()),
        hash: hash.clone(),
    };
    hashes.iter().map(of).collect()
}

/// An object with its kind, as people know it: `component "API"`.
fn named<K: Rules>(context: &Context<'_>, rules: &K) -> String {
    format!("{} {:?}", context.declaration.key.kind.noun(), rules.title(context))
}
