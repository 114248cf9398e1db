//! What everybody may read of a page without a token, and how they subscribe to it: `/api/v2/*.json`, from the same
//! state.
//!
//! The real service has a host for each page, so the page is found by the host: its identifier or subdomain before the
//! first dot, or its own domain. A server with one page answers for it whatever the host.

mod documents;
mod subscriptions;

use serde_json::{Map, Value, json};

use super::errors::ApiError;
use super::instants::milliseconds_in;
use super::state::{PageState, State};
use super::time_zones;
use crate::request::{Answer, Call, Reply, Verb};
use documents::{Feed, View};

/// Where all of it is.
const ROOT: &str = "/api/v2/";

/// What a browser may send from the pages of others.
pub(super) const METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";

/// Whether a path belongs to the public view, known or not.
pub(super) fn is_below(path: &str) -> bool {
    path.starts_with(ROOT)
}

/// Whether a path is one of the public view: all of them end in `.json`.
pub(super) fn is_document(path: &str) -> bool {
    is_below(path) && path.ends_with(".json")
}

/// The page that a host stands for.
pub(super) fn page_of(state: &State, host: &str) -> Result<String, ApiError> {
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .to_ascii_lowercase();
    let label = host.split('.').next().unwrap_or_default();
    let setting = |page: &PageState, key: &str, wanted: &str| {
        page.document()
            .is_ok_and(|page| !wanted.is_empty() && page.text(key).eq_ignore_ascii_case(wanted))
    };
    let named = state.in_order().find(|page| {
        page.id.eq_ignore_ascii_case(label) || setting(page, "subdomain", label) || setting(page, "domain", &host)
    });
    let mut pages = state.in_order();
    match (named, pages.next(), pages.next()) {
        (Some(page), ..) | (None, Some(page), None) => Ok(page.id.clone()),
        _ => Err(ApiError::not_found()),
    }
}

/// Finds what a request wants of the public view and does it.
pub(super) fn answer(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        (["subscribers"], Verb::Post) => subscriptions::subscribe(page, call),
        (["subscribers"], Verb::Delete) => subscriptions::unsubscribe(page, None, call),
        (["subscribers", id], Verb::Delete) => subscriptions::unsubscribe(page, Some(id), call),
        (["subscribers"] | ["subscribers", _], _) => Err(ApiError::method_not_allowed()),
        _ => read(page, verb, path),
    }
}

/// One document.
fn read(page: &PageState, verb: Verb, path: &[&str]) -> Answer {
    let document = path.join("/");
    let one = match path {
        ["incidents", id] => page.incidents.get(id),
        _ => None,
    };
    let feed = Feed::of(&document);
    let known = ["summary", "status", "components"].contains(&document.as_str());
    if !known && feed.is_none() && one.is_none() {
        return Err(ApiError::not_found());
    }
    if verb != Verb::Get {
        return Err(ApiError::method_not_allowed());
    }
    let view = View::of(page)?;
    let mut body = Map::new();
    body.insert("page".to_owned(), about(page)?);
    let whole = document == "summary";
    if whole || document == "components" {
        body.insert("components".to_owned(), view.components());
    }
    let open = [Feed::Unresolved, Feed::Unfinished].into_iter().filter(|_| whole);
    for feed in feed.into_iter().chain(open) {
        body.insert(feed.key().to_owned(), view.feed(feed));
    }
    if let Some(incident) = one.filter(|_| feed.is_none()) {
        body.insert("incident".to_owned(), view.incident(incident, incident.started_at()));
    }
    if whole || document == "status" {
        body.insert("status".to_owned(), documents::roll_up(page));
    }
    Ok(Reply::ok(Value::Object(body)))
}

/// The page itself, as every document shows it. One for team members only is shown to nobody.
fn about(page: &PageState) -> Result<Value, ApiError> {
    let document = page.document()?;
    if document.settings.get("viewers_must_be_team_members") == Some(&Value::Bool(true)) {
        return Err(ApiError::unauthenticated());
    }
    let url = match document.text("domain") {
        "" => format!("https://{}.statuspage.io", document.text("subdomain")),
        domain => format!("https://{domain}"),
    };
    Ok(json!({
        "id": document.id,
        "name": document.name,
        "url": url,
        "time_zone": time_zones::iana(document.text("time_zone")).unwrap_or("Etc/UTC"),
        "updated_at": milliseconds_in(document.updated_at, &document.zone()),
    }))
}
