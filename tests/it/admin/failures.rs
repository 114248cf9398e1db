//! Every failure has the shape of its contract.

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use statuspage_operator::admin::{Limits, Mount};
use std::time::Duration;

use super::{Running, Setup, answer, with_key};

fn insights(status: u16, detail: &str) -> Value {
    json!({"errors": [{"detail": detail, "source": "detail", "status": status.to_string()}]})
}

fn events(code: &str, text: &str) -> Value {
    json!({"error_message": {"faultcode": code, "faultstring": text, "debuginfo": null}})
}

/// A server with a route in every contract that panics and one that never answers.
async fn troubled() -> Running {
    async fn panics() {
        panic!("on purpose")
    }
    let mut router = Router::new();
    for prefix in ["/api/v1", "/api/v2", "/v2", "/other"] {
        router = router
            .route(&format!("{prefix}/panics"), get(panics))
            .route(&format!("{prefix}/hangs"), get(std::future::pending::<()>));
    }
    let setup = Setup {
        mounts: vec![Mount {
            router,
            operations: Vec::new(),
        }],
        limits: Limits {
            answer: Duration::from_millis(200),
            ..Limits::default()
        },
        ..Setup::default()
    };
    Running::with(setup).await
}

#[tokio::test]
async fn unknown_paths() {
    let running = Running::start().await;
    let expected = [
        ("/api/v1/nope", insights(404, "Not found.")),
        ("/api/v1/status/extra", insights(404, "Not found.")),
        ("/api/v1", insights(404, "Not found.")),
        (
            "/api/v2/nope",
            json!({"status": "error", "info": "/api/v2/nope not found."}),
        ),
        ("/v2/nope", events("Client", "The resource could not be found.")),
        ("/nope", json!({"error": "Not found."})),
        ("/", json!({"error": "Not found."})),
    ];
    for (path, body) in expected {
        assert_eq!(answer(running.get_as(&running.ann, path)).await, (404, body), "{path}");
    }
}

#[tokio::test]
async fn missing_credentials() {
    let running = Running::start().await;
    let detail = "Authentication credentials were not provided.";
    for path in [
        "/api/v1/resources/",
        "/api/v1/pages/",
        "/api/v1/resources/a/Component/web/",
    ] {
        let response = running.request("GET", path).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(super::body(response).await, insights(401, detail));
    }
    let wrong = running.request("GET", "/v2/events").header("X-Auth-Token", "wrong");
    let expected = events("Client", "Incorrect authentication credentials.");
    assert_eq!(answer(wrong).await, (401, expected));
}

#[tokio::test]
async fn panics_are_told_and_survived() {
    let running = troubled().await;
    let expected = [
        ("/api/v1/panics", insights(500, "Internal server error.")),
        (
            "/api/v2/panics",
            json!({"status": "error", "info": "Internal server error."}),
        ),
        ("/v2/panics", events("Server", "Internal server error.")),
        ("/other/panics", json!({"error": "Internal server error."})),
    ];
    for (path, body) in expected {
        assert_eq!(answer(running.get_as(&running.ann, path)).await, (500, body), "{path}");
    }
    assert_eq!(answer(running.request("GET", "/api/v1/ready/")).await.0, 200);
}

#[tokio::test]
async fn answers_that_never_come_end() {
    let running = troubled().await;
    let text = "The answer took too long; try again.";
    let expected = [
        ("/api/v1/hangs", insights(503, text)),
        ("/api/v2/hangs", json!({"status": "error", "info": text})),
        ("/v2/hangs", events("Server", text)),
    ];
    for (path, body) in expected {
        assert_eq!(answer(running.get_as(&running.ann, path)).await, (503, body), "{path}");
    }
}

#[tokio::test]
async fn methods_that_are_not() {
    let running = troubled().await;
    let request = with_key(running.request("DELETE", "/v2/hangs"), &running.ann);
    let response = request.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET,HEAD".parse().unwrap())
    );
    assert_eq!(
        super::body(response).await,
        events("Client", "Method \"DELETE\" not allowed.")
    );
    let request = with_key(running.request("POST", "/api/v1/resources/"), &running.ann);
    assert_eq!(
        answer(request).await,
        (405, insights(405, "Method \"POST\" not allowed."))
    );
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let running = Running::start().await;
    let request = running.request("POST", "/api/v1/status/").body("x".repeat(65 * 1024));
    assert_eq!(
        answer(request).await,
        (413, insights(413, "The request body is too large."))
    );
}

#[tokio::test]
async fn more_requests_than_the_server_takes() {
    let setup = Setup {
        limits: Limits {
            requests: 0,
            ..Limits::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let response = running.get_as(&running.ann, "/api/v1/resources/").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    // Probes get through whatever else happens.
    assert_eq!(answer(running.request("GET", "/api/v1/ready/")).await.0, 200);
}

/// The shape of 403, where somebody else's name was made to point here.
#[tokio::test]
async fn who_may_not_is_told_in_the_words_of_each_contract() {
    let running = Running::with(Setup::open()).await;
    let text = "You do not have permission to perform this action.";
    for (path, body) in [
        ("/api/v1/resources/", insights(403, text)),
        ("/api/v2/status", json!({"status": "error", "info": text})),
        ("/v2/events", events("Client", text)),
    ] {
        let request = running.request("GET", path).header("Host", "rebound.example");
        assert_eq!(answer(request).await, (403, body), "{path}");
    }
}

/// Every path of the table, as it is written and with or without the slash.
#[tokio::test]
async fn a_slash_at_the_end_means_nothing() {
    let running = Running::start().await;
    for path in [
        "/api/v1/status",
        "/api/v1/ready",
        "/api/v1/pages",
        "/api/v1/resources",
        "/api/v1/resources/a/Component/web",
        "/api/v2/status",
        "/api/v2/status/config",
    ] {
        for path in [path.to_owned(), format!("{path}/")] {
            for method in ["GET", "HEAD"] {
                let response = with_key(running.request(method, &path), &running.ann)
                    .send()
                    .await
                    .unwrap();
                assert_eq!(response.status(), 200, "{method} {path}");
                assert!(response.headers().contains_key("content-length"), "{method} {path}");
                let text = response.text().await.unwrap();
                assert_eq!(
                    text.is_empty(),
                    method == "HEAD" || path.contains("config"),
                    "{method} {path}"
                );
            }
            let response = running.request("OPTIONS", &path).send().await.unwrap();
            assert_eq!(response.status(), 200, "OPTIONS {path}");
        }
    }
}
