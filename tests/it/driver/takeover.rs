//! One leader after the other, and what the one before has sent.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::driver::PassEnd;
use statuspage_operator::engine::REQUEST_LIFE;

use super::store::AfterJournal;
use super::{PAGE, Stage, key};

#[tokio::test]
async fn a_leader_that_is_deposed_between_journal_and_request_sends_nothing() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    stage.store.state().after_journal = AfterJournal::Deposed;
    let mut driver = stage.driver();
    assert_eq!(stage.pass(&mut driver).await, Some(PassEnd::Stopped));
    assert_eq!(stage.server.log().writes(), 0);
    // The next one finds the journal, and creates it once.
    stage.store.state().leads = true;
    stage.settle(stage.driver()).await;
    assert_eq!(stage.list("components").await.len(), 1);
    assert_eq!(stage.server.log().writes(), 1);
}

#[tokio::test]
async fn a_leader_that_was_stopped_between_journal_and_request_looks_again_first() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    stage.store.state().after_journal = AfterJournal::Paused(stage.clock.clone(), Duration::from_secs(45));
    let mut driver = stage.driver();
    let reads = |stage: &Stage| stage.server.log().count("GET", &format!("/v1/pages/{PAGE}/components"));
    stage.pass(&mut driver).await;
    let journalled = stage.store.state().writes.len();
    assert!(journalled > 1 && reads(&stage) > 1, "it looked again before it sent");
    stage.settle(driver).await;
    assert_eq!(stage.list("components").await.len(), 1);
    assert_eq!(stage.server.log().writes(), 1);
}

/// A PATCH of the leader before lands after the new one has read everything.
#[tokio::test]
async fn a_new_leader_reads_once_more_when_all_that_was_sent_before_shows() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({"description": "declared"}));
    stage.settle(stage.driver()).await;
    let id = stage
        .store
        .get(&key(Kind::Component, "api"))
        .unwrap()
        .id_annotation
        .unwrap();
    let mut new = stage.driver().taking_over();
    stage.pass(&mut new).await;
    stage.advance(SignedDuration::from_secs(20));
    let late = json!({"component": {"description": "of the old leader"}});
    stage.send("PATCH", &format!("components/{id}"), late).await;
    let Some(PassEnd::Idle(Some(wake))) = stage.pass(&mut new).await else {
        panic!("it comes back")
    };
    let description = async || stage.list("components").await[0]["description"].clone();
    assert_eq!(description().await, "of the old leader", "not noticed yet");
    let wait = stage.clock.now().duration_until(wake);
    assert!(wait < REQUEST_LIFE + SignedDuration::from_secs(60), "{wait:?}");
    stage.advance(wait);
    stage.pass(&mut new).await;
    assert_eq!(description().await, "declared");
    // Once is enough.
    let Some(PassEnd::Idle(Some(wake))) = stage.pass(&mut new).await else {
        panic!("it comes back")
    };
    assert!(stage.clock.now().duration_until(wake) > SignedDuration::from_secs(120));
}

/// The group went with its last member, which a person deleted, before a new one is declared.
#[tokio::test]
async fn a_group_that_was_emptied_and_filled_again_is_read_again() {
    for deleted_by_hand in [true, false] {
        let stage = Stage::new().await;
        stage.declare(Kind::ComponentGroup, "core", json!({}));
        stage.declare(Kind::Component, "a", json!({"groupRef": {"name": "core"}}));
        let mut driver = stage.settle(stage.driver()).await;
        let id = stage
            .store
            .get(&key(Kind::Component, "a"))
            .unwrap()
            .id_annotation
            .unwrap();
        if deleted_by_hand {
            stage.send("DELETE", &format!("components/{id}"), json!(null)).await;
        }
        stage.store.delete(&key(Kind::Component, "a"));
        stage.declare(Kind::Component, "b", json!({"groupRef": {"name": "core"}}));
        let begun = stage.clock.now();
        let mut reason = String::new();
        while stage.clock.now().duration_since(begun) < SignedDuration::from_secs(60) && reason != "Synced" {
            stage.pass(&mut driver).await;
            reason = stage.reason(Kind::Component, "b");
            assert_ne!(reason, "Rejected", "nobody has to correct anything");
            stage.advance(SignedDuration::from_secs(2));
        }
        assert_eq!(reason, "Synced", "{deleted_by_hand}");
        stage.settle(driver).await;
        let rows = stage.list("components").await;
        let group = rows.iter().find(|row| row["group"] == true).unwrap();
        let member = rows.iter().find(|row| row["name"] == "b").unwrap();
        assert_eq!(member["group_id"], group["id"]);
    }
}
