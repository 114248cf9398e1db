//! The way of one request: arrival, token, budget, faults, body, operation, commit, answer.
//!
//! Invariant: what an answer reports is already committed, and a client that goes away in the middle of its request
//! does not leave it half done (it runs as a task of its own).

use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header, request};
use jiff::Timestamp;
use serde_json::Value;

use super::errors::{ApiError, ErrorShape};
use super::faults::{Behaviour, Effect};
use super::routes::{self, Call, Reply, Verb};
use super::state::State;
use super::{Server, auth, body, ids, incident_timeline, public};

/// The largest body that is read.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// An answer before it is put on the wire.
#[derive(Debug)]
struct Outcome {
    status: u16,
    json: Option<Vec<u8>>,
    retry_after: Option<u64>,
    ending: Ending,
}

/// How an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    Lost,
    Withheld,
    Truncated,
}

impl Outcome {
    fn refusal(error: &ApiError, shape: ErrorShape) -> Self {
        Self {
            status: error.status,
            json: Some(bytes_of(&error.body(shape))),
            retry_after: error.retry_after,
            ending: Ending::Whole,
        }
    }

    fn lost() -> Self {
        Self {
            status: 500,
            json: None,
            retry_after: None,
            ending: Ending::Lost,
        }
    }
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status,
            json: reply.body.as_ref().map(bytes_of),
            retry_after: None,
            ending: Ending::Whole,
        }
    }
}

fn bytes_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// The only handler of the router: paths are matched here, because every one may end in `.json`.
pub(super) async fn handle(Shared(server): Shared<Server>, request: Request) -> Response<Body> {
    let arrival = server.now();
    let (parts, content) = request.into_parts();
    let content = axum::body::to_bytes(content, BODY_LIMIT).await.ok();
    let shape = server.faults().behaviour().error_shape;
    let public = parts.uri.path().starts_with("/api/v2/");
    let outcome = tokio::spawn(async move { work(&server, &parts, content, arrival).await })
        .await
        .unwrap_or_else(|_| Outcome::refusal(&ApiError::internal("The server failed"), shape));
    let mut response = respond(outcome);
    if public {
        // Widgets in the pages of others read it.
        let anybody = HeaderValue::from_static("*");
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    }
    response
}

/// The path below `/v1` in its segments, without the `.json` suffix.
fn segments(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix("/v1")?;
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let path = path.strip_suffix(".json").unwrap_or(path);
    Some(path.split('/').filter(|segment| !segment.is_empty()).collect())
}

async fn work(server: &Server, parts: &request::Parts, content: Option<Bytes>, arrival: Timestamp) -> Outcome {
    let behaviour = server.faults().behaviour();
    let query = body::pairs(parts.uri.query().unwrap_or_default().as_bytes());
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let presented = auth::presented(text(header::AUTHORIZATION), &query, behaviour.bare_token);
    let token = auth::recognise(presented, server.tokens());
    let method = parts.method.as_str();
    let path = parts.uri.path();
    let path = path.strip_suffix(".json").unwrap_or(path);
    let shown = content.as_deref().unwrap_or_default();
    let number = server
        .request_log()
        .arrived(arrival, token, method, path, &query, shown);
    if let Some(document) = public::document(parts.uri.path()) {
        let host = parts.uri.host().or_else(|| text(header::HOST)).unwrap_or_default();
        let outcome = match public(server, host, Verb::of(method), document).await {
            Ok(reply) => Outcome::from(reply),
            Err(error) => Outcome::refusal(&error, behaviour.error_shape),
        };
        server.request_log().answered_with(number, outcome.status);
        return outcome;
    }
    let request = Arrived {
        verb: Verb::of(method),
        method,
        path,
        query: &query,
        content_type: text(header::CONTENT_TYPE),
        content,
        token,
        arrival,
    };
    let outcome = match admit(server, &request, &behaviour).await {
        Ok(ending) => {
            let mut outcome = match operate(server, &request, &behaviour).await {
                Ok(reply) => Outcome::from(reply),
                Err(error) => Outcome::refusal(&error, behaviour.error_shape),
            };
            outcome.ending = ending;
            outcome
        }
        Err(outcome) => outcome,
    };
    if outcome.ending != Ending::Lost {
        server.request_log().answered_with(number, outcome.status);
    }
    if outcome.ending == Ending::Withheld {
        // Ends with the connection, or with the server.
        return std::future::pending().await;
    }
    outcome
}

/// A request as it arrived.
struct Arrived<'a> {
    verb: Verb,
    method: &'a str,
    path: &'a str,
    query: &'a [(String, String)],
    content_type: Option<&'a str>,
    content: Option<Bytes>,
    token: Option<usize>,
    arrival: Timestamp,
}

/// Token, budget and faults: whether the request is worked on, and how its answer will leave.
async fn admit(server: &Server, request: &Arrived<'_>, behaviour: &Behaviour) -> Result<Ending, Outcome> {
    let refuse = |error: ApiError| Outcome::refusal(&error, behaviour.error_shape);
    let path = segments(request.path).ok_or_else(|| refuse(ApiError::not_found()))?;
    let Some(token) = request.token else {
        return Err(refuse(ApiError::unauthenticated()));
    };
    let list = routes::penalised_list(request.verb, &path).filter(|_| !super::pagination::is_paginated(request.query));
    server
        .spend(token, request.arrival, list.as_deref())
        .map_err(|seconds| refuse(ApiError::throttled(behaviour.throttle_status, seconds)))?;
    match server.faults().take(request.method, request.path) {
        None => Ok(Ending::Whole),
        Some(Effect::LoseReply) => Ok(Ending::Lost),
        Some(Effect::WithholdReply) => Ok(Ending::Withheld),
        Some(Effect::TruncateBody) => Ok(Ending::Truncated),
        Some(Effect::LoseRequest) => Err(Outcome::lost()),
        Some(Effect::Ignore) => std::future::pending().await,
        Some(Effect::Delay(duration)) => {
            tokio::time::sleep(duration).await;
            Ok(Ending::Whole)
        }
        Some(Effect::Answer {
            status,
            body,
            retry_after,
        }) => {
            let mut outcome = refuse(ApiError {
                status,
                texts: vec![format!("Injected fault {status}")],
                retry_after,
            });
            if let Some(body) = body {
                outcome.json = Some(body.into_bytes());
            }
            Err(outcome)
        }
    }
}

/// Runs the operation on the state and commits what it changed.
async fn operate(server: &Server, request: &Arrived<'_>, behaviour: &Behaviour) -> Result<Reply, ApiError> {
    let content = request.content.as_deref().ok_or_else(ApiError::too_large)?;
    let path = segments(request.path).ok_or_else(ApiError::not_found)?;
    let body = match request.verb {
        // Old clients declare a form on reads and send none; a body means nothing there.
        Verb::Get => serde_json::Map::new(),
        _ => body::decode(request.content_type, content)?,
    };
    let mut state = server.state().await;
    let now = server.now();
    // Only a request that panicked can have left something behind.
    state.rollback();
    let page = match path.as_slice() {
        ["pages", page, ..] => Some(*page),
        _ => None,
    };
    if let Some(page) = page {
        bring_up_to_date(server, &mut state, page, now).await?;
    }
    let call = Call {
        now,
        query: request.query,
        body: &body,
        behaviour,
    };
    let answer = routes::dispatch(&mut state, request.verb, &path, &call);
    if answer.is_err() {
        state.rollback();
        return answer;
    }
    if let Some(page) = page.and_then(|id| state.pages.get_mut(id))
        && page.is_changed()
    {
        page.touch(now);
    }
    server.persist(&mut state).await.map_err(|_| database_failed())?;
    answer
}

/// What everybody may read: no token, no budget, no faults.
async fn public(server: &Server, host: &str, verb: Verb, document: &str) -> Result<Reply, ApiError> {
    let mut state = server.state().await;
    state.rollback();
    let page = public::page_of(&state, host)?;
    bring_up_to_date(server, &mut state, &page, server.now()).await?;
    public::read(state.page_mut(&page)?, verb, document)
}

/// Lets time do to a page what it has done by now.
async fn bring_up_to_date(server: &Server, state: &mut State, page: &str, now: Timestamp) -> Result<(), ApiError> {
    let Some(page) = state.pages.get_mut(page) else {
        return Ok(());
    };
    incident_timeline::advance(page, now);
    server.persist(state).await.map_err(|_| database_failed())
}

fn database_failed() -> ApiError {
    ApiError::internal("The database failed")
}

fn respond(outcome: Outcome) -> Response<Body> {
    let status = StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content = outcome.json.unwrap_or_default();
    let length = content.len();
    let body = match outcome.ending {
        Ending::Whole => Body::from(content.clone()),
        Ending::Lost | Ending::Withheld => broken(Vec::new()),
        Ending::Truncated => broken(content.get(..length / 2).unwrap_or_default().to_vec()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // An empty answer must not claim to be JSON: clients would try to read it.
    if length > 0 {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if outcome.ending != Ending::Whole {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length.max(1)));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(id) = HeaderValue::from_str(&ids::token()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if let Some(seconds) = outcome.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A body that ends in an error after what is given, which closes the connection.
fn broken(beginning: Vec<u8>) -> Body {
    let mut beginning = Some(beginning).filter(|beginning| !beginning.is_empty());
    let mut flushed = beginning.is_none();
    Body::from_stream(futures::stream::poll_fn(move |context| {
        if let Some(beginning) = beginning.take() {
            return Poll::Ready(Some(Ok(Bytes::from(beginning))));
        }
        if !flushed {
            // Waiting once lets the connection send what it has before the error closes it.
            flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other("the connection is closed on purpose"))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_may_end_in_json() {
        assert_eq!(segments("/v1/pages.json"), Some(vec!["pages"]));
        assert_eq!(
            segments("/v1/pages/a/incidents/"),
            Some(vec!["pages", "a", "incidents"])
        );
        assert_eq!(segments("/v1"), Some(vec![]));
        assert_eq!(segments("/v2/pages"), None);
        assert_eq!(segments("/v1x/pages"), None);
    }
}
