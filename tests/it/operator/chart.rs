//! The operator with the permissions that the chart gives it, and no others.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use statuspage_operator::api::{GROUP, Kind};

use super::tenants::reader_of;
use super::{Operator, SOON, Stage, component, components, doctor};
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
        "--set",
        "httpApi.clusterTokens=true",
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

    // `statuspage doctor` asks for what the chart grants, and no more.
    let (findings, _) = doctor::examine(&stage, &[]).await;
    let permissions = format!("permissions of {system}/operator-statuspage-operator");
    doctor::expect(&findings, &permissions, "ok", "may do all that it needs");
    doctor::expect(
        &findings,
        &format!("Secret of {}/acme", stage.namespace),
        "ok",
        "may read",
    );

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

    // And all of it was of use, but for what takes a conflict: an object is read again after one.
    let granted = granted(control_plane, release).await;
    let mut used = used(control_plane, &format!("system:serviceaccount:{system}:{account}"));
    used.insert("get declarations".to_owned());
    assert_eq!(
        granted, used,
        "what the roles of the chart grant, and what the audit log has"
    );
}

/// With names of namespaces somebody who administers these, and nothing else, installs the chart, and it works.
#[tokio::test]
async fn the_administrator_of_a_namespace_can_install_it_there() {
    let stage = Stage::set().await;
    let (control_plane, namespace) = (stage.control_plane, stage.namespace.as_str());
    for command in [
        ["create", "serviceaccount", "admin", "--namespace", namespace].as_slice(),
        &[
            "create",
            "rolebinding",
            "admin",
            "--clusterrole=cluster-admin",
            &format!("--serviceaccount={namespace}:admin"),
            "--namespace",
            namespace,
        ],
    ] {
        control_plane.kubectl(command).await.succeeded();
    }
    let admin = control_plane.kubeconfig_for_service_account(namespace, "admin").await;
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/statuspage-operator");
    let values = format!("crds.enabled=false,rbac.aggregateRoles=false,watchNamespaces={{{namespace}}}");
    let install = [
        "install",
        "operator",
        chart.to_str().unwrap(),
        "--namespace",
        namespace,
        "--kubeconfig",
        admin.to_str().unwrap(),
        "--set",
        &values,
    ];
    control_plane.helm(&install).await.succeeded();
    let kubeconfig = control_plane
        .kubeconfig_for_service_account(namespace, "operator-statuspage-operator")
        .await;
    let arguments = arguments(control_plane, namespace).await;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let operator = Operator::start(stage.warden(), "operator", &kubeconfig, &arguments).await;
    stage.apply_page().await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    stage.kubectl(&["delete", "component", "c01", "--timeout=60s"]).await;
    assert_eq!(stage.component_names().await, ["c00"]);
    operator.signal("TERM");
    operator.ended_in_order().await;
}

/// A right, with all kinds of declarations as one: `list declarations`, `update declarations/status`.
fn right(verb: &str, group: &str, resource: &str, subresource: Option<&str>) -> String {
    let resource = if group == GROUP && verb != "delete" {
        "declarations"
    } else {
        resource
    };
    let subresource = subresource.map(|name| format!("/{name}")).unwrap_or_default();
    format!("{verb} {resource}{subresource}")
}

/// What the roles that are bound to the operator grant.
async fn granted(control_plane: &ControlPlane, release: &str) -> BTreeSet<String> {
    let selector = format!("app.kubernetes.io/instance={release}");
    let roles = [
        "get",
        "clusterroles,roles",
        "--all-namespaces",
        "-l",
        &selector,
        "-o",
        "json",
    ];
    let roles: Value = serde_json::from_str(&control_plane.kubectl(&roles).await.succeeded()).unwrap();
    let mut granted = BTreeSet::new();
    for role in roles["items"].as_array().unwrap() {
        // For people.
        let name = role["metadata"]["name"].as_str().unwrap();
        if name.ends_with("-view") || name.ends_with("-edit") {
            continue;
        }
        let words = |list: &Value| -> Vec<String> {
            let list = list.as_array().unwrap().iter();
            list.map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        for rule in role["rules"].as_array().unwrap() {
            for (verb, resource) in words(&rule["verbs"]).iter().flat_map(|verb| {
                words(&rule["resources"])
                    .into_iter()
                    .map(move |resource| (verb.clone(), resource))
            }) {
                let (resource, subresource) = match resource.split_once('/') {
                    Some((resource, subresource)) => (resource, Some(subresource)),
                    None => (resource.as_str(), None),
                };
                granted.insert(right(&verb, &words(&rule["apiGroups"])[0], resource, subresource));
            }
        }
    }
    granted
}

/// What an account asked the API server for.
fn used(control_plane: &ControlPlane, account: &str) -> BTreeSet<String> {
    let log = std::fs::read_to_string(control_plane.audit_log()).unwrap();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = events.filter(|event| event["user"]["username"] == account);
    own.filter_map(|event| {
        let about = event.get("objectRef")?;
        let group = about["apiGroup"].as_str().unwrap_or_default();
        let verb = event["verb"].as_str()?;
        Some(right(
            verb,
            group,
            about["resource"].as_str()?,
            about["subresource"].as_str(),
        ))
    })
    .collect()
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
