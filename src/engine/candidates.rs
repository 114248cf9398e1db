//! The remote objects that a declaration could be bound to, for a person who chooses.

use super::claims::Claims;
use super::context::Context;
use super::declaration::ObjectKey;
use super::kinds;
use super::rules::Rules;
use super::world::World;
use crate::api::{Kind, with_kind, with_spec};
use crate::statuspage::Snapshot;

/// A remote object of the kind of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// True when it is what the declaration would create: the same name, address or the like.
    pub same: bool,
}

/// All remote objects of the kind of a declaration that were read, in the order of the page; none when their list was
/// not read, or there is no such declaration.
pub fn candidates(world: &World<'_>, key: &ObjectKey) -> Option<Vec<Candidate>> {
    let index = kinds::index(world);
    let claims = Claims::of(world);
    let declaration = index.get(key)?;
    let context = Context {
        world,
        claims: &claims,
        index: &index,
        declaration,
        sent_title: None,
    };
    with_spec!(&*declaration.spec, spec => of_kind(&context, &**spec), _ => None)
}

fn of_kind<K: Rules>(context: &Context<'_>, rules: &K) -> Option<Vec<Candidate>> {
    let list = K::collection(context.world.snapshot)?;
    let candidate = |remote: &K::Remote| Candidate {
        id: K::id(remote).to_owned(),
        same: rules.same_identity(context, remote),
    };
    Some(
        list.items
            .iter()
            .filter(|remote| K::belongs(remote))
            .map(candidate)
            .collect(),
    )
}

/// What a remote object is, in the words of the page; empty when it is not known. People are not named.
pub fn description(snapshot: &Snapshot, kind: Kind, id: &str) -> String {
    fn of<K: Rules>(snapshot: &Snapshot, id: &str) -> Option<String> {
        let remote = K::collection(snapshot)?.get(id)?;
        Some(K::describe(remote, snapshot))
    }
    with_kind!(kind, S => of::<S>(snapshot, id), page => None).unwrap_or_default()
}

/// What is on the page, as far as it was read, and worth a mention when nobody declares it.
pub fn worth_declaring(snapshot: &Snapshot) -> Vec<(Kind, &str)> {
    fn of<K: Rules>(snapshot: &Snapshot) -> Vec<&str> {
        let list = K::collection(snapshot).into_iter().flat_map(|list| &list.items);
        list.filter(|remote| K::belongs(remote) && K::is_worth_declaring(remote))
            .map(K::id)
            .collect()
    }
    let ids = |kind| with_kind!(kind, S => of::<S>(snapshot), page => Vec::new());
    let mut found = Vec::new();
    for kind in Kind::ALL {
        found.extend(ids(kind).into_iter().map(|id| (kind, id)));
    }
    found
}

/// The kind of the remote object with this id, as far as lists were read.
pub fn kind_of(snapshot: &Snapshot, id: &str) -> Option<Kind> {
    Kind::ALL
        .into_iter()
        .find(|kind| with_kind!(kind, S => has::<S>(snapshot, id), page => false))
}

fn has<K: Rules>(snapshot: &Snapshot, id: &str) -> bool {
    K::collection(snapshot).is_some_and(|list| {
        list.items
            .iter()
            .any(|remote| K::belongs(remote) && K::id(remote) == id)
    })
}
