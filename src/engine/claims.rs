//! Claims: which declaration owns which remote id.
//!
//! Invariant: one remote object has one owner: the declaration that it was created or adopted for. An id that is only
//! written into an annotation takes nothing from anybody. Of several that are equal in this, the oldest is the owner.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::declaration::ObjectKey;
use super::world::World;
use crate::api::Kind;

/// The owners of all remote ids of a page.
#[derive(Debug, Default)]
pub struct Claims {
    owners: HashMap<Kind, HashMap<String, ObjectKey>>,
    ids: HashMap<ObjectKey, String>,
    contested: HashMap<ObjectKey, ObjectKey>,
    contenders: HashMap<ObjectKey, Vec<ObjectKey>>,
    absent: HashSet<ObjectKey>,
    unproven: HashSet<ObjectKey>,
    to_create: HashSet<ObjectKey>,
}

impl Claims {
    /// Reads the claims that the declarations of a page record, and those of other StatusPages of the same page. What is
    /// let go of is nobody's from the first plan on: who looks for an object to adopt finds the same whether the page
    /// was read before or after.
    pub fn of(world: &World<'_>) -> Self {
        let own = world
            .declarations
            .iter()
            .filter(|one| !one.lets_go(world.page_spec()))
            .filter_map(|one| Some((one.is_to_take_over(), one.created, &one.key, one.recorded_id()?)));
        let others = world
            .around
            .elsewhere
            .iter()
            .map(|one| (one.is_to_take_over, one.created, &one.key, one.id.as_str()));
        let mut by_right: Vec<(bool, Timestamp, &ObjectKey, &str)> = own.chain(others).collect();
        by_right.sort_unstable();
        let mut claims = Claims::default();
        for (.., key, id) in by_right {
            claims.claim(key, id);
        }
        claims
    }

    /// Takes an id for a declaration unless another one has it.
    pub fn claim(&mut self, key: &ObjectKey, id: &str) {
        match self.owner(key.kind, id) {
            Some(owner) if owner != key => {
                let owner = owner.clone();
                self.contenders.entry(owner.clone()).or_default().push(key.clone());
                self.contested.insert(key.clone(), owner);
            }
            _ => {
                let owners = self.owners.entry(key.kind).or_default();
                owners.insert(id.to_owned(), key.clone());
                self.ids.insert(key.clone(), id.to_owned());
            }
        }
    }

    /// Marks that the recorded remote object of a declaration is not on the page.
    pub fn mark_absent(&mut self, key: &ObjectKey) {
        self.absent.insert(key.clone());
    }

    /// Marks that it is being looked whether the recorded remote object of a declaration is there.
    pub fn mark_unproven(&mut self, key: &ObjectKey) {
        self.unproven.insert(key.clone());
    }

    /// True while it is being looked whether the recorded remote object of a declaration is there.
    pub fn is_unproven(&self, key: &ObjectKey) -> bool {
        self.unproven.contains(key)
    }

    /// Marks that the remote object of a declaration is to be created.
    pub fn mark_to_create(&mut self, key: &ObjectKey) {
        self.to_create.insert(key.clone());
    }

    /// True when the remote object of a declaration is to be created.
    pub fn is_to_create(&self, key: &ObjectKey) -> bool {
        self.to_create.contains(key)
    }

    /// The id that a declaration owns, whether the object is there or not.
    pub fn id(&self, key: &ObjectKey) -> Option<&str> {
        self.ids.get(key).map(String::as_str)
    }

    /// The id that a declaration owns and that is on the page.
    pub fn present(&self, key: &ObjectKey) -> Option<&str> {
        if self.absent.contains(key) { None } else { self.id(key) }
    }

    /// The declaration that owns the id which this one records.
    pub fn contested_by(&self, key: &ObjectKey) -> Option<&ObjectKey> {
        self.contested.get(key)
    }

    /// The declarations that record the id which this one owns.
    pub fn contenders(&self, key: &ObjectKey) -> &[ObjectKey] {
        self.contenders.get(key).map_or(&[], Vec::as_slice)
    }

    /// The owner of a remote id.
    pub fn owner(&self, kind: Kind, id: &str) -> Option<&ObjectKey> {
        self.owners.get(&kind)?.get(id)
    }
}
