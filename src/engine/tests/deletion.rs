//! Deletion, its cap, and the closed page.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use super::builders::{component, incident, page, updates};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Action, CircuitBreaker, Declaration, Deletion, LEAVE_AFTER, Spec, State, Status};
use crate::statuspage::IncidentStatus;

fn many(count: usize) -> Simulation {
    let declarations = (0..count)
        .map(|number| component(&format!("c{number}"), json!({})))
        .collect();
    let mut simulation = Simulation::new(declarations);
    simulation.settle();
    simulation
}

fn delete_all(simulation: &mut Simulation, count: usize) {
    for number in 0..count {
        simulation.delete(Kind::Component, &format!("c{number}"));
    }
}

#[test]
fn every_crash_of_a_deletion_ends_with_nothing_left() {
    for fault in [Fault::Crash, Fault::LostReply, Fault::LostRequest] {
        for effect in 0..6 {
            let mut simulation = many(2);
            simulation.faults.insert(simulation.effects() + effect, fault);
            delete_all(&mut simulation, 2);
            simulation.pass();
            simulation.settle();
            assert!(simulation.remote.components.as_ref().unwrap().items.is_empty());
            assert!(simulation.declarations.is_empty(), "{:#?}", simulation.events);
        }
    }
}

#[test]
fn more_deletions_than_the_cap_are_held_until_the_page_allows_them() {
    let mut simulation = many(25);
    delete_all(&mut simulation, 25);
    simulation.pass();
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 25);
    let held = simulation.finding(Kind::Component, "c0").clone();
    assert_eq!((held.state, held.reason), (State::Stalled, Reason::DeletionCapped));
    assert!(
        held.message.contains("deletionCap of StatusPage page"),
        "{}",
        held.message
    );
    let page = simulation.finding(Kind::StatusPage, "page");
    assert_eq!(page.reason, Reason::DeletionCapped);
    assert!(
        page.message.contains("(Component c0, Component c1, "),
        "{}",
        page.message
    );
    assert!(page.message.contains("allow-deletes=25"), "{}", page.message);
    simulation.page.allow_deletes = Some("25".into());
    simulation.pass();
    assert!(simulation.remote.components.as_ref().unwrap().items.is_empty());
    assert!(simulation.declarations.is_empty());
}

#[test]
fn the_cap_counts_what_was_deleted_a_moment_ago() {
    let mut simulation = many(25);
    delete_all(&mut simulation, 15);
    simulation.pass();
    assert_eq!(simulation.declarations.len(), 10);
    for number in 15..25 {
        simulation.delete(Kind::Component, &format!("c{number}"));
    }
    simulation.pass();
    assert_eq!(simulation.stands(Kind::Component, "c20").1, Reason::DeletionCapped);
}

fn closed(simulation: &mut Simulation) {
    simulation.circuit_breaker = Some(CircuitBreaker {
        reason: Reason::Unauthorized,
        message: "no".into(),
        stalled: true,
        lets_incidents_pass: false,
        until: None,
    });
}

#[test]
fn a_closed_page_leaves_what_was_ready_and_says_why_the_rest_waits() {
    let mut simulation = many(1);
    closed(&mut simulation);
    let before = simulation.get(Kind::Component, "c0").stored.clone();
    simulation.add(component("new", json!({})));
    simulation.pass();
    assert_eq!(simulation.get(Kind::Component, "c0").stored, before);
    assert_eq!(
        simulation.stands(Kind::Component, "new"),
        (State::Progressing, Reason::PageNotReady)
    );
    assert_eq!(
        simulation.stands(Kind::StatusPage, "page"),
        (State::Stalled, Reason::Unauthorized)
    );
    assert_eq!(simulation.sent.len(), 1);
    simulation.circuit_breaker = None;
    simulation.settle();
    assert_eq!(simulation.stands(Kind::Component, "new").0, State::InSync);
}

#[test]
fn a_closed_page_lets_orphans_go_and_holds_the_rest() {
    let mut simulation = Simulation::new(vec![
        component("kept", json!({"deletionPolicy": "Orphan"})),
        component("held", json!({})),
        incident("down", json!({"updates": updates(&[("resolved", "x")])})),
    ]);
    simulation.settle();
    closed(&mut simulation);
    simulation.delete(Kind::Component, "kept");
    simulation.delete(Kind::Component, "held");
    simulation.delete(Kind::Incident, "down");
    simulation.pass();
    assert_eq!(simulation.declarations.len(), 1);
    let held = simulation.finding(Kind::Component, "held");
    assert_eq!(held.reason, Reason::PageNotReady);
    assert!(held.message.contains("Orphan"));
}

#[test]
fn a_page_goes_although_its_secret_went_first() {
    let mut simulation = many(1);
    simulation.page.finalizer = true;
    simulation.page.deleting = true;
    closed(&mut simulation);
    simulation.pass();
    assert!(simulation.page.finalizer, "its declarations are still there");
    simulation.declarations.clear();
    simulation.pass();
    assert!(!simulation.page.finalizer);
}

#[test]
fn suspend_stops_everything_deletion_included() {
    let mut simulation = Simulation::new(vec![
        component("a", json!({})),
        component("b", json!({"suspend": true})),
    ]);
    simulation.settle();
    assert_eq!(simulation.sent.len(), 1);
    assert_eq!(
        simulation.stands(Kind::Component, "b"),
        (State::Suspended, Reason::Suspended)
    );
    simulation.respecify(Kind::Component, "a", json!({"suspend": true, "description": "new"}));
    simulation.delete(Kind::Component, "a");
    simulation.settle();
    assert_eq!(simulation.sent.len(), 1);
    assert_eq!(simulation.declarations.len(), 2);
    simulation.respecify(Kind::Component, "a", json!({}));
    simulation.settle();
    assert_eq!(simulation.declarations.len(), 1);
}

#[test]
fn a_suspended_page_suspends_its_declarations() {
    let mut simulation = many(1);
    simulation.page = page(json!({"suspend": true}));
    simulation.add(component("new", json!({})));
    simulation.pass();
    assert_eq!(
        simulation.stands(Kind::Component, "new"),
        (State::Suspended, Reason::Suspended)
    );
    assert_eq!(
        simulation.stands(Kind::StatusPage, "page"),
        (State::Suspended, Reason::Suspended)
    );
    assert_eq!(simulation.sent.len(), 1);
}

#[test]
fn a_refused_object_stops_only_itself_and_is_tried_again_when_it_changes() {
    use crate::engine::Request;
    let mut simulation = Simulation::new(vec![component("bad", json!({})), component("good", json!({}))]);
    simulation.refuse = Some(Box::new(|request| {
        matches!(request, Request::CreateComponent(write) if write.name.as_deref() == Some("bad"))
            .then_some((true, Reason::Rejected))
    }));
    simulation.pass();
    assert_eq!(
        simulation.stands(Kind::Component, "bad"),
        (State::Stalled, Reason::Rejected)
    );
    assert_eq!(simulation.stands(Kind::Component, "good").0, State::InSync);
    assert!(simulation.get(Kind::Component, "bad").stored.object().journal.is_none());
    simulation.respecify(Kind::Component, "bad", json!({"name": "better"}));
    simulation.pass();
    assert_eq!(simulation.stands(Kind::Component, "bad").0, State::InSync);
}

#[test]
fn last_sync_time_moves_only_with_another_change() {
    let mut simulation = many(1);
    let before = simulation.get(Kind::Component, "c0").stored.clone();
    let writes = simulation.status_writes;
    simulation.settle();
    simulation.restart();
    simulation.settle();
    assert_eq!(simulation.get(Kind::Component, "c0").stored, before);
    assert_eq!(simulation.status_writes, writes);
    simulation.respecify(Kind::Component, "c0", json!({"description": "new"}));
    simulation.settle();
    let (Status::Component(old), Status::Component(new)) = (&*before, &*simulation.get(Kind::Component, "c0").stored)
    else {
        panic!()
    };
    assert!(new.object.last_sync_time > old.object.last_sync_time);
    assert_eq!(new.object.observed_generation, Some(2));
}

/// A page whose namespace is being deleted, with everything in it.
fn ending(count: usize) -> Simulation {
    let mut simulation = many(count);
    simulation.page.finalizer = true;
    simulation.page.deleting = true;
    simulation.around.ending.insert("team".into(), simulation.now);
    delete_all(&mut simulation, count);
    simulation
}

#[test]
fn a_namespace_ends_with_what_was_created_for_it() {
    let mut simulation = ending(3);
    simulation.settle();
    assert!(simulation.declarations.is_empty() && !simulation.page.finalizer);
    assert!(simulation.remote.components.as_ref().unwrap().items.is_empty());
}

#[test]
fn a_namespace_ends_without_its_token_and_leaves_what_is_on_the_page() {
    let mut simulation = ending(3);
    closed(&mut simulation);
    let plan = simulation.plan();
    let leaves = plan.steps.iter().filter(|step| step.action == Action::Leave);
    let said: Vec<String> = leaves.map(|step| step.summary.to_string()).collect();
    assert_eq!(said.len(), 3);
    assert!(
        said[0].contains("stays on the page") && said[0].ends_with(": no"),
        "{said:?}"
    );
    simulation.pass();
    assert!(simulation.declarations.is_empty() && !simulation.page.finalizer);
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 3);
}

#[test]
fn a_guest_that_ends_waits_a_while_for_the_owner_of_the_page() {
    let mut simulation = ending(1);
    simulation.page.deleting = false;
    // The page is elsewhere.
    simulation.page.key.namespace = "owner".into();
    closed(&mut simulation);
    simulation.pass();
    assert_eq!(simulation.declarations.len(), 1);
    assert_eq!(simulation.last.wake, simulation.now.checked_add(LEAVE_AFTER).ok());
    simulation.now += LEAVE_AFTER;
    simulation.pass();
    assert!(simulation.declarations.is_empty());
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 1);
}

#[test]
fn the_end_of_a_namespace_deletes_no_more_than_the_cap_unless_somebody_says_so() {
    for answer in [None, Some("25")] {
        let mut simulation = ending(25);
        simulation.pass();
        assert_eq!(simulation.stands(Kind::Component, "c0").1, Reason::DeletionCapped);
        assert_eq!(simulation.declarations.len(), 25);
        simulation.page.allow_deletes = answer.map(Into::into);
        simulation.now += LEAVE_AFTER;
        simulation.pass();
        assert!(simulation.declarations.is_empty());
        let left = simulation.remote.components.as_ref().unwrap().items.len();
        assert_eq!(left, if answer.is_some() { 0 } else { 25 });
    }
}

#[test]
fn what_is_suspended_lets_its_namespace_end_too() {
    let mut simulation = many(1);
    simulation.page = page(json!({"suspend": true}));
    simulation.page.finalizer = true;
    simulation.page.deleting = true;
    simulation.around.ending.insert("team".into(), simulation.now);
    delete_all(&mut simulation, 1);
    simulation.pass();
    assert_eq!(simulation.stands(Kind::Component, "c0").1, Reason::Suspended);
    simulation.now += LEAVE_AFTER;
    simulation.pass();
    simulation.pass();
    assert!(simulation.declarations.is_empty() && !simulation.page.finalizer);
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 1);
}

#[test]
fn a_renamed_declaration_that_names_the_object_takes_it_over() {
    let mut simulation = many(1);
    let id = simulation.remote.components.as_ref().unwrap().items[0].id.clone();
    simulation.delete(Kind::Component, "c0");
    let mut renamed = component("renamed", json!({"name": "c0"}));
    renamed.id_annotation = Some(id.clone());
    simulation.declarations.push(renamed);
    simulation.pass();
    simulation.settle();
    let components = &simulation.remote.components.as_ref().unwrap().items;
    assert_eq!(components.iter().map(|one| &one.id).collect::<Vec<_>>(), [&id]);
    assert_eq!(simulation.stands(Kind::Component, "renamed").1, Reason::Synced);
    assert_eq!(simulation.declarations.len(), 1);
}

#[test]
fn a_declaration_of_another_namespace_cannot_keep_what_is_deleted() {
    let mut simulation = many(1);
    let id = simulation.remote.components.as_ref().unwrap().items[0].id.clone();
    let mut stranger = component("stranger", json!({"name": "c0"}));
    stranger.key.namespace = "elsewhere".into();
    stranger.id_annotation = Some(id.clone());
    simulation.declarations.push(stranger);
    simulation.delete(Kind::Component, "c0");
    simulation.pass();
    simulation.settle();
    let components = &simulation.remote.components.as_ref().unwrap().items;
    assert!(components.iter().all(|one| one.id != id), "{components:#?}");
}

#[test]
fn of_two_that_record_the_same_object_the_one_that_stays_keeps_it() {
    let mut simulation = many(1);
    let id = simulation.remote.components.as_ref().unwrap().items[0].id.clone();
    let mut copy = component("copy", json!({"name": "c0"}));
    copy.id_annotation = Some(id.clone());
    copy.status_mut().object_mut().id = Some(id.clone());
    copy.created = simulation.now;
    simulation.declarations.push(copy);
    simulation.pass();
    assert_eq!(simulation.stands(Kind::Component, "copy").1, Reason::ClaimedByAnother);
    simulation.delete(Kind::Component, "c0");
    simulation.settle();
    let components = &simulation.remote.components.as_ref().unwrap().items;
    assert_eq!(components.iter().map(|one| &one.id).collect::<Vec<_>>(), [&id]);
    assert_eq!(simulation.stands(Kind::Component, "copy").1, Reason::Synced);
}

#[test]
fn two_that_record_the_same_object_and_go_together_take_it_with_them() {
    let mut simulation = many(1);
    let mut copy = component("copy", json!({"name": "c0"}));
    copy.id_annotation = Some(simulation.remote.components.as_ref().unwrap().items[0].id.clone());
    copy.finalizer = true;
    simulation.declarations.push(copy);
    simulation.delete(Kind::Component, "c0");
    simulation.delete(Kind::Component, "copy");
    simulation.settle();
    assert!(simulation.remote.components.as_ref().unwrap().items.is_empty());
    assert!(simulation.declarations.is_empty());
}

/// An incident whose creation got no reply and is carried out, on a page whose lists lag.
fn lost_in_a_lag(policy: &str) -> Simulation {
    let declared = incident(
        "down",
        json!({"updates": updates(&[("investigating", "Looking")]), "deletionPolicy": policy}),
    );
    let mut simulation = Simulation::new(vec![declared]);
    simulation.lag = SignedDuration::from_secs(50);
    // status of the page, finalizer, journal, request
    simulation.faults.insert(3, Fault::LostReply);
    simulation.pass();
    let journal = simulation.get(Kind::Incident, "down").status.object().journal.clone();
    assert!(journal.is_some(), "{:#?}", simulation.events);
    simulation
}

fn removed(declaration: &mut Declaration) {
    let page = match declaration.spec.own_deletion() {
        Some(deletion) => deletion,
        None => Deletion::Orphan,
    };
    declaration.spec = Arc::new(Spec::Removed(page));
}

#[test]
fn a_declaration_stays_until_it_is_known_what_came_of_its_last_attempt() {
    for is_removed in [false, true] {
        for (policy, left) in [
            ("Orphan", Some(IncidentStatus::Investigating)),
            ("Resolve", Some(IncidentStatus::Resolved)),
            ("Delete", None),
        ] {
            let what = format!("{policy}, its manifest removed: {is_removed}");
            let mut simulation = lost_in_a_lag(policy);
            if is_removed {
                simulation.edit(Kind::Incident, "down", removed);
            }
            simulation.delete(Kind::Incident, "down");
            simulation.pass();
            assert_eq!(simulation.declarations.len(), 1, "{what}: it is not known yet");
            assert_eq!(
                simulation.stands(Kind::Incident, "down").0,
                State::Progressing,
                "{what}"
            );
            simulation.settle();
            assert!(simulation.declarations.is_empty(), "{what}: {:#?}", simulation.events);
            let incidents = &simulation.remote.incidents.as_ref().unwrap().items;
            let status = incidents.first().and_then(|incident| incident.status.clone());
            assert_eq!((incidents.len(), status), (usize::from(left.is_some()), left), "{what}");
        }
    }
}

#[test]
fn an_attempt_that_was_not_carried_out_lets_its_declaration_go_when_that_is_certain() {
    for policy in ["Orphan", "Resolve", "Delete"] {
        let declared = incident(
            "down",
            json!({"updates": updates(&[("investigating", "Looking")]), "deletionPolicy": policy}),
        );
        let mut simulation = Simulation::new(vec![declared]);
        simulation.faults.insert(3, Fault::LostRequest);
        simulation.pass();
        let begun = simulation.now;
        simulation.edit(Kind::Incident, "down", removed);
        simulation.delete(Kind::Incident, "down");
        simulation.settle();
        assert!(simulation.declarations.is_empty(), "{policy}");
        assert!(simulation.remote.incidents.as_ref().unwrap().items.is_empty());
        assert!(simulation.now.duration_since(begun) > SignedDuration::from_secs(36));
    }
}

#[test]
fn an_update_that_may_still_come_keeps_its_declaration() {
    for policy in ["Orphan", "Resolve"] {
        let story = [("investigating", "Looking"), ("identified", "Found")];
        let spec = |count: usize| json!({"updates": updates(&story[..count]), "deletionPolicy": policy});
        let mut simulation = Simulation::new(vec![incident("down", spec(1))]);
        simulation.settle();
        simulation.respecify(Kind::Incident, "down", spec(2));
        // status of the page, journal, request
        simulation.faults.insert(simulation.effects() + 2, Fault::LostRequest);
        simulation.pass();
        let journal = simulation.get(Kind::Incident, "down").status.object().journal.clone();
        assert!(
            journal.is_some_and(|journal| journal.operation == "update/1"),
            "{:#?}",
            simulation.events
        );
        simulation.delete(Kind::Incident, "down");
        simulation.pass();
        assert_eq!(simulation.declarations.len(), 1, "{policy}");
        // Now the update is carried out after all.
        let mut late = simulation.remote.incidents.as_ref().unwrap().items[0].clone();
        late.status = Some(IncidentStatus::Identified);
        simulation.remote.put(late);
        simulation.settle();
        assert!(simulation.declarations.is_empty(), "{policy}");
        let status = simulation.remote.incidents.as_ref().unwrap().items[0].status.clone();
        let ended = if policy == "Resolve" {
            IncidentStatus::Resolved
        } else {
            IncidentStatus::Identified
        };
        assert_eq!(status, Some(ended), "{policy}");
    }
}
