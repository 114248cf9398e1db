//! Cost of a plan, as a ratio: a plan must not cost the square of the number of objects.

use rustix::time::{ClockId, clock_gettime};

use serde_json::json;

use super::builders::component;
use super::simulation::Simulation;

fn settled(count: usize) -> Simulation {
    let declarations = (0..count)
        .map(|number| component(&format!("c{number}"), json!({"description": "x"})))
        .collect();
    let mut simulation = Simulation::new(declarations);
    for number in 0..count {
        let id = format!("id{number}");
        simulation
            .remote
            .components
            .as_mut()
            .unwrap()
            .items
            .push(crate::statuspage::Component {
                description: Some("x".into()),
                ..super::builders::foreign_component(&id, &format!("c{number}"))
            });
        simulation.declarations[number].id_annotation = Some(id.clone());
        simulation.declarations[number].status_mut().object_mut().id = Some(id);
    }
    simulation.known = simulation.remote.clone();
    simulation
}

/// Seconds that this thread has worked: what others do on the machine does not count.
fn worked() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Seconds of work for a plan of so many components; the best of three, because caches are shared.
fn seconds(simulation: &Simulation) -> f64 {
    (0..3)
        .map(|_| {
            let begun = worked();
            std::hint::black_box(simulation.plan());
            worked() - begun
        })
        .fold(f64::MAX, f64::min)
}

#[test]
fn a_plan_costs_no_square() {
    let present = settled(1_000);
    let mut absent = settled(1_000);
    for declaration in &mut absent.declarations {
        declaration.id_annotation = None;
        declaration.status_mut().object_mut().id = None;
    }
    for (name, simulation, build) in [("present", present, true), ("absent", absent, false)] {
        let small = seconds(&simulation);
        let mut large = settled(10_000);
        if !build {
            for declaration in &mut large.declarations {
                declaration.id_annotation = None;
                declaration.status_mut().object_mut().id = None;
            }
        }
        let large = seconds(&large);
        println!(
            "{name}: plan of 1,000 components {:.1} ms, of 10,000 {:.1} ms",
            small * 1e3,
            large * 1e3
        );
        assert!(
            large < small * 40.0,
            "{name}: {small} s for 1,000, {large} s for 10,000"
        );
    }
}
