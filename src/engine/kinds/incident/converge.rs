//! What an incident calls for: creation, the next update, corrections, fields, pruning.

use jiff::{SignedDuration, Timestamp};

use super::super::{IN_SYNC, Rules};
use crate::api::{Drift, IncidentSpec, ManagementPolicy, Reason, Status, parse_duration};
use crate::engine::applied::AppliedName;
use crate::engine::attempt::{next_look_for, settled_at};
use crate::engine::conditions;
use crate::engine::context::Context;
use crate::engine::fields::{self, Comparisons};
use crate::engine::identity::{Identity, shown_time};
use crate::engine::journal::Operation;
use crate::engine::object::{Start, confirm_drift, creating, creation, settle, start, take};
use crate::engine::outcome::Outcome;
use crate::engine::plan::{Action, Applied, ReadWhat, State, Step};
use crate::engine::pursuit::{after, is_fresh_object, pursue};
use crate::engine::report::Report;
use crate::engine::summary::Verb;
use crate::engine::template;
use crate::statuspage::{CollectionKind, Incident, IncidentStatus, ObjectKind, Priority, SPACING};

use super::corrections::{corrections, is_shown, postmortem};
use super::subscribers::{subscribes, subscription};
use super::updates::{bind_updates, misplaced, publish};

/// Plans what an incident calls for: creation, the next update, corrections, fields, postmortem, pruning.
pub(in crate::engine) fn converge(context: &Context<'_>, identity: Option<&Identity>, spec: &IncidentSpec) -> Report {
    let declaration = context.declaration;
    if let Some(Identity::BeyondList { id }) = identity {
        return beyond_list(context, spec, id);
    }
    let mut report = Report::default();
    match start(context, identity, &mut report) {
        Start::Stopped => report,
        Start::Create { beside } => {
            let checked = template::check(context, spec);
            let planned = checked.and_then(|()| spec.fields(context, None)).and_then(|fields| {
                let found = fields::creation(&fields, context.seal());
                spec.create(context, found.body.clone()).map(|request| (request, found))
            });
            match planned {
                Ok((request, found)) => {
                    let summary = Verb::Create.of(format!("incident {:?}", spec.title(context)));
                    let step = creation(declaration, request, found, Priority::Incident, summary, beside);
                    let outcome = creating(declaration, &step);
                    report.steps.push(step);
                    report.with(outcome)
                }
                Err(blocked) => report.with(Outcome::blocked(declaration, blocked)),
            }
        }
        Start::Here { id, adopted } => match IncidentSpec::shown(context, id) {
            Some(remote) => here(context, spec, remote, adopted, report),
            None => report,
        },
    }
}

/// An incident older than the list: read it only when something can still happen to it.
fn beyond_list(context: &Context<'_>, spec: &IncidentSpec, id: &str) -> Report {
    let declaration = context.declaration;
    let mut report = Report::default();
    let Status::Incident(status) = &*declaration.status else {
        return report;
    };
    let over = status
        .status
        .as_deref()
        .is_some_and(|word| IncidentStatus::from(word).is_over());
    let ready = conditions::find(&status.object, conditions::READY)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(declaration.generation));
    if over && ready {
        let resolved_at = status.resolved_at.as_ref().map(|at| at.0);
        prune_in_time(context, spec, resolved_at, &mut report);
        return report;
    }
    let changed = status.object.observed_generation != Some(declaration.generation);
    let priority = if changed { Priority::Incident } else { Priority::Read };
    let what = ReadWhat::Object(ObjectKind::Incident, id.to_owned());
    let pursuit = pursue(context.world, what);
    report.outcome = pursuit
        .says
        .clone()
        .map(|blocked| Outcome::blocked(declaration, blocked));
    report.follow(pursuit, priority);
    report
}

fn here(context: &Context<'_>, spec: &IncidentSpec, remote: &Incident, adopted: bool, mut report: Report) -> Report {
    let declaration = context.declaration;
    let policies = context.policies();
    let mut outcome = Outcome::new(declaration, State::InSync, Reason::Synced, IN_SYNC);
    let status = outcome.status_mut();
    take(context, &remote.id, adopted, status, &mut report);
    spec.observe(context, remote, status);
    let Status::Incident(known) = &*outcome.status else {
        return report;
    };
    // The template's own post is the page's by now.
    let given = usize::from(declaration.opened_by_template).min(known.updates.len());
    if let Some(misplaced) = misplaced(&spec.updates[given..], &known.updates[given..]) {
        outcome.stop(State::Stalled, Reason::Invalid, misplaced.message);
        return report.with(outcome);
    }
    if spec.updates.is_empty()
        && let Err(blocked) = template::check(context, spec)
    {
        outcome.block(blocked);
        return report.with(outcome);
    }
    let bound = bind_updates(context, spec, remote, &mut outcome, &mut report);
    if declaration.opened_by_template
        && let Status::Incident(known) = outcome.status_mut()
        && let Some(first) = known.updates.first_mut()
    {
        first.from_template = true;
    }
    if !bound {
        return report.with(outcome);
    }
    if !settle_announcement(context, spec, remote, &mut outcome, &mut report) {
        return report.with(outcome);
    }
    let compared = spec.fields(context, Some(remote)).map(|fields| {
        fields::compare(
            &fields,
            &outcome.status.object().applied,
            policies.drift,
            context.seal(),
        )
    });
    let found = match compared {
        Ok(found) => found,
        Err(blocked) => {
            outcome.block(blocked);
            return report.with(outcome);
        }
    };
    if let Some(message) = template::unheeded(spec, remote) {
        outcome.message = format!("{}; {message}", outcome.message);
    }
    let without = spec.left_out(context);
    if !without.is_empty() && !remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
        let coming = without.iter().any(|(_, coming)| *coming);
        let names: Vec<&str> = without.into_iter().map(|(name, _)| name).collect();
        let names = names.join(", ");
        if coming {
            let message =
                format!("the incident is on the page; waiting for components that are not there yet: {names}");
            outcome.stop(State::Progressing, Reason::WaitingForReference, message);
        } else {
            outcome.message =
                format!("the page shows what is declared, except for components that are not on the page: {names}");
        }
    }
    let Status::Incident(status) = &*outcome.status else {
        return report;
    };
    let published = status.updates.clone();
    let write_allowed = policies.management == ManagementPolicy::Full;
    match spec.updates.get(published.len()) {
        Some(next) if write_allowed => {
            return publish(context, spec, remote, outcome, found, (published.len(), next), report);
        }
        Some(_) => {
            let message = format!(
                "{} of {} updates are not on the page; managementPolicy is ObserveOnly: nothing is written",
                spec.updates.len() - published.len(),
                spec.updates.len()
            );
            outcome.stop(State::Stalled, Reason::ObserveOnly, message);
            return report.with(outcome);
        }
        None => {}
    }
    let title = format!("incident {:?}", spec.title(context));
    let mut drift = Vec::new();
    let correction = corrections(declaration, spec, remote, &published, policies.drift, &mut drift);
    let mut follow_up = correction.or_else(|| postmortem(declaration, spec, remote));
    if follow_up.is_none() && write_allowed {
        follow_up = subscription(context, spec, remote, &mut outcome, &mut report);
    }
    let all_drift: Vec<Drift> = drift.into_iter().chain(found.drift.clone()).collect();
    if confirm_drift(
        context,
        ObjectKind::Incident,
        &remote.id,
        &all_drift,
        Priority::Incident,
        &mut report,
    ) {
        return report;
    }
    match follow_up {
        Some(follow_up) if !write_allowed && found.body.is_empty() => {
            let field = follow_up.change.map_or("postmortem".to_owned(), |change| change.field);
            outcome.drift = all_drift;
            let message = format!("{field} differs on the page; managementPolicy is ObserveOnly: nothing is written");
            outcome.stop(State::Stalled, Reason::ObserveOnly, message);
            report.with(outcome)
        }
        // What moves the status, or tells people, is decided on what the incident is now.
        Some(follow_up)
            if found.body.is_empty()
                && follow_up.needs_fresh
                && !is_fresh_object(context.world, declaration, ObjectKind::Incident, &remote.id) =>
        {
            outcome.drift = all_drift;
            outcome.will(&follow_up.summary);
            let what = ReadWhat::Object(ObjectKind::Incident, remote.id.clone());
            report.pursue(context.world, what, Priority::Incident);
            report.with(outcome)
        }
        Some(follow_up) if found.body.is_empty() => {
            outcome.drift = all_drift;
            outcome.will(&follow_up.summary);
            let action = match follow_up.tells {
                Some(name) => Action::Tell {
                    request: follow_up.request,
                    name,
                },
                None => Action::Update(follow_up.request),
            };
            let mut follow = Step::new(declaration, action, Priority::Incident, follow_up.summary);
            follow.changes.extend(follow_up.change);
            follow.applied.extend(follow_up.applied.map(|(name, hash)| Applied {
                key: declaration.key.clone(),
                name,
                hash,
            }));
            report.steps.push(follow);
            report.with(outcome)
        }
        _ => {
            let found = Comparisons {
                drift: all_drift,
                ..found
            };
            let request = |body| spec.update(context, remote, body);
            let settled = settle(
                context,
                &mut outcome,
                found,
                Priority::Incident,
                request,
                || title,
                &mut report,
            );
            if settled && remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
                prune_in_time(context, spec, remote.resolved_at, &mut report);
            }
            report.with(outcome)
        }
    }
}

/// Closes the note of something that was to tell people, once it is known whether it did. False while it is not.
fn settle_announcement(
    context: &Context<'_>,
    spec: &IncidentSpec,
    remote: &Incident,
    outcome: &mut Outcome,
    report: &mut Report,
) -> bool {
    let (world, declaration) = (context.world, context.declaration);
    let Some(journal) = outcome.status.object().journal.clone() else {
        return true;
    };
    let Some(Operation::Tell(name)) = Operation::of(&journal) else {
        return true;
    };
    let settled = settled_at(world, declaration, &journal, CollectionKind::Incidents);
    let (done, last_look, what) = if let AppliedName::IncidentSubscriber(_) = &name {
        let known = world.snapshot.incident_subscribers.get(&remote.id);
        let here = known.is_some_and(|known| subscribes(&known.value, &name, context.seal()));
        (
            here,
            known.map(|known| known.read_at),
            ReadWhat::IncidentSubscribers(remote.id.clone()),
        )
    } else {
        let examined = world.snapshot.examined(ObjectKind::Incident, &remote.id);
        let what = ReadWhat::Object(ObjectKind::Incident, remote.id.clone());
        let shown = spec
            .postmortem
            .as_ref()
            .is_none_or(|declared| is_shown(declared, remote));
        (
            remote.postmortem_published_at.is_some() && shown,
            examined.shown_at,
            what,
        )
    };
    let seen = declaration.attempt_seen.unwrap_or(world.now);
    let looked = last_look.filter(|look| *look >= seen);
    let object = outcome.status_mut().object_mut();
    if done && looked.is_some() {
        object
            .applied
            .insert(name.to_string(), journal.title.unwrap_or_default());
        object.journal = None;
        return true;
    }
    if looked.is_some_and(|look| look >= after(settled, SPACING)) {
        object.journal = None;
        return true;
    }
    outcome.progress(format!(
        "an earlier attempt to {} got no clear answer; checking until {} whether it succeeded",
        describe_telling(&name),
        shown_time(world, settled)
    ));
    let next = next_look_for(world, declaration, looked, settled);
    if world.now < next {
        report.wait_for_proof(next);
    } else {
        report.pursue(world, what, Priority::Incident);
    }
    false
}

fn describe_telling(name: &AppliedName) -> &'static str {
    match name {
        AppliedName::IncidentSubscriber(_) => "subscribe somebody to the incident",
        _ => "publish the postmortem",
    }
}

/// Deletes the declaration of an incident that ended long enough ago.
fn prune_in_time(context: &Context<'_>, spec: &IncidentSpec, resolved_at: Option<Timestamp>, report: &mut Report) {
    let world = context.world;
    let Some(ttl) = spec.ttl_after_resolved.as_deref().and_then(parse_duration) else {
        return;
    };
    let Some(resolved_at) = resolved_at else { return };
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    let due = resolved_at.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    if world.wall >= due {
        let summary = Verb::Prune.of("ttlAfterResolved is over");
        let prune = Step::new(context.declaration, Action::Prune, Priority::Write, summary);
        report.steps.push(prune);
    } else {
        report.wake_at(world.by_process_clock(due));
    }
}
