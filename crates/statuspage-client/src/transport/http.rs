//! The transport of every day: HTTP over the network.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use reqwest::redirect::Policy;

use super::{Incoming, Outgoing, Transport, TransportError, TransportErrorKind};
use crate::{BaseUrl, install_crypto};

/// HTTP over the network, with gzip and the proxy settings of the system.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    http: reqwest::Client,
}

impl HttpTransport {
    /// A transport to a service.
    pub(crate) fn new(base_url: &BaseUrl, connect_timeout: Duration) -> Result<Self, TransportError> {
        install_crypto();
        let mut http = reqwest::Client::builder()
            .connect_timeout(connect_timeout)
            // A redirect would carry a write somewhere else, and the client's owner decides about repeating calls.
            .redirect(Policy::none())
            .retry(reqwest::retry::never());
        if base_url.is_loopback() {
            // A proxy cannot reach what listens on this machine only.
            http = http.no_proxy();
        }
        let http = http.build().map_err(failure)?;
        Ok(Self { http })
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, request: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(async move {
            let Outgoing {
                method,
                url,
                headers,
                body,
            } = request;
            let mut request = self.http.request(method, url).headers(headers);
            if let Some(body) = body {
                request = request.body(body);
            }
            let response = request.send().await.map_err(failure)?;
            Ok(Incoming {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: stream::try_unfold(response, async |mut response| {
                    let chunk = response.chunk().await.map_err(failure)?;
                    Ok(chunk.map(|chunk| (chunk, response)))
                })
                .boxed(),
            })
        })
    }
}

fn failure(error: reqwest::Error) -> TransportError {
    let is_plain = error.url().is_some_and(|url| url.scheme() == "http");
    // The address has the query in it; the caller knows where the API is.
    let error = error.without_url();
    let kind = if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_builder() {
        TransportErrorKind::Setup
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else {
        TransportErrorKind::Broken
    };
    let message = known(&error, is_plain).unwrap_or_else(|| causes(&error));
    TransportError::new(kind, message)
}

/// Where to look when there is no connection.
const LOOK_AT: &str = "check the API address, the proxy and network policies";

/// What usually goes wrong, and what to do about it.
fn known(error: &reqwest::Error, is_plain: bool) -> Option<String> {
    if let Some(error) = find::<rustls::Error>(error) {
        return Some(tls(error));
    }
    let refused = |kind| find::<std::io::Error>(error).is_some_and(|error| error.kind() == kind);
    let text = causes(error);
    if refused(ErrorKind::ConnectionRefused) {
        return Some(format!("connection refused; {LOOK_AT}"));
    }
    if text.contains("dns error") {
        return Some(format!("its name cannot be resolved; {LOOK_AT}, and DNS"));
    }
    if error.is_connect() {
        let text = if error.is_timeout() {
            "no connection in time".to_owned()
        } else {
            text
        };
        return Some(format!("{text}; {LOOK_AT}"));
    }
    let is_no_http = text.contains("invalid HTTP") || text.contains("connection closed before message completed");
    (is_plain && is_no_http).then(|| {
        "the connection was closed without an HTTP reply; if the port speaks TLS, the address begins with https://"
            .to_owned()
    })
}

/// Why TLS failed.
fn tls(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    let give_ca = "set SSL_CERT_FILE to a PEM file with its CA";
    match error {
        Error::InvalidMessage(_) => {
            "the port does not speak TLS; for plain HTTP the address begins with http://".to_owned()
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("its certificate is signed by a CA that is not trusted here; {give_ca}")
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "its certificate is not valid yet; check the clock of this machine".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name; check the API address".to_owned(),
        // The verifier has a word of its own for this, and no type.
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            format!("its certificate is that of a CA; serve one that the CA has signed, and {give_ca}")
        }
        other => format!("TLS failed: {other}"),
    }
}

/// The cause of a type below an error. What is wrapped into an I/O error is not among its sources.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inside.and_then(|inside| find(inside)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error with everything below it: the HTTP stack tells the cause only there.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
