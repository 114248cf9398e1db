//! The page's own settings.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;

use super::builders::{component, declare, foreign_component, group, incident, page, start, updates};
use super::simulation::Simulation;
use crate::api::{Kind, Reason, StatusPageStatus};
use crate::engine::{CircuitBreaker, Failure, Plan, READY, ReadWhat, Request, State, Status, find_condition};
use crate::statuspage::{BudgetStats, CollectionKind};

#[test]
fn declared_settings_are_owned_and_the_others_are_not() {
    let mut simulation = Simulation::new(vec![]);
    simulation.page = page(json!({"settings": {"name": "Ours", "hiddenFromSearch": false}}));
    simulation.settle();
    assert_eq!(simulation.sent.len(), 1);
    let Some(Request::UpdatePage(write)) = simulation.sent[0].action.request() else {
        panic!()
    };
    assert_eq!(write.name.as_deref(), Some("Ours"));
    assert_eq!(write.hidden_from_search, None, "false and absent are one");
    assert_eq!(
        simulation.stands(Kind::StatusPage, "page"),
        (State::InSync, Reason::Synced)
    );
    let mut edited = simulation.remote.page.clone().unwrap();
    edited.url = Some("https://example.com".into());
    edited.name = Some("Theirs".into());
    simulation.remote.put_page(edited);
    simulation.settle();
    assert_eq!(simulation.remote.page.as_ref().unwrap().name.as_deref(), Some("Ours"));
    assert_eq!(
        simulation.remote.page.as_ref().unwrap().url.as_deref(),
        Some("https://example.com")
    );
}

#[test]
fn drift_detect_reports_settings_and_leaves_them() {
    let mut simulation = Simulation::new(vec![]);
    simulation.page = page(json!({"settings": {"name": "Ours"}, "driftPolicy": "Detect"}));
    simulation.settle();
    let mut edited = simulation.remote.page.clone().unwrap();
    edited.name = Some("Theirs".into());
    simulation.remote.put_page(edited);
    simulation.settle();
    assert_eq!(simulation.sent.len(), 1);
    assert_eq!(simulation.page.status.object().drift[0].field, "settings.name");
}

#[test]
fn observe_only_reports_settings_that_differ() {
    let mut simulation = Simulation::new(vec![]);
    simulation.page = page(json!({"settings": {"name": "Ours"}, "managementPolicy": "ObserveOnly"}));
    simulation.settle();
    assert!(simulation.sent.is_empty());
    assert_eq!(
        simulation.stands(Kind::StatusPage, "page"),
        (State::Stalled, Reason::ObserveOnly)
    );
}

#[test]
fn a_page_is_held_while_its_declarations_need_it_and_then_goes() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.settle();
    assert!(simulation.page.finalizer, "a page with declarations is held");
    simulation.page.deleting = true;
    simulation.settle();
    assert!(simulation.page.finalizer, "its declarations still need it");
    simulation.delete(Kind::Component, "api");
    simulation.settle();
    assert!(!simulation.page.finalizer, "nothing needs it any more");
}

#[test]
fn a_backlog_is_told_with_its_size_and_its_time() {
    let mut simulation = Simulation::new(vec![component("first", json!({}))]);
    simulation.settle();
    for number in 0..130 {
        let mut new = component(&format!("c{number}"), json!({}));
        new.seen = start();
        simulation.add(new);
    }
    let budget = BudgetStats {
        limit: 60,
        remaining: 10,
        ..BudgetStats::default()
    };
    let plan = simulation.plan_within(Some(budget));
    let (_, status) = plan
        .statuses
        .iter()
        .find(|(key, _)| key.kind == Kind::StatusPage)
        .unwrap();
    let message = &find_condition(status.object(), READY).unwrap().message;
    assert!(
        message.contains("130 changes wait") && message.contains("2 minutes"),
        "{message}"
    );
    // Of sixty requests a minute five are kept for incidents: 120 changes more take a minute more.
    let budget = BudgetStats { reserve: 5, ..budget };
    assert_eq!(simulation.plan_within(Some(budget)).backlog.minutes, 3);
}

#[test]
fn what_waits_for_others_is_counted_from_the_beginning() {
    let mut declarations = vec![group("core")];
    for name in ["a", "b", "c"] {
        declarations.push(component(name, json!({"groupRef": {"name": "core"}})));
    }
    declarations.push(declare(Kind::Metric, "latency", json!({})));
    let story = updates(&[("investigating", "Looking"), ("resolved", "Over")]);
    declarations.push(incident(
        "down",
        json!({"updates": story, "components": {"c": "major_outage"}}),
    ));
    let mut simulation = Simulation::new(declarations);
    simulation.known = simulation.remote.clone();
    // Group, three components, provider, metric, the incident and its second update.
    assert_eq!(simulation.plan().backlog.changes, 8);
    simulation.pass();
    assert_eq!(simulation.sent.len(), 8, "{:?}", simulation.summaries());
    assert_eq!(simulation.plan().backlog.changes, 0);
}

/// What the status of the page says.
fn page_status(plan: &Plan) -> StatusPageStatus {
    let mut statuses = plan.statuses.iter();
    let found = statuses.find(|(key, _)| key.kind == Kind::StatusPage);
    match found.map(|(_, status)| &**status) {
        Some(Status::StatusPage(status)) => status.clone(),
        _ => panic!("the page says nothing"),
    }
}

#[test]
fn the_page_says_where_visitors_find_it() {
    for (domain, subdomain, expected) in [
        (None, Some("page"), Some("https://page.statuspage.io")),
        (None, Some("page.statuspage.io"), Some("https://page.statuspage.io")),
        (
            Some("status.example.com"),
            Some("page"),
            Some("https://status.example.com"),
        ),
        (Some(""), Some("page"), Some("https://page.statuspage.io")),
        (Some(""), Some(""), None),
    ] {
        let mut simulation = Simulation::new(vec![]);
        let page = simulation.remote.page.as_mut().unwrap();
        page.domain = domain.map(str::to_owned);
        page.subdomain = subdomain.map(str::to_owned);
        simulation.known = simulation.remote.clone();
        let status = page_status(&simulation.plan());
        assert_eq!(status.object.url.as_deref(), expected);
    }
}

#[test]
fn the_page_shows_the_status_of_the_worst_component() {
    use crate::statuspage::ComponentStatus::{self, DegradedPerformance, MajorOutage, Operational, UnderMaintenance};
    let cases: [(&[ComponentStatus], &str); 4] = [
        (&[], "operational"),
        (&[Operational, Operational], "operational"),
        (&[UnderMaintenance, Operational], "under_maintenance"),
        (
            &[UnderMaintenance, DegradedPerformance, Operational],
            "degraded_performance",
        ),
    ];
    for (statuses, expected) in cases {
        let mut simulation = Simulation::new(vec![]);
        for (number, status) in statuses.iter().enumerate() {
            simulation.remote.put(crate::statuspage::Component {
                status: Some(status.clone()),
                ..foreign_component(&format!("c{number}"), "x")
            });
        }
        // What a group shows is what its members say.
        simulation.remote.put(crate::statuspage::Component {
            group: true,
            status: Some(MajorOutage),
            ..foreign_component("g", "group")
        });
        simulation.known = simulation.remote.clone();
        assert_eq!(page_status(&simulation.plan()).status.as_deref(), Some(expected));
    }
}

#[test]
fn the_page_counts_what_it_manages_and_what_is_not_as_declared() {
    let mut simulation = Simulation::new(vec![
        component("a", json!({})),
        component("b", json!({"managementPolicy": "ObserveOnly"})),
        component("c", json!({"suspend": true})),
    ]);
    simulation.settle();
    let Status::StatusPage(status) = &*simulation.page.status else {
        panic!()
    };
    assert_eq!((status.managed, status.pending), (Some(3), Some(2)));
}

#[test]
fn a_request_for_a_look_is_done_once_something_is_known_again() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.settle();
    simulation.edit(Kind::Component, "api", |declaration| {
        declaration.requested_at = Some("now".into());
        declaration.seen = start().saturating_add(SignedDuration::from_secs(5000)).unwrap();
    });
    let handled = |plan: &Plan| {
        let mut statuses = plan.statuses.iter();
        let found = statuses.find(|(key, _)| key.kind == Kind::Component);
        found.and_then(|(_, status)| status.object().last_handled_request.clone())
    };
    // Nothing was read yet.
    let known = std::mem::take(&mut simulation.known);
    assert_eq!(handled(&simulation.plan()), None);
    simulation.known = known;
    assert_eq!(handled(&simulation.plan()).as_deref(), Some("now"));
}

#[test]
fn a_list_that_cannot_be_read_is_named_and_everything_else_goes_on() {
    let mut simulation = Simulation::new(vec![
        component("api", json!({})),
        declare(Kind::Metric, "latency", json!({})),
    ]);
    simulation.settle();
    let message = |terminal: bool, what: ReadWhat| {
        let failure = Failure {
            terminal,
            reason: Reason::Unreachable,
            message: "the page says no".into(),
            at: simulation.now,
            attempts: 1,
            generation: 0,
            jitter: 0.0,
            reading: true,
        };
        let failures: &'static BTreeMap<ReadWhat, Failure> = Box::leak(Box::new([(what, failure)].into()));
        let plan = simulation.plan_where(|world| world.read_failures = failures);
        let mut findings = plan.findings.into_iter();
        findings.find(|finding| finding.key.kind == Kind::StatusPage).unwrap()
    };
    let list = |kind| ReadWhat::Collection(kind);
    let passing = message(false, list(CollectionKind::Metrics));
    assert_eq!(
        (passing.state, passing.reason),
        (State::Progressing, Reason::Unreachable)
    );
    assert_eq!(
        passing.message,
        "cannot read the list of metrics, everything else continues: the page says no"
    );
    // A matter of whoever needs the list.
    let refused = message(true, list(CollectionKind::Subscribers));
    assert_eq!((refused.state, refused.reason), (State::InSync, Reason::Synced));
    assert!(refused.message.starts_with("cannot read the list of subscribers"));
    // A matter of one object.
    let object = message(false, ReadWhat::Uptime("id1".into()));
    assert_eq!((object.state, object.reason), (State::InSync, Reason::Synced));
    assert!(!object.message.contains("cannot read"));
}

#[test]
fn while_nothing_else_can_be_sent_incidents_are_tried_all_the_same() {
    let mut simulation = Simulation::new(vec![
        component("api", json!({})),
        incident("down", json!({"updates": updates(&[("investigating", "Looking")])})),
    ]);
    simulation.circuit_breaker = Some(CircuitBreaker {
        reason: Reason::Unreachable,
        message: "no answer".into(),
        stalled: false,
        lets_incidents_pass: true,
        until: Some(start().saturating_add(SignedDuration::from_secs(77)).unwrap()),
    });
    let plan = simulation.plan();
    let reads: Vec<&ReadWhat> = plan.reads.iter().map(|read| &read.what).collect();
    assert!(reads.contains(&&ReadWhat::Collection(CollectionKind::Incidents)));
    assert!(!reads.contains(&&ReadWhat::Collection(CollectionKind::Components)));
    simulation.known = simulation.remote.clone();
    let plan = simulation.plan();
    let kinds: Vec<Kind> = plan.remote_steps().map(|step| step.key.kind).collect();
    assert_eq!(kinds, [Kind::Incident]);
    assert_eq!(
        plan.wake,
        simulation.circuit_breaker.as_ref().unwrap().until,
        "and no earlier"
    );
    assert_eq!(plan.proof_at, None);
    simulation.circuit_breaker.as_mut().unwrap().lets_incidents_pass = false;
    assert_eq!(simulation.plan().remote_steps().count(), 0);
}
