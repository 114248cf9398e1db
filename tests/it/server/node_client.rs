//! A reader that somebody else published, unmodified: the npm package `statuspage.js` 1.0.17, of the public API.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PAGE, Running, column, text};
use crate::support::clients::{node, node_command, script};

const PACKAGE: &str = "statuspage.js@1.0.17";

#[tokio::test(flavor = "multi_thread")]
async fn the_published_javascript_client_works_unmodified() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let group = json!({"component_group": {"name": "Core", "components": [api]}});
    let group = text(&running.ok("POST", "/component-groups", group).await["id"]);
    let past = json!({"incident": {"name": "Past", "status": "resolved", "body": "Over."}});
    running.ok("POST", "/incidents", past).await;
    running.advance(60).await;
    let open = json!({"incident": {"name": "Outage", "status": "investigating", "body": "We look.",
                                   "component_ids": [api], "components": {&api: "major_outage"}}});
    let open = text(&running.ok("POST", "/incidents", open).await["id"]);
    for (name, status, from, until) in [
        ("Now", "in_progress", "2026-03-01T11:00:00Z", "2026-03-01T14:00:00Z"),
        ("Later", "scheduled", "2026-03-02T11:00:00Z", "2026-03-02T14:00:00Z"),
    ] {
        let made = json!({"incident": {"name": name, "status": status, "body": "Planned.",
                                       "scheduled_for": from, "scheduled_until": until}});
        running.ok("POST", "/incidents", made).await;
        running.advance(1).await;
    }

    let modules = tokio::task::spawn_blocking(|| node(PACKAGE)).await.unwrap();
    let mut command = node_command("node");
    command
        .arg(script("statuspage_js.js"))
        .arg(PAGE)
        .env("NODE_PATH", modules)
        // The package knows only the host of the real service: to it, the server is a proxy on the way there.
        .env("https_proxy", &running.origin)
        .env_remove("no_proxy")
        .env_remove("NO_PROXY");
    let mut client = crate::directory::Running::start(command);
    let said = client.says("polling").await;
    let seen: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    for document in seen.as_object().unwrap().values() {
        assert_eq!(
            (&document["page"]["id"], &document["page"]["name"]),
            (&json!(PAGE), &json!("Acme"))
        );
        assert_eq!(document["page"]["url"], "https://acme.statuspage.io");
    }
    let names = |method: &str, list: &str| column(&seen[method][list], "name");
    for method in ["summary", "components"] {
        assert_eq!(names(method, "components"), ["Core", "API"]);
        assert_eq!(seen[method]["components"][0]["components"], json!([api]));
        assert_eq!(seen[method]["components"][1]["group_id"], json!(group));
    }
    for method in ["summary", "status"] {
        let status = json!({"indicator": "critical", "description": "Major System Outage"});
        assert_eq!(seen[method]["status"], status);
    }
    for (method, list, wanted) in [
        ("summary", "incidents", &["Outage"] as &[&str]),
        ("summary", "scheduled_maintenances", &["Later", "Now"]),
        ("allIncidents", "incidents", &["Outage", "Past"]),
        ("unresolvedIncidents", "incidents", &["Outage"]),
        ("allScheduledMaintenances", "scheduled_maintenances", &["Later", "Now"]),
        ("activeScheduledMaintenances", "scheduled_maintenances", &["Now"]),
        ("upcomingScheduledMaintenances", "scheduled_maintenances", &["Later"]),
    ] {
        assert_eq!(names(method, list), wanted, "{method}");
    }
    assert_eq!(seen["unresolvedIncidents"]["incidents"][0]["impact"], "critical");

    // Its poller tells of an update as soon as it is there.
    running.advance(60).await;
    let update = json!({"incident": {"status": "identified", "body": "A cable."}});
    running.ok("PATCH", &format!("/incidents/{open}"), update).await;
    let told = client.says("A cable.").await;
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(told["said"], json!(["started", "stopped"]));
    assert_eq!(told["incident"]["id"], json!(open));
    assert!(client.ends(Duration::from_secs(20)).await.success());
}
