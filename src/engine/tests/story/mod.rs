//! What is told on an incident: each update once and in its order, never over what a person ended.

mod interrupted;
mod subscribers;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::builders::{foreign_incident, incident, updates};
use super::simulation::Simulation;
use crate::api::{Journal, Kind, Reason};
use crate::engine::{State, Status, undone};
use crate::statuspage::{IncidentStatus, IncidentUpdate};

const STORY: [(&str, &str); 4] = [
    ("investigating", "Looking"),
    ("identified", "Found"),
    ("monitoring", "Mended"),
    ("resolved", "Over"),
];

fn declared(story: &[(&str, &str)], more: Value) -> Value {
    let mut spec = json!({"name": "Down", "updates": updates(story)});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

fn published(story: &[(&str, &str)], more: Value) -> Simulation {
    let mut simulation = Simulation::new(vec![incident("down", declared(story, more))]);
    simulation.settle();
    assert_eq!(stands(&simulation), (State::InSync, Reason::Synced));
    simulation
}

fn stands(simulation: &Simulation) -> (State, Reason) {
    simulation.stands(Kind::Incident, "down")
}

fn message(simulation: &Simulation) -> String {
    simulation.finding(Kind::Incident, "down").message.clone()
}

/// The page's texts, oldest first.
fn shown(simulation: &Simulation) -> Vec<String> {
    let id = simulation.id(Kind::Incident, "down");
    let updates = simulation.remote_incident(&id).incident_updates.iter().rev();
    updates.filter_map(|update| update.body.clone()).collect()
}

/// The ids of the updates that are recorded as published.
fn recorded(simulation: &Simulation) -> Vec<String> {
    let Status::Incident(status) = &*simulation.get(Kind::Incident, "down").status else {
        panic!("an incident")
    };
    status.updates.iter().map(|update| update.id.clone()).collect()
}

/// A person posts on the incident.
fn post(simulation: &mut Simulation, status: &str, body: &str) {
    let mut remote = simulation
        .remote_incident(&simulation.id(Kind::Incident, "down"))
        .clone();
    let update = IncidentUpdate {
        id: format!("person-{}", remote.incident_updates.len()),
        status: Some(status.into()),
        body: Some(body.into()),
        created_at: Some(simulation.now),
        display_at: Some(simulation.now),
        ..Default::default()
    };
    remote.incident_updates.insert(0, update);
    remote.status = Some(status.into());
    if IncidentStatus::from(status).is_over() {
        remote.resolved_at = Some(simulation.now);
    }
    simulation.remote.put(remote);
}

#[test]
fn what_is_published_keeps_its_status_its_order_and_its_place() {
    let append = "published updates keep their status and their order: restore them, and append another update";
    let [one, two, three] = [STORY[0], STORY[1], STORY[2]];
    let cases: [(&[(&str, &str)], String); 4] = [
        (&[one], format!("2 updates are published and 1 are declared: {append}")),
        (
            &[one, ("monitoring", "Found")],
            format!("updates[1] was published with status identified and is declared with monitoring: {append}"),
        ),
        (
            &[("investigating", "New"), ("identified", "Looking"), two],
            format!("updates[0] was published and is updates[1] now: {append}"),
        ),
        (
            &[one, ("identified", "Inserted"), two, three],
            format!("updates[1] was published and is updates[2] now: {append}"),
        ),
    ];
    for (story, expected) in cases {
        let mut simulation = published(&[one, two], json!({}));
        let sent = simulation.sent.len();
        simulation.respecify(Kind::Incident, "down", declared(story, json!({})));
        simulation.settle();
        assert_eq!(stands(&simulation), (State::Stalled, Reason::Invalid), "{story:?}");
        assert_eq!(message(&simulation), expected);
        assert_eq!(simulation.sent.len(), sent, "{:?}", simulation.summaries());
    }
}

#[test]
fn an_incident_that_a_person_ended_stays_ended_unless_the_declaration_insists() {
    for (drift, last, expected) in [
        ("Detect", 2, (State::Stalled, Reason::EndedOnPage)),
        ("Detect", 4, (State::InSync, Reason::Synced)),
        ("Ignore", 4, (State::InSync, Reason::Synced)),
        ("Correct", 2, (State::InSync, Reason::Synced)),
    ] {
        let mut simulation = published(&STORY[..1], json!({"driftPolicy": drift}));
        post(&mut simulation, "resolved", "We are done");
        simulation.settle();
        simulation.respecify(
            Kind::Incident,
            "down",
            declared(&STORY[..last], json!({"driftPolicy": drift})),
        );
        simulation.settle();
        let what = format!("{drift} {last}: {}", message(&simulation));
        assert_eq!(stands(&simulation), expected, "{what}");
        let insists = drift == "Correct";
        assert_eq!(shown(&simulation).contains(&"Found".to_owned()), insists, "{what}");
        if !insists {
            assert!(
                what.contains("somebody ended the incident on the page at 2026-01-1"),
                "{what}"
            );
            assert!(what.contains("update 2 is not published"), "{what}");
        }
        let told = simulation.get(Kind::Incident, "down").status.object().drift.clone();
        let tells = told.iter().any(|drift| drift.field == "updates[1]");
        assert_eq!(tells, drift == "Detect" && last == 4, "{what} {told:?}");
    }
}

#[test]
fn what_this_declaration_ended_it_may_open_again() {
    let again = [STORY[0], STORY[3], ("investigating", "Once more")];
    let mut simulation = published(&again[..2], json!({"driftPolicy": "Detect"}));
    simulation.respecify(
        Kind::Incident,
        "down",
        declared(&again, json!({"driftPolicy": "Detect"})),
    );
    simulation.settle();
    assert_eq!(
        stands(&simulation),
        (State::InSync, Reason::Synced),
        "{}",
        message(&simulation)
    );
    assert_eq!(shown(&simulation), ["Looking", "Over", "Once more"]);
}

fn maintenance(story: &[(&str, &str)]) -> Value {
    let schedule = json!({"start": "2026-01-10T12:00:00Z", "end": "2026-01-10T13:00:00Z", "autoComplete": true});
    declared(story, json!({"schedule": schedule, "driftPolicy": "Detect"}))
}

/// A maintenance that came to its end in this way.
fn ended_maintenance(resolved_at: &str) -> Simulation {
    let begun = [("scheduled", "To come"), ("in_progress", "Now")];
    let mut simulation = Simulation::new(vec![incident("down", maintenance(&begun))]);
    simulation.settle();
    simulation.now = "2026-01-10T14:00:00Z".parse().unwrap();
    let mut remote = simulation
        .remote_incident(&simulation.id(Kind::Incident, "down"))
        .clone();
    remote.status = Some(IncidentStatus::Completed);
    remote.resolved_at = Some(resolved_at.parse().unwrap());
    simulation.remote.put(remote);
    simulation.settle();
    simulation
}

#[test]
fn a_maintenance_that_its_schedule_ended_takes_its_last_word_and_does_not_go_back() {
    let told = [("scheduled", "To come"), ("in_progress", "Now"), ("completed", "Done")];
    for (at, expected) in [
        ("2026-01-10T13:00:00Z", (State::InSync, Reason::Synced)),
        // Within the minute in which the page ends it.
        ("2026-01-10T12:59:00Z", (State::InSync, Reason::Synced)),
    ] {
        let mut simulation = ended_maintenance(at);
        simulation.respecify(Kind::Incident, "down", maintenance(&told));
        simulation.settle();
        assert_eq!(stands(&simulation), expected, "{at} {}", message(&simulation));
        assert!(shown(&simulation).contains(&"Done".to_owned()), "{at}");
    }
    // A person ended it before its time.
    let mut simulation = ended_maintenance("2026-01-10T12:58:59Z");
    simulation.respecify(Kind::Incident, "down", maintenance(&told));
    simulation.settle();
    assert!(!shown(&simulation).contains(&"Done".to_owned()));
    assert!(
        message(&simulation).contains("somebody ended the incident on the page"),
        "{}",
        message(&simulation)
    );
    let mut simulation = ended_maintenance("2026-01-10T13:00:00Z");
    let back = [
        ("scheduled", "To come"),
        ("in_progress", "Now"),
        ("verifying", "Looking"),
    ];
    simulation.respecify(Kind::Incident, "down", maintenance(&back));
    simulation.settle();
    assert_eq!(stands(&simulation), (State::Stalled, Reason::EndedOnPage));
    assert!(
        message(&simulation)
            .contains("update 3 with status verifying is not published: a maintenance does not go back"),
        "{}",
        message(&simulation)
    );
}

#[test]
fn an_incident_of_the_past_is_this_one_only_if_it_tells_all_that_is_declared() {
    let over = [STORY[0], STORY[3]];
    for (story, name, fresh, expected) in [
        (&over[..], "Down", false, Some("old")),
        (&over[..], "Down", true, None),
        (&over[1..], "Down", false, None),
        (&over[..], "Other", false, None),
    ] {
        let spec = declared(&over, json!({"adoptionPolicy": "ByName"}));
        let mut simulation = Simulation::new(vec![incident("down", spec)]);
        simulation.declarations[0].fresh = fresh;
        simulation.remote.put(foreign_incident("old", name, story));
        simulation.known = simulation.remote.clone();
        let plan = simulation.plan();
        let creates = plan.remote_steps().count();
        assert_eq!(creates == 0, expected.is_some(), "{story:?} {name} {fresh}");
    }
}

#[test]
fn a_maintenance_is_not_taken_for_an_incident_of_its_name_nor_one_of_another_time() {
    let at = |text: &str| -> Option<Timestamp> { Some(text.parse().unwrap()) };
    let start = "2026-01-10T12:00:00Z";
    let creates = |spec: Value, scheduled_for: Option<Timestamp>, backfilled: Option<bool>| {
        let mut simulation = Simulation::new(vec![incident("down", spec)]);
        let mut remote = foreign_incident("old", "Down", &[("investigating", "Looking")]);
        remote.scheduled_for = scheduled_for;
        remote.backfilled = backfilled;
        simulation.remote.put(remote);
        simulation.known = simulation.remote.clone();
        simulation.plan().remote_steps().count() == 1
    };
    let maintenance = || maintenance(&[("scheduled", "To come")]);
    assert!(!creates(maintenance(), at(start), None));
    assert!(creates(maintenance(), at("2026-01-10T12:00:01Z"), None));
    assert!(creates(maintenance(), None, None));
    let incident = || declared(&STORY[..1], json!({}));
    assert!(!creates(incident(), None, None));
    assert!(creates(incident(), at(start), None));
    let past = || declared(&[STORY[3]], json!({"backfillDate": "2025-12-01T10:00:00Z"}));
    assert!(!creates(past(), None, Some(true)));
    assert!(creates(past(), None, None));
}

#[test]
fn what_is_left_of_an_attempt_without_effect_is_the_note_of_the_deletion_before_it() {
    let journal = |operation: &str, replaces: Option<&str>| Journal {
        operation: operation.into(),
        attempt: "a".into(),
        at: Time(Timestamp::UNIX_EPOCH),
        after: None,
        title: Some("Down".into()),
        beside: vec!["other".into()],
        replaces: replaces.map(str::to_owned),
    };
    let left = undone(journal("create", Some("old"))).unwrap();
    assert_eq!(
        (left.operation.as_str(), left.replaces.as_deref()),
        ("replace", Some("old"))
    );
    assert_eq!((left.title, left.beside.len()), (None, 0));
    assert_eq!(undone(journal("create", None)), None);
    assert_eq!(undone(journal("update/1", Some("old"))), None);
}
