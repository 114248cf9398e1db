//! What the watches, the writes and the operator share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::cache::{Cache, Consequences, Namespace, Origin};
use super::object::Object;
use super::secrets::{self, SecretName, Secrets};
use crate::api::Kind;
use crate::driver::Trigger;
use crate::engine::{ObjectKey, Spec};

/// Everything is read anew so often at most.
const ANEW_PAUSE: Duration = Duration::from_secs(5);

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
    pub unattached: watch::Sender<u64>,
    /// Moves when the set of Secrets may have changed.
    pub secret_names: watch::Sender<u64>,
    /// Moves when a watch or a Secret becomes complete.
    pub settled: watch::Sender<u64>,
    /// Moves when everything has to be read anew.
    pub anew: watch::Sender<u64>,
    /// When it last moved.
    anew_since: Mutex<Option<Instant>>,
    /// True while the namespaces may not be read.
    namespaces_refused: AtomicBool,
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
            unattached: watch::Sender::new(0),
            secret_names: watch::Sender::new(0),
            settled: watch::Sender::new(0),
            anew: watch::Sender::new(0),
            anew_since: Mutex::default(),
            namespaces_refused: AtomicBool::new(false),
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

    /// Takes over a version of an object; true when it shows that the API server went back to an earlier state.
    pub fn apply(&self, key: ObjectKey, object: Object, origin: Origin) -> bool {
        let consequences = self.cache_mut().apply(key, object, origin);
        self.follow(&consequences);
        consequences.went_back
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
            bump(&self.unattached);
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

    pub fn namespaces_listed(&self, namespaces: HashMap<String, Namespace>) {
        let before = self.cache_mut().namespaces.replace(namespaces).unwrap_or_default();
        let pages: BTreeSet<ObjectKey> = {
            let cache = self.cache();
            let ending = cache.all_ending();
            let news = ending
                .keys()
                .filter(|name| before.get(*name).is_none_or(|known| known.ending.is_none()));
            news.flat_map(|name| cache.pages_in(name)).collect()
        };
        pages.iter().for_each(|page| self.fire(page));
        self.grants_changed();
        bump(&self.settled);
    }

    pub fn namespace_changed(&self, name: String, namespace: Option<Namespace>) {
        let (relabelled, ends) = match self.cache_mut().namespaces.as_mut() {
            None => (false, false),
            Some(namespaces) => {
                let now = namespace.clone().unwrap_or_default();
                let before = match namespace {
                    Some(namespace) => namespaces.insert(name.clone(), namespace),
                    None => namespaces.remove(&name),
                }
                .unwrap_or_default();
                (
                    before.labels != now.labels,
                    before.ending.is_none() && now.ending.is_some(),
                )
            }
        };
        if ends {
            let pages = self.cache().pages_in(&name);
            pages.iter().for_each(|page| self.fire(page));
        }
        if relabelled || ends {
            self.grants_changed();
        }
    }

    /// Whether the namespaces may be read.
    pub fn namespaces_refused(&self) -> bool {
        self.namespaces_refused.load(Ordering::Relaxed)
    }

    pub fn refuse_namespaces(&self) {
        if !self.namespaces_refused.swap(true, Ordering::Relaxed) {
            bump(&self.settled);
        }
    }

    /// The API server was put back to an earlier state: its watches say nothing until it has come as far again, so that
    /// everything is read anew.
    pub fn went_back(&self) {
        {
            let mut since = self.anew_since.lock().unwrap_or_else(PoisonError::into_inner);
            // It takes a moment until everything was read.
            if since.is_some_and(|since| since.elapsed() < ANEW_PAUSE) {
                return;
            }
            *since = Some(Instant::now());
        }
        tracing::warn!(
            "the API server shows an earlier state than before, as after a restore: reading everything again"
        );
        self.cache_mut().newest = 0;
        bump(&self.anew);
    }

    /// A Secret has other values: its pages plan again.
    pub fn secret_changed(&self, name: &SecretName) {
        let pages: BTreeSet<ObjectKey> = {
            let cache = self.cache();
            cache
                .objects()
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
        bump(&self.unattached);
    }

    fn follow(&self, consequences: &Consequences) {
        for page in &consequences.pages {
            self.fire(page);
            // What is declared for another StatusPage of the same remote page matters too.
            self.cache().twins(page).for_each(|(twin, _)| self.fire(twin));
        }
        if consequences.pages_changed {
            bump(&self.pages);
        }
        if consequences.secrets_changed {
            bump(&self.secret_names);
        }
        if !consequences.pages.is_empty() || consequences.pages_changed {
            bump(&self.unattached);
        }
    }
}
