//! Ten thousand declarations fit in memory: what one costs is measured on two thousand.

use std::time::Instant;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use statuspage_operator::api::Kind;

use super::{Operator, Stage, resource};

/// Two requests each, several milliseconds of a control plane in one machine: ten thousand took 160 seconds, and 52 MiB
/// after a list, 33 MiB after watching them come. So fewer here, and a bound that goes with the number.
const COUNT: usize = 2_000;
/// Fifteen kilobytes a declaration: spec and status as typed values, and what the allocator keeps of the list answers.
const BYTES_EACH: usize = 15 * 1024;

#[tokio::test]
async fn what_a_declaration_costs_in_memory() {
    let stage = Stage::set().await;
    let seed = uuid::Uuid::new_v4().simple().to_string();
    // A replica that waits for the Lease keeps the same caches as the leader and writes nothing.
    hold_lease(&stage).await;
    let lease = ["--leader-elect", "--lease-namespace", stage.namespace.as_str()];
    let empty = stage.operator("empty", &lease).await;
    empty.ready().await;
    let before = resident(&empty);
    let begun = Instant::now();
    let components = stage.api(Kind::Component);
    futures::stream::iter(0..COUNT)
        .map(|number| create(&components, &seed, number))
        .buffer_unordered(32)
        .for_each(|()| std::future::ready(()))
        .await;
    let filling = begun.elapsed();
    let full = stage.operator("full", &lease).await;
    let begun = Instant::now();
    full.ready().await;
    let listing = begun.elapsed();
    assert_eq!(full.figure("statuspage_cached_declarations").await as usize, COUNT);
    let (listed, watched) = (resident(&full) - before, resident(&empty).saturating_sub(before));
    eprintln!(
        "{COUNT} declarations made in {filling:?} and listed in {listing:?}: {} KiB after a list, {} KiB after watching them come, over {} KiB",
        listed / 1024,
        watched / 1024,
        before / 1024
    );
    let bound = COUNT * BYTES_EACH;
    assert!(listed < bound, "{listed} bytes for {COUNT} declarations after a list");
    assert!(
        watched < bound,
        "{watched} bytes for {COUNT} declarations after watching"
    );
}

/// A component as it is after it was synced.
async fn create(components: &Api<DynamicObject>, seed: &str, number: usize) {
    let name = format!("c{number:05}");
    let mut object = DynamicObject::new(&name, &resource(Kind::Component));
    object.metadata.annotations = Some([("statuspage-operator.io/id".to_owned(), name.clone())].into());
    object.data = json!({"spec": {
        "pageRef": {"name": "acme"},
        "name": format!("Service {number} {seed}"),
        "description": "What customers see when they look at this row of the page, in one sentence or two.",
        "showcase": true,
    }});
    components.create(&PostParams::default(), &object).await.unwrap();
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": "Synced", "observedGeneration": 1,
            "message": "every declared field matches", "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let applied: Value =
        json!({"name": "0123456789abcdef", "description": "0123456789abcdef", "showcase": "0123456789abcdef"});
    let status = json!({"status": {
        "observedGeneration": 1, "id": name, "pageId": super::PAGE, "status": "operational",
        "lastSyncTime": "2026-01-01T00:00:00Z", "applied": applied,
        "conditions": [condition("Ready"), condition("Synced")],
    }});
    components
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
}

async fn hold_lease(stage: &Stage) {
    let mut lease = Lease::default();
    lease.metadata.name = Some("statuspage-operator".to_owned());
    lease.spec = Some(LeaseSpec {
        holder_identity: Some("somebody-else".to_owned()),
        lease_duration_seconds: Some(3600),
        renew_time: Some(MicroTime(jiff::Timestamp::now())),
        ..LeaseSpec::default()
    });
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), &stage.namespace);
    leases.create(&PostParams::default(), &lease).await.unwrap();
}

/// Resident memory of an operator, in bytes.
fn resident(operator: &Operator) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", operator.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
