//! Incident updates: what was said about an incident and when. They are added by writing the incident; here an earlier
//! one is corrected.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::incident_request::{BODY_LIMIT, without_trailing_newlines};
use super::incident_write;
use super::instants::milliseconds;
use super::notifications::NotificationKind;
use super::routes::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::{ComponentStatus, IncidentStatus};

/// What an update did to a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Affected {
    /// The identifier of the component.
    pub(super) code: String,
    /// Its name, behind the name of its group if it has one.
    pub(super) name: String,
    pub(super) old_status: ComponentStatus,
    pub(super) new_status: ComponentStatus,
}

/// One update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct IncidentUpdate {
    pub(super) id: String,
    pub(super) status: IncidentStatus,
    pub(super) body: Option<String>,
    pub(super) display_at: Timestamp,
    pub(super) deliver_notifications: bool,
    pub(super) wants_twitter_update: bool,
    pub(super) affected: Vec<Affected>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

pub(super) fn render(incident: &str, update: &IncidentUpdate) -> Value {
    let affected: Vec<Value> = update
        .affected
        .iter()
        .map(|affected| {
            json!({
                "code": affected.code,
                "name": affected.name,
                "old_status": affected.old_status.as_str(),
                "new_status": affected.new_status.as_str(),
            })
        })
        .collect();
    json!({
        "id": update.id,
        "incident_id": incident,
        "status": update.status.as_str(),
        "body": update.body,
        "affected_components": if affected.is_empty() { Value::Null } else { Value::Array(affected) },
        "deliver_notifications": update.deliver_notifications,
        "wants_twitter_update": update.wants_twitter_update,
        "custom_tweet": null,
        "tweet_id": null,
        "twitter_updated_at": null,
        "display_at": milliseconds(update.display_at),
        "created_at": milliseconds(update.created_at),
        "updated_at": milliseconds(update.updated_at),
    })
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
    fields.instant("display_at").keep(&mut update.display_at);
    fields
        .flag("wants_twitter_update")
        .keep(&mut update.wants_twitter_update);
    let deliver = fields.flag("deliver_notifications");
    deliver.clone().keep(&mut update.deliver_notifications);
    fields.finish()?;
    update.updated_at = call.now;
    let rendered = render(incident_id, update);
    let corrected = update.clone();
    incident.updated_at = call.now;
    // A correction is quiet unless it asks to be told.
    if deliver == Given::Value(true) {
        incident_write::announce(page, &incident, &corrected, NotificationKind::IncidentUpdated, call.now);
    }
    page.incidents.put(incident_id, incident);
    Ok(Reply::ok(rendered))
}
