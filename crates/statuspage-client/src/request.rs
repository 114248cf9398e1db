//! Sends one request and reads its reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::time::Instant;

use super::call::Call;
use super::error::RequestIds;
use super::redaction::Credentials;
use super::reply::{Asked, Reply};
use super::{
    Client, EndedRequest, Error, Outgoing, RequestOutcome, TransportError, TransportErrorKind, error_body, headers,
};

/// Most bytes of a reply that are read; the largest honest one, 1,100 components or 100 long incidents, stays below.
const REPLY_LIMIT: usize = 64 << 20;
/// Most values in a reply, by the marks between them: a few bytes each, they take much more room when they are read.
const VALUE_LIMIT: usize = 1 << 20;
/// Most bytes of an error reply that are looked at.
const ERROR_LIMIT: usize = 64 << 10;

impl Client {
    /// Sends a call whose reply is an object with an id.
    pub(super) async fn fetch_one<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.send(call).await?.entity()
    }

    /// Sends a call whose reply is an object that has no id of its own.
    pub(super) async fn fetch_part<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.send(call).await?.part()
    }

    /// Sends a call whose reply is a list of objects.
    pub(super) async fn fetch_rows<T: DeserializeOwned>(&self, call: Call) -> Result<Vec<T>, Error> {
        self.send(call).await?.rows()
    }

    /// Sends a call whose reply does not matter beyond its success.
    pub(super) async fn perform(&self, call: Call) -> Result<(), Error> {
        let removes = call.method == Method::DELETE;
        let reply = self.send(call).await?;
        if removes {
            reply.deleted::<IgnoredAny>().map(drop)
        } else {
            reply.done().map(drop)
        }
    }

    /// Sends a call that may have something to say about its success.
    pub(super) async fn perform_and_hear(&self, call: Call) -> Result<Option<Value>, Error> {
        self.send(call).await?.done()
    }

    /// Sends a call that removes something and may show it for the last time.
    pub(super) async fn remove<T: DeserializeOwned>(&self, call: Call) -> Result<Option<T>, Error> {
        self.send(call).await?.deleted()
    }

    async fn send(&self, call: Call) -> Result<Reply, Error> {
        self.exchange(call).await?.judged()
    }

    /// Sends a call, once, and takes what comes, whatever its status.
    pub(super) async fn exchange(&self, call: Call) -> Result<Received, Error> {
        let operation = call.operation;
        let path = call
            .path
            .map_err(|reason| Error::InvalidRequest { operation, reason })?;
        let body = call.body.transpose();
        let body = body.map_err(|reason| Error::Encode { operation, reason })?;
        let connection = &self.connection;
        let permit_for = call.page.clone();
        let mut exchange = Exchange {
            operation,
            effectful: call.effectful,
            asked: Asked {
                page: call.page,
                identity: call.identity,
            },
            credentials: Arc::clone(&connection.credentials),
            address: connection.base_url.to_string(),
        };
        let mut request = Outgoing {
            method: call.method,
            url: connection.base_url.join(&path),
            headers: connection.headers.clone(),
            body: None,
        };
        if !call.query.is_empty() {
            request.url.query_pairs_mut().extend_pairs(&call.query);
        }
        if let Some(body) = body {
            exchange.credentials = connection.credentials.and_those_in(&body);
            let json = HeaderValue::from_static("application/json");
            request.headers.insert(CONTENT_TYPE, json);
            request.body = Some(Bytes::from(body.to_string()));
        }
        let method = request.method.clone();
        let asked = Instant::now();
        let permit = self.permit(&permit_for).await;
        self.count_request();
        self.trace(&RequestIds::default());
        let started = Instant::now();
        let waited = started.duration_since(asked);
        let outcome = exchange.within(connection.timeout, self, request).await;
        // The slot counts from here on, whatever the outcome.
        drop(permit);
        let took = started.elapsed();
        self.observe(&EndedRequest {
            operation,
            outcome: match &outcome {
                Ok(reply) => RequestOutcome::of_status(reply.status),
                Err(_) => RequestOutcome::NoReply,
            },
            waited,
            took,
        });
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(reply) => tracing::debug!(
                %method, path, status = reply.status, duration_ms, operation,
                request_id = reply.request_ids.request_id, trace_id = reply.request_ids.trace_id,
                "{}", if reply.is_success() { "request" } else { "request failed" }
            ),
            Err(_) => tracing::debug!(%method, path, duration_ms, operation, "request failed"),
        }
        match outcome.as_ref().map(|reply| reply.status) {
            Ok(420 | 429) => {
                let asked = outcome.as_ref().ok().and_then(|reply| reply.retry_after);
                let pause = self.budget.refused(started, asked);
                tracing::debug!(operation, ?pause, "too many requests with this token");
                self.budget.record_pause().await;
            }
            // It looked at the request, whatever it thinks of it.
            Ok(..500) => self.budget.answered(started),
            Ok(_) | Err(_) => {}
        }
        outcome
    }
}

/// What came back, with no credential of its request left in it.
pub(super) struct Received {
    operation: &'static str,
    address: String,
    effectful: bool,
    asked: Asked,
    pub(super) credentials: Arc<Credentials>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Of an error only the beginning.
    pub(super) body: Vec<u8>,
    retry_after: Option<Duration>,
    pub(super) request_ids: RequestIds,
}

impl Received {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The words of the remote service, if it refuses.
    pub(super) fn message(&self) -> String {
        // Cleaned once more: decoding and joining could put together what was apart.
        let body = String::from_utf8_lossy(&self.body);
        self.credentials.text(&error_body::message(&body))
    }

    /// Where it sends whoever asks.
    pub(super) fn moved_to(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        matches!(self.status, 301 | 302 | 303 | 307 | 308).then(|| location.to_owned())
    }

    /// A success to be read, or the error that it is.
    pub(super) fn judged(self) -> Result<Reply, Error> {
        if self.is_success() {
            return Ok(Reply {
                operation: self.operation,
                effectful: self.effectful,
                status: self.status,
                body: self.body,
                request_ids: self.request_ids,
                credentials: self.credentials,
                asked: self.asked,
            });
        }
        let message = self.message();
        let body = String::from_utf8_lossy(&self.body);
        Err(Error::Status {
            operation: self.operation,
            address: self.address,
            effectful: self.effectful,
            status: self.status,
            message,
            body: error_body::kept(&self.credentials.text(&body)),
            retry_after: self.retry_after,
            request_ids: Box::new(self.request_ids),
        })
    }
}

/// What is known of a request while it is under way.
struct Exchange {
    operation: &'static str,
    effectful: bool,
    /// What the reply has to be about.
    asked: Asked,
    /// What the reply may not repeat.
    credentials: Arc<Credentials>,
    /// Where the API is.
    address: String,
}

impl Exchange {
    /// Sends a request and reads its reply, all within a limit of time.
    async fn within(self, limit: Duration, client: &Client, request: Outgoing) -> Result<Received, Error> {
        match tokio::time::timeout(limit, self.perform(client, request)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("gave up after {} s", limit.as_secs_f64());
                Err(self.broken_off(TransportError::new(TransportErrorKind::Timeout, message)))
            }
        }
    }

    async fn perform(&self, client: &Client, request: Outgoing) -> Result<Received, Error> {
        let sent = client.connection.transport.exchange(request).await;
        let reply = sent.map_err(|error| self.broken_off(error))?;
        let request_ids = headers::request_ids(&reply.headers, &self.credentials);
        client.trace(&request_ids);
        // A date is meant by the clock of whoever wrote it.
        let now = request_ids.date.unwrap_or_else(|| client.connection.clock.now());
        let mut received = Received {
            operation: self.operation,
            address: self.address.clone(),
            effectful: self.effectful,
            asked: self.asked.clone(),
            credentials: Arc::clone(&self.credentials),
            status: reply.status,
            retry_after: headers::retry_after(&reply.headers, now),
            headers: reply.headers,
            body: Vec::new(),
            request_ids,
        };
        let body = if received.is_success() {
            self.whole(reply.body).await?
        } else {
            // What arrived of an error text is better than nothing.
            let (mut body, _) = read(reply.body, ERROR_LIMIT).await;
            body.truncate(ERROR_LIMIT);
            body
        };
        received.body = self.credentials.body(body);
        Ok(received)
    }

    /// The whole body of a success.
    async fn whole(&self, body: BoxStream<'static, Result<Bytes, TransportError>>) -> Result<Vec<u8>, Error> {
        let too_large = |limit, unit| Error::TooLarge {
            operation: self.operation,
            effectful: self.effectful,
            limit,
            unit,
        };
        let body = match read(body, REPLY_LIMIT).await {
            (_, Some(error)) => return Err(self.broken_off(error)),
            (body, None) => body,
        };
        if body.len() > REPLY_LIMIT {
            return Err(too_large(REPLY_LIMIT, "bytes"));
        }
        if body.iter().filter(|byte| b",[{".contains(byte)).count() > VALUE_LIMIT {
            return Err(too_large(VALUE_LIMIT, "values"));
        }
        Ok(body)
    }

    /// What it means that there is no whole reply.
    fn broken_off(&self, error: TransportError) -> Error {
        let (operation, address) = (self.operation, self.address.clone());
        let source = TransportError {
            message: self.credentials.text(&error.message),
            ..error
        };
        match source.kind {
            TransportErrorKind::Setup | TransportErrorKind::Connect => Error::Unreachable {
                operation,
                address,
                source,
            },
            TransportErrorKind::Timeout | TransportErrorKind::Broken => Error::Lost {
                operation,
                address,
                effectful: self.effectful,
                timed_out: source.kind == TransportErrorKind::Timeout,
                source,
            },
        }
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
