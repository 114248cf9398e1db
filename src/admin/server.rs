//! The server: accepts connections, serves each in a task of its own, and ends in order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::family::Problem;
use super::gate::{self, Peer};
use super::identity::{Identity, throttle};
use super::listener::Listening;
use super::openapi::{self, Operation};
use super::resources::ResourceSource;
use super::routes::{self, Inner, Shared};
use super::shares::Shares;
use super::status::{self, StatusSource};
use crate::server::connections::{self, Cut, Ends, Unstalled};

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
    pub body: u64,
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

/// Routes of another part of the process that are served behind the same gate.
#[derive(Debug, Default)]
pub struct Mount {
    /// Routes with their whole paths, and without a fallback: unknown paths are answered in the shape of their family. A
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

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Connections could not end in time and were cut.
    #[error("connections were still open {0:?} after the end was asked for")]
    Unfinished(Duration),
    /// The address in use cannot be found out.
    #[error("the address of the HTTP API is not known")]
    Address(#[source] io::Error),
}

/// The operator's HTTP API.
#[derive(Clone)]
pub struct AdminServer {
    router: Router,
    shared: Shared,
}

impl std::fmt::Debug for AdminServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AdminServer").finish_non_exhaustive()
    }
}

impl AdminServer {
    /// Puts the server together.
    pub fn new(options: AdminOptions) -> Self {
        let mut operations: Vec<Operation> = Vec::new();
        let mut router: Router<Shared> = Router::new();
        for route in routes::table() {
            router = route.add_to(router);
            operations.push(route.operation);
        }
        let mut mounted = Router::new();
        for mount in options.mounts {
            mounted = mounted.merge(mount.router);
            operations.extend(mount.operations);
        }
        let shared = Shared(Arc::new(Inner {
            identity: options.identity,
            status: options.status,
            resources: options.resources,
            slots: Semaphore::new(options.limits.requests),
            requests: Shares::new(options.limits.requests_of_one_credential),
            connections: Arc::new(Semaphore::new(options.limits.connections)),
            limits: options.limits,
            public_details: options.public_details,
            session: uuid::Uuid::new_v4().to_string(),
            tls: AtomicBool::new(false),
            document: openapi::document(&operations),
        }));
        let router = router
            .with_state(shared.clone())
            .merge(mounted)
            .fallback(async |method: Method, uri: axum::http::Uri| Problem::NotFound.answer(&method, uri.path()))
            .method_not_allowed_fallback(async |method: Method, uri: axum::http::Uri| {
                Problem::MethodNotAllowed.answer(&method, uri.path())
            })
            .layer(axum::middleware::from_fn_with_state(shared.clone(), gate::pass));
        AdminServer { router, shared }
    }

    /// The routes, gate included: to be served by something else.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Credentials that were refused since the start.
    pub fn refused_credentials(&self) -> u64 {
        self.shared.identity().refused()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// Serves in a task of its own.
    pub fn start(&self, listening: Listening) -> Serving {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(self.clone().serve(listening, async {
            // A dropped sender means the end too.
            let _ = stopped.await;
        }));
        Serving { stop, task }
    }

    /// Serves until `shutdown`; then lets requests under way end.
    ///
    /// # Errors
    /// Connections had to be cut at the end.
    pub async fn serve(
        self,
        listening: Listening,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), AdminError> {
        let address = listening.address().map_err(AdminError::Address)?;
        tracing::info!(%address, scheme = listening.scheme(), "the HTTP API is served");
        status::log_start();
        let Listening { listener, tls } = listening;
        self.shared.0.tls.store(tls.is_some(), Ordering::Relaxed);
        let by_address = Shares::new(self.shared.limits().connections_of_one_address);
        let serve = |stream: TcpStream, peer: SocketAddr, ends: Ends| {
            let share = by_address.take(&throttle::network(peer.ip()));
            let has_place = share.is_some() || self.shared.identity().is_gateway(peer.ip());
            let tls = tls.as_ref().map(|files| TlsAcceptor::from(files.config()));
            let server = self.clone();
            async move {
                if has_place {
                    server.connection(stream, peer, tls, ends).await;
                } else {
                    // Cut, not kept waiting: others are to be accepted.
                    tracing::debug!(%peer, "too many connections of one address");
                }
                drop(share);
            }
        };
        let grace = self.shared.limits().grace;
        connections::accept(listener, &self.shared.0.connections, grace, shutdown, serve)
            .await
            .map_err(|Cut| AdminError::Unfinished(grace))
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, ends: Ends) {
        let stream = Unstalled::new(stream, self.shared.limits().write);
        let Some(tls) = tls else {
            return self.serve_connection(stream, peer, ends).await;
        };
        let handshake = tokio::time::timeout(self.shared.limits().head_time, tls.accept(stream));
        tokio::select! {
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => self.serve_connection(stream, peer, ends).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
            },
            () = ends.soon.cancelled() => {}
        }
    }

    async fn serve_connection<I>(self, stream: I, peer: SocketAddr, ends: Ends)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request.map(Body::new))
        });
        let limits = self.shared.limits();
        connections::serve_connection(stream, peer, service, limits.head_time, limits.head, ends).await;
    }
}

/// A server at work.
#[derive(Debug)]
pub struct Serving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), AdminError>>,
}

impl Serving {
    /// Ends the server in order.
    pub async fn end(self) {
        // Nobody listens when it has ended by itself.
        let _ = self.stop.send(());
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the HTTP API did not end in order"),
            Err(error) => tracing::error!(%error, "the HTTP API ended"),
        }
    }
}
