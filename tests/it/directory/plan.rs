//! What plan says, and that apply does exactly that.

use serde_json::{Value, json};

use super::{Directory, Local, code, components, declaration, finish, page, shown, stdout};

/// The plan announces what apply then sends, and afterwards there is nothing to do.
async fn comes_true(local: &Local, directory: &Directory, what: &str) -> Value {
    let (report, code) = local.plan(directory).await;
    assert_eq!(code, 2, "{what}: {report:#}");
    let announced = &report["pages"][0];
    local.log().clear();
    local.apply(directory).await;
    let sent: Vec<String> = local
        .log()
        .entries()
        .iter()
        .filter(|entry| entry.method != "GET")
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    assert_eq!(
        announced["requests"],
        json!(sent.len()),
        "{what}: {announced:#}\n{sent:#?}"
    );
    assert_eq!(announced["steps"].as_array().unwrap().len(), sent.len(), "{what}");
    local.is_settled(directory).await;
    report["pages"][0].clone()
}

fn member(name: &str, group: &str) -> String {
    declaration("Component", name, &[&format!("groupRef: {{name: {group}}}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_is_what_is_sent() {
    let local = Local::start().await;
    let directory = Directory::new();
    let groups = format!(
        "{}{}",
        declaration("ComponentGroup", "europe", &["name: Europe"]),
        declaration("ComponentGroup", "asia", &["name: Asia"])
    );
    directory.write("groups.yaml", &groups);
    directory.write(
        "members.yaml",
        &format!(
            "{}{}{}{}",
            member("paris", "europe"),
            member("rome", "europe"),
            member("oslo", "europe"),
            member("tokyo", "asia")
        ),
    );
    let planned = comes_true(&local, &directory, "a fresh page with groups").await;
    // Four members and two groups; the first member of a group is created before it.
    assert_eq!(planned["create"], json!(6));
    let references: Vec<&Value> = planned["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["changes"].as_array().unwrap())
        .filter(|change| change["field"] == "groupRef")
        .map(|change| &change["to"])
        .collect();
    assert_eq!(
        references,
        [&json!("europe"), &json!("europe")],
        "groups appear by their names"
    );

    directory.edit("members.yaml", "name: rome", "name: rome, labels: {a: b}");
    let (_, code) = local.plan(&directory).await;
    assert_eq!(code, 0, "labels are nothing that a page shows");

    directory.write(
        "members.yaml",
        &format!(
            "{}{}{}{}",
            member("paris", "europe"),
            member("rome", "asia"),
            declaration("Component", "oslo", &[]),
            member("tokyo", "asia")
        ),
    );
    let planned = comes_true(&local, &directory, "one moves to another group, one leaves").await;
    assert_eq!(planned["requests"], json!(2), "{planned:#}");
    assert_eq!(
        planned["steps"][0]["changes"][0],
        json!({"field": "groupRef", "from": "europe", "to": "asia"})
    );

    directory.write(
        "incident.yaml",
        &declaration(
            "Incident",
            "outage",
            &[
                "name: Outage",
                "components: {paris: major_outage}",
                "updates:",
                "- {status: investigating, body: We look into it.}",
                "- {status: identified, body: A cable.}",
                "- {status: monitoring, body: Mended.}",
            ],
        ),
    );
    let planned = comes_true(&local, &directory, "an incident with three updates").await;
    assert_eq!(planned["requests"], json!(3));
    directory.edit("incident.yaml", "A cable.", "A cable under the sea.");
    comes_true(&local, &directory, "an edited update").await;

    let data: Vec<String> = (1..=3)
        .map(|hours| format!("- {{ago: {hours}h, value: {hours}}}"))
        .collect();
    let mut metric = vec!["name: Latency", "suffix: ms", "data:"];
    metric.extend(data.iter().map(String::as_str));
    directory.write("metric.yaml", &declaration("Metric", "latency", &metric));
    comes_true(&local, &directory, "a metric with data").await;

    directory.write(
        "subscriber.yaml",
        &declaration(
            "Subscriber",
            "desk",
            &["email: desk@example.com", "skipConfirmation: true"],
        ),
    );
    comes_true(&local, &directory, "a subscriber").await;

    directory.write("page.yaml", &page("  settings: {name: Acme Cloud}\n"));
    comes_true(&local, &directory, "settings of the page").await;

    directory.remove("members.yaml");
    directory.remove("groups.yaml");
    directory.edit("incident.yaml", "  components: {paris: major_outage}\n", "");
    directory.remove("subscriber.yaml");
    let planned = comes_true(&local, &directory, "a whole lot removed").await;
    assert_eq!(local.component_names().await, Vec::<String>::new());
    assert!(planned["delete"].as_u64().unwrap() >= 5, "{planned:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_tell_nothing_changes_and_problems_apart() {
    let local = Local::start().await;
    let directory = Directory::new();
    let (_, code) = local.plan(&directory).await;
    assert_eq!(code, 0, "a page without settings");
    directory.write("components.yaml", &components(2));
    assert_eq!(local.plan(&directory).await.1, 2);
    directory.write("broken.yaml", "kind: [");
    let (report, code) = local.plan(&directory).await;
    assert_eq!(code, 1);
    assert_eq!(report["manifest_errors"], json!(1));
    assert_eq!(report["pages"][0]["create"], json!(2), "the good ones are planned");
    assert_eq!(local.log().writes(), 0, "a plan writes nothing");
    assert!(
        !directory.path().join(".statuspage").exists(),
        "a plan leaves nothing behind"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_says_the_same() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write(
        "api.yaml",
        &declaration(
            "Component",
            "api",
            &["name: \"The ``` API\"", "status: degraded_performance"],
        ),
    );
    let output = local.run("plan", &directory).await;
    let text = stdout(&output);
    assert!(text.contains("  + Component default/api\n"), "{text}");
    assert!(text.contains("      status: \"degraded_performance\"\n"), "{text}");
    assert!(
        text.contains("1 to create, 0 to update, 0 to delete: 1 request (planned with 4 requests)."),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "no colour in a pipe");

    let output = finish(local.command(&["--color", "always", "plan", directory.text()])).await;
    assert!(stdout(&output).contains('\u{1b}'), "{}", shown(&output));

    let output = finish(local.command(&["plan", directory.text(), "--output", "markdown"])).await;
    assert_eq!(code(&output), 2);
    let text = stdout(&output);
    assert!(text.starts_with("### StatusPage `default/acme`\n"), "{text}");
    assert!(
        text.contains("\n````diff\n+ Component default/api\n"),
        "a name cannot end the block: {text}"
    );

    let (report, _) = local.plan(&directory).await;
    let step = &report["pages"][0]["steps"][0];
    assert_eq!(step["action"], json!("create"));
    assert_eq!(step["name"], json!("api"));
    assert_eq!(
        step["changes"][1],
        json!({"field": "status", "from": null, "to": "degraded_performance"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_of_changes_says_how_long_it_takes() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(150));
    let output = finish(local.command(&["plan", directory.text(), "--requests-per-minute", "60"])).await;
    let text = stdout(&output);
    assert!(
        text.contains("150 requests, about 2 min") || text.contains("150 requests, about 3 min"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_shown_word_for_word() {
    let local = Local::start().await;
    let directory = Directory::new();
    for number in 0..3 {
        let subscriber =
            json!({"subscriber": {"email": format!("{number}@example.com"), "skip_confirmation_notification": true}});
        local.call("POST", "/subscribers", subscriber).await;
    }
    let long = "We are looking into it. ".repeat(20);
    directory.write(
        "incident.yaml",
        &declaration(
            "Incident",
            "outage",
            &[
                "name: Outage",
                "updates:",
                &format!("- {{status: investigating, body: \"{}\"}}", long.trim()),
                "- {status: resolved, body: Over., notify: false}",
            ],
        ),
    );
    let text = stdout(&local.run("plan", &directory).await);
    assert!(
        text.contains("publishes: status investigating, tells 3 subscribers\n"),
        "{text}"
    );
    assert!(text.contains(&format!("      | {}\n", long.trim())), "{text}");
    assert!(
        text.contains("publishes: status resolved, tells no subscriber\n      | Over.\n"),
        "{text}"
    );
    let planned = comes_true(&local, &directory, "an incident").await;
    assert_eq!(
        planned["steps"][0]["publishes"],
        json!({"status": "investigating", "body": long.trim(), "notifies": true, "subscribers": 3})
    );

    // An update of what was exported or applied before, and nothing else, is not nothing.
    directory.edit("incident.yaml", "body: Over.", "body: Over now.");
    let planned = comes_true(&local, &directory, "a corrected text").await;
    assert_eq!(planned["steps"][0]["publishes"]["body"], json!("Over now."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_says_what_goes_and_a_rename_how_it_stays() {
    let local = Local::start().await;
    let directory = Directory::new();
    let payments = |name: &str, more: &str| {
        declaration("Component", name, &["name: Payments"]).replace("metadata: {", &format!("metadata: {{{more}"))
    };
    directory.write("payments.yaml", &payments("payments", ""));
    directory.write(
        "kept.yaml",
        &declaration("Component", "kept", &["deletionPolicy: Orphan"]),
    );
    local.apply(&directory).await;
    local
        .call("POST", "/components", json!({"component": {"name": "By hand"}}))
        .await;
    let list = local.get("/components").await;
    let mut rows = list.as_array().unwrap().iter();
    let id = rows.find(|row| row["name"] == json!("Payments")).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();

    directory.write("payments.yaml", &payments("pay", ""));
    directory.remove("kept.yaml");
    let text = stdout(&local.run("plan", &directory).await);
    let deletion = format!("- Component default/payments: delete component {id}, \"Payments\"");
    assert!(
        text.contains(&deletion) && text.contains("its uptime history is lost"),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "Component default/pay looks like payments under another name. To keep the object and its history, give it the annotation statuspage-operator.io/id: {id}"
        )),
        "{text}"
    );
    assert!(
        text.contains("Component default/kept is no longer declared and stays on the page"),
        "{text}"
    );
    assert!(
        text.contains("Not declared here, and never touched: 1 Component. `statuspage export --missing DIR`"),
        "{text}"
    );

    // What it offers works: nothing is sent.
    let annotated = payments("pay", &format!("annotations: {{statuspage-operator.io/id: {id}}}, "));
    directory.write("payments.yaml", &annotated);
    let (report, code) = local.plan(&directory).await;
    assert_eq!((code, &report["pages"][0]["requests"]), (0, &json!(0)), "{report:#}");
    local.log().clear();
    local.apply(&directory).await;
    assert_eq!(local.log().writes(), 0);
    assert_eq!(local.component_names().await, ["By hand", "Payments", "kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_is_long_over_keeps_nothing_else_from_being_done() {
    let local = Local::start().await;
    let directory = Directory::new();
    let lines = [
        "ttlAfterResolved: 1s",
        "backfillDate: 2026-01-01T00:00:00Z",
        "updates:",
        "- {status: resolved, body: Over.}",
    ];
    directory.write("incident.yaml", &declaration("Incident", "outage", &lines));
    local.apply(&directory).await;
    directory.write("components.yaml", &components(1));
    comes_true(&local, &directory, "a component beside an old incident").await;
}

/// A green comment on a pull request must not be followed by a red apply.
#[tokio::test(flavor = "multi_thread")]
async fn what_apply_cannot_finish_is_a_problem_of_the_plan_too() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("group.yaml", &declaration("ComponentGroup", "empty", &["name: Empty"]));
    let (report, code) = local.plan(&directory).await;
    assert_eq!(code, 1, "{report:#}");
    let problems = report["pages"][0]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0]["name"], "empty");
    assert_eq!(problems[0]["reason"], "NoMembers");
}
