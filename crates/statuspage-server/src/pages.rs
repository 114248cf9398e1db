//! Pages: read and changed, never made or removed through the API.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::instants::seconds;
use super::records::{Page, StatusEmbed};
use super::request::{Answer, Call, Reply, Verb};
use super::state::{PageState, State};
use super::time_zones;
use super::vocabulary::Branding;

const COLOURS: [(&str, &str); 12] = [
    ("css_body_background_color", "ffffff"),
    ("css_font_color", "333333"),
    ("css_light_font_color", "AAAAAA"),
    ("css_greens", "2fcc66"),
    ("css_yellows", "f1c40f"),
    ("css_oranges", "e67e22"),
    ("css_reds", "e74c3c"),
    ("css_blues", "3498db"),
    ("css_border_color", "E0E0E0"),
    ("css_graph_color", "3498db"),
    ("css_link_color", "3498db"),
    ("css_no_data", "B3BAC5"),
];

const FLAGS: [(&str, bool); 8] = [
    ("hidden_from_search", false),
    ("viewers_must_be_team_members", false),
    ("allow_page_subscribers", true),
    ("allow_incident_subscribers", true),
    ("allow_email_subscribers", true),
    ("allow_sms_subscribers", true),
    ("allow_rss_atom_feeds", true),
    ("allow_webhook_subscribers", false),
];

/// Texts that may be changed.
const TEXTS: [&str; 6] = [
    "subdomain",
    "domain",
    "url",
    "notifications_from_email",
    "notifications_email_footer",
    "time_zone",
];

/// Returned, but no documented change touches them.
const READ_ONLY: [&str; 13] = [
    "page_description",
    "headline",
    "support_url",
    "twitter_username",
    "ip_restrictions",
    "city",
    "state",
    "country",
    "favicon_logo",
    "transactional_logo",
    "hero_cover",
    "email_logo",
    "twitter_logo",
];

impl Page {
    /// A page as the console would make it.
    pub(super) fn new(id: String, name: String, now: Timestamp) -> Self {
        let mut settings = Map::new();
        for key in READ_ONLY {
            settings.insert(key.to_owned(), Value::Null);
        }
        for (key, colour) in COLOURS {
            settings.insert(key.to_owned(), colour.into());
        }
        for (key, flag) in FLAGS {
            settings.insert(key.to_owned(), flag.into());
        }
        for key in TEXTS {
            settings.insert(key.to_owned(), Value::Null);
        }
        settings.insert("subdomain".to_owned(), label(&name, &id).into());
        settings.insert("time_zone".to_owned(), "UTC".into());
        settings.insert("branding".to_owned(), Branding::Basic.as_str().into());
        settings.insert(
            "notifications_email_footer".to_owned(),
            format!("This message is about the status of {name}.").into(),
        );
        settings.insert("activity_score".to_owned(), 0.into());
        Self {
            id,
            name,
            created_at: now,
            updated_at: now,
            settings,
            embed: StatusEmbed::default(),
        }
    }

    /// A setting that is a text; empty when it is unset.
    pub(super) fn text(&self, key: &str) -> &str {
        self.settings.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The zone of its times.
    pub(super) fn zone(&self) -> TimeZone {
        time_zones::zone(self.text("time_zone"))
    }

    fn render(&self) -> Value {
        let mut page = Map::new();
        page.insert("id".to_owned(), self.id.clone().into());
        page.insert("created_at".to_owned(), seconds(self.created_at).into());
        page.insert("updated_at".to_owned(), seconds(self.updated_at).into());
        page.insert("name".to_owned(), self.name.clone().into());
        page.extend(self.settings.iter().map(|(key, value)| (key.clone(), value.clone())));
        Value::Object(page)
    }
}

/// The host label that a new page gets from its name.
fn label(name: &str, id: &str) -> String {
    let label: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .take(40)
        .collect();
    if label.is_empty() {
        id.to_ascii_lowercase()
    } else {
        label
    }
}

/// All pages; the only list without paging beside that of the providers.
pub(super) fn list(state: &State) -> Answer {
    let pages: Result<Vec<Value>, ApiError> = state.in_order().map(|page| page.document().map(Page::render)).collect();
    Ok(Reply::ok(Value::Array(pages?)))
}

/// The operations of one page.
pub(super) fn route(page: &mut PageState, verb: Verb, call: &Call<'_>) -> Answer {
    match verb {
        Verb::Get => Ok(Reply::ok(page.document()?.render())),
        Verb::Patch | Verb::Put => update(page, call),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn update(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "page")?;
    let mut document = page.document()?.clone();
    if let Some(name) = fields.name("name", false) {
        document.name = name;
    }
    for (key, _) in FLAGS {
        if let Given::Value(flag) = fields.flag(key) {
            document.settings.insert(key.to_owned(), flag.into());
        }
    }
    for (key, _) in COLOURS {
        if let Given::Value(colour) = fields.colour(key) {
            document.settings.insert(key.to_owned(), colour.into());
        }
    }
    for key in TEXTS {
        match text(&mut fields, key) {
            Given::Absent => {}
            Given::Null if key == "subdomain" || key == "time_zone" => fields.blank(key),
            Given::Null => {
                document.settings.insert(key.to_owned(), Value::Null);
            }
            Given::Value(text) => {
                document.settings.insert(key.to_owned(), text.into());
            }
        }
    }
    if let Given::Value(branding) = fields.word::<Branding>("branding") {
        document
            .settings
            .insert("branding".to_owned(), branding.as_str().into());
    }
    fields.finish()?;
    document.updated_at = call.now;
    let rendered = document.render();
    let id = page.id.clone();
    page.page.put(&id, document);
    Ok(Reply::ok(rendered))
}

/// One of the texts, when it is what its field wants.
fn text(fields: &mut Fields<'_>, key: &str) -> Given<String> {
    match key {
        // Written in Markdown, at any length.
        "notifications_email_footer" => fields.filled(key),
        "notifications_from_email" => fields.email(key),
        "time_zone" => match fields.short(key) {
            Given::Value(name) if time_zones::iana(&name).is_none() => {
                fields.problem("Time zone is not included in the list");
                Given::Absent
            }
            name => name,
        },
        "subdomain" => match fields.short(key) {
            Given::Value(text) => {
                // A full host is read back as its bare label.
                let label = text
                    .strip_suffix(".statuspage.io")
                    .unwrap_or(&text)
                    .to_ascii_lowercase();
                if !is_label(&label) {
                    fields.problem("Subdomain is invalid");
                }
                Given::Value(label)
            }
            nothing => nothing,
        },
        _ => fields.short(key),
    }
}

/// Refuses a subdomain that another page has.
pub(super) fn check_subdomain(state: &State, id: &str, call: &Call<'_>) -> Result<(), ApiError> {
    let named = call
        .body
        .get("page")
        .is_some_and(|page| page.get("subdomain").is_some());
    let page = state.pages.get(id).ok_or_else(ApiError::not_found)?.document()?;
    if named && state.has_subdomain_of(page) {
        return Err(ApiError::invalid(vec!["Subdomain has already been taken".to_owned()]));
    }
    Ok(())
}

/// Whether a text can be a label of a host.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Identifier and name, for whoever lists the pages of a server.
pub(super) fn summary(page: &PageState) -> Option<(String, String)> {
    page.document()
        .ok()
        .map(|document| (document.id.clone(), document.name.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_of_hosts() {
        for good in ["acme", "a", "acme-2", "4711"] {
            assert!(is_label(good), "{good}");
        }
        for bad in [
            "",
            "-acme",
            "acme-",
            "acme.example",
            "a_b",
            "a b",
            "caf\u{e9}",
            &"a".repeat(64),
        ] {
            assert!(!is_label(bad), "{bad}");
        }
    }

    #[test]
    fn a_new_page_has_every_field() {
        let page = Page::new("abc".into(), "Acme Status".into(), Timestamp::UNIX_EPOCH).render();
        assert_eq!(page["subdomain"], json!("acmestatus"));
        assert_eq!(page["branding"], json!("basic"));
        assert_eq!(page["headline"], Value::Null);
        assert_eq!(page["created_at"], json!("1970-01-01T00:00:00Z"));
    }
}
