//! Lists are read to their end, whatever the service does to the size of a page.

use axum::response::Response;
use serde_json::json;
use statuspage_operator::statuspage::{CollectionKind, Reading, Snapshot, SubscriberQuery};

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
    (read.len(), remote.seen().len())
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
    assert_eq!(remote.client().page("p").metrics().list().await.unwrap().len(), 100);
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
    assert_eq!(incidents.list().await.unwrap().len(), 230);
    assert_eq!(remote.lines().len(), 3);
    let all = incidents.newest(5).await.unwrap();
    assert_eq!((all.items.len(), all.complete), (230, true));
}

#[tokio::test]
async fn subscribers_are_counted_from_page_zero_in_every_state() {
    let remote = Remote::start(|seen| serve(seen, "limit", 150, 100, 0)).await;
    let subscribers = remote.client().page("p").subscribers();
    assert_eq!(subscribers.list(&SubscriberQuery::default()).await.unwrap().len(), 150);
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
        "/v1/pages/p/metrics" => reply(200, r#"{"id":"lone"}"#),
        "/v1/pages/p/status_embed_config" => reply(200, r#"{"page_id":"p","position":"top-left"}"#),
        "/v1/pages/p/subscribers/histogram_by_state" => reply(200, r#"{"email":{"active":3}}"#),
        "/v1/organizations/o/permissions/u" => reply(200, r#"{"pages":[{"page_id":"p","incident_manager":true}]}"#),
        _ => reply(200, r#"[{"id":"a"},{"id":"b"}]"#),
    })
    .await;
    let page = remote.client().page("p").in_organization(Some("o".to_owned()));
    let mut snapshot = Snapshot::default();
    for kind in CollectionKind::ALL {
        snapshot.store(page.read(kind).await.unwrap());
        assert!(snapshot.has(kind));
    }
    assert_eq!(remote.seen().len(), CollectionKind::ALL.len());
    let permissions = page.read_permissions("u").await.unwrap();
    assert_eq!(permissions.value.pages["p"].incident_manager, Some(true));
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
        page.read(CollectionKind::Metrics).await,
        Ok(Reading::Metrics(_))
    ));
    let open = page.read_open_incidents().await.unwrap();
    assert_eq!(open.len(), 2, "each once, though several views show it");
}
