//! Who may see which events: a pure decision, made for each event that is shown.
//!
//! Invariant: what several grants allow adds up, and each of them must allow an event as a whole.

use std::collections::BTreeSet;

use super::event::kind_of;
use crate::api::Kind;

/// A set of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tenants {
    /// Every namespace, and what belongs to none.
    #[default]
    All,
    /// Every namespace.
    Owned,
    /// These; the empty name stands for what belongs to no namespace.
    Only(BTreeSet<String>),
}

impl Tenants {
    /// True when this namespace is one of them; the empty name is nobody's.
    pub fn include(&self, tenant: &str) -> bool {
        match self {
            Tenants::All => true,
            Tenants::Owned => !tenant.is_empty(),
            Tenants::Only(names) => names.contains(tenant),
        }
    }

    fn add(self, other: &Tenants) -> Tenants {
        match (self, other) {
            (Tenants::All, _) | (_, Tenants::All) => Tenants::All,
            (Tenants::Only(mut one), Tenants::Only(other)) => {
                one.extend(other.iter().cloned());
                Tenants::Only(one)
            }
            (one, other) if one.include("") || other.include("") => Tenants::All,
            _ => Tenants::Owned,
        }
    }
}

impl<'a> std::ops::AddAssign<&'a Tenants> for Tenants {
    fn add_assign(&mut self, other: &'a Tenants) {
        *self = std::mem::take(self).add(other);
    }
}

/// Events of these namespaces, of these kinds, about these pages: all three must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Whose.
    pub tenants: Tenants,
    /// About what; none is every kind, and what is of no kind.
    pub kinds: Option<BTreeSet<Kind>>,
    /// Of which pages, as namespace and name with a slash between; none is every page, and what is of no page.
    pub pages: Option<BTreeSet<String>>,
}

impl Grant {
    fn admits_type(&self, tenant: &str, event_type: &str) -> bool {
        let kinds = |kinds: &BTreeSet<Kind>| kind_of(event_type).is_some_and(|kind| kinds.contains(&kind));
        self.tenants.include(tenant) && self.kinds.as_ref().is_none_or(kinds)
    }

    fn admits(&self, tenant: &str, event_type: &str, page: Option<&str>) -> bool {
        let pages = |pages: &BTreeSet<String>| page.is_some_and(|page| pages.contains(page));
        self.admits_type(tenant, event_type) && self.pages.as_ref().is_none_or(pages)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View(Vec<Grant>);

impl Default for View {
    fn default() -> Self {
        View::of(Tenants::All)
    }
}

impl View {
    /// What these grants allow together; nothing without one.
    pub fn new(grants: Vec<Grant>) -> Self {
        View(grants)
    }

    /// All events of these namespaces.
    pub fn of(tenants: Tenants) -> Self {
        View(vec![Grant {
            tenants,
            ..Grant::default()
        }])
    }

    /// True when such an event may be seen; the empty tenant is nobody's.
    pub fn admits(&self, tenant: &str, event_type: &str, page: Option<&str>) -> bool {
        self.0.iter().any(|grant| grant.admits(tenant, event_type, page))
    }

    /// True when some event of this type of this tenant may be seen.
    pub fn admits_type(&self, tenant: &str, event_type: &str) -> bool {
        self.0.iter().any(|grant| grant.admits_type(tenant, event_type))
    }

    /// The tenants of which something may be seen.
    pub(super) fn tenants(&self) -> Tenants {
        let mut all = Tenants::Only(BTreeSet::new());
        for grant in &self.0 {
            all += &grant.tenants;
        }
        all
    }

    /// True when kinds matter: an event of a tenant may be hidden for its type.
    pub(super) fn is_by_kind(&self) -> bool {
        self.0.iter().any(|grant| grant.kinds.is_some())
    }

    /// True when pages matter: what may be seen is not known by tenant and type.
    pub(super) fn is_by_page(&self) -> bool {
        self.0.iter().any(|grant| grant.pages.is_some())
    }

    /// True when every event of [`View::tenants`] may be seen.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.0.as_slice(), [grant] if grant.kinds.is_none() && grant.pages.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> Tenants {
        Tenants::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn grants_add_up_and_each_is_whole() {
        let view = View::new(vec![
            Grant {
                tenants: only(&["a"]),
                kinds: Some([Kind::Incident].into()),
                pages: None,
            },
            Grant {
                tenants: only(&["b"]),
                kinds: None,
                pages: Some(["b/shop".to_owned()].into()),
            },
        ]);
        for (tenant, event_type, page, seen) in [
            ("a", "incident.publish", None, true),
            ("a", "incident_template.create", None, false),
            ("a", "subscriber.create", Some("b/shop"), false),
            ("a", "odd", None, false),
            ("b", "subscriber.create", Some("b/shop"), true),
            ("b", "odd", Some("b/shop"), true),
            ("b", "incident.publish", Some("b/other"), false),
            ("b", "incident.publish", None, false),
            ("c", "incident.publish", Some("b/shop"), false),
            ("", "incident.publish", None, false),
        ] {
            assert_eq!(
                view.admits(tenant, event_type, page),
                seen,
                "{tenant} {event_type} {page:?}"
            );
        }
        assert!(view.admits_type("b", "incident.publish") && !view.admits_type("a", "subscriber.create"));
        assert_eq!(view.tenants(), only(&["a", "b"]));
        assert!(!View::new(Vec::new()).admits("a", "incident.publish", None));
    }

    #[test]
    fn tenants_add_up() {
        let sum = |one: Tenants, other: Tenants| {
            let mut sum = one;
            sum += &other;
            sum
        };
        assert_eq!(sum(only(&["a"]), only(&["b"])), only(&["a", "b"]));
        assert_eq!(sum(only(&["a"]), Tenants::Owned), Tenants::Owned);
        assert_eq!(sum(only(&["", "a"]), Tenants::Owned), Tenants::All);
        assert_eq!(sum(Tenants::Owned, Tenants::All), Tenants::All);
        assert!(Tenants::All.include("") && !Tenants::Owned.include("") && !only(&["a"]).include(""));
    }
}
