//! What a seed decides: what is declared, who does what when, and what goes wrong.

use std::time::Duration;

use serde_json::{Value, json};

use super::chance::Chance;
use super::process::Blow;
use super::store::{Trouble, TroubleKind};
use super::weather::{Kind as Fault, Spell, Target};
use crate::api::Kind;
use crate::engine::ObjectKey;

/// Until then things happen.
pub(super) const STORMY: Duration = Duration::from_secs(600);
/// So much later all must be as declared: failures that pass are tried again after seven minutes, lists read again after
/// twenty.
const SETTLING: Duration = Duration::from_secs(1800);
/// What was refused is examined again after an hour.
const SETTLING_OF_REFUSALS: Duration = Duration::from_secs(4500);
/// Of two operators that know nothing of each other each sees what the other did when it reads its lists again.
const SETTLING_OF_RIVALS: Duration = Duration::from_secs(1200);
/// And so long nothing may be written then.
const STILL: Duration = Duration::from_secs(700);
/// Now and then for longer than anything is known for.
const LONG_STILL: Duration = Duration::from_secs(4000);

/// Something that somebody does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// An owner declares something, or changes what is declared.
    Declare(ObjectKey, Value),
    /// An owner appends an update to an incident.
    Append(ObjectKey, Value),
    /// An owner deletes a declaration.
    Delete(ObjectKey),
    /// An owner wants something looked at now.
    Request(ObjectKey),
    /// A person changes the object of this name in the console.
    Change(&'static str, String, Value),
    /// A person creates something in the console.
    Create(&'static str, Value),
    /// A person deletes the object of this name in the console.
    Remove(&'static str, String),
    /// Something befalls a process.
    Blow(usize, Blow),
    /// A backup of the store is made.
    Backup,
    /// It is restored.
    Restore,
}

/// Everything that a seed decides but the chances of the network.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) page: Value,
    /// What is declared before anything starts.
    pub(super) declared: Vec<(ObjectKey, Value)>,
    /// What is on the page before that.
    pub(super) foreign: Vec<(&'static str, Value)>,
    pub(super) acts: Vec<(Duration, Act)>,
    pub(super) spells: Vec<Spell>,
    pub(super) troubles: Vec<Trouble>,
    /// Requests in any 60 seconds.
    pub(super) limit: u32,
    pub(super) lag: Duration,
    /// How far the clocks of the remote service and of the processes are ahead, in seconds.
    pub(super) remote_ahead: i64,
    pub(super) skews: Vec<i64>,
    /// Two processes that know nothing of each other, such as two releases of the chart.
    pub(super) leases_of_their_own: bool,
    /// For how long it may take until all is as declared, and how long it is looked on then.
    pub(super) settling: Duration,
    pub(super) still: Duration,
}

pub(super) fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "team", name)
}

const COMPONENTS: [&str; 4] = ["api", "web", "mail", "batch"];
const INCIDENTS: [&str; 3] = ["down", "slow", "odd"];
const STATUSES: [&str; 4] = ["operational", "degraded_performance", "partial_outage", "major_outage"];
const SKEWS: [i64; 7] = [0, 0, 0, 2, -3, 600, -600];

impl Scenario {
    /// The scenario of a seed.
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let lag = *chance.pick(&[0, 5, 30, 55]).unwrap_or(&0);
        let resync = *chance.pick(&["5m", "20m"]).unwrap_or(&"5m");
        let page = json!({
            "pageId": super::stage::PAGE,
            "api": {"tokenSecretRef": {"name": "token"}},
            "resyncInterval": resync,
        });
        let processes = if chance.permille(350) { 2 } else { 1 };
        let mut scenario = Scenario {
            page,
            declared: Vec::new(),
            foreign: vec![
                (
                    "components",
                    json!({"component": {"name": "Theirs", "description": "of others"}}),
                ),
                (
                    "incidents",
                    json!({"incident": {"name": "Their incident", "status": "investigating", "body": "Their text"}}),
                ),
            ],
            acts: Vec::new(),
            spells: Vec::new(),
            troubles: Vec::new(),
            limit: *chance.pick(&[0, 60, 60, 20]).unwrap_or(&60),
            lag: Duration::from_secs(lag),
            remote_ahead: *chance.pick(&SKEWS).unwrap_or(&0),
            skews: (0..processes).map(|_| *chance.pick(&SKEWS).unwrap_or(&0)).collect(),
            leases_of_their_own: false,
            settling: SETTLING,
            still: if chance.permille(100) { LONG_STILL } else { STILL },
        };
        if processes == 2 && chance.permille(250) {
            // Each keeps its own window: together they send twice as much.
            scenario.leases_of_their_own = true;
            scenario.limit = 0;
        }
        scenario.declare_all(chance);
        scenario.owners(chance);
        scenario.people(chance);
        scenario.faults(chance);
        scenario.blows(chance);
        if scenario.leases_of_their_own {
            scenario.settling += SETTLING_OF_RIVALS;
        }
        scenario.acts.sort_by_key(|(at, _)| *at);
        scenario
    }

    fn act(&mut self, at: Duration, act: Act) {
        self.acts.push((at, act));
    }

    /// Some of what the run is about stands at the beginning, the rest comes later.
    fn declare_all(&mut self, chance: &mut Chance) {
        let grouped = chance.permille(600);
        if grouped {
            let group = json!({"description": "Core"});
            self.declared.push((key(Kind::ComponentGroup, "core"), group));
        }
        for (number, name) in COMPONENTS.iter().enumerate() {
            let mut spec = component(chance, 0);
            if let (true, true, Some(fields)) = (grouped, number < 2, spec.as_object_mut()) {
                fields.insert("groupRef".to_owned(), json!({"name": "core"}));
            }
            let declared = (key(Kind::Component, name), spec);
            match chance.permille(700) {
                true => self.declared.push(declared),
                false => {
                    let at = chance.duration(Duration::ZERO, STORMY);
                    self.act(at, Act::Declare(declared.0, declared.1));
                }
            }
        }
        for name in INCIDENTS {
            let declared = (key(Kind::Incident, name), incident(chance, name));
            if chance.permille(250) {
                self.declared.push(declared);
            } else if chance.permille(800) {
                let at = chance.duration(Duration::ZERO, STORMY);
                self.act(at, Act::Declare(declared.0, declared.1));
            }
        }
        if chance.permille(300) {
            let subscriber = json!({"email": "team@example.com", "skipConfirmation": true});
            self.declared.push((key(Kind::Subscriber, "team"), subscriber));
        }
    }

    fn owners(&mut self, chance: &mut Chance) {
        for _ in 0..chance.below(5) {
            let at = chance.duration(Duration::from_secs(5), STORMY);
            let name = chance.pick(&COMPONENTS).copied().unwrap_or("api");
            let component_key = key(Kind::Component, name);
            match chance.below(8) {
                0 => self.act(at, Act::Delete(component_key)),
                1 => self.act(at, Act::Request(component_key)),
                2..=4 => {
                    let revision = chance.below(1000);
                    let spec = component(chance, revision);
                    self.act(at, Act::Declare(component_key, spec));
                }
                _ => {
                    let name = chance.pick(&INCIDENTS).copied().unwrap_or("down");
                    let status = *chance
                        .pick(&["identified", "monitoring", "resolved"])
                        .unwrap_or(&"resolved");
                    let number = chance.below(1_000_000);
                    let update = json!({"status": status, "body": format!("{name} says {number}")});
                    self.act(at, Act::Append(key(Kind::Incident, name), update));
                }
            }
        }
    }

    fn people(&mut self, chance: &mut Chance) {
        if chance.permille(400) {
            return;
        }
        for number in 0..chance.below(4) {
            let at = chance.duration(Duration::from_secs(5), STORMY);
            let component = (*chance.pick(&COMPONENTS).unwrap_or(&"api")).to_owned();
            let incident = (*chance.pick(&INCIDENTS).unwrap_or(&"down")).to_owned();
            let act = match chance.below(8) {
                0 => Act::Create(
                    "components",
                    json!({"component": {"name": format!("Person's {number}")}}),
                ),
                1 => {
                    let text = json!({"incident": {"name": format!("Person's {number}"), "status": "investigating", "body": "By hand"}});
                    Act::Create("incidents", text)
                }
                2 => Act::Change(
                    "components",
                    component,
                    json!({"component": {"description": "by a person"}}),
                ),
                3 => Act::Remove("components", component),
                4 => {
                    let change =
                        json!({"incident": {"status": "resolved", "body": format!("Person ends it {number}")}});
                    // Its owner may not have heard of it, and goes on.
                    let update = json!({"status": "monitoring", "body": format!("{incident} goes on {number}")});
                    let later = at + Duration::from_secs(40);
                    if later < STORMY {
                        self.act(later, Act::Append(key(Kind::Incident, &incident), update));
                    }
                    Act::Change("incidents", incident, change)
                }
                5 => {
                    let change =
                        json!({"incident": {"status": "identified", "body": format!("Person writes {number}")}});
                    Act::Change("incidents", incident, change)
                }
                6 => Act::Change(
                    "components",
                    component,
                    json!({"component": {"status": "major_outage"}}),
                ),
                _ => Act::Remove("incidents", incident),
            };
            self.act(at, act);
        }
    }

    fn faults(&mut self, chance: &mut Chance) {
        let targets = [
            Target::Everything,
            Target::Reads,
            Target::Writes,
            Target::Creations,
            Target::Creations,
            Target::Resource("components"),
            Target::Resource("incidents"),
            Target::Resource("subscribers"),
            Target::List("components"),
            Target::List("incidents"),
        ];
        for _ in 0..chance.below(4) {
            let from = chance.duration(Duration::ZERO, STORMY);
            let long = chance.permille(200);
            let length = if long {
                chance.seconds(120, 600)
            } else {
                chance.seconds(1, 60)
            };
            let spell = Spell {
                from,
                to: (from + length).min(STORMY),
                kind: *chance.pick(&Fault::ALL).unwrap_or(&Fault::ReplyLost),
                target: *chance.pick(&targets).unwrap_or(&Target::Everything),
                permille: *chance.pick(&[1000, 500, 200]).unwrap_or(&500),
            };
            self.spells.push(spell);
        }
        let refuses = |spell: &Spell| {
            matches!(
                spell.kind,
                Fault::Refused | Fault::Echoed | Fault::Html | Fault::Redirected
            )
        };
        if self.spells.iter().any(refuses) {
            self.settling = SETTLING_OF_REFUSALS;
        }
        let kinds = [
            TroubleKind::Away,
            TroubleKind::Slow,
            TroubleKind::Mute,
            TroubleKind::Blind,
        ];
        if chance.permille(300) {
            let from = chance.duration(Duration::ZERO, STORMY);
            let to = (from + chance.seconds(1, 60)).min(STORMY);
            let kind = *chance.pick(&kinds).unwrap_or(&TroubleKind::Away);
            self.troubles.push(Trouble { from, to, kind });
        }
        if chance.permille(100) {
            let at = chance.duration(Duration::from_secs(60), STORMY / 2);
            self.act(at, Act::Backup);
            let later = chance.duration(at, STORMY);
            self.act(later, Act::Restore);
        }
    }

    fn blows(&mut self, chance: &mut Chance) {
        for process in 0..self.skews.len() {
            for _ in 0..chance.below(4) {
                let at = chance.duration(Duration::ZERO, STORMY);
                let blow = match chance.below(8) {
                    0..=3 => Blow::CrashAfter(1 + chance.below(12)),
                    4 | 5 => Blow::Pause(chance.seconds(5, 60)),
                    6 => Blow::Stop,
                    _ => Blow::Jump(*chance.pick(&[600, -600, 30, -30]).unwrap_or(&600)),
                };
                self.act(at, Act::Blow(process, blow));
            }
        }
    }
}

fn component(chance: &mut Chance, revision: u64) -> Value {
    let mut spec = json!({"description": format!("Revision {revision}")});
    if let (true, Some(fields)) = (chance.permille(300), spec.as_object_mut()) {
        let status = chance.pick(&STATUSES).copied().unwrap_or("operational");
        fields.insert("status".to_owned(), json!(status));
    }
    spec
}

fn incident(chance: &mut Chance, name: &str) -> Value {
    let mut updates = vec![json!({"status": "investigating", "body": format!("{name}: we look into it")})];
    if chance.permille(400) {
        updates.push(json!({"status": "identified", "body": format!("{name}: we know it")}));
    }
    if chance.permille(200) {
        updates.push(json!({"status": "resolved", "body": format!("{name}: it is over")}));
    }
    let mut spec = json!({"updates": updates});
    if let (true, Some(fields)) = (chance.permille(400), spec.as_object_mut()) {
        let component = chance.pick(&COMPONENTS).copied().unwrap_or("api");
        let status = chance.pick(&STATUSES).copied().unwrap_or("operational");
        fields.insert("components".to_owned(), json!({component: status}));
    }
    spec
}
