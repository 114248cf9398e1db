//! Annotations and the finalizer, all under the group's name.

/// The id of the remote object: written after a create, given by hand or by `export` to adopt.
pub const ID: &str = "statuspage-operator.io/id";
/// Any new value asks for a reconcile now.
pub const REQUESTED_AT: &str = "statuspage-operator.io/requested-at";
/// On a StatusPage: how many remote objects may be deleted beyond the cap, a number or `true` for any.
pub const ALLOW_DELETES: &str = "statuspage-operator.io/allow-deletes";
/// Keeps a declaration until its deletion policy was carried out.
pub const FINALIZER: &str = "statuspage-operator.io/finalizer";
