//! `statuspage doctor` against a control plane on which one thing after the other is put right.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use statuspage_operator::api::Kind;

use super::{SOON, Stage, apply_definitions, secret};
use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt as _;

/// The findings, and whether the command found nothing wrong.
pub(super) async fn examine(stage: &Stage, more: &[&str]) -> (Vec<Value>, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    let kubeconfig = stage.control_plane.kubeconfig_path();
    command.args(["doctor", "--output", "json", "--api-url", &stage.url, "--kubeconfig"]);
    command.arg(kubeconfig).args(more);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let findings = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr));
    });
    (findings, output.status.success())
}

/// Verdict, message and remedy of the only finding about something.
fn about<'a>(findings: &'a [Value], subject: &str) -> (&'a str, String) {
    let mut found = findings.iter().filter(|finding| finding["subject"] == subject);
    let finding = found
        .next()
        .unwrap_or_else(|| panic!("nothing about {subject}: {findings:#?}"));
    assert!(found.next().is_none(), "twice: {subject}");
    let remedy = finding["remedy"].as_str().unwrap_or_default();
    let text = format!("{} -> {remedy}", finding["message"].as_str().unwrap());
    (finding["verdict"].as_str().unwrap(), text)
}

/// The finding has this verdict, and its text holds this.
pub(super) fn expect(findings: &[Value], subject: &str, verdict: &str, words: &str) {
    let (found, text) = about(findings, subject);
    assert_eq!(found, verdict, "{subject}: {text}");
    assert!(text.contains(words), "{subject}: {text}");
}

fn deployment(namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: doctored}}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: operator\n  labels: &labels {{app.kubernetes.io/name: statuspage-operator}}\n\
         spec:\n  replicas: 1\n  selector: {{matchLabels: *labels}}\n  template:\n    metadata: {{labels: *labels}}\n    spec:\n      \
         serviceAccountName: doctored\n      containers:\n        - name: operator\n          image: statuspage-operator:0.1.0\n          \
         args: [operator, --watch-namespace, {namespace}]\n"
    )
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_said_with_what_to_do() {
    let control_plane = Box::leak(Box::new(ControlPlane::own().await));
    let stage = Stage::set_on(control_plane).await;
    let namespace = stage.namespace.as_str();

    let (findings, ok) = examine(&stage, &[]).await;
    assert!(!ok, "{findings:#?}");
    expect(&findings, "API server", "ok", "v1.");
    expect(&findings, "clock", "ok", "agree");
    expect(
        &findings,
        "definitions",
        "wrong",
        "statuspage crds | kubectl apply --server-side -f -",
    );

    apply_definitions(control_plane).await;
    // A storage that was just made says for a moment that it is initializing.
    let findings = eventually("nothing is wrong", SOON, async || {
        let (findings, ok) = examine(&stage, &[]).await;
        ok.then_some(findings.clone()).ok_or(format!("{findings:#?}"))
    })
    .await;
    expect(&findings, "definitions", "ok", "all 11 kinds");
    expect(&findings, "operator", "warning", "no Deployment");
    expect(&findings, "webhooks", "ok", "none");
    expect(&findings, "StatusPages", "warning", "there is none in the cluster");

    // A page without its Secret, an operator that may do nothing, a webhook whose Service is gone.
    stage.apply(&stage.page("")).await;
    stage.apply(&deployment(namespace)).await;
    stage
        .apply(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: leftover}\nwebhooks:\n  \
             - name: leftover.example.com\n    admissionReviewVersions: [v1]\n    sideEffects: None\n    \
             rules: [{apiGroups: ['*'], apiVersions: ['*'], operations: [DELETE], resources: [components]}]\n    \
             clientConfig: {service: {namespace: nowhere, name: gone}}\n",
        )
        .await;
    let (findings, ok) = examine(&stage, &["-n", namespace]).await;
    assert!(!ok);
    let operator = format!("operator {namespace}/operator");
    expect(&findings, &operator, "wrong", "0 of 1 Pods ready");
    let lease = format!("Lease {namespace}/statuspage-operator");
    expect(&findings, &lease, "wrong", "no replica has ever led");
    let permissions = format!("permissions of {namespace}/operator");
    expect(&findings, &permissions, "wrong", "may not create events in namespace");
    expect(
        &findings,
        "webhook leftover.example.com",
        "wrong",
        "nowhere/gone does not exist",
    );
    expect(
        &findings,
        &format!("StatusPage {namespace}/acme"),
        "wrong",
        "has said nothing",
    );
    let of_secret = format!("Secret of {namespace}/acme");
    expect(
        &findings,
        &of_secret,
        "wrong",
        "create secret generic statuspage-token --from-literal=token=TOKEN",
    );

    // The Secret is there, and the operator may not read it.
    stage.apply(&secret("wrong-token")).await;
    let (findings, _) = examine(&stage, &[]).await;
    expect(&findings, &of_secret, "wrong", "may not read Secret");

    // It may do everything, and the token is refused.
    let account = format!("{namespace}:doctored");
    let bind = [
        "create",
        "clusterrolebinding",
        "doctored",
        "--clusterrole=cluster-admin",
        "--serviceaccount",
        &account,
    ];
    control_plane.kubectl(&bind).await.succeeded();
    control_plane
        .kubectl(&["delete", "validatingwebhookconfiguration", "leftover"])
        .await
        .succeeded();
    let page = format!("page of {namespace}/acme");
    let (findings, _) = examine(&stage, &[]).await;
    expect(&findings, &permissions, "ok", "may do all that it needs");
    expect(&findings, &of_secret, "ok", "has a token");
    expect(&findings, &page, "wrong", "make a new API key");
    let printed = serde_json::to_string(&findings).unwrap();
    assert!(!printed.contains("wrong-token"), "{printed}");
    let sent = stage.log().entries().len();
    let (findings, _) = examine(&stage, &["--offline"]).await;
    assert!(!findings.iter().any(|finding| finding["subject"] == page));
    assert_eq!(stage.log().entries().len(), sent, "nothing is sent");

    // All is well but for the Pods, which no kubelet starts here.
    let lease_options = [
        "--leader-elect",
        "--lease-namespace",
        namespace,
        "--api-url",
        &stage.url,
    ];
    let _operator = stage.operator("operator", &lease_options).await;
    stage.apply_page().await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    let findings = eventually("all is well", SOON, async || {
        let (findings, _) = examine(&stage, &[]).await;
        let mut wrong = findings.iter().filter(|finding| finding["verdict"] == "wrong");
        let only = wrong.all(|finding| finding["subject"] == operator);
        only.then_some(findings.clone()).ok_or(format!("{findings:#?}"))
    })
    .await;
    expect(&findings, &lease, "ok", "leads");
    expect(&findings, &page, "ok", "the token is accepted");
    expect(
        &findings,
        &format!("requests of {namespace}/acme"),
        "ok",
        "in the last 60 s",
    );
}

#[tokio::test]
async fn who_may_see_little_is_told_what_was_skipped_and_an_absent_server_is_one_line() {
    let stage = Stage::set().await;
    stage.kubectl(&["create", "serviceaccount", "reader"]).await;
    let kubeconfig = stage
        .control_plane
        .kubeconfig_for_service_account(&stage.namespace, "reader")
        .await;
    let doctor = async |kubeconfig: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
        command.args(["doctor", "--kubeconfig"]).arg(kubeconfig);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let (text, code) = doctor(&kubeconfig).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("skipped  definitions") && text.contains("you may not look"),
        "{text}"
    );
    assert!(text.trim_end().ends_with("skipped."), "{text}");

    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("kubeconfig");
    std::fs::write(
        &absent,
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n\
         clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\nusers: [{name: u, user: {}}]\n",
    )
    .unwrap();
    let (text, code) = doctor(&absent).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.starts_with("wrong    API server  http://127.0.0.1:9/ does not answer"),
        "{text}"
    );
    assert!(text.contains("-> check --kubeconfig"), "{text}");
}
