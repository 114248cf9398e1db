//! What people delete by hand.

use jiff::SignedDuration;
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::driver::EventKind;

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
