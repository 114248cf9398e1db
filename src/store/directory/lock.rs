//! The lock file: what a fresh clone of a directory needs to know of the page. Safe to commit: no token, no text of a
//! manifest, no address of a subscriber.
//!
//! One line an object, sorted, so that a diff reads like a list of objects and a merge conflict is one of an object. It
//! is JSON all the same, which editors, `jq` and hooks before a commit read: a file of JSON lines would tolerate merges as
//! well, and those would refuse it. So the last member is `"end": null`, every line of an object ends with a comma, and
//! what Git makes of two branches (`merge=union` included) is read. An object that stands there twice in the same words is
//! one; in different words it is an error, since either line may know of an object that the other does not.

use serde_json::{Map, Value};

use super::entry::{Entry, Recorded, entry_key};
use super::report;

/// The version of the format that is written. Version 1 held whole statuses, by `Kind/namespace/name`.
pub(super) const VERSION: u64 = 2;

/// An entry as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// In the lock file; none for what was never sent and has nothing on record.
    pub(super) line: Option<String>,
    /// In the file of reports.
    pub(super) report: Option<String>,
}

impl Entry {
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
