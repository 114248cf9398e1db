//! `/api/v1/status/` and `/api/v1/ready/`: section 2.1 of the contract.

use serde_json::json;

use super::{Health, Running, Setup, answer, body};

#[tokio::test]
async fn strangers_see_the_version_of_the_api_and_the_commit() {
    let running = Running::start().await;
    for path in ["/api/v1/status/", "/api/v1/status"] {
        let response = running.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["allow"], "OPTIONS, GET, HEAD");
        let document = body(response).await;
        assert_eq!(document["api_version"], 1);
        assert!(document["commit"].is_string());
        assert_eq!(document.as_object().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn callers_see_the_whole_document() {
    let running = Running::start().await;
    let document = running.json_as(&running.bob, "/api/v1/status/").await;
    assert_eq!(document["api_version"], 1);
    assert_eq!(document["server_address"], running.address.to_string());
    let platform = document["platform_info"].as_object().unwrap();
    let keys: Vec<&str> = platform.keys().map(String::as_str).collect();
    assert_eq!(keys, ["system", "node", "release", "version", "machine", "processor"]);
    assert_eq!(platform["system"], "Linux");
    let modules = document["modules"].as_object().unwrap();
    assert!(modules["axum"].as_str().unwrap().starts_with("0.8."));
    let names: Vec<&String> = modules.keys().collect();
    assert!(names.is_sorted());
    assert!(!modules.contains_key("proptest"), "not in the binary");
    assert!(document["python_version"].as_str().unwrap().starts_with("Rust 1."));
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_setting_shows_the_document_to_everybody() {
    let setup = Setup {
        public_details: true,
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let (_, document) = answer(running.request("GET", "/api/v1/status/")).await;
    assert!(document["modules"].is_object());
}

#[tokio::test]
async fn other_methods_are_head_and_options() {
    let running = Running::start().await;
    let response = running.request("HEAD", "/api/v1/status/").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(
        response.headers()["content-length"]
            .to_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    assert_eq!(response.text().await.unwrap(), "");
    let response = running.request("OPTIONS", "/api/v1/status/").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (200, &"OPTIONS, GET, HEAD".parse().unwrap())
    );
    assert_eq!(body(response).await["name"], "status");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let response = running.request(method, "/api/v1/status/").send().await.unwrap();
        assert_eq!(response.status(), 405);
        let allow = response.headers()["allow"].to_str().unwrap().to_owned();
        assert!(allow.contains("GET") && allow.contains("HEAD"), "{allow}");
        let expected = json!({"errors": [{"detail": format!("Method \"{method}\" not allowed."),
                                          "source": "detail", "status": "405"}]});
        assert_eq!(body(response).await, expected);
    }
}

/// Paths are matched as a whole: a `status` somewhere in a path opens nothing.
#[tokio::test]
async fn a_word_in_a_path_opens_nothing() {
    let running = Running::start().await;
    let (status, _) = answer(running.request("GET", "/api/v1/resources/status/Component/metrics/")).await;
    assert_eq!(status, 401);
    let (status, _) = answer(running.request("GET", "/api/v1/resources/?x=openapi.json")).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn readiness_is_told_to_everybody() {
    let running = Running::start().await;
    assert_eq!(
        answer(running.request("GET", "/api/v1/ready/")).await,
        (200, json!({"status": "ready"}))
    );
    let setup = Setup {
        health: Health {
            waiting_for: Some("the list of components".into()),
            ..Health::default()
        },
        ..Setup::default()
    };
    let waiting = Running::with(setup).await;
    // A probe with an old key is still a probe.
    let request = waiting.request("GET", "/api/v1/ready").header("X-Auth-Token", "old");
    let expected = json!({"status": "waiting for the list of components"});
    assert_eq!(answer(request).await, (503, expected));
}
