//! Operations on metrics providers.

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{Metric, MetricWrite, MetricsProvider, MetricsProviderWrite};
use super::super::{Client, Error};

/// The metrics providers of a page.
#[derive(Clone, Debug)]
pub struct MetricsProviders {
    client: Client,
    page: String,
}

impl MetricsProviders {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All providers of the page; the list has no pages.
    pub fn list(&self) -> ListReader<MetricsProvider> {
        let call = Call::get("list metrics providers", &["pages", &self.page, "metrics_providers"]);
        self.client.list(Paging::NONE, call)
    }

    /// One metrics provider.
    pub async fn get(&self, id: &str) -> Result<MetricsProvider, Error> {
        let call = Call::get("read metrics provider", &["pages", &self.page, "metrics_providers", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Creates a metrics provider.
    pub async fn create(&self, metrics_provider: &MetricsProviderWrite) -> Result<MetricsProvider, Error> {
        let call = Call::post("create metrics provider", &["pages", &self.page, "metrics_providers"])
            .enveloped("metrics_provider", metrics_provider);
        self.client.fetch_one(call).await
    }

    /// Changes a metrics provider; what is absent stays.
    pub async fn update(&self, id: &str, metrics_provider: &MetricsProviderWrite) -> Result<MetricsProvider, Error> {
        let call = Call::patch(
            "update metrics provider",
            &["pages", &self.page, "metrics_providers", id],
        )
        .about(id)
        .enveloped("metrics_provider", metrics_provider);
        self.client.fetch_one(call).await
    }

    /// Removes a metrics provider; the reply may or may not show what it was.
    pub async fn delete(&self, id: &str) -> Result<Option<MetricsProvider>, Error> {
        let call = Call::delete(
            "delete metrics provider",
            &["pages", &self.page, "metrics_providers", id],
        )
        .about(id);
        self.client.remove(call).await
    }

    /// The metrics of one provider.
    pub fn metrics(&self, provider: &str) -> ListReader<Metric> {
        let segments = ["pages", &self.page, "metrics_providers", provider, "metrics"];
        let call = Call::get("list metrics of a provider", &segments);
        self.client.list(Paging::USUAL, call)
    }

    /// Creates a metric; there is no other way than through its provider.
    pub async fn create_metric(&self, provider: &str, metric: &MetricWrite) -> Result<Metric, Error> {
        let segments = ["pages", &self.page, "metrics_providers", provider, "metrics"];
        let call = Call::post("create metric", &segments).enveloped("metric", metric);
        self.client.fetch_one(call).await
    }
}
