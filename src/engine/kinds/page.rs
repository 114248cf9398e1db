//! Settings of the page.

use serde_json::{Map, Value, json};

use super::{text, write};
use crate::api::PageSettings;
use crate::engine::context::Blocked;
use crate::engine::fields::Field;
use crate::engine::request::Request;
use crate::statuspage::Page;

/// The declared settings beside the remote ones.
pub(in crate::engine) fn settings_fields(settings: &PageSettings, page: &Page) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, wire, desired, observed) in [
        ("settings.name", "name", &settings.name, &page.name),
        ("settings.domain", "domain", &settings.domain, &page.domain),
        ("settings.url", "url", &settings.url, &page.url),
        ("settings.timeZone", "time_zone", &settings.time_zone, &page.time_zone),
        (
            "settings.notificationsFromEmail",
            "notifications_from_email",
            &settings.notifications_from_email,
            &page.notifications_from_email,
        ),
        (
            "settings.notificationsEmailFooter",
            "notifications_email_footer",
            &settings.notifications_email_footer,
            &page.notifications_email_footer,
        ),
    ] {
        if let Some(desired) = desired {
            fields.push(Field::new(name, wire, json!(desired), text(observed.as_deref())));
        }
    }
    for (name, wire, desired, observed) in [
        (
            "settings.hiddenFromSearch",
            "hidden_from_search",
            settings.hidden_from_search,
            page.hidden_from_search,
        ),
        (
            "settings.viewersMustBeTeamMembers",
            "viewers_must_be_team_members",
            settings.viewers_must_be_team_members,
            page.viewers_must_be_team_members,
        ),
        (
            "settings.allowPageSubscribers",
            "allow_page_subscribers",
            settings.allow_page_subscribers,
            page.allow_page_subscribers,
        ),
        (
            "settings.allowIncidentSubscribers",
            "allow_incident_subscribers",
            settings.allow_incident_subscribers,
            page.allow_incident_subscribers,
        ),
        (
            "settings.allowEmailSubscribers",
            "allow_email_subscribers",
            settings.allow_email_subscribers,
            page.allow_email_subscribers,
        ),
        (
            "settings.allowSmsSubscribers",
            "allow_sms_subscribers",
            settings.allow_sms_subscribers,
            page.allow_sms_subscribers,
        ),
        (
            "settings.allowRssAtomFeeds",
            "allow_rss_atom_feeds",
            settings.allow_rss_atom_feeds,
            page.allow_rss_atom_feeds,
        ),
        (
            "settings.allowWebhookSubscribers",
            "allow_webhook_subscribers",
            settings.allow_webhook_subscribers,
            page.allow_webhook_subscribers,
        ),
    ] {
        if let Some(desired) = desired {
            fields.push(Field::new(name, wire, json!(desired), Some(json!(observed))));
        }
    }
    fields
}

/// The request that writes settings.
pub(in crate::engine) fn settings_request(body: Map<String, Value>) -> Result<Request, Blocked> {
    Ok(Request::UpdatePage(Box::new(write(body)?)))
}
