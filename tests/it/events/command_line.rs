//! `statuspage events`, and what `statuspage apply` records.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use serde_json::Value;
use statuspage_operator::admin::identity::Identity;
use statuspage_operator::admin::resources::{Inventory, ResourceSource};
use statuspage_operator::admin::status::Standalone;
use statuspage_operator::admin::{AdminOptions, AdminServer, Limits, Listening, events};
use statuspage_operator::audit::{AuditEvent, Filter};
use statuspage_operator::server::{PageSeed, Server, ServerOptions};

use super::{PATIENCE, Place, admin, event, sample};
use crate::support::control_plane::install_crypto;

const PAGE: &str = "4kx9q2m7vt1b";

fn statuspage(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_statuspage"))
        .args(arguments)
        .env("STATUSPAGE_TOKEN", "correct-horse-battery")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("STATUSPAGE_EVENTS")
        .output()
        .unwrap()
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = statuspage(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_shown_from_a_file_and_from_an_operator() {
    let place = Place::sqlite();
    let later = event("later", "incident.publish", "2024-03-02T10:00:00Z", "team-b").text("outcome", "failed");
    let log = place.filled(vec![sample(), later]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = events::router(log.clone()).layer(Extension(admin()));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let file = place.path().join("events.db").display().to_string();
    tokio::task::spawn_blocking(move || {
        for from in [file.as_str(), origin.as_str()] {
            let table = printed(&["events", "--from", from]);
            let lines: Vec<&str> = table.lines().collect();
            assert!(
                lines[0].starts_with("2024-03-01T10:00:05Z  component.create"),
                "{table}"
            );
            assert!(
                lines[1].contains("incident.publish") && lines[1].contains("failed"),
                "{table}"
            );
            let newest = printed(&["events", "--from", from, "--limit", "1", "-o", "json"]);
            let newest: Value = serde_json::from_str(&newest).unwrap();
            assert_eq!(newest[0]["message_id"], "later");
            let arguments = [
                "events",
                "--from",
                from,
                "--filter",
                "attempt:integer>=2",
                "--type",
                "component.create",
            ];
            assert_eq!(printed(&arguments).lines().count(), 1);
            let arguments = [
                "events",
                "--from",
                from,
                "--filter",
                "outcome!=failed",
                "--since",
                "2024-03-01",
            ];
            assert_eq!(printed(&arguments), "");
            assert!(printed(&["events", "--from", from, "-o", "yaml"]).contains("event_type: component.create"));
        }
        let absent = statuspage(&["events", "--from", "no/such/file.db"]);
        let text = String::from_utf8_lossy(&absent.stderr).into_owned();
        assert_eq!(
            (absent.status.code(), text.trim()),
            (Some(1), "error: there is no event log at no/such/file.db")
        );
    })
    .await
    .unwrap();
    server.abort();
}

/// The page, a component, a group and an incident.
fn write_manifests(directory: &Path, url: &str) {
    let head = |kind: &str, name: &str| {
        format!(
            "apiVersion: statuspage-operator.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: team-a}}\nspec:\n"
        )
    };
    let text = [
        head("StatusPage", "acme")
            + &format!("  pageId: {PAGE}\n  api: {{url: \"{url}\", tokenSecretRef: {{name: t}}}}\n"),
        head("Component", "web") + "  pageRef: {name: acme}\n  description: one\n",
        head("Incident", "outage")
            + "  pageRef: {name: acme}\n  name: Outage\n  updates: [{status: investigating, body: We look.}]\n",
    ]
    .join("---\n");
    std::fs::write(directory.join("all.yaml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_done_is_recorded_in_order_once() {
    let server = Server::open(ServerOptions {
        tokens: vec!["correct-horse-battery".to_owned()],
        pages: vec![PageSeed {
            id: Some(PAGE.to_owned()),
            name: "Acme".to_owned(),
        }],
        ..ServerOptions::default()
    })
    .await
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let serving = tokio::spawn(server.clone().serve(listener, std::future::pending()));
    let place = Place::sqlite();
    let manifests = tempfile::tempdir().unwrap();
    write_manifests(manifests.path(), &url);
    let file = place.path().join("events.db").display().to_string();
    let directory = manifests.path().display().to_string();
    tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            printed(&["apply", &directory, "--events", &file, "--requests-per-minute", "0"]);
        }
    })
    .await
    .unwrap();
    let log = place.open().await;
    let all = log.store().query(&Filter::default()).await.unwrap();
    let writes: Vec<&AuditEvent> = all.iter().filter(|event| event.get("method").is_some()).collect();
    let mut types: Vec<&str> = writes.iter().map(|event| event.event_type.as_str()).collect();
    types.sort_unstable();
    // The second apply found nothing to do.
    assert_eq!(types, ["component.create", "incident.create"]);
    for write in writes {
        assert_eq!(write.get("outcome").unwrap(), "succeeded");
        assert_eq!(write.tenant.as_deref(), Some("team-a"));
        for name in [
            "page",
            "page_id",
            "kind",
            "name",
            "operation",
            "remote_id",
            "duration",
            "request_id",
        ] {
            assert!(write.get(name).is_some(), "{name} {write:?}");
        }
    }
    let conditions = all.iter().filter(|event| event.event_type == "component.condition");
    let synced = conditions.filter(|event| event.get("reason").as_deref() == Some("Synced"));
    assert_eq!(synced.count(), 2, "Ready and Synced: {all:?}");
    let everything = format!("{all:?}");
    assert!(!everything.contains("correct-horse"), "no token in any event");
    assert!(log.close(PATIENCE).await);
    serving.abort();
}

/// A server of events alone.
struct Nothing;

impl ResourceSource for Nothing {
    fn inventory(&self) -> Inventory {
        Inventory::default()
    }
}

/// An operator that is replaced is away for a while; whoever follows its events sees all of them, each once.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_outlives_the_operator_and_misses_nothing() {
    install_crypto();
    let place = Place::sqlite();
    let log = place
        .filled(vec![event("old", "component.update", "2024-03-01T10:00:00Z", "team-a")])
        .await;
    let serve = async |address: SocketAddr| {
        let server = AdminServer::new(AdminOptions {
            identity: Identity::new().with_anonymous(admin()),
            status: Arc::new(Standalone),
            resources: Arc::new(Nothing),
            mounts: vec![events::mount(log.clone())],
            limits: Limits {
                // Streams are cut at the end.
                grace: Duration::ZERO,
                ..Limits::default()
            },
            public_details: false,
        });
        let listening = Listening::bind(address, None).await.unwrap();
        (listening.address().unwrap(), server.start(listening))
    };
    let (address, first) = serve("127.0.0.1:0".parse().unwrap()).await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_statuspage"))
        .args([
            "events",
            "--follow",
            "-o",
            "json",
            "--type",
            "component.update",
            "--from",
        ])
        .arg(format!("http://{address}"))
        .env("NO_PROXY", "127.0.0.1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["message_id"].as_str().unwrap().to_owned()
    };
    let record = async |id: &str| {
        log.record(event(id, "component.update", "2024-03-01T10:00:01Z", "team-a"));
        assert!(log.flush(PATIENCE).await);
    };
    assert_eq!(next(), "old");
    first.end().await;
    assert!(told.next().unwrap().unwrap().contains("trying until it is back"));
    record("while it was away").await;
    let (_, second) = serve(address).await;
    assert_eq!(next(), "while it was away");
    record("afterwards").await;
    assert_eq!(next(), "afterwards");
    child.kill().unwrap();
    child.wait().unwrap();
    second.end().await;
}
