//! The optional ValidatingAdmissionPolicy, by a real API server.

use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

use super::{SOON, chart_path};

const NAMESPACE: &str = "status";

fn incident(name: &str) -> String {
    format!(
        "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {{name: {name}}}\nspec:\n  pageRef: {{name: acme}}\n  name: It is slow\n  updates: [{{status: investigating, body: We look into it.}}]\n"
    )
}

#[tokio::test]
async fn who_may_publish_and_who_may_delete_is_told_by_groups() {
    let control_plane = ControlPlane::own().await;
    control_plane
        .kubectl(&["create", "namespace", NAMESPACE])
        .await
        .succeeded();
    // An editor of the namespace, by RBAC alone, as whoever runs kubectl says to be.
    let chart = chart_path();
    let install = [
        "install",
        "operator",
        &chart,
        "--namespace",
        "statuspage-system",
        "--create-namespace",
        "--set",
        "admissionPolicy.enabled=true,admissionPolicy.publishers.groups={sre}",
        "--set",
        "admissionPolicy.deleters.users={ann},admissionPolicy.deleters.groups={owners}",
    ];
    control_plane.helm(&install).await.succeeded();
    let bind = [
        "create",
        "clusterrolebinding",
        "all",
        "--clusterrole=cluster-admin",
        "--group=people",
    ];
    control_plane.kubectl(&bind).await.succeeded();
    let as_somebody = async |user: &str, groups: &[&str], arguments: &[&str], input: &str| {
        let mut all = vec!["--namespace", NAMESPACE, "--as", user, "--as-group=people"];
        let groups: Vec<String> = groups.iter().map(|group| format!("--as-group={group}")).collect();
        all.extend(groups.iter().map(String::as_str));
        all.extend(arguments);
        control_plane.kubectl_with_input(&all, input).await
    };
    let create = ["create", "-f", "-"];
    // Neither the definitions nor the policy need be there yet; what is let through until then does no harm.
    let said = eventually("the policy is enforced", SOON, async || {
        let attempt = incident("try").replace("{name: try}", "{generateName: try-}");
        let output = as_somebody("bob", &[], &create, &attempt).await;
        let said = output.error_text();
        if said.contains("may not publish") {
            Ok(said)
        } else {
            Err(said)
        }
    })
    .await;
    assert!(
        said.contains("bob may not publish Incidents: admissionPolicy.publishers"),
        "{said}"
    );
    as_somebody("eve", &["sre"], &create, &incident("slow"))
        .await
        .succeeded();

    // A note is no publication; other words are.
    let note = ["annotate", "incident", "slow", "example.com/note=seen"];
    as_somebody("bob", &[], &note, "").await.succeeded();
    let reword = [
        "patch",
        "incident",
        "slow",
        "--type=merge",
        "-p",
        r#"{"spec": {"name": "It is fast"}}"#,
    ];
    let error = as_somebody("bob", &[], &reword, "").await.failed();
    assert!(error.contains("bob may not publish"), "{error}");
    as_somebody("eve", &["sre"], &reword, "").await.succeeded();

    let delete = ["delete", "incident", "slow", "--wait=false"];
    let error = as_somebody("eve", &["sre"], &delete, "").await.failed();
    assert!(
        error.contains("eve may not delete declarations: admissionPolicy.deleters"),
        "{error}"
    );
    as_somebody("ann", &[], &delete, "").await.succeeded();
    // The operator does its work, and a namespace ends.
    let account = "system:serviceaccount:statuspage-system:operator-statuspage-operator";
    let prune = ["create", "-f", "-"];
    as_somebody("eve", &["sre"], &prune, &incident("over"))
        .await
        .succeeded();
    let delete = ["--namespace", NAMESPACE, "--as", account, "delete", "incident", "over"];
    control_plane.kubectl(&delete).await.succeeded();
    as_somebody("eve", &["sre"], &create, &incident("left"))
        .await
        .succeeded();
    control_plane
        .kubectl(&["delete", "namespace", NAMESPACE, "--wait=false"])
        .await
        .succeeded();
    eventually("the namespace ends", SOON, async || {
        let output = control_plane.kubectl(&["get", "namespace", NAMESPACE]).await;
        (!output.status.success()).then_some(()).ok_or(output.text())
    })
    .await;
}
