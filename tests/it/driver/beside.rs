//! What a declaration reads or writes beside its own object: people who hear about one incident, uptimes, data of metrics.

use jiff::SignedDuration;
use serde_json::{Value, json};
use statuspage_operator::api::{Kind, RESET_DATA};
use statuspage_operator::engine::Status;
use statuspage_operator::server::Effect;

use super::{PAGE, Stage, key};

fn incident(subscribers: Value) -> Value {
    json!({"updates": [{"status": "investigating", "body": "Looking"}], "subscribers": subscribers})
}

impl Stage {
    /// Sends a request of somebody else's.
    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let address = format!("{}/v1/pages/{PAGE}/{path}", self.origin);
        let mut request = client.request(method.parse().unwrap(), address);
        if !body.is_null() {
            request = request.json(&body);
        }
        let reply = request.header("Authorization", "OAuth another").send().await.unwrap();
        assert!(reply.status().is_success(), "{method} {path}: {}", reply.status());
        reply.json().await.unwrap_or_default()
    }

    fn recorded_id(&self, kind: Kind, name: &str) -> String {
        let declaration = self.store.get(&key(kind, name)).unwrap();
        declaration.recorded_id().unwrap().to_owned()
    }

    async fn addresses(&self, incident: &str) -> Vec<String> {
        let rows = self.list(&format!("incidents/{incident}/subscribers")).await;
        let address = |row: &Value| {
            row["email"]
                .as_str()
                .or(row["phone_number"].as_str())
                .map(str::to_owned)
        };
        let mut addresses: Vec<String> = rows.iter().filter_map(address).collect();
        addresses.sort();
        addresses
    }
}

#[tokio::test]
async fn those_who_hear_about_one_incident_are_subscribed_once_and_unsubscribed_with_their_entry() {
    let stage = Stage::new().await;
    stage.declare(Kind::Incident, "down", incident(json!([])));
    let driver = stage.settle(stage.driver()).await;
    let id = stage.recorded_id(Kind::Incident, "down");
    let path = format!("incidents/{id}/subscribers");
    stage
        .send("POST", &path, json!({"subscriber": {"email": "Self@Example.com"}}))
        .await;

    let requests = stage.server.log().entries().len();
    let wanted = json!([
        {"email": "Ops@example.com"},
        {"sms": {"country": "US", "number": "212-555-0100"}},
        {"email": "self@example.com"}
    ]);
    stage.store.respecify(&key(Kind::Incident, "down"), incident(wanted));
    let driver = stage.settle(driver).await;
    stage.assert_synced(Kind::Incident, "down");
    assert_eq!(
        stage.addresses(&id).await,
        ["212-555-0100", "ops@example.com", "self@example.com"]
    );
    let sent = stage.server.log().entries().split_off(requests);
    let of = |method: &str| {
        sent.iter()
            .filter(|entry| entry.method == method && entry.path.ends_with(&path))
            .count()
    };
    // Whoever had subscribed already needs no request; the list was read once, and once by this test.
    assert_eq!((of("POST"), of("GET")), (2, 2));

    // Somebody leaves, and is not subscribed again.
    let rows = stage.list(&path).await;
    let ops = rows.iter().find(|row| row["email"] == "ops@example.com").unwrap();
    stage
        .send(
            "DELETE",
            &format!("{path}/{}", ops["id"].as_str().unwrap()),
            json!(null),
        )
        .await;
    stage.advance(SignedDuration::from_secs(600));
    let driver = stage.settle(driver).await;
    assert_eq!(stage.addresses(&id).await, ["212-555-0100", "self@example.com"]);

    // With its entry goes who was subscribed by it, and nobody else.
    stage.store.respecify(&key(Kind::Incident, "down"), incident(json!([])));
    stage.settle(driver).await;
    stage.assert_synced(Kind::Incident, "down");
    assert_eq!(stage.addresses(&id).await, ["self@example.com"]);
    let stored = stage.store.get(&key(Kind::Incident, "down")).unwrap().stored;
    assert!(
        !stored
            .object()
            .applied
            .keys()
            .any(|name| name.starts_with("subscriber/"))
    );
    assert!(
        !format!("{stored:?}").contains("example.com"),
        "no address in the status"
    );
}

#[tokio::test]
async fn a_lost_reply_subscribes_nobody_twice() {
    let stage = Stage::new().await;
    stage.declare(Kind::Incident, "down", incident(json!([{"email": "ops@example.com"}])));
    stage.server.faults().next(1, "POST", "/subscribers", Effect::LoseReply);
    stage.settle(stage.driver()).await;
    stage.assert_synced(Kind::Incident, "down");
    let id = stage.recorded_id(Kind::Incident, "down");
    assert_eq!(stage.addresses(&id).await, ["ops@example.com"]);
    let posts = stage.server.log().entries();
    let posts = posts
        .iter()
        .filter(|entry| entry.method == "POST" && entry.path.ends_with("/subscribers"));
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn a_subscriber_that_is_refused_does_not_hold_back_the_next_update() {
    let stage = Stage::new().await;
    stage.declare(Kind::Incident, "down", incident(json!([{"email": "nobody"}])));
    let driver = stage.settle(stage.driver()).await;
    assert_eq!(stage.reason(Kind::Incident, "down"), "Rejected");
    let mut spec = incident(json!([{"email": "nobody"}]));
    let updates = spec["updates"].as_array_mut().unwrap();
    updates.push(json!({"status": "identified", "body": "Found"}));
    stage.store.respecify(&key(Kind::Incident, "down"), spec);
    stage.settle(driver).await;
    assert_eq!(stage.list("incidents").await[0]["status"], "identified");
}

#[tokio::test]
async fn the_uptime_is_read_once_an_hour_where_it_is_asked_for_and_shown() {
    let stage = Stage::new().await;
    let observe = json!({"uptime": true});
    stage.declare(Kind::ComponentGroup, "core", json!({"observe": observe}));
    for (name, showcase, observe) in [
        ("api", true, &observe),
        ("web", true, &Value::Null),
        ("old", false, &observe),
    ] {
        let mut spec = json!({"showcase": showcase, "observe": observe});
        if name == "api" {
            spec["groupRef"] = json!({"name": "core"});
        }
        stage.declare(Kind::Component, name, spec);
    }
    let driver = stage.settle(stage.driver()).await;
    let uptime = |kind, name| match &*stage.store.get(&key(kind, name)).unwrap().status {
        Status::Component(status) => status.uptime.clone(),
        Status::ComponentGroup(status) => status.uptime.clone(),
        _ => None,
    };
    for (kind, name) in [(Kind::Component, "api"), (Kind::ComponentGroup, "core")] {
        let known = uptime(kind, name).unwrap_or_else(|| panic!("{name}"));
        assert!((known.percentage - 100.0).abs() < 0.0005, "{known:?}");
        assert!(known.since.is_some());
    }
    assert_eq!(uptime(Kind::Component, "web"), None);
    assert_eq!(uptime(Kind::Component, "old"), None);
    let reads = || {
        let entries = stage.server.log().entries();
        entries.iter().filter(|entry| entry.path.ends_with("/uptime")).count()
    };
    assert_eq!(reads(), 2);
    stage.advance(SignedDuration::from_mins(30));
    let driver = stage.settle(driver).await;
    assert_eq!(reads(), 2, "not yet");
    stage.advance(SignedDuration::from_mins(31));
    stage.settle(driver).await;
    assert_eq!(reads(), 4);
    // A process that begins anew keeps what the status says until it has read it: nothing is written in between.
    let writes = stage.store.state().writes.len();
    stage.settle(stage.driver()).await;
    assert_eq!(stage.store.state().writes.len(), writes);
}

#[tokio::test]
async fn what_is_granted_to_one_viewer_is_its_own_set_and_leaves_the_rest_alone() {
    let stage = Stage::new().await;
    for name in ["api", "web", "mail"] {
        stage.declare(Kind::Component, name, json!({}));
    }
    stage.declare(Kind::Metric, "latency", json!({"suffix": "ms"}));
    let user = |components: Value, metrics: Value| json!({"email": "viewer@example.com", "externalLogin": "v-1", "components": components, "metrics": metrics});
    let viewer = key(Kind::PageAccessUser, "viewer");
    stage.declare(
        Kind::PageAccessUser,
        "viewer",
        user(json!(["web", "api"]), json!(["latency"])),
    );
    let driver = stage.settle(stage.driver()).await;
    stage.assert_synced(Kind::PageAccessUser, "viewer");
    let id = stage.recorded_id(Kind::PageAccessUser, "viewer");
    let names = async |what: &str| {
        let rows = stage.list(&format!("page_access_users/{id}/{what}")).await;
        let mut names: Vec<String> = rows
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("components").await, ["api", "web"]);
    assert_eq!(names("metrics").await, ["latency"]);

    // Taken away by hand, it comes back with the next look, in one write.
    let mail = stage.recorded_id(Kind::Component, "mail");
    let path = format!("page_access_users/{id}/components");
    stage.send("POST", &path, json!({"component_ids": [mail]})).await;
    let writes = stage.server.log().writes();
    stage.advance(SignedDuration::from_secs(600));
    let driver = stage.settle(driver).await;
    assert_eq!(stage.server.log().writes(), writes + 1);
    assert_eq!(names("components").await, ["api", "web"]);

    // A deleted component takes its grant along; an empty list takes all; what is not declared stays.
    stage.store.respecify(&viewer, user(json!([]), Value::Null));
    let driver = stage.settle(driver).await;
    assert!(names("components").await.is_empty());
    assert_eq!(names("metrics").await, ["latency"]);

    // Several differences at once: each part has its own request, and everything is recorded as applied.
    let mut spec = user(json!(["mail"]), json!([]));
    spec["externalLogin"] = json!("v-2");
    spec["driftPolicy"] = json!("Detect");
    stage.store.respecify(&viewer, spec);
    let writes = stage.server.log().writes();
    stage.settle(driver).await;
    stage.assert_synced(Kind::PageAccessUser, "viewer");
    assert_eq!(stage.server.log().writes(), writes + 3);
    assert_eq!(
        (names("components").await, names("metrics").await),
        (vec!["mail".to_owned()], vec![])
    );
}

#[tokio::test]
async fn the_data_of_a_metric_are_removed_once_for_each_value_and_the_declared_ones_sent_again() {
    let stage = Stage::new().await;
    let metric = key(Kind::Metric, "latency");
    stage.declare(
        Kind::Metric,
        "latency",
        json!({"suffix": "ms", "data": [{"ago": "10m", "value": 3.0}]}),
    );
    let mut driver = stage.settle(stage.driver()).await;
    for (value, resets) in [("first", 1), ("first", 1), ("second", 2)] {
        stage.store.edit(&metric, |declaration| {
            declaration.annotations.insert(RESET_DATA.to_owned(), value.to_owned());
        });
        driver = stage.settle(driver).await;
        stage.assert_synced(Kind::Metric, "latency");
        let writes: Vec<String> = stage
            .server
            .log()
            .entries()
            .iter()
            .filter(|entry| entry.method != "GET" && entry.path.ends_with("/data"))
            .map(|entry| entry.method.clone())
            .collect();
        let expected: Vec<&str> = std::iter::once("POST")
            .chain(["DELETE", "POST"].repeat(resets))
            .collect();
        assert_eq!(writes, expected);
    }
}
