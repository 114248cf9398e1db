//! Incidents of all three kinds: real-time, scheduled maintenance and backfilled. Reading and the views are here,
//! writing is in `incident_write`, what time does to a maintenance in `incident_timeline`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::components;
use super::errors::ApiError;
use super::faults::Behaviour;
use super::incident_updates::{self, IncidentUpdate};
use super::instants::{optional_seconds, seconds};
use super::layout::Layout;
use super::pagination::{INCIDENTS, ORDINARY};
use super::postmortems::{self, Postmortem};
use super::routes::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::{ComponentStatus, Impact, IncidentStatus};
use super::{incident_subscribers, incident_write};

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: IncidentStatus,
    /// The worst that was calculated during its life.
    pub(super) worst: Impact,
    pub(super) impact_override: Option<Impact>,
    /// The affected components.
    pub(super) component_ids: Vec<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) backfilled: bool,
    pub(super) scheduled_for: Option<Timestamp>,
    pub(super) scheduled_until: Option<Timestamp>,
    pub(super) scheduled_remind_prior: Option<bool>,
    pub(super) scheduled_reminded_at: Option<Timestamp>,
    pub(super) scheduled_auto_in_progress: bool,
    pub(super) scheduled_auto_completed: bool,
    pub(super) auto_transition_to_maintenance_state: Option<bool>,
    pub(super) auto_transition_to_operational_state: Option<bool>,
    pub(super) auto_transition_deliver_notifications_at_start: Option<bool>,
    pub(super) auto_transition_deliver_notifications_at_end: Option<bool>,
    pub(super) reminder_intervals: Option<String>,
    pub(super) monitoring_at: Option<Timestamp>,
    pub(super) resolved_at: Option<Timestamp>,
    pub(super) shortlink: String,
    pub(super) postmortem: Option<Postmortem>,
    /// Oldest first; replies show them newest first.
    pub(super) updates: Vec<IncidentUpdate>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

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

/// How bad a state of one component makes an incident.
pub(super) fn impact_of(status: ComponentStatus) -> Impact {
    match status {
        ComponentStatus::Operational => Impact::None,
        ComponentStatus::UnderMaintenance => Impact::Maintenance,
        ComponentStatus::DegradedPerformance => Impact::Minor,
        ComponentStatus::PartialOutage => Impact::Major,
        ComponentStatus::MajorOutage => Impact::Critical,
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
        ([], Verb::Post) => incident_write::create(page, call),
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
        ([id], Verb::Patch | Verb::Put) => incident_write::update(page, id, call),
        ([id], Verb::Delete) => delete(page, id, call),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        ([id, rest @ ..], _) if !page.incidents.contains(id) || rest.is_empty() => Err(ApiError::not_found()),
        ([id, "incident_updates", update], _) => incident_updates::route(page, verb, id, update, call),
        ([id, "postmortem", rest @ ..], _) => postmortems::route(page, verb, id, rest, call),
        ([id, "subscribers", rest @ ..], _) => incident_subscribers::route(page, verb, id, rest, call),
        _ => Err(ApiError::not_found()),
    }
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
    let followers: Vec<String> = page
        .incident_subscribers
        .values()
        .filter(|subscriber| subscriber.incident_id.as_deref() == Some(id))
        .map(|subscriber| subscriber.id.clone())
        .collect();
    for follower in followers {
        page.incident_subscribers.remove(&follower);
    }
    Ok(Reply::ok(last))
}

/// Takes a removed component out of the incidents that named it; what their updates say about it stays.
pub(super) fn forget_component(page: &mut PageState, component: &str) {
    let concerned: Vec<String> = page
        .incidents
        .values()
        .filter(|incident| incident.component_ids.iter().any(|id| id == component))
        .map(|incident| incident.id.clone())
        .collect();
    for id in concerned {
        if let Some(incident) = page.incidents.edit(&id) {
            incident.component_ids.retain(|id| id != component);
        }
    }
}
