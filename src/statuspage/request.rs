//! Sends one request and reads its reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tokio::time::Instant;

use super::call::Call;
use super::error::RequestIds;
use super::redaction::Credentials;
use super::reply::{Asked, Reply};
use super::{Client, Error, ErrorClass, Outgoing, TransportError, TransportErrorKind, error_body, headers};

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
        let permit = self.permit(&permit_for).await;
        self.count_request();
        self.trace(&RequestIds::default());
        let started = Instant::now();
        let outcome = exchange.within(connection.timeout, self, request).await;
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
            }
        }
        match outcome.as_ref().map_err(|error| (error.class(), error.status())) {
            Err((ErrorClass::Throttled { retry_after }, _)) => {
                let pause = self.budget.refused(started, retry_after);
                tracing::debug!(operation, ?pause, "too many requests with this token");
                self.budget.record_pause().await;
            }
            // It looked at the request, whatever it thinks of it.
            Ok(_) | Err((_, Some(..500))) => self.budget.answered(started),
            Err(_) => {}
        }
        outcome
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
    async fn within(self, limit: Duration, client: &Client, request: Outgoing) -> Result<Reply, Error> {
        match tokio::time::timeout(limit, self.perform(client, request)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("gave up after {} s", limit.as_secs_f64());
                Err(self.broken_off(TransportError::new(TransportErrorKind::Timeout, message)))
            }
        }
    }

    async fn perform(&self, client: &Client, request: Outgoing) -> Result<Reply, Error> {
        let sent = client.connection.transport.exchange(request).await;
        let reply = sent.map_err(|error| self.broken_off(error))?;
        let (operation, effectful, status) = (self.operation, self.effectful, reply.status);
        let request_ids = headers::request_ids(&reply.headers, &self.credentials);
        client.trace(&request_ids);
        if (200..300).contains(&status) {
            let too_large = |limit, unit| Error::TooLarge {
                operation,
                effectful,
                limit,
                unit,
            };
            let body = match read(reply.body, REPLY_LIMIT).await {
                (_, Some(error)) => return Err(self.broken_off(error)),
                (body, None) => body,
            };
            if body.len() > REPLY_LIMIT {
                return Err(too_large(REPLY_LIMIT, "bytes"));
            }
            if body.iter().filter(|byte| b",[{".contains(byte)).count() > VALUE_LIMIT {
                return Err(too_large(VALUE_LIMIT, "values"));
            }
            let body = self.credentials.body(body);
            return Ok(Reply {
                operation,
                effectful,
                status,
                body,
                request_ids,
                credentials: Arc::clone(&self.credentials),
                asked: self.asked.clone(),
            });
        }
        // A date is meant by the clock of whoever wrote it.
        let now = request_ids.date.unwrap_or_else(|| client.connection.clock.now());
        let retry_after = headers::retry_after(&reply.headers, now);
        // What arrived of an error text is better than nothing.
        let (mut body, _) = read(reply.body, ERROR_LIMIT).await;
        body.truncate(ERROR_LIMIT);
        let body = self.credentials.body(body);
        let body = String::from_utf8_lossy(&body);
        Err(Error::Status {
            operation,
            address: self.address.clone(),
            effectful,
            status,
            // Cleaned once more: decoding and joining could put together what was apart.
            message: self.credentials.text(&error_body::message(&body)),
            body: error_body::kept(&self.credentials.text(&body)),
            retry_after,
            request_ids: Box::new(request_ids),
        })
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
