//! Lists that lag behind show the page as it was.

use std::collections::VecDeque;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};
use statuspage_operator::server::{Identifiers, Server};

use super::exchange::{console, open, read, request};
use super::{beginning, column, text};

/// What the management API answers to a program.
fn api(server: &Server, path: &str) -> (u16, Value) {
    let answer = server.exchange(request("GET", path, &Value::Null)).now_or_never();
    read(&answer.unwrap().unwrap())
}

fn lag(server: &Server, seconds: u64) {
    let lag = Duration::from_secs(seconds);
    server.faults().set_behaviour(|behaviour| behaviour.list_lag = lag);
}

const LISTS: [&str; 15] = [
    "/components",
    "/component-groups",
    "/incidents",
    "/incidents?q=down",
    "/incidents/unresolved",
    "/incidents/scheduled",
    "/incidents/upcoming",
    "/incidents/active_maintenance",
    "/incident_templates",
    "/metrics_providers",
    "/metrics",
    "/subscribers?state=all",
    "/subscribers/unsubscribed",
    "/page_access_users",
    "/page_access_groups",
];

#[test]
fn a_list_shows_what_was_and_an_object_what_is() {
    let (server, clock) = open(Identifiers::Random, 0);
    let made = |name: &str| {
        let (_, made) = console(&server, "POST", "/components", json!({"component": {"name": name}}));
        format!("/components/{}", text(&made["id"]))
    };
    let early = made("before the lag");
    lag(&server, 20);
    assert_eq!(column(&api(&server, "/components").1, "name"), ["before the lag"]);
    clock.advance(Duration::from_secs(20));
    let (changed, removed) = (made("changed"), made("removed"));
    clock.advance(Duration::from_secs(20));
    console(&server, "PATCH", &changed, json!({"component": {"name": "new name"}}));
    console(&server, "DELETE", &removed, Value::Null);
    console(&server, "DELETE", &early, Value::Null);
    let young = made("young");
    for _ in 0..2 {
        let listed = api(&server, "/components").1;
        assert_eq!(column(&listed, "name"), ["before the lag", "changed", "removed"]);
        clock.advance(Duration::from_millis(19_999));
        assert_eq!(api(&server, "/components").1, listed);
        assert_eq!(api(&server, &changed).1["name"], "new name");
        assert_eq!(api(&server, &young).1["name"], "young");
        assert_eq!(api(&server, &removed).0, 404);
        clock.set(beginning() + SignedDuration::from_secs(40));
    }
    assert_eq!(
        column(&console(&server, "GET", "/components", Value::Null).1, "name"),
        ["new name", "young"]
    );
    clock.advance(Duration::from_secs(20));
    assert_eq!(column(&api(&server, "/components").1, "name"), ["new name", "young"]);
    lag(&server, 0);
    made("fresh");
    assert_eq!(api(&server, "/components").1.as_array().unwrap().len(), 3);
}

#[test]
fn lists_below_what_is_younger_are_empty() {
    let (server, clock) = open(Identifiers::Random, 0);
    lag(&server, 20);
    let (_, incident) = console(&server, "POST", "/incidents", json!({"incident": {"name": "Down"}}));
    let path = format!("/incidents/{}/subscribers", text(&incident["id"]));
    let (status, _) = console(
        &server,
        "POST",
        &path,
        json!({"subscriber": {"email": "a@example.com"}}),
    );
    assert_eq!(status, 201);
    assert_eq!(api(&server, &path), (200, json!([])));
    clock.advance(Duration::from_secs(20));
    assert_eq!(api(&server, &path).1.as_array().unwrap().len(), 1);
    assert_eq!(api(&server, "/incidents/nothing/subscribers").0, 404);
    assert_eq!(api(&server, "/subscribers?type=nonsense").0, 400);
}

/// What somebody does to one of the objects of a list, chosen by a number.
#[derive(Clone, Debug)]
struct Step {
    list: usize,
    number: usize,
    act: Act,
    /// Ticks until the next.
    pause: usize,
    /// After how many of them somebody looks.
    look: usize,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Make,
    Change,
    Remove,
}

const MAKERS: [(&str, &str); 7] = [
    ("/components", "component"),
    ("/incidents", "incident"),
    ("/incident_templates", "template"),
    ("/metrics_providers", "metrics_provider"),
    ("/subscribers", "subscriber"),
    ("/page_access_users", "page_access_user"),
    ("/page_access_groups", "page_access_group"),
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![Just(Act::Make), Just(Act::Change), Just(Act::Remove)];
    let list = prop_oneof![Just(1), 0..MAKERS.len()];
    let step = (list, 0..6_usize, act, 0..16_usize, 0..16_usize);
    let step = step.prop_map(|(list, number, act, pause, look)| Step {
        list,
        number,
        act,
        pause,
        look,
    });
    proptest::collection::vec(step, 1..25)
}

/// Does a step on a server at the present tick.
fn take(server: &Server, step: &Step, count: usize) {
    let (path, envelope) = MAKERS[step.list];
    let shown = |server: &Server| {
        column(
            &console(server, "GET", &format!("{path}?state=all"), Value::Null).1,
            "id",
        )
    };
    let name = format!("n{count}");
    let second = |offset: i64| (beginning() + SignedDuration::from_secs(offset)).to_string();
    let begin = i64::try_from(count).unwrap() * 50;
    let fields = match (envelope, count % 2) {
        ("incident", 0) => json!({"name": name, "scheduled_for": second(begin), "scheduled_until": second(begin + 35),
            "scheduled_auto_in_progress": true, "scheduled_auto_completed": true, "scheduled_remind_prior": true}),
        ("incident", _) => json!({"name": name, "body": "Down."}),
        ("template", _) => json!({"name": name, "title": name, "body": "b"}),
        ("metrics_provider", _) => json!({"type": "Self", "metric_base_uri": name}),
        ("subscriber" | "page_access_user", _) => json!({"email": format!("{name}@example.com")}),
        _ => json!({"name": name}),
    };
    let ids = shown(server);
    let one = ids
        .get(step.number)
        .or(ids.first())
        .map(|id| format!("{path}/{}", text(id)));
    match (step.act, one) {
        (Act::Make, _) => {
            let (status, made) = console(server, "POST", path, json!({envelope: fields}));
            assert!(status < 300, "{made}");
        }
        (Act::Change, Some(one)) => {
            let fields = match envelope {
                "incident" => json!({"name": name, "body": "More."}),
                "subscriber" => return,
                _ => fields,
            };
            let (status, answer) = console(server, "PATCH", &one, json!({envelope: fields}));
            assert!(status < 300, "{answer}");
        }
        (Act::Remove, Some(one)) => {
            let (status, answer) = console(server, "DELETE", &one, Value::Null);
            assert!(status < 300, "{answer}");
        }
        (_, None) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// One server tells at every tick how things are, another, which lives through the same, how they were.
    #[test]
    fn a_lagging_list_is_what_was_read_then(steps in steps()) {
        const TICK: Duration = Duration::from_secs(10);
        const TICKS: usize = 6;
        let (fresh, fresh_clock) = open(Identifiers::Seeded(1), 0);
        let (late, late_clock) = open(Identifiers::Seeded(1), 0);
        lag(&late, 60);
        let read_all = |server: &Server| LISTS.map(|list| console(server, "GET", list, Value::Null));
        let mut records = VecDeque::from([read_all(&fresh)]);
        for (count, step) in steps.iter().enumerate() {
            take(&fresh, step, count);
            take(&late, step, count);
            records.pop_back();
            records.push_back(read_all(&fresh));
            for tick in 0..step.pause {
                fresh_clock.advance(TICK);
                late_clock.advance(TICK);
                records.push_back(read_all(&fresh));
                if records.len() > TICKS + 1 {
                    records.pop_front();
                }
                // Not at every tick: what time does is found out late, and has happened at its own instant.
                if records.len() == TICKS + 1 && tick == step.look {
                    for (list, record) in LISTS.iter().zip(&records[0]) {
                        prop_assert_eq!(&api(&late, list), record, "{}", list);
                    }
                }
            }
        }
    }
}

#[test]
fn pages_and_members_of_the_organization_lag_too() {
    let (server, clock) = open(Identifiers::Seeded(1), 0);
    lag(&server, 20);
    let outside = |method: &str, path: &str, body: Value, by_hand: bool| {
        let mut request = request(method, "", &body);
        *request.uri_mut() = format!("/v1{path}").parse().unwrap();
        let answer = match by_hand {
            true => server.console(request).now_or_never().unwrap(),
            false => server.exchange(request).now_or_never().unwrap().unwrap(),
        };
        read(&answer)
    };
    let users = format!("/organizations/{}/users", server.organization());
    let user = json!({"user": {"email": "a@example.com", "password": "secret"}});
    let (status, user) = outside("POST", &users, user, true);
    assert_eq!(status, 201);
    console(&server, "PATCH", "", json!({"page": {"name": "Renamed"}}));
    assert_eq!(outside("GET", &users, Value::Null, false), (200, json!([])));
    assert_eq!(
        column(&outside("GET", "/pages", Value::Null, false).1, "name"),
        ["Acme"]
    );
    assert_eq!(api(&server, "").1["name"], "Renamed");
    clock.advance(Duration::from_secs(20));
    assert_eq!(outside("GET", &users, Value::Null, false), (200, json!([user])));
    assert_eq!(
        column(&outside("GET", "/pages", Value::Null, false).1, "name"),
        ["Renamed"]
    );
}
