//! Probes and metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;

use super::leader::Leadership;
use super::metrics::Metrics;
use crate::admin::AdminServer;
use crate::audit::AuditLog;
use crate::driver::Totals;
use crate::statuspage::{BudgetRegistry, BudgetStats};
use crate::store::kubernetes::KubernetesStore;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What probes and metrics tell of.
#[derive(Clone)]
pub(super) struct Monitor {
    pub store: KubernetesStore,
    pub metrics: Arc<Metrics>,
    pub budgets: Arc<BudgetRegistry>,
    pub leadership: Arc<Leadership>,
    pub log: Option<AuditLog>,
    pub api: AdminServer,
}

type Labels = Vec<(&'static str, String)>;
/// Name, explanation and value of a figure of a page.
type PageFigure = (&'static str, &'static str, fn(&Totals) -> u64);

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, monitor: Monitor) {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .with_state(monitor);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

async fn healthz(State(monitor): State<Monitor>) -> Response {
    let mut problems = Vec::new();
    if !monitor.metrics.is_alive() {
        problems.push("tasks are starved");
    }
    if monitor.leadership.is_overdue() {
        problems.push("the Lease was not renewed in time");
    }
    verdict(&problems)
}

/// Ready without being the leader: what the other replicas are for is to take over.
async fn readyz(State(monitor): State<Monitor>) -> Response {
    verdict(&monitor.store.missing())
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

async fn metrics(State(monitor): State<Monitor>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &monitor.registry()) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Monitor {
    /// Everything as it is now: the metrics are kept where they arise, and gathered when somebody asks.
    fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        gauge(
            &mut registry,
            "statuspage_build_info",
            "The version that runs",
            [(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1)],
        );
        gauge(
            &mut registry,
            "statuspage_leader",
            "1 while this replica acts",
            [(vec![], i64::from(self.leadership.leads()))],
        );
        counter(
            &mut registry,
            "statuspage_reconcile_panics",
            "Drivers that panicked and restarted",
            [(vec![], self.metrics.panics())],
        );
        counter(
            &mut registry,
            "statuspage_events_dropped",
            "Kubernetes Events that were not sent",
            [(vec![], self.store.dropped_events())],
        );
        counter(
            &mut registry,
            "statuspage_watch_failures",
            "Watches of the API server that failed and restarted",
            [(vec![], self.store.watch_failures())],
        );
        self.budgets(&mut registry);
        self.pages(&mut registry);
        self.api(&mut registry);
        self.log(&mut registry);
        let managed: Vec<(Labels, i64)> = self
            .store
            .counts()
            .into_iter()
            .flat_map(|(kind, count)| [("true", kind, count.ready), ("false", kind, count.not_ready)])
            .map(|(ready, kind, count)| {
                let labels = vec![("kind", kind.to_string()), ("ready", ready.to_owned())];
                (labels, signed(count))
            })
            .collect();
        gauge(
            &mut registry,
            "statuspage_declarations",
            "Declarations by kind and by whether they are Ready",
            managed,
        );
        let drifted: Vec<(Labels, i64)> = self
            .store
            .drifted()
            .into_iter()
            .map(|((page, kind), count)| {
                let labels = vec![
                    ("namespace", page.namespace),
                    ("page", page.name),
                    ("kind", kind.to_string()),
                ];
                (labels, signed(count))
            })
            .collect();
        gauge(
            &mut registry,
            "statuspage_drifted_declarations",
            "Declarations with a field that somebody changed on the page, by StatusPage and kind",
            drifted,
        );
        registry
    }

    fn api(&self, registry: &mut Registry) {
        let api = &self.api;
        gauge(
            registry,
            "statuspage_http_connections",
            "Open connections to the HTTP API",
            [(vec![], i64::try_from(api.connections()).unwrap_or(i64::MAX))],
        );
        counter(
            registry,
            "statuspage_http_refused_credentials",
            "Credentials that the HTTP API refused",
            [(vec![], api.refused_credentials())],
        );
    }

    fn log(&self, registry: &mut Registry) {
        let Some(log) = &self.log else { return };
        gauge(
            registry,
            "statuspage_event_log_waiting",
            "Events waiting to be stored in the event log",
            [(vec![], i64::try_from(log.waiting()).unwrap_or(i64::MAX))],
        );
        gauge(
            registry,
            "statuspage_event_log_unprotected",
            "Events that would be lost if the process ended now: neither stored nor in the journal",
            [(vec![], signed(log.unprotected()))],
        );
        for (name, help, value) in log.counters().all() {
            let name = format!("statuspage_event_log_{name}");
            // The encoder ends the sentence itself.
            counter(registry, &name, help.trim_end_matches('.'), [(vec![], value)]);
        }
    }

    fn budgets(&self, registry: &mut Registry) {
        let all: Vec<(Labels, BudgetStats)> = self
            .budgets
            .all()
            .into_iter()
            .map(|(token, url, budget)| (vec![("token", token), ("url", url)], budget.stats()))
            .collect();
        let of = |value: fn(&BudgetStats) -> usize| -> Vec<(Labels, i64)> {
            let value = |stats| i64::try_from(value(stats)).unwrap_or(i64::MAX);
            all.iter()
                .map(|(labels, stats)| (labels.clone(), value(stats)))
                .collect()
        };
        gauge(
            registry,
            "statuspage_requests_limit",
            "Requests allowed in any 60 seconds, by fingerprint of the token; 0 is no limit",
            of(|stats| stats.limit),
        );
        gauge(
            registry,
            "statuspage_requests_used",
            "Requests of the last 60 seconds",
            of(|stats| stats.used),
        );
        gauge(
            registry,
            "statuspage_requests_remaining",
            "Requests that can be made now",
            of(|stats| stats.remaining),
        );
        gauge(
            registry,
            "statuspage_requests_waiting",
            "Requests waiting for their turn",
            of(|stats| stats.waiting),
        );
        let counted = |value: fn(&BudgetStats) -> u64| -> Vec<(Labels, u64)> {
            all.iter()
                .map(|(labels, stats)| (labels.clone(), value(stats)))
                .collect()
        };
        counter(
            registry,
            "statuspage_requests",
            "Requests made",
            counted(|stats| stats.granted),
        );
        counter(
            registry,
            "statuspage_throttled",
            "Times that Statuspage asked to wait",
            counted(|stats| stats.pauses),
        );
    }

    fn pages(&self, registry: &mut Registry) {
        let pages = self.metrics.pages();
        let metrics: [PageFigure; 6] = [
            ("statuspage_page_passes", "Passes begun", |totals| totals.passes),
            ("statuspage_page_plans", "Plans made", |totals| totals.plans),
            (
                "statuspage_page_reads",
                "Lists and objects read from Statuspage",
                |totals| totals.reads,
            ),
            (
                "statuspage_page_writes",
                "Writes to Statuspage that succeeded",
                |totals| totals.writes,
            ),
            (
                "statuspage_page_failures",
                "Requests to Statuspage that failed",
                |totals| totals.failures,
            ),
            ("statuspage_page_store_writes", "Writes to the cluster", |totals| {
                totals.store_writes
            }),
        ];
        for (name, help, value) in metrics {
            let values: Vec<(Labels, u64)> = pages
                .iter()
                .map(|(page, totals)| {
                    let labels = vec![("namespace", page.namespace.clone()), ("page", page.name.clone())];
                    (labels, value(totals))
                })
                .collect();
            counter(registry, name, help, values);
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn gauge(registry: &mut Registry, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, i64)>) {
    let family = Family::<Labels, Gauge>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

fn counter(registry: &mut Registry, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
    let family = Family::<Labels, Counter>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(name, help, family);
}
