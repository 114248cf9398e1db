//! What the chart has for Prometheus and Grafana, by the definitions of the Prometheus Operator and by promtool.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{chart, chart_path, file, render};
use crate::support::control_plane::ControlPlane;
use crate::support::process::{self, OutputExt};
use crate::support::{binaries, eventually};

const LIMIT: Duration = Duration::from_secs(120);
const OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator";

fn promtool(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(binaries::promtool().unwrap());
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    process::run(command, b"", LIMIT).unwrap()
}

/// The rules of the alerts.
fn alerts() -> Vec<Value> {
    let alerts: Value = yaml_oracle::from_str(&file("files/alerts.yaml")).unwrap();
    alerts["groups"][0]["rules"].as_array().unwrap().clone()
}

/// The expressions of the dashboard, with a value for each of its variables.
fn dashboard_expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&file("files/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let found: Vec<String> = targets
        .chain(annotations)
        .map(|one| one["expr"].as_str().unwrap().replace("$__rate_interval", "5m"))
        .map(|expression| expression.replace("$namespace", ".*").replace("$page", ".*"))
        .collect();
    assert!(found.len() > 25, "{found:?}");
    found
}

/// The names of metrics that alerts and dashboard ask for.
pub(crate) fn metrics_asked_for() -> BTreeSet<String> {
    let alerts = alerts();
    let alerts = alerts.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let dashboard: Value = serde_json::from_str(&file("files/dashboard.json")).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap().clone();
    let variables = variables
        .iter()
        .filter_map(|one| one["definition"].as_str().map(str::to_owned));
    let mut names = BTreeSet::new();
    for expression in alerts.chain(dashboard_expressions()).chain(variables) {
        let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        names.extend(words.filter(|word| word.starts_with("statuspage_")).map(str::to_owned));
    }
    names
}

#[test]
fn the_alerts_fire_when_they_should() {
    let checked = promtool(&[
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        "charts/statuspage-operator/files/alerts.yaml",
    ]);
    assert!(checked.status.success(), "{}{}", checked.text(), checked.error_text());
    let tested = promtool(&["test", "rules", "tests/prometheus/alerts.yaml"]);
    assert!(tested.status.success(), "{}{}", tested.text(), tested.error_text());
    let tests = std::fs::read_to_string(chart().join("../../tests/prometheus/alerts.yaml")).unwrap();
    for rule in alerts() {
        let name = rule["alert"].as_str().unwrap();
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - ");
        assert!(tests.contains(&fires), "no test has {name} fire");
    }
}

#[test]
fn each_alert_leads_to_its_paragraph() {
    let page = std::fs::read_to_string(chart().join("../../docs/runbooks.md")).unwrap();
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let names: Vec<String> = alerts()
        .iter()
        .map(|rule| rule["alert"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(headings, names, "a paragraph an alert, in their order");
    for rule in alerts() {
        let anchor = rule["alert"].as_str().unwrap().to_lowercase();
        assert_eq!(rule["annotations"]["runbook_url"], format!("docs/runbooks.md#{anchor}"));
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].is_string(), "{anchor}: {text}");
        }
        assert!(["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()));
    }
}

/// As rules, which promtool parses.
#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    let rules: Vec<Value> = dashboard_expressions()
        .iter()
        .enumerate()
        .map(|(number, expression)| serde_json::json!({"record": format!("panel:{number}"), "expr": expression}))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.yaml");
    let file = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    std::fs::write(&path, file.to_string()).unwrap();
    let checked = promtool(&["check", "rules", path.to_str().unwrap()]);
    assert!(checked.status.success(), "{}{}", checked.text(), checked.error_text());
}

/// A name that is misspelt is an error, and says what there is.
#[tokio::test]
async fn an_alert_that_is_not_there_cannot_be_left_out() {
    let control_plane = ControlPlane::shared().await;
    let set = "prometheusRule.enabled=true,prometheusRule.disabled={StatuspageDown}";
    let path = chart_path();
    let error = control_plane
        .helm(&["template", "release", &path, "--set", set])
        .await
        .failed();
    assert!(
        error.contains("there is no alert StatuspageDown; there are StatuspageOperatorDown,"),
        "{error}"
    );
    let both = "serviceMonitor.enabled=true,podMonitor.enabled=true";
    let error = control_plane
        .helm(&["template", "release", &path, "--set", both])
        .await
        .failed();
    assert!(error.contains("scraped twice"), "{error}");
}

/// Everything that the chart can make is accepted by an API server that knows its kinds and refuses fields that it does not
/// know, in a namespace for restricted Pods.
#[tokio::test]
async fn everything_optional_is_accepted_by_an_api_server() {
    let control_plane = ControlPlane::own().await;
    let definitions = binaries::definitions(OPERATOR)
        .unwrap()
        .join("example/prometheus-operator-crd");
    for kind in ["podmonitors", "prometheusrules", "servicemonitors"] {
        let path = definitions.join(format!("monitoring.coreos.com_{kind}.yaml"));
        let arguments = ["apply", "--server-side", "-f", path.to_str().unwrap()];
        control_plane.kubectl(&arguments).await.succeeded();
    }
    control_plane
        .kubectl(&["create", "namespace", "system"])
        .await
        .succeeded();
    let label = [
        "label",
        "namespace",
        "system",
        "pod-security.kubernetes.io/enforce=restricted",
    ];
    control_plane.kubectl(&label).await.succeeded();
    let common = "prometheusRule.enabled=true,dashboard.enabled=true,networkPolicy.enabled=true,admissionPolicy.enabled=true,\
                  admissionPolicy.publishers.groups={sre},privateCA.configMap=ca,proxy.https=http://proxy:3128,\
                  networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus,prometheusRule.alertLabels.team=sre,\
                  httpApi.service.enabled=true,events.urlSecret.name=database,commonLabels.team=web,dnsPolicy=None,\
                  dnsConfig.nameservers={10.0.0.10}";
    for (monitor, kind) in [
        (
            "serviceMonitor.enabled=true,serviceMonitor.interval=30s",
            "ServiceMonitor",
        ),
        ("podMonitor.enabled=true", "PodMonitor"),
    ] {
        let set = format!("{common},{monitor}");
        let documents = render(&["--set", &set]).await;
        let kinds: BTreeSet<&str> = documents
            .iter()
            .filter_map(|document| document["kind"].as_str())
            .collect();
        assert!(kinds.contains(kind) && kinds.contains("Pod"), "{kinds:?}");
        let text: String = documents
            .iter()
            .map(|document| format!("---\n{}", yaml_oracle::to_string(document).unwrap()))
            .collect();
        eventually(&format!("everything is accepted with a {kind}"), LIMIT, async || {
            let arguments = [
                "apply",
                "--dry-run=server",
                "--validate=strict",
                "--server-side",
                "--namespace",
                "system",
                "-f",
                "-",
            ];
            let output = control_plane.kubectl_with_input(&arguments, &text).await;
            output.status.success().then_some(()).ok_or(output.error_text())
        })
        .await;
    }
    let path = chart_path();
    let install = [
        "install",
        "release",
        &path,
        "--namespace",
        "system",
        "--set",
        &format!("{common},podMonitor.enabled=true"),
    ];
    control_plane.helm(&install).await.succeeded();
    super::assert_deployed(&control_plane.client().await, "system", "release-statuspage-operator").await;
}
