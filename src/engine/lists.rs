//! How the objects of a kind are read: by which list, and whether one of them has an address of its own.

use super::rules::Rules;
use crate::api::{Kind, with_kind};
use crate::statuspage::{CollectionKind, ObjectKind};

/// How an object of a kind is read by its id, where it can be.
pub fn object_kind(kind: Kind) -> Option<ObjectKind> {
    with_kind!(kind, S => S::OBJECT, page => None)
}

/// The list that shows the objects of a kind.
pub fn list_of(kind: Kind) -> CollectionKind {
    with_kind!(kind, S => S::COLLECTION, page => CollectionKind::Page)
}
