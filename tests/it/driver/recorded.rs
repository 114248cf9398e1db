//! The record is complete and says nothing twice, wherever the process ends and whichever reply is lost.

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Filter, Location};
use statuspage_operator::engine::Status;
use statuspage_operator::server::Effect;

use super::store::Crash;
use super::{PAGE, Stage};
use crate::events::oracle::{self, Stand};

/// A stage with everything declared, whose drivers record in memory.
async fn stage() -> Stage {
    let mut stage = Stage::new().await;
    let options = AuditOptions {
        journal: None,
        ..AuditOptions::new(Location::Memory)
    };
    stage.log = Some(AuditLog::open(options).await.unwrap());
    stage.declare_everything();
    stage
}

/// Lets everything settle, and compares the record with what the server took. Returns it.
async fn requests_are_told(stage: &Stage, why: &str) -> Vec<AuditEvent> {
    // Shown when what follows fails.
    println!("{why}");
    stage.settle(stage.driver()).await;
    let log = stage.log.as_ref().unwrap();
    assert!(log.flush(Duration::from_secs(60)).await);
    let events = log.store().query(&Filter::default()).await.unwrap();
    let mut sent = stage.server.log().entries();
    sent.retain(|entry| entry.method != "GET");
    oracle::every_request_is_one_event(PAGE, &sent, &events);
    events
}

/// The names of the declarations to which something happened, sorted.
fn names(events: &[AuditEvent], operation: &str) -> Vec<String> {
    let mut found = events.to_vec();
    found.retain(|event| event.get("operation").as_deref() == Some(operation));
    let mut names: Vec<String> = found.iter().map(|event| event.get("name").unwrap()).collect();
    names.sort();
    names
}

/// Compares the record with what the server took and with what the store holds.
async fn told_as_it_happened(stage: &Stage, why: &str) {
    let events = requests_are_told(stage, why).await;
    for operation in ["adopt", "release", "prune", "delete"] {
        assert!(names(&events, operation).is_empty(), "{operation}");
    }
    let mut stand = Stand::new();
    let state = stage.store.state();
    for declaration in state.declarations.iter().chain([&state.page]) {
        let key = &declaration.key;
        let status: &Status = &declaration.stored;
        for condition in &status.object().conditions {
            let name = (key.kind.as_str().to_owned(), key.name.clone(), condition.type_.clone());
            stand.insert(name, (condition.status.clone(), condition.reason.clone()));
        }
    }
    oracle::every_transition_is_one_event(&events, stand);
}

#[tokio::test]
async fn a_crash_around_every_store_write_is_told_once() {
    let reference = stage().await;
    told_as_it_happened(&reference, "no crash").await;
    let writes = reference.store.state().writes.len();
    assert!(writes > 30, "{writes}");
    for number in 0..writes {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let stage = stage().await;
            stage.store.state().crash = Some(crash);
            told_as_it_happened(&stage, &format!("{crash:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_lost_reply_of_every_request_is_told_once() {
    let reference = stage().await;
    told_as_it_happened(&reference, "all replies").await;
    for number in 0..reference.server.log().entries().len() {
        for effect in [Effect::LoseReply, Effect::LoseRequest] {
            let stage = stage().await;
            stage.spoil_request(number, effect.clone());
            told_as_it_happened(&stage, &format!("{effect:?} at {number}")).await;
        }
    }
}

#[tokio::test]
async fn a_crash_around_a_deletion_is_told_once() {
    for number in (0..20).step_by(3) {
        for after in [false, true] {
            let stage = stage().await;
            told_as_it_happened(&stage, "before").await;
            let next = stage.store.attempts() + number;
            let crash = if after { Crash::After(next) } else { Crash::Before(next) };
            stage.store.state().crash = Some(crash);
            let doomed = stage.store.state().declarations.clone();
            for declaration in &doomed {
                stage.store.delete(&declaration.key);
            }
            let events = requests_are_told(&stage, &format!("{crash:?}")).await;
            let mut all: Vec<String> = doomed.into_iter().map(|declaration| declaration.key.name).collect();
            all.sort();
            assert_eq!(names(&events, "release"), all);
        }
    }
}

/// Somebody changes the same field to the same value again and again, and each time it is put right.
#[tokio::test]
async fn ten_drifts_are_ten_events() {
    let stage = stage().await;
    let mut driver = stage.settle(stage.driver()).await;
    let rows = stage.list("components").await;
    let mail = rows.iter().find(|row| row["name"] == "mail").unwrap();
    let address = format!(
        "{}/v1/pages/{PAGE}/components/{}",
        stage.origin,
        mail["id"].as_str().unwrap()
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let before = stage.server.log().writes();
    for _ in 0..10 {
        let request = client.patch(&address).header("Authorization", "OAuth another");
        let reply = request
            .json(&json!({"component": {"description": "By hand"}}))
            .send()
            .await
            .unwrap();
        assert!(reply.status().is_success());
        stage.advance(SignedDuration::from_secs(310));
        driver = stage.settle(driver).await;
    }
    assert_eq!(
        stage.server.log().writes(),
        before + 20,
        "ten by hand, ten that put them right"
    );
    let log = stage.log.as_ref().unwrap();
    assert!(log.flush(Duration::from_secs(60)).await);
    let mut events = log.store().query(&Filter::default()).await.unwrap();
    events.retain(|event| event.get("name").as_deref() == Some("mail"));
    let of_type = |event_type: &str| events.iter().filter(|event| event.event_type == event_type).count();
    assert_eq!((of_type("component.drift"), of_type("component.update")), (10, 10));
    let drift = events
        .iter()
        .find(|event| event.event_type == "component.drift")
        .unwrap();
    assert_eq!(drift.get("field").as_deref(), Some("description"));
    stage.assert_synced(Kind::Component, "mail");
}

/// Addresses of people and of webhooks are in no file of the log, whichever way they come there, unless that is wished.
#[tokio::test]
async fn nobody_s_address_is_in_the_log() {
    for personal_data in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut stage = Stage::new().await;
        let location = Location::File(directory.path().join("events.db"));
        let options = AuditOptions {
            personal_data,
            ..AuditOptions::new(location)
        };
        let log = AuditLog::open(options).await.unwrap();
        stage.log = Some(log.clone());
        let hook = "https://hooks.example.com/T0K3N";
        let webhook = json!({"endpoint": hook, "email": "oncall@example.com"});
        stage.declare(Kind::Subscriber, "mail", json!({"email": "jo.doe@example.com"}));
        stage.declare(Kind::Subscriber, "hook", json!({"webhook": webhook}));
        stage.declare(
            Kind::Subscriber,
            "phone",
            json!({"sms": {"number": "5550100", "country": "US"}}),
        );
        stage.declare(
            Kind::PageAccessUser,
            "guest",
            json!({"email": "guest@example.com", "externalLogin": "login-17"}),
        );
        // Refusals that quote what they refuse.
        let subscriber = format!("jo.doe@example.com or {hook} is taken");
        for (path, text) in [
            ("/subscribers", subscriber.as_str()),
            ("/page_access_users", "guest@example.com or login-17 is taken"),
        ] {
            let refusal = Effect::Answer {
                status: 422,
                body: Some(json!({"error": [text]}).to_string()),
                retry_after: None,
            };
            stage.server.faults().next(3, "POST", path, refusal);
        }
        stage.settle(stage.driver()).await;
        stage.advance(SignedDuration::from_secs(3600));
        stage.settle(stage.driver()).await;
        assert!(log.close(Duration::from_secs(60)).await);
        let mut text = String::new();
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            text += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
        }
        for masked in ["j…@example.com", "subscriber.create", "page_access_user.create"] {
            assert!(
                text.contains(masked) != (personal_data && masked.contains('…')),
                "{masked} {personal_data}"
            );
        }
        for address in ["jo.doe@", "T0K3N", "oncall@", "guest@", "5550100", "login-17"] {
            assert_eq!(text.contains(address), personal_data, "{address}");
        }
    }
}

/// What a request may meet. Nobody waits for real: the throttle lets the next request through at once.
fn effects() -> impl Strategy<Value = Effect> {
    let answer = |status, body: Option<&str>, retry_after| Effect::Answer {
        status,
        body: body.map(str::to_owned),
        retry_after,
    };
    prop_oneof![
        12 => Just(Effect::Delay(Duration::ZERO)),
        1 => Just(Effect::LoseReply),
        1 => Just(Effect::LoseRequest),
        1 => Just(Effect::TruncateBody),
        1 => Just(answer(500, None, None)),
        1 => Just(answer(502, Some("<html>Bad Gateway</html>"), None)),
        1 => Just(answer(503, None, Some(0))),
        1 => Just(answer(420, None, Some(0))),
        1 => Just(answer(429, None, Some(0))),
        1 => Just(answer(422, None, None)),
        1 => Just(answer(401, None, None)),
    ]
}

/// Some passes, with time going by and a new driver after each crash, whether or not everything settles.
async fn goes_on(stage: &Stage) {
    let mut driver = stage.driver();
    for _ in 0..12 {
        match stage.pass(&mut driver).await {
            None => {
                stage.store.state().crash = None;
                driver = stage.driver();
            }
            Some(_) => stage.advance(SignedDuration::from_secs(60)),
        }
    }
    stage.store.state().crash = None;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Requests at the page are events, whatever each of them meets and wherever the process ends meanwhile.
    #[test]
    fn requests_are_events_with_every_fault(
        faults in proptest::collection::vec(effects(), 0..60),
        crashes in proptest::collection::vec((0usize..12, any::<bool>()), 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = stage().await;
            for effect in &faults {
                stage.server.faults().next(1, "", "", effect.clone());
            }
            for (after, before) in &crashes {
                let number = stage.store.attempts() + after;
                stage.store.state().crash = Some(if *before { Crash::Before(number) } else { Crash::After(number) });
                goes_on(&stage).await;
            }
            stage.server.faults().clear();
            requests_are_told(&stage, &format!("{faults:?} {crashes:?}")).await;
        });
    }
}
