//! Directories, pages and people, drawn by chance: two versions of a directory, what somebody else does to the page
//! before the first and between the two.

mod drawn;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(super) use drawn::scenario;

const GROUPS: usize = 2;
const COMPONENTS: usize = 5;
const INCIDENTS: usize = 2;

const STATUSES: [&str; 4] = ["operational", "degraded_performance", "partial_outage", "major_outage"];
const POLICIES: [&str; 3] = ["Refuse", "ByName", "CreateNew"];
const DRIFT: [&str; 3] = ["Correct", "Detect", "Ignore"];
const PROGRESS: [&str; 4] = ["investigating", "identified", "monitoring", "resolved"];
const MAINTENANCE: [&str; 4] = ["scheduled", "in_progress", "verifying", "completed"];

/// Two versions of a directory, and what happens around them.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// What somebody makes on the page before anything is declared.
    pub(super) before: Vec<Deed>,
    pub(super) first: Sketch,
    /// What somebody does to the page meanwhile.
    pub(super) meanwhile: Vec<Deed>,
    /// Seconds between the two.
    pub(super) pause: u64,
    pub(super) second: Sketch,
}

/// Something that a person does in the console: to the row of a list.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) list: &'static str,
    pub(super) which: usize,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Value,
}

/// One version of a directory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sketch {
    page: Page,
    groups: Vec<Option<Group>>,
    components: Vec<Option<Component>>,
    incidents: Vec<Option<Incident>>,
    template: Option<Template>,
    metric: Option<Metric>,
    subscriber: Option<Subscriber>,
    user: Option<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct Page {
    name: Option<u8>,
    deletion: Option<bool>,
    adoption: Option<u8>,
    drift: Option<u8>,
    observe: bool,
    cap: Option<u8>,
}

/// What all kinds have.
#[derive(Clone, Debug, PartialEq)]
struct Common {
    /// Another metadata.name.
    renamed: bool,
    /// The id annotation: of what is called like that on the page.
    annotated: bool,
    deletion: Option<bool>,
    adoption: Option<u8>,
    drift: Option<u8>,
    observe: bool,
    suspend: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Group {
    common: Common,
    name: u8,
    description: Option<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct Component {
    common: Common,
    name: u8,
    description: Option<u8>,
    status: Option<u8>,
    group: Option<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct Incident {
    common: Common,
    maintenance: bool,
    name: u8,
    updates: Vec<(u8, u8, bool)>,
    components: BTreeMap<u8, u8>,
    impact: Option<u8>,
    postmortem: Option<(u8, bool)>,
    deletion: Option<u8>,
    subscriber: Option<u8>,
    /// Of no more interest soon after it was resolved.
    ended: bool,
    /// Begins with the template, where one is declared, in the place of its first update and its title.
    templated: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Template {
    common: Common,
    name: u8,
    body: u8,
    components: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct Metric {
    common: Common,
    name: u8,
    suffix: u8,
    points: u8,
    replace: bool,
    decimals: Option<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct Subscriber {
    common: Common,
    address: u8,
    components: Vec<u8>,
    again: Option<u8>,
}

fn component_name(name: u8) -> String {
    format!("Component {name}")
}

fn group_name(name: u8) -> String {
    format!("Group {name}")
}

fn incident_name(name: u8) -> String {
    format!("Incident {name}")
}

fn text(body: u8) -> String {
    format!("What happened, version {body}.")
}

fn email(address: u8) -> String {
    format!("desk-{address}@example.com")
}

/// Finds the id of what is called so in a list of the page.
type FindId<'a> = &'a dyn Fn(&'static str, &str) -> Option<String>;

impl Sketch {
    /// Its manifests.
    pub(super) fn documents(&self, page_id: &str, ids: FindId<'_>) -> Vec<Value> {
        let mut documents = vec![self.page.document(page_id)];
        let group_names: Vec<Option<String>> = names(
            "g",
            self.groups.iter().map(|group| group.as_ref().map(|one| &one.common)),
        );
        let component_names: Vec<Option<String>> = names(
            "c",
            self.components
                .iter()
                .map(|component| component.as_ref().map(|one| &one.common)),
        );
        let named = |slot: u8| component_names[usize::from(slot)].clone();
        for (group, name) in self.groups.iter().zip(&group_names) {
            if let (Some(group), Some(name)) = (group, name) {
                let mut spec = json!({"name": group_name(group.name)});
                if let Some(description) = group.description {
                    spec["description"] = text(description).into();
                }
                let id = ids("component-groups", &group_name(group.name));
                documents.push(group.common.document("ComponentGroup", name, spec, id, true));
            }
        }
        for (component, name) in self.components.iter().zip(&component_names) {
            if let (Some(component), Some(name)) = (component, name) {
                let mut spec = json!({"name": component_name(component.name)});
                if let Some(description) = component.description {
                    spec["description"] = text(description).into();
                }
                if let Some(status) = component.status {
                    spec["status"] = STATUSES[usize::from(status)].into();
                }
                if let Some(group) = component.group.and_then(|slot| group_names[usize::from(slot)].clone()) {
                    spec["groupRef"] = json!({"name": group});
                }
                let id = ids("components", &component_name(component.name));
                documents.push(component.common.document("Component", name, spec, id, true));
            }
        }
        for (number, incident) in self.incidents.iter().enumerate() {
            if let Some(incident) = incident {
                // Not yet held: an incident that is adopted by its id, with a map of components.
                let id = ids("incidents", &incident_name(incident.name)).filter(|_| incident.components.is_empty());
                let template = self.template.as_ref().map(|template| template.common.name("t", 0));
                documents.push(incident.document(number, template.as_deref(), &named, id));
            }
        }
        if let Some(template) = &self.template {
            let components: Vec<String> = template.components.iter().filter_map(|slot| named(*slot)).collect();
            let mut spec = json!({"name": format!("Template {}", template.name), "title": "T {{what}}",
                    "body": format!("{} {{{{what}}}}", text(template.body))});
            if !components.is_empty() {
                spec["components"] = json!(components);
            }
            documents.push(template.common.document(
                "IncidentTemplate",
                &template.common.name("t", 0),
                spec,
                None,
                false,
            ));
        }
        if let Some(metric) = &self.metric {
            let mut spec = json!({"name": format!("Metric {}", metric.name), "suffix": format!("s{}", metric.suffix)});
            if metric.points > 0 {
                let point =
                    |number| json!({"at": format!("2026-03-01T11:{:02}:00Z", 10 + number), "value": f64::from(number)});
                spec["data"] = (0..metric.points).map(point).collect();
            }
            if metric.replace {
                spec["replacePolicy"] = "WhenNeeded".into();
            }
            if let Some(decimals) = metric.decimals {
                spec["decimalPlaces"] = decimals.into();
            }
            let id = ids("metrics", &format!("Metric {}", metric.name));
            documents.push(
                metric
                    .common
                    .document("Metric", &metric.common.name("m", 0), spec, id, true),
            );
        }
        if let Some(subscriber) = &self.subscriber {
            let components: Vec<String> = subscriber.components.iter().filter_map(|slot| named(*slot)).collect();
            let mut spec = json!({"email": email(subscriber.address)});
            if !components.is_empty() {
                spec["components"] = json!(components);
            }
            let id = ids("subscribers", &email(subscriber.address));
            let mut document =
                subscriber
                    .common
                    .document("Subscriber", &subscriber.common.name("s", 0), spec, id, true);
            if let Some(again) = subscriber.again {
                document["metadata"]["annotations"]["statuspage-operator.io/resend-confirmation"] =
                    format!("r{again}").into();
            }
            documents.push(document);
        }
        if let Some(user) = self.user {
            let spec = json!({"pageRef": {"name": "acme"}, "email": format!("viewer-{user}@example.com"), "subscribeToComponents": true});
            documents.push(json!({
                "apiVersion": "statuspage-operator.io/v1alpha1",
                "kind": "PageAccessUser",
                "metadata": {"name": "viewer"},
                "spec": spec,
            }));
            let mut group =
                json!({"pageRef": {"name": "acme"}, "externalIdentifier": "customers", "users": ["viewer"]});
            if let Some(name) = component_names.iter().flatten().next() {
                group["components"] = json!([name]);
            }
            documents.push(json!({
                "apiVersion": "statuspage-operator.io/v1alpha1",
                "kind": "PageAccessGroup",
                "metadata": {"name": "customers"},
                "spec": group,
            }));
        }
        documents
    }
}

fn names<'a>(prefix: &str, all: impl Iterator<Item = Option<&'a Common>>) -> Vec<Option<String>> {
    all.enumerate()
        .map(|(number, common)| common.map(|common| common.name(prefix, number)))
        .collect()
}

impl Page {
    fn document(&self, page_id: &str) -> Value {
        let mut spec = json!({"pageId": page_id, "api": {"tokenSecretRef": {"name": "token"}}});
        let mut defaults = Map::new();
        if let Some(delete) = self.deletion {
            defaults.insert("deletionPolicy".into(), deletion(delete).into());
        }
        if let Some(adoption) = self.adoption {
            defaults.insert("adoptionPolicy".into(), POLICIES[usize::from(adoption)].into());
        }
        if let Some(drift) = self.drift {
            defaults.insert("driftPolicy".into(), DRIFT[usize::from(drift)].into());
        }
        if !defaults.is_empty() {
            spec["defaults"] = defaults.into();
        }
        if let Some(name) = self.name {
            spec["settings"] = json!({"name": format!("Acme {name}")});
        }
        if self.observe {
            spec["defaults"]["managementPolicy"] = "ObserveOnly".into();
        }
        if let Some(cap) = self.cap {
            spec["deletionCap"] = cap.into();
        }
        json!({
            "apiVersion": "statuspage-operator.io/v1alpha1",
            "kind": "StatusPage",
            "metadata": {"name": "acme"},
            "spec": spec,
        })
    }
}

fn deletion(delete: bool) -> &'static str {
    if delete { "Delete" } else { "Orphan" }
}

impl Common {
    fn name(&self, prefix: &str, number: usize) -> String {
        let other = if self.renamed { "-renamed" } else { "" };
        format!("{prefix}{number}{other}")
    }

    fn document(&self, kind: &str, name: &str, mut spec: Value, id: Option<String>, deletable: bool) -> Value {
        spec["pageRef"] = json!({"name": "acme"});
        if let (Some(delete), true) = (self.deletion, deletable) {
            spec["deletionPolicy"] = deletion(delete).into();
        }
        if let Some(adoption) = self.adoption {
            spec["adoptionPolicy"] = POLICIES[usize::from(adoption)].into();
        }
        if let Some(drift) = self.drift {
            spec["driftPolicy"] = DRIFT[usize::from(drift)].into();
        }
        if self.observe {
            spec["managementPolicy"] = "ObserveOnly".into();
        }
        if self.suspend {
            spec["suspend"] = true.into();
        }
        let mut metadata = json!({"name": name});
        if let Some(id) = id.filter(|_| self.annotated) {
            metadata["annotations"] = json!({"statuspage-operator.io/id": id});
        }
        json!({
            "apiVersion": "statuspage-operator.io/v1alpha1",
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        })
    }
}

impl Incident {
    fn document(
        &self,
        number: usize,
        template: Option<&str>,
        named: &dyn Fn(u8) -> Option<String>,
        id: Option<String>,
    ) -> Value {
        let template = template.filter(|_| self.templated);
        let words = if self.maintenance { MAINTENANCE } else { PROGRESS };
        let updates: Vec<Value> = self
            .updates
            .iter()
            .skip(usize::from(template.is_some()))
            .map(|(status, body, notify)| {
                let mut update = json!({"status": words[usize::from(*status)], "body": text(*body)});
                if !notify {
                    update["notify"] = false.into();
                }
                update
            })
            .collect();
        let mut spec = json!({"name": incident_name(self.name), "updates": updates});
        if let Some(template) = template {
            let variables = json!({"what": incident_name(self.name)});
            spec = json!({"templateRef": {"name": template, "variables": variables}, "updates": spec["updates"]});
        }
        let components: Map<String, Value> = self
            .components
            .iter()
            .filter_map(|(slot, status)| Some((named(*slot)?, STATUSES[usize::from(*status)].into())))
            .collect();
        if !components.is_empty() {
            spec["components"] = components.into();
        }
        if let Some(impact) = self.impact {
            spec["impactOverride"] = ["minor", "major", "critical"][usize::from(impact)].into();
        }
        if self.maintenance {
            spec["schedule"] = json!({"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T12:00:00Z"});
        }
        if let Some((body, publish)) = self.postmortem {
            spec["postmortem"] = json!({"body": text(body), "publish": publish});
        }
        if let Some(subscriber) = self.subscriber {
            spec["subscribers"] = json!([{"email": email(subscriber)}]);
        }
        if self.ended {
            spec["ttlAfterResolved"] = "1s".into();
        }
        let name = self.common.name("i", number);
        let mut document = self.common.document("Incident", &name, spec, id, false);
        if let Some(deletion) = self.deletion {
            document["spec"]["deletionPolicy"] = ["Orphan", "Delete", "Resolve"][usize::from(deletion)].into();
        }
        document
    }
}
