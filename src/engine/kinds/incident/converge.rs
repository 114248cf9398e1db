//! What an incident calls for: creation, the next update, corrections, fields, pruning.

use jiff::{SignedDuration, Timestamp};

use super::super::Rules;
use crate::api::{IncidentSpec, Kind, ManagementPolicy, Reason, parse_duration};
use crate::engine::conditions;
use crate::engine::context::Context;
use crate::engine::converge::{Start, creation};
use crate::engine::declaration::{Declaration, Status};
use crate::engine::fields::{self, Comparisons};
use crate::engine::identity::Identity;
use crate::engine::plan::{Action, ReadWhat, State};
use crate::engine::planner::{Outcome, Planner, step};
use crate::statuspage::{Incident, IncidentStatus, Priority};

use super::corrections::{FollowUp, corrections, postmortem};
use super::subscribers::subscription;
use super::updates::{bind_updates, publish};

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
            let planned = spec.fields(&context, None).and_then(|fields| {
                let found = fields::creation(&fields);
                spec.create(&context, found.body.clone())
                    .map(|request| (request, found))
            });
            match planned {
                Ok((request, found)) => {
                    let summary = format!("create incident {:?}", spec.title(&context));
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
pub(super) fn beyond_list<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, spec: &IncidentSpec, id: &str) {
    let Status::Incident(status) = &declaration.status else {
        return;
    };
    let over = status
        .status
        .as_deref()
        .is_some_and(|word| IncidentStatus::from(word).is_over());
    let ready = conditions::find(&status.object, conditions::READY)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(declaration.generation));
    if over && ready {
        prune_in_time(planner, declaration, spec, status.resolved_at.as_ref().map(|at| at.0));
    } else {
        let changed = status.object.observed_generation != Some(declaration.generation);
        let priority = if changed { Priority::Incident } else { Priority::Read };
        planner.read(ReadWhat::Incident(id.to_owned()), priority);
    }
}

pub(super) fn here<'a>(
    planner: &mut Planner<'a>,
    context: &Context<'a>,
    spec: &IncidentSpec,
    remote: &Incident,
    adopted: bool,
) {
    let declaration = context.declaration;
    let policies = context.policies();
    let mut outcome = Outcome::new(
        declaration,
        State::InSync,
        Reason::Synced,
        "the page shows what is declared",
    );
    planner.take(declaration, &remote.id, adopted, &mut outcome.status);
    spec.observe(context, remote, &mut outcome.status);
    if !bind_updates(planner, spec, remote, &mut outcome) {
        planner.record(declaration, outcome);
        return;
    }
    let compared = spec
        .fields(context, Some(remote))
        .map(|fields| fields::compare(&fields, &outcome.status.object().applied, policies.drift));
    let found = match compared {
        Ok(found) => found,
        Err(blocked) => {
            (outcome.state, outcome.reason, outcome.message) = (blocked.state, blocked.reason, blocked.message);
            planner.record(declaration, outcome);
            return;
        }
    };
    let Status::Incident(status) = &outcome.status else {
        return;
    };
    let published = status.updates.clone();
    let write_allowed = policies.management == ManagementPolicy::Full;
    if let (Some(next), true) = (spec.updates.get(published.len()), write_allowed) {
        publish(planner, context, spec, remote, outcome, found, published.len(), next);
        return;
    }
    if let (Some(_), false) = (spec.updates.get(published.len()), write_allowed) {
        outcome.state = State::Stalled;
        outcome.reason = Reason::ObserveOnly;
        outcome.message = format!(
            "{} of {} updates are not on the page; managementPolicy is ObserveOnly: nothing is written",
            spec.updates.len() - published.len(),
            spec.updates.len()
        );
        planner.record(declaration, outcome);
        return;
    }
    let title = format!("incident {:?}", spec.title(context));
    let mut drift = Vec::new();
    let correction = corrections(spec, remote, &published, policies.drift, &mut drift);
    let mut follow_up = correction.or_else(|| postmortem(declaration, spec, remote));
    if follow_up.is_none() && write_allowed && planner.failure(declaration).is_none() {
        follow_up = subscription(planner, declaration, spec, remote, &mut outcome);
    }
    outcome.drift = drift;
    let fields_drift = found.drift.clone();
    match follow_up {
        Some(follow_up) if !write_allowed && found.body.is_empty() => {
            let field = follow_up.change.map_or("postmortem".to_owned(), |change| change.field);
            outcome.drift.extend(fields_drift);
            outcome.state = State::Stalled;
            outcome.reason = Reason::ObserveOnly;
            outcome.message =
                format!("{field} differs on the page; managementPolicy is ObserveOnly: nothing is written");
            planner.record(declaration, outcome);
        }
        Some(follow_up) if found.body.is_empty() => {
            let FollowUp { request, summary, .. } = follow_up;
            outcome.drift.extend(fields_drift);
            outcome.state = State::Progressing;
            outcome.reason = Reason::Progressing;
            outcome.message = format!("will {summary}");
            let mut follow = step(declaration, Action::Update(request), Priority::Incident, summary);
            follow.changes.extend(follow_up.change);
            follow.applied = follow_up
                .applied
                .map(|(name, hash)| (declaration.key.clone(), name, hash))
                .into_iter()
                .collect();
            planner.plan.steps.push(follow);
            planner.record(declaration, outcome);
        }
        _ => {
            let own_drift = std::mem::take(&mut outcome.drift);
            let found = Comparisons {
                drift: own_drift.into_iter().chain(fields_drift).collect(),
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
                &title,
            );
            if settled && remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
                prune_in_time(planner, declaration, spec, remote.resolved_at);
            }
        }
    }
}

/// Deletes the declaration of an incident that ended long enough ago.
pub(super) fn prune_in_time<'a>(
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
    if planner.world.now >= due {
        planner.plan.steps.push(step(
            declaration,
            Action::Prune,
            Priority::Write,
            "prune: ttlAfterResolved is over",
        ));
    } else {
        planner.plan.wake_at(due);
    }
}
