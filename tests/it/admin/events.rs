//! `/v2` behind the middleware: credentials of the whole server, tenants, names of requests.

use std::time::Duration;

use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use statuspage_operator::admin::events;
use statuspage_operator::admin::identity::key_ring::{IssuedKey, NewKey};
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Location};

use super::{Running, Setup, answer, new_key, only};
use crate::support::eventually;

const ID: &str = "x-openstack-request-id";

fn event(id: &str, event_type: &str, namespace: &str) -> AuditEvent {
    let mut event = AuditEvent::new(event_type, "2024-03-01T10:00:00Z".parse().unwrap())
        .tenant(namespace)
        .text(format!("only_of_{namespace}"), "x");
    id.clone_into(&mut event.message_id);
    event
}

/// A server whose log has two events of namespace a and one of b; and an administrator of a.
async fn served() -> (Running, IssuedKey) {
    let log = AuditLog::open(AuditOptions::new(Location::Memory)).await.unwrap();
    for event in [
        event("a1", "component.create", "a"),
        event("b1", "incident.create", "b"),
        event("a2", "component.update", "a"),
    ] {
        log.record(event);
    }
    assert!(log.flush(Duration::from_secs(60)).await);
    let setup = Setup {
        mounts: vec![events::mount(log)],
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let adam = NewKey {
        admin: true,
        ..new_key("adam", only("a"))
    };
    let adam = running.keys.create(adam).unwrap();
    (running, adam)
}

async fn ids(running: &Running, key: &IssuedKey, query: &str) -> String {
    let list = running.json_as(key, &format!("/v2/events?{query}")).await;
    let ids = list
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message_id"].as_str().unwrap());
    ids.collect::<Vec<_>>().join(" ")
}

fn fault(text: &str) -> Value {
    json!({"error_message": {"faultcode": "Client", "faultstring": text, "debuginfo": null}})
}

#[tokio::test]
async fn a_tenant_learns_nothing_of_another() {
    let (running, adam) = served().await;
    let (ann, bob, root) = (&running.ann, &running.bob, &running.root);
    let all = "q.field=all_tenants&q.value=True";
    for (key, query, expected) in [
        (ann, "", "a1 a2"),
        (bob, "", "b1"),
        (root, "", "a1 a2 b1"),
        (root, all, "a1 a2 b1"),
        // An administrator of a is nobody in b, whatever it asks.
        (&adam, "", "a1 a2"),
        (&adam, all, "a1 a2"),
        (&adam, "q.field=namespace&q.value=b&q.field=all_tenants&q.value=1", ""),
        (ann, "q.field=namespace&q.value=b", ""),
        (ann, "q.field=message_id&q.value=b1", ""),
        (ann, "q.field=event_type&q.value=incident.create", ""),
        (ann, "q.field=only_of_b&q.value=x", ""),
        (ann, "limit=1&sort=message_id:desc", "a2"),
    ] {
        assert_eq!(ids(&running, key, query).await, expected, "{query}");
    }
    let lists = [
        ("/v2/event_types", json!(["component.create", "component.update"])),
        ("/v2/event_types/incident.create/traits", json!([])),
        ("/v2/event_types/incident.create/traits/only_of_b", json!([])),
        ("/v2/event_types/component.create/traits/only_of_b", json!([])),
    ];
    for (path, expected) in lists {
        assert_eq!(running.json_as(&adam, path).await, expected, "{path}");
        assert_eq!(answer(running.get_as(ann, path)).await.0, 403, "{path}");
        assert_eq!(answer(running.request("GET", path)).await.0, 401, "{path}");
    }
    let asked = answer(running.get_as(ann, &format!("/v2/events?{all}"))).await;
    assert_eq!(asked, (403, fault("Only an admin may ask for all_tenants.")));
}

/// Neither the words nor the headers tell what exists elsewhere.
#[tokio::test]
async fn what_is_elsewhere_is_answered_like_what_is_nowhere() {
    let (running, adam) = served().await;
    for key in [&running.ann, &adam] {
        for path in [
            "/v2/events/{}",
            "/v2/events?marker={}",
            "/v2/events?follow&marker={}",
            "/v2/events?q.field=message_id&q.value={}",
        ] {
            let mut answers = Vec::new();
            for id in ["b1", "zz"] {
                let response = running.get_as(key, &path.replace("{}", id)).send().await.unwrap();
                let status = response.status();
                let mut headers: HeaderMap = response.headers().clone();
                for varying in ["date", ID, "x-rh-insights-request-id"] {
                    assert!(headers.remove(varying).is_some(), "{varying}");
                }
                let text = response.text().await.unwrap();
                answers.push((status, headers, text.replace(id, "{}")));
            }
            assert_eq!(answers[0], answers[1], "{path}");
        }
    }
}

#[tokio::test]
async fn headers_that_a_proxy_sets_elsewhere_mean_nothing() {
    let (running, _) = served().await;
    let claim = |request: reqwest::RequestBuilder| {
        request
            .header("X-Roles", "admin")
            .header("X-User-Id", "root")
            .header("X-Project-Id", "b")
            .header("X-Identity-Status", "Confirmed")
            .header("X-Forwarded-User", "root")
    };
    assert_eq!(answer(claim(running.request("GET", "/v2/events"))).await.0, 401);
    assert_eq!(
        answer(claim(running.get_as(&running.ann, "/v2/event_types"))).await.0,
        403
    );
    let (_, list) = answer(claim(running.get_as(&running.ann, "/v2/events"))).await;
    assert_eq!(list.as_array().unwrap().len(), 2);
}

/// Clients show it to people, and it is the name of the request in the log.
#[tokio::test]
async fn every_answer_has_the_name_of_its_request() {
    let (running, _) = served().await;
    let token = running.ann.token.expose_secret();
    let requests = [
        (200, running.request("GET", "/v2/capabilities")),
        (200, running.request("GET", "/v2/events").header("X-Auth-Token", token)),
        (404, running.request("GET", "/v2/nope")),
        (405, running.request("POST", "/v2/events")),
        (401, running.request("GET", "/v2/events")),
        (
            401,
            running
                .request("GET", "/v2/capabilities")
                .header("X-Auth-Token", "wrong"),
        ),
        (413, running.request("POST", "/v2/events").body("x".repeat(65 * 1024))),
        (
            431,
            running
                .request("GET", "/v2/events")
                .header("X-Long", "x".repeat(33 * 1024)),
        ),
    ];
    for (status, request) in requests {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let name = response.headers()["x-rh-insights-request-id"].to_str().unwrap();
        assert_eq!(
            response.headers()[ID].to_str().unwrap(),
            format!("req-{name}"),
            "{status}"
        );
        assert_eq!(response.headers()["content-type"], "application/json", "{status}");
    }
    let options = running.request("OPTIONS", "/v2/events").send().await.unwrap();
    assert_eq!(
        (options.status().as_u16(), options.headers().contains_key(ID)),
        (200, false)
    );
    let elsewhere = running.request("GET", "/api/v1/status/").send().await.unwrap();
    assert!(!elsewhere.headers().contains_key(ID));
}

#[tokio::test]
async fn who_is_not_known_is_told_how_to_be() {
    let (running, _) = served().await;
    for path in [
        "/v2/events",
        "/v2/event_types",
        "/v2/events/a1",
        "/api/v1/pages/",
        "/api/v2/status",
    ] {
        for request in [
            running.request("GET", path),
            running.request("GET", path).bearer_auth("wrong"),
        ] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{path}");
            assert_eq!(response.headers()["www-authenticate"], "Bearer", "{path}");
        }
    }
}

#[tokio::test]
async fn the_list_of_versions_is_for_everybody() {
    let (running, _) = served().await;
    let response = running.request("GET", "/").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let base = format!("http://{}", running.address);
    let expected = json!({"versions": {"values": [{
        "id": "v2", "status": "stable", "updated": "2013-02-13T00:00:00Z",
        "links": [{"href": format!("{base}/v2"), "rel": "self"},
                  {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.telemetry-v2+json"},
            {"base": "application/xml", "type": "application/vnd.openstack.telemetry-v2+xml"},
        ],
    }]}});
    assert_eq!(super::body(response).await, expected);
    let posted = answer(running.request("POST", "/")).await;
    assert_eq!(posted, (405, json!({"error": "Method \"POST\" not allowed."})));
}

/// What the middleware refuses has the form that is asked for too.
#[tokio::test]
async fn refusals_are_in_xml_for_whoever_asks_for_it() {
    let (running, _) = served().await;
    for (path, status) in [("/v2/events", 401), ("/v2/capabilities", 401), ("/v2/nope", 401)] {
        let request = running.request("GET", path).bearer_auth("wrong");
        let response = request.header("Accept", "application/xml").send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/xml; charset=UTF-8");
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(
            response.text().await.unwrap(),
            "<error_message><error><faultcode>Client</faultcode><faultstring>Incorrect authentication \
             credentials.</faultstring><debuginfo/></error></error_message>"
        );
    }
}

/// What clients send that are told to send no credentials.
#[tokio::test]
async fn the_token_that_is_none_is_none() {
    let (running, _) = served().await;
    let request = |path: &str| running.request("GET", path).header("X-Auth-Token", "notused");
    assert_eq!(answer(request("/v2/capabilities")).await.0, 200);
    assert_eq!(answer(request("/api/v1/status/")).await.0, 200);
    assert_eq!(answer(request("/v2/events")).await.0, 401);
    assert_eq!(answer(request("/api/v2/status")).await.0, 401);
}

#[tokio::test]
async fn a_revoked_key_ends_what_it_opened() {
    let (running, _) = served().await;
    assert_eq!(ids(&running, &running.ann, "").await, "a1 a2");
    let mut stream = running
        .get_as(&running.ann, "/v2/events?follow&marker=a1")
        .send()
        .await
        .unwrap();
    let mut others = running.get_as(&running.bob, "/v2/events?follow").send().await.unwrap();
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("id: a2"));
    running.keys.revoke(&running.ann.id).unwrap();
    assert_eq!(answer(running.get_as(&running.ann, "/v2/events")).await.0, 401);
    // The stream ends within seconds, and not only when its time is over.
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    // Those of others go on: nothing has come, and nothing has ended.
    assert!(futures::FutureExt::now_or_never(others.chunk()).is_none());
}

#[tokio::test]
async fn a_credential_has_so_many_streams_and_others_have_theirs() {
    let (running, _) = served().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let stream = running.get_as(&running.ann, "/v2/events?follow").send().await.unwrap();
        assert_eq!(stream.status(), 200);
        held.push(stream);
    }
    let follow = |key| answer(running.get_as(key, "/v2/events?follow"));
    let (status, refused) = follow(&running.ann).await;
    assert_eq!(
        (status, refused),
        (429, fault("Too many streams of this credential are open."))
    );
    // Her questions are answered, and so are the streams of others.
    assert_eq!(ids(&running, &running.ann, "").await, "a1 a2");
    let theirs = running.get_as(&running.bob, "/v2/events?follow").send().await.unwrap();
    assert_eq!(theirs.status(), 200);
    drop(held);
    eventually("places that were given back", Duration::from_secs(60), async || {
        let stream = running.get_as(&running.ann, "/v2/events?follow").send().await.unwrap();
        (stream.status() == 200)
            .then_some(())
            .ok_or(stream.status().to_string())
    })
    .await;
}
