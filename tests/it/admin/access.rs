//! Rights that are finer than a namespace: pages, verbs and kinds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use statuspage_operator::admin::caller::{Caller, Grant, Scope, Verb};
use statuspage_operator::admin::events;
use statuspage_operator::admin::identity::key_ring::{IssuedKey, NewKey};
use statuspage_operator::admin::identity::{Identity, Refusal, TokenAuthority, TokenError};
use statuspage_operator::api::Kind;
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Location};

use super::{GATEWAY_SECRET, Running, Setup, answer, new_key, only, with_key};

/// An event of namespace a, about an object of a page.
fn event(id: &str, event_type: &str, page: &str) -> AuditEvent {
    let mut event = AuditEvent::new(event_type, "2024-03-01T10:00:00Z".parse().unwrap())
        .tenant("a")
        .text("page", page)
        .text("name", id);
    id.clone_into(&mut event.message_id);
    event
}

async fn log() -> AuditLog {
    let log = AuditLog::open(AuditOptions::new(Location::Memory)).await.unwrap();
    for event in [
        event("1", "component.update", "a/main"),
        event("2", "subscriber.create", "a/main"),
        event("3", "incident.publish", "a/main"),
        event("4", "component.update", "a/other"),
        event("5", "odd", "a/main"),
    ] {
        log.record(event);
    }
    assert!(log.flush(Duration::from_secs(60)).await);
    log
}

async fn served(identity: Option<Identity>) -> Running {
    let setup = Setup {
        identity,
        mounts: vec![events::mount(log().await)],
        ..Setup::default()
    };
    Running::with(setup).await
}

fn ids(list: &Value) -> String {
    let ids = list.as_array().unwrap_or_else(|| panic!("{list}")).iter();
    ids.map(|event| event["message_id"].as_str().unwrap()).collect()
}

fn names(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap().iter();
    data.map(|entry| entry["name"].as_str().unwrap()).collect()
}

fn limited(pages: &[&str], verbs: &[Verb]) -> NewKey {
    let pages: BTreeSet<String> = pages.iter().map(|page| (*page).to_owned()).collect();
    NewKey {
        pages: (!pages.is_empty()).then_some(pages),
        verbs: verbs.iter().copied().collect(),
        ..new_key("liz", only("a"))
    }
}

#[tokio::test]
async fn a_key_of_one_page_sees_that_page_only() {
    let running = served(None).await;
    let main = running.keys.create(limited(&["a/main"], &Verb::READING)).unwrap();
    let other = running.keys.create(limited(&["a/other"], &Verb::READING)).unwrap();
    for (key, events, resources) in [
        (&running.ann, "12345", &["api", "web", "main"][..]),
        (&main, "1235", &["api", "web", "main"]),
        (&other, "4", &[]),
    ] {
        assert_eq!(ids(&running.json_as(key, "/v2/events").await), events);
        let list = running.json_as(key, "/api/v1/resources/").await;
        assert_eq!(names(&list), resources);
        let pages = running.json_as(key, "/api/v1/pages/").await;
        assert_eq!(pages["meta"]["count"], usize::from(!resources.is_empty()));
        let process = running.json_as(key, "/api/v2/status").await;
        assert_eq!(process["Max users session"], resources.len());
    }
    for path in ["/v2/events/1", "/v2/events?marker=1", "/v2/events?follow&marker=1"] {
        let status = answer(running.get_as(&other, path)).await.0;
        assert_eq!(status, if path.contains('?') { 400 } else { 404 }, "{path}");
    }
    assert_eq!(
        answer(running.get_as(&other, "/api/v1/resources/a/Component/web/"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_verb_opens_what_it_names() {
    let running = served(None).await;
    let key = |verb| running.keys.create(limited(&[], &[verb])).unwrap();
    let [read, events, alerts, approve] = Verb::ALL.map(key);
    let ask = async |key: &IssuedKey, path: &str| answer(running.get_as(key, path)).await.0;
    for (path, allowed) in [
        ("/api/v1/pages/", [200, 403, 403, 403]),
        ("/api/v1/resources/", [200, 403, 403, 403]),
        ("/api/v1/resources/a/Component/web/", [200, 403, 403, 403]),
        ("/api/v2/status", [200, 403, 403, 403]),
        ("/api/v2/status/config", [200, 403, 403, 403]),
        ("/v2/events", [403, 200, 403, 403]),
        ("/v2/events/1", [403, 200, 403, 403]),
        ("/v2/capabilities", [200, 200, 200, 200]),
        ("/api/v1/status/", [200, 200, 200, 200]),
        ("/api/v1/access/", [200, 200, 200, 200]),
    ] {
        for (key, status) in [&read, &events, &alerts, &approve].into_iter().zip(allowed) {
            assert_eq!(ask(key, path).await, status, "{path}");
        }
    }
    // Who may not read sees no more of what runs than a stranger.
    let seen = async |key: &IssuedKey| running.json_as(key, "/api/v1/status/").await.as_object().unwrap().len();
    assert_eq!((seen(&events).await, seen(&read).await > 2), (2, true));
    let (_, refused) = answer(running.get_as(&read, "/v2/events")).await;
    let text = refused["error_message"]["faultstring"].as_str().unwrap();
    assert!(text.contains("the verb `events`"), "{text}");
    // The document says what is needed.
    let (_, document) = answer(running.request("GET", "/openapi.json")).await;
    for (path, verb) in [("/api/v1/pages/", "read"), ("/v2/events", "events")] {
        let security = &document["paths"][path]["get"]["security"];
        assert_eq!(security[0], json!({"bearer": [verb]}), "{path}");
        assert_eq!(
            security[1],
            json!({"accessKey": [verb], "accessToken": [verb]}),
            "{path}"
        );
    }
}

/// Accounts whose rights are told by their tokens.
struct Accounts;

impl TokenAuthority for Accounts {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, TokenError>> {
        let of_kind = |kind| Grant {
            kinds: Some([kind].into()),
            ..Grant::reading(only("a"))
        };
        let grants = match token {
            "pages" => vec![of_kind(Kind::StatusPage)],
            "components" => vec![of_kind(Kind::Component)],
            "both" => vec![of_kind(Kind::Component), of_kind(Kind::Subscriber)],
            "everything" => vec![Grant::reading(only("a"))],
            _ => return Box::pin(std::future::ready(Err(TokenError::Refused(Refusal::Unknown)))),
        };
        let caller = Caller {
            grants,
            ..Caller::new(token, true, Grant::reading(Scope::All))
        };
        Box::pin(std::future::ready(Ok(caller)))
    }
}

#[tokio::test]
async fn an_account_sees_the_kinds_that_it_may_list() {
    let running = served(Some(Identity::new().with_tokens(Arc::new(Accounts)))).await;
    let get = |token: &str, path: &str| running.request("GET", path).bearer_auth(token);
    for (token, events, types, resources) in [
        ("pages", "", json!([]), &["main"][..]),
        ("components", "14", json!(["component.update"]), &["api", "web"]),
        (
            "both",
            "124",
            json!(["component.update", "subscriber.create"]),
            &["api", "web"],
        ),
        (
            "everything",
            "12345",
            json!(["component.update", "incident.publish", "odd", "subscriber.create"]),
            &["api", "web", "main"],
        ),
    ] {
        let read = async |path: &str| answer(get(token, path)).await.1;
        assert_eq!(ids(&read("/v2/events").await), events, "{token}");
        assert_eq!(read("/v2/event_types").await, types, "{token}");
        assert_eq!(names(&read("/api/v1/resources/").await), resources, "{token}");
        let of_subscribers = "/v2/events?q.field=event_type&q.value=subscriber.create";
        let seen = events.contains('2');
        assert_eq!(ids(&read(of_subscribers).await), if seen { "2" } else { "" }, "{token}");
        assert_eq!(
            ids(&read("/v2/events?q.field=name&q.value=2").await).is_empty(),
            !seen,
            "{token}"
        );
        assert_eq!(
            answer(get(token, "/v2/events/2")).await.0,
            if seen { 200 } else { 404 },
            "{token}"
        );
        let values = read("/v2/event_types/subscriber.create/traits/name").await;
        assert_eq!(values.as_array().unwrap().is_empty(), !seen, "{token}");
        let traits = read("/v2/event_types/subscriber.create/traits").await;
        assert_eq!(traits.as_array().unwrap().is_empty(), !seen, "{token}");
        let stream = get(token, "/v2/events?follow&marker=2").send().await.unwrap();
        assert_eq!(stream.status().as_u16(), if seen { 200 } else { 400 }, "{token}");
    }
}

/// The seed's `access` of a user, in the words of this project.
#[tokio::test]
async fn who_asks_is_told_what_it_may() {
    let running = served(None).await;
    let key = running.keys.create(limited(&["a/main"], &[Verb::Events])).unwrap();
    let access = running.json_as(&key, "/api/v1/access/").await;
    assert_eq!(
        (&access["user"], &access["email"], &access["admin"]),
        (&json!("liz"), &Value::Null, &json!(false))
    );
    let kinds: Vec<&String> = access["access"].as_object().unwrap().keys().collect();
    assert_eq!(kinds.len(), Kind::ALL.len());
    let expected = json!({"read": [], "events": ["a/main"], "alerts": [], "approve": []});
    assert_eq!(access["access"]["Incident"], expected);
    let root = running.json_as(&running.root, "/api/v1/access").await;
    assert_eq!(root["access"]["Subscriber"]["read"], json!(["*"]));
    // The gateway knows its user's address.
    let identity = json!({"identity": {"account_number": "10001",
        "user": {"username": "user_dev", "email": "user_dev@foo.com", "is_org_admin": true}}});
    let request = running
        .request("GET", "/api/v1/access/")
        .header("x-rh-identity", STANDARD.encode(identity.to_string()))
        .header("x-statuspage-gateway-secret", GATEWAY_SECRET);
    let (status, access) = answer(request).await;
    assert_eq!(
        (status, &access["email"], &access["admin"]),
        (200, &json!("user_dev@foo.com"), &json!(true))
    );
    assert_eq!(access["access"]["Component"]["events"], json!(["acct10001"]));
    assert_eq!(answer(running.request("GET", "/api/v1/access/")).await.0, 401);
    assert_eq!(
        answer(with_key(running.request("POST", "/api/v1/access/"), &key))
            .await
            .0,
        405
    );
}
