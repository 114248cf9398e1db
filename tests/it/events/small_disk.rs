//! A disk that is full and free again, a file that is taken away: what was said to be safe is there, and what is lost is
//! said.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Filter, Location, Remains, Retention};

use super::{PATIENCE, Place, event, on_both_stores};
use crate::support::eventually;
use crate::support::small_disk::SmallDisk;

on_both_stores! { new_events_pass_a_long_deletion }

fn file(directory: &Path) -> PathBuf {
    directory.join("events.db")
}

async fn open(directory: &Path) -> AuditLog {
    AuditLog::open(AuditOptions::new(Location::File(file(directory))))
        .await
        .unwrap()
}

async fn ids(log: &AuditLog) -> Vec<String> {
    let events = log.store().query(&Filter::default()).await.unwrap();
    events.into_iter().map(|event| event.message_id).collect()
}

/// Events of half a kilobyte, so that they need room.
fn numbered(number: usize) -> AuditEvent {
    let mut event = event(
        &format!("{number:04}"),
        "component.update",
        "2024-03-01T10:00:00Z",
        "team-a",
    );
    event.generated = Timestamp::from_second(1_700_000_000 + i64::try_from(number).unwrap()).unwrap();
    event.raw = serde_json::json!("x".repeat(500));
    event
}

fn names(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{number:04}")).collect()
}

/// Fills a disk while a log is at work, until neither the store nor the journal takes anything.
async fn with_a_full_disk() -> (SmallDisk, AuditLog) {
    let disk = SmallDisk::new(4096);
    let log = open(disk.path()).await;
    for number in 0..50 {
        log.record(numbered(number));
    }
    assert!(log.flush(PATIENCE).await);
    disk.fill_but(0);
    for number in 50..250 {
        log.begin(numbered(number)).complete("succeeded", |event| event);
    }
    eventually("the store has noticed", PATIENCE, async || {
        match log.counters().store_failures {
            0 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    assert!(log.counters().journal_failures > 100, "{:?}", log.counters());
    assert!(log.unprotected() > 100, "{}", log.unprotected());
    assert_eq!(log.counters().dropped, 0);
    (disk, log)
}

#[tokio::test]
async fn a_full_disk_is_recovered_from_with_everything() {
    let (disk, log) = with_a_full_disk().await;
    disk.free();
    // One event more, so that the journal is written again, with all that it has missed.
    log.record(numbered(250));
    assert!(log.flush(PATIENCE).await, "{:?}", log.counters());
    assert_eq!(log.unprotected(), 0);
    assert_eq!(ids(&log).await, names(0..251));
    // And once more: a second time is as good as the first.
    disk.fill_but(0);
    for number in 251..300 {
        log.record(numbered(number));
    }
    assert!(!log.flush(Duration::from_millis(200)).await);
    disk.free();
    assert!(log.flush(PATIENCE).await, "{:?}", log.counters());
    assert_eq!(ids(&log).await, names(0..300));
    assert!(log.close(PATIENCE).await);
    assert_eq!(log.remains(), Remains::default());
}

#[tokio::test]
async fn what_is_lost_on_a_full_disk_is_said_and_the_rest_is_stored() {
    let (disk, log) = with_a_full_disk().await;
    // The process ends while the disk is full.
    assert!(!log.close(Duration::ZERO).await);
    let remains = log.remains();
    assert!(remains.lost > 100, "{remains:?}");
    assert_eq!(
        remains.kept + remains.lost,
        u64::try_from(log.waiting()).unwrap(),
        "{remains:?}"
    );
    disk.free();
    let next = open(disk.path()).await;
    assert_eq!(
        (next.counters().recovered, next.counters().lost),
        (remains.kept, 0),
        "said by who lost it"
    );
    assert!(next.flush(PATIENCE).await);
    let found = ids(&next).await;
    let stored = 50 + usize::try_from(remains.kept).unwrap();
    assert_eq!(found.len(), stored);
    // What was kept is what came first.
    assert_eq!(found, names(0..stored));
}

#[tokio::test]
async fn what_a_killed_process_could_not_write_is_said_by_the_next_one() {
    let (disk, log) = with_a_full_disk().await;
    let unprotected = log.unprotected();
    // The journal as a killed process leaves it.
    let killed = tempfile::tempdir().unwrap();
    std::fs::copy(
        disk.path().join("events.db.journal"),
        killed.path().join("events.db.journal"),
    )
    .unwrap();
    let next = open(killed.path()).await;
    assert_eq!(next.counters().lost, unprotected);
    assert!(next.flush(PATIENCE).await);
    let again = open(killed.path()).await;
    assert_eq!(again.counters().lost, 0, "said once");
    disk.free();
    assert!(log.flush(PATIENCE).await);
}

#[tokio::test]
async fn a_file_that_is_removed_or_replaced_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).await;
    let record = async |id: &str| {
        log.record(event(id, "component.update", "2024-03-01T10:00:00Z", "team-a").text("name", id));
        assert!(log.flush(PATIENCE).await);
    };
    let mut follower = log.follow(Filter::default()).await.unwrap();
    record("before").await;
    assert_eq!(follower.next().await.unwrap().unwrap().len(), 1);
    let remove = || {
        for suffix in ["", "-wal", "-shm", ".journal"] {
            let _ = std::fs::remove_file(directory.path().join(format!("events.db{suffix}")));
        }
    };
    remove();
    record("after").await;
    // Who reads by the same log reads what is there now, also by words that had other numbers.
    assert_eq!(ids(&log).await, ["after"]);
    assert_eq!(follower.next().await.unwrap().unwrap()[0].message_id, "after");
    // Somebody puts another log there.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = open(elsewhere.path()).await;
    other.record(event("theirs", "incident.create", "2024-03-01T10:00:00Z", "team-b").text("name", "theirs"));
    assert!(other.close(PATIENCE).await);
    remove();
    std::fs::rename(file(elsewhere.path()), file(directory.path())).unwrap();
    record("last").await;
    let all: BTreeSet<String> = ids(&log).await.into_iter().collect();
    assert_eq!(all, ["last".to_owned(), "theirs".to_owned()].into());
    let theirs = log.store().query(&Filter::default()).await.unwrap();
    for event in theirs {
        assert_eq!(event.get("name").as_deref(), Some(event.message_id.as_str()));
    }
    assert!(log.close(PATIENCE).await);
    let next = open(directory.path()).await;
    assert_eq!(ids(&next).await.len(), 2);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    // One that an earlier version has made for everybody.
    std::fs::write(file(directory.path()), "").unwrap();
    std::fs::set_permissions(file(directory.path()), std::fs::Permissions::from_mode(0o644)).unwrap();
    let log = open(directory.path()).await;
    let pending = log.begin(numbered(1));
    log.record(numbered(2));
    assert!(log.flush(PATIENCE).await);
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        files += 1;
    }
    assert_eq!(files, 4, "database, two of SQLite's, journal");
    drop(pending);
}

/// Old events go in small pieces, and what happens meanwhile is stored between two of them.
async fn new_events_pass_a_long_deletion(place: Place) {
    let options = AuditOptions {
        retention: Retention {
            age: Some(Duration::from_secs(86_400)),
            bytes: None,
        },
        ..place.options()
    };
    let log = place.open().await;
    for number in 0..4000 {
        log.record(numbered(number));
    }
    assert!(log.flush(PATIENCE).await);
    assert!(log.close(PATIENCE).await);
    let log = AuditLog::open(options).await.unwrap();
    let pruning = log.clone();
    let pruned = tokio::spawn(async move { pruning.prune().await.unwrap() });
    eventually("it has begun", PATIENCE, async || match log.counters().pruned {
        0 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    let mut new = AuditEvent::new("component.update", log.now()).tenant("team-a");
    new.message_id = "new".to_owned();
    log.record(new);
    assert!(log.flush(PATIENCE).await);
    let meanwhile = log.counters().pruned;
    assert!(meanwhile < 4000, "it has waited for all of them");
    // The log may have looked for old events by itself as well.
    pruned.await.unwrap();
    eventually("all old ones are gone", PATIENCE, async || {
        match log.counters().pruned {
            4000 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    assert_eq!(ids(&log).await, ["new"]);
    assert_eq!(
        log.store().event_types(&Default::default()).await.unwrap(),
        ["component.update"]
    );
}
