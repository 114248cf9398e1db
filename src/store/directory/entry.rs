//! One declaration on record.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::api::Kind;
use crate::engine::{self, Deletion, ObjectKey, READY, Status};

/// What is on record, by the name of its declaration.
pub(super) type Entries = BTreeMap<String, Entry>;

/// One declaration that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) uid: String,
    pub(super) created: Timestamp,
    /// Counts the versions of the manifest's spec.
    pub(super) generation: i64,
    /// Hash of the spec of that generation.
    pub(super) spec: String,
    /// `namespace/name` of its StatusPage.
    pub(super) page: String,
    /// Of a StatusPage, the address at which its ids are good, where the file does not lie apart for each address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
    /// What to do when the manifest is gone.
    pub(super) deletion: Deletion,
    /// True once the remote object may exist: then the entry outlives the manifest.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) held: bool,
    /// True until the page was seen to show what this generation declares.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) pending: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(default, skip_serializing)]
    pub(super) status: Recorded,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

/// A status on record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Recorded {
    /// One that is understood, shared with the views.
    Status(Arc<Status>),
    /// None, or one that this program does not understand: left as it is.
    Other(Value),
}

impl Default for Recorded {
    fn default() -> Self {
        Recorded::NONE
    }
}

impl From<Status> for Recorded {
    fn from(status: Status) -> Self {
        Recorded::Status(Arc::new(status))
    }
}

impl Recorded {
    pub(super) const NONE: Recorded = Recorded::Other(Value::Null);

    /// The status of an object of this kind. One that cannot be read is as good as none: the id stands beside it.
    pub(super) fn of(&self, kind: Kind) -> Arc<Status> {
        match self {
            Recorded::Status(status) => Arc::clone(status),
            Recorded::Other(_) => Arc::new(Status::empty(kind)),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Recorded::Other(Value::deserialize(deserializer)?))
    }
}

impl Entry {
    /// True when this status says that the page shows what the present generation declares.
    pub(super) fn is_settled_by(&self, status: &Status) -> bool {
        engine::find_condition(status.object(), READY)
            .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(self.generation))
    }
}

/// The name of a declaration in the lock file: sorted by it, the objects of a namespace stand together.
pub(super) fn entry_name(key: &ObjectKey) -> String {
    format!("{}/{}/{}", key.namespace, key.kind, key.name)
}

/// The declaration with this name in the lock file.
pub(super) fn entry_key(name: &str) -> Option<ObjectKey> {
    let mut parts = name.splitn(3, '/');
    let (namespace, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some(ObjectKey::new(Kind::parse(kind)?, namespace, name))
}
