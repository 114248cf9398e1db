//! Points of metrics.

use serde::{Deserialize, Serialize};

use super::lenient;

/// One point of a metric. The remote service moves it to a grid of 30 seconds; the last one in a slot wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricPoint {
    /// Seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub timestamp: i64,
    /// The figure; it must be finite.
    #[serde(deserialize_with = "figure")]
    pub value: f64,
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(lenient::integer(deserializer)?.unwrap_or_default())
}

fn figure<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(lenient::number(deserializer)?.unwrap_or_default())
}
