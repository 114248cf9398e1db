//! The record is complete and says nothing twice, wherever the process ends and whichever reply is lost.

use std::time::Duration;

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
