//! Providers, where metrics get their data from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Secret, lenient, open_enum::open_enum};

open_enum! {
    /// Kind of a provider.
    pub enum MetricsProviderType {
        /// Pingdom.
        Pingdom => "Pingdom",
        /// New Relic.
        NewRelic => "NewRelic",
        /// Librato.
        Librato => "Librato",
        /// Datadog.
        Datadog => "Datadog",
        /// Data that the owner sends.
        SelfManaged => "Self",
    }
}

/// A provider. Its credentials are never returned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsProvider {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Kind.
    #[serde(deserialize_with = "lenient::word")]
    pub r#type: Option<MetricsProviderType>,
    /// Base address of the provider.
    #[serde(deserialize_with = "lenient::text")]
    pub metric_base_uri: Option<String>,
    /// Whether the remote service turned it off after failures.
    #[serde(deserialize_with = "lenient::flag")]
    pub disabled: Option<bool>,
    /// When its credentials were last checked.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub last_revalidated_at: Option<Timestamp>,
    /// Page it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A provider to create, or changes to one. Credentials are never printed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsProviderWrite {
    /// Kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<MetricsProviderType>,
    /// Base address of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_base_uri: Option<String>,
    /// Account, for Librato.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Password, for old Pingdom accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Key, for Datadog and New Relic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Token, for Librato and Pingdom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token: Option<Secret>,
    /// Application key, for Datadog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_key: Option<Secret>,
}
