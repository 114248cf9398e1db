//! Whatever a client sends, it is answered, and never by a failure of the server.

use serde_json::{Map, Value, json};

use super::{Running, answer, text};

/// Values that fit almost nowhere.
fn oddities() -> Vec<Value> {
    vec![
        Value::Null,
        json!(""),
        json!(" "),
        json!("x".repeat(70_000)),
        json!("\u{0}\u{fffd}𝄞"),
        json!("2026-02-30T99:99:99Z"),
        json!("-009999-01-02T01:59:59Z"),
        json!("9999-12-30T22:00:00Z"),
        json!(true),
        json!(0),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!([]),
        json!([[], {}, null, 1]),
        json!({}),
        json!({"": {"": []}}),
    ]
}

#[tokio::test]
async fn odd_values_never_break_the_server() {
    let running = Running::start().await;
    let component = running.component("API").await;
    let group = running
        .ok(
            "POST",
            "/component-groups",
            json!({"component_group": {"name": "G", "components": [component]}}),
        )
        .await;
    let incident = running
        .ok(
            "POST",
            "/incidents",
            json!({"incident": {"name": "x", "status": "resolved"}}),
        )
        .await;
    let provider = running
        .ok(
            "POST",
            "/metrics_providers",
            json!({"metrics_provider": {"type": "Self"}}),
        )
        .await;
    let provider = format!("/metrics_providers/{}", text(&provider["id"]));
    let metric = running
        .ok("POST", &format!("{provider}/metrics"), json!({"metric": {"name": "m"}}))
        .await;
    let metric = format!("/metrics/{}", text(&metric["id"]));
    let update = text(&incident["incident_updates"][0]["id"]);
    let incident = format!("/incidents/{}", text(&incident["id"]));
    let targets: Vec<(&str, String, &str, &[&str])> = vec![
        (
            "POST",
            "/components".into(),
            "component",
            &["name", "description", "group_id", "status", "showcase", "start_date"],
        ),
        (
            "PATCH",
            format!("/components/{component}"),
            "component",
            &["name", "group_id", "start_date", "status"],
        ),
        (
            "PATCH",
            format!("/component-groups/{}", text(&group["id"])),
            "component_group",
            &["name", "components", "description"],
        ),
        (
            "POST",
            "/incidents".into(),
            "incident",
            &[
                "name",
                "status",
                "body",
                "message",
                "component_ids",
                "components",
                "metadata",
                "scheduled_for",
                "scheduled_until",
                "reminder_intervals",
                "backfilled",
                "backfill_date",
                "impact_override",
            ],
        ),
        (
            "PATCH",
            incident.clone(),
            "incident",
            &["name", "status", "body", "components", "metadata", "scheduled_for"],
        ),
        (
            "PATCH",
            format!("{incident}/incident_updates/{update}"),
            "incident_update",
            &["body", "display_at"],
        ),
        ("PUT", format!("{incident}/postmortem"), "postmortem", &["body_draft"]),
        (
            "POST",
            format!("{incident}/subscribers"),
            "subscriber",
            &["email", "phone_number"],
        ),
        (
            "POST",
            "/subscribers".into(),
            "subscriber",
            &["email", "endpoint", "phone_number", "component_ids"],
        ),
        (
            "POST",
            format!("{provider}/metrics"),
            "metric",
            &["name", "y_axis_min", "decimal_places", "transform"],
        ),
        ("POST", format!("{metric}/data"), "data", &["timestamp", "value"]),
        (
            "PATCH",
            String::new(),
            "page",
            &["name", "css_greens", "subdomain", "branding", "hidden_from_search"],
        ),
        (
            "POST",
            "/page_access_users".into(),
            "page_access_user",
            &["email", "page_access_group_ids"],
        ),
        (
            "POST",
            "/page_access_groups".into(),
            "page_access_group",
            &["name", "component_ids", "page_access_user_ids"],
        ),
    ];
    for (method, path, envelope, fields) in &targets {
        for odd in oddities() {
            let mut whole = Map::new();
            whole.insert((*envelope).to_owned(), odd.clone());
            let mut bodies = vec![odd.clone(), Value::Object(whole)];
            for field in *fields {
                let mut inner = Map::new();
                for (key, value) in [("name", json!("n")), ("timestamp", json!(1)), ("value", json!(1))] {
                    inner.insert(key.to_owned(), value);
                }
                inner.insert((*field).to_owned(), odd.clone());
                let mut whole = Map::new();
                whole.insert((*envelope).to_owned(), Value::Object(inner));
                bodies.push(Value::Object(whole));
            }
            for body in bodies {
                let (status, reply) = answer(running.request(method, path).json(&body)).await;
                assert!(status < 500, "{method} {path} {body}: {status} {reply}");
            }
        }
    }
    for query in [
        "start=9999&end=-9999",
        "start=%FF&end=2026-13",
        "page=-1&per_page=99999999999999999999",
        "q=%00&limit=1",
        "state=&type=",
    ] {
        for path in [
            format!("/components/{component}/uptime"),
            "/incidents".into(),
            "/subscribers".into(),
            "/components".into(),
        ] {
            let (status, reply) = running.call("GET", &format!("{path}?{query}"), Value::Null).await;
            assert!(status < 500, "{path}?{query}: {status} {reply}");
        }
    }
    running.get("/incidents").await;
    running.get("/components").await;
}
