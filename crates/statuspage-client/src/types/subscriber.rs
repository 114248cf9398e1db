//! Subscribers of a page or of one incident.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{lenient, open_enum::open_enum};

open_enum! {
    /// How a subscriber is reached.
    pub enum SubscriberMode {
        /// Email.
        Email => "email",
        /// Text message.
        Sms => "sms",
        /// HTTP call.
        Webhook => "webhook",
        /// Slack.
        Slack => "slack",
        /// Microsoft Teams.
        Teams => "teams",
        /// A partner of the remote service.
        IntegrationPartner => "integration_partner",
    }
}

open_enum! {
    /// Which subscribers are meant.
    pub enum SubscriberState {
        /// Those who are notified.
        Active => "active",
        /// Those who have not yet confirmed.
        Unconfirmed => "unconfirmed",
        /// Those who could not be reached.
        Quarantined => "quarantined",
        /// All of them; only in questions.
        All => "all",
    }
}

/// A subscriber.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscriber {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// How it is reached.
    #[serde(deserialize_with = "lenient::word")]
    pub mode: Option<SubscriberMode>,
    /// Address, or contact of a webhook.
    #[serde(deserialize_with = "lenient::text")]
    pub email: Option<String>,
    /// Address that is called.
    #[serde(deserialize_with = "lenient::text")]
    pub endpoint: Option<String>,
    /// Country of the number.
    #[serde(deserialize_with = "lenient::text")]
    pub phone_country: Option<String>,
    /// National number.
    #[serde(deserialize_with = "lenient::text")]
    pub phone_number: Option<String>,
    /// The number as people write it.
    #[serde(deserialize_with = "lenient::text")]
    pub display_phone_number: Option<String>,
    /// Whether it was taken in without being asked.
    #[serde(deserialize_with = "lenient::flag")]
    pub skip_confirmation_notification: Option<bool>,
    /// Viewer it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub page_access_user_id: Option<String>,
    /// Components subscribed to; empty means all.
    #[serde(deserialize_with = "lenient::codes")]
    pub components: Vec<String>,
    /// Slack channel, partly hidden.
    #[serde(deserialize_with = "lenient::text")]
    pub obfuscated_channel_name: Option<String>,
    /// Slack workspace.
    #[serde(deserialize_with = "lenient::text")]
    pub workspace_name: Option<String>,
    /// When it could no longer be reached.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub quarantined_at: Option<Timestamp>,
    /// When it will be removed.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub purge_at: Option<Timestamp>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
}

/// A subscriber to create. Only the components can change afterwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriberWrite {
    /// Address, for email; contact, for webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Address that is called, for webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Country of the number, two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_country: Option<String>,
    /// National number, for text messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the subscriber is taken in without being asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_confirmation_notification: Option<bool>,
    /// Viewer it belongs to, on audience-specific pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_access_user: Option<String>,
    /// Components subscribed to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_ids: Option<Vec<String>>,
}

/// Number of subscribers of each kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriberCount {
    /// By email.
    #[serde(deserialize_with = "lenient::count")]
    pub email: u64,
    /// By text message.
    #[serde(deserialize_with = "lenient::count")]
    pub sms: u64,
    /// By webhook.
    #[serde(deserialize_with = "lenient::count")]
    pub webhook: u64,
    /// By partner.
    #[serde(deserialize_with = "lenient::count")]
    pub integration_partner: u64,
    /// By Slack.
    #[serde(deserialize_with = "lenient::count")]
    pub slack: u64,
    /// By Microsoft Teams.
    #[serde(deserialize_with = "lenient::count")]
    pub teams: u64,
}

/// Number of subscribers of one kind in each state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriberStates {
    /// Notified.
    #[serde(deserialize_with = "lenient::count")]
    pub active: u64,
    /// Not yet confirmed.
    #[serde(deserialize_with = "lenient::count")]
    pub unconfirmed: u64,
    /// Not reachable.
    #[serde(deserialize_with = "lenient::count")]
    pub quarantined: u64,
    /// All of them.
    #[serde(deserialize_with = "lenient::count")]
    pub total: u64,
}

/// Number of subscribers by kind and state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriberHistogram {
    /// By email.
    #[serde(deserialize_with = "lenient::or_default")]
    pub email: SubscriberStates,
    /// By text message.
    #[serde(deserialize_with = "lenient::or_default")]
    pub sms: SubscriberStates,
    /// By webhook.
    #[serde(deserialize_with = "lenient::or_default")]
    pub webhook: SubscriberStates,
    /// By partner.
    #[serde(deserialize_with = "lenient::or_default")]
    pub integration_partner: SubscriberStates,
    /// By Slack.
    #[serde(deserialize_with = "lenient::or_default")]
    pub slack: SubscriberStates,
    /// By Microsoft Teams.
    #[serde(deserialize_with = "lenient::or_default")]
    pub teams: SubscriberStates,
}
