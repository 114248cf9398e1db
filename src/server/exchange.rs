//! The way of one request: arrival, token, budget, faults, body, operation, commit, answer. No socket, no task, no
//! clock but the server's: the listener and a simulation inside one process go through the same function.
//!
//! Invariant: what an answer reports is already committed.

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request};
use jiff::Timestamp;
use serde_json::Value;

use super::errors::{ApiError, ErrorShape};
use super::faults::{Behaviour, Effect};
use super::routes::{self, Call, Reply, Verb};
use super::state::State;
use super::{Server, auth, body, incident_timeline, instants, public};

/// The largest body that is read.
pub(super) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How an exchange ends without a whole answer.
#[derive(Debug)]
pub enum Broken {
    /// The connection was closed and nothing of an answer came.
    Closed,
    /// The connection was closed in the middle of the body: what came of the answer. Its `Content-Length` is that of the
    /// whole body.
    Truncated(Box<Response<Bytes>>),
}

/// An answer, and how it leaves.
#[derive(Debug)]
pub(super) struct Outcome {
    response: Response<Bytes>,
    ending: Ending,
}

/// How an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    Lost,
    Withheld,
    /// Nothing was done that could be answered.
    Ignored,
    Truncated,
}

impl Outcome {
    /// The answer as the other end gets it. What is withheld never comes: this is pending for ever.
    pub(super) async fn leave(self) -> Result<Response<Bytes>, Broken> {
        match self.ending {
            Ending::Whole => Ok(self.response),
            Ending::Lost => Err(Broken::Closed),
            Ending::Withheld | Ending::Ignored => std::future::pending().await,
            Ending::Truncated => {
                let length = self.response.body().len();
                let mut part = self.response.map(|body| body.slice(..length / 2));
                part.headers_mut()
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                Err(Broken::Truncated(Box::new(part)))
            }
        }
    }
}

/// An answer without what every answer has.
#[derive(Debug)]
struct Draft {
    status: u16,
    json: Option<Vec<u8>>,
    retry_after: Option<u64>,
}

impl Draft {
    fn refusal(error: &ApiError, shape: ErrorShape) -> Self {
        Self {
            status: error.status,
            json: Some(bytes_of(&error.body(shape))),
            retry_after: error.retry_after,
        }
    }

    fn of(answer: Result<Reply, ApiError>, behaviour: &Behaviour) -> Self {
        match answer {
            Ok(reply) => Self {
                status: reply.status,
                json: reply.body.as_ref().map(bytes_of),
                retry_after: None,
            },
            Err(error) => Self::refusal(&error, behaviour.error_shape),
        }
    }
}

fn bytes_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A request as it arrived.
struct Arrived<'a> {
    verb: Verb,
    method: &'a str,
    path: &'a str,
    query: &'a [(String, String)],
    content_type: Option<&'a str>,
    /// None when it was too large.
    content: Option<&'a [u8]>,
    token: Option<usize>,
    at: Timestamp,
}

impl Server {
    /// Answers one request, as it would be answered over a connection: faults included, and in the order in which the
    /// futures are polled. Nothing but the method, the path with its query, the headers and the body of the request
    /// matters.
    ///
    /// A reply that is withheld leaves the future pending for ever, and a delay waits for Tokio's time. A caller that
    /// goes away in the middle leaves nothing half done: with data in memory there is no middle, and with data in a file
    /// the next request finds out what was written.
    ///
    /// # Errors
    /// A fault closes the connection.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let arrival = self.now();
        let (parts, content) = request.into_parts();
        self.outcome(parts, Some(content), arrival).await.leave().await
    }

    /// Does what a person does in the console, in the words of the management API: without token, budget, faults and
    /// request log, and with fresh lists. What the console can do and the API cannot is taken too: templates are changed
    /// and removed, and all of a metric is changed.
    pub async fn console(&self, request: Request<Bytes>) -> Response<Bytes> {
        let behaviour = Behaviour {
            template_items: true,
            metric_update_honours_all: true,
            list_lag: std::time::Duration::ZERO,
            ..self.faults().behaviour()
        };
        let (parts, content) = request.into_parts();
        let query = body::pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let request = Arrived {
            verb: Verb::of(parts.method.as_str()),
            method: parts.method.as_str(),
            path: without_suffix(parts.uri.path()),
            query: &query,
            content_type: text(&parts, header::CONTENT_TYPE),
            content: within_limit(Some(&content)),
            token: None,
            at: self.now(),
        };
        let answer = self.operate(&request, &behaviour).await;
        self.response(Draft::of(answer, &behaviour), &parts)
    }

    /// Works on a request that arrived at this time. None as its content: it was too large to be read.
    pub(super) async fn outcome(&self, parts: request::Parts, content: Option<Bytes>, arrival: Timestamp) -> Outcome {
        let behaviour = self.faults().behaviour();
        let query = body::pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let presented = auth::presented(text(&parts, header::AUTHORIZATION), &query, behaviour.bare_token);
        let request = Arrived {
            verb: Verb::of(parts.method.as_str()),
            method: parts.method.as_str(),
            path: without_suffix(parts.uri.path()),
            query: &query,
            content_type: text(&parts, header::CONTENT_TYPE),
            content: within_limit(content.as_ref()),
            token: auth::recognise(presented, self.tokens()),
            at: arrival,
        };
        let number = self.request_log().arrived(
            request.at,
            request.token,
            request.method,
            request.path,
            &query,
            content.as_deref().unwrap_or_default(),
        );
        let (draft, ending) = match public::document(parts.uri.path()) {
            Some(document) => {
                let host = parts
                    .uri
                    .host()
                    .or_else(|| text(&parts, header::HOST))
                    .unwrap_or_default();
                let answer = self.public(host, request.verb, document).await;
                (Draft::of(answer, &behaviour), Ending::Whole)
            }
            None => match self.admit(&request, &behaviour).await {
                Ok(ending) => (Draft::of(self.operate(&request, &behaviour).await, &behaviour), ending),
                Err(refused) => refused,
            },
        };
        if !matches!(ending, Ending::Lost | Ending::Ignored) {
            self.request_log().answered_with(number, draft.status);
        }
        Outcome {
            response: self.response(draft, &parts),
            ending,
        }
    }

    /// The answer to a request whose work panicked.
    pub(super) fn failed(&self) -> Response<Bytes> {
        let error = ApiError::internal("The server failed");
        let draft = Draft::refusal(&error, self.faults().behaviour().error_shape);
        self.response(draft, &Request::new(()).into_parts().0)
    }

    /// Token, budget and faults: how the answer of a request that is worked on will leave, or what it gets instead.
    async fn admit(&self, request: &Arrived<'_>, behaviour: &Behaviour) -> Result<Ending, (Draft, Ending)> {
        let refuse = |error: ApiError| (Draft::refusal(&error, behaviour.error_shape), Ending::Whole);
        let path = segments(request.path).ok_or_else(|| refuse(ApiError::not_found()))?;
        let Some(token) = request.token else {
            return Err(refuse(ApiError::unauthenticated()));
        };
        let list =
            routes::penalised_list(request.verb, &path).filter(|_| !super::pagination::is_paginated(request.query));
        self.spend(token, request.at, list.as_deref())
            .map_err(|seconds| refuse(ApiError::throttled(behaviour.throttle_status, seconds)))?;
        let nothing = Draft {
            status: 500,
            json: None,
            retry_after: None,
        };
        match self.faults().take(request.method, request.path) {
            None => Ok(Ending::Whole),
            Some(Effect::LoseReply) => Ok(Ending::Lost),
            Some(Effect::WithholdReply) => Ok(Ending::Withheld),
            Some(Effect::TruncateBody) => Ok(Ending::Truncated),
            Some(Effect::LoseRequest) => Err((nothing, Ending::Lost)),
            Some(Effect::Ignore) => Err((nothing, Ending::Ignored)),
            Some(Effect::Delay(duration)) => {
                tokio::time::sleep(duration).await;
                Ok(Ending::Whole)
            }
            Some(Effect::Answer {
                status,
                body,
                retry_after,
            }) => {
                let (mut draft, ending) = refuse(ApiError {
                    status,
                    texts: vec![format!("Injected fault {status}")],
                    retry_after,
                });
                if let Some(body) = body {
                    draft.json = Some(body.into_bytes());
                }
                Err((draft, ending))
            }
        }
    }

    /// Runs the operation on the state and commits what it changed.
    async fn operate(&self, request: &Arrived<'_>, behaviour: &Behaviour) -> Result<Reply, ApiError> {
        let content = request.content.ok_or_else(ApiError::too_large)?;
        let path = segments(request.path).ok_or_else(ApiError::not_found)?;
        let body = match request.verb {
            // Old clients declare a form on reads and send none; a body means nothing there.
            Verb::Get => serde_json::Map::new(),
            _ => body::decode(request.content_type, content)?,
        };
        let mut state = self.state().await.map_err(|_| database_failed())?;
        let now = self.now();
        let page = match path.as_slice() {
            ["pages", page, ..] => Some(*page),
            _ => None,
        };
        if let Some(page) = page {
            self.bring_up_to_date(&mut state, page, now).await?;
        }
        let call = Call {
            now,
            query: request.query,
            body: &body,
            behaviour,
        };
        let answer = routes::answer(&mut state, request.verb, &path, &call);
        if answer.is_err() {
            state.rollback();
            return answer;
        }
        if let Some(page) = page.and_then(|id| state.pages.get_mut(id))
            && page.is_changed()
        {
            page.touch(now);
        }
        self.persist(&mut state, now).await.map_err(|_| database_failed())?;
        answer
    }

    /// What everybody may read: no token, no budget, no faults.
    async fn public(&self, host: &str, verb: Verb, document: &str) -> Result<Reply, ApiError> {
        let mut state = self.state().await.map_err(|_| database_failed())?;
        let page = public::page_of(&state, host)?;
        self.bring_up_to_date(&mut state, &page, self.now()).await?;
        public::read(state.page_mut(&page)?, verb, document)
    }

    /// Lets time do to a page what it has done by now, each step committed as of its own instant.
    async fn bring_up_to_date(&self, state: &mut State, page: &str, now: Timestamp) -> Result<(), ApiError> {
        loop {
            let Some(page) = state.pages.get_mut(page) else {
                return Ok(());
            };
            let Some(at) = incident_timeline::take_next(page, now) else {
                return Ok(());
            };
            self.persist(state, at).await.map_err(|_| database_failed())?;
        }
    }

    /// Puts together what is sent.
    fn response(&self, draft: Draft, request: &request::Parts) -> Response<Bytes> {
        let content = Bytes::from(draft.json.unwrap_or_default());
        let length = content.len();
        let only_head = request.method == Method::HEAD;
        let mut response = Response::new(if only_head { Bytes::new() } else { content });
        *response.status_mut() = StatusCode::from_u16(draft.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        // An empty answer must not claim to be JSON: clients would try to read it.
        if length > 0 {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if only_head {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(date) = HeaderValue::from_str(&instants::http_date(self.now())) {
            headers.insert(header::DATE, date);
        }
        if let Ok(id) = HeaderValue::from_str(&self.request_id()) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        if let Some(seconds) = draft.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if public::is_below(request.uri.path()) {
            // Widgets in the pages of others read it.
            let anybody = HeaderValue::from_static("*");
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
        }
        response
    }
}

fn text(parts: &request::Parts, name: HeaderName) -> Option<&str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn within_limit(content: Option<&Bytes>) -> Option<&[u8]> {
    content.map(Bytes::as_ref).filter(|content| content.len() <= BODY_LIMIT)
}

fn without_suffix(path: &str) -> &str {
    path.strip_suffix(".json").unwrap_or(path)
}

/// The path below `/v1` in its segments, without the `.json` suffix.
fn segments(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix("/v1")?;
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let path = without_suffix(path);
    Some(path.split('/').filter(|segment| !segment.is_empty()).collect())
}

fn database_failed() -> ApiError {
    ApiError::internal("The database failed")
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
