use serde_json::{Value, json};

use super::*;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn nothing_and_nulls_can_be_read() {
    assert_eq!(read::<Page>(json!({})), Page::default());
    assert_eq!(read::<Component>(json!({})), Component::default());
    assert_eq!(read::<Subscriber>(json!({})), Subscriber::default());
    assert_eq!(read::<Metric>(json!({})), Metric::default());
    let histogram = json!({"email": null, "sms": {"active": 2, "total": null}});
    assert_eq!(read::<SubscriberHistogram>(histogram).sms.active, 2);
    let nulls = json!({
        "id": null, "name": null, "status": null, "impact": null, "components": null, "incident_updates": null,
        "metadata": null, "created_at": null, "scheduled_auto_completed": null, "reminder_intervals": null,
    });
    assert_eq!(read::<Incident>(nulls), Incident::default());
    let update = json!({"affected_components": null, "tweet_id": null});
    assert_eq!(read::<IncidentUpdate>(update), IncidentUpdate::default());
    assert_eq!(
        read::<ComponentGroup>(json!({"components": null})),
        ComponentGroup::default()
    );
}

#[test]
fn odd_types_do_not_make_an_object_unreadable() {
    let metric: Metric = read(json!({
        "id": "m", "y_axis_min": "0", "y_axis_max": 100, "decimal_places": 2.0, "backfill_percentage": 1,
        "display": "true", "suffix": 5, "somewhere": {"new": []},
    }));
    assert_eq!((metric.y_axis_min, metric.y_axis_max), (Some(0.0), Some(100.0)));
    assert_eq!(
        (metric.decimal_places, metric.backfill_percentage),
        (Some(2), Some(1.0))
    );
    assert_eq!((metric.display, metric.suffix.as_deref()), (Some(true), Some("5")));
    let incident: Incident =
        read(json!({"id": "i", "postmortem_published_at": false, "components": [null, {"id": "c"}]}));
    assert_eq!(incident.postmortem_published_at, None);
    assert_eq!(incident.components.len(), 1);
    let provider: MetricsProvider = read(json!({"id": "p", "page_id": 7, "type": "Self"}));
    assert_eq!(provider.page_id.as_deref(), Some("7"));
    assert_eq!(provider.r#type, Some(MetricsProviderType::SelfManaged));
    let group: ComponentGroup = read(json!({"id": "g", "components": "one", "position": "3"}));
    assert_eq!((group.components, group.position), (vec!["one".to_owned()], Some(3)));
    let subscriber: Subscriber = read(json!({"id": "s", "components": ["a", {"id": "b"}]}));
    assert_eq!(subscriber.components, ["a", "b"]);
}

#[test]
fn instants_are_read_with_any_offset() {
    let at = |text: &str| read::<Component>(json!({"created_at": text})).created_at;
    let expected = at("2024-06-07T01:00:17Z");
    assert!(expected.is_some());
    for text in [
        "2024-06-07T03:00:17+02:00",
        "2024-06-07T01:00:17.000Z",
        "2024-06-06T18:00:17.000-07:00",
    ] {
        assert_eq!(at(text), expected, "{text}");
    }
    assert_eq!(at("yesterday"), None);
    assert_eq!(at(""), None);
}

#[test]
fn unknown_words_survive() {
    for word in ["operational", "under_maintenance", "exploded", ""] {
        let status = ComponentStatus::from(word);
        assert_eq!(status.to_string(), word);
        assert_eq!(serde_json::to_value(&status).unwrap(), json!(word));
        assert_eq!(read::<Component>(json!({"status": word})).status, Some(status));
    }
    assert_eq!(
        ComponentStatus::from("exploded"),
        ComponentStatus::Unknown("exploded".to_owned())
    );
    assert_eq!(ComponentStatus::from(""), ComponentStatus::Unknown(String::new()));
    for status in IncidentStatus::KNOWN {
        assert_eq!(&status.as_str().parse::<IncidentStatus>().unwrap(), status);
    }
}

#[test]
fn writes_send_exactly_what_was_set() {
    assert_eq!(serde_json::to_value(ComponentWrite::default()).unwrap(), json!({}));
    let body = json!({"description": "", "group_id": null, "status": "operational", "showcase": false});
    let write: ComponentWrite = read(body.clone());
    assert_eq!(write.group_id, Some(None));
    assert_eq!(write.description, Some(Some(String::new())));
    assert_eq!(write.start_date, None);
    assert_eq!(serde_json::to_value(&write).unwrap(), body);
}

#[test]
fn every_incident_field_round_trips() {
    let body = json!({
        "name": "n", "status": "scheduled", "impact_override": null, "body": "b", "component_ids": ["c"],
        "components": {"c": "major_outage"}, "scheduled_for": "2026-01-05T10:00:00Z", "scheduled_until": null,
        "scheduled_remind_prior": true, "deliver_notifications": false, "metadata": {"tool": {"uid": "u"}},
        "reminder_intervals": "[1,5]", "backfilled": true, "backfill_date": "2025-01-01", "auto_tweet_on_creation": false,
    });
    let write: IncidentWrite = read(body.clone());
    assert_eq!(serde_json::to_value(&write).unwrap(), body);
}

#[test]
fn writes_refuse_unknown_fields() {
    assert!(serde_json::from_value::<ComponentWrite>(json!({"position": 1})).is_err());
    assert!(serde_json::from_value::<PageWrite>(json!({"colour": "red"})).is_err());
    assert!(serde_json::from_value::<IncidentWrite>(json!({"components": ["c"]})).is_err());
}

#[test]
fn whole_numbers_are_sent_without_a_fraction() {
    let write = MetricWrite {
        y_axis_min: Some(0.0),
        y_axis_max: Some(99.5),
        ..MetricWrite::default()
    };
    let text = serde_json::to_string(&write).unwrap();
    assert_eq!(text, r#"{"y_axis_min":0,"y_axis_max":99.5}"#);
    assert_eq!(serde_json::from_str::<MetricWrite>(&text).unwrap(), write);
}

#[test]
fn credentials_travel_but_are_not_printed() {
    let write = MetricsProviderWrite {
        r#type: Some(MetricsProviderType::Datadog),
        api_key: Some("correct-horse".into()),
        application_key: Some("battery-staple".into()),
        ..MetricsProviderWrite::default()
    };
    let printed = format!("{write:?}");
    assert!(!printed.contains("horse") && !printed.contains("staple"), "{printed}");
    let body = serde_json::to_value(&write).unwrap();
    let expected = json!({"type": "Datadog", "api_key": "correct-horse", "application_key": "battery-staple"});
    assert_eq!(body, expected);
    assert_eq!(read::<MetricsProviderWrite>(body), write);
}
