//! The inventory of any store that drivers work on.

use std::sync::Arc;

use super::{Inventory, RequestBudget, Resource, ResourceSource};
use crate::driver::Store;
use crate::engine::{Declaration, ObjectKey};
use crate::statuspage::BudgetRegistry;

type Pages = Box<dyn Fn() -> Vec<ObjectKey> + Send + Sync>;
/// Finds declarations that no page has, with the pages that they name.
type Unattached = Box<dyn Fn() -> Vec<(ObjectKey, Declaration)> + Send + Sync>;

/// Reads the inventory out of a store: what it shows is what drivers see, own writes included.
pub struct StoreSource<S> {
    store: Arc<S>,
    pages: Pages,
    unattached: Unattached,
    budgets: Arc<BudgetRegistry>,
}

impl<S> std::fmt::Debug for StoreSource<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoreSource").finish_non_exhaustive()
    }
}

impl<S: Store> StoreSource<S> {
    /// The source of a store, given what lists its pages, what lists the declarations that no page has, and the budgets
    /// of the process.
    pub fn new(
        store: Arc<S>,
        pages: impl Fn() -> Vec<ObjectKey> + Send + Sync + 'static,
        unattached: impl Fn() -> Vec<(ObjectKey, Declaration)> + Send + Sync + 'static,
        budgets: Arc<BudgetRegistry>,
    ) -> Self {
        StoreSource {
            store,
            pages: Box::new(pages),
            unattached: Box::new(unattached),
            budgets,
        }
    }
}

impl<S: Store> ResourceSource for StoreSource<S> {
    fn inventory(&self) -> Inventory {
        let mut inventory = Inventory::default();
        for key in (self.pages)() {
            let Some(view) = self.store.view(&key) else { continue };
            let declarations = std::iter::once(&view.page).chain(&view.declarations);
            inventory
                .resources
                .extend(declarations.map(|declaration| resource(&key, declaration)));
            if let Ok(access) = &view.access {
                let budget = self.budgets.budget(&access.token, &access.base_url);
                let budget = RequestBudget::from(budget.stats());
                inventory.budgets.insert((key.namespace, key.name), budget);
            }
        }
        let unattached = (self.unattached)();
        let unattached = unattached.iter().map(|(page, declaration)| resource(page, declaration));
        inventory.resources.extend(unattached);
        inventory
    }
}

fn resource(page: &ObjectKey, declaration: &Declaration) -> Resource {
    let status = declaration.status.object();
    let (key, generation, deleting) = (&declaration.key, declaration.generation, declaration.deleting);
    Resource::of(key, Some(page), status, generation, deleting)
}
