//! What oracles excuse, and what they do not.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ending::Converged;
use super::remote::Window;
use super::{Ending, Oracle};
use crate::api::{Kind, Reason};
use crate::engine::{Declaration, State, apply_conditions};
use crate::simulation::cluster::read_spec;
use crate::simulation::scenario::key;
use crate::simulation::trace::{Entry, Fact, Life, Request};

fn sent(process: usize) -> Fact {
    let request = Request {
        method: "GET".to_owned(),
        path: "/v1/pages".to_owned(),
        query: String::new(),
        body: Value::Null,
    };
    Fact::Sent {
        process,
        number: 0,
        request,
    }
}

fn befalls(process: usize, what: Life) -> Fact {
    Fact::Process { process, what }
}

#[test]
fn requests_of_others_count_for_a_minute_less_what_the_clock_is_ahead_of_theirs() {
    let jump = |seconds| befalls(0, Life::ClockJumped(seconds));
    let start = || befalls(0, Life::Started);
    let kept = |ahead: [i64; 2], between: Vec<Fact>, process: usize, second: u64| {
        let mut window = Window::of(2, &ahead);
        let facts = [(0, sent(0)), (0, sent(0))]
            .into_iter()
            .chain(between.into_iter().map(|fact| (0, fact)));
        facts.chain([(second, sent(process))]).all(|(second, fact)| {
            let at = Duration::from_secs(second);
            window.hear(&Entry { at, fact }).is_none()
        })
    };
    for (ahead, between, process, last) in [
        // Its own, whatever its clock does.
        ([0, 0], vec![], 0, 60),
        ([0, 0], vec![jump(600)], 0, 60),
        // Another's: the one clock or the other is ahead.
        ([0, 0], vec![], 1, 60),
        ([0, 3], vec![], 1, 57),
        ([3, 0], vec![], 1, 60),
        ([-2, 3], vec![], 1, 55),
        ([600, 0], vec![], 1, 60),
        // Its own before it was started anew.
        ([0, 0], vec![start()], 0, 60),
        ([0, 0], vec![jump(30), start()], 0, 30),
        ([0, 0], vec![jump(-30), start()], 0, 60),
        // A clock that was set counts as it stands, and what was sent since as ever.
        ([-30, 0], vec![jump(30)], 1, 30),
        ([0, 600], vec![jump(600)], 1, 0),
    ] {
        let case = format!("{ahead:?} {between:?} {process}");
        assert!(kept(ahead, between.clone(), process, last), "{case}: {last} s later");
        assert!(
            last == 0 || !kept(ahead, between, process, last - 1),
            "{case}: a second before"
        );
    }
}

#[test]
fn the_window_holds_again_after_a_clock_was_set() {
    let mut window = Window::of(2, &[0, 0]);
    let mut hear = |second: u64, fact: Fact| {
        let at = Duration::from_secs(second);
        window.hear(&Entry { at, fact })
    };
    assert_eq!(hear(0, befalls(0, Life::ClockJumped(600))), None);
    assert_eq!(hear(0, befalls(1, Life::ClockJumped(600))), None);
    assert_eq!([hear(1, sent(0)), hear(1, sent(1))], [None, None]);
    assert!(hear(2, sent(0)).is_some(), "both clocks show the same again");
}

fn stopped(kind: Kind, name: &str, spec: Value, reason: Reason) -> Declaration {
    let mut declaration = Declaration::new(
        key(kind, name),
        "uid".to_owned(),
        Timestamp::UNIX_EPOCH,
        read_spec(kind, spec).unwrap(),
    );
    let generation = declaration.generation;
    let (status, state) = (&mut declaration.status, State::Stalled);
    apply_conditions(
        status,
        state,
        reason,
        "…",
        Vec::new(),
        generation,
        Timestamp::UNIX_EPOCH,
    );
    declaration.stored = Arc::clone(&declaration.status);
    declaration
}

#[test]
fn after_a_loss_only_what_names_something_undecided_may_wait() {
    use Reason::{AlreadyExists, NoMembers, WaitingForReference};
    let judged = |restored: bool, group: Reason, component: Reason| -> Vec<String> {
        let declarations = vec![
            stopped(Kind::ComponentGroup, "core", json!({}), group),
            stopped(Kind::Component, "api", json!({"groupRef": {"name": "core"}}), component),
            stopped(
                Kind::Incident,
                "down",
                json!({"updates": [{"status": "investigating", "body": "We look"}], "components": {"api": "major_outage"}}),
                WaitingForReference,
            ),
        ];
        let mut oracle = Converged::default();
        if restored {
            let fact = Fact::Restored { what: String::new() };
            oracle.hear(&Entry {
                at: Duration::ZERO,
                fact,
            });
        }
        let ending = Ending {
            declarations,
            ..Ending::default()
        };
        let found = oracle.close(&ending).into_iter();
        found
            .map(|text| text.split(" is ").next().unwrap_or_default().to_owned())
            .collect()
    };
    let [group, component, incident] = ["ComponentGroup team/core", "Component team/api", "Incident team/down"];
    for (restored, of_group, of_component, found) in [
        (true, AlreadyExists, WaitingForReference, vec![]),
        (true, NoMembers, AlreadyExists, vec![]),
        (true, NoMembers, WaitingForReference, vec![component, incident]),
        (
            true,
            WaitingForReference,
            WaitingForReference,
            vec![group, component, incident],
        ),
        (
            false,
            AlreadyExists,
            WaitingForReference,
            vec![group, component, incident],
        ),
    ] {
        assert_eq!(
            judged(restored, of_group, of_component),
            found,
            "{restored} {of_group:?} {of_component:?}"
        );
    }
}
