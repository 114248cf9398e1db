//! The operator with the permissions that the chart gives it, and no others.

use std::path::Path;

use statuspage_operator::api::Kind;

use super::tenants::reader_of;
use super::{Operator, SOON, Stage, component, components};
use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

#[tokio::test]
async fn it_works_with_the_permissions_of_the_chart() {
    // A default installation watches all namespaces, and so needs a control plane that no other test uses. It ends
    // with the process, which its warden notices.
    let control_plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::own().await));
    let stage = Stage::set_on(control_plane).await;
    let (release, system) = ("operator", "statuspage-system");
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/statuspage-operator");
    let install = [
        "install",
        release,
        chart.to_str().unwrap(),
        "--namespace",
        system,
        "--create-namespace",
    ];
    control_plane.helm(&install).await.succeeded();
    let account = "operator-statuspage-operator";
    let kubeconfig = control_plane.kubeconfig_for_service_account(system, account).await;

    let arguments = arguments(control_plane, system).await;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let operator = Operator::start(stage.warden(), "operator", &kubeconfig, &arguments).await;
    stage.apply_page().await;
    stage.apply(&components(3)).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    // Everything that needs a permission: Events, deletion, grants by label, pruned incidents.
    let selector = "  allowedNamespaces: {from: Selector, selector: {matchLabels: {team: guests}}}\n";
    stage.apply(&stage.page(selector)).await;
    let other = control_plane.unique_namespace().await;
    let label = ["label", "namespace", &other, "team=guests"];
    control_plane.kubectl(&label).await.succeeded();
    let guest = component("guest", "").replace(
        "pageRef: {name: acme}",
        &format!("pageRef: {{name: acme, namespace: {}}}", stage.namespace),
    );
    stage.apply_in(&other, &guest).await;
    stage.reason_in(&other, Kind::Component, "guest", "Synced").await;
    let incident = "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {name: over}\nspec:\n  pageRef: {name: acme}\n  name: It is over\n  updates: [{status: resolved, body: It was nothing.}]\n  ttlAfterResolved: 1s\n";
    stage.apply(incident).await;
    let gone = ["wait", "--for=delete", "incident/over", "--timeout=60s"];
    stage.kubectl(&gone).await;
    stage.kubectl(&["delete", "component", "c01", "--timeout=60s"]).await;
    assert_eq!(stage.component_names().await, ["c00", "c02", "guest"]);
    let events = stage.kubectl(&["get", "events.events.k8s.io"]).await;
    assert!(events.contains("Created"), "{events}");

    // It may ask who a caller is.
    let reader = reader_of(&stage, &stage.namespace).await;
    eventually("what the caller may see", SOON, async || {
        let list = reader.read(&operator, "/api/v1/resources/").await;
        // The page and its two components; the guest is in another namespace.
        (list["meta"]["count"] == 3).then_some(()).ok_or(list.to_string())
    })
    .await;

    operator.signal("TERM");
    operator.ended_in_order().await;
    let log = operator.log();
    assert!(!log.to_lowercase().contains("forbidden"), "{log}");
    assert!(!log.contains("\"ERROR\""), "{log}");
}

/// The arguments of the container, as the kubelet would fill them in; only the port is left to the system.
pub(super) async fn arguments(control_plane: &ControlPlane, namespace: &str) -> Vec<String> {
    let path = "jsonpath={range .items[0].spec.template.spec.containers[0].args[*]}{@}{\"\\n\"}{end}";
    let printed = control_plane
        .kubectl(&["get", "deployments", "--namespace", namespace, "-o", path])
        .await
        .succeeded();
    let filled = printed
        .replace("$(POD_NAMESPACE)", namespace)
        .replace("0.0.0.0:8081", "127.0.0.1:0")
        .replace("127.0.0.1:8082", "127.0.0.1:0");
    assert!(filled.starts_with("operator\n"), "{filled}");
    filled.lines().map(str::to_owned).collect()
}
