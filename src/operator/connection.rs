//! Clients of the API server: one that waits, one that writes, one for the Lease.

use std::path::Path;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::{OperatorError, OperatorOptions};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Above the 290 seconds that the API server keeps a silent watch open.
const WATCH_LIMIT: Duration = Duration::from_secs(300);

/// The clients, apart so that none waits behind another or by another's rules.
#[derive(Clone)]
pub(super) struct Clients {
    pub reader: Client,
    pub writer: Client,
    pub lease: Client,
    /// For questions about callers of the HTTP API.
    pub reviewer: Client,
    /// The namespace of the service account or of the context.
    pub namespace: String,
}

impl Clients {
    pub async fn connect(options: &OperatorOptions) -> Result<Self, OperatorError> {
        let mut config = configuration(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
        config.connect_timeout = Some(CONNECT_LIMIT);
        // Whoever asks knows better when to ask again: a write by the next plan, a watch after a pause, the Lease at
        // its next turn. The client's own retries would go on for minutes.
        config.default_retry = false;
        let namespace = config.default_namespace.clone();
        let make = |config: Config| Client::try_from(config).map_err(OperatorError::Client);
        let mut reader = config.clone();
        reader.read_timeout = Some(WATCH_LIMIT);
        reader.reset_reader_on_write = true;
        Ok(Clients {
            reader: make(reader)?,
            writer: make(config.clone())?,
            lease: make(config.clone())?,
            reviewer: make(config)?,
            namespace,
        })
    }
}

/// Finds the cluster: by a kubeconfig and its context if given, else the usual one, else by the service account.
///
/// Requests say that they come from this program; who writes what says its field manager.
///
/// # Errors
/// The kubeconfig cannot be used, or there is none.
pub(crate) async fn configuration(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, OperatorError> {
    let mut config = chosen(kubeconfig, context).await?;
    let agent = HeaderValue::from_static(concat!("statuspage-operator/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    Ok(config)
}

async fn chosen(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, OperatorError> {
    let chosen = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    match (kubeconfig, context) {
        (Some(path), _) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(OperatorError::Kubeconfig)?;
            Config::from_custom_kubeconfig(kubeconfig, &chosen)
                .await
                .map_err(OperatorError::Kubeconfig)
        }
        (None, Some(_)) => Config::from_kubeconfig(&chosen)
            .await
            .map_err(OperatorError::Kubeconfig),
        (None, None) => Config::infer().await.map_err(OperatorError::NoCluster),
    }
}
