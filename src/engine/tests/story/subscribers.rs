//! Who is subscribed to one incident with its declaration.

use serde_json::{Value, json};

use super::super::builders::incident;
use super::super::simulation::{Fault, Simulation};
use super::{STORY, declared, published, stands};
use crate::api::{Kind, Reason};
use crate::engine::{Request, State};
use crate::statuspage::Subscriber;

fn addresses(simulation: &Simulation) -> Vec<String> {
    let id = simulation.id(Kind::Incident, "down");
    let known = simulation.remote.incident_subscribers.get(&id);
    let there = known.iter().flat_map(|known| &known.value);
    let mut all: Vec<String> = there
        .filter_map(|one| one.email.clone().or(one.phone_number.clone()))
        .collect();
    all.sort();
    all
}

#[test]
fn who_is_declared_is_subscribed_once_and_only_who_was_is_unsubscribed() {
    let somebody = |people: Value| declared(&STORY[..1], json!({"subscribers": people}));
    let mut simulation = Simulation::new(vec![incident("down", somebody(json!([])))]);
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    // Subscribed by themselves, with another spelling.
    let own = Subscriber {
        id: "own".into(),
        email: Some("Own@Example.com".into()),
        ..Default::default()
    };
    simulation.remote.put_incident_subscriber(&id, own);
    let people = json!([
        {"email": "own@example.com"},
        {"email": "new@example.com", "skipConfirmation": true},
        {"sms": {"country": "DE", "number": "+49 151 1234567"}}
    ]);
    simulation.respecify(Kind::Incident, "down", somebody(people));
    for declaration in &mut simulation.declarations {
        declaration.seen = simulation.now;
    }
    simulation.settle();
    assert_eq!(stands(&simulation), (State::InSync, Reason::Synced));
    assert_eq!(
        addresses(&simulation),
        ["+49 151 1234567", "Own@Example.com", "new@example.com"]
    );
    let subscribes: Vec<_> = simulation
        .sent
        .iter()
        .filter_map(|sent| match sent.action.request() {
            Some(Request::CreateIncidentSubscriber(_, write)) => Some(write.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(subscribes.len(), 2, "{:?}", simulation.summaries());
    assert_eq!(subscribes[0].email.as_deref(), Some("new@example.com"));
    assert_eq!(subscribes[0].skip_confirmation_notification, Some(true));
    assert_eq!(subscribes[1].phone_country.as_deref(), Some("DE"));
    assert_eq!(subscribes[1].skip_confirmation_notification, None);
    let applied = &simulation.get(Kind::Incident, "down").status.object().applied;
    assert!(
        !format!("{applied:?}").contains("example.com"),
        "an address is personal data: {applied:?}"
    );
    // Who left by themselves is not subscribed again.
    let known = simulation.remote.incident_subscribers.get(&id).unwrap().value.clone();
    let new = known
        .iter()
        .find(|one| one.email.as_deref() == Some("new@example.com"))
        .unwrap();
    simulation.remote.remove_incident_subscriber(&id, &new.id);
    simulation.settle();
    assert_eq!(addresses(&simulation).len(), 2);
    // With the entries goes who was subscribed with them, and nobody else.
    simulation.respecify(Kind::Incident, "down", somebody(json!([])));
    for declaration in &mut simulation.declarations {
        declaration.seen = simulation.now;
    }
    simulation.settle();
    assert_eq!(addresses(&simulation), ["Own@Example.com"]);
    assert_eq!(stands(&simulation), (State::InSync, Reason::Synced));
    // What is over is left as it is.
    simulation.respecify(
        Kind::Incident,
        "down",
        declared(
            &[STORY[0], STORY[3]],
            json!({"subscribers": [{"email": "late@example.com"}]}),
        ),
    );
    simulation.settle();
    assert_eq!(addresses(&simulation), ["Own@Example.com"]);
}

#[test]
fn who_may_have_been_subscribed_is_looked_for_before_anybody_is_asked_twice() {
    for carried_out in [true, false] {
        let spec = declared(&STORY[..1], json!({"subscribers": [{"email": "new@example.com"}]}));
        let mut simulation = published(&STORY[..1], json!({}));
        simulation.respecify(Kind::Incident, "down", spec);
        for declaration in &mut simulation.declarations {
            declaration.seen = simulation.now;
        }
        let fault = if carried_out {
            Fault::LostReply
        } else {
            Fault::LostRequest
        };
        // status of the page, journal, request
        simulation.faults.insert(simulation.effects() + 2, fault);
        simulation.pass();
        let journal = simulation.get(Kind::Incident, "down").status.object().journal.clone();
        assert!(
            journal.is_some_and(|journal| journal.operation.starts_with("tell/")),
            "{:#?}",
            simulation.events
        );
        simulation.settle();
        assert_eq!(addresses(&simulation), ["new@example.com"], "{carried_out}");
        let asked = simulation
            .summaries()
            .iter()
            .filter(|one| one.starts_with("subscribe"))
            .count();
        assert_eq!(asked, 1, "{carried_out} {:#?}", simulation.events);
        assert_eq!(
            simulation.stands(Kind::Incident, "down"),
            (State::InSync, Reason::Synced)
        );
    }
}
