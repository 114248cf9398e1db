//! Making and changing incidents: which fields are allowed together, what happens to components, when an update is
//! added and who hears of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Map;

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::ids::Ids;
use super::incident_updates::{Affected, IncidentUpdate};
use super::incidents::{self, Incident, impact_of};
use super::notifications::{Notification, NotificationKind};
use super::routes::{Answer, Call, Reply};
use super::state::PageState;
use super::vocabulary::{ComponentStatus, Impact, IncidentStatus};
use super::{incident_request, incident_timeline};

/// An update that is about to be added.
pub(super) struct Post {
    pub(super) status: IncidentStatus,
    pub(super) body: Option<String>,
    pub(super) at: Timestamp,
    pub(super) deliver: bool,
    pub(super) twitter: bool,
}

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

/// The present states of everything that an update concerns.
pub(super) fn statuses_of(
    page: &PageState,
    incident: &Incident,
    written: &[(String, ComponentStatus)],
) -> BTreeMap<String, ComponentStatus> {
    incident
        .component_ids
        .iter()
        .chain(written.iter().map(|(id, _)| id))
        .filter_map(|id| page.components.get(id).map(|component| (id.clone(), component.status)))
        .collect()
}

fn apply(page: &mut PageState, statuses: &[(String, ComponentStatus)], now: Timestamp) {
    for (id, status) in statuses {
        if let Some(component) = page.components.edit(id) {
            component.set_status(*status, now);
        }
    }
}

/// The impact that the present states of the affected components give.
fn calculated(page: &PageState, incident: &Incident) -> Impact {
    let base = if incident.is_maintenance() {
        Impact::Maintenance
    } else {
        Impact::None
    };
    incident
        .component_ids
        .iter()
        .filter_map(|id| page.components.get(id))
        .map(|component| impact_of(component.status))
        .fold(base, Impact::max)
}

/// Adds an update: moves the status, lets a maintenance take its components along, and tells the subscribers.
pub(super) fn post_update(
    page: &mut PageState,
    incident: &mut Incident,
    post: Post,
    written: &[(String, ComponentStatus)],
    before: &BTreeMap<String, ComponentStatus>,
) {
    let first = incident.updates.is_empty();
    let moved = first || incident.status != post.status;
    incident.status = post.status;
    if moved {
        let carried = match post.status {
            IncidentStatus::InProgress if incident.auto_transition_to_maintenance_state == Some(true) => {
                Some(ComponentStatus::UnderMaintenance)
            }
            IncidentStatus::Completed if incident.auto_transition_to_operational_state == Some(true) => {
                Some(ComponentStatus::Operational)
            }
            _ => None,
        };
        if let Some(status) = carried {
            let carried: Vec<(String, ComponentStatus)> = incident
                .component_ids
                .iter()
                // What the request itself says about a component wins.
                .filter(|id| !written.iter().any(|(named, _)| named == *id))
                .map(|id| (id.clone(), status))
                .collect();
            apply(page, &carried, post.at);
        }
        match post.status {
            IncidentStatus::Monitoring => {
                incident.monitoring_at = Some(post.at);
                incident.resolved_at = None;
            }
            status if status.is_final() => incident.resolved_at = Some(post.at),
            _ => incident.resolved_at = None,
        }
    }
    incident.worst = incident.worst.max(calculated(page, incident));
    let affected = before
        .iter()
        .filter_map(|(id, old_status)| {
            let component = page.components.get(id)?;
            let group = component.group_id.as_deref().and_then(|group| page.groups.get(group));
            Some(Affected {
                code: id.clone(),
                name: match group {
                    Some(group) => format!("{} - {}", group.name, component.name),
                    None => component.name.clone(),
                },
                old_status: *old_status,
                new_status: component.status,
            })
        })
        .collect();
    let update = IncidentUpdate {
        id: page.ids.identifier(),
        status: post.status,
        body: post.body,
        display_at: post.at,
        deliver_notifications: post.deliver,
        wants_twitter_update: post.twitter,
        affected,
        created_at: post.at,
        updated_at: post.at,
    };
    incident.updated_at = post.at;
    if post.deliver {
        let kind = if first {
            NotificationKind::IncidentCreated
        } else {
            NotificationKind::IncidentUpdated
        };
        announce(page, incident, &update, kind, post.at);
    }
    incident.updates.push(update);
}

/// Who hears of an incident: its own subscribers, and those of the page whose components it concerns.
pub(super) fn recipients(page: &PageState, incident: &Incident) -> Vec<String> {
    // The audience of a maintenance is found through its components; without any, nobody hears of it.
    let silent = incident.is_maintenance() && incident.component_ids.is_empty();
    let followers = page
        .incident_subscribers
        .values()
        .filter(|subscriber| subscriber.incident_id.as_deref() == Some(incident.id.as_str()))
        .filter(|subscriber| subscriber.hears(&[]));
    let audience = page
        .subscribers
        .values()
        .filter(|subscriber| !silent && subscriber.hears(&incident.component_ids));
    audience
        .chain(followers)
        .map(|subscriber| subscriber.id.clone())
        .collect()
}

/// Notes who would have been told of an update.
pub(super) fn announce(
    page: &mut PageState,
    incident: &Incident,
    update: &IncidentUpdate,
    kind: NotificationKind,
    at: Timestamp,
) {
    let notification = Notification {
        at,
        page: page.id.clone(),
        kind,
        incident: Some(incident.id.clone()),
        update: Some(update.id.clone()),
        status: Some(update.status.as_str().to_owned()),
        recipients: recipients(page, incident),
    };
    page.notify(notification);
}
