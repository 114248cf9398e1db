//! The operator's own HTTP API, served on a real socket.

mod access;
mod command;
mod description;
mod events;
mod failures;
mod fairness;
mod identity;
mod kubernetes;
mod logs;
mod odd_requests;
mod process_status;
mod resources;
mod status;
pub(crate) mod tls;
mod transport;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use statuspage_operator::admin::caller::{Caller, Grant, Scope, Verb};
use statuspage_operator::admin::identity::access_keys::AccessKeys;
use statuspage_operator::admin::identity::key_ring::{IssuedKey, NewKey};
use statuspage_operator::admin::identity::{Gateway, Identity};
use statuspage_operator::admin::resources::{Inventory, RequestBudget, Resource, ResourceSource};
use statuspage_operator::admin::status::{Cluster, StatusSource};
use statuspage_operator::admin::{AdminError, AdminOptions, AdminServer, Limits, Listening, Mount, TlsFiles};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::control_plane::install_crypto;

pub(super) const GATEWAY_SECRET: &str = "gateway-test-secret";

/// What two tenants have declared: namespace a has a page with two components, namespace b a page and a component of
/// the page of a.
struct TwoTenants;

impl ResourceSource for TwoTenants {
    fn inventory(&self) -> Inventory {
        let resource = |namespace: &str, kind: &str, name: &str, page: &str, ready: bool, reason: &str| Resource {
            namespace: namespace.into(),
            kind: kind.into(),
            name: name.into(),
            page: page.into(),
            ready,
            synced: ready,
            pending: !ready,
            reason: Some(reason.into()),
            remote_id: ready.then(|| format!("remote-{name}")),
            ..Resource::default()
        };
        let budget = |used| RequestBudget {
            limit: 60,
            used,
            remaining: Some(60 - used),
            waiting: 0,
        };
        Inventory {
            resources: vec![
                resource("b", "StatusPage", "shop", "b/shop", false, "Unauthorized"),
                resource("a", "StatusPage", "main", "a/main", true, "Synced"),
                resource("a", "Component", "web", "a/main", true, "Synced"),
                resource("a", "Component", "api", "a/main", false, "Progressing"),
                resource("b", "Component", "guest", "a/main", false, "Progressing"),
            ],
            budgets: [
                (("a".to_owned(), "main".to_owned()), budget(7)),
                (("b".to_owned(), "shop".to_owned()), budget(9)),
            ]
            .into(),
        }
    }
}

/// How the process is said to be.
#[derive(Clone, Default)]
pub(super) struct Health {
    pub cluster: Option<Cluster>,
    pub waiting_for: Option<String>,
    pub panics: u64,
}

impl StatusSource for Health {
    fn cluster(&self) -> Option<Cluster> {
        self.cluster.clone()
    }

    fn waiting_for(&self) -> Option<String> {
        self.waiting_for.clone()
    }

    fn panics(&self) -> u64 {
        self.panics
    }
}

/// What is unlike the usual server.
#[derive(Default)]
pub(super) struct Setup {
    pub identity: Option<Identity>,
    pub health: Health,
    pub mounts: Vec<Mount>,
    pub limits: Limits,
    pub tls: Option<TlsFiles>,
    pub public_details: bool,
}

impl Setup {
    /// One that lets callers of this machine in without credentials, as `dev` does.
    fn open() -> Self {
        let local = Caller::new("local", true, Grant::reading(Scope::All));
        Setup {
            identity: Some(Identity::new().with_anonymous(local)),
            ..Setup::default()
        }
    }
}

/// A server with access keys for both tenants.
pub(super) struct Running {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub keys: AccessKeys,
    pub ann: IssuedKey,
    pub bob: IssuedKey,
    pub root: IssuedKey,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Result<(), AdminError>>>,
    directory: TempDir,
}

pub(super) fn new_key(user: &str, namespaces: Scope) -> NewKey {
    NewKey {
        user: user.into(),
        admin: namespaces == Scope::All,
        namespaces,
        pages: None,
        verbs: Verb::READING.into(),
        expires: Timestamp::now() + Duration::from_secs(3600),
    }
}

pub(super) fn only(namespace: &str) -> Scope {
    Scope::Only(BTreeSet::from([namespace.to_owned()]))
}

impl Running {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        let keys = AccessKeys::of(&path);
        let ann = keys.create(new_key("ann", only("a"))).unwrap();
        let bob = keys.create(new_key("bob", only("b"))).unwrap();
        let root = keys.create(new_key("root", Scope::All)).unwrap();
        let identity = setup.identity.unwrap_or_else(|| {
            Identity::new()
                .with_access_keys(AccessKeys::of(&path))
                .with_gateway(Gateway::new(Some(GATEWAY_SECRET.into()), Vec::new()).unwrap())
        });
        let server = AdminServer::new(AdminOptions {
            identity,
            status: Arc::new(setup.health),
            resources: Arc::new(TwoTenants),
            mounts: setup.mounts,
            limits: setup.limits,
            public_details: setup.public_details,
        });
        let listening = Listening::bind("127.0.0.1:0".parse().unwrap(), setup.tls)
            .await
            .unwrap();
        let address = listening.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(listening, async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Running {
            address,
            client,
            keys,
            ann,
            bob,
            root,
            stop: Some(stop),
            task: Some(task),
            directory,
        }
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("keys.json")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request without credentials.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse::<Method>().unwrap(), self.url(path))
    }

    /// A GET with an access key.
    pub fn get_as(&self, key: &IssuedKey, path: &str) -> RequestBuilder {
        with_key(self.request("GET", path), key)
    }

    pub async fn json_as(&self, key: &IssuedKey, path: &str) -> Value {
        let response = self.get_as(key, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        body(response).await
    }

    /// Asks the server to end.
    pub fn ask_to_end(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub async fn ended(&mut self) -> Result<(), AdminError> {
        self.task.take().unwrap().await.unwrap()
    }
}

pub(super) fn with_key(request: RequestBuilder, key: &IssuedKey) -> RequestBuilder {
    request
        .header("X-Key", &key.id)
        .header("X-Access-Token", key.token.expose_secret())
}

/// Status and body.
pub(super) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

/// The body as JSON; null when it is empty.
pub(super) async fn body(response: Response) -> Value {
    let text = response.text().await.unwrap();
    if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}
