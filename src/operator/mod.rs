//! The process in a cluster: watches become triggers, one task a page, one leader, an end that loses nothing.
//!
//! Invariant: only the leader writes. Whoever loses the Lease writes nothing more and ends; whoever is told to end
//! finishes the request under way, records it, and only then lets the Lease go.

mod api;
mod connection;
mod error;
mod http;
mod leader;
mod ledger;
mod metrics;
mod pages;
mod purge;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin::Listening;
use crate::audit::{AuditLog, AuditOptions};
use crate::driver::{Clock, PageOptions, Recorder};
use crate::statuspage::{self, BaseUrl, BudgetRegistry};
use crate::store::kubernetes::{KubernetesOptions, KubernetesStore};

pub use api::ApiOptions;
pub(crate) use connection::configuration;
pub use error::OperatorError;
pub use leader::{LeaderOptions, LeaseTimes};
pub(crate) use ledger::requests_recorded;
pub use metrics::{METRICS, Metric, MetricKind, metrics_page};

use connection::Clients;
use leader::{Elector, Leadership};
use ledger::ClusterLedger;
use metrics::Metrics;

/// How long pages may take to finish what is under way. With what comes after it, less than the 60 seconds that a Pod is
/// given.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(45);
/// How long the record of sent requests may take to be written at the end.
const LAST_RECORD: Duration = Duration::from_secs(3);
/// How long Kubernetes Events may take to be sent at the end.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// How long the last events may take to be stored; what is left stays in the journal.
const LAST_EVENTS: Duration = Duration::from_secs(5);
/// The same for a process that lost the Lease and should be gone.
const LAST_EVENTS_OF_A_LOSER: Duration = Duration::from_secs(1);

/// How the operator is set up.
#[derive(Debug)]
pub struct OperatorOptions {
    /// Where probes and metrics are served.
    pub probe_listen: SocketAddr,
    /// How the HTTP API is served.
    pub api: ApiOptions,
    /// The event log, if what is done is recorded.
    pub events: Option<AuditOptions>,
    /// True deletes the events of a namespace once it is gone from the cluster.
    pub purge_with_namespace: bool,
    /// How replicas choose the one that acts; none when there is only one.
    pub leader: Option<LeaderOptions>,
    /// The namespaces to watch; empty is all of them.
    pub namespaces: Vec<String>,
    /// Requests per token in any 60 seconds; 0 is no limit.
    pub requests_per_minute: usize,
    /// The address to use instead of those of the StatusPages.
    pub base_url: Option<BaseUrl>,
    /// The kubeconfig; absent is the usual one, or the service account of the Pod.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    pub context: Option<String>,
    /// The name of this replica, unlike that of any other.
    pub identity: String,
}

/// What told the operator to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// SIGTERM, as a kubelet sends it.
    Terminated,
    /// SIGINT: Ctrl-C.
    Interrupted,
}

/// Runs until told to end by SIGTERM or SIGINT; answers with which of them.
///
/// # Errors
/// It cannot start, it lost the Lease, or it could not end in order.
pub async fn run(options: OperatorOptions) -> Result<Ended, OperatorError> {
    statuspage::install_crypto();
    let mut signals = Signals::install()?;
    let clients = Clients::connect(&options).await?;
    let taken = |address| move |source| OperatorError::Listen { address, source };
    let probes = TcpListener::bind(options.probe_listen)
        .await
        .map_err(taken(options.probe_listen))?;
    let api = Listening::bind(options.api.listen, options.api.tls)
        .await
        .map_err(taken(options.api.listen))?;
    let log = match options.events {
        Some(events) => Some(AuditLog::open(events).await.map_err(OperatorError::Events)?),
        None => None,
    };
    // The port may have been left to the system.
    let address = probes.local_addr().unwrap_or(options.probe_listen);
    tracing::info!(%address, identity = options.identity, "started");
    let leadership = Arc::new(Leadership::default());
    let may_write = {
        let leadership = Arc::clone(&leadership);
        Arc::new(move || leadership.leads())
    };
    let store = KubernetesStore::start(KubernetesOptions {
        reader: clients.reader.clone(),
        writer: clients.writer.clone(),
        namespaces: options.namespaces,
        base_url: options.base_url,
        instance: options.identity.clone(),
        may_write,
    });
    let mut budgets = BudgetRegistry::new(options.requests_per_minute);
    if let Some(leader) = &options.leader {
        // The next leader goes on with what this one has left of the minute.
        let ledger = ClusterLedger::new(&clients, leader, Arc::clone(&leadership));
        budgets = budgets.recorded_in(Arc::new(ledger), Clock::System);
    }
    let page_options = PageOptions {
        budgets: Arc::new(budgets),
        clock: Clock::System,
        transport: None,
    };
    let metrics = Arc::new(Metrics::default());
    tokio::spawn(metrics::beat(Arc::clone(&metrics)));
    let server = api::server(api::Parts {
        identity: options.api.identity,
        public_details: options.api.public_details,
        reviewer: clients.reviewer.clone(),
        store: store.clone(),
        metrics: Arc::clone(&metrics),
        budgets: Arc::clone(&page_options.budgets),
        leadership: Arc::clone(&leadership),
        log: log.clone(),
    });
    let serving = server.start(api);
    let sources = metrics::Sources {
        store: store.clone(),
        metrics: Arc::clone(&metrics),
        budgets: Arc::clone(&page_options.budgets),
        leadership: Arc::clone(&leadership),
        log: log.clone(),
        api: server,
    };
    tokio::spawn(http::serve(probes, sources));
    if let (Some(log), true) = (&log, options.purge_with_namespace) {
        let client = clients.reader.clone();
        tokio::spawn(purge::with_namespaces(client, log.clone(), Arc::clone(&leadership)));
    }

    let elector = options
        .leader
        .as_ref()
        .map(|leader| Elector::new(&clients, leader, &options.identity, Arc::clone(&leadership)));
    let work = Work {
        store: &store,
        options: &page_options,
        metrics: &metrics,
        log: log.as_ref(),
    };
    let result = match &elector {
        Some(elector) => work.as_leader(elector, &mut signals).await,
        None => {
            leadership.always();
            work.act(&mut signals).await
        }
    };
    if matches!(result, Err(OperatorError::LeaseLost)) {
        close(log.as_ref(), LAST_EVENTS_OF_A_LOSER).await;
        return result.map(|()| signals.ended);
    }
    let release = async {
        // Not after a failure: what is under way may go on until the process is gone.
        if let (Some(elector), Ok(())) = (&elector, &result)
            && leadership.leads()
        {
            settle(&page_options.budgets).await;
            elector.release().await;
        }
    };
    tokio::join!(
        store.flush_events(FLUSH_LIMIT),
        release,
        // Streams of events end once the log is closed, so that the server can end.
        close(log.as_ref(), LAST_EVENTS),
        serving.end(),
    );
    result.map(|()| signals.ended)
}

/// Writes down exactly what was sent, so that the next leader has all the rest of the minute.
async fn settle(budgets: &BudgetRegistry) {
    match tokio::time::timeout(LAST_RECORD, budgets.settle()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the next leader counts a few requests more than were sent"),
        Err(_) => tracing::warn!("the record of sent requests was not written in time"),
    }
}

/// Stores what is still to be stored; the log says what is left.
async fn close(log: Option<&AuditLog>, limit: Duration) {
    if let Some(log) = log {
        log.close(limit).await;
    }
}

/// What a replica works with.
#[derive(Clone, Copy)]
struct Work<'a> {
    store: &'a KubernetesStore,
    options: &'a PageOptions,
    metrics: &'a Arc<Metrics>,
    log: Option<&'a AuditLog>,
}

impl Work<'_> {
    /// Acts once this replica leads, until told to end or until another one may lead.
    async fn as_leader(self, elector: &Elector, signals: &mut Signals) -> Result<(), OperatorError> {
        // A candidate holds nothing, and ends at once.
        tokio::select! {
            () = elector.acquire() => {}
            () = signals.next() => return Ok(()),
        }
        tokio::select! {
            // First, so that a loss is noticed before anything else goes on.
            biased;
            error = elector.keep() => Err(error),
            result = self.act(signals) => result,
        }
    }

    /// Runs all pages until told to end, and ends them.
    async fn act(self, signals: &mut Signals) -> Result<(), OperatorError> {
        let (stop, stopped) = watch::channel(false);
        let recorder = self.log.map(|log| Arc::new(log.clone()) as Arc<dyn Recorder>);
        let pages = pages::run(
            self.store.clone(),
            self.options.clone(),
            Arc::clone(self.metrics),
            recorder.clone(),
            stopped.clone(),
        );
        let unattached = pages::settle_unattached(self.store.clone(), recorder, stopped);
        let mut work = tokio::spawn(async move { tokio::join!(pages, unattached) });
        tokio::select! {
            () = signals.next() => {}
            result = &mut work => return Err(OperatorError::Supervisor(describe_end(result))),
        }
        tracing::info!("asked to stop: finishing requests under way");
        stop.send_replace(true);
        let ended = with_second_signal(tokio::time::timeout(SHUTDOWN_LIMIT, work), signals).await?;
        match ended {
            Ok(Ok(_)) => Ok(()),
            Ok(result) => Err(OperatorError::Supervisor(describe_end(result))),
            Err(_) => Err(OperatorError::Unfinished(SHUTDOWN_LIMIT)),
        }
    }
}

fn describe_end<T>(result: Result<T, tokio::task::JoinError>) -> String {
    match result {
        Ok(_) => "it ended by itself".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn with_second_signal<T>(work: impl Future<Output = T>, signals: &mut Signals) -> Result<T, OperatorError> {
    tokio::select! {
        result = work => Ok(result),
        () = signals.next() => Err(OperatorError::Interrupted),
    }
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    ended: Ended,
}

impl Signals {
    fn install() -> Result<Self, OperatorError> {
        let install = |kind| signal(kind).map_err(OperatorError::Signals);
        Ok(Signals {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            ended: Ended::Terminated,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => self.ended = Ended::Terminated,
            _ = self.interrupt.recv() => self.ended = Ended::Interrupted,
        }
    }
}
