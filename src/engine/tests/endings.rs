//! The last things that are done for a declaration: what is waited for, what is left, what goes by itself.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::builders::{component, group, incident, key, updates};
use super::simulation::Simulation;
use crate::api::{Kind, Reason};
use crate::engine::{Action, CircuitBreaker, Deletion, Failure, LEAVE_AFTER, Plan, ReadWhat, Spec, State};
use crate::statuspage::{CollectionKind, ObjectKind};

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn settled(declarations: Vec<crate::engine::Declaration>) -> Simulation {
    let mut simulation = Simulation::new(declarations);
    simulation.settle();
    simulation
}

fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.summary.to_string()).collect()
}

#[test]
fn what_has_an_id_is_deleted_without_reading_the_page() {
    let mut simulation = settled(vec![component("api", json!({}))]);
    let id = simulation.id(Kind::Component, "api");
    simulation.delete(Kind::Component, "api");
    simulation.known.components = None;
    let plan = simulation.plan();
    assert_eq!(steps(&plan), [format!("delete component {id}")]);
    let list = ReadWhat::Collection(CollectionKind::Components);
    assert!(plan.reads.iter().all(|read| read.what != list), "{:?}", plan.reads);
}

#[test]
fn what_was_being_created_when_its_manifest_went_says_how_to_get_on() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.declarations[0].finalizer = true;
    simulation.attempted(Kind::Component, "api", "create");
    simulation.edit(Kind::Component, "api", |declaration| {
        declaration.spec = Arc::new(Spec::Removed(Deletion::Delete));
    });
    simulation.delete(Kind::Component, "api");
    simulation.known = simulation.remote.clone();
    let plan = simulation.plan();
    let finding = plan
        .findings
        .iter()
        .find(|one| one.key.kind == Kind::Component)
        .unwrap();
    assert_eq!((finding.state, finding.reason), (State::Stalled, Reason::Ambiguous));
    assert!(finding.message.contains("restore the manifest"), "{}", finding.message);
    assert_eq!(
        steps(&plan).iter().filter(|step| *step != "add the finalizer").count(),
        0
    );
}

#[test]
fn a_declaration_goes_at_the_very_time_that_was_told() {
    let mut simulation = settled(vec![component("api", json!({"deletionPolicy": "Orphan"}))]);
    simulation.declarations[0].finalizer = true;
    simulation.attempted(Kind::Component, "api", "replace");
    simulation.delete(Kind::Component, "api");
    // 36 s to be sent and carried out, 60 s in which a list may lag.
    let over = later(simulation.now, 96);
    for (at, goes) in [(simulation.now, false), (later(over, -1), false), (over, true)] {
        simulation.now = at;
        let plan = simulation.plan();
        assert_eq!(steps(&plan).contains(&"release".to_owned()), goes);
        if !goes {
            assert_eq!(
                (plan.wake, plan.proof_at),
                (Some(over), Some(over)),
                "who waits is told until when"
            );
            let finding = plan
                .findings
                .iter()
                .find(|one| one.key.kind == Kind::Component)
                .unwrap();
            let shown = over.strftime("%H:%M:%S UTC").to_string();
            assert!(finding.message.contains(&shown), "{}", finding.message);
        }
    }
}

#[test]
fn an_incident_that_was_resolved_is_let_go_once_no_update_can_open_it_again() {
    let post = updates(&[("investigating", "Looking"), ("resolved", "Over")]);
    let mut simulation = settled(vec![incident(
        "down",
        json!({"updates": post, "deletionPolicy": "Resolve"}),
    )]);
    let id = simulation.id(Kind::Incident, "down");
    simulation.attempted(Kind::Incident, "down", "update/1");
    simulation.delete(Kind::Incident, "down");
    let alone = ReadWhat::Object(ObjectKind::Incident, id);
    // Lists of incidents lag for up to two minutes.
    let over = later(simulation.now, 36 + 120);
    for (at, reads) in [(later(over, -1), false), (over, true)] {
        simulation.now = at;
        let plan = simulation.plan();
        assert_eq!(plan.reads.iter().any(|read| read.what == alone), reads, "{at}");
        assert!(!steps(&plan).contains(&"release".to_owned()));
    }
    simulation.read(&alone);
    assert!(steps(&simulation.plan()).contains(&"release".to_owned()));
}

#[test]
fn a_group_goes_with_its_last_member_and_is_deleted_for_itself_otherwise() {
    let members = |policy: &str| {
        let member = |name: &str| component(name, json!({"groupRef": {"name": "core"}, "deletionPolicy": policy}));
        let mut simulation = settled(vec![group("core"), member("a"), member("b")]);
        simulation.delete(Kind::ComponentGroup, "core");
        simulation
    };
    let of_group = |simulation: &Simulation| {
        let plan = simulation.plan();
        let deletes = plan.steps.iter().any(|step| step.key.kind == Kind::ComponentGroup);
        let found = plan.findings.iter().find(|one| one.key.kind == Kind::ComponentGroup);
        (
            deletes,
            found.map(|finding| finding.message.contains("waiting for its components")),
        )
    };
    let mut simulation = members("Delete");
    assert_eq!(of_group(&simulation), (true, Some(false)), "its members stay");
    simulation.delete(Kind::Component, "a");
    assert_eq!(of_group(&simulation), (true, Some(false)), "one of them stays");
    simulation.delete(Kind::Component, "b");
    assert_eq!(of_group(&simulation), (false, Some(true)));
    let mut simulation = members("Orphan");
    simulation.edit(Kind::Component, "a", |declaration| declaration.finalizer = true);
    simulation.edit(Kind::Component, "b", |declaration| declaration.finalizer = true);
    simulation.delete(Kind::Component, "a");
    simulation.delete(Kind::Component, "b");
    assert!(of_group(&simulation).0, "they are left on the page without it");
}

#[test]
fn a_group_is_not_deleted_before_its_members_are_known() {
    let mut simulation = settled(vec![
        group("core"),
        component("a", json!({"groupRef": {"name": "core"}})),
    ]);
    simulation.delete(Kind::ComponentGroup, "core");
    simulation.known.components = None;
    let list = ReadWhat::Collection(CollectionKind::Components);
    let plan = simulation.plan();
    assert!(plan.reads.iter().any(|read| read.what == list));
    assert!(
        plan.steps.iter().all(|step| step.key.kind != Kind::ComponentGroup),
        "{:?}",
        steps(&plan)
    );
}

#[test]
fn what_keeps_a_namespace_from_ending_is_left_after_a_while_whatever_stops_it() {
    let ending = || {
        let mut simulation = settled(vec![component("api", json!({}))]);
        // The page is elsewhere.
        simulation.page.key.namespace = "owner".into();
        simulation.around.ending.insert("team".into(), simulation.now);
        simulation.delete(Kind::Component, "api");
        simulation
    };
    let leaves = |simulation: &Simulation, failed: Option<bool>| {
        let failed = failed.map(|terminal| {
            let failure = Failure {
                terminal,
                reason: Reason::Unreachable,
                message: "no answer".into(),
                at: simulation.now,
                attempts: 9,
                generation: simulation.get(Kind::Component, "api").generation,
                jitter: 0.0,
                reading: false,
            };
            (key(Kind::Component, "api"), failure)
        });
        let failures: &'static std::collections::BTreeMap<_, _> = Box::leak(Box::new(failed.into_iter().collect()));
        let plan = simulation.plan_where(|world| world.failures = failures);
        plan.steps.iter().any(|step| step.action == Action::Leave)
    };
    let circuit_breaker = |stalled| CircuitBreaker {
        reason: Reason::Unreachable,
        message: "no answer".into(),
        stalled,
        lets_incidents_pass: false,
        until: None,
    };
    let mut simulation = ending();
    assert!(!leaves(&simulation, Some(false)), "it may pass");
    simulation.now += LEAVE_AFTER;
    assert!(!leaves(&simulation, None), "nothing stops its deletion");
    assert!(
        leaves(&simulation, Some(false)),
        "a failure that may pass has had its time"
    );
    assert!(leaves(&simulation, Some(true)), "it was refused");
    simulation.circuit_breaker = Some(circuit_breaker(false));
    assert!(leaves(&simulation, None), "the page has not answered for long");
    simulation.circuit_breaker = Some(circuit_breaker(true));
    assert!(leaves(&simulation, None), "the page refuses the token");
}

#[test]
fn a_namespace_does_not_end_before_it_is_known_what_came_of_the_last_attempt() {
    let mut simulation = settled(vec![component("api", json!({}))]);
    simulation.page.key.namespace = "owner".into();
    simulation
        .around
        .ending
        .insert("team".into(), later(simulation.now, -3600));
    simulation.attempted(Kind::Component, "api", "replace");
    simulation.delete(Kind::Component, "api");
    simulation.circuit_breaker = Some(CircuitBreaker {
        reason: Reason::Unauthorized,
        message: "no".into(),
        stalled: true,
        lets_incidents_pass: false,
        until: None,
    });
    let over = later(simulation.now, 96);
    for (at, leaves) in [(simulation.now, false), (later(over, -1), false), (over, true)] {
        simulation.now = at;
        let plan = simulation.plan();
        assert_eq!(
            plan.steps.iter().any(|step| step.action == Action::Leave),
            leaves,
            "{at}"
        );
        if !leaves {
            assert_eq!(plan.wake, Some(over));
        }
    }
}
