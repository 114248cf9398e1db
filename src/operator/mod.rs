//! The process in a cluster: watches become triggers, one task a page, one leader, an end that loses nothing.
//!
//! Invariant: only the leader writes. Whoever loses the Lease writes nothing more and ends; whoever is told to end
//! finishes the request under way, records it, and only then lets the Lease go.

mod connection;
mod error;
mod figures;
mod http;
mod leader;
mod pages;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::driver::{Clock, PageOptions};
use crate::statuspage::{self, BaseUrl, BudgetRegistry};
use crate::store::kubernetes::{KubernetesOptions, KubernetesStore};

pub(crate) use connection::configuration;
pub use error::OperatorError;
pub use leader::{LeaderOptions, LeaseTimes};

use connection::Clients;
use figures::Figures;
use leader::{Elector, Leadership};

/// How long pages may take to finish what is under way; less than the 60 seconds that a Pod is given.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(50);
/// How long Events may take to be sent at the end.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// How the operator is set up.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// Where health and metrics are served.
    pub http_listen: SocketAddr,
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

/// Runs until told to end by SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start, it lost the Lease, or it could not end in order.
pub async fn run(options: OperatorOptions) -> Result<(), OperatorError> {
    statuspage::install_crypto();
    let mut signals = Signals::install()?;
    let clients = Clients::connect(&options).await?;
    let listener = TcpListener::bind(options.http_listen)
        .await
        .map_err(|source| OperatorError::Listen {
            address: options.http_listen,
            source,
        })?;
    // The port may have been left to the system.
    let address = listener.local_addr().unwrap_or(options.http_listen);
    tracing::info!(%address, identity = options.identity, "started");
    let leadership = Arc::new(Leadership::default());
    let may_write = {
        let leadership = Arc::clone(&leadership);
        Arc::new(move || leadership.leads())
    };
    let store = KubernetesStore::start(KubernetesOptions {
        reader: clients.reader.clone(),
        writer: clients.writer.clone(),
        namespaces: options.namespaces.clone(),
        base_url: options.base_url.clone(),
        instance: options.identity.clone(),
        may_write,
    });
    let page_options = PageOptions {
        budgets: Arc::new(BudgetRegistry::new(options.requests_per_minute)),
        clock: Clock::System,
    };
    let figures = Arc::new(Figures::default());
    tokio::spawn(figures::beat(Arc::clone(&figures)));
    let monitor = http::Monitor {
        store: store.clone(),
        figures: Arc::clone(&figures),
        budgets: Arc::clone(&page_options.budgets),
        leadership: Arc::clone(&leadership),
    };
    tokio::spawn(http::serve(listener, monitor));

    let elector = options
        .leader
        .as_ref()
        .map(|leader| Elector::new(&clients, leader, &options.identity, Arc::clone(&leadership)));
    let Some(elector) = elector else {
        leadership.always();
        let result = act(&store, &page_options, &figures, &mut signals).await;
        store.flush_events(FLUSH_LIMIT).await;
        return result;
    };
    // A candidate holds nothing, and ends at once.
    tokio::select! {
        () = elector.acquire() => {}
        () = signals.next() => return Ok(()),
    }
    let result = tokio::select! {
        // First, so that a loss is noticed before anything else goes on.
        biased;
        error = elector.keep() => return Err(error),
        result = act(&store, &page_options, &figures, &mut signals) => result,
    };
    store.flush_events(FLUSH_LIMIT).await;
    if result.is_ok() {
        elector.release().await;
    }
    result
}

/// Runs all pages until told to end, and ends them.
async fn act(
    store: &KubernetesStore,
    options: &PageOptions,
    figures: &Arc<Figures>,
    signals: &mut Signals,
) -> Result<(), OperatorError> {
    let (stop, stopped) = watch::channel(false);
    let pages = pages::run(store.clone(), options.clone(), Arc::clone(figures), stopped.clone());
    let strays = pages::settle_strays(store.clone(), stopped);
    let mut work = tokio::spawn(async move { tokio::join!(pages, strays) });
    tokio::select! {
        () = signals.next() => {}
        result = &mut work => return Err(OperatorError::Supervisor(describe_end(result))),
    }
    tracing::info!("told to end: finishing what is under way");
    stop.send_replace(true);
    let ended = with_second_signal(tokio::time::timeout(SHUTDOWN_LIMIT, work), signals).await?;
    match ended {
        Ok(Ok(_)) => Ok(()),
        Ok(result) => Err(OperatorError::Supervisor(describe_end(result))),
        Err(_) => Err(OperatorError::Unfinished(SHUTDOWN_LIMIT)),
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
}

impl Signals {
    fn install() -> Result<Self, OperatorError> {
        let install = |kind| signal(kind).map_err(OperatorError::Signals);
        Ok(Signals {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
