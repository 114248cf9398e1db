//! What differs between a declaration and its remote object, and what brings them together: the flow around the rules of
//! a kind.

use super::attempt::{next_look_for, settled_at};
use super::context::Context;
use super::deletion;
use super::evidence;
use super::fields;
use super::identity::Identity;
use super::kinds;
use super::metric_data;
use super::object::{Start, confirm_drift, creating, creation, settle, start, take};
use super::observation::unlisted;
use super::one_shot;
use super::outcome::Outcome;
use super::plan::{Action, ReadWhat, State, Step};
use super::pursuit::{is_fresh, pursue};
use super::replacement::{self, Replacement};
use super::report::Report;
use super::rules::Rules;
use super::summary::Verb;
use super::unsubscribed::may_subscribe;
use crate::api::{Kind, ManagementPolicy, Reason, Spec, with_spec};
use crate::statuspage::{CollectionKind, Priority};

/// What a declaration calls for whose remote object is this one.
pub(super) fn plan(context: &Context<'_>, identity: Option<&Identity>) -> Report {
    let declaration = context.declaration;
    if declaration.set_aside {
        return Report::default();
    }
    if context.policies().suspend {
        return Report::of(Outcome::suspended(declaration, SUSPENDED));
    }
    if declaration.deleting {
        return deletion::plan(context, identity);
    }
    match &*declaration.spec {
        Spec::Incident(spec) => kinds::converge_incident(context, identity, spec),
        spec => with_spec!(spec, spec => object(context, identity, &**spec), _ => Report::default()),
    }
}

/// What is said of a declaration that is suspended.
pub(super) const SUSPENDED: &str = "suspend is true: this object is left alone";

/// The same flow for every kind but incidents.
fn object<K: Rules>(context: &Context<'_>, identity: Option<&Identity>, rules: &K) -> Report {
    let mut report = Report::default();
    match start(context, identity, &mut report) {
        Start::Stopped => report,
        Start::Create { beside } => create(context, rules, beside, report),
        Start::Here { id, adopted } => match K::shown(context, id) {
            Some(remote) => update(context, rules, remote, adopted, report),
            None => report,
        },
    }
}

fn create<K: Rules>(context: &Context<'_>, rules: &K, beside: &[String], mut report: Report) -> Report {
    let declaration = context.declaration;
    if let Spec::Subscriber(spec) = &*declaration.spec
        && let Err(blocked) = may_subscribe(context, spec, &mut report)
    {
        return report.with(Outcome::blocked(declaration, blocked));
    }
    let planned = rules.fields(context, None).and_then(|fields| {
        let found = fields::creation(&fields, context.seal());
        let request = rules.create(context, found.body.clone())?;
        Ok((request, found))
    });
    match planned {
        Ok((request, found)) => {
            if let Some(pursuit) = evidence::renewal::<K>(context) {
                let message = "checking again whether the object is gone from the page";
                let outcome = Outcome::new(declaration, State::Progressing, Reason::Progressing, message);
                report.follow(pursuit, K::PRIORITY);
                return report.with(outcome);
            }
            let summary = Verb::Create.of(named(context, rules));
            let mut step = creation(declaration, request, found, K::PRIORITY, summary, beside);
            replacement::carry_on(declaration, &mut step);
            let outcome = creating(declaration, &step);
            report.steps.push(step);
            report.with(outcome)
        }
        Err(blocked) => {
            if let Spec::Metric(spec) = &*declaration.spec
                && let Some(request) = kinds::implied_provider(spec, context)
            {
                let summary = Verb::Create.of("metrics provider \"Self\"");
                let step = Step::new(declaration, Action::Provide(request), K::PRIORITY, summary);
                report.provides = Some(Box::new(step));
            }
            report.with(Outcome::blocked(declaration, blocked))
        }
    }
}

/// The creation of the page's provider of type Self, once that is not just too young to show in the list.
pub(super) fn provide(page: &Context<'_>, step: Step) -> Report {
    let world = page.world;
    let mut report = Report::default();
    let Some((attempt, journal)) = page.index.providing() else {
        report.steps.push(step);
        return report;
    };
    let list = CollectionKind::MetricsProviders;
    let settled = settled_at(world, attempt, journal, list);
    let providers = world.snapshot.metrics_providers.as_ref();
    if providers.is_some_and(|providers| providers.looks_since(settled) >= 2) {
        report.steps.push(step);
        return report;
    }
    let last = providers.and_then(|providers| providers.looks.last().copied());
    let next = next_look_for(world, attempt, last, settled);
    if world.now < next {
        report.wait_for_proof(next);
    } else {
        report.pursue(world, ReadWhat::Collection(list), Priority::Read);
    }
    report
}

fn update<K: Rules>(context: &Context<'_>, rules: &K, remote: &K::Remote, adopted: bool, mut report: Report) -> Report {
    let declaration = context.declaration;
    let world = context.world;
    unlisted(context, rules.unlisted(context, remote), &mut report);
    let mut outcome = Outcome::new(declaration, State::InSync, Reason::Synced, K::IN_SYNC);
    let status = outcome.status_mut();
    take(context, K::id(remote), adopted, status, &mut report);
    rules.observe(context, remote, status);
    let fields = match rules.fields(context, Some(remote)) {
        Ok(fields) => fields,
        Err(blocked) => {
            outcome.block(blocked);
            return report.with(outcome);
        }
    };
    let policies = context.policies();
    replacement::note(context, rules, outcome.status_mut());
    let applied = &outcome.status.object().applied;
    let mut found = fields::compare(&fields, applied, policies.drift, context.seal());
    if let Some(kind) = K::OBJECT
        && confirm_drift(context, kind, K::id(remote), &found.drift, K::PRIORITY, &mut report)
    {
        return report;
    }
    let wanted = rules.needs_fresh(context, remote, &found.body);
    if let Some((what, _)) = wanted.filter(|(_, read_at)| !is_fresh(world, declaration, *read_at))
        && policies.management == ManagementPolicy::Full
        && report.failure(context).is_none()
    {
        // What else the request writes is taken from what was read.
        let pursuit = pursue(world, what);
        match pursuit.says.clone() {
            Some(blocked) => outcome.block(blocked),
            None => outcome.progress("reading what the change must not touch"),
        }
        report.follow(pursuit, K::PRIORITY);
        return report.with(outcome);
    }
    match replacement::plan(context, rules, remote, &found, &outcome.status) {
        Replacement::Due(step) => {
            outcome.will(&step.summary);
            report.steps.push(*step);
            return report.with(outcome);
        }
        Replacement::Blocked(blocked) => {
            outcome.block(blocked);
            return report.with(outcome);
        }
        Replacement::Not(way_out) => found.way_out = way_out,
    }
    replacement::close::<K>(context, outcome.status_mut(), &mut report);
    let only_status =
        found.body.len() == 1 && declaration.key.kind == Kind::Component && found.body.contains_key("status");
    let priority = match only_status {
        true => Priority::ComponentStatus,
        false => K::PRIORITY,
    };
    let settled = settle(
        context,
        &mut outcome,
        found,
        priority,
        |body| rules.update(context, remote, body),
        || named(context, rules),
        &mut report,
    );
    if settled && policies.management == ManagementPolicy::Full {
        let asked = one_shot::plan(context, K::id(remote), &mut outcome, &mut report);
        if let (Spec::Metric(spec), false) = (&*declaration.spec, asked) {
            metric_data::plan(context, spec, K::id(remote), &mut outcome, &mut report);
        }
    }
    report.with(outcome)
}

/// An object with its kind, as people know it: `component "API"`.
fn named<K: Rules>(context: &Context<'_>, rules: &K) -> String {
    format!("{} {:?}", context.declaration.key.kind.noun(), rules.title(context))
}
