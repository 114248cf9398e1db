//! What went from the page: objects that come back, and people who do not.

use serde_json::{Value, json};

use super::{Directory, Local, code, declaration, shown};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_deleted_by_hand_comes_back_although_its_manifest_has_the_old_id() {
    let local = Local::start().await;
    let directory = Directory::new();
    let made = local
        .call("POST", "/components", json!({"component": {"name": "api"}}))
        .await;
    let old = made["id"].as_str().unwrap();
    let annotation = format!("{{name: api, annotations: {{statuspage-operator.io/id: {old}}}}}");
    directory.write(
        "component.yaml",
        &declaration("Component", "api", &["description: Ours"]),
    );
    directory.edit("component.yaml", "{name: api}", &annotation);
    local.apply(&directory).await;
    local.is_settled(&directory).await;
    for _ in 0..2 {
        let id = local.get("/components").await[0]["id"].as_str().unwrap().to_owned();
        assert!(local.get(&format!("/components/{id}")).await["id"].is_string());
        let deleted = local.delete(&format!("/components/{id}")).await;
        assert!(deleted.is_success());
        local.apply(&directory).await;
        let components = local.get("/components").await;
        assert_eq!(components.as_array().unwrap().len(), 1, "{components:#}");
        assert_ne!(components[0]["id"], json!(id));
        assert_eq!(components[0]["description"], "Ours");
        local.is_settled(&directory).await;
    }
    let text = std::fs::read_to_string(directory.path().join("component.yaml")).unwrap();
    assert!(text.contains(old), "a manifest is its owner's");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_unsubscribed_is_not_subscribed_again_unasked() {
    let local = Local::start().await;
    let directory = Directory::new();
    let address = json!({"subscriber": {"email": "desk@example.com", "skip_confirmation_notification": true}});
    let id = local.call("POST", "/subscribers", address).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(local.delete(&format!("/subscribers/{id}")).await.is_success());
    directory.write(
        "subscriber.yaml",
        &declaration("Subscriber", "desk", &["email: Desk@example.com"]),
    );
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(
        shown(&output).contains("statuspage-operator.io/reactivate"),
        "{}",
        shown(&output)
    );
    assert_eq!(local.get("/subscribers?state=all").await, json!([]));
    directory.edit(
        "subscriber.yaml",
        "{name: desk}",
        "{name: desk, annotations: {statuspage-operator.io/reactivate: agreed}}",
    );
    local.log().clear();
    local.apply(&directory).await;
    let subscribers: Value = local.get("/subscribers?state=all").await;
    assert_eq!(subscribers[0]["email"], "desk@example.com", "{subscribers:#}");
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_only_a_new_object_can_have_is_planned_and_made_at_once() {
    let local = Local::start().await;
    let directory = Directory::new();
    let metric = declaration("Metric", "latency", &["transform: average", "suffix: ms"]);
    directory.write("metric.yaml", &metric);
    local.apply(&directory).await;
    let first = local.get("/metrics").await[0]["id"].clone();
    directory.edit("metric.yaml", "transform: average", "transform: max");
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(
        shown(&output).contains("replacePolicy: WhenNeeded"),
        "{}",
        shown(&output)
    );
    directory.edit("metric.yaml", "suffix: ms", "suffix: ms\n  replacePolicy: WhenNeeded");
    let (report, code) = local.plan(&directory).await;
    let page = &report["pages"][0];
    assert_eq!(
        (code, &page["delete"], &page["create"]),
        (2, &json!(1), &json!(1)),
        "{report:#}"
    );
    local.log().clear();
    local.apply(&directory).await;
    let metrics = local.get("/metrics").await;
    assert_eq!(metrics.as_array().unwrap().len(), 1, "{metrics:#}");
    assert_ne!(metrics[0]["id"], first);
    assert_eq!(local.log().writes(), 2);
    local.is_settled(&directory).await;
}
