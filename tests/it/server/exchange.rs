//! The server as a function: no socket, no task, no clock and no randomness but its own.

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response};
use futures::FutureExt as _;
use serde_json::{Value, json};
use statuspage_operator::server::{
    Broken, Clock, DataLocation, Effect, Identifiers, ManualClock, Server, ServerError, ServerOptions,
};

use super::{PAGE, Running, TOKEN, beginning, column, options, text};

/// A server in this thread, with its clock.
pub(super) fn open(identifiers: Identifiers, rate_limit: u32) -> (Server, ManualClock) {
    let clock = ManualClock::new(beginning());
    let options = ServerOptions {
        clock: Clock::Manual(clock.clone()),
        identifiers,
        rate_limit,
        ..options()
    };
    let opened = Server::open(options).now_or_never();
    (opened.expect("nothing to wait for").unwrap(), clock)
}

pub(super) fn request(method: &str, path: &str, body: &Value) -> Request<Bytes> {
    let content = match body {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    Request::builder()
        .method(method)
        .uri(format!("/v1/pages/{PAGE}{path}"))
        .header("Content-Type", "application/json")
        .header("Authorization", format!("OAuth {TOKEN}"))
        .body(content)
        .unwrap()
}

pub(super) fn read(response: &Response<Bytes>) -> (u16, Value) {
    let body = match response.body() {
        empty if empty.is_empty() => Value::Null,
        json => serde_json::from_slice(json).unwrap(),
    };
    (response.status().as_u16(), body)
}

/// Asks as a program with a token; none while no answer comes.
fn ask(server: &Server, method: &str, path: &str, body: Value) -> Option<Result<(u16, Value), Broken>> {
    let answer = server.exchange(request(method, path, &body)).now_or_never()?;
    Some(answer.map(|response| read(&response)))
}

/// Does something as a person in the console.
pub(super) fn console(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = server.console(request(method, path, &body)).now_or_never();
    read(&answer.expect("nothing to wait for"))
}

fn component(name: &str) -> Value {
    json!({"component": {"name": name}})
}

#[test]
fn requests_are_answered_without_a_runtime() {
    let (server, _clock) = open(Identifiers::Random, 0);
    let (status, made) = ask(&server, "POST", "/components", component("API")).unwrap().unwrap();
    assert_eq!((status, &made["name"]), (201, &json!("API")));
    let path = format!("/components/{}.json?unknown=1", text(&made["id"]));
    assert_eq!(ask(&server, "GET", &path, Value::Null).unwrap().unwrap(), (200, made));
    let provider = json!({"metrics_provider": {"type": "Self"}});
    let (_, provider) = ask(&server, "POST", "/metrics_providers", provider).unwrap().unwrap();
    let path = format!("/metrics_providers/{}/metrics", text(&provider["id"]));
    let (_, metric) = ask(&server, "POST", &path, json!({"metric": {"name": "m"}}))
        .unwrap()
        .unwrap();
    let metric = text(&metric["id"]);
    let at = beginning().as_second();
    for (second, value) in [(at, 1), (at + 60, 2), (at, 3)] {
        let data = json!({"data": {"timestamp": second, "value": value}});
        let (status, _) = ask(&server, "POST", &format!("/metrics/{metric}/data"), data)
            .unwrap()
            .unwrap();
        assert_eq!(status, 201);
    }
    let points = |from| server.points(PAGE, &metric, from).now_or_never().unwrap().unwrap();
    assert_eq!(points(beginning()), [(at, 3.0), (at + 60, 2.0)]);
    assert_eq!(
        points(beginning() + jiff::SignedDuration::from_secs(1)),
        [(at + 60, 2.0)]
    );
    ask(&server, "DELETE", &format!("/metrics/{metric}/data"), Value::Null)
        .unwrap()
        .unwrap();
    assert_eq!(points(beginning()), []);
    assert_eq!(server.log().count("", ""), 8);
    let mut outside = request("GET", "", &Value::Null);
    *outside.uri_mut() = "http://acme.example/api/v2/summary.json".parse().unwrap();
    let answer = server.exchange(outside).now_or_never().unwrap().unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(read(&answer).1["components"][0]["name"], "API");
    server.close().now_or_never().unwrap();
}

#[test]
fn what_a_fault_does_to_a_connection_is_told() {
    let (server, _clock) = open(Identifiers::Random, 0);
    let faults = server.faults();
    let names = || column(&console(&server, "GET", "/components", Value::Null).1, "name");

    faults.next(1, "POST", "/components", Effect::LoseReply);
    let lost = ask(&server, "POST", "/components", component("lost")).unwrap();
    assert!(matches!(lost, Err(Broken::Closed)));
    assert_eq!(names(), ["lost"]);

    faults.next(1, "POST", "/components", Effect::LoseRequest);
    let lost = ask(&server, "POST", "/components", component("nothing")).unwrap();
    assert!(matches!(lost, Err(Broken::Closed)));
    faults.next(1, "POST", "/components", Effect::Ignore);
    assert!(ask(&server, "POST", "/components", component("nothing")).is_none());
    assert_eq!(names(), ["lost"]);

    faults.next(1, "POST", "/components", Effect::WithholdReply);
    assert!(ask(&server, "POST", "/components", component("withheld")).is_none());
    assert_eq!(names(), ["lost", "withheld"]);

    faults.next(1, "GET", "/components", Effect::TruncateBody);
    let answer = server.exchange(request("GET", "/components", &Value::Null));
    let Some(Err(Broken::Truncated(part))) = answer.now_or_never() else {
        panic!("the body should be cut");
    };
    let length: usize = part.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!((part.status().as_u16(), part.body().len()), (200, length / 2));
    let whole = server
        .exchange(request("GET", "/components", &Value::Null))
        .now_or_never();
    let whole = whole.unwrap().unwrap();
    assert_eq!(whole.body().len(), length);
    assert!(whole.body().starts_with(part.body()));

    let statuses: Vec<Option<u16>> = server.log().entries().iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [None, None, None, Some(201), Some(200), Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_delay_waits_for_tokios_time() {
    let (server, _clock) = open(Identifiers::Random, 0);
    let hour = std::time::Duration::from_secs(3600);
    server.faults().next(1, "", "", Effect::Delay(hour));
    let begin = tokio::time::Instant::now();
    let answer = server.exchange(request("GET", "", &Value::Null)).await.unwrap();
    assert_eq!((answer.status().as_u16(), begin.elapsed()), (200, hour));
}

/// One of everything that gets an identifier, and some refusals.
fn script() -> Vec<(&'static str, String, Value)> {
    let mut script = vec![
        ("POST", "/components".to_owned(), component("API")),
        ("POST", "/components".to_owned(), component("")),
        (
            "POST",
            "/incidents".to_owned(),
            json!({"incident": {"name": "Down", "body": "We are looking."}}),
        ),
        (
            "POST",
            "/incidents".to_owned(),
            json!({"incident": {"name": "Upgrade", "scheduled_for": "2026-03-01T12:01:00Z",
                "scheduled_until": "2026-03-01T12:02:00Z", "scheduled_auto_in_progress": true}}),
        ),
        (
            "POST",
            "/incident_templates".to_owned(),
            json!({"template": {"name": "t", "title": "t", "body": "b"}}),
        ),
        (
            "POST",
            "/metrics_providers".to_owned(),
            json!({"metrics_provider": {"type": "Self"}}),
        ),
        (
            "POST",
            "/subscribers".to_owned(),
            json!({"subscriber": {"email": "a@example.com"}}),
        ),
        (
            "POST",
            "/page_access_users".to_owned(),
            json!({"page_access_user": {"email": "a@example.com"}}),
        ),
        (
            "POST",
            "/page_access_groups".to_owned(),
            json!({"page_access_group": {"name": "g"}}),
        ),
        ("GET", "/nothing".to_owned(), Value::Null),
    ];
    for list in ["", "/components", "/incidents", "/subscribers?state=all", "/metrics"] {
        script.push(("GET", list.to_owned(), Value::Null));
    }
    script
}

/// Everything that a server answers to the script, to the byte.
fn bytes(seed: u64) -> Vec<(u16, HeaderMap, Bytes)> {
    let (server, clock) = open(Identifiers::Seeded(seed), 0);
    script()
        .iter()
        .map(|(method, path, body)| {
            clock.advance(std::time::Duration::from_secs(7));
            let answer = server.exchange(request(method, path, body)).now_or_never();
            let (parts, body) = answer.unwrap().unwrap().into_parts();
            (parts.status.as_u16(), parts.headers, body)
        })
        .collect()
}

#[test]
fn a_seed_decides_every_byte() {
    assert_eq!(bytes(1), bytes(1));
    let differing = bytes(1)
        .iter()
        .zip(bytes(2))
        .filter(|(one, other)| *one != other)
        .count();
    assert_eq!(differing, script().len(), "every answer has an id");
    let tokens = |identifiers| {
        let options = ServerOptions {
            tokens: Vec::new(),
            pages: Vec::new(),
            identifiers,
            ..options()
        };
        let server = Server::open(options).now_or_never().unwrap().unwrap();
        (server.tokens().to_vec(), server.organization().to_owned())
    };
    assert_eq!(tokens(Identifiers::Seeded(1)), tokens(Identifiers::Seeded(1)));
    assert_ne!(tokens(Identifiers::Seeded(1)), tokens(Identifiers::Seeded(2)));
    assert_ne!(tokens(Identifiers::Random), tokens(Identifiers::Random));
}

#[tokio::test]
async fn a_connection_gives_the_same_as_the_function() {
    let running = Running::start_with(ServerOptions {
        identifiers: Identifiers::Seeded(1),
        ..options()
    })
    .await;
    for ((method, path, body), (status, headers, expected)) in script().into_iter().zip(bytes(1)) {
        running.advance(7).await;
        let mut request = running.request(method, &path);
        if !body.is_null() {
            request = request.json(&body);
        }
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        // The connection's own.
        response.headers_mut().remove("content-length");
        assert_eq!(response.headers(), &headers, "{method} {path}");
        assert_eq!(response.bytes().await.unwrap(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn answers_carry_the_time_of_the_server() {
    let running = Running::start().await;
    running.advance(3).await;
    for path in ["", "/nothing"] {
        let response = running.request("GET", path).send().await.unwrap();
        assert_eq!(response.headers()["date"], "Sun, 01 Mar 2026 12:00:03 GMT");
        assert_eq!(response.headers().get_all("date").iter().count(), 1);
    }
    let head = running.request("HEAD", "").send().await.unwrap();
    let get = running.request("GET", "").send().await.unwrap();
    assert_eq!(head.headers()["content-length"], get.headers()["content-length"]);
    assert_eq!(head.headers()["date"], get.headers()["date"]);
}

#[test]
fn a_person_in_the_console_needs_no_token_and_meets_no_faults() {
    let (server, _clock) = open(Identifiers::Random, 2);
    server.faults().next(9, "", "", Effect::LoseRequest);
    for number in 0..5 {
        let (status, _) = console(&server, "POST", "/components", component(&format!("c{number}")));
        assert_eq!(status, 201);
    }
    let (_, incident) = console(
        &server,
        "POST",
        "/incidents",
        json!({"incident": {"name": "Down", "body": "Looking."}}),
    );
    let path = format!("/incidents/{}", text(&incident["id"]));
    let update = format!(
        "{path}/incident_updates/{}",
        text(&incident["incident_updates"][0]["id"])
    );
    let corrected = json!({"incident_update": {"body": "We are looking."}});
    assert_eq!(console(&server, "PATCH", &update, corrected).0, 200);
    let resolved = json!({"incident": {"status": "resolved"}});
    let (_, resolved) = console(&server, "PATCH", &path, resolved);
    assert_eq!(resolved["status"], "resolved");
    assert_eq!(resolved["incident_updates"][1]["body"], "We are looking.");
    assert_eq!(console(&server, "DELETE", &path, Value::Null).0, 200);
    assert_eq!(console(&server, "GET", &path, Value::Null).0, 404);
    let template = json!({"template": {"name": "t", "title": "t", "body": "b"}});
    let (_, template) = console(&server, "POST", "/incident_templates", template);
    let path = format!("/incident_templates/{}", text(&template["id"]));
    assert_eq!(console(&server, "DELETE", &path, Value::Null).0, 200);
    assert_eq!(server.log().count("", ""), 0);
    assert_eq!(server.faults().pending(), 9);
    server.faults().clear();
    for status in [200, 200, 420] {
        assert_eq!(ask(&server, "GET", "", Value::Null).unwrap().unwrap().0, status);
    }
    assert_eq!(
        ask(&server, "DELETE", &path, Value::Null).unwrap().unwrap().0,
        420,
        "the budget is not the console's"
    );
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let (server, _clock) = open(Identifiers::Random, 0);
    let large = Value::String("x".repeat(16 * 1024 * 1024));
    assert_eq!(ask(&server, "POST", "/components", large).unwrap().unwrap().0, 413);
}

#[tokio::test]
async fn a_seed_of_identifiers_is_refused_for_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        data: DataLocation::File(directory.path().join("data.db")),
        identifiers: Identifiers::Seeded(1),
        ..options()
    };
    assert!(matches!(Server::open(options).await, Err(ServerError::SeededFile)));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_what_the_file_says() {
    let directory = tempfile::tempdir().unwrap();
    let stored = || ServerOptions {
        data: DataLocation::File(directory.path().join("data.db")),
        clock: Clock::Manual(ManualClock::new(beginning())),
        ..options()
    };
    let server = Server::open(stored()).await.unwrap();
    let mut ended = [0, 0];
    for attempt in 0..2_000 {
        // The thread of the database may be quick: then there is no middle to go away in.
        if ended.iter().all(|count| *count >= 10) {
            break;
        }
        let request = request("POST", "/components", &component(&format!("c{attempt}")));
        let mut exchange = std::pin::pin!(server.exchange(request));
        let mut left = attempt % 10;
        // Polled so many times, and then given up.
        let done = std::future::poll_fn(|context| match exchange.as_mut().poll(context) {
            std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
            std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(false),
            std::task::Poll::Pending => {
                left -= 1;
                std::task::Poll::Pending
            }
        })
        .await;
        ended[usize::from(done)] += 1;
    }
    assert!(ended.iter().all(|count| *count >= 10), "{ended:?}");
    let list = async |server: &Server| {
        let answer = server.console(request("GET", "/components", &Value::Null)).await;
        read(&answer)
    };
    let known = list(&server).await;
    assert_eq!(known.0, 200);
    assert!(known.1.as_array().unwrap().len() >= ended[1]);
    server.close().await;
    let server = Server::open(stored()).await.unwrap();
    assert_eq!(list(&server).await, known);
}
