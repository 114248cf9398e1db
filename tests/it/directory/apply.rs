//! What apply sends, and how little.

use serde_json::{Value, json};
use statuspage_operator::server::ServerOptions;

use super::{Directory, Local, code, components, declaration, finish, options, shown, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn applying_again_writes_nothing() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(5));
    let said = local.apply(&directory).await;
    assert!(said.contains("5 created; 6 of 6 as declared; 8 requests"), "{said}");
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_field_is_one_request_with_that_field() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(5));
    local.apply(&directory).await;
    local.log().clear();
    directory.edit("components.yaml", "A part.", "Another part.");
    local.apply(&directory).await;
    let writes: Vec<_> = local
        .log()
        .entries()
        .into_iter()
        .filter(|entry| entry.method != "GET")
        .collect();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].method, "PATCH");
    let body: Value = serde_json::from_str(&writes[0].body).unwrap();
    assert_eq!(body, json!({"component": {"description": "Another part."}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_components_cost_little() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(200));
    local.apply(&directory).await;
    let log = local.log();
    let (creates, reads) = (log.count("POST", "/"), log.count("GET", "/"));
    assert_eq!(log.writes(), creates);
    assert_eq!(creates, 200);
    assert!(reads <= 12, "{reads} reads");
    println!("creating 200 components: {creates} POST, {reads} GET");

    log.clear();
    let (report, code) = local.plan(&directory).await;
    assert_eq!((code, &report["pages"][0]["requests"]), (0, &json!(0)));
    let requests = log.count("", "/");
    assert_eq!(
        report["pages"][0]["requests_to_plan"],
        json!(requests),
        "the plan counts its own requests"
    );
    assert!(requests <= 8, "{requests} requests");
    println!("a plan of 200 components with nothing to do: {requests} requests");
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_token_is_never_exceeded() {
    let local = Local::start_with(ServerOptions {
        rate_limit: 60,
        ..options()
    })
    .await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(40));
    let output = finish(local.command(&["apply", directory.text(), "--requests-per-minute", "60"])).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(local.log().peak_per_minute() <= 60);
    assert_eq!(local.log().answered(420) + local.log().answered(429), 0);

    // With the window nearly used up, a plan says how long the rest will take, and apply ends when its time is up.
    directory.write("more.yaml", &components(80).replace("part-", "more-"));
    let output = finish(local.command(&[
        "apply",
        directory.text(),
        "--requests-per-minute",
        "20",
        "--timeout",
        "2",
    ]))
    .await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let said = stdout(&output);
    assert!(
        said.contains("2 s are over (--timeout): finishing the request that is under way."),
        "{said}"
    );
    assert!(said.contains("Stopped before the end: apply again to go on."), "{said}");
    assert!(local.log().peak_per_minute() <= 61, "one that was in the air");
    let lock = directory.lock();
    let created = local.component_names().await.len();
    let recorded = lock["objects"]
        .as_object()
        .unwrap()
        .values()
        .filter(|entry| entry["id"].is_string())
        .count();
    assert_eq!(created, recorded, "what was created is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_tells_what_was_done() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write(
        "components.yaml",
        &format!(
            "{}{}",
            components(2),
            declaration("Component", "lost", &["groupRef: {name: nowhere}"])
        ),
    );
    let output = finish(local.command(&["apply", directory.text(), "--output", "json"])).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], json!(1));
    assert_eq!(report["manifest_errors"], json!(1));
    let page = &report["pages"][0];
    assert_eq!(page["page"], json!("default/acme"));
    assert_eq!(page["created"], json!(2));
    assert_eq!(page["writes"], json!(2));
    assert_eq!(page["requests"], json!(local.log().count("", "/")));
    let ready: Vec<&str> = page["objects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|object| object["ready"] == json!(true))
        .map(|object| object["name"].as_str().unwrap())
        .collect();
    assert_eq!(ready, ["part-000", "part-001", "acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_directory_serves_two_servers() {
    let (one, two) = (Local::start().await, Local::start().await);
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    one.apply(&directory).await;
    let said = two.apply(&directory).await;
    assert!(said.contains("3 created"), "{said}");
    for local in [&one, &two] {
        assert_eq!(local.component_names().await.len(), 3);
        local.log().clear();
        let said = local.apply(&directory).await;
        assert!(said.contains("nothing to do"), "{said}");
    }
    for suffix in [".lock.json", ".status.json"] {
        let files = std::fs::read_dir(directory.path().join(".statuspage")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
        assert_eq!(names.filter(|name| name.ends_with(suffix)).count(), 2, "{suffix}");
    }
    assert!(!directory.path().join("statuspage.lock.json").exists());
}
