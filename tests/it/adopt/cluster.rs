//! In a cluster, whose object keeps the id in its annotation.

use std::process::{Command, Output};

use serde_json::{Value, json};
use statuspage_operator::api::Kind;

use crate::operator::{PAGE, SOON, Stage, TOKEN, component, secret};
use crate::support::eventually;

/// Runs `adopt` as somebody with the administrator's kubeconfig.
async fn adopt(stage: &Stage, arguments: &[&str], token: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    command
        .args(["adopt", "--namespace", &stage.namespace])
        .args(arguments)
        .env("KUBECONFIG", stage.control_plane.kubeconfig_path())
        .env("NO_COLOR", "1")
        .env_remove("STATUSPAGE_TOKEN")
        .env_remove("STATUSPAGE_API_URL");
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    if let Some(token) = token {
        command.env("STATUSPAGE_TOKEN", token);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn adopted(stage: &Stage, arguments: &[&str]) -> String {
    let output = adopt(stage, arguments, None).await;
    let printed = text(&output);
    assert!(output.status.success(), "{arguments:?}: {printed}");
    printed
}

async fn refused(stage: &Stage, arguments: &[&str], word: &str) {
    let before = stage.versions().await;
    let output = adopt(stage, arguments, None).await;
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {printed}");
    assert!(printed.contains(word), "{arguments:?}: {word}: {printed}");
    assert_eq!(stage.versions().await, before, "{arguments:?}");
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Makes a component by hand and gives its id.
async fn by_hand(stage: &Stage, name: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(format!("{}/pages/{PAGE}/components", stage.url))
        .header("Authorization", format!("OAuth {TOKEN}"))
        .json(&json!({"component": {"name": name, "description": "by hand"}}));
    let made: Value = request.send().await.unwrap().json().await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

async fn annotated(stage: &Stage, name: &str) -> Option<String> {
    let object = stage.api(Kind::Component).get(name).await.unwrap();
    object.metadata.annotations?.get("statuspage-operator.io/id").cloned()
}

#[tokio::test]
async fn an_object_in_the_cluster_is_bound_and_the_operator_takes_it_over() {
    let stage = Stage::set().await;
    let id = by_hand(&stage, "api").await;
    stage.apply_page().await;
    stage.apply(&component("api", "  description: ours\n")).await;
    stage.log().clear();

    // Nobody runs yet: the annotation waits.
    let shown = adopted(&stage, &["component/api", "--dry-run"]).await;
    assert!(
        shown.contains("The operator writes:\n  description: \"by hand\" → \"ours\"\n"),
        "{shown}"
    );
    assert_eq!(annotated(&stage, "api").await, None);
    let shown = adopted(&stage, &["component/api", "--wait", "0"]).await;
    let namespace = &stage.namespace;
    let next = format!("The operator will adopt it: kubectl -n {namespace} get component/api");
    assert!(shown.contains(&next), "{shown}");
    assert_eq!(annotated(&stage, "api").await, Some(id.clone()));
    assert_eq!(stage.log().writes(), 0, "nothing is written to the page");

    let _operator = stage.operator("operator", &[]).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    assert_eq!(stage.remote(&format!("/components/{id}")).await["description"], "ours");
    assert_eq!(stage.component_names().await, ["api"]);

    // With one: what it made of the binding is told.
    let second = by_hand(&stage, "web").await;
    stage.apply(&component("web", "")).await;
    stage.reason(Kind::Component, "web", "AlreadyExists").await;
    let shown = adopted(&stage, &["component/web", &second, "--wait", "60"]).await;
    assert!(
        shown.contains("The operator has adopted it: Ready=True Synced"),
        "{shown}"
    );
    let shown = adopted(&stage, &["component/web", &second]).await;
    assert!(shown.contains("Already recorded."), "{shown}");

    // What was adopted stays on the page.
    stage
        .kubectl(&["delete", "component", "api", "web", "--timeout=60s"])
        .await;
    assert_eq!(stage.component_names().await, ["api", "web"]);
}

#[tokio::test]
async fn wrong_ids_are_refused_in_a_cluster_too() {
    let stage = Stage::set().await;
    let api = by_hand(&stage, "api").await;
    let other = by_hand(&stage, "api").await;
    stage.apply(&component("api", "")).await;
    stage.apply(&component("web", "")).await;
    refused(
        &stage,
        &["component/api"],
        "no StatusPage acme is declared in namespace",
    )
    .await;
    stage.apply(&stage.page("")).await;
    refused(&stage, &["component/api"], "statuspage-token does not exist").await;
    // Whoever has a token needs not read the Secret.
    let output = adopt(&stage, &["component/api"], Some(TOKEN)).await;
    assert!(text(&output).contains("match Component"), "{}", text(&output));
    stage.apply(&secret(TOKEN)).await;
    refused(&stage, &["component/api"], &format!("\n  {other}  \"api\"")).await;
    refused(
        &stage,
        &["component/none", &api],
        "no Component none is declared in namespace",
    )
    .await;
    refused(
        &stage,
        &["component/api", "2gcfmflvgs66"],
        "has no component with id 2gcfmflvgs66",
    )
    .await;
    refused(
        &stage,
        &["pages/", "component/api", &api],
        "in a cluster there is no DIR",
    )
    .await;
    adopted(&stage, &["component/api", &api, "--wait", "0"]).await;
    refused(&stage, &["component/web", &api], "one object has one declaration").await;
    refused(&stage, &["component/api", &other], "already, which is on the page").await;
    eventually("the annotation", SOON, async || match annotated(&stage, "api").await {
        Some(id) if id == api => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}
