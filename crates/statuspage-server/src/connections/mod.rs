//! How the servers of this program accept connections, speak HTTP/1 on them and end them in order.

mod stalled;

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use stalled::Unstalled;

/// Pause after a connection could not be accepted: the process is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The head of a request may not be smaller than this: less is refused by a panic.
const SMALLEST_HEAD: usize = 8192;

/// When connections end.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    /// After the answer under way.
    pub soon: CancellationToken,
    /// At once.
    now: CancellationToken,
}

/// Connections had to be cut because they did not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

/// Serves each connection in a task of its own until `shutdown`, as many at a time as there are `places`. Then lets those
/// under way end, for `grace` at most.
pub async fn accept<F>(
    listener: TcpListener,
    places: &Arc<Semaphore>,
    grace: Duration,
    shutdown: impl Future<Output = ()> + Send,
    serve: impl Fn(TcpStream, SocketAddr, Ends) -> F,
) -> Result<(), Cut>
where
    F: Future<Output = ()> + Send + 'static,
{
    let ends = Ends::default();
    let tasks = TaskTracker::new();
    let accepting = async {
        loop {
            // Never closed, so this only waits.
            let Ok(place) = Arc::clone(places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Answers are small and wait for nothing.
                    let _ = stream.set_nodelay(true);
                    let serving = serve(stream, peer, ends.clone());
                    tasks.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    drop(listener);
    ends.soon.cancel();
    tasks.close();
    if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
        ends.now.cancel();
        tasks.wait().await;
        return Err(Cut);
    }
    Ok(())
}

/// Speaks HTTP/1 until one of both ends it.
///
/// `head_time` is how long the head of a request may take, and an idle connection stay open; `head` how many bytes are
/// read before there is a head.
pub async fn serve_connection<I, S, B>(
    stream: I,
    peer: SocketAddr,
    service: S,
    head_time: Duration,
    head: usize,
    ends: Ends,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(head.max(SMALLEST_HEAD))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ends.soon.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = ends.now.cancelled() => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}
