//! The event log, in both stores, and its HTTP API.

mod command_line;
mod contract;
mod filters;
mod follow;
mod forms;
mod guarantees;
mod odd_input;
pub(crate) mod oracle;
mod panko_client;
pub(crate) mod postgres;
mod queries;
mod scope;
mod small_disk;
mod truth;
mod upgrade;
mod who;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use statuspage_operator::admin::caller::{Caller, Grant, Scope};
use statuspage_operator::admin::events;
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Filter, Location, TraitValue};
use tower::ServiceExt;

use crate::support::eventually;

/// No store takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario as two tests, one for each store.
macro_rules! on_both_stores {
    ($($scenario:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $scenario() { super::$scenario(crate::events::Place::sqlite()).await; })*
        }
        mod postgresql {
            $(#[tokio::test] async fn $scenario() { super::$scenario(crate::events::Place::postgres()).await; })*
        }
    };
}
use on_both_stores;

/// A store of its own for one test.
struct Place {
    location: Location,
    directory: tempfile::TempDir,
}

impl Place {
    fn sqlite() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::File(directory.path().join("events.db"));
        Place { location, directory }
    }

    fn postgres() -> Place {
        let url = postgres::Server::shared().database();
        Place {
            location: url.parse().unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn options(&self) -> AuditOptions {
        AuditOptions {
            journal: Some(self.path().join("events.journal")),
            ..AuditOptions::new(self.location.clone())
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn open(&self) -> AuditLog {
        let log = AuditLog::open(self.options()).await.unwrap();
        // A busy machine may need longer for the tables than opening waits.
        let one = Filter {
            limit: Some(1),
            ..Filter::default()
        };
        eventually("the tables", PATIENCE, async || {
            let read = log.store().query(&one).await;
            read.map(drop).map_err(|error| error.to_string())
        })
        .await;
        log
    }

    /// A log with events in it.
    async fn filled(&self, events: Vec<AuditEvent>) -> AuditLog {
        let log = self.open().await;
        for event in events {
            log.record(event);
        }
        assert!(log.flush(PATIENCE).await);
        log
    }
}

/// An event of a namespace at a time; the id is the name.
fn event(id: &str, event_type: &str, at: &str, namespace: &str) -> AuditEvent {
    let mut event = AuditEvent::new(event_type, at.parse().unwrap());
    id.clone_into(&mut event.message_id);
    if namespace.is_empty() {
        event
    } else {
        event.tenant(namespace)
    }
}

/// The event that the contract shows.
fn sample() -> AuditEvent {
    event(
        "00000011-1f1b-404d-b2ec-c35901f1b7f0",
        "component.create",
        "2024-03-01T10:00:05.25Z",
        "team-a",
    )
    .with("attempt", TraitValue::Integer(2))
    .text("component", "web")
    .with("duration", TraitValue::Float(1.5))
    .text("status", "operational")
    .with(
        "synced_at",
        TraitValue::Datetime("2024-03-01T10:00:06.123456Z".parse().unwrap()),
    )
    .raw(json!({"spec": {"name": "Web", "position": 2, "tags": ["a", "b"], "on": true, "ratio": 0.5, "none": null}}))
}

fn caller(admin: bool, namespaces: &[&str]) -> Caller {
    let names: BTreeSet<String> = namespaces.iter().map(|name| (*name).to_owned()).collect();
    let scope = if namespaces == ["*"] {
        Scope::All
    } else {
        Scope::Only(names)
    };
    Caller::new("ann", admin, Grant::reading(scope))
}

fn admin() -> Caller {
    caller(true, &["*"])
}

/// The API as one caller sees it.
struct Api {
    router: axum::Router,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The ids of a list.
    fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text);
        let body = self.json();
        let ids = body
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["message_id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    #[track_caller]
    fn refused(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        let body = self.json();
        let message = body["error_message"].as_object().unwrap();
        assert_eq!(
            message.keys().collect::<Vec<_>>(),
            ["faultcode", "faultstring", "debuginfo"]
        );
        assert_eq!(message["faultcode"], if status < 500 { "Client" } else { "Server" });
        assert_eq!(message["debuginfo"], Value::Null);
        message["faultstring"].as_str().unwrap().to_owned()
    }
}

impl Api {
    fn of(log: &AuditLog, caller: Option<Caller>) -> Api {
        let router = events::router(log.clone()).merge(events::root());
        let router = match caller {
            Some(caller) => router.layer(Extension(caller)),
            None => router,
        };
        Api { router }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    async fn send(&self, method: Method, path: &str, body: &'static str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "events.example.com:8080")
            .header(header::ACCEPT, "*/*")
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}
