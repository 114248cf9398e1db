//! The lock file: what a fresh clone of a directory needs to know of the page. Safe to commit: no token, no text of a
//! manifest, no address of a subscriber.
//!
//! One line an object, sorted, so that a diff reads like a list of objects and a merge conflict is one of an object. It
//! is JSON all the same, which editors, `jq` and hooks before a commit read: a file of JSON lines would tolerate merges as
//! well, and those would refuse it. So the last member is `"end": null`, every line of an object ends with a comma, and
//! what Git makes of two branches (`merge=union` included) is read. An object that stands there twice in the same words is
//! one; in different words it is an error, since either line may know of an object that the other does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::report;
use crate::api::Kind;
use crate::engine::{self, Deletion, ObjectKey, READY, Status};

/// The version of the format that is written. Version 1 held whole statuses, by `Kind/namespace/name`.
pub(super) const VERSION: u64 = 2;

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

/// An entry as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// In the lock file; none for what was never sent and has nothing on record.
    pub(super) line: Option<String>,
    /// In the file of reports.
    pub(super) report: Option<String>,
}

impl Entry {
    /// True when this status says that the page shows what the present generation declares.
    pub(super) fn is_settled_by(&self, status: &Status) -> bool {
        engine::find_condition(status.object(), READY)
            .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(self.generation))
    }

    /// The entry with this name as it is written.
    pub(super) fn texts(&self, name: &str) -> Texts {
        let (recorded, reported) = match (&self.status, entry_key(name)) {
            (Recorded::Status(status), Some(key)) => {
                let (recorded, reported) = report::split(key.kind, status);
                (Value::Object(recorded), reported)
            }
            (Recorded::Other(value), _) => (value.clone(), Map::new()),
            (Recorded::Status(_), None) => (Value::Null, Map::new()),
        };
        let has_status = match &recorded {
            Value::Null => false,
            Value::Object(fields) => !fields.is_empty(),
            _ => true,
        };
        let Ok(mut entry) = serde_json::to_value(self) else {
            return Texts::default();
        };
        if let (true, Value::Object(fields)) = (has_status, &mut entry) {
            fields.insert("status".to_owned(), recorded);
        }
        // They are kept for as long as the entry is.
        let line = (self.held || has_status).then(|| {
            let mut line = entry.to_string();
            line.shrink_to_fit();
            line
        });
        let report = report::text(line.as_deref(), &entry, reported);
        Texts { line, report }
    }
}

/// The text of a file, from the texts of its members: one line each.
pub(super) fn text<'a>(version: u64, members: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = format!("{{\"version\":{version},\"objects\":{{\n");
    for (name, member) in members {
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(member);
        text.push_str(",\n");
    }
    // So that every line of an object ends in a comma, the last one too.
    text.push_str("\"end\":null}}\n");
    text
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
