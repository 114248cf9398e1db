//! The inventory of any store that drivers work on.

use std::sync::Arc;

use super::{Inventory, RequestBudget, Resource, ResourceSource};
use crate::driver::Store;
use crate::engine::ObjectKey;
use crate::statuspage::BudgetRegistry;

type Pages = Box<dyn Fn() -> Vec<ObjectKey> + Send + Sync>;

/// Reads the inventory out of a store: what it shows is what drivers see, own writes included.
pub struct StoreSource<S> {
    store: Arc<S>,
    pages: Pages,
    budgets: Arc<BudgetRegistry>,
}

impl<S> std::fmt::Debug for StoreSource<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoreSource").finish_non_exhaustive()
    }
}

impl<S: Store> StoreSource<S> {
    /// The source of a store, given what lists its pages and the budgets of the process.
    pub fn new(
        store: Arc<S>,
        pages: impl Fn() -> Vec<ObjectKey> + Send + Sync + 'static,
        budgets: Arc<BudgetRegistry>,
    ) -> Self {
        StoreSource {
            store,
            pages: Box::new(pages),
            budgets,
        }
    }
}

impl<S: Store> ResourceSource for StoreSource<S> {
    fn inventory(&self) -> Inventory {
        let mut inventory = Inventory::default();
        for key in (self.pages)() {
            let Some(view) = self.store.view(&key) else { continue };
            for declaration in std::iter::once(&view.page).chain(&view.declarations) {
                inventory.resources.push(Resource::of(
                    &declaration.key,
                    Some(&key),
                    declaration.status.object(),
                    declaration.generation,
                    declaration.deleting,
                ));
            }
            if let Ok(access) = &view.access {
                let budget = self.budgets.budget(&access.token, &access.base_url);
                let budget = RequestBudget::from(budget.stats());
                inventory.budgets.insert((key.namespace, key.name), budget);
            }
        }
        inventory
    }
}
