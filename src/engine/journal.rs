//! The write-ahead note of an attempt whose outcome is not recorded: its words, and how long it is waited for.

use jiff::SignedDuration;

use crate::api::{Journal, ObjectStatus};

/// A create in flight.
pub(super) const CREATE: &str = "create";
/// The creation of another object that this one needs.
pub(super) const PROVIDE: &str = "provide";
/// The deletion of an object that is to be created again.
pub(super) const REPLACE: &str = "replace";

/// How long after an attempt a list has to be read before its silence means that the attempt had no effect: longer
/// than a request may take.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(35);

/// The note of a creation whose outcome is not recorded.
pub(super) fn open_creation(status: &ObjectStatus) -> Option<&Journal> {
    let journal = status.journal.as_ref();
    journal.filter(|journal| journal.operation == CREATE)
}
