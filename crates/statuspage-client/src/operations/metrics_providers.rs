//! Operations on metrics providers.

use super::super::paging::Paging;
use super::super::types::{Metric, MetricWrite, MetricsProvider, MetricsProviderWrite};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Readable, Resource, Resources, Updatable};

impl Resource for MetricsProvider {
    type Write = MetricsProviderWrite;
    const OPERATIONS: Operations = operations!("metrics provider");
    const PATH: &'static str = "metrics_providers";
    const ENVELOPE: &'static str = "metrics_provider";
    const PAGING: Paging = Paging::NONE;
}

impl Creatable for MetricsProvider {}
impl Readable for MetricsProvider {}
impl Updatable for MetricsProvider {}
impl Deletable for MetricsProvider {}

impl Resource<MetricsProvider> for Metric {
    type Write = MetricWrite;
    const OPERATIONS: Operations = Operations {
        list: "list metrics of a provider",
        ..operations!("metric")
    };
    const PATH: &'static str = "metrics";
    const ENVELOPE: &'static str = "metric";
}

impl Creatable<MetricsProvider> for Metric {}

impl Resources<MetricsProvider> {
    /// The metrics of one provider. There is no other way to create one.
    #[must_use]
    pub fn metrics(&self, provider: &str) -> Resources<Metric, MetricsProvider> {
        Resources::new(&self.client, &self.path(&[provider]))
    }
}
