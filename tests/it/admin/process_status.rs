//! `/api/v2/status`: section 3 of the contract.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use statuspage_operator::admin::status::Cluster;

use super::{Health, Running, Setup, answer, body, with_key};

fn refused(info: &str) -> (u16, Value) {
    (401, json!({"status": "error", "info": info}))
}

#[tokio::test]
async fn every_field_is_there_in_its_order() {
    let running = Running::start().await;
    let response = running.get_as(&running.root, "/api/v2/status").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    assert!(response.headers().contains_key("etag"));
    assert!(response.headers().contains_key("content-length"));
    assert!(!response.headers().contains_key("x-powered-by"));
    let text = response.text().await.unwrap();
    let document: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let keys: Vec<&str> = document.keys().map(String::as_str).collect();
    let expected = [
        "Version",
        "Node memory",
        "Process ID",
        "Socket sessions",
        "Process up time",
        "OS",
        "Users session",
        "Max users session",
        "Domain session",
        "Webitel",
        "CRASH_WORKER_COUNT",
        "freeSWITCH",
        "Node version",
    ];
    assert_eq!(keys, expected);
    let inner = |name: &str| -> Vec<String> { document[name].as_object().unwrap().keys().cloned().collect() };
    assert_eq!(inner("Node memory"), ["rss", "heapTotal", "heapUsed"]);
    assert_eq!(
        inner("OS"),
        ["Total memory", "Free memory", "Platform", "Name", "Architecture"]
    );
    assert_eq!(inner("Webitel"), ["Status", "ApiQueue", "CmdQueue", "Version", "Sid"]);
}

#[tokio::test]
async fn the_fields_are_true_of_this_process() {
    let setup = Setup {
        health: Health {
            cluster: Some(Cluster {
                connected: true,
                version: Some("v1.36.3".into()),
            }),
            panics: 3,
            ..Health::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let document = running.json_as(&running.ann, "/api/v2/status").await;
    assert_eq!(document["Process ID"], std::process::id());
    assert_eq!(document["Socket sessions"], 1);
    assert_eq!(document["CRASH_WORKER_COUNT"], 3);
    assert_eq!(document["OS"]["Platform"], "linux");
    let version = document["Version"].as_str().unwrap();
    assert!(
        version.starts_with(&format!("{}-sha1:", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    let units = [" kB", " MB", " GB"];
    for size in [&document["Node memory"]["rss"], &document["OS"]["Total memory"]] {
        assert!(
            units.iter().any(|unit| size.as_str().unwrap().ends_with(unit)),
            "{size}"
        );
    }
    let up_time: Vec<&str> = document["Process up time"].as_str().unwrap().split(':').collect();
    assert_eq!(up_time.len(), 3);
    assert!(
        up_time
            .iter()
            .all(|part| part.len() >= 2 && part.parse::<u32>().is_ok())
    );
    assert_eq!(document["Webitel"]["Version"], "v1 (Kubernetes v1.36.3)");
    let session = document["Webitel"]["Sid"].as_str().unwrap();
    assert_eq!(session.trim_end(), session);
    assert!(
        document["freeSWITCH"]
            .as_str()
            .unwrap()
            .starts_with("UP 0 years, 0 days, ")
    );
}

/// The form of each field, as its clients read them.
#[tokio::test]
async fn every_field_has_the_form_of_the_contract() {
    let running = Running::start().await;
    let document = running.json_as(&running.root, "/api/v2/status").await;
    let text = |pointer: &str| document.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    for pointer in [
        "/Node memory/rss",
        "/Node memory/heapTotal",
        "/Node memory/heapUsed",
        "/OS/Total memory",
        "/OS/Free memory",
    ] {
        let size = text(pointer);
        let (number, unit) = size.split_once(' ').unwrap();
        assert!(["Bytes", "kB", "MB", "GB"].contains(&unit), "{pointer}: {size}");
        assert!(number.parse::<f64>().unwrap() > 0.0, "{pointer}: {size}");
        let decimals = number.split_once('.').map(|(_, decimals)| decimals);
        assert!(
            decimals.is_none_or(|one| one.len() == 1 && one != "0"),
            "{pointer}: {size}"
        );
    }
    for pointer in [
        "/Process ID",
        "/Socket sessions",
        "/Users session",
        "/Max users session",
        "/Domain session",
        "/Webitel/ApiQueue",
        "/Webitel/CmdQueue",
        "/CRASH_WORKER_COUNT",
    ] {
        assert!(document.pointer(pointer).unwrap().is_u64(), "{pointer}");
    }
    assert_eq!(document["CRASH_WORKER_COUNT"], 0, "a number also while there is none");
    assert_eq!(
        (text("/OS/Platform"), text("/OS/Name")),
        ("linux".to_owned(), "Linux".to_owned())
    );
    assert!(["x64", "arm64"].contains(&text("/OS/Architecture").as_str()));
    let version = text("/Version");
    let (number, commit) = version.split_once("-sha1:").unwrap();
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    assert!(!commit.is_empty() && !commit.contains(char::is_whitespace), "{commit}");
    assert!(["Connected", "Offline"].contains(&text("/Webitel/Status").as_str()));
    assert_eq!(text("/Webitel/Version"), "v1", "no cluster");
    assert!(uuid(&text("/Webitel/Sid")), "{document}");
    assert!(text("/Node version").starts_with("Rust 1."));
    // Another request of the same run, and another run.
    let again = running.json_as(&running.ann, "/api/v2/status").await;
    assert_eq!(again["Webitel"]["Sid"], document["Webitel"]["Sid"]);
    let other = Running::start().await;
    let other = other.json_as(&other.ann, "/api/v2/status").await;
    assert_ne!(other["Webitel"]["Sid"], document["Webitel"]["Sid"]);
}

fn uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Numbers are those of the caller's namespaces, also the state of the connection.
#[tokio::test]
async fn a_tenant_counts_its_own() {
    let running = Running::start().await;
    let numbers = |document: &Value| {
        let [ready, all, namespaces] =
            ["Users session", "Max users session", "Domain session"].map(|name| document[name].as_u64().unwrap());
        let queue = |name: &str| document["Webitel"][name].as_u64().unwrap();
        (ready, all, namespaces, queue("ApiQueue"), queue("CmdQueue"))
    };
    let ann = running.json_as(&running.ann, "/api/v2/status").await;
    assert_eq!(numbers(&ann), (2, 3, 1, 1, 1));
    assert_eq!(ann["Webitel"]["Status"], "Connected");
    let bob = running.json_as(&running.bob, "/api/v2/status").await;
    assert_eq!(numbers(&bob), (0, 2, 1, 2, 1));
    // The token of its page is refused.
    assert_eq!(bob["Webitel"]["Status"], "Offline");
    assert_eq!(bob["freeSWITCH"], "Connect server error.");
    let root = running.json_as(&running.root, "/api/v2/status").await;
    assert_eq!(numbers(&root), (2, 5, 2, 3, 2));
}

#[tokio::test]
async fn a_lost_cluster_is_offline() {
    let setup = Setup {
        health: Health {
            cluster: Some(Cluster {
                connected: false,
                version: None,
            }),
            ..Health::default()
        },
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let document = running.json_as(&running.ann, "/api/v2/status").await;
    assert_eq!(document["Webitel"]["Status"], "Offline");
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again() {
    let running = Running::start().await;
    let response = running.get_as(&running.ann, "/api/v2/status/").send().await.unwrap();
    let tag = response.headers()["etag"].clone();
    assert!(tag.to_str().unwrap().starts_with("W/\""));
    let any = running
        .get_as(&running.ann, "/api/v2/status")
        .header("If-None-Match", "*");
    let response = any.send().await.unwrap();
    assert_eq!(response.status(), 304);
    assert_eq!(response.text().await.unwrap(), "");
    let other = running
        .get_as(&running.ann, "/api/v2/status")
        .header("If-None-Match", "W/\"0-0\"");
    assert_eq!(other.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn credentials_are_refused_in_the_words_of_the_contract() {
    let running = Running::start().await;
    let path = "/api/v2/status";
    let (ann, bob) = (&running.ann, &running.bob);
    let token = ann.token.expose_secret();
    let wrong = "Invalid Token or Key";
    let request = || running.request("GET", path);
    // Either missing, not decodable, wrong signature.
    assert_eq!(answer(request()).await, refused(wrong));
    assert_eq!(answer(request().header("X-Key", &ann.id)).await, refused(wrong));
    assert_eq!(answer(request().header("X-Access-Token", token)).await, refused(wrong));
    let elsewhere = Running::start().await;
    for broken in [
        "nonsense",
        "a.b.c",
        &token[..token.len() - 3],
        // Whole and well signed, with the secret of somebody else.
        elsewhere.ann.token.expose_secret(),
    ] {
        let request = request().header("X-Key", &ann.id).header("X-Access-Token", broken);
        assert_eq!(answer(request).await, refused(wrong), "{broken}");
    }
    // The key is unknown, or its token is another one.
    for key in ["nobody", &bob.id] {
        let request = request().header("X-Key", key).header("X-Access-Token", token);
        assert_eq!(answer(request).await, refused("Invalid User"), "{key}");
    }
    running.keys.revoke(&ann.id).unwrap();
    let gone = with_key(request(), ann);
    assert_eq!(answer(gone).await, refused("Invalid User"));
}

/// The original says 400.
#[tokio::test]
async fn an_expired_token_is_401() {
    let running = Running::start().await;
    let file = running.file();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut contents: Value = serde_json::from_str(&text).unwrap();
    contents["keys"][0]["expires"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(&file, contents.to_string()).unwrap();
    let answer = answer(running.get_as(&running.ann, "/api/v2/status")).await;
    assert_eq!(answer, refused("Token Expired"));
}

/// The end in the token counts too, in milliseconds.
#[tokio::test]
async fn a_token_ends_at_its_own_time() {
    let running = Running::start().await;
    let claims = |token: &str| -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let end = claims(running.ann.token.expose_secret())["exp"].as_i64().unwrap();
    let left = end - Timestamp::now().as_millisecond();
    assert!((3_000_000..=3_600_000).contains(&left), "{left}");
}

/// The original takes tokens from the query, where they end in logs.
#[tokio::test]
async fn tokens_in_the_query_open_nothing() {
    let running = Running::start().await;
    let path = format!(
        "/api/v2/status?x_key={}&access_token={}",
        running.ann.id,
        running.ann.token.expose_secret()
    );
    assert_eq!(
        answer(running.request("GET", &path)).await,
        refused("Invalid Token or Key")
    );
}

#[tokio::test]
async fn other_paths_and_methods_do_not_exist_after_authentication() {
    let running = Running::start().await;
    let missing = |path: &str| (404, json!({"status": "error", "info": format!("{path} not found.")}));
    let nope = "/api/v2/nope";
    assert_eq!(answer(running.get_as(&running.ann, nope)).await, missing(nope));
    assert_eq!(
        answer(running.request("GET", nope)).await,
        refused("Invalid Token or Key")
    );
    let posted = with_key(running.request("POST", "/api/v2/status"), &running.ann);
    assert_eq!(answer(posted).await, missing("/api/v2/status"));
    for path in ["/api/v2/status/config", "/api/v2/status/config/"] {
        assert_eq!(
            answer(running.get_as(&running.ann, path)).await,
            (200, Value::Null),
            "{path}"
        );
        assert_eq!(
            answer(running.request("GET", path)).await,
            refused("Invalid Token or Key"),
            "{path}"
        );
    }
    // There is no other way in.
    let login = running.request("POST", "/login").json(&json!({"username": "ann"}));
    assert_eq!(answer(login).await, (404, json!({"error": "Not found."})));
    let basic = running.request("GET", "/api/v2/status").basic_auth("ann", Some("x"));
    assert_eq!(answer(basic).await, refused("Invalid Token or Key"));
    let head = with_key(running.request("HEAD", "/api/v2/status/"), &running.ann);
    assert_eq!(answer(head).await, (200, Value::Null));
}

#[tokio::test]
async fn no_origin_is_let_in() {
    let running = Running::start().await;
    let request = running
        .request("OPTIONS", "/api/v2/status")
        .header("Origin", "https://elsewhere.example")
        .header("Access-Control-Request-Method", "GET");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let names: Vec<&str> = response.headers().keys().map(|name| name.as_str()).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("access-control-")),
        "{names:?}"
    );
    assert_eq!(body(response).await, Value::Null);
}
