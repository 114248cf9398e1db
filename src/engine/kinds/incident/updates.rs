//! The append-only list of updates: binding declared ones to remote ones, and publishing the next.
//!
//! Invariant: an update is told once. Before one is sent the incident is read by its id, and what is there already is
//! bound; how many are published stands in the mark of the incident itself, whatever becomes of our own records.

use serde_json::{Map, Value, json};

use super::super::Rules;
use crate::api::{
    DriftPolicy, IncidentSpec, IncidentStatusName, IncidentUpdate, Journal, PublishedUpdate, Reason, Status,
};
use crate::engine::attempt::{carried_out_until, next_look_for, settled_at};
use crate::engine::context::Context;
use crate::engine::fields::{Change, Comparisons};
use crate::engine::identity::shown_time;
use crate::engine::journal::Operation;
use crate::engine::object::applied;
use crate::engine::outcome::Outcome;
use crate::engine::plan::{Action, ReadWhat, State, Step};
use crate::engine::pursuit::{is_fresh_object, pursue};
use crate::engine::record::{is_text_of, published_update, update_hash};
use crate::engine::report::Report;
use crate::engine::request::Request;
use crate::engine::summary::Verb;
use crate::statuspage::{
    CollectionKind, Incident, IncidentStatus, IncidentUpdate as RemoteUpdate, IncidentWrite, ObjectKind, Priority,
};

use super::{place, text_of, wire_status};
use crate::engine::mark::{mark_of, metadata, published_count};

/// Declared updates that cannot be those that were published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// Where in the spec it stands, as a JSON pointer.
    pub pointer: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Why the declared updates cannot be those that were published, if so: what is published keeps its status, its order and
/// its place. Both lists are of spec.updates: without the post that a template gave.
pub fn misplaced(declared: &[IncidentUpdate], published: &[PublishedUpdate]) -> Option<Misplaced> {
    const APPEND: &str = "published updates keep their status and their order: restore them, and append another update";
    if declared.len() < published.len() {
        return Some(Misplaced {
            pointer: "/updates".to_owned(),
            message: format!(
                "{} updates are published and {} are declared: {APPEND}",
                published.len(),
                declared.len()
            ),
        });
    }
    for (index, (update, known)) in declared.iter().zip(published).enumerate() {
        if let Some(status) = known
            .status
            .as_deref()
            .filter(|status| *status != update.status.as_str())
        {
            return Some(Misplaced {
                pointer: format!("/updates/{index}/status"),
                message: format!(
                    "updates[{index}] was published with status {status} and is declared with {}: {APPEND}",
                    update.status.as_str()
                ),
            });
        }
        let anew = known.applied != update_hash(update) && !known.applied.is_empty();
        let moved = |later: &IncidentUpdate| update_hash(later) == known.applied;
        if let (true, Some(position)) = (anew, declared[index + 1..].iter().position(moved)) {
            return Some(Misplaced {
                pointer: format!("/updates/{index}"),
                message: format!(
                    "updates[{index}] was published and is updates[{}] now: {APPEND}",
                    index + 1 + position
                ),
            });
        }
    }
    None
}

/// Binds declared updates to remote ones: after a creation whose record was lost, after an adoption, and after a
/// publication whose reply was lost. False while that cannot be told yet.
pub(super) fn bind_updates(
    context: &Context<'_>,
    spec: &IncidentSpec,
    remote: &Incident,
    outcome: &mut Outcome,
    report: &mut Report,
) -> bool {
    let declaration = context.declaration;
    let Status::Incident(status) = outcome.status_mut() else {
        return false;
    };
    let journal = status.object.journal.clone();
    let attempt = journal.as_ref().and_then(Operation::of);
    if let (Some(journal), Some(Operation::Publish(index))) = (&journal, attempt) {
        if status.updates.len() > index {
            status.object.journal = None;
            return true;
        }
        bind_earlier(&mut status.updates, index, spec, journal, remote);
        if let Some(update) = spec.updates.get(index)
            && let Some(attempt) = attempt_of(update, journal, remote, &status.updates)
        {
            status.updates.push(published_update(update, Some(attempt)));
            status.object.journal = None;
            // The next update is published only after this one is recorded: the record of a publication counts on those
            // before it.
            outcome.progress(format!("found update {} published", index + 1));
            return false;
        }
        return give_up_attempt(context, remote, journal, outcome, report);
    }
    // As many as the mark says are published, and on an incident that nothing is recorded of those that it shows.
    let marked = if mark_of(remote).is_some_and(|mark| mark.is_of(declaration)) {
        published_count(remote).min(spec.updates.len())
    } else {
        0
    };
    let before = status.updates.len();
    if before == 0 {
        status.updates = align(&spec.updates, remote);
    }
    if status.updates.len() < marked {
        bind_marked(&mut status.updates, marked, spec, remote);
    }
    if status.updates.len() > before {
        // Recorded before anything is published on top of it: see the journal above.
        outcome.progress("matched the declared updates to the published ones");
        return false;
    }
    true
}

/// An attempt to publish that left no trace had no effect, once everything shows that it can have caused. True then.
fn give_up_attempt(
    context: &Context<'_>,
    remote: &Incident,
    journal: &Journal,
    outcome: &mut Outcome,
    report: &mut Report,
) -> bool {
    let (world, declaration) = (context.world, context.declaration);
    let settled = settled_at(world, declaration, journal, CollectionKind::Incidents);
    let examined = world.snapshot.examined(ObjectKind::Incident, &remote.id);
    if examined.shown_before.is_some_and(|before| before >= settled) {
        outcome.status_mut().object_mut().journal = None;
        return true;
    }
    let why = match world.failures.get(&declaration.key) {
        Some(failure) => format!("failed ({})", failure.message),
        None => "was interrupted".to_owned(),
    };
    outcome.progress(format!(
        "an earlier attempt to publish an update {why}; checking until {} whether it succeeded",
        shown_time(world, settled)
    ));
    let next = next_look_for(world, declaration, examined.shown_at, settled);
    if world.now < next {
        report.wait_for_proof(next);
    } else {
        let what = ReadWhat::Object(ObjectKind::Incident, remote.id.clone());
        report.pursue(world, what, Priority::Incident);
    }
    false
}

/// Binds the updates that the mark of the incident counts: by text, else by status in their order. One that cannot be
/// found is recorded without an id: it was told, whatever has become of it.
fn bind_marked(known: &mut Vec<PublishedUpdate>, count: usize, spec: &IncidentSpec, remote: &Incident) {
    for update in spec.updates.iter().take(count).skip(known.len()) {
        let oldest_first = || {
            let unbound = remote.incident_updates.iter().rev();
            unbound.filter(|candidate| !known.iter().any(|known| known.id == candidate.id))
        };
        let found = oldest_first()
            .find(|candidate| is_text_of(update, candidate))
            .or_else(|| oldest_first().find(|candidate| same_phase(update, candidate)));
        let entry = published_update(update, found);
        known.push(entry);
    }
}

/// Binds the updates before the one that was interrupted. All of them are on the page for certain, but the record of
/// the last ones may have been lost with the process.
fn bind_earlier(
    known: &mut Vec<PublishedUpdate>,
    index: usize,
    spec: &IncidentSpec,
    journal: &Journal,
    remote: &Incident,
) {
    while let (true, Some(update)) = (known.len() < index, spec.updates.get(known.len())) {
        let earlier = || {
            let newest_first = remote.incident_updates.iter();
            newest_first
                .skip_while(|candidate| journal.after.as_ref().is_some_and(|after| candidate.id != *after))
                .filter(|candidate| !known.iter().any(|known| known.id == candidate.id))
        };
        let found = earlier()
            .filter(|candidate| is_text_of(update, candidate))
            .last()
            .or_else(|| earlier().filter(|candidate| same_phase(update, candidate)).last());
        let entry = published_update(update, found);
        known.push(entry);
    }
}

/// The remote update that an interrupted publication left, among those newer than the newest one before it: the one
/// with the declared text; else, because the text may have been edited since, one of the same status. Rather a text
/// corrected that somebody else wrote in that moment than subscribers told twice.
fn attempt_of<'r>(
    update: &IncidentUpdate,
    journal: &Journal,
    remote: &'r Incident,
    known: &[PublishedUpdate],
) -> Option<&'r RemoteUpdate> {
    let newer = || {
        remote
            .incident_updates
            .iter()
            .take_while(|candidate| Some(&candidate.id) != journal.after.as_ref())
            .filter(|candidate| !known.iter().any(|known| known.id == candidate.id))
    };
    newer()
        .find(|candidate| is_text_of(update, candidate))
        .or_else(|| newer().find(|candidate| same_phase(update, candidate) && is_of_that_time(journal, candidate)))
}

/// False for what somebody posted when the attempt was certainly over.
fn is_of_that_time(journal: &Journal, posted: &RemoteUpdate) -> bool {
    posted.created_at.is_none_or(|at| at <= carried_out_until(journal))
}

pub(super) fn same_text(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.body.as_deref().unwrap_or_default().trim_end() == update.body.trim_end()
}

fn same_phase(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.status.as_ref().map(|status| status.as_str()) == Some(update.status.as_str())
}

/// Pairs declared updates with remote ones, oldest first: by text, else by status where the text was edited. Never
/// pairs past a gap, so that what is left over is what was not published.
fn align(declared: &[IncidentUpdate], remote: &Incident) -> Vec<PublishedUpdate> {
    let mut rest: Vec<&RemoteUpdate> = remote.incident_updates.iter().rev().collect();
    let mut published = Vec::new();
    for (index, update) in declared.iter().enumerate() {
        let by_text = rest.iter().position(|candidate| is_text_of(update, candidate));
        let later = &declared[index + 1..];
        let edited = || {
            rest.iter().position(|candidate| {
                same_phase(update, candidate) && !later.iter().any(|other| same_text(other, candidate))
            })
        };
        let Some(position) = by_text.or_else(edited) else { break };
        published.push(published_update(update, Some(rest[position])));
        rest.drain(..=position);
    }
    published
}

/// An incident that somebody else ended: not we, and not its own schedule.
fn ended_by_others(spec: &IncidentSpec, remote: &Incident, published: &[PublishedUpdate]) -> bool {
    if !remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
        return false;
    }
    let by_schedule = spec.schedule.as_ref().is_some_and(|schedule| {
        let planned = remote.scheduled_until.unwrap_or(schedule.end.0);
        schedule.auto_complete
            && remote
                .resolved_at
                .is_some_and(|at| at.as_second() >= planned.as_second() - 60)
    });
    let ends = |update: &&RemoteUpdate| update.status.as_ref().is_some_and(IncidentStatus::is_over);
    let ending = remote.incident_updates.iter().find(ends);
    let ours = match ending {
        Some(ending) => published.iter().any(|known| known.id == ending.id),
        None => spec
            .updates
            .get(published.len().wrapping_sub(1))
            .is_some_and(|last| last.status.is_end()),
    };
    !ours && !by_schedule
}

/// Why the next update is not published on an incident that is over, if so. A maintenance goes forward only.
fn must_not_reopen(
    spec: &IncidentSpec,
    remote: &Incident,
    published: &[PublishedUpdate],
    next: &IncidentUpdate,
) -> Option<String> {
    let over = remote.status.as_ref().is_some_and(IncidentStatus::is_over);
    let at = remote
        .resolved_at
        .map(|at| format!(" at {}", at.strftime("%Y-%m-%d %H:%M UTC")))
        .unwrap_or_default();
    if ended_by_others(spec, remote, published) {
        return Some(format!(
            "somebody ended the incident on the page{at}, so update {} is not published: set driftPolicy: Correct to publish it anyway",
            published.len() + 1
        ));
    }
    (over && spec.schedule.is_some() && !next.status.is_end()).then(|| {
        format!(
            "the maintenance is completed{at}, so update {} with status {} is not published: a maintenance does not go back; declare another one",
            published.len() + 1,
            next.status.as_str()
        )
    })
}

/// Plans the publication of the next update, with its index in spec.updates, once the incident was read and does not have
/// it. Every other change goes with it.
pub(super) fn publish(
    context: &Context<'_>,
    spec: &IncidentSpec,
    remote: &Incident,
    mut outcome: Outcome,
    found: Comparisons,
    (index, next): (usize, &IncidentUpdate),
    mut report: Report,
) -> Report {
    let declaration = context.declaration;
    let summary = Verb::Publish.of(format!("update {} of incident {:?}", index + 1, spec.title(context)));
    outcome.will(&summary);
    let Status::Incident(status) = outcome.status_mut() else {
        return report;
    };
    let unbound = |candidate: &&RemoteUpdate| !status.updates.iter().any(|known| known.id == candidate.id);
    if let Some(there) = remote
        .incident_updates
        .iter()
        .filter(unbound)
        .find(|one| is_text_of(next, one))
    {
        let entry = published_update(next, Some(there));
        status.updates.push(entry);
        outcome.progress(format!("update {} is on the page already", index + 1));
        return report.with(outcome);
    }
    let published = status.updates.clone();
    let policies = context.policies();
    if policies.drift != DriftPolicy::Correct
        && let Some(message) = must_not_reopen(spec, remote, &published, next)
    {
        let settled =
            ended_by_others(spec, remote, &published) && spec.updates.last().is_some_and(|last| last.status.is_end());
        outcome.drift = found.drift;
        if settled && policies.drift != DriftPolicy::Ignore {
            outcome.drift.push(crate::api::Drift {
                field: place(declaration, index),
                desired: format!("{:?}", next.status.as_str()),
                observed: format!(
                    "{:?}, by somebody else",
                    remote.status.as_ref().map_or("", |status| status.as_str())
                ),
            });
        }
        let (state, reason) = match settled {
            true => (State::InSync, Reason::Synced),
            false => (State::Stalled, Reason::EndedOnPage),
        };
        outcome.stop(state, reason, message);
        return report.with(outcome);
    }
    if !is_fresh_object(context.world, declaration, ObjectKind::Incident, &remote.id) {
        let what = ReadWhat::Object(ObjectKind::Incident, remote.id.clone());
        let pursuit = pursue(context.world, what);
        if let Some(blocked) = pursuit.says.clone() {
            outcome.block(blocked);
        }
        report.follow(pursuit, Priority::Incident);
        return report.with(outcome);
    }
    let mut body = found.body;
    if spec.schedule.is_some()
        && next.status != IncidentStatusName::Scheduled
        && let Ok(fields) = spec.fields(context, Some(remote))
        && let Some(components) = fields.into_iter().find(|field| field.name == "components")
    {
        // Starting or ending a maintenance by hand moves its components in the same request.
        body.insert(components.wire.to_owned(), components.desired);
    } else if let Some(status) = spec.moves_to(next.status)
        && spec.template_ref.is_some()
        && !remote.components.is_empty()
    {
        // Its template gave them; the page knows which.
        let moved = remote.components.iter();
        let moved: Map<String, Value> = moved.map(|one| (one.id.clone(), json!(status.as_str()))).collect();
        body.insert("components".to_owned(), Value::Object(moved));
    }
    match spec.incident_write(body, next.status) {
        Ok(incident) => {
            let incident = IncidentWrite {
                status: Some(wire_status(next.status)),
                body: text_of(next),
                deliver_notifications: Some(next.notify),
                metadata: Some(metadata(declaration, Some(remote), index + 1)),
                ..incident
            };
            let mut changes = found.changes;
            let field = place(declaration, index);
            changes.push(Change {
                field,
                from: None,
                to: json!({"status": next.status, "body": next.body}),
            });
            let action = Action::Publish {
                request: Request::UpdateIncident(remote.id.clone(), Box::new(incident)),
                index,
                after: remote.incident_updates.first().map(|update| update.id.clone()),
            };
            report.steps.push(Step {
                changes,
                applied: applied(declaration, &found.applied),
                ..Step::new(declaration, action, Priority::Incident, summary)
            });
        }
        Err(blocked) => outcome.block(blocked),
    }
    report.with(outcome)
}
