//! What the commands say about tokens, addresses, TLS, pages and deletions that are not what they should be.

use super::{Directory, Local, PAGE, Running, code, components, declaration, finish, program, shown, stderr, stdout};

/// A command with another token.
async fn with_token(local: &Local, directory: &Directory, token: &str) -> std::process::Output {
    let mut command = local.command(&["plan", directory.text()]);
    command.env("STATUSPAGE_TOKEN", token);
    finish(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_token_is_said_with_the_place_of_it() {
    let local = Local::start().await;
    let directory = Directory::new();
    for (token, said) in [
        (
            "hunter2 hunter3",
            "error: STATUSPAGE_TOKEN: the API token cannot be used: it has a space in the middle",
        ),
        (
            "hunter2\nhunter3",
            "it has a line break in the middle: give one token, on one line",
        ),
        ("\"hunter2\"", "it is in quotes, which are not part of it"),
        ("Bearer hunter2", "it begins with `Bearer`: give the token alone"),
    ] {
        let output = with_token(&local, &directory, token).await;
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains(said), "{}", shown(&output));
        assert!(!shown(&output).contains("hunter"), "{}", shown(&output));
    }
    for empty in ["", "  "] {
        let output = with_token(&local, &directory, empty).await;
        let said = "STATUSPAGE_TOKEN is empty: put the API token into it, or give --token-file";
        assert!(stdout(&output).contains(said), "{}", shown(&output));
    }
    let file = directory.path().join("empty.token");
    std::fs::write(&file, "\n").unwrap();
    let file = file.to_str().unwrap();
    let output = finish(local.command(&["plan", directory.text(), "--token-file", file])).await;
    let said = format!("error: {file}: the API token cannot be used: it is empty");
    assert!(stderr(&output).contains(&said), "{}", shown(&output));
    let mut other = local.command(&["plan", directory.text()]);
    other
        .env_remove("STATUSPAGE_TOKEN")
        .env("STATUSPAGE_SECRET_TOKEN_TOKEN", "hunter2 hunter3");
    let output = finish(other).await;
    assert!(!shown(&output).contains("hunter"), "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_nearly_right_is_completed() {
    let local = Local::start().await;
    let directory = Directory::new();
    let url = local.url.clone();
    let plan = async |address: &str| finish(local.command(&["plan", directory.text(), "--api-url", address])).await;
    for (address, said) in [
        (
            url.trim_start_matches("http://"),
            format!("it has no scheme; write {url}"),
        ),
        (
            "https://api.statuspage.io",
            "the API of Statuspage is at https://api.statuspage.io/v1".to_owned(),
        ),
        ("http://status.example/v1", "begin it with https://".to_owned()),
    ] {
        let output = plan(address).await;
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains(&said), "{}", shown(&output));
    }
    let root = url.trim_end_matches("/v1");
    let output = plan(root).await;
    let said = format!(
        "list pages: Statuspage answered 404: Not found; check the API address {root}, which usually ends with /v1"
    );
    assert!(stdout(&output).contains(&said), "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_where_there_is_none_and_an_unknown_authority_are_told_apart() {
    let local = Local::start().await;
    let directory = Directory::new();
    let plan = async |address: &str, authority: Option<&std::path::Path>| {
        let mut command = local.command(&["plan", directory.text(), "--api-url", address]);
        command.envs(authority.map(|file| ("SSL_CERT_FILE", file)));
        stdout(&finish(command).await)
    };
    let tls = local.url.replace("http://", "https://");
    let said = plan(&tls, None).await;
    let wanted = format!(
        "list pages: cannot reach {tls}: the port does not speak TLS; for plain HTTP the address begins with http://\n"
    );
    assert!(said.contains(&wanted), "{said}");
    assert!(
        said.contains("`plan` does not retry: run it again once Statuspage answers."),
        "{said}"
    );

    let keys = tempfile::tempdir().unwrap();
    crate::admin::tls::authority(keys.path());
    let file = |name: &str| keys.path().join(name).to_str().unwrap().to_owned();
    let served = Directory::new();
    let mut dev = program();
    dev.args(["dev", served.text(), "--listen", "127.0.0.1:0", "--data", ":memory:"]);
    dev.args(["--http-listen", "127.0.0.1:0"]);
    dev.args(["--http-tls-certificate", &file("apiserver.crt")]);
    dev.args(["--http-tls-key", &file("apiserver.key")]);
    let dev = Running::start(dev);
    let said = dev.says("/openapi.json").await;
    let address = said
        .split("HTTP API at ")
        .nth(1)
        .unwrap()
        .split("/openapi.json")
        .next()
        .unwrap();
    let address = format!("{address}/v1");
    let said = plan(&address, None).await;
    let wanted =
        "its certificate is signed by a CA that is not trusted here; set SSL_CERT_FILE to a PEM file with its CA";
    assert!(said.contains(wanted), "{said}");
    let said = plan(&address, Some(&keys.path().join("ca.crt"))).await;
    assert!(said.contains("answered 404"), "the authority is trusted: {said}");
    let said = plan(&address.replace("https://", "http://"), None).await;
    assert!(
        said.contains("if the port speaks TLS, the address begins with https://"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_page_id_names_the_pages_that_the_token_sees() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.edit("page.yaml", PAGE, "zzzzzzzzzzzz");
    let output = local.run("plan", &directory).await;
    let said = format!("the token sees no page with id zzzzzzzzzzzz, only {PAGE} (");
    assert!(stdout(&output).contains(&said), "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deletions_that_are_held_back_are_told_once() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(50));
    local.apply(&directory).await;
    directory.remove("components.yaml");
    for arguments in [&["plan"][..], &["apply"], &["plan", "--output", "markdown"]] {
        let arguments = [arguments, &[directory.text()]].concat();
        let output = finish(local.command(&arguments)).await;
        assert_eq!(code(&output), 1);
        let said = stdout(&output);
        assert!(
            said.contains("50 deletions are pending (Component part-000, Component part-001, "),
            "{said}"
        );
        assert!(said.contains(" and 45 more)"), "{said}");
        assert!(said.contains("statuspage-operator.io/allow-deletes=50"), "{said}");
        assert_eq!(said.matches("DeletionCapped").count(), 2, "{said}");
        assert!(said.len() < 1500, "{} characters: {said}", said.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_of_the_past_is_noticed_before_subscribers_are_told() {
    let local = Local::start().await;
    let directory = Directory::new();
    let incidents = [
        declaration(
            "Incident",
            "maintenance",
            &[
                "schedule: {start: '2020-01-01T00:00:00Z', end: '2020-01-01T02:00:00Z'}",
                "updates: [{status: scheduled, body: Soon.}]",
            ],
        ),
        declaration(
            "Incident",
            "outage",
            &["updates: [{status: investigating, body: Looking., at: '2020-01-01T00:00:00Z'}]"],
        ),
    ];
    directory.write("incidents.yaml", &incidents.join(""));
    let output = local.run("plan", &directory).await;
    let said = stdout(&output);
    assert!(
        said.contains("note: this maintenance is over: it ended at 2020-01-01T02:00:00Z"),
        "{said}"
    );
    assert!(said.contains("note: it began at 2020-01-01T00:00:00Z; "), "{said}");
}
