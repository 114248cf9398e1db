//! What people change on the page by hand: told field by field, and put right, reported or left by policy.

use std::time::Duration;

use serde_json::{Value, json};
use statuspage_operator::api::{Kind, REQUESTED_AT};
use statuspage_operator::server::Effect;

use super::{Operator, PAGE, SOON, Stage, TOKEN, component, condition};
use crate::support::eventually;

const INCIDENT: &str = "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {name: slow}\nspec:\n  pageRef: {name: acme}\n  name: Slow\n  updates: [{status: investigating, body: We look into it.}]\n---\n";

impl Stage {
    /// A person in the console.
    pub(super) async fn by_hand(&self, path: &str, body: Value) {
        let url = format!("{}/pages/{PAGE}{path}", self.url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.patch(url).header("Authorization", format!("OAuth {TOKEN}"));
        let response = request.json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{:?}", response.text().await);
    }

    pub(super) async fn remote_id(&self, kind: Kind, name: &str) -> String {
        let object = self.api(kind).get(name).await.unwrap();
        object.data["status"]["id"].as_str().unwrap().to_owned()
    }

    /// Has the page read again.
    pub(super) async fn look_again(&self, word: &str) {
        let annotation = format!("{REQUESTED_AT}={word}");
        self.kubectl(&["annotate", "--overwrite", "statuspage", "acme", &annotation])
            .await;
    }

    /// Waits until a declaration was seen after it was changed by hand.
    async fn status(&self, kind: Kind, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{kind} {name}: {what}"), SOON, async || {
            let object = self.api(kind).get(name).await.map_err(|error| error.to_string())?;
            match is_so(&object.data) {
                true => Ok(object.data),
                false => Err(object.data["status"].to_string()),
            }
        })
        .await
    }

    /// The notes of the Events of a declaration that have this reason.
    async fn notes(&self, name: &str, reason: &str) -> Vec<String> {
        let events: Value = serde_json::from_str(&self.kubectl(&["get", "events", "-o", "json"]).await).unwrap();
        let events = events["items"].as_array().unwrap().iter();
        events
            .filter(|event| event["involvedObject"]["name"] == name && event["reason"] == reason)
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// How many declarations of a kind the metric counts.
async fn drifted(operator: &Operator, stage: &Stage, kind: Kind) -> Option<f64> {
    let (_, metrics) = operator.get("/metrics").await;
    let labels = format!("namespace=\"{}\",page=\"acme\",kind=\"{kind}\"", stage.namespace);
    let line = format!("statuspage_drifted_declarations{{{labels}}} ");
    let value = metrics.lines().find_map(|found| found.strip_prefix(&line))?;
    value.parse().ok()
}

fn is_drifted(data: &Value) -> bool {
    data["status"]["drift"]
        .as_array()
        .is_some_and(|drift| !drift.is_empty())
}

#[tokio::test]
async fn drift_is_told_in_condition_event_and_metric_and_follows_its_policy() {
    let stage = Stage::set().await;
    let operator = stage.operator("operator", &["--requests-per-minute", "0"]).await;
    let policies = ["Correct", "Detect", "Ignore"];
    stage.apply_page().await;
    for policy in policies {
        let more = format!("  description: declared\n  driftPolicy: {policy}\n");
        stage.apply(&component(&policy.to_lowercase(), &more)).await;
    }
    stage.apply(INCIDENT).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    stage.all_ready(Kind::Incident, 1, SOON).await;
    let counted = async |kind: Kind, count: f64| {
        eventually(&format!("{count} {kind} drifted"), SOON, async || {
            match drifted(&operator, &stage, kind).await {
                Some(seen) if seen == count => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    };
    counted(Kind::Component, 0.0).await;
    counted(Kind::Incident, 0.0).await;

    let changed = json!({"component": {"description": "by hand"}});
    for policy in policies {
        let id = stage.remote_id(Kind::Component, &policy.to_lowercase()).await;
        stage.by_hand(&format!("/components/{id}"), changed.clone()).await;
    }
    let incident = stage.remote_id(Kind::Incident, "slow").await;
    let edited = json!({"incident": {"name": "Slow, and people see it", "status": "identified", "body": "Found."}});
    stage.by_hand(&format!("/incidents/{incident}"), edited).await;
    let writes = stage.log().writes();
    // The correction takes a while, so that what is told before it can be seen.
    let slow = Effect::Delay(Duration::from_secs(4));
    stage.server.faults().next(1, "PATCH", "/components", slow);
    stage.look_again("first").await;

    let drift = json!([{"field": "description", "desired": "\"declared\"", "observed": "\"by hand\""}]);
    let data = stage.status(Kind::Component, "correct", "drift", is_drifted).await;
    assert_eq!(data["status"]["drift"], drift, "{data}");
    assert_eq!(condition(&data, "Synced")["status"], "False", "{data}");
    // That one and the one that is only reported.
    counted(Kind::Component, 2.0).await;
    let data = stage
        .status(Kind::Component, "correct", "put right", |data| !is_drifted(data))
        .await;
    assert_eq!(condition(&data, "Synced")["status"], "True", "{data}");
    let told = "description is \"by hand\" on the page, declared as \"declared\"";
    let notes = async |name: &'static str| {
        eventually(&format!("the Event of {name}"), SOON, async || {
            match stage.notes(name, "DriftDetected").await {
                notes if notes.is_empty() => Err("none".to_owned()),
                notes => Ok(notes),
            }
        })
        .await
    };
    assert_eq!(notes("correct").await, [told]);

    // Reported, and nothing else: Ready, because nothing is to be done.
    let data = stage.status(Kind::Component, "detect", "drift", is_drifted).await;
    assert_eq!(data["status"]["drift"], drift);
    assert_eq!(condition(&data, "Ready")["status"], "True", "{data}");
    let synced = condition(&data, "Synced");
    assert_eq!(
        (&synced["reason"], &synced["message"]),
        (&json!("DriftDetected"), &json!(told))
    );
    assert_eq!(notes("detect").await, [told]);
    // Ignored: not even looked at.
    let data = stage.api(Kind::Component).get("ignore").await.unwrap().data;
    assert!(
        !is_drifted(&data) && condition(&data, "Synced")["status"] == "True",
        "{data}"
    );
    assert!(stage.notes("ignore", "DriftDetected").await.is_empty());
    // Nobody fights people who write about an incident.
    let data = stage.status(Kind::Incident, "slow", "drift", is_drifted).await;
    assert_eq!(condition(&data, "Ready")["status"], "True", "{data}");
    assert!(data["status"]["drift"].to_string().contains("people see it"), "{data}");
    counted(Kind::Component, 1.0).await;
    counted(Kind::Incident, 1.0).await;
    assert_eq!(
        stage.log().writes(),
        writes + 1,
        "only what is to be corrected is written"
    );
    let descriptions = stage.remote("/components").await;
    let of = |name: &str| {
        let mut rows = descriptions.as_array().unwrap().iter();
        rows.find(|row| row["name"] == name).unwrap()["description"].clone()
    };
    assert_eq!(
        [of("correct"), of("detect"), of("ignore")],
        ["declared", "by hand", "by hand"]
    );
    let incidents = stage.remote("/incidents").await;
    assert_eq!(incidents[0]["name"], "Slow, and people see it");
    assert_eq!(incidents[0]["status"], "identified");

    // Put back by hand: nothing is left to report.
    let id = stage.remote_id(Kind::Component, "detect").await;
    let declared = json!({"component": {"description": "declared"}});
    stage.by_hand(&format!("/components/{id}"), declared).await;
    stage.look_again("second").await;
    stage
        .status(Kind::Component, "detect", "no drift", |data| !is_drifted(data))
        .await;
    counted(Kind::Component, 0.0).await;
}
