//! Sends one request and reads its reply.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::error::RequestIds;
use super::paging::Entity;
use super::types::Identified;
use super::{Client, Error, ErrorClass, Outgoing, TransportError, TransportErrorKind, error_body, headers};

/// Most bytes of a reply that are read; the largest honest one, 1,100 components or 100 long incidents, stays below.
const REPLY_LIMIT: usize = 64 << 20;
/// Most bytes of an error reply that are looked at.
const ERROR_LIMIT: usize = 64 << 10;
/// Pause after "too many requests" without a time to wait: the length of the window.
const DEFAULT_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause that is honoured, so that one odd header does not stop a token for days.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// One request to send.
#[derive(Debug)]
pub(super) struct Call {
    operation: &'static str,
    method: Method,
    path: Result<String, String>,
    page: String,
    query: Vec<(&'static str, String)>,
    body: Option<Result<Value, serde_json::Error>>,
    effectful: bool,
}

impl Call {
    /// A call on the resource at the given path segments. Only a POST is taken to have effects of its own each time.
    pub(super) fn new(operation: &'static str, method: Method, segments: &[&str]) -> Self {
        let effectful = method == Method::POST;
        let page = match segments {
            ["pages", page, ..] => (*page).to_owned(),
            _ => String::new(),
        };
        Self {
            operation,
            method,
            path: path_of(segments),
            page,
            query: Vec::new(),
            body: None,
            effectful,
        }
    }

    pub(super) fn get(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::GET, segments)
    }

    pub(super) fn post(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::POST, segments)
    }

    pub(super) fn patch(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::PATCH, segments)
    }

    pub(super) fn put(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::PUT, segments)
    }

    pub(super) fn delete(operation: &'static str, segments: &[&str]) -> Self {
        Self::new(operation, Method::DELETE, segments)
    }

    /// Adds a query parameter.
    pub(super) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Adds a query parameter that may be absent.
    pub(super) fn query_if(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a body as it is.
    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_value(body));
        self
    }

    /// Sends a body inside its envelope.
    pub(super) fn enveloped(mut self, key: &str, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_value(body).map(|body| {
            let mut envelope = serde_json::Map::new();
            envelope.insert(key.to_owned(), body);
            Value::Object(envelope)
        }));
        self
    }

    /// Says whether sending it twice has effects twice.
    pub(super) fn effectful(mut self, effectful: bool) -> Self {
        self.effectful = effectful;
        self
    }
}

/// Joins path segments. An id that is empty or holds anything but the letters of an id would address something else
/// than was meant, up to the whole collection, so it is refused.
fn path_of(segments: &[&str]) -> Result<String, String> {
    let mut path = String::new();
    for segment in segments {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if segment.is_empty() || !segment.bytes().all(plain) {
            return Err(format!("{segment:?} is not an id"));
        }
        path.push('/');
        path.push_str(segment);
    }
    Ok(path)
}

struct Reply {
    status: u16,
    body: Vec<u8>,
    request_ids: RequestIds,
}

impl Client {
    /// Sends a call whose reply is an entity or a list.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let (operation, effectful) = (call.operation, call.effectful);
        let reply = self.send(call).await?;
        decode(operation, effectful, reply)
    }

    /// Sends a call whose reply is one object.
    pub(super) async fn fetch_one<T>(&self, call: Call) -> Result<T, Error>
    where
        T: Identified + DeserializeOwned,
    {
        self.fetch(call).await.map(|Entity(entity)| entity)
    }

    /// Sends a call whose reply does not matter beyond its success.
    pub(super) async fn perform(&self, call: Call) -> Result<(), Error> {
        self.send(call).await.map(drop)
    }

    /// Sends a call that may reply with the entity, or with nothing, or with anything else that is no error.
    pub(super) async fn fetch_if_any<T: DeserializeOwned>(&self, call: Call) -> Result<Option<T>, Error> {
        let reply = self.send(call).await?;
        Ok(serde_json::from_slice::<Option<T>>(&reply.body).ok().flatten())
    }

    async fn send(&self, call: Call) -> Result<Reply, Error> {
        let Call {
            operation,
            method,
            path,
            page,
            query,
            body,
            effectful,
        } = call;
        let path = path.map_err(|reason| Error::InvalidRequest { operation, reason })?;
        let mut url = self.connection.base_url.join(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(&query);
        }
        let mut headers = self.connection.headers.clone();
        let body = match body {
            None => None,
            Some(body) => {
                let body = body.and_then(|body| serde_json::to_vec(&body));
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Some(Bytes::from(body.map_err(|source| Error::Encode { operation, source })?))
            }
        };
        let request = Outgoing {
            method: method.clone(),
            url,
            headers,
            body,
        };
        let permit = self.permit(&page).await;
        self.count_request();
        self.trace(&RequestIds::default());
        let started = Instant::now();
        let limit = self.connection.timeout;
        let exchange = tokio::time::timeout(limit, self.exchange(request, operation, effectful));
        let outcome = exchange.await.unwrap_or_else(|_| {
            let message = format!("gave up after {} s", limit.as_secs_f64());
            let source = TransportError::new(TransportErrorKind::Timeout, message);
            Err(broken_off(operation, effectful, source))
        });
        // The slot counts from here on, whatever the outcome.
        drop(permit);
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(reply) => tracing::debug!(
                %method, path, status = reply.status, duration_ms, operation,
                request_id = reply.request_ids.request_id, trace_id = reply.request_ids.trace_id,
                "request"
            ),
            Err(error) => {
                let ids = error.request_ids();
                tracing::debug!(
                    %method, path, status = error.status(), duration_ms, operation,
                    request_id = ids.and_then(|ids| ids.request_id.as_deref()),
                    trace_id = ids.and_then(|ids| ids.trace_id.as_deref()),
                    "request failed"
                );
                if let ErrorClass::Throttled { retry_after } = error.class() {
                    let pause = retry_after.unwrap_or(DEFAULT_PAUSE).min(LONGEST_PAUSE);
                    self.budget.pause(Instant::now() + pause);
                }
            }
        }
        outcome
    }

    async fn exchange(&self, request: Outgoing, operation: &'static str, effectful: bool) -> Result<Reply, Error> {
        let failed = |source| broken_off(operation, effectful, source);
        let reply = self.connection.transport.exchange(request).await.map_err(failed)?;
        let status = reply.status;
        let request_ids = headers::request_ids(&reply.headers);
        self.trace(&request_ids);
        if (200..300).contains(&status) {
            let body = match read(reply.body, REPLY_LIMIT).await {
                (body, None) if body.len() > REPLY_LIMIT => {
                    return Err(Error::TooLarge {
                        operation,
                        effectful,
                        limit: REPLY_LIMIT,
                    });
                }
                (body, None) => body,
                (_, Some(source)) => return Err(failed(source)),
            };
            return Ok(Reply {
                status,
                body,
                request_ids,
            });
        }
        // A date is meant by the clock of whoever wrote it.
        let now = request_ids.date.unwrap_or_else(|| self.connection.clock.now());
        let retry_after = headers::retry_after(&reply.headers, now);
        // What arrived of an error text is better than nothing.
        let (mut body, _) = read(reply.body, ERROR_LIMIT).await;
        body.truncate(ERROR_LIMIT);
        let body = String::from_utf8_lossy(&body);
        Err(Error::Status {
            operation,
            effectful,
            status,
            message: error_body::message(&body),
            body: error_body::kept(&body),
            retry_after,
            request_ids: Box::new(request_ids),
        })
    }
}

/// What it means that there is no whole reply.
fn broken_off(operation: &'static str, effectful: bool, source: TransportError) -> Error {
    match source.kind {
        TransportErrorKind::Setup | TransportErrorKind::Connect => Error::Unreachable { operation, source },
        TransportErrorKind::Timeout | TransportErrorKind::Broken => Error::Lost {
            operation,
            effectful,
            timed_out: source.kind == TransportErrorKind::Timeout,
            source,
        },
    }
}

/// Reads a body until its end, a failure, or one byte more than the limit.
async fn read(
    mut chunks: BoxStream<'static, Result<Bytes, TransportError>>,
    limit: usize,
) -> (Vec<u8>, Option<TransportError>) {
    let mut body = Vec::new();
    while body.len() <= limit {
        match chunks.next().await {
            Some(Ok(chunk)) => {
                let room = limit + 1 - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Some(Err(error)) => return (body, Some(error)),
            None => break,
        }
    }
    (body, None)
}

fn decode<T: DeserializeOwned>(operation: &'static str, effectful: bool, reply: Reply) -> Result<T, Error> {
    serde_json::from_slice(&reply.body).map_err(|source| Error::Undecodable {
        operation,
        effectful,
        status: reply.status,
        body: error_body::kept(&String::from_utf8_lossy(&reply.body)),
        request_ids: Box::new(reply.request_ids),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_only_be_an_id() {
        assert_eq!(path_of(&["pages", "abc123"]).unwrap(), "/pages/abc123");
        for id in ["", ".", "..", "a/b", "a?b", "a%2Fb", "a b", "ä"] {
            assert!(path_of(&["pages", id]).is_err(), "{id:?}");
        }
    }

    #[test]
    fn bodies_are_in_their_envelope() {
        let call = Call::post("create", &["pages"]).enveloped("page", &[1]);
        assert_eq!(call.body.unwrap().unwrap(), serde_json::json!({"page": [1]}));
    }
}
