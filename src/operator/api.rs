//! The operator's HTTP API: what it manages is what its store has, who asks is for the cluster to say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;

use super::leader::Leadership;
use super::metrics::Metrics;
use crate::admin::identity::Identity;
use crate::admin::identity::kubernetes::{KEPT, KubernetesTokens};
use crate::admin::resources::{Inventory, RequestBudget, Resource, ResourceSource};
use crate::admin::status::{Cluster, StatusSource};
use crate::admin::{AdminOptions, AdminServer, Limits, TlsFiles, events};
use crate::api::Kind;
use crate::audit::AuditLog;
use crate::statuspage::BudgetRegistry;
use crate::store::kubernetes::KubernetesStore;

/// How often the API server is asked whether it is there.
const GLANCE: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long the event log may take to tell whose events it has.
const TENANTS_LIMIT: Duration = Duration::from_secs(2);
/// How long what is declared is not counted again: it may be ten thousand objects.
const DECLARED_KEPT: Duration = Duration::from_secs(1);
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

/// What the API is made of.
pub(super) struct Parts {
    pub identity: Identity,
    pub public_details: bool,
    /// For questions about callers.
    pub reviewer: Client,
    pub store: KubernetesStore,
    pub metrics: Arc<Metrics>,
    pub budgets: Arc<BudgetRegistry>,
    pub leadership: Arc<Leadership>,
    pub log: Option<AuditLog>,
}

/// Puts the API together. Its view of the cluster is kept up to date until the process ends.
pub(super) fn server(parts: Parts) -> AdminServer {
    let cluster = Arc::new(Mutex::new(Cluster {
        connected: false,
        version: None,
    }));
    tokio::spawn(watch_cluster(parts.reviewer.clone(), Arc::clone(&cluster)));
    let tenants = Arc::new(Tenants {
        store: parts.store.clone(),
        log: parts.log.clone(),
        declared: tokio::sync::Mutex::default(),
        recorded: tokio::sync::Mutex::default(),
    });
    let namespaces = Arc::new(move || {
        let tenants = Arc::clone(&tenants);
        Box::pin(async move { tenants.all().await }) as _
    });
    AdminServer::new(AdminOptions {
        identity: parts
            .identity
            .with_tokens(Arc::new(KubernetesTokens::new(parts.reviewer, namespaces))),
        status: Arc::new(Health {
            store: parts.store.clone(),
            metrics: parts.metrics,
            cluster,
        }),
        resources: Arc::new(Declared {
            store: parts.store,
            budgets: parts.budgets,
            leadership: parts.leadership,
        }),
        mounts: parts.log.into_iter().map(events::mount).collect(),
        limits: Limits {
            grace: GRACE,
            ..Limits::default()
        },
        public_details: parts.public_details,
    })
}

/// The namespaces that there is something to tell about, with the kinds: those of declarations, and those of events,
/// whose declarations may be gone.
struct Tenants {
    store: KubernetesStore,
    log: Option<AuditLog>,
    declared: tokio::sync::Mutex<Kept>,
    recorded: tokio::sync::Mutex<Kept>,
}

type ByNamespace = BTreeMap<String, BTreeSet<Kind>>;

/// What was found, and when.
type Kept = (Option<Instant>, ByNamespace);

impl Tenants {
    async fn all(&self) -> ByNamespace {
        let mut all = self.declared().await;
        if let Some(log) = &self.log {
            let mut recorded = self.recorded.lock().await;
            if recorded.0.is_none_or(|since| since.elapsed() >= KEPT) {
                match tokio::time::timeout(TENANTS_LIMIT, log.store().tenant_kinds()).await {
                    Ok(Ok(found)) => recorded.1 = found,
                    Ok(Err(error)) => tracing::warn!(?error, "cannot list the namespaces of the event log"),
                    Err(_) => tracing::warn!("cannot list the namespaces of the event log in time"),
                }
                // After a failure too: nobody waits for a log that is down with each request.
                recorded.0 = Some(Instant::now());
            }
            for (namespace, kinds) in &recorded.1 {
                all.entry(namespace.clone()).or_default().extend(kinds);
            }
        }
        all
    }

    async fn declared(&self) -> ByNamespace {
        let mut declared = self.declared.lock().await;
        if declared.0.is_none_or(|since| since.elapsed() >= DECLARED_KEPT) {
            let mut found = ByNamespace::new();
            for one in self.store.declared() {
                found.entry(one.key.namespace).or_default().insert(one.key.kind);
            }
            *declared = (Some(Instant::now()), found);
        }
        declared.1.clone()
    }
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

/// Health of the process.
struct Health {
    store: KubernetesStore,
    metrics: Arc<Metrics>,
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
        self.metrics.panics()
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
