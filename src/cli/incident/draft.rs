//! What a command adds to the manifest of an incident. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::declared::{Affected, Declared, DeclaredComponent, DeclaredIncident, usage};
use super::{OpenArguments, PostmortemArguments, ResolveArguments, UpdateArguments};
use crate::api::{ComponentStatusName, GROUP, IncidentStatusName, Kind, VERSION};
use crate::cli::Failure;
use crate::engine::ObjectKey;
use crate::manifest::{Edit, spec_field};
use crate::statuspage::Incident;

/// What Statuspage itself says at the end.
const RESOLVED: &str = "This incident has been resolved.";
const COMPLETED: &str = "The scheduled maintenance has been completed.";

/// A new incident.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opening {
    pub(super) page: ObjectKey,
    pub(super) key: ObjectKey,
    pub(super) manifest: Value,
}

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

/// The manifest of a new incident. `date` is the day, such as 2026-11-30.
pub(super) fn open(declared: &Declared, arguments: &OpenArguments, date: &str) -> Result<Opening, Failure> {
    let place = &arguments.sending.place;
    let wanted = place
        .page
        .as_deref()
        .map(|name| declared.page(Some(name), &[]))
        .transpose()?;
    let affected = declared.affected(&arguments.components, wanted.as_ref())?;
    let components: Vec<_> = affected.iter().map(|(component, _)| *component).collect();
    let template = arguments.template.as_deref();
    let template =
        template.map(|name| declared.template(name, wanted.as_ref().or(components.first().map(|one| &one.page))));
    let template = template.transpose()?;
    let page = match (wanted, template, components.first()) {
        (None, Some((_, page)), None) => page.clone(),
        _ => declared.page(place.page.as_deref(), &components)?,
    };
    if arguments.title.as_deref().is_some_and(|title| title.trim().is_empty()) {
        return Err(usage("the title is empty".to_owned()));
    }
    if let Some(status) = arguments.status.filter(|status| status.is_of_maintenance()) {
        let known = "use investigating, identified, monitoring or resolved";
        return Err(usage(format!(
            "{} is a status of a maintenance: {known}",
            status.as_str()
        )));
    }
    let namespace = namespace_of(&page, template.map(|(key, _)| key), &components)?;
    // Titles of templates may have placeholders: their names tell enough.
    let title = arguments
        .title
        .as_deref()
        .or(template.map(|(key, _)| key.name.as_str()));
    let name = match &arguments.name {
        Some(name) => {
            let mut incidents = declared.incidents.iter();
            if incidents.any(|one| one.key.namespace == namespace && one.key.name == *name) {
                let instead =
                    format!("`statuspage incident update {name}` says more of it; give a new one another --name");
                return Err(usage(format!("Incident {name} is declared already: {instead}")));
            }
            name.clone()
        }
        None => declared.free_name(&namespace, date, title.unwrap_or_default()),
    };
    let mut metadata = json!({"name": name});
    let mut reference = json!({"name": page.name});
    if namespace != "default" {
        metadata["namespace"] = json!(namespace);
    }
    if namespace != page.namespace {
        reference["namespace"] = json!(page.namespace);
    }
    let mut spec = json!({"pageRef": reference});
    if let Some(title) = &arguments.title {
        spec["name"] = json!(title);
    }
    if let Some((key, _)) = template {
        spec["templateRef"] = json!({"name": key.name});
        let variables = variables(&arguments.set)?;
        if !variables.is_empty() {
            spec["templateRef"]["variables"] = Value::Object(variables);
        }
    }
    match (&arguments.message, template) {
        (None, Some(_)) if arguments.status.is_some() || arguments.sending.no_notify => {
            let message =
                "the first post is the template's, with its status and its notify: give -m to say it yourself";
            return Err(usage(message.to_owned()));
        }
        (None, Some(_)) => {}
        (message, _) => {
            let status = arguments.status.unwrap_or(IncidentStatusName::Investigating);
            let message = message.as_deref().unwrap_or_default();
            spec["updates"] = json!([update_of(status, message, !arguments.sending.no_notify)]);
        }
    }
    if !affected.is_empty() {
        let map: Map<String, Value> = affected
            .iter()
            .map(|(one, status)| (one.key.name.clone(), json!(status)))
            .collect();
        spec["components"] = Value::Object(map);
    }
    if let Some(impact) = arguments.impact {
        spec["impactOverride"] = json!(impact);
    }
    let version = format!("{GROUP}/{VERSION}");
    Ok(Opening {
        key: ObjectKey::new(Kind::Incident, namespace, name),
        page,
        manifest: json!({"apiVersion": version, "kind": "Incident", "metadata": metadata, "spec": spec}),
    })
}

/// The namespace of an incident: that of what it names, since references stay inside a namespace; else that of its page.
fn namespace_of(
    page: &ObjectKey,
    template: Option<&ObjectKey>,
    components: &[&DeclaredComponent],
) -> Result<String, Failure> {
    let mut named = components.iter().map(|one| &one.key).chain(template);
    let Some(first) = named.next() else {
        return Ok(page.namespace.clone());
    };
    match named.find(|other| other.namespace != first.namespace) {
        Some(other) => Err(usage(format!(
            "{first} and {other} are declared in different namespaces: one incident cannot name both"
        ))),
        None => Ok(first.namespace.clone()),
    }
}

/// Reads `KEY=VALUE`, as often as it is given.
fn variables(words: &[String]) -> Result<Map<String, Value>, Failure> {
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), json!(value))),
        _ => Err(usage(format!("{word:?} is no KEY=VALUE: write --set region=eu-west-1"))),
    };
    words.iter().map(pair).collect()
}

fn update_of(status: IncidentStatusName, body: &str, notify: bool) -> Value {
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
    let at = at
        .map(|at| format!(" at {}", at.strftime("%Y-%m-%d %H:%M UTC")))
        .unwrap_or_default();
    format!("Somebody ended it on the page{at}")
}

impl Draft {
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
    use crate::api::{IncidentSpec, IncidentStatus, IncidentUpdate};

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
