//! Definitions that are not there yet, and objects that do not fit the types of the operator.

use std::path::Path;

use serde_json::{Value, json};
use statuspage_operator::api::Kind;

use super::{SOON, Stage, component, condition, secret};
use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

const CRD: &str = "components.statuspage-operator.io";

#[tokio::test]
async fn absent_definitions_are_waited_for_and_a_misfit_stops_only_itself() {
    // Definitions are for the whole cluster: no other test may see these. It ends with the process.
    let control_plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::own().await));
    let stage = Stage::set_on(control_plane).await;
    let operator = stage.operator("operator", &[]).await;
    eventually("what is missing", SOON, async || match operator.get("/readyz").await {
        (503, text) if text.contains(&format!("{CRD} is not served: install")) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(operator.get("/healthz").await.0, 200, "not ready is not dead");
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let apply = ["apply", "--server-side", "-f", crds.to_str().unwrap()];
    control_plane.kubectl(&apply).await.succeeded();
    operator.ready().await;

    // As a newer definition might: a field of another type.
    let printed = control_plane
        .kubectl(&["get", "crd", CRD, "-o", "json"])
        .await
        .succeeded();
    let mut definition: Value = serde_json::from_str(&printed).unwrap();
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"]["showcase"] = json!({"x-kubernetes-preserve-unknown-fields": true});
    control_plane
        .kubectl_with_input(&["replace", "-f", "-"], &definition.to_string())
        .await
        .succeeded();
    stage.apply(&secret(super::TOKEN)).await;
    stage.apply(&stage.page("")).await;
    let misfit = component("misfit", "  showcase: perhaps\n");
    eventually("the new definition", SOON, async || {
        let arguments = ["apply", "--namespace", &stage.namespace, "-f", "-"];
        let applied = control_plane.kubectl_with_input(&arguments, &misfit).await;
        applied.status.success().then_some(()).ok_or(applied.error_text())
    })
    .await;
    stage.apply(&component("fits", "")).await;
    stage.reason(Kind::Component, "fits", "Synced").await;
    let message = stage.reason(Kind::Component, "misfit", "Invalid").await;
    assert!(message.contains("the spec cannot be read"), "{message}");
    let object = stage.api(Kind::Component).get("misfit").await.unwrap();
    assert_eq!(condition(&object.data, "Stalled")["status"], "True");
    stage.apply(&component("misfit", "  showcase: true\n")).await;
    stage.reason(Kind::Component, "misfit", "Synced").await;
    assert_eq!(stage.component_names().await, ["fits", "misfit"]);
}
