//! Incidents that begin with a template: what is sent, once, and what a template can change afterwards: nothing.

use serde_json::{Value, json};

use super::builders::{component, declare, foreign_incident, incident, updates};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Declaration, Request, State, Status};
use crate::statuspage::IncidentWrite;

fn template(title: &str, body: &str) -> Declaration {
    declare(Kind::IncidentTemplate, "database", said(title, body))
}

fn said(title: &str, body: &str) -> Value {
    json!({"title": title, "body": body, "updateStatus": "identified"})
}

fn outage(more: Value) -> Declaration {
    incident("down", named(more))
}

fn named(mut more: Value) -> Value {
    more["templateRef"] = json!({"name": "database", "variables": {"region": "eu-west-1"}});
    more
}

fn down_in(more: Value) -> Simulation {
    let template = template("Database down in {{region}}", "We look into {{ region }}.");
    Simulation::new(vec![template, outage(more)])
}

fn writes(simulation: &Simulation) -> Vec<IncidentWrite> {
    let requests = simulation.sent.iter().filter_map(|sent| sent.action.request());
    requests
        .filter_map(|request| match request {
            Request::CreateIncident(write) | Request::UpdateIncident(_, write) => Some((**write).clone()),
            _ => None,
        })
        .collect()
}

/// Title and texts of the incident on the page, oldest first.
fn shown(simulation: &Simulation) -> (String, Vec<String>) {
    let id = simulation.id(Kind::Incident, "down");
    let remote = simulation.remote_incident(&id);
    let texts = remote.incident_updates.iter().rev();
    (
        remote.name.clone().unwrap(),
        texts.filter_map(|update| update.body.clone()).collect(),
    )
}

fn in_sync(simulation: &Simulation) {
    assert_eq!(
        simulation.stands(Kind::Incident, "down"),
        (State::InSync, Reason::Synced),
        "{:#?}",
        simulation.finding(Kind::Incident, "down")
    );
}

const TITLE: &str = "Database down in eu-west-1";
const BODY: &str = "We look into eu-west-1.";

#[test]
fn the_template_gives_title_text_status_and_whether_subscribers_are_told() {
    let mut simulation = down_in(json!({}));
    simulation.settle();
    assert_eq!(shown(&simulation), (TITLE.to_owned(), vec![BODY.to_owned()]));
    let [sent] = writes(&simulation).try_into().unwrap();
    assert_eq!(sent.status.unwrap().as_str(), "identified");
    assert_eq!(sent.deliver_notifications, Some(true));
    in_sync(&simulation);

    let mut quiet = said("Title", "Body");
    quiet["shouldSendNotifications"] = json!(false);
    let mut simulation = Simulation::new(vec![
        declare(Kind::IncidentTemplate, "database", quiet),
        outage(json!({})),
    ]);
    simulation.settle();
    assert_eq!(writes(&simulation)[0].deliver_notifications, Some(false));
}

#[test]
fn what_the_incident_says_itself_wins() {
    let own = json!({"name": "Own title", "updates": updates(&[("investigating", "Own words")])});
    let mut simulation = down_in(own);
    simulation.settle();
    assert_eq!(
        shown(&simulation),
        ("Own title".to_owned(), vec!["Own words".to_owned()])
    );
    in_sync(&simulation);
}

#[test]
fn the_components_of_the_template_are_named_and_keep_their_status() {
    let with_components = |own: Value| {
        let mut said = said("Title", "Body");
        said["components"] = json!(["api", "db"]);
        let template = declare(Kind::IncidentTemplate, "database", said);
        let mut simulation = Simulation::new(vec![
            component("api", json!({})),
            component("db", json!({})),
            template,
            outage(own),
        ]);
        simulation.settle();
        in_sync(&simulation);
        let sent = writes(&simulation).remove(0);
        let mut ids = sent.component_ids.unwrap();
        ids.sort_unstable();
        let mut expected = vec![
            simulation.id(Kind::Component, "api"),
            simulation.id(Kind::Component, "db"),
        ];
        expected.sort_unstable();
        (ids == expected, sent.components)
    };
    assert_eq!(with_components(json!({})), (true, None));
    let (both, statuses) = with_components(json!({"components": {"db": "major_outage"}}));
    assert!(!both && statuses.unwrap().len() == 1, "its own map is the whole map");
}

#[test]
fn what_is_appended_comes_after_the_post_of_the_template() {
    let mut simulation = down_in(json!({}));
    simulation.settle();
    let story = [("monitoring", "Mended"), ("resolved", "Over")];
    for count in 1..=2 {
        simulation.respecify(
            Kind::Incident,
            "down",
            named(json!({"updates": updates(&story[..count])})),
        );
        simulation.settle();
        in_sync(&simulation);
    }
    assert_eq!(shown(&simulation).1, [BODY, "Mended", "Over"]);
    assert_eq!(writes(&simulation).len(), 3);
}

/// The property that all of this is about.
#[test]
fn what_was_sent_does_not_change_when_the_template_does() {
    let changes: [fn(&mut Simulation); 5] = [
        |simulation| simulation.respecify(Kind::IncidentTemplate, "database", said("Other", "Other {{eta}}")),
        |simulation| simulation.delete(Kind::IncidentTemplate, "database"),
        |simulation| {
            let other = json!({"templateRef": {"name": "database", "variables": {"region": "us-east-1"}}});
            simulation.respecify(Kind::Incident, "down", other);
        },
        |simulation| simulation.respecify(Kind::Incident, "down", json!({"templateRef": {"name": "none"}})),
        // The incident alone goes on without its template.
        |simulation| simulation.respecify(Kind::Incident, "down", json!({"updates": []})),
    ];
    // Nothing lost, a restart, and the status restored from before the incident was sent.
    for loss in 0..3 {
        for (number, change) in changes.iter().enumerate() {
            let mut simulation = down_in(json!({}));
            simulation.settle();
            change(&mut simulation);
            if loss == 2 {
                simulation.edit(Kind::Incident, "down", |declaration| {
                    let id = declaration.status.object().id.clone();
                    declaration.status = std::sync::Arc::new(Status::empty(Kind::Incident));
                    declaration.status_mut().object_mut().id = id;
                    declaration.stored = declaration.status.clone();
                });
            }
            if loss > 0 {
                simulation.restart();
            }
            simulation.settle();
            let sent = writes(&simulation);
            assert_eq!(sent.len(), 1, "{loss} {number}: {sent:#?}");
            assert_eq!(shown(&simulation), (TITLE.to_owned(), vec![BODY.to_owned()]));
            in_sync(&simulation);
        }
    }
}

#[test]
fn a_changed_reference_says_that_it_changes_nothing() {
    let mut simulation = down_in(json!({}));
    simulation.settle();
    let other = json!({"templateRef": {"name": "database", "variables": {"region": "us-east-1"}}});
    simulation.respecify(Kind::Incident, "down", other);
    simulation.settle();
    let message = &simulation.finding(Kind::Incident, "down").message;
    assert!(
        message.contains("templateRef was changed after the incident was sent"),
        "{message}"
    );
}

#[test]
fn no_fault_tells_anything_twice() {
    for fault in [Fault::Crash, Fault::LostReply, Fault::LostRequest] {
        for effect in 0..16 {
            for edit in [false, true] {
                let mut simulation = down_in(json!({}));
                simulation.faults.insert(effect, fault);
                simulation.pass();
                // Edited while the outcome is not known.
                if edit {
                    simulation.respecify(Kind::IncidentTemplate, "database", said("Other", "Other words"));
                }
                let appended = named(json!({"updates": updates(&[("resolved", "Over")])}));
                simulation.settle();
                simulation.respecify(Kind::Incident, "down", appended);
                simulation.settle();
                let (_, texts) = shown(&simulation);
                assert_eq!(texts.len(), 2, "{fault:?} {effect} {edit}: {:#?}", simulation.events);
                assert_eq!(texts[1], "Over");
                let incidents = simulation.remote.incidents.as_ref().unwrap();
                assert_eq!(incidents.items.len(), 1, "{fault:?} {effect} {edit}");
                in_sync(&simulation);
            }
        }
    }
}

#[test]
fn an_update_that_is_appended_while_the_reply_is_lost_comes_second() {
    for effect in 0..12 {
        let mut simulation = down_in(json!({}));
        simulation.faults.insert(effect, Fault::LostReply);
        simulation.pass();
        let opened = !simulation.remote.incidents.as_ref().unwrap().items.is_empty();
        simulation.respecify(
            Kind::Incident,
            "down",
            named(json!({"updates": updates(&[("resolved", "Over")])})),
        );
        simulation.settle();
        let expected: &[&str] = if opened { &[BODY, "Over"] } else { &["Over"] };
        assert_eq!(shown(&simulation).1, expected, "{effect}: {:#?}", simulation.events);
    }
}

/// A directory whose lock file is lost has another uid for everything.
#[test]
fn an_incident_of_the_past_is_found_after_everything_was_lost_though_its_template_was_edited() {
    let over = named(json!({"updates": updates(&[("resolved", "Over")])}));
    let mut simulation = down_in(json!({}));
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", over.clone());
    simulation.settle();
    let lose_everything = |simulation: &mut Simulation, spec: Value| {
        simulation.respecify(Kind::Incident, "down", spec);
        simulation.edit(Kind::Incident, "down", |declaration| {
            declaration.uid = "uid-anew".into();
            declaration.id_annotation = None;
            declaration.finalizer = false;
            declaration.status = std::sync::Arc::new(Status::empty(Kind::Incident));
            declaration.stored = declaration.status.clone();
        });
        simulation.respecify(Kind::IncidentTemplate, "database", said("Other", "Other words"));
        simulation.restart();
        simulation.settle();
    };
    lose_everything(&mut simulation, over);
    assert_eq!(writes(&simulation).len(), 2);
    assert_ne!(simulation.stands(Kind::Incident, "down").0, State::Progressing);

    // The name used again for another outage is another incident.
    let again = json!({"templateRef": {"name": "database", "variables": {"region": "us-east-1"}}});
    lose_everything(&mut simulation, again);
    let incidents = simulation.remote.incidents.as_ref().unwrap();
    assert_eq!(incidents.items.len(), 2);
}

#[test]
fn a_placeholder_without_a_value_stops_the_incident_before_anything_is_sent() {
    let template = template("Database down in {{region}}", "Back at {{eta}}.");
    let mut simulation = Simulation::new(vec![template, outage(json!({}))]);
    simulation.settle();
    assert!(writes(&simulation).is_empty());
    let finding = simulation.finding(Kind::Incident, "down");
    assert_eq!((finding.state, finding.reason), (State::Stalled, Reason::Invalid));
    assert_eq!(
        finding.message,
        "IncidentTemplate database: no value for {{eta}} of the template; add `eta: …` under spec.templateRef.variables"
    );
    let both = json!({"templateRef": {"name": "database", "variables": {"region": "eu", "eta": "noon"}}});
    simulation.respecify(Kind::Incident, "down", both);
    simulation.settle();
    assert_eq!(
        shown(&simulation),
        ("Database down in eu".to_owned(), vec!["Back at noon.".to_owned()])
    );
}

#[test]
fn a_template_that_is_missing_or_goes_is_waited_for() {
    let mut simulation = Simulation::new(vec![outage(json!({}))]);
    simulation.settle();
    let waits = (State::Progressing, Reason::WaitingForReference);
    assert_eq!(simulation.stands(Kind::Incident, "down"), waits);
    let message = &simulation.finding(Kind::Incident, "down").message;
    assert!(message.contains("no such declaration in namespace team"), "{message}");
    let mut going = template("Title", "Body");
    (going.deleting, going.finalizer) = (true, true);
    // Somebody keeps it for a while.
    super::builders::respecify(&mut going, {
        let mut spec = said("Title", "Body");
        spec["suspend"] = json!(true);
        spec
    });
    simulation.add(going);
    simulation.settle();
    assert_eq!(simulation.stands(Kind::Incident, "down"), waits);
    let message = &simulation.finding(Kind::Incident, "down").message;
    assert!(message.contains("which is being deleted"), "{message}");
    assert!(writes(&simulation).is_empty());
    simulation.declarations.retain(|one| one.key.kind == Kind::Incident);
    simulation.add(template("Title", "Body"));
    simulation.settle();
    assert_eq!(shown(&simulation), ("Title".to_owned(), vec!["Body".to_owned()]));
}

#[test]
fn a_template_needs_not_be_on_the_page() {
    let mut simulation = down_in(json!({}));
    simulation.refuse = Some(Box::new(|request| {
        matches!(request, Request::CreateIncidentTemplate(_)).then_some((true, Reason::Rejected))
    }));
    simulation.settle();
    assert_eq!(shown(&simulation).1, [BODY]);
}

#[test]
fn an_incident_that_is_taken_over_keeps_its_title_and_gets_the_post() {
    let mut simulation = down_in(json!({}));
    let mut foreign = foreign_incident("f0", "Something is wrong", &[("investigating", "Looking")]);
    foreign.created_at = Some(simulation.now);
    simulation.remote.put(foreign);
    simulation.edit(Kind::Incident, "down", |declaration| {
        declaration.id_annotation = Some("f0".into())
    });
    simulation.settle();
    assert_eq!(
        shown(&simulation),
        (
            "Something is wrong".to_owned(),
            vec!["Looking".to_owned(), BODY.to_owned()]
        )
    );
    simulation.respecify(Kind::IncidentTemplate, "database", said("Other", "Other words"));
    simulation.settle();
    assert_eq!(shown(&simulation).1.len(), 2);
    in_sync(&simulation);
}

/// Moved with its id to another namespace or cluster: the mark names who made it.
#[test]
fn an_incident_that_moves_with_its_id_is_not_told_again_though_its_template_was_edited() {
    let mut simulation = down_in(json!({}));
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    simulation.declarations.clear();
    simulation.add(template("Other", "Other words"));
    let mut moved = incident("moved", named(json!({"updates": updates(&[("resolved", "Over")])})));
    moved.id_annotation = Some(id.clone());
    simulation.add(moved);
    simulation.restart();
    simulation.settle();
    let remote = simulation.remote_incident(&id);
    assert_eq!(remote.name.as_deref(), Some(TITLE));
    let texts: Vec<_> = remote
        .incident_updates
        .iter()
        .rev()
        .filter_map(|update| update.body.clone())
        .collect();
    assert_eq!(texts, [BODY, "Over"]);
}

#[test]
fn a_maintenance_moves_the_components_of_its_template() {
    let mut said = json!({"title": "Upgrade", "body": "We upgrade."});
    said["components"] = json!(["db"]);
    let schedule = json!({"start": "2026-02-01T03:00:00Z", "end": "2026-02-01T05:00:00Z"});
    let spec = |posts: &[(&str, &str)]| named(json!({"schedule": schedule, "updates": updates(posts)}));
    let mut simulation = Simulation::new(vec![
        component("db", json!({})),
        declare(Kind::IncidentTemplate, "database", said),
        incident("down", spec(&[])),
    ]);
    simulation.settle();
    let [sent] = writes(&simulation).try_into().unwrap();
    assert_eq!(sent.status.unwrap().as_str(), "scheduled");
    assert_eq!(sent.auto_transition_to_maintenance_state, Some(true));
    assert_eq!((sent.component_ids.unwrap().len(), sent.components), (1, None));
    simulation.respecify(Kind::Incident, "down", spec(&[("in_progress", "Begun")]));
    simulation.settle();
    let sent = writes(&simulation).pop().unwrap();
    let statuses = sent.components.unwrap();
    let statuses: Vec<&str> = statuses.values().map(|status| status.as_str()).collect();
    assert_eq!(statuses, ["under_maintenance"]);
    simulation.respecify(
        Kind::Incident,
        "down",
        spec(&[("in_progress", "Begun"), ("completed", "Done")]),
    );
    simulation.settle();
    let statuses = writes(&simulation).pop().unwrap().components.unwrap();
    assert!(statuses.values().all(|status| status.as_str() == "operational"));
    in_sync(&simulation);
}

#[test]
fn an_own_update_that_moved_is_named_by_its_place_in_the_manifest() {
    let own = |posts: &[(&str, &str)]| named(json!({"updates": updates(posts)}));
    let mut simulation = down_in(json!({}));
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", own(&[("monitoring", "Mended")]));
    simulation.settle();
    simulation.respecify(Kind::Incident, "down", own(&[("resolved", "Mended")]));
    simulation.settle();
    let finding = simulation.finding(Kind::Incident, "down");
    assert_eq!((finding.state, finding.reason), (State::Stalled, Reason::Invalid));
    assert!(
        finding
            .message
            .starts_with("updates[0] was published with status monitoring and is declared with resolved"),
        "{}",
        finding.message
    );
}
