//! Who may see which parts of an audience-specific page: users and groups of users.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{lenient, strict};

/// Somebody who may see parts of the page. What was granted to the user alone is not in the entity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageAccessUser {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Page it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// Address.
    #[serde(deserialize_with = "lenient::text")]
    pub email: Option<String>,
    /// User id at the identity provider.
    #[serde(deserialize_with = "lenient::text")]
    pub external_login: Option<String>,
    /// The groups that the user is in.
    #[serde(deserialize_with = "lenient::codes")]
    pub page_access_group_ids: Vec<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A user to create, or changes to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageAccessUserWrite {
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// User id at the identity provider.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub external_login: Option<Option<String>>,
    /// The groups that the user is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_access_group_ids: Option<Vec<String>>,
    /// Subscribes the user to every component that is granted; never returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribe_to_components: Option<bool>,
}

/// A group of users who may see the same parts of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageAccessGroup {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Page it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// Name.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// The group at the identity provider that it stands for.
    #[serde(deserialize_with = "lenient::text")]
    pub external_identifier: Option<String>,
    /// Its users.
    #[serde(deserialize_with = "lenient::codes")]
    pub page_access_user_ids: Vec<String>,
    /// The components that it may see.
    #[serde(deserialize_with = "lenient::codes")]
    pub component_ids: Vec<String>,
    /// The metrics that it may see.
    #[serde(deserialize_with = "lenient::codes")]
    pub metric_ids: Vec<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A group to create, or changes to one. A list that is given replaces the known one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageAccessGroupWrite {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The group at the identity provider that it stands for.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub external_identifier: Option<Option<String>>,
    /// Its users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_access_user_ids: Option<Vec<String>>,
    /// The components that it may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_ids: Option<Vec<String>>,
    /// The metrics that it may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_ids: Option<Vec<String>>,
}
