//! Updates of whose publication something was lost: its reply, its record, or all but the mark on the incident.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::super::builders::{foreign_incident, incident};
use super::super::simulation::Simulation;
use super::{STORY, declared, message, recorded, shown, stands};
use crate::api::{Journal, Reason};
use crate::engine::{State, Status};
use crate::statuspage::Incident;

/// The story is declared as far as `last`, published as far as `known` for all that is recorded, and something was sent
/// for the update of this index whose outcome is not known.
fn interrupted(last: usize, known: usize, index: usize, remote: Incident) -> Simulation {
    let mut simulation = Simulation::new(vec![incident("down", declared(&STORY[..last], json!({})))]);
    let now = simulation.now;
    let after = remote.incident_updates.iter().rev().nth(index.wrapping_sub(1));
    let after = after.map(|update| update.id.clone());
    let recorded: Vec<_> = (0..known)
        .map(|index| crate::api::PublishedUpdate {
            id: format!("old-u{index}"),
            status: Some(STORY[index].0.into()),
            applied: String::new(),
            from_template: false,
        })
        .collect();
    let declaration = &mut simulation.declarations[0];
    declaration.finalizer = true;
    declaration.id_annotation = Some("old".into());
    declaration.attempt_seen = Some(now);
    let Status::Incident(status) = declaration.status_mut() else {
        panic!("an incident")
    };
    status.object.id = Some("old".into());
    status.updates = recorded;
    status.object.journal = Some(Journal {
        operation: format!("update/{index}"),
        attempt: "a".into(),
        at: Time(now),
        after,
        title: None,
        beside: Vec::new(),
        replaces: None,
    });
    declaration.stored = Arc::clone(&declaration.status);
    simulation.remote.put(remote);
    simulation
}

#[test]
fn an_update_whose_reply_was_lost_is_found_by_its_text_else_by_its_status() {
    for (body, expected) in [("Found", "Found"), ("Edited meanwhile", "Found")] {
        let story = [STORY[0], ("identified", body)];
        let mut simulation = interrupted(2, 1, 1, foreign_incident("old", "Down", &story));
        simulation.settle();
        assert_eq!(recorded(&simulation), ["old-u0", "old-u1"], "{body}");
        assert_eq!(shown(&simulation), ["Looking", expected], "corrected, not told again");
        assert!(
            simulation.sent.iter().all(|sent| !sent.summary.contains("publish")),
            "{:?}",
            simulation.summaries()
        );
    }
}

#[test]
fn what_stood_there_before_an_attempt_is_not_taken_for_its_trace() {
    // The same text was posted before: the attempt has left nothing, and is made again once that is certain.
    let story = [("identified", "Found"), STORY[0]];
    let mut simulation = interrupted(2, 0, 1, foreign_incident("old", "Down", &story));
    let after = Some("old-u1".to_owned());
    let declaration = &mut simulation.declarations[0];
    declaration.status_mut().object_mut().journal.as_mut().unwrap().after = after;
    declaration.stored = Arc::clone(&declaration.status);
    let begun = simulation.now;
    simulation.pass();
    assert_eq!(stands(&simulation), (State::Progressing, Reason::Progressing));
    let until = begun.saturating_add(SignedDuration::from_secs(36 + 120)).unwrap();
    let clock = until.strftime("%H:%M:%S UTC").to_string();
    assert_eq!(
        message(&simulation),
        format!("an earlier attempt to publish an update was interrupted; checking until {clock} whether it succeeded")
    );
    assert!(simulation.sent.is_empty(), "{:?}", simulation.summaries());
}

#[test]
fn an_attempt_that_left_no_trace_is_made_again_when_nothing_can_come_of_it_any_more() {
    let mut simulation = interrupted(2, 1, 1, foreign_incident("old", "Down", &STORY[..1]));
    let begun = simulation.now;
    simulation.settle();
    assert_eq!(shown(&simulation), ["Looking", "Found"]);
    let incident = simulation.remote_incident("old");
    let sent_at = incident.incident_updates[0].created_at.unwrap();
    assert!(
        sent_at >= begun.saturating_add(SignedDuration::from_secs(36 + 120)).unwrap(),
        "{sent_at}"
    );
}

#[test]
fn updates_before_an_interrupted_one_are_told_whatever_was_recorded_of_them() {
    // Three were published, and the record of the last two was lost with the process.
    let mut simulation = interrupted(3, 1, 2, foreign_incident("old", "Down", &STORY[..3]));
    simulation.settle();
    assert_eq!(recorded(&simulation), ["old-u0", "old-u1", "old-u2"]);
    assert!(
        simulation.sent.iter().all(|sent| !sent.summary.contains("publish")),
        "{:?}",
        simulation.summaries()
    );
    assert_eq!(shown(&simulation), ["Looking", "Found", "Mended"]);
}

#[test]
fn what_the_mark_counts_is_bound_by_text_then_by_status_then_as_told() {
    let uid = Simulation::new(vec![incident("down", declared(&STORY, json!({})))]).declarations[0]
        .uid
        .clone();
    /// What the page shows, and the ids of the updates that are recorded then.
    type Case<'c> = (&'c [(&'c str, &'c str)], [&'c str; 3]);
    let cases: [Case<'_>; 3] = [
        (&[STORY[0], STORY[1], STORY[2]], ["old-u0", "old-u1", "old-u2"]),
        // The first was edited, so that nothing can be paired in order.
        (
            &[("monitoring", "Other"), STORY[0], STORY[1]],
            ["old-u1", "old-u2", "old-u0"],
        ),
        // Somebody has deleted the second.
        (&[STORY[0], STORY[2]], ["old-u0", "", "old-u1"]),
    ];
    for (story, expected) in cases {
        let mut remote = foreign_incident("old", "Down", story);
        let mark = json!({"uid": uid, "namespace": "team", "name": "down", "updates": 3});
        remote.metadata.insert("statuspage-operator".into(), mark);
        let mut simulation = Simulation::new(vec![incident("down", declared(&STORY[..3], json!({})))]);
        simulation.remote.put(remote);
        simulation.settle();
        assert_eq!(recorded(&simulation), expected, "{story:?}");
        assert!(
            simulation.sent.iter().all(|sent| !sent.summary.contains("publish")),
            "{story:?} {:?}",
            simulation.summaries()
        );
    }
}
