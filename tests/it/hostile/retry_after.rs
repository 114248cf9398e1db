//! Whatever a refusal asks for, the token pauses, no shorter and no longer than is sensible.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use statuspage_operator::statuspage::{Budget, ErrorClass, Trace};

use super::in_process::{answering, in_process};

const HOUR: Duration = Duration::from_secs(3600);

/// Takes each line for a time to wait, and for the date of a reply.
pub(crate) fn check(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n').take(100) {
        check_headers(line, b"Mon, 05 Jan 2026 10:00:00 GMT");
        check_headers(b"60", line);
        check_headers(b"Mon, 05 Jan 2026 10:01:30 GMT", line);
    }
}

/// Refuses a request with these headers.
pub(crate) fn check_headers(wait: &[u8], date: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("retry-after", wait),
        ("date", date),
        ("age", wait),
        ("x-request-id", date),
    ] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let budget = Budget::new(60);
    let trace = Trace::default();
    let client = answering(429, headers, "", budget.clone()).with_trace(&trace);
    let (error, paused) = in_process(async {
        let error = client.page("p").get().await.unwrap_err();
        (error, budget.stats().paused_for)
    });
    let ErrorClass::Throttled { retry_after } = error.class() else {
        panic!("{error:?}");
    };
    assert!(
        retry_after.is_none_or(|wait| !wait.is_zero() && wait <= HOUR),
        "{retry_after:?}"
    );
    assert!(
        paused.is_some_and(|pause| pause >= Duration::from_secs(5) && pause <= HOUR),
        "{paused:?}"
    );
    let trace = trace.lock().unwrap();
    assert!(trace.request_id.as_ref().is_none_or(|id| id.len() <= 256));
}
