//! Secrets, each watched by its own name: the operator lists no Secrets, so that its role can name the few it needs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::api::SecretReference;
use crate::engine::{ObjectKey, Spec};
use crate::statuspage::Secret;

/// Names one Secret.
pub(super) type SecretName = (String, String);

/// What is known of one Secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Known {
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
    pub fn watch_only(&self, wanted: &BTreeSet<SecretName>, watch: impl Fn(SecretName) -> AbortHandle) {
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
                let entry = Watched {
                    known: Known::Unread,
                    last: BTreeMap::new(),
                    task: watch(name.clone()),
                };
                watched.insert(name.clone(), entry);
            }
        }
    }

    /// True when it became something else.
    pub fn learn(&self, name: &SecretName, known: Known) -> bool {
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
