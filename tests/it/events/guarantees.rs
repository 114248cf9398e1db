//! What the log promises: nothing lost with the process, nothing twice, never in the way.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use statuspage_operator::audit::{
    AuditEvent, AuditLog, AuditOptions, Filter, Location, Retention, TraitValue, UNKNOWN, View,
};
use statuspage_operator::clock::ManualClock;
use statuspage_operator::driver::Clock;

use super::{PATIENCE, Place, event, on_both_stores, postgres};

on_both_stores! {
    what_a_dead_process_began_is_stored_once a_begun_event_has_outcome_and_duration one_bad_event_stops_only_itself
    retention_by_age retention_by_size writers_share_a_store
}

async fn all(log: &AuditLog) -> Vec<AuditEvent> {
    log.store().query(&Filter::default()).await.unwrap()
}

/// The files of a log as a killed process leaves them.
fn copy(place: &Place) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

async fn what_a_dead_process_began_is_stored_once(place: Place) {
    let log = place.open().await;
    log.record(event("stored", "component.update", "2024-03-01T10:00:00Z", "team-a"));
    assert!(log.flush(PATIENCE).await);
    let in_flight = log.begin(event("in flight", "incident.create", "2024-03-01T10:00:01Z", "team-a"));
    log.begin(event("done", "incident.publish", "2024-03-01T10:00:02Z", "team-a"))
        .complete("succeeded", |event| event.text("remote_id", "abc"));
    assert!(log.flush(PATIENCE).await);
    // Copied while the process works, the files are those of a killed one. In PostgreSQL the store is the same.
    let copied = copy(&place);
    let mut options = place.options();
    options.journal = Some(copied.path().join("events.journal"));
    if let Location::File(file) = &mut options.location {
        *file = copied.path().join("events.db");
    }
    for round in 0..2 {
        let next = AuditLog::open(options.clone()).await.unwrap();
        assert!(next.flush(PATIENCE).await);
        let events = all(&next).await;
        let ids: Vec<&str> = events.iter().map(|event| event.message_id.as_str()).collect();
        assert_eq!(ids, ["stored", "in flight", "done"]);
        assert_eq!(events[1].get("outcome").unwrap(), UNKNOWN);
        assert_eq!(events[2].get("outcome").unwrap(), "succeeded");
        assert_eq!(next.counters().unknown, u64::from(round == 0));
        next.close(PATIENCE).await;
    }
    drop(in_flight);
}

async fn a_begun_event_has_outcome_and_duration(place: Place) {
    let clock = ManualClock::new("2024-03-01T10:00:00Z".parse().unwrap());
    let options = AuditOptions {
        clock: Clock::Manual(clock.clone()),
        ..place.options()
    };
    let log = AuditLog::open(options).await.unwrap();
    let pending = log.begin(AuditEvent::new("incident.create", log.now()));
    clock.advance(std::time::Duration::from_millis(1500));
    pending.complete("failed", |event| event.raw(json!({"error": "422"})));
    // A task that is cancelled says nothing more.
    drop(log.begin(AuditEvent::new("incident.update", log.now())));
    assert!(log.flush(PATIENCE).await);
    let events = all(&log).await;
    assert_eq!(events[0].get("outcome").unwrap(), "failed");
    assert_eq!(events[0].get("duration").unwrap(), "1.5");
    assert_eq!(events[0].raw, json!({"error": "422"}));
    assert_eq!(events[1].get("outcome").unwrap(), UNKNOWN);
}

async fn one_bad_event_stops_only_itself(place: Place) {
    let log = place.open().await;
    let mut large = event("large", "component.update", "2024-03-01T10:00:00Z", "team-a");
    large.raw = json!("\0 and \u{10ffff}");
    log.record(large);
    log.record(event("next", "component.update", "2024-03-01T10:00:01Z", "team-a"));
    assert!(log.flush(PATIENCE).await);
    let events = all(&log).await;
    assert_eq!(events[0].raw, json!("\0 and \u{10ffff}"));
    assert_eq!(events.len(), 2);
}

async fn retention_by_age(place: Place) {
    let now: Timestamp = "2024-03-10T00:00:00Z".parse().unwrap();
    let options = AuditOptions {
        retention: Retention {
            age: Some(Duration::from_secs(2 * 86_400)),
            bytes: None,
        },
        clock: Clock::Manual(ManualClock::new(now)),
        ..place.options()
    };
    let log = AuditLog::open(options).await.unwrap();
    for number in 0..2500 {
        let mut old = event(&format!("old {number}"), "old.type", "2024-03-01T00:00:00Z", "team-a");
        old.set("number", TraitValue::Integer(number));
        log.record(old);
    }
    log.record(event("edge", "component.update", "2024-03-08T00:00:00Z", "team-a"));
    log.record(event("new", "component.update", "2024-03-09T00:00:00Z", "team-a"));
    assert!(log.flush(PATIENCE).await);
    log.prune().await.unwrap();
    assert_eq!(log.counters().pruned, 2500);
    assert_eq!(all(&log).await.len(), 2);
    // Types without events are gone, and so are their traits.
    assert_eq!(
        log.store().event_types(&View::default()).await.unwrap(),
        ["component.update"]
    );
    assert!(
        log.store()
            .traits("old.type", &View::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(log.prune().await.unwrap(), 0);
}

async fn retention_by_size(place: Place) {
    let options = AuditOptions {
        retention: Retention {
            age: None,
            bytes: Some(500_000),
        },
        ..place.options()
    };
    let log = AuditLog::open(options).await.unwrap();
    for number in 0..3000 {
        let at = Timestamp::from_second(1_700_000_000 + number).unwrap().to_string();
        let mut event = event(&format!("{number:04}"), "component.update", &at, "");
        event.raw = json!("x".repeat(498));
        log.record(event);
    }
    assert!(log.flush(PATIENCE).await);
    log.prune().await.unwrap();
    // 500 bytes each: the newest thousand stay.
    let left = all(&log).await;
    assert_eq!((left.len(), left[0].message_id.as_str()), (1000, "2000"));
}

async fn writers_share_a_store(place: Place) {
    let logs = [place.open().await, place.open().await, place.open().await];
    for number in 0..300 {
        for (writer, log) in logs.iter().enumerate() {
            // Words that all of them make at the same time.
            let name = format!("type.{}", number % 7);
            log.record(event(
                &format!("{writer}-{number}"),
                &name,
                "2024-03-01T10:00:00Z",
                "team-a",
            ));
            log.record(event(
                &format!("shared-{number}"),
                &name,
                "2024-03-01T10:00:00Z",
                "team-a",
            ));
        }
    }
    for log in &logs {
        assert!(log.flush(PATIENCE).await);
        assert_eq!(log.counters().stored, 600);
    }
    assert_eq!(all(&logs[0]).await.len(), 1200);
    assert_eq!(logs[1].store().event_types(&View::default()).await.unwrap().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_store_is_in_nobodys_way() {
    let server = postgres::Server::create("absent");
    server.start();
    let directory = tempfile::tempdir().unwrap();
    let options = AuditOptions {
        journal: Some(directory.path().join("events.journal")),
        spool: 20,
        ..AuditOptions::new(server.database().parse().unwrap())
    };
    let log = AuditLog::open(options.clone()).await.unwrap();
    log.record(event("before", "a", "2024-03-01T10:00:00Z", "team-a"));
    assert!(log.flush(PATIENCE).await);
    server.stop();
    for number in 0..30 {
        log.begin(event(&format!("{number:02}"), "a", "2024-03-01T10:00:01Z", "team-a"))
            .complete("succeeded", |event| event);
    }
    // Bounded, counted, and none of it waited.
    assert_eq!((log.waiting(), log.counters().dropped), (20, 10));
    assert!(!log.flush(Duration::ZERO).await);
    // The process ends and another one starts while the store is still away.
    assert!(!log.close(Duration::ZERO).await);
    let next = AuditLog::open(options).await.unwrap();
    // What did not fit had begun: the journal knows that much of it.
    assert_eq!((next.counters().recovered, next.counters().unknown), (30, 10));
    assert!(next.store().query(&Filter::default()).await.is_err());
    server.start();
    assert!(next.flush(PATIENCE).await);
    let ids: Vec<String> = all(&next).await.into_iter().map(|event| event.message_id).collect();
    assert_eq!(ids.len(), 31);
    assert_eq!((ids[0].as_str(), ids[30].as_str()), ("before", "29"));
    server.stop();
}
