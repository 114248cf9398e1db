//! The same client when no network is between it and the service.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use http::HeaderMap;
use statuspage_operator::statuspage::{
    Budget, Client, ComponentWrite, Error, ErrorClass, Incoming, Outgoing, TransportError, TransportErrorKind,
};
use tokio::time::{Instant, sleep};

use super::remote::answered_by;

async fn create(client: &Client) -> Result<String, Error> {
    let write = ComponentWrite {
        name: Some("API".to_owned()),
        ..Default::default()
    };
    let created = client.page("p").components().create(&write).await;
    created.map(|component| component.id)
}

fn broken(kind: TransportErrorKind) -> TransportError {
    TransportError::new(kind, "the wire was cut")
}

#[tokio::test(start_paused = true)]
async fn a_function_can_answer() {
    let seen: Arc<Mutex<Vec<Outgoing>>> = Arc::default();
    let memory = Arc::clone(&seen);
    let answer = move |request| {
        memory.lock().unwrap().push(request);
        ready(Ok(Incoming::new(201, HeaderMap::new(), r#"{"id":"c1"}"#)))
    };
    let client = answered_by(answer, Budget::new(60));
    assert_eq!(create(&client).await.unwrap(), "c1");
    let request = seen.lock().unwrap().remove(0);
    assert_eq!(
        (request.method.as_str(), request.url.path()),
        ("POST", "/v1/pages/p/components")
    );
    assert_eq!(
        request.body.as_deref(),
        Some(br#"{"component":{"name":"API"}}"#.as_slice())
    );
    assert_eq!(request.headers["authorization"], "OAuth correct-horse");
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(!format!("{request:?}").contains("horse"));
    assert_eq!((client.budget().stats().granted, client.requests_sent()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_is_for_the_whole_call() {
    let begin = Instant::now();
    let silent = answered_by(|_| std::future::pending(), Budget::new(60));
    let error = create(&silent).await.unwrap_err();
    assert!(matches!(error, Error::Lost { timed_out: true, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);
    assert_eq!(begin.elapsed().as_secs(), 30);

    // Headers come at once, and a byte every ten seconds after them.
    let drip = |_| {
        let body = stream::unfold((), async |()| {
            sleep(Duration::from_secs(10)).await;
            Some((Ok(" ".into()), ()))
        });
        ready(Ok(Incoming {
            status: 201,
            headers: HeaderMap::new(),
            body: body.boxed(),
        }))
    };
    let begin = Instant::now();
    let error = create(&answered_by(drip, Budget::new(60))).await.unwrap_err();
    assert!(matches!(error, Error::Lost { timed_out: true, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "create component: no reply from http://127.0.0.1:1/v1: gave up after 30 s"
    );
    assert_eq!(begin.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_whether_anything_was_sent() {
    for (kind, class, happened) in [
        (TransportErrorKind::Setup, ErrorClass::Transient, false),
        (TransportErrorKind::Connect, ErrorClass::Transient, false),
        (TransportErrorKind::Timeout, ErrorClass::Ambiguous, true),
        (TransportErrorKind::Broken, ErrorClass::Ambiguous, true),
    ] {
        let client = answered_by(move |_| ready(Err(broken(kind))), Budget::new(60));
        let error = create(&client).await.unwrap_err();
        assert_eq!(
            (error.class(), error.may_have_happened()),
            (class, happened),
            "{kind:?}"
        );
        assert!(error.to_string().contains("the wire was cut"), "{error}");
        assert_eq!(client.budget().stats().used, 1, "it counts all the same");
    }
    let half = |_| {
        let body = stream::iter([Ok(r#"{"id":"#.into()), Err(broken(TransportErrorKind::Broken))]);
        ready(Ok(Incoming {
            status: 201,
            headers: HeaderMap::new(),
            body: body.boxed(),
        }))
    };
    let error = create(&answered_by(half, Budget::new(60))).await.unwrap_err();
    assert!(matches!(error, Error::Lost { timed_out: false, .. }), "{error:?}");
}

/// Whoever sends without end is not listened to without end.
#[tokio::test(start_paused = true)]
async fn endless_bodies_are_cut() {
    for status in [201, 500] {
        let asked = Arc::new(Mutex::new(0_usize));
        let counter = Arc::clone(&asked);
        let endless = move |_| {
            let counter = Arc::clone(&counter);
            let body = stream::repeat_with(move || {
                *counter.lock().unwrap() += 1;
                Ok(vec![b' '; 1 << 20].into())
            });
            ready(Ok(Incoming {
                status,
                headers: HeaderMap::new(),
                body: body.boxed(),
            }))
        };
        let error = create(&answered_by(endless, Budget::new(60))).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Ambiguous);
        assert!(*asked.lock().unwrap() <= 65, "{status}: {asked:?}");
    }
}

/// The same run twice gives the same requests at the same moments.
#[test]
fn a_run_repeats_itself() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let begin = Instant::now();
            let log: Arc<Mutex<Vec<(u128, String)>>> = Arc::default();
            let memory = Arc::clone(&log);
            let answer = move |request: Outgoing| {
                let mut memory = memory.lock().unwrap();
                memory.push((begin.elapsed().as_millis(), request.url.path().to_owned()));
                let pause = Duration::from_millis(memory.len() as u64 * 7);
                let id = request.url.path().rsplit('/').next().unwrap_or_default();
                let body = format!(r#"{{"id":"{id}"}}"#);
                async move {
                    sleep(pause).await;
                    Ok(Incoming::new(200, HeaderMap::new(), body))
                }
            };
            let client = answered_by(answer, Budget::with_reserve(5, 0));
            let tasks = (0..20).map(|number| {
                let client = client.clone();
                async move {
                    let page = format!("p{}", number % 3);
                    client.page(&page).get().await.unwrap();
                }
            });
            futures::future::join_all(tasks).await;
            let log = log.lock().unwrap();
            log.clone()
        })
    };
    let first = run();
    assert_eq!(first.len(), 20);
    assert_eq!(first, run());
}
