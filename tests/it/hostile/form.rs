//! Whatever body the local server is sent, it answers, never by a failure, and everything can be read afterwards.

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use statuspage_operator::server::{PageSeed, Server, ServerOptions};
use tower::ServiceExt as _;

const WRITES: [(&str, &str); 12] = [
    ("PATCH", ""),
    ("POST", "/components"),
    ("POST", "/component-groups"),
    ("POST", "/incidents"),
    ("POST", "/incident_templates"),
    ("POST", "/metrics/data"),
    ("POST", "/metrics_providers"),
    ("POST", "/page_access_users"),
    ("POST", "/page_access_groups"),
    ("POST", "/subscribers"),
    ("POST", "/subscribers/unsubscribe"),
    ("PATCH", "/status_embed_config"),
];
const READS: [&str; 9] = [
    "",
    "/components",
    "/component-groups",
    "/incidents",
    "/incident_templates",
    "/metrics_providers",
    "/page_access_users",
    "/page_access_groups",
    "/subscribers",
];

/// Sends a body to everything that takes one, as a form and as JSON.
pub(crate) fn check(bytes: &[u8]) {
    // The storage has time limits: its clock has to move.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(async {
        let options = ServerOptions {
            tokens: vec!["token".to_owned()],
            pages: vec![PageSeed {
                id: Some("page00000001".to_owned()),
                name: "Acme".to_owned(),
            }],
            ..ServerOptions::default()
        };
        let server = Server::open(options).await.unwrap();
        let router = server.router();
        for content_type in ["application/x-www-form-urlencoded", "application/json"] {
            for (method, path) in WRITES {
                let status = ask(&router, method, path, content_type, bytes).await;
                assert!(!status.is_server_error(), "{method} {path} {content_type}: {status}");
            }
        }
        for path in READS {
            let status = ask(&router, "GET", path, "application/json", b"").await;
            assert_eq!(status, StatusCode::OK, "{path} cannot be read afterwards");
        }
        server.close().await;
    });
}

async fn ask(router: &Router, method: &str, path: &str, content_type: &str, body: &[u8]) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(format!("/v1/pages/page00000001{path}"))
        .header("authorization", "OAuth token")
        .header("content-type", content_type)
        .body(Body::from(body.to_vec()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(
        body.is_empty() || serde_json::from_slice::<Value>(&body).is_ok(),
        "{method} {path}: an answer is JSON"
    );
    status
}
