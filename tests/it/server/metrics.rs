//! Providers, metrics and their points.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use statuspage_operator::server::MetricPatch;

use super::{PAGE, Running, beginning, column, text};

async fn provider(running: &Running) -> String {
    let made = running
        .ok(
            "POST",
            "/metrics_providers",
            json!({"metrics_provider": {"type": "Self"}}),
        )
        .await;
    text(&made["id"])
}

async fn metric(running: &Running, provider: &str, name: &str) -> String {
    let body = json!({"metric": {"name": name, "suffix": "ms", "transform": "average"}});
    text(
        &running
            .ok("POST", &format!("/metrics_providers/{provider}/metrics"), body)
            .await["id"],
    )
}

#[tokio::test]
async fn providers_ask_for_their_credentials_and_never_show_them() {
    let running = Running::start().await;
    let body = json!({"metrics_provider": {"type": "Datadog", "api_key": "secret"}});
    assert_eq!(
        running.call("POST", "/metrics_providers", body).await,
        (422, json!({"error": ["Application key can't be blank"]}))
    );
    let body = json!({"metrics_provider": {"type": "Datadog", "api_key": "secret", "application_key": "hidden",
                                           "metric_base_uri": "https://example.com"}});
    let made = running.ok("POST", "/metrics_providers", body).await;
    assert!(!made.to_string().contains("secret") && !made.to_string().contains("hidden"));
    assert_eq!((&made["type"], &made["page_id"]), (&json!("Datadog"), &json!(PAGE)));
    let path = format!("/metrics_providers/{}", text(&made["id"]));
    let changed = running
        .ok("PATCH", &path, json!({"metrics_provider": {"metric_base_uri": null}}))
        .await;
    assert_eq!(changed["metric_base_uri"], Value::Null);
    for bad in [json!({}), json!({"type": "Nagios"})] {
        assert_eq!(
            running
                .call("POST", "/metrics_providers", json!({"metrics_provider": bad}))
                .await
                .0,
            422
        );
    }
    assert_eq!(running.get("/metrics_providers").await.as_array().unwrap().len(), 1);
    let pushed = metric(&running, &text(&made["id"]), "m").await;
    let point = json!({"data": {"timestamp": 1, "value": 1}});
    assert_eq!(
        running.call("POST", &format!("/metrics/{pushed}/data"), point).await.0,
        405
    );
    assert_eq!(running.call("DELETE", &path, Value::Null).await.0, 200);
    assert_eq!(running.get("/metrics").await, json!([]));
}

#[tokio::test]
async fn a_change_of_a_metric_honours_all_of_it_or_what_is_documented() {
    let running = Running::start().await;
    let provider = provider(&running).await;
    let id = metric(&running, &provider, "Latency").await;
    let path = format!("/metrics/{id}");
    let made = running.get(&path).await;
    assert_eq!(made["metrics_provider_id"], json!(provider));
    assert!(made.get("transform").is_none());
    let behave = |patch| {
        running
            .server
            .faults()
            .set_behaviour(|behaviour| behaviour.metric_patch = patch)
    };
    behave(MetricPatch::Documented);
    let body = json!({"metric": {"name": "Time", "suffix": "s", "y_axis_min": 1.5}});
    let changed = running.ok("PATCH", &path, body.clone()).await;
    assert_eq!(
        (&changed["name"], &changed["suffix"], &changed["y_axis_min"]),
        (&json!("Time"), &json!("ms"), &Value::Null)
    );
    behave(MetricPatch::default());
    let changed = running.ok("PATCH", &path, body).await;
    assert_eq!((&changed["suffix"], &changed["y_axis_min"]), (&json!("s"), &json!(1.5)));
    let list = running.get(&format!("/metrics_providers/{provider}/metrics")).await;
    assert_eq!(column(&list, "id"), [json!(id)]);
    let body = json!({"metric": {"name": "x", "transform": "median"}});
    let (status, _) = running
        .call("POST", &format!("/metrics_providers/{provider}/metrics"), body)
        .await;
    assert_eq!(status, 422);
    assert_eq!(running.call("DELETE", &path, Value::Null).await.0, 200);
    assert_eq!(running.call("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn points_fall_into_slots_of_thirty_seconds() {
    let running = Running::start().await;
    let provider = provider(&running).await;
    let id = metric(&running, &provider, "m").await;
    let now = beginning().as_second();
    let path = format!("/metrics/{id}/data");
    let point = |timestamp: i64, value: f64| json!({"data": {"timestamp": timestamp, "value": value}});
    let (status, body) = running.call("POST", &path, point(now + 14, 1.0)).await;
    assert_eq!((status, body), (201, point(now, 1.0)));
    running.ok("POST", &path, point(now - 15, 2.0)).await;
    running.ok("POST", &path, point(now + 40, 3.0)).await;
    // Too old and too far ahead: answered, and dropped.
    running.ok("POST", &path, point(now - 29 * 24 * 3_600, 4.0)).await;
    running.ok("POST", &path, point(now + 3_600, 5.0)).await;
    let points = running.server.points(PAGE, &id, Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(points, [(now, 2.0), (now + 30, 3.0)]);
    assert_eq!(
        running.get(&format!("/metrics/{id}")).await["most_recent_data_at"],
        "2026-03-01T12:00:30Z"
    );
    for bad in [
        json!({"data": {"timestamp": now}}),
        json!({"data": {"timestamp": "x", "value": 1}}),
    ] {
        assert_eq!(running.call("POST", &path, bad).await.0, 422);
    }
    assert_eq!(running.call("POST", &path, json!({})).await.0, 400);
    let wiped = running.ok("DELETE", &path, Value::Null).await;
    assert_eq!(
        (&wiped["id"], &wiped["most_recent_data_at"]),
        (&json!(id), &Value::Null)
    );
    assert_eq!(
        running.server.points(PAGE, &id, Timestamp::UNIX_EPOCH).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn many_points_travel_in_one_request() {
    let running = Running::start().await;
    let provider = provider(&running).await;
    let (one, two) = (
        metric(&running, &provider, "one").await,
        metric(&running, &provider, "two").await,
    );
    let now = beginning().as_second();
    let mut data = Map::new();
    data.insert(
        one.clone(),
        json!([{"timestamp": now, "value": 1}, {"timestamp": now - 60, "value": 2}]),
    );
    data.insert(two.clone(), json!([{"timestamp": now, "value": 3}, {"value": 4}]));
    let (status, echo) = running.call("POST", "/metrics/data", json!({"data": data})).await;
    assert_eq!((status, echo), (202, Value::Object(data)));
    assert_eq!(
        running
            .server
            .points(PAGE, &one, Timestamp::UNIX_EPOCH)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        running.server.points(PAGE, &two, Timestamp::UNIX_EPOCH).await.unwrap(),
        [(now, 3.0)]
    );
    assert_eq!(
        running
            .call("POST", "/metrics/data", json!({"data": {"elsewhere": []}}))
            .await
            .0,
        404
    );
    assert_eq!(running.call("GET", "/metrics/data", Value::Null).await.0, 405);
}
