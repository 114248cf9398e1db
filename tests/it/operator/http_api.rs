//! The operator answers for itself.

use std::process::Command;

use serde_json::{Value, json};
use statuspage_operator::api::Kind;
use statuspage_operator::server::Effect;

use super::tenants::{Keys, Who};
use super::{Operator, SOON, Stage, components};
use crate::admin::tls;
use crate::events::postgres;
use crate::support::eventually;
use crate::support::process::OutputExt;

#[tokio::test(flavor = "multi_thread")]
async fn the_process_tells_the_truth_about_itself() {
    let stage = Stage::set().await;
    let keys = Keys::new();
    let root = Who::key(&keys.make("root", true, None));
    let log = tempfile::tempdir().unwrap();
    let events = log.path().join("events.db").display().to_string();
    let file = keys.file();
    let operator = stage
        .operator("operator", &["--events", &events, "--access-keys", &file])
        .await;
    eventually("ready", SOON, async || {
        match root.ask(&operator, "/api/v1/ready/").await {
            (200, text) if text == r#"{"status":"ready"}"# => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    // Every write is refused: what is declared waits, and the status says so.
    stage.apply_page().await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    let refused = Effect::Answer {
        status: 503,
        body: None,
        retry_after: None,
    };
    stage.server.faults().next(u32::MAX, "POST", "/components", refused);
    stage.apply(&components(2)).await;
    let process = async |wanted: Value| {
        eventually(&format!("{wanted}"), SOON, async || {
            let document = root.read(&operator, "/api/v2/status").await;
            let seen = json!([
                document["Users session"],
                document["Max users session"],
                document["Webitel"]["ApiQueue"],
                document["Webitel"]["CmdQueue"],
                document["Webitel"]["Status"],
            ]);
            (seen == wanted).then_some(document).ok_or(seen.to_string())
        })
        .await
    };
    process(json!([1, 3, 2, 1, "Connected"])).await;
    stage.server.faults().clear();
    for name in ["c00", "c01"] {
        // The back-off need not be waited for.
        let now = "statuspage-operator.io/requested-at=now";
        stage.kubectl(&["annotate", "component", name, now]).await;
    }
    let document = process(json!([3, 3, 0, 0, "Connected"])).await;
    let server_version = stage.client.apiserver_version().await.unwrap().git_version;
    assert_eq!(
        document["Webitel"]["Version"],
        format!("v1 (Kubernetes {server_version})")
    );
    assert_eq!(document["Process ID"], operator.pid());
    assert_eq!(document["CRASH_WORKER_COUNT"], 0);
    let budget = &root.read(&operator, "/api/v1/pages/").await["data"][0]["budget"];
    assert!(budget["used"].as_u64().unwrap() > 0, "{budget}");

    // Statuspage refuses the token: it is not connected.
    stage.apply(&super::secret("another-token")).await;
    let now = "statuspage-operator.io/requested-at=now";
    stage.kubectl(&["annotate", "statuspage", "acme", now]).await;
    stage.reason(Kind::StatusPage, "acme", "Unauthorized").await;
    process(json!([2, 3, 0, 0, "Offline"])).await;

    // Unknown paths and methods in the shape of their family; the probes are elsewhere.
    for (path, code, word) in [
        ("/api/v1/nope/", 404, "\"errors\""),
        ("/api/v2/nope", 404, "\"info\""),
        ("/v2/nope", 404, "\"faultstring\""),
        ("/metrics", 404, "\"error\""),
        ("/healthz", 404, "\"error\""),
        ("/", 200, "\"versions\""),
    ] {
        let (status, text) = root.ask(&operator, path).await;
        assert!(status == code && text.contains(word), "{path}: {status} {text}");
    }
    assert_eq!(operator.get("/v2/events").await.0, 404);

    // What the program shows of the log over HTTP is what it shows of the file.
    let shown = |from: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
        command.args(["events", "--from", from, "--limit", "1000", "-o", "json"]);
        let Who::Key(_, token) = &root else { unreachable!() };
        command
            .env("STATUSPAGE_EVENTS_TOKEN", token)
            .env("NO_PROXY", "127.0.0.1");
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        serde_json::from_str::<Vec<Value>>(&output.succeeded()).unwrap()
    };
    let stored = shown(&events);
    assert_eq!(shown(&operator.origin), stored);
    let created = stored.iter().filter(|event| event["event_type"] == "component.create");
    let outcomes: Vec<&Value> = created.flat_map(|event| event["traits"].as_array().unwrap()).collect();
    let succeeded = outcomes
        .iter()
        .filter(|known| known["name"] == "outcome" && known["value"] == "succeeded");
    assert_eq!(succeeded.count(), 2, "each once: {outcomes:?}");
    assert_eq!(
        operator.figure("statuspage_event_log_stored_total").await,
        operator.figure("statuspage_event_log_accepted_total").await
    );
    assert!(operator.figure("statuspage_event_log_stored_total").await >= 8.0);
    assert_eq!(operator.figure("statuspage_event_log_waiting").await, 0.0);
    assert_eq!(operator.figure("statuspage_http_refused_credentials_total").await, 0.0);
}

/// A candidate answers as the leader does, from the cluster and from the database that both share.
#[tokio::test]
async fn every_replica_answers_and_they_share_the_event_log() {
    let stage = Stage::set().await;
    let keys = Keys::new();
    let root = Who::key(&keys.make("root", true, None));
    let (file, url) = (keys.file(), postgres::Server::shared().database());
    let journals = tempfile::tempdir().unwrap();
    let journal = |name: &str| journals.path().join(name).display().to_string();
    let start = async |name: &str| {
        let journal = journal(name);
        let arguments = [
            "--leader-elect",
            "--lease-namespace",
            &stage.namespace,
            "--events",
            &url,
            "--events-journal",
            &journal,
            "--access-keys",
            &file,
        ];
        stage.operator(name, &arguments).await
    };
    let (one, other) = (start("one").await, start("other").await);
    one.ready().await;
    other.ready().await;
    stage.apply_page().await;
    stage.apply(&components(3)).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    let leads = async |operator: &Operator| operator.figure("statuspage_leader").await > 0.0;
    let (leader, candidate) = if leads(&one).await {
        (&one, &other)
    } else {
        (&other, &one)
    };
    assert!(!leads(candidate).await);
    for path in ["/api/v1/resources/?limit=1000", "/v2/events?limit=1000&sort=message_id"] {
        eventually("the same from both", SOON, async || {
            let [left, right] = [root.read(leader, path).await, root.read(candidate, path).await];
            let text = left.to_string();
            (left == right && text.contains("c02")).then_some(()).ok_or(text)
        })
        .await;
    }
    let budget = async |operator: &Operator| root.read(operator, "/api/v1/pages/").await["data"][0]["budget"].clone();
    assert!(budget(leader).await["used"].as_u64().unwrap() > 0);
    assert_eq!(
        budget(candidate).await,
        Value::Null,
        "it sends nothing, and counts nothing"
    );
    let creates = "/v2/events?limit=1000&q.field=event_type&q.value=component.create";
    assert_eq!(
        root.read(candidate, creates).await.as_array().unwrap().len(),
        3,
        "each once"
    );
    for operator in [candidate, leader] {
        operator.signal("TERM");
        operator.ended_in_order().await;
    }
}

/// An incident does not wait for its record: not at the start, and not at the end.
#[tokio::test]
async fn an_event_log_that_refuses_stops_nobody() {
    let stage = Stage::set().await;
    let url = postgres::Server::shared().database() + "-that-does-not-exist";
    let operator = stage.operator("operator", &["--events", &url]).await;
    stage.apply_page().await;
    stage.apply(&components(1)).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    assert!(operator.figure("statuspage_event_log_waiting").await >= 2.0);
    assert!(operator.figure("statuspage_event_log_store_failures_total").await > 0.0);
    operator.signal("TERM");
    operator.ended_in_order().await;
    let log = operator.log();
    // There is no journal, and so no more is said than is true.
    assert!(
        log.contains("events are lost: neither the store nor a journal could be written"),
        "{log}"
    );
    assert!(!log.contains("the next process with this log stores them"), "{log}");
    // The URL may hold a password.
    assert!(!log.contains(&url), "{log}");
}

/// The API has TLS; the kubelet and Prometheus need none.
#[tokio::test]
async fn the_api_is_served_by_https_and_probes_are_not() {
    let stage = Stage::set().await;
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("pki");
    tls::authority(&keys);
    let file = |name: &str| keys.join(name).display().to_string();
    let (certificate, key) = (file("apiserver.crt"), file("apiserver.key"));
    let arguments = ["--http-tls-certificate", &certificate, "--http-tls-key", &key];
    let operator = stage.operator("operator", &arguments).await;
    operator.ready().await;
    assert!(operator.origin.starts_with("https://"), "{}", operator.origin);
    let get = async |url: String| tls::client(&keys).get(url).send().await;
    let answer = get(format!("{}/api/v1/ready/", operator.origin)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    let plain = format!("{}/api/v1/ready/", operator.origin.replace("https", "http"));
    assert!(get(plain).await.is_err());
}
