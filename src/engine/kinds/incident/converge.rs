//! What an incident calls for: creation, the next update, corrections, fields, pruning.

use jiff::{SignedDuration, Timestamp};

use super::super::{IN_SYNC, Rules};
use crate::api::{Drift, IncidentSpec, Kind, ManagementPolicy, Reason, parse_duration};
use crate::engine::applied::{Applied, AppliedName};
use crate::engine::conditions;
use crate::engine::context::Context;
use crate::engine::converge::{Start, creation};
use crate::engine::declaration::{Declaration, Status};
use crate::engine::evidence::{self, after, is_fresh_object, next_look_for, settled_at};
use crate::engine::fields::{self, Comparisons};
use crate::engine::identity::{Identity, shown_time};
use crate::engine::journal::Operation;
use crate::engine::plan::{Action, ReadWhat, State, Step};
use crate::engine::planner::{Outcome, Planner};
use crate::engine::summary::Verb;
use crate::engine::template;
use crate::statuspage::{CollectionKind, Incident, IncidentStatus, ObjectKind, Priority, SPACING};

use super::corrections::{corrections, is_shown, postmortem};
use super::subscribers::{subscribes, subscription};
use super::updates::{bind_updates, misplaced, publish};

/// Plans what an incident calls for: creation, the next update, corrections, fields, postmortem, pruning.
pub(in crate::engine) fn converge<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, spec: &IncidentSpec) {
    let context = planner.context(declaration);
    if let Some(Identity::BeyondList { id }) = planner.identities.get(&declaration.key) {
        beyond_list(planner, declaration, spec, id);
        return;
    }
    match planner.start(declaration) {
        Start::Stopped => {}
        Start::Create { beside } => {
            let checked = template::check(&context, spec);
            let planned = checked.and_then(|()| spec.fields(&context, None)).and_then(|fields| {
                let found = fields::creation(&fields, context.seal());
                spec.create(&context, found.body.clone())
                    .map(|request| (request, found))
            });
            match planned {
                Ok((request, found)) => {
                    let summary = Verb::Create.of(format!("incident {:?}", spec.title(&context)));
                    let step = creation(declaration, request, found, Priority::Incident, summary, beside);
                    planner.begin_creation(declaration, step);
                }
                Err(blocked) => planner.record(declaration, Outcome::blocked(declaration, blocked)),
            }
        }
        Start::Here { id, adopted } => {
            let lookup = planner.index.lookup(Kind::Incident);
            let snapshot = planner.world.snapshot;
            if let Some(remote) = lookup.and_then(|lookup| lookup.get::<IncidentSpec>(snapshot, &id)) {
                here(planner, &context, spec, remote, adopted);
            }
        }
    }
}

/// An incident older than the list: read it only when something can still happen to it.
fn beyond_list<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, spec: &IncidentSpec, id: &str) {
    let Status::Incident(status) = &*declaration.status else {
        return;
    };
    let over = status
        .status
        .as_deref()
        .is_some_and(|word| IncidentStatus::from(word).is_over());
    let ready = conditions::find(&status.object, conditions::READY)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(declaration.generation));
    if over && ready {
        return prune_in_time(planner, declaration, spec, status.resolved_at.as_ref().map(|at| at.0));
    }
    let changed = status.object.observed_generation != Some(declaration.generation);
    let priority = if changed { Priority::Incident } else { Priority::Read };
    let pursuit = evidence::pursue(planner.world, ReadWhat::Object(ObjectKind::Incident, id.to_owned()));
    if let Some(blocked) = pursuit.says.clone() {
        planner.record(declaration, Outcome::blocked(declaration, blocked));
    }
    planner.follow(declaration, pursuit, priority);
}

fn here<'a>(planner: &mut Planner<'a>, context: &Context<'a>, spec: &IncidentSpec, remote: &Incident, adopted: bool) {
    let declaration = context.declaration;
    let policies = context.policies();
    let mut outcome = Outcome::new(declaration, State::InSync, Reason::Synced, IN_SYNC);
    let status = outcome.status_mut();
    planner.take(declaration, &remote.id, adopted, status);
    spec.observe(context, remote, status);
    let Status::Incident(known) = &*outcome.status else {
        return;
    };
    // The template's own post is the page's by now.
    let given = usize::from(declaration.opened_by_template).min(known.updates.len());
    if let Some(misplaced) = misplaced(&spec.updates[given..], &known.updates[given..]) {
        outcome.stop(State::Stalled, Reason::Invalid, misplaced.message);
        return planner.record(declaration, outcome);
    }
    if spec.updates.is_empty()
        && let Err(blocked) = template::check(context, spec)
    {
        outcome.stop(blocked.state, blocked.reason, blocked.message);
        return planner.record(declaration, outcome);
    }
    let bound = bind_updates(planner, context, spec, remote, &mut outcome);
    if declaration.opened_by_template
        && let Status::Incident(known) = outcome.status_mut()
        && let Some(first) = known.updates.first_mut()
    {
        first.from_template = true;
    }
    if !bound {
        return planner.record(declaration, outcome);
    }
    if !settle_announcement(planner, declaration, spec, remote, &mut outcome) {
        return planner.record(declaration, outcome);
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
            outcome.stop(blocked.state, blocked.reason, blocked.message);
            return planner.record(declaration, outcome);
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
        return;
    };
    let published = status.updates.clone();
    let write_allowed = policies.management == ManagementPolicy::Full;
    match spec.updates.get(published.len()) {
        Some(next) if write_allowed => {
            return publish(planner, context, spec, remote, outcome, found, published.len(), next);
        }
        Some(_) => {
            let message = format!(
                "{} of {} updates are not on the page; managementPolicy is ObserveOnly: nothing is written",
                spec.updates.len() - published.len(),
                spec.updates.len()
            );
            outcome.stop(State::Stalled, Reason::ObserveOnly, message);
            return planner.record(declaration, outcome);
        }
        None => {}
    }
    let title = format!("incident {:?}", spec.title(context));
    let mut drift = Vec::new();
    let correction = corrections(declaration, spec, remote, &published, policies.drift, &mut drift);
    let mut follow_up = correction.or_else(|| postmortem(declaration, spec, remote));
    if follow_up.is_none() && write_allowed {
        follow_up = subscription(planner, declaration, spec, remote, &mut outcome);
    }
    let all_drift: Vec<Drift> = drift.into_iter().chain(found.drift.clone()).collect();
    if planner.confirm_drift(
        declaration,
        ObjectKind::Incident,
        &remote.id,
        &all_drift,
        Priority::Incident,
    ) {
        return;
    }
    match follow_up {
        Some(follow_up) if !write_allowed && found.body.is_empty() => {
            let field = follow_up.change.map_or("postmortem".to_owned(), |change| change.field);
            outcome.drift = all_drift;
            let message = format!("{field} differs on the page; managementPolicy is ObserveOnly: nothing is written");
            outcome.stop(State::Stalled, Reason::ObserveOnly, message);
            planner.record(declaration, outcome);
        }
        // What moves the status, or tells people, is decided on what the incident is now.
        Some(follow_up)
            if found.body.is_empty()
                && follow_up.needs_fresh
                && !is_fresh_object(planner.world, declaration, ObjectKind::Incident, &remote.id) =>
        {
            outcome.drift = all_drift;
            outcome.progress(format!("will {}", follow_up.summary));
            let what = ReadWhat::Object(ObjectKind::Incident, remote.id.clone());
            planner.pursue(declaration, what, Priority::Incident);
            planner.record(declaration, outcome);
        }
        Some(follow_up) if found.body.is_empty() => {
            outcome.drift = all_drift;
            outcome.progress(format!("will {}", follow_up.summary));
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
            planner.plan.steps.push(follow);
            planner.record(declaration, outcome);
        }
        _ => {
            let found = Comparisons {
                drift: all_drift,
                ..found
            };
            let request = |body| spec.update(context, remote, body);
            let settled = planner.settle(
                context,
                outcome,
                found,
                policies.management,
                Priority::Incident,
                request,
                || title,
            );
            if settled && remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
                prune_in_time(planner, declaration, spec, remote.resolved_at);
            }
        }
    }
}

/// Closes the note of something that was to tell people, once it is known whether it did. False while it is not.
fn settle_announcement(
    planner: &mut Planner<'_>,
    declaration: &Declaration,
    spec: &IncidentSpec,
    remote: &Incident,
    outcome: &mut Outcome,
) -> bool {
    let Some(journal) = outcome.status.object().journal.clone() else {
        return true;
    };
    let Some(Operation::Tell(name)) = Operation::of(&journal) else {
        return true;
    };
    let world = planner.world;
    let settled = settled_at(world, declaration, &journal, CollectionKind::Incidents);
    let (done, last_look, what) = if let AppliedName::IncidentSubscriber(_) = &name {
        let known = world.snapshot.incident_subscribers.get(&remote.id);
        let here = known.is_some_and(|known| subscribes(&known.value, &name, planner.context(declaration).seal()));
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
        planner.wait_for_proof(next);
    } else {
        planner.pursue(declaration, what, Priority::Incident);
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
fn prune_in_time<'a>(
    planner: &mut Planner<'a>,
    declaration: &'a Declaration,
    spec: &IncidentSpec,
    resolved_at: Option<Timestamp>,
) {
    let Some(ttl) = spec.ttl_after_resolved.as_deref().and_then(parse_duration) else {
        return;
    };
    let Some(resolved_at) = resolved_at else { return };
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    let due = resolved_at.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    if planner.world.wall >= due {
        let summary = Verb::Prune.of("ttlAfterResolved is over");
        let prune = Step::new(declaration, Action::Prune, Priority::Write, summary);
        planner.plan.steps.push(prune);
    } else {
        planner.plan.wake_at(planner.world.by_process_clock(due));
    }
}
