//! What is written when, and what a killed process leaves behind.

mod format;
mod reports;

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::api::Journal as Attempt;
use crate::engine::Status;

const HEAD: &str = "apiVersion: statuspage-operator.io/v1alpha1\nkind";

/// A directory with a page and so many components.
fn directory(components: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut text = format!(
        "{HEAD}: StatusPage\nmetadata: {{name: acme}}\nspec: {{pageId: p1, api: {{tokenSecretRef: {{name: token}}}}}}\n"
    );
    for number in 0..components {
        text.push_str(&format!(
            "---\n{HEAD}: Component\nmetadata: {{name: c{number}}}\nspec: {{pageRef: {{name: acme}}, description: text}}\n"
        ));
    }
    fs::write(directory.path().join("page.yaml"), text).unwrap();
    directory
}

fn opened(root: &Path) -> DirectoryStore {
    DirectoryStore::open(root, DirectoryOptions::default()).unwrap().0
}

fn page() -> ObjectKey {
    ObjectKey::new(Kind::StatusPage, "default", "acme")
}

fn component(store: &DirectoryStore, number: usize) -> Declaration {
    let key = ObjectKey::new(Kind::Component, "default", format!("c{number}"));
    store.declaration(&page(), &key).unwrap()
}

fn attempt() -> StoreChange {
    StoreChange::Journal(Attempt {
        operation: "create".into(),
        attempt: "a1".into(),
        at: Time(Timestamp::UNIX_EPOCH),
        after: None,
        title: Some("c0".into()),
        beside: Vec::new(),
        replaces: None,
    })
}

/// Everything that a driver writes to create one object.
async fn create(store: &DirectoryStore, number: usize) {
    let write = async |change| store.write(&component(store, number), change).await.unwrap();
    write(StoreChange::AddFinalizer).await;
    write(attempt()).await;
    write(StoreChange::RecordId(format!("id{number}"))).await;
    let mut status = component(store, number).status;
    let object = Arc::make_mut(&mut status).object_mut();
    object.journal = None;
    object.id = Some(format!("id{number}"));
    write(StoreChange::Status(status)).await;
}

async fn record_id(store: &DirectoryStore, number: usize, id: &str) {
    let declaration = component(store, number);
    store
        .write(&declaration, StoreChange::RecordId(id.to_owned()))
        .await
        .unwrap();
}

/// The file of reports.
fn report(root: &Path) -> String {
    fs::read_to_string(root.join(".statuspage/statuspage.status.json")).unwrap_or_default()
}

/// What another process finds when this one is killed now.
fn killed(root: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for file in fs::read_dir(root).unwrap().map(Result::unwrap) {
        if file.path().is_file() {
            fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
        }
    }
    if !report(root).is_empty() {
        fs::create_dir(left.path().join(".statuspage")).unwrap();
        fs::write(left.path().join(".statuspage/statuspage.status.json"), report(root)).unwrap();
    }
    left
}

fn journal_of(root: &Path) -> PathBuf {
    root.join("statuspage.lock.json.journal")
}

#[tokio::test]
async fn a_step_costs_the_bytes_of_one_declaration_however_many_there_are() {
    let mut costs = Vec::new();
    for count in [10, 1_000] {
        let directory = directory(count);
        let store = opened(directory.path());
        for number in 0..count {
            create(&store, number).await;
        }
        store.settle().await.unwrap();
        let before = store.bytes_written();
        create(&store, 0).await;
        store.flush().await.unwrap();
        costs.push(store.bytes_written() - before);
        let before = store.bytes_written();
        store.settle().await.unwrap();
        assert_eq!(store.bytes_written(), before, "all is in the file as it was");
        record_id(&store, 0, "another").await;
        let before = store.bytes_written();
        store.settle().await.unwrap();
        let whole = fs::metadata(store.lock_path()).unwrap().len() + report(directory.path()).len() as u64;
        assert_eq!(store.bytes_written() - before, whole, "once at the end of a pass");
        store.settle().await.unwrap();
        assert_eq!(store.bytes_written() - before, whole, "and not again");
    }
    println!("bytes of the journal for one creation: {costs:?}");
    assert!(costs.iter().all(|cost| *cost < 3_000), "{costs:?}");
}

#[tokio::test]
async fn a_pass_over_all_writes_in_proportion_to_their_number() {
    let written = async |count: usize| {
        let directory = directory(count);
        let store = opened(directory.path());
        for number in 0..count {
            create(&store, number).await;
        }
        store.settle().await.unwrap();
        store.bytes_written() as usize / count
    };
    let (few, many) = (written(100).await, written(2_000).await);
    println!("bytes for each creation: {few} of 100, {many} of 2,000");
    assert!(many < 3 * few.max(2_000), "{few} {many}");
}

#[tokio::test]
async fn what_was_promised_is_found_by_the_next_process() {
    let directory = directory(3);
    let store = opened(directory.path());
    create(&store, 0).await;
    store.settle().await.unwrap();
    assert!(!journal_of(directory.path()).exists(), "the lock file is whole");
    store
        .write(&component(&store, 1), StoreChange::AddFinalizer)
        .await
        .unwrap();
    store.write(&component(&store, 1), attempt()).await.unwrap();
    let left = killed(directory.path());
    assert!(journal_of(left.path()).exists());
    let reader = DirectoryOptions {
        read_only: true,
        ..DirectoryOptions::default()
    };
    let (reader, _) = DirectoryStore::open(left.path(), reader).unwrap();
    for store in [reader, opened(left.path())] {
        assert_eq!(component(&store, 0).recorded_id(), Some("id0"));
        let open = component(&store, 1);
        assert!(open.finalizer && open.status.object().journal.is_some(), "{open:?}");
        assert_eq!(open.uid, component(&store, 1).uid);
    }
    assert!(!journal_of(left.path()).exists(), "it was put into the lock file");
    assert!(
        fs::read_to_string(left.path().join("statuspage.lock.json"))
            .unwrap()
            .contains("\"a1\"")
    );
    assert!(component(&opened(left.path()), 1).status.object().journal.is_some());

    create(&store, 1).await;
    let left = killed(directory.path());
    assert_eq!(component(&opened(left.path()), 1).recorded_id(), Some("id1"));
    drop(store);
    assert!(!journal_of(directory.path()).exists(), "however a command ends");
    assert_eq!(component(&opened(directory.path()), 1).recorded_id(), Some("id1"));
}

#[tokio::test]
async fn a_torn_end_takes_nothing_else_with_it() {
    let directory = directory(3);
    let store = opened(directory.path());
    create(&store, 0).await;
    let whole = fs::read(journal_of(directory.path())).unwrap();
    create(&store, 1).await;
    let all = fs::read(journal_of(directory.path())).unwrap();
    let near = whole.len() - 3..whole.len() + 3;
    for end in (0..=all.len()).step_by(61).chain(near) {
        let left = killed(directory.path());
        fs::write(journal_of(left.path()), &all[..end]).unwrap();
        let store = opened(left.path());
        let id = component(&store, 0).recorded_id().map(str::to_owned);
        assert_eq!(id.is_some(), end >= whole.len(), "{end} of {} bytes", all.len());
        assert!(component(&store, 2).recorded_id().is_none());
    }
    let left = killed(directory.path());
    let newer = [b"{\"version\":3}\n", &all[..]].concat();
    fs::write(journal_of(left.path()), &newer).unwrap();
    let error = DirectoryStore::open(left.path(), DirectoryOptions::default()).unwrap_err();
    assert!(
        matches!(error, DirectoryError::Lock(LockError::Version { found: 3, .. })),
        "{error}"
    );
    assert_eq!(fs::read(journal_of(left.path())).unwrap(), newer, "it is left as it is");
}

#[tokio::test]
async fn what_is_not_on_disk_did_not_happen() {
    let directory = directory(2);
    let store = opened(directory.path());
    create(&store, 0).await;
    store.settle().await.unwrap();
    // Works for root too, unlike taking the permission away.
    fs::create_dir(journal_of(directory.path())).unwrap();
    let refused = store.write(&component(&store, 1), attempt()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert!(component(&store, 1).status.object().journal.is_none());
    fs::remove_dir(journal_of(directory.path())).unwrap();
    create(&store, 1).await;
    assert_eq!(
        component(&opened(killed(directory.path()).path()), 1).recorded_id(),
        Some("id1")
    );
}

#[tokio::test]
async fn a_long_journal_is_put_into_the_lock_file_meanwhile() {
    let directory = directory(200);
    let store = opened(directory.path());
    let mut longest = 0;
    for round in 0..10 {
        for number in 0..200 {
            create(&store, number).await;
        }
        let length = fs::metadata(journal_of(directory.path())).map_or(0, |file| file.len());
        longest = longest.max(length);
        assert!(store.lock_path().exists() || round == 0);
    }
    let whole = fs::metadata(store.lock_path()).unwrap().len();
    assert!(longest < 2 * whole.max(256 * 1024), "{longest} {whole}");
}

#[tokio::test]
async fn a_status_is_in_memory_once() {
    let directory = directory(2);
    let store = opened(directory.path());
    create(&store, 0).await;
    let told = Arc::new(Status::empty(Kind::Component));
    let change = StoreChange::Status(Arc::clone(&told));
    store.write(&component(&store, 0), change).await.unwrap();
    let views = [(); 2].map(|()| store.view(&page()).unwrap());
    for view in &views {
        let known = view.get(&component(&store, 0).key).unwrap();
        assert!(Arc::ptr_eq(&known.status, &told), "as it was written");
        assert!(Arc::ptr_eq(&known.stored, &told));
    }
}
