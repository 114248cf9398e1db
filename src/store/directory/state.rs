//! What a directory declares, with what is recorded of it: in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entries, Entry, Recorded};
use super::lock::Texts;
use super::object::{Objects, Read};
use crate::api::{Kind, ManagementPolicy, StatusPageSpec};
use crate::driver::StoreChange;
use crate::engine::{Declaration, Deletion, ObjectKey};

#[derive(Debug)]
pub(super) struct State {
    pub(super) objects: Objects,
    /// The only declarations that anything is done for; none of them is all of them.
    pub(super) only: Option<BTreeSet<ObjectKey>>,
    /// True when every declaration of the directory is known: only then is a missing one a removed one.
    pub(super) complete: bool,
    /// What is on record, by the names of the declarations.
    pub(super) entries: Entries,
    /// The names of the entries that no manifest declares any more.
    pub(super) undeclared: BTreeSet<String>,
    /// The lines of the lock file: one change does not cost the making of a thousand lines.
    pub(super) lines: BTreeMap<String, String>,
    /// What is reported of the entries.
    pub(super) reports: BTreeMap<String, String>,
    /// The names of the entries that are on no disk yet as they are here.
    pub(super) unsaved: BTreeSet<String>,
}

impl State {
    /// What the files hold, before any manifest was read.
    pub(super) fn new(entries: Entries) -> Self {
        let mut state = State {
            objects: Objects::default(),
            only: None,
            complete: false,
            entries,
            undeclared: BTreeSet::new(),
            lines: BTreeMap::new(),
            reports: BTreeMap::new(),
            unsaved: BTreeSet::new(),
        };
        let names: Vec<String> = state.entries.keys().cloned().collect();
        names.iter().for_each(|name| state.refresh(name));
        state.unsaved.clear();
        state
    }

    /// Takes manifests that were read: new declarations get an entry, changed ones another generation.
    /// `address_of` says where a StatusPage's ids are good, if that is not clear from the place of the lock file.
    pub(super) fn take(
        &mut self,
        objects: Objects,
        complete: bool,
        now: Timestamp,
        address_of: impl Fn(&StatusPageSpec) -> Option<String>,
    ) {
        self.complete = complete;
        self.objects = objects;
        let State { objects, entries, .. } = self;
        let pages: BTreeMap<String, &StatusPageSpec> = objects
            .iter()
            .filter_map(|object| Some((page_name(&object.key), object.page_spec()?)))
            .collect();
        for object in objects.iter() {
            let entry = entries.entry(object.name.clone()).or_insert_with(|| Entry {
                uid: uuid::Uuid::new_v4().to_string(),
                created: now,
                generation: 1,
                spec: object.spec_hash.clone(),
                page: page_name(&object.page),
                address: None,
                deletion: Deletion::Orphan,
                held: false,
                pending: true,
                id: None,
                status: Recorded::NONE,
            });
            if entry.spec != object.spec_hash {
                entry.generation = entry.generation.saturating_add(1);
                entry.spec.clone_from(&object.spec_hash);
                entry.pending = true;
            }
            if entry.address.is_none() {
                entry.address = object.page_spec().and_then(&address_of);
            }
            entry.page = page_name(&object.page);
            // The manifest may be gone the next time.
            entry.deletion = deletion_once_removed(&object.declaration(entry), pages.get(&entry.page).copied());
        }
        let declared: BTreeSet<&String> = objects.iter().map(|object| &object.name).collect();
        // What was never sent leaves no trace.
        entries.retain(|name, entry| entry.held || declared.contains(name));
        let undeclared = entries.keys().filter(|name| !declared.contains(name));
        self.undeclared = undeclared.cloned().collect();
        let known = self.lines.keys().chain(self.reports.keys());
        let names: BTreeSet<String> = self.entries.keys().chain(known).cloned().collect();
        names.iter().for_each(|name| self.refresh(name));
    }

    /// Takes one declaration that was read, beside those that are there.
    pub(super) fn take_along(
        &mut self,
        object: Read,
        now: Timestamp,
        address_of: impl Fn(&StatusPageSpec) -> Option<String>,
    ) {
        if let Some(only) = &mut self.only {
            only.insert(object.key.clone());
        }
        let mut objects = std::mem::take(&mut self.objects);
        objects.put(object);
        self.take(objects, self.complete, now, address_of);
    }

    /// Takes note of a changed entry.
    pub(super) fn refresh(&mut self, name: &str) {
        let Texts { line, report } = match self.entries.get(name) {
            Some(entry) => entry.texts(name),
            None => Texts::default(),
        };
        let changed = put(&mut self.lines, name, line) | put(&mut self.reports, name, report);
        if changed {
            self.unsaved.insert(name.to_owned());
        }
    }

    /// An entry as it is written.
    pub(super) fn texts(&self, name: &str) -> Texts {
        Texts {
            line: self.lines.get(name).cloned(),
            report: self.reports.get(name).cloned(),
        }
    }

    /// A declaration with what is recorded of it.
    pub(super) fn declaration(&self, object: &Read) -> Option<Declaration> {
        let mut declaration = object.declaration(self.entries.get(&object.name)?);
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
            let status = self.entries.get(&object.name)?.status.of(Kind::StatusPage);
            status.object().id.clone()
        };
        declared.or_else(found)
    }

    /// Changes an entry, and says what the change has to survive at once.
    pub(super) fn change(&mut self, name: &str, declaration: &Declaration, change: StoreChange) -> Option<Durable> {
        let entry = self.entries.get_mut(name)?;
        match change {
            StoreChange::AddFinalizer => {
                entry.held = true;
                None
            }
            StoreChange::Journal(journal) => {
                let mut status = Arc::clone(&declaration.status);
                Arc::make_mut(&mut status).object_mut().journal = Some(journal);
                entry.status = Recorded::Status(status);
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
                        status: Arc::clone(&status),
                        ..declaration.clone()
                    };
                    let page = page_key(&entry.page).and_then(|page| self.objects.get(&page));
                    entry.deletion = deletion_once_removed(&known, page.and_then(Read::page_spec));
                }
                // That it was so stays true, whatever becomes of it.
                entry.pending &= !entry.is_settled_by(&status);
                entry.status = Recorded::Status(status);
                None
            }
            StoreChange::RemoveFinalizer => {
                self.entries.remove(name);
                None
            }
            // A manifest is its owner's: it is not deleted, it has no effect any more.
            StoreChange::Prune => None,
        }
    }
}

/// Puts a text in the place of another one, or takes it away. True when that is a change.
fn put(texts: &mut BTreeMap<String, String>, name: &str, text: Option<String>) -> bool {
    if texts.get(name) == text.as_ref() {
        return false;
    }
    match text {
        Some(text) => texts.insert(name.to_owned(), text),
        None => texts.remove(name),
    };
    true
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
