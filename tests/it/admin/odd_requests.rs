//! Requests that no client means to send, byte by byte.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use statuspage_operator::admin::{Limits, Mount};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Running, Setup, answer, with_key};
use crate::support::eventually;

/// Sends bytes and reads until the other end closes.
async fn raw(running: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// One request by hand, with the key of ann.
async fn by_hand(running: &Running, line: &str) -> (u16, Value) {
    let token = running.ann.token.expose_secret();
    let request = format!("{line}\r\nHost: a\r\nConnection: close\r\nX-Auth-Token: {token}\r\n\r\n");
    let text = raw(running, request.as_bytes()).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn insights(status: u16, detail: &str) -> Value {
    json!({"errors": [{"detail": detail, "source": "detail", "status": status.to_string()}]})
}

fn webitel(path: &str) -> Value {
    json!({"status": "error", "info": format!("{path} not found.")})
}

fn fault(text: &str) -> Value {
    json!({"error_message": {"faultcode": "Client", "faultstring": text, "debuginfo": null}})
}

#[tokio::test]
async fn odd_targets_are_answered_in_their_contract() {
    let running = Running::start().await;
    let nothing = insights(404, "Not found.");
    let plain = json!({"error": "Not found."});
    for (line, status, body) in [
        // Bytes that are no text.
        (
            "GET /api/v1/resources/%FF/Component/web/ HTTP/1.1",
            404,
            nothing.clone(),
        ),
        ("GET /api/v1/resources/a/%C3/%00/ HTTP/1.1", 404, nothing.clone()),
        (
            "GET /api/v1/resources/a%2FComponent/web/ HTTP/1.1",
            404,
            nothing.clone(),
        ),
        ("GET /api/v1/%FF HTTP/1.1", 404, nothing.clone()),
        ("GET /api/v1/resources// HTTP/1.1", 404, nothing.clone()),
        ("GET /api/v1/../v2/status HTTP/1.1", 404, nothing),
        ("GET /api/v2/%FF HTTP/1.1", 404, webitel("/api/v2/%FF")),
        // The suffix counts: this is a page's own API elsewhere.
        ("GET /api/v2/status.json HTTP/1.1", 404, webitel("/api/v2/status.json")),
        (
            "GET /api/v2/summary.json HTTP/1.1",
            404,
            webitel("/api/v2/summary.json"),
        ),
        ("PUT /api/v2/status HTTP/1.1", 404, webitel("/api/v2/status")),
        ("TRACE /api/v2/nope HTTP/1.1", 404, webitel("/api/v2/nope")),
        ("GET /v2/%FF HTTP/1.1", 404, fault("The resource could not be found.")),
        // Written otherwise it is another path: no way around the middleware.
        ("GET //api/v1/resources/ HTTP/1.1", 404, plain.clone()),
        ("GET /api%2Fv1/resources/ HTTP/1.1", 404, plain.clone()),
        ("GET /%61pi/v1/resources/ HTTP/1.1", 404, plain.clone()),
        ("GET /API/V1/resources/ HTTP/1.1", 404, plain.clone()),
        ("OPTIONS * HTTP/1.1", 404, plain.clone()),
        ("CONNECT elsewhere.example:443 HTTP/1.1", 404, plain),
        (
            "BREW /api/v1/status/ HTTP/1.1",
            405,
            insights(405, "Method \"BREW\" not allowed."),
        ),
        (
            "BREW /openapi.json HTTP/1.1",
            405,
            json!({"error": "Method \"BREW\" not allowed."}),
        ),
    ] {
        assert_eq!(by_hand(&running, line).await, (status, body), "{line}");
    }
    // A proxy's form of an address is the same address.
    let (status, list) = by_hand(&running, "GET http://elsewhere.example/api/v1/resources/ HTTP/1.1").await;
    assert_eq!(
        (status, &list["links"]["first"]),
        (200, &json!("/api/v1/resources/?limit=10&offset=0"))
    );
}

#[tokio::test]
async fn parameters_that_are_no_text_or_twice() {
    let running = Running::start().await;
    for (query, count) in [
        ("?&&", 3),
        ("?page=a%2Fmain", 3),
        ("?page=%FF", 0),
        ("?namespace=%00", 0),
        ("?namespace=", 0),
        ("?namespace=%F0%9F%A6%80", 0),
    ] {
        let (status, list) = by_hand(&running, &format!("GET /api/v1/resources/{query} HTTP/1.1")).await;
        assert_eq!((status, &list["meta"]["count"]), (200, &json!(count)), "{query}");
        // What the links say can be asked for again.
        let first = list["links"]["first"].as_str().unwrap();
        let (status, again) = by_hand(&running, &format!("GET {first} HTTP/1.1")).await;
        assert_eq!((status, &again["links"]["first"]), (200, &json!(first)), "{query}");
    }
    for (query, source, detail) in [
        (
            "limit=%31%30%30%31",
            "limit",
            "Ensure this value is less than or equal to 1000.",
        ),
        ("limit=", "limit", "A valid integer is required."),
        ("limit=%00", "limit", "A valid integer is required."),
        ("limit=1&limit=1", "limit", "This parameter is given more than once."),
        (
            "kind=StatusPage&kind=Component",
            "kind",
            "This parameter is given more than once.",
        ),
        ("%6cimit=1&limit=2", "limit", "This parameter is given more than once."),
        (
            "=",
            "",
            "Unknown parameter: there are limit, offset, kind, page, namespace, ready.",
        ),
        (
            "Limit=1",
            "Limit",
            "Unknown parameter: there are limit, offset, kind, page, namespace, ready.",
        ),
        ("offset=99999999999999999999", "offset", "A valid integer is required."),
        ("ready=True", "ready", "\"True\" is not a valid choice."),
        ("kind=", "kind", "\"\" is not a valid choice."),
    ] {
        let expected = json!({"errors": [{"detail": detail, "source": source, "status": "400"}]});
        let line = format!("GET /api/v1/pages/?{query} HTTP/1.1");
        assert_eq!(by_hand(&running, &line).await, (400, expected), "{query}");
    }
    // What takes none says so.
    for path in ["status/", "ready/", "access/", "resources/a/Component/web/"] {
        let line = format!("GET /api/v1/{path}?limit=1 HTTP/1.1");
        let detail = "Unknown parameter: there is none here.";
        let expected = json!({"errors": [{"detail": detail, "source": "limit", "status": "400"}]});
        assert_eq!(by_hand(&running, &line).await, (400, expected), "{path}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_is_to_localhost() {
    let setup = Setup {
        public_details: true,
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let text = raw(&running, b"GET /api/v1/status/ HTTP/1.0\r\n\r\n").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    let document: Value = serde_json::from_str(body).unwrap();
    assert_eq!(document["server_address"], "localhost");
}

#[tokio::test]
async fn a_credential_that_is_there_twice_is_none() {
    let running = Running::start().await;
    let token = running.ann.token.expose_secret();
    let (id, other) = (&running.ann.id, &running.bob.id);
    for headers in [
        format!("X-Auth-Token: {token}\r\nX-Auth-Token: {token}"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}"),
        format!("X-Key: {id}\r\nX-Key: {other}\r\nX-Access-Token: {token}"),
        format!("X-Key: {id}\r\nX-Access-Token: {token}\r\nX-Auth-Token: {token}"),
        format!("X-Auth-Token: {token}\u{e9}"),
    ] {
        let request = format!("GET /api/v1/pages/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n\r\n");
        let answer = raw(&running, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{headers}: {answer}");
        assert!(!answer.contains(token), "nothing is given back");
    }
    // Blanks around are none of it, and empty headers are no credential.
    let request = format!(
        "GET /api/v1/pages/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Key:\r\nX-Auth-Token:  {token} \r\n\r\n"
    );
    assert!(raw(&running, request.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

/// The original takes them from a JSON body, before the headers.
#[tokio::test]
async fn credentials_in_a_body_open_nothing() {
    let running = Running::start().await;
    let (ann, bob) = (&running.ann, &running.bob);
    let body = json!({"x_key": ann.id, "access_token": ann.token.expose_secret()});
    let request = || running.request("GET", "/api/v2/status").json(&body);
    let refused = json!({"status": "error", "info": "Invalid Token or Key"});
    assert_eq!(answer(request()).await, (401, refused));
    let (status, document) = answer(with_key(request(), bob)).await;
    assert_eq!(
        (status, &document["Max users session"]),
        (200, &json!(2)),
        "bob's numbers"
    );
}

/// A body without an announced length is not read at all: nothing here takes one.
#[tokio::test]
async fn a_body_without_an_end_is_not_waited_for() {
    let running = Running::start().await;
    let chunk = format!("{:x}\r\n{}\r\n", 4096, "x".repeat(4096)).repeat(4);
    let request = format!("POST /api/v1/status/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    let answer = raw(&running, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn who_reads_no_answer_loses_its_place() {
    let setup = Setup {
        mounts: vec![Mount {
            router: Router::new().route("/large", get(async || vec![b'x'; 64 << 20])),
            operations: Vec::new(),
        }],
        limits: Limits {
            write: Duration::from_millis(200),
            ..Limits::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    silent
        .write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    // The answer has begun, so the connection is there.
    silent.readable().await.unwrap();
    eventually(
        "one connection, that of who asks",
        Duration::from_secs(60),
        async || {
            let document = running.json_as(&running.ann, "/api/v2/status").await;
            match document["Socket sessions"].as_u64() {
                Some(1) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    )
    .await;
    drop(silent);
}

/// Heads that come byte by byte take places for a while, and give them back.
#[tokio::test]
async fn many_slow_heads_do_not_keep_others_out() {
    let setup = Setup {
        limits: Limits {
            connections: 8,
            head_time: Duration::from_millis(300),
            ..Limits::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream
            .write_all(b"GET /api/v1/ready/ HTTP/1.1\r\nX-Slow: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    assert_eq!(answer(running.request("GET", "/api/v1/ready/")).await.0, 200);
}
