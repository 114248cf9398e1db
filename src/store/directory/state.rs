//! What a directory declares, with what is recorded of it: in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::lock::{Entry, LockFile, Recorded};
use super::object::{Objects, Read};
use crate::api::{Kind, ManagementPolicy, StatusPageSpec};
use crate::driver::StoreChange;
use crate::engine::{Declaration, Deletion, ObjectKey, Status};

#[derive(Debug)]
pub(super) struct State {
    pub(super) objects: Objects,
    /// The only declarations that anything is done for; none of them is all of them.
    pub(super) only: Option<BTreeSet<ObjectKey>>,
    /// True when every declaration of the directory is known: only then is a missing one a removed one.
    pub(super) complete: bool,
    pub(super) lock: LockFile,
    /// The names of the entries that no manifest declares any more.
    pub(super) undeclared: BTreeSet<String>,
    /// The entries as they are written: one change does not cost the writing of a thousand entries.
    pub(super) texts: BTreeMap<String, String>,
    /// The names of the entries that are on no disk yet as they are here.
    pub(super) unsaved: BTreeSet<String>,
}

impl State {
    /// What the lock file holds, before any manifest was read.
    pub(super) fn new(lock: LockFile, texts: BTreeMap<String, String>) -> Self {
        State {
            objects: Objects::default(),
            only: None,
            complete: false,
            lock,
            undeclared: BTreeSet::new(),
            texts,
            unsaved: BTreeSet::new(),
        }
    }

    /// Takes manifests that were read: new declarations get an entry, changed ones another generation.
    pub(super) fn take(&mut self, objects: Objects, complete: bool, now: Timestamp) {
        self.complete = complete;
        self.objects = objects;
        let State { objects, lock, .. } = self;
        let pages: BTreeMap<String, &StatusPageSpec> = objects
            .iter()
            .filter_map(|object| Some((page_name(&object.key), object.page_spec()?)))
            .collect();
        for object in objects.iter() {
            let entry = lock.objects.entry(object.name.clone()).or_insert_with(|| Entry {
                uid: uuid::Uuid::new_v4().to_string(),
                created: now,
                generation: 1,
                spec: object.spec_hash.clone(),
                page: page_name(&object.page),
                deletion: Deletion::Orphan,
                held: false,
                id: None,
                status: Recorded::NONE,
            });
            if entry.spec != object.spec_hash {
                entry.generation = entry.generation.saturating_add(1);
                entry.spec.clone_from(&object.spec_hash);
            }
            entry.page = page_name(&object.page);
            // The manifest may be gone the next time.
            entry.deletion = deletion_once_removed(&object.declaration(entry), pages.get(&entry.page).copied());
        }
        let declared: BTreeSet<&String> = objects.iter().map(|object| &object.name).collect();
        // What was never sent leaves no trace.
        lock.objects.retain(|name, entry| entry.held || declared.contains(name));
        let undeclared = lock.objects.keys().filter(|name| !declared.contains(name));
        self.undeclared = undeclared.cloned().collect();
        let names: BTreeSet<String> = self.lock.objects.keys().chain(self.texts.keys()).cloned().collect();
        names.iter().for_each(|name| self.refresh(name));
    }

    /// Takes one declaration that was read, beside those that are there.
    pub(super) fn take_along(&mut self, object: Read, now: Timestamp) {
        if let Some(only) = &mut self.only {
            only.insert(object.key.clone());
        }
        let mut objects = std::mem::take(&mut self.objects);
        objects.put(object);
        self.take(objects, self.complete, now);
    }

    /// Takes note of a changed entry.
    pub(super) fn refresh(&mut self, name: &str) {
        let text = self.lock.objects.get(name).and_then(Entry::text);
        if self.texts.get(name) == text.as_ref() {
            return;
        }
        match text {
            Some(text) => self.texts.insert(name.to_owned(), text),
            None => self.texts.remove(name),
        };
        self.unsaved.insert(name.to_owned());
    }

    /// A declaration with what is recorded of it.
    pub(super) fn declaration(&self, object: &Read) -> Option<Declaration> {
        let mut declaration = object.declaration(self.lock.objects.get(&object.name)?);
        declaration.resolve_pages(|page| self.page_id(&object.key.namespace, page));
        Some(self.narrowed(declaration))
    }

    /// Sets a declaration aside that nothing is to be done for.
    pub(super) fn narrowed(&self, mut declaration: Declaration) -> Declaration {
        let only = self.only.as_ref();
        declaration.set_aside = only.is_some_and(|only| !only.contains(&declaration.key));
        declaration
    }

    /// The id of the page that a StatusPage stands for, declared or found.
    fn page_id(&self, namespace: &str, name: &str) -> Option<String> {
        let object = self.objects.get(&ObjectKey::new(Kind::StatusPage, namespace, name))?;
        let declared = object.page_spec().and_then(|spec| spec.page_id.clone());
        let found = || {
            let status = self.lock.objects.get(&object.name)?.status.of(Kind::StatusPage);
            status.object().id.clone()
        };
        declared.or_else(found)
    }

    /// Changes an entry, and says what the change has to survive at once.
    pub(super) fn change(&mut self, name: &str, declaration: &Declaration, change: StoreChange) -> Option<Durable> {
        let entry = self.lock.objects.get_mut(name)?;
        match change {
            StoreChange::AddFinalizer => {
                entry.held = true;
                None
            }
            StoreChange::Journal(journal) => {
                let mut status = declaration.status.clone();
                status.object_mut().journal = Some(journal);
                entry.status = Recorded::Status(Arc::new(status));
                Some(Durable::Machine)
            }
            StoreChange::RecordId(id) => {
                entry.id = Some(id);
                entry.held = true;
                // Should the machine lose it, the journal finds the object.
                Some(Durable::Process)
            }
            StoreChange::Status(status) => {
                if !declaration.deleting {
                    let known = Declaration {
                        status: Status::clone(&status),
                        ..declaration.clone()
                    };
                    let page = page_key(&entry.page).and_then(|page| self.objects.get(&page));
                    entry.deletion = deletion_once_removed(&known, page.and_then(Read::page_spec));
                }
                entry.status = Recorded::Status(Arc::from(status));
                None
            }
            StoreChange::Release => {
                self.lock.objects.remove(name);
                None
            }
            // A manifest is its owner's: it is not deleted, it has no effect any more.
            StoreChange::Prune => None,
        }
    }
}

/// What a change has to survive at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    /// The end of this process.
    Process,
    /// The end of the machine.
    Machine,
}

/// What removing the manifest is to do: what its policy says, but nothing to an object that is only observed or whose
/// declaration is suspended, since nobody could lift that any more.
fn deletion_once_removed(declaration: &Declaration, page: Option<&StatusPageSpec>) -> Deletion {
    let policies = declaration.policies(page);
    let suspended = declaration.spec.common().is_some_and(|common| common.suspend);
    if policies.management == ManagementPolicy::ObserveOnly || suspended {
        Deletion::Orphan
    } else {
        policies.deletion
    }
}

pub(super) fn page_name(key: &ObjectKey) -> String {
    format!("{}/{}", key.namespace, key.name)
}

/// The page with this name.
fn page_key(name: &str) -> Option<ObjectKey> {
    let (namespace, name) = name.split_once('/')?;
    Some(ObjectKey::new(Kind::StatusPage, namespace, name))
}
