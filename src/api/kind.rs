//! The list of kinds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;

use super::{
    Component, ComponentGroup, Incident, IncidentTemplate, Metric, MetricsProvider, OrganizationUser, PageAccessGroup,
    PageAccessUser, StatusPage, Subscriber,
};

/// API group of all kinds.
pub const GROUP: &str = "statuspage-operator.io";
/// Version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// The observed generation of an object that no controller has looked at yet.
pub const UNOBSERVED: i64 = -1;

/// One of the kinds that this project manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The page.
    StatusPage,
    /// A group of components.
    ComponentGroup,
    /// A component.
    Component,
    /// An incident or a maintenance.
    Incident,
    /// A provider of metric values.
    MetricsProvider,
    /// A metric.
    Metric,
    /// A subscriber.
    Subscriber,
    /// A text to begin an incident with.
    IncidentTemplate,
    /// Somebody who may see parts of the page.
    PageAccessUser,
    /// Users who may see the same parts of the page.
    PageAccessGroup,
    /// A member of the organization.
    OrganizationUser,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 11] = [
        Kind::StatusPage,
        Kind::ComponentGroup,
        Kind::Component,
        Kind::Incident,
        Kind::MetricsProvider,
        Kind::Metric,
        Kind::Subscriber,
        Kind::IncidentTemplate,
        Kind::PageAccessUser,
        Kind::PageAccessGroup,
        Kind::OrganizationUser,
    ];

    /// The kind as written in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::StatusPage => "StatusPage",
            Kind::ComponentGroup => "ComponentGroup",
            Kind::Component => "Component",
            Kind::Incident => "Incident",
            Kind::MetricsProvider => "MetricsProvider",
            Kind::Metric => "Metric",
            Kind::Subscriber => "Subscriber",
            Kind::IncidentTemplate => "IncidentTemplate",
            Kind::PageAccessUser => "PageAccessUser",
            Kind::PageAccessGroup => "PageAccessGroup",
            Kind::OrganizationUser => "OrganizationUser",
        }
    }

    /// The kind in a sentence, such as "component group".
    pub fn noun(self) -> &'static str {
        match self {
            Kind::StatusPage => "page",
            Kind::ComponentGroup => "component group",
            Kind::Component => "component",
            Kind::Incident => "incident",
            Kind::MetricsProvider => "metrics provider",
            Kind::Metric => "metric",
            Kind::Subscriber => "subscriber",
            Kind::IncidentTemplate => "incident template",
            Kind::PageAccessUser => "page access user",
            Kind::PageAccessGroup => "page access group",
            Kind::OrganizationUser => "organization user",
        }
    }

    /// True when the spec may name a Secret.
    pub fn may_name_secrets(self) -> bool {
        matches!(self, Kind::StatusPage | Kind::MetricsProvider | Kind::OrganizationUser)
    }

    /// The noun with its article, such as "an incident".
    pub fn with_article(self) -> String {
        let noun = self.noun();
        let article = if noun.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {noun}")
    }

    /// The kind with this name in manifests.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The CustomResourceDefinition, generated from the types.
    pub fn definition(self) -> CustomResourceDefinition {
        let mut definition = match self {
            Kind::StatusPage => StatusPage::crd(),
            Kind::ComponentGroup => ComponentGroup::crd(),
            Kind::Component => Component::crd(),
            Kind::Incident => Incident::crd(),
            Kind::MetricsProvider => MetricsProvider::crd(),
            Kind::Metric => Metric::crd(),
            Kind::Subscriber => Subscriber::crd(),
            Kind::IncidentTemplate => IncidentTemplate::crd(),
            Kind::PageAccessUser => PageAccessUser::crd(),
            Kind::PageAccessGroup => PageAccessGroup::crd(),
            Kind::OrganizationUser => OrganizationUser::crd(),
        };
        for version in &mut definition.spec.versions {
            let schema = version
                .schema
                .as_mut()
                .and_then(|schema| schema.open_api_v3_schema.as_mut());
            let properties = schema.and_then(|schema| schema.properties.as_mut());
            if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
                // Who waits for a new object (kstatus, and with it Flux and Helm) must not take one for finished that no
                // controller has looked at yet.
                status.default = Some(JSON(serde_json::json!({"observedGeneration": UNOBSERVED})));
            }
        }
        definition
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
