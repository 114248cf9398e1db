//! Tokens, paths, bodies, errors, the budget, paging and faults.

use std::time::Duration;

use serde_json::{Value, json};
use statuspage_operator::server::{Effect, ErrorShape, PageSeed, ServerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{PAGE, Running, TOKEN, answer, column, options, text};

#[tokio::test]
async fn tokens_are_taken_in_three_forms_and_others_refused() {
    let running = Running::start().await;
    let url = format!("{}/v1/pages", running.origin);
    for header in [format!("OAuth {TOKEN}"), TOKEN.to_owned()] {
        let (status, body) = answer(running.client.get(&url).header("Authorization", header)).await;
        assert_eq!((status, body[0]["id"].as_str()), (200, Some(PAGE)));
    }
    let (status, _) = answer(running.client.get(format!("{url}.json?api_key={TOKEN}"))).await;
    assert_eq!(status, 200);
    for request in [
        running.client.get(&url),
        running.client.get(&url).header("Authorization", "OAuth wrong"),
    ] {
        assert_eq!(answer(request).await, (401, json!({"error": "Could not authenticate"})));
    }
    running
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.bare_token = false);
    assert_eq!(
        answer(running.client.get(&url).header("Authorization", TOKEN)).await.0,
        401
    );
    assert!(!format!("{:?}", running.server.log().entries()).contains(TOKEN));
}

#[tokio::test]
async fn a_generated_token_works() {
    let running = Running::start_with(ServerOptions {
        tokens: Vec::new(),
        ..options()
    })
    .await;
    let [token] = running.server.tokens() else {
        panic!("one token is generated")
    };
    let url = format!("{}/v1/pages", running.origin);
    let (status, _) = answer(
        running
            .client
            .get(url)
            .header("Authorization", format!("OAuth {token}")),
    )
    .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_json() {
    let running = Running::start().await;
    for path in [
        "/nothing",
        "/components/nothing",
        "/incidents/nothing/postmortem",
        "/components/a/b/c",
    ] {
        assert_eq!(
            running.call("GET", path, Value::Null).await,
            (404, json!({"error": "Not found"}))
        );
    }
    assert_eq!(running.call("DELETE", "/components", Value::Null).await.0, 405);
    assert_eq!(running.call("POST", "", json!({})).await.0, 405);
    let foreign = format!("{}/v1/pages/elsewhere/components", running.origin);
    let request = running
        .client
        .get(foreign)
        .header("Authorization", format!("OAuth {TOKEN}"));
    assert_eq!(answer(request).await.0, 404);
    let outside = running.client.get(format!("{}/other", running.origin));
    assert_eq!(answer(outside).await.0, 404);
}

#[tokio::test]
async fn a_refused_method_says_which_are_taken() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let down = running
        .ok("POST", "/incidents", json!({"incident": {"name": "Down"}}))
        .await;
    let update = format!(
        "/incidents/{}/incident_updates/{}",
        text(&down["id"]),
        text(&down["incident_updates"][0]["id"])
    );
    let before = (running.get("/components").await, running.get("/incidents").await);
    let told = running.server.notifications();
    for (method, path, allow) in [
        ("POST", String::new(), "GET, HEAD, PATCH, PUT"),
        ("DELETE", "/components".to_owned(), "GET, HEAD, POST"),
        ("POST", format!("/components/{api}"), "GET, HEAD, PATCH, PUT, DELETE"),
        ("TRACE", format!("/components/{api}/uptime"), "GET, HEAD"),
        (
            "POST",
            "/component-groups/unknown".to_owned(),
            "GET, HEAD, PATCH, PUT, DELETE",
        ),
        ("GET", update, "PATCH, PUT"),
        ("PUT", "/subscribers/unsubscribe".to_owned(), "POST"),
    ] {
        let response = running.request(method, &path).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method} {path}");
        assert_eq!(response.headers()["allow"], allow, "{method} {path}");
    }
    // Trying what is allowed has changed nothing.
    assert_eq!(
        (running.get("/components").await, running.get("/incidents").await),
        before
    );
    assert_eq!(running.server.notifications(), told);
}

#[tokio::test]
async fn names_in_a_path_may_be_written_with_percent_signs() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let spelled: String = api.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(running.get(&format!("/c%6Fmponents/{spelled}")).await["name"], "API");
    for odd in ["%2F", "..%2f..", "%FF", "%", "%zz", &format!("{api}%2Fuptime")] {
        let (status, _) = running.call("GET", &format!("/components/{odd}"), Value::Null).await;
        assert_eq!(status, 404, "{odd}");
    }
}

/// The SDK of a Terraform provider (`yannh/statuspage-go-sdk`) sends JSON without a `Content-Type`, every text that is not
/// set as an empty one, and crashes on an answer without it.
#[tokio::test]
async fn what_the_sdk_of_a_terraform_provider_sends_is_understood() {
    let running = Running::start().await;
    let send = async |method: &str, path: &str, body: Value| {
        let request = running.request(method, path).header("Content-Type", "");
        let mut request = request.body(body.to_string()).build().unwrap();
        request.headers_mut().remove("Content-Type");
        let response = running.client.execute(request).await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(status, if method == "POST" { 201 } else { 200 }, "{method} {path}");
        response.json::<Value>().await.unwrap()
    };
    let component = json!({"component": {"name": "API", "description": "test component", "status": "operational",
                                         "only_show_if_degraded": false, "showcase": true, "start_date": "2023-01-01"}});
    let component = send("POST", "/components", component).await;
    assert_eq!(
        (&component["showcase"], &component["start_date"]),
        (&json!(true), &json!("2023-01-01"))
    );
    let path = format!("/components/{}", text(&component["id"]));
    let change = json!({"component": {"name": "API", "description": "updated component", "status": "major_outage",
                                      "only_show_if_degraded": false, "showcase": false}});
    let component = send("PATCH", &path, change).await;
    assert_eq!(
        (&component["status"], &component["showcase"]),
        (&json!("major_outage"), &json!(false))
    );
    let group =
        json!({"description": "Acc. Tests", "component_group": {"name": "Core", "components": [component["id"]]}});
    let group = send("POST", "/component-groups", group).await;
    assert_eq!(group["description"], "Acc. Tests");
    assert_eq!(group["components"], json!([component["id"]]));
    let provider = json!({"metrics_provider": {"email": "", "password": "", "api_key": "a", "api_token": "",
                                               "application_key": "b", "type": "Datadog", "metric_base_uri": ""}});
    let provider = send("POST", "/metrics_providers", provider).await;
    assert_eq!(provider["type"], "Datadog");
    let metric = json!({"metric": {"name": "Forum", "metric_identifier": "sum:requests", "transform": "", "suffix": "",
                                   "y_axis_min": 0, "y_axis_max": 0, "y_axis_hidden": false, "display": false,
                                   "decimal_places": 0, "tooltip_description": ""}});
    let path = format!("/metrics_providers/{}/metrics", text(&provider["id"]));
    let made = send("POST", &path, metric.clone()).await;
    let path = format!("/metrics/{}", text(&made["id"]));
    let changed = send("PATCH", &path, metric.clone()).await;
    for answer in [made, changed, running.get(&path).await] {
        for (key, value) in metric["metric"].as_object().unwrap() {
            // The service never shows it.
            if key != "transform" {
                let same = answer[key] == *value || answer[key].as_f64().is_some_and(|n| Some(n) == value.as_f64());
                assert!(same, "{key}: {answer}");
            }
        }
    }
}

/// What the server sends until it closes the connection.
async fn until_closed(running: &Running, sent: &str) -> String {
    let address = running.origin.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut read = String::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut read))
        .await
        .expect("the server closes the connection")
        .unwrap();
    read
}

#[tokio::test]
async fn a_slow_client_does_not_keep_its_connection() {
    let running = Running::start_with(ServerOptions {
        patience: Duration::from_millis(100),
        ..options()
    })
    .await;
    assert_eq!(until_closed(&running, "").await, "", "silent");
    assert_eq!(
        until_closed(&running, "GET /v1/pages HTTP/1.1\r\nHost:").await,
        "",
        "in the middle of its head"
    );
    let half = format!(
        "POST /v1/pages/{PAGE}/components HTTP/1.1\r\nHost: a\r\nAuthorization: {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 40\r\n\r\n{{\"component\""
    );
    let answer = until_closed(&running, &half).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let garbled = half.replace("Content-Length: 40", "Transfer-Encoding: chunked");
    let answer = until_closed(&running, &garbled).await;
    assert!(
        answer.starts_with("HTTP/1.1 400 "),
        "no slow client, but no request either: {answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    let whole = format!("GET /v1/pages HTTP/1.1\r\nHost: a\r\nAuthorization: {TOKEN}\r\n\r\n");
    let answer = until_closed(&running, &whole).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "idle after its answer: {answer}");
    // Only the last one was a request.
    assert_eq!(running.server.log().count("", ""), 1);
    assert_eq!(running.get("/components").await, json!([]));
}

#[tokio::test]
async fn the_server_ends_though_answers_are_withheld() {
    let running = Running::start().await;
    running.server.faults().next(1, "GET", "", Effect::Ignore);
    let waiting = tokio::spawn(running.request("GET", "").send());
    while running.server.faults().pending() > 0 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn answers_carry_an_id_and_empty_ones_no_content_type() {
    let running = Running::start().await;
    let id = running.component("API").await;
    let response = running
        .request("DELETE", &format!("/components/{id}.json"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.headers().get("content-type").is_none());
    assert!(response.headers().get("x-request-id").is_some());
    let response = running.request("GET", ".json").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn bracketed_forms_say_the_same_as_json() {
    let running = Running::start().await;
    let form = |method: &str, path: &str, body: &str| {
        answer(
            running
                .request(method, path)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(body.to_owned()),
        )
    };
    let (status, component) = form(
        "POST",
        "/components.json",
        "component[name]=API+%26+more&component[showcase]=false",
    )
    .await;
    assert_eq!(status, 201);
    assert_eq!(
        (&component["name"], &component["showcase"]),
        (&json!("API & more"), &json!(false))
    );
    let id = component["id"].as_str().unwrap();
    let body = format!(
        "incident[name]=Down&incident[component_ids][]={id}&incident[components][{id}]=major_outage\
         &incident[metadata][tool][uid]=1&incident[deliver_notifications]=false"
    );
    let (status, incident) = form("POST", "/incidents", &body).await;
    assert_eq!(status, 201);
    assert_eq!(incident["impact"], "critical");
    assert_eq!(incident["metadata"], json!({"tool": {"uid": "1"}}));
    assert_eq!(running.server.notifications(), []);
    assert_eq!(form("POST", "/components", "component[name=x").await.0, 400);
}

#[tokio::test]
async fn bad_bodies_are_refused() {
    let running = Running::start().await;
    let json_body = |body: &str| {
        answer(
            running
                .request("POST", "/components")
                .header("Content-Type", "application/json")
                .body(body.to_owned()),
        )
    };
    assert_eq!(json_body("{").await.0, 400);
    let untyped = |body: &str| answer(running.request("POST", "/components").body(body.to_owned()));
    assert_eq!(
        untyped(" {\"component\": {\"name\": \"json\"}}").await.1["name"],
        "json"
    );
    assert_eq!(untyped("component[name]=form").await.1["name"], "form");
    assert_eq!(untyped("{\"component\": ").await.0, 400);
    assert_eq!(
        untyped("whatever").await,
        (400, json!({"error": "component is missing"}))
    );
    assert_eq!(json_body("{}").await, (400, json!({"error": "component is missing"})));
    assert_eq!(
        json_body("{\"component\": {}}").await,
        (422, json!({"error": ["Name can't be blank"]}))
    );
    running
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.error_shape = ErrorShape::Message);
    assert_eq!(
        json_body("{\"component\": {}}").await,
        (422, json!({"message": "Name can't be blank"}))
    );
}

#[tokio::test]
async fn the_budget_is_a_rolling_window_of_a_minute() {
    let running = Running::start_with(ServerOptions {
        rate_limit: 5,
        ..options()
    })
    .await;
    for _ in 0..5 {
        assert_eq!(running.call("GET", "", Value::Null).await.0, 200);
        running.advance(1).await;
    }
    for _ in 0..3 {
        let response = running.request("GET", "").send().await.unwrap();
        assert_eq!(response.status(), 420);
        assert_eq!(response.headers()["retry-after"], "55");
    }
    assert_eq!(running.server.log().peak_per_minute(), 8);
    assert_eq!(running.server.log().answered(420), 3);
    running.advance(55).await;
    assert_eq!(running.call("GET", "", Value::Null).await.0, 200);
    running
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.throttle_status = 429);
    assert_eq!(running.call("GET", "", Value::Null).await.0, 429);
}

#[tokio::test]
async fn lists_without_paging_are_once_a_minute() {
    let running = Running::start_with(ServerOptions {
        rate_limit: 60,
        ..options()
    })
    .await;
    assert_eq!(running.call("GET", "/components.json", Value::Null).await.0, 200);
    let response = running.request("GET", "/components").send().await.unwrap();
    assert_eq!(response.status(), 420);
    assert_eq!(response.headers()["retry-after"], "60");
    for _ in 0..5 {
        assert_eq!(
            running
                .call("GET", "/components?page=1&per_page=100", Value::Null)
                .await
                .0,
            200
        );
    }
    running.advance(60).await;
    assert_eq!(running.call("GET", "/components", Value::Null).await.0, 200);
    let unlimited = Running::start().await;
    for _ in 0..70 {
        assert_eq!(unlimited.call("GET", "/components", Value::Null).await.0, 200);
    }
}

#[tokio::test]
async fn lists_are_cut_into_pages() {
    let running = Running::start().await;
    for number in 0..103 {
        running.component(&format!("c{number}")).await;
    }
    assert_eq!(running.get("/components").await.as_array().unwrap().len(), 100);
    assert_eq!(
        column(&running.get("/components?page=2").await, "name"),
        ["c100", "c101", "c102"]
    );
    assert_eq!(
        running
            .get("/components?page=1&per_page=1100")
            .await
            .as_array()
            .unwrap()
            .len(),
        103
    );
    assert_eq!(running.get("/components?page=9").await, json!([]));
    running
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.components_ceiling = 100);
    assert_eq!(
        running.get("/components?per_page=1100").await.as_array().unwrap().len(),
        100
    );
    assert_eq!(running.call("GET", "/components?per_page=x", Value::Null).await.0, 400);
}

#[tokio::test]
async fn faults_hit_the_requests_they_name() {
    let running = Running::start().await;
    let faults = running.server.faults();
    let fail = Effect::Answer {
        status: 503,
        body: None,
        retry_after: Some(7),
    };
    faults.next(1, "GET", "/components", fail);
    let response = running.request("GET", "/components").send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "7")
    );
    assert_eq!(running.get("/components").await, json!([]));

    faults.next(1, "POST", "/components", Effect::LoseReply);
    let body = json!({"component": {"name": "made all the same"}});
    assert!(running.request("POST", "/components").json(&body).send().await.is_err());
    assert_eq!(column(&running.get("/components").await, "name"), ["made all the same"]);

    faults.next(1, "POST", "/components", Effect::LoseRequest);
    assert!(running.request("POST", "/components").json(&body).send().await.is_err());
    assert_eq!(running.get("/components").await.as_array().unwrap().len(), 1);

    faults.next(1, "GET", "/components", Effect::TruncateBody);
    let response = running.request("GET", "/components").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    faults.next(1, "GET", "/components", Effect::Delay(Duration::from_millis(1)));
    assert_eq!(running.get("/components").await.as_array().unwrap().len(), 1);
    assert_eq!(faults.pending(), 0);
}

#[tokio::test]
async fn pages_are_changed_in_what_is_documented() {
    let running = Running::start().await;
    running.advance(5).await;
    let page = running
        .ok(
            "PATCH",
            "",
            json!({"page": {"name": "Acme Status", "css_greens": "#2FCC66", "subdomain": "acme.statuspage.io",
                            "headline": "ignored", "allow_sms_subscribers": false, "url": ""}}),
        )
        .await;
    assert_eq!(page["name"], "Acme Status");
    assert_eq!(page["css_greens"], "2FCC66");
    assert_eq!(page["subdomain"], "acme");
    assert_eq!(page["headline"], Value::Null);
    assert_eq!(page["url"], Value::Null);
    assert_eq!(page["allow_sms_subscribers"], false);
    assert_eq!(page["updated_at"], "2026-03-01T12:00:05Z");
    assert_eq!(running.get("").await, page);
    assert_eq!(running.server.pages()[0].name, "Acme Status");
    assert_eq!(running.call("PATCH", "", json!({"page": {"name": ""}})).await.0, 422);
    let zone = json!({"page": {"time_zone": "Pacific Time (US & Canada)", "subdomain": "Acme-2"}});
    let page = running.ok("PATCH", "", zone).await;
    assert_eq!(page["time_zone"], "Pacific Time (US & Canada)");
    assert_eq!(page["subdomain"], "acme-2");
    for (bad, text) in [
        (json!({"time_zone": "Mars"}), "Time zone is not included in the list"),
        (json!({"time_zone": ""}), "Time zone can't be blank"),
        (json!({"subdomain": "a b"}), "Subdomain is invalid"),
        (json!({"subdomain": "a".repeat(64)}), "Subdomain is invalid"),
        (
            json!({"notifications_from_email": "nobody"}),
            "Notifications from email is invalid",
        ),
        (
            json!({"domain": "x".repeat(256)}),
            "Domain is too long (maximum is 255 characters)",
        ),
    ] {
        let refused = running.call("PATCH", "", json!({ "page": bad })).await;
        assert_eq!(refused, (422, json!({"error": [text]})), "{bad}");
    }
    assert_eq!(running.get("").await, page);
    assert_eq!(running.call("DELETE", "", Value::Null).await.0, 405);
}

#[tokio::test]
async fn no_two_pages_have_one_subdomain() {
    let mut options = options();
    options.pages.push(PageSeed {
        id: Some("Page00000002".to_owned()),
        name: "Acme".to_owned(),
    });
    let running = Running::start_with(options).await;
    let other = |body: Value| {
        let url = format!("{}/v1/pages/Page00000002", running.origin);
        let request = running.client.patch(url).header("Authorization", TOKEN);
        answer(request.json(&json!({ "page": body })))
    };
    assert_eq!(running.get("").await["subdomain"], "acme");
    assert_eq!(other(json!({"name": "Acme 2"})).await.1["subdomain"], "page00000002");
    assert_eq!(
        other(json!({"subdomain": "acme"})).await,
        (422, json!({"error": ["Subdomain has already been taken"]}))
    );
    assert_eq!(other(json!({"subdomain": "acme2"})).await.0, 200);
    running.ok("PATCH", "", json!({"page": {"subdomain": "acme"}})).await;
}
