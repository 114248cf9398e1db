//! A declaration as the engine sees it: the same shape for every kind and every store.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal::open_creation;
use crate::api::{
    AdoptionPolicy, CommonSpec, ComponentGroupSpec, ComponentGroupStatus, ComponentSpec, ComponentStatus,
    DeletionPolicy, DriftPolicy, IncidentDeletionPolicy, IncidentSpec, IncidentStatus, IncidentTemplateSpec,
    IncidentTemplateStatus, Kind, ManagementPolicy, MetricSpec, MetricStatus, MetricsProviderSpec,
    MetricsProviderStatus, ObjectStatus, OrganizationUserSpec, OrganizationUserStatus, PageAccessGroupSpec,
    PageAccessGroupStatus, PageAccessUserSpec, PageAccessUserStatus, ReplacePolicy, SecretReference, StatusPageSpec,
    StatusPageStatus, SubscriberSpec, SubscriberStatus,
};
use crate::statuspage::Secret;

/// Names one declaration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// The key of a declaration.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectKey {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// One declaration with everything that a decision about it needs.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Its name.
    pub key: ObjectKey,
    /// Unique in time: a declaration deleted and written again has another one.
    pub uid: String,
    /// The version of the stored object that this was read from.
    pub version: String,
    /// Grows with every change of the spec.
    pub generation: i64,
    /// The field manager that last changed the spec, where the store knows it.
    pub field_manager: Option<String>,
    /// When it was written first; the older of two claimants keeps the remote object.
    pub created: Timestamp,
    /// When this process first saw it, or first saw its present requested-at, by the clock of the process: lists must be
    /// read after that before anything is created.
    pub seen: Timestamp,
    /// When this process first saw the present spec, by the clock of the process: what is declared is written on what was
    /// read after that.
    pub spec_seen: Timestamp,
    /// True for one that was written while this process, or one before it that kept a record, already worked for the
    /// page: nothing was ever sent for it.
    pub fresh: bool,
    /// When this process first saw the attempt that the journal notes, by the clock of the process.
    pub attempt_seen: Option<Timestamp>,
    /// True once its owner deleted it.
    pub deleting: bool,
    /// True while the finalizer is on it.
    pub finalizer: bool,
    /// The id annotation.
    pub id_annotation: Option<String>,
    /// The requested-at annotation.
    pub requested_at: Option<String>,
    /// True when the command at work was asked to do nothing for it: its object stays its own, and that is all.
    pub set_aside: bool,
    /// The allow-deletes annotation.
    pub allow_deletes: Option<String>,
    /// Those of [`crate::api::ASKED_BESIDE`] that are on it.
    pub annotations: BTreeMap<String, String>,
    /// True when the first of the updates in the spec is its template's, put there by [`super::fill_templates`].
    pub opened_by_template: bool,
    /// What is declared. Shared with the store, as is `stored`: a view of ten thousand declarations is made anew for every
    /// plan.
    pub spec: Arc<Spec>,
    /// What is known, possibly not stored yet. Shared with whatever else knows the same, until it is changed.
    pub status: Arc<Status>,
    /// What the store holds as status.
    pub stored: Arc<Status>,
    /// Values of the Secrets that the spec names, by spec field; the error is a sentence.
    pub secrets: BTreeMap<&'static str, Result<Secret, String>>,
}

/// What a declaration says.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// A page.
    StatusPage(Box<StatusPageSpec>),
    /// A group.
    ComponentGroup(ComponentGroupSpec),
    /// A component.
    Component(ComponentSpec),
    /// An incident.
    Incident(Box<IncidentSpec>),
    /// A provider.
    MetricsProvider(Box<MetricsProviderSpec>),
    /// A metric.
    Metric(Box<MetricSpec>),
    /// A subscriber.
    Subscriber(SubscriberSpec),
    /// An incident template.
    IncidentTemplate(Box<IncidentTemplateSpec>),
    /// A page access user.
    PageAccessUser(Box<PageAccessUserSpec>),
    /// A page access group.
    PageAccessGroup(Box<PageAccessGroupSpec>),
    /// A member of the organization.
    OrganizationUser(Box<OrganizationUserSpec>),
    /// The manifest is gone: all that is left to do is what its deletion policy says.
    Removed(Deletion),
}

/// What deleting a declaration does to the remote object: the union of all deletion policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// Delete it.
    Delete,
    /// Leave it.
    #[default]
    Orphan,
    /// Resolve the incident and leave it.
    Resolve,
}

impl From<DeletionPolicy> for Deletion {
    fn from(policy: DeletionPolicy) -> Self {
        match policy {
            DeletionPolicy::Delete => Deletion::Delete,
            DeletionPolicy::Orphan => Deletion::Orphan,
        }
    }
}

impl From<IncidentDeletionPolicy> for Deletion {
    fn from(policy: IncidentDeletionPolicy) -> Self {
        match policy {
            IncidentDeletionPolicy::Delete => Deletion::Delete,
            IncidentDeletionPolicy::Orphan => Deletion::Orphan,
            IncidentDeletionPolicy::Resolve => Deletion::Resolve,
        }
    }
}

/// The policies in force for one declaration: its own words, else the page's defaults, else the built-in ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies {
    /// May the remote object be written.
    pub management: ManagementPolicy,
    /// What to do with an unowned object of the same identity.
    pub adoption: AdoptionPolicy,
    /// What to do about changes by others.
    pub drift: DriftPolicy,
    /// What deletion does.
    pub deletion: Deletion,
    /// What to do about a change that only another object can have.
    pub replace: ReplacePolicy,
    /// Stops everything.
    pub suspend: bool,
}

impl Spec {
    /// Reads the spec of a kind from JSON; fields that do not fit are an error.
    pub fn from_json(kind: Kind, value: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::StatusPage => Spec::StatusPage(Deserialize::deserialize(value)?),
            Kind::ComponentGroup => Spec::ComponentGroup(Deserialize::deserialize(value)?),
            Kind::Component => Spec::Component(Deserialize::deserialize(value)?),
            Kind::Incident => Spec::Incident(Deserialize::deserialize(value)?),
            Kind::MetricsProvider => Spec::MetricsProvider(Deserialize::deserialize(value)?),
            Kind::Metric => Spec::Metric(Deserialize::deserialize(value)?),
            Kind::Subscriber => Spec::Subscriber(Deserialize::deserialize(value)?),
            Kind::IncidentTemplate => Spec::IncidentTemplate(Deserialize::deserialize(value)?),
            Kind::PageAccessUser => Spec::PageAccessUser(Deserialize::deserialize(value)?),
            Kind::PageAccessGroup => Spec::PageAccessGroup(Deserialize::deserialize(value)?),
            Kind::OrganizationUser => Spec::OrganizationUser(Deserialize::deserialize(value)?),
        })
    }

    /// The shared part of the spec; none for a page and for a removed manifest.
    pub fn common(&self) -> Option<&CommonSpec> {
        match self {
            Spec::StatusPage(_) | Spec::Removed(_) => None,
            Spec::ComponentGroup(spec) => Some(&spec.common),
            Spec::Component(spec) => Some(&spec.common),
            Spec::Incident(spec) => Some(&spec.common),
            Spec::MetricsProvider(spec) => Some(&spec.common),
            Spec::Metric(spec) => Some(&spec.common),
            Spec::Subscriber(spec) => Some(&spec.common),
            Spec::IncidentTemplate(spec) => Some(&spec.common),
            Spec::PageAccessUser(spec) => Some(&spec.common),
            Spec::PageAccessGroup(spec) => Some(&spec.common),
            Spec::OrganizationUser(spec) => Some(&spec.common),
        }
    }

    /// The Secrets that the spec names, by field.
    pub fn secret_references(&self) -> Vec<(&'static str, &SecretReference)> {
        let references = match self {
            Spec::MetricsProvider(spec) => vec![
                ("passwordSecretRef", &spec.password_secret_ref),
                ("apiKeySecretRef", &spec.api_key_secret_ref),
                ("apiTokenSecretRef", &spec.api_token_secret_ref),
                ("applicationKeySecretRef", &spec.application_key_secret_ref),
            ],
            Spec::OrganizationUser(spec) => vec![("passwordSecretRef", &spec.password_secret_ref)],
            _ => Vec::new(),
        };
        references
            .into_iter()
            .filter_map(|(field, reference)| Some((field, reference.as_ref()?)))
            .collect()
    }

    /// What the spec says about replacing its object; none for kinds that never are.
    pub fn replace_policy(&self) -> Option<ReplacePolicy> {
        match self {
            Spec::MetricsProvider(spec) => Some(spec.replace_policy.unwrap_or_default()),
            Spec::Metric(spec) => Some(spec.replace_policy.unwrap_or_default()),
            Spec::PageAccessUser(spec) => Some(spec.replace_policy.unwrap_or_default()),
            Spec::OrganizationUser(spec) => Some(spec.replace_policy.unwrap_or_default()),
            _ => None,
        }
    }

    pub(super) fn own_deletion(&self) -> Option<Deletion> {
        match self {
            Spec::StatusPage(_) => Some(Deletion::Orphan),
            Spec::Removed(deletion) => Some(*deletion),
            Spec::ComponentGroup(spec) => spec.deletion_policy.map(Into::into),
            Spec::Component(spec) => spec.deletion_policy.map(Into::into),
            Spec::Incident(spec) => Some(spec.deletion_policy.unwrap_or_default().into()),
            Spec::MetricsProvider(spec) => spec.deletion_policy.map(Into::into),
            Spec::Metric(spec) => spec.deletion_policy.map(Into::into),
            Spec::Subscriber(spec) => spec.deletion_policy.map(Into::into),
            // There is no way to delete a template.
            Spec::IncidentTemplate(_) => Some(Deletion::Orphan),
            Spec::PageAccessUser(spec) => spec.deletion_policy.map(Into::into),
            Spec::PageAccessGroup(spec) => spec.deletion_policy.map(Into::into),
            Spec::OrganizationUser(spec) => spec.deletion_policy.map(Into::into),
        }
    }
}

impl Declaration {
    /// A declaration that was just made: its first generation, without annotations, and with nothing known of it.
    pub fn new(key: ObjectKey, uid: String, created: Timestamp, spec: Spec) -> Self {
        let status = Arc::new(Status::empty(key.kind));
        Declaration {
            uid,
            version: String::new(),
            generation: 1,
            field_manager: None,
            created,
            seen: created,
            spec_seen: created,
            fresh: false,
            attempt_seen: None,
            deleting: false,
            finalizer: false,
            id_annotation: None,
            requested_at: None,
            set_aside: false,
            allow_deletes: None,
            annotations: BTreeMap::new(),
            opened_by_template: false,
            spec: Arc::new(spec),
            stored: Arc::clone(&status),
            status,
            secrets: BTreeMap::new(),
            key,
        }
    }

    /// What is known, to change: from then on this declaration has a copy of its own.
    pub fn status_mut(&mut self) -> &mut Status {
        Arc::make_mut(&mut self.status)
    }

    /// The declarations that it names, of its own namespace.
    pub fn references(&self) -> Vec<ObjectKey> {
        let mut found = Vec::new();
        let mut name = |kind: Kind, names: &mut dyn Iterator<Item = &String>| {
            found.extend(names.map(|name| ObjectKey::new(kind, self.key.namespace.clone(), name)));
        };
        match &*self.spec {
            Spec::Component(spec) => {
                name(
                    Kind::ComponentGroup,
                    &mut spec.group_ref.iter().map(|group| &group.name),
                );
            }
            Spec::Metric(spec) => {
                name(
                    Kind::MetricsProvider,
                    &mut spec.provider_ref.iter().map(|provider| &provider.name),
                );
            }
            Spec::Incident(spec) => {
                name(Kind::Component, &mut spec.components.keys());
                let template = spec.template_ref.iter();
                name(Kind::IncidentTemplate, &mut template.map(|template| &template.name));
            }
            Spec::Subscriber(spec) => name(Kind::Component, &mut spec.components.iter()),
            Spec::IncidentTemplate(spec) => name(Kind::Component, &mut spec.components.iter().flatten()),
            Spec::PageAccessUser(spec) => {
                name(Kind::Component, &mut spec.components.iter().flatten());
                name(Kind::Metric, &mut spec.metrics.iter().flatten());
            }
            Spec::PageAccessGroup(spec) => {
                name(Kind::PageAccessUser, &mut spec.users.iter().flatten());
                name(Kind::Component, &mut spec.components.iter().flatten());
                name(Kind::Metric, &mut spec.metrics.iter().flatten());
            }
            Spec::StatusPage(_)
            | Spec::ComponentGroup(_)
            | Spec::MetricsProvider(_)
            | Spec::OrganizationUser(_)
            | Spec::Removed(_) => {}
        }
        found
    }

    /// True when it is deleted and leaves its object on the page as it is, whatever the page shows.
    pub fn lets_go(&self, page: Option<&StatusPageSpec>) -> bool {
        let policies = self.policies(page);
        let leaves = policies.deletion == Deletion::Orphan || policies.management == ManagementPolicy::ObserveOnly;
        self.deleting && leaves && !policies.suspend
    }

    /// The policies in force, given the page's spec.
    pub fn policies(&self, page: Option<&StatusPageSpec>) -> Policies {
        let defaults = page.and_then(|page| page.defaults.clone()).unwrap_or_default();
        let common = self.spec.common();
        let built_in_drift = if self.key.kind == Kind::Incident {
            DriftPolicy::Detect
        } else {
            DriftPolicy::Correct
        };
        // A page's driftPolicy default is about configuration; an incident keeps Detect unless it says otherwise
        // itself, so that nobody fights a human who is typing in the console.
        let default_drift = if self.key.kind == Kind::Incident {
            None
        } else {
            defaults.drift_policy
        };
        let page_suspended = page.is_some_and(|page| page.suspend);
        match &*self.spec {
            Spec::StatusPage(page) => Policies {
                management: page.management_policy.unwrap_or_default(),
                adoption: AdoptionPolicy::ByName,
                drift: page.drift_policy.unwrap_or_default(),
                deletion: Deletion::Orphan,
                replace: ReplacePolicy::Never,
                suspend: page.suspend,
            },
            spec => Policies {
                management: common
                    .and_then(|common| common.management_policy)
                    .or(defaults.management_policy)
                    .unwrap_or_default(),
                adoption: common
                    .and_then(|common| common.adoption_policy)
                    .or(defaults.adoption_policy)
                    .unwrap_or_default(),
                drift: common
                    .and_then(|common| common.drift_policy)
                    .or(default_drift)
                    .unwrap_or(built_in_drift),
                deletion: spec.own_deletion().unwrap_or_else(|| {
                    if self.status.object().adopted || self.is_to_take_over() {
                        Deletion::Orphan
                    } else {
                        defaults.deletion_policy.map_or(Deletion::Delete, Into::into)
                    }
                }),
                replace: spec.replace_policy().unwrap_or_default(),
                suspend: page_suspended || self.set_aside || common.is_some_and(|common| common.suspend),
            },
        }
    }

    /// Puts the ids of pages in the place of names of StatusPages, as far as `id_of` knows them. A declaration may
    /// name other pages than its own, which the engine does not see.
    pub fn resolve_pages(&mut self, id_of: impl Fn(&str) -> Option<String>) {
        if !matches!(*self.spec, Spec::OrganizationUser(_)) {
            return;
        }
        if let Spec::OrganizationUser(spec) = Arc::make_mut(&mut self.spec) {
            for permission in &mut spec.permissions {
                if let (None, Some(name)) = (&permission.page_id, &permission.page) {
                    permission.page_id = id_of(name);
                }
            }
        }
    }

    /// True when its annotation gives the id of an object that it is not known to have: the object was neither created
    /// nor adopted for it yet.
    pub fn is_to_take_over(&self) -> bool {
        let object = self.status.object();
        // What was just created gets its id into the annotation first, and then into the status.
        let created = open_creation(object).is_some();
        self.id_annotation.is_some() && self.recorded_id() != object.id.as_deref() && !created
    }

    /// The id that this declaration records: the annotation's, else the status's. An annotation that names the object
    /// before the present one counts for nothing.
    pub fn recorded_id(&self) -> Option<&str> {
        let object = self.status.object();
        let annotated = self.id_annotation.as_deref();
        annotated
            .filter(|id| object.id.is_none() || object.former_id.as_deref() != Some(id))
            .or(object.id.as_deref())
    }
}

/// What is known of a declaration's remote object.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Of a page.
    StatusPage(StatusPageStatus),
    /// Of a group.
    ComponentGroup(ComponentGroupStatus),
    /// Of a component.
    Component(ComponentStatus),
    /// Of an incident.
    Incident(IncidentStatus),
    /// Of a provider.
    MetricsProvider(MetricsProviderStatus),
    /// Of a metric.
    Metric(MetricStatus),
    /// Of a subscriber.
    Subscriber(SubscriberStatus),
    /// Of an incident template.
    IncidentTemplate(IncidentTemplateStatus),
    /// Of a page access user.
    PageAccessUser(PageAccessUserStatus),
    /// Of a page access group.
    PageAccessGroup(PageAccessGroupStatus),
    /// Of a member of the organization.
    OrganizationUser(OrganizationUserStatus),
}

macro_rules! each_status {
    ($self:expr, $status:ident => $value:expr) => {
        match $self {
            Status::StatusPage($status) => $value,
            Status::ComponentGroup($status) => $value,
            Status::Component($status) => $value,
            Status::Incident($status) => $value,
            Status::MetricsProvider($status) => $value,
            Status::Metric($status) => $value,
            Status::Subscriber($status) => $value,
            Status::IncidentTemplate($status) => $value,
            Status::PageAccessUser($status) => $value,
            Status::PageAccessGroup($status) => $value,
            Status::OrganizationUser($status) => $value,
        }
    };
}

impl Status {
    /// The empty status of a kind.
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::StatusPage => Status::StatusPage(Default::default()),
            Kind::ComponentGroup => Status::ComponentGroup(Default::default()),
            Kind::Component => Status::Component(Default::default()),
            Kind::Incident => Status::Incident(Default::default()),
            Kind::MetricsProvider => Status::MetricsProvider(Default::default()),
            Kind::Metric => Status::Metric(Default::default()),
            Kind::Subscriber => Status::Subscriber(Default::default()),
            Kind::IncidentTemplate => Status::IncidentTemplate(Default::default()),
            Kind::PageAccessUser => Status::PageAccessUser(Default::default()),
            Kind::PageAccessGroup => Status::PageAccessGroup(Default::default()),
            Kind::OrganizationUser => Status::OrganizationUser(Default::default()),
        }
    }

    /// Reads the status of a kind from JSON; fields that do not fit are an error.
    pub fn from_json(kind: Kind, value: serde_json::Value) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::StatusPage => Status::StatusPage(serde_json::from_value(value)?),
            Kind::ComponentGroup => Status::ComponentGroup(serde_json::from_value(value)?),
            Kind::Component => Status::Component(serde_json::from_value(value)?),
            Kind::Incident => Status::Incident(serde_json::from_value(value)?),
            Kind::MetricsProvider => Status::MetricsProvider(serde_json::from_value(value)?),
            Kind::Metric => Status::Metric(serde_json::from_value(value)?),
            Kind::Subscriber => Status::Subscriber(serde_json::from_value(value)?),
            Kind::IncidentTemplate => Status::IncidentTemplate(serde_json::from_value(value)?),
            Kind::PageAccessUser => Status::PageAccessUser(serde_json::from_value(value)?),
            Kind::PageAccessGroup => Status::PageAccessGroup(serde_json::from_value(value)?),
            Kind::OrganizationUser => Status::OrganizationUser(serde_json::from_value(value)?),
        })
    }

    /// The status as JSON.
    pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        each_status!(self, status => serde_json::to_value(status))
    }

    /// True when two say the same; one that is shared is not compared with itself.
    pub fn is_same(one: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(one, other) || one == other
    }

    /// The shared part.
    pub fn object(&self) -> &ObjectStatus {
        each_status!(self, status => &status.object)
    }

    /// The shared part, to change.
    pub fn object_mut(&mut self) -> &mut ObjectStatus {
        each_status!(self, status => &mut status.object)
    }
}
