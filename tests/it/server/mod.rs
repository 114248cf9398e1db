//! The local server over real connections.

mod access;
mod components;
mod exchange;
#[cfg(target_os = "linux")]
mod full_disk;
mod incidents;
mod lag;
mod metrics;
mod node_client;
mod public;
mod python_client;
mod robustness;
mod storage;
mod subscribers;
mod transport;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use statuspage_operator::server::{Clock, ManualClock, PageSeed, Server, ServerOptions};

pub(super) const TOKEN: &str = "test-token";
pub(super) const PAGE: &str = "page00000001";

/// A server on a loopback port with one page, and a client for it.
pub(super) struct Running {
    pub(super) server: Server,
    pub(super) origin: String,
    pub(super) clock: ManualClock,
    pub(super) client: reqwest::Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

/// The time at which every manual clock of these tests begins.
pub(super) fn beginning() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn options() -> ServerOptions {
    ServerOptions {
        tokens: vec![TOKEN.to_owned()],
        pages: vec![PageSeed {
            id: Some(PAGE.to_owned()),
            name: "Acme".to_owned(),
        }],
        ..ServerOptions::default()
    }
}

/// A client that reaches loopback whatever the environment says about proxies.
pub(crate) fn client() -> reqwest::Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

impl Running {
    pub(super) async fn start() -> Self {
        Self::start_with(options()).await
    }

    /// Starts with these options; a clock that is not manual is replaced by one.
    pub(super) async fn start_with(mut options: ServerOptions) -> Self {
        let clock = match &options.clock {
            Clock::Manual(clock) => clock.clone(),
            _ => ManualClock::new(beginning()),
        };
        options.clock = Clock::Manual(clock.clone());
        let server = Server::open(options).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = server.clone();
        let task = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
            };
            serving.serve(listener, shutdown).await.unwrap();
        });
        let client = client();
        Self {
            server,
            origin,
            clock,
            client,
            stop: Some(stop),
            task,
        }
    }

    /// Stops in good order.
    pub(super) async fn stop(mut self) {
        drop(self.client);
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.task.await.unwrap();
    }

    /// A request below the page.
    pub(super) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/v1/pages/{PAGE}{path}", self.origin);
        self.client
            .request(method.parse().unwrap(), url)
            .header("Authorization", format!("OAuth {TOKEN}"))
    }

    /// Sends JSON (nothing for `null`) and gives status and JSON body (`null` for an empty one).
    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        answer(request).await
    }

    /// Like `call`, for a request that has to succeed.
    pub(super) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.ok("GET", path, Value::Null).await
    }

    /// Makes a component and gives its identifier.
    pub(super) async fn component(&self, name: &str) -> String {
        let made = self
            .ok("POST", "/components", json!({ "component": { "name": name } }))
            .await;
        text(&made["id"])
    }

    pub(super) async fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(super) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    let body = match bytes.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&bytes).unwrap(),
    };
    (status, body)
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a text"))
        .to_owned()
}

/// One field of every object of a list.
pub(super) fn column(list: &Value, field: &str) -> Vec<Value> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item[field].clone())
        .collect()
}
