//! Subscribers of a page.

use serde_json::{Value, json};
use statuspage_operator::server::NotificationKind;

use super::{PAGE, Running, column, text};

async fn subscribe(running: &Running, body: Value) -> Value {
    running.ok("POST", "/subscribers", json!({ "subscriber": body })).await
}

#[tokio::test]
async fn subscribers_come_confirm_and_go() {
    let running = Running::start().await;
    let made = subscribe(&running, json!({"email": "Ops@Example.com"})).await;
    let id = text(&made["id"]);
    assert_eq!(
        (&made["email"], &made["mode"]),
        (&json!("ops@example.com"), &json!("email"))
    );
    assert_eq!(running.server.notifications()[0].kind, NotificationKind::Confirmation);
    // Unconfirmed ones are not shown unless they are asked for.
    assert_eq!(running.get("/subscribers").await, json!([]));
    assert_eq!(column(&running.get("/subscribers?state=all").await, "id"), [json!(id)]);
    assert!(running.server.confirm_subscriber(PAGE, &id).await.unwrap());
    assert_eq!(column(&running.get("/subscribers.json").await, "id"), [json!(id)]);
    let taken = json!({"subscriber": {"email": "OPS@example.com"}});
    assert_eq!(
        running.call("POST", "/subscribers", taken).await,
        (422, json!({"error": ["Email has already been taken"]}))
    );
    let (status, gone) = running.call("DELETE", &format!("/subscribers/{id}"), Value::Null).await;
    assert_eq!((status, &gone["id"]), (200, &json!(id)));
    assert_eq!(
        running.call("GET", &format!("/subscribers/{id}"), Value::Null).await.0,
        404
    );
    assert_eq!(
        column(&running.get("/subscribers/unsubscribed").await, "id"),
        [json!(id)]
    );
    assert_eq!(
        running.server.notifications().last().unwrap().kind,
        NotificationKind::Unsubscription
    );
    subscribe(
        &running,
        json!({"email": "ops@example.com", "skip_confirmation_notification": true}),
    )
    .await;
    assert_eq!(running.get("/subscribers/unsubscribed").await, json!([]));
}

#[tokio::test]
async fn all_channels_and_what_is_refused() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let hook = subscribe(
        &running,
        json!({"endpoint": "https://example.com/hook", "component_ids": [api]}),
    )
    .await;
    assert_eq!((&hook["mode"], &hook["components"]), (&json!("webhook"), &json!([api])));
    let phone = subscribe(&running, json!({"phone_country": "us", "phone_number": "512 5551234"})).await;
    assert_eq!((&phone["mode"], &phone["phone_country"]), (&json!("sms"), &json!("US")));
    assert_eq!(
        (&phone["phone_number"], &phone["display_phone_number"]),
        (&json!("512 5551234"), &json!("+1 512-555-1234"))
    );
    let again = json!({"subscriber": {"phone_country": "US", "phone_number": "(512) 555-1234"}});
    assert_eq!(
        running.call("POST", "/subscribers", again).await,
        (422, json!({"error": ["Phone number has already been taken"]}))
    );
    for bad in [
        json!({}),
        json!({"email": "nobody"}),
        json!({"email": format!("{}@example.com", "x".repeat(255))}),
        json!({"phone_country": "US", "phone_number": "call me"}),
        json!({"phone_country": "XX", "phone_number": "5125551234"}),
        json!({"endpoint": "ftp://example.com"}),
        json!({"phone_number": "5551234"}),
        json!({"email": "a@example.com", "component_ids": []}),
        json!({"email": "a@example.com", "component_ids": ["elsewhere"]}),
    ] {
        assert_eq!(
            running.call("POST", "/subscribers", json!({"subscriber": bad})).await.0,
            422,
            "{bad}"
        );
    }
    // Without the key, everything is subscribed to again.
    let all = running
        .ok("PATCH", &format!("/subscribers/{}", text(&hook["id"])), json!({}))
        .await;
    assert_eq!(all.get("components"), None, "who follows everything has no list");
    assert_eq!(
        column(&running.get("/subscribers?q=EXAMPLE.com").await, "mode"),
        ["webhook"]
    );
    assert_eq!(column(&running.get("/subscribers?type=sms").await, "mode"), ["sms"]);
    assert_eq!(
        running.call("GET", "/subscribers?type=pigeon", Value::Null).await.0,
        400
    );
}

#[tokio::test]
async fn the_list_counts_from_zero() {
    let running = Running::start().await;
    for number in 0..5 {
        let email = format!("{number}@example.com");
        subscribe(
            &running,
            json!({"email": email, "skip_confirmation_notification": true}),
        )
        .await;
    }
    let page = running.get("/subscribers?limit=2&page=0").await;
    assert_eq!(column(&page, "email"), ["0@example.com", "1@example.com"]);
    let page = running.get("/subscribers?limit=2&page=2").await;
    assert_eq!(column(&page, "email"), ["4@example.com"]);
    let page = running.get("/subscribers?limit=1&sort_direction=desc").await;
    assert_eq!(column(&page, "email"), ["4@example.com"]);
    assert_eq!(
        running.get("/subscribers?per_page=1").await.as_array().unwrap().len(),
        5
    );
}

#[tokio::test]
async fn bulk_operations_answer_with_nothing() {
    let running = Running::start().await;
    let waiting = subscribe(&running, json!({"email": "w@example.com"})).await;
    let sick = subscribe(
        &running,
        json!({"email": "s@example.com", "skip_confirmation_notification": true}),
    )
    .await;
    let well = subscribe(
        &running,
        json!({"email": "x@example.com", "skip_confirmation_notification": true}),
    )
    .await;
    assert!(
        running
            .server
            .quarantine_subscriber(PAGE, &text(&sick["id"]))
            .await
            .unwrap()
    );
    assert!(!running.server.quarantine_subscriber(PAGE, "nobody").await.unwrap());
    let histogram = running.get("/subscribers/histogram_by_state").await;
    assert_eq!(
        histogram["email"],
        json!({"active": 1, "unconfirmed": 1, "quarantined": 1, "total": 3})
    );
    assert_eq!(running.get("/subscribers/count").await["email"], 1);
    assert_eq!(running.get("/subscribers/count?state=all").await["email"], 3);
    let path = "/subscribers/resend_confirmation";
    assert_eq!(
        running.call("POST", path, json!({"subscribers": "all"})).await,
        (201, Value::Null)
    );
    assert_eq!(
        running.server.notifications().last().unwrap().recipients,
        [text(&waiting["id"])]
    );
    let path = "/subscribers/reactivate";
    assert_eq!(
        running.call("POST", path, json!({"subscribers": [sick["id"]]})).await,
        (201, Value::Null)
    );
    assert_eq!(running.get("/subscribers/count").await["email"], 2);
    let body = json!({"subscribers": [well["id"]], "skip_unsubscription_notification": true});
    assert_eq!(
        running.call("POST", "/subscribers/unsubscribe", body).await,
        (201, Value::Null)
    );
    assert_ne!(
        running.server.notifications().last().unwrap().kind,
        NotificationKind::Unsubscription
    );
    assert_eq!(
        running
            .call("POST", "/subscribers/unsubscribe", json!({"subscribers": "all"}))
            .await
            .0,
        201
    );
    assert_eq!(
        column(&running.get("/subscribers?state=all").await, "email"),
        ["w@example.com"]
    );
    assert_eq!(running.call("POST", "/subscribers/unsubscribe", json!({})).await.0, 422);
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    assert_eq!(
        running
            .call("POST", "/subscribers/unsubscribe", json!({"subscribers": many}))
            .await
            .0,
        422
    );
}

#[tokio::test]
async fn only_those_who_follow_a_component_hear_of_it() {
    let running = Running::start().await;
    let (api, web) = (running.component("API").await, running.component("Web").await);
    let everything = subscribe(&running, json!({"endpoint": "https://example.com/1"})).await;
    let follows = subscribe(
        &running,
        json!({"endpoint": "https://example.com/2", "component_ids": [api]}),
    )
    .await;
    subscribe(
        &running,
        json!({"endpoint": "https://example.com/3", "component_ids": [web]}),
    )
    .await;
    let body = json!({"incident": {"name": "x", "component_ids": [api]}});
    running.ok("POST", "/incidents", body).await;
    let [told] = running.server.notifications().try_into().unwrap();
    assert_eq!(told.recipients, [text(&everything["id"]), text(&follows["id"])]);
}
