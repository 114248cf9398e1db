//! The clock of the service, as its replies show it.

use std::future::ready;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use statuspage_operator::clock::{Clock, ManualClock};
use statuspage_operator::statuspage::{
    BaseUrl, Budget, Client, ErrorClass, Incoming, Token, Trace, TransportError, TransportErrorKind,
};

use super::remote::answered_by;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

const DATE: (&str, &str) = ("date", "Mon, 05 Jan 2026 10:00:00 GMT");

fn ten_o_clock() -> Timestamp {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_reply_leaves_its_date() {
    for (status, body) in [(200, r#"{"id":"p"}"#), (200, "<html>"), (422, "no"), (503, "")] {
        let headers = headers(&[DATE, ("age", "12"), ("x-request-id", "request-7")]);
        let client = answered_by(
            move |_| ready(Ok(Incoming::new(status, headers.clone(), body))),
            Budget::new(0),
        );
        let trace = Trace::default();
        let _ = client.with_trace(&trace).page("p").get().await;
        let left = trace.lock().unwrap().clone();
        assert_eq!((left.date, left.cached), (Some(ten_o_clock()), true), "{status} {body}");
        assert_eq!(left.request_id.as_deref(), Some("request-7"));
    }
}

#[tokio::test(start_paused = true)]
async fn headers_count_though_the_body_is_lost() {
    let half = |_| {
        let cut = TransportError::new(TransportErrorKind::Broken, "cut");
        ready(Ok(Incoming {
            status: 201,
            headers: headers(&[DATE]),
            body: stream::iter([Err(cut)]).boxed(),
        }))
    };
    let trace = Trace::default();
    let client = answered_by(half, Budget::new(0)).with_trace(&trace);
    client.page("p").get().await.unwrap_err();
    assert_eq!(trace.lock().unwrap().date, Some(ten_o_clock()));

    // What an earlier reply left is not taken for that of a request without one.
    let gone = |_| ready(Err(TransportError::new(TransportErrorKind::Connect, "refused")));
    let client = answered_by(gone, Budget::new(0)).with_trace(&trace);
    client.page("p").get().await.unwrap_err();
    assert_eq!(*trace.lock().unwrap(), Default::default());
}

/// A date to wait for is meant by the clock of whoever wrote it; ours only stands in for a missing one.
#[tokio::test(start_paused = true)]
async fn a_date_to_wait_for_needs_no_agreement_about_the_time() {
    let until = ("retry-after", "Mon, 05 Jan 2026 10:01:30 GMT");
    for (pairs, ours, wait) in [
        (vec![DATE, until], "2031-01-01T00:00:00Z", 90),
        (vec![until], "2026-01-05T10:01:00Z", 30),
    ] {
        let clock = ManualClock::new(ours.parse().unwrap());
        let headers = headers(&pairs);
        let answer = move |_| ready(Ok(Incoming::new(429, headers.clone(), "")));
        let base_url = BaseUrl::parse("http://127.0.0.1:1/v1", false).unwrap();
        let client = Client::builder(base_url, Token::new("correct-horse".to_owned()).unwrap())
            .transport(std::sync::Arc::new(answer))
            .clock(Clock::Manual(clock))
            .build()
            .unwrap();
        let error = client.page("p").get().await.unwrap_err();
        let retry_after = Some(Duration::from_secs(wait));
        assert_eq!(error.class(), ErrorClass::Throttled { retry_after });
    }
}
