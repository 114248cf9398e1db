//! `Metric`: a chart on the page.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, Deletion, DeletionPolicy, Kind, KindSpec, LocalReference, ObjectStatus, Reference, ReplacePolicy,
};

/// How the provider's values become one value. The last two are for Pingdom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum TransformName {
    /// Mean.
    Average,
    /// Number.
    Count,
    /// Largest.
    Max,
    /// Smallest.
    Min,
    /// Sum.
    Sum,
    /// Pingdom: response time.
    ResponseTime,
    /// Pingdom: uptime.
    Uptime,
}

impl TransformName {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Count => "count",
            Self::Max => "max",
            Self::Min => "min",
            Self::Sum => "sum",
            Self::ResponseTime => "response_time",
            Self::Uptime => "uptime",
        }
    }
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.at) != has(self.ago)").message("a data point has exactly one of at and ago"))]
pub struct DataPoint {
    /// Time of the value. Statuspage keeps 28 days and moves the time to the nearest 30 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Time of the value as its age when it is sent, a duration such as 90m; for examples and for filling a new metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("ago is a duration such as 90m or 1h30m"))]
    pub ago: Option<String>,
    /// The value.
    pub value: f64,
}

/// A metric of the page. Only name and metricIdentifier can be changed later by the Statuspage API.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "Metric",
    doc = "A metric of a page, shown as a chart.",
    namespaced,
    cel,
    status = "MetricStatus",
    derive = "PartialEq",
    shortname = "spmetric",
    category = "statuspage-all",
    selectable = ".spec.pageRef.name",
    selectable = ".status.id",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Data", type_ = "date", json_path = ".status.mostRecentDataAt"),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.id"),
    printcolumn(name = "Page", type_ = "string", json_path = ".spec.pageRef.name"),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status",
        priority = 1
    ),
    printcolumn(name = "Last sync", type_ = "date", json_path = ".status.lastSyncTime", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("!has(self.yAxisMin) || !has(self.yAxisMax) || self.yAxisMin < self.yAxisMax").message("yAxisMin must be below yAxisMax"),
    validation = Rule::new("has(self.providerRef) == has(oldSelf.providerRef) && (!has(self.providerRef) || self.providerRef == oldSelf.providerRef)").message("the provider of a metric cannot be changed: declare another metric")
)]
#[serde(rename_all = "camelCase")]
pub struct MetricSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The MetricsProvider that gives the values; the page's provider of type Self when absent. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<LocalReference>,
    /// Name that visitors see; metadata.name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// What the provider is asked for: its query or the name of its metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_identifier: Option<String>,
    /// How the provider's values become one. Only used when the metric is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<TransformName>,
    /// Application, for NewRelic. Only used when the metric is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// Unit shown after the values, such as ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub suffix: Option<String>,
    /// Lower end of the chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_axis_min: Option<f64>,
    /// Upper end of the chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_axis_max: Option<f64>,
    /// True hides the axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_axis_hidden: Option<bool>,
    /// False hides the metric from the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<bool>,
    /// Decimal places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20))]
    pub decimal_places: Option<i64>,
    /// Text of the tooltip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tooltip_description: Option<String>,
    /// Values to send; only for providers of type Self. All of them are sent again when the list changes: the last
    /// value of a time wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3000))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub data: Vec<DataPoint>,
    /// What happens to the remote metric and its data when this declaration is deleted: Delete or Orphan. Default:
    /// Delete, but Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What to do when a declared change can only be made by deleting the remote metric, with its data, and creating it
    /// again: Never (default) reports it, WhenNeeded does it. Only where deletionPolicy is Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_policy: Option<ReplacePolicy>,
}

impl KindSpec for MetricSpec {
    type Object = Metric;
    const NOUN: &'static str = "metric";
    const LOST_WITH_IT: Option<&'static str> = Some("its data points are lost");
    const RECORDED: &'static [&'static str] = &["providerId"];

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn replace_policy(&self) -> Option<ReplacePolicy> {
        Some(self.replace_policy.unwrap_or_default())
    }

    fn references(&self) -> Vec<Reference<'_>> {
        Reference::field(Kind::MetricsProvider, "providerRef", &self.provider_ref)
    }
}

/// What is known of the remote metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// Time of the newest value that the page has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_recent_data_at: Option<Time>,
    /// Id of the page's metrics provider of type Self that was created for this metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
}
