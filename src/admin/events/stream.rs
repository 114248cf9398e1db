//! `/v2/events?follow`: events as they are stored, as server-sent events.
//!
//! Each has the message id as its id, so that a client that lost the connection goes on where it was (`Last-Event-ID`,
//! or the parameter `marker`), the type as its name, and the event as its data.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::EventsError;
use crate::audit::{AuditEvent, AuditLog, Filter, Follower};

/// A stream ends after this time, and clients connect again where they were: credentials that were revoked, or rights
/// that were taken away, see nothing for longer.
const LONGEST: Duration = Duration::from_secs(300);

/// What a stream holds between two events.
struct State {
    until: Instant,
    follower: Follower,
    ready: VecDeque<AuditEvent>,
    closing: CancellationToken,
    /// Given back when the stream is gone, however it ended.
    _place: OwnedSemaphorePermit,
}

pub(super) async fn follow(
    log: &AuditLog,
    mut filter: Filter,
    request: &Parts,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, EventsError> {
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
        _place: place,
    };
    let stream = futures::stream::unfold(state, next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

async fn next(mut state: State) -> Option<(Result<Event, Infallible>, State)> {
    loop {
        if let Some(event) = state.ready.pop_front() {
            return Some((Ok(shown(&event)), state));
        }
        let found = tokio::select! {
            found = state.follower.next() => found,
            // A server that shuts down does not wait for its streams.
            () = state.closing.cancelled() => return None,
            () = tokio::time::sleep_until(state.until) => return None,
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

    use tokio::sync::Semaphore;

    use super::*;
    use crate::audit::{AuditOptions, Location};

    #[tokio::test]
    async fn a_stream_ends_when_its_time_is_over_and_hands_over_what_it_has() {
        let log = AuditLog::open(AuditOptions::new(Location::Memory)).await.unwrap();
        let state = State {
            until: Instant::now(),
            follower: log.follow(Filter::default()).await.unwrap(),
            ready: VecDeque::from([AuditEvent::new("component.create", log.now())]),
            closing: log.closing(),
            _place: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
        };
        let (_, state) = next(state).await.unwrap();
        assert!(next(state).await.is_none());
    }
}
