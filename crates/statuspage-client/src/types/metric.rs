//! Metrics, the graphs of a page.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{lenient, open_enum::open_enum, strict};

open_enum! {
    /// How the points of a metric are combined.
    pub enum MetricTransform {
        /// Mean.
        Average => "average",
        /// Number of points.
        Count => "count",
        /// Largest.
        Max => "max",
        /// Smallest.
        Min => "min",
        /// Total.
        Sum => "sum",
        /// Response time, Pingdom only.
        ResponseTime => "response_time",
        /// Uptime, Pingdom only.
        Uptime => "uptime",
    }
}

/// A graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Provider of its data; cannot change.
    #[serde(deserialize_with = "lenient::text")]
    pub metrics_provider_id: Option<String>,
    /// Id of its place on the page.
    #[serde(deserialize_with = "lenient::text")]
    pub metrics_display_id: Option<String>,
    /// Name shown to visitors.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Query or name at the provider.
    #[serde(deserialize_with = "lenient::text")]
    pub metric_identifier: Option<String>,
    /// Unit behind the figures.
    #[serde(deserialize_with = "lenient::text")]
    pub suffix: Option<String>,
    /// Lower end of the axis.
    #[serde(deserialize_with = "lenient::number")]
    pub y_axis_min: Option<f64>,
    /// Upper end of the axis.
    #[serde(deserialize_with = "lenient::number")]
    pub y_axis_max: Option<f64>,
    /// Whether the axis is hidden.
    #[serde(deserialize_with = "lenient::flag")]
    pub y_axis_hidden: Option<bool>,
    /// Whether it is on the page.
    #[serde(deserialize_with = "lenient::flag")]
    pub display: Option<bool>,
    /// Digits after the point.
    #[serde(deserialize_with = "lenient::integer")]
    pub decimal_places: Option<i64>,
    /// Explanation shown to visitors.
    #[serde(deserialize_with = "lenient::text")]
    pub tooltip_description: Option<String>,
    /// Whether old data was loaded.
    #[serde(deserialize_with = "lenient::flag")]
    pub backfilled: Option<bool>,
    /// How much of it was loaded.
    #[serde(deserialize_with = "lenient::number")]
    pub backfill_percentage: Option<f64>,
    /// Time of its newest point.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub most_recent_data_at: Option<Timestamp>,
    /// When the provider was last asked.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub last_fetched_at: Option<Timestamp>,
    /// Internal name.
    #[serde(deserialize_with = "lenient::text")]
    pub reference_name: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A metric to create, or changes to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricWrite {
    /// Name shown to visitors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Query or name at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_identifier: Option<String>,
    /// How points are combined; only creation takes it and no reply returns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<MetricTransform>,
    /// Application, for New Relic; only creation takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// Unit behind the figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Lower end of the axis.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "strict::number")]
    pub y_axis_min: Option<f64>,
    /// Upper end of the axis.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "strict::number")]
    pub y_axis_max: Option<f64>,
    /// Whether the axis is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y_axis_hidden: Option<bool>,
    /// Whether it is on the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<bool>,
    /// Digits after the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal_places: Option<i64>,
    /// Explanation shown to visitors.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub tooltip_description: Option<Option<String>>,
}
