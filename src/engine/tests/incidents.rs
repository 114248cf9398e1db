//! Incidents, maintenances, their updates and postmortems.

use jiff::SignedDuration;
use serde_json::json;

use super::builders::{component, foreign_incident, group, incident, start, updates};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Action, Request, State};
use crate::statuspage::{ComponentStatus, IncidentStatus, IncidentUpdate, IncidentWrite};

fn writes(simulation: &Simulation) -> Vec<IncidentWrite> {
    simulation
        .sent
        .iter()
        .filter_map(|sent| match sent.action.request() {
            Some(Request::CreateIncident(write) | Request::UpdateIncident(_, write)) => Some((**write).clone()),
            _ => None,
        })
        .collect()
}

fn bodies(simulation: &Simulation, name: &str) -> Vec<String> {
    let id = simulation.id(Kind::Incident, name);
    let incident = simulation.remote_incident(&id);
    incident
        .incident_updates
        .iter()
        .rev()
        .filter_map(|update| update.body.clone())
        .collect()
}

const STORY: [(&str, &str); 3] = [
    ("investigating", "Looking"),
    ("identified", "Found"),
    ("resolved", "Over"),
];

#[test]
fn updates_are_published_one_by_one_each_once() {
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY)}))]);
    simulation.settle();
    assert_eq!(bodies(&simulation, "down"), ["Looking", "Found", "Over"]);
    let sent = writes(&simulation);
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|write| write.deliver_notifications == Some(true)));
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::InSync, Reason::Synced)
    );
}

#[test]
fn no_fault_publishes_twice() {
    for fault in [Fault::Crash, Fault::LostReply, Fault::LostRequest] {
        for effect in 0..20 {
            let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY)}))]);
            simulation.faults.insert(effect, fault);
            simulation.pass();
            simulation.settle();
            assert_eq!(
                bodies(&simulation, "down"),
                ["Looking", "Found", "Over"],
                "{fault:?} {effect}: {:#?}",
                simulation.events
            );
            assert_eq!(simulation.creates(), 1);
        }
    }
}

#[test]
fn an_update_whose_reply_was_lost_is_not_published_again_when_its_text_is_edited_meanwhile() {
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY[..1])}))]);
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", json!({"updates": updates(&STORY[..2])}));
    // journal, request
    simulation.faults.insert(simulation.effects() + 1, Fault::LostReply);
    assert!(matches!(
        simulation.next_step().action,
        Action::Publish { index: 1, .. }
    ));
    simulation.lag = SignedDuration::ZERO;
    simulation.refuse = None;
    // Only the lost request, then the edit.
    simulation.faults.insert(simulation.effects() + 2, Fault::Crash);
    simulation.pass();
    simulation.edit(Kind::Incident, "down", |declaration| {
        let mut spec = json!({"updates": updates(&STORY[..2])});
        spec["updates"][1]["body"] = json!("Found it");
        super::builders::respecify(declaration, spec);
    });
    simulation.settle();
    assert_eq!(
        bodies(&simulation, "down"),
        ["Looking", "Found it"],
        "{:#?}",
        simulation.events
    );
}

#[test]
fn an_update_without_a_text_moves_the_status_alone() {
    let story = [("investigating", "Looking"), ("monitoring", ""), ("resolved", "Over")];
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&story)}))]);
    simulation.settle();
    let sent = writes(&simulation);
    assert_eq!(
        (sent[1].status.clone(), sent[1].body.clone()),
        (Some(IncidentStatus::Monitoring), None)
    );
    assert_eq!(sent.len(), 3);
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::InSync, Reason::Synced)
    );
    simulation.settle();
    assert_eq!(writes(&simulation).len(), 3);
}

#[test]
fn a_maintenance_that_was_taken_over_keeps_which_end_moves_its_components() {
    let announced = |start: bool, end: bool| {
        let mut remote = foreign_incident("old1", "upgrade", &[("scheduled", "Soon")]);
        remote.scheduled_for = Some("2026-01-11T00:00:00Z".parse().unwrap());
        remote.scheduled_until = Some("2026-01-11T01:00:00Z".parse().unwrap());
        remote.auto_transition_to_maintenance_state = Some(start);
        remote.auto_transition_to_operational_state = Some(end);
        remote.components = vec![super::builders::foreign_component("c1", "api")];
        remote
    };
    for (start, end) in [(true, true), (true, false), (false, true), (false, false)] {
        let schedule = json!({
            "start": "2026-01-11T00:00:00Z", "end": "2026-01-11T01:00:00Z", "autoStart": false, "autoComplete": false,
            "notifyAtStart": false, "notifyAtEnd": false, "transitionComponents": start, "restoreComponents": end,
        });
        let spec = |components: serde_json::Value| {
            let updates = updates(&[("scheduled", "Soon")]);
            json!({"updates": updates, "schedule": schedule, "components": components, "adoptionPolicy": "ByName"})
        };
        // With the status to come, or without a word about components.
        for components in [json!({"api": "under_maintenance"}), json!({})] {
            let api = component("api", json!({"adoptionPolicy": "ByName"}));
            let mut simulation = Simulation::new(vec![api, incident("upgrade", spec(components))]);
            simulation.remote.put(super::builders::foreign_component("c1", "api"));
            simulation.remote.put(announced(start, end));
            simulation.settle();
            assert_eq!(
                simulation.stands(Kind::Incident, "upgrade"),
                (State::InSync, Reason::Synced)
            );
            assert_eq!(writes(&simulation), [], "{start} {end}");
        }
    }
}

#[test]
fn observe_only_says_which_text_differs() {
    let spec = json!({"updates": updates(&[("investigating", "Looking")]), "managementPolicy": "ObserveOnly"});
    let mut declaration = incident("down", spec);
    declaration.id_annotation = Some("old1".into());
    let mut simulation = Simulation::new(vec![declaration]);
    simulation
        .remote
        .put(foreign_incident("old1", "down", &[("investigating", "We look")]));
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::Stalled, Reason::ObserveOnly)
    );
    let message = &simulation.finding(Kind::Incident, "down").message;
    assert!(message.contains("updates[0].body differs"), "{message}");
    assert!(simulation.sent.is_empty());
}

#[test]
fn the_component_map_travels_with_the_update() {
    let spec = json!({"updates": updates(&STORY[..1]), "components": {"api": "major_outage"}});
    let mut simulation = Simulation::new(vec![component("api", json!({})), incident("down", spec)]);
    simulation.settle();
    let api = simulation.id(Kind::Component, "api");
    assert_eq!(
        simulation.remote_component(&api).status,
        Some(ComponentStatus::MajorOutage)
    );
    let spec = json!({"updates": updates(&STORY), "components": {"api": "operational"}});
    simulation.respecify(Kind::Incident, "down", spec);
    simulation.settle();
    assert_eq!(
        simulation.remote_component(&api).status,
        Some(ComponentStatus::Operational)
    );
    let sent = writes(&simulation);
    assert_eq!(sent.len(), 3, "{sent:#?}");
    assert!(
        sent[1].components.is_some() && sent[2].components.is_none(),
        "sent when it changed"
    );
    assert_eq!(sent[0].component_ids.as_deref(), Some(&[api][..]));
}

#[test]
fn an_incident_waits_for_the_components_that_it_names() {
    let spec = json!({"updates": updates(&STORY[..1]), "components": {"nope": "major_outage"}});
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.settle();
    assert_eq!(simulation.stands(Kind::Incident, "down").1, Reason::WaitingForReference);
    assert!(simulation.sent.is_empty());
}

#[test]
fn an_incident_that_is_over_does_not_need_its_components_any_more() {
    let spec = json!({"updates": updates(&STORY), "components": {"api": "operational"}, "ttlAfterResolved": "1h"});
    let mut simulation = Simulation::new(vec![component("api", json!({})), incident("down", spec)]);
    simulation.pass();
    simulation.delete(Kind::Component, "api");
    simulation.pass();
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::InSync, Reason::Synced)
    );
    let before = simulation.sent.len();
    simulation.add(component("api", json!({})));
    simulation.pass();
    simulation.now = simulation.now.saturating_add(SignedDuration::from_hours(2)).unwrap();
    simulation.pass();
    assert_eq!(simulation.sent.len(), before + 1, "{:?}", simulation.summaries());
    assert_eq!(simulation.gone.len(), 2, "pruned");
}

#[test]
fn a_maintenance_names_its_components_but_leaves_their_status_until_it_starts() {
    let schedule = json!({"start": "2026-01-11T00:00:00Z", "end": "2026-01-11T01:00:00Z"});
    let components = json!({"api": "under_maintenance"});
    let spec = json!({"updates": updates(&[("scheduled", "Soon")]), "components": components, "schedule": schedule});
    let mut simulation = Simulation::new(vec![component("api", json!({})), incident("work", spec)]);
    simulation.settle();
    let sent = writes(&simulation);
    assert!(sent[0].components.is_none() && sent[0].component_ids.is_some());
    let api = simulation.id(Kind::Component, "api");
    assert_eq!(simulation.remote_component(&api).status, None);
    // Statuspage starts and ends it by itself, with texts of its own.
    let id = simulation.id(Kind::Incident, "work");
    for status in ["in_progress", "completed"] {
        let mut moved = simulation.remote_incident(&id).clone();
        moved.status = Some(status.into());
        moved.incident_updates.insert(
            0,
            IncidentUpdate {
                id: format!("auto-{status}"),
                status: Some(status.into()),
                body: Some("Automatic".into()),
                ..Default::default()
            },
        );
        simulation.remote.put(moved);
        simulation.settle();
        assert_eq!(
            simulation.stands(Kind::Incident, "work"),
            (State::InSync, Reason::Synced),
            "{status}"
        );
        assert!(
            simulation.get(Kind::Incident, "work").status.object().drift.is_empty(),
            "{status}"
        );
    }
    assert_eq!(writes(&simulation).len(), 1);
}

#[test]
fn starting_a_maintenance_by_hand_moves_its_components() {
    let schedule = json!({"start": "2026-01-11T00:00:00Z", "end": "2026-01-11T01:00:00Z"});
    let spec = |posts: &[(&str, &str)]| json!({"updates": updates(posts), "components": {"api": "under_maintenance"}, "schedule": schedule});
    let posts = [("scheduled", "Soon"), ("in_progress", "Now"), ("completed", "Done")];
    let mut simulation = Simulation::new(vec![component("api", json!({})), incident("work", spec(&posts[..2]))]);
    simulation.settle();
    let api = simulation.id(Kind::Component, "api");
    assert_eq!(
        simulation.remote_component(&api).status,
        Some(ComponentStatus::UnderMaintenance)
    );
    simulation.respecify(Kind::Incident, "work", spec(&posts));
    simulation.settle();
    assert_eq!(
        simulation.remote_component(&api).status,
        Some(ComponentStatus::Operational)
    );
    assert_eq!(simulation.stands(Kind::Incident, "work").0, State::InSync);
}

#[test]
fn an_edited_text_is_corrected_in_place_and_tells_nobody() {
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY[..2])}))]);
    simulation.settle();
    let mut spec = json!({"updates": updates(&STORY[..2])});
    spec["updates"][0]["body"] = json!("Looking into it");
    simulation.respecify(Kind::Incident, "down", spec);
    simulation.settle();
    assert_eq!(bodies(&simulation, "down"), ["Looking into it", "Found"]);
    let Some(Request::UpdateIncidentUpdate(_, _, write)) = simulation.sent.last().unwrap().action.request() else {
        panic!()
    };
    assert_eq!(write.deliver_notifications, Some(false));
}

fn edited_by_a_human(spec: serde_json::Value) -> Simulation {
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    let mut edited = simulation.remote_incident(&id).clone();
    edited.incident_updates[0].body = Some("By hand".into());
    edited.status = Some(IncidentStatus::Identified);
    edited.name = Some("Renamed".into());
    simulation.remote.put(edited);
    simulation.settle();
    simulation
}

#[test]
fn what_a_human_changes_in_the_console_is_reported_and_left() {
    let simulation = edited_by_a_human(json!({"updates": updates(&STORY[..1])}));
    assert_eq!(bodies(&simulation, "down"), ["By hand"]);
    assert_eq!(simulation.sent.len(), 1);
    let status = simulation.get(Kind::Incident, "down").status.object();
    let fields: Vec<&str> = status.drift.iter().map(|drift| drift.field.as_str()).collect();
    assert_eq!(fields, ["updates[0].body", "updates", "name"]);
    assert_eq!(simulation.stands(Kind::Incident, "down").0, State::InSync);
}

#[test]
fn drift_correct_takes_the_changes_of_humans_back() {
    let simulation = edited_by_a_human(json!({"updates": updates(&STORY[..1]), "driftPolicy": "Correct"}));
    assert_eq!(bodies(&simulation, "down"), ["Looking"]);
    let id = simulation.id(Kind::Incident, "down");
    let incident = simulation.remote_incident(&id);
    assert_eq!(incident.name.as_deref(), Some("down"));
    assert_eq!(incident.status, Some(IncidentStatus::Investigating));
    assert!(
        writes(&simulation)[1..]
            .iter()
            .all(|write| write.deliver_notifications == Some(false))
    );
}

#[test]
fn a_declared_time_is_set_once_and_then_left_to_humans() {
    let mut spec = json!({"updates": updates(&STORY[..1])});
    spec["updates"][0]["at"] = json!("2026-01-10T09:30:00Z");
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    let shown = simulation.remote_incident(&id).incident_updates[0].display_at.unwrap();
    assert_eq!(shown.to_string(), "2026-01-10T09:30:00Z");
    let before = simulation.sent.len();
    let mut edited = simulation.remote_incident(&id).clone();
    edited.incident_updates[0].display_at = Some(start());
    simulation.remote.put(edited);
    simulation.settle();
    assert_eq!(simulation.sent.len(), before, "{:?}", simulation.summaries());
    assert!(!simulation.get(Kind::Incident, "down").status.object().drift.is_empty());
}

#[test]
fn a_page_that_does_not_keep_a_corrected_text_is_not_asked_for_ever() {
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY[..1])}))]);
    simulation.settle();
    // The model keeps texts; one that is published under an id that does not exist stands for a page that does not.
    let id = simulation.id(Kind::Incident, "down");
    let mut spec = json!({"updates": updates(&STORY[..1])});
    spec["updates"][0]["body"] = json!("Other");
    simulation.respecify(Kind::Incident, "down", spec);
    let mut twice = simulation.remote_incident(&id).clone();
    let duplicate = IncidentUpdate {
        body: Some("Stubborn".into()),
        ..twice.incident_updates[0].clone()
    };
    twice.incident_updates.insert(1, duplicate);
    twice.incident_updates[0].id = "other".into();
    simulation.remote.put(twice);
    simulation.settle();
    assert!(simulation.sent.len() <= 3, "{:?}", simulation.summaries());
}

#[test]
fn adoption_binds_published_updates_and_adds_only_what_is_missing() {
    let spec = json!({"name": "Down", "updates": updates(&STORY), "adoptionPolicy": "ByName"});
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.remote.put(foreign_incident(
        "theirs",
        "Down",
        &[
            ("investigating", "Looking"),
            ("investigating", "Still"),
            ("identified", "Found"),
        ],
    ));
    simulation.settle();
    assert_eq!(simulation.id(Kind::Incident, "down"), "theirs");
    assert_eq!(bodies(&simulation, "down"), ["Looking", "Still", "Found", "Over"]);
    assert_eq!(writes(&simulation).len(), 1);
}

#[test]
fn a_publication_without_a_visible_update_is_not_repeated() {
    use crate::engine::{Reply, record};
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY[..1])}))]);
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", json!({"updates": updates(&STORY[..2])}));
    let step = simulation.next_step();
    let id = simulation.id(Kind::Incident, "down");
    let unchanged = simulation.remote_incident(&id).clone();
    let declaration = &mut simulation.declarations[0];
    record(declaration, &step, &Reply::Incident(Box::new(unchanged)));
    assert!(
        simulation.plan().remote_steps().next().is_none(),
        "{:?}",
        simulation.plan().steps
    );
}

#[test]
fn a_publication_is_bound_by_its_text_when_somebody_else_posts_meanwhile() {
    use crate::engine::{Reply, Status, record};
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY[..1])}))]);
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", json!({"updates": updates(&STORY[..2])}));
    let step = simulation.next_step();
    let id = simulation.id(Kind::Incident, "down");
    let mut posted = simulation.remote_incident(&id).clone();
    for (id, body) in [("ours", "Found"), ("theirs", "By hand")] {
        posted.incident_updates.insert(
            0,
            IncidentUpdate {
                id: id.into(),
                status: Some("identified".into()),
                body: Some(body.into()),
                ..Default::default()
            },
        );
    }
    let declaration = &mut simulation.declarations[0];
    record(declaration, &step, &Reply::Incident(Box::new(posted)));
    let Status::Incident(status) = &*declaration.status else {
        panic!()
    };
    assert_eq!(status.updates[1].id, "ours");
}

#[test]
fn what_somebody_posts_after_an_interrupted_attempt_was_over_is_not_taken_for_it() {
    let mut interrupted = 0;
    for effect in 0..4 {
        let mut simulation = Simulation::new(vec![incident("down", json!({"updates": updates(&STORY[..1])}))]);
        simulation.settle();
        simulation.respecify(Kind::Incident, "down", json!({"updates": updates(&STORY[..2])}));
        simulation
            .faults
            .insert(simulation.effects() + effect, Fault::LostRequest);
        simulation.pass();
        if simulation.get(Kind::Incident, "down").status.object().journal.is_none() {
            // It was another effect that failed.
            continue;
        }
        interrupted += 1;
        assert_eq!(bodies(&simulation, "down"), ["Looking"]);
        simulation.now = simulation.now.saturating_add(SignedDuration::from_secs(100)).unwrap();
        let id = simulation.id(Kind::Incident, "down");
        let mut posted = simulation.remote_incident(&id).clone();
        posted.incident_updates.insert(
            0,
            IncidentUpdate {
                id: "theirs".into(),
                status: Some("identified".into()),
                body: Some("By hand".into()),
                created_at: Some(simulation.now),
                ..Default::default()
            },
        );
        simulation.remote.put(posted);
        simulation.settle();
        assert_eq!(
            bodies(&simulation, "down"),
            ["Looking", "By hand", "Found"],
            "their text stays, and ours is told: {:#?}",
            simulation.events
        );
    }
    assert_eq!(interrupted, 1);
}

#[test]
fn resolve_on_deletion_resolves_once_and_leaves_the_incident() {
    let spec =
        json!({"updates": updates(&STORY[..1]), "deletionPolicy": "Resolve", "components": {"api": "major_outage"}});
    let mut simulation = Simulation::new(vec![component("api", json!({})), incident("down", spec)]);
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    // A component that somebody else added to the incident is not ours to set.
    let mut theirs = super::builders::foreign_component("theirs", "Theirs");
    theirs.status = Some(ComponentStatus::MajorOutage);
    simulation.remote.put(theirs.clone());
    let mut edited = simulation.remote_incident(&id).clone();
    edited.components.push(theirs);
    simulation.remote.put(edited);
    simulation.now = simulation.now.saturating_add(SignedDuration::from_secs(400)).unwrap();
    simulation.pass();
    simulation.delete(Kind::Incident, "down");
    simulation.settle();
    assert_eq!(simulation.remote_incident(&id).status, Some(IncidentStatus::Resolved));
    assert_eq!(
        simulation.remote_component("theirs").status,
        Some(ComponentStatus::MajorOutage)
    );
    let api = simulation.id(Kind::Component, "api");
    assert_eq!(
        simulation.remote_component(&api).status,
        Some(ComponentStatus::Operational)
    );
    assert_eq!(writes(&simulation).last().unwrap().deliver_notifications, Some(false));
    assert_eq!(simulation.declarations.len(), 1);
}

#[test]
fn an_incident_is_orphaned_by_default_and_deleted_on_request() {
    for (policy, left) in [(json!(null), 1), (json!("Delete"), 0)] {
        let mut spec = json!({"updates": updates(&STORY[..1])});
        if !policy.is_null() {
            spec["deletionPolicy"] = policy;
        }
        let mut simulation = Simulation::new(vec![incident("down", spec)]);
        simulation.settle();
        simulation.delete(Kind::Incident, "down");
        simulation.settle();
        assert_eq!(simulation.remote.incidents.as_ref().unwrap().items.len(), left);
        assert!(simulation.declarations.is_empty());
    }
}

#[test]
fn the_declaration_is_pruned_when_its_time_is_over_and_the_incident_stays() {
    let spec = json!({"updates": updates(&STORY), "ttlAfterResolved": "2h"});
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.pass();
    simulation.now = simulation.now.saturating_add(SignedDuration::from_hours(1)).unwrap();
    simulation.pass();
    assert!(simulation.gone.is_empty());
    simulation.now = simulation.now.saturating_add(SignedDuration::from_hours(1)).unwrap();
    simulation.pass();
    assert_eq!(simulation.gone.len(), 1);
    assert_eq!(simulation.remote.incidents.as_ref().unwrap().items.len(), 1);
}

#[test]
fn a_postmortem_is_written_and_announced_once_and_edited_quietly() {
    let spec =
        |body: &str| json!({"updates": updates(&STORY), "postmortem": {"body": body, "notifySubscribers": true}});
    for fault in [
        None,
        Some(Fault::Crash),
        Some(Fault::LostReply),
        Some(Fault::LostRequest),
    ] {
        for effect in 0..20 {
            let mut simulation = Simulation::new(vec![incident("down", spec("Why"))]);
            if let Some(fault) = fault {
                simulation.faults.insert(effect, fault);
            }
            simulation.settle();
            simulation.respecify(Kind::Incident, "down", spec("Why, corrected"));
            simulation.settle();
            let announced = simulation
                .sent
                .iter()
                .filter(|sent| {
                    matches!(sent.action.request(), Some(Request::PublishPostmortem(_, publish)) if publish.notify_subscribers == Some(true))
                })
                .count();
            assert_eq!(announced, 1, "{fault:?} {effect}: {:#?}", simulation.events);
            assert_eq!(simulation.stands(Kind::Incident, "down").0, State::InSync);
        }
    }
}

#[test]
fn a_postmortem_is_taken_back_when_publish_is_turned_off() {
    let spec = |publish: bool| json!({"updates": updates(&STORY), "postmortem": {"body": "Why", "publish": publish}});
    let mut simulation = Simulation::new(vec![incident("down", spec(true))]);
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", spec(false));
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    assert_eq!(simulation.remote_incident(&id).postmortem_published_at, None);
    simulation.respecify(Kind::Incident, "down", spec(true));
    simulation.settle();
    assert!(
        simulation.remote_incident(&id).postmortem_published_at.is_some(),
        "published again"
    );
}

#[test]
fn a_backfilled_incident_tells_nobody() {
    let spec = json!({"updates": updates(&[("resolved", "It was so")]), "backfillDate": "2025-06-01T00:00:00Z"});
    let mut simulation = Simulation::new(vec![incident("past", spec)]);
    simulation.settle();
    let sent = writes(&simulation);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].backfilled, sent[0].deliver_notifications),
        (Some(true), Some(false))
    );
    assert!(sent[0].backfill_date.is_some());
}

#[test]
fn observe_only_reports_updates_that_are_missing() {
    let spec = json!({"name": "Down", "updates": updates(&STORY), "managementPolicy": "ObserveOnly"});
    let mut simulation = Simulation::new(vec![incident("down", spec)]);
    simulation.remote.put(foreign_incident("theirs", "Down", &STORY[..1]));
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::Stalled, Reason::ObserveOnly)
    );
    assert!(simulation.sent.is_empty());
}

#[test]
fn an_incident_goes_before_a_backlog() {
    let mut declarations: Vec<_> = (0..50)
        .map(|number| component(&format!("c{number}"), json!({})))
        .collect();
    declarations.push(incident("down", json!({"updates": updates(&STORY[..1])})));
    let mut simulation = Simulation::new(declarations);
    simulation.pass();
    assert_eq!(simulation.sent[0].key.kind, Kind::Incident);
}

#[test]
fn what_an_incident_waits_for_goes_before_a_backlog() {
    let mut declarations = vec![group("core")];
    declarations.extend((0..20).map(|number| component(&format!("c{number}"), json!({}))));
    for name in ["first", "second", "third"] {
        declarations.push(component(name, json!({"groupRef": {"name": "core"}})));
    }
    let spec = json!({"updates": updates(&STORY[..1]), "components": {"third": "major_outage"}});
    declarations.push(incident("down", spec));
    declarations.push(incident("free", json!({"updates": updates(&STORY[..1])})));
    let mut simulation = Simulation::new(declarations);
    simulation.pass();
    let order: Vec<&str> = simulation
        .sent
        .iter()
        .take(6)
        .map(|sent| sent.key.name.as_str())
        .collect();
    // The group begins with its first component; the others of the page come after the incident.
    assert_eq!(order, ["free", "first", "core", "third", "down", "c0"]);
}
