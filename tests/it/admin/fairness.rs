//! Nobody uses up what is there for all: shares of addresses and of credentials.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use statuspage_operator::admin::events;
use statuspage_operator::admin::identity::{Gateway, Identity};
use statuspage_operator::admin::{Limits, Mount};
use statuspage_operator::audit::{AuditEvent, AuditLog, AuditOptions, Location, TraitValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{GATEWAY_SECRET, Running, Setup, answer};
use crate::support::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request on a connection of its own. None when the connection was cut.
async fn connection(running: &Running) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = b"GET /api/v1/ready/ HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.ok()?;
    assert_eq!(&answer, b"HTTP/1.1 200");
    Some(stream)
}

fn two_connections(identity: Option<Identity>) -> Setup {
    Setup {
        identity,
        limits: Limits {
            connections_of_one_address: 2,
            ..Limits::default()
        },
        ..Setup::default()
    }
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let running = Running::with(two_connections(None)).await;
    let held = [connection(&running).await.unwrap(), connection(&running).await.unwrap()];
    assert!(connection(&running).await.is_none(), "cut, and not kept waiting");
    // Another address of this machine has its own.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = socket.connect(running.address).await.unwrap();
    elsewhere
        .write_all(b"GET /api/v1/ready/ HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    elsewhere.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    drop(held);
    eventually("a place that was given back", PATIENCE, async || {
        connection(&running).await.map(drop).ok_or("cut".to_owned())
    })
    .await;
    // Behind the address of a gateway are many.
    let gateway = Gateway::new(Some(GATEWAY_SECRET.into()), vec!["127.0.0.1".parse().unwrap()]).unwrap();
    let running = Running::with(two_connections(Some(Identity::new().with_gateway(gateway)))).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(connection(&running).await.unwrap());
    }
}

#[tokio::test]
async fn a_credential_cannot_take_all_the_slots() {
    let held = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&held);
    let setup = Setup {
        mounts: vec![Mount {
            router: Router::new().route(
                "/api/v1/held",
                get(async move || {
                    drop(wait.acquire().await);
                    "done"
                }),
            ),
            operations: Vec::new(),
        }],
        limits: Limits {
            requests_of_one_credential: 2,
            ..Limits::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let hold = || tokio::spawn(running.get_as(&running.ann, "/api/v1/held").send());
    let (one, two) = (hold(), hold());
    eventually("both are at work", PATIENCE, async || {
        match answer(running.get_as(&running.ann, "/api/v1/pages/")).await.0 {
            429 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    let refused = running.get_as(&running.ann, "/api/v1/pages/").send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(answer(running.get_as(&running.bob, "/api/v1/pages/")).await.0, 200);
    held.add_permits(2);
    for held in [one, two] {
        assert_eq!(held.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(answer(running.get_as(&running.ann, "/api/v1/pages/")).await.0, 200);
}

/// Questions that look at every event, many at once, of one key: another key is answered before they are through.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_does_not_starve_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let place = Location::File(directory.path().join("events.db"));
    let log = AuditLog::open(AuditOptions::new(place)).await.unwrap();
    for number in 0..20_000 {
        let at = jiff::Timestamp::from_second(1_700_000_000 + number).unwrap();
        let namespace = if number % 100 == 0 { "b" } else { "a" };
        let event = AuditEvent::new("component.update", at).tenant(namespace);
        log.record(event.with("number", TraitValue::Integer(number)).text("name", "web"));
    }
    assert!(log.flush(PATIENCE).await);
    let writer = log.clone();
    let setup = Setup {
        mounts: vec![events::mount(log)],
        ..Setup::default()
    };
    let running = Arc::new(Running::with(setup).await);
    // Four conditions that all events meet.
    let slow = "/v2/events?q.field=number&q.op=ge&q.value=0&q.type=integer&q.field=name&q.op=le&q.value=web\
                &q.field=number&q.op=le&q.value=99999&q.type=integer&q.field=name&q.op=gt&q.value=a&limit=1000";
    let questions: Vec<_> = (0..12)
        .map(|_| {
            let running = Arc::clone(&running);
            tokio::spawn(async move { answer(running.get_as(&running.ann, slow)).await.0 })
        })
        .collect();
    let (status, list) = answer(running.get_as(&running.bob, "/v2/events?limit=1")).await;
    assert_eq!((status, list.as_array().unwrap().len()), (200, 1));
    let waiting = questions.iter().filter(|question| !question.is_finished()).count();
    assert!(waiting > 0, "bob has waited for all of ann's questions");
    // Nor does the writer wait for any of them.
    writer.record(AuditEvent::new("component.update", writer.now()).tenant("b"));
    assert!(writer.flush(PATIENCE).await);
    for question in questions {
        let status = question.await.unwrap();
        assert!([200, 429].contains(&status), "{status}");
    }
}

/// Ten calls of one account that is not active lock out nobody else behind the gateway.
#[tokio::test]
async fn refusals_behind_a_gateway_do_not_count_against_its_address() {
    let running = Running::start().await;
    let ask = |user: &str, active: bool| {
        let identity =
            json!({"identity": {"account_number": "10001", "user": {"username": user, "is_active": active}}});
        let request = running.request("GET", "/api/v1/resources/");
        let request = request.header("x-rh-identity", STANDARD.encode(identity.to_string()));
        answer(request.header("x-statuspage-gateway-secret", GATEWAY_SECRET))
    };
    for _ in 0..15 {
        assert_eq!(ask("ivy", false).await.0, 401);
    }
    assert_eq!(ask("ann", true).await.0, 200);
    // Whoever comes from there with nothing of the gateway's is counted for itself.
    let guess = || answer(running.request("GET", "/api/v1/resources/").bearer_auth("guess"));
    for _ in 0..10 {
        assert_eq!(guess().await.0, 401);
    }
    assert_eq!(guess().await.0, 429);
    assert_eq!(ask("bea", true).await.0, 200);
}
