//! `/v2/events?follow`.

use axum::body::Body;
use axum::http::{Request, header};
use axum::{Extension, Router};
use futures::StreamExt;
use statuspage_operator::admin::caller::Caller;
use statuspage_operator::admin::events;
use statuspage_operator::audit::AuditLog;
use tower::ServiceExt;

use super::{Api, PATIENCE, Place, admin, caller, event, on_both_stores};

on_both_stores! { a_stream_has_what_is_stored_from_now_on a_stream_goes_on_where_it_was another_process_is_followed }

struct Stream {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(log: &AuditLog, caller: Caller, query: &str, last: Option<&str>) -> Stream {
        let router: Router = events::router(log.clone()).layer(Extension(caller));
        let mut request = Request::builder().uri(format!("/v2/events?follow{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Stream {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The ids of the next events; keep-alives are no events.
    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            while let Some((one, rest)) = self.text.split_once("\n\n") {
                ids.extend(
                    one.lines()
                        .find_map(|line| line.strip_prefix("id: "))
                        .map(str::to_owned),
                );
                self.text = rest.to_owned();
            }
            if ids.len() < count {
                let next = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap();
                let Some(next) = next else { break };
                self.text.push_str(std::str::from_utf8(&next.unwrap()).unwrap());
            }
        }
        ids
    }
}

async fn a_stream_has_what_is_stored_from_now_on(place: Place) {
    let log = place
        .filled(vec![event("old", "a", "2024-03-01T10:00:00Z", "team-a")])
        .await;
    let mut everything = Stream::open(&log, admin(), "", None).await;
    let mut mine = Stream::open(&log, caller(false, &["team-a"]), "&q.field=event_type&q.value=b", None).await;
    for (id, event_type, namespace) in [("1", "a", "team-a"), ("2", "b", "team-b"), ("3", "b", "team-a")] {
        // The order of storing counts, not the time.
        log.record(event(id, event_type, "2024-02-01T10:00:00Z", namespace));
    }
    assert_eq!(everything.ids(3).await, ["1", "2", "3"]);
    assert_eq!(mine.ids(1).await, ["3"]);
    // Whoever shuts down does not wait for streams.
    assert!(log.close(PATIENCE).await);
    assert_eq!(everything.ids(1).await, Vec::<String>::new());
}

async fn a_stream_goes_on_where_it_was(place: Place) {
    let events = (0..1200).map(|number| event(&format!("{number}"), "a", "2024-03-01T10:00:00Z", "team-a"));
    let log = place.filled(events.collect()).await;
    let expected: Vec<String> = (5..1200).map(|number| number.to_string()).collect();
    let mut again = Stream::open(&log, admin(), "&marker=1", Some("4")).await;
    assert_eq!(again.ids(1195).await, expected);
    let mut by_marker = Stream::open(&log, admin(), "&marker=1198", None).await;
    assert_eq!(by_marker.ids(1).await, ["1199"]);
    let api = Api::of(&log, Some(admin()));
    api.get("/v2/events?follow&marker=nope").await.refused(400);
    api.get("/v2/events?follow&sort=generated").await.refused(400);
    api.get("/v2/events?follow=banana").await.refused(400);
    assert_eq!(api.get("/v2/events?follow=false&limit=1").await.ids(), ["0"]);
}

async fn another_process_is_followed(place: Place) {
    let (reader, writer) = (place.open().await, place.open().await);
    let mut stream = Stream::open(&reader, admin(), "", None).await;
    writer.record(event("theirs", "a", "2024-03-01T10:00:00Z", "team-a"));
    assert_eq!(stream.ids(1).await, ["theirs"]);
}

#[tokio::test]
async fn streams_leave_connections_to_others() {
    let place = Place::sqlite();
    let log = place.filled(Vec::new()).await;
    let router = events::router(log);
    let open = async |user: usize| {
        let request = Request::builder().uri("/v2/events?follow=1").extension(Caller {
            credential: format!("key {user}"),
            ..admin()
        });
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    let mut streams = Vec::new();
    for number in 0..64 {
        let stream = open(number / 8).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
        if number == 7 {
            // One key has its share, and others have theirs.
            let refused = open(0).await;
            assert_eq!(
                (refused.status().as_u16(), &refused.headers()["retry-after"]),
                (429, &"1".parse().unwrap())
            );
        }
    }
    assert_eq!(open(8).await.status(), 503);
    // Whoever goes makes room.
    streams.pop();
    assert_eq!(open(8).await.status(), 200);
}
