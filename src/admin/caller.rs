//! Who asks: what one credential means for every family of the operator's HTTP API.

use std::collections::BTreeSet;

/// An authenticated caller. The layer that checks credentials puts it into the extensions of a request; a request
/// without one is anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name of the user or of the access key, for logs.
    pub user: String,
    /// Sees what is for the administrators of its namespaces: types and traits of events, and events of no namespace.
    pub admin: bool,
    /// The namespaces that it sees: its tenants.
    pub namespaces: Scope,
}

/// A set of namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace, also those that are made later.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Caller {
    /// True when what is in this namespace may be shown.
    pub fn may_see(&self, namespace: &str) -> bool {
        match &self.namespaces {
            Scope::All => true,
            Scope::Only(namespaces) => namespaces.contains(namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sees_beyond_the_own_namespaces() {
        let caller = |admin, namespaces| Caller {
            user: "ann".into(),
            admin,
            namespaces,
        };
        let only = Scope::Only(BTreeSet::from(["a".to_owned()]));
        assert!(caller(false, only.clone()).may_see("a"));
        // Being an admin alone widens nothing.
        assert!(!caller(true, only).may_see("b"));
        assert!(caller(false, Scope::All).may_see("b"));
    }
}
