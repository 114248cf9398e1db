//! The append-only list of updates: binding declared ones to remote ones, and publishing the next.

use jiff::Timestamp;
use serde_json::json;

use super::super::Rules;
use crate::api::{IncidentSpec, IncidentStatusName, IncidentUpdate, Journal, PublishedUpdate, Reason};
use crate::engine::context::Context;
use crate::engine::declaration::Status;
use crate::engine::fields::{Change, Comparisons};
use crate::engine::journal::GRACE;
use crate::engine::plan::{Action, ReadWhat, State, Step};
use crate::engine::planner::{Outcome, Planner};
use crate::engine::record::{applied_hash, is_text_of};
use crate::engine::request::Request;
use crate::statuspage::{CollectionKind, Incident, IncidentUpdate as RemoteUpdate, IncidentWrite, Priority};

use super::{text_of, wire_status};

/// Binds declared updates to remote ones: after a creation whose record was lost, after an adoption, and after a
/// publication whose reply was lost. False while that cannot be told yet.
pub(super) fn bind_updates(
    planner: &mut Planner<'_>,
    spec: &IncidentSpec,
    remote: &Incident,
    outcome: &mut Outcome,
) -> bool {
    let Status::Incident(status) = &mut outcome.status else {
        return false;
    };
    let mut bound = false;
    if status.updates.is_empty() {
        status.updates = align(&spec.updates, remote);
        bound = !status.updates.is_empty();
    }
    if bound {
        // Recorded before anything is published on top of it: see the journal below.
        outcome.state = State::Progressing;
        outcome.reason = Reason::Progressing;
        outcome.message = "bound the declared updates to the published ones".into();
        return false;
    }
    let Some(journal) = status.object.journal.clone() else {
        return true;
    };
    let Some(index) = journal
        .operation
        .strip_prefix("update/")
        .and_then(|index| index.parse::<usize>().ok())
    else {
        return true;
    };
    if status.updates.len() > index {
        status.object.journal = None;
        return true;
    }
    let read_at = planner.world.snapshot.read_at(CollectionKind::Incidents);
    bind_earlier(&mut status.updates, index, spec, &journal, remote);
    if let Some(update) = spec.updates.get(index)
        && let Some(attempt) = attempt_of(update, &journal, remote, &status.updates)
    {
        let applied = if is_text_of(update, attempt) {
            applied_hash(update, Some(attempt))
        } else {
            String::new()
        };
        status.updates.push(PublishedUpdate {
            id: attempt.id.clone(),
            applied,
        });
        status.object.journal = None;
        // The next update is published only after this one is recorded: the record of a publication counts on those
        // before it.
        outcome.state = State::Progressing;
        outcome.reason = Reason::Progressing;
        outcome.message = format!("found update {} published", index + 1);
        return false;
    }
    let settled = journal.at.0.saturating_add(GRACE).unwrap_or(Timestamp::MAX);
    if read_at.is_some_and(|read_at| read_at >= settled) {
        status.object.journal = None;
        return true;
    }
    outcome.state = State::Progressing;
    outcome.reason = Reason::Progressing;
    outcome.message = "an earlier attempt to publish an update was interrupted; looking whether it succeeded".into();
    if planner.world.now >= settled || read_at.is_none_or(|read_at| read_at < journal.at.0) {
        planner.read(ReadWhat::Collection(CollectionKind::Incidents), Priority::Incident);
    } else {
        planner.plan.wake_at(settled);
    }
    false
}

/// Binds the updates before the one that was interrupted. All of them are on the page for certain, but the record of
/// the last ones may have been lost with the process.
pub(super) fn bind_earlier(
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
        let applied = match found {
            Some(shown) if is_text_of(update, shown) => applied_hash(update, found),
            _ => String::new(),
        };
        let id = found.map(|shown| shown.id.clone()).unwrap_or_default();
        known.push(PublishedUpdate { id, applied });
    }
}

/// The remote update that an interrupted publication left, among those newer than the newest one before it: the one
/// with the declared text; else, because the text may have been edited since, one of the same status. Rather a text
/// corrected that somebody else wrote in that moment than subscribers told twice.
pub(super) fn attempt_of<'r>(
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
        .or_else(|| newer().find(|candidate| same_phase(update, candidate)))
}

pub(super) fn same_text(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.body.as_deref().unwrap_or_default().trim_end() == update.body.trim_end()
}

pub(super) fn same_phase(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.status.as_ref().map(|status| status.as_str()) == Some(update.status.as_str())
}

/// Pairs declared updates with remote ones, oldest first: by text, else by status where the text was edited. Never
/// pairs past a gap, so that what is left over is what was not published.
pub(super) fn align(declared: &[IncidentUpdate], remote: &Incident) -> Vec<PublishedUpdate> {
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
        let applied = if by_text.is_some() {
            applied_hash(update, Some(rest[position]))
        } else {
            String::new()
        };
        published.push(PublishedUpdate {
            id: rest[position].id.clone(),
            applied,
        });
        rest.drain(..=position);
    }
    published
}

#[expect(
    clippy::too_many_arguments,
    reason = "one update is published together with every other change"
)]
pub(super) fn publish<'a>(
    planner: &mut Planner<'a>,
    context: &Context<'a>,
    spec: &IncidentSpec,
    remote: &Incident,
    mut outcome: Outcome,
    found: Comparisons,
    index: usize,
    next: &IncidentUpdate,
) {
    let declaration = context.declaration;
    let mut body = found.body;
    if spec.schedule.is_some()
        && next.status != IncidentStatusName::Scheduled
        && let Ok(fields) = spec.fields(context, Some(remote))
        && let Some(components) = fields.into_iter().find(|field| field.name == "components")
    {
        // Starting or ending a maintenance by hand moves its components in the same request.
        body.insert(components.wire.to_owned(), components.desired);
    }
    match spec.incident_write(body, next.status) {
        Ok(incident) => {
            let incident = IncidentWrite {
                status: Some(wire_status(next.status)),
                body: text_of(next),
                deliver_notifications: Some(next.notify),
                ..incident
            };
            let summary = format!("publish update {} of incident {:?}", index + 1, spec.title(context));
            outcome.state = State::Progressing;
            outcome.reason = Reason::Progressing;
            outcome.message = format!("will {summary}");
            let mut changes = found.changes;
            let field = format!("updates[{index}]");
            changes.push(Change {
                field,
                from: None,
                to: json!({"status": next.status, "body": next.body}),
            });
            planner.plan.steps.push(Step {
                key: declaration.key.clone(),
                action: Action::Publish {
                    request: Request::UpdateIncident(remote.id.clone(), Box::new(incident)),
                    index,
                    after: remote.incident_updates.first().map(|update| update.id.clone()),
                },
                priority: Priority::Incident,
                summary,
                changes,
                applied: found
                    .applied
                    .into_iter()
                    .map(|(name, hash)| (declaration.key.clone(), name, hash))
                    .collect(),
                beside: Vec::new(),
                replaces: None,
            });
        }
        Err(blocked) => {
            (outcome.state, outcome.reason, outcome.message) = (blocked.state, blocked.reason, blocked.message);
        }
    }
    planner.record(declaration, outcome);
}
