//! A page that people made by hand, written down and taken over without a change.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::server::{PAGE, Running, TOKEN};

async fn statuspage(running: &Running, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    command
        .args(arguments)
        .env("STATUSPAGE_API_URL", format!("{}/v1", running.origin))
        .env("STATUSPAGE_TOKEN", TOKEN)
        .env("NO_COLOR", "1");
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

/// Names that have broken somebody's tool before.
const ODD_NAMES: [&str; 9] = [
    "API",
    "yes",
    "Données – 数据 🚀",
    "# no comment",
    "key: value",
    "  spaces around  ",
    "'single' and \"double\"",
    "line\nbreak",
    "1_000",
];

async fn odd_page(running: &Running) {
    let pages = "";
    let mut ids = Vec::new();
    for name in ODD_NAMES {
        let body = json!({"component": {"name": name, "description": format!("about {name}\n\n- a\n- b")}});
        ids.push(running.ok("POST", &format!("{pages}/components"), body).await["id"].clone());
    }
    let long = "x".repeat(255);
    ids.push(
        running
            .ok(
                "POST",
                &format!("{pages}/components"),
                json!({"component": {"name": long}}),
            )
            .await["id"]
            .clone(),
    );
    for group in 0..3 {
        // Equal names in different groups.
        let mut members = Vec::new();
        for name in ["Web", "Database"] {
            let body = json!({"component": {"name": name, "showcase": group == 0}});
            members.push(running.ok("POST", &format!("{pages}/components"), body).await["id"].clone());
        }
        let body = json!({"component_group": {"name": format!("Region {group}"), "description": "no: yes", "components": members}});
        running.ok("POST", &format!("{pages}/component-groups"), body).await;
    }
    let provider = running
        .ok(
            "POST",
            &format!("{pages}/metrics_providers"),
            json!({"metrics_provider": {"type": "Self"}}),
        )
        .await;
    for (name, minimum) in [
        ("Latency", json!(0)),
        ("Errors: 5xx", json!(0.5)),
        ("Latency", Value::Null),
    ] {
        let path = format!("{pages}/metrics_providers/{}/metrics", provider["id"].as_str().unwrap());
        let body = json!({"metric": {"name": name, "suffix": "ms", "y_axis_min": minimum, "display": true, "transform": "average"}});
        running.ok("POST", &path, body).await;
    }
    for (number, status) in ["investigating", "identified", "resolved"].iter().enumerate() {
        let body = json!({"incident": {
            "name": format!("Incident {number}: \"quoted\""), "status": status, "body": "First: text\n\nwith lines\n",
            "component_ids": [ids[0]], "components": {ids[0].as_str().unwrap(): "partial_outage"}, "deliver_notifications": false,
        }});
        let incident = running.ok("POST", &format!("{pages}/incidents"), body).await;
        let path = format!("{pages}/incidents/{}", incident["id"].as_str().unwrap());
        running
            .ok(
                "PATCH",
                &path,
                json!({"incident": {"body": "second", "status": status}}),
            )
            .await;
    }
    let body = json!({"incident": {
        "name": "Maintenance", "status": "scheduled", "scheduled_for": "2031-01-01T01:00:00Z", "body": "planned",
        "scheduled_until": "2031-01-01T02:00:00Z", "scheduled_auto_in_progress": true, "component_ids": [ids[1]],
    }});
    running.ok("POST", &format!("{pages}/incidents"), body).await;
    for subscriber in [
        json!({"email": "Team@Example.com"}),
        json!({"endpoint": "https://example.com/hook", "email": "ops@example.com"}),
        json!({"phone_country": "US", "phone_number": "2025550123", "component_ids": [ids[0], ids[2]]}),
    ] {
        running
            .ok(
                "POST",
                &format!("{pages}/subscribers"),
                json!({"subscriber": subscriber}),
            )
            .await;
    }
}

fn files(directory: &Path) -> String {
    let mut texts = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        texts.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_page_is_taken_over_without_a_change() {
    let running = Running::start().await;
    odd_page(&running).await;
    let directory = tempfile::tempdir().unwrap();
    let exported = directory.path().join("page");
    let path = exported.to_str().unwrap();
    let output = statuspage(
        &running,
        &[
            "export",
            "--page",
            PAGE,
            "--directory",
            path,
            "--subscribers",
            "--closed-incidents",
        ],
    )
    .await;
    assert!(output.status.success(), "{}", text(&output));
    let output = statuspage(&running, &["validate", path]).await;
    assert!(output.status.success(), "{}\n{}", text(&output), files(&exported));
    let output = statuspage(&running, &["plan", path]).await;
    assert_eq!(output.status.code(), Some(0), "{}\n{}", text(&output), files(&exported));
    running.server.log().clear();
    let output = statuspage(&running, &["apply", path]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(
        running.server.log().writes(),
        0,
        "taking over changes nothing on the page"
    );
    // Taken over: from now on a change of a manifest is sent, and removing the manifests deletes nothing.
    for entry in std::fs::read_dir(&exported).unwrap() {
        let file = entry.unwrap().path();
        let kept = file.ends_with("statuspages.yaml") || file.to_string_lossy().contains(".statuspage");
        if !kept && file.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let output = statuspage(&running, &["apply", path]).await;
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(running.server.log().writes(), 0, "what was taken over is orphaned");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_no_subscriber_unless_asked_for() {
    let running = Running::start().await;
    odd_page(&running).await;
    let output = statuspage(&running, &["export", "--page", PAGE]).await;
    assert!(output.status.success(), "{}", text(&output));
    let printed = text(&output);
    assert!(
        !printed.contains("example.com") && !printed.contains("2025550123"),
        "{printed}"
    );
    for server_only in ["created_at", "createdAt", "position", "status:\n", "uid"] {
        assert!(!printed.contains(server_only), "{server_only}");
    }
    assert!(
        !statuspage(&running, &["export", "--page", "nopage000000"])
            .await
            .status
            .success()
    );
    running.stop().await;
}
