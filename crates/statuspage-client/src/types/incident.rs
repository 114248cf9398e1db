//! Incidents: real-time, scheduled (maintenance) and backfilled.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Component, ComponentStatus, IncidentUpdate, lenient, open_enum::open_enum, strict};

open_enum! {
    /// Phase of an incident or of a maintenance.
    pub enum IncidentStatus {
        /// The cause is being looked for.
        Investigating => "investigating",
        /// The cause is known.
        Identified => "identified",
        /// Fixed and watched.
        Monitoring => "monitoring",
        /// Over.
        Resolved => "resolved",
        /// A maintenance that is announced.
        Scheduled => "scheduled",
        /// A maintenance that has begun.
        InProgress => "in_progress",
        /// A maintenance that is being checked.
        Verifying => "verifying",
        /// A maintenance that is over.
        Completed => "completed",
    }
}

impl IncidentStatus {
    /// Whether an incident or a maintenance has come to its end; a published postmortem is beyond it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.as_str(), "resolved" | "completed" | "postmortem")
    }
}

open_enum! {
    /// How bad an incident is.
    pub enum IncidentImpact {
        /// Nobody is affected.
        None => "none",
        /// Planned work.
        Maintenance => "maintenance",
        /// Small.
        Minor => "minor",
        /// Large.
        Major => "major",
        /// All is down.
        Critical => "critical",
    }
}

/// An incident of any kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Incident {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Page it is on.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// Title; not unique.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Current phase.
    #[serde(deserialize_with = "lenient::word")]
    pub status: Option<IncidentStatus>,
    /// Impact that visitors see.
    #[serde(deserialize_with = "lenient::word")]
    pub impact: Option<IncidentImpact>,
    /// Impact set by hand; none means that it is calculated.
    #[serde(deserialize_with = "lenient::word")]
    pub impact_override: Option<IncidentImpact>,
    /// Affected components as they are now.
    #[serde(deserialize_with = "lenient::list")]
    pub components: Vec<Component>,
    /// Start of the maintenance.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub scheduled_for: Option<Timestamp>,
    /// End of the maintenance.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub scheduled_until: Option<Timestamp>,
    /// Reminds subscribers an hour before the start.
    #[serde(deserialize_with = "lenient::flag")]
    pub scheduled_remind_prior: Option<bool>,
    /// Moves to in progress at the start.
    #[serde(deserialize_with = "lenient::flag")]
    pub scheduled_auto_in_progress: Option<bool>,
    /// Completes at the end.
    #[serde(deserialize_with = "lenient::flag")]
    pub scheduled_auto_completed: Option<bool>,
    /// Puts the components under maintenance at the start.
    #[serde(deserialize_with = "lenient::flag")]
    pub auto_transition_to_maintenance_state: Option<bool>,
    /// Makes the components operational at the end.
    #[serde(deserialize_with = "lenient::flag")]
    pub auto_transition_to_operational_state: Option<bool>,
    /// Notifies at the start.
    #[serde(deserialize_with = "lenient::flag")]
    pub auto_transition_deliver_notifications_at_start: Option<bool>,
    /// Notifies at the end.
    #[serde(deserialize_with = "lenient::flag")]
    pub auto_transition_deliver_notifications_at_end: Option<bool>,
    /// When the reminder went out.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub scheduled_reminded_at: Option<Timestamp>,
    /// When the team is reminded to post an update: JSON inside text.
    #[serde(deserialize_with = "lenient::text")]
    pub reminder_intervals: Option<String>,
    /// Free-form data, an object per tool.
    #[serde(deserialize_with = "lenient::object")]
    pub metadata: Map<String, Value>,
    /// Whether it was entered afterwards.
    #[serde(deserialize_with = "lenient::flag")]
    pub backfilled: Option<bool>,
    /// What was published, newest first.
    #[serde(deserialize_with = "lenient::list")]
    pub incident_updates: Vec<IncidentUpdate>,
    /// When it went into monitoring.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub monitoring_at: Option<Timestamp>,
    /// When it was over.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub resolved_at: Option<Timestamp>,
    /// Short link to its page.
    #[serde(deserialize_with = "lenient::text")]
    pub shortlink: Option<String>,
    /// Published postmortem.
    #[serde(deserialize_with = "lenient::text")]
    pub postmortem_body: Option<String>,
    /// When the postmortem last changed.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub postmortem_body_last_updated_at: Option<Timestamp>,
    /// Whether the team declined to write one.
    #[serde(deserialize_with = "lenient::flag")]
    pub postmortem_ignored: Option<bool>,
    /// Whether subscribers were told of it.
    #[serde(deserialize_with = "lenient::flag")]
    pub postmortem_notified_subscribers: Option<bool>,
    /// Whether it was tweeted.
    #[serde(deserialize_with = "lenient::flag")]
    pub postmortem_notified_twitter: Option<bool>,
    /// When the postmortem was published.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub postmortem_published_at: Option<Timestamp>,
    /// When it began.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub started_at: Option<Timestamp>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// An incident to create, or changes to one. A body always publishes a new update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentWrite {
    /// Title, up to 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Phase to move to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<IncidentStatus>,
    /// Impact set by hand; `null` lets it be calculated.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub impact_override: Option<Option<IncidentImpact>>,
    /// Text of a new update, up to 25,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Which components are affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_ids: Option<Vec<String>>,
    /// States to give to components, at once even for a maintenance far away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<BTreeMap<String, ComponentStatus>>,
    /// Start of the maintenance.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Option<Timestamp>>,
    /// End of the maintenance.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub scheduled_until: Option<Option<Timestamp>>,
    /// Reminds subscribers an hour before the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_remind_prior: Option<bool>,
    /// Moves to in progress at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_auto_in_progress: Option<bool>,
    /// Completes at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_auto_completed: Option<bool>,
    /// Puts the components under maintenance at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_transition_to_maintenance_state: Option<bool>,
    /// Makes the components operational at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_transition_to_operational_state: Option<bool>,
    /// Notifies at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_transition_deliver_notifications_at_start: Option<bool>,
    /// Notifies at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_transition_deliver_notifications_at_end: Option<bool>,
    /// Whether subscribers are told; the remote default is yes, so always say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_notifications: Option<bool>,
    /// Tweets at the start of a maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_tweet_at_beginning: Option<bool>,
    /// Tweets at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_tweet_on_completion: Option<bool>,
    /// Tweets when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_tweet_on_creation: Option<bool>,
    /// Tweets an hour before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_tweet_one_hour_before: Option<bool>,
    /// When the team is reminded to post an update: JSON inside text.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub reminder_intervals: Option<Option<String>>,
    /// Free-form data, an object per tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Enters an incident of the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfilled: Option<bool>,
    /// When that incident was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill_date: Option<String>,
}
