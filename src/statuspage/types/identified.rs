//! What all objects of the service have in common.

use super::{Component, ComponentGroup, Incident, IncidentUpdate, Metric, MetricsProvider, Page, Subscriber};

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
    IncidentUpdate,
    Metric,
    MetricsProvider,
    Page,
    Subscriber,
);
