//! The write-ahead note of an attempt whose outcome is not recorded: its words.

use super::kinds::list_of;
use crate::api::{Journal, Kind, ObjectStatus};
use crate::statuspage::CollectionKind;

/// A create in flight.
pub(super) const CREATE: &str = "create";
/// The creation of another object that this one needs.
pub(super) const PROVIDE: &str = "provide";
/// The deletion of an object that is to be created again.
pub(super) const REPLACE: &str = "replace";

/// Prefix: the publication of the incident update of this index.
const UPDATE: &str = "update/";
/// Prefix: something that tells people, with the name under which it is recorded as applied.
const TELL: &str = "tell/";

/// The operation that publishes the incident update of an index.
pub(super) fn publication(index: usize) -> String {
    format!("{UPDATE}{index}")
}

/// The index of the incident update that an attempt publishes.
pub(super) fn published_index(journal: &Journal) -> Option<usize> {
    journal.operation.strip_prefix(UPDATE)?.parse().ok()
}

/// The operation that tells people something which is recorded under a name.
pub(super) fn telling(name: &str) -> String {
    format!("{TELL}{name}")
}

/// The name under which it is recorded what an attempt tells people.
pub(super) fn told_name(journal: &Journal) -> Option<&str> {
    journal.operation.strip_prefix(TELL)
}

/// The list that shows what came of an attempt of a declaration of this kind.
pub(super) fn journalled_list(journal: &Journal, kind: Kind) -> CollectionKind {
    match journal.operation.as_str() {
        PROVIDE => CollectionKind::MetricsProviders,
        _ => list_of(kind),
    }
}

/// The note of a creation whose outcome is not recorded.
pub(super) fn open_creation(status: &ObjectStatus) -> Option<&Journal> {
    let journal = status.journal.as_ref();
    journal.filter(|journal| journal.operation == CREATE)
}
