//! Where the server listens: plain, or with TLS whose certificate may be renewed at any time.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;

use super::file_stamp::FileStamp;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file holds no certificate or key.
    #[error("{} has no {what} in PEM", path.display())]
    Pem {
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not go together.
    #[error("the certificate and the key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// A certificate and its key in files, read again when they change.
#[derive(Debug)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    /// Of the files as they were when they were looked at last, usable or not.
    stamps: [FileStamp; 2],
    config: Arc<ServerConfig>,
}

impl TlsFiles {
    /// Reads a chain of certificates and its key.
    ///
    /// # Errors
    /// They cannot be read or used.
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let stamps = stamps(&certificate, &key)?;
        let config = load(&certificate, &key)?;
        Ok(TlsFiles {
            certificate,
            key,
            current: Mutex::new(Current { stamps, config }),
        })
    }

    /// What to serve the next connection with. Files that changed and cannot be used leave the last good ones in force.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // While a file is being replaced it may be gone for a moment.
        if let Ok(stamps) = stamps(&self.certificate, &self.key)
            && stamps != current.stamps
        {
            current.stamps = stamps;
            match load(&self.certificate, &self.key) {
                Ok(config) => {
                    current.config = config;
                    tracing::info!(certificate = %self.certificate.display(), "reloaded the certificate");
                }
                Err(error) => {
                    tracing::error!(%error, "the changed certificate cannot be used; still using the last one");
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn stamps(certificate: &Path, key: &Path) -> Result<[FileStamp; 2], TlsError> {
    let stamp = |path: &Path| {
        FileStamp::of(path).map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })
    };
    Ok([stamp(certificate)?, stamp(key)?])
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, what, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(pem(certificate, "certificate"))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(pem(key, "private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A place to serve at.
#[derive(Debug)]
pub struct Listening {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsFiles>,
}

impl Listening {
    /// Listens at an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(address: SocketAddr, tls: Option<TlsFiles>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Listening { listener, tls })
    }

    /// The address in use.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}
