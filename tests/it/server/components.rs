//! Components and their groups.

use serde_json::{Value, json};

use super::{PAGE, Running, column, text};

#[tokio::test]
async fn a_component_lives() {
    let running = Running::start().await;
    let (status, made) = running
        .call(
            "POST",
            "/components",
            json!({"component": {"name": "API", "description": "Public"}}),
        )
        .await;
    assert_eq!(status, 201);
    let id = text(&made["id"]);
    assert_eq!(id.len(), 12);
    assert_eq!(made["page_id"], PAGE);
    assert_eq!(made["status"], "operational");
    assert_eq!(made["group_id"], Value::Null);
    assert_eq!(made["position"], 1);
    // Its uptime is shown only when somebody asks for that, and then from this day on.
    assert_eq!((&made["showcase"], &made["start_date"]), (&json!(false), &Value::Null));
    let shown = json!({"component": {"name": "Shown", "showcase": true}});
    let shown = running.ok("POST", "/components", shown).await;
    assert_eq!(
        (&shown["showcase"], &shown["start_date"]),
        (&json!(true), &json!("2026-03-01"))
    );
    running
        .ok("DELETE", &format!("/components/{}", text(&shown["id"])), Value::Null)
        .await;
    assert_eq!(made["created_at"], "2026-03-01T12:00:00Z");
    assert!(text(&made["automation_email"]).starts_with("component+"));
    running.advance(60).await;
    let changed = running
        .ok(
            "PATCH",
            &format!("/components/{id}.json"),
            json!({"component": {"status": "major_outage"}}),
        )
        .await;
    assert_eq!(changed["description"], "Public");
    assert_eq!(changed["updated_at"], "2026-03-01T12:01:00Z");
    let cleared = running
        .ok(
            "PUT",
            &format!("/components/{id}"),
            json!({"component": {"description": "", "status": ""}}),
        )
        .await;
    assert_eq!(
        (&cleared["description"], &cleared["status"]),
        (&json!(""), &json!("operational"))
    );
    assert_eq!(running.get(&format!("/components/{id}")).await, cleared);
    for bad in [
        json!({"status": "broken"}),
        json!({"start_date": ""}),
        json!({"group_id": "unknown"}),
        json!({"name": ""}),
        json!({"name": "x".repeat(256)}),
    ] {
        let (status, body) = running
            .call("PATCH", &format!("/components/{id}"), json!({"component": bad}))
            .await;
        assert_eq!(status, 422, "{body}");
    }
    assert_eq!(
        running.call("DELETE", &format!("/components/{id}"), Value::Null).await,
        (204, Value::Null)
    );
    assert_eq!(
        running
            .call("DELETE", &format!("/components/{id}"), Value::Null)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn groups_live_through_their_members() {
    let running = Running::start().await;
    let (a, b, c) = (
        running.component("a").await,
        running.component("b").await,
        running.component("c").await,
    );
    for bad in [
        json!({"name": "G", "components": []}),
        json!({"components": [a]}),
        json!({"name": "G", "components": ["x"]}),
    ] {
        assert_eq!(
            running
                .call("POST", "/component-groups", json!({"component_group": bad}))
                .await
                .0,
            422
        );
    }
    let body = json!({"description": "beside", "component_group": {"name": "G", "components": [b, a]}});
    let (status, group) = running.call("POST", "/component-groups", body).await;
    assert_eq!(status, 201);
    let id = text(&group["id"]);
    assert_eq!(group["description"], "beside");
    // The order that was sent does not survive.
    assert_eq!(group["components"], json!([a, b]));
    assert_eq!(group["position"], 2);
    running
        .ok(
            "PATCH",
            &format!("/components/{b}"),
            json!({"component": {"status": "partial_outage"}}),
        )
        .await;
    let rows = running.get("/components").await;
    assert_eq!(column(&rows, "name"), ["c", "G", "a", "b"]);
    assert_eq!(column(&rows, "group"), [false, true, false, false]);
    assert_eq!(column(&rows, "position"), [1, 2, 1, 2]);
    assert_eq!(rows[1]["id"], json!(id));
    assert_eq!(rows[1]["status"], "partial_outage");
    assert_eq!(rows[2]["group_id"], json!(id));

    // A change replaces the members; those left out stand alone again.
    let body = json!({"component_group": {"name": "H", "components": [c, a]}});
    let group = running.ok("PATCH", &format!("/component-groups/{id}"), body).await;
    assert_eq!((&group["name"], &group["components"]), (&json!("H"), &json!([a, c])));
    assert_eq!(running.get(&format!("/components/{b}")).await["group_id"], Value::Null);

    // Out by null, into by id, out by the text "null".
    let alone = running
        .ok(
            "PATCH",
            &format!("/components/{a}"),
            json!({"component": {"group_id": null}}),
        )
        .await;
    assert_eq!(alone["group_id"], Value::Null);
    let inside = running
        .ok(
            "PATCH",
            &format!("/components/{a}"),
            json!({"component": {"group_id": id}}),
        )
        .await;
    assert_eq!((&inside["group_id"], &inside["position"]), (&json!(id), &json!(2)));
    running
        .ok(
            "PATCH",
            &format!("/components/{a}"),
            json!({"component": {"group_id": "null"}}),
        )
        .await;

    // The group goes with its last member.
    running.ok("DELETE", &format!("/components/{c}"), Value::Null).await;
    assert_eq!(
        running
            .call("GET", &format!("/component-groups/{id}"), Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(running.get("/component-groups").await, json!([]));
}

#[tokio::test]
async fn a_removed_group_leaves_its_members() {
    let running = Running::start().await;
    let a = running.component("a").await;
    let group = running
        .ok(
            "POST",
            "/component-groups",
            json!({"component_group": {"name": "G", "components": [a]}}),
        )
        .await;
    let id = text(&group["id"]);
    let made = running
        .ok(
            "POST",
            "/components",
            json!({"component": {"name": "a", "group_id": id}}),
        )
        .await;
    assert_eq!((&made["group_id"], &made["position"]), (&json!(id), &json!(2)));
    let (status, gone) = running
        .call("DELETE", &format!("/component-groups/{id}"), Value::Null)
        .await;
    assert_eq!(status, 200);
    assert_eq!(gone["components"].as_array().unwrap().len(), 2);
    let rows = running.get("/components").await;
    assert_eq!(column(&rows, "group_id"), [Value::Null, Value::Null]);
    assert_eq!(column(&rows, "position"), [1, 2]);
}

#[tokio::test]
async fn uptime_counts_outages() {
    let running = Running::start().await;
    let made = json!({"component": {"name": "API", "showcase": true}});
    let id = text(&running.ok("POST", "/components", made).await["id"]);
    let set = |status: &'static str| {
        let path = format!("/components/{id}");
        let running = &running;
        async move {
            running
                .ok("PATCH", &path, json!({"component": {"status": status}}))
                .await
        }
    };
    set("major_outage").await;
    running.advance(3_600).await;
    set("partial_outage").await;
    running.advance(1_800).await;
    set("operational").await;
    running.advance(24 * 3_600).await;
    let uptime = running
        .get(&format!("/components/{id}/uptime?start=2026-03-01&end=2026-03-01"))
        .await;
    assert_eq!(
        (&uptime["major_outage"], &uptime["partial_outage"]),
        (&json!(3_600), &json!(1_800))
    );
    let percentage = uptime["uptime_percentage"].as_f64().unwrap();
    assert!((percentage - 95.21).abs() < 0.01, "{percentage}");
    assert_eq!(uptime["related_events"], json!([]));
    assert_eq!(
        running
            .call("GET", &format!("/components/{id}/uptime?start=2020"), Value::Null)
            .await
            .0,
        422
    );
    running
        .ok(
            "PATCH",
            &format!("/components/{id}"),
            json!({"component": {"showcase": false}}),
        )
        .await;
    assert_eq!(
        running
            .call("GET", &format!("/components/{id}/uptime"), Value::Null)
            .await
            .0,
        422
    );
}
