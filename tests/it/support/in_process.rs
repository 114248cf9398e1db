//! A client and a local server in one process, without sockets.

use std::time::Duration;

use statuspage_operator::clock::Clock;
use statuspage_operator::server::{Identifiers, PageSeed, Server, ServerOptions};
use statuspage_operator::statuspage::{Incoming, Outgoing, TransportError};

/// A server with one page, for one token, whose ids are the same each time.
pub async fn server(clock: &Clock, token: &str, page: &str) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = ServerOptions {
        tokens: vec![token.to_owned()],
        pages: vec![PageSeed {
            id: Some(page.to_owned()),
            name: "Acme".to_owned(),
        }],
        clock: clock.clone(),
        identifiers: Identifiers::Seeded(1),
        ..ServerOptions::default()
    };
    Server::open(options).await.unwrap()
}

/// Carries a request to a server and its reply back, which takes 20 ms of the runtime's time.
pub async fn exchange(server: Server, outgoing: Outgoing) -> Result<Incoming, TransportError> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    let path = match outgoing.url.query() {
        Some(query) => format!("{}?{query}", outgoing.url.path()),
        None => outgoing.url.path().to_owned(),
    };
    let mut request = http::Request::builder().method(outgoing.method).uri(path);
    for (name, value) in &outgoing.headers {
        request = request.header(name, value);
    }
    let request = request.body(outgoing.body.unwrap_or_default()).unwrap();
    let response = server.exchange(request).await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Ok(Incoming::new(status, headers, response.into_body()))
}
