//! How a request gets to the remote service and its reply back.
//!
//! The client knows nothing of sockets: it hands an [`Outgoing`] to a [`Transport`] and reads an [`Incoming`]. The usual
//! one is HTTP over the network; any function can take its place, so that a service can answer inside the process.

mod http;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

pub(super) use http::HttpTransport;

/// One request as it is sent.
#[derive(Clone)]
pub struct Outgoing {
    /// The verb.
    pub method: Method,
    /// The whole address, with its query.
    pub url: Url,
    /// Headers, the token among them.
    pub headers: HeaderMap,
    /// The body, JSON.
    pub body: Option<Bytes>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither headers nor body: both may hold credentials.
        formatter
            .debug_struct("Outgoing")
            .field("method", &self.method)
            .field("path", &self.url.path())
            .finish_non_exhaustive()
    }
}

/// The reply to a request, as far as it has arrived.
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, piece by piece, which may break off.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl Incoming {
    /// A reply whose body is there already.
    #[must_use]
    pub fn new(status: u16, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            status,
            headers,
            body: stream::once(async move { Ok(body) }).boxed(),
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Incoming")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Where a request broke down before there was a whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// The means of sending could not be set up; nothing was sent.
    Setup,
    /// There was no connection; nothing was sent.
    Connect,
    /// Time ran out; what was sent may have been carried out.
    Timeout,
    /// The connection broke; what was sent may have been carried out.
    Broken,
}

/// A request that has no whole reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Where it broke down.
    pub kind: TransportErrorKind,
    /// Why, with all causes.
    pub message: String,
}

impl TransportError {
    /// A failure and its reason.
    #[must_use]
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// Sends requests one by one. It neither repeats them nor follows redirects: the client's owner decides about both.
///
/// The client drops the future when the time for the whole call is over.
pub trait Transport: Send + Sync {
    /// Sends a request and returns its reply as soon as the headers are there.
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>>;
}

impl<F, R> Transport for F
where
    F: Fn(Outgoing) -> R + Send + Sync,
    R: Future<Output = Result<Incoming, TransportError>> + Send + 'static,
{
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(self(request))
    }
}
