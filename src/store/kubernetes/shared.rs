//! What the watches, the writes and the operator share.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use super::cache::{Cache, Consequences, Origin};
use super::object::Object;
use super::secrets::{self, SecretName, Secrets};
use crate::api::Kind;
use crate::driver::Trigger;
use crate::engine::{ObjectKey, Spec};

/// State behind all handles of a store.
#[derive(Debug)]
pub(super) struct Shared {
    cache: RwLock<Cache>,
    pub secrets: Secrets,
    triggers: Mutex<HashMap<ObjectKey, Arc<Trigger>>>,
    /// One entry a watch: what keeps it from being complete.
    watches: Mutex<Vec<Result<(), String>>>,
    /// Moves when pages come or go.
    pub pages: watch::Sender<u64>,
    /// Moves when a declaration without a page may need a status.
    pub strays: watch::Sender<u64>,
    /// Moves when the set of Secrets may have changed.
    pub secret_names: watch::Sender<u64>,
    /// Moves when a watch or a Secret becomes complete.
    pub settled: watch::Sender<u64>,
    labels: watch::Sender<bool>,
    restarts: AtomicU64,
}

fn bump(sender: &watch::Sender<u64>) {
    sender.send_modify(|count| *count = count.wrapping_add(1));
}

impl Shared {
    pub fn new(watches: usize) -> Self {
        Shared {
            cache: RwLock::default(),
            secrets: Secrets::default(),
            triggers: Mutex::default(),
            watches: Mutex::new(vec![Err("the declarations are being read".to_owned()); watches]),
            pages: watch::Sender::new(0),
            strays: watch::Sender::new(0),
            secret_names: watch::Sender::new(0),
            settled: watch::Sender::new(0),
            labels: watch::Sender::new(false),
            restarts: AtomicU64::new(0),
        }
    }

    pub fn cache(&self) -> RwLockReadGuard<'_, Cache> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn cache_mut(&self) -> RwLockWriteGuard<'_, Cache> {
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn triggers(&self) -> MutexGuard<'_, HashMap<ObjectKey, Arc<Trigger>>> {
        self.triggers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watches(&self) -> MutexGuard<'_, Vec<Result<(), String>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trigger of a page, made when it is asked for first.
    pub fn trigger(&self, page: &ObjectKey) -> Arc<Trigger> {
        Arc::clone(self.triggers().entry(page.clone()).or_default())
    }

    /// Forgets a trigger whose driver ended.
    pub fn drop_trigger(&self, page: &ObjectKey) {
        self.triggers().remove(page);
    }

    /// Has a page planned again.
    pub fn fire(&self, page: &ObjectKey) {
        if let Some(trigger) = self.triggers().get(page) {
            trigger.changed();
        }
    }

    pub fn apply(&self, key: ObjectKey, object: Object, origin: Origin) {
        let consequences = self.cache_mut().apply(key, object, origin);
        self.follow(&consequences);
    }

    pub fn ended(&self, key: &ObjectKey, uid: &str) {
        let consequences = self.cache_mut().ended(key, uid);
        self.follow(&consequences);
    }

    /// An object ended by the answer to our own request, before the watch sees it.
    pub fn ended_by_us(&self, key: &ObjectKey, uid: &str) {
        let consequences = self.cache_mut().end_now(key, uid);
        self.follow(&consequences);
    }

    pub fn listed(&self, kind: Kind, namespace: Option<&str>, listed: &HashSet<ObjectKey>) {
        let all = self.cache_mut().retain(kind, namespace, listed);
        for consequences in &all {
            self.follow(consequences);
        }
    }

    /// What a watch says of itself.
    pub fn watching(&self, slot: usize, state: Result<(), String>) {
        let complete = state.is_ok();
        if let Some(entry) = self.watches().get_mut(slot) {
            // A watch that was complete keeps what it has: it is behind, not empty.
            if complete || entry.is_err() {
                *entry = state;
            }
        }
        if complete {
            bump(&self.settled);
            bump(&self.pages);
            bump(&self.strays);
            bump(&self.secret_names);
        }
    }

    /// Counts a watch or list that failed.
    pub fn watch_failed(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub fn watch_failures(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Empty when every kind was listed; else what is missing.
    pub fn missing(&self) -> Vec<String> {
        let missing: BTreeSet<String> = self.watches().iter().filter_map(|state| state.clone().err()).collect();
        missing.into_iter().collect()
    }

    pub fn namespaces_listed(&self, namespaces: HashMap<String, BTreeMap<String, String>>) {
        self.cache_mut().namespaces = Some(namespaces);
        self.grants_changed();
        bump(&self.settled);
    }

    pub fn namespace_changed(&self, name: String, labels: Option<BTreeMap<String, String>>) {
        let changed = match self.cache_mut().namespaces.as_mut() {
            None => false,
            Some(namespaces) => match labels {
                Some(labels) => namespaces.insert(name, labels.clone()) != Some(labels),
                None => namespaces.remove(&name).is_some(),
            },
        };
        if changed {
            self.grants_changed();
        }
    }

    /// Returns once some page admits namespaces by their labels.
    pub async fn labels_needed(&self) {
        // The sender lives as long as this.
        let _ = self.labels.subscribe().wait_for(|needed| *needed).await;
    }

    /// A Secret has other values: its pages plan again.
    pub fn secret_changed(&self, name: &SecretName) {
        let pages: BTreeSet<ObjectKey> = {
            let cache = self.cache();
            cache
                .objects()
                .filter(|(key, _)| matches!(key.kind, Kind::StatusPage | Kind::MetricsProvider))
                .filter(|(key, object)| {
                    object
                        .spec
                        .as_deref()
                        .is_ok_and(|spec| secrets::names(key, spec).any(|used| used == *name))
                })
                .filter_map(|(key, object)| object.page(key))
                .collect()
        };
        for page in &pages {
            self.fire(page);
        }
        bump(&self.settled);
    }

    /// All Secrets that declarations name.
    pub fn wanted_secrets(&self) -> BTreeSet<SecretName> {
        let cache = self.cache();
        cache
            .objects()
            .filter_map(|(key, object)| Some((key, object.spec.as_deref().ok()?)))
            .flat_map(|(key, spec): (&ObjectKey, &Spec)| secrets::names(key, spec))
            .collect()
    }

    fn grants_changed(&self) {
        let pages: Vec<ObjectKey> = self.cache().pages_by_label().cloned().collect();
        for page in &pages {
            self.fire(page);
        }
        bump(&self.strays);
    }

    fn follow(&self, consequences: &Consequences) {
        for page in &consequences.pages {
            self.fire(page);
        }
        if consequences.pages_changed {
            if self.cache().uses_labels() {
                self.labels.send_if_modified(|needed| !std::mem::replace(needed, true));
            }
            bump(&self.pages);
        }
        if consequences.secrets_changed {
            bump(&self.secret_names);
        }
        if !consequences.pages.is_empty() || consequences.pages_changed {
            bump(&self.strays);
        }
    }
}
