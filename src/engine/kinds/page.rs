//! Settings of the page and of its status embed.

use serde_json::{Map, Value, json};

use super::{text, write};
use crate::api::{PageColors, PageSettings, StatusEmbed};
use crate::engine::context::Blocked;
use crate::engine::fields::{Comparison, Field, color};
use crate::engine::request::Request;
use crate::statuspage::{Page, StatusEmbedConfig};

const POSITION: &str = "position";

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
    if let Some(subdomain) = &settings.subdomain {
        let label = page
            .subdomain
            .as_deref()
            .map(|host| host.trim_end_matches(".statuspage.io"));
        fields.push(
            Field::new("settings.subdomain", "subdomain", json!(subdomain), text(label)).compared(Comparison::Caseless),
        );
    }
    if let Some(branding) = settings.branding {
        let observed = text(page.branding.as_ref().map(|branding| branding.as_str()));
        fields.push(Field::new(
            "settings.branding",
            "branding",
            json!(branding.as_str()),
            observed,
        ));
    }
    if let Some(colors) = &settings.colors {
        fields.extend(color_fields(colors, page));
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

fn color_field(name: &'static str, wire: &'static str, desired: &str, observed: Option<&str>) -> Field {
    // Sent as it is read back.
    Field::new(name, wire, json!(color(desired)), text(observed)).compared(Comparison::Color)
}

fn color_fields(colors: &PageColors, page: &Page) -> Vec<Field> {
    [
        (
            "settings.colors.bodyBackground",
            "css_body_background_color",
            &colors.body_background,
            &page.css_body_background_color,
        ),
        (
            "settings.colors.font",
            "css_font_color",
            &colors.font,
            &page.css_font_color,
        ),
        (
            "settings.colors.lightFont",
            "css_light_font_color",
            &colors.light_font,
            &page.css_light_font_color,
        ),
        ("settings.colors.greens", "css_greens", &colors.greens, &page.css_greens),
        (
            "settings.colors.yellows",
            "css_yellows",
            &colors.yellows,
            &page.css_yellows,
        ),
        (
            "settings.colors.oranges",
            "css_oranges",
            &colors.oranges,
            &page.css_oranges,
        ),
        ("settings.colors.reds", "css_reds", &colors.reds, &page.css_reds),
        ("settings.colors.blues", "css_blues", &colors.blues, &page.css_blues),
        (
            "settings.colors.border",
            "css_border_color",
            &colors.border,
            &page.css_border_color,
        ),
        (
            "settings.colors.graph",
            "css_graph_color",
            &colors.graph,
            &page.css_graph_color,
        ),
        (
            "settings.colors.link",
            "css_link_color",
            &colors.link,
            &page.css_link_color,
        ),
        (
            "settings.colors.noData",
            "css_no_data",
            &colors.no_data,
            &page.css_no_data,
        ),
    ]
    .into_iter()
    .filter_map(|(name, wire, desired, observed)| {
        Some(color_field(name, wire, desired.as_deref()?, observed.as_deref()))
    })
    .collect()
}

/// The declared status embed beside the remote one.
pub(in crate::engine) fn embed_fields(declared: &StatusEmbed, remote: &StatusEmbedConfig) -> Vec<Field> {
    let position = declared.position.as_ref().map(|position| {
        Field::new(
            "statusEmbed.position",
            POSITION,
            json!(position),
            text(remote.position.as_deref()),
        )
    });
    let colors = [
        (
            "statusEmbed.incidentBackgroundColor",
            "incident_background_color",
            &declared.incident_background_color,
            &remote.incident_background_color,
        ),
        (
            "statusEmbed.incidentTextColor",
            "incident_text_color",
            &declared.incident_text_color,
            &remote.incident_text_color,
        ),
        (
            "statusEmbed.maintenanceBackgroundColor",
            "maintenance_background_color",
            &declared.maintenance_background_color,
            &remote.maintenance_background_color,
        ),
        (
            "statusEmbed.maintenanceTextColor",
            "maintenance_text_color",
            &declared.maintenance_text_color,
            &remote.maintenance_text_color,
        ),
    ];
    let colors = colors.into_iter().filter_map(|(name, wire, desired, observed)| {
        Some(color_field(name, wire, desired.as_deref()?, observed.as_deref()))
    });
    position.into_iter().chain(colors).collect()
}

/// The request that writes settings, or those of the status embed: the planner never mixes the two.
pub(in crate::engine) fn settings_request(body: Map<String, Value>) -> Result<Request, Blocked> {
    let of_embed = |name: &str| name == POSITION || name.starts_with("incident_") || name.starts_with("maintenance_");
    if body.keys().any(|name| of_embed(name)) {
        return Ok(Request::UpdateStatusEmbed(Box::new(write(body)?)));
    }
    Ok(Request::UpdatePage(Box::new(write(body)?)))
}
