//! Requests that arrive over connections. What is done about them is decided in `exchange`.
//!
//! Invariant: a client that goes away in the middle of its request does not leave it half done: the work is a task of
//! its own. A client that is too slow does not keep its connection.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::errors::ApiError;
use super::exchange::{BODY_LIMIT, Broken};
use super::{Server, ServerError};
use crate::connections::{self, Ends, Unstalled};

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// Bytes of the head of a request.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long connections may take to end when the server ends. Some never get their answer.
const GRACE: Duration = Duration::from_secs(5);

impl Server {
    /// The routes: the management API below `/v1`, the public one below `/api/v2`.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback(handle).with_state(self.clone())
    }

    /// Serves until `shutdown`, lets running requests end, and closes the data.
    ///
    /// # Errors
    /// The file of the data could not be closed in good order.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServerError> {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let serve = |stream, peer, ends| self.clone().connection(stream, peer, ends);
        // Those that were cut wait for answers that are withheld on purpose, or do not take theirs.
        let _ = connections::accept(listener, &places, GRACE, shutdown, serve).await;
        self.inner.storage.close().await
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, ends: Ends) {
        let patience = self.patience();
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(handle(Shared(server), request.map(Body::new)).await) }
        });
        let stream = Unstalled::new(stream, patience);
        connections::serve_connection(stream, peer, service, patience, HEAD_LIMIT, ends).await;
    }
}

/// The refusal after which the connection ends, as what else comes on it is not known to be a request.
fn last(server: &Server, error: &ApiError) -> Response<Body> {
    let mut response = server.refusal(error).map(Body::from);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// The only handler: paths are matched later, because every one may end in `.json`.
async fn handle(Shared(server): Shared<Server>, request: Request) -> Response<Body> {
    let arrival = server.now();
    let (parts, content) = request.into_parts();
    let reading = Limited::new(content, BODY_LIMIT).collect();
    let content = match tokio::time::timeout(server.patience(), reading).await {
        Ok(Ok(content)) => Some(content.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => None,
        // Not all of it came: there is nothing to work on.
        Ok(Err(_)) => return last(&server, &ApiError::bad_request("The request body cannot be read")),
        Err(_) => return last(&server, &ApiError::timed_out()),
    };
    let working = server.clone();
    let work = tokio::spawn(async move { working.outcome(parts, content, arrival).await });
    let Ok(outcome) = work.await else {
        return server.refusal(&ApiError::internal("The server failed")).map(Body::from);
    };
    // Not part of the task: an answer that is withheld ends with the connection.
    match outcome.leave().await {
        Ok(response) => response.map(Body::from),
        Err(Broken::Closed) => {
            let mut response = Response::new(broken(Bytes::new()));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            // More than will come, so that it cannot be taken for whole.
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(1));
            response
        }
        Err(Broken::Truncated(part)) => part.map(broken),
    }
}

/// A body that ends in an error after what is given, which closes the connection.
fn broken(beginning: Bytes) -> Body {
    let mut beginning = Some(beginning).filter(|beginning| !beginning.is_empty());
    let mut flushed = beginning.is_none();
    Body::from_stream(futures::stream::poll_fn(move |context| {
        if let Some(beginning) = beginning.take() {
            return Poll::Ready(Some(Ok(beginning)));
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
