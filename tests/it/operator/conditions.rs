//! What goes wrong, what the owner reads, and how it mends.

use std::time::Duration;

use statuspage_operator::api::Kind;
use statuspage_operator::server::Effect;

use super::{SOON, Stage, TOKEN, component, components, condition, secret};
use crate::support::eventually;

#[tokio::test]
async fn a_missing_page_is_waited_for_and_a_deleted_declaration_is_not_held() {
    let stage = Stage::set().await;
    let _operator = stage.operator("operator", &[]).await;
    stage.apply(&components(2)).await;
    let message = stage.reason(Kind::Component, "c00", "PageNotFound").await;
    assert!(message.contains("StatusPage acme does not exist"), "{message}");
    // Nothing was made, so nothing holds it.
    stage.kubectl(&["delete", "component", "c00", "--timeout=60s"]).await;
    stage.apply_page().await;
    stage.all_ready(Kind::Component, 1, SOON).await;

    // A page waits for its declarations. When it is torn away by hand, what is on it cannot be deleted; the condition
    // says how to let go.
    stage.kubectl(&["delete", "statuspage", "acme", "--wait=false"]).await;
    stage.reason(Kind::StatusPage, "acme", "Deleting").await;
    let torn = r#"{"metadata":{"finalizers":null}}"#;
    stage
        .kubectl(&["patch", "statuspage", "acme", "--type=merge", "-p", torn])
        .await;
    stage.reason(Kind::Component, "c01", "PageNotFound").await;
    stage.kubectl(&["delete", "component", "c01", "--wait=false"]).await;
    eventually("the way out", SOON, async || {
        let object = stage
            .api(Kind::Component)
            .get("c01")
            .await
            .map_err(|error| error.to_string())?;
        let message = condition(&object.data, "Ready")["message"].to_string();
        match message.contains("set deletionPolicy: Orphan") {
            true => Ok(()),
            false => Err(message),
        }
    })
    .await;
    stage
        .kubectl(&[
            "patch",
            "component",
            "c01",
            "--type=merge",
            "-p",
            r#"{"spec":{"deletionPolicy":"Orphan"}}"#,
        ])
        .await;
    eventually("the release", SOON, async || {
        match stage.api(Kind::Component).get_opt("c01").await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(stage.component_names().await, ["c01"], "it stays on the page");
}

#[tokio::test]
async fn a_deleted_page_waits_for_its_declarations() {
    let stage = Stage::set().await;
    let _operator = stage.operator("operator", &[]).await;
    stage.apply_page().await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    stage.kubectl(&["delete", "statuspage", "acme", "--wait=false"]).await;
    stage.reason(Kind::StatusPage, "acme", "Deleting").await;
    // Its declarations can still be deleted on the page, and then it goes.
    stage.kubectl(&["delete", "components", "--all", "--timeout=60s"]).await;
    eventually("the end of the page", SOON, async || {
        match stage.api(Kind::StatusPage).get_opt("acme").await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(stage.component_names().await.is_empty());
}

#[tokio::test]
async fn other_namespaces_need_the_grant_of_the_page() {
    let stage = Stage::set().await;
    let other = stage.control_plane.unique_namespace().await;
    let _operator = stage.operator("operator", &["--watch-namespace", &other]).await;
    stage.apply_page().await;
    let declared = component("guest", "").replace(
        "pageRef: {name: acme}",
        &format!("pageRef: {{name: acme, namespace: {}}}", stage.namespace),
    );
    stage.apply_in(&other, &declared).await;
    let denied = stage
        .reason_in(&other, Kind::Component, "guest", "PageNotGranted")
        .await;
    // The same words for a page that is not there: nothing is told of another namespace.
    let nowhere = declared
        .replace("{name: guest}", "{name: lost}")
        .replace("name: acme,", "name: nothing,");
    stage.apply_in(&other, &nowhere).await;
    let absent = stage.reason_in(&other, Kind::Component, "lost", "PageNotGranted").await;
    assert_eq!(absent.replace("nothing", "acme"), denied);

    let selector = "  allowedNamespaces: {from: Selector, selector: {matchLabels: {team: guests}}}\n";
    stage.apply(&stage.page(selector)).await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    stage
        .reason_in(&other, Kind::Component, "guest", "PageNotGranted")
        .await;
    let label = async |label: &str| {
        let arguments = ["label", "--overwrite", "namespace", &other, label];
        stage.control_plane.kubectl(&arguments).await
    };
    label("team=guests").await;
    stage.reason_in(&other, Kind::Component, "guest", "Synced").await;
    assert_eq!(stage.component_names().await, ["guest"]);

    label("team=strangers").await;
    stage
        .reason_in(&other, Kind::Component, "guest", "PageNotGranted")
        .await;
    assert_eq!(stage.component_names().await, ["guest"], "a lost grant deletes nothing");
    stage.apply(&stage.page("  allowedNamespaces: {from: All}\n")).await;
    stage.reason_in(&other, Kind::Component, "guest", "Synced").await;
}

#[tokio::test]
async fn a_missing_a_wrong_and_a_right_secret() {
    let stage = Stage::set().await;
    let operator = stage.operator("operator", &[]).await;
    stage.apply(&stage.page("")).await;
    stage.apply(&components(1)).await;
    let message = stage.reason(Kind::StatusPage, "acme", "SecretNotFound").await;
    let expected = format!(
        "Secret {}/statuspage-token does not exist: create it with the API token under key token",
        stage.namespace
    );
    assert_eq!(message, expected);
    stage.reason(Kind::Component, "c00", "PageNotReady").await;
    assert_eq!(stage.log().entries().len(), 0);

    stage.apply(&secret("wrong-token")).await;
    stage.reason(Kind::StatusPage, "acme", "Unauthorized").await;
    stage.apply(&secret(TOKEN)).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    let log = operator.log();
    assert!(!log.contains("wrong-token") && !log.contains(TOKEN), "{log}");
    let (_, metrics) = operator.get("/metrics").await;
    assert!(
        !metrics.contains("wrong-token") && !metrics.contains(TOKEN),
        "{metrics}"
    );
}

#[tokio::test]
async fn one_rejected_object_stops_only_itself() {
    let stage = Stage::set().await;
    let _operator = stage.operator("operator", &[]).await;
    let refusal = Effect::Answer {
        status: 422,
        body: Some(r#"{"error":["Name is not to our taste"]}"#.to_owned()),
        retry_after: None,
    };
    stage.server.faults().next(1, "POST", "/components", refusal);
    stage.apply_page().await;
    stage.apply(&components(5)).await;
    let rejected = eventually("four of five", SOON, async || {
        let objects = stage
            .api(Kind::Component)
            .list(&Default::default())
            .await
            .unwrap()
            .items;
        let reason = |object: &kube::api::DynamicObject| condition(&object.data, "Ready")["reason"].to_string();
        let synced = objects.iter().filter(|object| reason(object) == "\"Synced\"").count();
        let rejected = objects.iter().find(|object| reason(object) == "\"Rejected\"");
        match (synced, rejected) {
            (4, Some(object)) => Ok(object.clone()),
            _ => Err(format!("{:?}", objects.iter().map(reason).collect::<Vec<_>>())),
        }
    })
    .await;
    let message = condition(&rejected.data, "Ready")["message"].to_string();
    assert!(message.contains("Name is not to our taste"), "{message}");
    assert_eq!(condition(&rejected.data, "Stalled")["status"], "True");
    // A change is a new attempt.
    let name = rejected.metadata.name.unwrap();
    stage.apply(&component(&name, "  description: better\n")).await;
    stage.all_ready(Kind::Component, 5, SOON).await;
}

#[tokio::test]
async fn a_server_that_is_away_comes_back() {
    let stage = Stage::set().await;
    let operator = stage.operator("operator", &[]).await;
    stage.apply_page().await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    stage.server.faults().next(u32::MAX, "", "", Effect::LoseRequest);
    stage.apply(&components(4)).await;
    let message = stage.reason(Kind::StatusPage, "acme", "Unreachable").await;
    assert!(!message.is_empty());
    stage.server.faults().clear();
    stage.all_ready(Kind::Component, 4, Duration::from_secs(120)).await;
    assert_eq!(stage.component_names().await, super::names(4));
    assert_eq!(operator.figure("statuspage_reconcile_panics_total").await, 0.0);
}

#[tokio::test]
async fn probes_and_unknown_paths() {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("events.db");
    let operator = stage.operator("operator", &["--events", log.to_str().unwrap()]).await;
    operator.ready().await;
    assert_eq!(operator.get("/healthz").await, (200, "ok\n".to_owned()));
    let (status, text) = operator.get("/nothing").await;
    assert_eq!(status, 404);
    assert!(text.contains("/healthz"), "{text}");
    assert_eq!(
        operator.send("POST", "/metrics").await,
        405,
        "there is nothing to change"
    );
    let (_, metrics) = operator.get("/metrics").await;
    for name in ["statuspage_build_info{version=", "statuspage_leader 1", "# EOF"] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
}
