//! The custom resources of `statuspage-operator.io/v1alpha1`: plain types, their schema and their validation rules.
//!
//! A file per kind; [`CommonSpec`], [`ObjectStatus`] and the policy words are shared. Nothing here decides anything
//! beyond whether a manifest is well-formed.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn of a kind has the same keys"
)]

mod annotation;
mod common;
mod component;
mod component_group;
mod incident;
mod kind;
mod metric;
mod metrics_provider;
mod policy;
mod reason;
mod reference;
mod schema;
mod status;
mod status_page;
mod subscriber;

pub use annotation::{ALLOW_DELETES, FINALIZER, ID, REQUESTED_AT};
pub use common::CommonSpec;
pub use component::{Component, ComponentSpec, ComponentStatus, ComponentStatusName};
pub use component_group::{ComponentGroup, ComponentGroupSpec, ComponentGroupStatus};
pub use incident::{
    ImpactName, Incident, IncidentSpec, IncidentStatus, IncidentStatusName, IncidentUpdate, PostmortemSpec,
    PublishedUpdate, Schedule,
};
pub use kind::{GROUP, Kind, VERSION};
pub use metric::{DataPoint, Metric, MetricSpec, MetricStatus, TransformName};
pub use metrics_provider::{MetricsProvider, MetricsProviderSpec, MetricsProviderStatus, ProviderTypeName};
pub use policy::{
    AdoptionPolicy, DeletionPolicy, DriftPolicy, IncidentDeletionPolicy, ManagementPolicy, PolicyDefaults,
};
pub use reason::{Reason, conditions_page};
pub use reference::{LocalReference, PageReference, SecretReference};
pub use status::{Drift, Journal, ObjectStatus};
pub use status_page::{
    AllowedNamespaces, ApiAccess, NamespaceGrant, PageSettings, StatusPage, StatusPageSpec, StatusPageStatus,
};
pub use subscriber::{PhoneNumber, Subscriber, SubscriberSpec, SubscriberStatus, WebhookEndpoint};
