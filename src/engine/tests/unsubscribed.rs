//! Who has unsubscribed stays so until somebody says otherwise.

use serde_json::{Value, json};

use super::builders::declare;
use super::simulation::Simulation;
use crate::api::{Kind, REACTIVATE, Reason};
use crate::engine::State;
use crate::statuspage::Subscriber;

const KIND: Kind = Kind::Subscriber;

fn unsubscribed(email: Option<&str>, endpoint: Option<&str>) -> Subscriber {
    Subscriber {
        id: "gone".into(),
        email: email.map(str::to_owned),
        endpoint: endpoint.map(str::to_owned),
        ..Default::default()
    }
}

fn stage(spec: Value, gone: Subscriber) -> Simulation {
    let mut simulation = Simulation::new(vec![declare(KIND, "team", spec)]);
    simulation.remote.unsubscribed.as_mut().unwrap().items.push(gone);
    simulation.settle();
    simulation
}

fn reactivate(simulation: &mut Simulation, value: &str) {
    simulation.edit(KIND, "team", |declaration| {
        declaration.annotations.insert(REACTIVATE.into(), value.into());
        // An annotation is no part of the spec.
        declaration.generation -= 1;
    });
    simulation.settle();
}

#[test]
fn who_has_unsubscribed_is_subscribed_again_only_when_asked() {
    let gone = unsubscribed(Some("Team@Example.com"), None);
    let mut simulation = stage(json!({"email": "team@example.com"}), gone);
    assert_eq!(simulation.stands(KIND, "team"), (State::Stalled, Reason::Unsubscribed));
    let message = &simulation.finding(KIND, "team").message;
    assert!(message.contains(REACTIVATE), "{message}");
    assert!(!message.contains("@example.com"), "personal data: {message}");
    assert_eq!(simulation.creates(), 0);
    reactivate(&mut simulation, "1");
    assert_eq!(simulation.stands(KIND, "team"), (State::InSync, Reason::Synced));
    assert_eq!(simulation.summaries(), ["create subscriber \"team\""]);
    // They leave again: what was asked for once does not count for ever, whatever the drift policy.
    let id = simulation.id(KIND, "team");
    simulation.remote.remove::<Subscriber>(&id);
    simulation.respecify(
        KIND,
        "team",
        json!({"email": "team@example.com", "driftPolicy": "Correct"}),
    );
    simulation.settle();
    assert_eq!(simulation.stands(KIND, "team"), (State::Stalled, Reason::Unsubscribed));
    reactivate(&mut simulation, "2");
    assert_eq!(simulation.creates(), 2);
}

#[test]
fn a_telephone_number_counts_and_a_webhook_does_not() {
    let gone = Subscriber {
        phone_number: Some("555 0100".into()),
        phone_country: Some("us".into()),
        ..unsubscribed(None, None)
    };
    let sms = json!({"sms": {"country": "US", "number": "5550100"}});
    assert_eq!(stage(sms, gone).stands(KIND, "team").1, Reason::Unsubscribed);
    let endpoint = "https://hooks.example.com";
    let hook = json!({"webhook": {"endpoint": endpoint}});
    let simulation = stage(hook, unsubscribed(None, Some(endpoint)));
    assert_eq!(simulation.creates(), 1);
    assert!(simulation.known.unsubscribed.is_none(), "not read");
}

#[test]
fn the_list_is_read_only_when_somebody_is_to_be_subscribed() {
    let subscriber = |name: &str| declare(KIND, name, json!({"email": format!("{name}@example.com")}));
    let mut simulation = Simulation::new(vec![subscriber("a"), subscriber("b"), subscriber("c")]);
    simulation.pass();
    assert_eq!(simulation.creates(), 3);
    // The page, the subscribers twice because there are none, those who have unsubscribed.
    assert_eq!(simulation.reads, 4);
    simulation.settle();
    simulation.restart();
    simulation.settle();
    assert!(simulation.known.unsubscribed.is_none(), "nobody asks any more");
}
