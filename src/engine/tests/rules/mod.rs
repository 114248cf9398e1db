//! What the rules of kinds ask about the rest of the page, asked in the same way: a table for each question.

mod fields;
mod incident;
mod kinds;
mod plan;
mod world;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::api::{ComponentObservation, Kind, Reason, Uptime};
use crate::engine::claims::Claims;
use crate::engine::context::Context;
use crate::engine::identity::identify_all;
use crate::engine::index::Index;
use crate::engine::kinds::index as index_of;
use crate::engine::tests::builders::{
    component, declare, foreign_component, foreign_incident, incident, key, put_foreign_group, start,
};
use crate::engine::tests::simulation::Simulation;
use crate::engine::{
    Backlog, Candidate, Declaration, Failure, Finding, ObjectKey, State, Status, candidates, forget_settled, kind_of,
};
use crate::statuspage::{self, BudgetStats, Collection, CollectionKind, Dated, Incident};

/// Asks what is known of everything that is declared.
fn ask<T>(simulation: &Simulation, question: impl FnOnce(&Index<'_>) -> T) -> T {
    simulation.in_world(|world| question(&index_of(&world)))
}

/// Asks as a declaration does.
fn ask_as<T>(simulation: &Simulation, kind: Kind, name: &str, question: impl FnOnce(&Context<'_>) -> T) -> T {
    simulation.in_world(|world| {
        let index = index_of(&world);
        let known = identify_all(&world, &index);
        question(&Context {
            world: &world,
            claims: &known.claims,
            index: &index,
            declaration: index.get(&key(kind, name)).unwrap(),
            sent_title: None,
        })
    })
}

fn seen_as(mut declaration: Declaration, status: Option<&str>) -> Declaration {
    if let Status::Incident(seen) = declaration.status_mut() {
        seen.status = status.map(str::to_owned);
    }
    declaration
}

#[test]
fn a_declared_incident_decides_about_its_components_while_it_is_open_or_will_be() {
    let schedule = json!({"start": "2026-02-01T00:00:00Z", "end": "2026-02-01T01:00:00Z"});
    let spec =
        |status: &str| json!({"updates": [{"status": status, "body": "text"}], "components": {"api": "major_outage"}});
    let with = |mut spec: Value, name: &str, value: Value| {
        spec[name] = value;
        spec
    };
    let planned = || with(spec("scheduled"), "schedule", schedule.clone());
    let none = || json!({"updates": [], "components": {"api": "major_outage"}});
    for (what, spec, status, decides) in [
        ("not on the page yet", spec("investigating"), None, true),
        ("open", spec("investigating"), Some("identified"), true),
        ("declared as over", spec("resolved"), Some("identified"), false),
        ("ended by a person", spec("investigating"), Some("resolved"), false),
        ("without an update", none(), None, false),
        ("a maintenance not on the page yet", planned(), None, false),
        ("a maintenance to come", planned(), Some("scheduled"), false),
        ("a maintenance in progress", planned(), Some("in_progress"), true),
        ("a maintenance that is over", planned(), Some("completed"), false),
        (
            "of the past",
            with(spec("investigating"), "backfillDate", json!("2026-01-01T00:00:00Z")),
            None,
            false,
        ),
    ] {
        let declared = seen_as(incident("down", spec), status);
        let mut simulation = Simulation::new(vec![declared.clone()]);
        let times = |simulation: &Simulation, namespace: &str, name: &str| {
            ask(simulation, |index| index.times_mapped(namespace, name))
        };
        assert_eq!(times(&simulation, "team", "api"), usize::from(decides), "{what}");
        let covered = ask(&simulation, |index| {
            index.is_covered(&key(Kind::Component, "api"), None)
        });
        assert_eq!(covered, decides, "{what}");
        assert_eq!(
            (times(&simulation, "team", "web"), times(&simulation, "other", "api")),
            (0, 0)
        );
        simulation.declarations[0].deleting = true;
        assert_eq!(times(&simulation, "team", "api"), 0, "{what}, and deleted");
        // A second one decides too.
        simulation.declarations[0].deleting = false;
        simulation.declarations.push(Declaration {
            key: key(Kind::Incident, "slow"),
            ..declared
        });
        assert_eq!(times(&simulation, "team", "api"), 2 * usize::from(decides), "{what}");
    }
}

#[test]
fn an_incident_on_the_page_decides_about_its_components_while_it_runs() {
    let with = |status: &[Option<&str>]| {
        let mut simulation = Simulation::new(Vec::new());
        for (number, status) in status.iter().enumerate() {
            simulation
                .known
                .incidents
                .get_or_insert_with(|| Collection::read(Vec::new(), start(), true));
            simulation.known.put(Incident {
                id: format!("i{number}"),
                status: status.map(Into::into),
                components: vec![foreign_component("c", "API")],
                ..Incident::default()
            });
        }
        let api = key(Kind::Component, "api");
        ask(&simulation, |index| {
            assert!(!index.is_covered(&api, Some("other")) && !index.is_shared("other"));
            (index.is_covered(&api, Some("c")), index.is_shared("c"))
        })
    };
    let open = Some("investigating");
    for (statuses, covered, shared) in [
        (vec![], false, false),
        (vec![None], false, false),
        (vec![Some("scheduled")], false, false),
        (vec![Some("resolved")], false, false),
        (vec![Some("completed")], false, false),
        (vec![open], true, false),
        (vec![Some("in_progress")], true, false),
        (vec![open, Some("scheduled")], true, false),
        (vec![open, Some("resolved")], true, false),
        (vec![open, Some("verifying")], true, true),
        (vec![open, open, open], true, true),
    ] {
        assert_eq!(with(&statuses), (covered, shared), "{statuses:?}");
    }
}

#[test]
fn members_of_a_group_are_those_that_declare_it_and_those_that_the_page_shows() {
    let grouped = |name: &str| component(name, json!({"groupRef": {"name": "core"}}));
    let mut deleted = grouped("deleted");
    deleted.deleting = true;
    let mut simulation = Simulation::new(vec![
        grouped("api"),
        component("alone", json!({})),
        deleted,
        grouped("web"),
    ]);
    for id in ["a", "b", "c"] {
        let rows = simulation
            .known
            .components
            .get_or_insert_with(|| Collection::read(Vec::new(), start(), true));
        rows.items.push(foreign_component(id, id));
    }
    put_foreign_group(&mut simulation.known, "g", "Core", &["a", "c"]);
    ask(&simulation, |index| {
        assert_eq!(index.remote_members("g"), ["a", "c"]);
        assert!(index.remote_members("a").is_empty() && index.remote_members("").is_empty());
        let names = |group| {
            index
                .members("team", group)
                .iter()
                .map(|one| one.key.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("core"), ["api", "web"]);
        assert!(names("other").is_empty() && index.members("other", "core").is_empty());
    });
}

/// A declaration with a recorded id.
fn recorded(kind: Kind, name: &str, id: &str) -> Declaration {
    let spec = match kind {
        Kind::Incident => json!({"updates": [{"status": "investigating", "body": "text"}]}),
        Kind::MetricsProvider => json!({"type": "Pingdom"}),
        Kind::Subscriber | Kind::PageAccessUser | Kind::OrganizationUser => json!({"email": "jo@example.com"}),
        Kind::IncidentTemplate => json!({"title": "Down", "body": "text"}),
        _ => json!({}),
    };
    let mut declaration = declare(kind, name, spec);
    declaration.status_mut().object_mut().id = Some(id.to_owned());
    declaration
}

#[test]
fn what_is_recorded_and_not_shown_is_counted_where_it_can_be_read_by_its_id() {
    let lists = [
        (Kind::Component, Some(CollectionKind::Components)),
        (Kind::Incident, Some(CollectionKind::Incidents)),
        (Kind::MetricsProvider, Some(CollectionKind::MetricsProviders)),
        (Kind::Metric, Some(CollectionKind::Metrics)),
        (Kind::Subscriber, Some(CollectionKind::Subscribers)),
        (Kind::PageAccessUser, Some(CollectionKind::PageAccessUsers)),
        (Kind::PageAccessGroup, Some(CollectionKind::PageAccessGroups)),
        (Kind::ComponentGroup, None),
        (Kind::IncidentTemplate, None),
        (Kind::OrganizationUser, None),
    ];
    for (kind, list) in lists {
        let spec_of = |name: &str, id: &str| match kind {
            Kind::Metric => {
                let mut metric = declare(kind, name, json!({"providerRef": {"name": "p"}}));
                metric.status_mut().object_mut().id = Some(id.to_owned());
                metric
            }
            _ => recorded(kind, name, id),
        };
        let mut simulation = Simulation::new(vec![spec_of("one", "x1"), spec_of("other", "x2")]);
        let count = |simulation: &Simulation| {
            let all = [
                CollectionKind::Components,
                CollectionKind::Incidents,
                CollectionKind::MetricsProviders,
                CollectionKind::Metrics,
                CollectionKind::Subscribers,
                CollectionKind::PageAccessUsers,
                CollectionKind::PageAccessGroups,
                CollectionKind::IncidentTemplates,
                CollectionKind::OrganizationUsers,
            ];
            ask(simulation, |index| {
                let counted = all
                    .into_iter()
                    .filter_map(|list| Some((list, index.census(list)?.recorded())));
                counted.collect::<Vec<_>>()
            })
        };
        // Nothing was read.
        assert_eq!(count(&simulation), [], "{kind}");
        simulation.known = simulation.remote.clone();
        let expected: Vec<(CollectionKind, usize)> = list.into_iter().map(|list| (list, 2)).collect();
        assert_eq!(count(&simulation), expected, "{kind}");
        if let Some(list) = list {
            let lacks = |simulation: &Simulation| {
                ask(simulation, |index| {
                    let census = index.census(list).unwrap();
                    (census.lacks("x1"), census.lacks("x2"))
                })
            };
            assert_eq!(lacks(&simulation), (true, true), "{kind}");
        }
        // Who lets go and who has no id is not counted.
        simulation.declarations[0].deleting = true;
        simulation.declarations[1].status_mut().object_mut().id = None;
        assert_eq!(count(&simulation), [], "{kind}");
    }
}

#[test]
fn a_list_that_was_not_read_whole_and_what_we_deleted_are_not_counted() {
    let count = |differ: fn(&mut Simulation)| {
        let mut simulation = Simulation::new(vec![
            recorded(Kind::Component, "api", "c"),
            recorded(Kind::Component, "web", "w"),
        ]);
        let rows = vec![foreign_component("c", "api")];
        simulation.known.components = Some(Collection::read(rows, start(), true));
        differ(&mut simulation);
        ask(&simulation, |index| {
            let census = index.census(CollectionKind::Components)?;
            Some((census.recorded(), census.lacks("c"), census.lacks("w")))
        })
    };
    assert_eq!(count(|_| {}), Some((2, false, true)));
    assert_eq!(
        count(|simulation| simulation.known.components.as_mut().unwrap().complete = false),
        None
    );
    assert_eq!(
        count(|simulation| simulation.known.remove::<statuspage::Component>("c")),
        Some((1, false, true))
    );
}

#[test]
fn many_are_more_than_five_and_more_than_a_fifth() {
    for (recorded, missing, many) in [
        (5, 5, None),
        (6, 6, Some(6)),
        (29, 6, Some(6)),
        (30, 6, None),
        (34, 7, Some(7)),
        (35, 7, None),
    ] {
        let mut census = crate::engine::census::Census::default();
        for number in 0..recorded {
            census.count(
                statuspage::ObjectKind::Component,
                &format!("c{number}"),
                number >= missing,
            );
        }
        assert_eq!(census.many(), many, "{missing} of {recorded}");
    }
}

#[test]
fn an_uptime_is_told_where_it_is_asked_for_as_it_was_read_last() {
    let mut simulation = Simulation::new(vec![component("api", json!({}))]);
    let wanted = ComponentObservation { uptime: true };
    let before = Uptime {
        percentage: 12.0,
        since: None,
    };
    let ask = |simulation: &Simulation, observe: Option<&ComponentObservation>| {
        ask_as(simulation, Kind::Component, "api", |context| {
            let read = context.uptime_to_read(observe, crate::engine::ReadWhat::Collection(CollectionKind::Page), "c");
            (context.uptime(observe, "c", Some(before.clone())), read.len())
        })
    };
    let not_wanted = ComponentObservation { uptime: false };
    assert_eq!(ask(&simulation, None), (None, 0));
    assert_eq!(ask(&simulation, Some(&not_wanted)), (None, 0));
    assert_eq!(
        ask(&simulation, Some(&wanted)),
        (Some(before.clone()), 1),
        "not read yet"
    );
    let known = statuspage::Uptime {
        uptime_percentage: Some(99.987_654),
        range_start: Some("2026-01-01T12:00:00Z".parse().unwrap()),
        ..Default::default()
    };
    let dated = |value| Dated {
        value,
        read_at: start(),
    };
    simulation.known.uptimes.insert("c".to_owned(), dated(Some(known)));
    let told = Uptime {
        percentage: 99.988,
        since: Some("2026-01-01".to_owned()),
    };
    assert_eq!(ask(&simulation, Some(&wanted)), (Some(told), 1));
    simulation.known.uptimes.insert("c".to_owned(), dated(None));
    assert_eq!(ask(&simulation, Some(&wanted)), (None, 1), "the page has none");
}

#[test]
fn a_declaration_that_is_suspended_or_only_observes_writes_nothing() {
    for (spec, writes) in [
        (json!({}), true),
        (json!({"suspend": true}), false),
        (json!({"managementPolicy": "ObserveOnly"}), false),
        (json!({"managementPolicy": "ObserveOnly", "suspend": true}), false),
    ] {
        let simulation = Simulation::new(vec![component("api", spec.clone())]);
        let asked = ask_as(&simulation, Kind::Component, "api", |context| {
            context.may_write(context.declaration)
        });
        assert_eq!(asked, writes, "{spec}");
    }
}

fn budget(limit: usize, reserve: usize, remaining: usize, paused: bool) -> Option<BudgetStats> {
    Some(BudgetStats {
        limit,
        reserve,
        remaining,
        paused_for: paused.then_some(std::time::Duration::from_secs(9)),
        ..BudgetStats::default()
    })
}

#[test]
fn a_backlog_takes_as_many_minutes_as_the_window_needs() {
    let names: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    let declared = names.iter().map(|name| component(name, json!({}))).collect();
    let mut simulation = Simulation::new(declared);
    simulation.known = simulation.remote.clone();
    let finalizers = simulation.declarations.iter_mut();
    finalizers.for_each(|declaration| declaration.finalizer = true);
    for (stats, minutes) in [
        (None, 0),
        (budget(0, 0, 0, true), 0),
        (budget(5, 1, 12, false), 0),
        (budget(5, 1, 12, true), 1),
        (budget(5, 1, 11, false), 1),
        (budget(5, 1, 8, false), 1),
        (budget(5, 1, 7, false), 2),
        (budget(5, 1, 0, false), 3),
        (budget(5, 1, 0, true), 3),
        (budget(5, 5, 10, false), 2),
    ] {
        let backlog = simulation.plan_within(stats).backlog;
        assert_eq!(backlog, Backlog { changes: 12, minutes }, "{stats:?}");
    }
    let nothing = Simulation::new(Vec::new());
    assert_eq!(
        nothing.plan_within(budget(5, 1, 0, true)).backlog,
        Backlog { changes: 0, minutes: 0 }
    );
}

#[test]
fn a_backlog_counts_what_follows_what_is_sent_next() {
    let three = json!({"updates": [
        {"status": "investigating", "body": "one"},
        {"status": "identified", "body": "two"},
        {"status": "monitoring", "body": "three"},
    ]});
    // Its creation, and two updates that follow it.
    let mut simulation = Simulation::new(vec![incident("down", three.clone()), component("api", json!({}))]);
    simulation.known = simulation.remote.clone();
    assert_eq!(simulation.plan().backlog.changes, 4);
    // After its creation the two: the next has to be read first, so that there is no step for it yet.
    simulation.pass();
    let mut simulation = Simulation::new(vec![incident(
        "down",
        json!({"updates": [three["updates"][0].clone()]}),
    )]);
    simulation.pass();
    simulation.respecify(Kind::Incident, "down", three.clone());
    simulation.now = simulation.now.saturating_add(SignedDuration::from_secs(60)).unwrap();
    assert_eq!(simulation.plan().backlog.changes, 2);
    let step = simulation.next_step();
    assert!(step.summary.to_string().contains("publish"), "{}", step.summary);
    assert_eq!(simulation.plan().backlog.changes, 2, "the next and the one after it");
    // Nothing is on its way for one that was stopped.
    let mut suspended = three;
    suspended["suspend"] = json!(true);
    simulation.respecify(Kind::Incident, "down", suspended);
    assert_eq!(simulation.plan().backlog.changes, 0);
}

#[test]
fn a_backlog_counts_what_waits_for_another_creation() {
    let declared = vec![
        crate::engine::tests::builders::group("core"),
        component("api", json!({"groupRef": {"name": "core"}})),
        component("web", json!({"groupRef": {"name": "core"}})),
    ];
    let mut simulation = Simulation::new(declared);
    simulation.known = simulation.remote.clone();
    let plan = simulation.plan();
    assert!(plan.remote_steps().count() < 3, "the group begins with one of them");
    assert!(plan.backlog.changes >= 2, "{:?}", plan.backlog);
}

#[test]
fn candidates_are_all_of_a_kind_and_say_which_is_meant() {
    let mut simulation = Simulation::new(vec![
        component("api", json!({})),
        crate::engine::tests::builders::group("core"),
    ]);
    let list = |simulation: &Simulation, kind: Kind, name: &str| {
        simulation.in_world(|world| candidates(&world, &key(kind, name)))
    };
    assert_eq!(list(&simulation, Kind::Component, "api"), None, "not read yet");
    let rows = vec![foreign_component("a", "other"), foreign_component("b", "api")];
    simulation.known.components = Some(Collection::read(rows, start(), true));
    put_foreign_group(&mut simulation.known, "g", "core", &["a"]);
    let candidate = |id: &str, same: bool| Candidate {
        id: id.to_owned(),
        same,
    };
    let components = list(&simulation, Kind::Component, "api").unwrap();
    assert_eq!(components, [candidate("a", false), candidate("b", true)]);
    assert_eq!(
        list(&simulation, Kind::ComponentGroup, "core").unwrap(),
        [candidate("g", true)]
    );
    assert_eq!(list(&simulation, Kind::Component, "undeclared"), None);
    assert_eq!(list(&simulation, Kind::StatusPage, "page"), None);
    simulation.known.incidents = Some(Collection::read(
        vec![foreign_incident("i", "Down", &[])],
        start(),
        true,
    ));
    for (id, kind) in [
        ("a", Some(Kind::Component)),
        ("g", Some(Kind::ComponentGroup)),
        ("i", Some(Kind::Incident)),
        ("x", None),
    ] {
        assert_eq!(kind_of(&simulation.known, id), kind, "{id}");
    }
}

fn failure(terminal: bool, reason: Reason) -> Failure {
    Failure {
        terminal,
        reason,
        message: String::new(),
        at: start(),
        attempts: 4,
        generation: 3,
        jitter: 0.0,
        reading: false,
    }
}

fn later(seconds: i64) -> Timestamp {
    start().saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

#[test]
fn a_failure_holds_until_its_pause_is_over_or_the_declaration_changes() {
    let failed = failure(false, Reason::Unreachable);
    assert_eq!(failed.retry_at(), later(8));
    for (generation, seconds, blocks) in [(3, 0, true), (3, 7, true), (3, 8, false), (2, 7, false), (4, 7, false)] {
        assert_eq!(
            failed.blocks(generation, later(seconds)),
            blocks,
            "{generation} {seconds}"
        );
    }
    // Tries are spread over a tenth of the pause.
    for (jitter, milliseconds) in [(0.0, 8000), (0.5, 8400), (1.0, 8800), (7.0, 8800), (-1.0, 8000)] {
        let spread = Failure {
            jitter,
            ..failed.clone()
        };
        let pause = spread.retry_at().duration_since(start());
        assert_eq!(pause, SignedDuration::from_millis(milliseconds), "{jitter}");
    }
    let refused = failure(true, Reason::Rejected);
    assert_eq!(refused.retry_at(), later(3600));
    let reading = Failure {
        reading: true,
        ..refused
    };
    assert_eq!(reading.retry_at(), later(8), "others wait for it");
}

#[test]
fn a_failure_is_forgotten_once_nothing_waits_for_it() {
    use Reason::{Progressing, Rejected, Suspended, Synced, Unreachable, WaitingForReference};
    let key = ObjectKey::new(Kind::Component, "team", "api");
    for (terminal, state, reason, seconds, forgotten) in [
        (false, State::InSync, Synced, 0, true),
        (true, State::InSync, Synced, 0, true),
        (false, State::Unknown, Progressing, 9, false),
        (false, State::Stalled, Rejected, 7, false),
        (false, State::Stalled, Rejected, 8, true),
        (true, State::Stalled, Rejected, 3600, false),
        (false, State::Suspended, Suspended, 7, false),
        (false, State::Suspended, Suspended, 8, true),
        (false, State::Progressing, WaitingForReference, 7, false),
        (false, State::Progressing, WaitingForReference, 8, true),
        (true, State::Progressing, WaitingForReference, 3600, false),
        (false, State::Progressing, Progressing, 8, false),
        (false, State::Progressing, Unreachable, 8, false),
    ] {
        let finding = |key: &ObjectKey| Finding {
            key: key.clone(),
            state,
            reason,
            message: String::new(),
        };
        let mut failures = [(key.clone(), failure(terminal, Unreachable))].into();
        let other = ObjectKey::new(Kind::Component, "team", "other");
        forget_settled(&mut failures, &[finding(&other), finding(&key)], later(seconds));
        assert_eq!(
            failures.is_empty(),
            forgotten,
            "{terminal} {state:?} {reason:?} after {seconds} s"
        );
    }
}

#[test]
fn claims_of_other_pages_come_with_all_that_decides_between_owners() {
    let mut declared = recorded(Kind::Component, "api", "c");
    declared.created = later(5);
    let claimant = crate::engine::Claimant::of(&declared).unwrap();
    assert_eq!(
        (claimant.id.as_str(), claimant.created, &claimant.key),
        ("c", later(5), &declared.key)
    );
    assert!(!claimant.is_to_take_over);
    declared.status_mut().object_mut().id = None;
    assert_eq!(crate::engine::Claimant::of(&declared), None);
    let claims = Claims::default();
    assert_eq!(claims.owner(Kind::Component, "c"), None);
}
