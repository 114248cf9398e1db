//! What is needed to create an object, and the requests that change it.

use serde_json::{Map, Value, json};

use super::{lines, rows, seen, world};
use crate::api::{Kind, Reason};
use crate::engine::fields::Access;
use crate::engine::rules::Rules;
use crate::engine::tests::builders::{declare, put_foreign_group, start};
use crate::engine::tests::rules::{ask_as, recorded};
use crate::engine::tests::simulation::Simulation;
use crate::engine::{ReadWhat, Request, Spec};

#[test]
fn credentials_are_needed_to_create_a_provider_and_never_again() {
    let spec = json!({"type": "Datadog", "apiKeySecretRef": {"name": "s"}});
    let with = |secret: Option<Result<&str, &str>>| {
        let mut simulation = world(Kind::MetricsProvider, &spec, &json!({"id": "it", "type": "Datadog"}));
        if let Some(secret) = secret {
            let secret = secret
                .map(|value| serde_json::from_value(json!(value)).unwrap())
                .map_err(str::to_owned);
            simulation.declarations[0].secrets.insert("apiKeySecretRef", secret);
        }
        let seen = seen(&simulation, Kind::MetricsProvider).unwrap();
        let here = seen.here.unwrap().iter().filter(|field| field.secret).count();
        let new = seen.new.map(|fields| {
            let secrets = fields
                .iter()
                .filter(|field| field.secret && field.access == Access::CreateOnly);
            secrets.map(|field| field.desired.clone()).collect::<Vec<_>>()
        });
        (here, new.map_err(|blocked| (blocked.reason, blocked.message)))
    };
    assert_eq!(with(Some(Ok("hunter2"))), (1, Ok(vec![json!("hunter2")])));
    let missing = (Reason::SecretNotFound, "no such Secret".to_owned());
    assert_eq!(with(Some(Err("no such Secret"))), (0, Err(missing)));
    let (here, new) = with(None);
    assert_eq!((here, new.unwrap_err().0), (0, Reason::SecretNotFound));
}

#[test]
fn a_provider_is_replaced_where_its_metrics_come_back() {
    let spec = json!({"type": "Pingdom", "replacePolicy": "WhenNeeded", "driftPolicy": "Correct"});
    let replaceable = |differ: &dyn Fn(&mut Simulation)| {
        let mut simulation = world(Kind::MetricsProvider, &spec, &json!({"id": "it", "type": "Pingdom"}));
        differ(&mut simulation);
        seen(&simulation, Kind::MetricsProvider)
            .unwrap()
            .replaceable
            .map_err(|blocked| blocked.message)
    };
    let metric = |provider: &str| rows(&[json!({"id": "m1", "name": "Latency", "metrics_provider_id": provider})]);
    assert_eq!(replaceable(&|_| {}), Ok(()), "its metrics are of another provider");
    assert!(replaceable(&|simulation| simulation.known.metrics = None).is_err());
    let undeclared = replaceable(&|simulation| simulation.known.metrics = metric("it")).unwrap_err();
    assert!(
        undeclared.contains("nobody declares metric \"Latency\" with id m1"),
        "{undeclared}"
    );
    for (policies, deleting, comes_back) in [
        (
            json!({"replacePolicy": "WhenNeeded", "driftPolicy": "Correct"}),
            false,
            true,
        ),
        (
            json!({"replacePolicy": "WhenNeeded", "driftPolicy": "Correct"}),
            true,
            false,
        ),
        (
            json!({"replacePolicy": "Never", "driftPolicy": "Correct"}),
            false,
            false,
        ),
        (
            json!({"replacePolicy": "WhenNeeded", "driftPolicy": "Detect"}),
            false,
            false,
        ),
        (
            json!({"replacePolicy": "WhenNeeded", "driftPolicy": "Correct", "deletionPolicy": "Orphan"}),
            false,
            false,
        ),
        (
            json!({"replacePolicy": "WhenNeeded", "driftPolicy": "Correct", "suspend": true}),
            false,
            false,
        ),
    ] {
        let found = replaceable(&|simulation| {
            let mut declared = declare(Kind::Metric, "mine", policies.clone());
            declared.status_mut().object_mut().id = Some("m1".to_owned());
            declared.deleting = deleting;
            simulation.declarations.push(declared);
            simulation.known.metrics = metric("it");
        });
        assert_eq!(found.is_ok(), comes_back, "{policies} {deleting} {found:?}");
    }
}

#[test]
fn a_subscriber_hears_about_everything_again_once_its_components_are_gone() {
    let map = |declared: Value, shown: Value, applied: bool| {
        let spec = json!({"email": "a@b", "components": declared});
        let mut simulation = world(Kind::Subscriber, &spec, &json!({"id": "it", "components": shown}));
        if applied {
            let object = simulation.declarations[0].status_mut().object_mut();
            object.applied.insert("components".to_owned(), String::new());
        }
        let fields = seen(&simulation, Kind::Subscriber).unwrap().here.unwrap();
        fields
            .into_iter()
            .find(|field| field.name == "components")
            .map(|field| field.desired)
    };
    assert_eq!(map(json!(["api"]), json!([]), false), Some(json!(["c"])));
    assert_eq!(map(json!([]), json!(["c"]), true), Some(json!([])));
    assert_eq!(
        map(json!([]), json!(["c"]), false),
        None,
        "somebody else has chosen them"
    );
    assert_eq!(map(json!([]), json!([]), true), None);
    let simulation = world(Kind::Subscriber, &json!({"email": "a@b"}), &json!({"id": "it"}));
    let update = |body: Value| {
        ask_as(&simulation, Kind::Subscriber, "it", |context| {
            let Spec::Subscriber(spec) = &*context.declaration.spec else {
                panic!("a subscriber")
            };
            let remote = &context.world.snapshot.subscribers.as_ref().unwrap().items[0];
            let body: Map<String, Value> = body.as_object().unwrap().clone();
            spec.update(context, remote, body).map_err(|blocked| blocked.reason)
        })
    };
    let to = |ids: Option<Vec<String>>| Ok(Request::UpdateSubscriber("it".to_owned(), ids));
    assert_eq!(update(json!({"component_ids": ["c"]})), to(Some(vec!["c".to_owned()])));
    assert_eq!(update(json!({"component_ids": []})), to(None));
    assert_eq!(update(json!({})), Err(Reason::Invalid));
}

#[test]
fn what_is_granted_to_one_viewer_is_read_first_and_written_apart() {
    let spec = json!({"email": "a@b", "components": ["api"], "metrics": ["latency"]});
    let mut simulation = world(Kind::PageAccessUser, &spec, &json!({"id": "it", "email": "a@b"}));
    let lines_of = |simulation: &Simulation| {
        let here = seen(simulation, Kind::PageAccessUser).unwrap().here;
        here.map(|fields| lines(&fields)).map_err(|blocked| blocked.message)
    };
    assert_eq!(
        lines_of(&simulation),
        Err("not read yet: the components of the user".to_owned())
    );
    let dated = |ids: &[&str]| crate::statuspage::Dated {
        value: ids.iter().map(|id| (*id).to_owned()).collect(),
        read_at: start(),
    };
    simulation.known.user_components.insert("it".to_owned(), dated(&["x"]));
    assert_eq!(
        lines_of(&simulation),
        Err("not read yet: the metrics of the user".to_owned())
    );
    simulation.known.user_metrics.insert("it".to_owned(), dated(&["y"]));
    let expected = [
        "email \"a@b\" \"a@b\"",
        "components [\"c\"] [\"x\"]",
        "metrics [\"m\"] [\"y\"]",
    ];
    assert_eq!(lines_of(&simulation).unwrap(), expected);
    let update = |body: Value| {
        ask_as(&simulation, Kind::PageAccessUser, "it", |context| {
            let Spec::PageAccessUser(spec) = &*context.declaration.spec else {
                panic!("a viewer")
            };
            let remote = &context.world.snapshot.page_access_users.as_ref().unwrap().items[0];
            spec.update(context, remote, body.as_object().unwrap().clone()).unwrap()
        })
    };
    let (it, ids) = (|| "it".to_owned(), |id: &str| vec![id.to_owned()]);
    assert_eq!(
        update(json!({"component_ids": ["c"]})),
        Request::GrantComponents(it(), ids("c"))
    );
    assert_eq!(
        update(json!({"metric_ids": ["m"]})),
        Request::GrantMetrics(it(), ids("m"))
    );
    assert!(matches!(update(json!({"email": "x@y"})), Request::UpdatePageAccessUser(id, _) if id == it()));
}

#[test]
fn a_group_is_changed_with_the_members_that_it_has() {
    let mut simulation = Simulation::new(vec![recorded(Kind::ComponentGroup, "it", "g1")]);
    simulation.known = simulation.remote.clone();
    let update = |simulation: &Simulation| {
        ask_as(simulation, Kind::ComponentGroup, "it", |context| {
            let Spec::ComponentGroup(spec) = &*context.declaration.spec else {
                panic!("a group")
            };
            let row = serde_json::from_value(json!({"id": "g1", "name": "old", "group": true})).unwrap();
            let body = Map::from_iter([("description".to_owned(), json!("d"))]);
            let fresh = |body: &Map<String, Value>| spec.needs_fresh(context, &row, body).map(|(what, _)| what);
            assert_eq!(fresh(&Map::new()), None);
            assert!(matches!(fresh(&body), Some(ReadWhat::Object(_, id)) if id == "g1"));
            spec.update(context, &row, body).map_err(|blocked| blocked.message)
        })
    };
    assert_eq!(
        update(&simulation),
        Err("not read yet: the members of the group".to_owned())
    );
    put_foreign_group(&mut simulation.known, "g1", "it", &["a", "b"]);
    let Ok(Request::UpdateComponentGroup(id, write)) = update(&simulation) else {
        panic!("a change")
    };
    assert_eq!(
        (
            id.as_str(),
            write.name.as_deref(),
            write.description.clone().flatten().as_deref()
        ),
        ("g1", Some("it"), Some("d"))
    );
    assert_eq!(write.components.unwrap(), ["a", "b"]);
}
