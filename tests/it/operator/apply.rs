//! What users of Kubernetes do, and what they see.

use std::path::Path;
use std::time::Duration;

use kube::api::DynamicObject;

use statuspage_operator::api::Kind;

use super::{PAGE, SOON, Stage, TOKEN, component, components, condition, names, secret};
use crate::support::eventually;

/// The example for a cluster, in the namespace of the test.
fn example(namespace: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes");
    ["secret", "components", "incidents", "subscribers", "page"]
        .map(|file| {
            let text = std::fs::read_to_string(directory.join(format!("{file}.yaml"))).unwrap();
            format!("{text}\n---\n")
        })
        .concat()
        .replace("namespace: status\n", &format!("namespace: {namespace}\n"))
        .replace("REPLACE-WITH-YOUR-API-TOKEN", TOKEN)
}

/// The managers of an object that have written something.
async fn managers(stage: &Stage, object: &str) -> Vec<String> {
    let path = "jsonpath={range .metadata.managedFields[*]}{.manager}{\"\\n\"}{end}";
    let printed = stage
        .kubectl(&["get", object, "--show-managed-fields", "-o", path])
        .await;
    let mut managers: Vec<String> = printed.lines().map(str::to_owned).collect();
    managers.sort();
    managers.dedup();
    managers
}

#[tokio::test]
async fn what_the_operator_writes_bears_its_name() {
    let stage = Stage::set().await;
    let lease = ["--leader-elect", "--lease-namespace", stage.namespace.as_str()];
    let _operator = stage.operator("operator", &lease).await;
    stage.apply_page().await;
    stage.apply(&component("api", "")).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    let component = managers(&stage, "component.statuspage-operator.io/api").await;
    assert_eq!(component, ["kubectl-client-side-apply", "statuspage-operator"]);
    for lease in ["lease/statuspage-operator", "lease/statuspage-operator-requests"] {
        assert_eq!(managers(&stage, lease).await, ["statuspage-operator"], "{lease}");
    }
}

#[tokio::test]
async fn the_example_is_applied_stays_quiet_and_is_deleted() {
    let stage = Stage::set().await;
    let manifests = example(&stage.namespace);
    assert!(manifests.contains(PAGE), "the example's page is the one of the server");
    let operator = stage.operator("operator", &["--api-url", &stage.url]).await;
    stage.apply(&manifests).await;
    let kinds = "components,componentgroups,incidents,subscribers,statuspages";
    stage
        .kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", "--all", kinds])
        .await;
    assert_eq!(
        stage.component_names().await,
        ["API", "Dashboard", "Platform", "Webhook delivery"],
        "a group is in the list of components too"
    );
    assert_eq!(stage.remote("/incidents").await.as_array().unwrap().len(), 1);

    let table = stage.kubectl(&["get", "components"]).await;
    for column in [
        "NAME",
        "READY",
        "REASON",
        "STATUS",
        "ID",
        "PAGE",
        "AGE",
        "True",
        "Synced",
        "operational",
    ] {
        assert!(table.contains(column), "{column}: {table}");
    }
    eventually("the Event of the create", SOON, async || {
        let described = stage.kubectl(&["describe", "component", "api"]).await;
        match described.contains("Created") && described.contains("statuspage-operator") {
            true => Ok(()),
            false => Err(described),
        }
    })
    .await;
    let explained = stage.kubectl(&["explain", "component.spec.deletionPolicy"]).await;
    assert!(
        explained.contains("DESCRIPTION") && explained.contains("Orphan"),
        "{explained}"
    );

    stay_quiet(&stage, &operator).await;

    // What was declared with deletionPolicy: Orphan stays on the page, and so do incidents.
    let kinds = "components,componentgroups,incidents,subscribers";
    stage.kubectl(&["delete", "--all", "--timeout=60s", kinds]).await;
    assert_eq!(stage.component_names().await, ["Dashboard"]);
    assert_eq!(stage.remote("/incidents").await.as_array().unwrap().len(), 1);
    assert!(stage.remote("/subscribers").await.as_array().unwrap().is_empty());
    assert!(!operator.log().contains(TOKEN));
}

/// Three forced reads of the whole page write nothing, neither to the page nor to any declaration.
async fn stay_quiet(stage: &Stage, operator: &super::Operator) {
    let versions = stage.versions().await;
    let writes = stage.log().writes();
    for pass in 0..3 {
        let plans = operator.figure("statuspage_page_plans_total").await;
        let lists = || stage.log().count("GET", &format!("/v1/pages/{PAGE}/components"));
        let listed = lists();
        let annotation = format!("statuspage-operator.io/requested-at=pass-{pass}");
        stage
            .kubectl(&["annotate", "--overwrite", "statuspage", "acme", &annotation])
            .await;
        eventually("a pass on request", SOON, async || {
            let handled = stage
                .kubectl(&[
                    "get",
                    "statuspage",
                    "acme",
                    "-o",
                    "jsonpath={.status.lastHandledRequest}",
                ])
                .await;
            let planned = operator.figure("statuspage_page_plans_total").await;
            match handled == format!("pass-{pass}") && planned > plans && lists() > listed {
                true => Ok(()),
                false => Err(format!("{handled}, {planned} plans")),
            }
        })
        .await;
    }
    assert_eq!(stage.versions().await, versions, "resourceVersions moved");
    assert_eq!(stage.log().writes(), writes, "{:?}", stage.log().entries());
}

#[tokio::test]
async fn two_hundred_components_cost_two_hundred_creates() {
    let stage = Stage::set().await;
    let operator = stage.operator("operator", &["--requests-per-minute", "0"]).await;
    stage.apply(&secret(TOKEN)).await;
    stage.apply(&stage.page("")).await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    let begun = std::time::Instant::now();
    stage.log().clear();
    let many: String = (0..200).map(|number| component(&format!("c{number:03}"), "")).collect();
    stage.apply(&many).await;
    stage.all_ready(Kind::Component, 200, Duration::from_secs(120)).await;
    let reads = stage.log().count("GET", "");
    eprintln!(
        "200 components: {} creates, {reads} reads, {:?}, {} store writes, {} plans",
        stage.creates(),
        begun.elapsed(),
        operator.figure("statuspage_page_store_writes_total").await,
        operator.figure("statuspage_page_plans_total").await
    );
    assert_eq!(stage.creates(), 200);
    assert!(reads <= 12, "{reads} reads");
    stage.log().clear();
    stay_quiet(&stage, &operator).await;
    let reads = stage.log().count("GET", "");
    eprintln!("three passes over 200 components: {reads} reads");
    assert!(
        stage.log().count("GET", &format!("/v1/pages/{PAGE}/components")) >= 3,
        "read on request"
    );
    assert!(reads <= 24, "{reads} reads");
}

#[tokio::test]
async fn one_change_is_one_request() {
    let stage = Stage::set().await;
    let _operator = stage.operator("operator", &[]).await;
    stage.apply_page().await;
    stage.apply(&components(3)).await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    assert_eq!(stage.component_names().await, names(3));
    let writes = stage.log().writes();
    stage.apply(&component("c01", "  description: changed\n")).await;
    eventually("the change", SOON, async || {
        let components = stage.remote("/components").await;
        match components.to_string().contains("changed") {
            true => Ok(()),
            false => Err(components.to_string()),
        }
    })
    .await;
    stage.all_ready(Kind::Component, 3, SOON).await;
    assert_eq!(stage.log().writes(), writes + 1);
    stage.kubectl(&["delete", "component", "c01", "--timeout=60s"]).await;
    assert_eq!(stage.component_names().await, ["c00", "c02"]);
}

/// Within the budget of the real service: sixty requests in any sixty seconds.
#[tokio::test]
async fn an_incident_passes_a_full_backlog() {
    let stage = Stage::set().await;
    // All is declared before the operator starts: however slowly this machine applies, it sees the whole backlog.
    stage.apply_page().await;
    stage.apply(&components(120)).await;
    let operator = stage.operator("operator", &[]).await;
    let writes = eventually("a used up budget", SOON, async || {
        let waiting = operator.figure("statuspage_requests_waiting").await;
        match (waiting > 0.0, stage.log().writes()) {
            (true, writes) => Ok(writes),
            (false, writes) => Err(format!("{writes} writes")),
        }
    })
    .await;
    assert!(writes < 60, "{writes}");
    let told = eventually("the StatusPage tells", SOON, async || {
        let page = stage.api(Kind::StatusPage).get("acme").await.unwrap();
        let message = condition(&page.data, "Ready")["message"].to_string();
        match message.contains("for the request budget of 60 a minute, about 2 minutes; incidents go first") {
            true => Ok(message),
            false => Err(message),
        }
    })
    .await;
    assert!(
        told.contains(&format!("{} changes wait", 120 - writes)),
        "{writes} of 120 written: {told}"
    );
    let begun = std::time::Instant::now();
    stage
        .apply("apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {name: urgent}\nspec:\n  pageRef: {name: acme}\n  name: Nothing works\n  updates: [{status: investigating, body: We look into it.}]\n")
        .await;
    let requests = eventually("the incident", SOON, async || {
        let entries = stage.log().entries();
        match entries
            .iter()
            .any(|entry| entry.method == "POST" && entry.path.ends_with("/incidents"))
        {
            true => Ok(entries),
            false => Err(format!("{} requests", entries.len())),
        }
    })
    .await;
    let written: Vec<&str> = requests
        .iter()
        .filter(|entry| entry.method != "GET")
        .map(|entry| entry.path.as_str())
        .collect();
    eprintln!(
        "the incident was sent {:?} after its apply, behind {writes} of 120 creates",
        begun.elapsed()
    );
    assert!(
        written[writes].ends_with("/incidents"),
        "the next write: {:?}",
        &written[writes..]
    );
    assert!(stage.log().peak_per_minute() <= 60, "{}", stage.log().peak_per_minute());
    // What is not on the page yet says what it waits for.
    eventually("all that wait say so", SOON, async || {
        let components = stage.api(Kind::Component).list(&Default::default()).await.unwrap();
        let told = |component: &&DynamicObject| condition(&component.data, "Ready")["reason"] == "Progressing";
        let waiting = |component: &&DynamicObject| component.data["status"]["id"].is_null();
        let waiting: Vec<&DynamicObject> = components.items.iter().filter(waiting).collect();
        match waiting.iter().copied().filter(|component| !told(component)).count() {
            0 if !waiting.is_empty() => Ok(()),
            silent => Err(format!("{silent} of {} say nothing", waiting.len())),
        }
    })
    .await;
}
