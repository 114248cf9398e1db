//! Which remote object a declaration means.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use super::builders::{component, declare, foreign_component, foreign_incident, incident, key, updates};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Action, Claimant, ObjectKey, ReadWhat, Request, State, Status, object_kind};
use crate::statuspage::{self, ObjectKind};

fn with_foreign(spec: serde_json::Value, ids: &[&str]) -> Simulation {
    let mut simulation = Simulation::new(vec![component("api", spec)]);
    for id in ids {
        simulation.remote.put(foreign_component(id, "api"));
    }
    simulation.pass();
    simulation
}

#[test]
fn a_new_component_is_created_once_with_only_its_declared_fields() {
    let mut simulation = Simulation::new(vec![component("api", json!({"description": "Public API"}))]);
    simulation.settle();
    let Action::Create(Request::CreateComponent(write)) = &simulation.sent[0].action else {
        panic!("{:?}", simulation.sent)
    };
    assert_eq!(write.name.as_deref(), Some("api"));
    assert_eq!(write.status, None, "the status is not declared");
    assert_eq!(simulation.sent.len(), 1);
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::InSync, Reason::Synced)
    );
    assert!(simulation.last.steps.is_empty() && simulation.last.statuses.is_empty());
}

#[test]
fn refuse_stalls_with_the_id_and_the_way_out() {
    let simulation = with_foreign(json!({}), &["old1"]);
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::AlreadyExists)
    );
    let message = &simulation.finding(Kind::Component, "api").message;
    assert!(message.contains("old1") && message.contains("ByName"), "{message}");
    assert!(simulation.sent.is_empty());
}

#[test]
fn by_name_takes_the_only_match_over_and_orphans_it_on_deletion() {
    let mut simulation = with_foreign(json!({"adoptionPolicy": "ByName", "description": "ours"}), &["old1"]);
    simulation.settle();
    assert_eq!(simulation.id(Kind::Component, "api"), "old1");
    assert_eq!(simulation.creates(), 0);
    assert_eq!(simulation.remote_component("old1").description.as_deref(), Some("ours"));
    assert!(simulation.get(Kind::Component, "api").status.object().adopted);
    simulation.delete(Kind::Component, "api");
    simulation.settle();
    assert!(simulation.remote.components.as_ref().unwrap().get("old1").is_some());
    assert!(simulation.declarations.is_empty());
}

#[test]
fn by_name_does_not_choose_among_several() {
    let simulation = with_foreign(json!({"adoptionPolicy": "ByName"}), &["old1", "old2"]);
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::Ambiguous)
    );
    let message = &simulation.finding(Kind::Component, "api").message;
    assert!(
        message.contains("2 objects") && message.contains("(old1, old2)"),
        "{message}"
    );
}

#[test]
fn another_id_given_by_hand_is_taken_over_with_nothing_of_the_old_one() {
    let spec = json!({"updates": super::builders::updates(&[("investigating", "Looking"), ("monitoring", "")])});
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.settle();
    let ours = simulation.id(Kind::Incident, "down");
    let posts = [("investigating", "Looking"), ("monitoring", "")];
    simulation.remote.put(foreign_incident("theirs", "down", &posts));
    let sent = simulation.sent.len();
    simulation.edit(Kind::Incident, "down", |declaration| {
        declaration.id_annotation = Some("theirs".into());
    });
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::InSync, Reason::Synced)
    );
    let Status::Incident(status) = &*simulation.get(Kind::Incident, "down").status else {
        panic!("an incident")
    };
    assert_eq!(
        (status.object.id.as_deref(), status.object.adopted),
        (Some("theirs"), true)
    );
    assert!(status.updates.iter().all(|update| update.id.starts_with("theirs")));
    assert_eq!(status.updates.len(), 2);
    assert_eq!(
        simulation.sent.len(),
        sent,
        "nothing is published again: {:?}",
        simulation.summaries()
    );
    // What was adopted is orphaned.
    simulation.delete(Kind::Incident, "down");
    simulation.settle();
    for id in [ours.as_str(), "theirs"] {
        assert!(simulation.remote.incidents.as_ref().unwrap().get(id).is_some(), "{id}");
    }
}

#[test]
fn create_new_creates_beside_what_is_there() {
    let mut simulation = with_foreign(json!({"adoptionPolicy": "CreateNew"}), &["old1", "old2"]);
    simulation.settle();
    assert_eq!(simulation.creates(), 1);
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 3);
}

#[test]
fn observe_only_takes_over_without_writing_and_never_creates() {
    let mut simulation = with_foreign(json!({"managementPolicy": "ObserveOnly"}), &[]);
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::ObserveOnly)
    );
    simulation = with_foreign(
        json!({"managementPolicy": "ObserveOnly", "description": "x"}),
        &["old1"],
    );
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::ObserveOnly)
    );
    assert!(simulation.sent.is_empty());
    simulation.delete(Kind::Component, "api");
    simulation.settle();
    assert!(simulation.sent.is_empty());
}

#[test]
fn an_annotated_id_is_taken_over_under_every_policy() {
    let mut declared = component("api", json!({"name": "Renamed"}));
    declared.id_annotation = Some("old1".into());
    let mut simulation = Simulation::new(vec![declared]);
    simulation.remote.put(foreign_component("old1", "api"));
    simulation.settle();
    assert_eq!(simulation.remote_component("old1").name.as_deref(), Some("Renamed"));
    assert!(simulation.get(Kind::Component, "api").status.object().adopted);
    assert_eq!(simulation.creates(), 0);
}

#[test]
fn an_annotated_id_that_is_not_there_stalls_and_creates_nothing() {
    let mut declared = component("api", json!({}));
    declared.id_annotation = Some("typo".into());
    let mut simulation = Simulation::new(vec![declared]);
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::RemoteNotFound)
    );
    assert!(simulation.sent.is_empty());
}

#[test]
fn of_two_declarations_of_one_id_the_younger_stalls() {
    let mut older = component("older", json!({"name": "api"}));
    let mut younger = component("a-younger", json!({"name": "other"}));
    older.id_annotation = Some("old1".into());
    younger.id_annotation = Some("old1".into());
    younger.created = older.created.saturating_add(SignedDuration::from_secs(1)).unwrap();
    let mut simulation = Simulation::new(vec![younger, older]);
    simulation.remote.put(foreign_component("old1", "api"));
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "a-younger"),
        (State::Stalled, Reason::ClaimedByAnother)
    );
    assert_eq!(
        simulation.stands(Kind::Component, "older"),
        (State::InSync, Reason::Synced)
    );
    assert!(simulation.sent.is_empty());
    // Deleting the younger leaves what the older one owns.
    simulation.edit(Kind::Component, "a-younger", |declaration| declaration.finalizer = true);
    simulation.delete(Kind::Component, "a-younger");
    simulation.settle();
    assert!(simulation.remote.components.as_ref().unwrap().get("old1").is_some());
}

#[test]
fn the_owner_of_an_object_is_named_in_its_own_namespace_only() {
    for (namespace, expected) in [
        (
            "team",
            "Component team/older owns the same component: delete one of the two, or correct the id annotation",
        ),
        (
            "rivals",
            "a declaration of another namespace owns this component: correct the id annotation",
        ),
    ] {
        let mut older = component("older", json!({"name": "api"}));
        let mut younger = component("younger", json!({"name": "other"}));
        older.key.namespace = namespace.into();
        older.id_annotation = Some("old1".into());
        younger.id_annotation = Some("old1".into());
        younger.created = older.created.saturating_add(SignedDuration::from_secs(1)).unwrap();
        let mut simulation = Simulation::new(vec![younger, older]);
        simulation.remote.put(foreign_component("old1", "api"));
        simulation.settle();
        let finding = simulation.finding(Kind::Component, "younger");
        assert_eq!(finding.reason, Reason::ClaimedByAnother);
        assert_eq!(finding.message, expected);
    }
}

#[test]
fn an_older_declaration_takes_nothing_from_its_owner_by_giving_its_id() {
    let mut thief = component("thief", json!({"name": "mine", "deletionPolicy": "Delete"}));
    thief.key.namespace = "others".into();
    let mut owner = component("owner", json!({"name": "api"}));
    owner.created = thief.created.saturating_add(SignedDuration::from_secs(60)).unwrap();
    let mut simulation = Simulation::new(vec![thief, owner]);
    simulation.settle();
    let owned = simulation.id(Kind::Component, "owner").to_owned();
    let key = crate::engine::ObjectKey::new(Kind::Component, "others", "thief");
    let sent = simulation.sent.len();
    for declaration in simulation.declarations.iter_mut().filter(|one| one.key == key) {
        declaration.id_annotation = Some(owned.clone());
    }
    simulation.settle();
    let finding = simulation
        .last
        .findings
        .iter()
        .find(|finding| finding.key == key)
        .unwrap();
    assert_eq!(
        (finding.state, finding.reason),
        (State::Stalled, Reason::ClaimedByAnother)
    );
    assert!(
        !finding.message.contains("owner") && !finding.message.contains("team"),
        "{}",
        finding.message
    );
    assert_eq!(
        simulation.stands(Kind::Component, "owner"),
        (State::InSync, Reason::Synced)
    );
    assert_eq!(simulation.sent.len(), sent, "nothing was renamed");
    for declaration in simulation.declarations.iter_mut().filter(|one| one.key == key) {
        declaration.deleting = true;
    }
    simulation.settle();
    assert!(simulation.remote.components.as_ref().unwrap().get(&owned).is_some());
    assert_eq!(simulation.sent.len(), sent, "{:?}", simulation.summaries());
}

#[test]
fn what_was_taken_over_by_its_id_is_deleted_only_if_the_manifest_says_so() {
    let present = |simulation: &Simulation, id: &str| simulation.remote.components.as_ref().unwrap().get(id).is_some();
    for (policy, stays) in [(None, true), (Some("Orphan"), true), (Some("Delete"), false)] {
        // New, or one that has an object of its own, and deleted a while after it was given the id or at once.
        for (had_another, at_once) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut spec = json!({"name": "own"});
            if let Some(policy) = policy {
                spec["deletionPolicy"] = json!(policy);
            }
            let mut simulation = Simulation::new(vec![component("api", spec)]);
            simulation.remote.put(foreign_component("foreign", "foreign"));
            if had_another {
                simulation.settle();
            }
            simulation.edit(Kind::Component, "api", |declaration| {
                declaration.id_annotation = Some("foreign".into());
                declaration.finalizer = true;
            });
            if !at_once {
                simulation.settle();
            }
            simulation.delete(Kind::Component, "api");
            simulation.settle();
            assert!(simulation.declarations.is_empty());
            assert_eq!(
                present(&simulation, "foreign"),
                stays,
                "{policy:?} {had_another} {at_once}"
            );
        }
    }
}

#[test]
fn a_list_that_lags_leads_to_no_second_object() {
    for kind in ["component", "first of a group"] {
        let mut simulation = Simulation::new(match kind {
            "component" => vec![component("api", json!({}))],
            _ => vec![
                super::builders::group("core"),
                component("api", json!({"groupRef": {"name": "core"}})),
            ],
        });
        simulation.lag = SignedDuration::from_secs(20);
        simulation.pass();
        // A new declaration makes everything be read again at once.
        simulation.now = simulation.now.saturating_add(SignedDuration::from_secs(1)).unwrap();
        simulation.add(component("web", json!({})));
        simulation.pass();
        simulation.restart();
        simulation.pass();
        simulation.settle();
        let expected = if kind == "component" { 2 } else { 3 };
        assert_eq!(simulation.creates(), expected, "{kind}: {:#?}", simulation.events);
    }
}

#[test]
fn what_was_created_before_its_first_status_survives_a_lagging_list() {
    for effect in 3..8 {
        let mut simulation = Simulation::new(vec![
            super::builders::group("core"),
            component("api", json!({"groupRef": {"name": "core"}})),
        ]);
        simulation.lag = SignedDuration::from_secs(20);
        simulation.faults.insert(effect, Fault::Crash);
        simulation.pass();
        simulation.settle();
        assert_eq!(simulation.creates(), 2, "crash at {effect}: {:#?}", simulation.events);
        assert_eq!(
            simulation.stands(Kind::Component, "api"),
            (State::InSync, Reason::Synced)
        );
    }
}

#[test]
fn deleted_by_hand_follows_the_kind_and_the_drift_policy() {
    let gone = |kind: Kind, mut simulation: Simulation, name: &str| {
        simulation.settle();
        let id = simulation.id(kind, name);
        if let Some(object) = object_kind(kind) {
            simulation.remote.remove_object(object, &id);
        }
        simulation.settle();
        (simulation.stands(kind, name), simulation.creates())
    };
    let deleted = (State::Stalled, Reason::RemoteDeleted);
    let synced = (State::InSync, Reason::Synced);
    let post = updates(&[("investigating", "Looking")]);
    let cases = [
        (component("x", json!({})), synced, 2),
        (component("x", json!({"driftPolicy": "Detect"})), deleted, 1),
        (component("x", json!({"driftPolicy": "Ignore"})), deleted, 1),
        (incident("x", json!({"updates": post})), deleted, 1),
        (
            incident("x", json!({"updates": post, "driftPolicy": "Correct"})),
            synced,
            2,
        ),
        (
            declare(Kind::Subscriber, "x", json!({"email": "a@example.com"})),
            deleted,
            1,
        ),
        (
            declare(
                Kind::Subscriber,
                "x",
                json!({"email": "a@example.com", "driftPolicy": "Correct"}),
            ),
            synced,
            2,
        ),
    ];
    for (declaration, expected, creates) in cases {
        let kind = declaration.key.kind;
        let found = gone(kind, Simulation::new(vec![declaration.clone()]), "x");
        assert_eq!(found, (expected, creates), "{declaration:?}");
    }
}

#[test]
fn what_is_created_again_survives_every_crash() {
    for effect in 0..14 {
        let mut simulation = Simulation::new(vec![component("api", json!({}))]);
        simulation.settle();
        let id = simulation.id(Kind::Component, "api");
        simulation.remote.remove::<statuspage::Component>(&id);
        simulation.faults.insert(simulation.effects() + effect, Fault::Crash);
        simulation.settle();
        assert_eq!(simulation.creates(), 2, "crash at {effect}: {:#?}", simulation.events);
        assert_eq!(
            simulation.stands(Kind::Component, "api"),
            (State::InSync, Reason::Synced)
        );
    }
}

#[test]
fn what_has_to_be_created_again_may_wait_for_the_budget() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.settle();
    let id = simulation.id(Kind::Component, "api");
    simulation.remote.remove::<statuspage::Component>(&id);
    simulation.known.remove::<statuspage::Component>(&id);
    simulation.now = simulation.now.saturating_add(SignedDuration::from_secs(100)).unwrap();
    simulation.known.components.as_mut().unwrap().read_at = simulation.now;
    // The driver writes the statuses before it waits.
    let plan = simulation.plan();
    assert_eq!(plan.remote_steps().count(), 1);
    for (key, status) in &plan.statuses {
        for declaration in &mut simulation.declarations {
            if declaration.key == *key {
                declaration.status.clone_from(status);
                declaration.stored = Arc::clone(status);
            }
        }
    }
    simulation.settle();
    assert_eq!(simulation.creates(), 2);
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::InSync, Reason::Synced)
    );
}

#[test]
fn an_adopted_object_is_held_when_its_deletion_has_consequences() {
    let spec = json!({"adoptionPolicy": "ByName", "deletionPolicy": "Delete"});
    let mut simulation = with_foreign(spec, &["old1"]);
    simulation.settle();
    simulation.delete(Kind::Component, "api");
    simulation.settle();
    assert!(simulation.remote.components.as_ref().unwrap().get("old1").is_none());
    assert!(simulation.declarations.is_empty());
}

#[test]
fn an_incident_of_another_declaration_is_not_adopted_by_its_title() {
    let post = updates(&[("investigating", "Looking")]);
    let one = incident("one", json!({"name": "Down", "updates": post}));
    let two = incident(
        "two",
        json!({"name": "Down", "updates": post, "adoptionPolicy": "ByName"}),
    );
    for effect in 0..10 {
        for fault in [Fault::Crash, Fault::LostReply] {
            let mut simulation = Simulation::new(vec![two.clone(), one.clone()]);
            simulation.faults.insert(effect, fault);
            simulation.pass();
            simulation.settle();
            assert_eq!(simulation.creates(), 2, "{fault:?} {effect}: {:#?}", simulation.events);
            assert_ne!(
                simulation.id(Kind::Incident, "one"),
                simulation.id(Kind::Incident, "two")
            );
        }
    }
}

#[test]
fn an_incident_that_the_list_no_longer_reaches_is_read_alone() {
    let mut declared = incident(
        "old",
        json!({"name": "Old", "updates": updates(&[("investigating", "Looking")])}),
    );
    declared.id_annotation = Some("far".into());
    let mut simulation = Simulation::new(vec![declared]);
    simulation
        .remote
        .put(foreign_incident("far", "Old", &[("investigating", "Looking")]));
    simulation.pass();
    // A later reading shows the newest ones only.
    let later = simulation.now.saturating_add(SignedDuration::from_secs(200)).unwrap();
    let newest = crate::statuspage::Collection::read(Vec::new(), later, false);
    simulation.now = later;
    simulation.known.store(crate::statuspage::Reading::Incidents(newest));
    let reads = simulation.plan().reads;
    let alone = ReadWhat::Object(ObjectKind::Incident, "far".into());
    assert!(reads.iter().any(|read| read.what == alone), "{reads:?}");
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Incident, "old"),
        (State::InSync, Reason::Synced)
    );
    assert!(simulation.sent.is_empty(), "{:?}", simulation.summaries());
}

/// A component whose manifest is kept elsewhere, so that its id annotation stays what it is.
fn pinned(drift: &str) -> Simulation {
    let mut declaration = component("api", json!({"name": "API", "driftPolicy": drift}));
    declaration.id_annotation = Some("old".into());
    let mut simulation = Simulation::new(vec![declaration]);
    simulation.pinned.insert(key(Kind::Component, "api"), "old".into());
    simulation.remote.put(foreign_component("old", "API"));
    simulation.settle();
    simulation
}

fn remote_ids(simulation: &Simulation) -> Vec<&str> {
    let rows = simulation.remote.components.iter().flat_map(|list| &list.items);
    rows.map(|row| row.id.as_str()).collect()
}

#[test]
fn an_annotation_of_the_object_before_does_not_hide_the_present_one() {
    let run = |fault: Option<(usize, Fault)>| {
        let mut simulation = pinned("Correct");
        let before = simulation.effects();
        if let Some((number, fault)) = fault {
            simulation.faults.insert(before + number, fault);
        }
        simulation.remote.remove::<statuspage::Component>("old");
        simulation.settle();
        let first = simulation.id(Kind::Component, "api");
        assert_ne!(first, "old", "{fault:?} {:#?}", simulation.events);
        assert_eq!(
            remote_ids(&simulation),
            [first.as_str()],
            "{fault:?} {:#?}",
            simulation.events
        );
        assert_eq!(
            simulation.get(Kind::Component, "api").id_annotation.as_deref(),
            Some("old")
        );
        assert_eq!(
            simulation.stands(Kind::Component, "api"),
            (State::InSync, Reason::Synced)
        );
        // And once more, from the second to the third.
        simulation.remote.remove::<statuspage::Component>(&first);
        simulation.settle();
        let second = simulation.id(Kind::Component, "api");
        assert_eq!(remote_ids(&simulation), [second.as_str()], "{fault:?}");
        simulation.restart();
        simulation.settle();
        assert_eq!(
            simulation.stands(Kind::Component, "api"),
            (State::InSync, Reason::Synced)
        );
        simulation.effects() - before
    };
    for number in 0..run(None) {
        for fault in [Fault::Crash, Fault::LostReply, Fault::LostRequest] {
            run(Some((number, fault)));
        }
    }
}

#[test]
fn an_annotation_that_was_never_right_is_still_reported() {
    let mut simulation = pinned("Correct");
    simulation.remote.remove::<statuspage::Component>("old");
    simulation.settle();
    let present = simulation.id(Kind::Component, "api");
    simulation.pinned.clear();
    simulation.edit(Kind::Component, "api", |declaration| {
        declaration.id_annotation = Some("typo".into());
    });
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::RemoteNotFound)
    );
    assert_eq!(remote_ids(&simulation), [present.as_str()]);
}

#[test]
fn claims_hold_across_the_status_pages_of_one_page() {
    for (age, expected) in [(-1, Reason::ClaimedByAnother), (1, Reason::Synced)] {
        let mut mine = component("mine", json!({"name": "api"}));
        mine.id_annotation = Some("old1".into());
        let created = mine.created.saturating_add(SignedDuration::from_secs(age)).unwrap();
        let mut simulation = Simulation::new(vec![mine]);
        simulation.remote.put(foreign_component("old1", "api"));
        simulation.around.elsewhere = vec![Claimant {
            is_to_take_over: true,
            created,
            key: ObjectKey::new(Kind::Component, "rivals", "theirs"),
            id: "old1".into(),
        }];
        simulation.settle();
        let finding = simulation.finding(Kind::Component, "mine");
        assert_eq!(finding.reason, expected);
        assert!(!finding.message.contains("rivals"), "{}", finding.message);
        assert!(simulation.sent.is_empty());
    }
}

#[test]
fn what_a_declaration_of_another_status_page_has_created_is_not_taken_over_by_name() {
    let mut simulation = Simulation::new(vec![component("api", json!({"adoptionPolicy": "ByName"}))]);
    simulation.remote.put(foreign_component("old1", "api"));
    simulation.around.elsewhere = vec![Claimant {
        is_to_take_over: false,
        created: simulation.now.saturating_add(SignedDuration::from_secs(60)).unwrap(),
        key: ObjectKey::new(Kind::Component, "rivals", "api"),
        id: "old1".into(),
    }];
    simulation.settle();
    assert_ne!(simulation.id(Kind::Component, "api"), "old1");
}
