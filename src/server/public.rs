//! What everybody may read of a page without a token: `/api/v2/*.json`, rendered from the same state.
//!
//! The real service has a host for each page, so the page is found by the host: its identifier or subdomain before the
//! first dot, or its own domain. A server with one page answers for it whatever the host. Instants are in UTC, also
//! where the page names another time zone.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::ApiError;
use super::incident_updates;
use super::incidents::{Incident, impact_of};
use super::instants::milliseconds;
use super::layout::{Layout, Row};
use super::routes::{Answer, Reply, Verb};
use super::state::{PageState, State, nullable};
use super::words::{ComponentStatus, IncidentStatus};

/// A list shows the newest so many; there is no second page.
const NEWEST: usize = 50;

/// Where all of it is.
const ROOT: &str = "/api/v2/";

/// Whether a path belongs to the public view, known or not.
pub(super) fn is_below(path: &str) -> bool {
    path.starts_with(ROOT)
}

/// The path below `/api/v2`, without the `.json` that it has to end in.
pub(super) fn document(path: &str) -> Option<&str> {
    path.strip_prefix(ROOT)?.strip_suffix(".json")
}

/// The page that a host stands for.
pub(super) fn page_of(state: &State, host: &str) -> Result<String, ApiError> {
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .to_ascii_lowercase();
    let label = host.split('.').next().unwrap_or_default();
    let setting = |page: &PageState, key: &str, wanted: &str| {
        let value = page.document().ok().and_then(|page| page.settings.get(key));
        value
            .and_then(Value::as_str)
            .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
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

/// One document of the public view.
pub(super) fn read(page: &PageState, verb: Verb, document: &str) -> Answer {
    if !["summary", "status", "components"].contains(&document) && feed(document).is_none() {
        return Err(ApiError::not_found());
    }
    if verb != Verb::Get {
        return Err(ApiError::method_not_allowed());
    }
    let layout = Layout::of(page);
    let mut body = Map::new();
    body.insert("page".to_owned(), about(page)?);
    let whole = document == "summary";
    if whole || document == "components" {
        let rows = layout.rows.iter().map(|row| component(page, &layout, *row));
        body.insert("components".to_owned(), rows.collect());
    }
    let open = [Feed::Unresolved, Feed::Unfinished].into_iter().filter(|_| whole);
    for feed in feed(document).into_iter().chain(open) {
        body.insert(feed.key().to_owned(), feed.render(page, &layout));
    }
    if whole || document == "status" {
        body.insert("status".to_owned(), roll_up(page));
    }
    Ok(Reply::ok(Value::Object(body)))
}

fn about(page: &PageState) -> Result<Value, ApiError> {
    let document = page.document()?;
    let text = |key: &str| document.settings.get(key).and_then(Value::as_str).unwrap_or_default();
    if document.settings.get("viewers_must_be_team_members") == Some(&Value::Bool(true)) {
        return Err(ApiError::unauthenticated());
    }
    let url = match text("domain") {
        "" => format!("https://{}.statuspage.io", text("subdomain")),
        domain => format!("https://{domain}"),
    };
    let zone = match text("time_zone") {
        "" | "UTC" => "Etc/UTC",
        zone => zone,
    };
    Ok(json!({
        "id": document.id,
        "name": document.name,
        "url": url,
        "time_zone": zone,
        "updated_at": milliseconds(document.updated_at),
    }))
}

fn component(page: &PageState, layout: &Layout<'_>, row: Row<'_>) -> Value {
    match row {
        Row::Component(component) => json!({
            "id": component.id,
            "name": component.name,
            "status": component.status.as_str(),
            "created_at": milliseconds(component.created_at),
            "updated_at": milliseconds(component.updated_at),
            "position": layout.position(&component.id),
            "description": nullable(component.description.as_deref()),
            "showcase": component.showcase,
            "start_date": component.start_date.map(|date| date.to_string()),
            "group_id": component.group_id,
            "page_id": page.id,
            "group": false,
            "only_show_if_degraded": component.only_show_if_degraded,
        }),
        Row::Group(group) => {
            let members = layout.members(&group.id);
            let worst = members.iter().map(|component| component.status).max();
            json!({
                "id": group.id,
                "name": group.name,
                "status": worst.unwrap_or(ComponentStatus::Operational).as_str(),
                "created_at": milliseconds(group.created_at),
                "updated_at": milliseconds(group.updated_at),
                "position": layout.position(&group.id),
                "description": nullable(group.description.as_deref()),
                "showcase": false,
                "start_date": null,
                "group_id": null,
                "page_id": page.id,
                "group": true,
                "only_show_if_degraded": false,
                "components": members.iter().map(|component| component.id.as_str()).collect::<Vec<_>>(),
            })
        }
    }
}

/// A list of incidents or of maintenances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    Incidents,
    Unresolved,
    Maintenances,
    Active,
    Upcoming,
    /// What the summary shows: active and upcoming.
    Unfinished,
}

fn feed(document: &str) -> Option<Feed> {
    Some(match document {
        "incidents" => Feed::Incidents,
        "incidents/unresolved" => Feed::Unresolved,
        "scheduled-maintenances" => Feed::Maintenances,
        "scheduled-maintenances/active" => Feed::Active,
        "scheduled-maintenances/upcoming" => Feed::Upcoming,
        _ => return None,
    })
}

impl Feed {
    fn key(self) -> &'static str {
        match self {
            Self::Incidents | Self::Unresolved => "incidents",
            Self::Maintenances | Self::Active | Self::Upcoming | Self::Unfinished => "scheduled_maintenances",
        }
    }

    fn shows(self, incident: &Incident) -> bool {
        let status = incident.status;
        match self {
            Self::Incidents => !incident.is_maintenance(),
            Self::Unresolved => !incident.is_maintenance() && !status.is_final(),
            Self::Maintenances => incident.is_maintenance(),
            Self::Active => matches!(status, IncidentStatus::InProgress | IncidentStatus::Verifying),
            Self::Upcoming => status == IncidentStatus::Scheduled,
            Self::Unfinished => incident.is_maintenance() && !status.is_final(),
        }
    }

    fn render(self, page: &PageState, layout: &Layout<'_>) -> Value {
        let mut shown: Vec<(Timestamp, &Incident)> = page
            .incidents
            .values()
            .rev()
            .filter(|incident| self.shows(incident))
            .map(|incident| (incident.started_at(), incident))
            .collect();
        shown.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
        let shown = shown.into_iter().take(NEWEST);
        shown
            .map(|(started, incident)| render(page, layout, incident, started))
            .collect()
    }
}

fn render(page: &PageState, layout: &Layout<'_>, incident: &Incident, started: Timestamp) -> Value {
    let instant = |at: Option<Timestamp>| at.map(milliseconds);
    let affected = incident.component_ids.iter().filter_map(|id| page.components.get(id));
    let affected: Vec<Value> = affected
        .map(|affected| component(page, layout, Row::Component(affected)))
        .collect();
    let published = incident.postmortem.as_ref().and_then(|postmortem| {
        let at = milliseconds(postmortem.published_at?);
        // Shown like an update. It has no identifier of its own.
        Some(json!({
            "id": incident.id,
            "status": "postmortem",
            "body": postmortem.body,
            "incident_id": incident.id,
            "created_at": at,
            "updated_at": instant(postmortem.body_updated_at).unwrap_or_else(|| at.clone()),
            "display_at": at,
            "affected_components": null,
            "deliver_notifications": postmortem.notify_subscribers,
            "custom_tweet": postmortem.custom_tweet,
            "tweet_id": null,
        }))
    });
    let status = if published.is_some() {
        "postmortem"
    } else {
        incident.status.as_str()
    };
    let updates = incident.updates.iter().rev().map(|update| {
        let mut update = incident_updates::render(&incident.id, update);
        if let Value::Object(update) = &mut update {
            update.retain(|key, _| key != "wants_twitter_update" && key != "twitter_updated_at");
        }
        update
    });
    let mut shown = json!({
        "id": incident.id,
        "name": incident.name,
        "status": status,
        "created_at": milliseconds(incident.created_at),
        "updated_at": milliseconds(incident.updated_at),
        "monitoring_at": instant(incident.monitoring_at),
        "resolved_at": instant(incident.resolved_at),
        "impact": incident.impact_override.unwrap_or(incident.worst).as_str(),
        "shortlink": incident.shortlink,
        "started_at": milliseconds(started),
        "page_id": page.id,
        "incident_updates": published.into_iter().chain(updates).collect::<Vec<_>>(),
        "components": affected,
        "reminder_intervals": incident.reminder_intervals,
    });
    if let (true, Value::Object(shown)) = (incident.is_maintenance(), &mut shown) {
        shown.insert("scheduled_for".to_owned(), json!(instant(incident.scheduled_for)));
        shown.insert("scheduled_until".to_owned(), json!(instant(incident.scheduled_until)));
    }
    shown
}

/// The status of the whole page, from its components: what all of them have weighs more than what some have. Source:
/// "Top-level status and incident impact calculations" of Atlassian's support pages.
fn roll_up(page: &PageState) -> Value {
    let of = |component: &super::components::Component| component.status;
    let worst = page.components.values().map(of).max();
    let worst = worst.unwrap_or(ComponentStatus::Operational);
    let all = page.components.values().all(|component| component.status == worst);
    let several = page.components.values().nth(1).is_some();
    let (impact, description) = match (worst, all) {
        (ComponentStatus::Operational, _) => (worst, "All Systems Operational"),
        (ComponentStatus::UnderMaintenance, _) => (worst, "Service Under Maintenance"),
        (ComponentStatus::DegradedPerformance, true) if several => (worst, "Degraded System Service"),
        (ComponentStatus::DegradedPerformance, _) => (worst, "Partially Degraded Service"),
        (ComponentStatus::PartialOutage, false) => (ComponentStatus::DegradedPerformance, "Minor Service Outage"),
        (ComponentStatus::PartialOutage, true) | (ComponentStatus::MajorOutage, false) => {
            (ComponentStatus::PartialOutage, "Partial System Outage")
        }
        (ComponentStatus::MajorOutage, true) => (worst, "Major System Outage"),
    };
    json!({"indicator": impact_of(impact).as_str(), "description": description})
}
