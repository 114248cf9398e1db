//! Components and their groups.

use serde_json::json;

use super::builders::{component, foreign_component, group, put_foreign_group};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Action, Request, State};

fn member(name: &str) -> crate::engine::Declaration {
    component(name, json!({"groupRef": {"name": "core"}}))
}

fn three() -> Simulation {
    let mut simulation = Simulation::new(vec![group("core"), member("a"), member("b"), member("c")]);
    simulation.settle();
    simulation
}

fn everything_is_in_sync(simulation: &Simulation) {
    for finding in &simulation.last.findings {
        assert_eq!(finding.state, State::InSync, "{finding:?}");
    }
}

#[test]
fn a_group_of_n_costs_n_plus_one_requests() {
    let simulation = three();
    assert_eq!(
        simulation.summaries(),
        [
            "create component \"a\"",
            "create component group \"core\"",
            "create component \"b\"",
            "create component \"c\""
        ]
    );
    let core = simulation.id(Kind::ComponentGroup, "core");
    for name in ["a", "b", "c"] {
        let id = simulation.id(Kind::Component, name);
        assert_eq!(
            simulation.remote_component(&id).group_id.as_deref(),
            Some(core.as_str())
        );
    }
    everything_is_in_sync(&simulation);
}

#[test]
fn a_component_leaves_its_group_when_group_ref_is_removed() {
    let mut simulation = three();
    simulation.respecify(Kind::Component, "b", json!({}));
    simulation.settle();
    let b = simulation.id(Kind::Component, "b");
    assert_eq!(simulation.remote_component(&b).group_id, None);
    everything_is_in_sync(&simulation);
    // From then on its group belongs to whoever sets it.
    let core = simulation.id(Kind::ComponentGroup, "core");
    let mut moved = simulation.remote_component(&b).clone();
    moved.group_id = Some(core.clone());
    simulation.remote.put(moved);
    simulation.settle();
    assert_eq!(simulation.remote_component(&b).group_id, Some(core));
}

#[test]
fn leaving_a_group_survives_waiting_and_failing() {
    let mut simulation = three();
    simulation.respecify(Kind::Component, "b", json!({}));
    let failed = std::cell::Cell::new(0);
    simulation.refuse = Some(Box::new(move |request| {
        failed.set(failed.get() + 1);
        (matches!(request, Request::UpdateComponent(..)) && failed.get() <= 2).then_some((false, Reason::Unreachable))
    }));
    simulation.settle();
    let b = simulation.id(Kind::Component, "b");
    assert_eq!(simulation.remote_component(&b).group_id, None);
}

#[test]
fn the_last_member_takes_the_group_along_and_a_new_one_brings_it_back() {
    let mut simulation = Simulation::new(vec![group("core"), member("a")]);
    simulation.settle();
    let first = simulation.id(Kind::ComponentGroup, "core");
    simulation.respecify(Kind::Component, "a", json!({}));
    simulation.settle();
    assert!(simulation.remote.components.as_ref().unwrap().get(&first).is_none());
    assert_eq!(simulation.stands(Kind::ComponentGroup, "core").1, Reason::NoMembers);
    simulation.respecify(Kind::Component, "a", json!({"groupRef": {"name": "core"}}));
    simulation.settle();
    assert_ne!(simulation.id(Kind::ComponentGroup, "core"), first);
    everything_is_in_sync(&simulation);
}

#[test]
fn a_group_deleted_with_its_members_needs_no_request() {
    let mut simulation = three();
    for (kind, name) in [
        (Kind::ComponentGroup, "core"),
        (Kind::Component, "a"),
        (Kind::Component, "b"),
        (Kind::Component, "c"),
    ] {
        simulation.delete(kind, name);
    }
    let before = simulation.sent.len();
    simulation.settle();
    assert_eq!(simulation.sent.len() - before, 3, "{:?}", simulation.summaries());
    assert!(simulation.remote.components.as_ref().unwrap().items.is_empty());
    assert!(simulation.declarations.is_empty());
}

#[test]
fn a_group_deleted_alone_leaves_its_members() {
    let mut simulation = three();
    simulation.delete(Kind::ComponentGroup, "core");
    simulation.settle();
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 3);
    assert_eq!(simulation.stands(Kind::Component, "a").1, Reason::WaitingForReference);
}

#[test]
fn a_dangling_group_ref_waits_and_names_the_way_out() {
    let mut simulation = Simulation::new(vec![member("a"), component("b", json!({}))]);
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "a"),
        (State::Progressing, Reason::WaitingForReference)
    );
    assert!(
        simulation
            .finding(Kind::Component, "a")
            .message
            .contains("ComponentGroup core")
    );
    assert_eq!(simulation.stands(Kind::Component, "b").0, State::InSync);
}

#[test]
fn a_first_member_that_cannot_be_created_does_not_stop_the_others() {
    for reason in ["exists", "suspended", "observed", "refused"] {
        let mut first = member("a");
        let spec = match reason {
            "suspended" => json!({"groupRef": {"name": "core"}, "suspend": true}),
            "observed" => json!({"groupRef": {"name": "core"}, "managementPolicy": "ObserveOnly"}),
            _ => json!({"groupRef": {"name": "core"}}),
        };
        super::builders::respecify(&mut first, spec);
        let mut simulation = Simulation::new(vec![group("core"), first, member("b"), member("c")]);
        if reason == "exists" {
            simulation.remote.put(foreign_component("old", "a"));
        }
        if reason == "refused" {
            simulation.refuse = Some(Box::new(|request| {
                matches!(request, Request::CreateComponent(write) if write.name.as_deref() == Some("a"))
                    .then_some((true, Reason::Rejected))
            }));
        }
        simulation.pass();
        for _ in 0..5 {
            simulation.now = simulation
                .now
                .saturating_add(jiff::SignedDuration::from_secs(60))
                .unwrap();
            simulation.pass();
        }
        for name in ["b", "c"] {
            assert_eq!(
                simulation.stands(Kind::Component, name),
                (State::InSync, Reason::Synced),
                "{reason} {name}"
            );
        }
        assert_eq!(
            simulation.stands(Kind::ComponentGroup, "core").0,
            State::InSync,
            "{reason}"
        );
    }
}

#[test]
fn nothing_is_created_outside_of_a_group_that_cannot_come() {
    let mut simulation = Simulation::new(vec![group("core"), member("a")]);
    simulation.remote.put(foreign_component("old", "x"));
    put_foreign_group(&mut simulation.remote, "g", "core", &["old"]);
    simulation.settle();
    assert_eq!(simulation.stands(Kind::ComponentGroup, "core").1, Reason::AlreadyExists);
    assert!(simulation.sent.is_empty(), "{:?}", simulation.summaries());
}

#[test]
fn an_adopted_group_keeps_its_foreign_members() {
    let mut core = group("core");
    super::builders::respecify(&mut core, json!({"adoptionPolicy": "ByName", "description": "Core"}));
    let mut simulation = Simulation::new(vec![core, member("a")]);
    simulation.remote.put(foreign_component("old", "x"));
    put_foreign_group(&mut simulation.remote, "g", "core", &["old"]);
    simulation.settle();
    assert_eq!(simulation.remote_component("old").group_id.as_deref(), Some("g"));
    let a = simulation.id(Kind::Component, "a");
    assert_eq!(simulation.remote_component(&a).group_id.as_deref(), Some("g"));
    everything_is_in_sync(&simulation);
}

#[test]
fn crashes_and_lost_replies_leave_one_group_and_its_members() {
    for fault in [Fault::Crash, Fault::LostReply, Fault::LostRequest] {
        for effect in 0..30 {
            let mut simulation = Simulation::new(vec![group("core"), member("a"), member("b")]);
            simulation.faults.insert(effect, fault);
            simulation.pass();
            simulation.settle();
            assert_eq!(simulation.creates(), 3, "{fault:?} {effect}: {:#?}", simulation.events);
            everything_is_in_sync(&simulation);
        }
    }
}

#[test]
fn a_status_under_maintenance_is_not_fought() {
    let mut simulation = Simulation::new(vec![component("a", json!({"status": "operational"}))]);
    simulation.settle();
    let id = simulation.id(Kind::Component, "a");
    let mut affected = simulation.remote_component(&id).clone();
    affected.status = Some(crate::statuspage::ComponentStatus::UnderMaintenance);
    let mut maintenance = super::builders::foreign_incident("m", "Work", &[("in_progress", "Working")]);
    maintenance.components = vec![affected];
    simulation.remote.put(maintenance);
    // The page's incidents are read when an incident is declared.
    simulation.add(super::builders::incident(
        "other",
        json!({"updates": super::builders::updates(&[("resolved", "Over")])}),
    ));
    let before = simulation.sent.len();
    simulation.settle();
    assert_eq!(simulation.sent.len() - before, 1, "{:?}", simulation.summaries());
    assert_eq!(
        simulation.remote_component(&id).status,
        Some(crate::statuspage::ComponentStatus::UnderMaintenance)
    );
}

#[test]
fn a_status_that_is_not_declared_is_never_sent() {
    let mut simulation = three();
    let id = simulation.id(Kind::Component, "a");
    let mut broken = simulation.remote_component(&id).clone();
    broken.status = Some(crate::statuspage::ComponentStatus::MajorOutage);
    simulation.remote.put(broken);
    simulation.respecify(
        Kind::Component,
        "a",
        json!({"groupRef": {"name": "core"}, "description": "new"}),
    );
    simulation.settle();
    assert_eq!(
        simulation.remote_component(&id).status,
        Some(crate::statuspage::ComponentStatus::MajorOutage)
    );
    for sent in &simulation.sent {
        if let Action::Update(Request::UpdateComponent(_, write)) = &sent.action {
            assert_eq!(write.status, None);
        }
    }
}
