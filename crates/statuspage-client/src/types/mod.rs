//! Wire types. Read types accept whatever a reply may hold; write types send exactly what was set.

mod component;
mod component_group;
mod identified;
mod incident;
mod incident_template;
mod incident_update;
mod lenient;
mod metric;
mod metric_data;
mod metrics_provider;
mod open_enum;
mod organization;
mod page;
mod page_access;
mod postmortem;
mod secret;
mod status_embed;
mod strict;
mod subscriber;
mod summary;

pub use component::{Component, ComponentStatus, ComponentWrite, Uptime};
pub use component_group::{ComponentGroup, ComponentGroupWrite};
pub use identified::Identified;
pub use incident::{Incident, IncidentImpact, IncidentStatus, IncidentWrite};
pub use incident_template::{IncidentTemplate, IncidentTemplateWrite};
pub use incident_update::{AffectedComponent, IncidentUpdate, IncidentUpdateWrite};
pub use metric::{Metric, MetricTransform, MetricWrite};
pub use metric_data::MetricPoint;
pub use metrics_provider::{MetricsProvider, MetricsProviderType, MetricsProviderWrite};
pub use organization::{OrganizationUser, OrganizationUserWrite, PageRoles, Permissions};
pub use page::{Branding, Page, PageWrite};
pub use page_access::{PageAccessGroup, PageAccessGroupWrite, PageAccessUser, PageAccessUserWrite};
pub use postmortem::{Postmortem, PostmortemPublish, PostmortemWrite};
pub use secret::Secret;
pub use status_embed::{StatusEmbedConfig, StatusEmbedConfigWrite};
pub use subscriber::{
    Subscriber, SubscriberCount, SubscriberHistogram, SubscriberMode, SubscriberState, SubscriberStates,
    SubscriberWrite,
};
pub use summary::{Indicator, Summary, SummaryPage};

#[cfg(test)]
mod tests;
