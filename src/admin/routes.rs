//! The table of what is served: the router and the OpenAPI document are both made from it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use serde_json::Value;

use super::access::{self, Access as CallerAccess};
use super::caller::Verb;
use super::contracts::Contract;
use super::contracts::insights::paging::Page;
use super::contracts::insights::status::{self as insights, InsightsStatus, Readiness};
use super::contracts::webitel::status::{self as webitel, WebitelStatus};
use super::openapi::{Access, Operation, Parameter};
use super::resources::{self, ManagedPage, Resource, list_parameters};
use super::state::AppState;
use crate::api::Kind;

type Handler = MethodRouter<Arc<AppState>>;

/// Adds a resource with and without a trailing slash.
pub(super) fn add(router: Router<Arc<AppState>>, path: &'static str, mut handler: Handler) -> Router<Arc<AppState>> {
    let contract = Contract::of(path);
    if contract == Contract::Insights {
        handler = handler.options(insights::describe);
    }
    let router = router.route(path, handler.clone());
    match path.strip_suffix('/') {
        Some(bare) => router.route(bare, handler),
        None if contract != Contract::Plain => router.route(&format!("{path}/"), handler),
        None => router,
    }
}

/// Everything that the server itself serves.
pub(super) fn table() -> Vec<(Operation, Handler)> {
    vec![
        (
            Operation::get("/api/v1/status/", "What runs")
                .describe(
                    "Version, commit, crates, platform. Callers without credentials see `api_version` and `commit` \
                     alone, unless the server is set to show all.",
                )
                .access(Access::Optional)
                .answers::<InsightsStatus>(200, "What runs"),
            get(insights::status),
        ),
        (
            Operation::get("/api/v1/ready/", "Whether it works")
                .answers::<Readiness>(200, "It works")
                .answers::<Readiness>(503, "It is waiting for something"),
            get(insights::ready),
        ),
        (
            Operation::get("/api/v1/access/", "Who asks, and what that caller may")
                .access(Access::Required)
                .answers::<CallerAccess>(200, "By kind and verb the namespaces, or the pages"),
            get(access::access),
        ),
        (
            Operation::get("/api/v1/pages/", "The pages that are managed")
                .needs(Verb::Read)
                .parameters(list_parameters())
                .answers::<Page<ManagedPage>>(200, "A part of the list"),
            get(resources::pages),
        ),
        (
            Operation::get("/api/v1/resources/", "Everything that is managed")
                .needs(Verb::Read)
                .parameters(list_parameters())
                .answers::<Page<Resource>>(200, "A part of the list"),
            get(resources::resources),
        ),
        (
            Operation::get("/api/v1/resources/{namespace}/{kind}/{name}/", "One declaration")
                .needs(Verb::Read)
                .parameters(vec![
                    Parameter::path("namespace", "Its namespace"),
                    Parameter::path("kind", "Its kind, as in manifests").choice(Kind::ALL.map(Kind::as_str)),
                    Parameter::path("name", "Its name"),
                ])
                .answers::<Resource>(200, "The declaration"),
            get(resources::one),
        ),
        (
            Operation::get("/api/v2/status", "Health of the process")
                .describe("Numbers of declarations and queues are those of what the caller may see.")
                .needs(Verb::Read)
                .answers::<WebitelStatus>(200, "Health of the process"),
            get(webitel::status),
        ),
        (
            Operation::get("/api/v2/status/config", "Nothing; kept for its clients")
                .needs(Verb::Read)
                .answers_nothing(200, "Always empty"),
            get(webitel::configuration),
        ),
        (
            Operation::get("/openapi.json", "This document").answers::<Value>(200, "OpenAPI 3.1"),
            get(document),
        ),
    ]
}

async fn document(State(state): State<Arc<AppState>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.document.clone())
}
