//! Several pages and several tokens: trouble of one page is no other page's, and pages that share a token share its
//! budget.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use statuspage_operator::api::{Kind, Reason};
use statuspage_operator::clock::Clock;
use statuspage_operator::driver::{PageDriver, PageOptions, PassEnd};
use statuspage_operator::engine::{READY, find_condition};
use statuspage_operator::server::Effect;

use super::store::{MemoryStore, declare};
use super::{OTHER_PAGE, PAGE, Stage, access, key};

/// A page of the server with so many components, reached with a token.
fn page(stage: &Stage, id: &str, token: &str, components: usize) -> MemoryStore {
    let spec = json!({"pageId": id, "api": {"tokenSecretRef": {"name": "token"}}});
    let page = declare(Kind::StatusPage, "page", stage.clock.now(), spec);
    let store = MemoryStore::new(page, access(&stage.origin, token));
    for number in 0..components {
        let name = format!("c{number}");
        store.add(declare(Kind::Component, &name, stage.clock.now(), json!({})));
    }
    store
}

/// Keeps a page for so long, as the operator does: a pass whenever there is something to do.
async fn keep(stage: &Stage, store: &MemoryStore, until: Timestamp) {
    let options = PageOptions {
        budgets: stage.budgets.clone(),
        clock: Clock::Manual(stage.clock.clone()),
        transport: None,
    };
    let mut driver = PageDriver::new(key(Kind::StatusPage, "page"), Arc::new(store.clone()), options);
    let mut interrupt = stage.interrupt();
    let time_is_up = tokio::time::sleep(left(stage, until));
    let work = async {
        loop {
            let PassEnd::Idle(wake) = driver.pass(&mut interrupt).await else {
                return;
            };
            let wake = wake.unwrap_or(until).min(until);
            tokio::time::sleep(left(stage, wake)).await;
        }
    };
    // Requests that nobody answers are under way still.
    tokio::select! {
        () = work => {}
        () = time_is_up => {}
    }
}

fn left(stage: &Stage, until: Timestamp) -> Duration {
    until.duration_since(stage.clock.now()).try_into().unwrap_or_default()
}

fn ready(store: &MemoryStore) -> usize {
    let state = store.state();
    let ready = |stored: &&statuspage_operator::engine::Declaration| {
        find_condition(stored.stored.object(), READY).is_some_and(|ready| ready.status == "True")
    };
    state.declarations.iter().filter(ready).count()
}

fn reason(store: &MemoryStore) -> String {
    let page = store.get(&key(Kind::StatusPage, "page")).unwrap();
    find_condition(page.stored.object(), READY).unwrap().reason.clone()
}

/// Two pages for ten minutes. The first one is in trouble, in which its requests hang or not; gives its store, and how
/// long the other, healthy one took for its components.
async fn beside(hangs: bool, trouble: impl Fn(&Stage) -> MemoryStore) -> (Stage, MemoryStore, SignedDuration) {
    const HEALTHY: usize = 100;
    let stage = Stage::with_budget(60).await;
    let first = trouble(&stage);
    let healthy = page(&stage, OTHER_PAGE, "another", HEALTHY);
    let begun = stage.clock.now();
    let until = begun.saturating_add(SignedDuration::from_mins(10)).unwrap();
    let mut done = None;
    let log = stage.server.log();
    let troubled = first.state().access.clone().unwrap();
    let budget = stage.budgets.budget(&troubled.token, &troubled.base_url);
    let unanswered = || if hangs { budget.stats().in_flight } else { 0 };
    let look = || {
        if done.is_none() && ready(&healthy) == HEALTHY {
            done = Some(stage.clock.now());
        }
    };
    let work = async { tokio::join!(keep(&stage, &first, until), keep(&stage, &healthy, until)) };
    stage.while_time_goes_by(work, unanswered, look).await;
    let took = done.expect("the healthy page is done").duration_since(begun);
    assert_eq!(reason(&healthy), "Synced");
    assert!(log.peak_per_minute() <= 60, "{}", log.peak_per_minute());
    println!("the healthy page took {took:#}, the other one is {}", reason(&first));
    (stage, first, took)
}

/// A hundred components and a few reads: fifty-five at once, and the others a minute later.
fn undelayed(took: SignedDuration) {
    assert!(took < SignedDuration::from_secs(75), "{took:#}");
}

#[tokio::test]
async fn a_refused_token_delays_no_other_page() {
    let (stage, troubled, took) = beside(false, |stage| page(stage, PAGE, "wrong", 100)).await;
    undelayed(took);
    assert_eq!(reason(&troubled), Reason::Unauthorized.as_str());
    // One probe an interval of five minutes, not a hundred failures.
    assert!(
        stage.server.log().answered(401) <= 3,
        "{}",
        stage.server.log().answered(401)
    );
}

#[tokio::test]
async fn a_throttled_token_delays_no_other_page() {
    for status in [420, 429] {
        let (stage, troubled, took) = beside(false, |stage| {
            let throttled = Effect::Answer {
                status,
                body: None,
                retry_after: Some(300),
            };
            stage
                .server
                .faults()
                .next(1, "POST", &format!("{PAGE}/components"), throttled);
            page(stage, PAGE, "token", 100)
        })
        .await;
        undelayed(took);
        assert_eq!(
            stage.server.log().answered(status),
            1,
            "it waits as long as it was asked to"
        );
        assert_eq!(ready(&troubled), 100, "and then goes on");
    }
}

#[tokio::test]
async fn an_outage_of_one_page_delays_no_other_page() {
    let failing = Effect::Answer {
        status: 503,
        body: None,
        retry_after: None,
    };
    // Errors, broken connections, and silence.
    let silence = Effect::Delay(Duration::from_secs(3600));
    for (effect, hangs) in [(failing, false), (Effect::LoseRequest, false), (silence, true)] {
        let (_, troubled, took) = beside(hangs, |stage| {
            stage
                .server
                .faults()
                .next(u32::MAX, "", &format!("{PAGE}/components"), effect.clone());
            page(stage, PAGE, "token", 100)
        })
        .await;
        undelayed(took);
        assert_eq!(reason(&troubled), Reason::Unreachable.as_str(), "{effect:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_delays_no_other_page() {
    let (_, troubled, took) = beside(false, |stage| {
        let store = page(stage, PAGE, "token", 100);
        // Nobody listens on this port of the machine.
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        store.state().access = Ok(access(&format!("http://{nowhere}"), "token"));
        store
    })
    .await;
    undelayed(took);
    assert_eq!(reason(&troubled), Reason::Unreachable.as_str());
}

#[tokio::test]
async fn pages_that_share_a_token_share_its_budget_in_any_minute() {
    let stage = Stage::with_budget(60).await;
    let (large, small) = (page(&stage, PAGE, "token", 400), page(&stage, OTHER_PAGE, "token", 120));
    let begun = stage.clock.now();
    let until = begun.saturating_add(SignedDuration::from_mins(12)).unwrap();
    let head_start = begun.saturating_add(SignedDuration::from_mins(2)).unwrap();
    let work = async {
        let late = async {
            // Two minutes later, in the middle of the other one's backlog.
            tokio::time::sleep(left(&stage, head_start)).await;
            keep(&stage, &small, until).await;
        };
        tokio::join!(keep(&stage, &large, until), late)
    };
    stage.while_time_goes_by(work, || 0, || ()).await;
    assert_eq!((ready(&large), ready(&small)), (400, 120));
    let log = stage.server.log();
    assert!(log.peak_per_minute() <= 60, "{}", log.peak_per_minute());
    let entries = log.entries();
    let of = |id: &str| -> Vec<Timestamp> {
        let posts = entries
            .iter()
            .filter(|entry| entry.method == "POST" && entry.path.contains(id));
        posts.map(|entry| entry.at).collect()
    };
    let (large, small) = (of(PAGE), of(OTHER_PAGE));
    // From the beginning of the second page's writes to their end both have a backlog.
    let (first, last) = (small[0], small[small.len() - 1]);
    let waited = first.duration_since(head_start);
    let meanwhile = large.iter().filter(|at| (first..=last).contains(*at)).count();
    println!(
        "it waited {waited:#}; then {} writes of one page, {meanwhile} of the other",
        small.len()
    );
    assert!(waited <= SignedDuration::from_secs(61), "{waited:#}");
    assert!((100..=140).contains(&meanwhile), "{meanwhile} beside {}", small.len());
}
