//! Incidents that begin with a template: what the template gives is put into the declaration before anything is decided
//! about it, so that it is an incident like any other from there on.
//!
//! Invariant: what was sent never changes because a template did. A template is read until its incident is on the page;
//! from then on the title and the first post that the incident does not say itself are the page's. That it was the
//! template's first post stands in the mark of the incident and in its status, whatever becomes of the manifest.

use std::sync::Arc;

use serde_json::json;

use super::context::Context;
use super::declaration::{Declaration, ObjectKey};
use super::mark::{mark_of, reference_hash};
use super::outcome::Blocked;
use crate::api::{
    IncidentSpec, IncidentStatusName, IncidentTemplateSpec, IncidentUpdate, Kind, Opening, Reason, Spec, Status,
};
use crate::statuspage::{Incident, IncidentStatus, Snapshot};

/// Puts what templates give into the incidents that name them, or once named them: what will be sent, or what was.
pub fn fill_templates(declarations: &mut [Declaration], snapshot: &Snapshot) {
    let filled: Vec<(usize, IncidentSpec, bool)> = declarations
        .iter()
        .enumerate()
        .filter_map(|(position, declaration)| {
            let (spec, opened) = filled(declaration, declarations, snapshot)?;
            Some((position, spec, opened))
        })
        .collect();
    for (position, spec, opened) in filled {
        if let Some(declaration) = declarations.get_mut(position) {
            declaration.spec = Arc::new(Spec::Incident(Box::new(spec)));
            declaration.opened_by_template = opened;
        }
    }
}

/// The spec of an incident with what its template gives, and whether the first update is the template's; none where
/// there is nothing to fill in.
fn filled(declaration: &Declaration, all: &[Declaration], snapshot: &Snapshot) -> Option<(IncidentSpec, bool)> {
    let (Spec::Incident(spec), Status::Incident(status)) = (&*declaration.spec, &*declaration.status) else {
        return None;
    };
    let recorded = status.updates.first();
    let from_template = recorded.is_some_and(|first| first.from_template);
    if declaration.deleting || declaration.opened_by_template {
        return None;
    }
    if spec.template_ref.is_none() && recorded.is_some() && !from_template {
        return None;
    }
    let remote = on_page(declaration, spec, snapshot);
    // One that was adopted from elsewhere with its id has the mark of who made it.
    let mark = remote.and_then(mark_of);
    let mark = mark.filter(|mark| mark.is_of(declaration) || mark.template.is_some());
    let opened = match (recorded, &mark) {
        (Some(_), _) => from_template,
        (None, Some(mark)) => mark.template.is_some(),
        (None, None) => spec.template_ref.is_some() && spec.updates.is_empty(),
    };
    if spec.template_ref.is_none() && !opened {
        return None;
    }
    let mut filled = (**spec).clone();
    if let Some(remote) = remote {
        filled.name = filled.name.or_else(|| remote.name.clone());
    }
    let published = recorded.is_some() || mark.is_some();
    if published {
        if opened {
            filled.updates.insert(0, as_published(declaration, remote));
        }
        return Some((filled, opened));
    }
    // What cannot be filled in is told when the incident is about to be sent.
    let template = spec.template_ref.as_ref().and_then(|named| {
        let key = ObjectKey::new(Kind::IncidentTemplate, declaration.key.namespace.clone(), &named.name);
        template_of(all.iter().find(|other| other.key == key)?)
    });
    let opening = template.and_then(|template| template.opening(spec).ok());
    let Some(Opening { title, update }) = opening else {
        return Some((filled, false));
    };
    filled.name = filled.name.or(Some(title));
    if opened {
        filled.updates.push(update);
    }
    Some((filled, opened))
}

/// What a declared template says, unless it is being deleted.
fn template_of(declaration: &Declaration) -> Option<&IncidentTemplateSpec> {
    match &*declaration.spec {
        Spec::IncidentTemplate(spec) if !declaration.deleting => Some(spec),
        _ => None,
    }
}

/// The incident of a declaration, as far as it was read: by its recorded id, else by its mark.
fn on_page<'s>(declaration: &Declaration, spec: &IncidentSpec, snapshot: &'s Snapshot) -> Option<&'s Incident> {
    let incidents = snapshot.incidents.as_ref()?;
    if let Some(id) = declaration.recorded_id() {
        return incidents.get(id);
    }
    let named = spec.template_ref.as_ref().map(reference_hash);
    let is_ours = |incident: &&Incident| {
        let Some(mark) = mark_of(incident) else { return false };
        let over = incident.status.as_ref().is_some_and(IncidentStatus::is_over);
        // An incident of the past is this one only if it was made in the same way: names are used again.
        mark.is_from(declaration)
            || mark.names(declaration) && (!over || mark.template.is_some() && mark.template == named.as_deref())
    };
    incidents.items.iter().find(is_ours)
}

/// The first post as the page has it: nobody but people changes it any more.
fn as_published(declaration: &Declaration, remote: Option<&Incident>) -> IncidentUpdate {
    let known = match &*declaration.status {
        Status::Incident(status) => status.updates.first(),
        _ => None,
    };
    let updates = remote.map_or(&[][..], |remote| &remote.incident_updates);
    let shown = match known {
        Some(known) => updates.iter().find(|update| update.id == known.id),
        None => updates.last(),
    };
    let word = known
        .and_then(|known| known.status.as_deref())
        .or_else(|| shown.and_then(|shown| Some(shown.status.as_ref()?.as_str())));
    let status = word.and_then(|word| serde_json::from_value(json!(word)).ok());
    IncidentUpdate {
        status: status.unwrap_or(IncidentStatusName::Investigating),
        body: shown.and_then(|shown| shown.body.clone()).unwrap_or_default(),
        at: None,
        notify: true,
    }
}

/// The template that an incident names, or why there is none.
pub(super) fn template<'a>(
    context: &Context<'a>,
    spec: &IncidentSpec,
) -> Result<Option<&'a IncidentTemplateSpec>, Blocked> {
    let Some(named) = &spec.template_ref else {
        return Ok(None);
    };
    let namespace = &context.declaration.key.namespace;
    let declared = context
        .index
        .get(&ObjectKey::new(Kind::IncidentTemplate, namespace.clone(), &named.name));
    if let Some(template) = declared.and_then(template_of) {
        return Ok(Some(template));
    }
    let name = &named.name;
    let message = match declared {
        Some(_) => {
            format!("waits for IncidentTemplate {name}, which is being deleted; name another one in templateRef")
        }
        None => format!(
            "waits for IncidentTemplate {name}: no such declaration in namespace {namespace} for this page; create it or correct the name"
        ),
    };
    Err(Blocked::waiting(Reason::WaitingForReference, message))
}

/// Why an incident cannot begin with the template that it names, if so. Nothing is sent then.
pub(super) fn check(context: &Context<'_>, spec: &IncidentSpec) -> Result<(), Blocked> {
    let (Some(template), Some(named)) = (template(context, spec)?, &spec.template_ref) else {
        return Ok(());
    };
    template.opening(spec).map(drop).map_err(|error| {
        let message = format!("IncidentTemplate {}: {error}; {}", named.name, error.remedy());
        Blocked::stalled(Reason::Invalid, message)
    })
}

/// What is said when a templateRef was changed after its template had been sent.
pub(super) fn unheeded(spec: &IncidentSpec, remote: &Incident) -> Option<&'static str> {
    let sent = mark_of(remote)?.template?.to_owned();
    let named = spec.template_ref.as_ref().map(reference_hash);
    (named != Some(sent)).then_some(
        "templateRef was changed after the incident was sent, which changes nothing on the page: append an update, or set name",
    )
}
