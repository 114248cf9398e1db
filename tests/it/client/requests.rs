//! What a request looks like, and by which right it is sent.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use statuspage_operator::statuspage::{Budget, ComponentWrite, ErrorClass, Priority};

use super::remote::{Remote, reply};

#[tokio::test]
async fn requests_carry_token_agent_and_enveloped_json() {
    let remote = Remote::answering(201, r#"{"id":"c1","name":"API","status":"operational"}"#).await;
    let write = ComponentWrite {
        name: Some("API".to_owned()),
        group_id: Some(None),
        ..ComponentWrite::default()
    };
    let component = remote.client().page("p1").components().create(&write).await.unwrap();
    assert_eq!(component.id, "c1");
    let seen = &remote.seen()[0];
    assert_eq!(seen.line(), "POST /v1/pages/p1/components");
    assert_eq!(seen.headers["authorization"], "OAuth correct-horse");
    let agent = concat!("statuspage-client/", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.headers["user-agent"], agent);
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.body, json!({"component": {"name": "API", "group_id": null}}));
}

#[tokio::test]
async fn every_page_of_a_list_is_a_request_of_the_budget() {
    let remote = Remote::start(|seen| match seen.parameter("page") {
        Some("1" | "2") => {
            let first = if seen.parameter("page") == Some("1") { 0 } else { 100 };
            let rows: Vec<_> = (first..first + 100).map(|n| json!({"id": format!("m{n}")})).collect();
            reply(200, json!(rows).to_string())
        }
        _ => reply(200, "[]"),
    })
    .await;
    let budget = Budget::new(60);
    let client = remote.client_with(budget.clone());
    assert_eq!(client.page("p").metrics().list().await.unwrap().items.len(), 200);
    assert_eq!(
        (budget.stats().granted, budget.stats().used, budget.stats().in_flight),
        (3, 3, 0)
    );
}

#[tokio::test]
async fn a_permit_that_the_caller_holds_is_used_once() {
    let remote = Remote::answering(200, r#"{"id":"p"}"#).await;
    let budget = Budget::new(60);
    let permit = budget.acquire(Priority::Incident, "p").await;
    let client = remote.client_with(budget.clone()).with_permit(permit);
    client.page("p").get().await.unwrap();
    assert_eq!((budget.stats().granted, budget.stats().in_flight), (1, 0));
    client.page("p").get().await.unwrap();
    assert_eq!(budget.stats().granted, 2);
}

#[tokio::test]
async fn too_many_requests_pause_the_token() {
    for status in [420, 429] {
        let remote = Remote::start(move |_| {
            let mut response = reply(status, r#"{"error":"Too many requests"}"#);
            response.headers_mut().insert("retry-after", "30".parse().unwrap());
            response
        })
        .await;
        let budget = Budget::new(60);
        let error = remote.client_with(budget.clone()).page("p").get().await.unwrap_err();
        let retry_after = Some(std::time::Duration::from_secs(30));
        assert_eq!(error.class(), ErrorClass::Throttled { retry_after });
        let left = budget.stats().paused_for.unwrap().as_secs();
        assert!((28..=30).contains(&left), "{left}");
        assert_eq!(budget.remaining(), 0);
    }
}

#[tokio::test]
async fn an_impossible_id_is_not_sent() {
    let remote = Remote::answering(204, "").await;
    let components = remote.client().page("p").components();
    for id in ["", "..", "a/../b", "a?x"] {
        let error = components.delete(id).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Terminal);
    }
    assert!(remote.client().page("").get().await.is_err());
    assert!(remote.seen().is_empty());
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn requests_are_logged_without_secrets() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("statuspage_client=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // A log of this thread alone would miss statements that other tests, which have none, reach first. So the log is
    // that of the whole process, and no test may write a secret into it.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let remote = Remote::start(|_| {
        let mut response = reply(200, r#"[{"id":"i1","name":"private words"}]"#);
        response
            .headers_mut()
            .insert("x-request-id", "request-7".parse().unwrap());
        response.headers_mut().insert("atl-traceid", "trace-8".parse().unwrap());
        response
    })
    .await;
    remote
        .client()
        .page("logged")
        .incidents()
        .search("someone@example.com")
        .await
        .unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("/pages/logged/incidents"))
        .unwrap();
    for word in ["GET", "status=200", "request-7", "trace-8", "duration_ms"] {
        assert!(line.contains(word), "{word} in {line}");
    }
    for word in ["correct-horse", "someone", "private words"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
}
