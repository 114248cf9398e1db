//! What all objects of the service have in common.

use jiff::Timestamp;

use super::{
    Component, ComponentGroup, Incident, IncidentTemplate, IncidentUpdate, Metric, MetricsProvider, OrganizationUser,
    Page, PageAccessGroup, PageAccessUser, Subscriber,
};

/// An object with an identity.
pub trait Identified {
    /// Its identity.
    fn id(&self) -> &str;

    /// When it last moved, where the service says so.
    fn updated_at(&self) -> Option<Timestamp> {
        None
    }
}

macro_rules! identified {
    ($($name:ty),+ $(,)?) => {
        $(impl Identified for $name {
            fn id(&self) -> &str {
                &self.id
            }

            fn updated_at(&self) -> Option<Timestamp> {
                self.updated_at
            }
        })+
    };
}

identified!(
    Component,
    ComponentGroup,
    Incident,
    IncidentUpdate,
    Metric,
    MetricsProvider,
    OrganizationUser,
    Page,
    PageAccessGroup,
    PageAccessUser,
);

// Neither tells when it last moved.
impl Identified for IncidentTemplate {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Subscriber {
    fn id(&self) -> &str {
        &self.id
    }
}
