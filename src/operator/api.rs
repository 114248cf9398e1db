//! The operator's HTTP API: what it manages is what its store has, who asks is for the cluster to say.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::connection::Clients;
use super::figures::Figures;
use super::http::Monitor;
use super::leader::Leadership;
use crate::admin::identity::Identity;
use crate::admin::identity::kubernetes::KubernetesTokens;
use crate::admin::resources::{Inventory, RequestBudget, Resource, ResourceSource};
use crate::admin::status::{Cluster, StatusSource};
use crate::admin::{AdminError, AdminOptions, AdminServer, Limits, Listening, TlsFiles, events};
use crate::audit::AuditLog;
use crate::statuspage::BudgetRegistry;
use crate::store::kubernetes::KubernetesStore;

/// How often the API server is asked whether it is there.
const GLANCE: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long the event log may take to tell whose events it has.
const TENANTS_LIMIT: Duration = Duration::from_secs(2);
/// How long requests under way may take when the process ends.
const GRACE: Duration = Duration::from_secs(3);

/// How the HTTP API is served.
#[derive(Debug)]
pub struct ApiOptions {
    /// Where.
    pub listen: SocketAddr,
    /// With which certificate; none is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Who is let in, beside the users of the cluster.
    pub identity: Identity,
    /// Shows what runs to everybody.
    pub public_details: bool,
}

/// What the API is made of, beside what probes and metrics tell of.
pub(super) struct Setup {
    pub identity: Identity,
    pub public_details: bool,
    pub clients: Clients,
}

/// The API at work.
pub(super) struct Serving {
    server: AdminServer,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), AdminError>>,
}

impl Serving {
    /// Serves until [`Serving::end`].
    pub fn start(listening: Listening, setup: Setup, monitor: &Monitor) -> Self {
        let cluster = Arc::new(Mutex::new(Cluster {
            connected: false,
            version: None,
        }));
        tokio::spawn(watch_cluster(setup.clients.reviewer.clone(), Arc::clone(&cluster)));
        let tenants = {
            let (store, log) = (monitor.store.clone(), monitor.log.clone());
            Arc::new(move || {
                let (store, log) = (store.clone(), log.clone());
                Box::pin(async move { tenants(&store, log.as_ref()).await }) as _
            })
        };
        let tokens = KubernetesTokens::new(setup.clients.reviewer, tenants);
        let server = AdminServer::new(AdminOptions {
            identity: setup.identity.with_tokens(Arc::new(tokens)),
            status: Arc::new(Health {
                store: monitor.store.clone(),
                figures: Arc::clone(&monitor.figures),
                cluster,
            }),
            resources: Arc::new(Declared {
                store: monitor.store.clone(),
                budgets: Arc::clone(&monitor.budgets),
                leadership: Arc::clone(&monitor.leadership),
            }),
            mounts: monitor.log.iter().map(|log| events::mount(log.clone())).collect(),
            limits: Limits {
                grace: GRACE,
                ..Limits::default()
            },
            public_details: setup.public_details,
        });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.clone().serve(listening, async {
            // A dropped sender means the end too.
            let _ = stopped.await;
        }));
        Serving { server, stop, task }
    }

    pub fn server(&self) -> &AdminServer {
        &self.server
    }

    /// Ends the server in order.
    pub async fn end(self) {
        // Nobody listens when it has ended by itself.
        let _ = self.stop.send(());
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the HTTP API did not end in order"),
            Err(error) => tracing::error!(%error, "the HTTP API ended"),
        }
    }
}

/// The namespaces that there is something to tell about: those of declarations, and those of events about declarations
/// that are gone.
async fn tenants(store: &KubernetesStore, log: Option<&AuditLog>) -> BTreeSet<String> {
    let mut tenants = store.namespaces();
    if let Some(log) = log {
        match tokio::time::timeout(TENANTS_LIMIT, log.store().tenants()).await {
            Ok(Ok(more)) => tenants.extend(more),
            Ok(Err(error)) => tracing::warn!(?error, "whose events there are is not known"),
            Err(_) => tracing::warn!("whose events there are is not known in time"),
        }
    }
    tenants
}

/// Keeps asking the API server for its version.
async fn watch_cluster(client: Client, cluster: Arc<Mutex<Cluster>>) {
    loop {
        let answer = tokio::time::timeout(ANSWER_LIMIT, client.apiserver_version()).await;
        {
            let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            cluster.connected = matches!(answer, Ok(Ok(_)));
            if let Ok(Ok(info)) = answer {
                cluster.version = Some(info.git_version);
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// How the process does.
struct Health {
    store: KubernetesStore,
    figures: Arc<Figures>,
    cluster: Arc<Mutex<Cluster>>,
}

impl StatusSource for Health {
    fn cluster(&self) -> Option<Cluster> {
        Some(self.cluster.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn waiting_for(&self) -> Option<String> {
        let missing = self.store.missing();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    fn panics(&self) -> u64 {
        self.figures.panics()
    }
}

/// Everything that is declared, also what no page admits.
struct Declared {
    store: KubernetesStore,
    budgets: Arc<BudgetRegistry>,
    leadership: Arc<Leadership>,
}

impl ResourceSource for Declared {
    fn inventory(&self) -> Inventory {
        let resources = self.store.declared().into_iter().map(|declared| {
            Resource::of(
                &declared.key,
                declared.page.as_ref(),
                declared.status.object(),
                declared.generation,
                declared.deleting,
            )
        });
        let mut inventory = Inventory {
            resources: resources.collect(),
            ..Inventory::default()
        };
        // Another replica sends the requests, and counts them.
        if self.leadership.leads() {
            for page in self.store.pages() {
                if let Some(access) = self.store.access_to(&page) {
                    let budget = self.budgets.budget(&access.token, &access.base_url);
                    let budget = RequestBudget::from(budget.stats());
                    inventory.budgets.insert((page.namespace, page.name), budget);
                }
            }
        }
        inventory
    }
}
