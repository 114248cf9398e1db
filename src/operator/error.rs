//! Why the operator ended.

use std::net::SocketAddr;
use std::time::Duration;

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// Neither a kubeconfig nor a service account was found.
    #[error("no cluster: give --kubeconfig, or run in a Pod with a service account")]
    NoCluster(#[source] kube::config::InferConfigError),
    /// The client cannot be made.
    #[error("cannot make a client for the cluster")]
    Client(#[source] kube::Error),
    /// An address to serve at is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The event log cannot be used.
    #[error("the event log cannot be opened")]
    Events(#[source] crate::audit::AuditError),
    /// Signals cannot be waited for.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// Another replica may lead now.
    #[error("the Lease could not be renewed in time: another replica may lead now")]
    LeaseLost,
    /// The lease times contradict each other.
    #[error("the lease duration must be longer than the renew deadline, and that longer than the retry period")]
    LeaseTimes,
    /// Whoever starts the tasks of the pages ended.
    #[error("the supervisor of the pages failed: {0}")]
    Supervisor(String),
    /// What was under way did not end in time; the Lease was not released.
    #[error("requests under way did not end within {0:?}")]
    Unfinished(Duration),
    /// A second signal.
    #[error("stopped at once by a second signal")]
    Interrupted,
}
