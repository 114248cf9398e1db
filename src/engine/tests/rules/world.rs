//! What a page allows, and when what is known of it is too old.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{failure, later};
use crate::api::{Reason, StatusPageSpec};
use crate::engine::tests::builders::page;
use crate::engine::tests::simulation::Simulation;
use crate::engine::{ReadWhat, Status, World, resync_interval, subscriber_totals};
use crate::statuspage::{CollectionKind, SubscriberHistogram, SubscriberStates};

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
