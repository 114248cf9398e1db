//! What the rules of a kind may ask about the rest of the page.

use std::collections::BTreeMap;

use super::claims::Claims;
use super::declaration::{Declaration, ObjectKey, Policies, Spec};
use super::plan::State;
use super::world::World;
use crate::api::{Kind, Reason};

/// Why an object cannot be compared or created yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blocked {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Blocked {
    pub(super) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Blocked {
            state: State::Progressing,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Blocked {
            state: State::Stalled,
            reason,
            message: message.into(),
        }
    }
}

/// One declaration amid its page.
pub(super) struct Context<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) claims: &'a Claims,
    pub(super) index: &'a Index<'a>,
    pub(super) declaration: &'a Declaration,
}

/// The declarations of a page by name, and the components by group.
pub(super) struct Index<'a> {
    by_key: BTreeMap<&'a ObjectKey, &'a Declaration>,
    members: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a Declaration>>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(world: &'a World<'a>) -> Self {
        let mut index = Index {
            by_key: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        for declaration in world.declarations {
            index.by_key.insert(&declaration.key, declaration);
            if let Spec::Component(spec) = &declaration.spec
                && let Some(group) = &spec.group_ref
                && !declaration.deleting
            {
                index
                    .members
                    .entry(declaration.key.namespace.as_str())
                    .or_default()
                    .entry(group.name.as_str())
                    .or_default()
                    .push(declaration);
            }
        }
        index
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<&'a Declaration> {
        self.by_key.get(key).copied()
    }

    /// Components that name this group, in the order of declaration.
    pub(super) fn members(&self, namespace: &str, group: &str) -> &[&'a Declaration] {
        self.members
            .get(namespace)
            .and_then(|groups| groups.get(group))
            .map_or(&[], Vec::as_slice)
    }
}

impl<'a> Context<'a> {
    pub(super) fn policies(&self) -> Policies {
        self.declaration.policies(self.world.page_spec())
    }

    /// The id of another declaration of the same namespace and page, or why there is none yet.
    pub(super) fn reference(&self, kind: Kind, name: &str) -> Result<&'a str, Blocked> {
        let key = ObjectKey::new(kind, self.declaration.key.namespace.clone(), name);
        if let Some(id) = self.claims.present(&key) {
            return Ok(id);
        }
        let message = match self.index.get(&key) {
            Some(_) => format!("waits for {kind} {name}, which is not on the page yet"),
            None => format!(
                "waits for {kind} {name}: no such declaration in namespace {} for this page; create it or correct the name",
                self.declaration.key.namespace
            ),
        };
        Err(Blocked::waiting(Reason::WaitingForReference, message))
    }

    /// The ids of other declarations, as JSON, or why one of them is not there yet.
    pub(super) fn references(&self, kind: Kind, names: &[String]) -> Result<serde_json::Value, Blocked> {
        names
            .iter()
            .map(|name| self.reference(kind, name).map(serde_json::Value::from))
            .collect()
    }

    /// True while nothing will be sent for a declaration: it is suspended or its last request failed.
    pub(super) fn held(&self, other: &Declaration) -> bool {
        other.policies(self.world.page_spec()).suspend
            || self
                .world
                .failures
                .get(&other.key)
                .is_some_and(|failure| failure.blocks(other.generation, self.world.now))
    }
}
