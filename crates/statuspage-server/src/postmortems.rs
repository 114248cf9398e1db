//! Postmortems: a draft that is written, and its copy that is published.

use serde_json::Value;

use super::reply::reply;

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::incident_updates;
use super::notifications::{Notification, NotificationKind};
use super::records::{Incident, Postmortem};
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;

fn render(postmortem: &Postmortem) -> Value {
    reply! { postmortem;
        preview_key, body, body_updated_at, body_draft, body_draft_updated_at, published_at, notify_subscribers,
        notify_twitter, custom_tweet, created_at, updated_at,
    }
}

/// The operations of the postmortem of an incident.
pub(super) fn route(page: &mut PageState, verb: Verb, incident: &str, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => {
            let (_, postmortem) = find(page, incident)?;
            Ok(Reply::ok(render(&postmortem)))
        }
        ([], Verb::Put | Verb::Patch) => write_draft(page, incident, call),
        ([], Verb::Delete) => {
            let (mut owner, _) = find(page, incident)?;
            owner.postmortem = None;
            owner.updated_at = call.now;
            page.incidents.put(incident, owner);
            Ok(Reply::no_content())
        }
        (["publish"], Verb::Put | Verb::Patch) => publish(page, incident, call),
        (["revert"], Verb::Put | Verb::Patch) => {
            let (owner, mut postmortem) = find(page, incident)?;
            postmortem.published_at = None;
            postmortem.body = None;
            postmortem.body_updated_at = None;
            save(page, owner, postmortem, call)
        }
        ([] | ["publish" | "revert"], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn find(page: &PageState, incident: &str) -> Result<(Incident, Postmortem), ApiError> {
    let owner = page.incidents.get(incident).ok_or_else(ApiError::not_found)?;
    let postmortem = owner.postmortem.clone().ok_or_else(ApiError::not_found)?;
    Ok((owner.clone(), postmortem))
}

fn save(page: &mut PageState, mut owner: Incident, mut postmortem: Postmortem, call: &Call<'_>) -> Answer {
    postmortem.updated_at = call.now;
    let rendered = render(&postmortem);
    owner.updated_at = call.now;
    owner.postmortem = Some(postmortem);
    let id = owner.id.clone();
    page.incidents.put(&id, owner);
    Ok(Reply::ok(rendered))
}

fn write_draft(page: &mut PageState, incident: &str, call: &Call<'_>) -> Answer {
    let owner = page.incidents.get(incident).ok_or_else(ApiError::not_found)?.clone();
    let mut fields = Fields::envelope(call.body, "postmortem")?;
    let draft = match fields.text("body_draft") {
        Given::Value(draft) => draft,
        Given::Absent | Given::Null => {
            return Err(ApiError::bad_request("postmortem[body_draft] is missing"));
        }
    };
    fields.finish()?;
    let mut postmortem = owner.postmortem.clone().unwrap_or_else(|| Postmortem {
        preview_key: page.ids.identifier(),
        created_at: call.now,
        ..Postmortem::default()
    });
    postmortem.body_draft = Some(draft);
    postmortem.body_draft_updated_at = Some(call.now);
    save(page, owner, postmortem, call)
}

fn publish(page: &mut PageState, incident: &str, call: &Call<'_>) -> Answer {
    let (owner, mut postmortem) = find(page, incident)?;
    if !owner.status.is_final() {
        return Err(ApiError::bad_request(
            "The incident must be resolved before its postmortem is published",
        ));
    }
    // The envelope is optional here: publishing without any choice is valid.
    if call.body.contains_key("postmortem") {
        let mut fields = Fields::envelope(call.body, "postmortem")?;
        postmortem.notify_subscribers = fields.flag("notify_subscribers").value().unwrap_or(false);
        postmortem.notify_twitter = fields.flag("notify_twitter").value().unwrap_or(false);
        fields.filled("custom_tweet").store(&mut postmortem.custom_tweet);
        fields.finish()?;
    } else {
        postmortem.notify_subscribers = false;
        postmortem.notify_twitter = false;
    }
    postmortem.body = postmortem.body_draft.clone();
    postmortem.body_updated_at = Some(call.now);
    postmortem.published_at = Some(call.now);
    if postmortem.notify_subscribers {
        let recipients = incident_updates::recipients(page, &owner);
        let notification = Notification::new(call.now, NotificationKind::PostmortemPublished, recipients);
        page.notify(notification.about(&owner.id, owner.status.as_str()));
    }
    save(page, owner, postmortem, call)
}
