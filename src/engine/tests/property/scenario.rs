//! What is declared, what is on the page before, what goes wrong, and what people do meanwhile: all of it drawn.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::objects;
use crate::api::Kind;
use crate::engine::tests::builders::{declare, key, page, updates};
use crate::engine::tests::policies::declared;
use crate::engine::tests::simulation::{Fault, Simulation};
use crate::engine::{Declaration, Spec};
use crate::statuspage::Snapshot;

const NAMES: [&str; 3] = ["api", "web", "db"];
const POSTS: [(&str, &str); 3] = [
    ("investigating", "Looking"),
    ("identified", "Found"),
    ("resolved", "Over"),
];
const PLANNED: [(&str, &str); 3] = [
    ("scheduled", "Planned"),
    ("in_progress", "Begun"),
    ("completed", "Over"),
];
/// A seed of each number: components twice, because most is about them. The incident twice: the second is a maintenance.
const KINDS: [Kind; 12] = [
    Kind::Component,
    Kind::Component,
    Kind::ComponentGroup,
    Kind::Incident,
    Kind::Metric,
    Kind::Subscriber,
    Kind::Incident,
    Kind::IncidentTemplate,
    Kind::PageAccessUser,
    Kind::PageAccessGroup,
    Kind::OrganizationUser,
    Kind::MetricsProvider,
];
const MAINTENANCE: u8 = 6;
/// What some incidents begin with.
const TEMPLATE: &str = "template";

/// What one declaration is made of; numbers choose, so that shrinking makes things simple.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    kind: u8,
    name: u8,
    more: u8,
    group: u8,
    policies: u8,
    annotated: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) seeds: Vec<Seed>,
    foreign: Vec<(u8, u8)>,
    defaults: u8,
    lag: u8,
    pub(super) faults: Vec<(usize, u8)>,
    /// Declarations that get another spec.
    pub(super) edits: Vec<(u8, u8)>,
    /// What people do to the objects of declarations, and which are suspended.
    pub(super) hands: Vec<(u8, u8)>,
    pub(super) deleted: Vec<u8>,
}

/// A scenario as it was played.
pub(super) struct Played {
    pub(super) simulation: Simulation,
    /// The page before.
    pub(super) before: Snapshot,
    /// Foreign objects that some declaration may adopt.
    pub(super) claimable: BTreeSet<String>,
    /// Uids of declarations whose object was deleted by hand, once for each time.
    pub(super) deleted_by_hand: Vec<String>,
}

pub(super) fn scenario(faults: usize) -> impl Strategy<Value = Scenario> {
    let seed = (
        0..12_u8,
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
        prop::collection::vec((0..objects::FOREIGN, 0..3_u8), 0..5),
        any::<u8>(),
        0..30_u8,
        prop::collection::vec((0..70_usize, 0..3_u8), 0..=faults),
        prop::collection::vec((any::<u8>(), any::<u8>()), 0..3),
        prop::collection::vec((any::<u8>(), 0..4_u8), 0..4),
        prop::collection::vec(any::<u8>(), 0..3),
    )
        .prop_map(
            |(seeds, foreign, defaults, lag, faults, edits, hands, deleted)| Scenario {
                seeds,
                foreign,
                defaults,
                lag,
                faults,
                edits,
                hands,
                deleted,
            },
        )
}

/// The spec of a seed; `more` is what an edit changes.
fn spec(seed: &Seed, more: u8) -> Value {
    let name = NAMES[usize::from(seed.name)];
    let email = format!("{name}@example.com");
    let text = format!("text {}", more >> 4);
    let count = usize::from(more % 3) + 1;
    let mut spec = match KINDS[usize::from(seed.kind)] {
        Kind::Component => {
            let mut spec = json!({"name": name});
            if more & 1 == 1 {
                spec["description"] = json!(text);
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
        Kind::ComponentGroup => json!({"name": name, "description": text}),
        Kind::Incident if seed.kind == MAINTENANCE => json!({
            "name": name, "updates": updates(&PLANNED[..count]),
            "schedule": {"start": "2026-02-01T03:00:00Z", "end": format!("2026-02-01T{:02}:00:00Z", 4 + (more >> 4))},
        }),
        Kind::Incident => {
            let mut spec = json!({"name": name, "updates": updates(&POSTS[..count])});
            if begins_with_template(seed) {
                // The template gives the first post; edits change what nobody reads any more.
                spec["updates"] = updates(&POSTS[1..count]);
                spec["templateRef"] = json!({"name": TEMPLATE, "variables": {"what": "Looking", "unused": text}});
            }
            if more & 4 == 4 {
                spec["components"] = json!({"c0": "major_outage"});
            }
            if more & 8 == 8 {
                spec["postmortem"] = json!({"body": text, "publish": more & 16 == 16});
            }
            spec
        }
        Kind::Metric => {
            let mut spec = json!({"name": name, "suffix": format!("s{}", more >> 4)});
            if more & 1 == 1 {
                spec["data"] = json!([{"ago": "1h", "value": f64::from(more)}]);
            }
            if more & 2 == 2 {
                spec["transform"] = json!(if more & 4 == 4 { "max" } else { "min" });
                spec["replacePolicy"] = json!("WhenNeeded");
            }
            spec
        }
        Kind::Subscriber => {
            let mut spec = json!({"email": email});
            if more & 1 == 1 {
                spec["components"] = json!(["c0"]);
            }
            spec
        }
        Kind::IncidentTemplate => json!({"name": name, "title": text, "body": "Body"}),
        Kind::PageAccessUser => {
            let mut spec = json!({"email": email, "externalLogin": text});
            if more & 1 == 1 {
                spec["components"] = json!(["c0"]);
            }
            if more & 2 == 2 {
                spec["subscribeToComponents"] = json!(more & 4 == 4);
                spec["replacePolicy"] = json!("WhenNeeded");
            }
            spec
        }
        Kind::PageAccessGroup => {
            let mut spec = json!({"name": name, "externalIdentifier": format!("{name}-{}", more >> 6)});
            if more & 1 == 1 {
                spec["components"] = json!(["c0"]);
            }
            spec
        }
        Kind::OrganizationUser => {
            let mut spec = json!({"email": email, "firstName": text, "passwordSecretRef": {"name": "first"}});
            if more & 1 == 1 {
                spec["permissions"] = json!([{"pageId": "page", "incidentManager": more & 4 == 4}]);
            }
            if more & 2 == 2 {
                spec["replacePolicy"] = json!("WhenNeeded");
            }
            spec
        }
        Kind::MetricsProvider => json!({
            "type": "NewRelic", "metricBaseUri": format!("https://{name}.example.com"),
            "apiKeySecretRef": {"name": "keys"},
        }),
        Kind::StatusPage => unreachable!("a page is no seed"),
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
    let incident = KINDS[usize::from(seed.kind)] == Kind::Incident;
    match seed.policies >> 6 {
        1 => spec["deletionPolicy"] = json!("Delete"),
        2 if incident => spec["deletionPolicy"] = json!("Resolve"),
        2 => spec["deletionPolicy"] = json!("Orphan"),
        3 if seed.policies & 7 == 0 => spec["managementPolicy"] = json!("ObserveOnly"),
        _ => {}
    }
    spec
}

fn begins_with_template(seed: &Seed) -> bool {
    KINDS[usize::from(seed.kind)] == Kind::Incident && seed.kind != MAINTENANCE && seed.group == 3
}

/// Name of the declaration at this position; groups are g0 to g2, so that references find them.
fn object_name(seed: &Seed, position: usize) -> String {
    match KINDS[usize::from(seed.kind)] {
        Kind::Component => format!("c{position}"),
        Kind::ComponentGroup => format!("g{}", seed.group.min(2)),
        _ => format!("o{position}"),
    }
}

fn build(scenario: &Scenario) -> Simulation {
    let mut declarations: Vec<Declaration> = Vec::new();
    for (position, seed) in scenario.seeds.iter().enumerate() {
        let kind = KINDS[usize::from(seed.kind)];
        let name = object_name(seed, position);
        if declarations.iter().any(|other| other.key == key(kind, &name)) {
            continue;
        }
        let mut declaration = match kind {
            Kind::MetricsProvider | Kind::OrganizationUser => declared(kind, &name, spec(seed, seed.more)),
            kind => declare(kind, &name, spec(seed, seed.more)),
        };
        if seed.annotated {
            declaration.id_annotation = Some(format!("f{}", seed.name));
        }
        declarations.push(declaration);
    }
    if scenario.seeds.iter().any(begins_with_template) {
        let template = json!({"title": "{{what}}", "body": "{{what}}"});
        declarations.push(declare(Kind::IncidentTemplate, TEMPLATE, template));
    }
    let mut simulation = Simulation::new(declarations);
    let mut of_page = match scenario.defaults % 4 {
        1 => json!({"defaults": {"adoptionPolicy": "ByName"}}),
        2 => json!({"settings": {"name": "Declared"}, "deletionCap": 3}),
        _ => json!({}),
    };
    of_page["organizationId"] = json!("org");
    simulation.page = page(of_page);
    for (number, (kind, name)) in scenario.foreign.iter().enumerate() {
        let name = NAMES[usize::from(*name)];
        objects::put_foreign(&mut simulation.remote, *kind, &format!("f{number}"), name);
    }
    simulation.lag = jiff::SignedDuration::from_secs(i64::from(scenario.lag));
    for (effect, fault) in &scenario.faults {
        let fault = [Fault::Crash, Fault::LostReply, Fault::LostRequest][usize::from(*fault)];
        simulation.faults.insert(*effect, fault);
    }
    simulation
}

/// Plays a scenario to its end: everything, then edits of manifests, then what people do.
pub(super) fn play(scenario: &Scenario) -> Played {
    let mut simulation = build(scenario);
    let before = simulation.remote.clone();
    // Told before the first plan: what is annotated later was annotated by us.
    let claimable = claimable(&simulation, &before);
    let mut deleted_by_hand = Vec::new();
    simulation.pass();
    for (which, more) in &scenario.edits {
        let declaration = chosen(&simulation, *which);
        let of = |seed: &(usize, &Seed)| {
            KINDS[usize::from(seed.1.kind)] == declaration.key.kind
                && object_name(seed.1, seed.0) == declaration.key.name
        };
        if declaration.key.name == TEMPLATE {
            // What was sent does not change with it.
            let spec = json!({"title": "Edited", "body": format!("Edited {more}: {{{{what}}}}")});
            simulation.respecify(Kind::IncidentTemplate, TEMPLATE, spec);
            simulation.pass();
            continue;
        }
        let Some((_, seed)) = scenario.seeds.iter().enumerate().find(of) else {
            continue;
        };
        // Updates are append-only.
        let incident = declaration.key.kind == Kind::Incident;
        let more = if incident { more % 84 * 3 + 2 } else { *more };
        let changed = spec(seed, more);
        simulation.respecify(declaration.key.kind, &declaration.key.name, changed);
        simulation.pass();
    }
    for (which, what) in &scenario.hands {
        let declaration = chosen(&simulation, *which);
        let (kind, name) = (declaration.key.kind, declaration.key.name.clone());
        // Only what is a declaration's own: others would tell us apart from people.
        let id = declaration.status.object().id.clone();
        let own = id.filter(|id| objects::exists(&simulation.remote, kind, id) && id.starts_with("id"));
        match (what, own) {
            (0, Some(id)) => objects::change(&mut simulation.remote, kind, &id),
            (1, Some(id)) => {
                objects::delete(&mut simulation.remote, kind, &id);
                deleted_by_hand.push(declaration.uid.clone());
            }
            (2 | 3, _) => suspend(&mut simulation, kind, &name, *what == 2),
            _ => {}
        }
        simulation.now = simulation
            .now
            .saturating_add(jiff::SignedDuration::from_secs(400))
            .unwrap();
        simulation.pass();
    }
    simulation.settle();
    Played {
        simulation,
        before,
        claimable,
        deleted_by_hand,
    }
}

fn chosen(simulation: &Simulation, which: u8) -> Declaration {
    let position = usize::from(which) % simulation.declarations.len();
    simulation.declarations[position].clone()
}

fn suspend(simulation: &mut Simulation, kind: Kind, name: &str, suspend: bool) {
    simulation.edit(kind, name, |declaration| {
        let common = match std::sync::Arc::make_mut(&mut declaration.spec) {
            Spec::ComponentGroup(spec) => &mut spec.common,
            Spec::Component(spec) => &mut spec.common,
            Spec::Incident(spec) => &mut spec.common,
            Spec::MetricsProvider(spec) => &mut spec.common,
            Spec::Metric(spec) => &mut spec.common,
            Spec::Subscriber(spec) => &mut spec.common,
            Spec::IncidentTemplate(spec) => &mut spec.common,
            Spec::PageAccessUser(spec) => &mut spec.common,
            Spec::PageAccessGroup(spec) => &mut spec.common,
            Spec::OrganizationUser(spec) => &mut spec.common,
            Spec::StatusPage(_) | Spec::Removed(_) => return,
        };
        common.suspend = suspend;
    });
}

/// Ids of foreign objects that some declaration was told to adopt, or may adopt by policy.
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
            Spec::IncidentTemplate(spec) => spec.name.clone(),
            Spec::PageAccessUser(spec) => spec.email.clone(),
            Spec::PageAccessGroup(spec) => spec.name.clone(),
            Spec::OrganizationUser(spec) => Some(spec.email.clone()),
            _ => None,
        };
        ids.extend(name.into_iter().flat_map(|name| objects::named(before, &name)));
    }
    ids
}
