//! The event log of an operator that is killed in the middle of requests, and started again each time.

use kube::api::ListParams;
use statuspage_operator::api::Kind;
use statuspage_operator::audit::{AuditEvent, EventStore, Filter, Location, UNKNOWN};
use statuspage_operator::server::{Effect, LoggedRequest};

use super::{Operator, PAGE, SOON, Stage, component, components};
use crate::events::oracle::{self, Stand};
use crate::support::eventually;

const MANY: usize = 8;

fn sent(stage: &Stage) -> Vec<LoggedRequest> {
    let mut entries = stage.log().entries();
    entries.retain(|entry| entry.method != "GET");
    entries
}

/// Starts an operator whose requests of a method are worked on but not answered, after so many; kills it there.
async fn killed(stage: &Stage, name: &str, arguments: &[&str], (method, after): (&str, u32)) {
    let faults = stage.server.faults();
    faults.next(after, method, "/components", Effect::Delay(std::time::Duration::ZERO));
    faults.next(1, method, "/components", Effect::WithholdReply);
    let operator = stage.operator(name, arguments).await;
    eventually("the fault", SOON, async || {
        let done = faults.pending() == 0 && sent(stage).last().is_some_and(|sent| sent.status.is_some());
        done.then_some(()).ok_or_else(|| operator.log_tail())
    })
    .await;
    operator.signal("KILL");
    operator.ended().await;
}

/// What the cluster shows.
async fn stand(stage: &Stage) -> Stand {
    let mut stand = Stand::new();
    for kind in [Kind::StatusPage, Kind::Component] {
        for object in stage.api(kind).list(&ListParams::default()).await.unwrap() {
            for condition in object.data["status"]["conditions"].as_array().unwrap() {
                let text = |field: &str| condition[field].as_str().unwrap().to_owned();
                let name = object.metadata.name.clone().unwrap();
                stand.insert(
                    (kind.as_str().to_owned(), name, text("type")),
                    (text("status"), text("reason")),
                );
            }
        }
    }
    stand
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_operator_leaves_no_gap_in_the_record_and_nothing_twice() {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("events.db");
    let place = file.display().to_string();
    let arguments = ["--requests-per-minute", "0", "--events", &place];
    stage.apply_page().await;
    stage.apply(&components(MANY)).await;
    killed(&stage, "first", &arguments, ("POST", 2)).await;
    killed(&stage, "second", &arguments, ("POST", 2)).await;
    let third = stage.operator("third", &arguments).await;
    stage.all_ready(Kind::Component, MANY, SOON).await;
    end(&third).await;
    for name in ["c01", "c03", "c05"] {
        stage.apply(&component(name, "  description: other\n")).await;
    }
    killed(&stage, "fourth", &arguments, ("PATCH", 1)).await;
    let fifth = stage.operator("fifth", &arguments).await;
    stage.all_ready(Kind::Component, MANY, SOON).await;
    end(&fifth).await;

    let store = EventStore::open_read_only(&Location::File(file)).await.unwrap();
    let events = store.query(&Filter::default()).await.unwrap();
    let writes = oracle::every_request_is_one_event(PAGE, &sent(&stage), &events);
    assert_eq!(writes.len(), MANY + 3);
    let unknown = |event: &&AuditEvent| event.get("outcome").as_deref() == Some(UNKNOWN);
    assert_eq!(writes.iter().filter(unknown).count(), 3);
    let found = events.iter().filter(|event| event.event_type == "component.recover");
    assert_eq!(found.count(), 2);
    let declared = writes.iter().filter(|event| event.get("who").is_some());
    assert_eq!(declared.count(), MANY + 3, "kubectl says who it is");
    oracle::every_transition_is_one_event(&events, stand(&stage).await);
}

async fn end(operator: &Operator) {
    operator.signal("TERM");
    operator.ended().await;
}
