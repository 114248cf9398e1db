//! Refusals, tokens, throttling, servers that are away, stores that are.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::driver::{PassEnd, StoreError};
use statuspage_operator::server::{Effect, MetricPatch};

use super::store::declare;
use super::{Stage, access, beginning, key};

fn answer(status: u16, retry_after: Option<u64>) -> Effect {
    Effect::Answer {
        status,
        body: None,
        retry_after,
    }
}

#[tokio::test]
async fn a_422_stops_only_its_object_and_shows_the_remote_words() {
    let stage = Stage::new().await;
    // The page has no such time zone of its own: an address that is no address is refused.
    stage.declare(
        Kind::Subscriber,
        "bad",
        json!({"sms": {"country": "XX", "number": "123"}}),
    );
    stage.declare(Kind::Component, "good", json!({}));
    let body = r#"{"error":["Phone country is invalid"]}"#.to_owned();
    let effect = Effect::Answer {
        status: 422,
        body: Some(body),
        retry_after: None,
    };
    stage.server.faults().next(1, "POST", "/subscribers", effect);
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    assert_eq!(stage.reason(Kind::Subscriber, "bad"), "Rejected");
    let bad = stage.store.get(&key(Kind::Subscriber, "bad")).unwrap();
    assert!(format!("{:?}", bad.stored).contains("Phone country is invalid"));
    assert!(bad.stored.object().journal.is_none());
    stage.assert_synced(Kind::Component, "good");
    // Nothing is sent again until it changes.
    let before = stage.server.log().writes();
    stage.advance(SignedDuration::from_secs(600));
    stage.pass(&mut driver).await;
    assert_eq!(stage.server.log().writes(), before);
}

#[tokio::test]
async fn a_refused_token_closes_the_page_until_there_is_another() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    stage.store.state().access = Ok(access(&stage.origin, "wrong"));
    let mut driver = stage.driver();
    let end = stage.pass(&mut driver).await;
    assert!(
        matches!(end, Some(PassEnd::Idle(Some(_)))),
        "one probe an interval: {end:?}"
    );
    assert_eq!(stage.reason(Kind::StatusPage, "page"), "Unauthorized");
    assert_eq!(stage.reason(Kind::Component, "api"), "PageNotReady");
    let requests = stage.server.log().entries().len();
    stage.pass(&mut driver).await;
    assert_eq!(stage.server.log().entries().len(), requests, "the circuit is open");
    stage.store.state().access = Ok(access(&stage.origin, "token"));
    stage.settle(driver).await;
    stage.assert_synced(Kind::Component, "api");
    let all = format!("{:?}", stage.store.state());
    assert!(!all.contains("wrong"), "tokens are shown nowhere");
}

#[tokio::test]
async fn another_address_is_another_page() {
    let stage = Stage::new().await;
    let other = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    let driver = stage.settle(stage.driver()).await;
    stage.store.state().access = Ok(access(&other.origin, "token"));
    stage.settle(driver).await;
    assert_eq!(
        other.list("components").await.len(),
        1,
        "created again there, because nothing is there"
    );
    assert_eq!(stage.list("components").await.len(), 1);
}

#[tokio::test]
async fn server_errors_are_ridden_out() {
    for status in [500, 502, 503, 504] {
        let stage = Stage::new().await;
        stage.declare_everything();
        stage.server.faults().next(6, "", "/components", answer(status, None));
        stage.settle(stage.driver()).await;
        assert_eq!(stage.list("components").await.len(), 4, "{status}");
        stage.assert_synced(Kind::Component, "api");
    }
}

#[tokio::test]
async fn throttling_pauses_the_token_and_loses_nothing() {
    for status in [420, 429] {
        let stage = Stage::new().await;
        stage.declare(Kind::Component, "api", json!({}));
        stage
            .server
            .faults()
            .next(1, "POST", "/components", answer(status, Some(1)));
        let driver = stage.settle(stage.driver()).await;
        assert_eq!(stage.list("components").await.len(), 1);
        assert_eq!(driver.budget().unwrap().stats().pauses, 1);
        stage.assert_synced(Kind::Component, "api");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_said_on_the_page_and_found_again() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    stage.server.faults().next(3, "GET", "/pages", Effect::LoseRequest);
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    assert_eq!(stage.reason(Kind::StatusPage, "page"), "Unreachable");
    stage.settle(driver).await;
    stage.assert_synced(Kind::Component, "api");
}

#[tokio::test]
async fn lists_that_lag_make_no_duplicates() {
    let stage = Stage::new().await;
    stage
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.list_lag = Duration::from_secs(20));
    stage.declare_everything();
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    stage.advance(SignedDuration::from_secs(1));
    // Another process, with nothing but what is stored.
    stage.declare(Kind::Component, "late", json!({}));
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    stage.settle(driver).await;
    stage.advance(SignedDuration::from_secs(30));
    assert_eq!(stage.list("components").await.len(), 5);
    assert_eq!(stage.list("incidents").await.len(), 1);
    assert_eq!(stage.list("metrics_providers").await.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_sends_nothing_and_is_not_hammered() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    let away = StoreError::Unavailable {
        object: "it".into(),
        message: "away".into(),
    };
    stage.store.state().failing = Some((0, away));
    let mut driver = stage.driver();
    let end = stage.pass(&mut driver).await;
    assert!(matches!(end, Some(PassEnd::Idle(Some(_)))), "{end:?}");
    assert_eq!(stage.server.log().writes(), 0);
    assert!(stage.store.attempts() < 10, "{}", stage.store.attempts());
    stage.store.state().failing = None;
    stage.settle(driver).await;
    assert_eq!(stage.list("components").await.len(), 1);
    stage.assert_synced(Kind::Component, "api");
}

#[tokio::test]
async fn a_store_that_goes_away_after_the_create_loses_nothing() {
    // finalizer, journal: then nothing is taken any more.
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    let away = StoreError::Unavailable {
        object: "it".into(),
        message: "away".into(),
    };
    stage.store.state().failing = Some((2, away));
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    assert_eq!(stage.server.log().writes(), 1);
    stage.store.state().failing = None;
    stage.settle(driver).await;
    assert_eq!(stage.list("components").await.len(), 1);
    let stored = stage.store.get(&key(Kind::Component, "api")).unwrap();
    assert!(stored.id_annotation.is_some() && stored.stored.object().journal.is_none());
}

#[tokio::test]
async fn a_journal_that_loses_the_race_sends_nothing() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    // The finalizer is taken, the journal meets a version of somebody else.
    stage.store.state().failing = Some((1, StoreError::Conflict("api".into())));
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    assert_eq!(stage.server.log().writes(), 0);
    stage.store.state().failing = None;
    stage.settle(driver).await;
    assert_eq!(stage.list("components").await.len(), 1);
}

#[tokio::test]
async fn a_field_that_the_page_does_not_keep_is_written_once_and_reported() {
    let stage = Stage::new().await;
    stage
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.metric_patch = MetricPatch::Documented);
    stage.declare(Kind::Metric, "latency", json!({"suffix": "ms"}));
    let driver = stage.settle(stage.driver()).await;
    stage
        .store
        .respecify(&key(Kind::Metric, "latency"), json!({"suffix": "seconds"}));
    let before = stage.server.log().writes();
    let mut driver = driver;
    stage.pass(&mut driver).await;
    assert_eq!(stage.reason(Kind::Metric, "latency"), "NotHonoured");
    assert_eq!(stage.server.log().writes() - before, 1);
}

#[tokio::test]
async fn points_that_are_refused_together_are_sent_one_metric_at_a_time() {
    let stage = Stage::new().await;
    for name in ["one", "two", "three"] {
        stage.declare(Kind::Metric, name, json!({"data": [{"ago": "10m", "value": 1.0}]}));
    }
    // The bulk request is refused, then that of the first metric.
    stage
        .server
        .faults()
        .next(2, "POST", "/metrics/data", answer(422, None));
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    let reasons: Vec<String> = ["one", "two", "three"]
        .map(|name| stage.reason(Kind::Metric, name))
        .into();
    assert_eq!(
        reasons.iter().filter(|reason| *reason == "Synced").count(),
        2,
        "{reasons:?}"
    );
    assert_eq!(
        reasons.iter().filter(|reason| *reason == "Rejected").count(),
        1,
        "{reasons:?}"
    );
}

#[tokio::test]
async fn a_page_that_is_not_there_is_asked_for_less_and_less() {
    let stage = Stage::new().await;
    {
        let mut state = stage.store.state();
        let spec = json!({"pageId": "nopage000000", "api": {"tokenSecretRef": {"name": "token"}}});
        state.page = declare(Kind::StatusPage, "page", beginning(), spec);
    }
    stage.declare(Kind::Component, "api", json!({}));
    let mut driver = stage.driver();
    let begun = stage.clock.now();
    while stage.clock.now().duration_since(begun) < SignedDuration::from_mins(10) {
        let now = stage.clock.now();
        let wake = match stage.pass(&mut driver).await {
            Some(PassEnd::Idle(Some(wake))) => wake.duration_since(now),
            other => panic!("{other:?}"),
        };
        stage.advance(wake.max(SignedDuration::from_millis(100)));
    }
    let requests = stage.server.log().entries().len();
    assert!((5..=24).contains(&requests), "{requests} requests in ten minutes");
    assert_eq!(stage.reason(Kind::StatusPage, "page"), "RemotePageNotFound");
}
