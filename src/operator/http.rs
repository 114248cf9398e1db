//! Probes and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use super::metrics::Sources;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, sources: Sources) {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .with_state(sources);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

async fn healthz(State(sources): State<Sources>) -> Response {
    let mut problems = Vec::new();
    if !sources.metrics.is_alive() {
        problems.push("tasks are starved");
    }
    if sources.leadership.is_overdue() {
        problems.push("the Lease was not renewed in time");
    }
    verdict(&problems)
}

/// Ready without being the leader: what the other replicas are for is to take over.
async fn readyz(State(sources): State<Sources>) -> Response {
    verdict(&sources.store.missing())
}

fn verdict<T: AsRef<str>>(problems: &[T]) -> Response {
    if problems.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let text: String = problems
        .iter()
        .map(|problem| format!("{}\n", problem.as_ref()))
        .collect();
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn not_found() -> Response {
    let body = json!({"error": "not found", "paths": ["/healthz", "/readyz", "/metrics"]});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

async fn metrics(State(sources): State<Sources>) -> Response {
    match sources.encode() {
        Ok(body) => ([(header::CONTENT_TYPE, OPENMETRICS)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
