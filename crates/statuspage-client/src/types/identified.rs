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

    /// When it was made, where the service says so.
    fn created_at(&self) -> Option<Timestamp> {
        None
    }

    /// When it last moved, where the service says so.
    fn updated_at(&self) -> Option<Timestamp> {
        None
    }
}

macro_rules! identified {
    ($($name:ty: $($time:ident)*;)+) => {
        $(impl Identified for $name {
            fn id(&self) -> &str {
                &self.id
            }

            $(fn $time(&self) -> Option<Timestamp> {
                self.$time
            })*
        })+
    };
}

identified! {
    Component: created_at updated_at;
    ComponentGroup: created_at updated_at;
    Incident: created_at updated_at;
    IncidentTemplate: ;
    IncidentUpdate: created_at updated_at;
    Metric: created_at updated_at;
    MetricsProvider: created_at updated_at;
    OrganizationUser: created_at updated_at;
    Page: created_at updated_at;
    PageAccessGroup: created_at updated_at;
    PageAccessUser: created_at updated_at;
    Subscriber: created_at;
}
