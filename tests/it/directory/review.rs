//! What somebody reviewed is what is done: the question on a terminal, the file of a plan, a few declarations alone, and
//! manifests for what nobody has declared yet.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use super::{Directory, Local, PAGE, TOKEN, code, declaration, finish, page, shown, stdout};
use crate::support::terminal::on_a_terminal;

/// A component and an open incident.
fn outage(directory: &Directory) {
    directory.write("api.yaml", &declaration("Component", "api", &["name: API"]));
    directory.write("down.yaml", &incident("down", "We are looking into it."));
}

fn incident(name: &str, text: &str) -> String {
    let updates = format!("updates: [{{status: investigating, body: {text:?}}}]");
    declaration(
        "Incident",
        name,
        &["name: Down", &updates, "components: {api: major_outage}"],
    )
}

async fn answered(local: &Local, directory: &Directory, arguments: &[&str], answer: &str) -> Output {
    let mut all = vec!["apply", directory.text()];
    all.extend(arguments);
    finish(on_a_terminal(&local.command(&all), &[("[y/N]", answer)])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_on_a_terminal_asks_once_before_it_publishes() {
    let local = Local::start().await;
    let directory = Directory::new();
    outage(&directory);
    for (answer, exit) in [("n", 1), ("", 1), ("^C", 130)] {
        let output = answered(&local, &directory, &[], answer).await;
        assert_eq!(code(&output), exit, "{answer:?}: {}", shown(&output));
        let said = stdout(&output);
        assert!(said.contains("| We are looking into it."), "{said}");
        assert_eq!(local.log().writes(), 0, "{answer:?}: {said}");
        let lock = std::fs::read_dir(directory.path().join(".statuspage")).unwrap();
        let names: Vec<PathBuf> = lock.map(|entry| entry.unwrap().path()).collect();
        assert!(
            names.iter().all(|name| !name.to_string_lossy().ends_with(".lock.json")),
            "{names:?}"
        );
    }
    let output = answered(&local, &directory, &[], "y").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(stdout(&output).matches("[y/N]").count(), 1);
    assert_eq!(local.log().writes(), 2);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_on_a_terminal_asks_only_for_what_is_grave() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("api.yaml", &declaration("Component", "api", &["name: API"]));
    // Nothing answers a question here: it would wait until the test is given up.
    let output = answered(&local, &directory, &[], "n").await;
    assert_eq!(code(&output), 0, "a creation: {}", shown(&output));
    assert!(!stdout(&output).contains("[y/N]"), "{}", stdout(&output));
    directory.remove("api.yaml");
    let output = answered(&local, &directory, &[], "n").await;
    assert_eq!(code(&output), 1, "a deletion: {}", shown(&output));
    assert!(
        stdout(&output).contains("uptime history is lost"),
        "{}",
        stdout(&output)
    );
    assert_eq!(local.component_names().await, ["API"]);
    let output = answered(&local, &directory, &["--yes"], "n").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(!stdout(&output).contains("[y/N]"), "{}", stdout(&output));
    assert!(local.component_names().await.is_empty());
    let made = json!({"component": {"name": "Web"}});
    local.call("POST", "/components", made).await;
    directory.write(
        "web.yaml",
        &declaration("Component", "web", &["name: Web", "adoptionPolicy: ByName"]),
    );
    let output = answered(&local, &directory, &[], "n").await;
    assert_eq!(code(&output), 1, "an adoption: {}", shown(&output));
    assert!(stdout(&output).contains("adopts"), "{}", stdout(&output));
    let output = answered(&local, &directory, &[], "y").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
}

/// Plans into a file.
async fn planned(local: &Local, directory: &Directory, more: &[&str]) -> PathBuf {
    let file = directory.path().parent().unwrap().join("plan.json");
    let mut arguments = vec!["plan", directory.text(), "--out", file.to_str().unwrap()];
    arguments.extend(more);
    let output = finish(local.command(&arguments)).await;
    assert_eq!(code(&output), 2, "{}", shown(&output));
    file
}

async fn applied(local: &Local, file: &std::path::Path) -> Output {
    finish(local.command(&["apply", file.to_str().unwrap()])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_file_is_done_as_it_was_reviewed() {
    let local = Local::start().await;
    let directory = Directory::new();
    outage(&directory);
    let file = planned(&local, &directory, &[]).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(TOKEN));
    let held: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(held["pages"][0]["page_id"], json!(PAGE));
    assert_eq!(held["pages"][0]["steps"].as_array().unwrap().len(), 2);
    // Another plan of the same is the same file, although a process makes up what new declarations are called.
    let again = planned(&local, &directory, &[]).await;
    assert_eq!(std::fs::read_to_string(again).unwrap(), text);
    local.log().clear();
    let output = applied(&local, &file).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.log().writes(), 2);
    // It was done: doing it again would be something else.
    let output = applied(&local, &file).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert_eq!(local.log().writes(), 2);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_file_is_refused_when_the_page_or_the_files_have_moved() {
    let local = Local::start().await;
    let directory = Directory::new();
    outage(&directory);
    local.apply(&directory).await;
    directory.edit("api.yaml", "name: API", "name: API of ours");
    let file = planned(&local, &directory, &[]).await;
    let refused = async |why: &str, what: &str| {
        local.log().clear();
        let output = applied(&local, &file).await;
        assert_eq!(code(&output), 1, "{}", shown(&output));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(why) && said.contains(what), "{said}");
        assert_eq!(local.log().writes(), 0);
    };
    directory.edit("api.yaml", "API of ours", "API of theirs");
    refused(
        "the manifests, the lock file or a Secret have changed",
        "something else",
    )
    .await;
    directory.edit("api.yaml", "API of theirs", "API of ours");
    directory.write("web.yaml", &declaration("Component", "web", &["name: Web"]));
    refused("have changed", "was not reviewed").await;
    directory.remove("web.yaml");
    let id = local.get("/components").await[0]["id"].as_str().unwrap().to_owned();
    let renamed = json!({"component": {"name": "API of ours"}});
    local.call("PATCH", &format!("/components/{id}"), renamed).await;
    refused("the page has changed", "would not be done now").await;
    // What somebody has written since would be overwritten, and was not reviewed.
    let renamed = json!({"component": {"name": "Urgent: call 112"}});
    local.call("PATCH", &format!("/components/{id}"), renamed).await;
    refused("the page has changed", "something else").await;
    // What has nothing to do with it does not matter.
    let renamed = json!({"component": {"name": "API"}});
    local.call("PATCH", &format!("/components/{id}"), renamed).await;
    local
        .call("POST", "/components", json!({"component": {"name": "Theirs"}}))
        .await;
    let output = applied(&local, &file).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_file_whose_text_was_edited_is_refused() {
    let local = Local::start().await;
    let directory = Directory::new();
    outage(&directory);
    let file = planned(&local, &directory, &[]).await;
    let text = std::fs::read_to_string(&file).unwrap();
    // What a reviewer would read is harmless, what would be sent is not.
    let edited = text.replace("We are looking into it.", "All is well.");
    assert_ne!(edited, text);
    std::fs::write(&file, edited).unwrap();
    local.log().clear();
    let output = applied(&local, &file).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(
        shown(&output).contains("somebody has edited the file"),
        "{}",
        shown(&output)
    );
    assert_eq!(local.log().writes(), 0);
    std::fs::write(&file, text).unwrap();
    let output = applied(&local, &file).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_file_holds_no_secret_and_sees_that_one_has_changed() {
    let local = Local::start().await;
    let directory = Directory::new();
    let spec = [
        "type: Pingdom",
        "email: desk@example.com",
        "passwordSecretRef: {name: pingdom, key: password}",
        "applicationKeySecretRef: {name: pingdom, key: application}",
    ];
    directory.write("provider.yaml", &declaration("MetricsProvider", "pingdom", &spec));
    let file = directory.path().parent().unwrap().join("plan.json");
    let with = |password: &str, arguments: &[&str]| {
        let mut command = local.command(arguments);
        command.env("STATUSPAGE_SECRET_PINGDOM_PASSWORD", password);
        command.env("STATUSPAGE_SECRET_PINGDOM_APPLICATION", "application-key");
        command
    };
    let path = file.to_str().unwrap();
    let output = finish(with("hunter22", &["plan", directory.text(), "--out", path])).await;
    assert_eq!(code(&output), 2, "{}", shown(&output));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("hunter22") && !text.contains("application-key"),
        "{text}"
    );
    let output = finish(with("another", &["apply", path])).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert_eq!(local.log().writes(), 0);
    let output = finish(with("hunter22", &["apply", path])).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_named_is_done_with_what_it_needs() {
    let local = Local::start().await;
    let directory = Directory::new();
    outage(&directory);
    directory.write("web.yaml", &declaration("Component", "web", &["name: Web"]));
    directory.write("old.yaml", &declaration("Component", "old", &["name: Old"]));
    let only = async |name: &str| finish(local.command(&["apply", directory.text(), "--only", name])).await;
    let output = only("component/old").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.component_names().await, ["Old"]);
    // Three more things are pending: a removal, a creation, and settings of the page.
    directory.remove("old.yaml");
    directory.write("page.yaml", &page("  settings: {name: Acme Cloud}\n"));
    let output =
        finish(local.command(&["plan", directory.text(), "--only", "incident/down", "--output", "json"])).await;
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&Value> = plan["pages"][0]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["name"])
        .collect();
    assert_eq!(names, [&json!("api"), &json!("down")], "{plan:#}");
    assert_eq!(plan["pages"][0]["problems"], json!([]));
    local.log().clear();
    let output = only("incident/down").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.log().writes(), 2);
    assert_eq!(local.component_names().await, ["API", "Old"]);
    // What is on the page already serves as it is: its own pending change is somebody else's.
    directory.edit("api.yaml", "name: API", "name: API of ours");
    directory.edit("down.yaml", "}]", "}, {status: identified, body: \"Found.\"}]");
    let output = only("incident/down").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.component_names().await, ["API", "Old"]);
    // A removal can be named too.
    let output = only("component/old").await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.component_names().await, ["API"]);
    let output = only("component/appi").await;
    assert_eq!(code(&output), 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean api?"), "{said}");
    // All the rest is still pending, and nothing of it is lost.
    let (plan, _) = local.plan(&directory).await;
    let names: Vec<String> = plan["pages"][0]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!(
                "{} {}",
                step["action"].as_str().unwrap(),
                step["name"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["update acme", "update api", "create web"], "{plan:#}");
    local.apply(&directory).await;
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_page_and_not_declared_is_added() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &declaration("Component", "api", &["name: Our API"]));
    local.apply(&directory).await;
    let add = async |name: &str| {
        let made = local
            .call("POST", "/components", json!({"component": {"name": name}}))
            .await;
        made["id"].as_str().unwrap().to_owned()
    };
    // One that would be called as another declaration is.
    add("api").await;
    let web = add("Web").await;
    local
        .call(
            "POST",
            "/component-groups",
            json!({"component_group": {"name": "Europe", "components": [web]}}),
        )
        .await;
    let affected =
        json!({"incident": {"name": "Slow", "status": "identified", "body": "Slow.", "component_ids": [web]}});
    local.call("POST", "/incidents", affected).await;
    let missing = async || finish(local.command(&["export", "--missing", directory.text()])).await;
    let output = missing().await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let text = std::fs::read_to_string(directory.path().join("components-missing.yaml")).unwrap();
    assert!(
        !text.contains("Our API") && text.contains("name: web") && text.contains("name: api-"),
        "{text}"
    );
    assert!(text.contains("groupRef"), "{text}");
    assert!(!directory.path().join("status-pages.yaml").exists());
    let mut validate = super::program();
    validate.args(["validate", directory.text()]);
    let output = finish(validate).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    let (plan, exit) = local.plan(&directory).await;
    assert_eq!((exit, &plan["pages"][0]["undeclared"]), (0, &json!({})), "{plan:#}");
    local.is_settled(&directory).await;
    let output = missing().await;
    assert!(stdout(&output).contains("Nothing is missing."), "{}", shown(&output));
}
