//! Annotations and the finalizer, all under the group's name.

use super::Kind;

/// The id of the remote object: written after a create, given by hand or by `export` to adopt.
pub const ID: &str = "statuspage-operator.io/id";
/// Any new value asks for a reconcile now.
pub const REQUESTED_AT: &str = "statuspage-operator.io/requested-at";
/// On a StatusPage: how many remote objects may be deleted beyond the cap, a number or `true` for any.
pub const ALLOW_DELETES: &str = "statuspage-operator.io/allow-deletes";
/// On a StatusPage: how many objects that are missing from the page all at once may be created again, a number or `true`
/// for any.
pub const ALLOW_RECREATES: &str = "statuspage-operator.io/allow-recreates";
/// On a Subscriber: any new value asks once for another confirmation mail. A reply that is lost on the way back may lead to
/// a second one.
pub const RESEND_CONFIRMATION: &str = "statuspage-operator.io/resend-confirmation";
/// On a Subscriber: any new value takes it out of quarantine once, or subscribes it once although its address has
/// unsubscribed.
pub const REACTIVATE: &str = "statuspage-operator.io/reactivate";
/// On a Metric: any new value removes all its data points from the page once; the declared ones are sent again.
pub const RESET_DATA: &str = "statuspage-operator.io/reset-data";
/// What else an owner asks for by annotations. All other annotations mean nothing to anybody here.
pub const ASKED_BESIDE: [&str; 4] = [ALLOW_RECREATES, RESEND_CONFIRMATION, REACTIVATE, RESET_DATA];
/// Keeps a declaration until its deletion policy was carried out.
pub const FINALIZER: &str = "statuspage-operator.io/finalizer";

/// All annotations that have a meaning, each with the only kind that it has one on.
pub const ANNOTATIONS: [(&str, Option<Kind>); 7] = [
    (ID, None),
    (REQUESTED_AT, None),
    (ALLOW_DELETES, Some(Kind::StatusPage)),
    (ALLOW_RECREATES, Some(Kind::StatusPage)),
    (RESEND_CONFIRMATION, Some(Kind::Subscriber)),
    (REACTIVATE, Some(Kind::Subscriber)),
    (RESET_DATA, Some(Kind::Metric)),
];
