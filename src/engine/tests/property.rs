//! Random declarations against random pages, with crashes and lost replies.
//!
//! Shrunk failures are kept as seeds beside this file by proptest and as plain tests at the end of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::builders::{
    component, declare, foreign_component, foreign_incident, incident, page, put_foreign_group, updates,
};
use super::simulation::{Fault, Simulation};
use crate::api::Kind;
use crate::engine::{Action, Declaration, Request, Spec, State, Status};
use crate::statuspage::{Snapshot, Subscriber};

const NAMES: [&str; 3] = ["api", "web", "db"];
const POSTS: [(&str, &str); 3] = [
    ("investigating", "Looking"),
    ("identified", "Found"),
    ("resolved", "Over"),
];

/// What one declaration is made of; numbers choose, so that shrinking makes things simple.
#[derive(Clone, Debug)]
struct Seed {
    kind: u8,
    name: u8,
    more: u8,
    group: u8,
    policies: u8,
    annotated: bool,
}

#[derive(Clone, Debug)]
struct Scenario {
    seeds: Vec<Seed>,
    foreign: Vec<(u8, u8)>,
    defaults: u8,
    lag: u8,
    faults: Vec<(usize, u8)>,
    edits: Vec<(u8, u8)>,
    deleted: Vec<u8>,
}

fn scenario(faults: usize) -> impl Strategy<Value = Scenario> {
    let seed = (
        0..6_u8,
        0..3_u8,
        any::<u8>(),
        0..4_u8,
        any::<u8>(),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(kind, name, more, group, policies, annotated)| Seed {
            kind,
            name,
            more,
            group,
            policies,
            annotated,
        });
    (
        prop::collection::vec(seed, 1..9),
        prop::collection::vec((0..5_u8, 0..3_u8), 0..5),
        any::<u8>(),
        0..30_u8,
        prop::collection::vec((0..70_usize, 0..3_u8), 0..=faults),
        prop::collection::vec((any::<u8>(), any::<u8>()), 0..3),
        prop::collection::vec(any::<u8>(), 0..3),
    )
        .prop_map(|(seeds, foreign, defaults, lag, faults, edits, deleted)| Scenario {
            seeds,
            foreign,
            defaults,
            lag,
            faults,
            edits,
            deleted,
        })
}

/// The spec of a seed; `more` is what an edit changes.
fn spec(seed: &Seed, more: u8) -> Value {
    let name = NAMES[usize::from(seed.name)];
    let mut spec = match seed.kind {
        0 | 1 => {
            let mut spec = json!({"name": name});
            if more & 1 == 1 {
                spec["description"] = json!(format!("text {}", more >> 4));
            }
            if more & 2 == 2 {
                spec["status"] = json!(if more & 4 == 4 { "operational" } else { "partial_outage" });
            }
            // The fourth group is never declared.
            if more & 8 == 8 {
                spec["groupRef"] = json!({"name": format!("g{}", seed.group)});
            }
            spec
        }
        2 => json!({"name": name, "description": format!("text {}", more >> 4)}),
        3 => {
            let count = usize::from(more % 3) + 1;
            let mut spec = json!({"name": name, "updates": updates(&POSTS[..count])});
            if more & 4 == 4 {
                spec["components"] = json!({"c0": "major_outage"});
            }
            spec
        }
        4 => {
            let mut spec = json!({"name": name, "suffix": format!("s{}", more >> 4)});
            if more & 1 == 1 {
                spec["data"] = json!([{"ago": "1h", "value": f64::from(more)}]);
            }
            spec
        }
        _ => {
            let mut spec = json!({"email": format!("{name}@example.com")});
            if more & 1 == 1 {
                spec["components"] = json!(["c0"]);
            }
            spec
        }
    };
    match seed.policies & 7 {
        1 | 2 => spec["adoptionPolicy"] = json!("ByName"),
        3 => spec["adoptionPolicy"] = json!("CreateNew"),
        _ => {}
    }
    match seed.policies >> 3 & 7 {
        1 => spec["driftPolicy"] = json!("Detect"),
        2 => spec["driftPolicy"] = json!("Correct"),
        _ => {}
    }
    match seed.policies >> 6 {
        1 => spec["deletionPolicy"] = json!("Delete"),
        2 if seed.kind == 3 => spec["deletionPolicy"] = json!("Resolve"),
        2 => spec["deletionPolicy"] = json!("Orphan"),
        3 if seed.policies & 7 == 0 => spec["managementPolicy"] = json!("ObserveOnly"),
        _ => {}
    }
    spec
}

/// Name of the declaration at this position; groups are g0 to g2, so that references find them.
fn object_name(seed: &Seed, position: usize) -> String {
    match seed.kind {
        0 | 1 => format!("c{position}"),
        2 => format!("g{}", seed.group.min(2)),
        _ => format!("o{position}"),
    }
}

fn build(scenario: &Scenario) -> Simulation {
    let mut declarations: Vec<Declaration> = Vec::new();
    for (position, seed) in scenario.seeds.iter().enumerate() {
        let kind = [
            Kind::Component,
            Kind::Component,
            Kind::ComponentGroup,
            Kind::Incident,
            Kind::Metric,
            Kind::Subscriber,
        ][usize::from(seed.kind)];
        let name = object_name(seed, position);
        if declarations
            .iter()
            .any(|other| other.key == super::builders::key(kind, &name))
        {
            continue;
        }
        let mut declaration = match kind {
            Kind::Component => component(&name, spec(seed, seed.more)),
            Kind::Incident => incident(&name, spec(seed, seed.more)),
            kind => declare(kind, &name, spec(seed, seed.more)),
        };
        if seed.annotated {
            declaration.id_annotation = Some(format!("f{}", seed.name));
        }
        declarations.push(declaration);
    }
    let mut simulation = Simulation::new(declarations);
    simulation.page = page(match scenario.defaults % 4 {
        1 => json!({"defaults": {"adoptionPolicy": "ByName"}}),
        2 => json!({"settings": {"name": "Declared"}, "deletionCap": 3}),
        _ => json!({}),
    });
    for (number, (kind, name)) in scenario.foreign.iter().enumerate() {
        put_foreign(
            &mut simulation.remote,
            *kind,
            &format!("f{number}"),
            NAMES[usize::from(*name)],
        );
    }
    simulation.lag = jiff::SignedDuration::from_secs(i64::from(scenario.lag));
    for (effect, fault) in &scenario.faults {
        let fault = [Fault::Crash, Fault::LostReply, Fault::LostRequest][usize::from(*fault)];
        simulation.faults.insert(*effect, fault);
    }
    simulation
}

fn put_foreign(remote: &mut Snapshot, kind: u8, id: &str, name: &str) {
    match kind {
        0 => remote.put_component(foreign_component(id, name)),
        1 => {
            remote.put_component(foreign_component(&format!("{id}m"), "member"));
            put_foreign_group(remote, id, name, &[&format!("{id}m")]);
        }
        2 => remote.put_incident(foreign_incident(id, name, &POSTS[..1])),
        3 => remote.put_subscriber(Subscriber {
            id: id.into(),
            email: Some(format!("{name}@example.com")),
            ..Default::default()
        }),
        _ => remote.put_metrics_provider(crate::statuspage::MetricsProvider {
            id: id.into(),
            r#type: Some("Datadog".into()),
            ..Default::default()
        }),
    }
}

/// Plays a scenario to its end: everything, then edits, then deletions.
fn play(scenario: &Scenario) -> (Simulation, Snapshot, BTreeSet<String>) {
    let mut simulation = build(scenario);
    let before = simulation.remote.clone();
    // Told before the first plan: what is annotated later was annotated by us.
    let claimable = claimable(&simulation, &before);
    simulation.pass();
    for (which, more) in &scenario.edits {
        let position = usize::from(*which) % simulation.declarations.len();
        let declaration = simulation.declarations[position].clone();
        let of = |seed: &(usize, &Seed)| object_name(seed.1, seed.0) == declaration.key.name;
        let Some((_, seed)) = scenario.seeds.iter().enumerate().find(of) else {
            continue;
        };
        // Updates are append-only.
        let more = if seed.kind == 3 { more % 84 * 3 + 2 } else { *more };
        let changed = spec(seed, more);
        simulation.respecify(declaration.key.kind, &declaration.key.name, changed);
        simulation.pass();
    }
    simulation.settle();
    (simulation, before, claimable)
}

/// Ids of foreign objects that some declaration was told to take over, or may take over by policy.
fn claimable(simulation: &Simulation, before: &Snapshot) -> BTreeSet<String> {
    let mut ids: BTreeSet<String> = simulation
        .declarations
        .iter()
        .filter_map(|declaration| declaration.id_annotation.clone())
        .collect();
    for declaration in &simulation.declarations {
        let policies = declaration.policies(match &*simulation.page.spec {
            Spec::StatusPage(spec) => Some(spec),
            _ => None,
        });
        if policies.adoption != crate::api::AdoptionPolicy::ByName {
            continue;
        }
        let name = match &*declaration.spec {
            Spec::Component(spec) => spec.name.clone(),
            Spec::ComponentGroup(spec) => spec.name.clone(),
            Spec::Incident(spec) => spec.name.clone(),
            Spec::Subscriber(spec) => spec.email.clone(),
            _ => None,
        };
        let components = before.components.iter().flat_map(|list| &list.items);
        ids.extend(components.filter(|row| row.name == name).map(|row| row.id.clone()));
        let incidents = before.incidents.iter().flat_map(|list| &list.items);
        ids.extend(incidents.filter(|row| row.name == name).map(|row| row.id.clone()));
        let subscribers = before.subscribers.iter().flat_map(|list| &list.items);
        ids.extend(subscribers.filter(|row| row.email == name).map(|row| row.id.clone()));
    }
    ids
}

fn nothing_foreign_was_touched(simulation: &Simulation, before: &Snapshot, claimable: &BTreeSet<String>) {
    let foreign = |id: &str| !claimable.contains(id);
    for row in &before.components.as_ref().unwrap().items {
        if !foreign(&row.id) {
            continue;
        }
        let mut expected = row.clone();
        // What is done to a group that was given to us shows in its members.
        if row.group_id.as_ref().is_some_and(|group| claimable.contains(group)) {
            expected
                .group_id
                .clone_from(&simulation.remote_component(&row.id).group_id);
        }
        assert_eq!(*simulation.remote_component(&row.id), expected);
    }
    for row in &before.incidents.as_ref().unwrap().items {
        if foreign(&row.id) {
            assert_eq!(simulation.remote_incident(&row.id), row);
        }
    }
    for row in &before.subscribers.as_ref().unwrap().items {
        if foreign(&row.id) {
            assert_eq!(simulation.remote.subscribers.as_ref().unwrap().get(&row.id), Some(row));
        }
    }
    for row in &before.metrics_providers.as_ref().unwrap().items {
        assert_eq!(
            simulation.remote.metrics_providers.as_ref().unwrap().get(&row.id),
            Some(row)
        );
    }
}

fn every_object_was_created_once(simulation: &Simulation) {
    let mut creates: BTreeMap<&str, usize> = BTreeMap::new();
    for sent in &simulation.sent {
        if matches!(sent.action, Action::Create(_)) {
            *creates.entry(&sent.uid).or_default() += 1;
        }
    }
    for declaration in &simulation.declarations {
        let count = creates.get(declaration.uid.as_str()).copied().unwrap_or_default();
        // A group that lost all its members comes back as another one.
        if declaration.key.kind != Kind::ComponentGroup {
            assert!(
                count <= 1,
                "{} was created {count} times: {:#?}",
                declaration.key,
                simulation.events
            );
        }
    }
    let groups = simulation
        .remote
        .components
        .iter()
        .flat_map(|list| &list.items)
        .filter(|row| row.group);
    let declared = simulation
        .declarations
        .iter()
        .filter(|one| one.key.kind == Kind::ComponentGroup)
        .count();
    assert!(groups.filter(|row| row.id.starts_with("id")).count() <= declared);
    let providers = &simulation.remote.metrics_providers.as_ref().unwrap().items;
    assert!(
        providers
            .iter()
            .filter(|provider| provider.id.starts_with("id"))
            .count()
            <= 1
    );
}

fn nobody_was_told_twice(simulation: &Simulation) {
    let mut told: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for sent in &simulation.sent {
        if let Some(Request::CreateIncident(write) | Request::UpdateIncident(_, write)) = sent.action.request()
            && write.deliver_notifications == Some(true)
        {
            *told
                .entry((&sent.uid, format!("{:?} {:?}", write.status, write.body)))
                .or_default() += 1;
        }
    }
    for ((uid, update), count) in told {
        assert_eq!(count, 1, "{uid} {update}: {:#?}", simulation.events);
    }
}

/// What is said to be in sync is as declared on the page, and everything that nothing stops is in sync.
fn what_is_in_sync_is_as_declared(simulation: &Simulation) {
    for declaration in &simulation.declarations {
        let found = simulation
            .last
            .findings
            .iter()
            .find(|finding| finding.key == declaration.key);
        let Some(finding) = found else {
            panic!("nothing was found about {}", declaration.key)
        };
        assert_ne!(finding.state, State::Unknown, "{}", declaration.key);
        if finding.state != State::InSync {
            assert!(
                finding.reason != crate::api::Reason::Progressing,
                "{} is still on its way: {} {:#?}",
                declaration.key,
                finding.message,
                simulation.events
            );
            continue;
        }
        let object = declaration.status.object();
        let id = object.id.clone().unwrap();
        assert_eq!(declaration.id_annotation.as_deref(), Some(id.as_str()));
        assert!(object.journal.is_none());
        if !object.drift.is_empty() {
            continue;
        }
        match (&*declaration.spec, &declaration.status) {
            (Spec::Component(spec), _) => {
                let remote = simulation.remote_component(&id);
                assert_eq!(remote.name, spec.name);
                if spec.description.is_some() {
                    assert_eq!(remote.description, spec.description);
                }
                if let Some(status) = spec.status {
                    assert_eq!(
                        remote.status.as_ref().map(|status| status.as_str()),
                        Some(status.as_str())
                    );
                }
                if let Some(group) = &spec.group_ref {
                    let group = simulation.get(Kind::ComponentGroup, &group.name);
                    assert_eq!(remote.group_id.as_deref(), group.recorded_id());
                }
            }
            (Spec::Incident(spec), Status::Incident(status)) => {
                let remote = simulation.remote_incident(&id);
                assert_eq!(status.updates.len(), spec.updates.len());
                for (update, published) in spec.updates.iter().zip(&status.updates) {
                    let shown = remote
                        .incident_updates
                        .iter()
                        .find(|shown| shown.id == published.id)
                        .unwrap();
                    assert_eq!(shown.body.as_deref(), Some(update.body.as_str()));
                }
            }
            (Spec::Metric(spec), _) => {
                let metrics = simulation.remote.metrics.as_ref().unwrap();
                assert_eq!(metrics.get(&id).unwrap().suffix, spec.suffix);
            }
            _ => {}
        }
    }
}

fn examine(scenario: &Scenario) {
    let (mut simulation, before, claimable) = play(scenario);
    assert!(simulation.last.statuses.is_empty() && simulation.last.steps.is_empty());
    every_object_was_created_once(&simulation);
    nobody_was_told_twice(&simulation);
    nothing_foreign_was_touched(&simulation, &before, &claimable);
    what_is_in_sync_is_as_declared(&simulation);
    // One request for each object, update and set of points, and what edits and groups add.
    let updates = 3 * scenario.seeds.len() + 2 * scenario.faults.len() + 3 * scenario.edits.len() + 4;
    assert!(simulation.sent.len() <= 2 * updates, "{:#?}", simulation.summaries());
    delete_some(scenario, &mut simulation);
    nothing_foreign_was_touched(&simulation, &before, &claimable);
}

fn delete_some(scenario: &Scenario, simulation: &mut Simulation) {
    for which in &scenario.deleted {
        if simulation.declarations.is_empty() {
            return;
        }
        let position = usize::from(*which) % simulation.declarations.len();
        let doomed = simulation.declarations[position].clone();
        let page = match &*simulation.page.spec {
            Spec::StatusPage(spec) => Some((**spec).clone()),
            _ => None,
        };
        let policies = doomed.policies(page.as_ref());
        let held = doomed.finalizer;
        simulation.delete(doomed.key.kind, &doomed.key.name);
        simulation.settle();
        let left = simulation
            .declarations
            .iter()
            .any(|declaration| declaration.key == doomed.key);
        assert!(!left, "{} is still there: {:#?}", doomed.key, simulation.last.findings);
        let Some(id) = doomed.recorded_id() else { continue };
        let shared = simulation
            .declarations
            .iter()
            .any(|other| other.recorded_id() == Some(id));
        if doomed.key.kind == Kind::Component && held && !shared {
            let there = simulation.remote.components.as_ref().unwrap().get(id).is_some();
            let delete = policies.deletion == crate::engine::Deletion::Delete
                && policies.management == crate::api::ManagementPolicy::Full;
            assert_eq!(there, !delete, "{} {policies:?}", doomed.key);
        }
    }
}

fn config() -> ProptestConfig {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    ProptestConfig {
        cases: number("PROPTEST_CASES")
            .and_then(|cases| u32::try_from(cases).ok())
            .unwrap_or(400),
        // Where failing seeds are kept, and repeated first.
        failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource(
            "regressions",
        ))),
        rng_seed: proptest::test_runner::RngSeed::Fixed(number("PROPTEST_SEED").unwrap_or(20_260_110)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_page_converges_and_nothing_foreign_is_touched(scenario in scenario(0)) {
        examine(&scenario);
    }

    #[test]
    fn crashes_and_lost_replies_make_no_duplicates(scenario in scenario(4)) {
        examine(&scenario);
    }
}
