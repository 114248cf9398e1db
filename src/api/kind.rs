//! The list of kinds, and what follows from it: [`Kind`], [`Spec`], [`Status`], [`Object`] and the macros that give each
//! kind its turn.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;
use serde::Serialize;

use super::{Deletion, DriftPolicy, KindSpec};

/// API group of all kinds.
pub const GROUP: &str = "statuspage-operator.io";
/// Version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// The observed generation of an object that no controller has looked at yet.
pub const UNOBSERVED: i64 = -1;

/// Makes the types and the macros of the list. The `$` is for the macros that this one defines.
macro_rules! kinds {
    (
        ($d:tt)
        $(#[doc = $page_doc:literal])* $page:ident ($page_spec:ident, $page_status:ident);
        $($(#[doc = $doc:literal])* $kind:ident ($spec:ident, $status:ident);)*
    ) => {
        /// One of the kinds that this project manages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $page_doc])* $page,
            $($(#[doc = $doc])* $kind,)*
        }

        /// What a declaration says.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Spec {
            $(#[doc = $page_doc])* $page(Box<super::$page_spec>),
            $($(#[doc = $doc])* $kind(Box<super::$spec>),)*
            /// The manifest is gone: all that is left to do is what its deletion policy says.
            Removed(Deletion),
        }

        /// What is known of a declaration's remote object.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Status {
            $(#[doc = $page_doc])* $page(super::$page_status),
            $($(#[doc = $doc])* $kind(super::$status),)*
        }

        /// The custom resource of one of the kinds.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Object {
            $(#[doc = $page_doc])* $page(Box<super::$page>),
            $($(#[doc = $doc])* $kind(Box<super::$kind>),)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: [Kind; [Kind::$page, $(Kind::$kind),*].len()] = [Kind::$page, $(Kind::$kind),*];

            /// The kind as written in manifests.
            pub fn as_str(self) -> &'static str {
                match self {
                    Kind::$page => stringify!($page),
                    $(Kind::$kind => stringify!($kind),)*
                }
            }
        }

        impl Object {
            /// The kind.
            pub fn kind(&self) -> Kind {
                match self {
                    Object::$page(_) => Kind::$page,
                    $(Object::$kind(_) => Kind::$kind,)*
                }
            }
        }

        impl From<super::$page_spec> for Spec {
            fn from(spec: super::$page_spec) -> Spec {
                Spec::$page(Box::new(spec))
            }
        }
        impl From<super::$page_status> for Status {
            fn from(status: super::$page_status) -> Status {
                Status::$page(status)
            }
        }
        impl From<super::$page> for Object {
            fn from(object: super::$page) -> Object {
                Object::$page(Box::new(object))
            }
        }
        $(
            impl From<super::$spec> for Spec {
                fn from(spec: super::$spec) -> Spec {
                    Spec::$kind(Box::new(spec))
                }
            }
            impl From<super::$status> for Status {
                fn from(status: super::$status) -> Status {
                    Status::$kind(status)
                }
            }
            impl From<super::$kind> for Object {
                fn from(object: super::$kind) -> Object {
                    Object::$kind(Box::new(object))
                }
            }
        )*

        /// An expression with the spec type of a kind: `with_kind!(kind, S => S::NOUN)`. With a second arm, that one is
        /// for the page and the first for what a page has.
        macro_rules! with_kind {
            ($d kind:expr, $d S:ident => $d value:expr) => {
                match $d kind {
                    $crate::api::Kind::$page => {
                        type $d S = $crate::api::$page_spec;
                        $d value
                    }
                    $($crate::api::Kind::$kind => {
                        type $d S = $crate::api::$spec;
                        $d value
                    })*
                }
            };
            ($d kind:expr, $d S:ident => $d value:expr, page => $d page_value:expr) => {
                match $d kind {
                    $crate::api::Kind::$page => $d page_value,
                    $($crate::api::Kind::$kind => {
                        type $d S = $crate::api::$spec;
                        $d value
                    })*
                }
            };
        }

        /// An expression with what is declared, whatever its kind: `with_spec!(spec, spec => …, removed => …)`. With
        /// `_` the second arm is for the page as well, and the first for what a page has.
        macro_rules! with_spec {
            ($d spec:expr, $d inner:ident => $d value:expr, _ => $d other:expr) => {
                match $d spec {
                    $($crate::api::Spec::$kind($d inner) => $d value,)*
                    $crate::api::Spec::$page(_) | $crate::api::Spec::Removed(_) => $d other,
                }
            };
            ($d spec:expr, $d inner:ident => $d value:expr, $d removed:ident => $d other:expr) => {
                match $d spec {
                    $crate::api::Spec::$page($d inner) => $d value,
                    $($crate::api::Spec::$kind($d inner) => $d value,)*
                    $crate::api::Spec::Removed($d removed) => $d other,
                }
            };
        }

        /// An expression with what is known, whatever the kind.
        macro_rules! with_status {
            ($d status:expr, $d inner:ident => $d value:expr) => {
                match $d status {
                    $crate::api::Status::$page($d inner) => $d value,
                    $($crate::api::Status::$kind($d inner) => $d value,)*
                }
            };
        }

        /// An expression with a custom resource, whatever its kind. With `_` the second arm is for the page.
        macro_rules! with_object {
            ($d object:expr, $d inner:ident => $d value:expr) => {
                match $d object {
                    $crate::api::Object::$page($d inner) => $d value,
                    $($crate::api::Object::$kind($d inner) => $d value,)*
                }
            };
            ($d object:expr, $d inner:ident => $d value:expr, _ => $d other:expr) => {
                match $d object {
                    $crate::api::Object::$page(_) => $d other,
                    $($crate::api::Object::$kind($d inner) => $d value,)*
                }
            };
        }
    };
}

// The page first: all others are of a page.
kinds! {
    ($)
    /// The page.
    StatusPage(StatusPageSpec, StatusPageStatus);
    /// A group of components.
    ComponentGroup(ComponentGroupSpec, ComponentGroupStatus);
    /// A component.
    Component(ComponentSpec, ComponentStatus);
    /// An incident or a maintenance.
    Incident(IncidentSpec, IncidentStatus);
    /// A provider of metric values.
    MetricsProvider(MetricsProviderSpec, MetricsProviderStatus);
    /// A metric.
    Metric(MetricSpec, MetricStatus);
    /// A subscriber.
    Subscriber(SubscriberSpec, SubscriberStatus);
    /// A text to begin an incident with.
    IncidentTemplate(IncidentTemplateSpec, IncidentTemplateStatus);
    /// Somebody who may see parts of the page.
    PageAccessUser(PageAccessUserSpec, PageAccessUserStatus);
    /// Users who may see the same parts of the page.
    PageAccessGroup(PageAccessGroupSpec, PageAccessGroupStatus);
    /// A member of the organization.
    OrganizationUser(OrganizationUserSpec, OrganizationUserStatus);
}

pub(crate) use {with_kind, with_object, with_spec, with_status};

impl Kind {
    /// The kind in a sentence, such as "component group".
    pub fn noun(self) -> &'static str {
        with_kind!(self, S => S::NOUN)
    }

    /// True when the spec may name a Secret.
    pub fn may_name_secrets(self) -> bool {
        with_kind!(self, S => !S::SECRETS.is_empty())
    }

    /// What is lost with the remote object when it is deleted, in words for a plan; none where nothing else is.
    pub fn lost_with_it(self) -> Option<&'static str> {
        with_kind!(self, S => S::LOST_WITH_IT)
    }

    /// Fields of its status that are of this kind alone and must outlive the process.
    pub fn recorded(self) -> &'static [&'static str] {
        with_kind!(self, S => S::RECORDED)
    }

    /// The drift policy that it has unless the declaration says another, whatever the page's default; none when the
    /// page's default counts.
    pub fn own_drift_policy(self) -> Option<DriftPolicy> {
        with_kind!(self, S => S::DRIFT_POLICY)
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
        let mut definition = with_kind!(self, S => <S as KindSpec>::Object::crd());
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
