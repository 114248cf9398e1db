//! What became of an attempt to create something: found, or looked for until nothing can come of it any more.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::builders::{component, declare, foreign_component, foreign_incident, incident, updates};
use super::simulation::{Fault, Simulation};
use crate::api::{Kind, Reason};
use crate::engine::{Failure, Plan, ReadWhat, State};
use crate::statuspage::{self, Collection, CollectionKind, IncidentView, ObjectKind, Reading, Search};

/// The number of the effect with which a single declaration is created: after the status of the page, the finalizer and
/// the journal.
const REQUEST: usize = 3;

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// Leaves the note of a creation that was begun now and of which nothing else is known.
fn begun(simulation: &mut Simulation) {
    let declaration = &mut simulation.declarations[0];
    declaration.finalizer = true;
    let key = declaration.key.clone();
    simulation.attempted(key.kind, &key.name, "create");
}

fn reads(plan: &Plan) -> Vec<ReadWhat> {
    plan.reads.iter().map(|read| read.what.clone()).collect()
}

#[test]
fn a_lost_reply_is_found_again_and_not_sent_twice() {
    for fault in [Fault::LostReply, Fault::LostRequest, Fault::Crash] {
        for effect in 0..12 {
            let mut simulation = Simulation::new(vec![component("api", json!({}))]);
            simulation.faults.insert(effect, fault);
            simulation.pass();
            simulation.settle();
            assert_eq!(
                simulation.creates(),
                1,
                "{fault:?} at {effect}: {:#?}",
                simulation.events
            );
            assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 1);
            assert_eq!(
                simulation.stands(Kind::Component, "api"),
                (State::InSync, Reason::Synced)
            );
        }
    }
}

#[test]
fn an_interrupted_create_is_found_by_the_name_that_was_sent_even_after_a_rename() {
    let mut simulation = Simulation::new(vec![component("api", json!({"name": "Old"}))]);
    simulation.faults.insert(REQUEST, Fault::LostReply);
    simulation.pass();
    assert!(simulation.get(Kind::Component, "api").stored.object().journal.is_some());
    simulation.respecify(Kind::Component, "api", json!({"name": "New"}));
    simulation.known = Default::default();
    simulation.settle();
    let items = &simulation.remote.components.as_ref().unwrap().items;
    assert_eq!(items.len(), 1, "{:#?}", simulation.events);
    assert_eq!(items[0].name.as_deref(), Some("New"));
}

#[test]
fn an_interrupted_create_beside_a_foreign_twin_takes_neither_blindly() {
    // CreateNew: the twin was there before the attempt, however young it is.
    let mut simulation = Simulation::new(vec![component("api", json!({"adoptionPolicy": "CreateNew"}))]);
    let mut twin = foreign_component("twin", "api");
    twin.created_at = Some(simulation.now);
    simulation.remote.put(twin);
    simulation.faults.insert(REQUEST, Fault::LostRequest);
    simulation.settle();
    assert_ne!(
        simulation.id(Kind::Component, "api"),
        "twin",
        "{:#?}",
        simulation.events
    );
    assert_eq!(simulation.remote.components.as_ref().unwrap().items.len(), 2);
}

#[test]
fn several_matches_of_an_interrupted_create_stall() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.faults.insert(REQUEST, Fault::LostReply);
    simulation.faults.insert(REQUEST + 1, Fault::Crash);
    simulation.pass();
    // Somebody adds one of the same name meanwhile: the declaration is found, because it was recorded; without a
    // record nobody can tell.
    simulation.edit(Kind::Component, "api", |declaration| {
        declaration.id_annotation = None;
        Arc::make_mut(&mut declaration.stored).object_mut().id = None;
        Arc::make_mut(&mut declaration.stored).object_mut().journal = Some(crate::api::Journal {
            operation: "create".into(),
            attempt: "a".into(),
            at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(super::builders::start()),
            after: None,
            title: None,
            beside: Vec::new(),
            replaces: None,
        });
    });
    let mut twin = foreign_component("twin", "api");
    twin.created_at = Some(simulation.now);
    simulation.remote.put(twin);
    simulation.restart();
    simulation.pass();
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::Stalled, Reason::Ambiguous)
    );
    let message = &simulation.finding(Kind::Component, "api").message;
    assert!(message.contains("2 objects match (id1, twin)"), "{message}");
    assert_eq!(simulation.creates(), 1);
}

#[test]
fn what_is_older_than_the_attempt_is_not_taken_for_its_object() {
    // Clocks may differ by two minutes.
    for (age, expected) in [
        (0, (State::InSync, Reason::Synced)),
        (119, (State::InSync, Reason::Synced)),
        (121, (State::Stalled, Reason::Ambiguous)),
    ] {
        let mut simulation = Simulation::new(vec![component("api", json!({}))]);
        simulation.remote.put(crate::statuspage::Component {
            created_at: Some(later(simulation.now, -age)),
            ..foreign_component("there", "api")
        });
        begun(&mut simulation);
        simulation.pass();
        assert_eq!(simulation.stands(Kind::Component, "api"), expected, "{age} s");
        let message = &simulation.finding(Kind::Component, "api").message;
        let older = message.contains("one with id there that seems to be older than the attempt");
        assert_eq!(older, expected.0 == State::Stalled, "{message}");
    }
}

#[test]
fn an_incident_is_looked_for_by_searches_where_the_list_is_cut_or_cannot_be_read() {
    let post = json!({"name": "Down", "updates": updates(&[("investigating", "Looking")])});
    let list = ReadWhat::Collection(CollectionKind::Incidents);
    let by_name = ReadWhat::Search(Search::Incidents("Down".into()));
    let by_view = ReadWhat::Search(Search::IncidentView(IncidentView::Unresolved));
    let wanted = |cut: bool, failed: &[&ReadWhat]| {
        let mut simulation = Simulation::new(vec![incident("down", post.clone())]);
        simulation.known = simulation.remote.clone();
        simulation.now = later(simulation.now, 60);
        let read = Collection::read(vec![foreign_incident("x", "x", &[])], simulation.now, !cut);
        simulation.known.store(Reading::Incidents(read));
        begun(&mut simulation);
        simulation.now = later(simulation.now, 60);
        let failure = Failure {
            terminal: false,
            reason: Reason::Unreachable,
            message: "no answer".into(),
            at: simulation.now,
            attempts: 1,
            generation: 0,
            jitter: 0.0,
            reading: true,
        };
        let failed = failed.iter().map(|what| ((*what).clone(), failure.clone())).collect();
        let failed: &'static std::collections::BTreeMap<_, _> = Box::leak(Box::new(failed));
        let plan = simulation.plan_where(|world| world.read_failures = failed);
        let of_incidents = |what: &ReadWhat| [&list, &by_name, &by_view].contains(&what);
        reads(&plan).into_iter().filter(of_incidents).collect::<Vec<_>>()
    };
    let only_the_list = std::slice::from_ref(&list);
    assert_eq!(wanted(false, &[]), only_the_list);
    assert_eq!(wanted(true, &[]), [by_name.clone(), by_view.clone()]);
    assert_eq!(wanted(false, &[&list]), [by_name.clone(), by_view.clone()]);
    // The others alone prove nothing.
    assert_eq!(wanted(true, &[&by_name]), only_the_list);
    assert_eq!(wanted(true, &[&by_view]), only_the_list);
}

#[test]
fn a_list_of_which_only_our_own_writes_are_known_was_never_looked_at() {
    // What the snapshot keeps of a list that we have written into and nobody has read.
    let unread = || Some(Collection::read(Vec::new(), Timestamp::MIN, false));
    let list = ReadWhat::Collection(CollectionKind::Incidents);
    let post = json!({"updates": updates(&[("investigating", "Looking")])});
    let mut simulation = Simulation::new(vec![incident("down", post.clone())]);
    simulation.known = simulation.remote.clone();
    simulation.known.incidents = unread();
    begun(&mut simulation);
    assert_eq!(
        reads(&simulation.plan()),
        std::slice::from_ref(&list),
        "and not what stands in for a list that is cut"
    );
    // What has an id is looked up in its list first.
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.settle();
    simulation.known.components = Some(Collection::read(Vec::new(), Timestamp::MIN, false));
    let wanted = reads(&simulation.plan());
    assert!(
        wanted.contains(&ReadWhat::Collection(CollectionKind::Components)),
        "{wanted:?}"
    );
    assert!(
        !wanted.iter().any(|what| matches!(what, ReadWhat::Object(..))),
        "{wanted:?}"
    );
    // Nobody waits for a look at what we have just written.
    let mut simulation = Simulation::new(vec![incident("down", post)]);
    simulation.settle();
    simulation.known.incidents.as_mut().unwrap().read_at = Timestamp::MIN;
    let plan = simulation.plan();
    let read = plan.reads.iter().find(|read| read.what == list).unwrap();
    assert_eq!(read.priority, crate::statuspage::Priority::Read);
}

#[test]
fn that_something_is_gone_is_looked_at_again_after_an_hour_and_holds_meanwhile() {
    let mut simulation = Simulation::new(vec![component("api", json!({"driftPolicy": "Detect"}))]);
    simulation.settle();
    let id = simulation.id(Kind::Component, "api");
    simulation.remote.remove::<statuspage::Component>(&id);
    simulation.settle();
    let alone = ReadWhat::Object(ObjectKind::Component, id.clone());
    let proven = simulation.known.examined(ObjectKind::Component, &id).missing.unwrap();
    let proven = proven.confirmed.unwrap();
    for (age, again) in [(3599, false), (3600, true)] {
        simulation.now = later(proven, age);
        let plan = simulation.plan();
        assert_eq!(reads(&plan).contains(&alone), again, "{age} s");
        let finding = plan
            .findings
            .iter()
            .find(|one| one.key.kind == Kind::Component)
            .unwrap();
        assert_eq!((finding.state, finding.reason), (State::Stalled, Reason::RemoteDeleted));
    }
}

#[test]
fn what_has_no_address_of_its_own_is_gone_when_readings_lack_it_for_as_long_as_a_list_may_lag() {
    let spec = json!({"title": "Down", "body": "Looking", "updateStatus": "investigating"});
    let mut simulation = Simulation::new(vec![declare(Kind::IncidentTemplate, "down", spec)]);
    simulation.settle();
    simulation.now = later(simulation.now, 1000);
    let list = ReadWhat::Collection(CollectionKind::IncidentTemplates);
    let read = |simulation: &mut Simulation| {
        let nothing = Collection::read(Vec::new(), simulation.now, true);
        let reading = Reading::IncidentTemplates(nothing);
        simulation.known.store(reading);
    };
    // Only what was looked at since then counts.
    simulation.known.incident_templates.as_mut().unwrap().looks.clear();
    read(&mut simulation);
    let first = simulation.now;
    let at = |simulation: &mut Simulation, seconds: i64| {
        simulation.now = later(first, seconds);
        let plan = simulation.plan();
        let finding = plan
            .findings
            .iter()
            .find(|one| one.key.kind == Kind::IncidentTemplate)
            .unwrap();
        (finding.state, reads(&plan).contains(&list), plan.proof_at)
    };
    let due = later(first, 60);
    assert_eq!(at(&mut simulation, 59), (State::Unknown, false, Some(due)));
    assert_eq!(at(&mut simulation, 60), (State::Unknown, true, None));
    simulation.now = later(first, 59);
    read(&mut simulation);
    assert!(
        matches!(at(&mut simulation, 61), (State::Unknown, true, None)),
        "looked too early"
    );
    simulation.now = later(first, 60);
    read(&mut simulation);
    assert_ne!(at(&mut simulation, 61).0, State::Unknown, "gone");
}

#[test]
fn what_is_found_does_not_depend_on_the_order_of_the_declarations() {
    let declarations = || {
        vec![
            declare(Kind::MetricsProvider, "p", json!({"type": "Self"})),
            declare(Kind::Metric, "latency", json!({"adoptionPolicy": "ByName"})),
            super::builders::group("core"),
            component("api", json!({"groupRef": {"name": "core"}})),
            incident(
                "down",
                json!({"updates": updates(&[("investigating", "Looking")]), "components": {"api": "major_outage"}}),
            ),
        ]
    };
    let findings = |reversed: bool| {
        let mut simulation = Simulation::new(declarations());
        simulation.settle();
        // All that is recorded is lost, and everything is found again in one plan.
        for declaration in &mut simulation.declarations {
            declaration.id_annotation = None;
            let kept = declaration.key.kind == Kind::MetricsProvider || declaration.key.kind == Kind::ComponentGroup;
            if !kept {
                declaration.status_mut().object_mut().id = None;
            }
        }
        if reversed {
            simulation.declarations.reverse();
        }
        let plan = simulation.plan();
        let mut found: Vec<_> = plan
            .findings
            .iter()
            .map(|one| (one.key.clone(), one.state, one.reason))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    };
    assert_eq!(findings(false), findings(true));
}

/// Somebody puts back yesterday's annotation while a creation is under way.
#[test]
fn an_annotation_of_an_object_that_is_gone_does_not_hide_what_an_attempt_created() {
    for arrived in [true, false] {
        let mut simulation = Simulation::new(vec![component("api", json!({}))]);
        begun(&mut simulation);
        if arrived {
            let mut created = foreign_component("new", "api");
            created.created_at = Some(simulation.now);
            simulation.remote.put(created);
        }
        simulation.edit(Kind::Component, "api", |declaration| {
            declaration.id_annotation = Some("old".into());
        });
        simulation.settle();
        let status = simulation.get(Kind::Component, "api").status.object().clone();
        assert_eq!(status.journal, None, "{arrived}: {:#?}", simulation.events);
        assert_eq!(
            status.id.as_deref(),
            arrived.then_some("new"),
            "{:#?}",
            simulation.events
        );
        assert_eq!(simulation.creates(), 0, "{:#?}", simulation.events);
        if !arrived {
            let stands = simulation.stands(Kind::Component, "api");
            assert_eq!(stands, (State::Stalled, Reason::RemoteNotFound));
        }
    }
}

#[test]
fn an_attempt_to_publish_is_over_with_its_incident() {
    let posts = updates(&[("investigating", "Looking")]);
    let mut simulation = Simulation::new(vec![incident("down", json!({"updates": posts}))]);
    simulation.settle();
    let id = simulation.id(Kind::Incident, "down");
    simulation.attempted(Kind::Incident, "down", "update/1");
    let posts = updates(&[("investigating", "Looking"), ("identified", "Found")]);
    simulation.respecify(Kind::Incident, "down", json!({"updates": posts}));
    simulation.remote.remove::<statuspage::Incident>(&id);
    simulation.settle();
    let stands = simulation.stands(Kind::Incident, "down");
    assert_eq!(stands, (State::Stalled, Reason::RemoteDeleted));
    let status = simulation.get(Kind::Incident, "down").status.object().clone();
    assert_eq!(status.journal, None);
}

/// What was created while the page could not be read: its id is stored with the first word on how it stands.
#[test]
fn a_status_without_a_word_on_how_it_stands_is_not_written() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.settle();
    simulation.known.page = None;
    simulation.edit(Kind::Component, "api", |declaration| {
        let status = declaration.status_mut().object_mut();
        status.conditions.clear();
        status.observed_generation = None;
        declaration.stored = Arc::new(crate::engine::Status::empty(Kind::Component));
    });
    let plan = simulation.plan();
    assert!(
        plan.statuses.iter().all(|(key, _)| key.kind != Kind::Component),
        "{plan:#?}"
    );
    simulation.settle();
    assert_eq!(
        simulation.stands(Kind::Component, "api"),
        (State::InSync, Reason::Synced)
    );
}
