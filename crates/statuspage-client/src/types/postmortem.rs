//! Postmortems of incidents.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{lenient, strict};

/// The draft and the published text of a postmortem.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Postmortem {
    /// Key of the preview link.
    #[serde(deserialize_with = "lenient::text")]
    pub preview_key: Option<String>,
    /// Published text.
    #[serde(deserialize_with = "lenient::text")]
    pub body: Option<String>,
    /// When the published text changed.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub body_updated_at: Option<Timestamp>,
    /// Draft.
    #[serde(deserialize_with = "lenient::text")]
    pub body_draft: Option<String>,
    /// When the draft changed.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub body_draft_updated_at: Option<Timestamp>,
    /// When it was published.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub published_at: Option<Timestamp>,
    /// Whether subscribers were told.
    #[serde(deserialize_with = "lenient::flag")]
    pub notify_subscribers: Option<bool>,
    /// Whether it was tweeted.
    #[serde(deserialize_with = "lenient::flag")]
    pub notify_twitter: Option<bool>,
    /// Text of the tweet.
    #[serde(deserialize_with = "lenient::text")]
    pub custom_tweet: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// The draft to store; publishing is a separate call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostmortemWrite {
    /// Draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_draft: Option<String>,
}

/// How to announce a postmortem.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostmortemPublish {
    /// Whether it is tweeted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_twitter: Option<bool>,
    /// Whether subscribers are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_subscribers: Option<bool>,
    /// Text of the tweet.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub custom_tweet: Option<Option<String>>,
}
