//! Beside other commands that work on the same directory: it goes out within seconds, and once.

use std::time::Duration;

use serde_json::Value;
use statuspage_operator::server::Effect;

use super::*;
use crate::directory::{Running, components};

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_runs_sends_it() {
    let (local, directory) = stage().await;
    let mut sync = Running::start(local.command(&["sync", directory.text()]));
    sync.says("Watching").await;
    let said = done(&local, &directory, &OPEN).await;
    assert!(
        said.contains("Another statuspage works on") && said.contains("On the page: investigating"),
        "{said}"
    );
    done(&local, &directory, &["incident", "update", "-m", "More."]).await;
    done(&local, &directory, &["incident", "resolve"]).await;
    let incident = only_incident(&local).await;
    assert_eq!(
        incident["incident_updates"].as_array().unwrap().len(),
        3,
        "{incident:#}"
    );
    assert_eq!(statuses(&local).await["Public API"], "operational");
    sync.signal("-INT");
    sync.ends(Duration::from_secs(20)).await;
    local.is_settled(&directory).await;
}

/// Runs all of these at once, each to success.
async fn all_done(local: &Local, directory: &Directory, all: &[Vec<&str>]) {
    let commands = all.iter().map(|arguments| run(local, directory, arguments));
    for (arguments, output) in all.iter().zip(futures::future::join_all(commands).await) {
        let said = shown(&output);
        assert_eq!(code(&output), 0, "{arguments:?}: {said}");
        assert!(stdout(&output).contains("On the page: "), "{arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_wait_for_each_other_and_all_go_out() {
    let (local, directory) = stage().await;
    done(&local, &directory, &OPEN).await;
    let texts = ["One.", "Two.", "Three.", "Four."];
    let updates: Vec<_> = texts.map(|text| vec!["incident", "update", "-m", text]).into();
    let opens: Vec<_> = ["Mail is slow", "Mail is slow, too"]
        .map(|title| vec!["incident", "open", title, "-m", "Hm."])
        .into();
    for held in [false, true] {
        // Slow enough for each to read the manifest before another writes it.
        let slow = Effect::Delay(Duration::from_millis(300));
        local.server.faults().next(u32::MAX, "GET", "/incidents", slow);
        let sync = held.then(|| Running::start(local.command(&["sync", directory.text()])));
        if let Some(sync) = &sync {
            sync.says("Watching").await;
        }
        all_done(&local, &directory, &updates).await;
        local.server.faults().clear();
        if let Some(mut sync) = sync {
            sync.signal("-INT");
            sync.ends(Duration::from_secs(20)).await;
        }
        let incident = only_incident(&local).await;
        let updates = incident["incident_updates"].as_array().unwrap();
        let count = |text: &str| updates.iter().filter(|update| update["body"] == text).count();
        let times = if held { 2 } else { 1 };
        assert_eq!(texts.map(count), [times; 4], "{incident:#}");
    }
    all_done(&local, &directory, &opens).await;
    assert_eq!(incidents(&local).await.len(), 3);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_declares_nothing_is_in_the_way_of_a_new_incident() {
    let (local, directory) = stage().await;
    std::fs::create_dir(directory.path().join("incidents")).unwrap();
    directory.write("incidents/down.yaml", "- nothing");
    let arguments = ["incident", "open", "Down", "-m", "x", "--name", "down"];
    refused(
        &local,
        &directory,
        &arguments,
        "incidents/down.yaml is there and declares no incident",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_manifest_and_reply_leads_to_no_duplicate() {
    let (local, directory) = stage().await;
    for (arguments, method, posts) in [
        (&OPEN[..], "POST", 1),
        (&["incident", "update", "-m", "More."][..], "PATCH", 2),
    ] {
        local
            .server
            .faults()
            .next(1, method, "/incidents", Effect::Delay(Duration::from_secs(5)));
        local.log().clear();
        let mut running = Running::start(command(&local, &directory, arguments));
        let path = format!("/v1/pages/{PAGE}/incidents");
        let log = local.log();
        crate::support::eventually("the request", Duration::from_secs(60), async || {
            match log.count(method, &path) {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
        running.signal("-KILL");
        running.ends(Duration::from_secs(10)).await;
        local.server.faults().clear();
        local.apply(&directory).await;
        let incident = only_incident(&local).await;
        assert_eq!(
            incident["incident_updates"].as_array().unwrap().len(),
            posts,
            "{incident:#}"
        );
    }
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_with_much_to_do_lets_it_pass() {
    let (local, directory) = stage().await;
    let slow = Effect::Delay(Duration::from_millis(100));
    local.server.faults().next(u32::MAX, "POST", "/components", slow);
    directory.write("many.yaml", &components(300));
    let mut apply = Running::start(local.command(&["apply", directory.text()]));
    local.creates(3).await;
    let said = done(&local, &directory, &OPEN).await;
    assert!(said.contains("On the page: investigating"), "{said}");
    let made = local.component_names().await.len();
    assert!(made < 200, "it did not wait for {made} of 302 components");
    assert!(!apply.has_ended());
    only_incident(&local).await;
    apply.signal("-INT");
    apply.ends(Duration::from_secs(30)).await;
    only_incident(&local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_somebody_who_thinks() {
    let (local, directory) = stage().await;
    directory.write(
        "down.yaml",
        &declaration("Incident", "down", &["updates: [{status: investigating, body: x}]"]),
    );
    // One sits at the question of `apply`, another at that of `incident open`.
    for (arguments, exit) in [
        (&["apply", "."][..], 1),
        (&["incident", "open", "Slow", "-m", "Looking."][..], 0),
    ] {
        let inner = command(&local, &directory, arguments);
        let mut waiting = crate::support::terminal::on_a_terminal(&inner, &[("[y/N]", "wait for a file and say y")]);
        waiting.env("GO", directory.path().join("go"));
        let thinking = tokio::spawn(crate::directory::finish(waiting));
        let asked = directory.path().join("go.asked");
        crate::support::eventually("the question", Duration::from_secs(60), async || match asked.exists() {
            true => Ok(()),
            false => Err("not yet".to_owned()),
        })
        .await;
        let name = format!("urgent-{exit}");
        done(
            &local,
            &directory,
            &["incident", "open", &name, "-m", "Now.", "--name", &name],
        )
        .await;
        directory.write("go", "");
        let output = thinking.await.unwrap();
        assert_eq!(code(&output), exit, "{}", shown(&output));
        assert_eq!(stdout(&output).contains("goes first"), exit == 1, "{}", shown(&output));
        directory.remove("go");
        directory.remove("go.asked");
    }
    let names: Vec<Value> = incidents(&local).await.iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}
