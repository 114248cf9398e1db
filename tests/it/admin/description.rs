//! The OpenAPI document: sound, and true of what is served.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use statuspage_operator::admin::events;
use statuspage_operator::admin::identity::key_ring::NewKey;
use statuspage_operator::api::Kind;
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Location};

use super::{Running, Setup, answer, new_key, only, with_key};
use crate::support::clients::{python, run_python};

async fn document(running: &Running) -> Value {
    let (status, document) = answer(running.request("GET", "/openapi.json")).await;
    assert_eq!(status, 200);
    document
}

/// Calls `visit` with every object in a document.
fn walk(value: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|value| walk(value, visit));
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

/// A server with an event log, and an event of namespace a.
async fn with_events() -> (Running, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let place = Location::File(directory.path().join("events.db"));
    let log = AuditLog::open(AuditOptions::new(place)).await.unwrap();
    let mut event = AuditEvent::new("component.create", "2024-03-01T10:00:05.25Z".parse().unwrap())
        .tenant("a")
        .text("component", "web")
        .raw(json!({"summary": "made"}));
    "the-id".clone_into(&mut event.message_id);
    log.record(event);
    assert!(log.flush(std::time::Duration::from_secs(60)).await);
    let setup = Setup {
        mounts: vec![events::mount(log)],
        ..Setup::default()
    };
    (Running::with(setup).await, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_validator_accepts_the_document() {
    let (running, _log) = with_events().await;
    let document = document(&running).await.to_string();
    let file = running.file().with_file_name("openapi.json");
    std::fs::write(&file, document).unwrap();
    tokio::task::spawn_blocking(move || {
        let programs = python("openapi", &[&["openapi-spec-validator==0.9.0"]]);
        run_python(&programs, "openapi_document.py", &[file.to_str().unwrap()]);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_document_is_sound() {
    let (running, _log) = with_events().await;
    let document = document(&running).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'));
        for (method, operation) in item.as_object().unwrap() {
            assert_eq!(method, "get", "nothing writes");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{path}"
            );
            assert!(!operation["summary"].as_str().unwrap().is_empty());
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.contains_key("200") && responses.contains_key("default"),
                "{path}"
            );
            let braces: BTreeSet<&str> = path
                .split('/')
                .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let parameters = operation["parameters"].as_array().unwrap();
            let in_path: BTreeSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| {
                    assert_eq!(parameter["required"], true);
                    parameter["name"].as_str().unwrap()
                })
                .collect();
            assert_eq!(braces, in_path, "{path}");
            for way in operation["security"].as_array().unwrap() {
                for scheme in way.as_object().unwrap().keys() {
                    assert!(
                        document["components"]["securitySchemes"][scheme].is_object(),
                        "{scheme}"
                    );
                }
            }
        }
    }
    let mut references = 0;
    walk(&document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            references += 1;
        }
    });
    assert!(references > 10, "{references}");
}

/// What a parameter may be stands in the document, and is what the server takes.
#[tokio::test]
async fn parameters_are_described_with_their_bounds() {
    let (running, _log) = with_events().await;
    let document = document(&running).await;
    let schema = |path: &str, name: &str| -> Value {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap().iter();
        let mut found = parameters.filter(|parameter| parameter["name"] == name);
        found.next().unwrap_or_else(|| panic!("{path} {name}"))["schema"].clone()
    };
    let kinds: Vec<&str> = Kind::ALL.map(Kind::as_str).into();
    for path in ["/api/v1/resources/", "/api/v1/pages/"] {
        assert_eq!(schema(path, "kind"), json!({"type": "string", "enum": kinds}));
        assert_eq!(
            schema(path, "limit"),
            json!({"type": "integer", "minimum": 1, "maximum": 1000})
        );
        assert_eq!(schema(path, "offset"), json!({"type": "integer", "minimum": 0}));
        assert_eq!(schema(path, "ready")["enum"], json!(["true", "false"]));
    }
    let events = |name| schema("/v2/events", name);
    assert_eq!(
        events("limit"),
        json!({"type": "integer", "minimum": 1, "maximum": 1000})
    );
    assert_eq!(
        events("q.op")["items"]["enum"],
        json!(["eq", "ne", "lt", "le", "gt", "ge"])
    );
    assert_eq!(
        events("sort")["items"]["pattern"],
        "^(generated|message_id)(:(asc|desc)?)?$"
    );
    for (sort, status) in [
        ("generated:desc", 200),
        ("message_id", 200),
        ("generated:", 200),
        ("generated:down", 400),
        ("name", 400),
        ("Generated", 400),
    ] {
        let request = with_key(running.request("GET", &format!("/v2/events?sort={sort}")), &running.ann);
        assert_eq!(answer(request).await.0, status, "{sort}");
    }
}

#[tokio::test]
async fn everything_described_is_served_as_described() {
    let (running, _log) = with_events().await;
    let adam = running
        .keys
        .create(NewKey {
            admin: true,
            ..new_key("adam", only("a"))
        })
        .unwrap();
    let document = document(&running).await;
    let paths = document["paths"].as_object().unwrap();
    let expected = [
        "/",
        "/api/v1/access/",
        "/api/v1/pages/",
        "/api/v1/ready/",
        "/api/v1/resources/",
        "/api/v1/resources/{namespace}/{kind}/{name}/",
        "/api/v1/status/",
        "/api/v2/status",
        "/api/v2/status/config",
        "/openapi.json",
        "/v2/capabilities",
        "/v2/event_types",
        "/v2/event_types/{event_type}/traits",
        "/v2/event_types/{event_type}/traits/{trait_name}",
        "/v2/events",
        "/v2/events/{message_id}",
    ];
    assert_eq!(paths.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for (path, item) in paths {
        let path = path
            .replace("{namespace}", "a")
            .replace("{kind}", "Component")
            .replace("{name}", "web")
            .replace("{event_type}", "component.create")
            .replace("{trait_name}", "component")
            .replace("{message_id}", "the-id");
        let operation = &item["get"];
        let open = operation["security"] == json!([]);
        let optional = operation["security"].as_array().unwrap().contains(&json!({}));
        let schema = |answer: &str| operation.pointer(&format!("/responses/{answer}/content/application~1json/schema"));
        let (stranger, body) = answer(running.request("GET", &path)).await;
        assert_eq!(stranger, if open || optional { 200 } else { 401 }, "{path}");
        if stranger == 401 {
            conforms(&document, schema("401").unwrap(), &body, &path);
        }
        let (status, body) = answer(with_key(running.request("DELETE", &path), &adam)).await;
        assert!([404, 405].contains(&status), "{path}");
        conforms(&document, schema("default").unwrap(), &body, &path);
        let (status, body) = answer(with_key(running.request("GET", &path), &adam)).await;
        assert_eq!(status, 200, "{path}");
        if let Some(schema) = schema("200") {
            conforms(&document, schema, &body, &path);
            assert!(body != json!([]), "{path} has something to show");
        }
    }
}

/// Checks what the schemas here say: references, types, required and known properties, items.
fn conforms(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return conforms(document, schema, value, place);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let matching = any.iter().find(|schema| schema["type"] == "null" && value.is_null());
        return match matching {
            Some(_) => (),
            None => conforms(document, &any[0], value, place),
        };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::String(expected) => assert_eq!(kind, expected, "{place}"),
        Value::Array(expected) => assert!(expected.contains(&json!(kind)), "{place}: {kind}"),
        _ => {}
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        assert!(value.get(name).is_some(), "{place} has no {name}");
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, value) in object {
            let schema = properties.get(name);
            let schema = schema.unwrap_or_else(|| panic!("{place}.{name} is not described"));
            conforms(document, schema, value, &format!("{place}.{name}"));
        }
    }
    if let (items @ Value::Object(_), Some(values)) = (&schema["items"], value.as_array()) {
        for value in values {
            conforms(document, items, value, &format!("{place}[]"));
        }
    }
}
