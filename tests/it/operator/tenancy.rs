//! Namespaces on one page, and their Secrets: what one cannot do to another, and what nobody reads. See
//! docs/security.md.

use statuspage_operator::api::{ID, Kind};

use super::{Operator, SOON, Stage, TOKEN, component, secret};
use crate::support::eventually;
use crate::support::process::OutputExt;

/// A declaration for the page of another namespace.
fn guest(stage: &Stage, manifest: &str) -> String {
    let page = format!("pageRef: {{name: acme, namespace: {}}}", stage.namespace);
    manifest.replace("pageRef: {name: acme}", &page)
}

/// A page that admits everybody, and another namespace that the operator sees too.
async fn shared_page() -> (Stage, String, Operator) {
    let stage = Stage::set().await;
    let other = stage.control_plane.unique_namespace().await;
    let operator = stage.operator("operator", &["--watch-namespace", &other]).await;
    stage.apply(&secret(TOKEN)).await;
    stage.apply(&stage.page("  allowedNamespaces: {from: All}\n")).await;
    stage.reason(Kind::StatusPage, "acme", "Synced").await;
    (stage, other, operator)
}

async fn id(stage: &Stage, namespace: &str, name: &str) -> String {
    let object = stage.api_in(namespace, Kind::Component).get(name).await.unwrap();
    object.data["status"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_namespace_cannot_take_name_or_delete_what_another_one_owns() {
    let (stage, other, _operator) = shared_page().await;
    // The guest's declaration is the older one.
    stage.apply_in(&other, &guest(&stage, &component("mine", ""))).await;
    stage.reason_in(&other, Kind::Component, "mine", "Synced").await;
    stage.apply(&component("api", "  description: the owner's\n")).await;
    stage.reason(Kind::Component, "api", "Synced").await;
    let owned = id(&stage, &stage.namespace, "api").await;

    // Of the same name it gets one of its own.
    let same = component("api", "  description: the guest's\n");
    stage.apply_in(&other, &guest(&stage, &same)).await;
    stage.reason_in(&other, Kind::Component, "api", "Synced").await;
    assert_ne!(id(&stage, &other, "api").await, owned);

    // Its references end at its namespace.
    stage.apply(&component("internal", "")).await;
    stage.reason(Kind::Component, "internal", "Synced").await;
    let incident = "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {name: false-alarm}\nspec:\n  pageRef: {name: acme}\n  components: {internal: major_outage}\n  updates: [{status: investigating, body: Down.}]\n";
    stage.apply_in(&other, &guest(&stage, incident)).await;
    let message = stage
        .reason_in(&other, Kind::Incident, "false-alarm", "WaitingForReference")
        .await;
    assert!(
        message.contains(&format!("no such declaration in namespace {other}")),
        "{message}"
    );

    // The id of another one's object takes nothing from it, and tells nothing of it.
    let writes = stage.log().writes();
    let annotation = format!("{ID}={owned}");
    let annotate = [
        "annotate",
        "--overwrite",
        "component",
        "mine",
        &annotation,
        "--namespace",
        &other,
    ];
    stage.control_plane.kubectl(&annotate).await.succeeded();
    let message = stage
        .reason_in(&other, Kind::Component, "mine", "ClaimedByAnother")
        .await;
    assert!(!message.contains(&stage.namespace), "{message}");
    let delete = ["delete", "component", "mine", "--timeout=60s", "--namespace", &other];
    stage.control_plane.kubectl(&delete).await.succeeded();
    stage.apply(&component("later", "")).await;
    stage.reason(Kind::Component, "later", "Synced").await;
    assert_eq!(stage.log().writes(), writes + 1, "{:?}", stage.log().entries().last());
    let components = stage.remote("/components").await;
    let mut rows = components.as_array().unwrap().iter();
    let kept = rows.find(|row| row["id"] == owned.as_str()).unwrap();
    assert_eq!(
        (&kept["name"], &kept["description"]),
        (&"api".into(), &"the owner's".into())
    );
    stage.reason(Kind::Component, "api", "Synced").await;
    assert!(stage.remote("/incidents").await.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_are_read_only_from_the_namespace_that_names_them() {
    let (stage, other, _operator) = shared_page().await;
    let requests = stage.log().entries().len();
    // A page of the other namespace does not get the Secret of the same name that is here.
    let page = stage.page("").replace("{name: acme}", "{name: borrowed}");
    stage.apply_in(&other, &page).await;
    let message = stage
        .reason_in(&other, Kind::StatusPage, "borrowed", "SecretNotFound")
        .await;
    assert!(
        message.contains(&format!("Secret {other}/statuspage-token does not exist")),
        "{message}"
    );
    assert_eq!(
        stage.log().entries().len(),
        requests,
        "nothing was sent with another one's token"
    );
    // It cannot even be asked for.
    let name = "tokenSecretRef: {name: statuspage-token";
    let reaching = page.replace(name, &format!("{name}, namespace: {}", stage.namespace));
    let apply = ["apply", "--namespace", &other, "-f", "-"];
    let refused = stage.control_plane.kubectl_with_input(&apply, &reaching).await.failed();
    assert!(
        refused.contains("unknown field") && refused.contains("namespace"),
        "{refused}"
    );

    // Credentials belong to the namespace of the provider, not to that of its page.
    let keys = secret("page-owners-key").replace("statuspage-token", "keys");
    stage.apply(&keys).await;
    let provider = "apiVersion: statuspage-operator.io/v1alpha1\nkind: MetricsProvider\nmetadata: {name: relic}\nspec:\n  pageRef: {name: acme}\n  type: NewRelic\n  apiKeySecretRef: {name: keys, key: token}\n";
    stage.apply_in(&other, &guest(&stage, provider)).await;
    let message = stage
        .reason_in(&other, Kind::MetricsProvider, "relic", "SecretNotFound")
        .await;
    assert!(message.contains(&format!("{other}/keys")), "{message}");
    stage
        .apply_in(&other, &keys.replace("page-owners-key", "guests-key"))
        .await;
    stage.reason_in(&other, Kind::MetricsProvider, "relic", "Synced").await;
    let entries = stage.log().entries();
    let sent = entries
        .iter()
        .find(|entry| entry.path.ends_with("/metrics_providers") && entry.method == "POST");
    let body = &sent.unwrap().body;
    assert!(
        body.contains("guests-key") && !body.contains("page-owners-key"),
        "{body}"
    );
}

#[tokio::test]
async fn nothing_that_can_be_read_holds_a_secret() {
    const KEY: &str = "relic-key-0a1b2c3d";
    let stage = Stage::set().await;
    let operator = stage.operator("operator", &["--log-level", "debug"]).await;
    stage.apply(&secret(KEY).replace("statuspage-token", "keys")).await;
    stage.apply_page().await;
    stage.apply(&component("api-of-the-shop", "")).await;
    let provider = "apiVersion: statuspage-operator.io/v1alpha1\nkind: MetricsProvider\nmetadata: {name: relic}\nspec:\n  pageRef: {name: acme}\n  type: NewRelic\n  apiKeySecretRef: {name: keys, key: token}\n";
    stage.apply(provider).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    stage.all_ready(Kind::MetricsProvider, 1, SOON).await;
    let components = stage.remote("/components").await;
    let address = components[0]["automation_email"].as_str().unwrap();
    let events = eventually("the Events", SOON, async || {
        let events = stage.kubectl(&["get", "events", "-o", "yaml"]).await;
        match events.contains("api-of-the-shop") && events.contains("relic") {
            true => Ok(events),
            false => Err(events),
        }
    })
    .await;
    let declarations = stage.kubectl(&["get", "statuspage-all", "-o", "yaml"]).await;
    assert!(declarations.contains("api-of-the-shop") && declarations.contains("relic"));
    let (_, metrics) = operator.get("/metrics").await;
    let log = operator.log();
    for (what, text) in [
        ("Events", &events),
        ("declarations", &declarations),
        ("metrics", &metrics),
        ("log", &log),
    ] {
        for hidden in [TOKEN, KEY, address] {
            assert!(!text.contains(hidden), "{what} hold {hidden}");
        }
    }
    // The metrics name StatusPages, and nothing else that is declared.
    assert!(
        metrics.contains("acme") && !metrics.contains("api-of-the-shop"),
        "{metrics}"
    );
}

/// Two StatusPages, each with a token of its own, stand for one page: its objects have one owner all the same.
#[tokio::test]
async fn two_status_pages_of_one_page_do_not_fight_over_its_objects() {
    let (stage, other, _operator) = shared_page().await;
    stage.apply(&component("api", "  description: ours\n")).await;
    stage.reason(Kind::Component, "api", "Synced").await;
    let owned = id(&stage, &stage.namespace, "api").await;
    stage.apply_in(&other, &secret(TOKEN)).await;
    stage.apply_in(&other, &stage.page("")).await;
    stage.reason_in(&other, Kind::StatusPage, "acme", "Synced").await;
    let writes = stage.log().writes();
    let rival = component("api", "  description: theirs\n");
    let with_id = rival.replace("{name: api}", &format!("{{name: api, annotations: {{{ID}: {owned}}}}}"));
    stage.apply_in(&other, &with_id).await;
    let message = stage
        .reason_in(&other, Kind::Component, "api", "ClaimedByAnother")
        .await;
    assert!(
        message.contains("another namespace") && !message.contains(&stage.namespace),
        "{message}"
    );
    assert_eq!(stage.log().writes(), writes);
    // Its deletion is no business of the owner, and the other way round it is.
    let delete = ["delete", "component", "api", "--timeout=60s", "--namespace", &other];
    stage.control_plane.kubectl(&delete).await.succeeded();
    assert_eq!(stage.log().writes(), writes);
    stage.apply_in(&other, &with_id).await;
    stage
        .reason_in(&other, Kind::Component, "api", "ClaimedByAnother")
        .await;
    stage
        .kubectl(&["annotate", "component", "api", &format!("{ID}-")])
        .await;
    let orphan = r#"{"spec":{"deletionPolicy":"Orphan"}}"#;
    stage
        .kubectl(&["patch", "component", "api", "--type=merge", "-p", orphan])
        .await;
    stage.kubectl(&["delete", "component", "api", "--timeout=60s"]).await;
    // Nobody has it any more: the other one takes it over without being touched.
    stage.reason_in(&other, Kind::Component, "api", "Synced").await;
    assert_eq!(
        stage.remote(&format!("/components/{owned}")).await["description"],
        "theirs"
    );
}
