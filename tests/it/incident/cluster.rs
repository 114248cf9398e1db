//! In a cluster: the Incident is written there and an operator sends it.

use std::process::{Command, Output};

use serde_json::{Value, json};
use statuspage_operator::api::Kind;

use crate::operator::{SOON, Stage, component};

/// Runs `incident` as somebody with the administrator's kubeconfig.
async fn incident(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    command
        .arg("incident")
        .args(arguments)
        .args(["--namespace", &stage.namespace])
        .env("KUBECONFIG", stage.control_plane.kubeconfig_path())
        .env("NO_COLOR", "1")
        .env_remove("STATUSPAGE_TOKEN")
        .env_remove("STATUSPAGE_API_URL");
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

async fn done(stage: &Stage, arguments: &[&str]) -> String {
    let output = incident(stage, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

async fn refused(stage: &Stage, arguments: &[&str], word: &str) {
    let before = stage.versions().await;
    let output = incident(stage, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
    assert!(text(&output).contains(word), "{arguments:?}: {word}: {}", text(&output));
    assert_eq!(stage.versions().await, before, "{arguments:?}");
}

#[tokio::test]
async fn an_outage_takes_one_line_in_a_cluster_too() {
    let stage = Stage::set().await;
    stage.apply_page().await;
    stage.apply(&component("api", "  name: Public API\n")).await;
    let open = ["open", "API errors", "-m", "We are looking into it.", "-c", "api=major"];
    // Nobody runs yet: it is declared, and that is said.
    let said = done(&stage, &[&open[..], &["--dry-run"]].concat()).await;
    assert!(
        said.contains("api: major_outage") && said.contains("Nothing was written or sent"),
        "{said}"
    );
    refused(
        &stage,
        &["open", "x", "-m", "y", "-c", "apii=major"],
        "did you mean api?",
    )
    .await;
    refused(
        &stage,
        &["open", "x", "-m", "y", "--name", "Not A Name"],
        "metadata.name",
    )
    .await;
    refused(&stage, &["update", "-m", "y"], "no incident is open").await;

    let _operator = stage.operator("operator", &[]).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    let said = done(&stage, &open).await;
    let remote = stage.remote("/incidents").await;
    let remote = &remote.as_array().unwrap()[0];
    assert!(
        said.contains("On the page: investigating") && said.contains(remote["shortlink"].as_str().unwrap()),
        "{said}"
    );
    let api = async || stage.remote("/components").await[0]["status"].clone();
    assert_eq!(api().await, "major_outage");

    let said = done(
        &stage,
        &["update", "-m", "A bad disk.", "-s", "identified", "-c", "api=partial"],
    )
    .await;
    assert!(
        said.contains("api: major_outage → partial_outage") && said.contains("On the page: identified"),
        "{said}"
    );
    assert_eq!(api().await, "partial_outage");
    let listed: Value = serde_json::from_str(&done(&stage, &["list", "-o", "json"]).await).unwrap();
    assert_eq!(
        (&listed[0]["status"], &listed[0]["id"]),
        (&json!("identified"), &remote["id"]),
        "{listed:#}"
    );
    let said = done(&stage, &["resolve"]).await;
    assert!(
        said.contains("api: partial_outage → operational") && said.contains("On the page: resolved"),
        "{said}"
    );
    assert_eq!(api().await, "operational");
    let name = listed[0]["name"].as_str().unwrap();
    let shown = done(&stage, &["show", name]).await;
    assert!(
        shown.contains("A bad disk.") && shown.contains("This incident has been resolved."),
        "{shown}"
    );
    done(&stage, &["postmortem", name, "-m", "A disk failed.", "--publish"]).await;
    let postmortem = stage
        .remote(&format!("/incidents/{}/postmortem", remote["id"].as_str().unwrap()))
        .await;
    assert!(!postmortem["published_at"].is_null(), "{postmortem:#}");
    assert!(done(&stage, &["list"]).await.contains("No incident is open."));
}

#[tokio::test]
async fn the_condition_says_why_it_is_not_on_the_page() {
    let stage = Stage::set().await;
    stage.apply_page().await;
    stage.apply(&component("api", "")).await;
    let _operator = stage.operator("operator", &[]).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    // Somebody has opened one of this title in the console.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(format!("{}/pages/{}/incidents", stage.url, crate::operator::PAGE))
        .header("Authorization", format!("OAuth {}", crate::operator::TOKEN))
        .json(&json!({"incident": {"name": "API errors", "status": "investigating", "body": "By hand."}}));
    assert!(request.send().await.unwrap().status().is_success());
    let output = incident(&stage, &["open", "API errors", "-m", "Looking."]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("AlreadyExists") && text(&output).contains("It stays declared"),
        "{}",
        text(&output)
    );
    let said = done(&stage, &["open", "Web errors", "-m", "Looking.", "--no-wait"]).await;
    assert!(said.contains("Wrote Incident"), "{said}");
}
