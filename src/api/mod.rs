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
mod duration;
mod incident;
mod incident_template;
mod kind;
mod metric;
mod metrics_provider;
mod opening;
mod organization_user;
mod page_access_group;
mod page_access_user;
mod policy;
mod reason;
mod reference;
mod schema;
mod spec;
mod status;
mod status_page;
mod subscriber;

pub use annotation::{
    ALLOW_DELETES, ALLOW_RECREATES, ANNOTATIONS, ASKED_BESIDE, FINALIZER, ID, REACTIVATE, REQUESTED_AT,
    RESEND_CONFIRMATION, RESET_DATA,
};
pub use common::CommonSpec;
pub use component::{Component, ComponentObservation, ComponentSpec, ComponentStatus, ComponentStatusName, Uptime};
pub use component_group::{ComponentGroup, ComponentGroupSpec, ComponentGroupStatus};
pub use duration::parse_duration;
pub use incident::{
    ImpactName, Incident, IncidentSpec, IncidentStatus, IncidentStatusName, IncidentSubscriber, IncidentUpdate,
    PostmortemSpec, PublishedUpdate, Schedule,
};
pub use incident_template::{IncidentTemplate, IncidentTemplateSpec, IncidentTemplateStatus};
pub use kind::{GROUP, Kind, Object, Spec, Status, VERSION};
pub(crate) use kind::{with_kind, with_object, with_spec};
pub use metric::{DataPoint, Metric, MetricSpec, MetricStatus, TransformName};
pub use metrics_provider::{MetricsProvider, MetricsProviderSpec, MetricsProviderStatus, ProviderTypeName};
pub use opening::{Opening, OpeningError};
pub use organization_user::{OrganizationUser, OrganizationUserSpec, OrganizationUserStatus, PagePermission};
pub use page_access_group::{PageAccessGroup, PageAccessGroupSpec, PageAccessGroupStatus};
pub use page_access_user::{PageAccessUser, PageAccessUserSpec, PageAccessUserStatus};
pub use policy::{
    AdoptionPolicy, Deletion, DeletionPolicy, DriftPolicy, IncidentDeletionPolicy, ManagementPolicy, PolicyDefaults,
    ReplacePolicy,
};
pub use reason::{Reason, conditions_page};
pub use reference::{LocalReference, PageReference, SecretReference, TemplateReference};
pub(crate) use spec::shortened;
pub use spec::{KindSpec, Reference, SecretField, ShownIdentity, SpecPath};
pub use status::{Drift, Journal, ObjectStatus};
pub use status_page::{
    AllowedNamespaces, ApiAccess, BrandingName, NamespaceGrant, Observation, PageColors, PageSettings, StatusEmbed,
    StatusPage, StatusPageSpec, StatusPageStatus, SubscriberCounts,
};
pub use subscriber::{PhoneNumber, Subscriber, SubscriberSpec, SubscriberStatus, WebhookEndpoint};
