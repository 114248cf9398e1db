//! Everything that people get wrong: each says what to do, ends with 1, and stops nothing else.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Directory, Local, code, components, declaration, finish, page, shown, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_do_not_work() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));

    let mut wrong = local.command(&["apply", directory.text()]);
    wrong.env("STATUSPAGE_TOKEN", "not-the-token");
    let output = finish(wrong).await;
    assert_eq!(code(&output), 1);
    let said = stdout(&output);
    assert!(
        said.contains("Unauthorized") && said.contains("Could not authenticate"),
        "{said}"
    );
    assert!(
        said.contains("3 declarations wait for StatusPage default/acme"),
        "{said}"
    );
    assert!(said.contains("nothing was changed; 0 of 4 as declared"), "{said}");
    assert!(!shown(&output).contains("not-the-token"));

    let mut none = local.command(&["plan", directory.text()]);
    none.env_remove("STATUSPAGE_TOKEN");
    let output = finish(none).await;
    assert_eq!(code(&output), 1);
    assert!(
        stdout(&output).contains("set STATUSPAGE_TOKEN, or give --token-file"),
        "{}",
        shown(&output)
    );

    let output = finish(local.command(&["plan", directory.text(), "--token-file", "/no/such/token"])).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("cannot read the token file /no/such/token: No such file"),
        "{}",
        shown(&output)
    );

    // A file wins over the environment, and a line end is no part of a token.
    let file = directory.path().join("token.txt");
    std::fs::write(&file, format!("{}\n", super::TOKEN)).unwrap();
    let mut given = local.command(&["plan", directory.text(), "--token-file", file.to_str().unwrap()]);
    given.env("STATUSPAGE_TOKEN", "not-the-token");
    let output = finish(given).await;
    assert_eq!(code(&output), 2, "{}", shown(&output));
    // After all of that an apply goes through.
    local.apply(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_there() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    directory.edit("page.yaml", super::PAGE, "zzzzzzzzzzzz");
    for command in ["plan", "apply"] {
        let output = local.run(command, &directory).await;
        assert_eq!(code(&output), 1);
        assert!(
            stdout(&output).contains("RemotePageNotFound: the token sees no page with id zzzzzzzzzzzz"),
            "{}",
            shown(&output)
        );
    }
    assert_eq!(local.log().writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    // Nothing listens on this port: it was given out and given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}/v1");
    let begun = Instant::now();
    let output = finish(local.command(&["apply", directory.text(), "--api-url", &url, "--timeout", "3"])).await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(code(&output), 1);
    let said = stdout(&output);
    assert!(
        said.contains("Unreachable") && said.contains("connection refused"),
        "{said}"
    );
    assert!(said.contains("check the API address"), "{said}");
    let output = finish(local.command(&["plan", directory.text(), "--api-url", &url])).await;
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("connection refused"), "{}", shown(&output));
    assert!(
        stdout(&output).contains("Nothing that apply could do"),
        "{}",
        shown(&output)
    );

    let output = finish(local.command(&["plan", directory.text(), "--api-url", "no address"])).await;
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).starts_with("error: "), "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_object_stops_only_itself() {
    let local = Local::start().await;
    let refused = statuspage_operator::server::Effect::Answer {
        status: 422,
        body: Some(json!({"error": ["Name is too long (maximum is 255 characters)"]}).to_string()),
        retry_after: None,
    };
    local.server.faults().next(1, "POST", "/components", refused);
    let directory = Directory::new();
    directory.write("components.yaml", &components(4));
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1);
    let said = stdout(&output);
    assert!(said.contains("! Component default/part-000: Rejected: "), "{said}");
    assert!(said.contains("Name is too long (maximum is 255 characters)"), "{said}");
    assert_eq!(said.matches("Rejected").count(), 1, "told once: {said}");
    assert!(said.contains("3 created; 4 of 5 as declared"), "{said}");
    assert_eq!(local.component_names().await, ["part-001", "part-002", "part-003"]);
    // The next apply tries again.
    local.apply(&directory).await;
    assert_eq!(local.component_names().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_declare_nothing() {
    let local = Local::start().await;
    let empty = Directory::empty();
    for command in ["plan", "apply", "sync", "dev"] {
        let mut missing = super::program();
        missing
            .args([command, "/no/such/directory"])
            .env("STATUSPAGE_TOKEN", "x");
        let output = finish(missing).await;
        assert_eq!(code(&output), 1);
        assert!(
            stderr(&output).contains("cannot read /no/such/directory: No such file"),
            "{command}: {}",
            shown(&output)
        );
    }
    for command in ["plan", "apply"] {
        let output = local.run(command, &empty).await;
        assert_eq!(code(&output), 1);
        assert!(
            stderr(&output).contains("no StatusPage is declared in "),
            "{}",
            shown(&output)
        );
    }
    let without_page = Directory::empty();
    without_page.write("components.yaml", &components(30));
    let output = local.run("apply", &without_page).await;
    assert_eq!(code(&output), 1);
    let said = stderr(&output);
    assert_eq!(
        said.matches("error: no StatusPage `acme` is declared").count(),
        1,
        "explained once: {said}"
    );
    assert!(said.contains("and at 24 other places"), "{said}");
    assert_eq!(local.log().count("", "/"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_of_which_one_does_not_work() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    directory.write(
        "other.yaml",
        &format!(
            "{}{}",
            page("").replace("acme", "other").replace(super::PAGE, "zzzzzzzzzzzz"),
            declaration("Component", "elsewhere", &[]).replace("acme", "other")
        ),
    );
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let said = stdout(&output);
    assert!(
        said.contains("StatusPage default/acme: 2 created; 3 of 3 as declared"),
        "{said}"
    );
    assert!(
        said.contains("StatusPage default/other: nothing was changed; 0 of 2 as declared"),
        "{said}"
    );
}
