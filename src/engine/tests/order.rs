//! What goes first, what waits for whom, and what is looked at before it is written over.

use jiff::SignedDuration;
use serde_json::json;

use super::builders::{component, declare, incident, updates};
use super::simulation::Simulation;
use crate::api::{Kind, RESEND_CONFIRMATION, Reason};
use crate::engine::{Action, Plan, ReadWhat, State};
use crate::statuspage::{self, CollectionKind, ObjectKind, Priority};

fn pass_by(simulation: &mut Simulation, seconds: i64) {
    simulation.now = simulation
        .now
        .saturating_add(SignedDuration::from_secs(seconds))
        .unwrap();
}

fn wants(plan: &Plan, what: &ReadWhat) -> bool {
    plan.reads.iter().any(|read| read.what == *what)
}

#[test]
fn what_only_the_store_has_to_know_goes_before_every_request() {
    let mut simulation = Simulation::new(vec![component("old", json!({"deletionPolicy": "Orphan"}))]);
    simulation.settle();
    simulation.declarations[0].finalizer = true;
    simulation.delete(Kind::Component, "old");
    simulation.add(component("new", json!({})));
    simulation.add(incident(
        "down",
        json!({"updates": updates(&[("investigating", "Looking")])}),
    ));
    simulation.known.incidents.clone_from(&simulation.remote.incidents);
    for declaration in &mut simulation.declarations {
        declaration.seen = super::builders::start();
    }
    let plan = simulation.plan();
    let requests: Vec<bool> = plan.steps.iter().map(|step| step.action.request().is_some()).collect();
    assert_eq!(requests, [false, true, true], "{:?}", plan.steps);
    assert_eq!(plan.steps[0].action, Action::RemoveFinalizer);
    assert_eq!(plan.steps[1].key.kind, Kind::Incident);
}

#[test]
fn what_others_stand_on_is_created_first_and_deleted_last() {
    let declarations = vec![
        declare(Kind::Metric, "latency", json!({})),
        declare(Kind::MetricsProvider, "p", json!({"type": "Self"})),
    ];
    let mut simulation = Simulation::new(declarations);
    simulation.settle();
    let created: Vec<Kind> = simulation.sent.iter().map(|sent| sent.key.kind).collect();
    assert_eq!(created, [Kind::MetricsProvider, Kind::Metric]);
    simulation.delete(Kind::Metric, "latency");
    simulation.delete(Kind::MetricsProvider, "p");
    let plan = simulation.plan();
    let deleted: Vec<Kind> = plan.remote_steps().map(|step| step.key.kind).collect();
    assert_eq!(deleted, [Kind::Metric, Kind::MetricsProvider]);
}

#[test]
fn the_state_of_a_component_goes_before_everything_else_about_it() {
    for (spec, priority) in [
        (json!({"status": "major_outage"}), Priority::ComponentStatus),
        (json!({"description": "new"}), Priority::Write),
        (json!({"status": "major_outage", "description": "new"}), Priority::Write),
    ] {
        let mut simulation = Simulation::new(vec![component("api", json!({}))]);
        simulation.settle();
        simulation.respecify(Kind::Component, "api", spec.clone());
        let plan = simulation.plan();
        let priorities: Vec<Priority> = plan.remote_steps().map(|step| step.priority).collect();
        assert_eq!(priorities, [priority], "{spec}");
    }
}

#[test]
fn one_reading_serves_all_who_need_it_as_soon_as_the_most_urgent_does() {
    let mut simulation = Simulation::new(vec![component("a", json!({})), component("b", json!({}))]);
    simulation.settle();
    simulation.add(incident(
        "down",
        json!({"updates": updates(&[("investigating", "Looking")]), "components": {"a": "major_outage"}}),
    ));
    simulation.known.components = None;
    simulation.known.incidents = None;
    let plan = simulation.plan();
    for kind in [CollectionKind::Components, CollectionKind::Incidents] {
        let what = ReadWhat::Collection(kind);
        assert_eq!(
            plan.reads.iter().filter(|read| read.what == what).count(),
            1,
            "{:?}",
            plan.reads
        );
    }
    let order: Vec<Priority> = plan.reads.iter().map(|read| read.priority).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn what_somebody_changed_is_put_right_only_after_the_object_itself_was_read() {
    let mut simulation = Simulation::new(vec![component("api", json!({"description": "ours"}))]);
    simulation.settle();
    let id = simulation.id(Kind::Component, "api");
    let mut theirs = simulation.remote_component(&id).clone();
    theirs.description = Some("theirs".into());
    simulation.remote.put(theirs);
    pass_by(&mut simulation, 1000);
    simulation.read(&ReadWhat::Collection(CollectionKind::Components));
    let alone = ReadWhat::Object(ObjectKind::Component, id);
    let plan = simulation.plan();
    assert!(wants(&plan, &alone), "{:?}", plan.reads);
    assert_eq!(plan.remote_steps().count(), 0, "the list may be old");
    simulation.read(&alone);
    let plan = simulation.plan();
    assert!(!wants(&plan, &alone), "{:?}", plan.reads);
    assert_eq!(plan.remote_steps().count(), 1);
}

#[test]
fn nobody_is_given_the_id_of_an_object_that_is_gone_or_may_be() {
    let mut simulation = Simulation::new(vec![component("api", json!({"driftPolicy": "Detect"}))]);
    simulation.settle();
    let id = simulation.id(Kind::Component, "api");
    let subscriber = declare(
        Kind::Subscriber,
        "s",
        json!({"email": "a@example.com", "components": ["api"]}),
    );
    let stands = |simulation: &Simulation| {
        let plan = simulation.plan();
        let finding = plan
            .findings
            .iter()
            .find(|one| one.key.kind == Kind::Subscriber)
            .unwrap();
        (plan.remote_steps().count(), finding.reason, finding.message.clone())
    };
    simulation.remote.remove::<statuspage::Component>(&id);
    pass_by(&mut simulation, 1000);
    simulation.add(subscriber);
    let lists = [
        CollectionKind::Page,
        CollectionKind::Components,
        CollectionKind::Subscribers,
        CollectionKind::Unsubscribed,
    ];
    // Twice: one look at an empty list proves nothing.
    for _ in 0..2 {
        for list in lists {
            simulation.read(&ReadWhat::Collection(list));
        }
        pass_by(&mut simulation, 6);
    }
    assert_eq!(
        stands(&simulation),
        (
            0,
            Reason::WaitingForReference,
            "waiting for Component api: checking whether it is on the page".to_owned()
        )
    );
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::RemoteDeleted)
    );
    assert_eq!(
        stands(&simulation),
        (
            0,
            Reason::WaitingForReference,
            "waiting for Component api, which is not on the page yet".to_owned()
        )
    );
    assert_eq!(simulation.creates(), 1);
}

#[test]
fn who_is_only_observed_is_told_nothing() {
    for (policy, told) in [("ObserveOnly", 0), ("Full", 1)] {
        let spec = |policy: &str| json!({"email": "a@example.com", "managementPolicy": policy});
        let mut simulation = Simulation::new(vec![declare(Kind::Subscriber, "s", spec("Full"))]);
        simulation.settle();
        let sent = simulation.sent.len();
        simulation.respecify(Kind::Subscriber, "s", spec(policy));
        simulation.edit(Kind::Subscriber, "s", |declaration| {
            declaration
                .annotations
                .insert(RESEND_CONFIRMATION.into(), "please".into());
        });
        simulation.settle();
        assert_eq!(
            simulation.sent.len() - sent,
            told,
            "{policy} {:?}",
            simulation.summaries()
        );
    }
}
