//! Replies that are made up, for every operation of the client.

use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use statuspage_operator::statuspage::Budget;

use super::every_operation::lists;
use super::in_process::{answering, in_process};
use super::reply::check_status;
use super::retry_after::check_headers;

/// Any JSON, up to a size.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(Value::String),
        prop::sample::select(vec![
            "x",
            "p",
            "operational",
            "2026-01-05T10:00:00Z",
            "true",
            "1",
            "-1e999",
            ""
        ])
        .prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((field(), inner), 0..6).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// A field that some entity has, or any other.
fn field() -> impl Strategy<Value = String> {
    let known = vec![
        "id",
        "page_id",
        "name",
        "status",
        "components",
        "incident_updates",
        "metadata",
        "created_at",
        "position",
        "group",
        "data",
        "pages",
        "user_id",
        "email",
        "error",
        "message",
        "body",
        "body_draft",
        "warnings",
        "value",
        "timestamp",
        "y_axis_min",
        "decimal_places",
        "active",
        "mode",
        "affected_components",
        "related_events",
    ];
    prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_are_survived_by_every_operation(
        status in prop::sample::select(vec![200_u16, 201, 204, 404, 422, 503]),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        check_status(status, &body);
    }

    /// The object that was asked for, with anything in its fields.
    #[test]
    fn any_fields_are_survived_by_every_operation(
        status in prop::sample::select(vec![200_u16, 201, 422]),
        fields in prop::collection::vec((field(), any_json()), 0..12),
        list in any::<bool>(),
    ) {
        let mut object = Map::from_iter(fields);
        object.insert("id".to_owned(), json!("x"));
        object.insert("page_id".to_owned(), json!("p"));
        let body = if list { json!([object]) } else { Value::Object(object) };
        check_status(status, body.to_string().as_bytes());
    }

    /// No text is an empty list but the empty list.
    #[test]
    fn nothing_but_an_empty_list_is_one(body in prop_oneof![
        any_json().prop_map(|value| value.to_string()),
        "[\\[\\]{}\", a-z0-9]{0,12}",
    ]) {
        let empty = serde_json::from_str::<Vec<Value>>(&body).is_ok_and(|rows| rows.is_empty());
        let client = answering(200, HeaderMap::new(), body.clone(), Budget::new(0));
        for (operation, result) in in_process(lists(&client)) {
            let none = result.as_ref().is_ok_and(|listing| listing.contains("items: []"));
            prop_assert_eq!(none, empty, "{}: {}", operation, body);
        }
    }

    #[test]
    fn any_headers_are_survived(wait in "\\PC{0,30}|[0-9.,:+eE -]{0,20}", date in "\\PC{0,30}|[A-Za-z0-9:, +-]{0,35}") {
        check_headers(wait.as_bytes(), date.as_bytes());
    }
}
