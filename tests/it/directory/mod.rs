//! The directory front end: the real program, as a process, against the local server on loopback.

mod api;
mod apply;
mod bad_input;
mod comes_back;
mod contract;
mod dev;
mod examples;
mod interruptions;
mod lock_file;
mod outage;
mod pictures;
mod plan;
mod removals;
mod review;
mod serve;
mod status;
mod templates;
mod window;
mod words;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use statuspage_operator::server::{PageSeed, RequestLog, Server, ServerOptions};

use crate::support::{eventually, process};

pub(super) const TOKEN: &str = "test-token";
pub(super) const PAGE: &str = "page00000001";

/// No command of these tests may take longer.
const LIMIT: Duration = Duration::from_secs(120);

/// The program, with nothing of the environment that could lead it elsewhere.
pub(super) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("STATUSPAGE") || name.starts_with("CLICOLOR") || name == "NO_COLOR" {
            command.env_remove(name);
        }
    }
    // Stands in for the Secret that an example names.
    command.env("STATUSPAGE_SECRET_FIRST_PASSWORD_PASSWORD", "only for the local server");
    command
}

/// A local server on a loopback port, by the clock of the machine.
pub(super) struct Local {
    pub(super) server: Server,
    pub(super) url: String,
    client: reqwest::Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

pub(super) fn options() -> ServerOptions {
    ServerOptions {
        tokens: vec![TOKEN.to_owned()],
        pages: vec![PageSeed {
            id: Some(PAGE.to_owned()),
            name: "Acme".to_owned(),
        }],
        ..ServerOptions::default()
    }
}

impl Local {
    /// A server with one page and no limit.
    pub(super) async fn start() -> Local {
        Local::start_with(options()).await
    }

    pub(super) async fn start_with(options: ServerOptions) -> Local {
        let server = Server::open(options).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = server.clone();
        tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
            };
            serving.serve(listener, shutdown).await.unwrap();
        });
        Local {
            server,
            url,
            client: crate::server::client(),
            stop: Some(stop),
        }
    }

    pub(super) fn log(&self) -> RequestLog {
        self.server.log()
    }

    /// The program, told of this server; its own budget is off.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments);
        if !arguments.contains(&"--requests-per-minute") {
            command.args(["--requests-per-minute", "0"]);
        }
        command
            .env("STATUSPAGE_TOKEN", TOKEN)
            .env("STATUSPAGE_API_URL", &self.url);
        command
    }

    /// Runs the program on a directory to its end.
    pub(super) async fn run(&self, command: &str, directory: &Directory) -> Output {
        finish(self.command(&[command, directory.text()])).await
    }

    /// Applies a directory, which has to succeed.
    pub(super) async fn apply(&self, directory: &Directory) -> String {
        let output = self.run("apply", directory).await;
        assert_eq!(code(&output), 0, "{}", shown(&output));
        stdout(&output)
    }

    /// A plan as JSON and its exit code.
    pub(super) async fn plan(&self, directory: &Directory) -> (Value, i32) {
        let output = finish(self.command(&["plan", directory.text(), "--output", "json"])).await;
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&output)));
        (report, code(&output))
    }

    /// Says that there is nothing to do, in every way: plan and apply.
    pub(super) async fn is_settled(&self, directory: &Directory) {
        let (report, code) = self.plan(directory).await;
        assert_eq!((code, &report["pages"][0]["requests"]), (0, &json!(0)), "{report:#}");
        self.log().clear();
        let said = self.apply(directory).await;
        assert!(said.contains("nothing to do"), "{said}");
        // What the page did by itself, such as counting data points, may have been recorded by now.
        let lock = directory.lock_text();
        self.apply(directory).await;
        assert_eq!(self.log().writes(), 0);
        assert_eq!(
            directory.lock_text(),
            lock,
            "a pass without changes leaves the lock file as it is"
        );
    }

    /// Something below the page.
    pub(super) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}/pages/{PAGE}{path}", self.url))
            .header("Authorization", format!("OAuth {TOKEN}"));
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{method} {path}: {}", response.status());
        response.json().await.unwrap()
    }

    /// Deletes something below the page by hand.
    pub(super) async fn delete(&self, path: &str) -> reqwest::StatusCode {
        let request = self
            .client
            .delete(format!("{}/pages/{PAGE}{path}", self.url))
            .header("Authorization", format!("OAuth {TOKEN}"));
        request.send().await.unwrap().status()
    }

    /// The names of all components that are no groups, in order.
    pub(super) async fn component_names(&self) -> Vec<String> {
        let list = self.get("/components?per_page=1000").await;
        let mut names: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .filter(|component| component["group"] == json!(false))
            .map(|component| component["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Waits until so many components were asked to be created.
    pub(super) async fn creates(&self, count: usize) {
        let log = self.log();
        let path = format!("/v1/pages/{PAGE}/components");
        eventually("creations of components", LIMIT, async || {
            let seen = log.count("POST", &path);
            if seen >= count { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// Manifests in a directory of their own.
pub(super) struct Directory {
    // Removes the directory in the end.
    _temporary: tempfile::TempDir,
    path: PathBuf,
}

impl Directory {
    /// With a StatusPage of the local server's page.
    pub(super) fn new() -> Directory {
        let directory = Directory::empty();
        directory.write("page.yaml", &page(""));
        directory
    }

    pub(super) fn empty() -> Directory {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("manifests");
        std::fs::create_dir(&path).unwrap();
        Directory {
            _temporary: temporary,
            path,
        }
    }

    /// A copy of an example.
    pub(super) fn example(name: &str) -> Directory {
        let directory = Directory::empty();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            // Somebody who tried the example has its local state there.
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            std::fs::copy(entry.path(), directory.path.join(entry.file_name())).unwrap();
        }
        directory
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path.join(name), text).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path.join(name)).unwrap();
    }

    /// Replaces a text that has to be there.
    pub(super) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path.join(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// The lock file of the only local server that it was applied to.
    pub(super) fn lock_path(&self) -> PathBuf {
        let mut found: Vec<PathBuf> = std::fs::read_dir(self.path.join(".statuspage"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(".lock.json"))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    pub(super) fn lock_text(&self) -> String {
        std::fs::read_to_string(self.lock_path()).unwrap()
    }

    pub(super) fn lock(&self) -> Value {
        serde_json::from_str(&self.lock_text()).unwrap()
    }

    /// Where it is kept how the objects stand.
    pub(super) fn report_path(&self) -> PathBuf {
        let lock = self.lock_path().display().to_string();
        lock.replace(".lock.json", ".status.json").into()
    }

    /// How the objects stand, by `namespace/Kind/name`.
    pub(super) fn reports(&self) -> Vec<(String, Value)> {
        let text = std::fs::read_to_string(self.report_path()).unwrap();
        let reports: Value = serde_json::from_str(&text).unwrap();
        let all = reports["objects"].as_object().unwrap().clone().into_iter();
        all.filter(|(_, report)| report.is_object()).collect()
    }
}

/// A StatusPage with further lines in its spec.
pub(super) fn page(more: &str) -> String {
    format!(
        "apiVersion: statuspage-operator.io/v1alpha1\nkind: StatusPage\nmetadata: {{name: acme}}\nspec:\n  pageId: \
         {PAGE}\n  api: {{tokenSecretRef: {{name: token}}}}\n{more}"
    )
}

/// A declaration of the page; `spec` is its fields, a line each.
pub(super) fn declaration(kind: &str, name: &str, spec: &[&str]) -> String {
    let mut text = format!(
        "---\napiVersion: statuspage-operator.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  pageRef: \
         {{name: acme}}\n"
    );
    for line in spec {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Components `part-000` and so on.
pub(super) fn components(count: usize) -> String {
    (0..count)
        .map(|number| declaration("Component", &format!("part-{number:03}"), &["description: \"A part.\""]))
        .collect()
}

/// Runs a command to its end beside the server of the test.
pub(super) async fn finish(command: Command) -> Output {
    tokio::task::spawn_blocking(move || process::run(command, b"", LIMIT).unwrap())
        .await
        .unwrap()
}

pub(super) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

pub(super) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(super) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Everything that a command said, for messages.
pub(super) fn shown(output: &Output) -> String {
    format!("{}\n{}\n{}", output.status, stdout(output), stderr(output))
}

/// A command that runs until it is told to end, and is killed with the test.
pub(super) struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Running { child, said }
    }

    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until its output holds a text, and gives all of it.
    pub(super) async fn says(&self, wanted: &str) -> String {
        eventually(wanted, LIMIT, async || {
            let said = self.said();
            if said.contains(wanted) { Ok(said) } else { Err(said) }
        })
        .await
    }

    pub(super) fn signal(&self, name: &str) {
        let number = self.child.id().to_string();
        let status = Command::new("kill").args([name, &number]).status().unwrap();
        assert!(status.success());
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end.
    pub(super) async fn ends(&mut self, limit: Duration) -> ExitStatus {
        eventually("the end of the process", limit, async || {
            match self.child.try_wait().unwrap() {
                Some(status) => Ok(status),
                None => Err("it runs".to_owned()),
            }
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
