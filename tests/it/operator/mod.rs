//! The operator as a process, against a real control plane and the local Statuspage server.

mod apply;
mod argocd;
mod chart;
mod conditions;
mod crashes;
mod definitions;
mod doctor;
mod drift;
mod ends;
mod http_api;
mod image;
mod memory;
mod metrics;
mod monitoring;
mod recorded;
mod restore;
mod tenancy;
mod tenants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;
use statuspage_operator::api::{GROUP, Kind, VERSION};
use statuspage_operator::server::{Clock, PageSeed, RequestLog, Server, ServerOptions};
use tokio::sync::OnceCell;

use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::{OutputExt, tail};
use crate::support::warden::Warden;

pub(super) const TOKEN: &str = "operator-test-token";
pub(super) const PAGE: &str = "4kx9q2m7vt1b";
/// What happens on its own happens within this, on a machine that does other things too.
pub(super) const SOON: Duration = Duration::from_secs(60);

/// The command that starts an operator on ports that the system chooses.
const OPERATOR: [&str; 5] = [
    "operator",
    "--probe-listen",
    "127.0.0.1:0",
    "--http-listen",
    "127.0.0.1:0",
];

/// A namespace, a Statuspage server, and a warden for operators.
pub(super) struct Stage {
    pub control_plane: &'static ControlPlane,
    pub client: Client,
    pub namespace: String,
    pub server: Server,
    pub url: String,
    warden: Warden,
}

impl Stage {
    pub async fn set() -> Self {
        let control_plane = ControlPlane::shared().await;
        install_definitions(control_plane).await;
        Self::set_on(control_plane).await
    }

    /// On a control plane that has the definitions, or will have them.
    pub async fn set_on(control_plane: &'static ControlPlane) -> Self {
        let server = Server::open(ServerOptions {
            tokens: vec![TOKEN.to_owned()],
            pages: vec![PageSeed {
                id: Some(PAGE.to_owned()),
                name: "Acme".to_owned(),
            }],
            clock: Clock::System,
            ..ServerOptions::default()
        })
        .await
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(server.clone().serve(listener, std::future::pending()));
        Stage {
            client: control_plane.client().await,
            namespace: control_plane.unique_namespace().await,
            control_plane,
            server,
            url,
            warden: Warden::start().unwrap(),
        }
    }

    pub fn log(&self) -> RequestLog {
        self.server.log()
    }

    /// Applies manifests in the namespace.
    pub async fn apply(&self, manifests: &str) -> String {
        self.apply_in(&self.namespace, manifests).await
    }

    pub async fn apply_in(&self, namespace: &str, manifests: &str) -> String {
        let arguments = ["apply", "--namespace", namespace, "-f", "-"];
        self.control_plane
            .kubectl_with_input(&arguments, manifests)
            .await
            .succeeded()
    }

    /// Runs kubectl in the namespace.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        let all = [arguments, &["--namespace", &self.namespace]].concat();
        self.control_plane.kubectl(&all).await.succeeded()
    }

    /// The Secret and the StatusPage.
    pub async fn apply_page(&self) {
        self.apply(&secret(TOKEN)).await;
        self.apply(&self.page("")).await;
    }

    /// A StatusPage named acme, with more fields of its spec.
    pub fn page(&self, more: &str) -> String {
        format!(
            "apiVersion: {GROUP}/{VERSION}\nkind: StatusPage\nmetadata: {{name: acme}}\nspec:\n  pageId: {PAGE}\n  api: {{url: \"{}\", tokenSecretRef: {{name: statuspage-token}}}}\n{more}",
            self.url
        )
    }

    /// Starts an operator that sees this namespace only.
    pub async fn operator(&self, name: &str, more: &[&str]) -> Operator {
        let own = ["--watch-namespace", self.namespace.as_str()];
        self.operator_seeing(name, &[&own, more].concat()).await
    }

    /// Starts an operator as the administrator.
    pub async fn operator_seeing(&self, name: &str, arguments: &[&str]) -> Operator {
        let kubeconfig = self.control_plane.kubeconfig_path();
        let arguments = [&OPERATOR, arguments].concat();
        Operator::start(&self.warden, name, kubeconfig, &arguments).await
    }

    /// Starts an operator as the container of a Pod, which sees this namespace only.
    pub async fn operator_in_pod(&self, name: &str, pod: &str, more: &[&str]) -> Operator {
        let kubeconfig = self.control_plane.kubeconfig_path().display();
        let environment = format!("export KUBECONFIG='{kubeconfig}' POD_NAME='{pod}' POD_UID='uid-of-{pod}'");
        let watched = ["--watch-namespace", self.namespace.as_str()];
        let program = [env!("CARGO_BIN_EXE_statuspage"), "--color", "never"];
        let command = [&program[..], &OPERATOR, &watched, more].concat();
        Operator::run(&self.warden, name, &environment, &command).await
    }

    pub fn warden(&self) -> &Warden {
        &self.warden
    }

    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        self.api_in(&self.namespace, kind)
    }

    pub fn api_in(&self, namespace: &str, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource(kind))
    }

    /// Waits until the Ready condition of an object has this reason, and gives its message.
    pub async fn reason(&self, kind: Kind, name: &str, reason: &str) -> String {
        self.reason_in(&self.namespace, kind, name, reason).await
    }

    pub async fn reason_in(&self, namespace: &str, kind: Kind, name: &str, reason: &str) -> String {
        let api = self.api_in(namespace, kind);
        eventually(&format!("{kind} {name}: {reason}"), SOON, async || {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            let ready = condition(&object.data, "Ready");
            if ready["reason"] == reason {
                Ok(ready["message"].as_str().unwrap_or_default().to_owned())
            } else {
                Err(ready.to_string())
            }
        })
        .await
    }

    /// Waits until so many objects of a kind are there and all are Ready.
    pub async fn all_ready(&self, kind: Kind, count: usize, limit: Duration) {
        let api = self.api(kind);
        eventually(&format!("{count} {kind} Ready"), limit, async || {
            let objects = api
                .list(&ListParams::default())
                .await
                .map_err(|error| error.to_string())?;
            let ready = |object: &&DynamicObject| {
                let ready = condition(&object.data, "Ready");
                ready["status"] == "True" && ready["observedGeneration"] == object.metadata.generation.unwrap_or(0)
            };
            let ready = objects.items.iter().filter(ready).count();
            let waiting = objects
                .items
                .iter()
                .find(|object| condition(&object.data, "Ready")["status"] != "True");
            match (ready, objects.items.len()) {
                (ready, all) if ready == count && all == count => Ok(()),
                (ready, all) => Err(format!(
                    "{ready} of {all} Ready; {}",
                    waiting.map_or(String::new(), |object| object.data["status"].to_string())
                )),
            }
        })
        .await;
    }

    /// The resource versions of all declarations but the StatusPages.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::StatusPage) {
            for object in self.api(kind).list(&ListParams::default()).await.unwrap() {
                let name = format!("{kind} {}", object.metadata.name.unwrap());
                versions.insert(name, object.metadata.resource_version.unwrap());
            }
        }
        versions
    }

    /// What the page has, as JSON.
    pub async fn remote(&self, path: &str) -> Value {
        let url = format!("{}/pages/{PAGE}{path}", self.url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(url).header("Authorization", format!("OAuth {TOKEN}"));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The names of the components on the page, sorted.
    pub async fn component_names(&self) -> Vec<String> {
        let components = self.remote("/components?per_page=1000&page=1").await;
        let mut names: Vec<String> = components
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Creates sent so far.
    pub fn creates(&self) -> usize {
        self.log().count("POST", &format!("/v1/pages/{PAGE}/components"))
    }
}

pub(super) fn secret(token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: statuspage-token}}\nstringData: {{token: \"{token}\"}}\n---\n"
    )
}

/// Component declarations named c00, c01 and so on.
pub(super) fn components(count: usize) -> String {
    (0..count)
        .map(|number| component(&format!("c{number:02}"), ""))
        .collect()
}

pub(super) fn component(name: &str, more: &str) -> String {
    format!(
        "apiVersion: {GROUP}/{VERSION}\nkind: Component\nmetadata: {{name: {name}}}\nspec:\n  pageRef: {{name: acme}}\n{more}---\n"
    )
}

pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("c{number:02}")).collect()
}

pub(super) fn resource(kind: Kind) -> ApiResource {
    let definition = kind.definition();
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind.as_str().to_owned(),
        plural: definition.spec.names.plural,
    }
}

pub(super) fn condition(data: &Value, kind: &str) -> Value {
    data["status"]["conditions"]
        .as_array()
        .and_then(|conditions| conditions.iter().find(|condition| condition["type"] == kind))
        .cloned()
        .unwrap_or_default()
}

/// Once for the control plane that tests share, whichever comes first.
async fn install_definitions(control_plane: &ControlPlane) {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED
        .get_or_init(async || apply_definitions(control_plane).await)
        .await;
}

/// Applies the definitions, and waits until they are served.
async fn apply_definitions(control_plane: &ControlPlane) {
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let definitions = definitions.to_str().unwrap();
    let apply = ["apply", "--server-side", "-f", definitions];
    control_plane.kubectl(&apply).await.succeeded();
    let wait = [
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "-f",
        definitions,
    ];
    control_plane.kubectl(&wait).await.succeeded();
}

/// A running operator. It ends with its warden.
pub(super) struct Operator {
    name: String,
    directory: PathBuf,
    address: String,
    /// Where the HTTP API is.
    pub origin: String,
}

impl Operator {
    /// Starts an operator and waits until it serves.
    pub async fn start(warden: &Warden, name: &str, kubeconfig: &Path, arguments: &[&str]) -> Self {
        let environment = format!("export KUBECONFIG='{}'", kubeconfig.display());
        let command = [&[env!("CARGO_BIN_EXE_statuspage"), "--color", "never"], arguments].concat();
        Self::run(warden, name, &environment, &command).await
    }

    /// The same by any command, after a line for the shell that sets its environment.
    pub async fn run(warden: &Warden, name: &str, environment: &str, command: &[&str]) -> Self {
        let directory = warden.directory().to_owned();
        // The shell tells the process id and becomes the operator. A proxy is not for addresses of this machine.
        let script = format!(
            "unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy; {environment}; echo $$ >'{name}.pid.new'; mv '{name}.pid.new' '{name}.pid'; exec \"$@\""
        );
        let mut argv = vec!["-c".to_owned(), script, "sh".to_owned()];
        argv.extend(command.iter().map(|argument| (*argument).to_owned()));
        warden.run(name, Path::new("/bin/sh"), &argv).unwrap();
        let mut operator = Operator {
            name: name.to_owned(),
            directory,
            address: String::new(),
            origin: String::new(),
        };
        operator.address = operator.logged("started", "address").await;
        let served = "the HTTP API is served";
        let (scheme, address) = (
            operator.logged(served, "scheme").await,
            operator.logged(served, "address").await,
        );
        operator.origin = format!("{scheme}://{address}");
        operator
    }

    /// The value of a field in the line of the log that has these words.
    async fn logged(&self, words: &str, field: &str) -> String {
        eventually(&format!("{} says: {words}", self.name), SOON, async || {
            if let Some(exit) = self.exit_status() {
                return Err(format!("it ended ({exit}): {}", self.log_tail()));
            }
            let log = self.log();
            let line = log.lines().find(|line| line.contains(words));
            let (text, json) = (format!("{field}="), format!("\"{field}\":\""));
            line.and_then(|line| line.split(&text).nth(1).or(line.split(&json).nth(1)))
                .map(|rest| {
                    rest.trim_start_matches('"')
                        .split(['"', ' '])
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                })
                .ok_or(log.clone())
        })
        .await
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join(format!("{}.log", self.name))).unwrap_or_default()
    }

    pub fn log_tail(&self) -> String {
        tail(self.log().as_bytes())
    }

    pub fn pid(&self) -> u32 {
        let pid = std::fs::read_to_string(self.directory.join(format!("{}.pid", self.name))).unwrap();
        pid.trim().parse().unwrap()
    }

    /// Sends a signal, such as KILL.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.pid());
        let output = Command::new("/bin/sh").args(["-c", &kill]).output().unwrap();
        assert!(output.status.success(), "{kill}: {}", output.error_text());
    }

    /// How it ended, if it did.
    pub fn exit_status(&self) -> Option<String> {
        std::fs::read_to_string(self.directory.join(format!("{}.exit", self.name))).ok()
    }

    /// Waits until it ended and tells how.
    pub async fn ended(&self) -> String {
        eventually(&format!("{} ends", self.name), SOON, async || {
            self.exit_status().ok_or_else(|| self.log_tail())
        })
        .await
    }

    /// Waits until it ended, which has to be in order.
    pub async fn ended_in_order(&self) {
        assert_eq!(self.ended().await.trim(), "exit status 0", "{}", self.log_tail());
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client
            .get(format!("http://{}{path}", self.address))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The status of the answer to a request without a body.
    pub async fn send(&self, method: &str, path: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method.parse().unwrap(), format!("http://{}{path}", self.address));
        request.send().await.unwrap().status().as_u16()
    }

    pub async fn ready(&self) {
        eventually("the caches are complete", SOON, async || {
            match self.get("/readyz").await {
                (200, _) => Ok(()),
                (status, text) => Err(format!("{status}: {text}")),
            }
        })
        .await;
    }

    /// The value of a figure in /metrics: the sum over its labels.
    pub async fn figure(&self, name: &str) -> f64 {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}
