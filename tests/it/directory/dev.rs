//! The first command of a newcomer.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Directory, LIMIT, Running, code, finish, program, shown, stdout};
use crate::support::eventually;

/// So long may a process that was asked to end take.
const END: Duration = Duration::from_secs(20);

struct Dev {
    running: Running,
    url: String,
}

async fn dev(directory: &Directory) -> Dev {
    let mut command = program();
    command.args(["dev", directory.text(), "--listen", "127.0.0.1:0", "--rate-limit", "0"]);
    let running = Running::start(command);
    let said = running.says("Ctrl-C stops.").await;
    let url = said
        .split_whitespace()
        .find_map(|word| word.strip_prefix("STATUSPAGE_API_URL="))
        .unwrap()
        .to_owned();
    Dev { running, url }
}

impl Dev {
    async fn plan(&self, directory: &Directory) -> std::process::Output {
        let mut command = program();
        command
            .args(["plan", directory.text()])
            .env("STATUSPAGE_TOKEN", "local-development")
            .env("STATUSPAGE_API_URL", &self.url);
        finish(command).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_applies_everything_and_follows_changes() {
    let directory = Directory::example("quickstart");
    let mut dev = dev(&directory).await;
    let said = dev.running.said();
    assert!(said.contains("created component \"API\""), "{said}");
    assert!(said.contains("22 of 22 as declared"), "{said}");
    assert!(
        !said.contains("statuspage.io)"),
        "a public address would lead elsewhere: {said}"
    );

    let output = dev.plan(&directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).contains("Nothing to do"), "{}", shown(&output));

    directory.edit("components.yaml", "REST and GraphQL, v2 and later.", "REST only.");
    let said = dev.running.says("1 updated; 22 of 22 as declared; 1 request\n").await;
    assert!(said.contains("updated component \"API\": description"), "{said}");

    dev.running.signal("-INT");
    assert_eq!(dev.running.ends(END).await.code(), Some(130));

    // Everything that was said to be done is in the event log, once.
    let log = directory.path().join(".statuspage/events.db");
    let mut command = program();
    command.args([
        "events",
        "--from",
        log.to_str().unwrap(),
        "--limit",
        "1000",
        "-o",
        "json",
    ]);
    let events: Vec<Value> = serde_json::from_str(&stdout(&finish(command).await)).unwrap();
    let said = dev.running.said();
    for (operation, sign, words) in [
        ("create", "+ ", ": created "),
        ("update", "~ ", ""),
        ("publish", "+ ", ": published "),
    ] {
        let done = said
            .lines()
            .filter(|line| line.starts_with(sign) && line.contains(words))
            .count();
        assert!(done > 0, "{operation}");
        let recorded = events.iter().filter(|event| {
            let traits = event["traits"].as_array().unwrap();
            let is = |name: &str, value: &str| {
                traits
                    .iter()
                    .any(|known| known["name"] == name && known["value"] == value)
            };
            is("operation", operation) && is("outcome", "succeeded")
        });
        assert_eq!(recorded.count(), done, "{operation}: {said}");
    }
    let mut ids: Vec<&str> = events
        .iter()
        .map(|event| event["message_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_everything_as_it_was() {
    let directory = Directory::example("quickstart");
    let mut first = dev(&directory).await;
    first.running.signal("-TERM");
    assert_eq!(first.running.ends(END).await.code(), Some(0));

    // The lock belongs to the address, so the address has to be the same again.
    let address = first.url.trim_start_matches("http://").trim_end_matches("/v1");
    let again = async || {
        let mut command = program();
        command.args(["dev", directory.text(), "--listen", address, "--rate-limit", "0"]);
        let running = Running::start(command);
        running.says("Ctrl-C stops.").await;
        running
    };
    let mut second = again().await;
    let said = second.said();
    assert!(said.contains("nothing to do; 22 of 22 as declared"), "{said}");
    second.signal("-INT");
    assert_eq!(second.ends(END).await.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_told_and_the_last_version_stays_in_force() {
    let directory = Directory::example("quickstart");
    let dev = dev(&directory).await;
    let before = std::fs::read_to_string(directory.path().join("components.yaml")).unwrap();
    directory.write("components.yaml", "kind: [");
    // What cannot be read is not taken for removed.
    directory.edit("groups.yaml", "name: Data", "name: Storage");
    dev.running.says("updated component group").await;
    directory.write("components.yaml", &before);
    directory.edit("components.yaml", "REST and GraphQL, v2 and later.", "REST only.");
    let said = dev.running.says("updated component \"API\": description").await;
    assert!(!said.contains("deleted"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_removed_and_declared_again_goes_on() {
    let directory = Directory::example("quickstart");
    let dev = dev(&directory).await;
    let page = std::fs::read_to_string(directory.path().join("page.yaml")).unwrap();
    directory.remove("page.yaml");
    let output = eventually("a plan without the page", LIMIT, async || {
        let output = dev.plan(&directory).await;
        match code(&output) {
            1 => Ok(output),
            _ => Err(shown(&output)),
        }
    })
    .await;
    assert!(
        shown(&output).contains("no StatusPage `acme` is declared"),
        "{}",
        shown(&output)
    );
    directory.write("page.yaml", &page);
    directory.edit("components.yaml", "REST and GraphQL, v2 and later.", "REST only.");
    let said = dev.running.says("updated component \"API\": description").await;
    assert!(!said.contains("deleted"), "{said}");
    assert_eq!(json!(said.matches("created component \"API\"").count()), json!(1));
}
