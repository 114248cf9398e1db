//! What a command adds to the manifest of an incident. Pure.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::declared::{Affected, Declared, DeclaredIncident, usage};
use super::words::minute;
use super::{PostmortemArguments, ResolveArguments, UpdateArguments};
use crate::api::{ComponentStatusName, IncidentStatusName};
use crate::cli::output::print_lines;
use crate::cli::{Failure, Outcome};
use crate::manifest::{Edit, spec_field};
use crate::statuspage::Incident;

/// What Statuspage itself says at the end.
const RESOLVED: &str = "This incident has been resolved.";
const COMPLETED: &str = "The scheduled maintenance has been completed.";

/// What becomes of an incident that is declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Draft {
    /// Changes of the manifest; none when there is nothing to do.
    pub(super) edits: Vec<Edit>,
    /// What is worth knowing, a line each.
    pub(super) says: Vec<String>,
    /// True when something is wrong that only a person can decide.
    pub(super) stops: bool,
}

pub(super) fn update_of(status: IncidentStatusName, body: &str, notify: bool) -> Value {
    let mut update = json!({"status": status, "body": body});
    if !notify {
        update["notify"] = json!(false);
    }
    update
}

/// How an incident and its components stand on the page.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// The incident; none when it is not there or was not read.
    pub(super) incident: Option<Incident>,
    /// The statuses that the page shows of declared components, by metadata.name.
    pub(super) components: BTreeMap<String, String>,
}

impl Standing {
    fn is_over(&self) -> bool {
        let status = self.incident.as_ref().and_then(|incident| incident.status.as_ref());
        status.is_some_and(crate::statuspage::IncidentStatus::is_over)
    }

    /// What the page shows of a component where it is another status than declared: somebody changed it there.
    fn changed(&self, name: &str, declared: ComponentStatusName) -> Option<&str> {
        let shown = self.components.get(name)?;
        (shown != declared.as_str()).then_some(shown)
    }
}

/// Another update, or another status of a component alone.
pub(super) fn update(
    declared: &Declared,
    incident: &DeclaredIncident,
    standing: &Standing,
    arguments: &UpdateArguments,
) -> Result<Draft, Failure> {
    let maintenance = incident.spec.schedule.is_some();
    if arguments.message.is_none() && arguments.status.is_none() && arguments.components.is_empty() {
        return Err(usage("nothing to publish: give -m, -s or -c".to_owned()));
    }
    if let Some(status) = arguments
        .status
        .filter(|status| status.is_of_maintenance() != maintenance)
    {
        let what = if maintenance { "a maintenance" } else { "an incident" };
        return Err(usage(format!("{} is no status of {what}", status.as_str())));
    }
    let given = given(declared, incident, &arguments.components)?;
    let declared_open = incident.phase().is_none_or(|phase| !phase.is_end());
    if standing.is_over() && declared_open {
        return Ok(Draft {
            says: vec![format!(
                "{}; nothing was published. `incident resolve {}` records that",
                ended(standing),
                incident.key.name
            )],
            stops: true,
            ..Draft::default()
        });
    }
    let mut draft = Draft::default();
    if arguments.message.is_some() || arguments.status.is_some() {
        let status = arguments
            .status
            .or(incident.phase())
            .unwrap_or(IncidentStatusName::Investigating);
        let body = arguments.message.as_deref().unwrap_or_default();
        draft.append(status, body, !arguments.sending.no_notify);
    }
    draft.components(incident, standing, &given, &Elsewhere::new(), None);
    if draft.edits.is_empty() {
        draft
            .says
            .push("Nothing to do: the components are declared so already.".to_owned());
    }
    Ok(draft)
}

/// The last update, with the components as they were before.
pub(super) fn resolve(
    declared: &Declared,
    incident: &DeclaredIncident,
    standing: &Standing,
    arguments: &ResolveArguments,
) -> Result<Draft, Failure> {
    let given = given(declared, incident, &arguments.components)?;
    let (end, usual) = match incident.spec.schedule {
        Some(_) => (IncidentStatusName::Completed, COMPLETED),
        None => (IncidentStatusName::Resolved, RESOLVED),
    };
    let mut draft = Draft::default();
    let declared_over = incident.phase().is_some_and(IncidentStatusName::is_end);
    match standing
        .incident
        .as_ref()
        .filter(|_| standing.is_over() && !declared_over)
    {
        // What was told is declared as it was told, so that it is not told again.
        Some(remote) => {
            draft.says.push(format!(
                "{}; nothing is published, the manifest says so from now on",
                ended(standing)
            ));
            let ends = |update: &&crate::statuspage::IncidentUpdate| {
                update
                    .status
                    .as_ref()
                    .is_some_and(crate::statuspage::IncidentStatus::is_over)
            };
            let told = remote
                .incident_updates
                .iter()
                .find(ends)
                .and_then(|update| update.body.as_deref());
            draft.append(end, told.unwrap_or_default(), false);
        }
        None if declared_over => {
            draft
                .says
                .push(format!("{} is declared to be over already.", incident.key.name));
        }
        None => {
            let text = arguments.message.as_deref().unwrap_or(usual);
            draft.append(end, text, !arguments.sending.no_notify);
        }
    }
    let elsewhere = elsewhere(declared, incident);
    draft.components(
        incident,
        standing,
        &given,
        &elsewhere,
        Some(ComponentStatusName::Operational),
    );
    Ok(draft)
}

/// The postmortem.
pub(super) fn postmortem(
    incident: &DeclaredIncident,
    body: &str,
    arguments: &PostmortemArguments,
) -> Result<Draft, Failure> {
    if body.trim().is_empty() {
        return Err(usage("the postmortem is empty".to_owned()));
    }
    let mut value = json!({"body": body});
    if !arguments.publish {
        value["publish"] = json!(false);
    }
    if arguments.sending.notify {
        value["notifySubscribers"] = json!(true);
    }
    let mut draft = Draft {
        edits: vec![Edit::Set {
            field: "/spec/postmortem".to_owned(),
            value,
        }],
        ..Draft::default()
    };
    if !incident.phase().is_some_and(IncidentStatusName::is_end) {
        draft.says.push(format!(
            "It is sent once the incident is over: `statuspage incident resolve {}`.",
            incident.key.name
        ));
    }
    Ok(draft)
}

/// The components that were given, by metadata.name.
fn given(declared: &Declared, incident: &DeclaredIncident, words: &[String]) -> Result<Affected, Failure> {
    let affected = declared.affected(words, Some(&incident.page))?;
    if let Some((other, _)) = affected
        .iter()
        .find(|(one, _)| one.key.namespace != incident.key.namespace)
    {
        return Err(usage(format!(
            "component {} is declared in namespace {}, the incident in {}: it cannot name it",
            other.key.name, other.key.namespace, incident.key.namespace
        )));
    }
    Ok(affected
        .into_iter()
        .map(|(one, status)| (one.key.name.clone(), status))
        .collect())
}

/// The components that other open incidents name: with which status, and the incident.
type Elsewhere<'d> = BTreeMap<&'d str, (ComponentStatusName, &'d str)>;

fn elsewhere<'d>(declared: &'d Declared, incident: &DeclaredIncident) -> Elsewhere<'d> {
    let others = declared.incidents.iter().filter(|other| {
        let same_page = other.page == incident.page && other.key.namespace == incident.key.namespace;
        same_page && other.key.name != incident.key.name && other.is_open()
    });
    // A maintenance that has not begun has no say.
    let others = others.filter(|other| other.phase() != Some(IncidentStatusName::Scheduled));
    others
        .flat_map(|other| {
            other
                .spec
                .components
                .iter()
                .map(|(name, status)| (name.as_str(), (*status, other.key.name.as_str())))
        })
        .filter(|(_, (status, _))| *status != ComponentStatusName::Operational)
        .collect()
}

fn ended(standing: &Standing) -> String {
    let at = standing.incident.as_ref().and_then(|incident| incident.resolved_at);
    let at = at.map(|at| format!(" at {}", minute(at))).unwrap_or_default();
    format!("Somebody ended it on the page{at}")
}

impl Draft {
    /// What it adds, alone: to be shown, or to be added by hand.
    pub(super) fn added(&self) -> Value {
        let mut object = Value::Null;
        for edit in &self.edits {
            // What begins with nothing takes every change.
            let _ = edit.apply(&mut object);
        }
        object
    }

    /// Says what there is to say where nothing is to be changed.
    pub(super) fn tell(&self, out: &mut dyn Write) -> Result<Outcome, Failure> {
        print_lines(&self.says, out)?;
        Ok(Outcome::of(!self.stops))
    }

    fn append(&mut self, status: IncidentStatusName, body: &str, notify: bool) {
        self.edits.push(Edit::Append {
            list: "/spec/updates".to_owned(),
            item: update_of(status, body, notify),
        });
    }

    /// The map of components: what was given, then what somebody changed on the page, then `back` for all others. The map
    /// is sent whole, so that what somebody changed has to stand in it.
    fn components(
        &mut self,
        incident: &DeclaredIncident,
        standing: &Standing,
        given: &Affected,
        elsewhere: &Elsewhere<'_>,
        back: Option<ComponentStatusName>,
    ) {
        let before = &incident.spec.components;
        let names = before
            .keys()
            .chain(given.keys().filter(|name| !before.contains_key(*name)));
        let mut kept = Vec::new();
        for name in names {
            let declared = before.get(name).copied();
            let changed = declared.and_then(|status| standing.changed(name, status));
            if let (None, Some((status, other))) = (given.get(name), elsewhere.get(name.as_str())) {
                self.says
                    .push(format!("{name}: stays {}: {other} is open", status.as_str()));
                if declared != Some(*status) {
                    self.edits.push(set(name, *status));
                }
                continue;
            }
            let status = match (given.get(name), changed, back) {
                (Some(status), ..) => Some(*status),
                (None, Some(shown), _) => {
                    let known = super::words::component_status(shown).ok();
                    if known != back {
                        kept.push((name.clone(), shown.to_owned(), known));
                    }
                    known.filter(|known| Some(*known) == back)
                }
                (None, None, Some(back)) => Some(back),
                (None, None, None) => None,
            };
            let Some(status) = status else { continue };
            let from = changed.or(declared.map(ComponentStatusName::as_str));
            if from != Some(status.as_str()) {
                let from = from.map(|from| format!("{from} → ")).unwrap_or_default();
                self.says.push(format!("{name}: {from}{}", status.as_str()));
            } else if back.is_some() {
                self.says.push(format!("{name}: {} already", status.as_str()));
            }
            if declared != Some(status) {
                self.edits.push(set(name, status));
            }
        }
        let moves = self.edits.iter().any(|edit| matches!(edit, Edit::Set { .. }));
        for (name, shown, known) in kept {
            if let (true, Some(status)) = (moves, known) {
                self.edits.push(set(&name, status));
            }
            let hint = back
                .map(|back| format!("; to change it: -c {name}={}", back.as_str()))
                .unwrap_or_default();
            self.says
                .push(format!("{name}: stays {shown}, as somebody set it on the page{hint}"));
        }
    }
}

fn set(component: &str, status: ComponentStatusName) -> Edit {
    Edit::Set {
        field: spec_field("components", component),
        value: json!(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{IncidentSpec, IncidentStatus, IncidentUpdate, Kind};
    use crate::engine::ObjectKey;

    fn declared_incident(name: &str, components: &[(&str, ComponentStatusName)]) -> DeclaredIncident {
        DeclaredIncident {
            key: ObjectKey::new(Kind::Incident, "default", name),
            page: ObjectKey::new(Kind::StatusPage, "default", "acme"),
            spec: IncidentSpec {
                updates: vec![IncidentUpdate {
                    status: IncidentStatusName::Investigating,
                    body: "Looking.".to_owned(),
                    at: None,
                    notify: true,
                }],
                components: components
                    .iter()
                    .map(|(name, status)| ((*name).to_owned(), *status))
                    .collect(),
                ..IncidentSpec::default()
            },
            known: IncidentStatus::default(),
            id: Some("abc".to_owned()),
        }
    }

    fn standing(components: &[(&str, &str)]) -> Standing {
        let shown = |(name, status): &(&str, &str)| ((*name).to_owned(), (*status).to_owned());
        Standing {
            incident: Some(Incident::default()),
            components: components.iter().map(shown).collect(),
        }
    }

    #[test]
    fn components_come_back_but_for_those_that_others_decide_about() {
        use ComponentStatusName as S;
        let incident = declared_incident(
            "down",
            &[
                ("api", S::MajorOutage),
                ("back", S::PartialOutage),
                ("shared", S::PartialOutage),
                ("theirs", S::MajorOutage),
                ("web", S::Operational),
            ],
        );
        let declared = Declared {
            incidents: vec![
                incident.clone(),
                declared_incident("other", &[("shared", S::MajorOutage)]),
            ],
            ..Declared::default()
        };
        let standing = standing(&[
            ("api", "major_outage"),
            ("back", "operational"),
            ("theirs", "degraded_performance"),
        ]);
        let mut draft = Draft::default();
        let elsewhere = elsewhere(&declared, &incident);
        draft.components(&incident, &standing, &Affected::new(), &elsewhere, Some(S::Operational));
        assert_eq!(
            draft.says,
            [
                "api: major_outage → operational",
                "back: operational already",
                "shared: stays major_outage: other is open",
                "web: operational already",
                "theirs: stays degraded_performance, as somebody set it on the page; to change it: -c theirs=operational",
            ]
        );
        // The map is sent whole: what stays stands in it as the page shows it.
        assert_eq!(
            draft.edits,
            [
                set("api", S::Operational),
                set("back", S::Operational),
                set("shared", S::MajorOutage),
                set("theirs", S::DegradedPerformance),
            ]
        );
    }

    #[test]
    fn an_update_moves_what_it_names_and_keeps_what_people_set() {
        use ComponentStatusName as S;
        let incident = declared_incident("down", &[("api", S::MajorOutage), ("web", S::MajorOutage)]);
        let standing = standing(&[("api", "major_outage"), ("web", "degraded_performance")]);
        let mut draft = Draft::default();
        draft.components(&incident, &standing, &Affected::new(), &Elsewhere::new(), None);
        assert!(
            draft.edits.is_empty(),
            "a text alone does not touch the map: {:?}",
            draft.edits
        );
        assert_eq!(
            draft.says,
            ["web: stays degraded_performance, as somebody set it on the page"]
        );
        let mut draft = Draft::default();
        let given = Affected::from([("api".to_owned(), S::PartialOutage), ("new".to_owned(), S::MajorOutage)]);
        draft.components(&incident, &standing, &given, &Elsewhere::new(), None);
        let expected = [
            set("api", S::PartialOutage),
            set("new", S::MajorOutage),
            set("web", S::DegradedPerformance),
        ];
        assert_eq!(draft.edits, expected);
        assert_eq!(draft.says.len(), 3, "{:?}", draft.says);
    }
}
