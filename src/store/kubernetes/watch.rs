//! The watches of declarations and namespaces. They never end: what fails is tried again, and said once.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1 as core;
use kube::api::{DynamicObject, ListParams, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;

use super::cache::{Namespace, Origin};
use super::object::{self, Object};
use super::shared::Shared;
use crate::api::Kind;
use crate::backoff::Backoff;
use crate::engine::ObjectKey;

const SHORTEST_WAIT: Duration = Duration::from_millis(250);
/// Short, because a definition that was installed should be noticed soon.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How many objects one answer to a list holds: bounds what is in memory twice.
const PAGE_SIZE: u32 = 500;
/// Pause between attempts to read what may not be read.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether the API server was put back to an earlier state.
const RESTORE_CHECK: Duration = Duration::from_secs(30);

type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// What a watch says. It begins anew when the API server was put back to an earlier state.
pub(super) struct Watch<K> {
    shared: Arc<Shared>,
    begin: Box<dyn Fn() -> Events<K> + Send>,
    events: Events<K>,
    anew: tokio::sync::watch::Receiver<u64>,
    /// Pauses between attempts to read what there is to watch.
    pub(super) backoff: Backoff,
}

impl<K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static> Watch<K> {
    pub(super) fn new(shared: &Arc<Shared>, api: Api<K>, config: watcher::Config) -> Self {
        let begin = move || watcher::watcher(api.clone(), config.clone()).boxed();
        Watch {
            shared: Arc::clone(shared),
            events: begin(),
            begin: Box::new(begin),
            anew: shared.anew.subscribe(),
            backoff: Backoff::new(SHORTEST_WAIT, LONGEST_WAIT),
        }
    }

    /// What it says next; failures are counted. None when there is nothing more to come.
    pub(super) async fn next(&mut self) -> Option<watcher::Result<Event<K>>> {
        loop {
            tokio::select! {
                event = self.events.next() => {
                    if matches!(event, Some(Err(_))) {
                        self.shared.watch_failed();
                    }
                    return event;
                }
                _ = self.anew.changed() => self.events = (self.begin)(),
            }
        }
    }
}

/// Watches one kind, in one namespace or in all.
pub(super) async fn watch_kind(
    shared: Arc<Shared>,
    client: Client,
    slot: usize,
    kind: Kind,
    namespace: Option<String>,
) {
    let resource = object::resource(kind);
    let api: Api<DynamicObject> = match &namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config::default().page_size(PAGE_SIZE);
    let mut watch = Watch::new(&shared, api, config);
    let mut listed: HashSet<ObjectKey> = HashSet::new();
    let mut began = Instant::now();
    while let Some(event) = watch.next().await {
        match event {
            Ok(Event::Init) => {
                listed.clear();
                began = Instant::now();
                // Not yet an answer: a list that fails comes after this too.
                continue;
            }
            Ok(Event::InitApply(object)) => {
                if let Some(key) = object::key(kind, &object.metadata) {
                    listed.insert(key.clone());
                    shared.apply(key, Object::read(kind, object), Origin::Listed(began));
                }
            }
            Ok(Event::InitDone) => {
                shared.listed(kind, namespace.as_deref(), &listed);
                listed = HashSet::new();
                shared.watching(slot, Ok(()));
            }
            Ok(Event::Apply(object)) => {
                if let Some(key) = object::key(kind, &object.metadata) {
                    shared.apply(key, Object::read(kind, object), Origin::Watched);
                }
            }
            Ok(Event::Delete(object)) => {
                if let Some(key) = object::key(kind, &object.metadata) {
                    shared.ended(&key, object.metadata.uid.as_deref().unwrap_or_default());
                }
            }
            Err(error) => {
                let reason = reason(&error);
                if watch.backoff.is_fresh() {
                    tracing::warn!(%kind, error = reason, "cannot watch; retrying");
                }
                let plural = &resource.plural;
                shared.watching(
                    slot,
                    Err(if is_missing(&error) {
                        format!(
                            "{plural}.{} is not served: install the definitions with `statuspage crds | kubectl apply --server-side -f -`",
                            resource.group
                        )
                    } else {
                        format!("{plural} cannot be watched: {reason}")
                    }),
                );
                tokio::time::sleep(watch.backoff.pause()).await;
                continue;
            }
        }
        watch.backoff.reset();
    }
}

/// Watches the labels of all namespaces, and which of them are being deleted.
pub(super) async fn watch_namespaces(shared: Arc<Shared>, client: Client) {
    let api: Api<PartialObjectMeta<core::Namespace>> = Api::all(client);
    let mut watch = Watch::new(&shared, api, watcher::Config::default());
    let mut listed = std::collections::HashMap::new();
    while let Some(event) = watch.next().await {
        match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitApply(namespace)) => {
                listed.insert(namespace.name_any(), known(namespace));
            }
            Ok(Event::InitDone) => shared.namespaces_listed(std::mem::take(&mut listed)),
            Ok(Event::Apply(namespace)) => shared.namespace_changed(namespace.name_any(), Some(known(namespace))),
            Ok(Event::Delete(namespace)) => shared.namespace_changed(namespace.name_any(), None),
            Err(error) => {
                if watch.backoff.is_fresh() {
                    tracing::warn!(
                        error = reason(&error),
                        "cannot watch namespaces: until then no page allows namespaces by their labels, and the deletion of a namespace whose Secret is gone may need help"
                    );
                }
                tokio::time::sleep(watch.backoff.pause()).await;
                if is_forbidden(&error) {
                    shared.refuse_namespaces();
                    // Nobody grants that every few seconds.
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
                continue;
            }
        }
        watch.backoff.reset();
    }
}

fn known(mut namespace: PartialObjectMeta<core::Namespace>) -> Namespace {
    Namespace {
        labels: std::mem::take(namespace.labels_mut()),
        ending: namespace.metadata.deletion_timestamp.map(|since| since.0),
    }
}

/// Looks now and then whether the API server has fallen back behind what it has shown: after a restore from a backup its
/// watches are silent until it has come as far again.
pub(super) async fn watch_for_restores(shared: Arc<Shared>, client: Client, namespace: Option<String>) {
    let resource = object::resource(Kind::StatusPage);
    let api: Api<DynamicObject> = match &namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    // One object is enough: the version of a list is that of the whole store behind the API server.
    let parameters = ListParams::default().limit(1);
    loop {
        tokio::time::sleep(RESTORE_CHECK).await;
        let newest = shared.cache().newest;
        // A failure is the business of the watches.
        let Ok(list) = api.list_metadata(&parameters).await else {
            continue;
        };
        let revision = list
            .metadata
            .resource_version
            .and_then(|version| version.parse::<u128>().ok());
        if revision.is_some_and(|revision| revision < newest) {
            shared.went_back();
        }
    }
}

/// The status of an API server's answer, if the failure was an answer.
fn code(error: &watcher::Error) -> Option<u16> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchFailed(kube::Error::Api(status))) = error
    else {
        return None;
    };
    Some(status.code)
}

fn is_missing(error: &watcher::Error) -> bool {
    code(error) == Some(404)
}

pub(super) fn is_forbidden(error: &watcher::Error) -> bool {
    code(error) == Some(403)
}

/// An error in one sentence, with its causes.
pub(super) fn reason(error: &dyn std::error::Error) -> String {
    // kube's texts hold their causes, and whole statuses in their debug form: the innermost one is the plain one.
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
