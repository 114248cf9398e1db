//! Settings of the page and of its status embed: one table says for both directions which word of a manifest is which
//! word of the API.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Body, write};
use crate::api::{PageSettings, StatusEmbed};
use crate::engine::fields::{Comparison, Field, color};
use crate::engine::outcome::Blocked;
use crate::engine::request::Request;
use crate::statuspage::{Page, StatusEmbedConfig};

use Comparison::{Caseless, Color, Plain};

/// A field of the manifest's spec, its name in the API, and how it is compared.
type Row = (&'static str, &'static str, Comparison);

const SETTINGS: &[Row] = &[
    ("settings.name", "name", Plain),
    ("settings.subdomain", "subdomain", Caseless),
    ("settings.domain", "domain", Plain),
    ("settings.url", "url", Plain),
    ("settings.timeZone", "time_zone", Plain),
    ("settings.branding", "branding", Plain),
    ("settings.colors.bodyBackground", "css_body_background_color", Color),
    ("settings.colors.font", "css_font_color", Color),
    ("settings.colors.lightFont", "css_light_font_color", Color),
    ("settings.colors.greens", "css_greens", Color),
    ("settings.colors.yellows", "css_yellows", Color),
    ("settings.colors.oranges", "css_oranges", Color),
    ("settings.colors.reds", "css_reds", Color),
    ("settings.colors.blues", "css_blues", Color),
    ("settings.colors.border", "css_border_color", Color),
    ("settings.colors.graph", "css_graph_color", Color),
    ("settings.colors.link", "css_link_color", Color),
    ("settings.colors.noData", "css_no_data", Color),
    ("settings.hiddenFromSearch", "hidden_from_search", Plain),
    (
        "settings.viewersMustBeTeamMembers",
        "viewers_must_be_team_members",
        Plain,
    ),
    ("settings.allowPageSubscribers", "allow_page_subscribers", Plain),
    ("settings.allowIncidentSubscribers", "allow_incident_subscribers", Plain),
    ("settings.allowEmailSubscribers", "allow_email_subscribers", Plain),
    ("settings.allowSmsSubscribers", "allow_sms_subscribers", Plain),
    ("settings.allowRssAtomFeeds", "allow_rss_atom_feeds", Plain),
    ("settings.allowWebhookSubscribers", "allow_webhook_subscribers", Plain),
    ("settings.notificationsFromEmail", "notifications_from_email", Plain),
    ("settings.notificationsEmailFooter", "notifications_email_footer", Plain),
];

const EMBED: &[Row] = &[
    ("statusEmbed.position", "position", Plain),
    (
        "statusEmbed.incidentBackgroundColor",
        "incident_background_color",
        Color,
    ),
    ("statusEmbed.incidentTextColor", "incident_text_color", Color),
    (
        "statusEmbed.maintenanceBackgroundColor",
        "maintenance_background_color",
        Color,
    ),
    ("statusEmbed.maintenanceTextColor", "maintenance_text_color", Color),
];

/// The declared settings beside the remote ones.
pub(in crate::engine) fn settings_fields(settings: &PageSettings, page: &Page) -> Vec<Field> {
    fields(SETTINGS, settings, page)
}

/// The declared status embed beside the remote one.
pub(in crate::engine) fn embed_fields(declared: &StatusEmbed, remote: &StatusEmbedConfig) -> Vec<Field> {
    fields(EMBED, declared, remote)
}

/// What a StatusPage would declare to say all that the page says: `settings`, and `statusEmbed` where it was read.
/// What the page does not have set is left out.
pub fn declared_settings(page: &Page, embed: Option<&StatusEmbedConfig>) -> Map<String, Value> {
    let mut spec = Value::Object(Map::new());
    let embed = embed.map(|embed| (EMBED, json(embed)));
    for (rows, remote) in [(SETTINGS, json(page))].into_iter().chain(embed) {
        for (name, wire, comparison) in rows {
            let value = match (comparison, observed(wire, *comparison, &remote)) {
                (_, Value::Null) => continue,
                (Color, Value::String(text)) if !is_color(&text) => continue,
                (Color, Value::String(text)) => json!(format!("#{}", color(&text))),
                (_, Value::String(text)) if text.is_empty() => continue,
                (_, value) => value,
            };
            let path = name.split('.');
            *path.fold(&mut spec, |place, key| &mut place[key]) = value;
        }
    }
    match spec {
        Value::Object(spec) => spec,
        _ => Map::new(),
    }
}

fn fields(rows: &[Row], declared: &impl Serialize, remote: &impl Serialize) -> Vec<Field> {
    let (declared, remote) = (json(declared), json(remote));
    let of_row = |(name, wire, comparison): &Row| {
        // The first word names the part of the spec that is at hand.
        let desired = name
            .split('.')
            .skip(1)
            .try_fold(&declared, |place, key| place.get(key))?;
        let desired = match (comparison, desired.as_str()) {
            // Sent as it is read back.
            (Color, Some(text)) => json!(color(text)),
            _ => desired.clone(),
        };
        let observed = observed(wire, *comparison, &remote);
        Some(Field::new(name, wire, desired, Some(observed)).compared(*comparison))
    };
    rows.iter().filter_map(of_row).collect()
}

fn observed(wire: &str, comparison: Comparison, remote: &Value) -> Value {
    let value = remote.get(wire).cloned().unwrap_or_default();
    match (comparison, value.as_str()) {
        // Some replies have the whole host.
        (Caseless, Some(host)) => json!(host.trim_end_matches(".statuspage.io")),
        _ => value,
    }
}

fn is_color(text: &str) -> bool {
    let digits = color(text);
    digits.len() == 6 && digits.chars().all(|digit| digit.is_ascii_hexdigit())
}

/// These types become JSON in any case.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The request that writes settings, or those of the status embed: the planner never mixes the two.
pub(in crate::engine) fn settings_request(body: Body) -> Result<Request, Blocked> {
    if body.keys().any(|name| EMBED.iter().any(|(_, wire, _)| name == wire)) {
        return Ok(Request::UpdateStatusEmbed(Box::new(write(body)?)));
    }
    Ok(Request::UpdatePage(Box::new(write(body)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writable_setting_is_in_the_table() {
        // Returned, but in no documented write (reference W7).
        let unwritable = [
            "page_description",
            "headline",
            "support_url",
            "twitter_username",
            "ip_restrictions",
            "city",
            "state",
            "country",
        ];
        let read = json(&Page::default());
        let ours: Vec<&str> = SETTINGS.iter().map(|(_, wire, _)| *wire).collect();
        for wire in read.as_object().unwrap().keys() {
            let server_only = ["id", "created_at", "updated_at", "activity_score"].contains(&wire.as_str());
            let left = server_only || unwritable.contains(&wire.as_str());
            assert_eq!(ours.contains(&wire.as_str()), !left, "{wire}");
        }
        let embed = json(&StatusEmbedConfig::default());
        assert_eq!(embed.as_object().unwrap().len(), EMBED.len() + 1, "all but the page_id");
    }

    #[test]
    fn what_a_page_says_declared_is_what_it_says() {
        let mut page = json!({"id": "p"});
        for (_, wire, comparison) in SETTINGS {
            page[wire] = match comparison {
                Color => json!("FfCc00"),
                Caseless => json!("Acme.statuspage.io"),
                _ if *wire == "branding" => json!("premium"),
                _ if wire.starts_with("allow_") => json!(true),
                _ if wire.starts_with("hidden_") || wire.starts_with("viewers_") => json!(false),
                _ => json!("- no: #"),
            };
        }
        let page: Page = serde_json::from_value(page).unwrap();
        let embed = StatusEmbedConfig {
            position: Some("top-left".into()),
            incident_text_color: Some("abc".into()),
            ..Default::default()
        };
        let spec = declared_settings(&page, Some(&embed));
        assert_eq!(spec["settings"]["colors"]["noData"], "#ffcc00");
        assert_eq!(spec["settings"]["subdomain"], "Acme");
        assert_eq!(
            spec["statusEmbed"],
            json!({"position": "top-left", "incidentTextColor": "#aabbcc"})
        );
        let settings: PageSettings = serde_json::from_value(spec["settings"].clone()).unwrap();
        let declared: StatusEmbed = serde_json::from_value(spec["statusEmbed"].clone()).unwrap();
        let fields = settings_fields(&settings, &page);
        assert_eq!(fields.len(), SETTINGS.len());
        let none = Default::default();
        for fields in [fields, embed_fields(&declared, &embed)] {
            let found =
                crate::engine::fields::compare(&fields, &none, crate::api::DriftPolicy::Correct, Default::default());
            assert_eq!(found.body, Map::new());
        }
    }
}
