//! The rules of an API server: versions, conflicts, generations, finalizers, a status apart from the rest, preconditions
//! by uid, and a watch.
//!
//! Invariant: what this does is what kube-apiserver does. `tests/it/simulation.rs` runs one script against both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::bugs::{self, Bug};
use crate::api::{ALLOW_DELETES, ID, Kind, REQUESTED_AT};
use crate::engine::{Declaration, ObjectKey, Spec, Status};

/// Why the API server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is an object of this name.
    Exists,
    /// There is none, or another one by this time.
    NotFound,
    /// It has another version by now.
    Conflict,
}

/// A change that the watch tells of.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) key: ObjectKey,
    pub(super) uid: String,
    /// None: it is gone.
    pub(super) object: Option<Declaration>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<ObjectKey, Declaration>,
    version: u64,
    uids: u64,
    log: Vec<Change>,
}

/// An API server.
#[derive(Debug)]
pub(super) struct Cluster {
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

/// What changes in the metadata of an object.
#[derive(Clone, Debug)]
pub(super) enum Metadata {
    Finalizer(bool),
    Annotation(&'static str, Option<String>),
}

impl Cluster {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Cluster {
            state: Mutex::default(),
            version: watch::Sender::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves with every change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// What has changed after a version.
    pub(super) fn since(&self, version: u64) -> Vec<Change> {
        let state = self.state();
        let from = state.log.partition_point(|change| change.version <= version);
        state.log.get(from..).map(<[Change]>::to_vec).unwrap_or_default()
    }

    /// All objects, and the version of that list.
    pub(super) fn list(&self) -> (u64, Vec<Declaration>) {
        let state = self.state();
        (state.version, state.objects.values().cloned().collect())
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Declaration> {
        self.state().objects.get(key).cloned()
    }

    fn commit<T>(&self, change: impl FnOnce(&mut State) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut state = self.state();
        let before = state.version;
        let result = change(&mut state);
        let after = state.version;
        drop(state);
        if after != before {
            self.version.send_replace(after);
        }
        result
    }

    /// An owner declares something that was not there.
    pub(super) fn create(&self, key: &ObjectKey, spec: Spec, now: Timestamp) -> Result<Declaration, Refusal> {
        self.commit(|state| {
            if state.objects.contains_key(key) {
                return Err(Refusal::Exists);
            }
            state.uids += 1;
            let declaration = new_declaration(key.clone(), format!("uid-{}", state.uids), spec, now);
            Ok(state.put(declaration))
        })
    }

    /// An owner changes the spec. One that is the same changes nothing.
    pub(super) fn respecify(&self, key: &ObjectKey, spec: Spec) -> Result<Declaration, Refusal> {
        self.commit(|state| {
            let mut declaration = state.find(key, None, None)?;
            if *declaration.spec == spec {
                return Ok(declaration);
            }
            declaration.spec = Arc::new(spec);
            declaration.generation += 1;
            Ok(state.put(declaration))
        })
    }

    /// Deletes at once, or marks what a finalizer holds.
    pub(super) fn delete(&self, key: &ObjectKey, uid: Option<&str>) -> Result<(), Refusal> {
        self.commit(|state| {
            let mut declaration = state.find(key, uid, None)?;
            if !declaration.finalizer || bugs::is_on(Bug::FinalizerIgnored) {
                state.remove(&declaration);
            } else if !declaration.deleting {
                declaration.deleting = true;
                declaration.generation += 1;
                state.put(declaration);
            }
            Ok(())
        })
    }

    /// Changes the metadata, over exactly a version if one is given.
    pub(super) fn patch_metadata(
        &self,
        key: &ObjectKey,
        uid: Option<&str>,
        version: Option<&str>,
        change: Metadata,
    ) -> Result<Declaration, Refusal> {
        self.commit(|state| {
            let before = state.find(key, uid, version)?;
            let mut after = before.clone();
            match change {
                Metadata::Finalizer(on) => after.finalizer = on,
                Metadata::Annotation(name, value) => annotate(&mut after, name, value),
            }
            if after.finalizer == before.finalizer && after.annotations == before.annotations {
                return Ok(before);
            }
            if after.deleting && !after.finalizer {
                // The last finalizer of what was deleted.
                state.remove(&after);
                return Ok(after);
            }
            Ok(state.put(after))
        })
    }

    /// Replaces the status over exactly this version. One that is the same changes nothing.
    pub(super) fn replace_status(
        &self,
        key: &ObjectKey,
        uid: &str,
        version: &str,
        status: &Status,
    ) -> Result<Declaration, Refusal> {
        self.commit(|state| {
            let mut declaration = state.find(key, Some(uid), Some(version))?;
            let status = Arc::new(through_json(key.kind, status));
            if declaration.stored == status {
                return Ok(declaration);
            }
            declaration.status = Arc::clone(&status);
            declaration.stored = status;
            Ok(state.put(declaration))
        })
    }

    /// Somebody restores objects from a backup: what the backup had of status and annotations is there again.
    pub(super) fn restore(&self, backup: &[Declaration]) {
        let restored = self.commit(|state| {
            for old in backup {
                let Some(mut declaration) = state.objects.get(&old.key).cloned() else {
                    continue;
                };
                declaration.status = Arc::clone(&old.status);
                declaration.stored = Arc::clone(&old.stored);
                declaration.annotations.clone_from(&old.annotations);
                declaration.id_annotation.clone_from(&old.id_annotation);
                state.put(declaration);
            }
            Ok(())
        });
        debug_assert_eq!(restored, Ok(()));
    }
}

impl State {
    fn find(&self, key: &ObjectKey, uid: Option<&str>, version: Option<&str>) -> Result<Declaration, Refusal> {
        let declaration = self.objects.get(key).ok_or(Refusal::NotFound)?;
        let other = uid.is_some_and(|uid| uid != declaration.uid);
        if other || version.is_some_and(|version| version != declaration.version) {
            return Err(Refusal::Conflict);
        }
        Ok(declaration.clone())
    }

    fn put(&mut self, mut declaration: Declaration) -> Declaration {
        self.version += 1;
        declaration.version = self.version.to_string();
        self.log.push(Change {
            version: self.version,
            key: declaration.key.clone(),
            uid: declaration.uid.clone(),
            object: Some(declaration.clone()),
        });
        self.objects.insert(declaration.key.clone(), declaration.clone());
        declaration
    }

    fn remove(&mut self, declaration: &Declaration) {
        self.version += 1;
        self.objects.remove(&declaration.key);
        self.log.push(Change {
            version: self.version,
            key: declaration.key.clone(),
            uid: declaration.uid.clone(),
            object: None,
        });
    }
}

fn annotate(declaration: &mut Declaration, name: &'static str, value: Option<String>) {
    match &value {
        Some(value) => declaration.annotations.insert(name.to_owned(), value.clone()),
        None => declaration.annotations.remove(name),
    };
    match name {
        ID => declaration.id_annotation = value,
        REQUESTED_AT => declaration.requested_at = value,
        ALLOW_DELETES => declaration.allow_deletes = value,
        _ => {}
    }
}

/// A status as it is after its way through the API: what JSON does not keep is lost.
fn through_json(kind: Kind, status: &Status) -> Status {
    let json = status.to_json().and_then(|json| Status::from_json(kind, json));
    json.unwrap_or_else(|_| status.clone())
}

fn new_declaration(key: ObjectKey, uid: String, spec: Spec, now: Timestamp) -> Declaration {
    // The API server keeps whole seconds.
    let created = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Declaration::new(key, uid, created, spec)
}

/// Reads a spec as it stands in a manifest, without its pageRef.
pub(super) fn read_spec(kind: Kind, mut spec: Value) -> Result<Spec, serde_json::Error> {
    if let (false, Some(fields)) = (kind == Kind::StatusPage, spec.as_object_mut()) {
        fields.insert("pageRef".to_owned(), json!({"name": "page"}));
    }
    Spec::from_json(kind, &spec)
}
