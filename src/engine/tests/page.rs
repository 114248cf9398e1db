//! The page's own settings.

use serde_json::json;

use super::builders::{component, declare, group, incident, page, start, updates};
use super::simulation::Simulation;
use crate::api::{Kind, Reason};
use crate::engine::{READY, Request, State, find_condition};
use crate::statuspage::BudgetStats;

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
