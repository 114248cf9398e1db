//! A file per kind: how a declaration maps to the wire, which fields are compared and how, how the object is
//! recognised, and what it waits for. The flow around these rules is the same for every kind.

mod component;
mod component_group;
mod incident;
mod incident_template;
mod metric;
mod metrics_provider;
mod organization_user;
mod page;
mod page_access_group;
mod page_access_user;
mod subscriber;
#[cfg(test)]
mod tests;

pub(super) use incident::converge as converge_incident;
pub use incident::{Misplaced, misplaced};
pub(super) use metric::{data_points, implied_provider};
pub use page::declared_settings;
pub(super) use page::{embed_fields, settings_fields, settings_request};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::index::Index;
use super::lookup::Lookup;
use super::outcome::Blocked;
use super::pursuit::Unlisted;
use super::request::Request;
use super::rules::{Body, IN_SYNC, Recreation, Rules};
use super::table;
use super::world::World;
use crate::api::{Kind, Reason, Spec, with_kind, with_spec};
use crate::statuspage::{ObjectKind, Snapshot};

/// What is looked up of a world and the objects of all kinds.
pub(super) fn index<'a>(world: &'a World<'a>) -> Index<'a> {
    let lookups = Kind::ALL
        .into_iter()
        .filter_map(|kind| with_kind!(kind, S => Some((kind, lookup::<S>(world.snapshot))), page => None));
    Index::of(world, lookups.collect(), examinable)
}

fn lookup<K: Rules>(snapshot: &Snapshot) -> Lookup<'_> {
    let items = K::collection(snapshot).into_iter().flat_map(|list| &list.items);
    let items = items.enumerate().filter(|(_, remote)| K::belongs(remote));
    Lookup::of(items.map(|(position, remote)| (K::id(remote), position)))
}

/// The kind of an object that can be read by its id and belongs to a list that was read whole; none for one that we
/// deleted.
fn examinable(kind: Kind, id: &str, snapshot: &Snapshot) -> Option<ObjectKind> {
    fn counted<K: Rules>(snapshot: &Snapshot, id: &str) -> Option<ObjectKind> {
        let list = K::collection(snapshot)?;
        K::EXAMINED.filter(|_| list.complete && !list.was_removed(id))
    }
    with_kind!(kind, S => counted::<S>(snapshot, id), page => None)
}

/// A name in quotes, for a description.
fn quoted(text: &Option<String>) -> String {
    format!("{:?}", text.as_deref().unwrap_or_default())
}

/// The day of the creation, for a description.
fn since(at: Option<Timestamp>) -> String {
    at.map(|at| format!(", since {}", at.strftime("%Y-%m-%d")))
        .unwrap_or_default()
}

/// A write type from the declared fields by their API names.
fn write<T: DeserializeOwned>(body: Body) -> Result<T, Blocked> {
    serde_json::from_value(Value::Object(body)).map_err(|error| {
        Blocked::stalled(
            Reason::Invalid,
            format!("the declared values do not fit the Statuspage API: {error}"),
        )
    })
}

/// The request that deletes an object by its recorded id.
pub(super) fn delete_request(kind: Kind, id: &str, spec: &Spec) -> Option<Request> {
    let id = id.to_owned();
    with_spec!(spec, spec => Rules::delete(Some(&**spec), id), _ => {
        with_kind!(kind, S => S::delete(None, id), page => None)
    })
}
