//! Making and changing incidents: which fields are allowed together, what happens to components, when an update is
//! added and who hears of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::ids;
use super::incident_updates::{Affected, IncidentUpdate};
use super::incidents::{self, Incident, impact_of};
use super::notifications::{Notification, NotificationKind};
use super::routes::{Answer, Call, Reply};
use super::state::PageState;
use super::words::{ComponentStatus, Impact, IncidentStatus};
use super::{components, incident_timeline};

/// The longest text of an update, in characters.
pub(super) const BODY_LIMIT: usize = 25_000;

/// What a request wants to write; shared by making and changing.
struct Write {
    name: Option<String>,
    status: Option<IncidentStatus>,
    body: Option<String>,
    component_ids: Option<Vec<String>>,
    statuses: Vec<(String, ComponentStatus)>,
    deliver: bool,
    twitter: bool,
    backfilled: bool,
    backfill_date: Option<Timestamp>,
    scheduled_for: Given<Timestamp>,
    scheduled_until: Given<Timestamp>,
}

/// An update that is about to be added.
pub(super) struct Post {
    pub(super) status: IncidentStatus,
    pub(super) body: Option<String>,
    pub(super) at: Timestamp,
    pub(super) deliver: bool,
    pub(super) twitter: bool,
}

/// Trailing line ends do not survive the real service.
pub(super) fn without_trailing_newlines(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).to_owned()
}

/// Whether the text is a list of hours that grows strictly from 1 to at most 24, one number of hours, or an empty list.
fn is_reminder_schedule(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Number(hours)) => hours.as_u64().is_some_and(|hours| (1..=24).contains(&hours)),
        Ok(Value::Array(hours)) => {
            let hours: Option<Vec<u64>> = hours.iter().map(Value::as_u64).collect();
            hours.is_some_and(|hours| {
                hours.iter().all(|hour| (1..=24).contains(hour)) && hours.is_sorted_by(|one, next| one < next)
            })
        }
        _ => false,
    }
}

fn read_metadata(fields: &mut Fields<'_>, incident: &mut Incident) {
    match fields.raw("metadata") {
        None => {}
        Some(Value::Null) => incident.metadata = Map::new(),
        Some(Value::Object(map)) if map.values().all(Value::is_object) => incident.metadata = map.clone(),
        Some(_) => fields.problem("Metadata must be an object of objects"),
    }
}

fn read_statuses(page: &PageState, fields: &mut Fields<'_>) -> Vec<(String, ComponentStatus)> {
    let map = match fields.raw("components") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            fields.problem("Components is invalid");
            return Vec::new();
        }
    };
    let mut statuses = Vec::new();
    for (id, value) in map {
        match value.as_str().and_then(ComponentStatus::parse) {
            Some(_) if !page.components.contains(id) => {
                fields.problem(format!("Components do not exist on this page: {id}"));
            }
            Some(status) => statuses.push((id.clone(), status)),
            None => fields.problem("Components have an invalid status"),
        }
    }
    statuses
}

/// Reads the request; settings that need no further decision go straight into `incident`.
fn read(page: &PageState, fields: &mut Fields<'_>, incident: &mut Incident, new: bool) -> Write {
    let name = fields.name("name", new);
    let status = fields.word::<IncidentStatus>("status").value();
    // The field was called "message" in the first years; old clients still send that.
    let key = if fields.has("body") { "body" } else { "message" };
    let body = fields.filled(key).value().map(|body| without_trailing_newlines(&body));
    if body.as_ref().is_some_and(|body| body.chars().count() > BODY_LIMIT) {
        fields.problem(format!("Body is too long (maximum is {BODY_LIMIT} characters)"));
    }
    let component_ids = fields.list("component_ids").value();
    if let Some(ids) = &component_ids {
        let unknown = components::unknown(page, ids);
        if !unknown.is_empty() {
            fields.problem(format!("Components do not exist on this page: {}", unknown.join(", ")));
        }
    }
    let statuses = read_statuses(page, fields);
    fields
        .word::<Impact>("impact_override")
        .store(&mut incident.impact_override);
    fields
        .flag("scheduled_remind_prior")
        .store(&mut incident.scheduled_remind_prior);
    fields
        .flag("scheduled_auto_transition")
        .keep(&mut incident.scheduled_auto_in_progress);
    fields
        .flag("scheduled_auto_in_progress")
        .keep(&mut incident.scheduled_auto_in_progress);
    fields
        .flag("scheduled_auto_completed")
        .keep(&mut incident.scheduled_auto_completed);
    fields
        .flag("auto_transition_to_maintenance_state")
        .store(&mut incident.auto_transition_to_maintenance_state);
    fields
        .flag("auto_transition_to_operational_state")
        .store(&mut incident.auto_transition_to_operational_state);
    fields
        .flag("auto_transition_deliver_notifications_at_start")
        .store(&mut incident.auto_transition_deliver_notifications_at_start);
    fields
        .flag("auto_transition_deliver_notifications_at_end")
        .store(&mut incident.auto_transition_deliver_notifications_at_end);
    let intervals = fields.filled("reminder_intervals");
    if matches!(&intervals, Given::Value(text) if !is_reminder_schedule(text)) {
        fields.problem("Reminder intervals must be hours from 1 to 24 in growing order");
    }
    intervals.store(&mut incident.reminder_intervals);
    read_metadata(fields, incident);
    Write {
        name,
        status,
        body,
        component_ids,
        statuses,
        deliver: fields.flag("deliver_notifications").value().unwrap_or(true),
        twitter: fields.flag("wants_twitter_update").value().unwrap_or(false),
        backfilled: fields.flag("backfilled").value().unwrap_or(false),
        backfill_date: fields.instant("backfill_date").value(),
        scheduled_for: fields.instant("scheduled_for"),
        scheduled_until: fields.instant("scheduled_until"),
    }
}

fn blank(now: Timestamp) -> Incident {
    Incident {
        id: ids::identifier(),
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
        shortlink: format!("https://stspg.io/{}", ids::identifier()),
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
    let mut incident = blank(call.now);
    let write = read(page, &mut fields, &mut incident, true);
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
    let write = read(page, &mut fields, &mut incident, false);
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
        id: ids::identifier(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminder_schedules() {
        for good in ["[1,5,7]", "4", "[]", "[24]"] {
            assert!(is_reminder_schedule(good), "{good}");
        }
        for bad in ["[5,1]", "[1,1]", "[0]", "[25]", "25", "", "x", "{}", "[\"1\"]"] {
            assert!(!is_reminder_schedule(bad), "{bad}");
        }
    }

    #[test]
    fn only_trailing_line_ends_are_cut() {
        assert_eq!(without_trailing_newlines(" a\n\nb \r\n\n"), " a\n\nb ");
    }
}
