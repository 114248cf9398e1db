//! The simulation: its command, and whether its store is like a real API server.

use std::process::Command;
use std::sync::Arc;

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use statuspage_operator::api::{GROUP, Kind, REQUESTED_AT, VERSION};
use statuspage_operator::driver::Store;
use statuspage_operator::engine::ObjectKey;
use statuspage_operator::simulation::fidelity::{self, Owner};
use statuspage_operator::store::kubernetes::{KubernetesOptions, KubernetesStore};

use crate::operator::Stage;
use crate::support::eventually;

struct Kubectl(Api<DynamicObject>);

impl Kubectl {
    async fn merge(&self, key: &ObjectKey, patch: Value) {
        let parameters = PatchParams::default();
        self.0
            .patch(&key.name, &parameters, &Patch::Merge(&patch))
            .await
            .unwrap();
    }
}

impl Owner for Kubectl {
    async fn apply(&self, key: &ObjectKey, description: &str) {
        let declared = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Component", "metadata": {"name": key.name},
            "spec": {"pageRef": {"name": "acme"}, "description": description},
        });
        let parameters = PatchParams::apply("owner").force();
        self.0
            .patch(&key.name, &parameters, &Patch::Apply(&declared))
            .await
            .unwrap();
    }

    async fn request(&self, key: &ObjectKey, at: &str) {
        self.merge(key, json!({"metadata": {"annotations": {REQUESTED_AT: at}}}))
            .await;
    }

    async fn delete(&self, key: &ObjectKey) {
        self.0.delete(&key.name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_api_server_is_like_the_real_one() {
    let stage = Stage::set().await;
    stage.apply_page().await;
    let store = KubernetesStore::start(KubernetesOptions {
        reader: stage.client.clone(),
        writer: stage.client.clone(),
        namespaces: vec![stage.namespace.clone()],
        base_url: None,
        instance: "test".to_owned(),
        may_write: Arc::new(|| true),
    });
    let page = ObjectKey::new(Kind::StatusPage, &stage.namespace, "acme");
    eventually("the page in the store", crate::operator::SOON, async || {
        store.view(&page).map(|_| ()).ok_or_else(|| "no page".to_owned())
    })
    .await;
    let real = fidelity::script(&store, &Kubectl(stage.api(Kind::Component)), &page).await;
    let simulated = tokio::task::spawn_blocking(|| fidelity::simulated(1).unwrap())
        .await
        .unwrap();
    assert_eq!(real, simulated, "first what kube-apiserver shows");
    assert!(real.len() > 30, "{real:#?}");
}

fn simulate(arguments: &[&str]) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_statuspage"))
        .arg("simulate")
        .args(arguments)
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[test]
fn a_seed_is_replayed_with_its_trace() {
    let (one, kept) = simulate(&["--seed", "7"]);
    assert!(kept, "{one}");
    assert!(one.contains("owner     declares StatusPage team/page"), "{one}");
    assert!(one.contains("seed 7: every promise was kept"), "{one}");
    assert_eq!(simulate(&["--seed", "7"]).0, one);
    let (several, kept) = simulate(&["--seed", "7", "--runs", "5"]);
    assert!(kept && several.starts_with("5 runs, "), "{several}");
}
