//! The transport of every day: HTTP over the network.

use std::error::Error;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use reqwest::redirect::Policy;

use super::{Incoming, Outgoing, Transport, TransportError, TransportErrorKind};
use crate::statuspage::{BaseUrl, install_crypto};

/// HTTP over the network, with gzip and the proxy settings of the system.
#[derive(Debug)]
pub(in crate::statuspage) struct HttpTransport {
    http: reqwest::Client,
}

impl HttpTransport {
    /// A transport to a service.
    pub(in crate::statuspage) fn new(base_url: &BaseUrl, connect_timeout: Duration) -> Result<Self, TransportError> {
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
    // The address has the query in it and says nothing that the operation does not.
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
    TransportError::new(kind, causes(&error))
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
