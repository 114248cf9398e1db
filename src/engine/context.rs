//! What the rules of a kind may ask about the rest of the page.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Value, json};

use super::claims::Claims;
use super::declaration::{Declaration, ObjectKey, Policies, Spec, Status};
use super::evidence::Census;
use super::journal::Operation;
use super::kinds::{Rules, Unlisted, is_running};
use super::lookup::Lookup;
pub(super) use super::outcome::Blocked;
use super::plan::ReadWhat;
use super::seal::Seal;
use super::world::World;
use crate::api::{
    ComponentObservation, IncidentSpec, Journal, Kind, ManagementPolicy, Reason, SecretReference, Uptime, with_kind,
};
use crate::statuspage::{CollectionKind, IncidentStatus, ObjectKind, Snapshot};

/// Uptimes are read so often at most: they move slowly, and each is a request of its own.
const UPTIME_PAUSE: Duration = Duration::from_secs(3600);

/// One declaration amid its page.
pub(super) struct Context<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) claims: &'a Claims,
    pub(super) index: &'a Index<'a>,
    pub(super) declaration: &'a Declaration,
    /// The name that an interrupted creation sent, while its object is looked for.
    pub(super) sent_title: Option<&'a str>,
}

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
    pub(super) fn of(world: &'a World<'a>) -> Self {
        let mut index = Index {
            by_key: HashMap::with_capacity(world.declarations.len()),
            members: BTreeMap::new(),
            lookups: Kind::ALL
                .into_iter()
                .filter_map(|kind| with_kind!(kind, S => Some((kind, Lookup::of::<S>(world.snapshot))), page => None))
                .collect(),
            remote_members: HashMap::new(),
            covered: HashMap::new(),
            mapped: HashMap::new(),
            censuses: HashMap::new(),
            providing: None,
        };
        index.censuses = censuses(world, &index.lookups);
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
fn censuses(world: &World<'_>, lookups: &HashMap<Kind, Lookup<'_>>) -> HashMap<CollectionKind, Census> {
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

/// The kind of an object that can be read by its id and belongs to a list that was read whole; none for one that we
/// deleted.
fn examinable(kind: Kind, id: &str, snapshot: &Snapshot) -> Option<ObjectKind> {
    fn counted<K: Rules>(snapshot: &Snapshot, id: &str) -> Option<ObjectKind> {
        let list = K::collection(snapshot)?;
        K::EXAMINED.filter(|_| list.complete && !list.was_removed(id))
    }
    with_kind!(kind, S => counted::<S>(snapshot, id), page => None)
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

impl<'a> Context<'a> {
    /// Another declaration amid the same page.
    pub(super) fn of(&self, declaration: &'a Declaration) -> Self {
        Context {
            declaration,
            sent_title: None,
            ..*self
        }
    }

    /// Makes the hashes that are recorded of this declaration.
    pub(super) fn seal(&self) -> Seal<'a> {
        Seal {
            uid: &self.declaration.uid,
            key: self.world.seal_key,
        }
    }

    pub(super) fn policies(&self) -> Policies {
        self.declaration.policies(self.world.page_spec())
    }

    /// The name that people see and that objects are recognised by.
    pub(super) fn title(&self, declared: Option<&str>) -> String {
        self.sent_title
            .or(declared)
            .unwrap_or(&self.declaration.key.name)
            .to_owned()
    }

    /// The uptime of a component or group, if it is asked for: what was read, or what is in the status until then.
    pub(super) fn uptime(
        &self,
        observe: Option<&ComponentObservation>,
        id: &str,
        before: Option<Uptime>,
    ) -> Option<Uptime> {
        if !observe.is_some_and(|observe| observe.uptime) {
            return None;
        }
        let Some(read) = self.world.snapshot.uptimes.get(id) else {
            return before;
        };
        let known = read.value.as_ref()?;
        let percentage = known.uptime_percentage?;
        Some(Uptime {
            percentage: (percentage * 1000.0).round() / 1000.0,
            since: known.range_start.map(|start| start.strftime("%Y-%m-%d").to_string()),
        })
    }

    /// The uptime of a component or group as something to read, if it is asked for.
    pub(super) fn uptime_to_read(
        &self,
        observe: Option<&ComponentObservation>,
        what: ReadWhat,
        id: &str,
    ) -> Vec<Unlisted> {
        if !observe.is_some_and(|observe| observe.uptime) {
            return Vec::new();
        }
        let known = self.world.snapshot.uptimes.get(id);
        vec![Unlisted {
            what,
            read_at: known.map(|known| known.read_at),
            pause: UPTIME_PAUSE,
        }]
    }

    /// True when a declaration may be written to the page at all.
    pub(super) fn may_write(&self, other: &Declaration) -> bool {
        let policies = other.policies(self.world.page_spec());
        policies.management == ManagementPolicy::Full && !policies.suspend
    }

    /// The id of another declaration of the same namespace and page, or why there is none yet.
    pub(super) fn reference(&self, kind: Kind, name: &str) -> Result<&'a str, Blocked> {
        let key = ObjectKey::new(kind, self.declaration.key.namespace.clone(), name);
        match self.claims.present(&key) {
            Some(id) if !self.claims.is_unproven(&key) => return Ok(id),
            _ => {}
        }
        let message = match self.index.get(&key) {
            Some(_) if self.claims.is_unproven(&key) => {
                format!("waiting for {kind} {name}: checking whether it is on the page")
            }
            Some(_) => format!("waiting for {kind} {name}, which is not on the page yet"),
            None => format!(
                "waiting for {kind} {name}: no such declaration in namespace {} for this page; create it or correct the name",
                self.declaration.key.namespace
            ),
        };
        Err(Blocked::waiting(Reason::WaitingForReference, message))
    }

    /// The ids of other declarations, as JSON, or why one of them is not there yet.
    pub(super) fn references(&self, kind: Kind, names: &[String]) -> Result<Value, Blocked> {
        names
            .iter()
            .map(|name| self.reference(kind, name).map(Value::from))
            .collect()
    }

    /// The same where a declaration may leave them to the page.
    pub(super) fn references_if(&self, kind: Kind, names: &Option<Vec<String>>) -> Result<Option<Value>, Blocked> {
        names.as_deref().map(|names| self.references(kind, names)).transpose()
    }

    /// The secret that a field of the declaration refers to, or why it is not known.
    pub(super) fn secret(&self, field: &str, reference: &SecretReference) -> Result<Value, Blocked> {
        let problem = match self.declaration.secrets.get(field) {
            Some(Ok(secret)) => return Ok(json!(secret)),
            Some(Err(problem)) => problem.clone(),
            None => format!("waiting for Secret {}", reference.name),
        };
        Err(Blocked::waiting(Reason::SecretNotFound, problem))
    }

    /// The component that a group which is not on the page begins with: the first one that can be created, because one
    /// that is stopped must not stop the others. None once a member is there.
    pub(super) fn first_member(&self, namespace: &str, group: &str) -> Option<&'a Declaration> {
        let members = self.index.members(namespace, group);
        let is_there = |member: &Declaration| self.claims.present(&member.key).is_some() && self.may_write(member);
        if members.iter().any(|member| is_there(member)) {
            return None;
        }
        let mut to_create = members.iter().filter(|member| self.claims.is_to_create(&member.key));
        to_create.find(|member| !self.held(member)).copied()
    }

    /// True while nothing will be sent for a declaration: it is suspended or its last request failed.
    pub(super) fn held(&self, other: &Declaration) -> bool {
        other.policies(self.world.page_spec()).suspend
            || self
                .world
                .failures
                .get(&other.key)
                .is_some_and(|failure| failure.blocks(other.generation, self.world.now))
    }
}
