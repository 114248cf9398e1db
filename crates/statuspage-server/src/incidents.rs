//! Incidents of all three kinds: real-time, scheduled maintenance and backfilled. Reading and the views are here,
//! writing is in `incident_write`, what time does to a maintenance in `incident_timeline`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::components;
use super::errors::ApiError;
use super::faults::Behaviour;
use super::incident_updates;
use super::instants::{optional_seconds, seconds};
use super::layout::Layout;
use super::pagination::{INCIDENTS, ORDINARY};
use super::records::Incident;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::{Impact, IncidentStatus};

impl Incident {
    /// Whether it is a scheduled maintenance.
    pub(super) fn is_maintenance(&self) -> bool {
        self.status.is_maintenance()
    }

    /// When it began, as its first update says: a backfilled one began before it was made.
    pub(super) fn started_at(&self) -> Timestamp {
        let shown = self.updates.iter().map(|update| update.display_at);
        shown.min().unwrap_or(self.created_at)
    }
}

pub(super) fn render(page: &PageState, layout: &Layout<'_>, incident: &Incident, behaviour: &Behaviour) -> Value {
    let affected: Vec<Value> = incident
        .component_ids
        .iter()
        .filter_map(|id| page.components.get(id))
        .map(|component| components::render(page, layout, component, behaviour))
        .collect();
    let updates: Vec<Value> = incident
        .updates
        .iter()
        .rev()
        .map(|update| incident_updates::render(&incident.id, update))
        .collect();
    let published = incident
        .postmortem
        .as_ref()
        .filter(|postmortem| postmortem.published_at.is_some());
    json!({
        "id": incident.id,
        "page_id": page.id,
        "name": incident.name,
        "status": incident.status.as_str(),
        "impact": incident.impact_override.unwrap_or(incident.worst).as_str(),
        "impact_override": incident.impact_override.map(Impact::as_str),
        "created_at": seconds(incident.created_at),
        "updated_at": seconds(incident.updated_at),
        "monitoring_at": optional_seconds(incident.monitoring_at),
        "resolved_at": optional_seconds(incident.resolved_at),
        "shortlink": incident.shortlink,
        "scheduled_for": optional_seconds(incident.scheduled_for),
        "scheduled_until": optional_seconds(incident.scheduled_until),
        "scheduled_remind_prior": incident.scheduled_remind_prior,
        "scheduled_reminded_at": optional_seconds(incident.scheduled_reminded_at),
        "scheduled_auto_in_progress": incident.scheduled_auto_in_progress,
        "scheduled_auto_completed": incident.scheduled_auto_completed,
        "auto_transition_to_maintenance_state": incident.auto_transition_to_maintenance_state,
        "auto_transition_to_operational_state": incident.auto_transition_to_operational_state,
        "auto_transition_deliver_notifications_at_start": incident.auto_transition_deliver_notifications_at_start,
        "auto_transition_deliver_notifications_at_end": incident.auto_transition_deliver_notifications_at_end,
        "reminder_intervals": incident.reminder_intervals,
        "metadata": incident.metadata,
        "components": affected,
        "incident_updates": updates,
        "incident_impacts": [],
        "postmortem_body": published.and_then(|postmortem| postmortem.body.as_deref()),
        "postmortem_body_last_updated_at": optional_seconds(published.and_then(|postmortem| postmortem.body_updated_at)),
        "postmortem_ignored": false,
        "postmortem_published_at": optional_seconds(published.and_then(|postmortem| postmortem.published_at)),
        "postmortem_notified_subscribers": published.is_some_and(|postmortem| postmortem.notify_subscribers),
        "postmortem_notified_twitter": published.is_some_and(|postmortem| postmortem.notify_twitter),
    })
}

/// The operations of incidents and of everything below them.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => list(page, call),
        (["unresolved"], Verb::Get) => view(page, call, |incident| {
            !incident.is_maintenance() && incident.status != IncidentStatus::Resolved
        }),
        (["scheduled"], Verb::Get) => view(page, call, |incident| incident.status == IncidentStatus::Scheduled),
        (["upcoming"], Verb::Get) => view(page, call, |incident| {
            incident.status == IncidentStatus::Scheduled && incident.scheduled_for.is_some_and(|at| at > call.now)
        }),
        (["active_maintenance"], Verb::Get) => view(page, call, |incident| {
            matches!(incident.status, IncidentStatus::InProgress | IncidentStatus::Verifying)
        }),
        (["unresolved" | "scheduled" | "upcoming" | "active_maintenance"], _) => Err(ApiError::method_not_allowed()),
        ([id], Verb::Get) => shown(page, id, call).map(Reply::ok),
        ([id], Verb::Delete) => delete(page, id, call),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

/// Whether a name below the incidents is that of a view of them, and not an identifier.
pub(super) fn is_view(name: &str) -> bool {
    matches!(name, "unresolved" | "scheduled" | "upcoming" | "active_maintenance")
}

/// An incident as a reply shows it.
pub(super) fn shown(page: &PageState, id: &str, call: &Call<'_>) -> Result<Value, ApiError> {
    let incident = page.incidents.get(id).ok_or_else(ApiError::not_found)?;
    Ok(render(page, &Layout::of(page), incident, call.behaviour))
}

fn newest_first(page: &PageState) -> Vec<&Incident> {
    let mut incidents: Vec<&Incident> = page.incidents.values().rev().collect();
    // The sort is stable, so of two made in the same second the later one stays first.
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.created_at.as_second()));
    incidents
}

fn list(page: &PageState, call: &Call<'_>) -> Answer {
    let wanted = call.parameter("q").map(str::to_lowercase);
    let mut found = newest_first(page);
    if let Some(text) = &wanted {
        found.retain(|incident| matches_text(incident, text));
    }
    listed(page, call, found, true)
}

fn view(page: &PageState, call: &Call<'_>, belongs: impl Fn(&Incident) -> bool) -> Answer {
    let mut found = newest_first(page);
    found.retain(|incident| belongs(incident));
    listed(page, call, found, false)
}

fn listed(page: &PageState, call: &Call<'_>, found: Vec<&Incident>, all: bool) -> Answer {
    let layout = Layout::of(page);
    call.list(found, if all { INCIDENTS } else { ORDINARY }, |incident| {
        render(page, &layout, incident, call.behaviour)
    })
}

fn matches_text(incident: &Incident, text: &str) -> bool {
    let postmortem = incident
        .postmortem
        .as_ref()
        .and_then(|postmortem| postmortem.body.as_deref());
    let bodies = incident.updates.iter().filter_map(|update| update.body.as_deref());
    [incident.name.as_str(), incident.status.as_str()]
        .into_iter()
        .chain(postmortem)
        .chain(bodies)
        .any(|field| field.to_lowercase().contains(text))
}

fn delete(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let last = shown(page, id, call)?;
    page.incidents.remove(id);
    page.incident_subscribers
        .remove_where(|subscriber| subscriber.incident_id.as_deref() == Some(id));
    Ok(Reply::ok(last))
}
