//! Incidents of all kinds, their updates, postmortems and subscribers.

use serde_json::{Value, json};
use statuspage_operator::server::NotificationKind;

use super::{Running, answer, column, text};

async fn incident(running: &Running, body: Value) -> Value {
    running.ok("POST", "/incidents", json!({ "incident": body })).await
}

#[tokio::test]
async fn a_real_time_incident_changes_its_components_and_collects_updates() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let web = running.component("Web").await;
    let group = json!({"component_group": {"name": "Core", "components": [api]}});
    running.ok("POST", "/component-groups", group).await;
    let made = incident(
        &running,
        json!({"name": "Outage", "body": "We look.\n\n", "component_ids": [api, web],
               "components": {api.as_str(): "partial_outage"}, "metadata": {"tool": {"uid": "7"}},
               "wants_twitter_update": true, "auto_tweet_on_creation": true}),
    )
    .await;
    let id = text(&made["id"]);
    assert_eq!(made["status"], "investigating");
    assert_eq!(made["impact"], "major");
    assert_eq!(made["impact_override"], Value::Null);
    assert_eq!(made["metadata"], json!({"tool": {"uid": "7"}}));
    assert_eq!(made["scheduled_for"], Value::Null);
    assert_eq!(made["created_at"], "2026-03-01T12:00:00Z");
    assert!(text(&made["shortlink"]).starts_with("https://stspg.io/"));
    for dropped in [
        "body",
        "component_ids",
        "deliver_notifications",
        "auto_tweet_on_creation",
    ] {
        assert!(made.get(dropped).is_none(), "{dropped}");
    }
    assert_eq!(column(&made["components"], "status"), ["partial_outage", "operational"]);
    let update = &made["incident_updates"][0];
    assert_eq!(update["body"], "We look.");
    assert_eq!(update["created_at"], "2026-03-01T12:00:00.000Z");
    let mut affected = update["affected_components"].as_array().unwrap().clone();
    affected.sort_by_key(|one| text(&one["name"]));
    assert_eq!(
        affected,
        [
            json!({"code": api, "name": "Core - API", "old_status": "operational", "new_status": "partial_outage"}),
            json!({"code": web, "name": "Web", "old_status": "operational", "new_status": "operational"}),
        ]
    );

    running.advance(60).await;
    let path = format!("/incidents/{id}");
    // A new name alone says nothing to anybody.
    let renamed = running
        .ok("PATCH", &path, json!({"incident": {"name": "Big outage"}}))
        .await;
    assert_eq!(renamed["incident_updates"].as_array().unwrap().len(), 1);
    let resolved = running
        .ok(
            "PATCH",
            &path,
            json!({"incident": {"status": "resolved", "deliver_notifications": false}}),
        )
        .await;
    assert_eq!(
        column(&resolved["incident_updates"], "status"),
        ["resolved", "investigating"]
    );
    assert_eq!(resolved["resolved_at"], "2026-03-01T12:01:00Z");
    // Resolving leaves the components as they are, and the worst impact is kept.
    assert_eq!(
        column(&resolved["components"], "status"),
        ["partial_outage", "operational"]
    );
    let fixed = running
        .ok(
            "PATCH",
            &path,
            json!({"incident": {"components": {api.as_str(): "operational"}}}),
        )
        .await;
    assert_eq!(fixed["impact"], "major");
    assert_eq!(fixed["incident_updates"].as_array().unwrap().len(), 2);
    assert_eq!(
        running.get(&format!("/components/{api}")).await["status"],
        "operational"
    );
    // "message" is the old name of the body.
    let told = running
        .ok("PATCH", &path, json!({"incident": {"message": "All good."}}))
        .await;
    assert_eq!(told["incident_updates"][0]["body"], "All good.");
    let overridden = running
        .ok("PATCH", &path, json!({"incident": {"impact_override": "minor"}}))
        .await;
    assert_eq!(
        (&overridden["impact"], &overridden["impact_override"]),
        (&json!("minor"), &json!("minor"))
    );
    let kinds: Vec<_> = running.server.notifications().into_iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds,
        [NotificationKind::IncidentCreated, NotificationKind::IncidentUpdated]
    );
    let (status, gone) = running.call("DELETE", &path, Value::Null).await;
    assert_eq!((status, &gone["id"]), (200, &json!(id)));
    assert_eq!(running.call("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn what_an_incident_cannot_be_is_refused() {
    let running = Running::start().await;
    let api = running.component("API").await;
    for bad in [
        json!({}),
        json!({"name": "x".repeat(256)}),
        json!({"name": "x", "body": "x".repeat(25_001)}),
        json!({"name": "x", "status": "unknown"}),
        json!({"name": "x", "status": "in_progress"}),
        json!({"name": "x", "status": "resolved", "scheduled_for": "2026-04-01T00:00:00Z"}),
        json!({"name": "x", "scheduled_for": "2026-04-01T00:00:00Z", "scheduled_until": "2026-03-31T00:00:00Z"}),
        json!({"name": "x", "scheduled_for": "soon"}),
        json!({"name": "x", "component_ids": ["elsewhere"]}),
        json!({"name": "x", "components": {api.as_str(): "odd"}}),
        json!({"name": "x", "components": {"elsewhere": "major_outage"}}),
        json!({"name": "x", "metadata": {"flat": 1}}),
        json!({"name": "x", "reminder_intervals": "[3,2]"}),
        json!({"name": "x", "impact_override": "huge"}),
        json!({"name": "x", "backfilled": true}),
        json!({"name": "x", "backfilled": true, "backfill_date": "2026-02-01", "component_ids": [api]}),
    ] {
        let (status, body) = running.call("POST", "/incidents", json!({"incident": bad})).await;
        assert_eq!(status, 422, "{bad}: {body}");
    }
    assert_eq!(running.get("/incidents").await, json!([]));
    assert_eq!(
        running.get(&format!("/components/{api}")).await["status"],
        "operational"
    );
    assert_eq!(running.server.notifications(), []);
    let made = incident(&running, json!({"name": "x"})).await;
    let path = format!("/incidents/{}", text(&made["id"]));
    for bad in [
        json!({"status": "completed"}),
        json!({"scheduled_for": "2026-04-01T00:00:00Z"}),
        json!({"status": "resolved", "components": {api.as_str(): "odd"}}),
    ] {
        assert_eq!(running.call("PATCH", &path, json!({"incident": bad})).await.0, 422);
    }
    assert_eq!(running.get(&path).await, made);
}

#[tokio::test]
async fn time_moves_a_maintenance() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let subscriber = json!({"subscriber": {"email": "a@example.com", "skip_confirmation_notification": true}});
    running.ok("POST", "/subscribers", subscriber).await;
    let made = incident(
        &running,
        json!({"name": "Upgrade", "component_ids": [api], "scheduled_for": "2026-03-01T16:00:00+02:00",
               "scheduled_until": "2026-03-01T15:00:00Z", "scheduled_auto_in_progress": true,
               "scheduled_auto_completed": true, "scheduled_remind_prior": true,
               "auto_transition_to_maintenance_state": true, "auto_transition_to_operational_state": true,
               "auto_transition_deliver_notifications_at_start": true}),
    )
    .await;
    let path = format!("/incidents/{}", text(&made["id"]));
    assert_eq!(
        (&made["status"], &made["impact"]),
        (&json!("scheduled"), &json!("maintenance"))
    );
    assert_eq!(made["scheduled_for"], "2026-03-01T14:00:00Z");
    assert_eq!(made["auto_transition_deliver_notifications_at_end"], Value::Null);
    for (view, count) in [
        ("scheduled", 1),
        ("upcoming", 1),
        ("active_maintenance", 0),
        ("unresolved", 0),
    ] {
        assert_eq!(
            running
                .get(&format!("/incidents/{view}"))
                .await
                .as_array()
                .unwrap()
                .len(),
            count,
            "{view}"
        );
    }
    running.advance(3_600).await;
    assert_eq!(
        running.get(&path).await["scheduled_reminded_at"],
        "2026-03-01T13:00:00Z"
    );
    running.advance(3_600 + 10).await;
    let begun = running.get(&path).await;
    assert_eq!(begun["status"], "in_progress");
    assert_eq!(begun["incident_updates"][0]["created_at"], "2026-03-01T14:00:00.000Z");
    assert_eq!(
        running.get(&format!("/components/{api}")).await["status"],
        "under_maintenance"
    );
    for (view, count) in [("scheduled", 0), ("upcoming", 0), ("active_maintenance", 1)] {
        assert_eq!(
            running
                .get(&format!("/incidents/{view}"))
                .await
                .as_array()
                .unwrap()
                .len(),
            count,
            "{view}"
        );
    }
    running.advance(24 * 3_600).await;
    assert_eq!(
        running.get(&format!("/components/{api}")).await["status"],
        "operational"
    );
    let done = running.get(&path).await;
    assert_eq!(
        (&done["status"], &done["resolved_at"]),
        (&json!("completed"), &json!("2026-03-01T15:00:00Z"))
    );
    assert_eq!(
        column(&done["incident_updates"], "status"),
        ["completed", "in_progress", "scheduled"]
    );
    let told: Vec<_> = running
        .server
        .notifications()
        .into_iter()
        .map(|one| (one.kind, one.recipients.len()))
        .collect();
    assert_eq!(
        told,
        [
            (NotificationKind::IncidentCreated, 1),
            (NotificationKind::MaintenanceReminder, 1),
            (NotificationKind::IncidentUpdated, 1),
        ]
    );
}

#[tokio::test]
async fn a_map_of_statuses_acts_at_once_even_for_a_maintenance_far_away() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let made = incident(
        &running,
        json!({"name": "Later", "scheduled_for": "2026-05-01T00:00:00Z", "scheduled_until": "2026-05-01T01:00:00Z",
               "components": {api.as_str(): "under_maintenance"}}),
    )
    .await;
    assert_eq!(
        running.get(&format!("/components/{api}")).await["status"],
        "under_maintenance"
    );
    let path = format!("/incidents/{}", text(&made["id"]));
    let moved = running
        .ok(
            "PATCH",
            &path,
            json!({"incident": {"scheduled_until": "2026-05-01T02:00:00Z"}}),
        )
        .await;
    assert_eq!(moved["scheduled_until"], "2026-05-01T02:00:00Z");
    assert_eq!(moved["incident_updates"].as_array().unwrap().len(), 1);
    running.advance(90 * 24 * 3_600).await;
    assert_eq!(running.get(&path).await["status"], "scheduled");
}

#[tokio::test]
async fn backfilled_incidents_belong_to_the_past_and_tell_nobody() {
    let running = Running::start().await;
    incident(&running, json!({"name": "now"})).await;
    let made = incident(
        &running,
        json!({"name": "then", "backfilled": true, "backfill_date": "2026-01-02", "body": "It was."}),
    )
    .await;
    assert_eq!(
        (&made["status"], &made["created_at"]),
        (&json!("resolved"), &json!("2026-01-02T00:00:00Z"))
    );
    assert_eq!(running.server.notifications().len(), 1);
    assert_eq!(column(&running.get("/incidents").await, "name"), ["now", "then"]);
    assert_eq!(column(&running.get("/incidents?q=it+WAS").await, "name"), ["then"]);
    assert_eq!(
        column(&running.get("/incidents?limit=1&page=2").await, "name"),
        ["then"]
    );
    assert_eq!(
        column(&running.get("/incidents/unresolved.json").await, "name"),
        ["now"]
    );
}

#[tokio::test]
async fn an_earlier_update_is_corrected_quietly() {
    let running = Running::start().await;
    let made = incident(&running, json!({"name": "x", "body": "tpyo"})).await;
    let update = text(&made["incident_updates"][0]["id"]);
    let path = format!("/incidents/{}/incident_updates/{update}", text(&made["id"]));
    let body = json!({"incident_update": {"body": "typo", "display_at": "2026-03-01T11:00:00Z"}});
    let (status, corrected) = running.call("PATCH", &path, body).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&corrected["body"], &corrected["display_at"]),
        (&json!("typo"), &json!("2026-03-01T11:00:00.000Z"))
    );
    assert_eq!(running.server.notifications().len(), 1);
    assert_eq!(
        running
            .call("PATCH", &format!("{path}x"), json!({"incident_update": {}}))
            .await
            .0,
        404
    );
    assert_eq!(running.call("GET", &path, Value::Null).await.0, 405);
}

#[tokio::test]
async fn a_postmortem_is_drafted_published_and_taken_back() {
    let running = Running::start().await;
    let made = incident(&running, json!({"name": "x"})).await;
    let owner = format!("/incidents/{}", text(&made["id"]));
    let path = format!("{owner}/postmortem");
    assert_eq!(running.call("GET", &path, Value::Null).await.0, 404);
    assert_eq!(
        running.call("PUT", &path, json!({"postmortem": {"body": "x"}})).await.0,
        400
    );
    let draft = running
        .ok("PUT", &path, json!({"postmortem": {"body_draft": "Why"}}))
        .await;
    assert_eq!((&draft["body_draft"], &draft["body"]), (&json!("Why"), &Value::Null));
    let publish = format!("{path}/publish");
    assert_eq!(running.call("PUT", &publish, Value::Null).await.0, 400);
    running
        .ok("PATCH", &owner, json!({"incident": {"status": "resolved"}}))
        .await;
    let published = running
        .ok("PUT", &publish, json!({"postmortem": {"notify_subscribers": true}}))
        .await;
    assert_eq!(
        (&published["body"], &published["published_at"]),
        (&json!("Why"), &json!("2026-03-01T12:00:00Z"))
    );
    assert_eq!(running.get(&owner).await["postmortem_body"], "Why");
    let last = running.server.notifications().pop().unwrap();
    assert_eq!(last.kind, NotificationKind::PostmortemPublished);
    let reverted = running.ok("PUT", &format!("{path}/revert"), Value::Null).await;
    assert_eq!(
        (&reverted["published_at"], &reverted["body_draft"]),
        (&Value::Null, &json!("Why"))
    );
    assert_eq!(running.call("DELETE", &path, Value::Null).await, (204, Value::Null));
    assert_eq!(running.call("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn one_incident_can_be_followed() {
    let running = Running::start().await;
    let made = incident(&running, json!({"name": "x"})).await;
    let path = format!("/incidents/{}/subscribers", text(&made["id"]));
    let (status, follower) = running
        .call("POST", &path, json!({"subscriber": {"email": "A@example.com"}}))
        .await;
    assert_eq!((status, &follower["email"]), (201, &json!("a@example.com")));
    assert!(follower.get("components").is_none());
    assert_eq!(
        running
            .call("POST", &path, json!({"subscriber": {"email": "a@example.com"}}))
            .await
            .0,
        422
    );
    let webhook = json!({"subscriber": {"endpoint": "https://example.com"}});
    assert_eq!(running.call("POST", &path, webhook).await.0, 422);
    let one = format!("{path}/{}", text(&follower["id"]));
    assert_eq!(
        running
            .call("POST", &format!("{one}/resend_confirmation"), Value::Null)
            .await,
        (201, Value::Null)
    );
    assert_eq!(running.get(&path).await, json!([follower]));
    assert_eq!(running.call("DELETE", &one, Value::Null).await, (200, follower));
    assert_eq!(running.call("GET", &one, Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_components_of_an_incident_may_be_a_mere_list() {
    let running = Running::start().await;
    let (api, web) = (running.component("API").await, running.component("Web").await);
    let form = running
        .request("POST", "/incidents")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!(
            "incident[name]=Down&incident[components][]={api}&incident[components][]={web}"
        ));
    let (status, made) = answer(form).await;
    assert_eq!(status, 201);
    assert_eq!(column(&made["components"], "id"), [json!(api), json!(web)]);
    assert_eq!(column(&made["components"], "status"), ["operational", "operational"]);
    let both = incident(
        &running,
        json!({"name": "Down", "component_ids": [web], "components": [api, web]}),
    )
    .await;
    assert_eq!(column(&both["components"], "id"), [json!(web), json!(api)]);
    // An empty list is the empty map of some languages.
    let none = incident(
        &running,
        json!({"name": "Down", "component_ids": [web], "components": []}),
    )
    .await;
    assert_eq!(column(&none["components"], "id"), [json!(web)]);
    for bad in [json!(["elsewhere"]), json!([1]), json!(7)] {
        let body = json!({"incident": {"name": "Down", "components": bad}});
        assert_eq!(running.call("POST", "/incidents", body).await.0, 422, "{bad}");
    }
}
