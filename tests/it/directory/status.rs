//! `statuspage status`: a page in the terminal, three ways to it, requests counted.

use serde_json::{Value, json};
use statuspage_operator::server::{PageSeed, ServerOptions};

use super::{Directory, Local, PAGE, TOKEN, code, finish, options, page, shown, stderr, stdout};

/// A page with a group, an open incident, a maintenance under way and one ahead.
async fn troubled() -> Local {
    let local = Local::start().await;
    let mut ids = Vec::new();
    for name in ["API", "Search", "Docs"] {
        let made = local
            .call("POST", "/components", json!({"component": {"name": name}}))
            .await;
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let group = json!({"component_group": {"name": "Core", "components": [ids[0], ids[1]]}});
    local.call("POST", "/component-groups", group).await;
    let incident = json!({"incident": {
        "name": "Slow API", "status": "investigating", "body": "We are looking into it.",
        "components": {&ids[0]: "partial_outage"}, "component_ids": [ids[0]],
    }});
    local.call("POST", "/incidents", incident).await;
    let ahead = json!({"incident": {
        "name": "Upgrade", "body": "Reads go on.", "status": "scheduled", "component_ids": [ids[2]],
        "scheduled_for": "2099-03-01T22:00:00Z", "scheduled_until": "2099-03-01T23:30:00Z",
    }});
    local.call("POST", "/incidents", ahead).await;
    let running = json!({"incident": {
        "name": "Switch", "body": "It goes on.", "status": "in_progress",
        "scheduled_for": "2020-03-01T22:00:00Z", "scheduled_until": "2099-03-01T23:30:00Z",
    }});
    local.call("POST", "/incidents", running).await;
    local.log().clear();
    local
}

/// What a page looks like, apart from its times.
fn is_the_troubled_page(said: &str) {
    for line in [
        "Acme",
        "Minor Service Outage",
        "Open incidents",
        "  Slow API",
        "    Affects API",
        "    We are looking into it.",
        "Maintenance under way",
        "  Switch",
        "Core",
        "  API     Partial Outage",
        "  Search  Operational",
        "Docs      Operational",
        "Scheduled maintenance",
        "    Mar 01, 2099 - 22:00 to 23:30 UTC",
    ] {
        assert!(
            said.lines()
                .any(|known| known == line || line == "Acme" && known.starts_with("Acme")),
            "{line}: {said}"
        );
    }
    assert!(
        !said.contains('\u{1b}') && !said.contains('●'),
        "no colour and no symbol in a pipe: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_shown_by_its_id() {
    let local = troubled().await;
    let output = finish(local.command(&["status", "--page", PAGE])).await;
    assert_eq!(code(&output), 2, "{}", shown(&output));
    is_the_troubled_page(&stdout(&output));
    assert!(
        !stdout(&output).contains("statuspage.io"),
        "an address that is not its own: {}",
        stdout(&output)
    );
    assert_eq!(
        local.log().entries().len(),
        5,
        "the list of pages and four lists of this one"
    );
    assert_eq!(local.log().writes(), 0);
    let output = finish(local.command(&["--color", "always", "status", "--page", PAGE])).await;
    assert!(
        stdout(&output).contains('\u{1b}') && stdout(&output).contains('■'),
        "{}",
        stdout(&output)
    );

    let output = finish(local.command(&["status", "--page", "page99999999"])).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("the token sees no page with id page99999999"),
        "{}",
        stderr(&output)
    );
    let mut command = local.command(&["status", "--page", PAGE]);
    command.env_remove("STATUSPAGE_TOKEN");
    let output = finish(command).await;
    assert_eq!(
        (code(&output), stderr(&output).contains("STATUSPAGE_TOKEN")),
        (1, true),
        "{}",
        shown(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_look_at_a_public_page() {
    let local = troubled().await;
    let origin = local.url.trim_end_matches("/v1").to_owned();
    for address in [
        origin.clone(),
        format!("{origin}/api/v2/summary.json"),
        format!("{origin}/"),
    ] {
        local.log().clear();
        let mut command = local.command(&["status", "--url", &address]);
        // Not even a token that is no token is looked at.
        command.env("STATUSPAGE_TOKEN", "a b");
        let output = finish(command).await;
        assert_eq!(code(&output), 2, "{}", shown(&output));
        is_the_troubled_page(&stdout(&output));
        let entries = local.log().entries();
        assert_eq!(entries.len(), 1, "one request: {entries:?}");
        assert_eq!(
            (entries[0].path.as_str(), entries[0].token),
            ("/api/v2/summary.json", None)
        );
    }
    for (address, said) in [
        ("http://127.0.0.1:1", "cannot reach"),
        ("ftp://example.com", "it must begin with https://"),
        ("https://me:hunter2@example.com", "credentials do not belong in it"),
    ] {
        let output = finish(local.command(&["status", "--url", address])).await;
        assert_eq!(code(&output), 1, "{}", shown(&output));
        assert!(
            stderr(&output).contains(said) && !stderr(&output).contains("hunter2"),
            "{}",
            stderr(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_moved_is_followed_and_what_is_none_is_told() {
    let local = troubled().await;
    let origin = local.url.trim_end_matches("/v1").to_owned();
    let gone = axum::Router::new()
        .route(
            "/api/v2/summary.json",
            axum::routing::get(move || async move {
                axum::response::Redirect::permanent(&format!("{origin}/api/v2/summary.json"))
            }),
        )
        .fallback(|| async { axum::http::StatusCode::NOT_FOUND });
    let circle = axum::Router::new().fallback(|headers: axum::http::HeaderMap| async move {
        let host = headers["host"].to_str().unwrap().to_owned();
        axum::response::Redirect::temporary(&format!("http://{host}/again"))
    });
    let other = axum::Router::new().fallback(|| async { r#"{"fine": true, "page": null}"# });
    let none = axum::Router::new().fallback(|| async { axum::http::StatusCode::NOT_FOUND });
    let private = axum::Router::new().fallback(|| async { axum::http::StatusCode::UNAUTHORIZED });
    for (router, exit, said) in [
        (gone, 2, "Slow API"),
        (circle, 1, "leads from one address to the next"),
        (other, 1, "it does not say of which page it is"),
        (none, 1, "there is no page of Statuspage at http://127.0.0.1:"),
        (private, 1, "is not for everybody"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let output = finish(local.command(&["status", "--url", &address])).await;
        assert_eq!(code(&output), exit, "{said}: {}", shown(&output));
        assert!(shown(&output).contains(said), "{said}: {}", shown(&output));
    }
}

async fn two_pages() -> Local {
    let pages = [("page00000001", "Acme"), ("page00000002", "Second")].map(|(id, name)| PageSeed {
        id: Some(id.to_owned()),
        name: name.to_owned(),
    });
    Local::start_with(ServerOptions {
        pages: pages.into(),
        ..options()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_shows_its_pages_by_id_and_by_subdomain() {
    let local = two_pages().await;
    let directory = Directory::new();
    let second = page("")
        .replace("name: acme", "name: second")
        .replace(&format!("pageId: {PAGE}"), "subdomain: second");
    directory.write("second.yaml", &second);
    let output = local.run("status", &directory).await;
    assert_eq!(code(&output), 0, "all is well: {}", shown(&output));
    let said = stdout(&output);
    assert_eq!(said.matches("All Systems Operational").count(), 2, "{said}");
    assert!(
        said.contains("\n\nSecond\n") && said.contains("No open incident."),
        "{said}"
    );
    assert_eq!(local.log().entries().len(), 9, "one list of pages, four lists of each");

    let output = finish(local.command(&["status", directory.text(), "-o", "json"])).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["pages"][1]["name"], "Second");
    assert_eq!(report["pages"][0]["indicator"], "none");
    assert_eq!(report["pages"][0]["incidents"], json!([]));

    let output = finish(local.command(&["status", Directory::empty().text()])).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("no declaration") || stderr(&output).contains("no StatusPage"),
        "{}",
        stderr(&output)
    );
    for wrong in [
        &["status"][..],
        &["status", "x", "--page", "y"],
        &["status", "--page", "y", "--url", "z"],
    ] {
        assert_eq!(code(&finish(local.command(wrong)).await), 1, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_ways_say_the_same() {
    let local = troubled().await;
    let directory = Directory::new();
    let origin = local.url.trim_end_matches("/v1").to_owned();
    let mut reports = Vec::new();
    for source in [&["--page", PAGE][..], &["--url", &origin], &[directory.text()]] {
        let mut arguments = vec!["status", "-o", "json"];
        arguments.extend(source);
        let output = finish(local.command(&arguments)).await;
        assert_eq!(code(&output), 2, "{}", shown(&output));
        let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let page = report["pages"][0].as_object_mut().unwrap();
        // The public address is known from the public document alone.
        page.remove("url");
        reports.push(report);
    }
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], reports[2]);
    let shown = &reports[0]["pages"][0];
    assert_eq!(
        (&shown["indicator"], &shown["description"]),
        (&json!("minor"), &json!("Minor Service Outage"))
    );
    let groups: Vec<&Value> = (shown["components"].as_array().unwrap().iter())
        .map(|row| &row["group"])
        .collect();
    assert_eq!(groups, [&Value::Null, &json!("Core"), &json!("Core")]);
    assert_eq!(
        shown["incidents"][0]["latest_update"]["body"],
        "We are looking into it."
    );
    assert_eq!(shown["incidents"][0]["components"], json!(["API"]));
    assert_eq!(shown["maintenances"][1]["scheduled_until"], "2099-03-01T23:30:00Z");
}

/// What other commands of the directory have sent in the last minute counts.
#[tokio::test(flavor = "multi_thread")]
async fn looking_stays_inside_the_window_of_the_directory() {
    let local = Local::start().await;
    let directory = Directory::new();
    let mut sent = 0;
    for command in ["status", "status", "plan"] {
        let output = finish(local.command(&[command, directory.text(), "--requests-per-minute", "60"])).await;
        assert_ne!(code(&output), 1, "{}", shown(&output));
        sent = local.log().entries().len();
    }
    let record = std::fs::read_dir(directory.path().join(".statuspage")).unwrap();
    let record = record
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("requests-"))
        .unwrap();
    let text = std::fs::read_to_string(record).unwrap();
    assert!(!text.contains(TOKEN));
    let record: Value = serde_json::from_str(&text).unwrap();
    let processes = record["processes"].as_object().unwrap().values();
    let ended = processes.flat_map(|usage| usage["ended"].as_array().unwrap());
    let counted: u64 = ended.map(|spent| spent["requests"].as_u64().unwrap()).sum();
    assert_eq!(counted, sent as u64);
}

/// Somebody gives the name of a page to another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_subdomain_that_another_page_has_now_is_not_followed() {
    let local = two_pages().await;
    let directory = Directory::empty();
    directory.write(
        "page.yaml",
        &page("").replace(&format!("pageId: {PAGE}"), "subdomain: acme"),
    );
    directory.write("api.yaml", &super::declaration("Component", "api", &["name: API"]));
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let rename = async |page: &str, subdomain: &str| {
        let url = format!("{}/pages/{page}", local.url);
        let client = reqwest::Client::new()
            .patch(url)
            .header("authorization", format!("OAuth {TOKEN}"));
        let answer = client
            .json(&json!({"page": {"subdomain": subdomain}}))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    };
    rename("page00000001", "acme-old").await;
    rename("page00000002", "acme").await;
    directory.edit("api.yaml", "name: API", "name: Public API");
    local.log().clear();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(
        shown(&output).contains("subdomain acme is page page00000002 now"),
        "{}",
        shown(&output)
    );
    assert_eq!(local.log().writes(), 0, "{}", shown(&output));
    directory.edit("page.yaml", "subdomain: acme", "pageId: page00000001");
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.log().writes(), 1, "{}", shown(&output));
}
