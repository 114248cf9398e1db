//! What the rules of a kind may ask about the rest of the page.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::claims::Claims;
use super::declaration::{Declaration, ObjectKey, Policies, Spec};
use super::kinds::{Unlisted, is_running_maintenance};
use super::lookup::Lookup;
use super::plan::{ReadWhat, State};
use super::world::World;
use crate::api::{
    ComponentGroupSpec, ComponentObservation, ComponentSpec, IncidentSpec, IncidentTemplateSpec, Kind,
    ManagementPolicy, MetricSpec, MetricsProviderSpec, OrganizationUserSpec, PageAccessGroupSpec, PageAccessUserSpec,
    Reason, SubscriberSpec, Uptime,
};

/// Uptimes are read so often at most: they move slowly, and each is a request of its own.
const UPTIME_PAUSE: Duration = Duration::from_secs(3600);

/// Why an object cannot be compared or created yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blocked {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Blocked {
    pub(super) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Blocked {
            state: State::Progressing,
            reason,
            message: message.into(),
        }
    }

    /// Not enough was read to tell.
    pub(super) fn unread(what: impl std::fmt::Display) -> Self {
        Blocked {
            state: State::Unknown,
            reason: Reason::Progressing,
            message: format!("{what} were not read yet"),
        }
    }

    pub(super) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Blocked {
            state: State::Stalled,
            reason,
            message: message.into(),
        }
    }
}

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
    lookups: HashMap<Kind, Lookup>,
    remote_members: HashMap<&'a str, Vec<&'a str>>,
    maintained: HashSet<&'a str>,
    providing_since: Option<Timestamp>,
    by_key: BTreeMap<&'a ObjectKey, &'a Declaration>,
    members: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a Declaration>>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(world: &'a World<'a>) -> Self {
        let mut index = Index {
            by_key: BTreeMap::new(),
            members: BTreeMap::new(),
            lookups: HashMap::from([
                (Kind::Component, Lookup::of::<ComponentSpec>(world.snapshot)),
                (Kind::ComponentGroup, Lookup::of::<ComponentGroupSpec>(world.snapshot)),
                (Kind::Incident, Lookup::of::<IncidentSpec>(world.snapshot)),
                (Kind::MetricsProvider, Lookup::of::<MetricsProviderSpec>(world.snapshot)),
                (Kind::Metric, Lookup::of::<MetricSpec>(world.snapshot)),
                (Kind::Subscriber, Lookup::of::<SubscriberSpec>(world.snapshot)),
                (
                    Kind::IncidentTemplate,
                    Lookup::of::<IncidentTemplateSpec>(world.snapshot),
                ),
                (Kind::PageAccessUser, Lookup::of::<PageAccessUserSpec>(world.snapshot)),
                (Kind::PageAccessGroup, Lookup::of::<PageAccessGroupSpec>(world.snapshot)),
                (
                    Kind::OrganizationUser,
                    Lookup::of::<OrganizationUserSpec>(world.snapshot),
                ),
            ]),
            remote_members: HashMap::new(),
            maintained: HashSet::new(),
            providing_since: None,
        };
        for row in world.snapshot.components.iter().flat_map(|list| &list.items) {
            if let (false, Some(group)) = (row.group, row.group_id.as_deref()) {
                index.remote_members.entry(group).or_default().push(&row.id);
            }
        }
        let incidents = world.snapshot.incidents.iter().flat_map(|list| &list.items);
        for incident in incidents.filter(|incident| is_running_maintenance(incident)) {
            index
                .maintained
                .extend(incident.components.iter().map(|component| component.id.as_str()));
        }
        for declaration in world.declarations {
            index.by_key.insert(&declaration.key, declaration);
            if matches!(&*declaration.spec, Spec::Metric(spec) if spec.provider_ref.is_none()) {
                // An attempt to create the provider, or a metric that needed it to be there.
                let object = declaration.status.object();
                let attempt = object.journal.as_ref().map(|journal| journal.at.0);
                let seen = object.last_sync_time.as_ref().map(|seen| seen.0);
                index.providing_since = index.providing_since.max(attempt).max(seen);
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
    pub(super) fn lookup(&self, kind: Kind) -> Option<&Lookup> {
        self.lookups.get(&kind)
    }

    /// Ids of all components that are in a remote group, ours or not.
    pub(super) fn remote_members(&self, group_id: &str) -> &[&'a str] {
        self.remote_members.get(group_id).map_or(&[], Vec::as_slice)
    }

    /// When the page's provider of type Self was there last, or may have been created.
    pub(super) fn providing_since(&self) -> Option<Timestamp> {
        self.providing_since
    }

    /// True while a maintenance in progress affects the component.
    pub(super) fn is_maintained(&self, component_id: &str) -> bool {
        self.maintained.contains(component_id)
    }

    /// Components that name this group, in the order of declaration.
    pub(super) fn members(&self, namespace: &str, group: &str) -> &[&'a Declaration] {
        self.members
            .get(namespace)
            .and_then(|groups| groups.get(group))
            .map_or(&[], Vec::as_slice)
    }
}

impl<'a> Context<'a> {
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
        if let Some(id) = self.claims.present(&key) {
            return Ok(id);
        }
        let message = match self.index.get(&key) {
            Some(_) => format!("waits for {kind} {name}, which is not on the page yet"),
            None => format!(
                "waits for {kind} {name}: no such declaration in namespace {} for this page; create it or correct the name",
                self.declaration.key.namespace
            ),
        };
        Err(Blocked::waiting(Reason::WaitingForReference, message))
    }

    /// The ids of other declarations, as JSON, or why one of them is not there yet.
    pub(super) fn references(&self, kind: Kind, names: &[String]) -> Result<serde_json::Value, Blocked> {
        names
            .iter()
            .map(|name| self.reference(kind, name).map(serde_json::Value::from))
            .collect()
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
