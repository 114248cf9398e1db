//! What may be taken for there, for gone and for absent, and when it is looked at again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::builders::{component, incident, key, start, updates};
use super::simulation::Simulation;
use crate::api::{ALLOW_RECREATES, Journal, Kind, Reason};
use crate::engine::attempt::{attempt_is_over, next_look, settled_at};
use crate::engine::identity::shown_time;
use crate::engine::pursuit::is_fresh;
use crate::engine::{Failure, ObjectKey, Plan, ReadWhat, State, World};
use crate::statuspage::{self, Collection, CollectionKind, IncidentView, ObjectKind, Priority, Reading, Search};

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn components(count: usize) -> Simulation {
    let declarations = (0..count).map(|number| component(&format!("c{number:02}"), json!({})));
    let mut simulation = Simulation::new(declarations.collect());
    simulation.settle();
    simulation
}

/// Somebody deletes the first so many of them on the page.
fn vanish(simulation: &mut Simulation, count: usize) {
    for number in 0..count {
        let id = simulation.id(Kind::Component, &format!("c{number:02}"));
        simulation.remote.remove::<statuspage::Component>(&id);
    }
}

fn failure(at: Timestamp, terminal: bool) -> Failure {
    Failure {
        terminal,
        reason: Reason::Rejected,
        message: "the page says no".into(),
        at,
        attempts: 3,
        generation: 0,
        jitter: 0.0,
        reading: true,
    }
}

/// The plan while these cannot be read.
fn plan_without(simulation: &Simulation, failures: &[(ReadWhat, Failure)]) -> Plan {
    // Lives as long as any world.
    let failures: &'static BTreeMap<ReadWhat, Failure> = Box::leak(Box::new(failures.iter().cloned().collect()));
    simulation.plan_where(|world| world.read_failures = failures)
}

fn stands(plan: &Plan, key: &ObjectKey) -> (State, Reason, String) {
    let finding = plan.findings.iter().find(|finding| finding.key == *key).unwrap();
    (finding.state, finding.reason, finding.message.clone())
}

fn reads(plan: &Plan) -> Vec<(ReadWhat, Priority)> {
    plan.reads
        .iter()
        .map(|read| (read.what.clone(), read.priority))
        .collect()
}

fn wants(plan: &Plan, what: &ReadWhat) -> bool {
    plan.reads.iter().any(|read| read.what == *what)
}

#[test]
fn many_that_are_gone_at_once_are_not_created_again_without_a_word_of_the_owner() {
    let mut simulation = components(12);
    vanish(&mut simulation, 8);
    simulation.settle();
    assert_eq!(simulation.creates(), 12, "nothing is created again");
    for number in 0..8 {
        let finding = simulation.finding(Kind::Component, &format!("c{number:02}"));
        assert_eq!((finding.state, finding.reason), (State::Stalled, Reason::ManyMissing));
        assert!(
            finding.message.starts_with("8 of 12 recorded objects are missing"),
            "{}",
            finding.message
        );
        assert!(
            finding
                .message
                .contains(&format!("annotate StatusPage page with {ALLOW_RECREATES}=8")),
            "{}",
            finding.message
        );
    }
    assert_eq!(
        simulation.stands(Kind::Component, "c08"),
        (State::InSync, Reason::Synced)
    );
    assert_eq!(
        simulation.stands(Kind::StatusPage, "page"),
        (State::Stalled, Reason::ManyMissing)
    );
    let allow = |simulation: &mut Simulation, word: &str| {
        simulation.page.annotations.insert(ALLOW_RECREATES.into(), word.into());
        simulation.settle();
        simulation.creates()
    };
    assert_eq!(allow(&mut simulation, "7"), 12, "7 are not 8");
    assert_eq!(allow(&mut simulation, "8"), 20);
    assert_eq!(
        simulation.stands(Kind::StatusPage, "page"),
        (State::InSync, Reason::Synced)
    );
}

#[test]
fn a_few_that_are_gone_are_created_again() {
    // Many are more than five, and more than a fifth of what is recorded.
    for (recorded, gone, again) in [(12, 5, 5), (12, 6, 0), (30, 6, 6), (29, 6, 0)] {
        let mut simulation = components(recorded);
        vanish(&mut simulation, gone);
        simulation.settle();
        assert_eq!(simulation.creates() - recorded, again, "{gone} of {recorded}");
    }
}

#[test]
fn of_many_missing_only_a_few_are_looked_up_and_while_they_are_there_the_list_is_not_believed() {
    let mut simulation = components(20);
    let list = ReadWhat::Collection(CollectionKind::Components);
    let looked_up = |plan: &Plan| -> Vec<ReadWhat> {
        let alone = |what: &ReadWhat| matches!(what, ReadWhat::Object(ObjectKind::Component, _));
        plan.reads.iter().map(|read| read.what.clone()).filter(alone).collect()
    };
    simulation.now = later(simulation.now, 600);
    simulation.read(&ReadWhat::Collection(CollectionKind::Page));
    for (round, pause) in [10, 20, 40].into_iter().enumerate() {
        // A reading in which most of them are missing, though they are there.
        let rows = simulation.remote.components.clone().unwrap().items;
        let now = simulation.now;
        let shown = Collection::read(rows.iter().skip(16).cloned().collect(), now, true);
        simulation.known.store(Reading::Components(shown));
        let plan = simulation.plan();
        let sample = [0, 1, 2].map(|number| {
            let id = simulation.id(Kind::Component, &format!("c{:02}", round * 3 + number));
            ReadWhat::Object(ObjectKind::Component, id)
        });
        assert_eq!(looked_up(&plan), sample, "what was found before is known to be there");
        assert_eq!(plan.remote_steps().count(), 0);
        for what in &sample {
            simulation.read(what);
        }
        for wait in [0, pause - 1, pause] {
            simulation.now = later(now, wait);
            let plan = simulation.plan();
            assert_eq!(plan.remote_steps().count(), 0, "nothing is created on such a list");
            assert_eq!(looked_up(&plan), []);
            assert_eq!(wants(&plan, &list), wait == pause, "{wait} of {pause} s");
            let missing = 16 - 3 * (round + 1);
            assert_eq!(
                stands(&plan, &key(Kind::Component, "c15")),
                (
                    State::Progressing,
                    Reason::Progressing,
                    format!(
                        "the page's list lacks {missing} of 20 recorded objects, but some of those exist: the list is not trusted and is read again"
                    )
                )
            );
            if wait < pause {
                assert_eq!(plan.proof_at, Some(later(now, pause)));
            }
        }
    }
    simulation.settle();
    assert_eq!(simulation.creates(), 20);
    assert_eq!(
        simulation.stands(Kind::Component, "c15"),
        (State::InSync, Reason::Synced)
    );
}

#[test]
fn one_that_is_gone_is_looked_up_twice_with_the_list_in_between_before_it_is_created_again() {
    let mut simulation = components(2);
    let id = simulation.id(Kind::Component, "c00");
    let wanted = key(Kind::Component, "c00");
    simulation.remote.remove::<statuspage::Component>(&id);
    simulation.now = later(simulation.now, 1000);
    let list = ReadWhat::Collection(CollectionKind::Components);
    let alone = ReadWhat::Object(ObjectKind::Component, id.clone());
    simulation.read(&list);
    assert_eq!(
        reads(&simulation.plan()),
        [
            (ReadWhat::Collection(CollectionKind::Page), Priority::Read),
            (alone.clone(), Priority::Read)
        ]
    );
    simulation.read(&ReadWhat::Collection(CollectionKind::Page));
    simulation.read(&alone);
    let first = simulation.now;
    for (wait, expected) in [(0, None), (4, None), (5, Some(&list))] {
        simulation.now = later(first, wait);
        let plan = simulation.plan();
        assert_eq!(plan.reads.first().map(|read| &read.what), expected, "{wait} s");
        if expected.is_none() {
            assert_eq!(
                (plan.proof_at, plan.wake),
                (Some(later(first, 5)), Some(later(first, 5)))
            );
        }
        let (state, _, message) = stands(&plan, &wanted);
        assert_eq!(state, State::Progressing);
        assert_eq!(
            message,
            format!("the page does not show component {id}; checking whether it is gone")
        );
    }
    simulation.read(&list);
    let plan = simulation.plan();
    assert_eq!(plan.reads.first().map(|read| &read.what), Some(&alone));
    assert_eq!(plan.remote_steps().count(), 0);
    simulation.read(&alone);
    assert_eq!(simulation.plan().remote_steps().count(), 1, "created again");
}

#[test]
fn what_a_reading_that_fails_keeps_says_so_and_comes_back_when_it_is_tried_again() {
    let mut simulation = components(2);
    let id = simulation.id(Kind::Component, "c00");
    let wanted = key(Kind::Component, "c00");
    simulation.remote.remove::<statuspage::Component>(&id);
    simulation.now = later(simulation.now, 1000);
    simulation.read(&ReadWhat::Collection(CollectionKind::Components));
    simulation.read(&ReadWhat::Collection(CollectionKind::Page));
    let alone = ReadWhat::Object(ObjectKind::Component, id);
    let failed = failure(simulation.now, false);
    let plan = plan_without(&simulation, &[(alone.clone(), failed.clone())]);
    assert_eq!(
        stands(&plan, &wanted),
        (State::Progressing, Reason::Rejected, "the page says no".into())
    );
    assert!(!wants(&plan, &alone), "not read again at once");
    assert_eq!(plan.wake, Some(failed.retry_at()));
    assert_eq!(plan.proof_at, Some(failed.retry_at()), "who waits, waits for that");
    // What its owner has to mend is tried again too, but nobody stays for that.
    let plan = plan_without(&simulation, &[(alone.clone(), failure(simulation.now, true))]);
    assert_eq!(stands(&plan, &wanted).0, State::Stalled);
    assert_eq!((plan.wake, plan.proof_at), (Some(failed.retry_at()), None));
    // The pause is over.
    simulation.now = failed.retry_at();
    assert!(wants(&plan_without(&simulation, &[(alone.clone(), failed)]), &alone));
}

#[test]
fn a_new_incident_is_posted_although_nothing_can_be_read_that_would_show_it() {
    let post = json!({"updates": updates(&[("investigating", "Looking")])});
    let list = ReadWhat::Collection(CollectionKind::Incidents);
    let search = ReadWhat::Search(Search::IncidentView(IncidentView::Unresolved));
    let posts = |fresh: bool, failed: &[&ReadWhat]| {
        let mut simulation = components(1);
        let mut declared = incident("down", post.clone());
        declared.fresh = fresh;
        simulation.add(declared);
        simulation.known.incidents = None;
        let failed: Vec<_> = failed
            .iter()
            .map(|what| ((*what).clone(), failure(simulation.now, false)))
            .collect();
        plan_without(&simulation, &failed).remote_steps().count()
    };
    assert_eq!(posts(true, &[&list, &search]), 1);
    assert_eq!(posts(true, &[&list]), 0, "the search may still show it");
    assert_eq!(posts(true, &[&search]), 0, "the list may still show it");
    assert_eq!(posts(true, &[]), 0);
    assert_eq!(posts(false, &[&list, &search]), 0, "it may have been posted before");
    // Nobody waits for a component like that.
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    simulation.declarations[0].fresh = true;
    simulation.read(&ReadWhat::Collection(CollectionKind::Page));
    let failed = (
        ReadWhat::Collection(CollectionKind::Components),
        failure(simulation.now, false),
    );
    assert_eq!(plan_without(&simulation, &[failed]).remote_steps().count(), 0);
}

#[test]
fn what_an_incident_needs_is_read_first_and_what_is_only_old_last() {
    let mut simulation = components(1);
    simulation.add(incident(
        "down",
        json!({"updates": updates(&[("investigating", "Looking")])}),
    ));
    simulation.known.incidents = None;
    simulation.now = later(simulation.now, 1000);
    let plan = simulation.plan();
    let of = |kind| {
        let what = ReadWhat::Collection(kind);
        plan.reads
            .iter()
            .find(|read| read.what == what)
            .map(|read| read.priority)
    };
    assert_eq!(of(CollectionKind::Incidents), Some(Priority::Incident));
    assert_eq!(of(CollectionKind::Components), Some(Priority::Read));
}

#[test]
fn who_asks_for_a_look_sees_what_is_there_now() {
    let mut simulation = components(1);
    let id = simulation.id(Kind::Component, "c00");
    let alone = ReadWhat::Object(ObjectKind::Component, id);
    let list = ReadWhat::Collection(CollectionKind::Components);
    simulation.respecify(Kind::Component, "c00", json!({"description": "new"}));
    simulation.pass();
    simulation.now = later(simulation.now, 1);
    let plan = simulation.plan();
    assert!(
        !wants(&plan, &list) && !wants(&plan, &alone),
        "nobody asked: {:?}",
        plan.reads
    );
    // We wrote it a moment ago, so that a list may be too old to show what others did since.
    for declaration in &mut simulation.declarations {
        declaration.seen = simulation.now;
    }
    let plan = simulation.plan();
    assert!(wants(&plan, &list) && wants(&plan, &alone), "{:?}", plan.reads);
    simulation.read(&list);
    simulation.read(&alone);
    let plan = simulation.plan();
    assert!(!wants(&plan, &list) && !wants(&plan, &alone), "{:?}", plan.reads);
}

#[test]
fn a_time_is_told_by_the_clock_of_the_machine() {
    let simulation = components(1);
    let mut shown = Vec::new();
    for wall in [0, 3600] {
        simulation.plan_where(|world| {
            world.now = start();
            world.wall = later(start(), wall);
            shown.push(shown_time(world, later(start(), 90)));
        });
    }
    assert_eq!(shown, ["10:01:30 UTC", "11:01:30 UTC"]);
}

fn attempt(at: Timestamp) -> Journal {
    Journal {
        operation: "create".into(),
        attempt: "a".into(),
        at: Time(at),
        after: None,
        title: None,
        beside: Vec::new(),
        replaces: None,
    }
}

#[test]
fn an_attempt_shows_once_it_must_have_been_sent_carried_out_and_listed() {
    let mut simulation = components(1);
    simulation.now = later(start(), 10_000);
    let now = simulation.now;
    // 5 s to send, 1 s of rounding, 30 s under way, 60 s in which a list may lag.
    let all = 5 + 1 + 30 + 60;
    let mut declaration = component("c", json!({}));
    let mut settled = |dated: i64, first_seen: Option<i64>, remote_now: Option<i64>, differ: fn(&mut World<'_>)| {
        declaration.attempt_seen = first_seen.map(|ago| later(now, -ago));
        let mut answer = None;
        simulation.plan_where(|world| {
            world.remote_now = remote_now.map(|ahead| later(now, ahead));
            differ(world);
            answer = Some(settled_at(
                world,
                &declaration,
                &attempt(later(now, -dated)),
                CollectionKind::Components,
            ));
        });
        answer.unwrap().duration_since(now).as_secs()
    };
    let same = |_: &mut World<'_>| {};
    assert_eq!(settled(0, None, Some(0), same), all);
    assert_eq!(settled(20, None, Some(0), same), all - 20);
    assert_eq!(settled(20, None, Some(7), same), all - 27, "by the remote clock");
    assert_eq!(settled(-500, None, Some(0), same), all, "from the future: from now");
    assert_eq!(settled(0, Some(30), Some(0), same), all - 30, "seen 30 s ago");
    // Where the remote clock is not known, clocks may differ by two minutes.
    assert_eq!(settled(20, None, None, same), all);
    assert_eq!(settled(150, None, None, same), all - 30);
    assert_eq!(
        settled(150, None, None, |world| world.wall = later(world.wall, 5)),
        all - 35
    );
}

#[test]
fn without_the_page_an_attempt_is_over_when_no_clock_can_say_otherwise() {
    // Two minutes of skew, and the time in which its trace must show; lists of incidents lag twice as much.
    for (kind, seconds) in [(Kind::Component, 120 + 36 + 60), (Kind::Incident, 120 + 36 + 120)] {
        let over = |after| attempt_is_over(&attempt(start()), kind, later(start(), after));
        assert_eq!((over(seconds - 1), over(seconds)), (false, true), "{kind}");
    }
}

#[test]
fn the_trace_of_an_attempt_is_looked_for_soon_then_less_often_then_twice() {
    let seen = start();
    let settled = later(seen, 96);
    let looks = |failures: u32, count: usize| -> Vec<i64> {
        let next = |last: &Option<Timestamp>| Some(Some(next_look(seen, *last, settled, failures)));
        let looks = std::iter::successors(Some(None), next).flatten();
        looks
            .map(|look| look.duration_since(seen).as_secs())
            .take(count)
            .collect()
    };
    for first in [0, 1] {
        assert_eq!(looks(first, 9), [0, 2, 4, 8, 16, 32, 64, 96, 101]);
    }
    // Each attempt after one without an answer costs a reading less, down to four.
    assert_eq!(looks(3, 7), [0, 8, 16, 32, 64, 96, 101]);
    for later in [6, u32::MAX] {
        assert_eq!(looks(later, 4), [0, 64, 96, 101]);
    }
    let before = Some(later(seen, -30));
    assert_eq!(
        next_look(seen, before, settled, 0),
        seen,
        "a look from before it shows nothing"
    );
}

#[test]
fn what_is_written_on_was_read_a_moment_ago_and_after_the_declaration() {
    let simulation = components(1);
    let mut declaration = component("c", json!({}));
    let now = later(start(), 100);
    declaration.spec_seen = later(start(), 85);
    let fresh = |read_at: Option<i64>| {
        let mut answer = false;
        simulation.plan_where(|world| {
            world.now = now;
            answer = is_fresh(world, &declaration, read_at.map(|at| later(start(), at)));
        });
        answer
    };
    assert_eq!([90, 89, 100].map(|at| fresh(Some(at))), [true, false, true]);
    assert!(!fresh(None));
    declaration.spec_seen = later(start(), 95);
    let mut fresh = |at: i64| {
        let mut answer = false;
        simulation.plan_where(|world| {
            world.now = now;
            answer = is_fresh(world, &declaration, Some(later(start(), at)));
        });
        answer
    };
    assert_eq!([94, 95].map(&mut fresh), [false, true]);
}
