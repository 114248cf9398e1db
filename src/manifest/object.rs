//! A declaration of any kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::Value;

use crate::api::{
    CommonSpec, Component, ComponentGroup, Incident, IncidentTemplate, Kind, Metric, MetricsProvider, OrganizationUser,
    PageAccessGroup, PageAccessUser, StatusPage, Subscriber,
};

/// A declaration of one of the kinds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Object {
    /// A page.
    StatusPage(Box<StatusPage>),
    /// A component group.
    ComponentGroup(Box<ComponentGroup>),
    /// A component.
    Component(Box<Component>),
    /// An incident.
    Incident(Box<Incident>),
    /// A metrics provider.
    MetricsProvider(Box<MetricsProvider>),
    /// A metric.
    Metric(Box<Metric>),
    /// A subscriber.
    Subscriber(Box<Subscriber>),
    /// An incident template.
    IncidentTemplate(Box<IncidentTemplate>),
    /// A page access user.
    PageAccessUser(Box<PageAccessUser>),
    /// A page access group.
    PageAccessGroup(Box<PageAccessGroup>),
    /// A member of the organization.
    OrganizationUser(Box<OrganizationUser>),
}

/// The same expression for the declaration inside, whatever its kind.
macro_rules! each {
    ($object:expr, $inner:ident => $result:expr) => {
        match $object {
            Object::StatusPage($inner) => $result,
            Object::ComponentGroup($inner) => $result,
            Object::Component($inner) => $result,
            Object::Incident($inner) => $result,
            Object::MetricsProvider($inner) => $result,
            Object::Metric($inner) => $result,
            Object::Subscriber($inner) => $result,
            Object::IncidentTemplate($inner) => $result,
            Object::PageAccessUser($inner) => $result,
            Object::PageAccessGroup($inner) => $result,
            Object::OrganizationUser($inner) => $result,
        }
    };
}

impl Object {
    /// Reads a declaration of a kind; the error has the path of the field.
    pub fn from_value(kind: Kind, value: Value) -> Result<Object, serde_path_to_error::Error<serde_json::Error>> {
        Ok(match kind {
            Kind::StatusPage => Object::StatusPage(serde_path_to_error::deserialize(value)?),
            Kind::ComponentGroup => Object::ComponentGroup(serde_path_to_error::deserialize(value)?),
            Kind::Component => Object::Component(serde_path_to_error::deserialize(value)?),
            Kind::Incident => Object::Incident(serde_path_to_error::deserialize(value)?),
            Kind::MetricsProvider => Object::MetricsProvider(serde_path_to_error::deserialize(value)?),
            Kind::Metric => Object::Metric(serde_path_to_error::deserialize(value)?),
            Kind::Subscriber => Object::Subscriber(serde_path_to_error::deserialize(value)?),
            Kind::IncidentTemplate => Object::IncidentTemplate(serde_path_to_error::deserialize(value)?),
            Kind::PageAccessUser => Object::PageAccessUser(serde_path_to_error::deserialize(value)?),
            Kind::PageAccessGroup => Object::PageAccessGroup(serde_path_to_error::deserialize(value)?),
            Kind::OrganizationUser => Object::OrganizationUser(serde_path_to_error::deserialize(value)?),
        })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        match self {
            Object::StatusPage(_) => Kind::StatusPage,
            Object::ComponentGroup(_) => Kind::ComponentGroup,
            Object::Component(_) => Kind::Component,
            Object::Incident(_) => Kind::Incident,
            Object::MetricsProvider(_) => Kind::MetricsProvider,
            Object::Metric(_) => Kind::Metric,
            Object::Subscriber(_) => Kind::Subscriber,
            Object::IncidentTemplate(_) => Kind::IncidentTemplate,
            Object::PageAccessUser(_) => Kind::PageAccessUser,
            Object::PageAccessGroup(_) => Kind::PageAccessGroup,
            Object::OrganizationUser(_) => Kind::OrganizationUser,
        }
    }

    /// The metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        each!(self, object => &object.metadata)
    }

    /// The metadata, to change it.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        each!(self, object => &mut object.metadata)
    }

    /// The fields that all declarations of a page share; none for a page itself.
    pub fn common(&self) -> Option<&CommonSpec> {
        match self {
            Object::StatusPage(_) => None,
            Object::ComponentGroup(object) => Some(&object.spec.common),
            Object::Component(object) => Some(&object.spec.common),
            Object::Incident(object) => Some(&object.spec.common),
            Object::MetricsProvider(object) => Some(&object.spec.common),
            Object::Metric(object) => Some(&object.spec.common),
            Object::Subscriber(object) => Some(&object.spec.common),
            Object::IncidentTemplate(object) => Some(&object.spec.common),
            Object::PageAccessUser(object) => Some(&object.spec.common),
            Object::PageAccessGroup(object) => Some(&object.spec.common),
            Object::OrganizationUser(object) => Some(&object.spec.common),
        }
    }
}
