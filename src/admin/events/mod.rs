//! `/v2`: the event log over HTTP, as clients of the OpenStack event service know it.
//!
//! Kept as they rely on it: bare lists, values as texts, times in UTC without a zone, trailing slashes, `ge` and `le`
//! demanded for the two timestamps, `[]` for what is unknown, 400 for unknown parameters. Beyond it: `?follow`, a stream
//! of server-sent events.
//!
//! The caller comes from the request's extensions ([`Caller`]); who put it there checked the credentials. A request
//! without one is anonymous and sees the capabilities only.

mod description;
mod error;
mod format;
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
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::error::{EventsError, METHODS};
pub(super) use self::format::Format;
use super::caller::{Caller, Verb};
use super::server::Mount;
use super::shares::{Lanes, Shares};
use crate::audit::{AuditLog, Filter, View};

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

/// What all requests share.
#[derive(Clone)]
struct Shared {
    log: AuditLog,
    /// Places for streams.
    streams: Arc<Semaphore>,
    streams_by_credential: Arc<Shares<String>>,
    questions: Arc<Lanes>,
}

/// The family's routes: `/v2` with everything below, in the family's own shape. Merge it into a server that puts a
/// [`Caller`] into the extensions.
pub fn router(log: AuditLog) -> Router {
    Router::new()
        .route("/v2", any(answer))
        .route("/v2/", any(answer))
        .route("/v2/{*path}", any(answer))
        .with_state(Shared {
            log,
            streams: Arc::new(Semaphore::new(STREAMS)),
            streams_by_credential: Shares::new(STREAMS_OF_ONE),
            questions: Arc::new(Lanes::new(QUESTIONS_OF_ONE)),
        })
}

/// The family and its list of versions at `/`, for an [`AdminServer`](super::AdminServer).
pub fn mount(log: AuditLog) -> Mount {
    Mount {
        router: router(log).merge(root()),
        operations: description::operations(),
    }
}

/// The list of versions, which clients of this family look for at `/`.
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

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    // A body means nothing on any of these requests.
    let (request, _) = request.into_parts();
    let head = request.method == Method::HEAD;
    let format = Format::of(&request.headers);
    let mut response = match handle(&shared, &request, format).await {
        Ok(response) => response,
        Err(error) => error.response(format.unwrap_or(Format::Json)),
    };
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn handle(shared: &Shared, request: &Parts, format: Option<Format>) -> Result<Response<Body>, EventsError> {
    let path = query::decode(request.uri.path(), false).ok_or_else(EventsError::not_found)?;
    if path.contains('\0') {
        // No id, type or name has one, and PostgreSQL has no place for it in a text.
        return Err(EventsError::not_found());
    }
    let path = path.strip_prefix("/v2").unwrap_or(&path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let known = matches!(
        segments.as_slice(),
        ["capabilities"]
            | ["event_types"]
            | ["event_types", _]
            | ["event_types", _, "traits"]
            | ["event_types", _, "traits", _]
            | ["events"]
            | ["events", _]
    );
    if !known || segments.iter().any(|segment| segment.is_empty()) {
        return Err(EventsError::not_found());
    }
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
            return Ok(response);
        }
        _ => {
            return Err(EventsError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "The method is not allowed for this resource: events are written by the operator only.",
            ));
        }
    }
    let pairs = query::pairs(request.uri.query().unwrap_or_default())?;
    if segments == ["capabilities"] {
        query::refuse(&pairs)?;
        let format = format.ok_or_else(EventsError::not_acceptable)?;
        return Ok(format.response(&json!({
            "api": {"events:query:simple": true},
            "event_storage": {"storage:production_ready": true},
        })));
    }
    let caller = request
        .extensions
        .get::<Caller>()
        .ok_or_else(EventsError::no_credentials)?;
    if !caller.may(Verb::Events) {
        return Err(EventsError::forbidden(
            "This credential may not read events: it needs the verb `events`.",
        ));
    }
    if segments == ["events"] {
        let mut asked = query::read(&pairs)?;
        if asked.all_tenants.is_some() && !caller.admin {
            return Err(EventsError::forbidden("Only an admin may ask for all_tenants."));
        }
        asked.filter.view = caller.view();
        if asked.follow {
            return follow(shared, caller, request, asked.filter).await;
        }
        let format = format.ok_or_else(EventsError::not_acceptable)?;
        asked.filter.examine = Some(MOST_EXAMINED);
        let _turn = turn(shared, caller).await?;
        let events = shared.log.store().query(&asked.filter).await?;
        let events = events.iter().map(|event| event.to_json()).collect();
        return Ok(format.response(&Value::Array(events)));
    }
    let types = match segments.as_slice() {
        // A type is no resource of its own, also one that exists.
        ["event_types", _] => return Err(EventsError::not_found()),
        ["event_types", rest @ ..] => Some(rest),
        _ => None,
    };
    if types.is_some() && !caller.admin {
        return Err(EventsError::forbidden("Only an admin may see the types of events."));
    }
    query::refuse(&pairs)?;
    let format = format.ok_or_else(EventsError::not_acceptable)?;
    let _turn = turn(shared, caller).await?;
    let body = match (types, segments.as_slice()) {
        (Some(path), _) => self::types(&shared.log, &caller.view(), path).await?,
        (None, [_, id]) => event(&shared.log, caller, id).await?,
        _ => return Err(EventsError::not_found()),
    };
    Ok(format.response(&body))
}

/// Waits behind other questions of the same credential, so that those of others need not.
async fn turn(shared: &Shared, caller: &Caller) -> Result<tokio::sync::OwnedSemaphorePermit, EventsError> {
    let turn = shared.questions.enter(&caller.credential, TURN_LIMIT).await;
    turn.ok_or_else(|| EventsError::too_many("Too many questions of this credential are at work; try again."))
}

async fn follow(
    shared: &Shared,
    caller: &Caller,
    request: &Parts,
    filter: Filter,
) -> Result<Response<Body>, EventsError> {
    if !Format::accepts_stream(&request.headers) {
        return Err(EventsError::not_acceptable());
    }
    let own = shared.streams_by_credential.take(&caller.credential);
    let own = own.ok_or_else(|| EventsError::too_many("Too many streams of this credential are open."))?;
    let place = Arc::clone(&shared.streams).try_acquire_owned();
    let place = place.map_err(|_| EventsError::too_many_streams())?;
    let place = stream::Place {
        _of_all: place,
        _of_the_credential: own,
    };
    stream::follow(&shared.log, filter, request, place).await
}

async fn event(log: &AuditLog, caller: &Caller, id: &str) -> Result<Value, EventsError> {
    let filter = Filter {
        view: caller.view(),
        message_id: Some(id.to_owned()),
        ..Filter::default()
    };
    // An event out of scope is as unknown as one that does not exist.
    match log.store().query(&filter).await?.first() {
        Some(event) => Ok(event.to_json()),
        None => Err(EventsError::new(StatusCode::NOT_FOUND, format!("Event {id} Not Found"))),
    }
}

async fn types(log: &AuditLog, view: &View, path: &[&str]) -> Result<Value, EventsError> {
    let store = log.store();
    let body = match path {
        [event_type, "traits", name] => {
            let values = store.trait_values(event_type, name, TRAIT_VALUES, view).await?;
            values
                .iter()
                .map(|value| json!({"name": name, "value": value.to_string(), "type": value.kind().as_str()}))
                .collect()
        }
        [event_type, "traits"] => {
            let traits = store.traits(event_type, view).await?;
            traits
                .iter()
                .map(|(name, kind)| json!({"name": name, "type": kind.as_str()}))
                .collect()
        }
        _ => store.event_types(view).await?.into_iter().map(Value::from).collect(),
    };
    Ok(Value::Array(body))
}
