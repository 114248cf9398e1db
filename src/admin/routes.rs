//! The table of what is served: the router and the OpenAPI document are both made from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tokio::sync::Semaphore;

use super::access::{self, Access as CallerAccess};
use super::caller::Verb;
use super::family::Family;
use super::identity::Identity;
use super::openapi::{Access, Operation, Parameter};
use super::paging::{GREATEST_LIMIT, Page};
use super::resources::{self, Inventory, ManagedPage, Resource, ResourceSource};
use super::server::Limits;
use super::shares::Shares;
use super::status::{self, InsightsStatus, Readiness, StatusSource, WebitelStatus};
use crate::api::Kind;

/// What all handlers share.
#[derive(Clone)]
pub(super) struct Shared(pub Arc<Inner>);

pub(super) struct Inner {
    pub identity: Identity,
    pub status: Arc<dyn StatusSource>,
    pub resources: Arc<dyn ResourceSource>,
    pub slots: Semaphore,
    /// Requests at work, by credential.
    pub requests: Arc<Shares<String>>,
    pub connections: Arc<Semaphore>,
    pub limits: Limits,
    pub public_details: bool,
    /// Names this run of the process.
    pub session: String,
    pub tls: AtomicBool,
    pub document: String,
}

impl Shared {
    pub(super) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(super) fn status(&self) -> &dyn StatusSource {
        self.0.status.as_ref()
    }

    pub(super) fn inventory(&self) -> Inventory {
        self.0.resources.inventory()
    }

    pub(super) fn slots(&self) -> &Semaphore {
        &self.0.slots
    }

    pub(super) fn requests(&self) -> &Arc<Shares<String>> {
        &self.0.requests
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(super) fn public_details(&self) -> bool {
        self.0.public_details
    }

    pub(super) fn session(&self) -> &str {
        &self.0.session
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.tls.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub(super) fn connections(&self) -> usize {
        let free = self.0.connections.available_permits();
        // One place is taken by the connection that is accepted next.
        self.0.limits.connections.saturating_sub(free).saturating_sub(1)
    }
}

/// One resource.
pub(super) struct Route {
    pub operation: Operation,
    handler: fn() -> MethodRouter<Shared>,
}

impl Route {
    /// Adds the resource with and without a trailing slash.
    pub(super) fn add_to(&self, router: Router<Shared>) -> Router<Shared> {
        let path = self.operation.path;
        let mut handler = (self.handler)();
        if Family::of(path) == Family::Insights {
            handler = handler.options(status::describe);
        }
        let router = router.route(path, handler.clone());
        match path.strip_suffix('/') {
            Some(bare) => router.route(bare, handler),
            None if Family::of(path) != Family::Plain => router.route(&format!("{path}/"), handler),
            None => router,
        }
    }
}

/// Everything that the server itself serves.
pub(super) fn table() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::get("/api/v1/status/", "What runs")
                .describe(
                    "Version, commit, crates, platform. Callers without credentials see `api_version` and `commit` \
                     alone, unless the server is set to show all.",
                )
                .access(Access::Optional)
                .answers::<InsightsStatus>(200, "What runs"),
            handler: || get(status::status),
        },
        Route {
            operation: Operation::get("/api/v1/ready/", "Whether it works")
                .answers::<Readiness>(200, "It works")
                .answers::<Readiness>(503, "It is waiting for something"),
            handler: || get(status::ready),
        },
        Route {
            operation: Operation::get("/api/v1/access/", "Who asks, and what that caller may")
                .access(Access::Required)
                .answers::<CallerAccess>(200, "By kind and verb the namespaces, or the pages"),
            handler: || get(access::access),
        },
        Route {
            operation: Operation::get("/api/v1/pages/", "The pages that are managed")
                .access(Access::Required)
                .needs(Verb::Read)
                .parameters(list_parameters())
                .answers::<Page<ManagedPage>>(200, "A part of the list"),
            handler: || get(resources::pages),
        },
        Route {
            operation: Operation::get("/api/v1/resources/", "Everything that is managed")
                .access(Access::Required)
                .needs(Verb::Read)
                .parameters(list_parameters())
                .answers::<Page<Resource>>(200, "A part of the list"),
            handler: || get(resources::resources),
        },
        Route {
            operation: Operation::get("/api/v1/resources/{namespace}/{kind}/{name}/", "One declaration")
                .access(Access::Required)
                .needs(Verb::Read)
                .parameters(vec![
                    Parameter::path("namespace", "Its namespace"),
                    Parameter::path("kind", "Its kind, as in manifests").choice(Kind::ALL.map(Kind::as_str)),
                    Parameter::path("name", "Its name"),
                ])
                .answers::<Resource>(200, "The declaration"),
            handler: || get(resources::one),
        },
        Route {
            operation: Operation::get("/api/v2/status", "Health of the process")
                .describe("Numbers of declarations and queues are those of what the caller may see.")
                .access(Access::Required)
                .needs(Verb::Read)
                .answers::<WebitelStatus>(200, "Health of the process"),
            handler: || get(status::webitel_status),
        },
        Route {
            operation: Operation::get("/api/v2/status/config", "Nothing; kept for its clients")
                .access(Access::Required)
                .needs(Verb::Read)
                .answers_nothing(200, "Always empty"),
            handler: || get(status::configuration),
        },
        Route {
            operation: Operation::get("/openapi.json", "This document").answers_anything(200, "OpenAPI 3.1"),
            handler: || get(document),
        },
    ]
}

/// The parameters of lists: what is not among them is refused.
pub(super) fn list_parameters() -> Vec<Parameter> {
    let greatest = i64::try_from(GREATEST_LIMIT).unwrap_or(i64::MAX);
    vec![
        Parameter::query("limit", "Entries of a part; 10 when it is not given").integer(1, Some(greatest)),
        Parameter::query("offset", "Entries to leave out, 0 when it is not given").integer(0, None),
        Parameter::query("kind", "A kind, as in manifests; capitals do not matter").choice(Kind::ALL.map(Kind::as_str)),
        Parameter::query(
            "page",
            "Name of a StatusPage, or its namespace and name with a slash between",
        ),
        Parameter::query("namespace", "A namespace"),
        Parameter::query("ready", "`true` or `false`").choice(["true", "false"]),
    ]
}

async fn document(State(shared): State<Shared>) -> Response {
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (json, shared.0.document.clone()).into_response()
}
