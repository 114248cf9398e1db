//! What is looked up more than once of a page, by what it is looked up by.

use std::collections::{BTreeMap, HashMap};

use super::census::Census;
use super::declaration::{Declaration, ObjectKey};
use super::journal::Operation;
use super::lookup::Lookup;
use super::world::World;
use crate::api::{IncidentSpec, Journal, Kind, Spec, Status};
use crate::statuspage::{CollectionKind, Incident, IncidentStatus, ObjectKind, Snapshot};

/// How an object of a kind with an id is read alone, where it belongs to a list that was read whole.
type Examinable = fn(Kind, &str, &Snapshot) -> Option<ObjectKind>;

/// The declarations of a page by name, the components by group, and the remote objects by what they are looked up by.
pub(super) struct Index<'a> {
    lookups: HashMap<Kind, Lookup<'a>>,
    remote_members: HashMap<&'a str, Vec<&'a str>>,
    covered: HashMap<&'a str, usize>,
    mapped: HashMap<(&'a str, &'a str), usize>,
    censuses: HashMap<CollectionKind, Census>,
    providing: Option<&'a Declaration>,
    by_key: HashMap<&'a ObjectKey, &'a Declaration>,
    members: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a Declaration>>>,
}

impl<'a> Index<'a> {
    /// What is looked up of a world; `lookups` are those of its remote objects, and `examinable` tells which of them may be
    /// counted as missing.
    pub(super) fn of(world: &'a World<'a>, lookups: HashMap<Kind, Lookup<'a>>, examinable: Examinable) -> Self {
        let mut index = Index {
            by_key: HashMap::with_capacity(world.declarations.len()),
            members: BTreeMap::new(),
            lookups,
            remote_members: HashMap::new(),
            covered: HashMap::new(),
            mapped: HashMap::new(),
            censuses: HashMap::new(),
            providing: None,
        };
        index.censuses = censuses(world, &index.lookups, examinable);
        for row in world.snapshot.components.iter().flat_map(|list| &list.items) {
            if let (false, Some(group)) = (row.group, row.group_id.as_deref()) {
                index.remote_members.entry(group).or_default().push(&row.id);
            }
        }
        let incidents = world.snapshot.incidents.iter().flat_map(|list| &list.items);
        for incident in incidents.filter(|incident| is_running(incident)) {
            for component in &incident.components {
                *index.covered.entry(component.id.as_str()).or_default() += 1;
            }
        }
        for declaration in world.declarations {
            index.by_key.insert(&declaration.key, declaration);
            if Operation::open(declaration.status.object()) == Some(Operation::Provide) {
                index.providing.get_or_insert(declaration);
            }
            if let Spec::Incident(spec) = &*declaration.spec
                && is_to_run(declaration, spec)
            {
                let namespace = declaration.key.namespace.as_str();
                for component in spec.components.keys() {
                    *index.mapped.entry((namespace, component.as_str())).or_default() += 1;
                }
            }
            if let Spec::Component(spec) = &*declaration.spec
                && let Some(group) = &spec.group_ref
                && !declaration.deleting
            {
                index
                    .members
                    .entry(declaration.key.namespace.as_str())
                    .or_default()
                    .entry(group.name.as_str())
                    .or_default()
                    .push(declaration);
            }
        }
        index
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<&'a Declaration> {
        self.by_key.get(key).copied()
    }

    /// The remote objects of a kind.
    pub(super) fn lookup(&self, kind: Kind) -> Option<&Lookup<'a>> {
        self.lookups.get(&kind)
    }

    /// Ids of all components that are in a remote group, ours or not.
    pub(super) fn remote_members(&self, group_id: &str) -> &[&'a str] {
        self.remote_members.get(group_id).map_or(&[], Vec::as_slice)
    }

    /// An attempt to create the page's provider of type Self whose outcome is not recorded.
    pub(super) fn providing(&self) -> Option<(&'a Declaration, &'a Journal)> {
        let attempt = self.providing?;
        Some((attempt, attempt.status.object().journal.as_ref()?))
    }

    /// True while an incident that is open, or a maintenance in progress, decides about the status of a component: on the
    /// page already, or about to be.
    pub(super) fn is_covered(&self, component: &ObjectKey, id: Option<&str>) -> bool {
        id.is_some_and(|id| self.covered.contains_key(id))
            || self
                .mapped
                .contains_key(&(component.namespace.as_str(), component.name.as_str()))
    }

    /// True while several incidents on the page decide about a component.
    pub(super) fn is_shared(&self, id: &str) -> bool {
        self.covered.get(id).is_some_and(|incidents| *incidents > 1)
    }

    /// How many declared incidents that are not over give a component its status.
    pub(super) fn times_mapped(&self, namespace: &str, component: &str) -> usize {
        self.mapped.get(&(namespace, component)).copied().unwrap_or(0)
    }

    /// The recorded objects of a list that was read whole.
    pub(super) fn census(&self, list: CollectionKind) -> Option<&Census> {
        self.censuses.get(&list)
    }

    /// Components that name this group, in the order of declaration.
    pub(super) fn members(&self, namespace: &str, group: &str) -> &[&'a Declaration] {
        self.members
            .get(namespace)
            .and_then(|groups| groups.get(group))
            .map_or(&[], Vec::as_slice)
    }
}

/// Counts the recorded objects that the lists do not show.
fn censuses(
    world: &World<'_>,
    lookups: &HashMap<Kind, Lookup<'_>>,
    examinable: Examinable,
) -> HashMap<CollectionKind, Census> {
    let mut censuses: HashMap<CollectionKind, Census> = HashMap::new();
    for declaration in world.declarations.iter().filter(|declaration| !declaration.deleting) {
        let Some(id) = declaration.recorded_id() else {
            continue;
        };
        let Some(kind) = examinable(declaration.key.kind, id, world.snapshot) else {
            continue;
        };
        let is_shown = lookups.get(&declaration.key.kind).is_some_and(|lookup| lookup.has(id));
        censuses.entry(kind.collection()).or_default().count(kind, id, is_shown);
    }
    censuses
}

/// True for a declared incident that is open, or will be once it is on the page.
fn is_to_run(declaration: &Declaration, spec: &IncidentSpec) -> bool {
    let Status::Incident(status) = &*declaration.status else {
        return false;
    };
    let over = |word: &str| IncidentStatus::from(word).is_over();
    let ended = spec.updates.last().is_none_or(|update| over(update.status.as_str()));
    let page_says_so = status.status.as_deref().is_some_and(over);
    let to_come = spec.schedule.is_some() && status.status.as_deref().is_none_or(|word| word == "scheduled");
    !(declaration.deleting || ended || page_says_so || to_come || spec.backfill_date.is_some())
}

/// True while an incident is open, or a maintenance is running: then it decides about the status of its components.
fn is_running(incident: &Incident) -> bool {
    let status = incident.status.as_ref();
    status.is_some_and(|status| !status.is_over() && *status != IncidentStatus::Scheduled)
}
