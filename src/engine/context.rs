//! What the rules of a kind may ask about the rest of the page.

use std::time::Duration;

use serde_json::{Value, json};

use super::claims::Claims;
use super::declaration::{Declaration, ObjectKey, Policies};
use super::index::Index;
use super::outcome::Blocked;
use super::plan::ReadWhat;
use super::pursuit::Unlisted;
use super::seal::Seal;
use super::world::World;
use crate::api::{ComponentObservation, Kind, ManagementPolicy, Reason, SecretReference, Uptime};

/// Uptimes are read so often at most: they move slowly, and each is a request of its own.
const UPTIME_PAUSE: Duration = Duration::from_secs(3600);

/// One declaration amid its page.
pub(super) struct Context<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) claims: &'a Claims,
    pub(super) index: &'a Index<'a>,
    pub(super) declaration: &'a Declaration,
    /// The name that an interrupted creation sent, while its object is looked for.
    pub(super) sent_title: Option<&'a str>,
}

impl<'a> Context<'a> {
    /// Another declaration amid the same page.
    pub(super) fn of(&self, declaration: &'a Declaration) -> Self {
        Context {
            declaration,
            sent_title: None,
            ..*self
        }
    }

    /// Makes the hashes that are recorded of this declaration.
    pub(super) fn seal(&self) -> Seal<'a> {
        Seal {
            uid: &self.declaration.uid,
            key: self.world.seal_key,
        }
    }

    pub(super) fn policies(&self) -> Policies {
        self.declaration.policies(self.world.page_spec())
    }

    /// The name that people see and that objects are recognised by.
    pub(super) fn title(&self, declared: Option<&str>) -> String {
        self.sent_title
            .or(declared)
            .unwrap_or(&self.declaration.key.name)
            .to_owned()
    }

    /// The uptime of a component or group, if it is asked for: what was read, or what is in the status until then.
    pub(super) fn uptime(
        &self,
        observe: Option<&ComponentObservation>,
        id: &str,
        before: Option<Uptime>,
    ) -> Option<Uptime> {
        if !observe.is_some_and(|observe| observe.uptime) {
            return None;
        }
        let Some(read) = self.world.snapshot.uptimes.get(id) else {
            return before;
        };
        let known = read.value.as_ref()?;
        let percentage = known.uptime_percentage?;
        Some(Uptime {
            percentage: (percentage * 1000.0).round() / 1000.0,
            since: known.range_start.map(|start| start.strftime("%Y-%m-%d").to_string()),
        })
    }

    /// The uptime of a component or group as something to read, if it is asked for.
    pub(super) fn uptime_to_read(
        &self,
        observe: Option<&ComponentObservation>,
        what: ReadWhat,
        id: &str,
    ) -> Vec<Unlisted> {
        if !observe.is_some_and(|observe| observe.uptime) {
            return Vec::new();
        }
        let known = self.world.snapshot.uptimes.get(id);
        vec![Unlisted {
            what,
            read_at: known.map(|known| known.read_at),
            pause: UPTIME_PAUSE,
        }]
    }

    /// True when a declaration may be written to the page at all.
    pub(super) fn may_write(&self, other: &Declaration) -> bool {
        let policies = other.policies(self.world.page_spec());
        policies.management == ManagementPolicy::Full && !policies.suspend
    }

    /// The id of another declaration of the same namespace and page, or why there is none yet.
    pub(super) fn reference(&self, kind: Kind, name: &str) -> Result<&'a str, Blocked> {
        let key = ObjectKey::new(kind, self.declaration.key.namespace.clone(), name);
        match self.claims.present(&key) {
            Some(id) if !self.claims.is_unproven(&key) => return Ok(id),
            _ => {}
        }
        let message = match self.index.get(&key) {
            Some(_) if self.claims.is_unproven(&key) => {
                format!("waiting for {kind} {name}: checking whether it is on the page")
            }
            Some(_) => format!("waiting for {kind} {name}, which is not on the page yet"),
            None => format!(
                "waiting for {kind} {name}: no such declaration in namespace {} for this page; create it or correct the name",
                self.declaration.key.namespace
            ),
        };
        Err(Blocked::waiting(Reason::WaitingForReference, message))
    }

    /// The ids of other declarations, as JSON, or why one of them is not there yet.
    pub(super) fn references(&self, kind: Kind, names: &[String]) -> Result<Value, Blocked> {
        names
            .iter()
            .map(|name| self.reference(kind, name).map(Value::from))
            .collect()
    }

    /// The same where a declaration may leave them to the page.
    pub(super) fn references_if(&self, kind: Kind, names: &Option<Vec<String>>) -> Result<Option<Value>, Blocked> {
        names.as_deref().map(|names| self.references(kind, names)).transpose()
    }

    /// The secret that a field of the declaration refers to, or why it is not known.
    pub(super) fn secret(&self, field: &str, reference: &SecretReference) -> Result<Value, Blocked> {
        let problem = match self.declaration.secrets.get(field) {
            Some(Ok(secret)) => return Ok(json!(secret)),
            Some(Err(problem)) => problem.clone(),
            None => format!("waiting for Secret {}", reference.name),
        };
        Err(Blocked::waiting(Reason::SecretNotFound, problem))
    }

    /// The component that a group which is not on the page begins with: the first one that can be created, because one
    /// that is stopped must not stop the others. None once a member is there.
    pub(super) fn first_member(&self, namespace: &str, group: &str) -> Option<&'a Declaration> {
        let members = self.index.members(namespace, group);
        let is_there = |member: &Declaration| self.claims.present(&member.key).is_some() && self.may_write(member);
        if members.iter().any(|member| is_there(member)) {
            return None;
        }
        let mut to_create = members.iter().filter(|member| self.claims.is_to_create(&member.key));
        to_create.find(|member| !self.held(member)).copied()
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
