//! Incident updates: what was said about an incident and when, and who hears of it. They are added by writing the
//! incident or by time; a request of its own corrects an earlier one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::errors::ApiError;
use super::fields::{Fields, Given, read};
use super::incident_request::{BODY_LIMIT, without_trailing_newlines};
use super::instants::milliseconds;
use super::notifications::{Notification, NotificationKind};
use super::records::{Affected, Incident, IncidentUpdate};
use super::reply::reply;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::{ComponentStatus, Impact, IncidentStatus};

pub(super) fn render(incident: &str, update: &IncidentUpdate) -> Value {
    let affected: Vec<Value> = update
        .affected
        .iter()
        .map(|affected| reply!(affected; code, name, old_status, new_status))
        .collect();
    reply! { update;
        id, incident_id = incident, status, body, affected_components = (!affected.is_empty()).then_some(affected),
        deliver_notifications, wants_twitter_update, custom_tweet = Value::Null, tweet_id = Value::Null,
        twitter_updated_at = Value::Null, display_at = milliseconds(update.display_at),
        created_at = milliseconds(update.created_at), updated_at = milliseconds(update.updated_at),
    }
}

/// The operations of one update.
pub(super) fn route(page: &mut PageState, verb: Verb, incident: &str, update: &str, call: &Call<'_>) -> Answer {
    match verb {
        Verb::Patch | Verb::Put => edit(page, incident, update, call),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn edit(page: &mut PageState, incident_id: &str, update_id: &str, call: &Call<'_>) -> Answer {
    let mut incident = page.incidents.get(incident_id).ok_or_else(ApiError::not_found)?.clone();
    let update = incident
        .updates
        .iter_mut()
        .find(|update| update.id == update_id)
        .ok_or_else(ApiError::not_found)?;
    let mut fields = Fields::envelope(call.body, "incident_update")?;
    if let Given::Value(body) = fields.text("body") {
        if body.chars().count() > BODY_LIMIT {
            fields.problem(format!("Body is too long (maximum is {BODY_LIMIT} characters)"));
        }
        update.body = Some(without_trailing_newlines(&body));
    }
    read!(fields => update; keep instant: display_at; keep flag: wants_twitter_update);
    let deliver = fields.flag("deliver_notifications");
    deliver.clone().keep(&mut update.deliver_notifications);
    fields.finish()?;
    update.updated_at = call.now;
    let rendered = render(incident_id, update);
    let corrected = update.clone();
    incident.updated_at = call.now;
    // A correction is quiet unless it asks to be told.
    if deliver == Given::Value(true) {
        announce(page, &incident, &corrected, NotificationKind::IncidentUpdated, call.now);
    }
    page.incidents.put(incident_id, incident);
    Ok(Reply::ok(rendered))
}

/// An update that is about to be added.
pub(super) struct Post {
    pub(super) status: IncidentStatus,
    pub(super) body: Option<String>,
    pub(super) at: Timestamp,
    pub(super) deliver: bool,
    pub(super) twitter: bool,
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

/// Gives components their new states.
pub(super) fn apply(page: &mut PageState, statuses: &[(String, ComponentStatus)], now: Timestamp) {
    for (id, status) in statuses {
        if let Some(component) = page.components.edit(id) {
            component.set_status(*status, now);
        }
    }
}

/// The impact that the present states of the affected components give.
pub(super) fn calculated(page: &PageState, incident: &Incident) -> Impact {
    let base = if incident.is_maintenance() {
        Impact::Maintenance
    } else {
        Impact::None
    };
    incident
        .component_ids
        .iter()
        .filter_map(|id| page.components.get(id))
        .map(|component| component.status.impact())
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
    let notification = Notification::new(at, kind, recipients(page, incident));
    page.notify(Notification {
        update: Some(update.id.clone()),
        ..notification.about(&incident.id, update.status.as_str())
    });
}
