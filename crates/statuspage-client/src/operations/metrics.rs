//! Operations on metrics and their data.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use super::super::Error;
use super::super::types::{Metric, MetricPoint, MetricWrite};
use super::resources::operations;
use super::{Deletable, Operations, Readable, Resource, Resources, Updatable};

impl Resource for Metric {
    type Write = MetricWrite;
    const OPERATIONS: Operations = operations!("metric");
    const PATH: &'static str = "metrics";
    const ENVELOPE: &'static str = "metric";
}

impl Readable for Metric {}
impl Updatable for Metric {}
impl Deletable for Metric {}

impl Resources<Metric> {
    /// Sends one point of one metric and tells at which time it was filed. Sending it again does no harm.
    pub async fn send_point(&self, id: &str, point: MetricPoint) -> Result<MetricPoint, Error> {
        finite("send metric point", &[point])?;
        // The last point of a slot wins, so a repetition changes nothing.
        let call = self
            .call("send metric point", Method::POST, &[id, "data"])
            .enveloped("data", &point)
            .effectful(false);
        let reply = self.client.perform_and_hear(call).await?;
        let filed = reply.and_then(|mut reply| {
            let inner = reply.get_mut("data").map(Value::take).unwrap_or(reply);
            serde_json::from_value(inner).ok()
        });
        Ok(filed.unwrap_or(point))
    }

    /// Sends points of any number of metrics in one request. They are filed later, and bad ones vanish in silence.
    pub async fn send_points(&self, points: &BTreeMap<String, Vec<MetricPoint>>) -> Result<(), Error> {
        for points in points.values() {
            finite("send metric points", points)?;
        }
        let call = self
            .call("send metric points", Method::POST, &["data"])
            .enveloped("data", points)
            .effectful(false);
        self.client.perform(call).await
    }

    /// Removes every point of a metric.
    pub async fn delete_points(&self, id: &str) -> Result<Option<Metric>, Error> {
        let call = self.call("delete metric points", Method::DELETE, &[id, "data"]);
        self.client.remove(call.about(id)).await
    }
}

/// JSON has no words for figures that are not finite.
fn finite(operation: &'static str, points: &[MetricPoint]) -> Result<(), Error> {
    match points.iter().find(|point| !point.value.is_finite()) {
        None => Ok(()),
        Some(point) => Err(Error::InvalidRequest {
            operation,
            reason: format!("{} at {} is not a finite number", point.value, point.timestamp),
        }),
    }
}
