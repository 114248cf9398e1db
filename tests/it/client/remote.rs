//! A service that answers what a test tells it to, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};
use statuspage_operator::statuspage::{BaseUrl, Budget, Client, Incoming, Outgoing, Token, TransportError};

/// A request as the service saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Seen {
    /// Method, path and query in one line.
    pub(super) fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The service, for as long as the test's runtime lives.
pub(super) struct Remote {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Remote {
    /// Starts a service that answers by a function of the request.
    pub(super) async fn start(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let memory = Arc::clone(&seen);
        let router = Router::new().fallback(move |request: Request| {
            let (memory, answer) = (Arc::clone(&memory), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let request = Seen {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                let response = answer(&request);
                memory.lock().unwrap().push(request);
                response
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }

    /// Starts a service that gives everybody the same answer.
    pub(super) async fn answering(status: u16, body: &'static str) -> Self {
        Self::start(move |_| reply(status, body)).await
    }

    pub(super) fn client(&self) -> Client {
        self.client_with(Budget::new(0))
    }

    pub(super) fn client_with(&self, budget: Budget) -> Client {
        client_of(self.address, budget)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked since the last call.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .drain(..)
            .map(|request| request.line())
            .collect()
    }
}

pub(super) fn base_url(address: SocketAddr) -> BaseUrl {
    BaseUrl::parse(&format!("http://{address}/v1/"), false).unwrap()
}

pub(super) fn token() -> Token {
    Token::new("OAuth correct-horse\n".to_owned()).unwrap()
}

pub(super) fn client_of(address: SocketAddr, budget: Budget) -> Client {
    Client::builder(base_url(address), token())
        .budget(budget)
        .build()
        .unwrap()
}

pub(super) fn reply(status: u16, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

/// Answers anything as the service would: a list with a list of one, a creation with a new object, and everything else
/// with the object that the path is about, whose id has one letter in these tests.
pub(super) fn honest(seen: &Seen) -> Response {
    let path: Vec<&str> = seen.path.split('/').skip(2).collect();
    let is_list = seen.parameter("page").is_some() || matches!(path[..], ["pages"] | ["pages", _, "metrics_providers"]);
    let subject = match path[..] {
        ["pages", _, "page_access_users" | "page_access_groups", holder, ..] => Some(holder),
        _ => path.iter().rev().find(|part| part.len() == 1).copied(),
    };
    let creates = matches!(path[..], [_, _, _] | [_, _, "incidents" | "metrics_providers", _, _]);
    match seen.method.as_str() {
        "GET" if is_list => reply(200, r#"[{"id":"x"}]"#),
        "POST" if creates => reply(201, r#"{"id":"x"}"#),
        _ => {
            let object = json!({"id": subject, "page_id": "p", "body": null, "pages": []});
            reply(200, object.to_string())
        }
    }
}

/// Exactly one request was seen since the last look: this line, with this body.
#[track_caller]
pub(super) fn asked(remote: &Remote, line: &str, body: Value) {
    let seen = remote.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body, body, "{line}");
    assert_eq!(remote.lines(), [line]);
}

/// A client whose requests a function answers, inside the process.
pub(super) fn answered_by<R>(answer: impl Fn(Outgoing) -> R + Send + Sync + 'static, budget: Budget) -> Client
where
    R: Future<Output = Result<Incoming, TransportError>> + Send + 'static,
{
    let base_url = BaseUrl::parse("http://127.0.0.1:1/v1", false).unwrap();
    Client::builder(base_url, token())
        .budget(budget)
        .transport(Arc::new(answer))
        .build()
        .unwrap()
}
