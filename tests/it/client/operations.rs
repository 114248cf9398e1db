//! Every operation goes to its place with its body.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use statuspage_operator::statuspage::*;

use super::remote::{Remote, asked, honest};

#[tokio::test]
async fn pages_and_components() {
    let remote = Remote::start(honest).await;
    let client = remote.client();
    client.pages().list().await.unwrap();
    asked(&remote, "GET /v1/pages", Value::Null);
    let page = client.page("p");
    let write = PageWrite {
        headline: Some(None),
        ..PageWrite::default()
    };
    page.update(&write).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p", json!({"page": {"headline": null}}));

    let components = page.components();
    components.get("c").await.unwrap();
    asked(&remote, "GET /v1/pages/p/components/c", Value::Null);
    components.update("c", &ComponentWrite::default()).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/components/c", json!({"component": {}}));
    components.delete("c").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/components/c", Value::Null);
    let range = UptimeRange {
        start: Some("2026-01".to_owned()),
        end: None,
        skip_related_events: true,
    };
    components.uptime("c", &range).await.unwrap();
    let line = "GET /v1/pages/p/components/c/uptime?start=2026-01&skip_related_events=true";
    asked(&remote, line, Value::Null);

    let groups = page.component_groups();
    groups.list().await.unwrap();
    asked(
        &remote,
        "GET /v1/pages/p/component-groups?page=1&per_page=100",
        Value::Null,
    );
    let write = ComponentGroupWrite {
        name: Some("g".to_owned()),
        components: Some(vec!["c".to_owned()]),
        ..ComponentGroupWrite::default()
    };
    let body = json!({"component_group": {"name": "g", "components": ["c"]}});
    groups.create(&write).await.unwrap();
    asked(&remote, "POST /v1/pages/p/component-groups", body.clone());
    groups.update("g", &write).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/component-groups/g", body);
    groups.get("g").await.unwrap();
    asked(&remote, "GET /v1/pages/p/component-groups/g", Value::Null);
    groups.delete("g").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/component-groups/g", Value::Null);
    groups.uptime("g", &UptimeRange::default()).await.unwrap();
    asked(&remote, "GET /v1/pages/p/component-groups/g/uptime", Value::Null);
}

#[tokio::test]
async fn incidents_updates_and_postmortems() {
    let remote = Remote::start(honest).await;
    let incidents = remote.client().page("p").incidents();
    let write = IncidentWrite {
        name: Some("n".to_owned()),
        components: Some(BTreeMap::from([("c".to_owned(), ComponentStatus::MajorOutage)])),
        ..IncidentWrite::default()
    };
    let body = json!({"incident": {"name": "n", "components": {"c": "major_outage"}}});
    incidents.create(&write).await.unwrap();
    asked(&remote, "POST /v1/pages/p/incidents", body.clone());
    incidents.update("i", &write).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/incidents/i", body);
    incidents.get("i").await.unwrap();
    asked(&remote, "GET /v1/pages/p/incidents/i", Value::Null);
    incidents.delete("i").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/incidents/i", Value::Null);
    for (view, name) in [
        (IncidentView::Unresolved, "unresolved"),
        (IncidentView::Scheduled, "scheduled"),
        (IncidentView::Upcoming, "upcoming"),
        (IncidentView::ActiveMaintenance, "active_maintenance"),
    ] {
        incidents.view(view).await.unwrap();
        let line = format!("GET /v1/pages/p/incidents/{name}?page=1&per_page=100");
        asked(&remote, &line, Value::Null);
    }
    let update = IncidentUpdateWrite {
        body: Some("b".to_owned()),
        deliver_notifications: Some(false),
        ..IncidentUpdateWrite::default()
    };
    incidents.correct_update("i", "u", &update).await.unwrap();
    let body = json!({"incident_update": {"body": "b", "deliver_notifications": false}});
    asked(&remote, "PATCH /v1/pages/p/incidents/i/incident_updates/u", body);

    let postmortem = incidents.postmortem("i");
    postmortem.get().await.unwrap();
    asked(&remote, "GET /v1/pages/p/incidents/i/postmortem", Value::Null);
    let draft = PostmortemWrite {
        body_draft: Some("why".to_owned()),
    };
    postmortem.put(&draft).await.unwrap();
    let body = json!({"postmortem": {"body_draft": "why"}});
    asked(&remote, "PUT /v1/pages/p/incidents/i/postmortem", body);
    let publish = PostmortemPublish {
        notify_subscribers: Some(false),
        ..PostmortemPublish::default()
    };
    postmortem.publish(&publish).await.unwrap();
    let body = json!({"postmortem": {"notify_subscribers": false}});
    asked(&remote, "PUT /v1/pages/p/incidents/i/postmortem/publish", body);
    postmortem.revert().await.unwrap();
    asked(&remote, "PUT /v1/pages/p/incidents/i/postmortem/revert", Value::Null);
    postmortem.delete().await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/incidents/i/postmortem", Value::Null);

    let subscribers = incidents.subscribers("i");
    subscribers.list().await.unwrap();
    let line = "GET /v1/pages/p/incidents/i/subscribers?page=1&per_page=100";
    asked(&remote, line, Value::Null);
    subscribers.create(&SubscriberWrite::default()).await.unwrap();
    asked(
        &remote,
        "POST /v1/pages/p/incidents/i/subscribers",
        json!({"subscriber": {}}),
    );
    subscribers.get("s").await.unwrap();
    asked(&remote, "GET /v1/pages/p/incidents/i/subscribers/s", Value::Null);
    subscribers.delete("s").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/incidents/i/subscribers/s", Value::Null);
    subscribers.resend_confirmation("s").await.unwrap();
    let line = "POST /v1/pages/p/incidents/i/subscribers/s/resend_confirmation";
    asked(&remote, line, Value::Null);
}

#[tokio::test]
async fn providers_metrics_and_data() {
    let remote = Remote::start(honest).await;
    let page = remote.client().page("p");
    let providers = page.metrics_providers();
    providers.list().await.unwrap();
    asked(&remote, "GET /v1/pages/p/metrics_providers", Value::Null);
    let write = MetricsProviderWrite {
        r#type: Some(MetricsProviderType::SelfManaged),
        ..MetricsProviderWrite::default()
    };
    let body = json!({"metrics_provider": {"type": "Self"}});
    providers.create(&write).await.unwrap();
    asked(&remote, "POST /v1/pages/p/metrics_providers", body.clone());
    providers.update("m", &write).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/metrics_providers/m", body);
    providers.get("m").await.unwrap();
    asked(&remote, "GET /v1/pages/p/metrics_providers/m", Value::Null);
    providers.delete("m").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/metrics_providers/m", Value::Null);
    providers.metrics("m").list().await.unwrap();
    let line = "GET /v1/pages/p/metrics_providers/m/metrics?page=1&per_page=100";
    asked(&remote, line, Value::Null);
    providers.metrics("m").create(&MetricWrite::default()).await.unwrap();
    asked(
        &remote,
        "POST /v1/pages/p/metrics_providers/m/metrics",
        json!({"metric": {}}),
    );

    let metrics = page.metrics();
    metrics.get("m").await.unwrap();
    asked(&remote, "GET /v1/pages/p/metrics/m", Value::Null);
    metrics.update("m", &MetricWrite::default()).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/metrics/m", json!({"metric": {}}));
    metrics.delete("m").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/metrics/m", Value::Null);
    metrics.delete_points("m").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/metrics/m/data", Value::Null);
    let point = MetricPoint {
        timestamp: 1_700_000_001,
        value: 1.5,
    };
    metrics.send_point("m", point).await.unwrap();
    let sent = json!({"timestamp": 1_700_000_001, "value": 1.5});
    asked(&remote, "POST /v1/pages/p/metrics/m/data", json!({"data": sent}));
    let points = BTreeMap::from([("m".to_owned(), vec![point])]);
    metrics.send_points(&points).await.unwrap();
    asked(&remote, "POST /v1/pages/p/metrics/data", json!({"data": {"m": [sent]}}));
    let odd = MetricPoint {
        timestamp: 0,
        value: f64::NAN,
    };
    assert!(metrics.send_point("m", odd).await.is_err());
    assert!(remote.seen().is_empty());
}

#[tokio::test]
async fn a_point_comes_back_with_the_time_of_its_slot() {
    let remote = Remote::answering(201, r#"{"data":{"timestamp":1700000010,"value":2.0}}"#).await;
    let point = MetricPoint {
        timestamp: 1_700_000_001,
        value: 2.0,
    };
    let filed = remote
        .client()
        .page("p")
        .metrics()
        .send_point("m", point)
        .await
        .unwrap();
    assert_eq!(filed.timestamp, 1_700_000_010);
}

#[tokio::test]
async fn subscribers() {
    let remote = Remote::start(honest).await;
    let subscribers = remote.client().page("p").subscribers();
    let query = SubscriberQuery {
        words: Some("a@example.com".to_owned()),
        mode: Some(SubscriberMode::Email),
        state: Some(SubscriberState::Active),
    };
    subscribers.matching(&query).await.unwrap();
    let line = "GET /v1/pages/p/subscribers?state=active&type=email&q=a%40example.com&page=0&limit=100";
    asked(&remote, line, Value::Null);
    subscribers.unsubscribed().await.unwrap();
    let line = "GET /v1/pages/p/subscribers/unsubscribed?page=1&per_page=100";
    asked(&remote, line, Value::Null);
    let write = SubscriberWrite {
        endpoint: Some("https://example.com/hook".to_owned()),
        ..SubscriberWrite::default()
    };
    subscribers.create(&write).await.unwrap();
    let body = json!({"subscriber": {"endpoint": "https://example.com/hook"}});
    asked(&remote, "POST /v1/pages/p/subscribers", body);
    subscribers.get("s").await.unwrap();
    asked(&remote, "GET /v1/pages/p/subscribers/s", Value::Null);
    subscribers
        .update_components("s", Some(&["c".to_owned()]))
        .await
        .unwrap();
    asked(
        &remote,
        "PATCH /v1/pages/p/subscribers/s",
        json!({"component_ids": ["c"]}),
    );
    subscribers.update_components("s", None).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/subscribers/s", json!({}));
    subscribers.delete("s", false).await.unwrap();
    let line = "DELETE /v1/pages/p/subscribers/s?skip_unsubscription_notification=true";
    asked(&remote, line, Value::Null);
    subscribers.resend_confirmation("s").await.unwrap();
    asked(
        &remote,
        "POST /v1/pages/p/subscribers/s/resend_confirmation",
        Value::Null,
    );
    let some = SubscriberSelection::Ids(vec!["s".to_owned()]);
    subscribers
        .resend_confirmations(&SubscriberSelection::All)
        .await
        .unwrap();
    let line = "POST /v1/pages/p/subscribers/resend_confirmation";
    asked(&remote, line, json!({"subscribers": "all"}));
    let state = Some(&SubscriberState::Quarantined);
    subscribers
        .unsubscribe(&some, Some(&SubscriberMode::Sms), state, false)
        .await
        .unwrap();
    let body = json!({
        "subscribers": ["s"], "type": "sms", "state": "quarantined", "skip_unsubscription_notification": true,
    });
    asked(&remote, "POST /v1/pages/p/subscribers/unsubscribe", body);
    subscribers.reactivate(&some, None).await.unwrap();
    asked(
        &remote,
        "POST /v1/pages/p/subscribers/reactivate",
        json!({"subscribers": ["s"]}),
    );
    subscribers.count(None, Some(&SubscriberState::All)).await.unwrap();
    asked(&remote, "GET /v1/pages/p/subscribers/count?state=all", Value::Null);
    let histogram = subscribers.histogram().await.unwrap();
    assert_eq!(histogram, SubscriberHistogram::default());
    asked(&remote, "GET /v1/pages/p/subscribers/histogram_by_state", Value::Null);
}
