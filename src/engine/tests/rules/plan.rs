//! What a plan says of its effects: which go on record before they are sent, and which may be sent twice.

use jiff::SignedDuration;
use serde_json::json;

use super::later;
use crate::api::Kind;
use crate::engine::fields::Change;
use crate::engine::report::Report;
use crate::engine::tests::builders::key;
use crate::engine::{Action, ReadWhat, Request, Step, Summary};
use crate::statuspage::{CollectionKind, ComponentWrite, IncidentView, ObjectKind, Priority, Search};

fn step(action: Action) -> Step {
    Step {
        key: key(Kind::Component, "api"),
        action,
        priority: Priority::Write,
        summary: Summary::sentence(""),
        changes: Vec::new(),
        applied: Vec::new(),
        beside: vec!["b".to_owned()],
        replaces: Some("r".to_owned()),
    }
}

fn request() -> Request {
    Request::CreateComponent(ComponentWrite {
        name: Some("API".to_owned()),
        ..Default::default()
    })
}

#[test]
fn what_must_not_be_sent_twice_is_on_record_before_it_is_sent() {
    let journal = |action: Action| {
        let is_journalled = action.is_journalled();
        let journal = step(action).journal("attempt".to_owned(), later(0));
        assert_eq!(journal.is_some(), is_journalled);
        let journal = journal?;
        assert_eq!((journal.attempt.as_str(), journal.at.0), ("attempt", later(0)));
        assert_eq!(
            (journal.beside.as_slice(), journal.replaces.as_deref()),
            (&["b".to_owned()][..], Some("r"))
        );
        Some((journal.operation, journal.after, journal.title))
    };
    let title = Some("API".to_owned());
    assert_eq!(
        journal(Action::Create(request())),
        Some(("create".into(), None, title.clone()))
    );
    assert!(journal(Action::Provide(request())).is_some_and(|(operation, ..)| operation != "create"));
    assert!(journal(Action::Replace(request())).is_some_and(|(operation, ..)| operation != "create"));
    let publish = Action::Publish {
        request: request(),
        index: 3,
        after: Some("u".to_owned()),
    };
    let (operation, after, _) = journal(publish).unwrap();
    assert!(
        operation.contains('3') && after.as_deref() == Some("u"),
        "{operation} {after:?}"
    );
    for action in [
        Action::Update(request()),
        Action::Delete(request()),
        Action::RecordId("x".to_owned()),
        Action::AddFinalizer,
        Action::RemoveFinalizer,
        Action::Leave,
        Action::Prune,
    ] {
        assert_eq!(journal(action), None);
    }
}

#[test]
fn what_an_effect_is_follows_from_its_kind() {
    for (action, request, repeatable, deletes) in [
        (Action::Create(request()), true, false, false),
        (Action::Provide(request()), true, false, false),
        (Action::Update(request()), true, true, false),
        (Action::Delete(request()), true, true, true),
        (Action::Replace(request()), true, true, true),
        (Action::RecordId("x".to_owned()), false, true, false),
        (Action::Leave, false, true, false),
    ] {
        let found = (action.request().is_some(), action.is_repeatable(), action.is_deletion());
        assert_eq!(found, (request, repeatable, deletes), "{action:?}");
    }
}

#[test]
fn a_page_that_keeps_nothing_of_an_update_is_found_by_the_second_one() {
    let update = |field: &str, to: &str| Step {
        changes: vec![Change {
            field: field.to_owned(),
            from: None,
            to: json!(to),
        }],
        ..step(Action::Update(request()))
    };
    let before = update("name", "API");
    assert_eq!(update("name", "API").repeats(&before), ["name"]);
    assert!(update("name", "Other").repeats(&before).is_empty());
    assert!(update("description", "API").repeats(&before).is_empty());
    let other = Step {
        key: key(Kind::Component, "web"),
        ..update("name", "API")
    };
    assert!(other.repeats(&before).is_empty());
    let created = Step {
        action: Action::Create(request()),
        ..update("name", "API")
    };
    assert!(created.repeats(&before).is_empty());
}

#[test]
fn a_plan_wakes_at_the_first_of_its_times() {
    let mut report = Report::default();
    let mut wake = |seconds: i64| {
        report.wake_at(later(seconds));
        report.wake.map(|at| at.duration_since(later(0)))
    };
    let woken = [5, 9, 2].map(|seconds| wake(seconds).unwrap());
    assert_eq!(woken, [5, 5, 2].map(SignedDuration::from_secs));
}

#[test]
fn what_is_read_belongs_to_a_list_or_to_one_object() {
    for (what, list) in [
        (
            ReadWhat::Collection(CollectionKind::Metrics),
            Some(CollectionKind::Metrics),
        ),
        (
            ReadWhat::Search(Search::IncidentView(IncidentView::Unresolved)),
            Some(CollectionKind::Incidents),
        ),
        (ReadWhat::Object(ObjectKind::Component, "c".to_owned()), None),
        (ReadWhat::Uptime("c".to_owned()), None),
    ] {
        assert_eq!(what.list(), list, "{what:?}");
    }
}
