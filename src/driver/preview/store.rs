//! The declarations of a page as they would be after what is foreseen; nothing is written anywhere.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::ID;
use crate::driver::{Access, Event, Store, StoreChange, StoreError, View};
use crate::engine::{Declaration, ObjectKey, Status, Surroundings};

/// A copy of what a store shows of one page, which takes every change at once.
pub(in crate::driver) struct HypotheticalStore {
    access: Result<Access, (crate::api::Reason, String)>,
    around: Surroundings,
    declarations: Mutex<Declarations>,
}

struct Declarations {
    page: Declaration,
    /// In their order; none in the place of one that has gone.
    others: Vec<Option<Declaration>>,
    positions: HashMap<ObjectKey, usize>,
}

impl Declarations {
    fn get_mut(&mut self, key: &ObjectKey) -> Option<&mut Declaration> {
        if self.page.key == *key {
            return Some(&mut self.page);
        }
        self.others.get_mut(*self.positions.get(key)?)?.as_mut()
    }

    fn remove(&mut self, key: &ObjectKey) {
        if let Some(one) = self
            .positions
            .get(key)
            .and_then(|position| self.others.get_mut(*position))
        {
            *one = None;
        }
    }
}

impl HypotheticalStore {
    pub(in crate::driver) fn of(view: &View) -> Self {
        HypotheticalStore {
            access: view.access.clone(),
            around: view.around.clone(),
            declarations: Mutex::new(Declarations {
                page: view.page.clone(),
                others: view.declarations.iter().cloned().map(Some).collect(),
                positions: view
                    .declarations
                    .iter()
                    .enumerate()
                    .map(|(position, one)| (one.key.clone(), position))
                    .collect(),
            }),
        }
    }

    fn declarations(&self) -> MutexGuard<'_, Declarations> {
        self.declarations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        let mut all = self.declarations();
        let stored = all
            .get_mut(&declaration.key)
            .ok_or_else(|| StoreError::Gone(declaration.key.to_string()))?;
        match change {
            StoreChange::AddFinalizer => stored.finalizer = true,
            StoreChange::Journal(journal) => {
                let mut status = Status::clone(&declaration.status);
                status.object_mut().journal = Some(journal);
                store(stored, Arc::new(status));
            }
            StoreChange::RecordId(id) => {
                // One that its owner wrote down stays.
                if !stored.annotations.contains_key(ID) {
                    stored.id_annotation = Some(id);
                }
                stored.finalizer = true;
            }
            StoreChange::Status(status) => store(stored, status),
            StoreChange::RemoveFinalizer | StoreChange::Prune => all.remove(&declaration.key),
        }
        Ok(())
    }
}

fn store(declaration: &mut Declaration, status: Arc<Status>) {
    declaration.stored = Arc::clone(&status);
    declaration.status = status;
}

impl Store for HypotheticalStore {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        let all = self.declarations();
        if all.page.key != *page {
            return None;
        }
        let others = all.others.iter().flatten().cloned().collect();
        Some(View::new(all.page.clone(), others, self.access.clone()).amid(self.around.clone()))
    }

    fn declaration(&self, _page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        self.declarations().get_mut(key).cloned()
    }

    fn write(
        &self,
        declaration: &Declaration,
        change: StoreChange,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        ready(self.change(declaration, change))
    }

    fn emit_event(&self, _declaration: &Declaration, _event: Event) {}
}
