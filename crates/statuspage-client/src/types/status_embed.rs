//! How the status of a page looks inside other sites.

use serde::{Deserialize, Serialize};

use super::lenient;

/// The configuration: one per page, always there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusEmbedConfig {
    /// Page it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// Corner of the other site in which it appears.
    #[serde(deserialize_with = "lenient::text")]
    pub position: Option<String>,
    /// Background during an incident, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub incident_background_color: Option<String>,
    /// Text during an incident, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub incident_text_color: Option<String>,
    /// Background during a maintenance, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub maintenance_background_color: Option<String>,
    /// Text during a maintenance, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub maintenance_text_color: Option<String>,
}

/// Changes to the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusEmbedConfigWrite {
    /// Corner of the other site in which it appears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Background during an incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_background_color: Option<String>,
    /// Text during an incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_text_color: Option<String>,
    /// Background during a maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_background_color: Option<String>,
    /// Text during a maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_text_color: Option<String>,
}
