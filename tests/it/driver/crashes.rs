//! The process ends before and after every write to the store, and every reply of the page is lost once.

use serde_json::Value;
use statuspage_operator::api::Kind;
use statuspage_operator::server::Effect;

use super::Stage;
use super::store::Crash;

/// What a run without faults leaves, and how many store writes and requests it makes.
async fn reference() -> (Value, usize, usize) {
    let stage = Stage::new().await;
    stage.declare_everything();
    stage.settle(stage.driver()).await;
    let writes = stage.store.state().writes.len();
    let requests = stage.server.log().entries().len();
    (stage.content().await, writes, requests)
}

fn everything_is_synced(stage: &Stage) {
    for declaration in &stage.store.state().declarations {
        let object = declaration.stored.object();
        assert!(
            object.journal.is_none() && declaration.id_annotation.is_some(),
            "{}",
            declaration.key
        );
    }
    for name in ["api", "web", "mail"] {
        stage.assert_synced(Kind::Component, name);
    }
    stage.assert_synced(Kind::Incident, "down");
    stage.assert_synced(Kind::Metric, "latency");
    stage.assert_synced(Kind::Subscriber, "team");
    stage.assert_synced(Kind::ComponentGroup, "core");
}

/// How often subscribers were told of each update.
fn told(stage: &Stage) -> usize {
    let mut updates: Vec<_> = stage
        .server
        .notifications()
        .into_iter()
        .filter(|notification| notification.update.is_some())
        .map(|notification| (notification.update, format!("{:?}", notification.kind)))
        .collect();
    let all = updates.len();
    updates.sort();
    updates.dedup();
    assert_eq!(all, updates.len(), "an update was announced twice");
    all
}

#[tokio::test]
async fn a_crash_around_every_store_write_leaves_the_same_page() {
    let (expected, writes, _) = reference().await;
    for number in 0..writes {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let stage = Stage::new().await;
            stage.declare_everything();
            stage.store.state().crash = Some(crash);
            stage.settle(stage.driver()).await;
            assert_eq!(
                stage.content().await,
                expected,
                "{crash:?}: {:#?}",
                stage.store.state().writes
            );
            everything_is_synced(&stage);
            told(&stage);
        }
    }
}

#[tokio::test]
async fn a_lost_reply_of_every_request_leaves_the_same_page() {
    let (expected, _, requests) = reference().await;
    let effects = [Effect::LoseReply, Effect::LoseRequest, Effect::TruncateBody];
    for number in 0..requests {
        for effect in &effects {
            let stage = Stage::new().await;
            stage.declare_everything();
            stage.spoil_request(number, effect.clone());
            stage.settle(stage.driver()).await;
            assert_eq!(
                stage.content().await,
                expected,
                "{effect:?} at {number}: {:#?}",
                stage.store.state().writes
            );
            everything_is_synced(&stage);
            told(&stage);
        }
    }
}

#[tokio::test]
async fn a_deletion_survives_a_crash_around_every_store_write() {
    for number in 0..20 {
        for after in [false, true] {
            let stage = Stage::new().await;
            stage.declare_everything();
            let driver = stage.settle(stage.driver()).await;
            let before = stage.store.attempts();
            stage.store.state().crash = Some(if after {
                Crash::After(before + number)
            } else {
                Crash::Before(before + number)
            });
            let doomed = stage.store.state().declarations.clone();
            for declaration in doomed {
                stage.store.delete(&declaration.key);
            }
            stage.settle(driver).await;
            assert!(
                stage.store.state().declarations.is_empty(),
                "{:?}",
                stage.store.state().declarations
            );
            assert!(stage.list("components").await.is_empty());
            assert!(stage.list("subscribers").await.is_empty());
            assert_eq!(stage.list("incidents").await.len(), 1, "orphaned");
        }
    }
}

/// A metric one field of which is only read when it is created, and that field changed. Gives the store writes and
/// requests that this took, when nothing goes wrong.
async fn replace(crash: impl Fn(usize) -> Option<Crash>, spoil: Option<(usize, Effect)>) -> (usize, usize) {
    let metric = |transform: &str| serde_json::json!({"transform": transform, "replacePolicy": "WhenNeeded", "driftPolicy": "Detect"});
    let stage = Stage::new().await;
    stage.declare(Kind::Metric, "latency", metric("average"));
    let driver = stage.settle(stage.driver()).await;
    let first = stage.list("metrics").await[0]["id"].clone();
    let (writes, requests) = (stage.store.attempts(), stage.server.log().entries().len());
    stage.store.state().crash = crash(writes);
    if let Some((number, effect)) = &spoil {
        stage.spoil_request(*number, effect.clone());
    }
    stage
        .store
        .respecify(&super::key(Kind::Metric, "latency"), metric("max"));
    stage.settle(driver).await;
    let took = (
        stage.store.attempts() - writes,
        stage.server.log().entries().len() - requests,
    );
    let metrics = stage.list("metrics").await;
    let done = stage.store.state().writes.clone();
    assert_eq!(metrics.len(), 1, "{spoil:?} {done:#?}");
    assert_ne!(metrics[0]["id"], first, "{spoil:?} {done:#?}");
    stage.assert_synced(Kind::Metric, "latency");
    let declaration = stage.store.get(&super::key(Kind::Metric, "latency")).unwrap();
    assert!(declaration.stored.object().journal.is_none(), "{done:#?}");
    assert_eq!(declaration.id_annotation.as_deref(), metrics[0]["id"].as_str());
    if spoil.is_none() {
        let under_providers = format!("/v1/pages/{}/metrics_providers/", super::PAGE);
        assert_eq!(stage.server.log().count("POST", &under_providers), 2, "{done:#?}");
    }
    took
}

#[tokio::test]
async fn a_replacement_survives_a_crash_around_every_store_write_and_every_lost_reply() {
    let (writes, requests) = replace(|_| None, None).await;
    for number in 0..writes {
        replace(|before| Some(Crash::Before(before + number)), None).await;
        replace(|before| Some(Crash::After(before + number)), None).await;
    }
    for number in 0..requests {
        for effect in [Effect::LoseReply, Effect::LoseRequest, Effect::TruncateBody] {
            replace(|_| None, Some((number, effect))).await;
        }
    }
}
