//! `statuspage incident`: the real program against the local server, in a directory, on a terminal, in a cluster.

mod cluster;
mod completion;
mod directory;
mod full_disk;
mod others;
mod refusals;
mod terminal;
mod together;
mod unsent;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::directory::{Directory, Local, PAGE, code, declaration, finish, page, shown, stdout};
use crate::support::eventually;

/// The command that the documentation promises: its length is measured.
const OPEN: [&str; 7] = [
    "incident",
    "open",
    "API errors",
    "-m",
    "We are looking into it.",
    "-c",
    "api=major",
];

/// A page with two components that are on it.
async fn stage() -> (Local, Directory) {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("api.yaml", &declaration("Component", "api", &["name: Public API"]));
    directory.write("web.yaml", &declaration("Component", "web", &["name: Web"]));
    local.apply(&directory).await;
    local.log().clear();
    (local, directory)
}

/// The command, in the directory.
fn command(local: &Local, directory: &Directory, arguments: &[&str]) -> Command {
    let mut command = local.command(arguments);
    command.current_dir(directory.path());
    command
}

async fn run(local: &Local, directory: &Directory, arguments: &[&str]) -> Output {
    finish(command(local, directory, arguments)).await
}

/// Runs it to success and gives what it said.
async fn done(local: &Local, directory: &Directory, arguments: &[&str]) -> String {
    let output = run(local, directory, arguments).await;
    assert_eq!(code(&output), 0, "{arguments:?}: {}", shown(&output));
    stdout(&output)
}

async fn refused(local: &Local, directory: &Directory, arguments: &[&str], word: &str) {
    let before = files(directory);
    local.log().clear();
    let output = run(local, directory, arguments).await;
    let said = shown(&output);
    assert_eq!(code(&output), 1, "{arguments:?}: {said}");
    assert!(said.contains(word), "{arguments:?}: {word:?}: {said}");
    assert_eq!(local.log().writes(), 0, "{arguments:?}: {said}");
    assert_eq!(files(directory), before, "{arguments:?}: {said}");
}

/// Waits until a command that runs in a directory has recorded an attempt to send something.
async fn attempt_is_recorded(directory: &Path) {
    let check = async || {
        let files = std::fs::read_dir(directory.join(".statuspage")).map_err(|error| error.to_string())?;
        let mut texts = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
        let is_recorded = texts.any(|text| text.contains("\"attempt\""));
        is_recorded.then_some(()).ok_or_else(|| "no attempt".to_owned())
    };
    eventually("the attempt is recorded", Duration::from_secs(20), check).await;
}

/// The manifests of incidents, with their texts.
fn files(directory: &Directory) -> Vec<(PathBuf, String)> {
    let Ok(entries) = std::fs::read_dir(directory.path().join("incidents")) else {
        return Vec::new();
    };
    let mut files: Vec<(PathBuf, String)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The only manifest of an incident.
fn only_file(directory: &Directory) -> (PathBuf, String) {
    let mut all = files(directory);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn incidents(local: &Local) -> Vec<Value> {
    local.get("/incidents").await.as_array().unwrap().clone()
}

async fn only_incident(local: &Local) -> Value {
    let mut all = incidents(local).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The statuses of the components of the page, by the name that customers see.
async fn statuses(local: &Local) -> Value {
    let rows = local.get("/components").await;
    let mut statuses = json!({});
    for row in rows.as_array().unwrap() {
        statuses[row["name"].as_str().unwrap()] = row["status"].clone();
    }
    statuses
}
