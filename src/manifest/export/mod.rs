//! A remote page as manifests: what was read, written down so that applying it changes nothing.
//!
//! Pure. Names are stable: they follow from names and ids on the page alone. What only the server sets is left out, the
//! id goes into an annotation, and references go by name. Whatever cannot be declared is said in a note.
//!
//! Invariant: a list of references is written whole or not at all: what is missing in a declared list is taken away.

mod access;
mod components;
mod incidents;
mod metrics;
mod names;
mod subscribers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::api::{GROUP, ID, Kind, ManagementPolicy, VERSION};
use crate::engine::declared_settings;
use crate::statuspage::{CollectionKind, Page, Snapshot};
pub use names::slug;
use names::{Names, Titled, names};

/// What to write down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Namespace to write; none leaves it out.
    pub namespace: Option<String>,
    /// Name of the Secret with the token.
    pub secret: String,
    /// Address of the API, where it is not Atlassian's.
    pub api_url: Option<String>,
    /// Id of the organization that owns the page.
    pub organization: Option<String>,
    /// People too: subscribers, page access users and, where the organization is known, its members.
    pub personal_data: bool,
    /// Incidents that are over too.
    pub closed_incidents: bool,
    /// What the manifests say about writing to the page.
    pub management: ManagementPolicy,
    /// What is declared already, to write down only what is not; none writes everything.
    pub declared: Option<AlreadyDeclared>,
}

/// What is declared of a page already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlreadyDeclared {
    /// The name of the StatusPage.
    pub page: String,
    /// The objects that have a declaration, with its name where others may refer to it.
    pub objects: BTreeMap<(Kind, String), Option<String>>,
    /// The names that are taken, whether there is an object or not.
    pub taken: BTreeSet<(Kind, String)>,
}

impl ExportOptions {
    /// True when a part of the page is to be read for the export.
    pub fn needs(&self, part: CollectionKind) -> bool {
        match part {
            CollectionKind::Subscribers | CollectionKind::PageAccessUsers => self.personal_data,
            CollectionKind::OrganizationUsers => self.personal_data && self.organization.is_some(),
            CollectionKind::SubscriberCounts | CollectionKind::Unsubscribed => false,
            CollectionKind::Page
            | CollectionKind::Components
            | CollectionKind::Incidents
            | CollectionKind::MetricsProviders
            | CollectionKind::Metrics
            | CollectionKind::IncidentTemplates
            | CollectionKind::PageAccessGroups
            | CollectionKind::StatusEmbed => true,
        }
    }
}

/// A page, written down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Export {
    /// The manifests by kind, each as a JSON object, in the order of the page.
    pub objects: BTreeMap<Kind, Vec<Value>>,
    /// What was left out although it was asked for, or needs a hand, in sentences.
    pub notes: Vec<String>,
}

/// Writes down what was read of a page.
pub fn export(page: &Page, snapshot: &Snapshot, options: &ExportOptions) -> Export {
    let label = page.subdomain.as_deref().or(page.name.as_deref()).unwrap_or_default();
    let page_name = slug(label.trim_end_matches(".statuspage.io"));
    let page_name = if page_name.is_empty() {
        format!("page-{}", page.id)
    } else {
        page_name
    };
    let mut names = AllNames::of(snapshot);
    if let Some(declared) = &options.declared {
        names.heed(declared);
    }
    let mut exporter = Exporter {
        options,
        snapshot,
        page_id: &page.id,
        names,
        page_name: options
            .declared
            .as_ref()
            .map_or(page_name, |declared| declared.page.clone()),
        export: Export::default(),
    };
    if options.declared.is_none() {
        exporter.page(page);
    }
    exporter.component_groups();
    exporter.components();
    exporter.metrics_providers();
    exporter.metrics();
    exporter.incidents();
    exporter.incident_templates();
    if options.personal_data {
        exporter.subscribers();
        exporter.page_access_users();
        exporter.organization_users();
    }
    // Last, because a group names users.
    exporter.page_access_groups();
    exporter.export
}

/// The names of all declarations by kind.
struct AllNames {
    by_kind: BTreeMap<Kind, Names>,
}

impl AllNames {
    fn of(snapshot: &Snapshot) -> Self {
        let rows = || snapshot.components.iter().flat_map(|list| &list.items);
        let title = |text: &Option<String>| text.clone().unwrap_or_default();
        let group_title = |id: &str| rows().find(|row| row.group && row.id == id).map(|row| title(&row.name));
        let groups = rows().filter(|row| row.group).map(|row| titled(&row.id, &row.name));
        let components = rows().filter(|row| !row.group).map(|row| {
            let mut component = titled(&row.id, &row.name);
            if let Some(group) = row.group_id.as_deref().and_then(group_title) {
                component.titles.push(format!("{group} {}", title(&row.name)));
            }
            component
        });
        let providers = snapshot.metrics_providers.iter().flat_map(|list| &list.items);
        let providers = providers.map(|provider| Titled {
            id: &provider.id,
            titles: vec![metrics::provider_type(provider)],
        });
        let metrics = snapshot.metrics.iter().flat_map(|list| &list.items).map(|metric| {
            let mut named = titled(&metric.id, &metric.name);
            let of = metric.metrics_provider_id.as_deref();
            let provider = snapshot
                .metrics_providers
                .as_ref()
                .zip(of)
                .and_then(|(list, id)| list.get(id));
            if let Some(provider) = provider {
                let kind = metrics::provider_type(provider);
                named.titles.push(format!("{} {kind}", title(&metric.name)));
            }
            named
        });
        let incidents = snapshot.incidents.iter().flat_map(|list| &list.items);
        let templates = snapshot.incident_templates.iter().flat_map(|list| &list.items);
        let groups_of_users = snapshot.page_access_groups.iter().flat_map(|list| &list.items);
        // Addresses of people stay out of names, which are shown everywhere.
        let users = snapshot.page_access_users.iter().flat_map(|list| &list.items);
        let members = snapshot.organization_users.iter().flat_map(|list| &list.items);
        let subscribers = snapshot.subscribers.iter().flat_map(|list| &list.items);
        let by_kind = BTreeMap::from([
            (Kind::ComponentGroup, all("group", groups)),
            (Kind::Component, all("component", components)),
            (Kind::MetricsProvider, all("provider", providers)),
            (Kind::Metric, all("metric", metrics)),
            (
                Kind::Incident,
                all(
                    "incident",
                    incidents.map(|incident| titled(&incident.id, &incident.name)),
                ),
            ),
            (
                Kind::IncidentTemplate,
                all(
                    "template",
                    templates.map(|template| titled(&template.id, &template.name)),
                ),
            ),
            (
                Kind::PageAccessGroup,
                all("group", groups_of_users.map(|group| titled(&group.id, &group.name))),
            ),
            (Kind::PageAccessUser, all("user", users.map(|user| nameless(&user.id)))),
            (
                Kind::OrganizationUser,
                all("member", members.map(|member| nameless(&member.id))),
            ),
            (
                Kind::Subscriber,
                all("subscriber", subscribers.map(|subscriber| nameless(&subscriber.id))),
            ),
        ]);
        AllNames { by_kind }
    }

    fn get(&self, kind: Kind, id: &str) -> Option<&String> {
        self.by_kind.get(&kind)?.get(id)
    }

    /// Calls what is declared as it is called there, and nothing else so.
    fn heed(&mut self, declared: &AlreadyDeclared) {
        for (kind, names) in &mut self.by_kind {
            names.retain(|id, name| match declared.objects.get(&(*kind, id.clone())) {
                Some(Some(declared)) => {
                    name.clone_from(declared);
                    true
                }
                Some(None) => false,
                None => {
                    if declared.taken.contains(&(*kind, name.clone())) {
                        *name = format!("{name}-{}", slug(id));
                    }
                    true
                }
            });
        }
    }
}

fn all<'a>(noun: &str, objects: impl Iterator<Item = Titled<'a>>) -> Names {
    names(noun, &objects.collect::<Vec<_>>())
}

fn titled<'a>(id: &'a str, title: &Option<String>) -> Titled<'a> {
    Titled {
        id,
        titles: title.iter().cloned().collect(),
    }
}

fn nameless(id: &str) -> Titled<'_> {
    Titled { id, titles: Vec::new() }
}

struct Exporter<'a> {
    options: &'a ExportOptions,
    snapshot: &'a Snapshot,
    page_id: &'a str,
    names: AllNames,
    page_name: String,
    export: Export,
}

impl Exporter<'_> {
    fn page(&mut self, page: &Page) {
        let observed = self.options.management == ManagementPolicy::ObserveOnly;
        let policy = observed.then_some("ObserveOnly");
        let mut spec = json!({
            "pageId": page.id,
            "organizationId": self.options.organization,
            "managementPolicy": policy,
            "defaults": policy.map(|policy| json!({"managementPolicy": policy})),
            "api": {"url": self.options.api_url, "tokenSecretRef": {"name": self.options.secret}},
        });
        let embed = self.snapshot.status_embed.as_ref().map(|embed| &embed.value);
        for (field, value) in declared_settings(page, embed) {
            spec[field] = value;
        }
        let name = self.page_name.clone();
        self.object(Kind::StatusPage, &name, None, spec);
    }

    /// Adds the declaration of the remote object with this id.
    fn put(&mut self, kind: Kind, id: &str, spec: Value) {
        let declared = self.options.declared.as_ref();
        if declared.is_some_and(|declared| declared.objects.contains_key(&(kind, id.to_owned()))) {
            return;
        }
        if let Some(name) = self.names.get(kind, id).cloned() {
            let mut with_page = Map::from_iter([("pageRef".to_owned(), json!({"name": self.page_name}))]);
            if let Value::Object(fields) = spec {
                with_page.extend(fields);
            }
            self.object(kind, &name, Some(id), Value::Object(with_page));
        }
    }

    fn object(&mut self, kind: Kind, name: &str, id: Option<&str>, mut spec: Value) {
        without_nulls(&mut spec);
        let mut metadata = json!({"name": name});
        if let Some(namespace) = &self.options.namespace {
            metadata["namespace"] = json!(namespace);
        }
        if let Some(id) = id {
            metadata["annotations"] = json!({ID: id});
        }
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kind.as_str(),
            "metadata": metadata,
            "spec": spec,
        });
        self.export.objects.entry(kind).or_default().push(object);
    }

    /// Leaves an object out and says why: nothing can refer to it any more.
    fn leave_out(&mut self, kind: Kind, id: &str, why: &str) {
        if let Some(names) = self.names.by_kind.get_mut(&kind) {
            names.remove(id);
        }
        self.note(format!("{} {id} is left out: {why}", kind.noun()));
    }

    fn note(&mut self, note: String) {
        self.export.notes.push(note);
    }

    /// The title, unless the name of the declaration says it already.
    fn title<'t>(&self, kind: Kind, id: &str, title: &'t Option<String>) -> Option<&'t String> {
        let name = self.names.get(kind, id);
        said(title).filter(|title| Some(*title) != name)
    }

    /// The names of the declarations of these objects; none, and a note, when one of them is not exported.
    fn references<'i>(
        &mut self,
        kind: Kind,
        ids: impl IntoIterator<Item = &'i str>,
        field: &str,
        of: &str,
    ) -> Option<Vec<String>> {
        let mut found = Vec::new();
        for id in ids {
            match self.names.get(kind, id) {
                Some(name) => found.push(name.clone()),
                None => {
                    let noun = kind.noun();
                    self.note(format!(
                        "{of}: {field} is left out, it has {noun} {id}, which is not exported"
                    ));
                    return None;
                }
            }
        }
        Some(found)
    }
}

/// A text, unless there is none.
fn said(text: &Option<String>) -> Option<&String> {
    text.as_ref().filter(|text| !text.is_empty())
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
