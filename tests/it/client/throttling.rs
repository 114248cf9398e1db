//! What a service that refuses brings the client to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use statuspage_operator::clock::Clock;
use statuspage_operator::statuspage::{
    BaseUrl, Budget, BudgetRegistry, Client, ErrorClass, Incoming, MemoryLedger, Token,
};
use tokio::time::Instant;

use super::remote::answered_by;

/// Answers in turn with a status and a `Retry-After`, and then with the page.
fn client(script: &[(u16, Option<&str>)], budget: Budget) -> Client {
    let owned = |(status, wait): &(u16, Option<&str>)| (*status, wait.map(str::to_owned));
    let script: Arc<Mutex<Vec<_>>> = Arc::new(Mutex::new(script.iter().rev().map(owned).collect()));
    let answer = move |_| {
        let next = script.lock().unwrap().pop();
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_static("Mon, 05 Jan 2026 10:00:00 GMT"));
        let (status, body) = match next {
            None => (200, r#"{"id":"p"}"#),
            Some((status, wait)) => {
                if let Some(wait) = wait {
                    headers.insert("retry-after", HeaderValue::from_str(&wait).unwrap());
                }
                (status, "")
            }
        };
        std::future::ready(Ok(Incoming::new(status, headers, body)))
    };
    answered_by(answer, budget)
}

/// Seconds at which each of so many requests in a row is sent.
async fn sent_at(client: &Client, requests: usize) -> Vec<u64> {
    let begin = Instant::now();
    let mut times = Vec::new();
    for _ in 0..requests {
        let permit = client.budget().acquire(Default::default(), "p").await;
        times.push(begin.elapsed().as_secs());
        let _ = client.with_permit(permit).page("p").get().await;
    }
    times
}

#[tokio::test(start_paused = true)]
async fn no_header_is_no_excuse_to_ask_again_at_once() {
    for odd in [
        None,
        Some("0"),
        Some("-1"),
        Some("0.001"),
        Some("now"),
        Some("Mon, 05 Jan 2026 09:59:59 GMT"),
        Some("Sun, 05 Jan 2020 10:00:00 GMT"),
    ] {
        for status in [420, 429] {
            let client = client(&[(status, odd); 4], Budget::new(60));
            assert_eq!(sent_at(&client, 6).await, [0, 5, 15, 35, 75, 75], "{odd:?}");
            assert_eq!(client.budget().stats().pauses, 4);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_waited_for() {
    let date = "Mon, 05 Jan 2026 10:02:00 GMT";
    let script = [
        (429, Some("60")),
        (429, Some(date)),
        (429, Some("999999")),
        (200, None),
        (429, None),
    ];
    // The success in between makes the last pause a short one again.
    let client = client(&script, Budget::new(60));
    assert_eq!(sent_at(&client, 6).await, [0, 60, 180, 3780, 3780, 3785]);
}

#[tokio::test(start_paused = true)]
async fn a_service_in_trouble_pauses_no_token_but_says_how_long() {
    let client = client(&[(503, Some("120")), (503, Some("0")), (503, None)], Budget::new(60));
    let page = client.page("p");
    let waits = [Some(Duration::from_secs(120)), None, None];
    for wait in waits {
        let error = page.get().await.unwrap_err();
        assert_eq!((error.class(), error.retry_after()), (ErrorClass::Transient, wait));
        assert_eq!(client.budget().stats().paused_for, None);
    }
}

/// A kill and a second run while the service wants to hear nothing.
#[tokio::test(start_paused = true)]
async fn the_next_process_keeps_the_pause() {
    let clock = Clock::with_the_runtime("2026-01-05T10:00:00Z".parse().unwrap());
    let ledger = MemoryLedger::default();
    let registry = || BudgetRegistry::new(60).recorded_in(Arc::new(ledger.clone()), clock.clone());
    let token = Token::new("correct-horse".to_owned()).unwrap();
    let base_url = BaseUrl::parse("http://127.0.0.1:1/v1", false).unwrap();
    let budget = registry().budget(&token, &base_url);
    let killed = client(&[(429, Some("90"))], budget);
    let begin = Instant::now();
    assert_eq!(sent_at(&killed, 1).await, [0]);
    drop(killed);
    let budget = registry().budget(&token, &base_url);
    sent_at(&client(&[], budget.clone()), 1).await;
    assert_eq!(begin.elapsed().as_secs(), 90);
    registry().settle().await.unwrap();
    assert_eq!(budget.stats().used, 1, "the refused one is long over");
}
