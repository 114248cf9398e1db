//! The server: accepts connections, serves each in a task of its own, and ends in order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::contracts::insights::status::log_start;
use super::identity::throttle;
use super::listener::Listening;
use super::middleware::{self, Peer};
use super::openapi::{self, Operation};
use super::problem::Problem;
use super::routes;
use super::shares::Shares;
use super::state::{AdminOptions, AppState};
use crate::server::connections::{self, Cut, Ends, Unstalled};

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
    state: Arc<AppState>,
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
        let mut router: Router<Arc<AppState>> = Router::new();
        for (operation, handler) in routes::table() {
            router = routes::add(router, operation.path, handler);
            operations.push(operation);
        }
        let mut mounted = Router::new();
        for mount in options.mounts {
            mounted = mounted.merge(mount.router);
            operations.extend(mount.operations);
        }
        let state = Arc::new(AppState {
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
        });
        let router = router
            .with_state(Arc::clone(&state))
            .merge(mounted)
            .fallback(async || Problem::NotFound)
            .method_not_allowed_fallback(async || Problem::MethodNotAllowed);
        let router = middleware::around(router, &state);
        AdminServer { router, state }
    }

    /// The routes, middleware included: to be served by something else.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Credentials that were refused since the start.
    pub fn refused_credentials(&self) -> u64 {
        self.state.identity.refused()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.state.open_connections()
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
        log_start();
        let Listening { listener, tls } = listening;
        self.state.tls.store(tls.is_some(), Ordering::Relaxed);
        let by_address = Shares::new(self.state.limits.connections_of_one_address);
        let serve = |stream: TcpStream, peer: SocketAddr, ends: Ends| {
            let share = by_address.take(&throttle::network(peer.ip()));
            let has_place = share.is_some() || self.state.identity.is_gateway(peer.ip());
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
        let grace = self.state.limits.grace;
        connections::accept(listener, &self.state.connections, grace, shutdown, serve)
            .await
            .map_err(|Cut| AdminError::Unfinished(grace))
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, ends: Ends) {
        let stream = Unstalled::new(stream, self.state.limits.write);
        let Some(tls) = tls else {
            return self.serve_connection(stream, peer, ends).await;
        };
        let handshake = tokio::time::timeout(self.state.limits.head_time, tls.accept(stream));
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
        let limits = self.state.limits;
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
