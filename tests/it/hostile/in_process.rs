//! A client whose requests a function answers, in a runtime whose time stands still.

use std::future::ready;
use std::sync::Arc;

use http::HeaderMap;
use statuspage_operator::statuspage::{BaseUrl, Budget, Client, Incoming, Outgoing, Token};

/// Does some work to its end.
pub(crate) fn in_process<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// A client of a service that gives everybody the same answer.
pub(crate) fn answering(status: u16, headers: HeaderMap, body: impl Into<Vec<u8>>, budget: Budget) -> Client {
    let body = body.into();
    let answer = move |_: Outgoing| ready(Ok(Incoming::new(status, headers.clone(), body.clone())));
    let base_url = BaseUrl::parse("http://127.0.0.1:1/v1", false).unwrap();
    Client::builder(base_url, Token::new("correct-horse".to_owned()).unwrap())
        .budget(budget)
        .transport(Arc::new(answer))
        .build()
        .unwrap()
}
