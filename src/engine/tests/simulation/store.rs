//! The store's side: finalizers, id annotations, statuses. Each write is an effect that a crash may come before.

use super::examine::examine;
use super::{Fault, Simulation};
use crate::engine::{Action, ObjectKey, Plan, Reply, record};

impl Simulation {
    pub(super) fn fault(&mut self, what: impl FnOnce() -> String) -> Option<Fault> {
        let fault = self.faults.remove(&self.effects);
        self.events.push(format!("{} {} {fault:?}", self.effects, what()));
        self.effects += 1;
        fault
    }

    /// An effect on the store: false when the process ended before it.
    pub(super) fn store(&mut self, what: impl FnOnce() -> String) -> bool {
        self.crashed = self.fault(what).is_some();
        !self.crashed
    }

    pub(super) fn store_steps(&mut self, plan: &Plan) -> bool {
        let mut any = false;
        for step in &plan.steps {
            match &step.action {
                Action::RecordId(id) => {
                    if !self.store(|| format!("{} {}", step.key, step.summary)) {
                        return true;
                    }
                    for declaration in &mut self.declarations {
                        record(declaration, step, &Reply::Done);
                    }
                    self.annotate(&step.key, Some(id.clone()));
                }
                Action::RemoveFinalizer | Action::Leave | Action::Prune => {
                    if !self.store(|| format!("{} {}", step.key, step.summary)) {
                        return true;
                    }
                    self.declarations.retain(|declaration| declaration.key != step.key);
                    self.gone.push(step.key.clone());
                    if self.page.key == step.key {
                        self.page.finalizer = false;
                    }
                }
                Action::AddFinalizer => {
                    if !self.store(|| format!("{} {}", step.key, step.summary)) {
                        return true;
                    }
                    for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
                        declaration.finalizer |= declaration.key == step.key;
                    }
                }
                _ => continue,
            }
            any = true;
        }
        any
    }

    pub(super) fn annotate(&mut self, key: &ObjectKey, id: Option<String>) {
        if !self.pinned.contains_key(key) {
            self.stored_annotations.insert(key.clone(), id.clone());
        }
        for declaration in &mut self.declarations {
            if declaration.key == *key {
                declaration.id_annotation.clone_from(&id);
            }
        }
    }

    pub(super) fn write_statuses(&mut self, plan: &Plan, due: impl Fn(&ObjectKey) -> bool) {
        for (key, status) in plan.statuses.iter().filter(|(key, _)| due(key)) {
            if !self.store(|| format!("{key} status")) {
                return;
            }
            self.status_writes += 1;
            let declaration = self
                .declarations
                .iter_mut()
                .chain(std::iter::once(&mut self.page))
                .find(|declaration| declaration.key == *key)
                .unwrap();
            examine(declaration, status);
            declaration.status.clone_from(status);
            declaration.stored = std::sync::Arc::clone(status);
            // The store has caught up: from now on its word counts.
            if let Some(id) = self.pinned.get(key) {
                declaration.id_annotation = Some(id.clone());
            }
        }
    }
}
