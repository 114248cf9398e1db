//! How people and programs subscribe to a page by themselves, as far as the page allows it, and leave again.

use serde_json::{Map, Value, json};

use super::about;
use crate::errors::ApiError;
use crate::fields::{Fields, Given};
use crate::incident_subscribers;
use crate::instants::milliseconds_in;
use crate::records::Subscriber;
use crate::reply::reply;
use crate::request::{Answer, Call, Reply};
use crate::state::PageState;
use crate::subscribers;
use crate::vocabulary::{SubscriberMode, SubscriberState};

/// Adds a subscriber of the page, of some of its components or of one incident.
pub(super) fn subscribe(page: &mut PageState, call: &Call<'_>) -> Answer {
    let about = about(page)?;
    let mut fields = Fields::envelope(call.body, "subscriber")?;
    let contact = subscribers::read_contact(&mut fields, &page.ids, true, call.behaviour, call.now);
    let incident = match (fields.filled("incident_id"), fields.filled("incident")) {
        (Given::Value(id), _) | (_, Given::Value(id)) => Some(id),
        _ => None,
    };
    let mut component_ids = fields.list("component_ids").value().unwrap_or_default();
    component_ids.extend(fields.filled("component_id").value());
    if page.components.all(&component_ids).len() < component_ids.len() {
        fields.problem("Components do not exist on this page");
    }
    if incident.as_ref().is_some_and(|id| !page.incidents.contains(id)) {
        fields.problem("Incident does not exist on this page");
    }
    if let Some(subscriber) = &contact {
        check_allowed(page, &mut fields, subscriber, incident.is_some())?;
    }
    fields.finish()?;
    let Some(mut subscriber) = contact else {
        return Err(ApiError::invalid(vec!["Email can't be blank".to_owned()]));
    };
    // Only those who manage the page may say that somebody has agreed already.
    subscriber.skip_confirmation_notification = false;
    if subscriber.mode == SubscriberMode::Email {
        subscriber.state = SubscriberState::Unconfirmed;
    }
    let subscriber = match incident {
        Some(incident) => incident_subscribers::add(page, &incident, subscriber, call)?,
        None => {
            subscriber.component_ids = component_ids;
            subscribers::add(page, subscriber, call)?
        }
    };
    let zone = page.document()?.zone();
    let mut shown = reply! { subscriber;
        id, mode, email, endpoint, phone_country, phone_number,
        created_at = milliseconds_in(subscriber.created_at, &zone), skip_confirmation_notification = false,
        quarantined_at, purge_at,
    };
    if let Value::Object(shown) = &mut shown {
        shown.retain(|key, value| !value.is_null() || key.ends_with("_at"));
    }
    Ok(Reply::created(json!({ "page": about, "subscriber": shown })))
}

/// Complains about a way of subscribing that the page does not offer.
fn check_allowed(
    page: &PageState,
    fields: &mut Fields<'_>,
    subscriber: &Subscriber,
    of_incident: bool,
) -> Result<(), ApiError> {
    let (channel, what) = match subscriber.mode {
        SubscriberMode::Webhook => ("allow_webhook_subscribers", "Webhook"),
        SubscriberMode::Sms => ("allow_sms_subscribers", "SMS"),
        _ => ("allow_email_subscribers", "Email"),
    };
    let (scope, whose) = match of_incident {
        true => ("allow_incident_subscribers", "Incident"),
        false => ("allow_page_subscribers", "Page"),
    };
    let settings = &page.document()?.settings;
    for (key, what) in [(scope, whose), (channel, what)] {
        if settings.get(key) == Some(&Value::Bool(false)) {
            fields.problem(format!("{what} subscriptions are not allowed on this page"));
        }
    }
    if of_incident && subscriber.mode == SubscriberMode::Webhook {
        fields.problem("Endpoint is not allowed here");
    }
    Ok(())
}

/// Removes a subscriber by the identifier that it got, in the path or as a field.
pub(super) fn unsubscribe(page: &mut PageState, id: Option<&str>, call: &Call<'_>) -> Answer {
    about(page)?;
    let named = |map: &Map<String, Value>| Fields::of(map).filled("id").value();
    let id = id.map(str::to_owned).or_else(|| match call.body.get("subscriber") {
        Some(Value::Object(map)) => named(map),
        _ => named(call.body),
    });
    let Some(id) = id.or_else(|| call.parameter("id").map(str::to_owned)) else {
        return Err(ApiError::bad_request("id is missing"));
    };
    if page.incident_subscribers.remove(&id).is_none() {
        subscribers::find(page, &id)?;
        subscribers::leave(page, &[id], false, call.now);
    }
    Ok(Reply::no_content())
}
