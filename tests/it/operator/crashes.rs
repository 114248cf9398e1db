//! Ends of all kinds in the middle of work.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::server::Effect;

use super::{Operator, Stage, components, names};
use crate::support::eventually;

const MANY: usize = 60;
const LIMIT: Duration = Duration::from_secs(180);
/// Fast for a test, and still in the right proportions.
const LEASE: [&str; 8] = [
    "--leader-elect",
    "--lease-duration=6",
    "--lease-renew-deadline=4",
    "--lease-retry-period=0.5",
    "--requests-per-minute",
    "0",
    "--log-level",
    "info",
];

/// Every create takes a while, so that a crash falls between them or into one.
fn slow_creates(stage: &Stage) {
    let delay = Effect::Delay(Duration::from_millis(40));
    stage.server.faults().next(u32::MAX, "POST", "/components", delay);
}

async fn creates(stage: &Stage, count: usize) {
    eventually(&format!("{count} creates"), LIMIT, async || match stage.creates() {
        seen if seen >= count => Ok(()),
        seen => Err(seen.to_string()),
    })
    .await;
}

async fn complete(stage: &Stage) {
    stage.all_ready(Kind::Component, MANY, LIMIT).await;
    assert_eq!(stage.component_names().await, names(MANY), "each exactly once");
    for object in stage.api(Kind::Component).list(&ListParams::default()).await.unwrap() {
        assert!(
            object.data["status"]["journal"].is_null(),
            "{:?}",
            object.data["status"]
        );
    }
}

#[tokio::test]
async fn a_killed_operator_continues_without_a_duplicate() {
    let stage = Stage::set().await;
    // The worst moment: the server has the request and works on it still when the operator is gone.
    let faults = stage.server.faults();
    faults.next(24, "POST", "/components", Effect::Delay(Duration::from_millis(1)));
    faults.next(1, "POST", "/components", Effect::Delay(Duration::from_secs(2)));
    let first = stage.operator("first", &["--requests-per-minute", "0"]).await;
    stage.apply_page().await;
    stage.apply(&components(MANY)).await;
    creates(&stage, 25).await;
    first.signal("KILL");
    first.ended().await;
    let before = stage.creates();
    assert_eq!(before, 25, "killed in the middle of a create");
    assert_eq!(
        stage.component_names().await.len(),
        24,
        "which the page does not show yet"
    );
    let _second = stage.operator("second", &["--requests-per-minute", "0"]).await;
    complete(&stage).await;
    assert_eq!(stage.creates(), MANY, "none was sent twice");
    eprintln!("killed after {before} creates; {} in all", stage.creates());
}

#[tokio::test]
async fn of_two_replicas_one_acts_and_the_other_takes_over() {
    let stage = Stage::set().await;
    slow_creates(&stage);
    let lease = ["--lease-namespace", stage.namespace.as_str()];
    let arguments = [&LEASE[..], &lease].concat();
    let one = stage.operator("one", &arguments).await;
    let other = stage.operator("other", &arguments).await;
    one.ready().await;
    other.ready().await;
    let (leader, follower) = eventually("a leader", LIMIT, async || {
        match (leads(&one).await, leads(&other).await) {
            (true, false) => Ok((&one, &other)),
            (false, true) => Ok((&other, &one)),
            both => Err(format!("{both:?}")),
        }
    })
    .await;
    stage.apply_page().await;
    stage.apply(&components(MANY)).await;
    creates(&stage, 20).await;
    assert_eq!(follower.figure("statuspage_page_passes_total").await, 0.0);
    leader.signal("KILL");
    let killed = std::time::Instant::now();
    let before = stage.creates();
    creates(&stage, before + 5).await;
    eprintln!("the other replica created {:?} after the kill", killed.elapsed());
    assert!(leads(follower).await);
    complete(&stage).await;
}

async fn leads(operator: &Operator) -> bool {
    operator.figure("statuspage_leader").await > 0.0
}

#[tokio::test]
async fn an_end_on_request_finishes_what_is_under_way() {
    let stage = Stage::set().await;
    slow_creates(&stage);
    let lease = ["--lease-namespace", stage.namespace.as_str()];
    let arguments = [&LEASE[..], &lease].concat();
    let first = stage.operator("first", &arguments).await;
    stage.apply_page().await;
    stage.apply(&components(MANY)).await;
    creates(&stage, 15).await;
    first.signal("TERM");
    first.ended_in_order().await;
    let sent = stage.creates();
    assert!(sent < MANY, "{sent} before it ended");
    // Everything that was sent is recorded.
    let objects = stage.api(Kind::Component).list(&ListParams::default()).await.unwrap();
    let recorded = objects
        .iter()
        .filter_map(|object| object.metadata.annotations.as_ref()?.get("statuspage-operator.io/id"))
        .count();
    assert_eq!(recorded, sent);
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let spec = leases.get("statuspage-operator").await.unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some(""), "released");
    let _second = stage.operator("second", &arguments).await;
    complete(&stage).await;
    assert_eq!(stage.creates(), MANY);
}

#[tokio::test]
async fn who_loses_the_lease_ends_at_once() {
    let stage = Stage::set().await;
    let lease = ["--lease-namespace", stage.namespace.as_str()];
    let operator = stage.operator("operator", &[&LEASE[..], &lease].concat()).await;
    eventually("a leader", LIMIT, async || {
        leads(&operator).await.then_some(()).ok_or("none".into())
    })
    .await;
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let stolen = json!({"spec": {"holderIdentity": "somebody-else"}});
    leases
        .patch("statuspage-operator", &PatchParams::default(), &Patch::Merge(stolen))
        .await
        .unwrap();
    assert_eq!(operator.ended().await.trim(), "exit status 1");
    let log = operator.log();
    assert!(log.contains("another replica may lead now"), "{log}");
    let spec = leases.get("statuspage-operator").await.unwrap().spec.unwrap();
    assert_eq!(
        spec.holder_identity.as_deref(),
        Some("somebody-else"),
        "left to the new leader"
    );
}
