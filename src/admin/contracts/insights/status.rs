//! `GET /api/v1/status/` and `/api/v1/ready/`, and the same as lines of the log at the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::caller::{Caller, Verb};
use crate::admin::extract::NoParameters;
use crate::admin::state::AppState;
use crate::admin::status::{Platform, commit, modules, rust_version};

/// The version of `/api/v1`.
const API_VERSION: u32 = 1;

/// What runs. Callers that may not read see the version and the commit alone, unless a setting shows them all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InsightsStatus {
    /// The version of the API.
    pub api_version: u32,
    /// The commit that it was built from, `unknown` when the build did not say.
    pub commit: String,
    /// The crates that it is made of, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<BTreeMap<String, String>>,
    /// The system that it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_info: Option<Platform>,
    /// The version of Rust, under the name that clients of this contract know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_version: Option<String>,
    /// The version of Rust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rust_version: Option<String>,
    /// The version of statuspage-operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The Host header of the request, `localhost` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_address: Option<String>,
}

/// Whether it works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// `ready`, or `waiting for` something.
    pub status: String,
}

/// `GET /api/v1/status/`.
pub(in crate::admin) async fn status(
    State(state): State<Arc<AppState>>,
    caller: Option<Extension<Caller>>,
    _: NoParameters,
    headers: HeaderMap,
) -> impl IntoResponse {
    let may_read = caller.is_some_and(|caller| caller.may(Verb::Read));
    let mut document = InsightsStatus {
        api_version: API_VERSION,
        commit: commit(),
        ..InsightsStatus::default()
    };
    if may_read || state.public_details {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        document.modules = Some(modules().clone());
        document.platform_info = Some(Platform::read());
        document.python_version = Some(format!("Rust {}", rust_version()));
        document.rust_version = Some(rust_version().to_owned());
        document.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        document.server_address = Some(host.unwrap_or("localhost").to_owned());
    }
    (ALLOW, Json(document))
}

const ALLOW: [(HeaderName, &str); 1] = [(header::ALLOW, "OPTIONS, GET, HEAD")];

/// `OPTIONS` of everything in `/api/v1`.
pub(in crate::admin) async fn describe(uri: Uri) -> impl IntoResponse {
    let name = uri.path().trim_matches('/').rsplit('/').next().unwrap_or_default();
    (
        ALLOW,
        Json(json!({"name": name, "renders": ["application/json"], "parses": []})),
    )
}

/// `GET /api/v1/ready/`.
pub(in crate::admin) async fn ready(State(state): State<Arc<AppState>>, _: NoParameters) -> impl IntoResponse {
    let (code, status) = match state.status.waiting_for() {
        None => (StatusCode::OK, "ready".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for {what}")),
    };
    (code, Json(Readiness { status }))
}

/// What the log says at the start, a line each.
fn start_lines() -> Vec<String> {
    let platform = Platform::read();
    let modules = modules().iter().map(|(name, version)| format!("{name} - {version}"));
    let modules: Vec<String> = modules.collect();
    vec![
        "Platform:".to_owned(),
        format!("system - {}", platform.system),
        format!("node - {}", platform.node),
        format!("release - {}", platform.release),
        format!("version - {}", platform.version),
        format!("machine - {}", platform.machine),
        format!("processor - {}", platform.processor),
        format!("Rust: {}", rust_version()),
        format!("Modules: {}", modules.join(", ")),
        format!("Commit: {}", commit()),
        format!("API Version: {API_VERSION}"),
    ]
}

/// Writes [`start_lines`] to the log.
pub(in crate::admin) fn log_start() {
    for line in start_lines() {
        tracing::info!(target: "api.status.model", "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_begins_with_what_runs() {
        let lines = start_lines();
        let starts = [
            "Platform:",
            "system - ",
            "node - ",
            "release - ",
            "version - ",
            "machine - ",
            "processor - ",
            "Rust: ",
            "Modules: axum - 0.8",
            "Commit: ",
            "API Version: 1",
        ];
        assert_eq!(lines.len(), starts.len());
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start.trim_end_matches("axum - 0.8")), "{line}");
        }
        assert!(lines[8].contains("axum - 0.8"), "{}", lines[8]);
    }
}
