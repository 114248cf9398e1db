//! Declarations in a Kubernetes cluster.
//!
//! Watches fill a compact cache; [`Store::view`] reads it, so that planning costs no request. The answer to every own
//! write enters the cache before anything else happens.
//!
//! Invariant: no write when nothing changes, and a journal only over the very version that was read.

mod cache;
mod events;
mod object;
mod secrets;
mod shared;
mod unattached;
mod view;
mod watch;
mod watch_secret;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;

use crate::api::Kind;
use crate::driver::{Access, Event, Store, StoreChange, StoreError, Trigger, View};
use crate::engine::{self, Declaration, ObjectKey, READY, STALLED, Spec, Status};
use crate::statuspage::BaseUrl;

use events::Events;
pub use object::resource;
use shared::Shared;

/// Bursts of changes are followed once.
const BURST: Duration = Duration::from_millis(100);

/// How a store is set up.
pub struct KubernetesOptions {
    /// Reads and watches: waits long for answers.
    pub reader: Client,
    /// Writes: waits for an answer for a few seconds.
    pub writer: Client,
    /// The namespaces to watch; empty is all of them.
    pub namespaces: Vec<String>,
    /// The address to use instead of those of the StatusPages.
    pub base_url: Option<BaseUrl>,
    /// Who says so in Events: the name of this replica.
    pub instance: String,
    /// True while this process may write.
    pub may_write: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Declarations in a Kubernetes cluster. Clones are handles on the same store.
#[derive(Clone)]
pub struct KubernetesStore {
    shared: Arc<Shared>,
    writer: Client,
    base_url: Option<BaseUrl>,
    events: Events,
    may_write: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for KubernetesStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KubernetesStore").finish_non_exhaustive()
    }
}

/// A declaration as the cluster has it, with or without a page that admits it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its key.
    pub key: ObjectKey,
    /// The page that it names, if that can be read.
    pub page: Option<ObjectKey>,
    /// Its status.
    pub status: Arc<Status>,
    /// Its generation.
    pub generation: i64,
    /// True once its owner deleted it.
    pub deleting: bool,
}

/// Numbers of declarations of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCount {
    /// Those whose Ready is True.
    pub ready: u64,
    /// All others.
    pub not_ready: u64,
    /// How long the one that waits longest has not been as declared, those left out that wait for their owner.
    pub oldest_pending: Duration,
}

impl KubernetesStore {
    /// Starts to watch. Must be called within a Tokio runtime; the watches run until it ends.
    pub fn start(options: KubernetesOptions) -> Self {
        let places: Vec<Option<String>> = if options.namespaces.is_empty() {
            vec![None]
        } else {
            options.namespaces.into_iter().map(Some).collect()
        };
        let shared = Arc::new(Shared::new(Kind::ALL.len() * places.len()));
        let mut slot = 0;
        for kind in Kind::ALL {
            for place in &places {
                tokio::spawn(watch::watch_kind(
                    Arc::clone(&shared),
                    options.reader.clone(),
                    slot,
                    kind,
                    place.clone(),
                ));
                slot += 1;
            }
        }
        tokio::spawn(watch::watch_namespaces(Arc::clone(&shared), options.reader.clone()));
        let place = places.into_iter().next().flatten();
        tokio::spawn(watch::watch_for_restores(
            Arc::clone(&shared),
            options.writer.clone(),
            place,
        ));
        tokio::spawn(follow_secrets(Arc::clone(&shared), options.reader));
        KubernetesStore {
            shared,
            events: Events::start(options.writer.clone(), options.instance),
            writer: options.writer,
            base_url: options.base_url,
            may_write: options.may_write,
        }
    }

    /// What keeps the caches from being complete; empty when they are.
    pub fn missing(&self) -> Vec<String> {
        self.shared.missing()
    }

    /// The pages that there are.
    pub fn pages(&self) -> Vec<ObjectKey> {
        let cache = self.shared.cache();
        cache
            .objects()
            .filter(|(key, object)| key.kind == Kind::StatusPage && object.spec.is_ok())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Everything that is declared, in no order.
    pub fn declared(&self) -> Vec<Declared> {
        let cache = self.shared.cache();
        let declared = cache.objects().map(|(key, object)| Declared {
            key: key.clone(),
            page: object.page(key),
            status: Arc::clone(&object.status),
            generation: object.generation,
            deleting: object.deleting,
        });
        declared.collect()
    }

    /// The namespaces that have declarations.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let cache = self.shared.cache();
        let names: BTreeSet<&str> = cache.objects().map(|(key, _)| key.namespace.as_str()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// How a page is reached, if that is known.
    pub fn access_to(&self, page: &ObjectKey) -> Option<Access> {
        let spec = self.shared.cache().get(page)?.spec.as_ref().ok().map(Arc::clone)?;
        let Spec::StatusPage(spec) = &*spec else { return None };
        self.access(page, spec).ok()
    }

    /// Returns when pages may have come, gone or changed since `seen`.
    pub fn pages_watch(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.pages.subscribe()
    }

    /// Moves when declarations without a page may need [`KubernetesStore::settle_unattached`].
    pub fn strays_watch(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.unattached.subscribe()
    }

    /// What wakes and stops the driver of a page.
    pub fn trigger(&self, page: &ObjectKey) -> Arc<Trigger> {
        self.shared.trigger(page)
    }

    /// Forgets the trigger of a page whose driver ended.
    pub fn drop_trigger(&self, page: &ObjectKey) {
        self.shared.drop_trigger(page);
    }

    /// Returns once everything that the page's view depends on was read: all kinds, its Secrets, and the labels of
    /// namespaces where it admits by them. Cancel safe.
    pub async fn settled(&self, page: &ObjectKey) {
        let mut changes = self.shared.settled.subscribe();
        // The Secret watches start a moment after the declarations that name them.
        while !self.shared.missing().is_empty() || !self.is_settled(page) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Declarations by kind, as they stand at this time.
    pub fn counts(&self, now: Timestamp) -> BTreeMap<Kind, KindCount> {
        let mut counts: BTreeMap<Kind, KindCount> = BTreeMap::new();
        for (key, object) in self.shared.cache().objects() {
            let count = counts.entry(key.kind).or_default();
            let condition = |kind| engine::find_condition(object.status.object(), kind);
            let ready = condition(READY);
            if ready.is_some_and(|condition| condition.status == "True") {
                count.ready += 1;
                continue;
            }
            count.not_ready += 1;
            if condition(STALLED).is_none() {
                let since = ready.map_or(object.created, |ready| ready.last_transition_time.0);
                let pending = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                count.oldest_pending = count.oldest_pending.max(pending);
            }
        }
        counts
    }

    /// Declarations with a field that somebody changed on the page, by StatusPage and kind; zero where there is none.
    pub fn drifted(&self) -> BTreeMap<(ObjectKey, Kind), u64> {
        let mut drifted = BTreeMap::new();
        for (key, object) in self.shared.cache().objects() {
            if let Some(page) = object.page(key) {
                let count: &mut u64 = drifted.entry((page, key.kind)).or_default();
                *count += u64::from(!object.status.object().drift.is_empty());
            }
        }
        drifted
    }

    /// Number of cached declarations.
    pub fn len(&self) -> usize {
        self.shared.cache().len()
    }

    /// True when nothing is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often a watch failed.
    pub fn watch_failures(&self) -> u64 {
        self.shared.watch_failures()
    }

    /// How many Events were dropped because the API server was slower than they came.
    pub fn dropped_events(&self) -> u64 {
        self.events.dropped()
    }

    /// Returns when all Events told so far were sent, or after this time.
    pub async fn flush_events(&self, limit: Duration) {
        self.events.flush(limit).await;
    }
}

impl Store for KubernetesStore {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        self.view_of(page)
    }

    fn declaration(&self, page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        self.declaration_of(page, key)
    }

    async fn write(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        self.change(declaration, change).await
    }

    fn emit_event(&self, declaration: &Declaration, event: Event) {
        self.events.emit(&declaration.key, &declaration.uid, event);
    }

    fn may_write(&self) -> bool {
        (self.may_write)()
    }
}

/// Keeps the watched Secrets to those that are named.
async fn follow_secrets(shared: Arc<Shared>, reader: Client) {
    let mut changes = shared.secret_names.subscribe();
    loop {
        changes.borrow_and_update();
        // Not before all is listed: else watches would start and stop with each page of a list.
        if shared.missing().is_empty() {
            let wanted = shared.wanted_secrets();
            shared.secrets.watch_only(&wanted, |name| {
                tokio::spawn(watch_secret::watch_secret(Arc::clone(&shared), reader.clone(), name)).abort_handle()
            });
        }
        if changes.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(BURST).await;
    }
}
