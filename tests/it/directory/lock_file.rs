//! The lock file: safe to commit, stable, whole.

use serde_json::{Value, json};
use statuspage_operator::statuspage::BaseUrl;
use statuspage_operator::store::directory::lock_path;

use super::{Directory, Local, code, components, declaration, shown, stderr};

/// A page with objects of several kinds: 16 declarations.
fn several() -> Directory {
    let directory = Directory::new();
    directory.write("components.yaml", &components(10));
    let updates = ["updates:", "- {status: investigating, body: We look into it.}"];
    let over = [&updates[..], &["- {status: resolved, body: It works.}"]].concat();
    let more = [
        declaration("ComponentGroup", "core", &["name: Core"]),
        declaration("Component", "api", &["groupRef: {name: core}"]),
        declaration("Metric", "latency", &["suffix: ms"]),
        declaration("Incident", "slow", &updates),
        declaration("Incident", "down", &over),
    ];
    directory.write("more.yaml", &more.concat());
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_in_it() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write(
        "subscribers.yaml",
        &declaration("Subscriber", "desk", &["email: desk@example.com"]),
    );
    directory.write(
        "provider.yaml",
        &declaration(
            "MetricsProvider",
            "pingdom",
            &[
                "type: Pingdom",
                "email: probe@example.com",
                "passwordSecretRef: {name: pingdom-login, key: password}",
                "applicationKeySecretRef: {name: pingdom-login, key: application-key}",
            ],
        ),
    );
    directory.write(
        "component.yaml",
        &declaration("Component", "api", &["description: Call +1 555 0100"]),
    );
    // The remote's words are shown, and may repeat what was sent.
    let words = json!({"error": ["desk@example.com is subscribed already"]}).to_string();
    local.server.faults().next(
        1,
        "POST",
        "/subscribers",
        statuspage_operator::server::Effect::Answer {
            status: 422,
            body: Some(words),
            retry_after: None,
        },
    );
    let mut apply = local.command(&["apply", directory.text()]);
    apply
        .env("STATUSPAGE_SECRET_PINGDOM_LOGIN_PASSWORD", "correct-horse")
        .env("STATUSPAGE_SECRET_PINGDOM_LOGIN_APPLICATION_KEY", "battery-staple");
    let output = super::finish(apply).await;
    assert_eq!(code(&output), 1, "the refused subscriber: {}", shown(&output));
    assert!(
        local.log().count("POST", "/v1/pages/page00000001/metrics_providers") > 0,
        "{}",
        shown(&output)
    );
    let lock = directory.lock_text();
    for secret in [
        "@",
        "correct-horse",
        "battery-staple",
        "555 0100",
        super::TOKEN,
        "127.0.0.1",
    ] {
        assert!(!lock.contains(secret), "{secret} in {lock}");
    }
    assert!(!shown(&output).contains("correct-horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lock_files_that_cannot_be_used() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    local.apply(&directory).await;
    local.log().clear();
    let good = directory.lock_text();
    let newer = good.replacen("\"version\":2", "\"version\":3", 1);
    let line = good.lines().nth(1).unwrap();
    let conflict = good.replace(line, &format!("<<<<<<< HEAD\n{line}\n=======\n{line}\n>>>>>>> other"));
    let twice = good.replace(
        line,
        &format!("{line}\n{}", line.replace("\"generation\":1", "\"generation\":7")),
    );
    let cut_off = &good[..good.len() / 2];
    for (text, words) in [
        (
            "",
            ".lock.json:1:1: the lock file is empty; nothing was sent. It is not in Git: delete it",
        ),
        (cut_off, "the lock file ends in the middle; nothing was sent"),
        (
            &conflict,
            ".lock.json:2:1: a merge conflict is not resolved (`<<<<<<< HEAD`); nothing was sent",
        ),
        (
            &twice,
            ".lock.json:3:1: default/Component/part-000 is recorded twice, here and in line 2, with different contents",
        ),
        (
            "{\"version\": 2}",
            "the lock file is not as this program writes it (missing field `objects`)",
        ),
        (
            newer.as_str(),
            "was written by a newer statuspage (format 3, this one reads up to 2): use that version; nothing was sent",
        ),
    ] {
        std::fs::write(directory.lock_path(), text).unwrap();
        for command in ["plan", "apply"] {
            let output = local.run(command, &directory).await;
            assert_eq!(code(&output), 1, "{text}: {}", shown(&output));
            assert!(stderr(&output).contains(words), "{text}: {}", shown(&output));
        }
        assert_eq!(
            std::fs::read_to_string(directory.lock_path()).unwrap(),
            text,
            "it is left as it is"
        );
    }
    assert_eq!(local.log().count("", "/"), 0);
    std::fs::write(directory.lock_path(), good).unwrap();
    local.is_settled(&directory).await;
}

/// A fresh clone has the lock file and no reports.
#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_clone_sends_nothing_and_leaves_the_lock_file_as_it_is() {
    let local = Local::start().await;
    let directory = several();
    local.apply(&directory).await;
    local.is_settled(&directory).await;
    let (lock, requests) = (directory.lock_text(), local.log().count("", "/"));
    assert!(requests > 0);
    for file in std::fs::read_dir(directory.path().join(".statuspage")).unwrap() {
        let path = file.unwrap().path();
        if !path.to_string_lossy().ends_with(".lock.json") {
            std::fs::remove_file(path).unwrap();
        }
    }
    local.log().clear();
    let (report, exit) = local.plan(&directory).await;
    assert_eq!((exit, &report["pages"][0]["requests"]), (0, &json!(0)), "{report:#}");
    let said = local.apply(&directory).await;
    assert_eq!(said.lines().count(), 1, "nothing is told again: {said}");
    assert_eq!(local.log().writes(), 0);
    assert_eq!(directory.lock_text(), lock);
    assert!(directory.report_path().exists(), "how things stand is known again");
    // A change that the page made by itself is a report.
    let text = std::fs::read_to_string(directory.report_path()).unwrap();
    let component = local.get("/components").await[0]["id"].as_str().unwrap().to_owned();
    let broken = json!({"component": {"status": "partial_outage"}});
    local.call("PATCH", &format!("/components/{component}"), broken).await;
    local.apply(&directory).await;
    assert_eq!(directory.lock_text(), lock, "the lock file is not touched for that");
    assert_ne!(std::fs::read_to_string(directory.report_path()).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_is_found_out_before_anything_is_sent() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    local.apply(&directory).await;
    directory.edit("components.yaml", "A part.", "Another part.");
    // Works for root too, unlike taking the permission away.
    let draft = format!("{}.new", directory.lock_path().display());
    std::fs::create_dir(&draft).unwrap();
    local.log().clear();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("cannot write the lock file")
            && stderr(&output).contains("nothing is sent that cannot be recorded (`statuspage plan` writes nothing): "),
        "{}",
        shown(&output)
    );
    assert_eq!(local.log().count("", "/"), 0);
    let output = local.run("plan", &directory).await;
    assert_eq!(code(&output), 2, "a plan writes nothing: {}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_draft_and_rename_does_no_harm() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    local.apply(&directory).await;
    let draft = format!("{}.new", directory.lock_path().display());
    std::fs::write(&draft, "{\"version\": 1, \"obj").unwrap();
    local.is_settled(&directory).await;
    assert!(!std::path::Path::new(&draft).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lock_file_creates_nothing_twice_and_says_the_way_out() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    let incident = |name: &str, last: &str| {
        let updates = ["updates:", "- {status: investigating, body: We look into it.}", last];
        declaration("Incident", name, &updates)
    };
    directory.write("open.yaml", &incident("slow", "- {status: identified, body: A cable.}"));
    directory.write("over.yaml", &incident("down", "- {status: resolved, body: It works.}"));
    local.apply(&directory).await;
    let path = directory.lock_path();
    std::fs::remove_file(&path).unwrap();
    local.log().clear();
    let words = format!(
        "{} has no object on record, and 5 declared objects are on the page already: nothing is created twice",
        path.display()
    );
    // The second time there is a lock file, with the page in it.
    for command in ["plan", "apply", "apply"] {
        let output = local.run(command, &directory).await;
        assert_eq!(code(&output), 1, "{}", shown(&output));
        let said = super::stdout(&output);
        assert!(said.contains(&words), "{}", shown(&output));
        assert!(said.contains("adoptionPolicy: ByName in spec.defaults"), "{said}");
    }
    let (report, _) = local.plan(&directory).await;
    assert_eq!(report["nothing_recorded"], json!(true));
    let problems = report["pages"][0]["problems"].as_array().unwrap();
    let of_kind = |kind: &str| {
        problems
            .iter()
            .filter(|problem| problem["kind"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of_kind("Component").len(), of_kind("Incident").len()),
        (3, 2),
        "{report:#}"
    );
    for incident in of_kind("Incident") {
        assert_eq!(incident["reason"], "AlreadyExists");
        let message = incident["message"].as_str().unwrap();
        assert!(message.contains("whose mark names this declaration"), "{message}");
    }
    assert_eq!(local.log().writes(), 0);

    directory.edit("page.yaml", "spec:\n", "spec:\n  defaults: {adoptionPolicy: ByName}\n");
    let (report, exit) = local.plan(&directory).await;
    assert_eq!((exit, &report["nothing_recorded"]), (0, &json!(false)), "{report:#}");
    assert_eq!(report["pages"][0]["adopts"].as_array().unwrap().len(), 5, "{report:#}");
    local.apply(&directory).await;
    assert_eq!(local.component_names().await.len(), 3);
    let incidents = local.get("/incidents").await;
    let updates: Vec<usize> = incidents
        .as_array()
        .unwrap()
        .iter()
        .map(|incident| incident["incident_updates"].as_array().unwrap().len())
        .collect();
    assert_eq!(updates, [2, 2], "nothing was told twice");
    local.is_settled(&directory).await;

    // The same name and words again may be a new outage: nobody decides that silently.
    std::fs::remove_file(&path).unwrap();
    directory.edit("over.yaml", "  - {status: resolved, body: It works.}\n", "");
    let (report, exit) = local.plan(&directory).await;
    let problems = &report["pages"][0]["problems"];
    assert_eq!(
        (exit, &problems[0]["name"], &problems[1]),
        (1, &json!("down"), &Value::Null),
        "{report:#}"
    );
    let message = problems[0]["message"].as_str().unwrap();
    assert!(
        !message.contains("ByName") && message.contains("set the annotation statuspage-operator.io/id="),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_file_of_another_page_or_address_sends_nothing() {
    let local = Local::start().await;
    let directory = Directory::new();
    // Named in the manifest, the server has its lock file beside the manifests.
    directory.edit("page.yaml", "api: {", &format!("api: {{url: \"{}\", ", local.url));
    directory.write("components.yaml", &components(2));
    let run = async |command: &str| {
        let mut command = local.command(&[command, directory.text()]);
        command.env_remove("STATUSPAGE_API_URL");
        super::finish(command).await
    };
    let output = run("apply").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let lock = directory.path().join("statuspage.lock.json");
    let objects = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("/Component/"));
        lines.map(str::to_owned).collect()
    };
    let before = objects(&std::fs::read_to_string(&lock).unwrap());
    assert_eq!(before.len(), 2);
    local.log().clear();
    let other = local.url.replace("127.0.0.1", "localhost");
    for (from, to, words) in [
        (
            super::PAGE,
            "page00000002",
            "holds the ids of page page00000001, and this StatusPage names page page00000002",
        ),
        (
            local.url.as_str(),
            other.as_str(),
            "and this StatusPage names the one at http://localhost:",
        ),
    ] {
        directory.edit("page.yaml", from, to);
        for command in ["plan", "apply"] {
            let output = run(command).await;
            assert_eq!(code(&output), 1, "{}", shown(&output));
            let said = super::stdout(&output);
            assert!(
                said.contains(words) && said.contains("work in a copy of the directory without its lock file"),
                "{said}"
            );
        }
        directory.edit("page.yaml", to, from);
    }
    assert_eq!(local.log().count("", "/"), 0);
    assert_eq!(objects(&std::fs::read_to_string(&lock).unwrap()), before);
    let output = run("apply").await;
    assert_eq!((code(&output), local.log().writes()), (0, 0), "{}", shown(&output));
}

#[test]
fn it_lies_where_the_documentation_says() {
    let directory = Directory::new();
    let beside = directory.path().join("statuspage.lock.json");
    assert_eq!(lock_path(directory.path(), None), beside);
    let real = BaseUrl::parse("https://api.statuspage.io/v1/", false).unwrap();
    assert_eq!(lock_path(directory.path(), Some(&real)), beside);
    assert_eq!(lock_path(&directory.path().join("page.yaml"), None), beside);
    let local = BaseUrl::parse("http://127.0.0.1:8080/v1", false).unwrap();
    let other = directory.path().join(".statuspage/127.0.0.1-8080-v1.lock.json");
    assert_eq!(lock_path(directory.path(), Some(&local)), other);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sorted_with_a_line_for_each_object() {
    let local = Local::start().await;
    let directory = several();
    local.apply(&directory).await;
    let text = directory.lock_text();
    assert!(text.ends_with("},\n\"end\":null}}\n"));
    let lock: Value = serde_json::from_str(&text).unwrap();
    let objects = lock["objects"].as_object().unwrap();
    let names: Vec<String> = objects
        .keys()
        .filter(|name| *name != "end")
        .map(|name| format!("\"{name}\":{{"))
        .collect();
    assert!(names.is_sorted() && names.len() == 16, "{names:?}");
    let lines: Vec<&str> = text.lines().skip(1).take(names.len()).collect();
    assert!(
        lines
            .iter()
            .zip(&names)
            .all(|(line, name)| line.starts_with(name.as_str())),
        "{text}"
    );
    assert_eq!(text.lines().count(), names.len() + 2);
    let longest = lines.iter().map(|line| line.len()).max().unwrap();
    assert!(longest < 1_000 && !text.contains("conditions"), "{longest}: {text}");
}
