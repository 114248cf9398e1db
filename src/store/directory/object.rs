//! Manifests as declarations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entry, entry_name};
use crate::api::{ALLOW_DELETES, ASKED_BESIDE, ID, Kind, REQUESTED_AT, StatusPageSpec};
use crate::engine::{Declaration, ObjectKey, Spec};
use crate::manifest::{Manifest, Manifests};
use crate::statuspage::Secret;

/// One manifest, ready to become a declaration.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) key: ObjectKey,
    /// Its name in the lock file.
    pub(super) name: String,
    /// The StatusPage that it belongs to; itself for a page.
    pub(super) page: ObjectKey,
    pub(super) spec_hash: String,
    spec: Arc<Spec>,
    id_annotation: Option<String>,
    requested_at: Option<String>,
    allow_deletes: Option<String>,
    /// Those that are asked for beside.
    annotations: BTreeMap<String, String>,
}

/// The declarations of a directory, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Read>,
    by_key: HashMap<ObjectKey, usize>,
}

impl Objects {
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Read> {
        self.all.get(*self.by_key.get(key)?)
    }

    /// Takes one of them out.
    pub(super) fn take(mut self, key: &ObjectKey) -> Option<Read> {
        let index = *self.by_key.get(key)?;
        Some(self.all.swap_remove(index))
    }

    /// Puts one in the place of what was read of it before, if anything was.
    pub(super) fn put(&mut self, object: Read) {
        match self.by_key.get(&object.key) {
            Some(index) => self.all[*index] = object,
            None => {
                self.by_key.insert(object.key.clone(), self.all.len());
                self.all.push(object);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Read> {
        self.all.iter()
    }
}

/// All declarations of the manifests that can be used; of two with one name the first.
pub(super) fn read_all(manifests: &Manifests) -> Objects {
    let mut objects = Objects::default();
    for manifest in &manifests.manifests {
        let read = read(manifest);
        if !objects.by_key.contains_key(&read.key) {
            objects.by_key.insert(read.key.clone(), objects.all.len());
            objects.all.push(read);
        }
    }
    objects
}

fn read(manifest: &Manifest) -> Read {
    let key = ObjectKey::new(manifest.kind, manifest.namespace.clone(), manifest.name.clone());
    let page = match manifest.object.common() {
        Some(common) => ObjectKey::new(
            Kind::StatusPage,
            common
                .page_ref
                .namespace
                .clone()
                .unwrap_or_else(|| manifest.namespace.clone()),
            common.page_ref.name.clone(),
        ),
        None => key.clone(),
    };
    let mut spec = manifest.object.spec();
    let json = spec.to_json();
    if let Spec::Incident(incident) = &mut spec {
        // A manifest is its owner's: nobody deletes it when its incident has been over for long.
        incident.ttl_after_resolved = None;
    }
    let annotations = manifest.object.metadata().annotations.as_ref();
    let annotation = |name: &str| annotations?.get(name).cloned();
    Read {
        name: entry_name(&key),
        key,
        page,
        spec_hash: crate::engine::hash(&json.unwrap_or_default()),
        spec: Arc::new(spec),
        id_annotation: annotation(ID),
        requested_at: annotation(REQUESTED_AT),
        allow_deletes: annotation(ALLOW_DELETES),
        annotations: ASKED_BESIDE
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), annotation(name)?)))
            .collect(),
    }
}

impl Read {
    /// The spec of a page.
    pub(super) fn page_spec(&self) -> Option<&StatusPageSpec> {
        match &*self.spec {
            Spec::StatusPage(spec) => Some(spec),
            _ => None,
        }
    }

    /// The declaration, with what the lock file knows of it.
    pub(super) fn declaration(&self, entry: &Entry) -> Declaration {
        let status = entry.status.of(self.key.kind);
        Declaration {
            key: self.key.clone(),
            uid: entry.uid.clone(),
            version: String::new(),
            generation: entry.generation,
            field_manager: None,
            created: entry.created,
            seen: Timestamp::UNIX_EPOCH,
            spec_seen: Timestamp::UNIX_EPOCH,
            fresh: false,
            attempt_seen: None,
            deleting: false,
            // A page needs no hold: what is recorded of its objects outlives its manifest.
            finalizer: entry.held || self.key.kind == Kind::StatusPage,
            // An id that was created here wins over one in the manifest only when the manifest has none.
            id_annotation: self.id_annotation.clone().or_else(|| entry.id.clone()),
            requested_at: self.requested_at.clone(),
            set_aside: false,
            allow_deletes: self.allow_deletes.clone(),
            annotations: self.annotations.clone(),
            opened_by_template: false,
            secrets: secrets(&self.spec),
            spec: Arc::clone(&self.spec),
            status: Arc::clone(&status),
            stored: status,
        }
    }
}

/// The declaration of a manifest that is gone.
pub(super) fn removed(key: ObjectKey, entry: &Entry) -> Declaration {
    let status = entry.status.of(key.kind);
    Declaration {
        generation: entry.generation,
        seen: Timestamp::UNIX_EPOCH,
        spec_seen: Timestamp::UNIX_EPOCH,
        deleting: true,
        finalizer: true,
        id_annotation: entry.id.clone(),
        status: Arc::clone(&status),
        stored: status,
        ..Declaration::new(key, entry.uid.clone(), entry.created, Spec::Removed(entry.deletion))
    }
}

fn secrets(spec: &Spec) -> BTreeMap<&'static str, Result<Secret, String>> {
    let mut values = BTreeMap::new();
    for (field, reference) in spec.secret_references() {
        let value = secret(&reference.name, reference.key());
        values.insert(
            field,
            value.map(Secret::from).ok_or_else(|| {
                format!(
                    "there is no value for key {} of Secret {}: set {}",
                    reference.key(),
                    reference.name,
                    secret_variable(&reference.name, reference.key())
                )
            }),
        );
    }
    values
}

/// The value of a Secret: the environment variable that stands in for it in a directory.
pub(super) fn secret(name: &str, key: &str) -> Option<String> {
    std::env::var(secret_variable(name, key))
        .ok()
        .filter(|value| !value.is_empty())
}

/// The environment variable that stands in for a key of a Secret.
pub(super) fn secret_variable(name: &str, key: &str) -> String {
    let upper = |text: &str| {
        text.chars()
            .map(|character| {
                if character.is_ascii_alphanumeric() {
                    character.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect::<String>()
    };
    format!("STATUSPAGE_SECRET_{}_{}", upper(name), upper(key))
}
