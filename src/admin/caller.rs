//! Who asks, and what they may: what one credential means for every contract of the operator's HTTP API.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Kind;
use crate::audit::{self, Tenants, View};

/// What a credential may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Reading status and declarations.
    Read,
    /// Reading the event log.
    Events,
    /// Sending alerts; no path takes them yet.
    Alerts,
    /// Approving drafts of incidents; no path does it yet.
    Approve,
}

impl Verb {
    pub const ALL: [Verb; 4] = [Verb::Read, Verb::Events, Verb::Alerts, Verb::Approve];
    /// What a credential of which nothing is said may do: reading.
    pub const READING: [Verb; 2] = [Verb::Read, Verb::Events];

    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Events => "events",
            Verb::Alerts => "alerts",
            Verb::Approve => "approve",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = Verb::ALL.map(Verb::as_str).join(", ");
        Verb::ALL
            .into_iter()
            .find(|verb| verb.as_str() == text)
            .ok_or_else(|| format!("there are the verbs {words}"))
    }
}

/// A set of namespaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Every namespace, also those that are made later.
    All,
    Only(BTreeSet<String>),
}

impl Scope {
    /// True when a namespace is one of them.
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(namespaces) => namespaces.contains(namespace),
        }
    }
}

/// What may be done with objects of these namespaces, of these kinds, of these pages: all three must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The namespaces: tenants.
    pub namespaces: Scope,
    /// The kinds; none is every kind.
    pub kinds: Option<BTreeSet<Kind>>,
    /// The pages, as namespace and name with a slash between; none is every page.
    pub pages: Option<BTreeSet<String>>,
    /// What may be done.
    pub verbs: BTreeSet<Verb>,
}

impl Grant {
    /// Reading everything of these namespaces.
    pub fn reading(namespaces: Scope) -> Self {
        Grant {
            namespaces,
            kinds: None,
            pages: None,
            verbs: Verb::READING.into(),
        }
    }

    fn covers(&self, verb: Verb, namespace: &str, kind: &str, page: &str) -> bool {
        self.verbs.contains(&verb)
            && self.namespaces.includes(namespace)
            && (self.kinds.as_ref()).is_none_or(|kinds| kinds.iter().any(|known| known.as_str() == kind))
            && self.pages.as_ref().is_none_or(|pages| pages.contains(page))
    }
}

/// An authenticated caller. The layer that checks credentials puts it into the extensions of a request; a request
/// without one is anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name of the user or of the access key, for logs.
    pub user: String,
    /// The address of the user, where the identity has one.
    pub email: Option<String>,
    /// Names the credential without giving it away: what it uses up is counted for it alone.
    pub credential: String,
    /// Sees what is for the administrators of its namespaces: types and traits of events, and events of no namespace.
    pub admin: bool,
    /// What it may do, all of it together.
    pub grants: Vec<Grant>,
}

impl Caller {
    /// A caller with one grant.
    pub fn new(user: impl Into<String>, admin: bool, grant: Grant) -> Self {
        let user = user.into();
        Caller {
            credential: format!("user {user}"),
            user,
            email: None,
            admin,
            grants: vec![grant],
        }
    }

    /// True when this may be done with something.
    pub fn may(&self, verb: Verb) -> bool {
        self.grants.iter().any(|grant| grant.verbs.contains(&verb))
    }

    /// True when a declaration of this kind, of this page (namespace and name with a slash between), may be shown.
    pub fn may_read(&self, namespace: &str, kind: &str, page: &str) -> bool {
        let mut grants = self.grants.iter();
        grants.any(|grant| grant.covers(Verb::Read, namespace, kind, page))
    }

    /// The events that may be shown: those of its grants; an administrator sees those of no namespace too.
    pub fn view(&self) -> View {
        let grants = self.grants.iter().filter(|grant| grant.verbs.contains(&Verb::Events));
        let grants = grants.map(|grant| audit::Grant {
            tenants: match (&grant.namespaces, self.admin) {
                (Scope::All, true) => Tenants::All,
                (Scope::All, false) => Tenants::Owned,
                // No namespace has an empty name: it stands for events of nobody.
                (Scope::Only(names), admin) => {
                    let named = names.iter().filter(|name| !name.is_empty()).cloned();
                    Tenants::Only(named.chain(admin.then(String::new)).collect())
                }
            },
            kinds: grant.kinds.clone(),
            pages: grant.pages.clone(),
        });
        View::new(grants.collect())
    }

    /// The namespaces of which something may be done, for the log.
    pub fn namespaces(&self) -> Scope {
        let mut all = BTreeSet::new();
        for grant in &self.grants {
            match &grant.namespaces {
                Scope::All => return Scope::All,
                Scope::Only(names) => all.extend(names.iter().cloned()),
            }
        }
        Scope::Only(all)
    }

    /// What may be done: by kind and verb the namespaces (`*` for all), or the pages where it is limited to some.
    pub fn access(&self) -> BTreeMap<Kind, BTreeMap<Verb, BTreeSet<String>>> {
        let mut access: BTreeMap<Kind, BTreeMap<Verb, BTreeSet<String>>> = BTreeMap::new();
        for kind in Kind::ALL {
            let by_verb = access.entry(kind).or_default();
            for verb in Verb::ALL {
                by_verb.entry(verb).or_default();
            }
        }
        for grant in &self.grants {
            let places: BTreeSet<String> = match (&grant.pages, &grant.namespaces) {
                (Some(pages), _) => pages.clone(),
                (None, Scope::All) => ["*".to_owned()].into(),
                (None, Scope::Only(names)) => names.clone(),
            };
            let all: BTreeSet<Kind> = Kind::ALL.into();
            for kind in grant.kinds.as_ref().unwrap_or(&all) {
                for verb in &grant.verbs {
                    let known = access.entry(*kind).or_default().entry(*verb).or_default();
                    known.extend(places.iter().cloned());
                }
            }
        }
        access
    }
}

/// Tells later whether a caller is still who it was, with the same rights: its key may have been revoked meanwhile.
#[derive(Clone)]
pub struct Renewal(Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>);

impl Renewal {
    /// A renewal by this question.
    pub fn new(still: impl Fn() -> BoxFuture<'static, bool> + Send + Sync + 'static) -> Self {
        Renewal(Arc::new(still))
    }

    /// True when nothing has changed.
    pub async fn is_unchanged(&self) -> bool {
        (self.0)().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> Scope {
        Scope::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn nobody_sees_beyond_the_own_grants() {
        let caller = |admin, grant| Caller::new("ann", admin, grant);
        let of_a = Grant::reading(only(&["a"]));
        assert!(caller(false, of_a.clone()).may_read("a", "Component", "a/main"));
        // Being an admin alone widens nothing.
        assert!(!caller(true, of_a.clone()).may_read("b", "Component", "b/main"));
        assert!(caller(false, Grant::reading(Scope::All)).may_read("b", "Component", ""));
        let of_a_page = Grant {
            kinds: Some([Kind::Incident].into()),
            pages: Some(["a/main".to_owned()].into()),
            verbs: [Verb::Read].into(),
            ..of_a
        };
        let limited = caller(false, of_a_page);
        assert!(limited.may_read("a", "Incident", "a/main"));
        for (namespace, kind, page) in [
            ("a", "Incident", "a/other"),
            ("a", "Incident", ""),
            ("a", "Component", "a/main"),
            ("b", "Incident", "a/main"),
        ] {
            assert!(!limited.may_read(namespace, kind, page), "{namespace} {kind} {page}");
        }
        assert!(limited.may(Verb::Read) && !limited.may(Verb::Events));
        assert!(!limited.view().admits("a", "incident.create", Some("a/main")));
        let access = limited.access();
        assert_eq!(access[&Kind::Incident][&Verb::Read], ["a/main".to_owned()].into());
        assert!(access[&Kind::Component][&Verb::Read].is_empty());
    }

    #[test]
    fn events_of_nobody_are_for_administrators() {
        let view = |admin, scope| Caller::new("ann", admin, Grant::reading(scope)).view();
        for (admin, scope, own, nobodys, others) in [
            (false, only(&["a"]), true, false, false),
            (false, only(&["a", ""]), true, false, false),
            (true, only(&["a"]), true, true, false),
            (false, Scope::All, true, false, true),
            (true, Scope::All, true, true, true),
        ] {
            let view = view(admin, scope.clone());
            let seen = ["a", "", "b"].map(|tenant| view.admits(tenant, "component.create", None));
            assert_eq!(seen, [own, nobodys, others], "{admin} {scope:?}");
        }
    }

    #[test]
    fn verbs_are_words() {
        for verb in Verb::ALL {
            assert_eq!(verb.as_str().parse(), Ok(verb));
            assert_eq!(serde_json::to_value(verb).unwrap(), verb.as_str());
        }
        assert!(
            "write"
                .parse::<Verb>()
                .unwrap_err()
                .contains("read, events, alerts, approve")
        );
    }
}
