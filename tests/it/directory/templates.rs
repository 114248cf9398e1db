//! Incidents that begin with a template, and updates that are on record as published.

use serde_json::json;

use super::{Directory, Local, code, declaration, finish, program, shown, stdout};

fn template(title: &str, body: &str) -> String {
    declaration(
        "IncidentTemplate",
        "database",
        &[&format!("title: {title:?}"), &format!("body: {body:?}")],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_shows_the_text_and_what_was_sent_stays() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write(
        "templates.yaml",
        &template("Down in {{region}}", "We look into {{region}}."),
    );
    directory.write(
        "incident.yaml",
        &declaration("Incident", "down", &["templateRef: {name: database}"]),
    );
    let output = local.run("plan", &directory).await;
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("add `region: …` under spec.templateRef.variables"),
        "{}",
        shown(&output)
    );
    directory.edit(
        "incident.yaml",
        "{name: database}",
        "{name: database, variables: {region: eu-west-1}}",
    );
    let output = local.run("plan", &directory).await;
    assert_eq!(code(&output), 2, "{}", shown(&output));
    let said = stdout(&output);
    assert!(
        said.contains("Down in eu-west-1") && said.contains("We look into eu-west-1."),
        "{said}"
    );
    let only = ["apply", directory.text(), "--only", "incident/down"];
    let output = finish(local.command(&only)).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    local.is_settled(&directory).await;

    directory.write("templates.yaml", &template("Other", "Other words, {{eta}}."));
    let (report, _) = local.plan(&directory).await;
    let steps = report["pages"][0]["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["kind"] != "Incident"), "{steps:#?}");
    directory.edit(
        "incident.yaml",
        "  templateRef",
        "  updates: [{status: resolved, body: Over.}]\n  templateRef",
    );
    local.log().clear();
    // The template itself cannot follow: the API has no way to change one.
    local.run("apply", &directory).await;
    assert_eq!(local.log().writes(), 1);
    let incidents = local.get("/incidents").await;
    assert_eq!(incidents.as_array().unwrap().len(), 1);
    assert_eq!(incidents[0]["name"], json!("Down in eu-west-1"));
    let texts: Vec<&str> = incidents[0]["incident_updates"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|update| update["body"].as_str())
        .collect();
    assert_eq!(texts, ["Over.", "We look into eu-west-1."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_knows_what_is_published() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("templates.yaml", &template("Title", "Body"));
    let incident = declaration(
        "Incident",
        "slow",
        &[
            "updates:",
            "- {status: investigating, body: First.}",
            "- {status: identified, body: Second.}",
        ],
    );
    directory.write("incident.yaml", &incident);
    let opened = declaration(
        "Incident",
        "opened",
        &[
            "templateRef: {name: database}",
            "updates:",
            "- {status: identified, body: Found.}",
        ],
    );
    // The template's post is the first one of an incident that has no updates yet.
    directory.write(
        "opened.yaml",
        &opened.replace("  updates:\n  - {status: identified, body: Found.}\n", ""),
    );
    local.apply(&directory).await;
    directory.write("opened.yaml", &opened);
    local.apply(&directory).await;
    std::fs::copy(directory.lock_path(), directory.path().join("statuspage.lock.json")).unwrap();
    let validate = async || {
        let mut command = program();
        command.args(["validate", directory.text(), "--output", "json"]);
        let output = finish(command).await;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = report["problems"].as_array().unwrap().clone();
        let line = |problem: &serde_json::Value| {
            let message = problem["message"].as_str().unwrap().to_owned();
            (
                problem["line"].as_u64().unwrap(),
                problem["column"].as_u64().unwrap(),
                message,
            )
        };
        (problems.iter().map(line).collect::<Vec<_>>(), code(&output))
    };
    assert_eq!(validate().await, (Vec::new(), 0));
    const APPEND: &str = "published updates keep their status and their order: restore them, and append another update";
    let changed = async |from: &str, to: &str, place: (u64, u64), what: &str| {
        directory.write("incident.yaml", &incident.replace(from, to));
        let (problems, code) = validate().await;
        assert_eq!(problems, [(place.0, place.1, format!("{what}: {APPEND}"))], "{to}");
        assert_eq!(code, 1);
    };
    changed(
        "status: identified",
        "status: monitoring",
        (9, 14),
        "updates[1] was published with status identified and is declared with monitoring",
    )
    .await;
    changed(
        "  - {status: identified, body: Second.}\n",
        "",
        (8, 5),
        "2 updates are published and 1 are declared",
    )
    .await;
    changed(
        "First.}\n  - {status: identified, body: Second.}",
        "Zeroth.}\n  - {status: identified, body: Second.}\n  - {status: investigating, body: First.}",
        (8, 5),
        "updates[0] was published and is updates[2] now",
    )
    .await;
    // A text may be edited, and what comes after may be added.
    directory.write("incident.yaml", &incident.replace("First.", "First and corrected."));
    assert_eq!(validate().await, (Vec::new(), 0));
    directory.write(
        "incident.yaml",
        &format!("{incident}  - {{status: resolved, body: Over.}}\n"),
    );
    assert_eq!(validate().await, (Vec::new(), 0));
    // The template's post is not counted among the manifest's.
    directory.write("opened.yaml", &opened.replace("identified", "resolved"));
    let (problems, _) = validate().await;
    assert!(
        problems.len() == 1
            && problems[0]
                .2
                .starts_with("updates[0] was published with status identified"),
        "{problems:?}"
    );
    directory.write("opened.yaml", &opened);
    directory.write("statuspage.lock.json", "<<<<<<< HEAD\n");
    let (problems, code) = validate().await;
    assert!(
        problems.len() == 1 && problems[0].2.contains("a merge conflict is not resolved"),
        "{problems:?}"
    );
    assert_eq!(code, 1);
}
