//! What only another object can have: deleted and created again where the declaration says so.

use serde_json::{Value, json};

use super::builders::{declare, key};
use super::policies::declared;
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Action, State};
use crate::statuspage::{Metric, Secret};

/// A user of which one field is only read when it is created.
fn user(subscribe: bool, more: Value) -> Value {
    let mut spec = json!({"email": "viewer@example.com", "subscribeToComponents": subscribe});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

const KIND: Kind = Kind::PageAccessUser;

fn created(more: Value) -> Simulation {
    let mut simulation = Simulation::new(vec![declare(KIND, "viewer", user(false, more))]);
    simulation.settle();
    assert_eq!(simulation.id(KIND, "viewer"), "id1");
    simulation
}

fn users(simulation: &Simulation) -> Vec<&str> {
    let users = simulation.remote.page_access_users.iter().flat_map(|list| &list.items);
    users.map(|user| user.id.as_str()).collect()
}

fn message(simulation: &Simulation, kind: Kind, name: &str) -> String {
    simulation.finding(kind, name).message.clone()
}

#[test]
fn without_the_policy_it_is_reported_with_the_way_out() {
    let mut simulation = created(json!({}));
    simulation.respecify(KIND, "viewer", user(true, json!({})));
    simulation.settle();
    assert_eq!(simulation.stands(KIND, "viewer"), (State::Stalled, Reason::NotHonoured));
    let message = message(&simulation, KIND, "viewer");
    assert!(message.contains("subscribeToComponents"), "{message}");
    assert!(message.contains("replacePolicy: WhenNeeded"), "{message}");
    assert_eq!(users(&simulation), ["id1"]);
}

#[test]
fn with_the_policy_it_is_deleted_and_created_again_once() {
    for drift in ["Correct", "Detect"] {
        let more = json!({"replacePolicy": "WhenNeeded", "driftPolicy": drift});
        let mut simulation = created(more.clone());
        simulation.respecify(KIND, "viewer", user(true, more));
        simulation.settle();
        assert_eq!(users(&simulation), ["id3"], "{:#?}", simulation.summaries());
        assert_eq!(simulation.id(KIND, "viewer"), "id3");
        assert_eq!(simulation.stands(KIND, "viewer"), (State::InSync, Reason::Synced));
        let expected = [
            "create page access user \"viewer\"",
            "delete page access user \"viewer\" to create it again: subscribeToComponents",
            "create page access user \"viewer\"",
        ];
        assert_eq!(simulation.summaries(), expected);
        assert!(simulation.get(KIND, "viewer").status.object().journal.is_none());
    }
}

#[test]
fn a_crash_or_a_lost_reply_at_any_effect_leaves_one_object() {
    let scenario = |drift: &str, fault: Option<(usize, Fault)>, lag: i64| {
        let more = json!({"replacePolicy": "WhenNeeded", "driftPolicy": drift});
        let mut simulation = created(more.clone());
        simulation.lag = jiff::SignedDuration::from_secs(lag);
        let before = simulation.effects();
        if let Some((number, fault)) = fault {
            simulation.faults.insert(before + number, fault);
        }
        simulation.respecify(KIND, "viewer", user(true, more));
        simulation.settle();
        assert_eq!(users(&simulation).len(), 1, "{fault:?} {:#?}", simulation.events);
        assert_eq!(simulation.id(KIND, "viewer"), users(&simulation)[0]);
        assert_ne!(simulation.id(KIND, "viewer"), "id1");
        assert_eq!(
            simulation.stands(KIND, "viewer"),
            (State::InSync, Reason::Synced),
            "{fault:?}"
        );
        let posts = simulation.creates();
        assert_eq!(posts, 2, "{fault:?} {:#?}", simulation.events);
        simulation.effects() - before
    };
    for drift in ["Correct", "Detect"] {
        let effects = scenario(drift, None, 0);
        for number in 0..effects {
            for fault in [Fault::Crash, Fault::LostReply, Fault::LostRequest] {
                for lag in [0, 20] {
                    scenario(drift, Some((number, fault)), lag);
                }
            }
        }
    }
}

#[test]
fn what_the_policy_does_not_own_is_not_deleted() {
    let policy = json!({"replacePolicy": "WhenNeeded"});
    for more in [
        json!({"replacePolicy": "WhenNeeded", "deletionPolicy": "Orphan"}),
        json!({"replacePolicy": "WhenNeeded", "managementPolicy": "ObserveOnly"}),
    ] {
        let mut simulation = created(json!({}));
        simulation.respecify(KIND, "viewer", user(true, more));
        simulation.settle();
        assert_eq!(users(&simulation), ["id1"]);
        assert_eq!(simulation.stands(KIND, "viewer").0, State::Stalled);
    }
    // Taken over: only when the manifest says that it may be deleted.
    let adopted = || {
        let mut simulation = created(json!({"deletionPolicy": "Orphan"}));
        simulation.delete(KIND, "viewer");
        simulation.settle();
        let mut heir = declare(KIND, "heir", user(false, policy.clone()));
        heir.id_annotation = Some("id1".into());
        simulation.add(heir);
        simulation.settle();
        simulation
    };
    let mut simulation = adopted();
    simulation.respecify(KIND, "heir", user(true, policy.clone()));
    simulation.settle();
    assert_eq!(users(&simulation), ["id1"]);
    assert!(message(&simulation, KIND, "heir").contains("deletionPolicy: Delete"));
    let allowed = json!({"replacePolicy": "WhenNeeded", "deletionPolicy": "Delete"});
    simulation.respecify(KIND, "heir", user(true, allowed));
    simulation.settle();
    assert_eq!(users(&simulation).len(), 1);
    assert_ne!(users(&simulation), ["id1"]);
    assert!(!simulation.get(KIND, "heir").status.object().adopted);
}

#[test]
fn a_replacement_counts_for_the_deletion_cap() {
    let more = json!({"replacePolicy": "WhenNeeded"});
    let mut simulation = created(more.clone());
    simulation.page = super::builders::page(json!({"deletionCap": 0}));
    simulation.respecify(KIND, "viewer", user(true, more));
    simulation.pass();
    assert_eq!(
        simulation.stands(KIND, "viewer"),
        (State::Stalled, Reason::DeletionCapped)
    );
    assert_eq!(users(&simulation), ["id1"]);
}

#[test]
fn a_creation_that_cannot_be_done_now_deletes_nothing() {
    let spec = |name: &str| {
        json!({
            "email": "member@example.com", "firstName": name, "passwordSecretRef": {"name": "first"},
            "replacePolicy": "WhenNeeded",
        })
    };
    let kind = Kind::OrganizationUser;
    let mut simulation = Simulation::new(vec![declared(kind, "member", spec("Ada"))]);
    simulation.page = super::builders::page(json!({"organizationId": "org"}));
    simulation.settle();
    simulation.edit(kind, "member", |declaration| {
        super::builders::respecify(declaration, spec("Grace"));
        declaration.secrets.clear();
    });
    simulation.pass();
    let (state, reason) = simulation.stands(kind, "member");
    assert_eq!((state, reason), (State::Progressing, Reason::SecretNotFound));
    assert_eq!(simulation.id(kind, "member"), "id1");
    simulation.edit(kind, "member", |declaration| {
        declaration
            .secrets
            .insert("passwordSecretRef", Ok(Secret::from("first")));
    });
    simulation.settle();
    let members = &simulation.remote.organization_users.as_ref().unwrap().items;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].first_name.as_deref(), Some("Grace"));
}

/// A provider with a key, and a metric under it.
fn provider_and_metric(metric: Value) -> Simulation {
    let provider = json!({
        "type": "NewRelic", "metricBaseUri": "https://api.example.com", "apiKeySecretRef": {"name": "keys"},
        "replacePolicy": "WhenNeeded",
    });
    let mut spec = json!({"name": "Latency", "providerRef": {"name": "relic"}, "metricIdentifier": "latency"});
    for (name, value) in metric.as_object().unwrap() {
        spec[name] = value.clone();
    }
    let mut simulation = Simulation::new(vec![
        declared(Kind::MetricsProvider, "relic", provider),
        declare(Kind::Metric, "latency", spec),
    ]);
    simulation.settle();
    simulation
}

fn rotate(simulation: &mut Simulation) {
    simulation.edit(Kind::MetricsProvider, "relic", |declaration| {
        declaration
            .secrets
            .insert("apiKeySecretRef", Ok(Secret::from("another")));
        // A Secret is no part of the spec.
        declaration.generation -= 1;
    });
    simulation.settle();
}

#[test]
fn a_rotated_secret_replaces_a_provider_with_its_metrics() {
    let mut simulation = provider_and_metric(json!({"replacePolicy": "WhenNeeded"}));
    let (provider, metric) = (
        simulation.id(Kind::MetricsProvider, "relic"),
        simulation.id(Kind::Metric, "latency"),
    );
    rotate(&mut simulation);
    let after = simulation.id(Kind::MetricsProvider, "relic");
    assert_ne!(after, provider);
    assert_ne!(simulation.id(Kind::Metric, "latency"), metric);
    assert_eq!(simulation.remote.metrics_providers.as_ref().unwrap().items.len(), 1);
    let metrics = &simulation.remote.metrics.as_ref().unwrap().items;
    assert_eq!(metrics.len(), 1);
    assert_eq!(metrics[0].metrics_provider_id.as_deref(), Some(after.as_str()));
    assert_eq!(simulation.stands(Kind::Metric, "latency").0, State::InSync);
}

#[test]
fn a_provider_whose_metrics_did_not_agree_stays() {
    let mut simulation = provider_and_metric(json!({}));
    rotate(&mut simulation);
    assert_eq!(
        simulation.stands(Kind::MetricsProvider, "relic"),
        (State::Stalled, Reason::NotHonoured)
    );
    let text = message(&simulation, Kind::MetricsProvider, "relic");
    assert!(text.contains("Metric team/latency"), "{text}");
    assert_eq!(simulation.creates(), 2);

    let mut simulation = provider_and_metric(json!({"replacePolicy": "WhenNeeded"}));
    let provider = simulation.id(Kind::MetricsProvider, "relic");
    simulation.remote.put(Metric {
        id: "foreign".into(),
        name: Some("By hand".into()),
        metrics_provider_id: Some(provider),
        ..Default::default()
    });
    rotate(&mut simulation);
    let text = message(&simulation, Kind::MetricsProvider, "relic");
    assert!(text.contains("By hand") && text.contains("foreign"), "{text}");
    assert!(simulation.remote.metrics.as_ref().unwrap().get("foreign").is_some());
}

/// A page that keeps the first unit of a metric and no later one.
fn stubborn(metric: Value, keeps_at_creation: bool) -> Simulation {
    let spec = |suffix: &str| {
        let mut spec = json!({"name": "Latency", "providerRef": {"name": "own"}, "suffix": suffix});
        for (name, value) in metric.as_object().unwrap() {
            spec[name] = value.clone();
        }
        spec
    };
    let mut simulation = Simulation::new(vec![
        declare(Kind::MetricsProvider, "own", json!({"type": "Self"})),
        declare(Kind::Metric, "latency", spec("ms")),
    ]);
    simulation.settle();
    let first = simulation.id(Kind::Metric, "latency");
    simulation.keep = Some(Box::new(move |remote| {
        for metric in remote.metrics.iter_mut().flat_map(|list| &mut list.items) {
            if metric.id == first || !keeps_at_creation {
                metric.suffix = Some("ms".into());
            }
        }
    }));
    simulation.respecify(Kind::Metric, "latency", spec("s"));
    simulation.settle();
    simulation
}

#[test]
fn a_field_that_does_not_stick_is_given_to_another_object() {
    let simulation = stubborn(json!({"replacePolicy": "WhenNeeded"}), true);
    let metrics = &simulation.remote.metrics.as_ref().unwrap().items;
    assert_eq!(metrics.len(), 1);
    assert_eq!(metrics[0].suffix.as_deref(), Some("s"));
    assert_eq!(
        simulation.stands(Kind::Metric, "latency"),
        (State::InSync, Reason::Synced)
    );
    let simulation = stubborn(json!({}), true);
    assert_eq!(
        simulation.stands(Kind::Metric, "latency"),
        (State::Stalled, Reason::NotHonoured)
    );
    assert!(message(&simulation, Kind::Metric, "latency").contains("replacePolicy: WhenNeeded"));
}

#[test]
fn what_the_new_object_does_not_take_either_is_reported_and_not_tried_for_ever() {
    let mut simulation = stubborn(json!({"replacePolicy": "WhenNeeded"}), false);
    let replacements = |simulation: &Simulation| {
        let replace = |sent: &&super::simulation::Sent| matches!(sent.action, Action::Replace(_));
        simulation.sent.iter().filter(replace).count()
    };
    assert_eq!(replacements(&simulation), 1, "{:#?}", simulation.summaries());
    assert_eq!(
        simulation.stands(Kind::Metric, "latency"),
        (State::Stalled, Reason::NotHonoured)
    );
    // Neither later nor after a restart.
    simulation.now = simulation
        .now
        .saturating_add(jiff::SignedDuration::from_hours(3))
        .unwrap();
    simulation.settle();
    simulation.restart();
    simulation.settle();
    assert_eq!(replacements(&simulation), 1, "{:#?}", simulation.summaries());
}

#[test]
fn a_declaration_that_is_deleted_in_the_middle_leaves_nothing() {
    let more = json!({"replacePolicy": "WhenNeeded"});
    for number in 0..12 {
        let mut simulation = created(more.clone());
        simulation
            .faults
            .insert(simulation.effects() + number, Fault::LostReply);
        simulation.respecify(KIND, "viewer", user(true, more.clone()));
        // Until the fault, and no further.
        let plan = simulation.faults.len();
        assert_eq!(plan, 1);
        simulation.pass();
        simulation.delete(KIND, "viewer");
        simulation.settle();
        assert_eq!(users(&simulation), [""; 0], "{number} {:#?}", simulation.events);
        assert!(!simulation.declarations.iter().any(|one| one.key == key(KIND, "viewer")));
    }
}
