//! The rows of the contract: what clients rely on, and where we differ on purpose.

use axum::http::{Method, header};
use serde_json::{Value, json};
use statuspage_operator::audit::{AuditEvent, AuditLog, TraitValue};

use super::{Api, Place, admin, caller, event, on_both_stores, sample};

on_both_stores! {
    resources filters invalid_queries sorts_and_pages representation
}

/// Events with everything that the filters are about, in the order of their ids.
fn events() -> Vec<AuditEvent> {
    vec![
        event("a", "component.create", "2024-03-01T10:00:00Z", "team-a")
            .with("attempt", TraitValue::Integer(1))
            .text("note", "one")
            .text("name", "web"),
        event("b", "component.update", "2024-03-01T12:00:00.5Z", "team-a")
            .with("attempt", TraitValue::Integer(2))
            .with("note", TraitValue::String(String::new()))
            .with("ratio", TraitValue::Float(0.25)),
        event("c", "component.update", "2024-03-02T00:00:00Z", "team-b")
            .with("attempt", TraitValue::Integer(3))
            .text("note", "Zwei & drei")
            .with("at", TraitValue::Datetime("2024-03-02T00:00:00Z".parse().unwrap())),
        event("d", "component.update", "2024-03-02T00:00:00Z", "")
            .text("attempt", "3")
            .with("ratio", TraitValue::Float(1e-7)),
    ]
}

async fn open(place: &Place, events: Vec<AuditEvent>) -> (AuditLog, Api) {
    let log = place.filled(events).await;
    let api = Api::of(&log, Some(admin()));
    (log, api)
}

async fn resources(place: Place) {
    let (log, api) = open(&place, events()).await;
    let capabilities = json!({
        "api": {"events:query:simple": true},
        "event_storage": {"storage:production_ready": true},
    });
    let description = json!([
        {"name": "namespace", "type": "string"}, {"name": "note", "type": "string"},
        {"name": "attempt", "type": "integer"}, {"name": "ratio", "type": "float"}, {"name": "at", "type": "datetime"},
    ]);
    let mut described = description.clone();
    described
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"name": "attempt", "type": "string"}));
    let attempts = json!([
        {"name": "attempt", "value": "3", "type": "string"},
        {"name": "attempt", "value": "2", "type": "integer"},
        {"name": "attempt", "value": "3", "type": "integer"},
    ]);
    for (path, body) in [
        ("/v2/capabilities", capabilities),
        ("/v2/event_types", json!(["component.create", "component.update"])),
        ("/v2/event_types/component.update/traits", described),
        ("/v2/event_types/nope/traits", json!([])),
        ("/v2/event_types/component.update/traits/attempt", attempts),
        ("/v2/event_types/component.update/traits/nope", json!([])),
    ] {
        for path in [path.to_owned(), format!("{path}/")] {
            let answer = api.get(&path).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, body.clone()), "{path}");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let answer = api.send(method, &path, "").await;
                answer.refused(405);
                assert_eq!(answer.headers[header::ALLOW], "GET, HEAD");
            }
            // Differs on purpose: as GET, without a body.
            let head = api.send(Method::HEAD, &path, "").await;
            assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
            assert_eq!(
                head.headers[header::CONTENT_LENGTH],
                answer.text.len().to_string().as_str()
            );
        }
    }
    for path in [
        "/v2",
        "/v2/",
        "/v2/nope",
        "/v2/events.json",
        "/v2/events/a/b",
        "/v2/events//",
        "/v2/events/a%2Fb",
        "/v2/event_types/component.create",
        "/v2/event_types/nope/",
        "/v2/event_types/t/traits/n/more",
        "/v2/capabilities/more",
    ] {
        assert_eq!(
            api.get(path).await.refused(404),
            "The resource could not be found.",
            "{path}"
        );
    }
    assert_eq!(api.get("/v2/events/nope").await.refused(404), "Event nope Not Found");
    assert_eq!(api.get("/v2/events/a/").await.json()["message_id"], "a");
    // Differs on purpose: a body means nothing.
    assert_eq!(api.send(Method::GET, "/v2/events", "q.field=nope").await.ids().len(), 4);
    let versions = api.get("/").await.json();
    assert_eq!(
        versions["versions"]["values"][0]["links"][0]["href"],
        "http://events.example.com:8080/v2"
    );
    drop(log);
}

async fn filters(place: Place) {
    let (_log, api) = open(&place, events()).await;
    let day = "2024-03-02T00:00:00";
    for (query, ids) in [
        ("q.field=event_type&q.op=eq&q.value=component.create", "a"),
        ("q.field=event_type&q.value=Component.create", ""),
        (
            "q.field=event_type&q.value=component.create&q.field=event_type&q.value=component.update",
            "bcd",
        ),
        ("q.field=message_id&q.op=eq&q.value=b", "b"),
        ("q.field=message_id&q.op=eq&q.value=B", ""),
        ("q.field=start_timestamp&q.op=ge&q.value=2024-03-02", "cd"),
        (
            "q.field=start_timestamp&q.op=ge&q.value=2024-03-01T12:00:00.500000",
            "bcd",
        ),
        (
            "q.field=start_timestamp&q.op=ge&q.value=2024-03-02T01:00:00%2B01:00&q.type=datetime",
            "cd",
        ),
        ("q.field=start_timestamp&q.op=ge&q.value=20240302T000000", "cd"),
        ("q.field=start_timestamp&q.op=ge&q.value=2024-03-01%2012:00", "bcd"),
        ("q.field=start_timestamp&q.op=ge&q.value=2024-03", "abcd"),
        (
            "q.field=end_timestamp&q.op=le&q.value=2024-03-01T19:00:00-05:00",
            "abcd",
        ),
        ("q.field=end_timestamp&q.op=le&q.value=2024", ""),
        ("q.field=attempt&q.op=ge&q.value=2&q.type=integer", "bc"),
        ("q.field=attempt&q.op=gt&q.value=2&q.type=integer", "c"),
        ("q.field=attempt&q.op=lt&q.value=2&q.type=integer", "a"),
        ("q.field=attempt&q.op=le&q.value=%201_0%20&q.type=integer", "abc"),
        ("q.field=attempt&q.op=ne&q.value=%2B2&q.type=integer", "ac"),
        ("q.field=attempt&q.value=3&q.type=integer", "c"),
        ("q.field=attempt&q.value=3", "d"),
        ("q.field=attempt&q.value=3&q.type=float", ""),
        (
            "q.field=attempt&q.op=gt&q.value=0&q.type=integer&q.field=attempt&q.op=lt&q.value=3&q.type=integer",
            "ab",
        ),
        ("q.field=ratio&q.op=lt&q.value=1e-6&q.type=float", "d"),
        ("q.field=ratio&q.op=lt&q.value=inf&q.type=float", "bd"),
        ("q.field=ratio&q.op=ne&q.value=nan&q.type=float", ""),
        ("q.field=at&q.value=2024-03-02&q.type=datetime", "c"),
        ("q.field=note&q.op=eq&q.value=", "b"),
        ("q.field=note&q.op=gt&q.value=a", "a"),
        ("q.field=note&q.op=le&q.value=Zwei%20%26%20drei", "bc"),
        ("q.field=note&q.op=ne&q.value=one", "bc"),
        ("q.field=generated&q.value=2024", ""),
        ("q.field=nope&q.value=x", ""),
        ("q.field=namespace&q.value=team-a&q.field=name&q.value=web", "a"),
        ("q.field=project_id&q.value=team-b", "c"),
        // Empty keys of older clients.
        ("q.field=note&q.op=&q.type=&q.value=one", "a"),
        // Keys grouped by name.
        (
            "q.field=attempt&q.field=event_type&q.op=ge&q.op=eq&q.type=integer&q.type=&q.value=2&q.value=component.update",
            "bc",
        ),
        // Differs on purpose: a type given for one filter of two belongs to the filter that it stands in.
        (
            "q.field=event_type&q.value=component.update&q.field=attempt&q.op=eq&q.type=integer&q.value=3",
            "c",
        ),
        (
            "q.field=attempt&q.type=integer&q.value=3&q.field=event_type&q.value=component.update",
            "c",
        ),
        (
            "q[0].field=attempt&q[1].field=note&q[0].value=1&q[1].value=one&q[0].type=integer",
            "a",
        ),
        ("q.field=all_tenants&q.value=True", "abcd"),
        ("limit=2", "ab"),
        ("limit=5000&marker=", "abcd"),
        // The marker need not match the filters.
        ("marker=a&q.field=event_type&q.value=component.update", "bcd"),
        ("marker=d&q.field=event_type&q.value=component.create", ""),
        ("sort=generated:", "abcd"),
    ] {
        let found = api.get(&format!("/v2/events?{query}")).await.ids().concat();
        assert_eq!(found, ids, "{query} ({day})");
    }
}

async fn invalid_queries(place: Place) {
    let (_log, api) = open(&place, events()).await;
    let form = "the sort parameter should be a pair of sort key and sort dir combined with ':', or only sort key \
                specified and sort dir will be default 'asc', the supported sort";
    for (query, text) in [
        ("foo=1", "Unknown argument: \"foo\"".to_owned()),
        ("q.foo=1", "Unknown argument: \"q.foo\"".into()),
        ("all_tenants=True", "Unknown argument: \"all_tenants\"".into()),
        (
            "q.field=event_type&q.op=ne&q.value=x",
            "Operator ne is not supported. Only `eq' operator is available for field event_type".into(),
        ),
        (
            "q.field=message_id&q.op=ge&q.value=x",
            "Operator ge is not supported. Only `eq' operator is available for field message_id".into(),
        ),
        (
            "q.field=start_timestamp&q.value=2024",
            "Operator eq is not supported. Only `ge' operator is available for field start_timestamp".into(),
        ),
        (
            "q.field=end_timestamp&q.op=ge&q.value=2024",
            "Operator ge is not supported. Only `le' operator is available for field end_timestamp".into(),
        ),
        (
            "q.field=name&q.op=like&q.value=x",
            "Operator like is not supported. The supported operators are: ('lt', 'le', 'eq', 'ne', 'ge', 'gt')".into(),
        ),
        (
            "q.field=name&q.value=x&q.type=boolean",
            "The data type boolean is not supported. The supported data type list is: \
             ['integer', 'float', 'string', 'datetime']"
                .into(),
        ),
        (
            "q.field=attempt&q.value=x&q.type=integer",
            "Unable to convert the value x to the expected data type integer.".into(),
        ),
        (
            "q.field=attempt&q.value=1.0&q.type=integer",
            "Unable to convert the value 1.0 to the expected data type integer.".into(),
        ),
        (
            "limit=-1",
            "Invalid input for field/attribute limit. Value: '-1'. the limit should be a positive integer.".into(),
        ),
        // Differs on purpose: no longer the default.
        (
            "limit=0",
            "Invalid input for field/attribute limit. Value: '0'. the limit should be a positive integer.".into(),
        ),
        (
            "limit=abc",
            "Invalid input for field/attribute limit. Value: 'abc'. unable to convert to int. Error: invalid literal \
             for int() with base 10: 'abc'"
                .into(),
        ),
        (
            "limit=",
            "Invalid input for field/attribute limit. Value: ''. unable to convert to int. Error: invalid literal for \
             int() with base 10: ''"
                .into(),
        ),
        (
            "limit=1.5",
            "Invalid input for field/attribute limit. Value: '1.5'. unable to convert to int. Error: invalid literal \
             for int() with base 10: '1.5'"
                .into(),
        ),
        // Differs on purpose: no 500.
        (
            "limit=9223372036854775808",
            "Invalid input for field/attribute limit. Value: '9223372036854775808'. the limit is out of range.".into(),
        ),
        (
            "sort=event_type:asc",
            format!(
                "Invalid input for field/attribute sort. Value: 'event_type:asc'. {form} keys are: ('message_id', 'generated')"
            ),
        ),
        (
            "sort=generated:up",
            format!(
                "Invalid input for field/attribute sort direction. Value: 'generated:up'. {form} directions are: ('asc', 'desc')"
            ),
        ),
        (
            "sort=generated:asc,message_id:asc",
            format!(
                "Invalid input for field/attribute sort direction. Value: 'generated:asc,message_id:asc'. {form} directions are: ('asc', 'desc')"
            ),
        ),
        (
            "sort=Generated",
            format!(
                "Invalid input for field/attribute sort. Value: 'Generated'. {form} keys are: ('message_id', 'generated')"
            ),
        ),
        // Differs on purpose: all of these were 500, or silently something else.
        ("marker=nope", "Marker nope not found.".into()),
        (
            "q.field=start_timestamp&q.op=ge&q.value=yesterday",
            "Unable to convert the value yesterday to the expected data type datetime.".into(),
        ),
        (
            "q.field=end_timestamp&q.op=le&q.value=",
            "Unable to convert the value  to the expected data type datetime.".into(),
        ),
        (
            "q.field=attempt&q.value=9223372036854775808&q.type=integer",
            "Unable to convert the value 9223372036854775808 to the expected data type integer.".into(),
        ),
        (
            "q.value=x",
            "A filter has no field: every filter needs q.field and q.value.".into(),
        ),
        (
            "q.field=name",
            "The filter of the field name has no value: every filter needs q.field and q.value.".into(),
        ),
        (
            "q.field=a&q.value=1&q.type=integer&q.op=eq&q.value=2",
            "A filter has no field: every filter needs q.field and q.value.".into(),
        ),
        (
            "q.field=all_tenants&q.value=banana",
            "Unable to convert the value banana to the expected data type boolean.".into(),
        ),
        (
            "q.field=all_tenants&q.op=ne&q.value=True",
            "Operator ne is not supported. Only `eq' operator is available for field all_tenants".into(),
        ),
        ("q.field=%FF&q.value=1", "The query string is not UTF-8.".into()),
    ] {
        assert_eq!(
            api.get(&format!("/v2/events?{query}")).await.refused(400),
            text,
            "{query}"
        );
    }
    let several = api
        .get("/v2/event_types?q.field=a&q.value=b&q.op=eq")
        .await
        .refused(400);
    assert_eq!(several, "Unknown argument: \"q.field, q.value, q.op\"");
    for path in [
        "/v2/capabilities",
        "/v2/events/a",
        "/v2/event_types/t/traits",
        "/v2/event_types/t/traits/n",
    ] {
        let text = api.get(&format!("{path}?limit=1")).await.refused(400);
        assert_eq!(text, "Unknown argument: \"limit\"", "{path}");
    }
    let list = api.get("/v2/events?q=text").await.refused(400);
    assert!(list.starts_with("Invalid input for field/attribute q. Value: 'text'. unable to convert to ArrayType. "));
}

async fn sorts_and_pages(place: Place) {
    let mut all: Vec<AuditEvent> = (0..25)
        .map(|number| {
            // Five events share each time.
            let at = format!("2024-03-01T10:00:{:02}Z", number / 5);
            event(&format!("{:02}", (number * 7) % 25), "component.update", &at, "team-a")
        })
        .collect();
    all.reverse();
    let (_log, api) = open(&place, all.clone()).await;
    for sort in [
        "",
        "&sort=generated",
        "&sort=generated:desc",
        "&sort=generated:desc&sort=message_id:asc",
        "&sort=generated:asc&sort=message_id:desc",
        "&sort=message_id",
        "&sort=message_id:desc&sort=generated",
    ] {
        let whole = api.get(&format!("/v2/events?limit=1000{sort}")).await.ids();
        let mut expected = all.clone();
        expected.sort_by(|one, other| {
            let by_time = one.generated.cmp(&other.generated);
            let by_id = one.message_id.cmp(&other.message_id);
            match sort {
                "" | "&sort=generated" => by_time.then(by_id),
                "&sort=generated:desc" => by_time.reverse().then(by_id.reverse()),
                "&sort=generated:desc&sort=message_id:asc" => by_time.reverse().then(by_id),
                "&sort=generated:asc&sort=message_id:desc" => by_time.then(by_id.reverse()),
                "&sort=message_id" => by_id,
                _ => by_id.reverse(),
            }
        });
        let expected: Vec<String> = expected.into_iter().map(|event| event.message_id).collect();
        assert_eq!(whole, expected, "{sort}");
        // Page by page nothing is lost and nothing comes twice.
        let mut walked: Vec<String> = Vec::new();
        loop {
            let marker = walked.last().cloned().unwrap_or_default();
            let page = api
                .get(&format!("/v2/events?limit=3{sort}&marker={marker}"))
                .await
                .ids();
            if page.is_empty() {
                break;
            }
            walked.extend(page);
        }
        assert_eq!(walked, expected, "{sort}");
    }
}

async fn representation(place: Place) {
    let odd = event("Odd id, not a UUID", "metric.submit", "2024-03-01T10:00:00Z", "")
        .with("value", TraitValue::Float(1e21))
        .with("value", TraitValue::Integer(9_007_199_254_740_993))
        .text("value", "n/a")
        .raw(json!([1, 2, 3]));
    let twin = event(
        "00000011-1f1b-404d-b2ec-c35901f1b7f0",
        "other",
        "2030-01-01T00:00:00Z",
        "team-b",
    );
    let bare = event("bare", "bare", "2024-02-29T23:59:59.123Z", "");
    let (_log, api) = open(&place, vec![sample(), odd, twin, bare]).await;
    let shown = api.get("/v2/events/00000011-1f1b-404d-b2ec-c35901f1b7f0").await;
    assert_eq!(
        shown.text,
        json!({
            "message_id": "00000011-1f1b-404d-b2ec-c35901f1b7f0",
            "event_type": "component.create",
            "generated": "2024-03-01T10:00:05.250000",
            "traits": [
                {"name": "attempt", "type": "integer", "value": "2"},
                {"name": "component", "type": "string", "value": "web"},
                {"name": "duration", "type": "float", "value": "1.5"},
                {"name": "namespace", "type": "string", "value": "team-a"},
                {"name": "status", "type": "string", "value": "operational"},
                {"name": "synced_at", "type": "datetime", "value": "2024-03-01T10:00:06.123456"},
            ],
            "raw": {"spec": {"name": "Web", "position": 2, "tags": ["a", "b"], "on": true, "ratio": 0.5, "none": null}},
        })
        .to_string()
    );
    let odd = api.get("/v2/events/Odd%20id,%20not%20a%20UUID").await.json();
    assert_eq!(odd["raw"], json!([1, 2, 3]));
    let values: Vec<&Value> = odd["traits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|known| &known["value"])
        .collect();
    assert_eq!(values, ["n/a", "9007199254740993", "1e+21"]);
    let bare = api.get("/v2/events/bare").await.json();
    assert_eq!((&bare["traits"], &bare["raw"]), (&json!([]), &Value::Null));
    assert_eq!(bare["generated"], "2024-02-29T23:59:59.123000");
    // A second event of an id is dropped silently.
    assert_eq!(api.get("/v2/events").await.ids().len(), 3);
    assert_eq!(
        api.get("/v2/event_types").await.json(),
        json!(["bare", "component.create", "metric.submit"])
    );
}

#[tokio::test]
async fn a_member_is_no_admin_for_types() {
    let place = Place::sqlite();
    let log = place.filled(events()).await;
    let member = Api::of(&log, Some(caller(false, &["team-a"])));
    let anonymous = Api::of(&log, None);
    for path in [
        "/v2/event_types",
        "/v2/event_types/component.update/traits",
        "/v2/event_types/t/traits/n",
    ] {
        // Differs on purpose: 403 for who may not, 401 for who is not known.
        member.get(path).await.refused(403);
        anonymous.get(path).await.refused(401);
    }
    anonymous.get("/v2/events").await.refused(401);
    anonymous.get("/v2/events/a").await.refused(401);
    assert_eq!(anonymous.get("/v2/capabilities").await.status, 200);
}
