//! The page's own settings.

use serde_json::json;

use super::builders::page;
use super::simulation::Simulation;
use crate::api::{Kind, Reason};
use crate::engine::{Request, State};

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
