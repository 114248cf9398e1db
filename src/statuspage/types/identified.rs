//! What all objects of the service have in common.

use super::{
    Component, ComponentGroup, Incident, IncidentTemplate, IncidentUpdate, Metric, MetricsProvider, OrganizationUser,
    Page, PageAccessGroup, PageAccessUser, Subscriber,
};

/// An object with an identity.
pub trait Identified {
    /// Its identity.
    fn id(&self) -> &str;
}

macro_rules! identified {
    ($($name:ty),+ $(,)?) => {
        $(impl Identified for $name {
            fn id(&self) -> &str {
                &self.id
            }
        })+
    };
}

identified!(
    Component,
    ComponentGroup,
    Incident,
    IncidentTemplate,
    IncidentUpdate,
    Metric,
    MetricsProvider,
    OrganizationUser,
    Page,
    PageAccessGroup,
    PageAccessUser,
    Subscriber,
);
