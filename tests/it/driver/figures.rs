//! Counted promises: requests of a pass, writes to the store, the window, the urgent first.

use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::driver::{PassEnd, StoreChange};

use super::{Stage, key};

async fn with_components(stage: &Stage, count: usize) {
    for number in 0..count {
        stage.declare(Kind::Component, &format!("c{number}"), json!({"description": "text"}));
    }
}

#[tokio::test]
async fn two_hundred_components_cost_two_hundred_posts_and_few_reads() {
    let stage = Stage::new().await;
    with_components(&stage, 200).await;
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    let log = stage.server.log();
    let (posts, reads) = (log.count("POST", ""), log.count("GET", ""));
    assert_eq!(posts, 200);
    assert!(reads <= 12, "{reads} reads");
    assert_eq!(log.writes(), 200);
    // A plan serves for as long as all goes as it foresaw, not for one request.
    let plans = driver.totals().plans;
    assert!(plans <= 12, "{plans} plans");
    let writes = stage.store.state().writes.clone();
    let per_object = |name: &str| {
        writes
            .iter()
            .filter(|(written, _)| *written == key(Kind::Component, name))
            .count()
    };
    println!(
        "200 components: {posts} POST, {reads} GET, {} store writes for components, {} for the page",
        writes
            .iter()
            .filter(|(written, _)| written.kind == Kind::Component)
            .count(),
        writes
            .iter()
            .filter(|(written, _)| written.kind == Kind::StatusPage)
            .count(),
    );
    // Finalizer, journal, id, status.
    for name in ["c0", "c100", "c199"] {
        assert_eq!(per_object(name), 4, "{name}");
    }
    let page = writes
        .iter()
        .filter(|(written, _)| written.kind == Kind::StatusPage)
        .count();
    assert!(page <= 2, "{page} writes to the page");
    // A pass that finds nothing different reads each list once and writes nothing anywhere.
    let mut plans = plans;
    for _ in 0..3 {
        let (before, requests) = (stage.store.state().writes.len(), log.entries().len());
        stage.advance(jiff::SignedDuration::from_secs(310));
        stage.pass(&mut driver).await;
        let requests = log.entries().len() - requests;
        let planned = driver.totals().plans - plans;
        plans = driver.totals().plans;
        println!("no-op pass of 200 components: {requests} requests, {planned} plans");
        assert!(planned <= 4, "{planned} plans");
        assert!((1..=8).contains(&requests), "{requests}");
        assert_eq!(stage.store.state().writes.len(), before);
        assert_eq!(log.writes(), 200);
    }
    // A new process as well.
    let (before, requests) = (stage.store.state().writes.len(), log.entries().len());
    let mut driver = stage.driver();
    stage.pass(&mut driver).await;
    assert!(log.entries().len() - requests <= 8);
    assert_eq!(stage.store.state().writes.len(), before);
}

#[tokio::test]
async fn a_preview_takes_a_plan_for_each_generation_of_what_waits_for_what() {
    let mut plans = Vec::new();
    for count in [10, 300] {
        let stage = Stage::new().await;
        for group in 0..count / 10 {
            stage.declare(Kind::ComponentGroup, &format!("g{group}"), json!({}));
        }
        for number in 0..count {
            let group = format!("g{}", number / 10);
            let spec = json!({"description": "text", "groupRef": {"name": group}});
            stage.declare(Kind::Component, &format!("c{number}"), spec);
        }
        let mut driver = stage.driver();
        let (_, shown) = driver.foresee_effects().await.unwrap();
        assert_eq!(shown.steps.len(), count + count / 10);
        plans.push(shown.plans);
    }
    println!("a preview of 10 and of 300 components in groups of ten: {plans:?} plans");
    assert!(plans[0] == plans[1] && plans[0] <= 10, "{plans:?}");
}

#[tokio::test]
async fn a_page_of_every_kind_is_quiet_after_its_first_pass() {
    let stage = Stage::new().await;
    stage.declare_everything();
    let mut driver = stage.settle(stage.driver()).await;
    let (before, writes) = (stage.store.state().writes.len(), stage.server.log().writes());
    let requests = stage.server.log().entries().len();
    stage.advance(jiff::SignedDuration::from_secs(310));
    stage.pass(&mut driver).await;
    assert_eq!(
        stage.store.state().writes.len(),
        before,
        "{:#?}",
        stage.store.state().writes
    );
    assert_eq!(stage.server.log().writes(), writes);
    assert!(stage.server.log().entries().len() - requests <= 8);
}

#[tokio::test]
async fn only_what_changed_is_sent() {
    let stage = Stage::new().await;
    with_components(&stage, 20).await;
    let mut driver = stage.settle(stage.driver()).await;
    let before = stage.server.log().writes();
    stage
        .store
        .respecify(&key(Kind::Component, "c7"), json!({"description": "another"}));
    stage.pass(&mut driver).await;
    assert_eq!(stage.server.log().writes() - before, 1);
    let entries = stage.server.log().entries();
    let sent = entries.iter().rfind(|entry| entry.method == "PATCH").unwrap();
    assert_eq!(sent.body, r#"{"component":{"description":"another"}}"#);
}

#[tokio::test]
async fn with_a_full_backlog_a_new_incident_is_the_next_write() {
    let stage = Stage::with_budget(20).await;
    with_components(&stage, 60).await;
    let mut driver = stage.driver();
    let store = stage.store.clone();
    let budgets = stage.budgets.clone();
    let mut interrupt = stage.interrupt();
    let running = tokio::spawn(async move { driver.pass(&mut interrupt).await });
    // The driver has used what it may and waits for the window.
    let waits = || budgets.all().iter().any(|(.., budget)| budget.stats().waiting > 0);
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while !waits() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let log = stage.server.log();
    assert_eq!(log.entries().len(), 15, "the reserve is left for incidents");
    let before = log.writes();
    let updates = json!([{"status": "investigating", "body": "Looking"}]);
    stage.declare(Kind::Incident, "down", json!({"updates": updates}));
    stage.trigger.changed();
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while log.count("POST", &format!("/v1/pages/{}/incidents", super::PAGE)) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let entries = log.entries();
    let next = entries
        .iter()
        .filter(|entry| entry.method != "GET")
        .nth(before)
        .unwrap();
    assert!(next.path.ends_with("/incidents"), "{next:?}");
    assert!(log.peak_per_minute() <= 20, "{}", log.peak_per_minute());
    // Asked to stop, it stops at once although the backlog is long, and with everything recorded.
    stage.trigger.stop();
    assert_eq!(running.await.unwrap(), PassEnd::Stopped);
    let created = log.writes();
    let recorded = store
        .state()
        .writes
        .iter()
        .filter(|(_, change)| matches!(change, StoreChange::RecordId(_)))
        .count();
    assert_eq!(recorded, created);
}

/// Nine pages of people, of whom we declare three: they are looked up.
#[tokio::test]
async fn declared_subscribers_are_looked_up_in_a_large_audience() {
    let stage = Stage::new().await;
    for number in 0..900 {
        let person = json!({"subscriber": {"email": format!("person-{number}@example.com")}});
        stage.send("POST", "subscribers", person).await;
    }
    let webhook = json!({"endpoint": "https://hooks.example.com/a", "email": "team@example.com"});
    stage.declare(Kind::Subscriber, "hook", json!({"webhook": webhook}));
    // One that is there already, and one that is not.
    stage.declare(
        Kind::Subscriber,
        "known",
        json!({"email": "Person-7@example.com", "adoptionPolicy": "ByName"}),
    );
    stage.declare(Kind::Subscriber, "team", json!({"email": "team@example.com"}));
    let mut driver = stage.settle(stage.driver()).await;
    for name in ["hook", "known", "team"] {
        stage.assert_synced(Kind::Subscriber, name);
    }
    let log = stage.server.log();
    // Only the two that were not there were created.
    assert_eq!(log.count("POST", ""), 902);
    // A pass reads the first page, the number of them, two addresses and the webhooks.
    let reads = || {
        let entries = log.entries();
        let asks = |path: &str| path.contains("/subscribers");
        entries
            .iter()
            .filter(|entry| entry.method == "GET" && asks(&entry.path))
            .count()
    };
    let (before, writes) = (reads(), log.writes());
    stage.advance(jiff::SignedDuration::from_secs(310));
    stage.pass(&mut driver).await;
    let reads = reads() - before;
    assert!((4..=5).contains(&reads), "{reads} reads");
    assert_eq!(log.writes(), writes);
}
