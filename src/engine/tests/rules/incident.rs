//! Whose an incident is, and what it says of its components.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{ask_as, later, recorded};
use crate::api::{IncidentSpec, Kind, Reason};
use crate::engine::context::Context;
use crate::engine::fields::{Access, Field};
use crate::engine::outcome::Blocked;
use crate::engine::rules::Rules;
use crate::engine::tests::builders::{component, foreign_component, foreign_incident, incident, start, updates};
use crate::engine::tests::simulation::Simulation;
use crate::engine::{Request, Spec, Status};
use crate::statuspage::{Collection, ComponentStatus, Incident, IncidentWrite};

const STORY: [(&str, &str); 2] = [("investigating", "Looking"), ("identified", "Found")];
const OVER: [(&str, &str); 3] = [
    ("investigating", "Looking"),
    ("identified", "Found"),
    ("resolved", "Over"),
];
const OTHER_WORDS: [(&str, &str); 2] = [("investigating", "Looking"), ("resolved", "Found")];
const UID: &str = "uid-Incident-down";

/// Asks the rules of the incident `down`.
fn ask_rules<T>(simulation: &Simulation, question: impl FnOnce(&IncidentSpec, &Context<'_>) -> T) -> T {
    ask_as(simulation, Kind::Incident, "down", |context| {
        match &*context.declaration.spec {
            Spec::Incident(spec) => question(spec, context),
            other => panic!("{other:?}"),
        }
    })
}

fn declared(more: Value) -> Simulation {
    let mut spec = json!({"name": "Down", "updates": updates(&STORY)});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    let mut down = incident("down", spec);
    down.fresh = false;
    Simulation::new(vec![down])
}

fn shown(name: &str, posts: &[(&str, &str)], mark: Option<[&str; 3]>) -> Incident {
    let mut remote = foreign_incident("old", name, posts);
    if let Some([uid, namespace, name]) = mark {
        let mark = json!({"uid": uid, "namespace": namespace, "name": name, "updates": posts.len()});
        remote.metadata.insert("statuspage-operator".into(), mark);
    }
    remote
}

#[test]
fn whose_an_incident_is_its_mark_says_and_else_its_name_and_what_it_tells() {
    let this = |simulation: &Simulation, remote: &Incident| {
        ask_rules(simulation, |rules, context| rules.same_identity(context, remote))
    };
    let own = Some([UID, "elsewhere", "old-name"]);
    let copy = Some(["another", "team", "down"]);
    let others = Some(["another", "team", "other"]);
    let strangers = Some(["another", "team", "stranger"]);
    for (what, name, posts, mark, known, fresh) in [
        (
            "its own, whatever it shows",
            "Renamed",
            &OTHER_WORDS[..],
            own,
            true,
            true,
        ),
        ("a copy's that is open", "Renamed", &STORY[..1], copy, true, true),
        (
            "a copy's that is over and tells all",
            "Renamed",
            &OVER,
            copy,
            true,
            false,
        ),
        (
            "a copy's that is over and tells something else",
            "Down",
            &OTHER_WORDS,
            copy,
            false,
            false,
        ),
        ("another declaration's", "Down", &STORY, others, false, false),
        (
            "of a declaration that is gone, open",
            "Down",
            &STORY[..1],
            strangers,
            true,
            true,
        ),
        (
            "of a declaration that is gone, with another name",
            "Up",
            &STORY,
            strangers,
            false,
            false,
        ),
        ("unmarked, open", "Down", &STORY[..1], None, true, true),
        ("unmarked, with another name", "Up", &STORY, None, false, false),
        ("unmarked, over, and tells all", "Down", &OVER, None, true, false),
        (
            "unmarked, over, and tells something else",
            "Down",
            &OTHER_WORDS,
            None,
            false,
            false,
        ),
        (
            "unmarked, over, and tells a part",
            "Down",
            &OVER[1..],
            None,
            false,
            false,
        ),
    ] {
        let mut simulation = declared(json!({}));
        simulation
            .declarations
            .push(incident("other", json!({"updates": updates(&STORY)})));
        let remote = shown(name, posts, mark);
        assert_eq!(this(&simulation, &remote), known, "{what}");
        // What was declared a moment ago is no outage of the past.
        simulation.declarations[0].fresh = true;
        assert_eq!(this(&simulation, &remote), fresh, "{what}, declared just now");
    }
    // What another declaration lets go of is nobody's.
    let mut simulation = declared(json!({}));
    let mut other = incident("other", json!({"updates": updates(&STORY)}));
    other.deleting = true;
    simulation.declarations.push(other);
    assert!(this(&simulation, &shown("Down", &STORY, others)));
}

#[test]
fn what_has_a_time_of_its_own_is_known_by_it_too() {
    let this = |more: Value, change: &dyn Fn(&mut Incident)| {
        let mut remote = shown("Down", &STORY[..1], None);
        change(&mut remote);
        let simulation = declared(more);
        ask_rules(&simulation, |rules, context| rules.same_identity(context, &remote))
    };
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let planned = || json!({"schedule": {"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T11:00:00Z"}});
    assert!(this(json!({}), &|_| {}));
    assert!(!this(json!({}), &|remote| remote.scheduled_for = at("2026-02-01T10:00:00Z")));
    assert!(!this(planned(), &|_| {}));
    assert!(this(planned(), &|remote| remote.scheduled_for = at("2026-02-01T10:00:00.5Z")));
    assert!(!this(planned(), &|remote| remote.scheduled_for = at("2026-02-01T10:00:01Z")));
    let past = || json!({"backfillDate": "2026-01-01T00:00:00Z"});
    assert!(!this(past(), &|_| {}));
    assert!(this(past(), &|remote| remote.backfilled = Some(true)));
    let told = |posts: &'static [(&str, &str)]| move |remote: &mut Incident| *remote = shown("Down", posts, None);
    assert!(this(past(), &told(&OVER)));
    assert!(!this(past(), &told(&STORY)), "it is open");
    assert!(!this(past(), &told(&OTHER_WORDS)));
    // A name that its template gives is not known here.
    assert!(this(json!({"templateRef": {"name": "t"}}), &|_| {}));
    assert!(!this(json!({"name": null, "templateRef": {"name": "t"}}), &|remote| {
        remote.name = Some("down".into())
    }));
    assert!(this(json!({"name": null}), &|remote| remote.name = Some("down".into())));
}

#[test]
fn an_incident_is_adopted_while_it_is_open_or_where_the_declaration_is_of_the_past() {
    let adoptable = |more: Value, posts: &[(&str, &str)], mark: Option<[&str; 3]>| {
        let simulation = declared(more);
        let remote = shown("Down", posts, mark);
        ask_rules(&simulation, |rules, context| {
            let named = rules.is_named_by(context, &remote);
            let attempt = rules.is_attempt(context, &remote);
            (rules.adoptable(context, &remote), named, attempt)
        })
    };
    let (own, copy) = (Some([UID, "x", "y"]), Some(["another", "team", "down"]));
    let (name, space) = (Some(["another", "team", "other"]), Some(["another", "others", "down"]));
    let ended = || json!({"updates": updates(&OVER)});
    let planned = || json!({"schedule": {"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T11:00:00Z"}});
    let past = || json!({"backfillDate": "2026-01-01T00:00:00Z"});
    for (more, posts, mark, expected) in [
        (json!({}), &STORY[..], None, (true, false, false)),
        (json!({}), &OVER, None, (false, false, false)),
        (ended(), &OVER, None, (false, false, false)),
        (json!({}), &STORY, own, (true, false, true)),
        (json!({}), &STORY, copy, (true, true, false)),
        (json!({}), &STORY, name, (false, false, false)),
        (json!({}), &STORY, space, (false, false, false)),
        (json!({}), &OVER, copy, (false, true, false)),
        (json!({}), &OVER, own, (false, false, true)),
        (ended(), &OVER, copy, (true, true, false)),
        (planned(), &OVER, copy, (true, true, false)),
        (past(), &OVER, copy, (true, true, false)),
        (ended(), &OVER, name, (false, false, false)),
    ] {
        assert_eq!(
            adoptable(more.clone(), posts, mark),
            expected,
            "{more} {posts:?} {mark:?}"
        );
    }
}

/// An incident that names `api`, with what the page shows of the components.
fn with_component(more: Value, api: bool) -> Simulation {
    let mut simulation = declared(json!({"components": {"api": "major_outage"}}));
    let mut spec = json!({"name": "Down", "updates": updates(&STORY), "components": {"api": "major_outage"}});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    simulation.declarations[0] = incident("down", spec);
    simulation.known = simulation.remote.clone();
    if api {
        let mut row = foreign_component("c", "api");
        row.status = Some(ComponentStatus::MajorOutage);
        simulation.known.components = Some(Collection::read(vec![row], start(), true));
        simulation.declarations.push(recorded(Kind::Component, "api", "c"));
    }
    simulation
}

fn fields(simulation: &Simulation, remote: Option<&Incident>) -> Result<Vec<Field>, Blocked> {
    ask_rules(simulation, |rules, context| rules.fields(context, remote))
}

/// The field that holds the map of components: what is wanted, what is seen, and what may be done with it.
fn map_of(simulation: &Simulation, remote: Option<&Incident>) -> Option<(Value, Option<Value>, Access)> {
    let fields = fields(simulation, remote).unwrap();
    let field = fields.into_iter().find(|field| field.name == "components")?;
    Some((field.desired, field.observed, field.access))
}

#[test]
fn a_new_incident_waits_a_moment_for_its_components_and_goes_without_them_then() {
    let map = || json!({"c": "major_outage"});
    let remote = shown("Down", &STORY, None);
    let here = with_component(json!({}), true);
    assert_eq!(map_of(&here, None), Some((map(), None, Access::WriteOnly)));
    let is_awaited = |simulation: &Simulation, remote: Option<&Incident>| match fields(simulation, remote) {
        Ok(fields) => {
            assert!(
                fields.iter().any(|field| field.access == Access::Noted),
                "what is declared is noted"
            );
            assert!(fields.iter().all(|field| field.name != "components"));
            None
        }
        Err(blocked) => Some(blocked.reason),
    };
    // Nobody has declared it.
    let undeclared = with_component(json!({}), false);
    assert_eq!(is_awaited(&undeclared, None), Some(Reason::WaitingForReference));
    assert_eq!(
        is_awaited(&undeclared, Some(&remote)),
        None,
        "one that is on the page waits for nothing"
    );
    // It is being created.
    let mut coming = with_component(json!({}), false);
    coming.declarations.push(component("api", json!({})));
    for (seconds, awaited) in [(0, true), (9, true), (10, false), (60, false)] {
        coming.now = later(seconds);
        let expected = awaited.then_some(Reason::WaitingForReference);
        assert_eq!(is_awaited(&coming, None), expected, "after {seconds} s");
        assert_eq!(is_awaited(&coming, Some(&remote)), None, "after {seconds} s");
    }
    // Nobody creates it.
    let mut held = with_component(json!({}), false);
    held.declarations.push(component("api", json!({"suspend": true})));
    assert_eq!(is_awaited(&held, None), None);
    // The list was not read.
    let mut unread = with_component(json!({}), false);
    unread.declarations.push(component("api", json!({})));
    unread.known.components = None;
    assert_eq!(is_awaited(&unread, None), Some(Reason::WaitingForReference));
    unread.now = later(10);
    assert_eq!(is_awaited(&unread, None), None);
}

/// Records that a value was told.
fn told(simulation: &mut Simulation, name: &str, value: &Value) {
    let hash = ask_rules(simulation, |_, context| context.seal().of(value));
    let applied = &mut simulation.declarations[0].status_mut().object_mut().applied;
    applied.insert(name.to_owned(), hash);
}

fn affected(posts: &[(&str, &str)], components: &[(&str, ComponentStatus)]) -> Incident {
    let mut remote = shown("Down", posts, None);
    let row = |(id, status): &(&str, ComponentStatus)| {
        let mut row = foreign_component(id, id);
        row.status = Some(status.clone());
        row
    };
    remote.components = components.iter().map(row).collect();
    remote
}

#[test]
fn the_map_of_components_is_compared_while_the_incident_is_open_and_was_told() {
    use ComponentStatus::{MajorOutage, Operational, PartialOutage};
    let map = || json!({"c": "major_outage"});
    let seen = |status: &str| Some((map(), Some(json!({"c": status})), Access::ReadWrite));
    let to_tell = || Some((map(), None, Access::WriteOnly));
    // It was never told: an adopted incident that shows it needs not be told.
    let simulation = with_component(json!({}), true);
    assert_eq!(
        map_of(&simulation, Some(&affected(&STORY, &[("c", MajorOutage)]))),
        seen("major_outage")
    );
    assert_eq!(
        map_of(&simulation, Some(&affected(&STORY, &[("c", PartialOutage)]))),
        to_tell()
    );
    assert_eq!(map_of(&simulation, Some(&affected(&STORY, &[]))), to_tell());
    let more = [("c", MajorOutage), ("d", MajorOutage)];
    assert_eq!(map_of(&simulation, Some(&affected(&STORY, &more))), to_tell());

    // It was told: somebody may have changed it since.
    let open = affected(&STORY, &[("c", Operational)]);
    let with_row = |status: Option<ComponentStatus>| {
        let mut simulation = with_component(json!({}), true);
        told(&mut simulation, "components", &map());
        let mut row = foreign_component("c", "api");
        row.status = status;
        simulation.known.components = Some(Collection::read(vec![row], start(), true));
        simulation
    };
    assert_eq!(map_of(&with_row(Some(MajorOutage)), Some(&open)), seen("major_outage"));
    assert_eq!(
        map_of(&with_row(Some(PartialOutage)), Some(&open)),
        seen("partial_outage")
    );
    assert_eq!(
        map_of(&with_row(None), Some(&open)),
        seen("major_outage"),
        "nothing is seen"
    );
    // Something else was told, or it is over.
    let mut other = with_row(Some(PartialOutage));
    told(&mut other, "components", &json!({"c": "operational"}));
    assert_eq!(map_of(&other, Some(&open)), to_tell());
    assert_eq!(
        map_of(&with_row(Some(PartialOutage)), Some(&affected(&OVER, &[]))),
        to_tell()
    );
    let mut over = with_row(Some(PartialOutage));
    told(&mut over, "components/declared", &json!({"api": "major_outage"}));
    assert_eq!(
        map_of(&over, Some(&affected(&OVER, &[]))),
        None,
        "what is over needs its components no more"
    );
    assert_eq!(map_of(&over, Some(&open)), seen("partial_outage"));
}

#[test]
fn what_several_incidents_decide_about_is_no_difference() {
    let map = || json!({"c": "major_outage"});
    let open = affected(&STORY, &[]);
    let mut simulation = with_component(json!({}), true);
    told(&mut simulation, "components", &map());
    let mut row = foreign_component("c", "api");
    row.status = Some(ComponentStatus::Operational);
    simulation.known.components = Some(Collection::read(vec![row.clone()], start(), true));
    let observed = |simulation: &Simulation| map_of(simulation, Some(&open)).unwrap().1.unwrap();
    assert_eq!(observed(&simulation), json!({"c": "operational"}));
    // Another one is declared.
    let other = json!({"updates": updates(&STORY), "components": {"api": "partial_outage"}});
    simulation.declarations.push(incident("slow", other));
    assert_eq!(observed(&simulation), map());
    simulation.declarations.pop();
    // Others are on the page.
    let mut run = |id: &str| {
        let mut remote = foreign_incident(id, id, &STORY);
        remote.components = vec![row.clone()];
        simulation.known.put(remote);
        observed(&simulation)
    };
    assert_eq!(run("i1"), json!({"c": "operational"}));
    assert_eq!(run("i2"), map());
}

#[test]
fn a_maintenance_is_told_of_its_components_and_compares_their_names_before_it_starts() {
    use ComponentStatus::{MajorOutage, Operational};
    let planned = json!({
        "schedule": {"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T11:00:00Z"},
        "updates": updates(&[("scheduled", "Soon")]),
    });
    let simulation = with_component(planned.clone(), true);
    let is_shown = |components: &[(&str, ComponentStatus)]| {
        let remote = affected(&[("scheduled", "Soon")], components);
        map_of(&simulation, Some(&remote)).unwrap().1.is_some()
    };
    assert!(
        is_shown(&[("c", Operational)]),
        "its statuses are still those of others"
    );
    assert!(!is_shown(&[]) && !is_shown(&[("d", Operational)]));
    assert!(!is_shown(&[("c", Operational), ("d", MajorOutage)]));
    // Its map follows its phases, and is never compared.
    let mut running = with_component(planned, true);
    told(&mut running, "components", &json!({"c": "major_outage"}));
    let remote = affected(&[("in_progress", "Now")], &[("c", Operational)]);
    assert_eq!(map_of(&running, Some(&remote)).unwrap().2, Access::WriteOnly);
}

#[test]
fn a_maintenance_without_components_moves_none() {
    let names = |components: Value| {
        let planned = json!({
            "schedule": {"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T11:00:00Z"},
            "updates": updates(&[("scheduled", "Soon")]),
            "components": components,
        });
        let fields = fields(&with_component(planned, true), None).unwrap();
        fields.iter().filter(|field| field.wire.ends_with("_state")).count()
    };
    assert_eq!((names(json!({})), names(json!({"api": "major_outage"}))), (0, 2));
}

fn write_of(request: Request) -> IncidentWrite {
    match request {
        Request::CreateIncident(write) | Request::UpdateIncident(_, write) => *write,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_map_of_components_travels_as_the_phase_of_the_incident_wants_it() {
    use ComponentStatus::{MajorOutage, Operational, UnderMaintenance};
    let written = |schedule: Option<Value>, phase: &str, components: bool| {
        let mut more = json!({"updates": updates(&[(phase, "Now")])});
        if let Some(schedule) = schedule {
            more["schedule"] = json!({"start": "2026-02-01T10:00:00Z", "end": "2026-02-01T11:00:00Z"});
            for (name, value) in schedule.as_object().unwrap() {
                more["schedule"][name] = value.clone();
            }
        }
        let simulation = with_component(more, true);
        let mut body: Map<String, Value> = Map::new();
        if components {
            body.insert("components".into(), json!({"c": "major_outage"}));
        }
        let remote = shown("Down", &STORY, None);
        let [create, update] = ask_rules(&simulation, |rules, context| {
            let create = rules.create(context, body.clone()).unwrap();
            [create, rules.update(context, &remote, body).unwrap()]
        });
        let (create, update) = (write_of(create), write_of(update));
        assert_eq!(
            (&create.components, &create.component_ids),
            (&update.components, &update.component_ids)
        );
        assert_eq!(
            (create.status.unwrap().as_str(), create.body.as_deref()),
            (phase, Some("Now"))
        );
        assert_eq!(
            (create.deliver_notifications, update.deliver_notifications),
            (Some(true), Some(false))
        );
        assert_eq!(create.backfilled, None);
        (create.components.map(|map| map["c"].clone()), create.component_ids)
    };
    let ids = || Some(vec!["c".to_owned()]);
    let moved = || Some(json!({}));
    let left = || Some(json!({"transitionComponents": false}));
    let restored = || Some(json!({"transitionComponents": false, "restoreComponents": true}));
    let kept = || Some(json!({"restoreComponents": false}));
    for (schedule, phase, status) in [
        (None, "investigating", Some(MajorOutage)),
        (None, "resolved", Some(MajorOutage)),
        (moved(), "scheduled", None),
        (left(), "scheduled", None),
        (moved(), "in_progress", Some(UnderMaintenance)),
        (moved(), "verifying", Some(UnderMaintenance)),
        (left(), "in_progress", Some(MajorOutage)),
        (moved(), "completed", Some(Operational)),
        (left(), "completed", Some(MajorOutage)),
        (restored(), "completed", Some(Operational)),
        (kept(), "completed", Some(MajorOutage)),
    ] {
        assert_eq!(
            written(schedule.clone(), phase, true),
            (status, ids()),
            "{schedule:?} {phase}"
        );
        assert_eq!(written(schedule, phase, false), (None, None), "{phase}");
    }
}

#[test]
fn a_status_of_an_incident_says_what_the_page_shows() {
    let simulation = declared(json!({}));
    let mut remote = shown("Down", &OVER, None);
    remote.impact = Some("major".into());
    remote.resolved_at = Some("2026-01-01T10:00:00.7Z".parse().unwrap());
    remote.shortlink = Some("https://stspg.io/x".to_owned());
    let mut status = (*simulation.declarations[0].status).clone();
    ask_rules(&simulation, |rules, context| {
        rules.observe(context, &remote, &mut status)
    });
    let Status::Incident(status) = status else {
        panic!("{status:?}")
    };
    assert_eq!(
        (status.status.as_deref(), status.impact.as_deref()),
        (Some("resolved"), Some("major"))
    );
    assert_eq!(
        status.resolved_at.unwrap().0,
        "2026-01-01T10:00:00Z".parse::<Timestamp>().unwrap()
    );
    assert_eq!(status.object.url.as_deref(), Some("https://stspg.io/x"));
}

#[test]
fn an_incident_on_the_page_says_which_components_it_went_without() {
    let spec = json!({"updates": updates(&STORY[..1]), "components": {"api": "major_outage", "web": "major_outage"}});
    let mut simulation = Simulation::new(vec![incident("down", spec), component("web", json!({"suspend": true}))]);
    simulation.declarations.push(component("api", json!({})));
    simulation.refuse = Some(Box::new(|request| {
        matches!(request, Request::CreateComponent(_)).then_some((false, Reason::Unreachable))
    }));
    simulation.pass();
    simulation.now = simulation.now.saturating_add(SignedDuration::from_secs(30)).unwrap();
    simulation.pass();
    let message = simulation.finding(Kind::Incident, "down").message.clone();
    let without = message.split_once(": ").map(|(_, names)| names.to_owned());
    assert_eq!(without.as_deref(), Some("api, web"), "{message}");
}
