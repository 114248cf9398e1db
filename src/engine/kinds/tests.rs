//! Rules of the kinds around access and members, planned on a world of one page.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use crate::api::*;
use crate::engine::{
    self, Action, Declaration, ObjectKey, Plan, ReadWhat, Request, Spec, State, Status, Surroundings, World,
};
use crate::statuspage::{self, Collection, CollectionKind, Dated, PageRoles, Permissions, Snapshot};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn declaration(kind: Kind, name: &str, spec: Spec) -> Declaration {
    Declaration {
        finalizer: true,
        ..Declaration::new(ObjectKey::new(kind, "default", name), name.to_owned(), NOW, spec)
    }
}

fn page(spec: serde_json::Value) -> Declaration {
    let mut whole = json!({"pageId": "p", "organizationId": "o", "api": {"tokenSecretRef": {"name": "token"}}});
    for (name, value) in spec.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let spec = Spec::StatusPage(Box::new(serde_json::from_value(whole).unwrap()));
    declaration(Kind::StatusPage, "acme", spec)
}

fn list<T>(items: Vec<T>) -> Option<Collection<T>> {
    // Read twice: one look at an empty list proves nothing.
    let mut list = Collection::read(items, NOW, true);
    list.looks.push(NOW);
    Some(list)
}

fn snapshot() -> Snapshot {
    Snapshot {
        page: Some(statuspage::Page {
            id: "p".to_owned(),
            ..Default::default()
        }),
        page_access_users: list(vec![]),
        page_access_groups: list(vec![]),
        organization_users: list(vec![]),
        incident_templates: list(vec![]),
        subscribers: list(vec![]),
        ..Default::default()
    }
}

fn plan(page: &Declaration, declarations: &[Declaration], snapshot: &Snapshot) -> Plan {
    engine::plan(&World {
        now: NOW,
        wall: NOW,
        remote_now: Some(NOW),
        fresh_for: engine::FRESH,
        page,
        page_id: Some("p"),
        around: Surroundings::NONE,
        declarations,
        snapshot,
        page_read_at: Some(NOW),
        read_failures: &BTreeMap::new(),
        failures: &BTreeMap::new(),
        circuit_breaker: None,
        budget: None,
        seal_key: None,
        single_points: false,
    })
}

fn requests(plan: &Plan) -> Vec<&Request> {
    plan.remote_steps().filter_map(|step| step.action.request()).collect()
}

fn state(plan: &Plan, name: &str) -> (State, Reason) {
    let finding = plan.findings.iter().find(|finding| finding.key.name == name).unwrap();
    (finding.state, finding.reason)
}

fn user(name: &str, email: &str) -> Declaration {
    let spec = PageAccessUserSpec {
        email: Some(email.to_owned()),
        ..Default::default()
    };
    declaration(Kind::PageAccessUser, name, Spec::PageAccessUser(Box::new(spec)))
}

fn group(spec: PageAccessGroupSpec) -> Declaration {
    declaration(Kind::PageAccessGroup, "group", Spec::PageAccessGroup(Box::new(spec)))
}

fn member(permissions: Vec<PagePermission>) -> Declaration {
    let spec = OrganizationUserSpec {
        email: "jo@example.com".to_owned(),
        permissions,
        ..Default::default()
    };
    let mut member = declaration(Kind::OrganizationUser, "jo", Spec::OrganizationUser(Box::new(spec)));
    member.id_annotation = Some("m".to_owned());
    member
}

fn with_member(mut snapshot: Snapshot, pages: &[(&str, PageRoles)]) -> Snapshot {
    snapshot.organization_users = list(vec![statuspage::OrganizationUser {
        id: "m".to_owned(),
        email: Some("Jo@example.com".to_owned()),
        ..Default::default()
    }]);
    let pages = pages.iter().map(|(page, roles)| ((*page).to_owned(), *roles)).collect();
    let value = Permissions { pages };
    snapshot
        .permissions
        .insert("m".to_owned(), Dated { value, read_at: NOW });
    snapshot
}

#[test]
fn a_group_waits_for_its_users_and_then_has_exactly_them() {
    let spec = PageAccessGroupSpec {
        users: Some(vec!["one".to_owned()]),
        ..Default::default()
    };
    let mut declarations = [user("one", "a@b"), group(spec)];
    let first = plan(&page(json!({})), &declarations, &snapshot());
    assert!(matches!(requests(&first)[..], [Request::CreatePageAccessUser(_)]));
    assert_eq!(
        state(&first, "group"),
        (State::Progressing, Reason::WaitingForReference)
    );

    let mut snapshot = snapshot();
    snapshot.page_access_users = list(vec![statuspage::PageAccessUser {
        id: "u1".to_owned(),
        email: Some("A@B".to_owned()),
        ..Default::default()
    }]);
    snapshot.page_access_groups = list(vec![statuspage::PageAccessGroup {
        id: "g".to_owned(),
        name: Some("group".to_owned()),
        page_access_user_ids: vec!["u1".to_owned(), "stranger".to_owned()],
        component_ids: vec!["somebody-else-set-this".to_owned()],
        ..Default::default()
    }]);
    declarations[0].id_annotation = Some("u1".to_owned());
    declarations[1].id_annotation = Some("g".to_owned());
    let second = plan(&page(json!({})), &declarations, &snapshot);
    let [Request::UpdatePageAccessGroup(id, write)] = requests(&second)[..] else {
        panic!("{second:#?}")
    };
    assert_eq!(
        (id.as_str(), write.page_access_user_ids.clone().unwrap()),
        ("g", vec!["u1".to_owned()])
    );
    assert_eq!(write.component_ids, None, "what is not declared is not written");
}

#[test]
fn a_group_is_recognised_by_its_identifier_else_by_its_name() {
    let remote = |name: &str, identifier: Option<&str>| statuspage::PageAccessGroup {
        id: "g".to_owned(),
        name: Some(name.to_owned()),
        external_identifier: identifier.map(str::to_owned),
        ..Default::default()
    };
    let declared = group(PageAccessGroupSpec {
        external_identifier: Some("sso".to_owned()),
        ..Default::default()
    });
    for (remote, same) in [
        (remote("other", Some("sso")), true),
        (remote("group", Some("another")), false),
        (remote("group", None), true),
        (remote("other", None), false),
    ] {
        let mut snapshot = snapshot();
        snapshot.page_access_groups = list(vec![remote.clone()]);
        let plan = plan(&page(json!({})), std::slice::from_ref(&declared), &snapshot);
        let found = state(&plan, "group") == (State::Stalled, Reason::AlreadyExists);
        assert_eq!(found, same, "{remote:?}");
    }
}

#[test]
fn members_need_an_organization() {
    let mut page = page(json!({}));
    let Spec::StatusPage(spec) = Arc::make_mut(&mut page.spec) else {
        unreachable!()
    };
    spec.organization_id = None;
    let plan = plan(
        &page,
        &[member(vec![])],
        &Snapshot {
            organization_users: None,
            ..snapshot()
        },
    );
    assert_eq!(state(&plan, "jo"), (State::Stalled, Reason::Invalid));
    assert!(
        plan.reads
            .iter()
            .all(|read| read.what != ReadWhat::Collection(CollectionKind::OrganizationUsers))
    );
}

#[test]
fn a_guest_of_a_page_is_no_master_of_its_organization() {
    let mut guest = member(vec![]);
    guest.key.namespace = "guests".to_owned();
    let plan = plan(&page(json!({})), &[guest.clone()], &with_member(snapshot(), &[]));
    let finding = plan.findings.iter().find(|finding| finding.key == guest.key).unwrap();
    assert_eq!(
        (finding.state, finding.reason),
        (State::Stalled, Reason::PageNotGranted)
    );
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
}

#[test]
fn permissions_are_read_before_they_are_written_and_only_where_declared() {
    let mut snapshot = with_member(snapshot(), &[]);
    snapshot.permissions.clear();
    let wanted = ReadWhat::Permissions("m".to_owned());
    let quiet = plan(&page(json!({})), &[member(vec![])], &snapshot);
    assert!(quiet.reads.iter().all(|read| read.what != wanted));
    let permission = PagePermission {
        page: Some("acme".to_owned()),
        ..Default::default()
    };
    let asking = plan(&page(json!({})), &[member(vec![permission])], &snapshot);
    assert!(asking.reads.iter().any(|read| read.what == wanted));
    assert_eq!(requests(&asking), Vec::<&Request>::new());
}

#[test]
fn a_write_of_permissions_repeats_every_page() {
    let manager = PageRoles {
        maintenance_manager: Some(true),
        ..Default::default()
    };
    let snapshot = with_member(snapshot(), &[("p", manager), ("q", manager)]);
    let permission = PagePermission {
        page: Some("acme".to_owned()),
        incident_manager: Some(true),
        ..Default::default()
    };
    let plan = plan(&page(json!({})), &[member(vec![permission])], &snapshot);
    let [Request::SetPermissions(id, permissions)] = requests(&plan)[..] else {
        panic!("{plan:#?}")
    };
    assert_eq!(id, "m");
    let ours = PageRoles {
        incident_manager: Some(true),
        ..manager
    };
    let expected = BTreeMap::from([("p".to_owned(), ours), ("q".to_owned(), manager)]);
    assert_eq!(permissions.pages, expected);
}

#[test]
fn a_member_is_let_in_without_a_page_of_unknown_id() {
    let permission = PagePermission {
        page: Some("elsewhere".to_owned()),
        ..Default::default()
    };
    let plan = plan(
        &page(json!({})),
        &[member(vec![permission])],
        &with_member(snapshot(), &[]),
    );
    assert_eq!(state(&plan, "jo"), (State::Progressing, Reason::WaitingForReference));
    assert_eq!(requests(&plan), Vec::<&Request>::new());
}

#[test]
fn who_was_shut_out_stays_out() {
    let mut gone = user("one", "a@b");
    let Status::PageAccessUser(status) = gone.status_mut() else {
        unreachable!()
    };
    status.object.id = Some("u1".to_owned());
    // Its id says so twice, with a list in between.
    let at = |second: i64| Timestamp::from_second(NOW.as_second() + second).unwrap();
    let mut without = snapshot();
    without.not_found(statuspage::ObjectKind::PageAccessUser, "u1", at(-30));
    without.not_found(statuspage::ObjectKind::PageAccessUser, "u1", NOW);
    let refused = plan(&page(json!({})), std::slice::from_ref(&gone), &without);
    assert_eq!(state(&refused, "one"), (State::Stalled, Reason::RemoteDeleted));
    let Spec::PageAccessUser(spec) = Arc::make_mut(&mut gone.spec) else {
        unreachable!()
    };
    spec.common.drift_policy = Some(DriftPolicy::Correct);
    let asked = plan(&page(json!({})), &[gone], &without);
    assert!(matches!(requests(&asked)[..], [Request::CreatePageAccessUser(_)]));
}

#[test]
fn a_template_is_left_when_its_declaration_goes() {
    let spec = IncidentTemplateSpec {
        title: "t".to_owned(),
        body: "b".to_owned(),
        ..Default::default()
    };
    let mut template = declaration(Kind::IncidentTemplate, "outage", Spec::IncidentTemplate(Box::new(spec)));
    template.id_annotation = Some("t1".to_owned());
    template.deleting = true;
    let plan = plan(&page(json!({})), &[template], &snapshot());
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].action, Action::RemoveFinalizer);
}

#[test]
fn the_status_embed_is_read_only_when_declared_and_written_after_the_settings() {
    let embed = json!({"statusEmbed": {"incidentTextColor": "#ABCDEF"}, "settings": {"timeZone": "UTC"}});
    let wanted = ReadWhat::Collection(CollectionKind::StatusEmbed);
    let quiet = plan(&page(json!({})), &[], &snapshot());
    assert!(quiet.reads.is_empty());
    let mut snapshot = snapshot();
    let settings = plan(&page(embed.clone()), &[], &snapshot);
    assert!(matches!(requests(&settings)[..], [Request::UpdatePage(_)]));
    snapshot.page.as_mut().unwrap().time_zone = Some("UTC".to_owned());
    let reading = plan(&page(embed.clone()), &[], &snapshot);
    assert!(reading.reads.iter().any(|read| read.what == wanted));
    snapshot.status_embed = Some(Dated {
        value: statuspage::StatusEmbedConfig {
            incident_text_color: Some("ffffff".to_owned()),
            ..Default::default()
        },
        read_at: NOW,
    });
    let writing = plan(&page(embed.clone()), &[], &snapshot);
    let [Request::UpdateStatusEmbed(write)] = requests(&writing)[..] else {
        panic!("{writing:#?}")
    };
    assert_eq!(write.incident_text_color.as_deref(), Some("abcdef"));
    snapshot.status_embed.as_mut().unwrap().value.incident_text_color = Some("ABCDEF".to_owned());
    let done = plan(&page(embed), &[], &snapshot);
    assert_eq!((requests(&done).len(), state(&done, "acme").0), (0, State::InSync));
}

#[test]
fn numbers_of_subscribers_are_read_only_when_asked_for() {
    let wanted = ReadWhat::Collection(CollectionKind::SubscriberCounts);
    let page = page(json!({"observe": {"subscribers": true}}));
    let mut snapshot = snapshot();
    assert!(plan(&page, &[], &snapshot).reads.iter().any(|read| read.what == wanted));
    let mut value = statuspage::SubscriberHistogram::default();
    (value.email.active, value.sms.active, value.email.quarantined) = (2, 3, 1);
    snapshot.subscriber_counts = Some(Dated { value, read_at: NOW });
    let plan = plan(&page, &[], &snapshot);
    assert!(plan.reads.is_empty());
    let told = plan.statuses.iter().find(|(key, _)| key.name == "acme");
    let Some(Status::StatusPage(status)) = told.map(|(_, status)| &**status) else {
        panic!("{plan:#?}")
    };
    let counts = SubscriberCounts {
        active: 5,
        unconfirmed: 0,
        quarantined: 1,
    };
    assert_eq!(status.subscribers, Some(counts));
}

#[test]
fn an_annotation_of_a_subscriber_acts_once() {
    let spec = SubscriberSpec {
        email: Some("a@b".to_owned()),
        ..Default::default()
    };
    let mut subscriber = declaration(Kind::Subscriber, "team", spec.into());
    subscriber.annotations = BTreeMap::from([(REACTIVATE.to_owned(), "1".to_owned())]);
    let creating = plan(&page(json!({})), std::slice::from_ref(&subscriber), &snapshot());
    let [step] = &creating.steps[..] else {
        panic!("{creating:#?}")
    };
    assert!(
        step.applied.iter().any(|one| one.name.text() == "once/reactivate"),
        "nothing to reactivate in a new one"
    );
    subscriber.id_annotation = Some("s".to_owned());
    let mut snapshot = snapshot();
    snapshot.subscribers = list(vec![statuspage::Subscriber {
        id: "s".to_owned(),
        email: Some("a@b".to_owned()),
        ..Default::default()
    }]);
    let asked = plan(&page(json!({})), std::slice::from_ref(&subscriber), &snapshot);
    assert_eq!(requests(&asked), [&Request::ReactivateSubscriber("s".to_owned())]);
    engine::record(&mut subscriber, &asked.steps[0], &engine::Reply::Done);
    let done = plan(&page(json!({})), &[subscriber], &snapshot);
    assert_eq!((requests(&done).len(), state(&done, "team").0), (0, State::InSync));
}
