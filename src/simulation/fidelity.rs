//! Is the simulated API server like the real one? One script, run against either through the driver's own trait, and what
//! it sees. `tests/it/simulation.rs` compares.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::SimulationError;
use super::chance::Chance;
use super::cluster::{Cluster, Metadata, read_spec};
use super::fuse::Fuse;
use super::oracles::Court;
use super::stage::{BEGINNING, Stage};
use super::store::{Leads, ProcessStore, StoreOptions};
use crate::api::{Journal, Kind, REQUESTED_AT};
use crate::driver::{Store, StoreChange, StoreError, Trigger};
use crate::engine::{Declaration, ObjectKey, Status};

/// Who declares things in a store, such as kubectl.
pub trait Owner {
    /// Declares a component, or changes its description.
    fn apply(&self, key: &ObjectKey, description: &str) -> impl Future<Output = ()>;
    /// Asks for a look at it now.
    fn request(&self, key: &ObjectKey, at: &str) -> impl Future<Output = ()>;
    /// Deletes it.
    fn delete(&self, key: &ObjectKey) -> impl Future<Output = ()>;
}

/// How often the store is looked at until it shows what it has to show.
const LOOKS: usize = 1500;
const PAUSE: Duration = Duration::from_millis(20);

/// A script under way.
struct Script<'a, S, O> {
    store: &'a S,
    owner: &'a O,
    page: &'a ObjectKey,
    key: ObjectKey,
    seen: Vec<String>,
}

impl<S: Store, O: Owner> Script<'_, S, O> {
    /// Waits until the store shows this, and puts down what it shows. None: it never did.
    async fn await_that(&mut self, what: &str, wanted: impl Fn(&Declaration) -> bool) -> Option<Declaration> {
        for _ in 0..LOOKS {
            let shown = self.store.declaration(self.page, &self.key);
            if let Some(declaration) = shown.filter(|declaration| wanted(declaration)) {
                let object = declaration.stored.object();
                self.seen.push(format!(
                    "{what}: generation {}, finalizer {}, deleting {}, annotation {:?}, requested {:?}, status id {:?}, journal {:?}",
                    declaration.generation,
                    declaration.finalizer,
                    declaration.deleting,
                    declaration.id_annotation,
                    declaration.requested_at,
                    object.id,
                    object.journal.as_ref().map(|journal| &journal.attempt),
                ));
                return Some(declaration);
            }
            sleep(PAUSE).await;
        }
        self.seen.push(format!("{what}: never shown"));
        None
    }

    async fn await_end(&mut self, what: &str, uid: &str) {
        for _ in 0..LOOKS {
            let shown = self.store.declaration(self.page, &self.key);
            if shown.is_none_or(|shown| shown.uid != uid) {
                return self.seen.push(format!("{what}: gone"));
            }
            sleep(PAUSE).await;
        }
        self.seen.push(format!("{what}: still there"));
    }

    async fn write(&mut self, what: &str, over: &Declaration, change: StoreChange) {
        let before = self.store.declaration(self.page, &self.key);
        let result = match self.store.write(over, change).await {
            Ok(()) => "done",
            Err(StoreError::Conflict(_)) => "conflict",
            Err(StoreError::Gone(_)) => "gone",
            Err(StoreError::Unavailable { .. }) => "unavailable",
        };
        let after = self.store.declaration(self.page, &self.key);
        let version = |one: Option<Declaration>| one.map(|one| one.version);
        let moved = version(before) != version(after);
        self.seen.push(format!("{what}: {result}, the version moved: {moved}"));
    }
}

fn journal(attempt: &str) -> StoreChange {
    StoreChange::Journal(Journal {
        operation: "create".to_owned(),
        attempt: attempt.to_owned(),
        at: Time(Timestamp::UNIX_EPOCH),
        after: None,
        title: None,
        beside: Vec::new(),
        replaces: None,
    })
}

fn with_id(declaration: &Declaration, id: &str) -> StoreChange {
    let mut status = Status::clone(&declaration.stored);
    status.object_mut().id = Some(id.to_owned());
    status.object_mut().observed_generation = Some(declaration.generation);
    StoreChange::Status(Arc::new(status))
}

/// Does everything to a component that owners and drivers do to one, and says what it saw. Uids and versions are not part
/// of it, only whether they moved.
pub async fn script<S: Store, O: Owner>(store: &S, owner: &O, page: &ObjectKey) -> Vec<String> {
    let key = ObjectKey::new(Kind::Component, page.namespace.clone(), "fidelity");
    let mut script = Script {
        store,
        owner,
        page,
        key,
        seen: Vec::new(),
    };
    // It ends early where something that has to show never does, which is on the list then.
    let _ = play(&mut script).await;
    script.seen
}

async fn play<S: Store, O: Owner>(script: &mut Script<'_, S, O>) -> Option<()> {
    let key = script.key.clone();
    script.owner.apply(&key, "one").await;
    let new = script.await_that("declared", |_| true).await?;
    script.write("a finalizer", &new, StoreChange::AddFinalizer).await;
    let held = script.await_that("held", |one| one.finalizer).await?;
    script
        .write("a finalizer that is there", &held, StoreChange::AddFinalizer)
        .await;
    script
        .write("a journal over an old version", &new, journal("stale"))
        .await;
    script.write("a journal", &held, journal("first")).await;
    let noted = script
        .await_that("noted", |one| one.stored.object().journal.is_some())
        .await?;
    script
        .write("another journal over the version before", &held, journal("second"))
        .await;
    script
        .write("a status over the status before", &held, with_id(&held, "other"))
        .await;
    script.write("a status", &noted, with_id(&noted, "abc")).await;
    let known = script
        .await_that("known", |one| one.stored.object().id.is_some())
        .await?;
    script.write("the same status", &known, with_id(&known, "abc")).await;
    script.owner.request(&key, "soon").await;
    script.await_that("requested", |one| one.requested_at.is_some()).await?;
    script
        .write("a status after another change", &known, with_id(&known, "def"))
        .await;
    script
        .write(
            "an id over an old version",
            &new,
            StoreChange::RecordId("def".to_owned()),
        )
        .await;
    let recorded = script.await_that("recorded", |one| one.id_annotation.is_some()).await?;
    script.owner.apply(&key, "two").await;
    let edited = script
        .await_that("edited", |one| one.generation > recorded.generation)
        .await?;
    script.owner.apply(&key, "two").await;
    script.owner.request(&key, "now").await;
    script
        .await_that("applied once more", |one| one.requested_at.as_deref() == Some("now"))
        .await?;
    script
        .write(
            "a journal over the version before the edit",
            &recorded,
            journal("third"),
        )
        .await;
    script.owner.delete(&key).await;
    let deleting = script.await_that("deleted", |one| one.deleting).await?;
    script
        .write("a status of what is deleted", &deleting, with_id(&deleting, "ghi"))
        .await;
    script.write("the release", &edited, StoreChange::RemoveFinalizer).await;
    script.await_end("released", &edited.uid).await;
    script
        .write("a journal of what is gone", &deleting, journal("fourth"))
        .await;
    script
        .write("the release of what is gone", &deleting, StoreChange::RemoveFinalizer)
        .await;
    script.owner.apply(&key, "three").await;
    let again = script.await_that("declared again", |one| one.uid != edited.uid).await?;
    script
        .write("a finalizer of the one before", &edited, StoreChange::AddFinalizer)
        .await;
    script
        .write(
            "an id of the one before",
            &edited,
            StoreChange::RecordId("old".to_owned()),
        )
        .await;
    script
        .write("a status of the one before", &edited, with_id(&edited, "old"))
        .await;
    let after = script.await_that("as it was declared", |_| true).await?;
    script.write("a prune", &after, StoreChange::Prune).await;
    script.await_end("pruned", &again.uid).await;
    Some(())
}

#[derive(Debug)]
struct Always;

impl Leads for Always {
    fn leads(&self) -> bool {
        true
    }
}

struct Kubectl(Arc<Cluster>);

impl Owner for Kubectl {
    async fn apply(&self, key: &ObjectKey, description: &str) {
        let Ok(spec) = read_spec(key.kind, json!({ "description": description })) else {
            return;
        };
        let _ = match self.0.get(key) {
            Some(_) => self.0.respecify(key, spec),
            None => self.0.create(key, spec, BEGINNING),
        };
    }

    async fn request(&self, key: &ObjectKey, at: &str) {
        let change = Metadata::Annotation(REQUESTED_AT, Some(at.to_owned()));
        let _ = self.0.patch_metadata(key, None, None, change);
    }

    async fn delete(&self, key: &ObjectKey) {
        let _ = self.0.delete(key, None);
    }
}

/// What the script sees in the simulation.
///
/// # Errors
/// The simulation could not be made.
pub fn simulated(seed: u64) -> Result<Vec<String>, SimulationError> {
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let stage = Stage::new(Court::new(0, &[], false));
        let cluster = Cluster::new();
        let page = ObjectKey::new(Kind::StatusPage, "team", "page");
        let spec: Value = json!({"pageId": "page00000001", "api": {"tokenSecretRef": {"name": "token"}}});
        let _ = cluster.create(&page, read_spec(Kind::StatusPage, spec)?, BEGINNING);
        let options = Arc::new(StoreOptions {
            cluster: Arc::clone(&cluster),
            stage: Arc::clone(&stage),
            troubles: Vec::new(),
        });
        let leads: Arc<dyn Leads> = Arc::new(Always);
        let trigger = Arc::new(Trigger::default());
        let fuse = Fuse::lasting(&stage);
        let store = ProcessStore::new(0, &options, &fuse, &leads, &trigger, Chance::new(seed));
        let watching = store.clone();
        tokio::spawn(async move { watching.watch().await });
        Ok(script(&store, &Kubectl(cluster), &page).await)
    })
}
