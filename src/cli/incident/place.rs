//! Where incidents are declared, and how they are sent.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Connection;
use crate::cli::record::Record;

/// Where incidents are declared.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Directory with the manifests [default: the current one].
    #[arg(short, long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// The StatusPage, by metadata.name, where several are declared and the components do not tell.
    #[arg(long, value_name = "NAME")]
    pub page: Option<String>,
    /// How Statuspage is reached from a directory. In a cluster the operator does that.
    #[command(flatten)]
    pub connection: Connection,
    /// Works in a Kubernetes cluster; --kubeconfig, --context and --namespace mean the same.
    #[arg(long, help_heading = "Cluster", conflicts_with = "directory")]
    pub cluster: bool,
    /// Kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the service account of the Pod].
    #[arg(long, value_name = "FILE", help_heading = "Cluster", conflicts_with = "directory")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME", help_heading = "Cluster", conflicts_with = "directory")]
    pub context: Option<String>,
    /// Namespace of the Incident [default: that of the context].
    #[arg(
        short,
        long,
        value_name = "NAME",
        help_heading = "Cluster",
        conflicts_with = "directory"
    )]
    pub namespace: Option<String>,
}

impl Place {
    /// True when a cluster is meant.
    pub(super) fn is_cluster(&self) -> bool {
        self.cluster || self.kubeconfig.is_some() || self.context.is_some() || self.namespace.is_some()
    }

    /// The directory that is meant.
    pub(super) fn directory(&self) -> &Path {
        self.directory.as_deref().unwrap_or(Path::new("."))
    }
}

/// How an incident is sent.
#[derive(Clone, Debug, Args)]
pub struct Sending {
    /// Tells the subscribers, as is usual.
    #[arg(long, overrides_with = "no_notify")]
    pub notify: bool,
    /// Publishes without telling the subscribers.
    #[arg(long, overrides_with = "notify")]
    pub no_notify: bool,
    /// Shows what would be sent, and writes nothing anywhere.
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask. Without a terminal nobody is asked.
    #[arg(short, long)]
    pub yes: bool,
    /// In a cluster: does not wait until the operator has sent it.
    #[arg(long, help_heading = "Cluster")]
    pub no_wait: bool,
    /// Where they are declared.
    #[command(flatten)]
    pub place: Place,
    /// Where what is done is recorded.
    #[command(flatten)]
    pub record: Record,
}
