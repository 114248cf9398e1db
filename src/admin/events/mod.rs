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
mod query;
mod scope;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::error::{EventsError, METHODS};
use super::caller::Caller;
use super::server::Mount;
use crate::audit::{AuditLog, Filter, Tenants};

/// Most values of one trait in an answer. The contract has no paging here; the newest deployments have millions.
const TRAIT_VALUES: u32 = 10_000;

/// Streams at a time: each holds a connection, and others are to have some too.
const STREAMS: usize = 64;

/// What all requests share.
#[derive(Clone)]
struct Shared {
    log: AuditLog,
    /// Places for streams.
    streams: Arc<Semaphore>,
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
            json_response(&versions(scheme, host.unwrap_or("localhost")))
        }),
    )
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    // A body means nothing on any of these requests.
    let (request, _) = request.into_parts();
    let head = request.method == Method::HEAD;
    let mut response = match handle(&shared, &request).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

async fn handle(shared: &Shared, request: &Parts) -> Result<Response<Body>, EventsError> {
    let log = &shared.log;
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
        return Ok(json_response(&json!({
            "api": {"events:query:simple": true},
            "event_storage": {"storage:production_ready": true},
        })));
    }
    let caller = request
        .extensions
        .get::<Caller>()
        .ok_or_else(EventsError::no_credentials)?;
    match segments.as_slice() {
        ["events"] => events(shared, caller, request, &pairs).await,
        ["events", id] => {
            query::refuse(&pairs)?;
            event(log, caller, id).await
        }
        // A type is no resource of its own, also one that exists.
        ["event_types", _] => Err(EventsError::not_found()),
        ["event_types", rest @ ..] => {
            if !caller.admin {
                return Err(EventsError::forbidden("Only an admin may see the types of events."));
            }
            query::refuse(&pairs)?;
            types(log, &scope::tenants(caller, scope::Ask::default())?, rest).await
        }
        _ => Err(EventsError::not_found()),
    }
}

async fn events(
    shared: &Shared,
    caller: &Caller,
    request: &Parts,
    pairs: &[(String, String)],
) -> Result<Response<Body>, EventsError> {
    let mut asked = query::read(pairs)?;
    asked.filter.tenants = scope::tenants(caller, asked.ask)?;
    if asked.follow {
        let place = Arc::clone(&shared.streams).try_acquire_owned();
        let place = place.map_err(|_| EventsError::too_many_streams())?;
        return stream::follow(&shared.log, asked.filter, request, place).await;
    }
    let events = shared.log.store().query(&asked.filter).await?;
    Ok(json_response(&Value::Array(
        events.iter().map(|event| event.to_json()).collect(),
    )))
}

async fn event(log: &AuditLog, caller: &Caller, id: &str) -> Result<Response<Body>, EventsError> {
    let filter = Filter {
        tenants: scope::tenants(caller, scope::Ask::default())?,
        message_id: Some(id.to_owned()),
        ..Filter::default()
    };
    // An event out of scope is as unknown as one that does not exist.
    match log.store().query(&filter).await?.first() {
        Some(event) => Ok(json_response(&event.to_json())),
        None => Err(EventsError::new(StatusCode::NOT_FOUND, format!("Event {id} Not Found"))),
    }
}

async fn types(log: &AuditLog, tenants: &Tenants, path: &[&str]) -> Result<Response<Body>, EventsError> {
    let store = log.store();
    let body = match path {
        [event_type, "traits", name] => {
            let values = store.trait_values(event_type, name, TRAIT_VALUES, tenants).await?;
            values
                .iter()
                .map(|value| json!({"name": name, "value": value.to_string(), "type": value.kind().as_str()}))
                .collect()
        }
        [event_type, "traits"] => {
            let traits = store.traits(event_type, tenants).await?;
            traits
                .iter()
                .map(|(name, kind)| json!({"name": name, "type": kind.as_str()}))
                .collect()
        }
        _ => store.event_types(tenants).await?.into_iter().map(Value::from).collect(),
    };
    Ok(json_response(&Value::Array(body)))
}

fn json_response(body: &Value) -> Response<Body> {
    let text = body.to_string();
    let length = text.len();
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Said here, because an answer to HEAD has no body to measure.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
