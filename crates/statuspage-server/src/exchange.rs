//! The way of one request: arrival, token, budget, faults, body, operation, commit, answer. No socket, no task, no
//! clock but the server's: the listener and a simulation inside one process go through the same function.
//!
//! Invariant: what an answer reports is already committed.

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request};
use jiff::Timestamp;
use serde_json::Map;

use super::draft::Draft;
use super::errors::ApiError;
use super::faults::{Behaviour, Effect, MetricPatch};
use super::request::{Answer, Call, Verb};
use super::routes;
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

/// Whose words a request uses.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    /// The management API.
    Management,
    /// The public view of the page of a host.
    Public { host: &'a str },
}

impl Place<'_> {
    fn root(self) -> &'static str {
        match self {
            Self::Management => "/v1",
            Self::Public { .. } => "/api/v2",
        }
    }
}

/// A request as it arrived.
struct Arrived<'a> {
    verb: Verb,
    method: &'a str,
    /// Without the `.json` suffix.
    path: &'a str,
    place: Place<'a>,
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
            metric_patch: MetricPatch::All,
            list_lag: std::time::Duration::ZERO,
            ..self.faults().behaviour()
        };
        let (parts, content) = request.into_parts();
        let query = body::pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let request = Arrived {
            verb: Verb::of(parts.method.as_str()),
            method: parts.method.as_str(),
            path: without_suffix(parts.uri.path()),
            place: Place::Management,
            query: &query,
            content_type: text(&parts, header::CONTENT_TYPE),
            content: within_limit(Some(&content)),
            token: None,
            at: self.now(),
        };
        let answer = self.operate(&request, &behaviour).await;
        self.response(Draft::of(answer, behaviour.error_shape), &parts)
    }

    /// Works on a request that arrived at this time. None as its content: it was too large to be read.
    pub(super) async fn outcome(&self, parts: request::Parts, content: Option<Bytes>, arrival: Timestamp) -> Outcome {
        let behaviour = self.faults().behaviour();
        let query = body::pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let presented = auth::presented(text(&parts, header::AUTHORIZATION), &query, behaviour.bare_token);
        let host = parts.uri.host().or_else(|| text(&parts, header::HOST));
        let request = Arrived {
            verb: Verb::of(parts.method.as_str()),
            method: parts.method.as_str(),
            path: without_suffix(parts.uri.path()),
            place: match public::is_document(parts.uri.path()) {
                true => Place::Public {
                    host: host.unwrap_or_default(),
                },
                false => Place::Management,
            },
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
            match request.place {
                Place::Management => request.path,
                // There the suffix belongs to the name.
                Place::Public { .. } => parts.uri.path(),
            },
            &query,
            content.as_deref().unwrap_or_default(),
        );
        let drafted = |answer| Draft::of(answer, behaviour.error_shape);
        let (draft, ending) = match request.place {
            _ if public::is_below(request.path) && parts.method == Method::OPTIONS => {
                let wanted = text(&parts, header::ACCESS_CONTROL_REQUEST_HEADERS);
                (Draft::preflight(wanted), Ending::Whole)
            }
            // What everybody may read: no token, no budget, no faults.
            Place::Public { .. } => {
                let draft = drafted(self.operate(&request, &behaviour).await);
                (draft.tagged(text(&parts, header::IF_NONE_MATCH)), Ending::Whole)
            }
            Place::Management => match self.admit(&request, &behaviour).await {
                Ok(ending) => (drafted(self.operate(&request, &behaviour).await), ending),
                Err(refused) => refused,
            },
        };
        let answered = !matches!(ending, Ending::Lost | Ending::Ignored);
        self.request_log().ended(number, answered.then_some(draft.status));
        Outcome {
            response: self.response(draft, &parts),
            ending,
        }
    }

    /// The answer to a request that there is nothing to work on, or whose work panicked.
    pub(super) fn refusal(&self, error: &ApiError) -> Response<Bytes> {
        let draft = Draft::refusal(error, self.faults().behaviour().error_shape);
        self.response(draft, &Request::new(()).into_parts().0)
    }

    /// Token, budget and faults: how the answer of a request that is worked on will leave, or what it gets instead.
    async fn admit(&self, request: &Arrived<'_>, behaviour: &Behaviour) -> Result<Ending, (Draft, Ending)> {
        let refuse = |error: ApiError| (Draft::refusal(&error, behaviour.error_shape), Ending::Whole);
        let path = segments(request.place.root(), request.path).ok_or_else(|| refuse(ApiError::not_found()))?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some(token) = request.token else {
            return Err(refuse(ApiError::unauthenticated()));
        };
        let list =
            routes::penalised_list(request.verb, &path).filter(|_| !super::pagination::is_paginated(request.query));
        self.spend(token, request.at, list.as_deref())
            .map_err(|seconds| refuse(ApiError::throttled(behaviour.throttle_status, seconds)))?;
        let nothing = Draft::default();
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
                    allow: None,
                });
                if let Some(body) = body {
                    draft.json = body.into();
                }
                Err((draft, ending))
            }
        }
    }

    /// Runs the operation on the state and commits what it changed.
    async fn operate(&self, request: &Arrived<'_>, behaviour: &Behaviour) -> Answer {
        let content = request.content.ok_or_else(ApiError::too_large)?;
        let path = segments(request.place.root(), request.path).ok_or_else(ApiError::not_found)?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let body = match request.verb {
            // Old clients declare a form on reads and send none; a body means nothing there.
            Verb::Get => Map::new(),
            _ => body::decode(request.content_type, content)?,
        };
        let mut state = self.state().await.map_err(|_| database_failed())?;
        let now = self.now();
        let page = match (request.place, path.as_slice()) {
            (Place::Public { host }, _) => Some(public::page_of(&state, host)?),
            (Place::Management, ["pages", page, ..]) => Some((*page).to_owned()),
            (Place::Management, _) => None,
        };
        if let Some(page) = &page {
            self.bring_up_to_date(&mut state, page, now).await?;
        }
        let call = Call {
            now,
            query: request.query,
            body: &body,
            behaviour,
        };
        let work = |state: &mut State, verb: Verb, call: &Call<'_>| match (request.place, &page) {
            (Place::Public { .. }, Some(page)) => public::answer(state.page_mut(page)?, verb, &path, call),
            _ => routes::answer(state, verb, &path, call),
        };
        let mut answer = work(&mut state, request.verb, &call);
        if let Err(error) = &mut answer {
            state.rollback();
            if error.status == 405 {
                error.allow = Some(allowed(&mut state, &call, work));
            }
            return answer;
        }
        if let Some(page) = page.and_then(|id| state.pages.get_mut(&id))
            && page.is_changed()
        {
            page.touch(now);
        }
        self.persist(&mut state, now).await.map_err(|_| database_failed())?;
        answer
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
        let length = draft.json.len();
        let only_head = request.method == Method::HEAD;
        let mut response = Response::new(if only_head { Bytes::new() } else { draft.json });
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
        for (name, value) in draft.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
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

/// The path below a root in its segments, without the `.json` suffix. What is written with percent signs is decoded
/// afterwards, so that a slash among it separates nothing.
fn segments(root: &str, path: &str) -> Option<Vec<String>> {
    let path = path
        .strip_prefix(root)
        .filter(|path| path.is_empty() || path.starts_with('/'))?;
    let segments = without_suffix(path).split('/').filter(|segment| !segment.is_empty());
    Some(
        segments
            .map(|segment| body::percent_decoded(segment.as_bytes()))
            .collect(),
    )
}

/// The methods that a path takes: each is tried with nothing in it, and what it would change is undone.
fn allowed(state: &mut State, call: &Call<'_>, work: impl Fn(&mut State, Verb, &Call<'_>) -> Answer) -> String {
    let nothing = Map::new();
    let call = Call {
        body: &nothing,
        ..*call
    };
    let verbs = [
        (Verb::Get, "GET, HEAD"),
        (Verb::Post, "POST"),
        (Verb::Patch, "PATCH"),
        (Verb::Put, "PUT"),
        (Verb::Delete, "DELETE"),
    ];
    let mut methods = Vec::new();
    for (verb, method) in verbs {
        if !matches!(work(state, verb, &call), Err(error) if error.status == 405) {
            methods.push(method);
        }
        state.rollback();
    }
    methods.join(", ")
}

fn database_failed() -> ApiError {
    ApiError::internal("The database failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_may_end_in_json() {
        let joined = |path: &str| Some(segments("/v1", path)?.join("|"));
        assert_eq!(joined("/v1/pages.json").as_deref(), Some("pages"));
        assert_eq!(joined("/v1/pages/a/incidents/").as_deref(), Some("pages|a|incidents"));
        assert_eq!(joined("/v1//p%61ges/a%2Fb/c+d").as_deref(), Some("pages|a/b|c+d"));
        assert_eq!(joined("/v1").as_deref(), Some(""));
        assert_eq!(joined("/api/v2/status.json"), None);
        assert_eq!(joined("/v2/pages"), None);
        assert_eq!(joined("/v1x/pages"), None);
    }
}
