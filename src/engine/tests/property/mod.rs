//! Random declarations against random pages, with crashes and lost replies, and with people who change, delete and
//! suspend meanwhile.
//!
//! Shrunk failures are kept as seeds beside this file by proptest and as plain tests at the end of it.

mod objects;
mod oracles;
mod scenario;

use proptest::prelude::*;

use super::simulation::Simulation;
use crate::api::Kind;
use crate::engine::Spec;
use oracles::{
    every_object_was_created_once, nobody_was_told_twice, nothing_foreign_was_touched, what_is_in_sync_is_as_declared,
};
use scenario::{Played, Scenario, play, scenario};

fn examine(scenario: &Scenario) {
    let played = play(scenario);
    every_object_was_created_once(&played);
    nobody_was_told_twice(&played);
    let Played {
        mut simulation,
        before,
        claimable,
        ..
    } = played;
    assert!(simulation.last.statuses.is_empty() && simulation.last.steps.is_empty());
    nothing_foreign_was_touched(&simulation, &before, &claimable);
    what_is_in_sync_is_as_declared(&simulation);
    // One request for each object, update and set of points, and what edits and groups add.
    let updates =
        3 * scenario.seeds.len() + 2 * scenario.faults.len() + 3 * (scenario.edits.len() + scenario.hands.len()) + 4;
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
        if policies.suspend {
            continue;
        }
        let held = doomed.finalizer;
        let kind = doomed.key.kind;
        let was_there = doomed
            .recorded_id()
            .is_some_and(|id| objects::exists(&simulation.remote, kind, id));
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
        // Groups go with their members, templates never, incidents may be resolved, and a provider takes its metrics along.
        let alone = !matches!(kind, Kind::ComponentGroup | Kind::IncidentTemplate | Kind::Incident);
        if alone && held && !shared && was_there {
            let there = objects::exists(&simulation.remote, kind, id);
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
