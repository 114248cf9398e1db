//! Operations on metrics and their data.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{Metric, MetricPoint, MetricWrite};
use super::super::{Client, Error};

/// The metrics of a page. They are created through their provider.
#[derive(Clone, Debug)]
pub struct Metrics {
    client: Client,
    page: String,
}

impl Metrics {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All metrics of the page, whatever their provider.
    pub fn list(&self) -> ListReader<Metric> {
        let call = Call::get("list metrics", &["pages", &self.page, "metrics"]);
        self.client.list(Paging::USUAL, call)
    }

    /// One metric.
    pub async fn get(&self, id: &str) -> Result<Metric, Error> {
        let call = Call::get("read metric", &["pages", &self.page, "metrics", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Changes a metric; what is absent stays.
    pub async fn update(&self, id: &str, metric: &MetricWrite) -> Result<Metric, Error> {
        let call = Call::patch("update metric", &["pages", &self.page, "metrics", id])
            .about(id)
            .enveloped("metric", metric);
        self.client.fetch_one(call).await
    }

    /// Removes a metric; the reply may or may not show what it was.
    pub async fn delete(&self, id: &str) -> Result<Option<Metric>, Error> {
        let call = Call::delete("delete metric", &["pages", &self.page, "metrics", id]).about(id);
        self.client.remove(call).await
    }

    /// Sends one point of one metric and tells at which time it was filed. Sending it again does no harm.
    pub async fn send_point(&self, id: &str, point: MetricPoint) -> Result<MetricPoint, Error> {
        finite("send metric point", &[point])?;
        // The last point of a slot wins, so a repetition changes nothing.
        let call = Call::post("send metric point", &["pages", &self.page, "metrics", id, "data"])
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
        let call = Call::post("send metric points", &["pages", &self.page, "metrics", "data"])
            .enveloped("data", points)
            .effectful(false);
        self.client.perform(call).await
    }

    /// Removes every point of a metric.
    pub async fn delete_points(&self, id: &str) -> Result<Option<Metric>, Error> {
        let segments = ["pages", &self.page, "metrics", id, "data"];
        let call = Call::delete("delete metric points", &segments).about(id);
        self.client.remove(call).await
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
