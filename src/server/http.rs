//! Requests that arrive over connections. What is done about them is decided in `exchange`.
//!
//! Invariant: a client that goes away in the middle of its request does not leave it half done: the work is a task of
//! its own.

use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::Server;
use super::exchange::{BODY_LIMIT, Broken};

/// The only handler of the router: paths are matched later, because every one may end in `.json`.
pub(super) async fn handle(Shared(server): Shared<Server>, request: Request) -> Response<Body> {
    let arrival = server.now();
    let (parts, content) = request.into_parts();
    let content = axum::body::to_bytes(content, BODY_LIMIT).await.ok();
    let working = server.clone();
    let work = tokio::spawn(async move { working.outcome(parts, content, arrival).await });
    let Ok(outcome) = work.await else {
        return server.failed().map(Body::from);
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
