//! `statuspage api`: one request, with the token and inside its window, on record, and sent once.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use statuspage_operator::server::Effect;

use super::{Directory, Local, PAGE, TOKEN, code, finish, page, shown, stderr, stdout};
use crate::support::terminal::on_a_terminal;

/// The command, in a directory of nobody.
fn api(local: &Local, arguments: &[&str]) -> Command {
    let mut all = vec!["api"];
    all.extend(arguments);
    let mut command = local.command(&all);
    command.current_dir("/");
    command
}

async fn asked(local: &Local, arguments: &[&str]) -> Output {
    finish(api(local, arguments)).await
}

async fn answer(local: &Local, arguments: &[&str]) -> Value {
    let output = asked(local, arguments).await;
    assert_eq!(code(&output), 0, "{arguments:?}: {}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&output)))
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_make_the_body_and_the_method() {
    let local = Local::start().await;
    let collection = format!("/pages/{PAGE}/components");
    let made = answer(
        &local,
        &[
            &collection,
            "-f",
            "component[name]=API",
            "-F",
            "component[showcase]=true",
        ],
    )
    .await;
    assert_eq!((&made["name"], &made["showcase"]), (&json!("API"), &json!(true)));
    let one = format!("v1/pages/:page/components/{}", made["id"].as_str().unwrap());
    let changed = answer(
        &local,
        &["patch", &one, "--page", PAGE, "-f", "component[status]=major_outage"],
    )
    .await;
    assert_eq!(changed["status"], "major_outage");
    let listed = answer(
        &local,
        &[&format!("pages/{PAGE}/components?per_page=1"), "-q", "page=1"],
    )
    .await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let whole = format!("{}/pages/{PAGE}", local.url);
    assert_eq!(answer(&local, &["GET", &whole]).await["name"], "Acme");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("incident.json");
    let incident = json!({"incident": {"name": "Down", "status": "investigating", "body": "We look."}});
    std::fs::write(&file, incident.to_string()).unwrap();
    let incidents = "/pages/{page_id}/incidents";
    let posted = answer(
        &local,
        &["POST", incidents, "--page", PAGE, "--input", file.to_str().unwrap()],
    )
    .await;
    assert_eq!(posted["name"], "Down");

    let seen: Vec<String> = local
        .log()
        .entries()
        .iter()
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        seen,
        [
            format!("POST /v1/pages/{PAGE}/components"),
            format!("PATCH /v1/pages/{PAGE}/components/{id}"),
            format!("GET /v1/pages/{PAGE}/components"),
            format!("GET /v1/pages/{PAGE}"),
            format!("POST /v1/pages/{PAGE}/incidents"),
        ],
        "one request each"
    );
    let gone = asked(&local, &["DELETE", &one, "--page", PAGE]).await;
    assert_eq!((code(&gone), stdout(&gone).as_str()), (0, ""), "{}", shown(&gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_before_it_is_sent_sends_nothing() {
    let local = Local::start().await;
    for (arguments, said) in [
        (
            &["https://evil.example.com/v1/pages"][..],
            "the token is for nobody else",
        ),
        (&["GET", "//evil.example.com/pages"], "cannot be a part of a path"),
        (&["pages/../../x"], "cannot be a part of a path"),
        (&["pages/:page/components"], "nothing says which page the path means"),
        (&["GET"], "GET needs a path"),
        (&["TRACE", "/pages"], "TRACE is no method"),
        (&["GET", "/pages", "-f", "a=b"], "GET has no body"),
        (&["POST", "/pages", "--paginate"], "--paginate reads lists"),
        (&["/pages", "-f", "a"], "a field is key=value"),
        (
            &["/pages", "-f", "a=1", "-f", "a[b]=2"],
            "the field a[b] has parts here",
        ),
        (&["/pages", "-q", "=x"], "a parameter is name=value"),
        (&["POST", "/pages", "--input", "/no/such/file"], "/no/such/file"),
        (&["POST", "/pages", "--input", "/etc/hostname"], "is not JSON"),
        (
            &["POST", "/pages", "--events", "/no/such/place/events.db", "-f", "a=b"],
            "/no/such/place",
        ),
    ] {
        let output = asked(&local, arguments).await;
        assert_eq!(
            (code(&output), stdout(&output).as_str()),
            (1, ""),
            "{arguments:?}: {}",
            shown(&output)
        );
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
    let mut without = api(&local, &["/pages"]);
    without.env_remove("STATUSPAGE_TOKEN");
    assert!(stderr(&finish(without).await).contains("set STATUSPAGE_TOKEN"));
    assert_eq!(local.log().entries().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_words_of_the_remote() {
    let local = Local::start().await;
    let collection = format!("/pages/{PAGE}/components");
    let output = asked(&local, &[&collection, "-f", "component[status]=on_fire"]).await;
    assert_eq!(code(&output), 1);
    let said = stderr(&output);
    assert!(
        said.contains(&format!("POST {collection}: Statuspage answered 422: ")),
        "{said}"
    );
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(body["error"].is_array(), "and its answer on standard output: {body}");
    let output = asked(&local, &["/pages/page99999999/components", "--include"]).await;
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).starts_with("HTTP 404\n"), "{}", stdout(&output));
    assert!(stdout(&output).contains("\nx-request-id: "), "{}", stdout(&output));
    let mut stranger = api(&local, &["/pages"]);
    stranger.env("STATUSPAGE_TOKEN", "somebody-else");
    let output = finish(stranger).await;
    assert!(
        stderr(&output).contains("answered 401") && stderr(&output).contains("STATUSPAGE_TOKEN"),
        "{}",
        shown(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_twice_and_an_open_outcome_is_told() {
    let local = Local::start().await;
    let collection = format!("/pages/{PAGE}/components");
    let answered = |status| Effect::Answer {
        status,
        body: None,
        retry_after: None,
    };
    for (effect, made) in [
        (Effect::LoseReply, 1),
        (Effect::LoseRequest, 1),
        (Effect::TruncateBody, 2),
        (answered(503), 2),
    ] {
        local.log().clear();
        local.server.faults().next(1, "POST", "/components", effect.clone());
        let output = asked(&local, &[&collection, "-f", "component[name]=API"]).await;
        assert_eq!(code(&output), 1, "{effect:?}: {}", shown(&output));
        assert!(
            stderr(&output).contains("it is not known whether it was carried out, and it is not sent again"),
            "{effect:?}: {}",
            stderr(&output)
        );
        assert_eq!(local.log().count("POST", ""), 1, "{effect:?}");
        assert_eq!(local.component_names().await.len(), made, "{effect:?}");
    }
    // A refusal is none of these, and neither is a read.
    for (arguments, effect) in [
        (&[collection.as_str(), "-f", "component[name]=API"][..], answered(429)),
        (&[collection.as_str()], answered(503)),
        (&[collection.as_str()], Effect::LoseReply),
    ] {
        local.server.faults().next(1, "", "/components", effect.clone());
        let output = asked(&local, arguments).await;
        assert_eq!(code(&output), 1, "{effect:?}: {}", shown(&output));
        assert!(
            !stderr(&output).contains("not known"),
            "{effect:?}: {}",
            stderr(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_cut_out_of_what_comes_back() {
    let local = Local::start().await;
    let echo = axum::Router::new().fallback(|request: axum::extract::Request| async move {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let text = json!({"token": &token, "sent": body}).to_string();
        let status = if body.contains("refuse") { 422 } else { 200 };
        let headers = [("x-echo", token.clone()), ("set-cookie", "session=hunter2".to_owned())];
        (axum::http::StatusCode::from_u16(status).unwrap(), headers, text)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, echo).await.unwrap() });
    for (more, exit) in [("x", 0), ("refuse", 1)] {
        let field = format!("name={more}");
        let arguments = [
            "POST",
            "/pages",
            "--include",
            "-f",
            "password=correct-horse",
            "-f",
            &field,
        ];
        let mut command = api(&local, &arguments);
        command.env("STATUSPAGE_API_URL", &url);
        let output = finish(command).await;
        assert_eq!(code(&output), exit, "{}", shown(&output));
        let all = shown(&output);
        assert!(
            all.contains("x-echo: OAuth [redacted]") && all.contains("set-cookie: [redacted]"),
            "{all}"
        );
        for secret in [TOKEN, "correct-horse", "hunter2"] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_to_its_end() {
    let local = Local::start().await;
    for number in 0..5 {
        let name = json!({"component": {"name": format!("part {number}")}});
        local.call("POST", "/components", name).await;
    }
    local.log().clear();
    let collection = format!("/pages/{PAGE}/components");
    let rows = answer(&local, &[&collection, "--paginate", "-q", "per_page=2"]).await;
    let names: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["part 0", "part 1", "part 2", "part 3", "part 4"]);
    assert_eq!(local.log().entries().len(), 3, "two pages of two and one of one");
    local.log().clear();
    assert_eq!(
        answer(&local, &[&collection, "--paginate"])
            .await
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        answer(&local, &["/pages", "--paginate"])
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(local.log().entries().len(), 2);
    let output = asked(&local, &["/pages/page99999999/components", "--paginate"]).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(stderr(&output).contains("answered 404"), "{}", stderr(&output));
}

/// The directory says which page, which server and which token, and keeps the record of what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_fills_in_the_page_and_counts() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.edit("page.yaml", "api: {", &format!("api: {{url: \"{}\", ", local.url));
    let limited = |arguments: &[&str]| {
        let mut all = vec!["api", "--requests-per-minute", "8"];
        all.extend(arguments);
        let mut command = local.command(&all);
        command.env_remove("STATUSPAGE_API_URL").current_dir("/");
        command
    };
    let path = "/pages/:page/components";
    let output = finish(limited(&[path, "--directory", directory.text()])).await;
    assert_eq!(
        (code(&output), stdout(&output).as_str()),
        (0, "[]\n"),
        "{}",
        shown(&output)
    );
    // By its record and lock file a directory is known from inside.
    let mut inside = limited(&[path]);
    inside.current_dir(directory.path());
    let output = finish(inside).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.log().entries().len(), 2);

    // Six of eight are for anything; the others are kept for incidents.
    for _ in 0..4 {
        assert_eq!(
            code(&finish(limited(&[path, "--directory", directory.text()])).await),
            0
        );
    }
    let mut waits = super::Running::start(limited(&[path, "--directory", directory.text()]));
    let incidents = [
        "/pages/:page/incidents",
        "--directory",
        directory.text(),
        "-f",
        "incident[name]=Down",
    ];
    let output = finish(limited(&incidents)).await;
    assert_eq!(code(&output), 0, "an incident goes first: {}", shown(&output));
    assert!(!waits.has_ended(), "the window is used up for others");
    assert!(local.log().peak_per_minute() <= 8);

    directory.write(
        "second.yaml",
        &page("")
            .replace("name: acme", "name: second")
            .replace(PAGE, "page00000002"),
    );
    let output = finish(limited(&[path, "--directory", directory.text()])).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("the directory declares 2 pages; give --page ID"),
        "{}",
        stderr(&output)
    );
}

fn events(file: &Path) -> Command {
    let mut command = super::program();
    command.args(["events", "-o", "json", "--from", file.to_str().unwrap()]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_events_with_who_and_what_and_no_secret() {
    let local = Local::start().await;
    let directory = Directory::new();
    let file = directory.path().join("events.db");
    let run = |arguments: Vec<String>| {
        let mut all = vec!["--directory", directory.text(), "--events", file.to_str().unwrap()];
        all.extend(arguments.iter().map(String::as_str));
        let mut command = api(&local, &all);
        command.env("USER", "alice");
        finish(command)
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
    let collection = format!("/pages/{PAGE}");
    run(words(&format!("{collection}/components"))).await;
    let made = run(words(&format!("{collection}/components -f component[name]=API"))).await;
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let id = made["id"].as_str().unwrap();
    run(words(&format!(
        "PATCH {collection}/components/{id} -f component[status]=on_fire"
    )))
    .await;
    run(words(&format!(
        "{collection}/subscribers -f subscriber[email]=jo@example.com"
    )))
    .await;
    let provider = "metrics_provider[type]=Pingdom metrics_provider[email]=jo@example.com metrics_provider[password]=correct-horse metrics_provider[api_key]=battery-staple";
    let provider = provider
        .split(' ')
        .map(|field| format!(" -f {field}"))
        .collect::<String>();
    run(words(&format!("{collection}/metrics_providers{provider}"))).await;
    local
        .server
        .faults()
        .next(1, "DELETE", "/components", Effect::LoseReply);
    run(words(&format!("DELETE {collection}/components/{id}"))).await;

    let output = finish(events(&file)).await;
    let text = stdout(&output);
    for secret in [TOKEN, "correct-horse", "battery-staple", "jo@example.com"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let get = |event: &Value, name: &str| {
        let traits = event["traits"].as_array().unwrap();
        let found = traits.iter().find(|known| known["name"] == name);
        found.map_or(String::new(), |known| known["value"].as_str().unwrap().to_owned())
    };
    let seen: Vec<[String; 3]> = list
        .iter()
        .map(|event| {
            [
                event["event_type"].as_str().unwrap().to_owned(),
                get(event, "outcome"),
                get(event, "remote_id"),
            ]
        })
        .collect();
    assert_eq!(
        seen[..2],
        [
            ["component.create", "succeeded", id],
            ["component.update", "failed", id]
        ],
        "no event of the read: {text}"
    );
    assert_eq!(seen[2][..2], ["subscriber.create", "succeeded"]);
    assert_eq!(seen[3][0], "metrics_provider.create");
    assert_eq!(seen[4], ["component.delete", "unknown", id]);
    for event in &list {
        assert_eq!(
            (
                get(event, "who"),
                get(event, "page"),
                get(event, "page_id"),
                get(event, "namespace")
            ),
            (
                "alice".to_owned(),
                "default/acme".to_owned(),
                PAGE.to_owned(),
                "default".to_owned()
            )
        );
    }
    assert_eq!(list[0]["raw"]["summary"], format!("POST {collection}/components"));
    assert_eq!(
        list[0]["raw"]["changes"],
        json!([{"field": "component.name", "to": "API"}])
    );
    assert_eq!(get(&list[1], "http_status"), "422");
    assert_eq!(list[2]["raw"]["changes"][0]["to"], "j…@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_json_has_line_breaks() {
    let local = Local::start().await;
    let output = finish(on_a_terminal(&api(&local, &[&format!("/pages/{PAGE}")]), &[])).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(
        stdout(&output).contains("\r\n  \"name\": \"Acme\",\r\n"),
        "{}",
        stdout(&output)
    );
    let output = asked(&local, &[&format!("/pages/{PAGE}")]).await;
    assert_eq!(stdout(&output).lines().count(), 1, "as it came: {}", stdout(&output));
}
