//! What a page allows, when what is known of it is too old, and how fields are compared.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{failure, later};
use crate::api::{Drift, DriftPolicy, Kind, Reason, StatusPageSpec};
use crate::engine::fields::{Access, Change, Comparison, Comparisons, Field, compare, creation, hash, hex};
use crate::engine::request::Request;
use crate::engine::seal::Seal;
use crate::engine::tests::builders::{key, page};
use crate::engine::tests::simulation::Simulation;
use crate::engine::{Action, Plan, ReadWhat, SealKey, Status, Step, World, resync_interval, subscriber_totals};
use crate::statuspage::{
    CollectionKind, ComponentWrite, IncidentView, ObjectKind, Priority, Search, SubscriberHistogram, SubscriberStates,
    Token,
};

fn page_of(spec: Value) -> Simulation {
    let mut simulation = Simulation::new(Vec::new());
    simulation.page = page(spec);
    simulation
}

#[test]
fn a_list_is_read_again_after_the_interval_or_with_the_page_once_it_is_a_quarter_as_old() {
    let simulation = page_of(json!({"resyncInterval": "400s"}));
    for (page_read_at, due) in [
        (None, 400),
        (Some(0), 400),
        (Some(100), 400),
        (Some(101), 101),
        (Some(399), 399),
        (Some(500), 400),
    ] {
        simulation.in_world(|world| {
            let world = World {
                page_read_at: page_read_at.map(later),
                ..world
            };
            assert_eq!(world.due(later(0)), later(due), "{page_read_at:?}");
        });
    }
}

#[test]
fn a_list_is_not_read_more_often_than_every_half_minute() {
    let interval = |text: Option<&str>| {
        let mut spec = json!({"pageId": "page", "api": {"tokenSecretRef": {"name": "token"}}});
        if let Some(text) = text {
            spec["resyncInterval"] = json!(text);
        }
        let spec: StatusPageSpec = serde_json::from_value(spec).unwrap();
        resync_interval(Some(&spec)).as_secs()
    };
    assert_eq!(resync_interval(None), Duration::from_secs(300));
    let asked = [None, Some("10s"), Some("40s"), Some("1h"), Some("soon")].map(interval);
    assert_eq!(asked, [300, 30, 40, 3600, 300]);
}

#[test]
fn deletions_are_counted_for_ten_minutes_by_whatever_clock() {
    let mut simulation = page_of(json!({}));
    if let Status::StatusPage(status) = simulation.page.status_mut() {
        let seconds = [-601, -600, -599, 0, 599, 600, 601];
        status.recent_deletions = seconds.map(|seconds| Time(later(seconds))).into();
    }
    assert_eq!(simulation.in_world(|world| world.recent_deletions()), 3);
}

#[test]
fn many_deletions_and_recreations_need_a_word_of_the_owner() {
    const ALL: usize = usize::MAX;
    for (cap, word, deletions) in [
        (None, None, 20),
        (Some(3), None, 3),
        (Some(0), None, 0),
        (Some(-1), None, 0),
        (Some(3), Some("50"), 50),
        (Some(60), Some("50"), 60),
        (Some(3), Some("many"), 3),
        (Some(3), Some("true"), ALL),
    ] {
        let mut simulation = page_of(cap.map_or(json!({}), |cap: i64| json!({"deletionCap": cap})));
        simulation.page.allow_deletes = word.map(str::to_owned);
        let allowed = simulation.in_world(|world| world.deletions_allowed());
        assert_eq!(allowed, deletions, "{cap:?} {word:?}");
    }
    for (word, recreations) in [(None, 0), (Some("7"), 7), (Some("yes"), 0), (Some("true"), ALL)] {
        let mut simulation = page_of(json!({}));
        let word = word.map(|word: &str| (crate::api::ALLOW_RECREATES.to_owned(), word.to_owned()));
        simulation.page.annotations.extend(word);
        assert_eq!(simulation.in_world(|world| world.recreations_allowed()), recreations);
    }
}

#[test]
fn a_time_on_the_wall_is_met_however_far_the_clock_is_off() {
    page_of(json!({})).in_world(|world| {
        for off in [-600, 0, 600] {
            let wall = later(off);
            let world = World {
                wall,
                ..world_of(&world)
            };
            assert_eq!(world.by_process_clock(later(off + 50)), later(50), "{off}");
        }
    });
}

fn world_of<'w>(world: &World<'w>) -> World<'w> {
    World { budget: None, ..*world }
}

#[test]
fn what_could_not_be_read_is_left_alone_until_its_pause_is_over() {
    let list = ReadWhat::Collection(CollectionKind::Metrics);
    let failures = BTreeMap::from([(list.clone(), failure(false, Reason::Unreachable))]);
    page_of(json!({})).in_world(|world| {
        for (seconds, left_alone) in [(0, true), (7, true), (8, false)] {
            let now = later(seconds);
            let world = World {
                now,
                read_failures: &failures,
                ..world_of(&world)
            };
            assert_eq!(world.unreadable(&list).is_some(), left_alone, "{seconds}");
            let other = ReadWhat::Collection(CollectionKind::Incidents);
            assert_eq!(world.unreadable(&other), None);
        }
    });
}

#[test]
fn subscribers_of_all_types_are_counted_together() {
    let states = |factor: u64| SubscriberStates {
        active: factor,
        unconfirmed: 10 * factor,
        quarantined: 100 * factor,
        ..Default::default()
    };
    let histogram = SubscriberHistogram {
        email: states(1),
        sms: states(2),
        webhook: states(4),
        slack: states(8),
        teams: states(16),
        integration_partner: states(32),
    };
    let totals = subscriber_totals(&histogram);
    assert_eq!((totals.active, totals.unconfirmed, totals.quarantined), (63, 630, 6300));
}

fn field(desired: Value, observed: Value) -> Field {
    Field::new("name", "wire", desired, Some(observed))
}

fn compared(fields: &[Field], applied: &[(&str, Value)], policy: DriftPolicy) -> Comparisons {
    let applied = applied.iter().map(|(name, value)| ((*name).to_owned(), hash(value)));
    compare(fields, &applied.collect(), policy, Seal::default())
}

#[test]
fn values_are_one_or_two_by_what_they_mean() {
    use Comparison::{Caseless, Color, Instant, Number, Plain, Set};
    for (comparison, one, other, same) in [
        (Plain, json!("a"), json!("a"), true),
        (Plain, json!("a"), json!("A"), false),
        (Plain, json!(null), json!(false), true),
        (Plain, json!(""), json!(false), true),
        (Plain, json!(true), json!(null), false),
        (Plain, json!(false), json!(true), false),
        (Plain, json!(0), json!(null), false),
        (Set, json!(["a", "b"]), json!(["b", "a"]), true),
        (Set, json!(["a"]), json!(["a", "b"]), false),
        (Set, json!(["a", "b"]), json!(["a"]), false),
        (Set, json!("a"), json!("a"), true),
        (Set, json!("a"), json!(["a"]), false),
        (
            Instant,
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T00:00:00.9Z"),
            true,
        ),
        (
            Instant,
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T00:00:01Z"),
            false,
        ),
        (Instant, json!("soon"), json!("soon"), true),
        (Instant, json!("soon"), json!("2026-01-01T00:00:00Z"), false),
        (Number, json!(1), json!(1.0), true),
        (Number, json!(1), json!(2), false),
        (Caseless, json!("A@b"), json!("a@B"), true),
        (Caseless, json!("a"), json!("b"), false),
        (Caseless, json!(1), json!(1), true),
        (Caseless, json!(1), json!("a"), false),
        (Color, json!("#Fc0"), json!(" ffcc00"), true),
        (Color, json!("#fc0"), json!("#fc00"), false),
        (Color, json!("#fcc"), json!("fc0"), false),
        (Color, json!(1), json!(1), true),
        (Color, json!(1), json!("#000"), false),
    ] {
        for (desired, observed) in [(&one, &other), (&other, &one)] {
            let field = field(desired.clone(), observed.clone()).compared(comparison);
            let found = compared(&[field], &[], DriftPolicy::Correct);
            assert_eq!(found.body.is_empty(), same, "{comparison:?} {desired} {observed}");
        }
    }
}

#[test]
fn what_is_not_shown_is_written_where_it_may_be() {
    use Access::{CreateOnly, Frozen, Noted, ReadWrite, WriteOnly};
    for (access, anew, later) in [
        (ReadWrite, true, true),
        (WriteOnly, true, false),
        (CreateOnly, false, false),
        (Frozen, false, false),
        (Noted, false, false),
    ] {
        let field = Field::new("name", "wire", json!("x"), None).access(access);
        let writes = |applied: &[(&str, Value)]| {
            let found = compared(std::slice::from_ref(&field), applied, DriftPolicy::Correct);
            assert_eq!(found.body.len(), found.changes.len());
            assert!(found.applied.contains_key("name") && found.immutable.is_empty());
            !found.body.is_empty()
        };
        assert_eq!(
            (writes(&[]), writes(&[("name", json!("x"))])),
            (anew, later),
            "{access:?}"
        );
        let created = creation(std::slice::from_ref(&field), Seal::default());
        assert_eq!(created.body.contains_key("wire"), access != Noted, "{access:?}");
        assert!(created.applied.contains_key("name"));
    }
}

#[test]
fn what_can_be_given_at_creation_only_is_immutable_once_it_was_applied() {
    for access in [Access::CreateOnly, Access::Frozen] {
        let of = |applied: &[(&str, Value)]| {
            let field = field(json!("new"), json!("old")).access(access);
            let found = compared(&[field], applied, DriftPolicy::Correct);
            (found.immutable.len(), found.body.len())
        };
        assert_eq!(of(&[]), (0, 0), "{access:?}: it was taken over");
        assert_eq!(of(&[("name", json!("new"))]), (0, 0), "{access:?}: nothing was changed");
        assert_eq!(
            of(&[("name", json!("old"))]),
            (1, 0),
            "{access:?}: its owner has changed it"
        );
    }
}

#[test]
fn a_field_with_a_request_of_its_own_waits_for_the_others() {
    let own = || Field::new("own", "own", json!("x"), Some(json!("y"))).in_a_separate_request();
    let other = || Field::new("other", "other", json!("z"), Some(json!("y"))).in_a_separate_request();
    let together = |observed: &str| field(json!("a"), json!(observed));
    let written = |fields: &[Field]| {
        let found = compared(fields, &[], DriftPolicy::Correct);
        found.body.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(written(&[own(), together("b")]), ["wire"]);
    assert_eq!(written(&[own(), together("a")]), ["own"]);
    assert_eq!(written(&[own(), other()]), ["own"]);
    let created = creation(&[own(), together("b")], Seal::default());
    assert_eq!(created.body.keys().collect::<Vec<_>>(), ["wire"]);
}

#[test]
fn a_difference_is_told_in_short_and_no_secret_at_all() {
    let told = |length: usize, secret: bool| {
        let mut field = field(json!("ours"), json!("ö".repeat(length)));
        field.secret = secret;
        let found = compared(&[field], &[("name", json!("ours"))], DriftPolicy::Detect);
        let [
            Drift {
                field,
                desired,
                observed,
            },
        ] = &found.drift[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!(field, "name");
        (desired.clone(), observed.clone())
    };
    assert_eq!(told(3, false), ("\"ours\"".to_owned(), "\"ööö\"".to_owned()));
    assert_eq!(told(118, false).1.chars().count(), 120);
    let long = told(119, false).1;
    assert!(long.chars().count() == 121 && long.ends_with("ö…"), "{long}");
    assert_eq!(told(3, true), ("(secret)".to_owned(), "(secret)".to_owned()));
    let mut secret = field(json!("hunter2"), json!("hunter1"));
    secret.secret = true;
    let change = Change {
        field: "name".to_owned(),
        from: None,
        to: json!("(secret)"),
    };
    assert_eq!(creation(&[secret], Seal::default()).changes, [change]);
    let plain = compared(&[field(json!("a"), json!("b"))], &[], DriftPolicy::Correct);
    let change = Change {
        field: "name".to_owned(),
        from: Some(json!("b")),
        to: json!("a"),
    };
    assert_eq!(plain.changes, [change]);
}

#[test]
fn a_record_is_kept_while_its_field_is_declared_or_noted() {
    let found = Comparisons {
        applied: BTreeMap::from(["name", "components/declared"].map(|name| (name.to_owned(), String::new()))),
        ..Comparisons::default()
    };
    for (name, kept) in [
        ("name", true),
        ("components", true),
        ("component", false),
        ("componentsx", false),
        ("description", false),
        ("other/declared", true),
    ] {
        assert_eq!(found.keeps(name), kept, "{name}");
    }
}

#[test]
fn what_is_compared_in_parts_is_one_comparison() {
    let parts = |name: &'static str, access: Access| {
        let mut field = Field::new(name, name, json!("a"), Some(json!("b"))).access(access);
        field.name = name;
        compared(&[field], &[(name, json!("other"))], DriftPolicy::Correct)
    };
    let mut whole = parts("one", Access::ReadWrite);
    whole.extend(parts("two", Access::ReadWrite));
    whole.extend(parts("three", Access::Frozen));
    whole.extend(compared(
        &[field(json!("a"), json!("b"))],
        &[("name", json!("a"))],
        DriftPolicy::Detect,
    ));
    assert_eq!(whole.body.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((whole.changes.len(), whole.drift.len(), whole.left.len()), (2, 1, 1));
    assert_eq!(whole.immutable, ["three"]);
    assert_eq!(
        whole.applied.keys().collect::<Vec<_>>(),
        ["name", "one", "three", "two"]
            .map(String::from)
            .iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn hashes_are_short_and_in_hexadecimal_digits() {
    assert_eq!(hex(&[0, 10, 255, 7], 3), "000aff");
    assert_eq!(hex(&[1], 3), "01");
    assert_eq!(hash(&json!("x")).len(), 10);
    assert_ne!(hash(&json!("x")), hash(&json!("y")));
}

#[test]
fn a_record_of_a_secret_counts_as_unchanged_where_nothing_can_be_said() {
    let token = |token: &str| SealKey::of_token(&Token::new(token.to_owned()).unwrap());
    let (key, other) = (token("token"), token("other"));
    let with = |key| Seal { uid: "a", key };
    let mut secret = Field::new("api", "api", json!("hunter2"), None).access(Access::CreateOnly);
    secret.secret = true;
    let known = with(Some(&key)).of_field(&secret);
    let others = with(Some(&other)).of_field(&secret);
    assert_eq!(with(None).of_field(&secret), "");
    assert_eq!(known.len(), 4 + 1 + 20);
    let mut changed = secret.clone();
    changed.desired = json!("hunter3");
    for (recorded, key, same, same_when_changed) in [
        (known.as_str(), Some(&key), true, false),
        (known.as_str(), None, true, true),
        (others.as_str(), Some(&key), true, true),
        ("", Some(&key), true, true),
        (hash(&json!("hunter2")).as_str(), Some(&key), true, false),
        ("something else", Some(&key), false, false),
    ] {
        let seal = with(key);
        let found = (seal.is_field(recorded, &secret), seal.is_field(recorded, &changed));
        assert_eq!(found, (same, same_when_changed), "{recorded}");
    }
    let mut plain = secret.clone();
    plain.secret = false;
    let seal = with(Some(&key));
    assert!(seal.is_field(&seal.of(&json!("hunter2")), &plain) && !seal.is_field(&known, &plain));
}

fn step(action: Action) -> Step {
    Step {
        key: key(Kind::Component, "api"),
        action,
        priority: Priority::Write,
        summary: String::new(),
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
    let mut plan = Plan::default();
    let mut wake = |seconds: i64| {
        plan.wake_at(later(seconds));
        plan.wake.map(|at| at.duration_since(later(0)))
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
