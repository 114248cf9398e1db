//! How the objects stand: out of Git, and of no importance.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::report::split;
use super::*;
use crate::api::Reason;
use crate::engine::{READY, State as Stands, apply_conditions, find_condition};

fn report_path(root: &Path) -> PathBuf {
    root.join(".statuspage/statuspage.status.json")
}

/// What a driver writes of an object that is as declared, with figures.
async fn in_sync(store: &DirectoryStore, number: usize, at: i64) {
    let known = component(store, number);
    let mut status = known.status.clone();
    let now = Timestamp::from_second(at).unwrap();
    let message = format!("seen at {at}");
    apply_conditions(
        &mut status,
        Stands::InSync,
        Reason::Synced,
        &message,
        Vec::new(),
        known.generation,
        now,
    );
    let changed = Arc::make_mut(&mut status);
    if let Status::Component(component) = changed {
        component.status = Some(format!("word-{at}"));
    }
    changed.object_mut().last_sync_time = Some(Time(now));
    store.write(&known, StoreChange::Status(status)).await.unwrap();
}

async fn applied(count: usize) -> tempfile::TempDir {
    let directory = directory(count);
    let store = opened(directory.path());
    for number in 0..count {
        create(&store, number).await;
        in_sync(&store, number, 100).await;
    }
    store.settle().await.unwrap();
    directory
}

#[tokio::test]
async fn what_is_only_a_report_leaves_the_lock_file_alone() {
    let directory = applied(5).await;
    let lock = directory.path().join("statuspage.lock.json");
    let (before, reported) = (fs::read(&lock).unwrap(), report(directory.path()));
    let written_at = fs::metadata(&lock).unwrap().modified().unwrap();
    let store = opened(directory.path());
    store.settle().await.unwrap();
    assert_eq!(store.bytes_written(), 0, "nothing to do, nothing written");
    for number in 0..5 {
        in_sync(&store, number, 200).await;
    }
    store.flush().await.unwrap();
    store.settle().await.unwrap();
    assert_eq!(fs::read(&lock).unwrap(), before);
    assert_eq!(
        fs::metadata(&lock).unwrap().modified().unwrap(),
        written_at,
        "it was not written at all"
    );
    assert_ne!(report(directory.path()), reported);
    assert!(!journal_of(directory.path()).exists());
    drop(store);
    let again = opened(directory.path());
    let again = component(&again, 3);
    let Status::Component(status) = &*again.status else {
        panic!()
    };
    assert_eq!(status.status.as_deref(), Some("word-200"));
    assert_eq!(status.object.last_sync_time.as_ref().unwrap().0.as_second(), 200);
}

#[tokio::test]
async fn a_lost_report_loses_nothing_that_a_decision_needs() {
    let directory = applied(3).await;
    let whole = component(&opened(directory.path()), 1);
    fs::remove_file(report_path(directory.path())).unwrap();
    let left = component(&opened(directory.path()), 1);
    assert_eq!(
        (
            left.uid,
            left.generation,
            left.created,
            left.finalizer,
            left.id_annotation
        ),
        (
            whole.uid,
            whole.generation,
            whole.created,
            whole.finalizer,
            whole.id_annotation
        )
    );
    let (left, whole) = (left.status, whole.status);
    assert_eq!(split(Kind::Component, &left).0, split(Kind::Component, &whole).0);
    // It is shown as it was when it was applied.
    let ready = find_condition(left.object(), READY).unwrap();
    assert_eq!((ready.status.as_str(), ready.observed_generation), ("True", Some(1)));
    assert!(left.object().last_sync_time.is_none(), "when that was is not known");
    // Not so one that was edited and not applied since.
    let text = fs::read_to_string(directory.path().join("page.yaml")).unwrap();
    fs::write(
        directory.path().join("page.yaml"),
        text.replace("description: text", "description: other"),
    )
    .unwrap();
    let store = opened(directory.path());
    record_id(&store, 1, "touched").await;
    store.settle().await.unwrap();
    drop(store);
    fs::remove_file(report_path(directory.path())).unwrap();
    let edited = component(&opened(directory.path()), 1);
    assert_eq!(edited.generation, 2);
    assert!(
        find_condition(edited.status.object(), READY).is_none(),
        "{:?}",
        edited.status
    );
}

#[tokio::test]
async fn a_report_of_another_line_says_nothing() {
    let directory = applied(2).await;
    let stale = report(directory.path());
    let store = opened(directory.path());
    record_id(&store, 0, "of-another-branch").await;
    store.settle().await.unwrap();
    drop(store);
    fs::write(report_path(directory.path()), &stale).unwrap();
    let word = |number: usize| match &*component(&opened(directory.path()), number).status {
        Status::Component(status) => status.status.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((word(0), word(1).as_deref()), (None, Some("word-100")));
    for odd in [
        "",
        "[]",
        "{\"version\":2,\"objects\":{\"default/Component/c0\":7}}",
        &stale[..stale.len() / 2],
    ] {
        fs::write(report_path(directory.path()), odd).unwrap();
        assert_eq!(
            component(&opened(directory.path()), 1).recorded_id(),
            Some("id1"),
            "{odd}"
        );
    }
}

#[tokio::test]
async fn one_that_was_never_sent_is_only_in_the_report() {
    let directory = directory(1);
    let store = opened(directory.path());
    let known = component(&store, 0);
    let mut status = known.status.clone();
    let (state, reason) = (Stands::Stalled, Reason::AlreadyExists);
    apply_conditions(
        &mut status,
        state,
        reason,
        "there",
        Vec::new(),
        1,
        Timestamp::UNIX_EPOCH,
    );
    store.write(&known, StoreChange::Status(status)).await.unwrap();
    store.settle().await.unwrap();
    drop(store);
    assert!(!directory.path().join("statuspage.lock.json").exists());
    let store = opened(directory.path());
    let again = component(&store, 0);
    assert_eq!((&again.uid, again.status.object().conditions.len()), (&known.uid, 3));
    assert!(store.was_blank());
    drop(store);
    fs::remove_file(report_path(directory.path())).unwrap();
    assert_ne!(component(&opened(directory.path()), 0).uid, known.uid);
}

/// A field that is new in a status has to be decided on: with the reason in the documentation of `report`.
#[test]
fn every_field_of_every_status_is_in_the_lock_file_or_in_the_report() {
    let common = [
        "conditions",
        "drift",
        "lastHandledRequest",
        "lastSyncTime",
        "observedGeneration",
        "pageId",
        "url",
    ];
    let reported: BTreeMap<Kind, &[&str]> = BTreeMap::from([
        (Kind::StatusPage, &["managed", "pending", "status", "subscribers"][..]),
        (Kind::ComponentGroup, &["members", "uptime"]),
        (Kind::Component, &["status", "uptime"]),
        (Kind::Incident, &["impact", "resolvedAt"]),
        (Kind::MetricsProvider, &["disabled"]),
        (Kind::Metric, &["mostRecentDataAt"]),
        (Kind::Subscriber, &["state"]),
        (Kind::IncidentTemplate, &[]),
        (Kind::PageAccessUser, &["groups"]),
        (Kind::PageAccessGroup, &["components", "metrics", "users"]),
        (Kind::OrganizationUser, &["pages"]),
    ]);
    for kind in Kind::ALL {
        let definition = serde_json::to_value(kind.definition()).unwrap();
        let properties = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/status/properties");
        let fields = properties.unwrap().as_object().unwrap().keys();
        let left: Vec<&str> = fields
            .map(String::as_str)
            .filter(|field| !super::super::report::is_recorded(kind, field))
            .collect();
        let mut expected: Vec<&str> = common.iter().chain(reported[&kind]).copied().collect();
        expected.sort_unstable();
        assert_eq!(
            left.into_iter().collect::<std::collections::BTreeSet<_>>(),
            expected.into_iter().collect(),
            "{kind}"
        );
    }
}
