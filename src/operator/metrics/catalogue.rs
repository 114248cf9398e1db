//! Every metric: its name, what it means, its labels. docs/metrics.md is made of this, and a test holds a scrape against it.

use MetricKind::{Counter, Gauge, Histogram};

use crate::audit::Counters;

/// One metric family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Its name; a counter's series end in `_total`, which is not part of it here.
    pub name: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// What it means.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// True for what only the leader tells: another replica would count the same twice.
    pub leader_only: bool,
}

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

impl MetricKind {
    /// One word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram(_) => "histogram",
        }
    }
}

const fn metric(name: &'static str, kind: MetricKind, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric {
        name,
        kind,
        help,
        labels,
        leader_only: false,
    }
}

const fn of_leader(metric: Metric) -> Metric {
    Metric {
        leader_only: true,
        ..metric
    }
}

const PAGE: &[&str] = &["namespace", "page"];
const TOKEN: &[&str] = &["token", "url"];
const REQUEST_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const WAIT_SECONDS: &[f64] = &[0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0];
const PASS_SECONDS: &[f64] = &[0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0];
const STORE_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];
const ARRIVAL_SECONDS: &[f64] = &[0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

/// Defines the metrics as constants and as a list.
macro_rules! catalogue {
    ($($constant:ident = $metric:expr;)*) => {
        $(pub(in crate::operator) const $constant: Metric = $metric;)*
        /// All metrics, the event log's counters excepted: those have their own list.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

catalogue! {
    BUILD_INFO = metric("statuspage_build_info", Gauge, "The version that runs", &["version"]);
    LEADER = metric("statuspage_leader", Gauge, "1 while this replica acts", &[]);
    RECONCILE_PANICS = metric("statuspage_reconcile_panics", Counter, "Drivers that panicked and restarted", &[]);
    EVENTS_DROPPED = metric("statuspage_events_dropped", Counter, "Kubernetes Events that were not sent", &[]);
    WATCH_FAILURES = metric("statuspage_watch_failures", Counter, "Watches of the API server that failed and restarted", &[]);
    CACHED_DECLARATIONS = metric(
        "statuspage_cached_declarations", Gauge, "Declarations that this replica knows, leader or not", &[],
    );
    DECLARATIONS = of_leader(metric(
        "statuspage_declarations", Gauge, "Declarations by kind and by whether they are Ready", &["kind", "ready"],
    ));
    DRIFTED_DECLARATIONS = of_leader(metric(
        "statuspage_drifted_declarations", Gauge,
        "Declarations with a field that somebody changed on the page, by StatusPage and kind",
        &["namespace", "page", "kind"],
    ));
    OLDEST_PENDING = of_leader(metric(
        "statuspage_oldest_pending_seconds", Gauge,
        "How long the declaration that waits longest has not been on the page as declared, stalled ones left out", &["kind"],
    ));
    DECLARATION_TO_PAGE = of_leader(metric(
        "statuspage_declaration_to_page_seconds", Histogram(ARRIVAL_SECONDS),
        "From the moment a declaration or an edit is seen until the page shows it", &["kind"],
    ));
    PAGE_PASSES = of_leader(metric("statuspage_page_passes", Counter, "Passes begun", PAGE));
    PAGE_PLANS = of_leader(metric("statuspage_page_plans", Counter, "Plans made", PAGE));
    PAGE_READS = of_leader(metric("statuspage_page_reads", Counter, "Lists and objects read from Statuspage", PAGE));
    PAGE_WRITES = of_leader(metric("statuspage_page_writes", Counter, "Writes to Statuspage that succeeded", PAGE));
    PAGE_FAILURES = of_leader(metric("statuspage_page_failures", Counter, "Requests to Statuspage that failed", PAGE));
    PAGE_STORE_WRITES = of_leader(metric("statuspage_page_store_writes", Counter, "Writes to the cluster", PAGE));
    PAGE_PENDING = of_leader(metric(
        "statuspage_page_pending_changes", Gauge, "Requests that change something and are still to be sent, as far as they are known", PAGE,
    ));
    PASS_DURATION = of_leader(metric(
        "statuspage_pass_duration_seconds", Histogram(PASS_SECONDS),
        "How long a pass over a page takes, waiting for replies and for the request budget included", &[],
    ));
    STORE_WRITE_DURATION = of_leader(metric(
        "statuspage_store_write_duration_seconds", Histogram(STORE_SECONDS),
        "How long a write to the cluster takes", &["outcome"],
    ));
    REQUEST_DURATION = of_leader(metric(
        "statuspage_request_duration_seconds", Histogram(REQUEST_SECONDS),
        "How long Statuspage takes to answer", &["operation", "outcome"],
    ));
    REQUEST_WAIT = of_leader(metric(
        "statuspage_request_wait_seconds", Histogram(WAIT_SECONDS),
        "How long a request waits for the budget of its token", &[],
    ));
    REQUESTS_LIMIT = of_leader(metric(
        "statuspage_requests_limit", Gauge, "Requests allowed in any 60 seconds, by fingerprint of the token; 0 is no limit", TOKEN,
    ));
    REQUESTS_USED = of_leader(metric("statuspage_requests_used", Gauge, "Requests of the last 60 seconds", TOKEN));
    REQUESTS_REMAINING = of_leader(metric(
        "statuspage_requests_remaining", Gauge, "Requests that can be made now; absent where there is no limit", TOKEN,
    ));
    REQUESTS_WAITING = of_leader(metric("statuspage_requests_waiting", Gauge, "Requests waiting for their turn", TOKEN));
    REQUESTS = of_leader(metric("statuspage_requests", Counter, "Requests made", TOKEN));
    THROTTLED = of_leader(metric("statuspage_throttled", Counter, "Times that Statuspage asked to wait", TOKEN));
    HTTP_CONNECTIONS = metric("statuspage_http_connections", Gauge, "Open connections to the HTTP API", &[]);
    HTTP_REFUSED_CREDENTIALS = metric(
        "statuspage_http_refused_credentials", Counter, "Credentials that the HTTP API refused", &[],
    );
    EVENT_LOG_WAITING = metric("statuspage_event_log_waiting", Gauge, "Events waiting to be stored in the event log", &[]);
    EVENT_LOG_UNPROTECTED = metric(
        "statuspage_event_log_unprotected", Gauge,
        "Events that would be lost if the process ended now: neither stored nor in the journal", &[],
    );
}

/// The counters of the event log as metrics.
fn event_log_counters() -> impl Iterator<Item = (String, &'static str)> {
    let counters = Counters::default().all().into_iter();
    counters.map(|(name, meaning, _)| (format!("{EVENT_LOG}{name}"), meaning.trim_end_matches('.')))
}

/// What the counters of the event log begin with.
pub(super) const EVENT_LOG: &str = "statuspage_event_log_";

/// docs/metrics.md.
#[must_use]
pub fn metrics_page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `statuspage operator` serves them at `/metrics` of `--probe-listen` in the OpenMetrics text format. What only the leader tells \
         is marked: a standby has nothing to say about pages, declarations and tokens, so that a sum over the replicas counts \
         everything once. Tokens are named by a fingerprint; no series names a declaration, so that their number grows with pages, \
         kinds, tokens and operations only.\n\n\
         | metric | type | labels | leader only | meaning |\n|---|---|---|---|---|\n",
    );
    let mut row = |name: &str, kind: MetricKind, labels: &[&str], leader_only: bool, help: &str| {
        let total = if kind == Counter { "_total" } else { "" };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let leader_only = if leader_only { "yes" } else { "" };
        page.push_str(&format!(
            "| `{name}{total}` | {} | {} | {leader_only} | {help} |\n",
            kind.as_str(),
            labels.join(", ")
        ));
    };
    for metric in METRICS {
        row(metric.name, metric.kind, metric.labels, metric.leader_only, metric.help);
    }
    for (name, help) in event_log_counters() {
        row(&name, Counter, &[], false, help);
    }
    page
}
