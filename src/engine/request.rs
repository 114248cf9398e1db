//! The remote writes that the engine can ask for.

use std::collections::BTreeMap;

use crate::statuspage::{
    ComponentGroupWrite, ComponentWrite, IncidentUpdateWrite, IncidentWrite, MetricPoint, MetricWrite,
    MetricsProviderWrite, PageWrite, PostmortemPublish, PostmortemWrite, SubscriberWrite,
};

/// One remote write: exactly one HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Changes settings of the page.
    UpdatePage(Box<PageWrite>),
    /// Creates a component.
    CreateComponent(ComponentWrite),
    /// Changes the component with this id.
    UpdateComponent(String, ComponentWrite),
    /// Deletes the component with this id.
    DeleteComponent(String),
    /// Creates a group.
    CreateComponentGroup(ComponentGroupWrite),
    /// Changes the group with this id.
    UpdateComponentGroup(String, ComponentGroupWrite),
    /// Deletes the group with this id; its components stay.
    DeleteComponentGroup(String),
    /// Creates an incident, with its first update.
    CreateIncident(Box<IncidentWrite>),
    /// Changes the incident with this id; a body publishes an update.
    UpdateIncident(String, Box<IncidentWrite>),
    /// Deletes the incident with this id and its history.
    DeleteIncident(String),
    /// Corrects a published update: incident, update, change.
    UpdateIncidentUpdate(String, String, IncidentUpdateWrite),
    /// Stores the draft of the postmortem of this incident.
    WritePostmortem(String, PostmortemWrite),
    /// Publishes the postmortem of this incident.
    PublishPostmortem(String, PostmortemPublish),
    /// Takes the postmortem of this incident back into a draft.
    RevertPostmortem(String),
    /// Creates a provider.
    CreateMetricsProvider(Box<MetricsProviderWrite>),
    /// Changes the provider with this id.
    UpdateMetricsProvider(String, Box<MetricsProviderWrite>),
    /// Deletes the provider with this id and its metrics.
    DeleteMetricsProvider(String),
    /// Creates a metric under the provider with this id.
    CreateMetric(String, Box<MetricWrite>),
    /// Changes the metric with this id.
    UpdateMetric(String, Box<MetricWrite>),
    /// Deletes the metric with this id and its data.
    DeleteMetric(String),
    /// Sends data points, by metric id.
    SubmitMetricData(BTreeMap<String, Vec<MetricPoint>>),
    /// Creates a subscriber.
    CreateSubscriber(Box<SubscriberWrite>),
    /// Chooses what the subscriber with this id hears about; none is everything.
    UpdateSubscriber(String, Option<Vec<String>>),
    /// Unsubscribes the subscriber with this id; true says nothing to it.
    DeleteSubscriber(String, bool),
}

impl Request {
    /// The name that a creation sends, for objects that are recognised by their name.
    pub fn title(&self) -> Option<&str> {
        match self {
            Request::CreateComponent(write) => write.name.as_deref(),
            Request::CreateComponentGroup(write) => write.name.as_deref(),
            Request::CreateMetric(_, write) => write.name.as_deref(),
            _ => None,
        }
    }

    /// The method on the wire.
    pub fn method(&self) -> &'static str {
        use Request::*;
        match self {
            CreateComponent(_)
            | CreateComponentGroup(_)
            | CreateIncident(_)
            | CreateMetricsProvider(_)
            | CreateMetric(..)
            | SubmitMetricData(_)
            | CreateSubscriber(_) => "POST",
            WritePostmortem(..) | PublishPostmortem(..) | RevertPostmortem(_) => "PUT",
            DeleteComponent(_)
            | DeleteComponentGroup(_)
            | DeleteIncident(_)
            | DeleteMetricsProvider(_)
            | DeleteMetric(_)
            | DeleteSubscriber(..) => "DELETE",
            UpdatePage(_)
            | UpdateComponent(..)
            | UpdateComponentGroup(..)
            | UpdateIncident(..)
            | UpdateIncidentUpdate(..)
            | UpdateMetricsProvider(..)
            | UpdateMetric(..)
            | UpdateSubscriber(..) => "PATCH",
        }
    }
}
