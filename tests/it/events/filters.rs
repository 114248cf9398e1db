//! Filters, word by word: every operator on every type, every form of a time and of a number.

use statuspage_operator::audit::{AuditEvent, AuditLog, TraitType, TraitValue};

use super::{Api, Place, admin, event, on_both_stores};

on_both_stores! { every_operator_on_every_type times_in_every_form numbers_in_every_form words_are_exact }

/// Everything that a URL would take for something else.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn found(log: &AuditLog, query: &str) -> String {
    let api = Api::of(log, Some(admin()));
    api.get(&format!("/v2/events?{query}")).await.ids().concat()
}

/// Three values of each type, in their order.
fn values(kind: TraitType) -> [&'static str; 3] {
    match kind {
        // By code point: before the letters of other orders, and unlike the units of UTF-16.
        TraitType::String => ["Zebra", "\u{ff5e}", "\u{1f600}"],
        // Not one of them is exact as a floating point number.
        TraitType::Integer => ["9007199254740993", "9007199254740994", "9007199254740995"],
        TraitType::Float => ["-1e+21", "1e-07", "0.25"],
        TraitType::Datetime => [
            "2024-03-01T10:00:00.000001",
            "2024-03-01T10:00:00.000002",
            "2024-03-01T10:00:01",
        ],
    }
}

async fn every_operator_on_every_type(place: Place) {
    let at = "2024-03-01T10:00:00Z";
    let mut events: Vec<AuditEvent> = (0..3)
        .map(|number| {
            let mut event = event(&format!("{}", number + 1), "a", at, "team-a");
            for kind in TraitType::ALL {
                event.set(kind.as_str(), kind.read(values(kind)[number]).unwrap());
            }
            event
        })
        .collect();
    // Without any of the traits; and with all of the names, each of another type.
    events.push(event("4", "a", at, "team-a"));
    let others = event("5", "a", at, "team-a")
        .with("string", TraitValue::Integer(1))
        .text("integer", "9007199254740994")
        .text("float", "1e-07")
        .text("datetime", values(TraitType::Datetime)[1]);
    events.push(others);
    let log = place.filled(events).await;
    for kind in TraitType::ALL {
        let name = kind.as_str();
        for (operator, ids) in [
            ("lt", "1"),
            ("le", "12"),
            ("eq", "2"),
            ("ne", "13"),
            ("ge", "23"),
            ("gt", "3"),
        ] {
            let value = encoded(values(kind)[1]);
            let query = format!("q.field={name}&q.op={operator}&q.value={value}&q.type={name}");
            assert_eq!(found(&log, &query).await, ids, "{query}");
        }
        let (low, high) = (encoded(values(kind)[0]), encoded(values(kind)[2]));
        let range = format!(
            "q.field={name}&q.op=gt&q.value={low}&q.type={name}&q.field={name}&q.op=lt&q.value={high}&q.type={name}"
        );
        assert_eq!(found(&log, &range).await, "2", "{range}");
    }
}

async fn times_in_every_form(place: Place) {
    let event = |id, at: &str| event(id, "a", at, "team-a").with("at", TraitValue::Datetime(at.parse().unwrap()));
    let log = place
        .filled(vec![
            event("1", "2024-02-29T23:59:59.999999Z"),
            event("2", "2024-03-01T00:00:00Z"),
            event("3", "2024-03-01T00:00:00.000001Z"),
        ])
        .await;
    for time in [
        "2024-03-01T00:00:00",
        "2024-03-01T00:00:00.000000",
        "2024-03-01T00:00:00Z",
        "2024-03-01T01:00:00+01:00",
        "2024-02-29T19:00:00-05:00",
        "2024-03-01T00:00",
        "2024-03-01 00:00:00",
        "2024-03-01",
        "20240301T000000",
        "2024-03",
    ] {
        let value = encoded(time);
        for (query, ids) in [
            (format!("q.field=start_timestamp&q.op=ge&q.value={value}"), "23"),
            (format!("q.field=end_timestamp&q.op=le&q.value={value}"), "12"),
            (format!("q.field=at&q.value={value}&q.type=datetime"), "2"),
        ] {
            assert_eq!(found(&log, &query).await, ids, "{query}");
        }
    }
    let ends =
        "q.field=start_timestamp&q.op=ge&q.value=2024&q.field=end_timestamp&q.op=le&q.value=2024-02-29T23:59:59.999999";
    assert_eq!(found(&log, ends).await, "1");
    // A plus that is not encoded is a blank.
    for time in [
        "2024-03-01T01:00:00+01:00",
        "2024-02-30",
        "2024-03-01T24:01",
        "2024-03-01T",
        "March",
        "",
    ] {
        for query in [
            format!("q.field=start_timestamp&q.op=ge&q.value={time}"),
            format!("q.field=at&q.value={time}&q.type=datetime"),
        ] {
            let text = Api::of(&log, Some(admin()))
                .get(&format!("/v2/events?{query}"))
                .await
                .refused(400);
            let shown = time.replace('+', " ");
            let expected = format!("Unable to convert the value {shown} to the expected data type datetime.");
            assert_eq!(text, expected, "{query}");
        }
    }
}

async fn numbers_in_every_form(place: Place) {
    let log = place
        .filled(vec![
            event("1", "a", "2024-03-01T10:00:00Z", "team-a")
                .with("count", TraitValue::Integer(10))
                .with("ratio", TraitValue::Float(10.0)),
        ])
        .await;
    for (kind, text, is_found) in [
        ("integer", "10", true),
        ("integer", " 10 ", true),
        ("integer", "+10", true),
        ("integer", "1_0", true),
        ("integer", "0010", true),
        ("integer", "-10", false),
        ("float", "10", true),
        ("float", "10.", true),
        ("float", "1e1", true),
        ("float", " +1_0.0 ", true),
        ("float", "nan", false),
        ("float", "inf", false),
        ("float", "-Infinity", false),
    ] {
        let field = if kind == "integer" { "count" } else { "ratio" };
        let query = format!("q.field={field}&q.value={}&q.type={kind}", encoded(text));
        assert_eq!(found(&log, &query).await, if is_found { "1" } else { "" }, "{query}");
    }
    let api = Api::of(&log, Some(admin()));
    for (kind, text) in [
        ("integer", "1.0"),
        ("integer", "0x10"),
        ("integer", "1__0"),
        ("integer", ""),
        ("integer", "9223372036854775808"),
        ("integer", "-9223372036854775809"),
        ("float", "1,5"),
        ("float", "_1"),
        ("float", ""),
    ] {
        let query = format!("/v2/events?q.field=count&q.value={}&q.type={kind}", encoded(text));
        let expected = format!("Unable to convert the value {text} to the expected data type {kind}.");
        assert_eq!(api.get(&query).await.refused(400), expected);
    }
}

async fn words_are_exact(place: Place) {
    let log = place
        .filled(vec![
            event("1", "a", "2024-03-01T10:00:00Z", "team-a").text("name", "web"),
        ])
        .await;
    let api = Api::of(&log, Some(admin()));
    for word in ["GE", "Eq", ">=", "=", "in", "like"] {
        let query = format!("/v2/events?q.field=name&q.op={}&q.value=web", encoded(word));
        let expected = format!(
            "Operator {word} is not supported. The supported operators are: ('lt', 'le', 'eq', 'ne', 'ge', 'gt')"
        );
        assert_eq!(api.get(&query).await.refused(400), expected);
    }
    for word in ["String", "int", "boolean", "text"] {
        let query = format!("/v2/events?q.field=name&q.value=web&q.type={word}");
        let expected = format!(
            "The data type {word} is not supported. The supported data type list is: \
             ['integer', 'float', 'string', 'datetime']"
        );
        assert_eq!(api.get(&query).await.refused(400), expected);
    }
    for sort in ["GENERATED", "generated:ASC", "", ":asc", "message_id:desc:asc"] {
        let text = api.get(&format!("/v2/events?sort={sort}")).await.refused(400);
        assert!(text.starts_with("Invalid input for field/attribute sort"), "{text}");
    }
    for word in [
        "True", "true", "TRUE", "1", "yes", "on", "t", "y", "False", "0", "no", "off", "f", "n",
    ] {
        assert_eq!(
            found(&log, &format!("q.field=all_tenants&q.value={word}")).await,
            "1",
            "{word}"
        );
    }
    for word in ["banana", "2", ""] {
        let text = api.get(&format!("/v2/events?q.field=all_tenants&q.value={word}")).await;
        let expected = format!("Unable to convert the value {word} to the expected data type boolean.");
        assert_eq!(text.refused(400), expected);
    }
}
