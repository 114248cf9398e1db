//! A real Kubernetes control plane: etcd, kube-apiserver and
//! kube-controller-manager as processes on the loopback interface, with RBAC,
//! the default admission plugins and the controllers that make objects live
//! and die: service accounts and their tokens, namespaces, garbage collection,
//! aggregated roles, Deployments down to their Pods. What is missing is a
//! scheduler and a kubelet: Pods are made and stay Pending.
//!
//! One control plane serves all tests of the process; tests keep apart by
//! namespaces ([`ControlPlane::unique_namespace`]). What is not namespaced
//! (CRDs, ClusterRoles) is shared: name it for the test, or start
//! [`ControlPlane::own`], which takes two seconds.

use super::process::{self, tail};
use super::warden::Warden;
use super::{START_LIMIT, binaries, eventually};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::PostParams;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, NamedAuthInfo};
use kube::{Api, Client, Config};
use serde_json::json;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

/// Names a kubeconfig of a cluster to test on, instead of one of our own.
pub(crate) const KUBECONFIG: &str = "STATUSPAGE_TEST_KUBECONFIG";

/// How long a run of kubectl or helm may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(180);

/// How often a free port may turn out to have been taken meanwhile.
const PORT_ATTEMPTS: usize = 3;

/// What is audited: what service accounts ask for, without bodies.
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
    {"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}]}"#;

/// A control plane that answers.
pub(crate) struct ControlPlane {
    /// Files of this control plane: keys, logs, kubeconfigs, data.
    directory: PathBuf,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    helm: OnceLock<Result<PathBuf, String>>,
    /// Keeps the processes alive: see [`Warden`].
    warden: Warden,
}

impl ControlPlane {
    /// The control plane of this test process, started by whoever asks first.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        // A thread, since it blocks; not a task of the runtime of one test,
        // since that ends with the test.
        let start = || {
            let given = std::env::var_os(KUBECONFIG).map(PathBuf::from);
            Self::start(given)
        };
        let started = tokio::task::spawn_blocking(move || SHARED.get_or_init(start))
            .await
            .expect("the thread that starts the control plane does not panic");
        match started {
            Ok(control_plane) => control_plane,
            Err(reason) => panic!("no control plane: {reason}"),
        }
    }

    /// A control plane for one test, which ends with the value. For tests of
    /// what cannot be shared: who owns the CRDs, what is in every namespace.
    pub(crate) async fn own() -> Self {
        let started = tokio::task::spawn_blocking(|| Self::start(None))
            .await
            .expect("the thread that starts a control plane does not panic");
        started.unwrap_or_else(|reason| panic!("no control plane: {reason}"))
    }

    /// The kubeconfig of the administrator.
    pub(crate) fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where the API server writes what service accounts ask it for, a JSON object a line.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.directory.join("audit.log")
    }

    /// A client of the administrator.
    ///
    /// A client works on the runtime that it was made on, and every test has
    /// its own: make one per test.
    pub(crate) async fn client(&self) -> Client {
        client(&self.kubeconfig).await
    }

    /// Ends etcd and the API server, does something to the data, and starts both again where they were.
    pub(crate) fn interrupted(&self, between: impl FnOnce(&Path)) {
        // The API server would wait a minute for its watches; etcd has to write what it has.
        for (name, signal) in [("kube-apiserver", "-KILL"), ("etcd", "-TERM")] {
            let pid = fs::read_to_string(self.directory.join(format!("{name}.pid"))).unwrap();
            let mut kill = Command::new("kill");
            kill.args([signal, pid.trim()]);
            assert!(kill.status().unwrap().success());
            let exit = self.directory.join(format!("{name}.exit"));
            let deadline = std::time::Instant::now() + START_LIMIT;
            while !exit.exists() {
                assert!(std::time::Instant::now() < deadline, "{name} does not end");
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        between(&self.directory.join("etcd"));
        self.start_etcd().unwrap();
        let arguments = fs::read(self.directory.join("kube-apiserver.arguments")).unwrap();
        let arguments: Vec<String> = serde_json::from_slice(&arguments).unwrap();
        self.run_with_pid("kube-apiserver", &arguments).unwrap();
        let admin = self.kubeconfig.clone();
        self.warden.wait_for("kube-apiserver", || is_ready(&admin)).unwrap();
    }

    /// Has a program run whose process id is then in a file.
    fn run_with_pid(&self, name: &str, arguments: &[String]) -> Result<(), String> {
        let script = format!(
            "echo $$ >'{}'; exec \"$@\"",
            self.directory.join(format!("{name}.pid")).display()
        );
        let program = binaries::kubernetes(name)?.display().to_string();
        let head = ["-c".to_owned(), script, "sh".to_owned(), program];
        self.warden
            .run(name, Path::new("/bin/sh"), &[&head[..], arguments].concat())
    }

    /// Runs kubectl as the administrator.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_with_input(arguments, "").await
    }

    /// Runs kubectl as the administrator with something to read: the manifests
    /// of `apply -f -`.
    pub(crate) async fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Output {
        self.run(&self.kubectl.clone(), arguments, input).await
    }

    /// Runs helm as the administrator.
    pub(crate) async fn helm(&self, arguments: &[&str]) -> Output {
        match self.helm.get_or_init(binaries::helm) {
            Ok(helm) => self.run(&helm.clone(), arguments, "").await,
            Err(reason) => panic!("no helm: {reason}"),
        }
    }

    /// Writes a kubeconfig that is the service account of a namespace, by a
    /// token asked of the API server, as a kubelet would for a Pod.
    pub(crate) async fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let granted = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .unwrap_or_else(|error| panic!("no token for {namespace}/{name}: {error}"));
        let token = granted.status.expect("a granted token request has a status").token;
        let mut kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let current = kubeconfig.current_context.clone();
        let context = kubeconfig
            .contexts
            .iter_mut()
            .find(|context| Some(&context.name) == current.as_ref())
            .and_then(|named| named.context.as_mut())
            .expect("the kubeconfig has a current context");
        context.user = Some(name.to_owned());
        context.namespace = Some(namespace.to_owned());
        kubeconfig.auth_infos = vec![NamedAuthInfo {
            name: name.to_owned(),
            auth_info: Some(AuthInfo {
                token: Some(token.into()),
                ..AuthInfo::default()
            }),
            ..NamedAuthInfo::default()
        }];
        let file = format!("service-account-{namespace}-{name}.kubeconfig");
        let path = self.directory.join(file);
        fs::write(&path, serde_json::to_vec(&kubeconfig).unwrap()).unwrap();
        path
    }

    /// Makes a namespace that no other test has, and gives its name. Its default
    /// service account is there, so that Pods are admitted.
    pub(crate) async fn unique_namespace(&self) -> String {
        let name = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let client = self.client().await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.clone());
        // So that they can be found and removed on a cluster that outlives us.
        namespace.metadata.labels = Some([("statuspage-operator.io/test".to_owned(), "true".to_owned())].into());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        wait_for_default_account(client, &name).await;
        name
    }

    /// Runs a tool as the administrator, on a thread that may wait.
    async fn run(&self, program: &Path, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig);
        // Whatever the tools keep between runs is none of the user's, and none
        // of what the user keeps decides what a test sees.
        for variable in ["HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, self.directory.join("home"));
        }
        command.env("KUBECACHEDIR", self.directory.join("home/kube"));
        let input = input.as_bytes().to_vec();
        tokio::task::spawn_blocking(move || process::run(command, &input, COMMAND_LIMIT))
            .await
            .expect("running a tool does not panic")
            .unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts everything, or takes a cluster that is given by its kubeconfig.
    fn start(given: Option<PathBuf>) -> Result<Self, String> {
        install_crypto();
        let kubectl = binaries::kubernetes("kubectl")?;
        let warden = Warden::start()?;
        let mut control_plane = Self {
            directory: warden.directory().to_owned(),
            kubeconfig: warden.directory().join("admin.kubeconfig"),
            kubectl,
            helm: OnceLock::new(),
            warden,
        };
        match given {
            Some(path) => control_plane.kubeconfig = path,
            None => control_plane.start_processes()?,
        }
        Ok(control_plane)
    }

    fn start_processes(&self) -> Result<(), String> {
        let keys = self.directory.join("pki");
        let mut command = Command::new(binaries::warden()?);
        command.arg("pki").arg(&keys);
        let output = process::run(command, b"", START_LIMIT)?;
        if !output.status.success() {
            return Err(format!("no certificates: {}", tail(&output.stderr)));
        }
        let etcd = self.start_etcd()?;
        let server = self.start_api_server(&keys, &etcd)?;
        self.write_kubeconfig(&server, &keys, "admin")?;
        let manager = self.write_kubeconfig(&server, &keys, "controller-manager")?;
        self.start_controller_manager(&keys, &manager)
    }

    /// Starts etcd on sockets in the directory: nobody else can reach it, and
    /// there is no port to be taken.
    fn start_etcd(&self) -> Result<String, String> {
        let socket = |name: &str| format!("unix://{}", self.directory.join(name).display());
        let (clients, peers) = (socket("etcd.sock"), socket("peer.sock"));
        // Of an earlier run.
        drop(fs::remove_file(self.directory.join("etcd.sock")));
        self.run_with_pid(
            "etcd",
            &[
                format!("--data-dir={}", self.directory.join("etcd").display()),
                format!("--listen-client-urls={clients}"),
                // Must look like an address; whoever asks has the socket already.
                "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
                format!("--listen-peer-urls={peers}"),
                // The data need not survive: no test loses power.
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ],
        )?;
        self.warden
            .wait_for("etcd", || self.directory.join("etcd.sock").exists())?;
        Ok(clients)
    }

    fn start_api_server(&self, keys: &Path, etcd: &str) -> Result<String, String> {
        let key = |name: &str| keys.join(name).display().to_string();
        let policy = self.directory.join("audit-policy.json");
        fs::write(&policy, AUDIT_POLICY).map_err(|error| error.to_string())?;
        let mut failure = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let arguments = [
                format!("--etcd-servers={etcd}"),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--secure-port={port}"),
                format!("--tls-cert-file={}", key("apiserver.crt")),
                format!("--tls-private-key-file={}", key("apiserver.key")),
                format!("--client-ca-file={}", key("ca.crt")),
                "--authorization-mode=RBAC".to_owned(),
                // As clusters have it, so that what refuses a privileged
                // Pod is the pod security of its namespace.
                "--allow-privileged=true".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-key-file={}", key("service-account.pub")),
                format!("--service-account-signing-key-file={}", key("service-account.key")),
                "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
                // The Service `kubernetes` cannot point to a loopback
                // address, and nobody asks it to.
                "--advertise-address=127.0.0.1".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
                format!("--audit-policy-file={}", policy.display()),
                format!("--audit-log-path={}", self.audit_log().display()),
            ];
            let kept = serde_json::to_vec(&arguments).map_err(|error| error.to_string())?;
            let file = self.directory.join("kube-apiserver.arguments");
            fs::write(&file, kept).map_err(|error| error.to_string())?;
            self.run_with_pid("kube-apiserver", &arguments)?;
            let server = format!("https://127.0.0.1:{port}");
            let admin = self.write_kubeconfig(&server, keys, "admin")?;
            match self.warden.wait_for("kube-apiserver", || is_ready(&admin)) {
                Ok(()) => return Ok(server),
                // Somebody was faster: another port.
                Err(reason) if reason.contains("address already in use") => failure = reason,
                Err(reason) => return Err(reason),
            }
        }
        Err(failure)
    }

    fn start_controller_manager(&self, keys: &Path, kubeconfig: &Path) -> Result<(), String> {
        let controllers = [
            "clusterrole-aggregation-controller",
            "deployment-controller",
            "disruption-controller",
            "garbage-collector-controller",
            "namespace-controller",
            "replicaset-controller",
            "root-ca-certificate-publisher-controller",
            "serviceaccount-controller",
            "serviceaccount-token-controller",
        ];
        self.warden.run(
            "kube-controller-manager",
            &binaries::kubernetes("kube-controller-manager")?,
            &[
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--controllers={}", controllers.join(",")),
                // Each controller with the roles that clusters give it.
                "--use-service-account-credentials=true".to_owned(),
                format!(
                    "--service-account-private-key-file={}",
                    keys.join("service-account.key").display()
                ),
                format!("--root-ca-file={}", keys.join("ca.crt").display()),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                "--kube-api-qps=200".to_owned(),
                "--kube-api-burst=400".to_owned(),
            ],
        )?;
        // It works when it has made the service account of a namespace.
        let admin = self.kubeconfig.clone();
        self.warden
            .wait_for("kube-controller-manager", || has_default_account(&admin))
    }

    /// Writes the kubeconfig of one of the client certificates.
    fn write_kubeconfig(&self, server: &str, keys: &Path, user: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(format!("{user}.kubeconfig"));
        // JSON is YAML, and quotes its strings.
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [{"name": "test", "cluster": {
                "server": server,
                "certificate-authority": keys.join("ca.crt"),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate": keys.join(format!("{user}.crt")),
                "client-key": keys.join(format!("{user}.key")),
            }}],
        });
        fs::write(&path, content.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

/// Chooses ring for TLS, once for all clients of the process.
pub(crate) fn install_crypto() {
    // An error says that somebody has chosen already.
    drop(rustls::crypto::ring::default_provider().install_default());
}

async fn client(kubeconfig: &Path) -> Client {
    install_crypto();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

async fn wait_for_default_account(client: Client, namespace: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client, namespace);
    let what = format!("service account of {namespace}");
    eventually(&what, Duration::from_secs(60), async || {
        accounts
            .get("default")
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
}

/// Asks, from a thread, whether the API server is ready to serve.
fn is_ready(kubeconfig: &Path) -> bool {
    ask(kubeconfig, async |client| {
        let request = http::Request::get("/readyz").body(Vec::new()).ok()?;
        client.request_text(request).await.ok()
    })
    .is_some_and(|answer| answer == "ok")
}

/// Asks, from a thread, whether the controllers work.
fn has_default_account(kubeconfig: &Path) -> bool {
    ask(kubeconfig, async |client| {
        Api::<ServiceAccount>::namespaced(client, "default")
            .get("default")
            .await
            .ok()
    })
    .is_some()
}

/// Runs one question to the API server on a runtime of its own.
fn ask<T>(kubeconfig: &Path, question: impl AsyncFnOnce(Client) -> Option<T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        let limit = Duration::from_secs(5);
        tokio::time::timeout(limit, async { question(client(kubeconfig).await).await })
            .await
            .ok()
            .flatten()
    })
}

/// A port that is free now.
fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}
