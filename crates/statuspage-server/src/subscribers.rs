//! Subscribers of a page, their states, and the bulk operations on them.

use axum::http::Uri;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::errors::ApiError;
use super::faults::Behaviour;
use super::fields::{Fields, Given};
use super::ids::Ids;
use super::notifications::{Notification, NotificationKind};
use super::pagination::{ORDINARY, Paging, SUBSCRIBERS};
use super::records::Subscriber;
use super::reply::reply;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::telephone;
use super::vocabulary::{SubscriberMode, SubscriberState};

/// Quarantined subscribers are removed after this many days.
const PURGE_DAYS: i64 = 28;

impl Subscriber {
    /// What distinguishes it from others of its channel.
    pub(super) fn address(&self) -> String {
        match self.mode {
            SubscriberMode::Sms => match &self.display_phone_number {
                Some(number) => number.clone(),
                // Stored before numbers were looked at.
                None => format!(
                    "{} {}",
                    self.phone_country.as_deref().unwrap_or_default(),
                    self.phone_number.as_deref().unwrap_or_default()
                ),
            },
            SubscriberMode::Webhook => self.endpoint.clone().unwrap_or_default(),
            _ => self.email.clone().unwrap_or_default(),
        }
    }

    /// Whether it has not unsubscribed.
    pub(super) fn is_subscribed(&self) -> bool {
        self.unsubscribed_at.is_none()
    }

    /// Whether news about these components reach it; news about none reach those who asked for everything.
    pub(super) fn hears(&self, affected: &[String]) -> bool {
        self.is_subscribed()
            && self.state == SubscriberState::Active
            && (self.component_ids.is_empty() || self.component_ids.iter().any(|id| affected.contains(id)))
    }

    /// Stops delivery until somebody reactivates it.
    pub(super) fn quarantine(&mut self, now: Timestamp) {
        self.state = SubscriberState::Quarantined;
        self.quarantined_at = Some(now);
        self.purge_at = now.checked_add(jiff::SignedDuration::from_hours(24 * PURGE_DAYS)).ok();
    }

    /// Lets it hear again, or for the first time.
    pub(super) fn activate(&mut self) {
        self.state = SubscriberState::Active;
        self.quarantined_at = None;
        self.purge_at = None;
    }
}

pub(super) fn render(subscriber: &Subscriber) -> Value {
    let mut body = reply! { subscriber;
        id, mode, email, endpoint, phone_number, phone_country, display_phone_number,
        obfuscated_channel_name = Value::Null, workspace_name = Value::Null, skip_confirmation_notification,
        quarantined_at, purge_at, page_access_user_id, created_at,
    };
    // Who follows everything, or one incident, has no list of components at all, not an empty one.
    if !subscriber.component_ids.is_empty() {
        body["components"] = subscriber.component_ids.clone().into();
    }
    body
}

/// The operations of page subscribers.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => list(page, call),
        ([], Verb::Post) => create(page, call),
        ([id], Verb::Get) => find(page, id).map(|subscriber| Reply::ok(render(subscriber))),
        ([id], Verb::Patch) => update(page, id, call),
        ([id], Verb::Delete) => delete(page, id, call),
        ([id, "resend_confirmation"], Verb::Post) => resend(page, id, call),
        ([] | [_] | [_, "resend_confirmation"], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

pub(super) fn find<'a>(page: &'a PageState, id: &str) -> Result<&'a Subscriber, ApiError> {
    page.subscribers
        .get(id)
        .filter(|subscriber| subscriber.is_subscribed())
        .ok_or_else(ApiError::not_found)
}

/// A filter by type: any when absent.
pub(super) fn mode_filter(call: &Call<'_>) -> Result<Option<SubscriberMode>, ApiError> {
    call.parameter("type")
        .map(|text| {
            SubscriberMode::parse(text).ok_or_else(|| ApiError::bad_request("type does not have a valid value"))
        })
        .transpose()
}

/// A filter by state: active when absent, any for `all`.
pub(super) fn state_filter(text: Option<&str>) -> Result<Option<SubscriberState>, ApiError> {
    match text {
        None => Ok(Some(SubscriberState::Active)),
        Some("all") => Ok(None),
        Some(text) => SubscriberState::parse(text)
            .map(Some)
            .ok_or_else(|| ApiError::bad_request("state does not have a valid value")),
    }
}

fn list(page: &PageState, call: &Call<'_>) -> Answer {
    let mode = mode_filter(call)?;
    let state = state_filter(call.parameter("state"))?;
    let wanted = call.parameter("q").map(str::to_lowercase);
    let mut found: Vec<&Subscriber> = page
        .subscribers
        .values()
        .filter(|subscriber| subscriber.is_subscribed())
        .filter(|subscriber| mode.is_none_or(|mode| subscriber.mode == mode))
        .filter(|subscriber| state.is_none_or(|state| subscriber.state == state))
        .filter(|subscriber| wanted.as_deref().is_none_or(|text| matches_text(subscriber, text)))
        .collect();
    match call.parameter("sort_field") {
        None | Some("primary") => found.sort_by_cached_key(|subscriber| subscriber.address()),
        Some("created_at") => found.sort_by_key(|subscriber| subscriber.created_at),
        Some("quarantined_at") => found.sort_by_key(|subscriber| subscriber.quarantined_at),
        Some("relevance") if wanted.is_some() => {
            // The shorter the address around the text that was searched, the better it fits.
            found.sort_by_cached_key(|subscriber| (subscriber.address().len(), subscriber.address()));
        }
        Some(_) => {
            return Err(ApiError::bad_request("sort_field does not have a valid value"));
        }
    }
    match call.parameter("sort_direction") {
        None | Some("asc") => {}
        Some("desc") => found.reverse(),
        Some(_) => {
            return Err(ApiError::bad_request("sort_direction does not have a valid value"));
        }
    }
    let paging = match wanted {
        Some(_) => Paging {
            ceiling: 100,
            ..SUBSCRIBERS
        },
        None => SUBSCRIBERS,
    };
    call.list(found, paging, |subscriber| render(subscriber))
}

fn matches_text(subscriber: &Subscriber, text: &str) -> bool {
    [&subscriber.email, &subscriber.endpoint, &subscriber.phone_number]
        .into_iter()
        .flatten()
        .any(|contact| contact.to_lowercase().contains(text))
}

/// Those who have unsubscribed.
pub(super) fn unsubscribed(page: &PageState, call: &Call<'_>) -> Answer {
    let gone = page
        .subscribers
        .values()
        .filter(|subscriber| !subscriber.is_subscribed())
        .collect();
    call.list(gone, ORDINARY, |subscriber| render(subscriber))
}

/// Reads the contact of a new subscriber, of a page or of an incident.
pub(super) fn read_contact(
    fields: &mut Fields<'_>,
    ids: &Ids,
    webhooks: bool,
    behaviour: &Behaviour,
    now: Timestamp,
) -> Option<Subscriber> {
    let email = fields.email("email").value().map(|email| {
        if behaviour.lower_case_addresses {
            email.to_lowercase()
        } else {
            email
        }
    });
    let endpoint = match fields.filled("endpoint").value() {
        Some(_) if !webhooks => {
            fields.problem("Endpoint is not allowed here");
            return None;
        }
        endpoint => endpoint,
    };
    let phone_number = fields.filled("phone_number").value();
    let phone_country = fields.filled("phone_country").value();
    let display_phone_number = read_telephone(fields, phone_country.as_deref(), phone_number.as_deref());
    let skip = fields.flag("skip_confirmation_notification").value().unwrap_or(false);
    if let Some(endpoint) = &endpoint
        && !looks_like_address(endpoint)
    {
        fields.problem("Endpoint is invalid");
    }
    let mode = match (&endpoint, &phone_number, &email) {
        (Some(_), _, _) => SubscriberMode::Webhook,
        (None, Some(_), _) => SubscriberMode::Sms,
        (None, None, Some(_)) => SubscriberMode::Email,
        (None, None, None) => {
            fields.blank("email");
            return None;
        }
    };
    let waits = mode == SubscriberMode::Email && !skip;
    Some(Subscriber {
        id: ids.identifier(),
        mode,
        state: match waits {
            true => SubscriberState::Unconfirmed,
            false => SubscriberState::Active,
        },
        email,
        endpoint,
        phone_number,
        phone_country: phone_country.map(|country| country.trim().to_ascii_uppercase()),
        display_phone_number,
        skip_confirmation_notification: skip,
        created_at: now,
        ..Subscriber::default()
    })
}

/// Whether a text is the address of a server that speaks HTTP.
fn looks_like_address(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|address| {
        let spoken = matches!(address.scheme_str(), Some("http" | "https"));
        spoken && address.host().is_some_and(|host| !host.is_empty())
    })
}

/// The number as it is shown; complains about what is no number of its country.
fn read_telephone(fields: &mut Fields<'_>, country: Option<&str>, number: Option<&str>) -> Option<String> {
    let number = number?;
    let Some(code) = country else {
        fields.blank("phone_country");
        return None;
    };
    let Some(country) = telephone::country(code) else {
        fields.problem("Phone country is invalid");
        return None;
    };
    let shown = telephone::international(country, number);
    if shown.is_none() {
        fields.problem("Phone number is invalid");
    }
    shown
}

/// Refuses an address that already subscribes.
pub(super) fn check_taken<'a>(
    subscriber: &Subscriber,
    mut others: impl Iterator<Item = &'a Subscriber>,
) -> Result<(), ApiError> {
    let address = subscriber.address().to_lowercase();
    if others.any(|other| {
        other.is_subscribed() && other.mode == subscriber.mode && other.address().to_lowercase() == address
    }) {
        let key = match subscriber.mode {
            SubscriberMode::Webhook => "Endpoint",
            SubscriberMode::Sms => "Phone number",
            _ => "Email",
        };
        return Err(ApiError::invalid(vec![format!("{key} has already been taken")]));
    }
    Ok(())
}

/// Notes the message that asks a new subscriber to confirm.
pub(super) fn ask_to_confirm(page: &mut PageState, subscriber: &Subscriber, now: Timestamp) {
    if subscriber.state == SubscriberState::Unconfirmed {
        page.notify(Notification {
            incident: subscriber.incident_id.clone(),
            ..Notification::new(now, NotificationKind::Confirmation, vec![subscriber.id.clone()])
        });
    }
}

fn read_components(page: &PageState, fields: &mut Fields<'_>) -> Vec<String> {
    match fields.list("component_ids") {
        Given::Absent | Given::Null => Vec::new(),
        Given::Value(list) => {
            if list.is_empty() {
                fields.blank("component_ids");
            }
            fields.check_known("Components", &page.components, &list);
            list
        }
    }
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "subscriber")?;
    let subscriber = read_contact(&mut fields, &page.ids, true, call.behaviour, call.now);
    let component_ids = read_components(page, &mut fields);
    let page_access_user_id = fields.filled("page_access_user").value();
    fields.finish()?;
    let Some(mut subscriber) = subscriber else {
        return Err(ApiError::invalid(vec!["Email can't be blank".to_owned()]));
    };
    subscriber.component_ids = component_ids;
    subscriber.page_access_user_id = page_access_user_id;
    let added = add(page, subscriber, call)?;
    Ok(Reply::created(render(&added)))
}

/// Adds a subscriber of the page and asks it to confirm.
pub(super) fn add(page: &mut PageState, subscriber: Subscriber, call: &Call<'_>) -> Result<Subscriber, ApiError> {
    check_taken(&subscriber, page.subscribers.values())?;
    // Somebody who comes back is no longer among those who left.
    let address = subscriber.address();
    page.subscribers
        .remove_where(|other| other.mode == subscriber.mode && other.address() == address);
    ask_to_confirm(page, &subscriber, call.now);
    page.subscribers.put(&subscriber.id, subscriber.clone());
    Ok(subscriber)
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut subscriber = find(page, id)?.clone();
    // Documented without an envelope; one that is there all the same is opened.
    let map: &Map<String, Value> = match call.body.get("subscriber") {
        Some(Value::Object(map)) => map,
        _ => call.body,
    };
    let mut fields = Fields::of(map);
    let component_ids = read_components(page, &mut fields);
    fields.finish()?;
    subscriber.component_ids = component_ids;
    let rendered = render(&subscriber);
    page.subscribers.put(id, subscriber);
    Ok(Reply::ok(rendered))
}

fn delete(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let rendered = render(find(page, id)?);
    let quiet = call.switch("skip_unsubscription_notification");
    leave(page, &[id.to_owned()], quiet, call.now);
    Ok(Reply::ok(rendered))
}

fn resend(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let subscriber = find(page, id)?.clone();
    ask_to_confirm(page, &subscriber, call.now);
    Ok(Reply::created_empty())
}

/// Marks subscribers as gone and notes who would have been told.
pub(super) fn leave(page: &mut PageState, ids: &[String], quiet: bool, now: Timestamp) {
    for id in ids {
        if let Some(subscriber) = page.subscribers.edit(id) {
            subscriber.unsubscribed_at = Some(now);
        }
    }
    if !quiet && !ids.is_empty() {
        page.notify(Notification::new(now, NotificationKind::Unsubscription, ids.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_addresses_of_servers() {
        for good in [
            "https://example.com",
            "http://example.com:8080/a?b=c",
            "HTTPS://[::1]/hook",
        ] {
            assert!(looks_like_address(good), "{good}");
        }
        for bad in [
            "",
            "http://",
            "https:///hook",
            "ftp://example.com",
            "example.com",
            "/hook",
            "http://a b",
        ] {
            assert!(!looks_like_address(bad), "{bad}");
        }
    }
}
