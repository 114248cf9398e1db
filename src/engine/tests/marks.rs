//! The mark that tells whose an incident is, when every record of it was lost.

use serde_json::{Value, json};

use super::builders::{foreign_incident, incident, updates};
use super::simulation::Simulation;
use crate::api::{Kind, Reason};
use crate::engine::State;
use crate::statuspage::Incident;

const STORY: [(&str, &str); 2] = [("investigating", "Looking"), ("identified", "Found")];

/// A declared incident of which nothing is recorded.
fn forgotten(policy: &str) -> Simulation {
    let spec = json!({"name": "Down", "updates": updates(&STORY), "adoptionPolicy": policy});
    Simulation::new(vec![incident("down", spec)])
}

fn marked(uid: &str, namespace: &str, name: &str, shown: usize) -> Incident {
    let mut remote = foreign_incident("old", "Down", &STORY[..shown]);
    let mark: Value = json!({"uid": uid, "namespace": namespace, "name": name, "updates": shown});
    remote.metadata.insert("statuspage-operator".into(), mark);
    remote
}

/// What becomes of the declaration: its id, if it has one, and how it stands.
fn outcome(mut simulation: Simulation, remote: Incident) -> (Option<String>, Reason) {
    simulation.remote.put(remote);
    simulation.settle();
    let declaration = simulation.get(Kind::Incident, "down");
    let id = declaration.recorded_id().map(str::to_owned);
    (id, simulation.stands(Kind::Incident, "down").1)
}

fn uid() -> String {
    forgotten("Refuse").declarations[0].uid.clone()
}

#[test]
fn an_incident_with_the_mark_of_this_very_declaration_is_its_own_under_every_policy() {
    for policy in ["Refuse", "ByName", "CreateNew"] {
        let found = outcome(forgotten(policy), marked(&uid(), "team", "down", 2));
        assert_eq!(found, (Some("old".into()), Reason::Synced), "{policy}");
    }
}

#[test]
fn a_copy_of_a_declaration_takes_over_by_name_only() {
    // The same name, another uid: a cluster that was set up anew.
    let remote = || marked("another", "team", "down", 2);
    assert_eq!(
        outcome(forgotten("ByName"), remote()),
        (Some("old".into()), Reason::Synced)
    );
    assert_eq!(outcome(forgotten("Refuse"), remote()), (None, Reason::AlreadyExists));
}

#[test]
fn an_incident_with_the_mark_of_another_declaration_is_not_taken_over_by_its_name() {
    for (namespace, name) in [("team", "other"), ("others", "down"), ("others", "other")] {
        let (id, _) = outcome(forgotten("ByName"), marked("another", namespace, name, 2));
        assert_ne!(id.as_deref(), Some("old"), "{namespace}/{name}");
    }
}

#[test]
fn what_the_mark_counts_as_published_is_not_published_again() {
    // The page shows one update; the mark says that the second was published too, so somebody has deleted it.
    let mut remote = marked(&uid(), "team", "down", 1);
    remote.metadata["statuspage-operator"]["updates"] = json!(2);
    let mut simulation = forgotten("Refuse");
    simulation.remote.put(remote);
    simulation.settle();
    assert_eq!(simulation.id(Kind::Incident, "down"), "old");
    assert!(
        simulation.sent.iter().all(|sent| !sent.summary.contains("Found")),
        "{:?}",
        simulation.summaries()
    );
    // And what it does not count is.
    let mut simulation = forgotten("Refuse");
    simulation.remote.put(marked(&uid(), "team", "down", 1));
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::InSync, Reason::Synced)
    );
    assert_eq!(simulation.remote_incident("old").incident_updates.len(), 2);
}
