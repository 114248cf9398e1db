//! How the server is set up, and what all its handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;

use super::identity::Identity;
use super::openapi::Operation;
use super::resources::ResourceSource;
use super::shares::Shares;
use super::status::StatusSource;

/// What the server takes at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// Connections of one address (one /64 of IPv6) at a time, other than the gateway's; more are cut.
    pub connections_of_one_address: usize,
    /// Requests at work at a time; more are answered with 503.
    pub requests: usize,
    /// Requests at work of one credential; more are answered with 429.
    pub requests_of_one_credential: usize,
    /// Bytes of a body; larger ones are answered with 413.
    pub body: usize,
    /// Bytes of the address and headers of a request; larger ones are answered with 431.
    pub head: usize,
    /// How long a TLS handshake, or the head of a request, may take. Idle connections end after this too.
    pub head_time: Duration,
    /// How long the other end may take nothing of an answer.
    pub write: Duration,
    /// How long an answer may take to begin.
    pub answer: Duration,
    /// How long connections may take to end when the server ends.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            connections_of_one_address: 128,
            requests: 64,
            requests_of_one_credential: 16,
            body: 64 * 1024,
            head: 32 * 1024,
            head_time: Duration::from_secs(10),
            write: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Routes of another part of the process that are served behind the same middleware.
#[derive(Debug, Default)]
pub struct Mount {
    /// Routes with their whole paths, and without a fallback: unknown paths are answered in the words of their contract. A
    /// request's extensions hold the [`Caller`](super::caller::Caller), below `/api/v1`, `/api/v2` and `/v2` only, and the
    /// `Scheme` of the server.
    pub router: Router,
    /// What the OpenAPI document says about them.
    pub operations: Vec<Operation>,
}

/// How the server is set up.
pub struct AdminOptions {
    /// Who is let in.
    pub identity: Identity,
    /// What the status documents tell.
    pub status: Arc<dyn StatusSource>,
    /// What is managed.
    pub resources: Arc<dyn ResourceSource>,
    /// What else is served: probes, metrics, events.
    pub mounts: Vec<Mount>,
    /// What the server takes at most.
    pub limits: Limits,
    /// True shows all of `/api/v1/status/` to everybody.
    pub public_details: bool,
}

pub(super) struct AppState {
    pub identity: Identity,
    pub status: Arc<dyn StatusSource>,
    pub resources: Arc<dyn ResourceSource>,
    pub slots: Semaphore,
    /// Requests at work, by credential.
    pub requests: Shares<String>,
    pub connections: Arc<Semaphore>,
    pub limits: Limits,
    pub public_details: bool,
    /// Names this run of the process.
    pub session: String,
    pub tls: AtomicBool,
    /// The description of the API.
    pub document: String,
}

impl AppState {
    pub(super) fn is_tls(&self) -> bool {
        self.tls.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub(super) fn open_connections(&self) -> usize {
        let free = self.connections.available_permits();
        // One place is taken by the connection that is accepted next.
        self.limits.connections.saturating_sub(free).saturating_sub(1)
    }
}
