//! What is kept of a status, and where.
//!
//! The lock file is committed: it holds what a fresh clone needs so that nothing is created or told twice, deleted by
//! mistake or forgotten. Everything else is a report. It lies in `.statuspage/`, and may be lost at any time.
//!
//! | field | kept in | because without it |
//! |---|---|---|
//! | `id`, `formerId` | lock file | the object would be looked for by its name, or taken for one that is gone |
//! | `adopted` | lock file | what was adopted would be deleted with its manifest |
//! | `applied` | lock file | a change by hand could not be told from a change of the manifest; what tells people is in it (`once/…`) |
//! | `journal` | lock file | an attempt whose outcome is not known would be made again |
//! | `recentDeletions` (StatusPage) | lock file | the cap would begin anew with each clone |
//! | `groupId` (Component) | lock file | a component would not leave the group that it was put in here |
//! | `updates` (Incident) | lock file | updates that are published would have to be recognised by their text |
//! | `status` (Incident) | lock file | a component would not be known to belong to an incident or a maintenance that runs |
//! | `providerId` (Metric) | lock file | the provider that was made for it would be made again |
//! | `conditions`, `observedGeneration` | report | one bit of them is in the lock file, as `pending`: see below |
//! | `drift` | report | what differs is read by its id once more before it is told |
//! | `lastHandledRequest`, `lastSyncTime`, `pageId`, `url` | report | nothing: no decision reads them |
//! | `status`, `managed`, `pending`, `subscribers` (StatusPage) | report | nothing |
//! | `status`, `uptime`, `members`, `impact`, `resolvedAt`, `mostRecentDataAt`, `state`, `disabled`, `pages`, `users`, `components`, `metrics`, `groups` (others) | report | nothing: they are read from the page |
//!
//! Of the fields beside the status, `uid` is in the mark of an incident and in the hashes, `created` says which of two
//! declarations of one object is the older one, `generation` and `spec` tell an edit, `page` and `deletion` are what is left of a
//! manifest that is gone, and `held` says that there may be an object.
//!
//! Once the page was seen to show what a generation declares, its entry is not `pending` any more. Without a report such an
//! object is shown as in sync, as it was when it was last applied, until the page has been read; its figures are not
//! there until then. So a fresh clone sends what the old one would send, but for a look at what differs, and its event
//! log does not tell again what has not changed.
//!
//! A report speaks of one line of the lock file, whose hash it carries: one that was left by another branch says nothing.
//! A declaration that nothing was ever sent for has no line; its entry stands in the report.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::entry::{Entry, Recorded, entry_key};
use crate::api::Kind;
use crate::engine::{self, Status, apply_conditions};

/// The fields of every status that the lock file holds.
const RECORDED: [&str; 5] = ["id", "formerId", "adopted", "applied", "journal"];

pub(super) fn is_recorded(kind: Kind, field: &str) -> bool {
    RECORDED.contains(&field) || kind.recorded().contains(&field)
}

/// The part of a status for the lock file, and the part for the report.
pub(super) fn split(kind: Kind, status: &Status) -> (Map<String, Value>, Map<String, Value>) {
    let fields = match status.to_json() {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (recorded, mut reported): (Map<_, _>, Map<_, _>) =
        fields.into_iter().partition(|(field, _)| is_recorded(kind, field));
    for (list, fields) in [("conditions", &["message"][..]), ("drift", &["desired", "observed"])] {
        let items = reported.get_mut(list).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            for field in fields {
                if let Some(value) = item.get_mut(*field)
                    && value.as_str().is_some_and(may_name_a_person)
                {
                    *value = Value::String(String::new());
                }
            }
        }
    }
    (recorded, reported)
}

/// What is reported of an entry: of its line in the lock file, or of the entry itself where it has none.
pub(super) fn text(line: Option<&str>, entry: &Value, reported: Map<String, Value>) -> Option<String> {
    if reported.is_empty() {
        return None;
    }
    let report = match line {
        Some(line) => json!({"of": digest(line), "status": reported}),
        None => json!({"entry": entry, "status": reported}),
    };
    Some(report.to_string())
}

fn digest(line: &str) -> String {
    engine::hash(&Value::from(line))
}

/// The entry of a declaration that nothing was ever sent for, from what is reported of it.
pub(super) fn unsent(report: &Value) -> Option<Entry> {
    let entry: Entry = serde_json::from_value(report.get("entry")?.clone()).ok()?;
    (!entry.held).then_some(entry)
}

impl Entry {
    /// Makes the status whole that the lock file has a part of: with what is reported, if that speaks of this very entry,
    /// else as it was when it was applied.
    pub(super) fn restore(&mut self, name: &str, report: Option<&Value>, now: Timestamp) {
        let (Some(key), Recorded::Other(recorded)) = (entry_key(name), &self.status) else {
            return;
        };
        let recorded = recorded.clone();
        let line = self.texts(name).line;
        let speaks = |report: &&Value| match (report.get("of"), &line) {
            (Some(of), Some(line)) => *of == digest(line),
            (None, None) => report.get("entry").is_some(),
            _ => false,
        };
        let reported = report.filter(speaks).and_then(|report| report.get("status"));
        let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(reported) = reported {
            let mut whole = fields(Some(&recorded));
            whole.extend(fields(Some(reported)));
            if let Ok(status) = Status::from_json(key.kind, Value::Object(whole)) {
                self.status = Recorded::from(status);
                return;
            }
        }
        if recorded.is_null() {
            return;
        }
        if let Ok(status) = Status::from_json(key.kind, recorded) {
            let mut status = Arc::new(status);
            if !self.pending {
                assume_in_sync(&mut status, self.generation, now);
            }
            self.status = Recorded::Status(status);
        }
    }
}

/// What is shown of an object of which only the record is left: it was seen as declared.
fn assume_in_sync(status: &mut Arc<Status>, generation: i64, now: Timestamp) {
    let (in_sync, synced) = (engine::State::InSync, crate::api::Reason::Synced);
    apply_conditions(status, in_sync, synced, engine::IN_SYNC, Vec::new(), generation, now);
    // When that was is not known.
    Arc::make_mut(status).object_mut().last_sync_time = None;
}

/// True for what looks like an e-mail address or a telephone number: the words of the remote service may repeat one.
fn may_name_a_person(text: &str) -> bool {
    let mut digits = 0;
    text.chars().any(|character| {
        match character {
            '0'..='9' => digits += 1,
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => digits = 0,
        }
        character == '@' || digits >= 7
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_are_found() {
        assert!(may_name_a_person("desk@example.com is subscribed already"));
        assert!(may_name_a_person("\"+1 (555) 010-0199\""));
        assert!(!may_name_a_person(
            "the remote service answered 422: name 12345 is too long"
        ));
        assert!(!may_name_a_person("waits for ComponentGroup data, id 2gcfmflvgs66"));
    }
}
