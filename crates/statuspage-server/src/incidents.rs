//! Incidents of all three kinds: real-time, scheduled maintenance and backfilled. Reading and the views are here,
//! writing is in `incident_write`, what time does to a maintenance in `incident_timeline`.

use jiff::Timestamp;
use serde_json::Value;

use super::errors::ApiError;
use super::fields::Fields;
use super::incident_request::{self, Write};
use super::incident_updates;
use super::pagination::{INCIDENTS, ORDINARY, Paging};
use super::records::Incident;
use super::reply::reply;
use super::request::{Answer, Call, Verb};
use super::resource::{PageView, Resource};
use super::state::PageState;
use super::vocabulary::IncidentStatus;

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

impl Resource for Incident {
    const ENVELOPE: &'static str = "incident";
    const PAGING: Option<Paging> = Some(INCIDENTS);
    type Rest = Write;

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            shortlink: format!("https://stspg.io/{}", page.ids.identifier()),
            created_at: call.now,
            updated_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, _call: &Call<'_>) -> Write {
        incident_request::read(page, fields, self)
    }

    /// What follows depends on more than the request; `incident_write` sees to it.
    fn written(_page: &mut PageState, _id: &str, _rest: Write) {}

    fn removed(page: &mut PageState, id: &str) {
        let followers = &mut page.incident_subscribers;
        followers.remove_where(|subscriber| subscriber.incident_id.as_deref() == Some(id));
    }

    fn render(&self, view: &PageView<'_>) -> Value {
        let updates = self.updates.iter().rev();
        let postmortem = self.postmortem.as_ref();
        let published = postmortem.filter(|postmortem| postmortem.published_at.is_some());
        reply! { self;
            id, page_id = view.page.id, name, status, impact = self.impact_override.unwrap_or(self.worst), impact_override,
            created_at, updated_at, monitoring_at, resolved_at, shortlink, scheduled_for, scheduled_until,
            scheduled_remind_prior, scheduled_reminded_at, scheduled_auto_in_progress, scheduled_auto_completed,
            auto_transition_to_maintenance_state, auto_transition_to_operational_state,
            auto_transition_deliver_notifications_at_start, auto_transition_deliver_notifications_at_end,
            reminder_intervals, metadata, components = view.components(&self.component_ids),
            incident_updates = updates.map(|update| incident_updates::render(&self.id, update)).collect::<Vec<_>>(),
            incident_impacts = Vec::<Value>::new(),
            postmortem_body = published.and_then(|postmortem| postmortem.body.as_deref()),
            postmortem_body_last_updated_at = published.and_then(|postmortem| postmortem.body_updated_at),
            postmortem_ignored = false,
            postmortem_published_at = published.and_then(|postmortem| postmortem.published_at),
            postmortem_notified_subscribers = published.is_some_and(|postmortem| postmortem.notify_subscribers),
            postmortem_notified_twitter = published.is_some_and(|postmortem| postmortem.notify_twitter),
        }
    }

    fn listed<'a>(page: &'a PageState, call: &Call<'_>) -> Result<Vec<&'a Self>, ApiError> {
        let mut found = newest_first(page);
        if let Some(text) = call.parameter("q").map(str::to_lowercase) {
            found.retain(|incident| matches_text(incident, &text));
        }
        Ok(found)
    }
}

/// The views of the list of incidents.
pub(super) fn route_view(page: &PageState, verb: Verb, name: &str, call: &Call<'_>) -> Answer {
    match (name, verb) {
        ("unresolved", Verb::Get) => view(page, call, |incident| {
            !incident.is_maintenance() && incident.status != IncidentStatus::Resolved
        }),
        ("scheduled", Verb::Get) => view(page, call, |incident| incident.status == IncidentStatus::Scheduled),
        ("upcoming", Verb::Get) => view(page, call, |incident| {
            incident.status == IncidentStatus::Scheduled && incident.scheduled_for.is_some_and(|at| at > call.now)
        }),
        ("active_maintenance", Verb::Get) => view(page, call, |incident| {
            matches!(incident.status, IncidentStatus::InProgress | IncidentStatus::Verifying)
        }),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn newest_first(page: &PageState) -> Vec<&Incident> {
    let mut incidents: Vec<&Incident> = page.incidents.values().rev().collect();
    // The sort is stable, so of two made in the same second the later one stays first.
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.created_at.as_second()));
    incidents
}

fn view(page: &PageState, call: &Call<'_>, belongs: impl Fn(&Incident) -> bool) -> Answer {
    let mut found = newest_first(page);
    found.retain(|incident| belongs(incident));
    let view = PageView::of(page, call);
    call.list(found, ORDINARY, |incident| incident.render(&view))
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
