//! Updates, the texts that an incident publishes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ComponentStatus, IncidentStatus, lenient};

/// How an update moved a component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AffectedComponent {
    /// Id of the component.
    #[serde(deserialize_with = "lenient::code")]
    pub code: String,
    /// Its name, with the name of its group before it.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// State before.
    #[serde(deserialize_with = "lenient::word")]
    pub old_status: Option<ComponentStatus>,
    /// State after.
    #[serde(deserialize_with = "lenient::word")]
    pub new_status: Option<ComponentStatus>,
}

/// One published text of an incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentUpdate {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Incident it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub incident_id: Option<String>,
    /// Phase that it announced; cannot be edited.
    #[serde(deserialize_with = "lenient::word")]
    pub status: Option<IncidentStatus>,
    /// The text.
    #[serde(deserialize_with = "lenient::text")]
    pub body: Option<String>,
    /// When it is shown to have been published.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub display_at: Option<Timestamp>,
    /// Whether subscribers were told.
    #[serde(deserialize_with = "lenient::flag")]
    pub deliver_notifications: Option<bool>,
    /// Whether it was to be tweeted.
    #[serde(deserialize_with = "lenient::flag")]
    pub wants_twitter_update: Option<bool>,
    /// Components that it moved.
    #[serde(deserialize_with = "lenient::list")]
    pub affected_components: Vec<AffectedComponent>,
    /// Text of the tweet.
    #[serde(deserialize_with = "lenient::text")]
    pub custom_tweet: Option<String>,
    /// Id of the tweet.
    #[serde(deserialize_with = "lenient::text")]
    pub tweet_id: Option<String>,
    /// When it was tweeted.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub twitter_updated_at: Option<Timestamp>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it was last edited.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// Corrections to a published update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentUpdateWrite {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// When it is shown to have been published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_at: Option<Timestamp>,
    /// Whether subscribers are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_notifications: Option<bool>,
    /// Whether it is tweeted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wants_twitter_update: Option<bool>,
}
