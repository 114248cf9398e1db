//! `/v2`: the event log, in the contract of OpenStack's event service (openstack/panko 10.0.0, clients by python-pankoclient
//! 1.2.0).
//!
//! Kept as its clients rely on it: bare lists, values as texts, times in UTC without a zone, trailing slashes, `ge` and
//! `le` demanded for the two timestamps, `[]` for what is unknown, 400 for unknown parameters. Where oddities come from:
//! - Pecan, its framework, takes the path apart after decoding it, so that `%2F` splits an id; it has no resource for a
//!   type alone, so that `/v2/event_types/{type}` is 404 also for one that exists.
//! - Texts of errors quote values as Python does, because WSME wrote them.
//! - Texts of numbers are Python's (`1e-07`), and so is what is read as one (`1_0`).
//! - XML has the shapes of its documentation, not those of its code, which printed dictionaries as Python does.
//! - A request is named in `x-openstack-request-id`, with `req-` before it.
//!
//! Beyond it: `?follow`, a stream of server-sent events. docs/http-api.md says where it differs on purpose.
//!
//! The caller comes from the request's extensions ([`Caller`]); who put it there checked the credentials. A request
//! without one is anonymous and sees the capabilities only.

mod description;
pub(super) mod failure;
pub(super) mod format;
mod query;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, HOST};
use axum::http::request::Parts;
use axum::http::uri::Scheme;
use axum::http::{Method, Response, StatusCode};
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::failure::METHODS;
use self::format::Format;
use super::say_problems;
use crate::admin::caller::{Caller, Verb};
use crate::admin::problem::Problem;
use crate::admin::shares::{Share, Shares};
use crate::admin::state::Mount;
use crate::audit::{AuditError, AuditEvent, AuditLog, Filter};

/// Most values of one trait in an answer. The contract has no paging here; the newest deployments have millions.
const TRAIT_VALUES: u32 = 10_000;

/// Streams at a time: each holds a connection, and others are to have some too.
const STREAMS: usize = 64;
/// Streams of one credential.
const STREAMS_OF_ONE: usize = 8;
/// Questions to the log of one credential at a time: fewer than there are connections to it.
const QUESTIONS_OF_ONE: usize = 2;
/// How long a question waits for its turn behind others of the same credential.
const TURN_LIMIT: Duration = Duration::from_secs(5);
/// Events that one question looks at: further ones take longer than an answer may.
const MOST_EXAMINED: u32 = 100_000;

#[derive(Clone)]
struct EventsState {
    log: AuditLog,
    /// Places for streams.
    streams: Arc<Semaphore>,
    streams_by_credential: Arc<Shares<String>>,
    questions: Arc<Shares<String>>,
}

/// The contract's routes: `/v2` with everything below, in its own shape. Merge it into a server that puts a [`Caller`]
/// into the extensions.
pub fn router(log: AuditLog) -> Router {
    routes(log).layer(from_fn(say_problems))
}

fn routes(log: AuditLog) -> Router {
    Router::new()
        .route("/v2", any(answer))
        .route("/v2/", any(answer))
        .route("/v2/{*path}", any(answer))
        .with_state(EventsState {
            log,
            streams: Arc::new(Semaphore::new(STREAMS)),
            streams_by_credential: Arc::new(Shares::new(STREAMS_OF_ONE)),
            questions: Arc::new(Shares::new(QUESTIONS_OF_ONE)),
        })
}

/// The contract and its list of versions at `/`, for an [`AdminServer`](crate::admin::AdminServer).
pub fn mount(log: AuditLog) -> Mount {
    Mount {
        router: routes(log).merge(root()),
        operations: description::operations(),
    }
}

/// The list of versions, which its clients look for at `/`.
fn versions(scheme: &Scheme, host: &str) -> Value {
    let base = format!("{scheme}://{host}");
    json!({"versions": {"values": [{
        "id": "v2",
        "status": "stable",
        "updated": "2013-02-13T00:00:00Z",
        "links": [
            {"href": format!("{base}/v2"), "rel": "self"},
            {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"},
        ],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.telemetry-v2+json"},
            {"base": "application/xml", "type": "application/vnd.openstack.telemetry-v2+xml"},
        ],
    }]}})
}

/// Answers `/` with the list of versions, for a server that has nothing else there.
pub fn root() -> Router {
    Router::new().route(
        "/",
        get(async |request: Request| {
            let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
            let scheme = request.extensions().get().unwrap_or(&Scheme::HTTP);
            Format::Json.response(&versions(scheme, host.unwrap_or("localhost")))
        }),
    )
}

async fn answer(State(state): State<EventsState>, request: Request) -> Result<Response<Body>, Problem> {
    // A body means nothing on any of these requests.
    let (request, _) = request.into_parts();
    let path = query::decode(request.uri.path()).ok_or(Problem::NotFound)?;
    let path = path.strip_prefix("/v2").unwrap_or(&path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let known = matches!(
        segments.as_slice(),
        ["capabilities"]
            | ["event_types" | "events"]
            | ["event_types" | "events", _]
            | ["event_types", _, "traits"]
            | ["event_types", _, "traits", _]
    );
    // No id, type or name has a NUL, and PostgreSQL has no place for it in a text.
    if !known || path.contains('\0') || segments.contains(&"") {
        return Err(Problem::NotFound);
    }
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok([(ALLOW, METHODS)].into_response()),
        _ => {
            let text = "The method is not allowed for this resource: events are written by the operator only.";
            return Err(worded(StatusCode::METHOD_NOT_ALLOWED, text));
        }
    }
    let pairs = query::pairs(request.uri.query().unwrap_or_default())?;
    if segments == ["capabilities"] {
        query::refuse(&pairs)?;
        return Ok(format(&request)?.response(&json!({
            "api": {"events:query:simple": true},
            "event_storage": {"storage:production_ready": true},
        })));
    }
    let caller = request.extensions.get::<Caller>().ok_or_else(|| {
        let text = "This request needs credentials: send a token in X-Auth-Token.";
        worded(StatusCode::UNAUTHORIZED, text)
    })?;
    if !caller.may(Verb::Events) {
        return Err(forbidden(
            "This credential may not read events: it needs the verb `events`.",
        ));
    }
    match segments.as_slice() {
        ["events"] => return state.events(caller, &request, &pairs).await,
        // A type is no resource of its own, also one that exists.
        ["event_types", _] => return Err(Problem::NotFound),
        ["event_types", ..] if !caller.admin => return Err(forbidden("Only an admin may see the types of events.")),
        _ => query::refuse(&pairs)?,
    }
    let format = format(&request)?;
    let _turn = state.turn(caller).await?;
    Ok(format.response(&state.document(caller, &segments).await?))
}

fn format(request: &Parts) -> Result<Format, Problem> {
    Format::of(&request.headers).ok_or_else(not_acceptable)
}

impl EventsState {
    /// Waits behind other questions of the same credential, so that those of others need not.
    async fn turn(&self, caller: &Caller) -> Result<Share, Problem> {
        let turn = self.questions.wait(&caller.credential, TURN_LIMIT).await;
        turn.ok_or_else(|| too_many("Too many questions of this credential are at work; try again."))
    }

    async fn events(
        &self,
        caller: &Caller,
        request: &Parts,
        pairs: &[(String, String)],
    ) -> Result<Response<Body>, Problem> {
        let mut asked = query::read(pairs)?;
        if asked.all_tenants.is_some() && !caller.admin {
            return Err(forbidden("Only an admin may ask for all_tenants."));
        }
        asked.filter.view = caller.view();
        if asked.follow {
            return self.follow(caller, request, asked.filter).await;
        }
        let format = format(request)?;
        asked.filter.examine = Some(MOST_EXAMINED);
        let _turn = self.turn(caller).await?;
        let events = self.log.store().query(&asked.filter).await?;
        Ok(format.response(&events.iter().map(AuditEvent::to_json).collect()))
    }

    async fn follow(&self, caller: &Caller, request: &Parts, filter: Filter) -> Result<Response<Body>, Problem> {
        if !Format::accepts_stream(&request.headers) {
            return Err(not_acceptable());
        }
        let own = self.streams_by_credential.take(&caller.credential);
        let own = own.ok_or_else(|| too_many("Too many streams of this credential are open."))?;
        let place = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let text = "Too many streams of events are open; try again later.";
            worded(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        stream::follow(&self.log, filter, request, [place, own]).await
    }

    /// What is at a path other than that of the events.
    async fn document(&self, caller: &Caller, path: &[&str]) -> Result<Value, Problem> {
        let (store, view) = (self.log.store(), caller.view());
        let body = match path {
            ["events", id] => {
                let filter = Filter {
                    view,
                    message_id: Some((*id).to_owned()),
                    ..Filter::default()
                };
                // An event out of scope is as unknown as one that does not exist.
                let found = store.query(&filter).await?;
                let unknown = || worded(StatusCode::NOT_FOUND, format!("Event {id} Not Found"));
                return found.first().map(AuditEvent::to_json).ok_or_else(unknown);
            }
            [_, event_type, "traits", name] => {
                let values = store.trait_values(event_type, name, TRAIT_VALUES, &view).await?;
                let values = values.iter();
                values
                    .map(|value| json!({"name": name, "value": value.to_string(), "type": value.kind().as_str()}))
                    .collect()
            }
            [_, event_type, "traits"] => {
                let traits = store.traits(event_type, &view).await?;
                let traits = traits.iter();
                traits
                    .map(|(name, kind)| json!({"name": name, "type": kind.as_str()}))
                    .collect()
            }
            _ => store.event_types(&view).await?.into_iter().map(Value::from).collect(),
        };
        Ok(Value::Array(body))
    }
}

/// An answer that only this contract has.
fn worded(status: StatusCode, text: impl Into<String>) -> Problem {
    Problem::Worded(status, text.into())
}

fn forbidden(text: &str) -> Problem {
    worded(StatusCode::FORBIDDEN, text)
}

fn too_many(text: &str) -> Problem {
    worded(StatusCode::TOO_MANY_REQUESTS, text)
}

fn not_acceptable() -> Problem {
    let text = "Nothing of what is accepted can be given: there are application/json and application/xml, and \
                text/event-stream with follow.";
    worded(StatusCode::NOT_ACCEPTABLE, text)
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::UnknownMarker(_) | AuditError::TooMany(_) => worded(StatusCode::BAD_REQUEST, error.to_string()),
            // The database's own words stay in our log.
            error => {
                tracing::error!(?error, "the event log cannot be read");
                let text = "The event log cannot be read at the moment; try again.";
                worded(StatusCode::SERVICE_UNAVAILABLE, text)
            }
        }
    }
}
