//! Lists are read to their end, whatever the service does to the size of a page.

use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;
use statuspage_operator::statuspage::{
    Budget, CollectionKind, ErrorClass, Priority, Reading, Snapshot, SubscriberQuery, Trace,
};

use super::every_operation::{lists, lists_beside_the_page};
use super::remote::{Remote, Seen, reply};

/// Serves `total` rows in pages of at most `cap`, counted from `first`.
fn serve(seen: &Seen, size: &str, total: usize, cap: usize, first: usize) -> Response {
    let number = |name| seen.parameter(name).and_then(|text| text.parse::<usize>().ok());
    let size = number(size).expect("the size is always sent").min(cap);
    let page = number("page").expect("the page is always sent");
    let start = (page - first) * size;
    let rows: Vec<_> = (start..total.min(start + size))
        .map(|n| json!({"id": format!("x{n}")}))
        .collect();
    reply(200, json!(rows).to_string())
}

async fn components(total: usize, cap: usize) -> (usize, usize) {
    let remote = Remote::start(move |seen| serve(seen, "per_page", total, cap, 1)).await;
    let read = remote.client().page("p").components().list().await.unwrap();
    assert!(read.complete);
    assert_eq!(read.pages, remote.seen().len(), "a request for each page");
    (read.items.len(), read.pages)
}

#[tokio::test]
async fn components_come_in_one_request_where_the_service_allows_it() {
    assert_eq!(components(0, 1100).await, (0, 1));
    assert_eq!(components(250, 1100).await, (250, 1));
    assert_eq!(components(1100, 1100).await, (1100, 2));
    assert_eq!(components(1150, 1100).await, (1150, 2));
}

#[tokio::test]
async fn components_are_complete_where_the_service_cuts_pages() {
    assert_eq!(components(99, 100).await, (99, 1));
    assert_eq!(components(100, 100).await, (100, 2));
    assert_eq!(components(250, 100).await, (250, 3));
    assert_eq!(components(1234, 500).await, (1234, 3));
}

#[tokio::test]
async fn a_service_that_ignores_the_page_does_not_loop() {
    let remote = Remote::start(|_| {
        let rows: Vec<_> = (0..100).map(|n| json!({"id": format!("x{n}")})).collect();
        reply(200, json!(rows).to_string())
    })
    .await;
    let read = remote.client().page("p").metrics().list().await.unwrap();
    assert_eq!((read.items.len(), read.pages, read.complete), (100, 2, false));
    assert_eq!(remote.seen().len(), 2);
}

#[tokio::test]
async fn incidents_name_their_size_twice_and_can_be_cut_short() {
    let remote = Remote::start(|seen| serve(seen, "limit", 230, 100, 1)).await;
    let incidents = remote.client().page("p").incidents();
    let newest = incidents.newest(1).await.unwrap();
    assert_eq!((newest.items.len(), newest.complete), (100, false));
    assert_eq!(
        remote.lines(),
        ["GET /v1/pages/p/incidents?page=1&limit=100&per_page=100"]
    );
    assert_eq!(incidents.list().await.unwrap().items.len(), 230);
    assert_eq!(remote.lines().len(), 3);
    let all = incidents.newest(5).await.unwrap();
    assert_eq!((all.items.len(), all.complete), (230, true));
}

#[tokio::test]
async fn subscribers_are_counted_from_page_zero_in_every_state() {
    let remote = Remote::start(|seen| serve(seen, "limit", 150, 100, 0)).await;
    let subscribers = remote.client().page("p").subscribers();
    let read = subscribers.matching(&SubscriberQuery::default()).await.unwrap();
    assert_eq!((read.items.len(), read.complete), (150, true));
    assert_eq!(
        remote.lines(),
        [
            "GET /v1/pages/p/subscribers?state=all&page=0&limit=100",
            "GET /v1/pages/p/subscribers?state=all&page=1&limit=100",
        ]
    );
}

#[tokio::test]
async fn a_page_is_read_with_one_request_per_part() {
    let remote = Remote::start(|seen| match seen.path.as_str() {
        "/v1/pages/p" => reply(200, r#"{"id":"p","name":"Page"}"#),
        "/v1/pages/p/metrics" => reply(200, r#"[{"id":"lone"}]"#),
        "/v1/pages/p/status_embed_config" => reply(200, r#"{"page_id":"p","position":"top-left"}"#),
        "/v1/pages/p/subscribers/histogram_by_state" => reply(200, r#"{"email":{"active":3}}"#),
        "/v1/organizations/o/permissions/u" => reply(200, r#"{"pages":[{"page_id":"p","incident_manager":true}]}"#),
        _ => reply(200, r#"[{"id":"a"},{"id":"b"}]"#),
    })
    .await;
    let page = remote.client().page("p").in_organization(Some("o".to_owned()));
    let mut snapshot = Snapshot::default();
    for kind in CollectionKind::ALL {
        snapshot.store(page.read(kind, Timestamp::UNIX_EPOCH).await.unwrap());
        assert!(snapshot.has(kind));
    }
    assert_eq!(remote.seen().len(), CollectionKind::ALL.len());
    let permissions = page.own_organization().unwrap().permissions("u").await.unwrap();
    assert_eq!(permissions.pages["p"].incident_manager, Some(true));
    assert_eq!(snapshot.subscriber_counts.unwrap().value.email.active, 3);
    assert_eq!(
        snapshot.status_embed.unwrap().value.position.as_deref(),
        Some("top-left")
    );
    assert_eq!(snapshot.page.unwrap().name.as_deref(), Some("Page"));
    assert_eq!(snapshot.metrics.unwrap().items[0].id, "lone");
    let incidents = snapshot.incidents.unwrap();
    assert!(incidents.complete);
    assert_eq!(incidents.items.len(), 2);
    assert!(matches!(
        page.read(CollectionKind::Metrics, Timestamp::UNIX_EPOCH).await,
        Ok(Reading::Metrics(_))
    ));
    let open = page.read_open_incidents().await.unwrap();
    assert_eq!(open.len(), 2, "each once, though several views show it");
}

/// Rows of the numbers in a range.
fn rows(numbers: impl IntoIterator<Item = usize>) -> Response {
    let rows: Vec<_> = numbers.into_iter().map(|n| json!({"id": format!("x{n}")})).collect();
    reply(200, json!(rows).to_string())
}

#[tokio::test]
async fn pages_that_moved_while_they_were_read_are_no_whole_list() {
    // Somebody creates an object while page 1 is read: the last row of page 1 comes again.
    let remote = Remote::start(|seen| match seen.parameter("page") {
        Some("1") => rows(0..100),
        _ => rows(99..120),
    })
    .await;
    let read = remote.client().page("p").incidents().list().await.unwrap();
    assert_eq!((read.items.len(), read.complete), (120, false));

    // A page in the middle is cut.
    let remote = Remote::start(|seen| match seen.parameter("page") {
        Some("1") => rows(0..1100),
        Some("2") => rows(1100..1200),
        Some("3") => rows(1200..1300),
        _ => rows([]),
    })
    .await;
    let read = remote.client().page("p").components().list().await.unwrap();
    assert_eq!((read.items.len(), read.complete), (1300, false));
}

#[tokio::test]
async fn nothing_but_a_list_is_a_list() {
    for body in [
        "null",
        "",
        "{}",
        r#"{"id":"a"}"#,
        r#""text""#,
        "<html></html>",
        r#"[{"id":"a"},{"name":"no id"}]"#,
        r#"[{"id":"a"},null]"#,
        r#"[{"id":"a","page_id":"q"}]"#,
    ] {
        let client = Remote::answering(200, body).await.client();
        let mut outcomes = lists(&client).await;
        if !body.contains("page_id") {
            outcomes.extend(lists_beside_the_page(&client).await);
        }
        for (operation, result) in outcomes {
            let Err(error) = result else {
                panic!("{operation}: {body} passes")
            };
            assert_eq!(error.class(), ErrorClass::Transient, "{operation}: {body}: {error}");
        }
    }
}

#[tokio::test]
async fn a_long_list_can_be_put_aside_between_its_pages() {
    let budget = Budget::with_reserve(60, 0);
    let remote = Remote::start(|seen| serve(seen, "limit", 250, 100, 0)).await;
    let client = remote.client_with(budget.clone());
    let mut reader = client.page("p").subscribers().search("example.com");
    assert_eq!(budget.stats().granted, 0, "nothing is sent before it is asked for");
    assert!(reader.next().await.unwrap());
    assert_eq!(
        (reader.items().len(), reader.is_done(), budget.stats().granted),
        (100, false, 1)
    );

    // The next page by a permit and a trace of the caller's.
    let trace = Trace::default();
    let permit = budget.acquire(Priority::Incident, "p").await;
    let urgent = client.with_permit(permit).with_trace(&trace);
    assert!(reader.next_with(&urgent).await.unwrap());
    assert_eq!(budget.stats().granted, 2);
    assert!(trace.lock().unwrap().date.is_some());

    // A page that fails is asked for again.
    let gone = Remote::answering(503, "").await;
    reader.next_with(&gone.client()).await.unwrap_err();
    assert!(!reader.next().await.unwrap());
    assert!(!reader.next().await.unwrap(), "and nothing is sent after the end");
    assert!(reader.is_done());
    let listing = reader.finish();
    assert_eq!((listing.items.len(), listing.complete, listing.pages), (250, true, 3));
    let line = |page| format!("GET /v1/pages/p/subscribers?state=all&q=example.com&page={page}&limit=100");
    assert_eq!(remote.lines(), [line(0), line(1), line(2)]);
}

#[tokio::test]
async fn what_was_not_read_to_the_end_is_not_whole() {
    let remote = Remote::start(|seen| serve(seen, "per_page", 250, 100, 1)).await;
    let mut reader = remote.client().page("p").metrics().list();
    reader.next().await.unwrap();
    let listing = reader.finish();
    assert_eq!((listing.items.len(), listing.complete, listing.pages), (100, false, 1));
    assert!(!remote.client().page("p").metrics().list().finish().complete);
}
