//! What happens to the page when a manifest goes away.

use std::time::Duration;

use serde_json::json;
use statuspage_operator::server::Effect;

use super::{Directory, Local, PAGE, code, components, declaration, finish, page, shown, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_manifest_follows_its_deletion_policy() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("deleted.yaml", &declaration("Component", "deleted", &[]));
    directory.write(
        "kept.yaml",
        &declaration("Component", "kept", &["deletionPolicy: Orphan"]),
    );
    directory.write("watched.yaml", &declaration("Component", "watched", &[]));
    directory.write("paused.yaml", &declaration("Component", "paused", &[]));
    local.apply(&directory).await;
    // Policies that are added later count too, although there is nothing to send.
    directory.write(
        "watched.yaml",
        &declaration("Component", "watched", &["managementPolicy: ObserveOnly"]),
    );
    directory.write("paused.yaml", &declaration("Component", "paused", &["suspend: true"]));
    local.apply(&directory).await;
    for name in ["deleted.yaml", "kept.yaml", "watched.yaml", "paused.yaml"] {
        directory.remove(name);
    }
    let (report, code) = local.plan(&directory).await;
    assert_eq!((code, &report["pages"][0]["delete"]), (2, &json!(1)), "{report:#}");
    let said = local.apply(&directory).await;
    assert!(
        said.contains("- Component default/deleted: deleted component"),
        "{said}"
    );
    assert_eq!(local.component_names().await, ["kept", "paused", "watched"]);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_of_the_page_changed_later_counts_for_what_is_removed() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("api.yaml", &declaration("Component", "api", &[]));
    local.apply(&directory).await;
    directory.write("page.yaml", &page("  defaults: {deletionPolicy: Orphan}\n"));
    local.apply(&directory).await;
    directory.remove("api.yaml");
    local.apply(&directory).await;
    assert_eq!(local.component_names().await, ["api"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_deletes_nothing_and_stops_no_other() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("a.yaml", &declaration("Component", "a", &[]));
    directory.write("b.yaml", &declaration("Component", "b", &[]));
    local.apply(&directory).await;
    directory.remove("b.yaml");
    directory.write("a.yaml", &declaration("Component", "a", &["descripton: x"]));
    directory.write("c.yaml", &declaration("Component", "c", &[]));
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(stderr(&output).contains("a.yaml:7:3"), "{}", shown(&output));
    assert!(
        stderr(&output).contains("did you mean `description`?"),
        "{}",
        shown(&output)
    );
    assert!(stdout(&output).contains("1 error in the manifests: those are left out, and nothing is deleted"));
    assert_eq!(local.component_names().await, ["a", "b", "c"]);
    directory.write("a.yaml", &declaration("Component", "a", &[]));
    local.apply(&directory).await;
    assert_eq!(local.component_names().await, ["a", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_deletes_nothing_of_the_others() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    local.apply(&directory).await;
    let file = directory.path().join("page.yaml");
    let plan = finish(local.command(&["plan", file.to_str().unwrap()])).await;
    assert_eq!(code(&plan), 0, "{}", shown(&plan));
    let output = finish(local.command(&["apply", file.to_str().unwrap()])).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(local.component_names().await.len(), 3);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_page_deletes_nothing_and_says_so() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    local.apply(&directory).await;
    let page = std::fs::read_to_string(directory.path().join("page.yaml")).unwrap();
    directory.remove("page.yaml");
    directory.remove("components.yaml");
    for command in ["plan", "apply"] {
        let output = local.run(command, &directory).await;
        assert_eq!(code(&output), 1);
        let wanted = "StatusPage default/acme is no longer declared: its 3 recorded objects stay as they are";
        assert!(stdout(&output).contains(wanted), "{}", shown(&output));
    }
    assert_eq!(local.component_names().await.len(), 3);
    directory.write("page.yaml", &page);
    directory.write("components.yaml", &components(3));
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_removals_at_once_need_a_word() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(25));
    local.apply(&directory).await;
    directory.remove("components.yaml");
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let said = stdout(&output);
    assert!(said.contains("DeletionCapped"), "{said}");
    assert!(said.contains("allow-deletes"), "it says the way out: {said}");
    let left = local.component_names().await.len();
    assert!(left >= 5, "at most 20 went: {left} are left");

    directory.edit(
        "page.yaml",
        "{name: acme}",
        "{name: acme, annotations: {statuspage-operator.io/allow-deletes: \"25\"}}",
    );
    local.apply(&directory).await;
    assert_eq!(local.component_names().await.len(), 0);
}

/// Applies with little patience.
async fn apply_in_short(local: &Local, directory: &Directory) {
    finish(local.command(&["apply", directory.text(), "--timeout", "1"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_removed_and_put_back_while_its_attempt_is_looked_for_tells_people_once() {
    for kind in ["Component", "Incident"] {
        let local = Local::start().await;
        let directory = Directory::new();
        let spec: &[&str] = match kind {
            "Incident" => &["name: Outage", "updates:", "- {status: investigating, body: Looking.}"],
            _ => &["name: Outage", "deletionPolicy: Orphan"],
        };
        let manifest = declaration(kind, "outage", spec);
        directory.write("outage.yaml", &manifest);
        let faults = local.server.faults();
        faults.set_behaviour(|behaviour| behaviour.list_lag = Duration::from_secs(3600));
        faults.next(1, "POST", "", Effect::LoseReply);
        apply_in_short(&local, &directory).await;
        directory.remove("outage.yaml");
        apply_in_short(&local, &directory).await;
        let entry = format!("default/{kind}/outage");
        let journal = |directory: &Directory| directory.lock()["objects"][&entry]["status"]["journal"].clone();
        assert_eq!(
            journal(&directory)["operation"],
            "create",
            "{kind}: {:#}",
            directory.lock()
        );
        directory.write("outage.yaml", &manifest);
        apply_in_short(&local, &directory).await;
        let path = if kind == "Incident" {
            "/incidents"
        } else {
            "/components"
        };
        let posts = || local.log().count("POST", &format!("/v1/pages/{PAGE}{path}"));
        assert_eq!(posts(), 1, "{kind}");
        // Once the lists show it, it is found.
        faults.set_behaviour(|behaviour| behaviour.list_lag = Duration::ZERO);
        local.apply(&directory).await;
        assert_eq!(
            (posts(), local.get(path).await.as_array().unwrap().len()),
            (1, 1),
            "{kind}"
        );
        // What is found after its manifest went is left as its policy says.
        local.is_settled(&directory).await;
    }
}
