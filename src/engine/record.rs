//! What a successful effect makes known about its declaration.

use std::sync::Arc;

use jiff::Timestamp;

use super::declaration::Declaration;
use super::journal::Operation;
use super::plan::{Action, Applied, Step};
use super::request::Request;
use super::seal::hash;
use crate::api::{IncidentUpdate, Journal, PublishedUpdate, Spec, Status};
use crate::statuspage::{Incident, IncidentUpdate as RemoteUpdate};

/// What the remote side answered to a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The id of the object that was created, and the incident if it is one.
    Created(String, Option<Box<Incident>>),
    /// The incident after the write.
    Incident(Box<Incident>),
    /// Anything else that succeeded.
    Done,
}

/// What is left of the note of an attempt that is known to have had no effect: a deleted object that is still to be
/// created again.
pub fn undone(journal: Journal) -> Option<Journal> {
    let created = Operation::of(&journal) == Some(Operation::Create) && journal.replaces.is_some();
    created.then(|| Journal {
        operation: Operation::Replace.to_string(),
        title: None,
        beside: Vec::new(),
        ..journal
    })
}

/// Folds a successful step into the status of its declaration. Conditions follow with the next plan.
pub fn record(declaration: &mut Declaration, step: &Step, reply: &Reply) {
    if matches!(step.action, Action::Create(_)) && step.key == declaration.key {
        declaration.status_mut().object_mut().applied.clear();
    }
    for Applied { key, name, hash } in &step.applied {
        if *key == declaration.key {
            let applied = &mut declaration.status_mut().object_mut().applied;
            applied.insert(name.to_string(), hash.clone());
        }
    }
    if step.key != declaration.key {
        return;
    }
    match (&step.action, reply) {
        (Action::Create(_), Reply::Created(id, incident)) => {
            let object = declaration.status_mut().object_mut();
            object.id = Some(id.clone());
            object.journal = None;
            object.adopted = false;
            annotate(declaration, id);
            if let Some(incident) = incident {
                published(declaration, 0, incident);
            }
        }
        (Action::Publish { index, .. }, Reply::Incident(incident)) => {
            declaration.status_mut().object_mut().journal = None;
            published(declaration, *index, incident);
        }
        (Action::RecordId(id), _) => annotate(declaration, id),
        (Action::Provide(_), reply) => {
            declaration.status_mut().object_mut().journal = None;
            if let (Status::Metric(status), Reply::Created(id, _)) = (declaration.status_mut(), reply) {
                status.provider_id = Some(id.clone());
            }
        }
        (Action::Tell { .. }, _) => declaration.status_mut().object_mut().journal = None,
        (Action::Delete(_), _) => {
            // Nothing is there any more: what is left is to let go of the declaration.
            declaration.status_mut().object_mut().id = None;
            declaration.status_mut().object_mut().journal = None;
            declaration.id_annotation = None;
        }
        (Action::Update(Request::UpdateIncidentUpdate(_, id, _)), _) => {
            if let (Spec::Incident(spec), Status::Incident(status)) =
                (&*declaration.spec, Arc::make_mut(&mut declaration.status))
                && let Some(index) = status.updates.iter().position(|published| published.id == *id)
                && let Some(update) = spec.updates.get(index)
            {
                status.updates[index].applied = update_hash(update);
            }
        }
        _ => {}
    }
}

/// Puts an id into the annotation, and remembers the one that it takes the place of.
fn annotate(declaration: &mut Declaration, id: &str) {
    let former = declaration.id_annotation.replace(id.to_owned());
    if let Some(former) = former.filter(|former| former != id) {
        declaration.status_mut().object_mut().former_id = Some(former);
    }
}

/// Records the update of this index as published: the one of the reply with its text, else the newest that is not
/// recorded yet.
///
/// The request succeeded, so that nothing may publish it again: where the reply does not show it, it is recorded
/// without an id.
fn published(declaration: &mut Declaration, index: usize, incident: &Incident) {
    let opened_by_template = declaration.opened_by_template;
    let (Spec::Incident(spec), Status::Incident(status)) = (&*declaration.spec, Arc::make_mut(&mut declaration.status))
    else {
        return;
    };
    if index == 0 {
        status.updates.clear();
    }
    let Some(update) = spec.updates.get(index).filter(|_| status.updates.len() == index) else {
        return;
    };
    let fresh = || {
        incident
            .incident_updates
            .iter()
            .filter(|remote| !status.updates.iter().any(|known| known.id == remote.id))
    };
    let found = fresh()
        .find(|remote| is_text_of(update, remote))
        .or_else(|| fresh().next());
    let id = found.map(|remote| remote.id.clone()).unwrap_or_default();
    let entry = PublishedUpdate {
        id,
        status: Some(update.status.as_str().to_owned()),
        applied: applied_hash(update, found),
        from_template: index == 0 && opened_by_template,
    };
    status.updates.push(entry);
}

/// The record of a declared update that is on the page: as this remote one, whose text is corrected if it is another;
/// without one it was told, and nobody knows what has become of it.
pub(super) fn published_update(update: &IncidentUpdate, shown: Option<&RemoteUpdate>) -> PublishedUpdate {
    let applied = match shown {
        Some(shown) if is_text_of(update, shown) => applied_hash(update, Some(shown)),
        _ => String::new(),
    };
    PublishedUpdate {
        id: shown.map(|shown| shown.id.clone()).unwrap_or_default(),
        status: Some(update.status.as_str().to_owned()),
        applied,
        from_template: false,
    }
}

/// True when a remote update has the text and the status of a declared one.
pub(super) fn is_text_of(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.body.as_deref().unwrap_or_default().trim_end() == update.body.trim_end()
        && remote.status.as_ref().map(|status| status.as_str()) == Some(update.status.as_str())
}

/// Hash of what can be edited in a published update.
pub(super) fn update_hash(update: &IncidentUpdate) -> String {
    hash_of(update, update.at.as_ref().map(|at| at.0))
}

/// Hash of what was applied by publishing an update: its declared time was only if the page shows it.
pub(super) fn applied_hash(update: &IncidentUpdate, shown: Option<&RemoteUpdate>) -> String {
    let at = update.at.as_ref().map(|at| at.0);
    let shown_at = shown.and_then(|remote| remote.display_at);
    let same = at.map(|at| at.as_second()) == shown_at.map(|at| at.as_second());
    hash_of(update, at.filter(|_| same))
}

fn hash_of(update: &IncidentUpdate, at: Option<Timestamp>) -> String {
    hash(&serde_json::json!([
        update.body.trim_end(),
        at.map(|at| at.as_second())
    ]))
}
