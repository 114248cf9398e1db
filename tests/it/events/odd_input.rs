//! What nobody means to send: none of it is a failure of ours, and none of it does harm.

use std::fmt::Write;

use axum::http::Method;
use serde_json::json;
use statuspage_operator::audit::TraitValue;

use super::filters::encoded;
use super::{Api, PATIENCE, Place, admin, caller, event, on_both_stores};

on_both_stores! { odd_queries odd_paths as_many_filters_as_there_may_be values_of_a_trait_are_kept_with_duplicates }

async fn odd_queries(place: Place) {
    let texts = [
        "100%",
        "a+b",
        "'; DROP TABLE events; --",
        "ä\u{301}\u{202e}🦀",
        "a&b=c;d",
        "\\\"'$1 ?",
    ];
    let events = texts.iter().enumerate().map(|(number, text)| {
        let event = event(&format!("{number}"), "a", "2024-03-01T10:00:00Z", "team-a");
        event.text("text", *text).text(format!("{text} as a name"), "x")
    });
    let log = place.filled(events.collect()).await;
    let api = Api::of(&log, Some(admin()));
    for (number, text) in texts.iter().enumerate() {
        let name = encoded(&format!("{text} as a name"));
        for query in [
            format!("q.field=text&q.value={}", encoded(text)),
            format!("q.field={name}&q.value=x"),
        ] {
            assert_eq!(
                api.get(&format!("/v2/events?{query}")).await.ids(),
                [number.to_string()],
                "{query}"
            );
        }
        let path = format!("/v2/event_types/a/traits/{}", name.replace('+', "%20"));
        let name = format!("{text} as a name");
        assert_eq!(
            api.get(&path).await.json(),
            json!([{"name": name, "value": "x", "type": "string"}])
        );
    }
    let long = "x".repeat(20_000);
    for (query, ids) in [
        // A percent sign that begins nothing is one.
        ("q.field=text&q.value=100%", "0"),
        ("", "012345"),
        ("&&", "012345"),
        ("sort=message_id:desc&sort=message_id:asc", "543210"),
        (&format!("q.field=text&q.value={long}"), ""),
        (&format!("q.field={long}&q.value="), ""),
        ("q[7].field=text&q[7].value=100%25&q[7].op=", "0"),
    ] {
        assert_eq!(
            api.get(&format!("/v2/events?{query}")).await.ids().concat(),
            ids,
            "{query}"
        );
    }
    for (query, text) in [
        // Of two nobody knows which was meant.
        ("limit=5&limit=5", "The parameter limit is given more than once."),
        ("marker=0&marker=", "The parameter marker is given more than once."),
        ("follow&follow=no", "The parameter follow is given more than once."),
        (
            "sort=generated&sort=message_id&sort=generated&sort=generated&sort=generated",
            "An order has at most 4 keys.",
        ),
        ("=", "Unknown argument: \"\""),
        ("limit", "Invalid input for field/attribute limit. Value: ''."),
        ("sort", "Invalid input for field/attribute sort. Value: ''."),
        ("LIMIT=1", "Unknown argument: \"LIMIT\""),
        ("q.=1", "Unknown argument: \"q.\""),
        ("q[99999999999].field=a", "Unknown argument: \"q[99999999999].field\""),
        ("q[-1].field=a", "Unknown argument: \"q[-1].field\""),
        ("q[0]field=a", "Unknown argument: \"q[0]field\""),
        (
            "limit=%F0%9F%A6%80",
            "Invalid input for field/attribute limit. Value: '🦀'.",
        ),
        (
            "limit=1%27%22",
            "Invalid input for field/attribute limit. Value: '1\\'\"'.",
        ),
        ("marker=%27", "Marker ' not found."),
        ("q.field=%E4&q.value=x", "The query string is not UTF-8."),
        ("q.field=text&q.value=%00", "The query string holds a NUL character."),
        ("q.field=%00&q.value=x", "The query string holds a NUL character."),
        ("marker=a%00", "The query string holds a NUL character."),
        ("%00", "The query string holds a NUL character."),
    ] {
        let refused = api.get(&format!("/v2/events?{query}")).await.refused(400);
        assert!(refused.starts_with(text), "{query}: {refused}");
    }
    assert_eq!(api.get("/v2/events").await.ids().len(), texts.len());
}

async fn odd_paths(place: Place) {
    let log = place
        .filled(vec![event("é/1", "a", "2024-03-01T10:00:00Z", "team-a")])
        .await;
    let api = Api::of(&log, Some(admin()));
    let nothing = "The resource could not be found.";
    for (path, text) in [
        ("/v2/events/..", "Event .. Not Found"),
        ("/v2/events/%25", "Event % Not Found"),
        ("/v2/events/%", "Event % Not Found"),
        // In a path a plus is a plus.
        ("/v2/events/a+b", "Event a+b Not Found"),
        ("/v2/events/%C3%A9", "Event é Not Found"),
        // A slash splits the path, however it is written.
        ("/v2/events/%C3%A9%2F1", nothing),
        ("/v2/events/%FF", nothing),
        ("/v2/events/%00", nothing),
        ("/v2/events/a%00", nothing),
        ("/v2/event_types/%00/traits", nothing),
        ("/v2/event_types/a/traits/%00", nothing),
        ("/v2//events", nothing),
        ("/v2/Events", nothing),
        ("/v2/events/?/", "Unknown argument: \"/\""),
    ] {
        let answer = api.get(path).await;
        let status = if text.starts_with("Unknown") { 400 } else { 404 };
        assert_eq!(answer.refused(status), text, "{path}");
    }
    for path in ["/v2/event_types/%F0%9F%A6%80/traits", "/v2/event_types/%27/traits/%22"] {
        assert_eq!(api.get(path).await.json(), json!([]), "{path}");
    }
}

/// More would be more than SQLite reads, and each is a question of its own.
async fn as_many_filters_as_there_may_be(place: Place) {
    let log = place
        .filled(vec![
            event("1", "a", "2024-03-01T10:00:00Z", "team-a").text("name", "web"),
        ])
        .await;
    let api = Api::of(&log, Some(admin()));
    let query = |count: usize| {
        (0..count).fold("/v2/events?".to_owned(), |mut query, _| {
            write!(query, "q.field=name&q.value=web&").unwrap();
            query
        })
    };
    assert_eq!(api.get(&query(50)).await.ids(), ["1"]);
    for count in [51, 1400] {
        assert_eq!(
            api.get(&query(count)).await.refused(400),
            "A query has at most 50 filters."
        );
    }
    let numbered = (0..51).fold("/v2/events?".to_owned(), |mut query, number| {
        write!(query, "q[{number}].field=name&q[{number}].value=web&").unwrap();
        query
    });
    assert_eq!(api.get(&numbered).await.refused(400), "A query has at most 50 filters.");
}

/// The example of the contract.
async fn values_of_a_trait_are_kept_with_duplicates(place: Place) {
    let values = [
        TraitValue::String("n/a".into()),
        TraitValue::Integer(100),
        TraitValue::Integer(100),
        TraitValue::Float(99.5),
        TraitValue::Float(1e-7),
    ];
    let events = values.into_iter().enumerate().map(|(number, value)| {
        event(&format!("{number}"), "metric.submit", "2024-03-01T10:00:00Z", "").with("value", value)
    });
    let log = place.filled(events.collect()).await;
    let api = Api::of(&log, Some(admin()));
    let entry = |value: &str, kind: &str| json!({"name": "value", "value": value, "type": kind});
    assert_eq!(
        api.get("/v2/event_types/metric.submit/traits/value").await.json(),
        json!([
            entry("n/a", "string"),
            entry("100", "integer"),
            entry("100", "integer"),
            entry("1e-07", "float"),
            entry("99.5", "float"),
        ])
    );
    let described = api.get("/v2/event_types/metric.submit/traits").await.text;
    let expected =
        r#"[{"name":"value","type":"string"},{"name":"value","type":"integer"},{"name":"value","type":"float"}]"#;
    assert_eq!(described, expected);
}

#[tokio::test]
async fn a_hundred_events_unless_more_are_asked_for_and_never_more_than_a_thousand() {
    let place = Place::sqlite();
    let events = (0..1100).map(|number| event(&format!("{number:04}"), "a", "2024-03-01T10:00:00Z", "team-a"));
    let log = place.filled(events.collect()).await;
    let api = Api::of(&log, Some(admin()));
    for (query, count) in [
        ("", 100),
        ("?limit=101", 101),
        ("?limit=1000", 1000),
        ("?limit=1001", 1000),
        ("?limit=9223372036854775807", 1000),
    ] {
        let ids = api.get(&format!("/v2/events{query}")).await.ids();
        assert_eq!((ids.len(), ids[0].as_str()), (count, "0000"), "{query}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_our_fault_and_says_nothing_of_the_database() {
    let place = Place::sqlite();
    let log = place
        .filled(vec![event("1", "a", "2024-03-01T10:00:00Z", "team-a")])
        .await;
    assert!(log.close(PATIENCE).await);
    log.store().close().await;
    let api = Api::of(&log, Some(admin()));
    for path in [
        "/v2/events",
        "/v2/events/1",
        "/v2/event_types",
        "/v2/event_types/a/traits",
        "/v2/events?follow",
    ] {
        let text = api.get(path).await.refused(503);
        assert_eq!(text, "The event log cannot be read at the moment; try again.", "{path}");
    }
    assert_eq!(api.get("/v2/capabilities").await.status, 200);
}

#[tokio::test]
async fn what_is_asked_without_rights_is_no_question_to_the_log() {
    let place = Place::sqlite();
    let log = place.filled(Vec::new()).await;
    let anonymous = Api::of(&log, None);
    let member = Api::of(&log, Some(caller(false, &["team-a"])));
    // Nothing of this is different for what exists: not even whether a type does.
    for path in ["/v2/event_types/a", "/v2/event_types/nope"] {
        anonymous.get(path).await.refused(401);
        assert_eq!(member.get(path).await.refused(404), "The resource could not be found.");
    }
    let options = anonymous.send(Method::OPTIONS, "/v2/events", "").await;
    assert_eq!((options.status.as_u16(), options.text.as_str()), (200, ""));
    assert_eq!(options.headers["allow"], "GET, HEAD");
    for method in ["TRACE", "CONNECT", "PROPFIND"] {
        anonymous
            .send(method.parse().unwrap(), "/v2/events", "")
            .await
            .refused(405);
    }
}
