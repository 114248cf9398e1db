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

#[tokio::test]
async fn a_container_that_starts_again_in_its_pod_does_not_wait_for_its_own_lease() {
    let stage = Stage::set().await;
    // Nobody else could take it over within the time of this test.
    let lease = [
        "--leader-elect",
        "--lease-duration=3600",
        "--lease-namespace",
        stage.namespace.as_str(),
    ];
    let first = stage.operator_in_pod("first", "operator-0", &lease).await;
    eventually("it leads", LIMIT, async || {
        leads(&first).await.then_some(()).ok_or_else(String::new)
    })
    .await;
    first.signal("KILL");
    first.ended().await;
    let again = stage.operator_in_pod("again", "operator-0", &lease).await;
    eventually("it leads again", LIMIT, async || {
        leads(&again).await.then_some(()).ok_or_else(String::new)
    })
    .await;
    let other = stage.operator_in_pod("other", "operator-1", &lease).await;
    other.ready().await;
    assert!(!leads(&other).await);
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

/// A second release of the chart, or an operator by hand beside it: both lead, each by a Lease of its own.
#[tokio::test]
async fn two_operators_with_leases_of_their_own_make_no_duplicate() {
    let stage = Stage::set().await;
    slow_creates(&stage);
    let own = |name: &'static str| {
        [
            &LEASE[..],
            &["--lease-namespace", &stage.namespace, "--lease-name", name],
        ]
        .concat()
    };
    let _one = stage.operator("one", &own("one")).await;
    let _other = stage.operator("other", &own("other")).await;
    stage.apply_page().await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    let incident = |number: usize| {
        format!(
            "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {{name: i{number:02}}}\nspec:\n  pageRef: {{name: acme}}\n  updates: [{{status: investigating, body: Looking.}}]\n---\n"
        )
    };
    let incidents: String = (0..10).map(incident).collect();
    stage.apply(&format!("{}{incidents}", components(MANY))).await;
    complete(&stage).await;
    stage.all_ready(Kind::Incident, 10, LIMIT).await;
    assert_eq!(stage.creates(), MANY, "none was sent twice");
    let incidents = stage
        .log()
        .count("POST", &format!("/v1/pages/{}/incidents", super::PAGE));
    assert_eq!(incidents, 10, "none was posted twice");
}

/// What a leader has sent counts for the next one, however it ended.
#[tokio::test]
async fn the_request_window_outlives_the_leader() {
    let stage = Stage::set().await;
    let lease = ["--lease-namespace", stage.namespace.as_str()];
    let arguments: Vec<&str> = [&LEASE[..], &lease]
        .concat()
        .into_iter()
        .map(|argument| if argument == "0" { "60" } else { argument })
        .collect();
    let first = stage.operator("first", &arguments).await;
    stage.apply_page().await;
    stage.apply(&components(MANY)).await;
    creates(&stage, 30).await;
    first.signal("KILL");
    first.ended().await;
    let sent = stage.log().entries().len();
    let _second = stage.operator("second", &arguments).await;
    // Those of the first minute are over before all can be there.
    stage.all_ready(Kind::Component, MANY, LIMIT).await;
    let entries = stage.log().entries();
    assert!(entries.len() > 60 && entries.len() > sent);
    for (index, first) in entries.iter().enumerate() {
        let window = entries[index..].iter();
        let within = window
            .take_while(|entry| entry.at.duration_since(first.at).as_secs() < 60)
            .count();
        assert!(
            within <= 60,
            "{within} requests in a minute, {sent} by the first process"
        );
    }
}

#[tokio::test]
async fn an_end_in_order_leaves_the_next_leader_the_rest_of_the_window() {
    let stage = Stage::set().await;
    let lease = ["--lease-namespace", stage.namespace.as_str()];
    let arguments: Vec<&str> = [&LEASE[..], &lease]
        .concat()
        .into_iter()
        .map(|argument| if argument == "0" { "60" } else { argument })
        .collect();
    let first = stage.operator("first", &arguments).await;
    stage.apply_page().await;
    stage.apply(&components(3)).await;
    stage.all_ready(Kind::Component, 3, LIMIT).await;
    first.signal("TERM");
    first.ended_in_order().await;
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let record = leases.get("statuspage-operator-requests").await.unwrap();
    let annotations = record.metadata.annotations.unwrap();
    let (name, text) = annotations.first_key_value().unwrap();
    assert!(name.starts_with("statuspage-operator.io/requests-") && !text.contains(super::TOKEN));
    let book: serde_json::Value = serde_json::from_str(text).unwrap();
    // The only process that there was.
    let [usage] = book["processes"].as_object().unwrap().values().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let ended = usage["ended"].as_array().unwrap().iter();
    let counted: u64 = ended.map(|one| one["requests"].as_u64().unwrap()).sum();
    assert_eq!(
        (counted, &usage["open"]),
        (stage.log().entries().len() as u64, &json!(0)),
        "{text}"
    );
}
