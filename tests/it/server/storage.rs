//! What survives the server.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;
use statuspage_operator::server::{Clock, DataLocation, ManualClock, Server, ServerError, ServerOptions};

use super::{PAGE, Running, TOKEN, beginning, client, column, options, text};

#[tokio::test]
async fn everything_survives_a_restart_and_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let stored = || ServerOptions {
        data: DataLocation::File(directory.path().join("statuspage.db")),
        ..options()
    };
    let first = Running::start_with(stored()).await;
    let api = first.component("API").await;
    let group = json!({"component_group": {"name": "Core", "components": [api]}});
    first.ok("POST", "/component-groups", group).await;
    let incident = json!({"incident": {"name": "Down", "components": {api.as_str(): "major_outage"}}});
    first.ok("POST", "/incidents", incident).await;
    first
        .ok(
            "POST",
            "/subscribers",
            json!({"subscriber": {"endpoint": "https://example.com"}}),
        )
        .await;
    let provider = first
        .ok(
            "POST",
            "/metrics_providers",
            json!({"metrics_provider": {"type": "Self"}}),
        )
        .await;
    let path = format!("/metrics_providers/{}/metrics", text(&provider["id"]));
    let metric = first.ok("POST", &path, json!({"metric": {"name": "m"}})).await;
    let point = json!({"data": {"timestamp": beginning().as_second(), "value": 1}});
    first
        .ok("POST", &format!("/metrics/{}/data", text(&metric["id"])), point)
        .await;
    let read = async |running: &Running| {
        let mut all = Vec::new();
        for path in [
            "",
            "/components",
            "/component-groups",
            "/incidents",
            "/subscribers",
            "/metrics_providers",
            "/metrics",
        ] {
            all.push(running.get(path).await);
        }
        all
    };
    let before = read(&first).await;
    let told = first.server.notifications();
    first.stop().await;

    // Copied while the server still has it open, the files are what a killed process leaves behind.
    let second = Running::start_with(stored()).await;
    assert_eq!(read(&second).await, before);
    assert_eq!(second.server.notifications(), told);
    second.component("Late").await;
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let third = Running::start_with(ServerOptions {
        data: DataLocation::File(copy.path().join("statuspage.db")),
        ..options()
    })
    .await;
    assert_eq!(third.get("/components").await, second.get("/components").await);
    let metric = text(&metric["id"]);
    let points = third.server.points(PAGE, &metric, beginning()).await.unwrap();
    assert_eq!(points, [(beginning().as_second(), 1.0)]);
}

/// Names the database to the child process of the test below.

#[tokio::test]
async fn a_killed_server_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("statuspage.db");
    let mut child = Command::new(env!("CARGO_BIN_EXE_statuspage"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--rate-limit",
            "0",
            "--token",
            TOKEN,
            "--page",
        ])
        .arg(format!("{PAGE}=Acme"))
        .arg("--data")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    // Kept open: a server whose reader is gone ends.
    let mut lines = output.lines();
    let origin = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("serving ")?.strip_suffix("/v1")?.to_owned()))
        .unwrap();
    let client = client();
    let url = format!("{origin}/v1/pages/{PAGE}/components");
    let (acknowledge, mut acknowledged) = tokio::sync::mpsc::unbounded_channel();
    let writer = tokio::spawn(async move {
        for number in 0..10_000 {
            let name = format!("c{number}");
            let request = client
                .post(&url)
                .header("Authorization", format!("OAuth {TOKEN}"))
                .json(&json!({"component": {"name": name}}));
            match request.send().await {
                Ok(response) if response.status() == 201 => acknowledge.send(name).unwrap(),
                _ => return,
            }
        }
    });
    let mut names = Vec::new();
    while names.len() < 20 {
        names.push(acknowledged.recv().await.unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    writer.await.unwrap();
    while let Some(name) = acknowledged.recv().await {
        names.push(name);
    }
    let running = Running::start_with(ServerOptions {
        data: DataLocation::File(path),
        ..options()
    })
    .await;
    let stored = column(&running.get("/components?per_page=1100").await, "name");
    assert!(names.len() < 1_000, "the kill came too late");
    assert_eq!(stored.get(..names.len()).unwrap(), names);
    // At most the request that was in flight is there without having been acknowledged.
    assert!(stored.len() <= names.len() + 1);
}

#[tokio::test]
async fn two_servers_cannot_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let stored = || ServerOptions {
        data: DataLocation::File(directory.path().join("statuspage.db")),
        clock: Clock::Manual(ManualClock::new(beginning())),
        ..options()
    };
    let first = Server::open(stored()).await.unwrap();
    let error = Server::open(stored()).await.unwrap_err();
    assert!(matches!(error, ServerError::InUse(_)), "{error}");
    first.close().await;
    Server::open(stored()).await.unwrap();
}

#[tokio::test]
async fn a_refused_request_leaves_nothing() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let before = running.get("").await;
    running.advance(10).await;
    let body = json!({"component_group": {"name": "", "components": [api]}});
    assert_eq!(running.call("POST", "/component-groups", body).await.0, 422);
    assert_eq!(running.get("").await, before);
}

#[tokio::test]
async fn a_seed_fills_blank_pages_once() {
    let directory = tempfile::tempdir().unwrap();
    let seed = directory.path().join("seed.yaml");
    std::fs::write(
        &seed,
        "pages:\n- id: page00000001\n  name: Acme\n  components:\n  - { name: API, group: Core }\n\
         - name: Other\n  subscribers: [ { email: a@example.com, state: active } ]\n",
    )
    .unwrap();
    let with_seed = || ServerOptions {
        data: DataLocation::File(directory.path().join("data.db")),
        seed: Some(seed.clone()),
        ..options()
    };
    let first = Running::start_with(with_seed()).await;
    let rows = first.get("/components").await;
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(first.server.pages().len(), 2);
    first.stop().await;
    let second = Running::start_with(with_seed()).await;
    assert_eq!(second.get("/components").await, rows);
    assert_eq!(second.server.pages().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let clock = || Clock::Manual(ManualClock::new(beginning()));
    let directory = tempfile::tempdir().unwrap();
    let absent = ServerOptions {
        seed: Some(directory.path().join("absent.yaml")),
        clock: clock(),
        ..options()
    };
    assert!(matches!(Server::open(absent).await, Err(ServerError::SeedFile { .. })));
    let wrong = directory.path().join("wrong.yaml");
    std::fs::write(&wrong, "pages: [{ name: A, colour: red }]").unwrap();
    let invalid = ServerOptions {
        seed: Some(wrong),
        clock: clock(),
        ..options()
    };
    let error = Server::open(invalid).await.unwrap_err();
    assert!(error.to_string().contains("colour"), "{error}");
    let token = ServerOptions {
        tokens: vec!["a b".to_owned()],
        clock: clock(),
        ..options()
    };
    assert!(matches!(Server::open(token).await, Err(ServerError::Token)));
    let folder = ServerOptions {
        data: DataLocation::File(directory.path().join("no/such/folder.db")),
        clock: clock(),
        ..options()
    };
    assert!(matches!(Server::open(folder).await, Err(ServerError::Storage(_))));
}
