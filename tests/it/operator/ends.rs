//! How everything ends: the rows of docs/ends.md.

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::ListParams;
use statuspage_operator::api::Kind;

use super::{SOON, Stage, TOKEN, component, components, condition, resource, secret};
use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

const UNLIMITED: [&str; 2] = ["--requests-per-minute", "0"];

/// A page with so many components on it.
async fn page_with(stage: &Stage, count: usize, page: &str) {
    stage.apply(&secret(TOKEN)).await;
    stage.apply(&stage.page(page)).await;
    stage.apply(&components(count)).await;
    stage.all_ready(Kind::Component, count, SOON).await;
}

async fn gone<K>(api: Api<K>, name: &str)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    eventually(&format!("{name} is gone"), SOON, async || {
        match api.get_opt(name).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("it is there".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
}

async fn delete_namespace(stage: &Stage) {
    let delete = ["delete", "namespace", &stage.namespace, "--wait=false"];
    stage.control_plane.kubectl(&delete).await.succeeded();
}

async fn namespace_gone(stage: &Stage) {
    gone(Api::<Namespace>::all(stage.client.clone()), &stage.namespace).await;
}

#[tokio::test]
async fn a_namespace_ends_and_takes_along_what_it_has_on_the_page() {
    let stage = Stage::set().await;
    let operator = stage.operator("operator", &UNLIMITED).await;
    page_with(&stage, 6, "").await;
    delete_namespace(&stage).await;
    // Its Secret goes with the rest, in any order.
    namespace_gone(&stage).await;
    assert!(stage.component_names().await.is_empty());
    assert!(!operator.log().contains("create it with"), "{}", operator.log());
}

#[tokio::test]
async fn a_namespace_ends_though_nobody_has_its_token_any_more() {
    let stage = Stage::set().await;
    let first = stage.operator("first", &UNLIMITED).await;
    page_with(&stage, 3, "").await;
    first.signal("KILL");
    first.ended().await;
    delete_namespace(&stage).await;
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
    gone(secrets, "statuspage-token").await;
    let second = stage.operator("second", &UNLIMITED).await;
    namespace_gone(&stage).await;
    assert_eq!(stage.component_names().await.len(), 3, "left on the page");
    // Nothing can be created in it, Events included: it is said about the namespace itself.
    let said = eventually("what was left is said", SOON, async || {
        let regarding = format!("--field-selector=regarding.name={}", stage.namespace);
        let events = [
            "get",
            "events.events.k8s.io",
            "--namespace=default",
            &regarding,
            "-o=yaml",
        ];
        let said = stage.control_plane.kubectl(&events).await.succeeded();
        match said.matches("reason: LeftOnPage").count() {
            3 => Ok(said),
            _ => Err(said),
        }
    })
    .await;
    assert!(
        said.contains("Component c00: component") && said.contains("stays on the page"),
        "{said}"
    );
    let log = second.log();
    assert!(
        !log.contains("create it with") && !said.contains("create it with"),
        "{log}"
    );
}

#[tokio::test]
async fn a_status_page_that_is_deleted_first_waits_for_its_declarations() {
    let stage = Stage::set().await;
    let _operator = stage.operator("operator", &UNLIMITED).await;
    page_with(&stage, 2, "").await;
    stage.kubectl(&["delete", "statuspage", "acme", "--wait=false"]).await;
    let message = stage.reason(Kind::StatusPage, "acme", "Deleting").await;
    assert!(message.contains("2 declarations"), "{message}");
    stage.kubectl(&["delete", "components", "--all", "--timeout=60s"]).await;
    gone(stage.api(Kind::StatusPage), "acme").await;
    assert!(stage.component_names().await.is_empty());
    assert_eq!(stage.remote("").await["id"], super::PAGE, "the page itself stays");
}

#[tokio::test]
async fn without_its_secret_a_deletion_waits_and_the_last_token_serves_a_page_that_ends() {
    let stage = Stage::set().await;
    let _operator = stage.operator("operator", &UNLIMITED).await;
    page_with(&stage, 3, "").await;
    stage.kubectl(&["delete", "secret", "statuspage-token"]).await;
    stage.reason(Kind::StatusPage, "acme", "SecretNotFound").await;
    stage.kubectl(&["delete", "component", "c00", "--wait=false"]).await;
    let message = stage.reason(Kind::Component, "c00", "PageNotReady").await;
    assert!(message.contains("deletionPolicy: Orphan"), "{message}");
    assert_eq!(stage.component_names().await.len(), 3);
    // It is there again.
    stage.apply(&secret(TOKEN)).await;
    gone(stage.api(Kind::Component), "c00").await;
    assert_eq!(stage.component_names().await, ["c01", "c02"]);
    // And goes first, with everything else.
    stage.kubectl(&["delete", "secret", "statuspage-token"]).await;
    stage.reason(Kind::StatusPage, "acme", "SecretNotFound").await;
    stage
        .kubectl(&["delete", "statuspage,component", "--all", "--timeout=60s"])
        .await;
    assert!(stage.component_names().await.is_empty());
}

#[tokio::test]
async fn a_deleted_definition_deletes_no_more_than_the_cap_whoever_restarts() {
    // Definitions are for all namespaces.
    let control_plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::own().await));
    let stage = Stage::set_on(control_plane).await;
    let definitions = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let apply = ["apply", "--server-side", "-f", definitions.to_str().unwrap()];
    control_plane.kubectl(&apply).await.succeeded();
    let first = stage.operator("first", &UNLIMITED).await;
    page_with(&stage, 8, "  deletionCap: 3\n").await;
    let name = format!("{}.statuspage-operator.io", resource(Kind::Component).plural);
    let delete = ["delete", "crd", &name, "--wait=false"];
    control_plane.kubectl(&delete).await.succeeded();
    stage.reason(Kind::StatusPage, "acme", "DeletionCapped").await;
    let left = stage.component_names().await.len();
    assert!(left >= 5, "{left} of 8 are left");
    // Another process has the same cap, and knows what the first one has deleted.
    first.signal("KILL");
    first.ended().await;
    let second = stage.operator("second", &UNLIMITED).await;
    second.ready().await;
    eventually("the second one has planned", SOON, async || {
        let passes = second.figure("statuspage_page_passes_total").await;
        (passes > 0.0).then_some(()).ok_or("not yet".to_owned())
    })
    .await;
    stage.reason(Kind::StatusPage, "acme", "DeletionCapped").await;
    assert_eq!(stage.component_names().await.len(), left);
    // It ends when the owner says that it is meant.
    let allow = [
        "annotate",
        "statuspage",
        "acme",
        "statuspage-operator.io/allow-deletes=8",
    ];
    stage.kubectl(&allow).await;
    let wait = ["wait", "--for=delete", "crd", &name, "--timeout=90s"];
    control_plane.kubectl(&wait).await.succeeded();
    assert!(stage.component_names().await.is_empty());
}

#[tokio::test]
async fn the_deletion_cap_is_remembered_by_the_next_process() {
    let stage = Stage::set().await;
    let first = stage.operator("first", &UNLIMITED).await;
    page_with(&stage, 4, "  deletionCap: 2\n").await;
    stage
        .kubectl(&["delete", "component", "c00", "c01", "--timeout=60s"])
        .await;
    first.signal("KILL");
    first.ended().await;
    let _second = stage.operator("second", &UNLIMITED).await;
    stage.kubectl(&["delete", "component", "c02", "--wait=false"]).await;
    stage.reason(Kind::Component, "c02", "DeletionCapped").await;
    let message = stage.reason(Kind::StatusPage, "acme", "DeletionCapped").await;
    assert!(message.contains("2 were done in the last ten minutes"), "{message}");
    assert_eq!(stage.component_names().await, ["c02", "c03"]);
}

#[tokio::test]
async fn what_is_deleted_while_the_operator_is_away_is_deleted_when_it_is_back() {
    let stage = Stage::set().await;
    let first = stage.operator("first", &UNLIMITED).await;
    page_with(&stage, 2, "").await;
    first.signal("TERM");
    first.ended_in_order().await;
    stage.kubectl(&["delete", "component", "c00", "--wait=false"]).await;
    let waiting = stage.api(Kind::Component).get("c00").await.unwrap();
    assert!(waiting.metadata.deletion_timestamp.is_some(), "held by its finalizer");
    assert_eq!(stage.component_names().await.len(), 2);
    let _second = stage.operator("second", &UNLIMITED).await;
    gone(stage.api(Kind::Component), "c00").await;
    assert_eq!(stage.component_names().await, ["c01"]);
}

#[tokio::test]
async fn a_stray_declaration_goes_when_nothing_is_to_be_deleted_or_its_namespace_ends() {
    let stage = Stage::set().await;
    let first = stage.operator("first", &UNLIMITED).await;
    page_with(&stage, 1, "").await;
    stage.apply(&component("seen", "")).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    first.signal("KILL");
    first.ended().await;
    // The page goes without its declarations, as only force can do it.
    let observe = r#"{"spec":{"managementPolicy":"ObserveOnly"}}"#;
    stage
        .kubectl(&["patch", "component", "seen", "--type=merge", "-p", observe])
        .await;
    let force = r#"{"metadata":{"finalizers":null}}"#;
    stage
        .kubectl(&["patch", "statuspage", "acme", "--type=merge", "-p", force])
        .await;
    stage.kubectl(&["delete", "statuspage", "acme", "--timeout=60s"]).await;
    stage.kubectl(&["delete", "component", "--all", "--wait=false"]).await;
    let _second = stage.operator("second", &UNLIMITED).await;
    gone(stage.api(Kind::Component), "seen").await;
    let message = stage.reason(Kind::Component, "c00", "PageNotFound").await;
    assert!(message.contains("deletionPolicy: Orphan"), "{message}");
    let held = stage.api(Kind::Component).list(&ListParams::default()).await.unwrap();
    assert_eq!(held.items.len(), 1);
    assert_eq!(condition(&held.items[0].data, "Ready")["status"], "False");
    delete_namespace(&stage).await;
    namespace_gone(&stage).await;
    assert_eq!(stage.component_names().await, ["c00", "seen"]);
}
