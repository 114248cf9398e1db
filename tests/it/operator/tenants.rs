//! A caller with rights in one namespace sees nothing of another: the real operator, a real API server.

use std::path::PathBuf;

use kube::config::Kubeconfig;
use reqwest::RequestBuilder;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use statuspage_operator::admin::caller::{Scope, Verb};
use statuspage_operator::admin::identity::access_keys::AccessKeys;
use statuspage_operator::admin::identity::key_ring::{IssuedKey, NewKey};
use statuspage_operator::api::Kind;
use statuspage_operator::audit::{EventStore, Filter, Location};
use tempfile::TempDir;

use super::{Operator, SOON, Stage, component, components};
use crate::support::eventually;
use crate::support::process::OutputExt;

/// Who asks.
#[derive(Clone)]
pub(super) enum Who {
    /// A token of the cluster.
    Token(String),
    /// An access key.
    Key(String, String),
}

impl Who {
    pub fn key(key: &IssuedKey) -> Who {
        Who::Key(key.id.clone(), key.token.expose_secret().to_owned())
    }

    pub fn get(&self, operator: &Operator, path: &str) -> RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}{path}", operator.origin));
        match self {
            Who::Token(token) => request.bearer_auth(token),
            Who::Key(id, token) => request.header("X-Key", id).header("X-Access-Token", token),
        }
    }

    /// Status and text of an answer.
    pub async fn ask(&self, operator: &Operator, path: &str) -> (u16, String) {
        let response = self.get(operator, path).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The JSON of a good answer.
    pub async fn read(&self, operator: &Operator, path: &str) -> Value {
        let (status, text) = self.ask(operator, path).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// A file of access keys.
pub(super) struct Keys {
    directory: TempDir,
    keys: AccessKeys,
}

impl Keys {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = AccessKeys::of(directory.path().join("keys.json"));
        Keys { directory, keys }
    }

    pub fn file(&self) -> String {
        self.directory.path().join("keys.json").display().to_string()
    }

    pub fn make(&self, user: &str, admin: bool, namespace: Option<&str>) -> IssuedKey {
        let key = NewKey {
            user: user.to_owned(),
            admin,
            namespaces: namespace.map_or(Scope::All, |namespace| Scope::Only([namespace.to_owned()].into())),
            pages: None,
            verbs: Verb::READING.into(),
            expires: jiff::Timestamp::now() + std::time::Duration::from_secs(3600),
        };
        self.keys.create(key).unwrap()
    }
}

/// A token of the namespace's default service account, which may list all declarations there.
pub(super) async fn reader_of(stage: &Stage, namespace: &str) -> Who {
    let rights = "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: readers}, \
                  rules: [{apiGroups: [statuspage-operator.io], resources: ['*'], verbs: [list]}]}\n---\n\
                  {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: readers}, \
                  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: readers}, \
                  subjects: [{kind: ServiceAccount, name: default}]}\n";
    stage.apply_in(namespace, rights).await;
    let kubeconfig: PathBuf = stage
        .control_plane
        .kubeconfig_for_service_account(namespace, "default")
        .await;
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
    Who::Token(user.token.as_ref().unwrap().expose_secret().to_owned())
}

/// What namespace b has, by words that occur nowhere else.
fn declared_in_b(a: &str) -> String {
    let on_the_page_of_a = format!("pageRef: {{name: acme, namespace: {a}}}");
    let guest = component("guest-of-b", "").replace("pageRef: {name: acme}", &on_the_page_of_a);
    let incident = format!(
        "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata: {{name: outage-of-b}}\nspec:\n  \
         {on_the_page_of_a}\n  name: Trouble of b\n  updates: [{{status: resolved, body: It was nothing.}}]\n---\n"
    );
    let page = "apiVersion: statuspage-operator.io/v1alpha1\nkind: StatusPage\nmetadata: {name: page-of-b}\nspec:\n  \
                pageId: 9zzzzzzzzzz9\n  api: {tokenSecretRef: {name: missing-of-b}}\n";
    [guest, incident, page.to_owned()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_rights_in_one_namespace_sees_nothing_of_another() {
    let stage = Stage::set().await;
    let a = stage.namespace.clone();
    let b = stage.control_plane.unique_namespace().await;
    let keys = Keys::new();
    let [of_a, admin_of_a, of_all] = [
        keys.make("ann", false, Some(&a)),
        keys.make("adam", true, Some(&a)),
        keys.make("root", true, None),
    ];
    let log = tempfile::tempdir().unwrap();
    let events = log.path().join("events.db").display().to_string();
    let file = keys.file();
    let operator = stage
        .operator(
            "operator",
            &["--watch-namespace", &b, "--events", &events, "--access-keys", &file],
        )
        .await;
    stage.apply_page().await;
    stage.apply(&stage.page("  allowedNamespaces: {from: All}\n")).await;
    stage.apply(&components(2)).await;
    let stray = component("stray", "").replace("name: acme", "name: no-such-page");
    stage.apply(&stray).await;
    stage.apply_in(&b, &declared_in_b(&a)).await;
    stage.reason(Kind::Component, "c01", "Synced").await;
    stage.reason(Kind::Component, "stray", "PageNotFound").await;
    stage.reason_in(&b, Kind::Component, "guest-of-b", "Synced").await;
    stage.reason_in(&b, Kind::Incident, "outage-of-b", "Synced").await;
    stage
        .reason_in(&b, Kind::StatusPage, "page-of-b", "SecretNotFound")
        .await;

    // Everything is there, for whoever may see it.
    let root = Who::key(&of_all);
    let all = root.read(&operator, "/api/v1/resources/?limit=1000").await;
    assert_eq!(all["meta"]["count"], 7, "{all}");
    let of_b = format!("/v2/events?limit=1000&q.field=namespace&q.value={b}");
    let events_of_b = eventually("the events of b", SOON, async || {
        let events = root.read(&operator, &of_b).await;
        let created = events.as_array().unwrap().iter();
        let created: Vec<&Value> = created
            .filter(|event| event["event_type"] == "incident.create")
            .collect();
        match created.as_slice() {
            [one] => Ok((
                events.as_array().unwrap().len(),
                one["message_id"].as_str().unwrap().to_owned(),
            )),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let (count_of_b, id_of_b) = events_of_b;
    assert!(count_of_b >= 5, "{count_of_b}");

    let token_of_a = reader_of(&stage, &a).await;
    eventually("the rights of the account", SOON, async || {
        let list = token_of_a.read(&operator, "/api/v1/resources/").await;
        match list["meta"]["count"].as_u64() {
            Some(4) => Ok(()),
            // Rights that were asked for too early are kept for a while.
            _ => Err(list.to_string()),
        }
    })
    .await;
    for who in [token_of_a, Who::key(&of_a), Who::key(&admin_of_a)] {
        sees_only_a(&who, &operator, &b, &id_of_b).await;
    }

    // Types and traits are for administrators, of their own namespaces.
    assert_eq!(Who::key(&of_a).ask(&operator, "/v2/event_types").await.0, 403);
    let types = Who::key(&admin_of_a).read(&operator, "/v2/event_types").await;
    assert!(
        types.to_string().contains("component.create") && !types.to_string().contains("incident"),
        "{types}"
    );
    let names = Who::key(&admin_of_a)
        .read(&operator, "/v2/event_types/component.create/traits/name")
        .await;
    let names: Vec<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["value"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c00", "c01"]);
    let everybody = root
        .read(&operator, "/v2/event_types/component.create/traits/name")
        .await;
    assert_eq!(everybody.as_array().unwrap().len(), 3);

    follows_only_a(&stage, &operator, &Who::key(&of_a), &b).await;
}

/// What was done is not forgotten with what was declared.
#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_namespace_outlive_its_declarations() {
    let stage = Stage::set().await;
    let log = tempfile::tempdir().unwrap();
    let events = log.path().join("events.db").display().to_string();
    let operator = stage.operator("operator", &["--events", &events]).await;
    stage.apply_page().await;
    stage.apply(&components(1)).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    stage.kubectl(&["delete", "component", "c00", "--timeout=60s"]).await;
    stage.kubectl(&["delete", "statuspage", "acme", "--timeout=60s"]).await;
    let reader = reader_of(&stage, &stage.namespace).await;
    eventually("the deletion among the events", SOON, async || {
        let events = reader.read(&operator, "/v2/events?limit=1000").await;
        let text = events.to_string();
        (text.contains("component.create") && text.contains("component.delete"))
            .then_some(())
            .ok_or(text)
    })
    .await;
    let list = reader.read(&operator, "/api/v1/resources/").await;
    assert_eq!(list["meta"]["count"], 0, "{list}");
}

/// Where that is wished, a tenant that is gone leaves no events behind; those of others stay.
#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_deleted_namespace_go_with_it() {
    let stage = Stage::set().await;
    let b = stage.control_plane.unique_namespace().await;
    let log = tempfile::tempdir().unwrap();
    let events = log.path().join("events.db").display().to_string();
    let arguments = [
        "--watch-namespace",
        &b,
        "--events",
        &events,
        "--events-purge-with-namespace",
    ];
    let operator = stage.operator("operator", &arguments).await;
    stage.apply_page().await;
    stage.apply(&stage.page("  allowedNamespaces: {from: All}\n")).await;
    stage.apply(&components(1)).await;
    stage.apply_in(&b, &declared_in_b(&stage.namespace)).await;
    stage.all_ready(Kind::Component, 1, SOON).await;
    stage.reason_in(&b, Kind::Component, "guest-of-b", "Synced").await;
    let location: Location = events.parse().unwrap();
    let store = EventStore::open_read_only(&location).await.unwrap();
    eventually("events of both", SOON, async || {
        let tenants = store.tenants().await.unwrap();
        (tenants.contains(&b) && tenants.contains(&stage.namespace))
            .then_some(())
            .ok_or(format!("{tenants:?}"))
    })
    .await;
    stage.kubectl(&["delete", "namespace", &b, "--timeout=120s"]).await;
    eventually("its events are gone", SOON * 2, async || {
        match store.tenants().await.unwrap() {
            tenants if tenants == [stage.namespace.clone()] => Ok(()),
            tenants => Err(format!("{tenants:?} {}", operator.log_tail())),
        }
    })
    .await;
    let left = store.query(&Filter::default()).await.unwrap();
    assert!(
        left.iter().any(|event| event.event_type == "component.create"),
        "{left:?}"
    );
}

/// Asks everything that there is to ask.
async fn sees_only_a(who: &Who, operator: &Operator, b: &str, id_of_b: &str) {
    let everything = [
        "/api/v1/status/",
        "/api/v1/pages/?limit=1000",
        "/api/v1/resources/?limit=1000",
        "/api/v2/status",
        "/v2/events?limit=1000",
        "/v2/event_types",
        "/v2/event_types/component.create/traits",
        "/v2/event_types/component.create/traits/name",
        "/v2/event_types/component.create/traits/namespace",
        "/v2/event_types/incident.create/traits/name",
        "/v2/event_types/page.condition/traits/reason",
        "/openapi.json",
    ];
    for path in everything {
        let (_, text) = who.ask(operator, path).await;
        for word in [
            b,
            "guest-of-b",
            "outage-of-b",
            "page-of-b",
            "Trouble of b",
            "missing-of-b",
        ] {
            assert!(!text.contains(word), "{path} tells of {word}: {text}");
        }
    }
    let list = who.read(operator, "/api/v1/resources/?limit=1000").await;
    let names: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    // The declaration without a page is listed too.
    assert_eq!(names, ["c00", "c01", "stray", "acme"]);
    let pages = who.read(operator, "/api/v1/pages/").await;
    assert_eq!(
        (&pages["meta"]["count"], &pages["data"][0]["declarations"]),
        (&json!(1), &json!(3))
    );
    for path in ["/api/v1/resources/", "/api/v1/pages/"] {
        let asked = who.read(operator, &format!("{path}?namespace={b}")).await;
        assert_eq!(asked["meta"]["count"], 0, "{path}");
    }
    for name in [
        "Component/guest-of-b",
        "Component/no-such-thing",
        "StatusPage/page-of-b",
    ] {
        let (status, text) = who.ask(operator, &format!("/api/v1/resources/{b}/{name}/")).await;
        assert_eq!((status, text.contains("Not found.")), (404, true), "{name}: {text}");
    }
    let process = who.read(operator, "/api/v2/status").await;
    let numbers = ["Users session", "Max users session", "Domain session"].map(|name| process[name].as_u64());
    assert_eq!(numbers, [Some(3), Some(4), Some(1)]);
    // The page of b has no token: its trouble is not told either.
    assert_eq!(process["Webitel"]["Status"], "Connected");

    let list = who
        .read(operator, &format!("/v2/events?q.field=namespace&q.value={b}"))
        .await;
    assert_eq!(list, json!([]));
    let list = who
        .read(operator, &format!("/v2/events?q.field=message_id&q.value={id_of_b}"))
        .await;
    assert_eq!(list, json!([]));
    let (status, text) = who.ask(operator, &format!("/v2/events/{id_of_b}")).await;
    assert_eq!(
        (status, text.contains(&format!("Event {id_of_b} Not Found"))),
        (404, true),
        "{text}"
    );
    for query in ["", "follow=true&"] {
        let (status, text) = who.ask(operator, &format!("/v2/events?{query}marker={id_of_b}")).await;
        assert_eq!((status, text.contains("not found")), (400, true), "{text}");
    }
    let (status, text) = who
        .ask(operator, "/v2/events?limit=1000&q.field=all_tenants&q.value=true")
        .await;
    assert!(status == 403 || !text.contains(b), "{text}");
}

/// A stream has what happens in the own namespace from now on, and ends when the operator does.
async fn follows_only_a(stage: &Stage, operator: &Operator, who: &Who, b: &str) {
    let mut response = who.get(operator, "/v2/events?follow=true").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let delete = ["delete", "component", "guest-of-b", "--namespace", b, "--timeout=60s"];
    stage.control_plane.kubectl(&delete).await.succeeded();
    stage.apply(&component("c02", "")).await;
    stage.reason(Kind::Component, "c02", "Synced").await;
    let mut text = String::new();
    let wait = async {
        while !text.contains("\"c02\"") {
            let chunk = response.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        operator.signal("TERM");
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(SOON, wait)
        .await
        .expect("events of the own namespace, and an end");
    assert!(
        text.contains("component.create") && !text.contains("guest-of-b") && !text.contains(b),
        "{text}"
    );
    operator.ended_in_order().await;
    assert!(
        !operator.log().contains("did not end in order"),
        "{}",
        operator.log_tail()
    );
}
