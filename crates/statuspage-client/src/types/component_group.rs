//! Component groups.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{lenient, strict};

/// A group of components.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ComponentGroup {
    /// Identity; also the id of its row in the list of components.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Page it is on.
    #[serde(deserialize_with = "lenient::text")]
    pub page_id: Option<String>,
    /// Name.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Text below the name.
    #[serde(deserialize_with = "lenient::text")]
    pub description: Option<String>,
    /// Its members; the order means nothing.
    #[serde(deserialize_with = "lenient::codes")]
    pub components: Vec<String>,
    /// Place on the page; cannot be set.
    #[serde(deserialize_with = "lenient::integer")]
    pub position: Option<i64>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A group to create, or changes to one: both need the name and all members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComponentGroupWrite {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text below the name.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// All members; who is left out becomes ungrouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<String>>,
}
