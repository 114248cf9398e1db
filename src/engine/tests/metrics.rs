//! Metrics, their providers and data points; subscribers.

use serde_json::json;

use super::builders::{component, declare};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Declaration, Request, State};
use crate::statuspage::Subscriber;

fn metric(name: &str, spec: serde_json::Value) -> Declaration {
    declare(Kind::Metric, name, spec)
}

fn points(simulation: &Simulation) -> usize {
    simulation
        .sent
        .iter()
        .filter(|sent| matches!(sent.action.request(), Some(Request::SubmitMetricData(_))))
        .count()
}

#[test]
fn a_metric_without_provider_ref_brings_the_provider_of_type_self() {
    for fault in [
        None,
        Some(Fault::Crash),
        Some(Fault::LostReply),
        Some(Fault::LostRequest),
    ] {
        for effect in 0..12 {
            let mut simulation = Simulation::new(vec![metric("one", json!({})), metric("two", json!({}))]);
            if let Some(fault) = fault {
                simulation.faults.insert(effect, fault);
            }
            simulation.settle();
            assert_eq!(simulation.remote.metrics_providers.as_ref().unwrap().items.len(), 1);
            assert_eq!(
                simulation.remote.metrics.as_ref().unwrap().items.len(),
                2,
                "{:#?}",
                simulation.events
            );
            assert_eq!(simulation.stands(Kind::Metric, "one"), (State::InSync, Reason::Synced));
        }
    }
}

#[test]
fn a_declared_self_provider_is_used_and_not_made_twice() {
    let provider = declare(Kind::MetricsProvider, "own", json!({"type": "Self"}));
    let mut simulation = Simulation::new(vec![metric("one", json!({})), provider]);
    simulation.settle();
    assert_eq!(simulation.remote.metrics_providers.as_ref().unwrap().items.len(), 1);
    assert_eq!(simulation.stands(Kind::MetricsProvider, "own").0, State::InSync);
    assert_eq!(simulation.stands(Kind::Metric, "one").0, State::InSync);
}

#[test]
fn data_points_go_in_one_request_and_again_only_when_they_change() {
    let spec =
        |value: f64| json!({"data": [{"ago": "1h", "value": value}, {"at": "2026-01-10T09:00:00Z", "value": 2.0}]});
    let mut simulation = Simulation::new(vec![metric("one", spec(1.0)), metric("two", spec(1.0))]);
    simulation.settle();
    assert_eq!(points(&simulation), 1);
    simulation.restart();
    simulation.settle();
    assert_eq!(points(&simulation), 1);
    simulation.respecify(Kind::Metric, "one", spec(3.0));
    simulation.settle();
    assert_eq!(points(&simulation), 2);
    let Some(Request::SubmitMetricData(sent)) = simulation.sent.last().unwrap().action.request() else {
        panic!()
    };
    assert_eq!(sent.len(), 1, "only the metric whose points changed");
}

#[test]
fn points_that_are_too_old_for_statuspage_need_no_request() {
    let spec = json!({"data": [{"at": "2025-01-01T00:00:00Z", "value": 1.0}]});
    let mut simulation = Simulation::new(vec![metric("one", spec)]);
    simulation.settle();
    assert_eq!(points(&simulation), 0);
    assert_eq!(simulation.stands(Kind::Metric, "one").0, State::InSync);
}

#[test]
fn a_changed_transform_is_reported_because_it_cannot_be_changed() {
    let mut simulation = Simulation::new(vec![metric("one", json!({"transform": "average"}))]);
    simulation.settle();
    simulation.respecify(Kind::Metric, "one", json!({"transform": "sum"}));
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Metric, "one"),
        (State::Stalled, Reason::NotHonoured)
    );
    assert_eq!(simulation.sent.len(), 2);
}

#[test]
fn a_missing_secret_stops_only_its_provider() {
    let spec = json!({"type": "Datadog", "apiKeySecretRef": {"name": "s"}, "applicationKeySecretRef": {"name": "s"}});
    let mut simulation = Simulation::new(vec![
        declare(Kind::MetricsProvider, "dd", spec),
        component("api", json!({})),
    ]);
    simulation.settle();
    assert_eq!(simulation.stands(Kind::MetricsProvider, "dd").1, Reason::SecretNotFound);
    assert_eq!(simulation.stands(Kind::Component, "api").0, State::InSync);
}

#[test]
fn a_subscriber_is_recognised_by_its_address_and_others_are_never_touched() {
    let mut simulation = Simulation::new(vec![declare(
        Kind::Subscriber,
        "team",
        json!({"email": "Team@Example.com", "adoptionPolicy": "ByName"}),
    )]);
    for (id, email) in [("s1", "team@example.com"), ("s2", "other@example.com")] {
        simulation.remote.put(Subscriber {
            id: id.into(),
            email: Some(email.into()),
            ..Default::default()
        });
    }
    simulation.settle();
    assert_eq!(simulation.id(Kind::Subscriber, "team"), "s1");
    assert!(simulation.sent.is_empty());
}

#[test]
fn a_subscriber_hears_about_its_components_and_then_about_everything() {
    let spec = |components: serde_json::Value| json!({"email": "a@example.com", "components": components});
    let mut simulation = Simulation::new(vec![
        declare(Kind::Subscriber, "team", spec(json!(["api"]))),
        component("api", json!({})),
    ]);
    simulation.settle();
    let id = simulation.id(Kind::Subscriber, "team");
    let components = |simulation: &Simulation| {
        let subscribers = simulation.remote.subscribers.as_ref().unwrap();
        subscribers.get(&id).unwrap().components.clone()
    };
    assert_eq!(components(&simulation), [simulation.id(Kind::Component, "api")]);
    simulation.respecify(Kind::Subscriber, "team", spec(json!([])));
    simulation.settle();
    assert!(components(&simulation).is_empty());
    assert_eq!(simulation.stands(Kind::Subscriber, "team").0, State::InSync);
}
