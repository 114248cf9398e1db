//! What people do to an incident while its declaration goes on.

use jiff::SignedDuration;
use serde_json::{Value, json};
use statuspage_operator::api::Kind;

use super::{Stage, key};

const STORY: [(&str, &str); 3] = [
    ("investigating", "Looking"),
    ("identified", "Found"),
    ("monitoring", "Better"),
];

fn first(updates: usize) -> Value {
    let updates = STORY.iter().take(updates);
    let updates: Vec<Value> = updates
        .map(|(status, body)| json!({"status": status, "body": body}))
        .collect();
    json!({"updates": updates})
}

impl Stage {
    /// Somebody resolves the only incident in the console.
    async fn resolve_by_hand(&self) {
        let id = self.list("incidents").await[0]["id"].as_str().unwrap().to_owned();
        let resolved = json!({"incident": {"status": "resolved", "body": "Over, says a person"}});
        self.send("PATCH", &format!("incidents/{id}"), resolved).await;
    }

    async fn status_of_incident(&self) -> Value {
        self.list("incidents").await[0]["status"].clone()
    }
}

#[tokio::test]
async fn an_incident_that_a_person_ends_a_moment_after_our_own_write_stays_ended() {
    for already in [1, 2] {
        let stage = Stage::new().await;
        stage.declare(Kind::Incident, "down", first(already));
        let mut driver = stage.driver();
        stage.pass(&mut driver).await;
        // All within the time for which what was read may be written on.
        stage.advance(SignedDuration::from_secs(2));
        stage.resolve_by_hand().await;
        stage.advance(SignedDuration::from_secs(2));
        stage.store.respecify(&key(Kind::Incident, "down"), first(already + 1));
        stage.pass(&mut driver).await;
        assert_eq!(stage.status_of_incident().await, "resolved", "after {already} updates");
        assert_eq!(stage.reason(Kind::Incident, "down"), "EndedOnPage");
    }
}

#[tokio::test]
async fn an_incident_that_a_person_ends_after_it_was_looked_at_stays_ended() {
    let stage = Stage::new().await;
    stage.declare(Kind::Incident, "down", first(1));
    let mut driver = stage.settle(stage.driver()).await;
    let id = stage.list("incidents").await[0]["id"].as_str().unwrap().to_owned();
    // A difference is read by its id, and that is what an update declared later must not stand on.
    stage
        .send(
            "PATCH",
            &format!("incidents/{id}"),
            json!({"incident": {"name": "by hand"}}),
        )
        .await;
    stage.advance(SignedDuration::from_secs(310));
    stage.pass(&mut driver).await;
    stage.advance(SignedDuration::from_secs(2));
    stage.resolve_by_hand().await;
    stage.advance(SignedDuration::from_secs(2));
    stage.store.respecify(&key(Kind::Incident, "down"), first(2));
    stage.pass(&mut driver).await;
    assert_eq!(stage.status_of_incident().await, "resolved");
    assert_eq!(stage.reason(Kind::Incident, "down"), "EndedOnPage");
}

#[tokio::test]
async fn each_further_update_costs_one_reading_and_one_request() {
    let stage = Stage::new().await;
    stage.declare(Kind::Incident, "down", first(3));
    stage.settle(stage.driver()).await;
    stage.assert_synced(Kind::Incident, "down");
    let id = stage.list("incidents").await[0]["id"].as_str().unwrap().to_owned();
    let sent = stage.server.log().entries();
    let of = |method: &str| {
        let path = format!("/incidents/{id}");
        sent.iter()
            .filter(|entry| entry.method == method && entry.path.ends_with(&path))
            .count()
    };
    assert_eq!((of("GET"), of("PATCH")), (2, 2));
}
