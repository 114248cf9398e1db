//! From one release of the chart to the next.

use std::path::Path;

use crate::support::control_plane::ControlPlane;
use crate::support::process::OutputExt;

use super::{SOON, assert_deployed, chart_path};
use crate::support::eventually;

/// The last chart that was released, as it was packed. A release adds its own (docs/releases.md).
const RELEASED: &str = "tests/charts/statuspage-operator-0.1.0.tgz";
const DECLARED: &str = "apiVersion: statuspage-operator.io/v1alpha1\nkind: StatusPage\nmetadata: {name: acme}\nspec:\n  pageId: 4kx9q2m7vt1b\n  api: {tokenSecretRef: {name: token}}\n";

#[tokio::test]
async fn the_chart_is_upgraded_from_the_one_that_was_released() {
    let control_plane = ControlPlane::own().await;
    let client = control_plane.client().await;
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join(RELEASED);
    let released = released.to_str().unwrap();
    let (current, namespace, name) = (chart_path(), "statuspage-system", "operator-statuspage-operator");
    let helm = async |arguments: &[&str]| {
        let all = [arguments, &["--namespace", namespace]].concat();
        control_plane.helm(&all).await
    };
    let kubectl = async |arguments: &[&str]| control_plane.kubectl(arguments).await.succeeded();
    let uid = async |object: &str| {
        let arguments = [
            "get",
            object,
            "--namespace",
            namespace,
            "-o",
            "jsonpath={.metadata.uid}",
        ];
        kubectl(&arguments).await
    };
    let set = "operator.requestsPerMinute=30,httpApi.service.enabled=true,secrets.names={token}";
    helm(&["install", "operator", released, "--create-namespace", "--set", set])
        .await
        .succeeded();
    assert_deployed(&client, namespace, name).await;
    eventually("the definitions are served", SOON, async || {
        let arguments = ["apply", "--namespace", namespace, "-f", "-"];
        let output = control_plane.kubectl_with_input(&arguments, DECLARED).await;
        output.status.success().then_some(()).ok_or(output.error_text())
    })
    .await;
    let deployment = format!("deployment/{name}");
    let before = (uid(&deployment).await, uid("statuspage/acme").await);

    helm(&["upgrade", "operator", &current, "--reset-then-reuse-values"])
        .await
        .succeeded();
    assert_deployed(&client, namespace, name).await;
    assert_eq!(
        (uid(&deployment).await, uid("statuspage/acme").await),
        before,
        "nothing is made anew"
    );
    let arguments = kubectl(&["get", &deployment, "--namespace", namespace, "-o", "yaml"]).await;
    assert!(
        arguments.contains("- --requests-per-minute\n"),
        "what was set stays set: {arguments}"
    );

    helm(&["rollback", "operator", "1"]).await.succeeded();
    helm(&["upgrade", "operator", &current]).await.succeeded();
    assert_eq!((uid(&deployment).await, uid("statuspage/acme").await), before);
}
