//! Making and changing incidents: which fields are allowed together, what happens to components, when an update is
//! added and who hears of it.

use jiff::Timestamp;
use serde_json::Map;

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::ids::Ids;
use super::incident_updates::{Post, apply, calculated, post_update, statuses_of};
use super::incidents;
use super::records::Incident;
use super::request::{Answer, Call, Reply};
use super::state::PageState;
use super::vocabulary::{Impact, IncidentStatus};
use super::{incident_request, incident_timeline};

fn blank(ids: &Ids, now: Timestamp) -> Incident {
    Incident {
        id: ids.identifier(),
        name: String::new(),
        status: IncidentStatus::Investigating,
        worst: Impact::None,
        impact_override: None,
        component_ids: Vec::new(),
        metadata: Map::new(),
        backfilled: false,
        scheduled_for: None,
        scheduled_until: None,
        scheduled_remind_prior: None,
        scheduled_reminded_at: None,
        scheduled_auto_in_progress: false,
        scheduled_auto_completed: false,
        auto_transition_to_maintenance_state: None,
        auto_transition_to_operational_state: None,
        auto_transition_deliver_notifications_at_start: None,
        auto_transition_deliver_notifications_at_end: None,
        reminder_intervals: None,
        monitoring_at: None,
        resolved_at: None,
        shortlink: format!("https://stspg.io/{}", ids.identifier()),
        postmortem: None,
        updates: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

fn check_window(fields: &mut Fields<'_>, incident: &Incident) {
    if let (Some(begin), Some(end)) = (incident.scheduled_for, incident.scheduled_until)
        && end <= begin
    {
        fields.problem("Scheduled until must be after scheduled for");
    }
}

/// Makes an incident.
pub(super) fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "incident")?;
    let mut incident = blank(&page.ids, call.now);
    let write = incident_request::read(page, &mut fields, &mut incident, true);
    incident.name = write.name.unwrap_or_default();
    incident.backfilled = write.backfilled;
    incident.scheduled_for = write.scheduled_for.value();
    incident.scheduled_until = write.scheduled_until.value();
    let maintenance = incident.scheduled_for.is_some();
    incident.status = match write.status {
        Some(status) if status.is_maintenance() && !maintenance => {
            fields.blank("scheduled_for");
            status
        }
        Some(status) if !status.is_maintenance() && maintenance => {
            fields.problem(format!(
                "Status {} does not belong to a scheduled maintenance",
                status.as_str()
            ));
            status
        }
        Some(status) => status,
        None if maintenance => IncidentStatus::Scheduled,
        None if incident.backfilled => IncidentStatus::Resolved,
        None => IncidentStatus::Investigating,
    };
    if incident.scheduled_until.is_some() && !maintenance {
        fields.blank("scheduled_for");
    }
    check_window(&mut fields, &incident);
    if maintenance {
        // A maintenance that was never asked about its reminder reads as without one, real-time incidents as unset.
        incident.scheduled_remind_prior.get_or_insert(false);
    }
    let mut at = call.now;
    if incident.backfilled {
        if maintenance {
            fields.problem("Backfilled incidents cannot be scheduled");
        }
        if !write.statuses.is_empty() || write.component_ids.as_ref().is_some_and(|ids| !ids.is_empty()) {
            fields.problem("Backfilled incidents cannot have components");
        }
        match write.backfill_date {
            Some(date) if date <= call.now => at = date,
            Some(_) => fields.problem("Backfill date must not be in the future"),
            None if fields.has("backfill_date") => {}
            None => fields.blank("backfill_date"),
        }
        incident.created_at = at;
    }
    fields.finish()?;
    incident.component_ids = write
        .component_ids
        .unwrap_or_else(|| write.statuses.iter().map(|(id, _)| id.clone()).collect());
    let before = statuses_of(page, &incident, &write.statuses);
    apply(page, &write.statuses, call.now);
    let post = Post {
        status: incident.status,
        body: write.body,
        at,
        deliver: write.deliver && !incident.backfilled,
        twitter: write.twitter,
    };
    post_update(page, &mut incident, post, &write.statuses, &before);
    let id = incident.id.clone();
    page.incidents.put(&id, incident);
    incident_timeline::advance(page, call.now);
    incidents::shown(page, &id, call).map(Reply::created)
}

/// Changes an incident, and adds an update when it says something new.
pub(super) fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut incident = page.incidents.get(id).ok_or_else(ApiError::not_found)?.clone();
    let mut fields = Fields::envelope(call.body, "incident")?;
    let write = incident_request::read(page, &mut fields, &mut incident, false);
    if let Some(name) = write.name {
        incident.name = name;
    }
    if incident.is_maintenance() {
        if write.scheduled_for == Given::Null {
            fields.blank("scheduled_for");
        }
        write.scheduled_for.store(&mut incident.scheduled_for);
        write.scheduled_until.store(&mut incident.scheduled_until);
        check_window(&mut fields, &incident);
    } else if matches!(write.scheduled_for, Given::Value(_)) || matches!(write.scheduled_until, Given::Value(_)) {
        fields.problem("Only a scheduled maintenance has a window");
    }
    let status = write.status.unwrap_or(incident.status);
    if status.is_maintenance() != incident.is_maintenance() {
        fields.problem(format!(
            "Status {} does not belong to this kind of incident",
            status.as_str()
        ));
    }
    fields.finish()?;
    match write.component_ids {
        Some(ids) => incident.component_ids = ids,
        None => {
            for (component, _) in &write.statuses {
                if !incident.component_ids.contains(component) {
                    incident.component_ids.push(component.clone());
                }
            }
        }
    }
    let before = statuses_of(page, &incident, &write.statuses);
    apply(page, &write.statuses, call.now);
    if status != incident.status || write.body.is_some() {
        let post = Post {
            status,
            body: write.body,
            at: call.now,
            deliver: write.deliver && !incident.backfilled,
            twitter: write.twitter,
        };
        post_update(page, &mut incident, post, &write.statuses, &before);
    } else {
        incident.worst = incident.worst.max(calculated(page, &incident));
    }
    incident.updated_at = call.now;
    page.incidents.put(id, incident);
    incident_timeline::advance(page, call.now);
    incidents::shown(page, id, call).map(Reply::ok)
}
