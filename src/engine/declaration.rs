//! A declaration as the engine sees it: the same shape for every kind and every store.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::journal::open_creation;
use crate::api::{
    AdoptionPolicy, Deletion, DriftPolicy, Kind, ManagementPolicy, ReplacePolicy, Spec, Status, StatusPageSpec,
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

    /// The declarations of its page that it names, of its own namespace.
    pub fn references(&self) -> Vec<ObjectKey> {
        let named = self.spec.references().into_iter();
        named
            .filter(|reference| reference.kind != Kind::StatusPage)
            .map(|reference| ObjectKey::new(reference.kind, self.key.namespace.clone(), reference.name))
            .collect()
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
        let default_drift = self.key.kind.own_drift_policy().or(defaults.drift_policy);
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
                    .unwrap_or_default(),
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
