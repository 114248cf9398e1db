//! Promise: no duplicates, whatever ends an apply.

use std::collections::BTreeSet;
use std::time::Duration;

use statuspage_operator::server::Effect;

use super::{Directory, Local, PAGE, Running, code, components, finish, shown, stderr, stdout};

/// Slow enough for something to happen in the middle.
fn slow(local: &Local) {
    let effect = Effect::Delay(Duration::from_millis(20));
    local.server.faults().next(u32::MAX, "POST", "/components", effect);
}

async fn all_there_once(local: &Local, directory: &Directory, count: usize) {
    let names = local.component_names().await;
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!((names.len(), distinct.len()), (count, count), "{names:?}");
    let lock = directory.lock();
    let recorded: BTreeSet<&str> = lock["objects"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(|entry| entry["id"].as_str())
        .collect();
    assert_eq!(recorded.len(), count, "every id is recorded, each once");
    local.is_settled(directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_leads_to_no_duplicate() {
    let local = Local::start().await;
    slow(&local);
    let directory = Directory::new();
    directory.write("components.yaml", &components(60));
    for killed_at in [10, 25] {
        let mut apply = Running::start(local.command(&["apply", directory.text()]));
        local.log().clear();
        local.creates(killed_at).await;
        apply.signal("-KILL");
        apply.ends(Duration::from_secs(10)).await;
    }
    assert!(local.component_names().await.len() < 60, "it was killed in the middle");
    local.server.faults().clear();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    all_there_once(&local, &directory, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_replies_lead_to_no_duplicate() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(12));
    local.server.faults().next(2, "POST", "/components", Effect::LoseReply);
    local
        .server
        .faults()
        .next(1, "POST", "/components", Effect::TruncateBody);
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    all_there_once(&local, &directory, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_of_an_incident_tells_subscribers_once() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write(
        "incident.yaml",
        &super::declaration(
            "Incident",
            "outage",
            &[
                "name: Outage",
                "updates:",
                "- {status: investigating, body: We look into it.}",
                "- {status: identified, body: A cable.}",
            ],
        ),
    );
    local.server.faults().next(1, "POST", "/incidents", Effect::LoseReply);
    local.server.faults().next(1, "PATCH", "/incidents", Effect::LoseReply);
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let incidents = local.get("/incidents").await;
    let incidents = incidents.as_array().unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["incident_updates"].as_array().unwrap().len(), 2);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_apply_finishes_its_request_and_goes_on_next_time() {
    let local = Local::start().await;
    slow(&local);
    let directory = Directory::new();
    directory.write("components.yaml", &components(60));
    for (signal, exit) in [("-INT", 130), ("-TERM", 143)] {
        local.log().clear();
        let mut apply = Running::start(local.command(&["apply", directory.text()]));
        local.creates(10).await;
        apply.signal(signal);
        assert_eq!(apply.ends(Duration::from_secs(20)).await.code(), Some(exit));
        let said = apply.says("Stopped before the end: apply again to go on.").await;
        assert!(said.contains("finishing the request that is under way"), "{said}");
        let created = local.component_names().await.len();
        let lock = directory.lock();
        let recorded = lock["objects"]
            .as_object()
            .unwrap()
            .values()
            .filter(|entry| entry["id"].is_string())
            .count();
        assert_eq!(created, recorded, "nothing was left in the air");
    }
    local.server.faults().clear();
    local.log().clear();
    local.apply(&directory).await;
    assert!(local.log().count("POST", &format!("/v1/pages/{PAGE}/components")) < 60);
    all_there_once(&local, &directory, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applies_exclude_each_other_and_a_plan_is_always_possible() {
    let local = Local::start().await;
    slow(&local);
    let directory = Directory::new();
    directory.write("components.yaml", &components(60));
    let mut first = Running::start(local.command(&["apply", directory.text()]));
    local.creates(3).await;
    let second = local.run("apply", &directory).await;
    assert_eq!(code(&second), 1);
    let said = stderr(&second);
    assert!(
        said.contains("another statuspage works on ") && said.contains("wait until it has ended"),
        "{said}"
    );
    // One file of the directory is the same lock file.
    let file = directory.path().join("components.yaml");
    let third = finish(local.command(&["apply", file.to_str().unwrap()])).await;
    assert!(
        stderr(&third).contains("another statuspage works on "),
        "{}",
        shown(&third)
    );
    let plan = local.run("plan", &directory).await;
    // What is created between its look at the lock file and its look at the page is a stranger to it: 1 is possible.
    assert!(code(&plan) > 0, "{}", shown(&plan));
    assert!(stdout(&plan).contains(" to create"), "{}", shown(&plan));
    first.signal("-KILL");
    first.ends(Duration::from_secs(10)).await;
    local.server.faults().clear();
    let after = local.run("apply", &directory).await;
    assert_eq!(
        code(&after),
        0,
        "a killed process leaves nothing locked: {}",
        shown(&after)
    );
    all_there_once(&local, &directory, 60).await;
}
