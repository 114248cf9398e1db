//! Subscribers of a single incident: by email and text message only.

use super::errors::ApiError;
use super::fields::Fields;
use super::pagination::ORDINARY;
use super::records::Subscriber;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::subscribers::{ask_to_confirm, check_taken, read_contact, render};

fn of_incident<'a>(page: &'a PageState, incident: &'a str) -> impl Iterator<Item = &'a Subscriber> {
    page.incident_subscribers
        .values()
        .filter(move |subscriber| subscriber.incident_id.as_deref() == Some(incident))
}

fn find<'a>(page: &'a PageState, incident: &str, id: &str) -> Result<&'a Subscriber, ApiError> {
    page.incident_subscribers
        .get(id)
        .filter(|subscriber| subscriber.incident_id.as_deref() == Some(incident))
        .ok_or_else(ApiError::not_found)
}

/// The operations below an incident.
pub(super) fn route(page: &mut PageState, verb: Verb, incident: &str, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => call.list(of_incident(page, incident).collect(), ORDINARY, |subscriber| {
            render(subscriber)
        }),
        ([], Verb::Post) => create(page, incident, call),
        ([id], Verb::Get) => Ok(Reply::ok(render(find(page, incident, id)?))),
        ([id], Verb::Delete) => {
            let last = render(find(page, incident, id)?);
            page.incident_subscribers.remove(id);
            Ok(Reply::ok(last))
        }
        ([id, "resend_confirmation"], Verb::Post) => {
            let subscriber = find(page, incident, id)?.clone();
            ask_to_confirm(page, &subscriber, call.now);
            Ok(Reply::created_empty())
        }
        ([] | [_] | [_, "resend_confirmation"], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn create(page: &mut PageState, incident: &str, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "subscriber")?;
    let contact = read_contact(&mut fields, &page.ids, false, call.behaviour, call.now);
    fields.finish()?;
    let Some(subscriber) = contact else {
        return Err(ApiError::invalid(vec!["Email can't be blank".to_owned()]));
    };
    let added = add(page, incident, subscriber, call)?;
    Ok(Reply::created(render(&added)))
}

/// Adds a subscriber of an incident and asks it to confirm.
pub(super) fn add(
    page: &mut PageState,
    incident: &str,
    mut subscriber: Subscriber,
    call: &Call<'_>,
) -> Result<Subscriber, ApiError> {
    check_taken(&subscriber, of_incident(page, incident))?;
    subscriber.incident_id = Some(incident.to_owned());
    ask_to_confirm(page, &subscriber, call.now);
    page.incident_subscribers.put(&subscriber.id, subscriber.clone());
    Ok(subscriber)
}
