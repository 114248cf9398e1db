//! `/v2/events?follow`: events as they are stored, as server-sent events.
//!
//! Each has the message id as its id, so that a client that lost the connection goes on where it was (`Last-Event-ID`,
//! or the parameter `marker`), the type as its name, and the event as its data.
//!
//! Who asked is asked for again and again: with a key that was revoked, or a right that was taken away, the stream ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::caller::Renewal;
use crate::admin::problem::Problem;
use crate::admin::shares::Share;
use crate::audit::{AuditEvent, AuditLog, Filter, Follower};

/// A stream ends after this time, and clients connect again where they were, perhaps with another server.
const LONGEST: Duration = Duration::from_secs(300);
/// How often is asked whether the credential is still good.
const RENEWED_EVERY: Duration = Duration::from_secs(2);

/// What a stream holds between two events.
struct State {
    until: Instant,
    follower: Follower,
    ready: VecDeque<AuditEvent>,
    closing: CancellationToken,
    /// None where nobody can say, because nobody asked for credentials.
    renewal: Option<Renewal>,
    renewed: Instant,
    /// Of all, and of its credential; given back when the stream is gone, however it ended.
    _places: [Share; 2],
}

pub(super) async fn follow(
    log: &AuditLog,
    mut filter: Filter,
    request: &Parts,
    places: [Share; 2],
) -> Result<Response<Body>, Problem> {
    let last = request.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        // Newer than the parameter, which a reconnecting browser repeats.
        filter.marker = Some(last.to_owned());
    }
    let state = State {
        until: Instant::now() + LONGEST,
        follower: log.follow(filter).await?,
        ready: VecDeque::new(),
        closing: log.closing(),
        renewal: request.extensions.get().cloned(),
        renewed: Instant::now(),
        _places: places,
    };
    let stream = futures::stream::unfold(state, next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

async fn next(mut state: State) -> Option<(Result<Event, Infallible>, State)> {
    loop {
        if state.renewed.elapsed() >= RENEWED_EVERY && !state.is_still_allowed().await {
            return None;
        }
        if let Some(event) = state.ready.pop_front() {
            return Some((Ok(shown(&event)), state));
        }
        let found = tokio::select! {
            found = state.follower.next() => found,
            // A server that shuts down does not wait for its streams.
            () = state.closing.cancelled() => return None,
            () = tokio::time::sleep_until(state.until) => return None,
            () = tokio::time::sleep_until(state.renewed + RENEWED_EVERY) => continue,
        };
        match found {
            Ok(Some(events)) => state.ready.extend(events),
            Ok(None) => return None,
            Err(error) => {
                // The client connects again with the last id that it has.
                tracing::warn!(?error, "a stream of events ends");
                return None;
            }
        }
    }
}

impl State {
    async fn is_still_allowed(&mut self) -> bool {
        self.renewed = Instant::now();
        match &self.renewal {
            Some(renewal) => renewal.is_unchanged().await,
            None => true,
        }
    }
}

fn shown(event: &AuditEvent) -> Event {
    // Ids and types are ours or a caller's text without line ends; JSON has none either.
    let line = |text: &str| text.replace(['\r', '\n', '\0'], " ");
    Event::default()
        .id(line(&event.message_id))
        .event(line(&event.event_type))
        .data(event.to_json().to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::admin::shares::Shares;
    use crate::audit::{AuditOptions, Location};

    async fn state(log: &AuditLog, renewal: Option<Renewal>) -> State {
        State {
            until: Instant::now() + LONGEST,
            follower: log.follow(Filter::default()).await.unwrap(),
            ready: VecDeque::from([AuditEvent::new("component.create", log.now())]),
            closing: log.closing(),
            renewal,
            renewed: Instant::now(),
            _places: ["all", "ann"].map(|name| Shares::new(1).take(&name).unwrap()),
        }
    }

    async fn log() -> AuditLog {
        AuditLog::open(AuditOptions::new(Location::Memory)).await.unwrap()
    }

    #[tokio::test]
    async fn a_stream_ends_when_its_time_is_over_and_hands_over_what_it_has() {
        let log = log().await;
        let mut state = state(&log, None).await;
        state.until = Instant::now();
        let (_, state) = next(state).await.unwrap();
        assert!(next(state).await.is_none());
    }

    #[tokio::test]
    async fn a_stream_ends_soon_after_its_credential() {
        let log = log().await;
        let good = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&good);
        let renewal = Renewal::new(move || Box::pin(std::future::ready(asked.load(Ordering::Relaxed))));
        let state = state(&log, Some(renewal)).await;
        let (_, mut state) = next(state).await.unwrap();
        good.store(false, Ordering::Relaxed);
        let began = Instant::now();
        state.ready.push_back(AuditEvent::new("component.create", log.now()));
        state.renewed = Instant::now() - RENEWED_EVERY;
        // Not even what is ready is handed over.
        assert!(next(state).await.is_none());
        assert!(began.elapsed() < LONGEST);
    }
}
