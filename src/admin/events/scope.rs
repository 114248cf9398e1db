//! Who sees which events. A tenant is a namespace.

use std::collections::BTreeSet;

use super::error::EventsError;
use crate::admin::caller::{Caller, Scope};
use crate::audit::Tenants;

/// What the query asks about the scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// The filter `all_tenants`.
    pub(super) all_tenants: Option<bool>,
}

/// The events that a caller sees: those of its namespaces; an admin those of nobody too. `all_tenants` are all those that
/// it may see: an admin of some namespaces is nobody in the others.
pub(super) fn tenants(caller: &Caller, ask: Ask) -> Result<Tenants, EventsError> {
    if ask.all_tenants.is_some() && !caller.admin {
        return Err(EventsError::forbidden("Only an admin may ask for all_tenants."));
    }
    Ok(match (&caller.namespaces, caller.admin) {
        (Scope::All, true) => Tenants::All,
        (Scope::All, false) => Tenants::Owned,
        (Scope::Only(namespaces), true) => Tenants::OnlyAndUnowned(named(namespaces)),
        (Scope::Only(namespaces), false) => Tenants::Only(named(namespaces)),
    })
}

/// No namespace has an empty name: it stands for events of nobody.
fn named(namespaces: &BTreeSet<String>) -> BTreeSet<String> {
    namespaces.iter().filter(|name| !name.is_empty()).cloned().collect()
}
