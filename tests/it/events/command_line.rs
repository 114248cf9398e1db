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
use statuspage_operator::audit::{AuditEvent, Filter, Operator, TraitFilter, TraitValue};
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
    let later = event("later", "incident.publish", "2024-03-02T10:00:00Z", "team-b")
        .text("operation", "publish")
        .text("outcome", "failed");
    let condition = event("condition", "component.condition", "2024-03-01T11:00:00Z", "team-a")
        .text("operation", "condition")
        .text("condition", "Ready")
        .text("status", "False")
        .text("reason", "Rejected")
        .raw(serde_json::json!({"message": "no such group"}));
    let log = place
        .filled(vec![sample().text("operation", "create"), condition, later])
        .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = events::router(log.clone()).layer(Extension(admin()));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let file = place.path().join("events.db").display().to_string();
    tokio::task::spawn_blocking(move || {
        for from in [file.as_str(), origin.as_str()] {
            let table = printed(&["events", "--from", from]);
            let lines: Vec<&str> = table.lines().collect();
            assert!(lines[0].starts_with("TIME ") && lines[0].contains("  WHO  "), "{table}");
            assert!(
                lines[1].starts_with("2024-03-01T10:00:05Z  component.create"),
                "{table}"
            );
            assert!(
                lines[2].contains("incident.publish") && lines[2].contains("failed"),
                "{table}"
            );
            assert_eq!(lines.len(), 3, "conditions are left out: {table}");
            for asked in [
                &["--conditions"][..],
                &["--type", "component.condition"],
                &["--filter", "reason=Rejected"],
            ] {
                let table = printed(&[&["events", "--from", from], asked].concat());
                assert!(table.contains("Ready=False Rejected: no such group"), "{table}");
            }
            let wide = printed(&["events", "--from", from, "-o", "wide"]);
            assert!(
                wide.contains("GENERATION") && wide.contains("00000011-1f1b-404d-b2ec-c35901f1b7f0"),
                "{wide}"
            );
            let newest = printed(&["events", "--from", from, "--limit", "1", "-o", "json"]);
            let newest: Value = serde_json::from_str(&newest).unwrap();
            assert_eq!(newest[0]["message_id"], "later");
            let arguments = [
                "events",
                "--from",
                from,
                "--filter",
                "attempt>=2",
                "--type",
                "component.create",
            ];
            assert_eq!(printed(&arguments).lines().count(), 2);
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
            for (asked, said) in [
                (&["--type", "incident.publsh"][..], "did you mean incident.publish?"),
                (&["--filter", "nmae=web"], "did you mean name?"),
                (&["--until", "2000"], "--conditions shows them"),
            ] {
                let output = statuspage(&[&["events", "--from", from], asked].concat());
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && output.stdout.is_empty(), "{text}");
                assert!(text.starts_with("no events match") && text.contains(said), "{text}");
            }
            assert!(printed(&["events", "--from", from, "-o", "yaml"]).contains("event_type: component.create"));
        }
    })
    .await
    .unwrap();
    server.abort();
}

/// What is wrong is said with what to do about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_a_log_is_told_with_the_way_out() {
    let place = Place::sqlite();
    let log = place.filled(Vec::new()).await;
    let served = async |router: axum::Router| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
    };
    let strangers = served(events::router(log)).await;
    let nothing = served(axum::Router::new()).await;
    let page = served(axum::Router::new().fallback(async || "<html>hello</html>")).await;
    let directory = place.path().display().to_string();
    let path = |name: &str| place.path().join(name).display().to_string();
    std::fs::write(
        path("text"),
        "no database at all, but long enough to be looked at ".repeat(40),
    )
    .unwrap();
    std::fs::create_dir_all(path("pages/.statuspage")).unwrap();
    std::fs::write(path("pages/.statuspage/events.db"), "").unwrap();
    std::fs::create_dir(path("empty")).unwrap();
    let other = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path("other.db")))
        .await
        .unwrap();
    sqlx::query("CREATE TABLE something (id INTEGER)")
        .execute(&other)
        .await
        .unwrap();
    other.close().await;
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let table = [
        (
            "no/such/file.db".to_owned(),
            "the first command with --events no/such/file.db makes it",
        ),
        (path("nothing.db"), "there is no event log at"),
        (directory, "is a directory: the log in it is"),
        (path("pages"), ".statuspage/events.db"),
        (
            path("empty"),
            "is a directory without an event log: give the file that --events names",
        ),
        (path("text"), "is not an event log, nor any SQLite database"),
        (path("other.db"), "is another database, not an event log"),
        (
            gone,
            "is an operator, `sync` or `dev` with --http-listen running there?",
        ),
        (strangers, "STATUSPAGE_EVENTS_TOKEN"),
        (nothing, "runs with --events"),
        (page, "is this the address of an operator's HTTP API?"),
        (
            "postgres://nobody@127.0.0.1:1/none".to_owned(),
            "the event log's database failed",
        ),
    ];
    tokio::task::spawn_blocking(move || {
        for (from, said) in table {
            let output = statuspage(&["events", "--from", &from]);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{from}: {text}");
            assert!(text.starts_with("error: ") && text.contains(said), "{from}: {text}");
            assert_eq!(text.trim().lines().count(), 1, "{text}");
        }
        let nowhere = statuspage(&["events"]);
        assert!(
            String::from_utf8_lossy(&nowhere.stderr).contains("Give --from"),
            "{nowhere:?}"
        );
        let odd = statuspage(&["events", "--from", "x", "--filter", "generation=three"]);
        assert!(
            String::from_utf8_lossy(&odd.stderr).contains("of the type integer"),
            "{odd:?}"
        );
    })
    .await
    .unwrap();
}

/// All of one namespace goes, nothing of another, and what is asked for by mistake is not done.
#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_namespace_are_purged() {
    for place in [Place::sqlite(), Place::postgres()] {
        let numbers = 0..120;
        let events = numbers.map(|number| {
            let namespace = ["team-a", "team-b", ""][number % 3];
            event(
                &format!("{number:03}"),
                "component.update",
                "2024-03-01T10:00:00Z",
                namespace,
            )
            .text("name", "web")
        });
        let log = place.filled(events.collect()).await;
        let from = match &place.location {
            statuspage_operator::audit::Location::File(path) => path.display().to_string(),
            // The URL is not shown, and not to be had from the place.
            _ => {
                let deleted = log.purge("team-b").await.unwrap();
                assert_eq!((deleted, log.purge("team-b").await.unwrap()), (40, 0));
                assert_eq!(log.store().tenants().await.unwrap(), ["team-a"]);
                continue;
            }
        };
        let run = async |arguments: &'static [&'static str]| {
            let from = from.clone();
            let run = move || statuspage(&[&["events", "purge", "--from", &from], arguments].concat());
            tokio::task::spawn_blocking(run).await.unwrap()
        };
        let odd = run(&["--namespace", "team-bb"]).await;
        let text = String::from_utf8_lossy(&odd.stderr).into_owned();
        assert!(!odd.status.success() && text.contains("did you mean team-b?"), "{text}");
        // While a process records in it.
        let output = run(&["--namespace", "team-b"]).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text, "deleted 40 events of namespace team-b\n", "{output:?}");
        let left = log.store().query(&Filter::default()).await.unwrap();
        assert_eq!(left.len(), 80);
        assert!(left.iter().all(|event| event.tenant.as_deref() != Some("team-b")));
        let traits = TraitFilter {
            name: "name".to_owned(),
            operator: Operator::Equal,
            value: TraitValue::String("web".to_owned()),
        };
        let by_trait = Filter {
            traits: vec![traits],
            ..Filter::default()
        };
        assert_eq!(log.store().query(&by_trait).await.unwrap().len(), 80);
        assert_eq!(log.store().tenants().await.unwrap(), ["team-a"]);
        log.record(event("new", "component.update", "2024-03-01T10:00:00Z", "team-b"));
        assert!(log.flush(PATIENCE).await);
        let remote = tokio::task::spawn_blocking(|| {
            statuspage(&[
                "events",
                "purge",
                "--from",
                "http://127.0.0.1:1",
                "--namespace",
                "team-b",
            ])
        });
        let remote = remote.await.unwrap();
        assert!(
            String::from_utf8_lossy(&remote.stderr).contains("cannot delete events"),
            "{remote:?}"
        );
    }
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
    assert!(told.next().unwrap().unwrap().contains("retrying until it is back"));
    record("while it was away").await;
    let (_, second) = serve(address).await;
    assert_eq!(next(), "while it was away");
    record("afterwards").await;
    assert_eq!(next(), "afterwards");
    child.kill().unwrap();
    child.wait().unwrap();
    second.end().await;
}
