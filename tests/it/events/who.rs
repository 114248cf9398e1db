//! Who declared a change: the field manager, from a real API server.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use statuspage_operator::api::{GROUP, Kind, REQUESTED_AT, VERSION};
use statuspage_operator::audit::{AuditEvent, Filter};
use statuspage_operator::clock::Clock;
use statuspage_operator::driver::{PageDriver, PageOptions, Store};
use statuspage_operator::engine::{Declaration, ObjectKey};
use statuspage_operator::statuspage::BudgetRegistry;
use statuspage_operator::store::kubernetes::{KubernetesOptions, KubernetesStore};

use super::{PATIENCE, Place};
use crate::operator::Stage;
use crate::support::eventually;

/// Waits until the store shows a component that is as wanted.
async fn seen(store: &KubernetesStore, page: &ObjectKey, wanted: impl Fn(&Declaration) -> bool) -> Declaration {
    eventually("the component in the store", PATIENCE, async || {
        let view = store.view(page).filter(|view| view.access.is_ok()).ok_or("no page")?;
        let component = view.declarations.into_iter().next().ok_or("no component")?;
        if wanted(&component) {
            Ok(component)
        } else {
            Err(format!("{component:?}"))
        }
    })
    .await
}

fn by(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_field_manager_of_a_change_is_told() {
    let stage = Stage::set().await;
    stage.apply_page().await;
    let api = stage.api(Kind::Component);
    let declared = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Component", "metadata": {"name": "api"},
        "spec": {"pageRef": {"name": "acme"}, "description": "one"},
    });
    let apply = PatchParams::apply("gitops");
    api.patch("api", &apply, &Patch::Apply(&declared)).await.unwrap();
    let store = KubernetesStore::start(KubernetesOptions {
        reader: stage.client.clone(),
        writer: stage.client.clone(),
        namespaces: vec![stage.namespace.clone()],
        base_url: None,
        instance: "test".to_owned(),
        may_write: Arc::new(|| true),
    });
    let page = ObjectKey::new(Kind::StatusPage, &stage.namespace, "acme");
    seen(&store, &page, |component| component.generation == 1).await;
    let log = Place::sqlite();
    let log = log.open().await;
    let options = PageOptions {
        budgets: Arc::new(BudgetRegistry::new(0)),
        clock: Clock::System,
        transport: None,
    };
    let driver = PageDriver::new(page.clone(), Arc::new(store.clone()), options);
    let mut driver = driver.recorded_by(Arc::new(log.clone()));
    let mut interrupt = store.trigger(&page).interrupt();
    let mut told = async || -> Vec<AuditEvent> {
        driver.pass(&mut interrupt).await;
        assert!(log.flush(PATIENCE).await);
        let mut events = log.store().query(&Filter::default()).await.unwrap();
        events.retain(|event| event.get("kind").as_deref() == Some("Component"));
        events
    };
    let events = told().await;
    let who = |event: &AuditEvent| (event.event_type.clone(), event.get("who"));
    let gitops = Some("gitops".to_owned());
    assert_eq!(who(&events[0]), ("component.create".to_owned(), gitops.clone()));
    assert!(events.iter().all(|event| event.get("who") == gitops), "{events:#?}");
    let before = events.len();

    // Somebody else labels it, and changes nothing of what is declared.
    let labels = json!({"metadata": {"labels": {"team": "a"}}});
    api.patch("api", &by("labeller"), &Patch::Merge(&labels)).await.unwrap();
    let spec = json!({"spec": {"description": "two"}});
    api.patch("api", &by("console"), &Patch::Merge(&spec)).await.unwrap();
    seen(&store, &page, |component| component.generation == 2).await;
    let events = told().await;
    let update = &events[before];
    assert_eq!(who(update), ("component.update".to_owned(), Some("console".to_owned())));
    let before = events.len();

    // What is put right on the page is nobody's change of the declaration.
    let id = update.get("remote_id").unwrap();
    let url = format!("{}/pages/{}/components/{id}", stage.url, crate::operator::PAGE);
    let request = crate::server::client()
        .patch(url)
        .json(&json!({"component": {"description": "by hand"}}));
    let request = request.header("Authorization", format!("OAuth {}", crate::operator::TOKEN));
    assert!(request.send().await.unwrap().status().is_success());
    let now: Value = json!({"metadata": {"annotations": {REQUESTED_AT: "now"}}});
    api.patch("api", &by("console"), &Patch::Merge(&now)).await.unwrap();
    seen(&store, &page, |component| component.requested_at.is_some()).await;
    let events = told().await;
    let corrected: Vec<_> = events[before..]
        .iter()
        .filter(|event| event.get("method").is_some())
        .map(who)
        .collect();
    assert_eq!(corrected, [("component.update".to_owned(), None)]);
    assert!(log.close(PATIENCE).await);
}
