//! Limits, headers, names of requests, and the end.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use statuspage_operator::admin::{AdminError, Limits, Mount};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::{Running, Setup, answer};

async fn raw(running: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // A refused request may end in a reset after the answer.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_request_keeps_its_name_or_gets_one() {
    let running = Running::start().await;
    let name = "x-rh-insights-request-id";
    let request = || running.request("GET", "/api/v1/nope");
    let response = request().header(name, "abc-123").send().await.unwrap();
    assert_eq!(response.headers()[name], "abc-123");
    let made = request().send().await.unwrap().headers()[name].clone();
    assert_eq!(made.len(), 32);
    // What could break a log is no name.
    for bad in ["with blank", &"x".repeat(200)] {
        let response = request().header(name, bad).send().await.unwrap();
        assert_eq!(response.headers()[name].len(), 32, "{bad}");
    }
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let running = Running::start().await;
    for path in [
        "/api/v1/status/",
        "/api/v2/status",
        "/v2/nope",
        "/openapi.json",
        "/nope",
    ] {
        let response = running
            .request("GET", path)
            .header("Origin", "https://x.example")
            .send()
            .await
            .unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(
            headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cache-control"], "private, no-cache", "{path}");
        assert!(
            !headers.contains_key("x-powered-by") && !headers.contains_key("server"),
            "{path}"
        );
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "not without TLS");
    }
}

#[tokio::test]
async fn large_heads_are_refused() {
    let running = Running::start().await;
    let long = "x".repeat(40 * 1024);
    let answer = raw(
        &running,
        &format!("GET /api/v1/ready/ HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many = "X: y\r\n".repeat(200);
    let answer = raw(
        &running,
        &format!("GET /api/v1/ready/ HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    // A body beside a GET says nothing.
    let answer = raw(
        &running,
        "GET /api/v1/ready/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn slow_heads_are_cut() {
    let setup = Setup {
        limits: Limits {
            head_time: Duration::from_millis(200),
            ..Limits::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let answer = raw(&running, "GET /api/v1/ready/ HTTP/1.1\r\nHos").await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let setup = Setup {
        limits: Limits {
            connections: 1,
            ..Limits::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let first = TcpStream::connect(running.address).await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    let request = b"GET /api/v1/ready/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    second.write_all(request).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(early.is_err(), "not before its turn");
    drop(first);
    let mut text = String::new();
    second.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

/// A route that tells when it was reached and answers when it is told to.
fn held() -> (Mount, mpsc::UnboundedReceiver<()>, mpsc::UnboundedSender<()>) {
    let (reached, was_reached) = mpsc::unbounded_channel();
    let (go, may_go) = mpsc::unbounded_channel::<()>();
    let may_go = std::sync::Arc::new(tokio::sync::Mutex::new(may_go));
    let handler = move || {
        let (reached, may_go) = (reached.clone(), may_go.clone());
        async move {
            let _ = reached.send(());
            let _ = may_go.lock().await.recv().await;
            "done"
        }
    };
    let mount = Mount {
        router: Router::new().route("/held", get(handler)),
        operations: Vec::new(),
    };
    (mount, was_reached, go)
}

#[tokio::test]
async fn an_answer_under_way_is_finished_at_the_end() {
    let (mount, mut reached, go) = held();
    let setup = Setup {
        mounts: vec![mount],
        ..Setup::default()
    };
    let mut running = Running::with(setup).await;
    let request = tokio::spawn(running.request("GET", "/held").send());
    reached.recv().await.unwrap();
    running.ask_to_end();
    // New ones are not taken: the listener goes first.
    crate::support::eventually(
        "end of listening",
        Duration::from_secs(10),
        async || match TcpStream::connect(running.address).await {
            Err(_) => Ok(()),
            Ok(_) => Err("still accepted".to_owned()),
        },
    )
    .await;
    go.send(()).unwrap();
    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert!(running.ended().await.is_ok());
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let (mount, mut reached, _go) = held();
    let setup = Setup {
        mounts: vec![mount],
        limits: Limits {
            grace: Duration::from_millis(100),
            ..Limits::default()
        },
        ..Setup::default()
    };
    let mut running = Running::with(setup).await;
    let request = tokio::spawn(running.request("GET", "/held").send());
    reached.recv().await.unwrap();
    running.ask_to_end();
    assert!(matches!(running.ended().await, Err(AdminError::Unfinished(_))));
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn mounted_routes_are_served_beside_the_own_ones() {
    let mount = Mount {
        router: Router::new().route("/healthz", get(async || "ok\n")),
        operations: Vec::new(),
    };
    let setup = Setup {
        mounts: vec![mount],
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    // Probes show no credentials, and wrong ones are not looked at.
    let request = running.request("GET", "/healthz").bearer_auth("old");
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "ok\n");
    assert_eq!(answer(running.request("GET", "/api/v1/ready/")).await.0, 200);
}
