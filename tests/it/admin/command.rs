//! The command line: access keys, and the HTTP API of `statuspage dev`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use statuspage_operator::admin::identity::access_keys::AccessKeys;

use super::{Running, answer, new_key, only};
use crate::directory::{Directory, Local, Running as Process};
use crate::support::control_plane::ControlPlane;
use crate::support::eventually;
use crate::support::process::OutputExt;

pub(super) fn statuspage(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    command.args(arguments);
    for variable in [
        "STATUSPAGE_LOG_LEVEL",
        "STATUSPAGE_ACCESS_KEYS",
        "STATUSPAGE_API_URL",
        "STATUSPAGE_TOKEN",
    ] {
        command.env_remove(variable);
    }
    command
}

fn access_key(file: &Path, arguments: &[&str]) -> Output {
    let (command, rest) = arguments.split_first().unwrap();
    let mut all = vec!["access-key", command, "--file", file.to_str().unwrap()];
    all.extend(rest);
    statuspage(&all).output().unwrap()
}

#[tokio::test]
async fn a_key_is_made_used_listed_and_revoked() {
    let running = Running::start().await;
    let file = running.file();
    let made = access_key(&file, &["create", "--user", "eve", "--namespace", "b", "-o", "json"]).succeeded();
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, token) = (made["key"].as_str().unwrap(), made["accessToken"].as_str().unwrap());
    let ask = || {
        let request = running.request("GET", "/api/v1/resources/");
        answer(request.header("X-Key", id).header("X-Access-Token", token))
    };
    // The running server has read the file again.
    assert_eq!(ask().await.1["meta"]["count"], 2);
    let listed = access_key(&file, &["list"]).succeeded();
    assert!(
        listed.contains(id) && listed.contains("eve") && !listed.contains(token),
        "{listed}"
    );
    let listed: Value = serde_json::from_str(&access_key(&file, &["list", "-o", "json"]).succeeded()).unwrap();
    let last = listed.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["user"], &last["namespaces"], &last["admin"]),
        (&json!("eve"), &json!(["b"]), &json!(false))
    );
    access_key(&file, &["revoke", id]).succeeded();
    assert_eq!(ask().await.0, 401);
    let error = access_key(&file, &["revoke", id]).failed();
    assert!(error.contains("there is no access key"), "{error}");
}

#[tokio::test]
async fn keys_are_kept_in_a_secret_of_the_cluster() {
    let control_plane = ControlPlane::shared().await;
    let namespace = control_plane.unique_namespace().await;
    let place = format!("{namespace}/access-keys");
    let kubeconfig = control_plane.kubeconfig_path().to_str().unwrap().to_owned();
    let key = async |arguments: &[&str]| -> Output {
        let all = [
            &["access-key"],
            arguments,
            &["--secret", &place, "--kubeconfig", &kubeconfig],
        ]
        .concat();
        let mut command = statuspage(&all);
        // A file that is named by the environment is not meant.
        command.env("STATUSPAGE_ACCESS_KEYS", "/no/such/directory/keys.json");
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    };
    assert_eq!(key(&["list", "-o", "json"]).await.succeeded(), "[]\n");
    let create = ["create", "--user", "eve", "--namespace", "b", "-o", "json"];
    // Both at a time: each is kept.
    let (one, other) = tokio::join!(key(&create), key(&create));
    let [one, _other] = [one, other].map(|made| serde_json::from_str::<Value>(&made.succeeded()).unwrap());
    let listed: Value = serde_json::from_str(&key(&["list", "-o", "json"]).await.succeeded()).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);

    // What the operator finds where the Secret is mounted.
    let secrets: Api<Secret> = Api::namespaced(control_plane.client().await, &namespace);
    let mounted = async || {
        secrets.get("access-keys").await.unwrap().data.unwrap()["keys.json"]
            .0
            .clone()
    };
    let text = mounted().await;
    let token = one["accessToken"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&text).contains(token), "hashed only");
    let running = Running::start().await;
    std::fs::write(running.file(), text).unwrap();
    let ask = || {
        let request = running
            .request("GET", "/api/v1/resources/")
            .header("X-Key", one["key"].as_str().unwrap());
        answer(request.header("X-Access-Token", token))
    };
    assert_eq!(ask().await.1["meta"]["count"], 2);
    key(&["revoke", one["key"].as_str().unwrap()]).await.succeeded();
    std::fs::write(running.file(), mounted().await).unwrap();
    assert_eq!(ask().await.0, 401);

    let nobody = statuspage(&["access-key", "list"]).output().unwrap().failed();
    assert!(nobody.contains("--file"), "{nobody}");
    let odd = statuspage(&["access-key", "list", "--secret", "keys"])
        .output()
        .unwrap()
        .failed();
    assert!(odd.contains("NAMESPACE/NAME"), "{odd}");
}

#[test]
fn a_key_says_what_it_opens() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    for wrong in [
        &["create", "--user", "eve"][..],
        &["create", "--user", "eve", "--namespace", "a", "--all-namespaces"],
        &["create", "--user", "eve", "--namespace", "a", "--expires-in", "0s"],
        &["create", "--user", "eve", "--namespace", "a", "--expires-in", "soon"],
        &["create", "--user", "eve", "--namespace", "Team_A"],
        &["create", "--user", "eve", "--page", "main"],
        &["create", "--user", "eve", "--namespace", "a", "--verb", "write"],
        &["create", "--user", "eve", "--page", "a/main", "--admin"],
    ] {
        access_key(&file, wrong).failed();
    }
    assert!(!file.exists());
    let text = access_key(
        &file,
        &["create", "--user", "eve", "--all-namespaces", "--expires-in", "1d"],
    )
    .succeeded();
    assert!(
        text.starts_with("X-Key: ") && text.contains("\nX-Access-Token: ey"),
        "{text}"
    );
    let limited = [
        "create", "--user", "max", "--page", "a/main", "--page", "b/shop", "--verb", "events", "--verb", "alerts",
    ];
    access_key(&file, &limited).succeeded();
    let list = access_key(&file, &["list"]).succeeded();
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][5..], ["VERBS", "NAMESPACES", "PAGES"]);
    assert_eq!(lines[1][5..], ["read,events", "*", "*"]);
    assert_eq!(lines[2][5..], ["events,alerts", "a,b", "a/main,b/shop"]);
    let list = access_key(&file, &["list", "--output", "json"]).succeeded();
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[1]["verbs"], json!(["events", "alerts"]));
    assert_eq!(
        (&list[0]["pages"], &list[1]["pages"]),
        (&Value::Null, &json!(["a/main", "b/shop"]))
    );
}

/// A process that ends with its test.
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a pipe, as they come.
pub(super) fn collected(pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
    lines
}

#[tokio::test]
async fn dev_tells_what_it_manages() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = "apiVersion: statuspage-operator.io/v1alpha1\nkind: StatusPage\nmetadata: {name: acme}\n\
                    spec: {pageId: kctbh9vrtdwd, api: {tokenSecretRef: {name: token}}}\n---\n\
                    apiVersion: statuspage-operator.io/v1alpha1\nkind: Component\nmetadata: {name: web}\n\
                    spec: {pageRef: {name: acme}, name: Web}\n---\n\
                    apiVersion: statuspage-operator.io/v1alpha1\nkind: Component\nmetadata: {name: stray}\n\
                    spec: {pageRef: {name: no-such-page}}\n";
    std::fs::write(directory.path().join("page.yaml"), manifest).unwrap();
    let path = directory.path().to_str().unwrap();
    let mut command = statuspage(&["dev", path, "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    // Who asks is in the log by default; what runs, when more is asked for.
    command.args(["--log-format", "json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let log = collected(child.stderr.take().unwrap());
    let _killed = Killed(child);
    let (tell, told) = tokio::sync::oneshot::channel();
    // Reads to the end, so that the process never waits for its reader.
    std::thread::spawn(move || {
        let mut tell = Some(tell);
        for line in lines.map_while(Result::ok) {
            let address = line
                .strip_prefix("HTTP API at ")
                .and_then(|rest| rest.strip_suffix("/openapi.json"));
            if let (Some(address), Some(tell)) = (address, tell.take_if(|_| address.is_some())) {
                let _ = tell.send(address.to_owned());
            }
        }
    });
    let origin = tokio::time::timeout(Duration::from_secs(60), told)
        .await
        .unwrap()
        .unwrap();
    crate::support::control_plane::install_crypto();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| -> Value {
        let response = client.get(format!("{origin}{path}")).send().await.unwrap();
        super::body(response).await
    };
    eventually("both declarations are ready", Duration::from_secs(60), async || {
        let list = get("/api/v1/resources/?ready=true").await;
        match list["meta"]["count"].as_u64() {
            Some(2) => Ok(()),
            _ => Err(get("/api/v1/resources/").await.to_string()),
        }
    })
    .await;
    let pages = get("/api/v1/pages/").await;
    let page = &pages["data"][0];
    assert_eq!(
        (&page["name"], &page["declarations"], &page["pending_changes"]),
        (&json!("acme"), &json!(2), &json!(0))
    );
    assert_eq!(page["budget"]["limit"], 60);
    assert!(page["budget"]["used"].as_u64().unwrap() > 0);
    let one = get("/api/v1/resources/default/Component/web/").await;
    assert!(one["remote_id"].is_string() && one["last_sync"].is_string(), "{one}");
    // A declaration without a page is not left out.
    let stray = get("/api/v1/resources/default/Component/stray/").await;
    assert_eq!(
        (&stray["page"], &stray["ready"]),
        (&json!("default/no-such-page"), &json!(false))
    );
    let process = get("/api/v2/status").await;
    assert_eq!(
        (&process["Webitel"]["Status"], &process["Users session"]),
        (&json!("Connected"), &json!(2))
    );

    // It keeps an event log by default, and shows it.
    let created = "q.field=event_type&q.value=component.create";
    let events = eventually("the event", Duration::from_secs(60), async || {
        let events = get(&format!("/v2/events?{created}")).await;
        (events.as_array().unwrap().len() == 1)
            .then_some(())
            .ok_or(events.to_string())
    });
    events.await;
    let file = directory.path().join(".statuspage/events.db");
    let shown = statuspage(&["events", "--from", file.to_str().unwrap(), "--type", "component.create"]);
    let shown = { shown }.output().unwrap().succeeded();
    assert!(shown.contains("default/web") && shown.contains("succeeded"), "{shown}");
    assert_eq!(get("/").await["versions"]["values"][0]["id"], "v2");

    // What it did is in its log: what runs at the start, and one object a request, without credentials.
    let request = client.get(format!("{origin}/api/v1/pages/?limit=1&api_token=hidden"));
    let request = request.header("X-RH-INSIGHTS-REQUEST-ID", "named-by-the-client");
    assert_eq!(answer(request).await.0, 400);
    let entry = eventually("an entry in the log", Duration::from_secs(10), async || {
        let lines = log.lock().unwrap();
        let entry = lines.iter().find(|line| line.contains("named-by-the-client"));
        entry.cloned().ok_or_else(|| lines.join("\n"))
    })
    .await;
    let entry: Value = serde_json::from_str(&entry).unwrap();
    let expected = json!({"method": "GET", "path": "/api/v1/pages/?limit=1&api_token=…", "status": 400,
                          "account": "*", "username": "local", "is_admin": true});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&entry[name], value, "{name}");
    }
}

/// A server that would refuse everybody says so, and how to let somebody in.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_can_enter_says_so() {
    let local = Local::start().await;
    let directory = Directory::new();
    let sync = |more: &[&str]| {
        let arguments = ["sync", directory.text(), "--http-listen", "127.0.0.1:0"];
        Process::start(local.command(&[&arguments, more].concat()))
    };
    let mut alone = sync(&[]);
    let said = alone.says("HTTP API at http://").await;
    assert!(
        said.contains("nobody can use the HTTP API") && said.contains("--access-keys"),
        "{said}"
    );
    alone.signal("-TERM");
    alone.ends(Duration::from_secs(60)).await;
    let file = tempfile::tempdir().unwrap();
    let keys = AccessKeys::of(file.path().join("keys.json"));
    keys.create(new_key("ann", only("default"))).unwrap();
    let path = file.path().join("keys.json").display().to_string();
    let entered = sync(&["--access-keys", &path]);
    let said = entered.says("HTTP API at http://").await;
    assert!(!said.contains("nobody can use the HTTP API"), "{said}");
}
