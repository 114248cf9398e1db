//! The event log of a running operator, over its API.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Failure;
use crate::audit::{AuditEvent, Filter, Operator, TraitFilter, write_time};

/// How long a list may take; whatever answers nothing is no operator.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Pause before a stream that broke is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// An events API.
pub(super) struct Remote {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

impl Remote {
    pub(super) fn open(address: &str, token_file: Option<&Path>) -> Result<Remote, Failure> {
        let token = match token_file {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|source| Failure::TokenFile {
                path: path.to_owned(),
                source,
            })?),
            None => std::env::var("STATUSPAGE_EVENTS_TOKEN").ok(),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            // A stream says every 15 s that it is there. One that says nothing is no stream any more.
            .read_timeout(ANSWER_LIMIT)
            .build()
            .map_err(|source| Failure::EventsAddress {
                address: address.to_owned(),
                source,
            })?;
        Ok(Remote {
            http,
            url: format!("{}/v2/events", address.trim_end_matches('/').trim_end_matches("/v2")),
            token: token
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty())
                .map(SecretString::from),
        })
    }

    /// The events of a filter, newest first.
    pub(super) async fn list(&self, filter: &Filter, all: bool) -> Result<Vec<AuditEvent>, Failure> {
        let mut query = parameters(filter, all);
        query.push(("sort", "generated:desc".to_owned()));
        if let Some(limit) = filter.limit {
            query.push(("limit", limit.to_string()));
        }
        let response = self.get(&query).await?;
        let body: Value = response.json().await.unwrap_or_default();
        // Whatever else answers there is no list of events.
        let events = body.as_array().ok_or_else(no_events)?;
        events.iter().map(read).collect()
    }

    /// The newest of all events that the caller may see.
    pub(super) async fn newest(&self) -> Result<Option<AuditEvent>, Failure> {
        let filter = Filter {
            limit: Some(1),
            ..Filter::default()
        };
        Ok(self.list(&filter, false).await?.pop())
    }

    /// What happens after an event, or from now on.
    pub(super) fn follow(&self, filter: &Filter, all: bool, after: Option<&AuditEvent>) -> Stream<'_> {
        let mut query = parameters(filter, all);
        query.push(("follow", "true".to_owned()));
        Stream {
            remote: self,
            query,
            last: after.map(|event| event.message_id.clone()),
            response: None,
            away: false,
            text: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    async fn get(&self, query: &[(&str, String)]) -> Result<Response, Failure> {
        let mut request = self.http.get(&self.url).query(query);
        if !query.iter().any(|(name, _)| *name == "follow") {
            request = request.timeout(ANSWER_LIMIT);
        }
        if let Some(token) = &self.token {
            request = request.header("X-Auth-Token", token.expose_secret());
        }
        let response = request.send().await.map_err(|error| Failure::EventsAddress {
            address: self.url.trim_end_matches("/v2/events").to_owned(),
            source: error.without_url(),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body: Value = response.json().await.unwrap_or_default();
        let message = match body.pointer("/error_message/faultstring").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None if status == StatusCode::NOT_FOUND => "there is no event log at this address".to_owned(),
            None => "no reason given".to_owned(),
        };
        let help = match status {
            StatusCode::UNAUTHORIZED => {
                "; give the token of an access key (`statuspage access-key create`) or of the cluster (`kubectl create \
                 token ACCOUNT`) in STATUSPAGE_EVENTS_TOKEN, or its file with --token-file"
            }
            StatusCode::FORBIDDEN => "; /api/v1/access/ says what this token may",
            StatusCode::NOT_FOUND => "; it is kept where the operator, `sync` or `dev` runs with --events",
            _ => "",
        };
        Err(Failure::EventsRefused {
            status: status.as_u16(),
            message,
            help,
        })
    }
}

/// Events as they come.
pub(super) struct Stream<'a> {
    remote: &'a Remote,
    query: Vec<(&'static str, String)>,
    last: Option<String>,
    response: Option<Response>,
    /// True since it was told that there is no connection.
    away: bool,
    text: Vec<u8>,
    ready: VecDeque<AuditEvent>,
}

impl Stream<'_> {
    /// The next event. A connection that breaks is made again, after the last event that came, for as long as it takes:
    /// an operator that is replaced is away for a while. A refusal ends it, such as of credentials that have expired.
    pub(super) async fn next(&mut self) -> Result<AuditEvent, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.last = Some(event.message_id.clone());
                return Ok(event);
            }
            let Some(response) = &mut self.response else {
                let mut query = self.query.clone();
                if let Some(last) = &self.last {
                    query.push(("marker", last.clone()));
                }
                match self.remote.get(&query).await {
                    Ok(response) => {
                        self.response = Some(response);
                        self.away = false;
                        self.text.clear();
                    }
                    Err(failure) if is_outage(&failure) => {
                        if !std::mem::replace(&mut self.away, true) {
                            tracing::warn!(error = %failure, "the event log is unavailable: retrying until it is back");
                        }
                        tokio::time::sleep(AGAIN).await;
                    }
                    Err(failure) => return Err(failure),
                }
                continue;
            };
            match response.chunk().await {
                Ok(Some(chunk)) => self.take(&chunk)?,
                Ok(None) | Err(_) => {
                    self.response = None;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Reads whole server-sent events; ours have one line of data each.
    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.text.extend_from_slice(chunk);
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let one: Vec<u8> = self.text.drain(..end + 2).collect();
            let data = one
                .split(|byte| *byte == b'\n')
                .find_map(|line| line.strip_prefix(b"data: "));
            if let Some(data) = data {
                let event: Value = serde_json::from_slice(data).unwrap_or_default();
                self.ready.push_back(read(&event)?);
            }
        }
        Ok(())
    }
}

fn is_outage(failure: &Failure) -> bool {
    match failure {
        Failure::EventsAddress { .. } => true,
        Failure::EventsRefused { status, .. } => *status == 429 || *status >= 500,
        _ => false,
    }
}

fn read(event: &Value) -> Result<AuditEvent, Failure> {
    AuditEvent::from_json(event).ok_or_else(no_events)
}

fn no_events() -> Failure {
    Failure::EventsRefused {
        status: 200,
        message: "the answer is not a list of events".to_owned(),
        help: "; is this the address of an operator's HTTP API?",
    }
}

fn parameters(filter: &Filter, all: bool) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    let mut add = |field: &str, operator: Operator, value: String, kind: &str| {
        query.push(("q.field", field.to_owned()));
        query.push(("q.op", operator.as_str().to_owned()));
        query.push(("q.value", value));
        query.push(("q.type", kind.to_owned()));
    };
    if let Some(event_type) = &filter.event_type {
        add("event_type", Operator::Equal, event_type.clone(), "");
    }
    if let Some(from) = filter.from {
        add("start_timestamp", Operator::GreaterOrEqual, write_time(from), "");
    }
    if let Some(until) = filter.until {
        add("end_timestamp", Operator::LessOrEqual, write_time(until), "");
    }
    if all {
        add("all_tenants", Operator::Equal, "true".to_owned(), "");
    }
    for TraitFilter { name, operator, value } in &filter.traits {
        add(name, *operator, value.to_string(), value.kind().as_str());
    }
    query
}
