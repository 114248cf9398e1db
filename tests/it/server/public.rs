//! What everybody may read of a page: `/api/v2/*.json`.

use serde_json::{Value, json};
use statuspage_operator::server::{PageSeed, ServerOptions};

use super::{Running, answer, column, options, text};

impl Running {
    /// A public document, by the host that is asked for.
    async fn public(&self, host: &str, document: &str) -> (u16, Value) {
        let url = format!("{}/api/v2/{document}", self.origin);
        answer(self.client.get(url).header("Host", host)).await
    }

    async fn shown(&self, document: &str) -> Value {
        let (status, body) = self.public("page00000001.localhost", document).await;
        assert_eq!(status, 200, "{document}: {body}");
        body
    }
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn every_document_has_the_fields_of_the_real_one() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let group = json!({"component_group": {"name": "Core", "components": [api]}});
    running.ok("POST", "/component-groups", group).await;
    let outage = json!({"incident": {"name": "Outage", "status": "investigating", "body": "We look.",
                                     "components": {&api: "partial_outage"}, "component_ids": [api]}});
    running.ok("POST", "/incidents", outage).await;
    let upgrade = json!({"incident": {"name": "Upgrade", "body": "Soon.", "scheduled_for": "2026-04-01T00:00:00Z",
                                      "scheduled_until": "2026-04-01T01:00:00Z"}});
    running.ok("POST", "/incidents", upgrade).await;

    let summary = running.shown("summary.json").await;
    assert_eq!(
        keys(&summary),
        ["components", "incidents", "page", "scheduled_maintenances", "status"]
    );
    let page = json!({"id": "page00000001", "name": "Acme", "url": "https://acme.statuspage.io", "time_zone": "Etc/UTC",
                      "updated_at": "2026-03-01T12:00:00.000Z"});
    assert_eq!(summary["page"], page);
    let component = [
        "created_at",
        "description",
        "group",
        "group_id",
        "id",
        "name",
        "only_show_if_degraded",
        "page_id",
        "position",
        "showcase",
        "start_date",
        "status",
        "updated_at",
    ];
    let listed = &summary["components"];
    assert_eq!(keys(&listed[1]), component);
    let mut of_group = [component.as_slice(), &["components"]].concat();
    of_group.sort_unstable();
    assert_eq!(
        (keys(&listed[0]), &listed[0]["status"]),
        (of_group, &json!("partial_outage"))
    );
    let incident = [
        "components",
        "created_at",
        "id",
        "impact",
        "incident_updates",
        "monitoring_at",
        "name",
        "page_id",
        "reminder_intervals",
        "resolved_at",
        "shortlink",
        "started_at",
        "status",
        "updated_at",
    ];
    assert_eq!(keys(&summary["incidents"][0]), incident);
    assert_eq!(summary["incidents"][0]["components"][0], listed[1]);
    let mut maintenance = [incident.as_slice(), &["scheduled_for", "scheduled_until"]].concat();
    maintenance.sort_unstable();
    assert_eq!(keys(&summary["scheduled_maintenances"][0]), maintenance);
    let update = [
        "affected_components",
        "body",
        "created_at",
        "custom_tweet",
        "deliver_notifications",
        "display_at",
        "id",
        "incident_id",
        "status",
        "tweet_id",
        "updated_at",
    ];
    assert_eq!(keys(&summary["incidents"][0]["incident_updates"][0]), update);

    for (document, part) in [
        ("status", "status"),
        ("components", "components"),
        ("incidents", "incidents"),
        ("incidents/unresolved", "incidents"),
        ("scheduled-maintenances", "scheduled_maintenances"),
        ("scheduled-maintenances/active", "scheduled_maintenances"),
        ("scheduled-maintenances/upcoming", "scheduled_maintenances"),
    ] {
        let body = running.shown(&format!("{document}.json")).await;
        assert_eq!(body["page"], page);
        let mut both = ["page", part];
        both.sort_unstable();
        assert_eq!(keys(&body), both);
        if document != "scheduled-maintenances/active" {
            assert_eq!(body[part], summary[part], "{document}");
        }
    }
    let everything = summary.to_string();
    assert!(!everything.contains("automation_email") && !everything.contains("metadata"));
}

#[tokio::test]
async fn the_status_of_the_page_follows_from_all_components() {
    let running = Running::start().await;
    assert_eq!(running.shown("status.json").await["status"]["indicator"], "none");
    let ids = [running.component("a").await, running.component("b").await];
    for (statuses, indicator, description) in [
        (["operational", "operational"], "none", "All Systems Operational"),
        (
            ["operational", "under_maintenance"],
            "maintenance",
            "Service Under Maintenance",
        ),
        (
            ["under_maintenance", "degraded_performance"],
            "minor",
            "Partially Degraded Service",
        ),
        (
            ["degraded_performance", "degraded_performance"],
            "minor",
            "Degraded System Service",
        ),
        (["operational", "partial_outage"], "minor", "Minor Service Outage"),
        (["partial_outage", "partial_outage"], "major", "Partial System Outage"),
        (["operational", "major_outage"], "major", "Partial System Outage"),
        (["major_outage", "major_outage"], "critical", "Major System Outage"),
    ] {
        for (id, status) in ids.iter().zip(statuses) {
            let change = json!({"component": {"status": status}});
            running.ok("PATCH", &format!("/components/{id}"), change).await;
        }
        let seen = running.shown("status.json").await;
        assert_eq!(
            seen["status"],
            json!({"indicator": indicator, "description": description}),
            "{statuses:?}"
        );
    }
}

#[tokio::test]
async fn lists_show_the_newest_fifty_and_postmortems() {
    let running = Running::start().await;
    let mut last = String::new();
    for number in 0..52 {
        let made = json!({"incident": {"name": format!("{number}"), "status": "resolved", "body": "Over."}});
        last = text(&running.ok("POST", "/incidents", made).await["id"]);
        running.advance(60).await;
    }
    let old =
        json!({"incident": {"name": "Long ago", "body": "Over.", "backfilled": true, "backfill_date": "2020-01-01"}});
    running.ok("POST", "/incidents", old).await;
    let draft = json!({"postmortem": {"body_draft": "A cable."}});
    running.ok("PUT", &format!("/incidents/{last}/postmortem"), draft).await;
    let before = running.shown("incidents.json").await;
    assert!(!before.to_string().contains("A cable."), "a draft is nobody's to read");
    running
        .ok("PUT", &format!("/incidents/{last}/postmortem/publish"), json!({}))
        .await;

    let incidents = running.shown("incidents.json").await["incidents"].clone();
    let names = column(&incidents, "name");
    assert_eq!((names.len(), &names[0], &names[49]), (50, &json!("51"), &json!("2")));
    assert_eq!(incidents[0]["status"], "postmortem");
    assert_eq!(
        column(&incidents[0]["incident_updates"], "status"),
        ["postmortem", "resolved"]
    );
    assert_eq!(incidents[0]["incident_updates"][0]["body"], "A cable.");
}

#[tokio::test]
async fn the_host_says_which_page() {
    let mut options = options();
    options.pages.push(PageSeed {
        id: Some("page00000002".to_owned()),
        name: "Other".to_owned(),
    });
    let running = Running::start_with(options).await;
    let change = json!({"page": {"domain": "status.example.com"}});
    running.ok("PATCH", "", change).await;
    for (host, name) in [
        ("page00000001.statuspage.io", "Acme"),
        ("PAGE00000002.localhost:8080", "Other"),
        ("other.localhost", "Other"),
        ("status.example.com", "Acme"),
    ] {
        let (_, body) = running.public(host, "status.json").await;
        assert_eq!(body["page"]["name"], name, "{host}");
    }
    let (_, body) = running.public("status.example.com", "status.json").await;
    assert_eq!(body["page"]["url"], "https://status.example.com");
    let nobody = (404, json!({"error": "Not found"}));
    assert_eq!(running.public("127.0.0.1:8080", "status.json").await, nobody);
    let one = Running::start().await;
    assert_eq!(one.public("127.0.0.1:8080", "status.json").await.0, 200);
}

#[tokio::test]
async fn everybody_may_read_and_nobody_may_write() {
    let running = Running::start_with(ServerOptions {
        rate_limit: 1,
        ..options()
    })
    .await;
    let url = format!("{}/api/v2/summary.json", running.origin);
    for _ in 0..3 {
        let response = running.client.get(&url).send().await.unwrap();
        assert_eq!(response.status(), 200, "it costs nothing of the budget");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
    assert_eq!(answer(running.client.post(&url)).await.0, 405);
    for path in [
        "/api/v2/summary",
        "/api/v2/nothing.json",
        "/api/v2/incidents/abc.json",
        "/api/v2",
        "/api/v1/status.json",
    ] {
        let request = running.client.get(format!("{}{path}", running.origin));
        assert_eq!(answer(request).await, (404, json!({"error": "Not found"})), "{path}");
    }
    running
        .ok("PATCH", "", json!({"page": {"viewers_must_be_team_members": true}}))
        .await;
    assert_eq!(running.public("acme.localhost", "summary.json").await.0, 401);
}
