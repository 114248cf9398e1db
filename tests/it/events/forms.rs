//! The forms of `/v2`: JSON, and XML for whoever asks for it.

use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::json;
use statuspage_operator::admin::events;
use tower::ServiceExt;

use super::{Api, Place, admin, event, sample};
use crate::admin::{Running, Setup};
use crate::support::clients::{python, run_python};

/// Status, content type and text.
async fn ask(api: &Api, method: Method, path: &str, accept: &str) -> (u16, String, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, accept);
    let response = api
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    if parts.headers.contains_key(header::CONTENT_LENGTH) && !text.is_empty() {
        assert_eq!(parts.headers[header::CONTENT_LENGTH], text.len().to_string().as_str());
    }
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .map_or("", |kind| kind.to_str().unwrap());
    (parts.status.as_u16(), kind.to_owned(), text)
}

#[tokio::test]
async fn every_resource_is_given_in_xml_to_whoever_asks_for_it() {
    let place = Place::sqlite();
    let odd = event("odd", "odd", "2024-03-01T10:00:06Z", "team-a").raw(json!([null, "a < b & c"]));
    let log = place.filled(vec![sample(), odd]).await;
    let api = Api::of(&log, Some(admin()));
    let xml = "application/xml; charset=UTF-8";
    let traits = "<item><name>attempt</name><type>integer</type></item>";
    for (path, status, text) in [
        (
            "/v2/capabilities",
            200,
            "<value><api><item><key>events:query:simple</key><value>true</value></item></api><event_storage><item>\
             <key>storage:production_ready</key><value>true</value></item></event_storage></value>",
        ),
        (
            "/v2/event_types",
            200,
            "<value><item>component.create</item><item>odd</item></value>",
        ),
        ("/v2/event_types/component.create/traits", 200, traits),
        (
            "/v2/event_types/component.create/traits/attempt",
            200,
            "<value><item><name>attempt</name><value>2</value><type>integer</type></item></value>",
        ),
        (
            "/v2/events/odd",
            200,
            "<value><message_id>odd</message_id><event_type>odd</event_type><generated>2024-03-01T10:00:06</generated>\
             <traits><item><name>namespace</name><type>string</type><value>team-a</value></item></traits>\
             <raw><item nil=\"true\"/><item>a &lt; b &amp; c</item></raw></value>",
        ),
        ("/v2/events?q.field=name&q.value=nobody", 200, "<value></value>"),
        (
            "/v2/events/nope",
            404,
            "<error_message><error><faultcode>Client</faultcode><faultstring>Event nope Not Found</faultstring>\
             <debuginfo/></error></error_message>",
        ),
        (
            "/v2/events?limit=x",
            400,
            "<faultstring>Invalid input for field/attribute limit.",
        ),
        (
            "/v2/nope",
            404,
            "<faultstring>The resource could not be found.</faultstring>",
        ),
    ] {
        let answer = ask(&api, Method::GET, path, "application/xml").await;
        assert_eq!((answer.0, answer.1.as_str()), (status, xml), "{path}");
        assert!(answer.2.contains(text), "{path}: {}", answer.2);
        assert!(!text.starts_with("<value>") || answer.2 == text, "{path}: {}", answer.2);
        let head = ask(&api, Method::HEAD, path, "application/xml").await;
        assert_eq!((head.0, head.1.as_str(), head.2.as_str()), (status, xml, ""), "{path}");
    }
    let (_, _, list) = ask(
        &api,
        Method::GET,
        "/v2/events",
        "text/html, application/xml;q=0.9, */*;q=0.8",
    )
    .await;
    assert!(
        list.starts_with("<value><item><message_id>00000011-"),
        "a browser: {list}"
    );
}

#[tokio::test]
async fn what_cannot_be_given_is_406_and_json_stays_the_default() {
    let place = Place::sqlite();
    let log = place.filled(vec![sample()]).await;
    let api = Api::of(&log, Some(admin()));
    for path in [
        "/v2/capabilities",
        "/v2/event_types",
        "/v2/events",
        "/v2/event_types/a/traits/b",
    ] {
        for accept in ["text/html", "image/png", "application/json;q=0", "text/event-stream"] {
            let (status, kind, text) = ask(&api, Method::GET, path, accept).await;
            assert_eq!((status, kind.as_str()), (406, "application/json"), "{path} {accept}");
            assert!(text.contains("application/xml"), "{text}");
        }
        for accept in [
            "*/*",
            "application/json",
            "application/json;q=0.1, text/html",
            "application/*",
        ] {
            let (status, kind, _) = ask(&api, Method::GET, path, accept).await;
            assert_eq!((status, kind.as_str()), (200, "application/json"), "{path} {accept}");
        }
    }
    // A stream is what it is.
    for (accept, status) in [("text/event-stream", 200), ("*/*", 200), ("application/xml", 406)] {
        let request = Request::builder()
            .uri("/v2/events?follow")
            .header(header::ACCEPT, accept);
        let request = request.body(Body::empty()).unwrap();
        let response = api.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{accept}");
    }
}

/// The reader of XML that the event service itself has (WSME), and the answers that were recorded from it: ours read as
/// its own do.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_recorded_answers_reads_ours() {
    let place = Place::sqlite();
    let log = place.filled(vec![sample()]).await;
    let setup = Setup {
        mounts: vec![events::mount(log)],
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let origin = running.url("");
    let token = secrecy::ExposeSecret::expose_secret(&running.root.token).to_owned();
    tokio::task::spawn_blocking(move || {
        let programs = python("wsme", &[&["WSME==0.12.1"]]);
        run_python(&programs, "events_in_xml.py", &[&origin, &token]);
    })
    .await
    .unwrap();
}
