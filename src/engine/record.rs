//! What a successful effect makes known about its declaration.

use super::declaration::{Declaration, Spec, Status};
use super::fields::hash;
use super::plan::{Action, Step};
use super::request::Request;
use crate::api::{IncidentUpdate, PublishedUpdate};
use crate::statuspage::Incident;

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

/// Folds a successful step into the status of its declaration. Conditions follow with the next plan.
pub fn record(declaration: &mut Declaration, step: &Step, reply: &Reply) {
    let mine = step.applied.iter().filter(|(key, ..)| *key == declaration.key);
    if matches!(step.action, Action::Create(_)) && step.key == declaration.key {
        declaration.status.object_mut().applied.clear();
    }
    for (_, name, hash) in mine {
        declaration
            .status
            .object_mut()
            .applied
            .insert(name.clone(), hash.clone());
    }
    if step.key != declaration.key {
        return;
    }
    match (&step.action, reply) {
        (Action::Create(_), Reply::Created(id, incident)) => {
            let object = declaration.status.object_mut();
            object.id = Some(id.clone());
            object.journal = None;
            object.adopted = false;
            declaration.id_annotation = Some(id.clone());
            if let Some(incident) = incident {
                published(declaration, 0, incident);
            }
        }
        (Action::Publish { index, .. }, Reply::Incident(incident)) => {
            declaration.status.object_mut().journal = None;
            published(declaration, *index, incident);
        }
        (Action::Delete(_), _) => {
            // Nothing is there any more: what is left is to let go of the declaration.
            declaration.status.object_mut().id = None;
            declaration.status.object_mut().journal = None;
            declaration.id_annotation = None;
        }
        (Action::Update(Request::UpdateIncidentUpdate(_, id, _)), _) => {
            if let (Spec::Incident(spec), Status::Incident(status)) = (&declaration.spec, &mut declaration.status)
                && let Some(index) = status.updates.iter().position(|published| published.id == *id)
                && let Some(update) = spec.updates.get(index)
            {
                status.updates[index].applied = update_hash(update);
            }
        }
        _ => {}
    }
}

/// Records the newest update of the reply that is not recorded yet as the one of this index.
fn published(declaration: &mut Declaration, index: usize, incident: &Incident) {
    let (Spec::Incident(spec), Status::Incident(status)) = (&declaration.spec, &mut declaration.status) else {
        return;
    };
    if index == 0 {
        status.updates.clear();
    }
    let newest = incident
        .incident_updates
        .iter()
        .find(|remote| !status.updates.iter().any(|known| known.id == remote.id));
    if let (Some(newest), Some(update), true) = (newest, spec.updates.get(index), status.updates.len() == index) {
        status.updates.push(PublishedUpdate {
            id: newest.id.clone(),
            applied: update_hash(update),
        });
    }
}

/// Hash of what can be edited in a published update.
pub(super) fn update_hash(update: &IncidentUpdate) -> String {
    hash(&serde_json::json!([
        update.body.trim_end(),
        update.at.as_ref().map(|at| at.0.as_second())
    ]))
}
