//! Who would have been told about what: the server sends nothing, it keeps the list instead.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why somebody would have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// An incident was opened or a maintenance announced.
    IncidentCreated,
    /// An incident got an update.
    IncidentUpdated,
    /// A maintenance begins in an hour.
    MaintenanceReminder,
    /// A postmortem was published.
    PostmortemPublished,
    /// A new subscriber is asked to confirm.
    Confirmation,
    /// A subscriber was removed.
    Unsubscription,
}

/// One message that the real service would have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// When.
    pub at: Timestamp,
    /// The page.
    pub page: String,
    /// Why.
    pub kind: NotificationKind,
    /// The incident, if it is about one.
    pub incident: Option<String>,
    /// The incident update, if it is about one.
    pub update: Option<String>,
    /// The status that the update announced.
    pub status: Option<String>,
    /// The identifiers of the subscribers who would have got it.
    pub recipients: Vec<String>,
}
