//! Components, the parts of a service that have a state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{lenient, open_enum::open_enum, strict};

open_enum! {
    /// State of a component. The empty word stays [`ComponentStatus::Unknown`].
    pub enum ComponentStatus {
        /// All is well.
        Operational => "operational",
        /// Down or slow on purpose.
        UnderMaintenance => "under_maintenance",
        /// Slow.
        DegradedPerformance => "degraded_performance",
        /// Broken for some.
        PartialOutage => "partial_outage",
        /// Broken for all.
        MajorOutage => "major_outage",
    }
}

/// A component, or the row that stands for a component group (`group` is true).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Component {
    /// Identity; the row of a group has the id of the group.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Page it is on.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// Group it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub group_id: Option<String>,
    /// Whether this row is a group.
    #[serde(deserialize_with = "lenient::flag_or_no")]
    pub group: bool,
    /// Name; not unique.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Text below the name.
    #[serde(deserialize_with = "lenient::text")]
    pub description: Option<String>,
    /// Place among its siblings; cannot be set.
    #[serde(deserialize_with = "lenient::integer")]
    pub position: Option<i64>,
    /// State shown to visitors.
    #[serde(deserialize_with = "lenient::word")]
    pub status: Option<ComponentStatus>,
    /// Whether its uptime is shown.
    #[serde(deserialize_with = "lenient::flag")]
    pub showcase: Option<bool>,
    /// Whether it is hidden while all is well.
    #[serde(deserialize_with = "lenient::flag")]
    pub only_show_if_degraded: Option<bool>,
    /// Address whose mail changes the state: treat it as a secret.
    #[serde(deserialize_with = "lenient::text")]
    pub automation_email: Option<String>,
    /// First day of the uptime display, `YYYY-MM-DD`.
    #[serde(deserialize_with = "lenient::text")]
    pub start_date: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A component to create, or changes to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComponentWrite {
    /// Name; not unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text below the name; the empty string clears it.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// Group it belongs to; `null` takes it out.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Option<String>>,
    /// State shown to visitors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ComponentStatus>,
    /// Whether its uptime is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub showcase: Option<bool>,
    /// Whether it is hidden while all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_show_if_degraded: Option<bool>,
    /// First day of the uptime display, `YYYY-MM-DD`; never send an empty one.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub start_date: Option<Option<String>>,
}

/// Uptime of a component or of a component group over a range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uptime {
    /// Identity of the component or of the group.
    #[serde(deserialize_with = "lenient::text")]
    pub id: Option<String>,
    /// Its name.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Start of the range.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub range_start: Option<Timestamp>,
    /// End of the range.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub range_end: Option<Timestamp>,
    /// Share of the range in which it was up, in per cent.
    #[serde(deserialize_with = "lenient::number")]
    pub uptime_percentage: Option<f64>,
    /// Seconds of major outage.
    #[serde(deserialize_with = "lenient::number")]
    pub major_outage: Option<f64>,
    /// Seconds of partial outage.
    #[serde(deserialize_with = "lenient::number")]
    pub partial_outage: Option<f64>,
    /// What the remote service had to say about the range.
    #[serde(deserialize_with = "lenient::codes")]
    pub warnings: Vec<String>,
    /// Incidents of the range; the shape differs between components and groups.
    pub related_events: Value,
}
