//! What everybody may read of a page: `/api/v2/*.json`.

use serde_json::{Value, json};
use statuspage_operator::server::{NotificationKind, PageSeed, ServerOptions};

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
    assert_eq!(running.server.log().count("GET", "/api/v2/summary.json"), 3);
    assert_eq!(answer(running.client.post(&url)).await.0, 405);
    for path in [
        "/api/v2/summary",
        "/api/v2/nothing.json",
        "/api/v2/incidents/abc.json",
        "/api/v2/pages.json",
        "/api/v2/pages",
        "/api/v2/components/abc.json",
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

#[tokio::test]
async fn one_incident_has_a_document_of_its_own() {
    let running = Running::start().await;
    let made = running
        .ok(
            "POST",
            "/incidents",
            json!({"incident": {"name": "Down", "body": "We look."}}),
        )
        .await;
    let upgrade = json!({"incident": {"name": "Upgrade", "scheduled_for": "2026-04-01T00:00:00Z",
                                      "scheduled_until": "2026-04-01T01:00:00Z"}});
    let upgrade = running.ok("POST", "/incidents", upgrade).await;
    let shown = running.shown(&format!("incidents/{}.json", text(&made["id"]))).await;
    assert_eq!(keys(&shown), ["incident", "page"]);
    assert_eq!(shown["incident"], running.shown("incidents.json").await["incidents"][0]);
    let shown = running.shown(&format!("incidents/{}.json", text(&upgrade["id"]))).await;
    assert_eq!(shown["incident"]["scheduled_until"], "2026-04-01T01:00:00.000Z");
}

#[tokio::test]
async fn instants_are_in_the_zone_of_the_page() {
    let running = Running::start().await;
    running
        .ok(
            "PATCH",
            "",
            json!({"page": {"time_zone": "Eastern Time (US & Canada)"}}),
        )
        .await;
    // In summer the clocks differ.
    let upgrade = json!({"incident": {"name": "Upgrade", "body": "Soon.", "scheduled_for": "2026-07-01T00:00:00Z",
                                      "scheduled_until": "2026-07-01T01:00:00Z"}});
    running.ok("POST", "/incidents", upgrade).await;
    let shown = running.shown("summary.json").await;
    assert_eq!(shown["page"]["time_zone"], "America/New_York");
    assert_eq!(shown["page"]["updated_at"], "2026-03-01T07:00:00.000-05:00");
    let maintenance = &shown["scheduled_maintenances"][0];
    assert_eq!(maintenance["created_at"], "2026-03-01T07:00:00.000-05:00");
    assert_eq!(maintenance["scheduled_for"], "2026-06-30T20:00:00.000-04:00");
    assert_eq!(
        maintenance["incident_updates"][0]["display_at"],
        "2026-03-01T07:00:00.000-05:00"
    );
    // The day of a new component is that of the page: in New York it is still the first of March.
    running.advance(15 * 3600).await;
    let made = json!({"component": {"name": "API", "showcase": true}});
    assert_eq!(
        running.ok("POST", "/components", made).await["start_date"],
        "2026-03-01"
    );
}

#[tokio::test]
async fn a_reader_that_has_it_already_is_told_so() {
    let running = Running::start().await;
    let url = format!("{}/api/v2/summary.json", running.origin);
    let get = async |tags: &str| {
        let request = running.client.get(&url).header("If-None-Match", tags);
        let response = request.send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        (response.status().as_u16(), tag, response.bytes().await.unwrap().len())
    };
    let (status, tag, length) = get("\"other\"").await;
    assert_eq!(status, 200);
    assert_eq!(get(&tag).await, (304, tag.clone(), 0));
    assert_eq!(get(&format!("\"a\", {tag}")).await.0, 304);
    assert_eq!(get(tag.trim_start_matches("W/")).await.0, 304);
    assert_eq!(get("*").await.0, 304);
    running.component("API").await;
    let (status, other, longer) = get(&tag).await;
    assert_eq!(status, 200);
    assert!(other != tag && longer > length);
}

#[tokio::test]
async fn a_browser_may_ask_from_the_page_of_somebody_else() {
    let running = Running::start().await;
    let ask = async |path: &str, method: &str| {
        let request = running
            .client
            .request(method.parse().unwrap(), format!("{}{path}", running.origin));
        let request = request
            .header("Origin", "https://example.com")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type,x-one");
        request.send().await.unwrap()
    };
    let response = ask("/api/v2/subscribers.json", "OPTIONS").await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.headers()["access-control-allow-headers"], "content-type,x-one");
    let methods = response.headers()["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("POST") && methods.contains("DELETE"), "{methods}");
    let refused = ask("/api/v2/summary.json", "DELETE").await;
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers()["allow"], "GET, HEAD");
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    let other = ask("/v1/pages", "OPTIONS").await;
    assert!(other.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn people_subscribe_and_leave_by_themselves() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let down = text(
        &running
            .ok("POST", "/incidents", json!({"incident": {"name": "Down"}}))
            .await["id"],
    );
    let public = |method: &str, path: &str, body: Value| {
        let url = format!("{}/api/v2/{path}", running.origin);
        answer(running.client.request(method.parse().unwrap(), url).json(&body))
    };
    let email = json!({"subscriber": {"email": "Ann@example.com", "component_ids": [api],
                                      "skip_confirmation_notification": true}});
    let (status, made) = public("POST", "subscribers.json", email.clone()).await;
    assert_eq!(status, 201);
    assert_eq!(keys(&made), ["page", "subscriber"]);
    assert_eq!(
        made["subscriber"],
        json!({"id": made["subscriber"]["id"], "mode": "email", "email": "ann@example.com",
               "created_at": "2026-03-01T12:00:00.000Z", "skip_confirmation_notification": false,
               "quarantined_at": null, "purge_at": null})
    );
    let waiting = running.get("/subscribers?state=unconfirmed").await;
    assert_eq!(
        column(&waiting, "components"),
        [json!([api])],
        "nobody agrees for somebody else"
    );
    let told = running.server.notifications().pop().unwrap();
    assert_eq!(told.kind, NotificationKind::Confirmation);
    let taken = (422, json!({"error": ["Email has already been taken"]}));
    assert_eq!(public("POST", "subscribers.json", email).await, taken);

    let form = running
        .client
        .post(format!("{}/api/v2/subscribers.json", running.origin))
        .body(format!(
            "subscriber[email]=bob@example.com&subscriber[incident_id]={down}"
        ));
    let (status, bob) = answer(form).await;
    assert_eq!(status, 201);
    let followers = running.get(&format!("/incidents/{down}/subscribers")).await;
    assert_eq!(column(&followers, "email"), ["bob@example.com"]);

    let hook = json!({"subscriber": {"endpoint": "https://example.com/hook", "email": "ops@example.com"}});
    let refused = (
        422,
        json!({"error": ["Webhook subscriptions are not allowed on this page"]}),
    );
    assert_eq!(public("POST", "subscribers.json", hook.clone()).await, refused);
    running
        .ok("PATCH", "", json!({"page": {"allow_webhook_subscribers": true}}))
        .await;
    assert_eq!(public("POST", "subscribers.json", hook).await.0, 201);
    for bad in [
        json!({"email": "x"}),
        json!({"email": "c@example.com", "component_id": "elsewhere"}),
        json!({"email": "c@example.com", "incident_id": "elsewhere"}),
        json!({"endpoint": "https://example.com/2", "incident_id": down}),
    ] {
        let (status, body) = public("POST", "subscribers.json", json!({ "subscriber": bad })).await;
        assert_eq!(status, 422, "{body}");
    }
    assert_eq!(public("GET", "subscribers.json", Value::Null).await.0, 405);

    let id = |made: &Value| text(&made["subscriber"]["id"]);
    let leave = json!({"subscriber": {"id": id(&made)}});
    assert_eq!(
        public("DELETE", "subscribers.json", leave.clone()).await,
        (204, Value::Null)
    );
    assert_eq!(public("DELETE", "subscribers.json", leave).await.0, 404);
    let path = format!("subscribers/{}.json", id(&bob));
    assert_eq!(public("DELETE", &path, Value::Null).await, (204, Value::Null));
    assert_eq!(running.get(&format!("/incidents/{down}/subscribers")).await, json!([]));
    assert_eq!(public("DELETE", "subscribers.json", json!({})).await.0, 400);
    assert_eq!(
        column(&running.get("/subscribers?state=all").await, "mode"),
        ["webhook"]
    );
}
