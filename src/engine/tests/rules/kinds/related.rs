//! What objects have to do with others: what is read with them, what their statuses say, and components and their groups.

use serde_json::{Value, json};

use super::{rows, seen, world};
use crate::api::{Kind, Reason};
use crate::engine::rules::Rules;
use crate::engine::tests::builders::{component, declare, group};
use crate::engine::tests::rules::ask_as;
use crate::engine::tests::simulation::Simulation;
use crate::engine::{Declaration, ReadWhat, Spec, Status};
use crate::statuspage::CollectionKind;

#[test]
fn what_decides_about_an_object_is_read_with_it() {
    use Kind::*;
    for (kind, spec, list) in [
        (Component, json!({}), None),
        (
            Component,
            json!({"status": "operational"}),
            Some(CollectionKind::Incidents),
        ),
        (Metric, json!({}), Some(CollectionKind::MetricsProviders)),
        (Metric, json!({"providerRef": {"name": "provider"}}), None),
        (MetricsProvider, json!({"type": "Pingdom"}), None),
        (
            MetricsProvider,
            json!({"type": "Pingdom", "replacePolicy": "WhenNeeded"}),
            Some(CollectionKind::Metrics),
        ),
        (
            MetricsProvider,
            json!({"type": "Pingdom", "replacePolicy": "Never"}),
            None,
        ),
        (ComponentGroup, json!({}), None),
    ] {
        let remote = json!({"id": "it", "group": kind == ComponentGroup});
        assert_eq!(
            seen(&world(kind, &spec, &remote), kind).unwrap().also_needs,
            list,
            "{kind} {spec}"
        );
    }
    let it = || "it".to_owned();
    for (kind, spec, remote, unlisted) in [
        (Component, json!({}), json!({}), vec![]),
        (
            Component,
            json!({"observe": {"uptime": true}}),
            json!({}),
            vec![ReadWhat::Uptime(it())],
        ),
        (
            Component,
            json!({"observe": {"uptime": true}}),
            json!({"showcase": true}),
            vec![ReadWhat::Uptime(it())],
        ),
        (
            Component,
            json!({"observe": {"uptime": true}}),
            json!({"showcase": false}),
            vec![],
        ),
        (
            ComponentGroup,
            json!({"observe": {"uptime": true}}),
            json!({"group": true}),
            vec![ReadWhat::GroupUptime(it())],
        ),
        (PageAccessUser, json!({"email": "a@b"}), json!({}), vec![]),
        (
            PageAccessUser,
            json!({"components": []}),
            json!({}),
            vec![ReadWhat::UserComponents(it())],
        ),
        (
            PageAccessUser,
            json!({"metrics": []}),
            json!({}),
            vec![ReadWhat::UserMetrics(it())],
        ),
        (OrganizationUser, json!({"email": "a@b"}), json!({}), vec![]),
        (
            OrganizationUser,
            json!({"email": "a@b", "permissions": [{"pageId": "x", "incidentManager": true}]}),
            json!({}),
            vec![ReadWhat::Permissions(it())],
        ),
    ] {
        let mut remote = remote;
        remote["id"] = json!("it");
        assert_eq!(
            seen(&world(kind, &spec, &remote), kind).unwrap().unlisted,
            unlisted,
            "{kind} {spec}"
        );
    }
}

#[test]
fn a_status_says_what_the_page_shows_of_its_kind() {
    use Kind::*;
    let status = |kind: Kind, spec: Value, mut remote: Value, differ: &dyn Fn(&mut Simulation)| {
        remote["id"] = json!("it");
        let mut simulation = world(kind, &spec, &remote);
        differ(&mut simulation);
        seen(&simulation, kind).unwrap().status.to_json().unwrap()
    };
    let same = |_: &mut Simulation| {};
    let mail = || json!({"email": "a@b"});
    let told = status(Component, json!({}), json!({"status": "major_outage"}), &same);
    assert_eq!(told["status"], json!("major_outage"));
    let told = status(
        Metric,
        json!({}),
        json!({"most_recent_data_at": "2026-01-01T00:00:00.5Z"}),
        &same,
    );
    assert_eq!(told["mostRecentDataAt"], json!("2026-01-01T00:00:00Z"));
    for disabled in [true, false] {
        let told = status(
            MetricsProvider,
            json!({"type": "Pingdom"}),
            json!({"disabled": disabled}),
            &same,
        );
        assert_eq!(
            told.get("disabled").and_then(Value::as_bool).unwrap_or_default(),
            disabled
        );
    }
    assert_eq!(status(Subscriber, mail(), json!({}), &same).get("state"), None);
    let told = status(
        Subscriber,
        mail(),
        json!({"quarantined_at": "2026-01-01T00:00:00Z"}),
        &same,
    );
    assert_eq!(told["state"], json!("quarantined"));
    let sizes = json!({"page_access_user_ids": ["a"], "component_ids": ["a", "b"], "metric_ids": ["a", "b", "c"]});
    let told = status(PageAccessGroup, json!({}), sizes, &same);
    assert_eq!(
        [&told["users"], &told["components"], &told["metrics"]],
        [&json!(1), &json!(2), &json!(3)]
    );
    // The groups know their users better.
    let in_groups = || json!({"page_access_group_ids": ["1", "2", "3"]});
    let told = status(PageAccessUser, mail(), in_groups(), &|simulation| {
        let groups = [
            json!({"page_access_user_ids": ["it"]}),
            json!({"page_access_user_ids": ["other"]}),
        ];
        simulation.known.page_access_groups = rows(&groups);
    });
    assert_eq!(told["groups"], json!(1));
    let told = status(PageAccessUser, mail(), in_groups(), &|simulation| {
        simulation.known.page_access_groups = None
    });
    assert_eq!(told["groups"], json!(3));
    let told = status(ComponentGroup, json!({}), json!({"group": true}), &|simulation| {
        let rows = simulation.known.components.as_mut().unwrap();
        let members = [
            json!({"id": "1", "group_id": "it"}),
            json!({"id": "2", "group_id": "it"}),
        ];
        rows.items
            .extend(members.into_iter().map(|row| serde_json::from_value(row).unwrap()));
    });
    assert_eq!(told["members"], json!(2));
}

#[test]
fn a_component_remembers_its_group_until_it_has_left_it() {
    let left = |grouped: bool, shown: Option<&str>, before: Option<&str>| {
        let spec = if grouped {
            json!({"groupRef": {"name": "core"}})
        } else {
            json!({})
        };
        let mut simulation = world(
            Kind::Component,
            &spec,
            &json!({"id": "it", "name": "it", "group_id": shown}),
        );
        if let Status::Component(status) = simulation.declarations[0].status_mut() {
            status.group_id = before.map(str::to_owned);
        }
        let seen = seen(&simulation, Kind::Component).unwrap();
        let Status::Component(status) = seen.status else {
            panic!("a component")
        };
        let written = seen.here.unwrap().into_iter().find(|field| field.name == "groupRef");
        (status.group_id, written.map(|field| field.desired))
    };
    let id = |id: &str| Some(id.to_owned());
    for (grouped, shown, before, remembered, written) in [
        (true, Some("g"), None, id("g"), Some(json!("g"))),
        (true, None, None, None, Some(json!("g"))),
        (true, None, Some("g"), id("g"), Some(json!("g"))),
        (true, Some("other"), None, None, Some(json!("g"))),
        (false, Some("g"), Some("g"), id("g"), Some(Value::Null)),
        (false, None, Some("g"), None, None),
        (false, Some("other"), Some("g"), None, None),
        (false, Some("g"), None, None, None),
    ] {
        assert_eq!(
            left(grouped, shown, before),
            (remembered, written),
            "{grouped} {shown:?} {before:?}"
        );
    }
}

#[test]
fn a_group_comes_with_its_first_member_and_the_others_wait() {
    let member = |name: &str| component(name, json!({"groupRef": {"name": "new"}}));
    let blocked = |change: &dyn Fn(&mut Vec<Declaration>), name: &str| {
        let mut simulation = Simulation::new(vec![group("new"), member("first"), member("second")]);
        change(&mut simulation.declarations);
        simulation.known = simulation.remote.clone();
        ask_as(&simulation, Kind::Component, name, |context| {
            match &*context.declaration.spec {
                Spec::Component(spec) => spec.fields(context, None).err().map(|blocked| blocked.reason),
                other => panic!("{other:?}"),
            }
        })
    };
    let waiting = Some(Reason::WaitingForReference);
    assert_eq!((blocked(&|_| {}, "first"), blocked(&|_| {}, "second")), (None, waiting));
    assert_eq!(
        blocked(&|all| all[0].deleting = true, "first"),
        waiting,
        "the group goes"
    );
    let suspend = |all: &mut Vec<Declaration>| all[0] = declare(Kind::ComponentGroup, "new", json!({"suspend": true}));
    assert_eq!(blocked(&suspend, "first"), waiting, "nobody makes the group");
    let held = |all: &mut Vec<Declaration>| {
        all[1] = component("first", json!({"groupRef": {"name": "new"}, "suspend": true}));
    };
    assert_eq!(
        blocked(&held, "second"),
        None,
        "one that is stopped must not stop the others"
    );
    assert_eq!(blocked(&|all| drop(all.remove(0)), "first"), waiting);
}
