//! A page that people made by hand: at least three objects of every resource, with names that have broken somebody's
//! tool before.

use serde_json::{Value, json};
use statuspage_operator::server::{PageSeed, ServerOptions};

use crate::server::{PAGE, Running, TOKEN, answer, options, text};

pub(crate) const ORGANIZATION: &str = "acme-org";
/// Another page of the same organization.
const OTHER_PAGE: &str = "page00000002";

/// Names for every kind that has some.
pub(crate) const ODD_NAMES: [&str; 18] = [
    "API",
    "no",
    "1e3",
    "- a: b",
    "Données – 数据 🚀",
    "# no comment",
    "key: value",
    "  spaces around  ",
    "'single' and \"double\"",
    "line\nbreak",
    "1_000",
    "~",
    "null",
    "2026-01-01",
    "1:30",
    "tab\there\\n",
    "!tag &anchor *alias %TAG",
    "Api",
];

/// A text of several lines that a careless writer of YAML breaks.
const ODD_TEXT: &str = "First: text\n\n  indented\n- a\n# b\n\ttab  \n---\n...\nlast line that is quite a bit longer than eighty characters, so that folding it would show at once";

pub(crate) fn server() -> ServerOptions {
    let mut options = ServerOptions {
        organization: Some(ORGANIZATION.to_owned()),
        rate_limit: 0,
        ..options()
    };
    options.pages.push(PageSeed {
        id: Some(OTHER_PAGE.to_owned()),
        name: "Other".to_owned(),
    });
    options
}

/// 255 characters of more than one byte.
fn long_name() -> String {
    "é".repeat(255)
}

async fn made(running: &Running, path: &str, body: Value) -> String {
    text(&running.ok("POST", path, body).await["id"])
}

async fn of_organization(running: &Running, method: &str, path: &str, body: Value) -> Value {
    let url = format!("{}/v1/organizations/{ORGANIZATION}/{path}", running.origin);
    let request = running.client.request(method.parse().unwrap(), url);
    let (status, body) = answer(request.header("Authorization", format!("OAuth {TOKEN}")).json(&body)).await;
    assert!((200..300).contains(&status), "{status} {body}");
    body
}

/// Fills the page.
pub(crate) async fn fill(running: &Running) {
    settings(running).await;
    let components = components(running).await;
    let metrics = metrics(running).await;
    incidents(running, &components).await;
    templates(running, &components).await;
    subscribers(running, &components).await;
    access(running, &components, &metrics).await;
    members(running).await;
}

async fn settings(running: &Running) {
    let colors = [
        "css_body_background_color",
        "css_font_color",
        "css_light_font_color",
        "css_greens",
        "css_yellows",
        "css_oranges",
        "css_reds",
        "css_blues",
        "css_border_color",
        "css_graph_color",
        "css_link_color",
        "css_no_data",
    ];
    let mut page = json!({
        "name": "Acme: status # 1", "subdomain": "acme-status", "domain": "status.example.com",
        "url": "https://example.com/?a=b#c", "branding": "premium", "time_zone": "Europe/Zurich",
        "hidden_from_search": true, "viewers_must_be_team_members": false, "allow_page_subscribers": true,
        "allow_incident_subscribers": true, "allow_email_subscribers": true, "allow_sms_subscribers": true,
        "allow_rss_atom_feeds": false, "allow_webhook_subscribers": true,
        "notifications_from_email": "noreply@example.com", "notifications_email_footer": ODD_TEXT,
    });
    for (number, color) in colors.iter().enumerate() {
        // Digits alone, digits with an exponent, letters: as text all the same.
        page[color] = json!(["000000", "1E3456", "FFCC00"][number % 3]);
    }
    running.ok("PATCH", "", json!({"page": page})).await;
    let embed = json!({"status_embed_config": {
        "position": "top-right", "incident_background_color": "112233", "incident_text_color": "445566",
        "maintenance_background_color": "123e45", "maintenance_text_color": "abcdef",
    }});
    running.ok("PATCH", "/status_embed_config", embed).await;
}

async fn components(running: &Running) -> Vec<String> {
    let mut ids = Vec::new();
    for name in ODD_NAMES {
        let body = json!({"component": {
            "name": name, "description": format!("about {name}\n\n- a\n- b"), "showcase": name.len() % 2 == 0,
            "only_show_if_degraded": name == "no", "start_date": "2025-01-31",
        }});
        ids.push(made(running, "/components", body).await);
    }
    ids.push(made(running, "/components", json!({"component": {"name": long_name()}})).await);
    for group in ["no", "Région 1 🚀", "- a: b", "Region 1"] {
        // Equal names in different groups.
        let mut members = Vec::new();
        for name in ["Web", "Database"] {
            let body = json!({"component": {"name": name, "status": "degraded_performance"}});
            members.push(made(running, "/components", body).await);
        }
        let body = json!({"component_group": {"name": group, "description": ODD_TEXT, "components": members}});
        running.ok("POST", "/component-groups", body).await;
    }
    ids
}

async fn metrics(running: &Running) -> Vec<String> {
    let providers = [
        json!({"type": "Self"}),
        json!({"type": "Datadog", "api_key": "k", "application_key": "a", "metric_base_uri": "https://api.example.com"}),
        json!({"type": "NewRelic", "api_key": "k", "metric_base_uri": "https://nr.example.com"}),
        json!({"type": "Librato", "email": "ops@example.com", "api_token": "t"}),
        json!({"type": "Pingdom", "api_token": "t"}),
    ];
    let mut ids = Vec::new();
    for provider in providers {
        let transform = if provider["type"] == "Pingdom" {
            "uptime"
        } else {
            "average"
        };
        let provider = made(running, "/metrics_providers", json!({"metrics_provider": provider})).await;
        let path = format!("/metrics_providers/{provider}/metrics");
        for (name, ends) in [
            ("Latency", [json!(0), json!(100)]),
            ("on", [json!(0.5), Value::Null]),
            ("Latency", [Value::Null, Value::Null]),
        ] {
            let body = json!({"metric": {
                "name": name, "metric_identifier": "avg:no{*}", "suffix": " ms", "y_axis_min": ends[0],
                "y_axis_max": ends[1], "y_axis_hidden": true, "display": true, "decimal_places": 2,
                "tooltip_description": "1e3", "transform": transform,
            }});
            ids.push(made(running, &path, body).await);
        }
    }
    ids
}

async fn incidents(running: &Running, components: &[String]) {
    let statuses = ["investigating", "identified", "monitoring", "resolved"];
    for (number, status) in statuses.iter().enumerate() {
        let body = json!({"incident": {
            "name": ODD_NAMES[number + 1], "status": "investigating", "body": ODD_TEXT,
            "component_ids": [components[number]], "components": {&components[number]: "partial_outage"},
            "deliver_notifications": false, "impact_override": "critical",
        }});
        let incident = format!("/incidents/{}", made(running, "/incidents", body).await);
        let body = json!({"incident": {"body": "second\n", "status": status, "deliver_notifications": false}});
        running.ok("PATCH", &incident, body).await;
        if *status == "resolved" {
            let draft = json!({"postmortem": {"body_draft": format!("# What happened\n\n{ODD_TEXT}\n")}});
            running.ok("PUT", &format!("{incident}/postmortem"), draft).await;
            let publish = json!({"postmortem": {"notify_subscribers": false}});
            running
                .ok("PUT", &format!("{incident}/postmortem/publish"), publish)
                .await;
        }
    }
    // The status alone was moved, without a text.
    let body = json!({"incident": {"name": "no text", "status": "investigating", "body": "We look."}});
    let incident = made(running, "/incidents", body).await;
    for follower in [
        json!({"email": "Follower@example.com"}),
        json!({"email": "no@example.com"}),
        json!({"phone_country": "US", "phone_number": "2025550199"}),
    ] {
        let path = format!("/incidents/{incident}/subscribers");
        running.ok("POST", &path, json!({"subscriber": follower})).await;
    }
    let body = json!({"incident": {"status": "monitoring"}});
    running.ok("PATCH", &format!("/incidents/{incident}"), body).await;
    for day in 1..=3 {
        let body = json!({"incident": {
            "name": "Long ago", "status": "resolved", "body": "It was over soon.", "backfilled": true,
            "backfill_date": format!("2025-06-0{day}T10:00:00Z"),
        }});
        running.ok("POST", "/incidents", body).await;
    }
    maintenances(running, components).await;
}

async fn maintenances(running: &Running, components: &[String]) {
    let flags = |values: [bool; 7]| {
        json!({
            "scheduled_remind_prior": values[0], "scheduled_auto_in_progress": values[1],
            "scheduled_auto_completed": values[2], "auto_transition_to_maintenance_state": values[3],
            "auto_transition_to_operational_state": values[4],
            "auto_transition_deliver_notifications_at_start": values[5],
            "auto_transition_deliver_notifications_at_end": values[6],
        })
    };
    for (name, values, affected, status) in [
        ("Maintenance", [true; 7], &components[1..3], None),
        ("Maintenance", [false; 7], &components[3..4], None),
        (
            "off",
            [false, true, false, true, false, true, false],
            &components[4..6],
            None,
        ),
        (
            "- one: way back",
            [true, false, true, false, true, false, true],
            &components[6..7],
            None,
        ),
        ("Nothing affected", [true; 7], &components[..0], None),
        (
            "Running",
            [false, false, false, true, true, true, true],
            &components[7..9],
            Some("in_progress"),
        ),
        (
            "Done",
            [false, false, false, true, true, true, true],
            &components[9..10],
            Some("completed"),
        ),
    ] {
        let mut incident = flags(values);
        for (field, value) in [
            ("name", json!(name)),
            ("status", json!("scheduled")),
            ("body", json!(ODD_TEXT)),
            ("scheduled_for", json!("2031-01-01T01:00:00Z")),
            ("scheduled_until", json!("2031-01-01T02:00:00Z")),
            ("component_ids", json!(affected)),
        ] {
            incident[field] = value;
        }
        let id = made(running, "/incidents", json!({"incident": incident})).await;
        if let Some(status) = status {
            let moved: serde_json::Map<String, Value> = affected
                .iter()
                .map(|id| (id.clone(), json!("under_maintenance")))
                .collect();
            let body = json!({"incident": {"status": status, "body": "It begins.", "components": moved}});
            running.ok("PATCH", &format!("/incidents/{id}"), body).await;
        }
    }
}

async fn templates(running: &Running, components: &[String]) {
    for (number, name) in ODD_NAMES.iter().chain(&["API"]).enumerate() {
        let body = json!({"template": {
            "name": name, "title": format!("{name}!"), "body": ODD_TEXT, "group_id": "group0000001",
            "update_status": "identified", "should_tweet": number % 2 == 0, "should_send_notifications": true,
            "component_ids": components[..number % 3],
        }});
        running.ok("POST", "/incident_templates", body).await;
    }
}

async fn subscribers(running: &Running, components: &[String]) {
    for subscriber in [
        json!({"email": "Team@Example.com"}),
        json!({"email": "o'hara+no@example.com", "component_ids": [components[0], components[2]]}),
        json!({"endpoint": "https://example.com/hook?a=#b", "email": "ops@example.com"}),
        json!({"phone_country": "US", "phone_number": "2025550123", "component_ids": [components[1]]}),
    ] {
        running
            .ok("POST", "/subscribers", json!({"subscriber": subscriber}))
            .await;
    }
}

async fn access(running: &Running, components: &[String], metrics: &[String]) {
    let mut users = Vec::new();
    for user in [
        json!({"email": "Viewer@Example.com", "external_login": "0e1-jo"}),
        json!({"email": "no@example.com"}),
        json!({"external_login": "- x"}),
    ] {
        users.push(made(running, "/page_access_users", json!({"page_access_user": user})).await);
    }
    let granted = json!({"component_ids": components[..2]});
    let path = format!("/page_access_users/{}/components", users[0]);
    running.ok("POST", &path, granted).await;
    for (name, identifier, count) in [("Customers", "no", 3), ("Customers", "1e3", 2), ("数据 🚀", "", 0)] {
        let body = json!({"page_access_group": {
            "name": name, "external_identifier": identifier, "page_access_user_ids": users[..count],
            "component_ids": components[..count], "metric_ids": metrics[..count],
        }});
        running.ok("POST", "/page_access_groups", body).await;
    }
}

async fn members(running: &Running) {
    for (first, last, pages) in [
        (
            "Zoë",
            "O'Hara",
            json!({PAGE: {"incident_manager": true}, OTHER_PAGE: {"page_configuration": true}}),
        ),
        ("no", "null", json!({PAGE: {}})),
        ("数据", "1e3", json!({OTHER_PAGE: {"maintenance_manager": true}})),
    ] {
        let user = json!({"user": {
            "email": format!("{last}@example.com"), "password": "x", "first_name": first, "last_name": last,
        }});
        let user = text(&of_organization(running, "POST", "users", user).await["id"]);
        let pages = json!({ "pages": pages });
        of_organization(running, "PUT", &format!("permissions/{user}"), pages).await;
    }
}
