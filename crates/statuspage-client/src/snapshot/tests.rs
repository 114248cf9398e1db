use super::super::types::{ComponentGroup, ComponentStatus, IncidentUpdate, Postmortem};
use super::*;

fn collection<T>(items: Vec<T>) -> Option<Collection<T>> {
    Some(Collection::read(items, Timestamp::UNIX_EPOCH, true))
}

fn component(id: &str, group_id: Option<&str>) -> Component {
    Component {
        id: id.to_owned(),
        name: Some(id.to_owned()),
        group_id: group_id.map(str::to_owned),
        status: Some(ComponentStatus::Operational),
        ..Component::default()
    }
}

fn group_row(id: &str) -> Component {
    Component {
        group: true,
        ..component(id, None)
    }
}

fn group(id: &str, components: &[&str]) -> ComponentGroup {
    ComponentGroup {
        id: id.to_owned(),
        name: Some(id.to_uppercase()),
        components: components.iter().map(|id| (*id).to_owned()).collect(),
        ..ComponentGroup::default()
    }
}

fn with_components(items: Vec<Component>) -> Snapshot {
    Snapshot {
        components: collection(items),
        ..Snapshot::default()
    }
}

/// Ids with the group behind a slash.
fn rows(snapshot: &Snapshot) -> Vec<String> {
    let items = &snapshot.components.as_ref().unwrap().items;
    items
        .iter()
        .map(|row| match &row.group_id {
            Some(group) => format!("{}/{group}", row.id),
            None => row.id.clone(),
        })
        .collect()
}

#[test]
fn what_was_not_read_stays_unknown() {
    let mut snapshot = Snapshot::default();
    snapshot.put_page(Page::default());
    snapshot.put(component("a", None));
    snapshot.put(group("g", &["a"]));
    snapshot.put(Metric::default());
    snapshot.put(Subscriber::default());
    snapshot.put(IncidentTemplate::default());
    snapshot.put(PageAccessUser::default());
    snapshot.put(PageAccessGroup::default());
    snapshot.put_status_embed(StatusEmbedConfig::default());
    snapshot.put(OrganizationUser::default());
    snapshot.put_permissions("u", Permissions::default());
    assert!(CollectionKind::ALL.iter().all(|kind| !snapshot.has(*kind)));
}

#[test]
fn a_component_is_added_or_replaced() {
    let mut snapshot = with_components(vec![component("a", None)]);
    snapshot.put(component("b", None));
    snapshot.put(Component {
        description: Some("new".to_owned()),
        ..component("a", None)
    });
    assert_eq!(rows(&snapshot), ["a", "b"]);
    let first = &snapshot.components.unwrap().items[0];
    assert_eq!(first.description.as_deref(), Some("new"));
}

#[test]
fn a_group_goes_with_its_last_member() {
    let members = vec![group_row("g"), component("a", Some("g")), component("b", Some("g"))];
    let mut snapshot = with_components(members);
    snapshot.remove::<Component>("a");
    assert_eq!(rows(&snapshot), ["g", "b/g"]);
    let mut moved = snapshot.clone();
    snapshot.remove::<Component>("b");
    assert!(rows(&snapshot).is_empty());
    moved.put(component("b", None));
    assert_eq!(rows(&moved), ["b"]);
}

/// A list that lacked rows, and a member that was read by its id alone, say nothing of the others in the group.
#[test]
fn a_group_that_is_not_shown_does_not_go_with_a_member() {
    let mut snapshot = with_components(Vec::new());
    snapshot.put(component("a", Some("g")));
    let mut moved = snapshot.clone();
    moved.put(component("a", None));
    snapshot.remove::<Component>("a");
    for snapshot in [moved, snapshot] {
        assert!(!snapshot.components.as_ref().unwrap().was_removed("g"));
    }
}

#[test]
fn a_group_has_exactly_the_given_members() {
    let mut snapshot = with_components(vec![
        component("a", None),
        group_row("g"),
        component("b", Some("g")),
        group_row("h"),
        component("c", Some("h")),
    ]);
    snapshot.put(group("g", &["a", "c"]));
    assert_eq!(rows(&snapshot), ["a/g", "g", "b", "c/g"]);
    let row = &snapshot.components.as_ref().unwrap().items[1];
    assert!(row.group);
    assert_eq!(row.name.as_deref(), Some("G"));
    snapshot.put(group("new", &["b"]));
    assert_eq!(rows(&snapshot), ["a/g", "g", "b/new", "c/g", "new"]);
}

#[test]
fn members_survive_their_group() {
    let mut snapshot = with_components(vec![group_row("g"), component("a", Some("g"))]);
    snapshot.remove::<ComponentGroup>("g");
    assert_eq!(rows(&snapshot), ["a"]);
}

#[test]
fn an_incident_moves_components() {
    let mut snapshot = with_components(vec![component("a", None), component("b", None)]);
    snapshot.incidents = collection(vec![Incident {
        id: "old".to_owned(),
        ..Incident::default()
    }]);
    snapshot.put(Incident {
        id: "new".to_owned(),
        components: vec![
            Component {
                status: Some(ComponentStatus::MajorOutage),
                ..component("a", None)
            },
            component("elsewhere", None),
        ],
        ..Incident::default()
    });
    let items = &snapshot.components.as_ref().unwrap().items;
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].status, Some(ComponentStatus::MajorOutage));
    assert_eq!(items[1].status, Some(ComponentStatus::Operational));
    let ids: Vec<_> = snapshot
        .incidents
        .unwrap()
        .items
        .into_iter()
        .map(|incident| incident.id)
        .collect();
    assert_eq!(ids, ["new", "old"]);
}

#[test]
fn updates_and_postmortems_belong_to_their_incident() {
    let mut snapshot = Snapshot {
        incidents: collection(vec![Incident {
            id: "i".to_owned(),
            incident_updates: vec![IncidentUpdate {
                id: "u".to_owned(),
                ..IncidentUpdate::default()
            }],
            ..Incident::default()
        }]),
        ..Snapshot::default()
    };
    snapshot.put_incident_update(
        "i",
        IncidentUpdate {
            id: "u".to_owned(),
            body: Some("better".to_owned()),
            ..IncidentUpdate::default()
        },
    );
    let published = Postmortem {
        body: Some("why".to_owned()),
        published_at: Some(Timestamp::UNIX_EPOCH),
        ..Postmortem::default()
    };
    snapshot.put_postmortem("i", &published);
    let incident = snapshot.incidents.as_ref().unwrap().get("i").unwrap();
    assert_eq!(incident.incident_updates.len(), 1);
    assert_eq!(incident.incident_updates[0].body.as_deref(), Some("better"));
    assert_eq!(incident.postmortem_body.as_deref(), Some("why"));
    snapshot.remove_postmortem("i");
    let incident = snapshot.incidents.as_ref().unwrap().get("i").unwrap();
    assert_eq!(
        (incident.postmortem_published_at, incident.postmortem_body.as_ref()),
        (None, None)
    );
    snapshot.remove::<Incident>("i");
    assert!(snapshot.incidents.unwrap().items.is_empty());
}

#[test]
fn metrics_go_with_their_provider() {
    let metric = |id: &str, provider: &str| Metric {
        id: id.to_owned(),
        metrics_provider_id: Some(provider.to_owned()),
        ..Metric::default()
    };
    let provider = |id: &str| MetricsProvider {
        id: id.to_owned(),
        ..MetricsProvider::default()
    };
    let mut snapshot = Snapshot {
        metrics_providers: collection(vec![provider("p"), provider("q")]),
        metrics: collection(vec![metric("a", "p"), metric("b", "q")]),
        ..Snapshot::default()
    };
    snapshot.remove::<MetricsProvider>("p");
    assert_eq!(*snapshot.metrics.unwrap().items, [metric("b", "q")]);
    assert_eq!(*snapshot.metrics_providers.unwrap().items, [provider("q")]);
}

#[test]
fn what_is_gone_leaves_the_groups_that_may_see_it() {
    let mut snapshot = with_components(vec![component("a", None), component("b", None)]);
    snapshot.metrics = collection(vec![]);
    snapshot.page_access_users = collection(vec![]);
    snapshot.page_access_groups = collection(vec![PageAccessGroup {
        id: "g".to_owned(),
        component_ids: vec!["a".to_owned(), "b".to_owned()],
        metric_ids: vec!["m".to_owned()],
        page_access_user_ids: vec!["u".to_owned()],
        ..PageAccessGroup::default()
    }]);
    snapshot.remove::<Component>("a");
    snapshot.remove::<Metric>("m");
    snapshot.remove::<PageAccessUser>("u");
    let group = &snapshot.page_access_groups.unwrap().items[0];
    assert_eq!(group.component_ids, ["b"]);
    assert!(group.metric_ids.is_empty() && group.page_access_user_ids.is_empty());
}

#[test]
fn what_was_read_is_older_than_what_we_wrote_since() {
    let mut snapshot = with_components(vec![group_row("g"), component("a", Some("g")), component("b", None)]);
    let read_at = |snapshot: &Snapshot| snapshot.examined(ObjectKind::ComponentGroup, "g").read_at;
    let read = |snapshot: &mut Snapshot| {
        let members = group("g", &["a"]);
        snapshot.found(Object::ComponentGroup(Box::new(members)), Timestamp::UNIX_EPOCH);
        assert!(read_at(snapshot).is_some());
    };
    read(&mut snapshot);
    snapshot.put(component("a", Some("g")));
    assert!(read_at(&snapshot).is_some(), "its members are the same");
    for write in [
        |snapshot: &mut Snapshot| snapshot.put(component("b", Some("g"))),
        |snapshot: &mut Snapshot| snapshot.put(component("a", None)),
        |snapshot: &mut Snapshot| snapshot.put(group("g", &["a"])),
        |snapshot: &mut Snapshot| snapshot.remove::<Component>("a"),
    ] {
        read(&mut snapshot);
        write(&mut snapshot);
        assert_eq!(read_at(&snapshot), None);
    }
}
