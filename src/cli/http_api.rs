//! Options of the operator's own HTTP API, shared by all commands that serve it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;

use super::Failure;
use super::screen::Lines;
use super::session::Session;
use crate::admin::caller::{Caller, Grant, Scope};
use crate::admin::identity::access_keys::AccessKeys;
use crate::admin::identity::{Gateway, Identity, Network};
use crate::admin::resources::StoreSource;
use crate::admin::status::Standalone;
use crate::admin::{AdminOptions, AdminServer, Limits, Listening, Serving, TlsFiles, events};

/// Options of the HTTP API.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "HTTP API")]
pub struct HttpApi {
    /// Serves status and managed resources over HTTP at this address, such as 127.0.0.1:9090; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub http_listen: Option<SocketAddr>,
    /// The same settings for every command that serves it.
    #[command(flatten)]
    pub settings: HttpSettings,
}

/// Who is let in, and how.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "HTTP API")]
pub struct HttpSettings {
    /// Certificate chain in PEM: serves HTTPS. Read again when it changes.
    #[arg(long, value_name = "FILE", requires = "http_tls_key")]
    pub http_tls_certificate: Option<PathBuf>,
    /// Key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "http_tls_certificate")]
    pub http_tls_key: Option<PathBuf>,
    /// File of access keys, made with `statuspage access-key create`. Read again when it changes.
    #[arg(long, env = "STATUSPAGE_ACCESS_KEYS", value_name = "FILE")]
    pub access_keys: Option<PathBuf>,
    /// File with the secret of a gateway whose x-rh-identity is trusted.
    #[arg(long, value_name = "FILE")]
    pub gateway_secret_file: Option<PathBuf>,
    /// Address or network of the gateway, such as 10.0.7.0/24; may be repeated. With a secret it needs both; alone,
    /// every process at these addresses is trusted.
    #[arg(long = "gateway-address", value_name = "ADDRESS")]
    pub gateway_addresses: Vec<Network>,
    /// Shows the details of /api/v1/status/ to callers without credentials too.
    #[arg(long)]
    pub public_status: bool,
}

impl HttpSettings {
    /// Who is let in by files.
    pub fn identity(&self) -> Result<Identity, Failure> {
        let mut identity = Identity::new();
        if let Some(path) = &self.access_keys {
            identity = identity.with_access_keys(AccessKeys::of(path));
        }
        let secret = match &self.gateway_secret_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| Failure::TokenFile {
                    path: path.clone(),
                    source,
                })?;
                if text.trim().is_empty() {
                    return Err(Failure::EmptySecret(path.clone()));
                }
                Some(SecretString::from(text.trim()))
            }
            None => None,
        };
        if let Some(gateway) = Gateway::new(secret, self.gateway_addresses.clone()) {
            identity = identity.with_gateway(gateway);
        }
        Ok(identity)
    }

    /// The certificate, if there is one.
    pub fn tls(&self) -> Result<Option<TlsFiles>, Failure> {
        match (&self.http_tls_certificate, &self.http_tls_key) {
            (Some(certificate), Some(key)) => TlsFiles::open(certificate, key).map(Some).map_err(Failure::Tls),
            _ => Ok(None),
        }
    }

    /// Listens, with TLS if there is a certificate.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listening, Failure> {
        Listening::bind(address, self.tls()?)
            .await
            .map_err(|source| Failure::Listen {
                address: address.to_string(),
                source,
            })
    }
}

impl HttpApi {
    /// Starts to serve what a session manages, if an address is given. `open` lets callers on this machine in without
    /// credentials, as long as the address is of this machine.
    pub(super) async fn serve(&self, session: &Session, print: &Lines, open: bool) -> Result<Option<Serving>, Failure> {
        let Some(address) = self.http_listen else {
            return Ok(None);
        };
        let mut identity = self.settings.identity()?;
        if open && address.ip().is_loopback() {
            let everything = Grant::reading(Scope::All);
            identity = identity.with_anonymous(Caller::new("local", true, everything));
        }
        if let Some(why) = identity.nobody_can_enter() {
            print(&format!("! nobody can use the HTTP API: {why}"));
        }
        let listening = self.settings.listen(address).await?;
        let [listed, unattached] = [Arc::clone(&session.store), Arc::clone(&session.store)];
        let source = StoreSource::new(
            Arc::clone(&session.store),
            move || listed.pages(),
            move || unattached.without_page(),
            Arc::clone(&session.options.budgets),
        );
        let server = AdminServer::new(AdminOptions {
            identity,
            status: Arc::new(Standalone),
            resources: Arc::new(source),
            mounts: session
                .log()
                .map(|log| events::mount(log.clone()))
                .into_iter()
                .collect(),
            limits: Limits::default(),
            public_details: self.settings.public_status,
        });
        let address = listening.address().unwrap_or(address);
        print(&format!("HTTP API at {}://{address}/openapi.json", listening.scheme()));
        Ok(Some(server.start(listening)))
    }
}
