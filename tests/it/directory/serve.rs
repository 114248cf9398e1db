//! `statuspage serve` as a process.

use std::time::Duration;

use serde_json::json;

use super::{Running, code, finish, program, shown, stderr};

fn serve(arguments: &[&str]) -> std::process::Command {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    command
}

fn word_after(said: &str, before: &str) -> String {
    let rest = said
        .split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("no {before} in {said}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_all_that_a_client_needs() {
    let mut running = Running::start(serve(&["--data", ":memory:", "--page", "abcdefghijkl=Acme"]));
    let said = running.says("token ").await;
    assert!(said.contains("page abcdefghijkl  Acme"), "{said}");
    let (url, token) = (word_after(&said, "serving "), word_after(&said, "token "));
    let response = crate::server::client()
        .get(format!("{url}/pages/abcdefghijkl/components"))
        .header("Authorization", format!("OAuth {token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    running.signal("-TERM");
    assert_eq!(running.ends(Duration::from_secs(20)).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_is_130() {
    let mut running = Running::start(serve(&["--data", ":memory:", "--page", "Acme"]));
    running.says("organization ").await;
    running.signal("-INT");
    assert_eq!(running.ends(Duration::from_secs(20)).await.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_token_is_not_printed() {
    let running = Running::start(serve(&[
        "--data",
        ":memory:",
        "--token",
        "given-token",
        "--page",
        "Acme",
    ]));
    let said = running.says("organization ").await;
    assert!(!said.contains("given-token"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_fills_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let seed = directory.path().join("seed.yaml");
    std::fs::write(&seed, "pages: [{ name: Acme, components: [{ name: API }] }]\n").unwrap();
    let running = Running::start(serve(&[
        "--data",
        ":memory:",
        "--token",
        "t",
        "--seed",
        seed.to_str().unwrap(),
    ]));
    let said = running.says("organization ").await;
    let (url, page) = (word_after(&said, "serving "), word_after(&said, "page "));
    let list: serde_json::Value = crate::server::client()
        .get(format!("{url}/pages/{page}/components"))
        .header("Authorization", "OAuth t")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(list[0]["name"], "API");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = program();
    command.args(["serve", "--data", ":memory:", "--listen", &address]);
    let output = finish(command).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains(&format!(
            "cannot listen on {address}: choose another address with --listen"
        )),
        "{}",
        shown(&output)
    );

    let directory = super::Directory::example("quickstart");
    let mut command = program();
    command.args(["dev", directory.text(), "--listen", &address]);
    let output = finish(command).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("choose another address with --listen"),
        "{}",
        shown(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_requests_and_answers_as_it_is_told() {
    let running = Running::start(serve(&[
        "--data",
        ":memory:",
        "--token",
        "secret-token",
        "--page",
        "abcdefghijkl=Acme",
        "--rate-limit",
        "3",
        "--log-requests",
        "--throttle-status",
        "429",
        "--error-shape",
        "message",
        "--metric-patch",
        "documented",
        "--components-per-page",
        "1",
        "--list-lag",
        "3600",
        "--template-items",
    ]));
    let said = running.says("organization ").await;
    let url = format!("{}/pages/abcdefghijkl/components", word_after(&said, "serving "));
    let client = crate::server::client();
    let send = async |request: reqwest::RequestBuilder| {
        let answer = request.header("Authorization", "secret-token").send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<serde_json::Value>().await.unwrap(),
        )
    };
    let component = json!({"component": {"name": "API"}});
    assert_eq!(send(client.post(&url).json(&component)).await.0, 201);
    let (status, listed) = send(client.get(format!("{url}?page=1&api_key=another-secret"))).await;
    assert_eq!(
        (status, listed),
        (200, json!([])),
        "the list shows what was an hour ago"
    );
    assert_eq!(
        send(client.get(format!("{url}/nothing"))).await,
        (404, json!({"message": "Not found"}))
    );
    assert_eq!(send(client.get(&url)).await.0, 429);
    let said = running.says("Z  429  ").await;
    let lines: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once("Z  "))
        .map(|(_, line)| line)
        .collect();
    assert_eq!(
        lines,
        [
            "201  POST /v1/pages/abcdefghijkl/components",
            "200  GET /v1/pages/abcdefghijkl/components?page=1",
            "404  GET /v1/pages/abcdefghijkl/components/nothing",
            "429  GET /v1/pages/abcdefghijkl/components",
        ],
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn habits_that_nobody_has_are_refused() {
    for (flag, value) in [
        ("--throttle-status", "430"),
        ("--metric-patch", "some"),
        ("--components-per-page", "0"),
        ("--list-lag", "-1"),
    ] {
        let mut command = program();
        command.args(["serve", "--data", ":memory:", &format!("{flag}={value}")]);
        let output = finish(command).await;
        assert_eq!(code(&output), 1, "{}", shown(&output));
        assert!(stderr(&output).contains(flag), "{}", shown(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_explains_itself() {
    let mut command = program();
    command.arg("--help");
    let help = super::stdout(&finish(command).await);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"plan") && commands.contains(&"dev"), "{help}");
    for name in commands {
        for flag in ["-h", "--help"] {
            let mut command = program();
            command.args([name, flag]);
            let output = finish(command).await;
            assert_eq!(code(&output), 0, "{name}: {}", shown(&output));
            assert!(super::stdout(&output).contains("Usage: "), "{name}");
        }
    }
    for name in ["apply", "plan", "sync"] {
        let mut command = program();
        command.args([name, "--help"]);
        let said = super::stdout(&finish(command).await);
        assert!(said.contains("STATUSPAGE_SECRET_<NAME>_<KEY>"), "{name}: {said}");
    }
}
