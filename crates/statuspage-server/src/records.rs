//! What is stored of each kind of object: plain data, as it lies in the database. What a request does to it is in the
//! file of its resource.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::vocabulary::{ComponentStatus, Impact, IncidentStatus, ProviderType, SubscriberMode, SubscriberState};

/// The settings of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Everything else under the names of the wire.
    pub(super) settings: Map<String, Value>,
    /// How the status looks inside other pages.
    #[serde(default)]
    pub(super) embed: StatusEmbed,
}

/// The configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StatusEmbed {
    pub(super) position: String,
    pub(super) incident_background_color: String,
    pub(super) incident_text_color: String,
    pub(super) maintenance_background_color: String,
    pub(super) maintenance_text_color: String,
}

/// A component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Component {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) group_id: Option<String>,
    pub(super) status: ComponentStatus,
    pub(super) showcase: bool,
    pub(super) only_show_if_degraded: bool,
    pub(super) automation_email: String,
    pub(super) start_date: Option<Date>,
    /// Its place among its siblings; it gets a new one whenever it changes its parent.
    pub(super) order: i64,
    /// When it took which status, oldest first.
    pub(super) history: Vec<(Timestamp, ComponentStatus)>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A group; its members are the components that name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ComponentGroup {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) order: i64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// An incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: IncidentStatus,
    /// The worst that was calculated during its life.
    pub(super) worst: Impact,
    pub(super) impact_override: Option<Impact>,
    /// The affected components.
    pub(super) component_ids: Vec<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) backfilled: bool,
    pub(super) scheduled_for: Option<Timestamp>,
    pub(super) scheduled_until: Option<Timestamp>,
    pub(super) scheduled_remind_prior: Option<bool>,
    pub(super) scheduled_reminded_at: Option<Timestamp>,
    pub(super) scheduled_auto_in_progress: bool,
    pub(super) scheduled_auto_completed: bool,
    pub(super) auto_transition_to_maintenance_state: Option<bool>,
    pub(super) auto_transition_to_operational_state: Option<bool>,
    pub(super) auto_transition_deliver_notifications_at_start: Option<bool>,
    pub(super) auto_transition_deliver_notifications_at_end: Option<bool>,
    pub(super) reminder_intervals: Option<String>,
    pub(super) monitoring_at: Option<Timestamp>,
    pub(super) resolved_at: Option<Timestamp>,
    pub(super) shortlink: String,
    pub(super) postmortem: Option<Postmortem>,
    /// Oldest first; replies show them newest first.
    pub(super) updates: Vec<IncidentUpdate>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// One update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct IncidentUpdate {
    pub(super) id: String,
    pub(super) status: IncidentStatus,
    pub(super) body: Option<String>,
    pub(super) display_at: Timestamp,
    pub(super) deliver_notifications: bool,
    pub(super) wants_twitter_update: bool,
    pub(super) affected: Vec<Affected>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// What an update did to a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Affected {
    /// The identifier of the component.
    pub(super) code: String,
    /// Its name, behind the name of its group if it has one.
    pub(super) name: String,
    pub(super) old_status: ComponentStatus,
    pub(super) new_status: ComponentStatus,
}

/// A postmortem.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Postmortem {
    pub(super) preview_key: String,
    pub(super) body: Option<String>,
    pub(super) body_updated_at: Option<Timestamp>,
    pub(super) body_draft: Option<String>,
    pub(super) body_draft_updated_at: Option<Timestamp>,
    pub(super) published_at: Option<Timestamp>,
    pub(super) notify_subscribers: bool,
    pub(super) notify_twitter: bool,
    pub(super) custom_tweet: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct IncidentTemplate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) group_id: Option<String>,
    pub(super) update_status: Option<IncidentStatus>,
    pub(super) should_tweet: bool,
    pub(super) should_send_notifications: bool,
    pub(super) component_ids: Vec<String>,
    pub(super) created_at: Timestamp,
}

/// A user. Membership of groups is kept here, groups show it from their side. Whether the user asked to hear of new
/// components is accepted and never shown, so it is not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PageAccessUser {
    pub(super) id: String,
    pub(super) email: Option<String>,
    pub(super) external_login: Option<String>,
    pub(super) group_ids: Vec<String>,
    pub(super) component_ids: Vec<String>,
    pub(super) metric_ids: Vec<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PageAccessGroup {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) external_identifier: Option<String>,
    pub(super) component_ids: Vec<String>,
    pub(super) metric_ids: Vec<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct MetricsProvider {
    pub(super) id: String,
    pub(super) kind: ProviderType,
    pub(super) metric_base_uri: Option<String>,
    pub(super) disabled: bool,
    pub(super) last_revalidated_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A metric. How its values are aggregated is accepted, checked and never shown again, so it is not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Metric {
    pub(super) id: String,
    pub(super) provider_id: String,
    pub(super) display_id: String,
    pub(super) name: String,
    pub(super) metric_identifier: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) y_axis_min: Option<f64>,
    pub(super) y_axis_max: Option<f64>,
    pub(super) y_axis_hidden: bool,
    pub(super) display: bool,
    pub(super) decimal_places: Option<i64>,
    pub(super) tooltip_description: Option<String>,
    pub(super) most_recent_data_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A subscriber of a page, or of one incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Subscriber {
    pub(super) id: String,
    /// Set when only one incident is subscribed to.
    pub(super) incident_id: Option<String>,
    pub(super) mode: SubscriberMode,
    pub(super) state: SubscriberState,
    pub(super) email: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) phone_number: Option<String>,
    pub(super) phone_country: Option<String>,
    /// The number as people write it abroad, which is the same for every way of writing it.
    #[serde(default)]
    pub(super) display_phone_number: Option<String>,
    pub(super) skip_confirmation_notification: bool,
    /// Empty means everything.
    pub(super) component_ids: Vec<String>,
    pub(super) page_access_user_id: Option<String>,
    pub(super) quarantined_at: Option<Timestamp>,
    pub(super) purge_at: Option<Timestamp>,
    pub(super) unsubscribed_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
}

/// A member of the team. The password is checked to be there and never kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    /// The roles on each page that the user may enter.
    pub(super) permissions: BTreeMap<String, Roles>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// The roles of a user on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Roles {
    pub(super) page_configuration: bool,
    pub(super) incident_manager: bool,
    pub(super) maintenance_manager: bool,
}
