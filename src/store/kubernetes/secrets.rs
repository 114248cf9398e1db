//! Secrets, each watched by its own name: the operator lists no Secrets, so that its role can name the few it needs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::task::AbortHandle;

use super::shared::Shared;
use super::watch::{backoff, is_forbidden, reason};
use crate::api::SecretReference;
use crate::engine::{ObjectKey, Spec};
use crate::statuspage::Secret;

/// Names one Secret.
pub(super) type SecretName = (String, String);

/// What is known of one Secret.
#[derive(Clone, Debug, Default, PartialEq)]
enum Known {
    /// Not read yet.
    #[default]
    Unread,
    /// It does not exist.
    Missing,
    /// Its text values. A value that is no text is left out.
    Present(BTreeMap<String, Secret>),
    /// It may not be read.
    Refused(String),
}

#[derive(Debug)]
struct Watched {
    known: Known,
    /// What it held before it went.
    last: BTreeMap<String, Secret>,
    task: AbortHandle,
}

/// All watched Secrets.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    watched: Mutex<HashMap<SecretName, Watched>>,
}

/// Why a value of a Secret is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is being read.
    Unread,
    /// What is wrong and what to do.
    Because(String),
}

impl Secrets {
    fn lock(&self) -> MutexGuard<'_, HashMap<SecretName, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One value. `what` says in messages what it is for.
    pub fn value(&self, namespace: &str, reference: &SecretReference, what: &str) -> Result<Secret, Absent> {
        let (name, key) = (&reference.name, reference.key());
        let watched = self.lock();
        let known = watched.get(&(namespace.to_owned(), name.clone()));
        match known.map(|watched| &watched.known) {
            None | Some(Known::Unread) => Err(Absent::Unread),
            Some(Known::Missing) => Err(Absent::Because(format!(
                "Secret {namespace}/{name} does not exist: create it with {what} under key {key}"
            ))),
            Some(Known::Refused(reason)) => Err(Absent::Because(format!(
                "Secret {namespace}/{name} cannot be read: {reason}"
            ))),
            Some(Known::Present(values)) => values.get(key).cloned().ok_or_else(|| {
                Absent::Because(format!(
                    "Secret {namespace}/{name} has no text under key {key}: put {what} there"
                ))
            }),
        }
    }

    /// One value of a Secret that is gone, as this process has last seen it.
    pub fn last_value(&self, namespace: &str, reference: &SecretReference) -> Option<Secret> {
        let watched = self.lock();
        let entry = watched.get(&(namespace.to_owned(), reference.name.clone()))?;
        entry.last.get(reference.key()).cloned()
    }

    /// Starts and stops watches so that exactly the wanted Secrets are watched.
    pub fn watch_only(&self, shared: &Arc<Shared>, client: &Client, wanted: &BTreeSet<SecretName>) {
        let mut watched = self.lock();
        watched.retain(|name, entry| {
            let keep = wanted.contains(name);
            if !keep {
                entry.task.abort();
            }
            keep
        });
        for name in wanted {
            if !watched.contains_key(name) {
                let task = tokio::spawn(watch(Arc::clone(shared), client.clone(), name.clone()));
                let entry = Watched {
                    known: Known::Unread,
                    last: BTreeMap::new(),
                    task: task.abort_handle(),
                };
                watched.insert(name.clone(), entry);
            }
        }
    }

    /// True when it became something else.
    fn learn(&self, name: &SecretName, known: Known) -> bool {
        match self.lock().get_mut(name) {
            Some(entry) if entry.known != known => {
                entry.last = match std::mem::replace(&mut entry.known, known) {
                    Known::Present(values) => values,
                    _ => std::mem::take(&mut entry.last),
                };
                true
            }
            _ => false,
        }
    }
}

/// The Secrets that an object names.
pub(super) fn names<'a>(key: &'a ObjectKey, spec: &'a Spec) -> impl Iterator<Item = SecretName> + 'a {
    spec.secret_references()
        .into_iter()
        .map(|(_, reference)| (key.namespace.clone(), reference.name.clone()))
}

async fn watch(shared: Arc<Shared>, client: Client, name: SecretName) {
    let api: Api<core::Secret> = Api::namespaced(client, &name.0);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", name.1));
    let mut stream = watcher::watcher(api.clone(), config.clone()).boxed();
    let mut anew = shared.anew.subscribe();
    let mut backoff = backoff();
    let mut listed = None;
    loop {
        let event = tokio::select! {
            event = stream.next() => event,
            _ = anew.changed() => {
                stream = watcher::watcher(api.clone(), config.clone()).boxed();
                continue;
            }
        };
        let Some(event) = event else { return };
        let known = match event {
            Ok(Event::Init) => {
                listed = None;
                continue;
            }
            Ok(Event::InitApply(secret)) => {
                listed = Some(secret);
                continue;
            }
            Ok(Event::InitDone) => listed.take().map_or(Known::Missing, values),
            Ok(Event::Apply(secret)) => values(secret),
            Ok(Event::Delete(_)) => Known::Missing,
            Err(error) => {
                shared.watch_failed();
                let reason = reason(&error);
                if backoff.is_fresh() {
                    tracing::warn!(
                        namespace = name.0,
                        secret = name.1,
                        error = reason,
                        "cannot watch a Secret"
                    );
                }
                // What was read stays; an answer that says no is an answer.
                if is_forbidden(&error) && shared.secrets.learn(&name, Known::Refused(reason)) {
                    shared.secret_changed(&name);
                }
                tokio::time::sleep(backoff.pause()).await;
                continue;
            }
        };
        backoff.reset();
        if shared.secrets.learn(&name, known) {
            shared.secret_changed(&name);
        }
    }
}

fn values(secret: core::Secret) -> Known {
    let data = secret.data.unwrap_or_default();
    Known::Present(
        data.into_iter()
            .filter_map(|(key, value)| {
                let text = String::from_utf8(value.0).ok()?;
                Some((key, Secret::from(text.trim())))
            })
            .collect(),
    )
}
