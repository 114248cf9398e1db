//! Incident templates. The API creates and lists them and can do nothing else with them.

use serde::{Deserialize, Serialize};

use super::{Component, IncidentStatus, lenient};

/// A template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentTemplate {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Name in the list of templates.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Name of an incident that begins with it.
    #[serde(deserialize_with = "lenient::text")]
    pub title: Option<String>,
    /// Text of an update that begins with it.
    #[serde(deserialize_with = "lenient::text")]
    pub body: Option<String>,
    /// Group of templates that it is in; there is no call for these groups.
    #[serde(deserialize_with = "lenient::text")]
    pub group_id: Option<String>,
    /// Status that it proposes.
    #[serde(deserialize_with = "lenient::word")]
    pub update_status: Option<IncidentStatus>,
    /// Whether it proposes to tweet.
    #[serde(deserialize_with = "lenient::flag")]
    pub should_tweet: Option<bool>,
    /// Whether it proposes to notify.
    #[serde(deserialize_with = "lenient::flag")]
    pub should_send_notifications: Option<bool>,
    /// Components that it proposes.
    #[serde(deserialize_with = "lenient::list")]
    pub components: Vec<Component>,
}

/// A template to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentTemplateWrite {
    /// Name in the list of templates; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of an incident that begins with it; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Text of an update that begins with it; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Group of templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Status that it proposes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_status: Option<IncidentStatus>,
    /// Whether it proposes to tweet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub should_tweet: Option<bool>,
    /// Whether it proposes to notify.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub should_send_notifications: Option<bool>,
    /// Components that it proposes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_ids: Option<Vec<String>>,
}
