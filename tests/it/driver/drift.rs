//! What people delete by hand.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::driver::{EventKind, StoreChange};

use super::{PAGE, Stage, key};

#[tokio::test]
async fn what_is_deleted_by_hand_is_noticed_and_follows_its_policy() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "correct", json!({}));
    stage.declare(Kind::Component, "detect", json!({"driftPolicy": "Detect"}));
    let updates = json!([{"status": "investigating", "body": "Looking"}]);
    stage.declare(Kind::Incident, "down", json!({"updates": updates}));
    let driver = stage.settle(stage.driver()).await;
    // Everything is gone, and a while later it is missed.
    for what in ["components", "incidents"] {
        for row in stage.list(what).await {
            let id = row["id"].as_str().unwrap();
            let address = format!("{}/v1/pages/{PAGE}/{what}/{id}", stage.origin);
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.delete(address).header("Authorization", "OAuth another");
            assert!(request.send().await.unwrap().status().is_success());
        }
    }
    let writes = stage.server.log().writes();
    stage.advance(SignedDuration::from_secs(310));
    stage.settle(driver).await;
    assert_eq!(stage.server.log().writes(), writes + 1, "one is created again");
    let names: Vec<_> = stage
        .list("components")
        .await
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(names, ["correct"]);
    assert!(stage.list("incidents").await.is_empty(), "nobody is told again");
    stage.assert_synced(Kind::Component, "correct");
    for (kind, name) in [(Kind::Component, "detect"), (Kind::Incident, "down")] {
        assert_eq!(stage.reason(kind, name), "RemoteDeleted");
        let state = stage.store.state();
        let events: Vec<_> = state
            .events
            .iter()
            .filter(|(about, _)| *about == key(kind, name))
            .collect();
        let (_, last) = events.last().unwrap();
        assert_eq!((last.kind, last.reason.as_str()), (EventKind::Warning, "RemoteDeleted"));
        assert!(
            last.note.contains("set driftPolicy: Correct to create it again"),
            "{last:?}"
        );
    }
}

/// When each state of a condition began, in the order in which it was told.
fn told(stage: &Stage, name: &str, of: &str) -> Vec<(String, Timestamp)> {
    let state = stage.store.state();
    let mut told: Vec<(String, Timestamp)> = Vec::new();
    for (about, change) in &state.writes {
        let StoreChange::Status(status) = change else { continue };
        if *about != key(Kind::Component, name) {
            continue;
        }
        let conditions = &status.object().conditions;
        if let Some(condition) = conditions.iter().find(|condition| condition.type_ == of) {
            let now = (condition.status.clone(), condition.last_transition_time.0);
            if told.last() != Some(&now) {
                told.push(now);
            }
        }
    }
    told
}

#[tokio::test]
async fn the_same_drift_is_told_every_time_and_at_its_time() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({"description": "declared"}));
    let mut driver = stage.settle(stage.driver()).await;
    let id = stage.list("components").await[0]["id"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        stage.advance(SignedDuration::from_secs(310));
        let address = format!("{}/v1/pages/{PAGE}/components/{id}", stage.origin);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.patch(address).header("Authorization", "OAuth another");
        let request = request.json(&json!({"component": {"description": "by hand"}}));
        assert!(request.send().await.unwrap().status().is_success());
        stage.advance(SignedDuration::from_secs(310));
        driver = stage.settle(driver).await;
        assert_eq!(stage.list("components").await[0]["description"], "declared");
    }
    let told = told(&stage, "api", "Synced");
    let states: Vec<&str> = told.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states.iter().filter(|state| **state == "False").count(), 5, "{told:#?}");
    assert!(told.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{told:#?}");
    let times: BTreeSet<Timestamp> = told
        .iter()
        .filter(|(state, _)| state == "True")
        .map(|(_, at)| *at)
        .collect();
    assert_eq!(
        times.len(),
        6,
        "one for the creation, one for each correction: {told:#?}"
    );
    let state = stage.store.state();
    let drifts = state
        .events
        .iter()
        .filter(|(_, event)| event.reason.as_str() == "DriftDetected");
    assert_eq!(drifts.count(), 5);
}
