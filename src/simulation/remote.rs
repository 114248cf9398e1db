//! The remote service: the local server's logic behind a network that lags, loses and lies, and people in its console.
//!
//! Each list is answered from its own past, up to the lag that the StatusPage is told about. A request that arrived is
//! carried out whatever becomes of the process that sent it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http;
use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::bugs::{self, Bug};
use super::chance::Chance;
use super::fuse::Fuse;
use super::log::TOKEN;
use super::stage::{BEGINNING, PAGE, Stage};
use super::trace::{Fact, Request};
use super::weather::{Fate, Spell};
use crate::clock::Clock;
use crate::server::{Identifiers, PageSeed, Server, ServerError, ServerOptions};
use crate::statuspage::{Incoming, Outgoing, TransportError, TransportErrorKind};

/// A list that lacks rows is not believed for so long; it does not lie twice within this time. What lies for longer is
/// not told from the truth by anybody.
const LIES_ONCE_IN: Duration = Duration::from_secs(300);

/// The remote service of a run.
pub(super) struct Remote {
    stage: Arc<Stage>,
    server: Server,
    /// How far lists may be behind.
    lag: Duration,
    inner: Mutex<Inner>,
}

struct Inner {
    chance: Chance,
    spells: Vec<Spell>,
    requests: u64,
    lied: BTreeMap<String, Duration>,
}

/// How the remote service is set up.
pub(super) struct RemoteOptions {
    pub(super) seed: u64,
    /// Requests in any 60 seconds.
    pub(super) limit: u32,
    /// How far lists may be behind.
    pub(super) lag: Duration,
    /// How far its clock is ahead of the true time, in seconds.
    pub(super) ahead: i64,
    pub(super) spells: Vec<Spell>,
    pub(super) chance: Chance,
}

impl Remote {
    pub(super) async fn open(stage: &Arc<Stage>, options: RemoteOptions) -> Result<Arc<Self>, ServerError> {
        let start = BEGINNING
            .checked_add(jiff::SignedDuration::from_secs(options.ahead))
            .unwrap_or(BEGINNING);
        let server = Server::open(ServerOptions {
            tokens: vec![TOKEN.to_owned()],
            pages: vec![PageSeed {
                id: Some(PAGE.to_owned()),
                name: "Acme".to_owned(),
            }],
            rate_limit: options.limit,
            clock: Clock::with_the_runtime(start),
            identifiers: Identifiers::Seeded(options.seed),
            ..ServerOptions::default()
        })
        .await?;
        // What is kept for the lists reaches so far back; how far a list looks back is drawn for each reading.
        server
            .faults()
            .set_behaviour(|behaviour| behaviour.list_lag = options.lag);
        Ok(Arc::new(Remote {
            stage: Arc::clone(stage),
            server,
            lag: options.lag,
            inner: Mutex::new(Inner {
                chance: options.chance,
                spells: options.spells,
                requests: 0,
                lied: BTreeMap::new(),
            }),
        }))
    }

    /// Does something as a person in the console.
    pub(super) async fn console(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request {
            method: method.to_owned(),
            path: format!("/v1/pages/{PAGE}/{path}"),
            query: String::new(),
            body,
        };
        let Some(asked) = request_of(&request, None) else {
            return (0, Value::Null);
        };
        let (status, answer) = read(&self.server.console(asked).await);
        if request.writes() {
            self.stage.note(Fact::Person {
                request,
                status,
                answer: answer.clone(),
            });
        }
        (status, answer)
    }

    /// What a list shows to somebody who sees it fresh.
    pub(super) async fn rows(&self, list: &str) -> Vec<Value> {
        let path = format!("{list}?per_page=100&limit=100");
        let request = Request {
            method: "GET".to_owned(),
            path: format!("/v1/pages/{PAGE}/{path}"),
            query: String::new(),
            body: Value::Null,
        };
        let Some(asked) = request_of(&request, None) else {
            return Vec::new();
        };
        match read(&self.server.console(asked).await) {
            (200, Value::Array(rows)) => rows,
            _ => Vec::new(),
        }
    }

    /// Sends a request of a process, and brings what it hears of it.
    pub(super) async fn exchange(
        self: Arc<Self>,
        process: usize,
        fuse: Arc<Fuse>,
        outgoing: Outgoing,
    ) -> Result<Incoming, TransportError> {
        let body = outgoing
            .body
            .as_deref()
            .and_then(|body| serde_json::from_slice(body).ok());
        let request = Request {
            method: outgoing.method.to_string(),
            path: outgoing.url.path().to_owned(),
            query: outgoing.url.query().unwrap_or_default().to_owned(),
            body: body.unwrap_or(Value::Null),
        };
        fuse.burn("before a request").await;
        let (number, fate, travel, lag) = self.draw(&request);
        self.stage.note(Fact::Sent {
            process,
            number,
            request: request.clone(),
        });
        let mut reply = self.meet(number, &request, &outgoing, &fate, travel, lag).await;
        if bugs::is_on(Bug::SendsAgain) && request.writes() && reply.is_err() {
            reply = self.meet(number, &request, &outgoing, &Fate::Well, travel, lag).await;
        }
        let heard = match &reply {
            Ok(incoming) if fate == Fate::Well => incoming.status.to_string(),
            Ok(incoming) => format!("{} ({fate:?})", incoming.status),
            Err(error) => format!("{error} ({fate:?})"),
        };
        self.stage.note(Fact::Heard { number, reply: heard });
        fuse.burn("after a request").await;
        reply
    }

    fn draw(&self, request: &Request) -> (u64, Fate, [Duration; 2], Duration) {
        let at = self.stage.elapsed();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            chance,
            spells,
            requests,
            lied,
        } = &mut *inner;
        *requests += 1;
        let travel = [chance.millis(5, 60), chance.millis(5, 60)];
        let lag = chance.duration(Duration::ZERO, self.lag);
        let lag = if chance.permille(300) { Duration::ZERO } else { lag };
        let mut fate = spells
            .iter()
            .find_map(|spell| spell.befall(at, request, chance))
            .unwrap_or(Fate::Well);
        if matches!(fate, Fate::Partly | Fate::Empty) {
            let list = request.list().unwrap_or_default().to_owned();
            let recently = lied.get(&list).is_some_and(|last| at - *last < LIES_ONCE_IN);
            if recently {
                fate = Fate::Well;
            } else {
                lied.insert(list, at);
            }
        }
        (*requests, fate, travel, lag)
    }

    async fn meet(
        self: &Arc<Self>,
        number: u64,
        request: &Request,
        outgoing: &Outgoing,
        fate: &Fate,
        [there, back]: [Duration; 2],
        lag: Duration,
    ) -> Result<Incoming, TransportError> {
        let broken = |kind, message: &str| Err(TransportError::new(kind, message));
        let not_carried_out = match fate {
            Fate::Unconnected => Some(broken(TransportErrorKind::Connect, "connection refused")),
            Fate::Lost => Some(broken(TransportErrorKind::Broken, "connection reset by peer")),
            Fate::Refused(status) => Some(Ok(answer(
                *status,
                "application/json",
                r#"{"error":"something broke"}"#,
            ))),
            Fate::Echoed(status) => Some(Ok(answer(*status, "text/plain", &echo(outgoing)))),
            Fate::Html => Some(Ok(answer(200, "text/html", "<html><body>Maintenance</body></html>"))),
            Fate::Throttled(status, pause) => Some(Ok(throttled(*status, *pause))),
            Fate::Redirected => Some(Ok(redirected())),
            _ => None,
        };
        if let Some(reply) = not_carried_out {
            tokio::time::sleep(there + back).await;
            return reply;
        }
        let late = match fate {
            Fate::Late(late) | Fate::Slow(late) => *late,
            _ => Duration::ZERO,
        };
        let (tell, told) = oneshot::channel();
        let remote = Arc::clone(self);
        let request = request.clone();
        let authorization = outgoing.headers.get(http::header::AUTHORIZATION).cloned();
        // It arrives, and what becomes of the process that sent it matters no more.
        tokio::spawn(async move {
            tokio::time::sleep(there + late).await;
            let response = remote.carry_out(number, request, authorization, lag).await;
            let _ = tell.send(response);
        });
        let Ok(Some(response)) = told.await else {
            return broken(TransportErrorKind::Broken, "connection closed");
        };
        match fate {
            Fate::Withheld | Fate::Late(_) => return std::future::pending().await,
            _ => tokio::time::sleep(back).await,
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body();
        Ok(match fate {
            Fate::ReplyLost => return broken(TransportErrorKind::Broken, "connection reset by peer"),
            Fate::Denied(status) => answer(*status, "text/html", "<html>Bad gateway</html>"),
            Fate::Cut => {
                let half = body.slice(..body.len() / 2);
                let error = TransportError::new(TransportErrorKind::Broken, "unexpected end of the body");
                Incoming {
                    status,
                    headers,
                    body: stream::iter([Ok(half), Err(error)]).boxed(),
                }
            }
            Fate::Empty if status == 200 => Incoming::new(200, headers, "[]"),
            Fate::Null if status == 200 => Incoming::new(200, headers, "null"),
            Fate::Partly if status == 200 => Incoming::new(200, headers, every_other(&body)),
            _ => Incoming::new(status, headers, body),
        })
    }

    async fn carry_out(
        &self,
        number: u64,
        request: Request,
        authorization: Option<http::HeaderValue>,
        lag: Duration,
    ) -> Option<http::Response<Bytes>> {
        let before = self.before(&request).await;
        let asked = request_of(&request, authorization)?;
        let faults = self.server.faults();
        faults.set_behaviour(|behaviour| behaviour.list_lag = lag);
        let response = self.server.exchange(asked).await;
        faults.set_behaviour(|behaviour| behaviour.list_lag = self.lag);
        let response = response.ok()?;
        let (status, answer) = read(&response);
        self.stage.note(Fact::CarriedOut {
            number,
            request,
            status,
            answer,
            before,
        });
        Some(response)
    }

    /// What the page has before a write.
    async fn before(&self, request: &Request) -> Vec<Value> {
        let segments = request.segments();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", [list]) => {
                let sent = request.body.as_object().and_then(|body| body.values().next());
                let named = |row: &Value| {
                    ["name", "email"].iter().any(|field| {
                        sent.is_some_and(|sent| sent.get(field).is_some_and(|name| row.get(field) == Some(name)))
                    })
                };
                self.rows(list).await.into_iter().filter(named).collect()
            }
            ("PATCH" | "PUT" | "DELETE", [list, id, ..]) => {
                let named = |row: &Value| row.get("id").and_then(Value::as_str) == Some(*id);
                self.rows(list).await.into_iter().filter(named).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn request_of(request: &Request, authorization: Option<http::HeaderValue>) -> Option<http::Request<Bytes>> {
    let uri = match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    let body = match &request.body {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let mut asked = http::Request::builder()
        .method(request.method.as_str())
        .uri(uri)
        .header(http::header::CONTENT_TYPE, "application/json");
    if let Some(authorization) = authorization {
        asked = asked.header(http::header::AUTHORIZATION, authorization);
    }
    asked.body(body).ok()
}

fn read(response: &http::Response<Bytes>) -> (u16, Value) {
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    (response.status().as_u16(), body)
}

fn answer(status: u16, content_type: &'static str, body: &str) -> Incoming {
    let headers =
        http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type))]);
    Incoming::new(status, headers, body.to_owned())
}

fn throttled(status: u16, pause: Option<&'static str>) -> Incoming {
    let mut reply = answer(
        status,
        "application/json",
        &json!({"error": "Too many requests"}).to_string(),
    );
    if let Some(pause) = pause {
        let value = http::HeaderValue::from_static(pause);
        reply.headers.insert(http::header::RETRY_AFTER, value);
    }
    reply
}

fn redirected() -> Incoming {
    let mut reply = answer(302, "text/html", "<html>Found</html>");
    let elsewhere = http::HeaderValue::from_static("https://elsewhere.example/login");
    reply.headers.insert(http::header::LOCATION, elsewhere);
    reply
}

/// What a gateway says that repeats the headers of the request.
fn echo(outgoing: &Outgoing) -> String {
    let lines = outgoing.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        format!("{name}: {value}\n")
    });
    format!(
        "Bad request:\n{} {}\n{}",
        outgoing.method,
        outgoing.url.path(),
        lines.collect::<String>()
    )
}

fn every_other(body: &[u8]) -> String {
    match serde_json::from_slice(body) {
        Ok(Value::Array(rows)) => Value::Array(rows.into_iter().step_by(2).collect()).to_string(),
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}
