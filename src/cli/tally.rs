//! What was done on each page, counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::api::{Kind, Reason};
use crate::driver::{Event, EventKind};
use crate::engine::{Finding, ObjectKey};

/// What was done, counted by the words of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) published: u64,
    pub(super) deleted: u64,
    pub(super) warnings: u64,
}

impl Counts {
    /// What was done since.
    pub(super) fn since(self, before: Counts) -> Counts {
        Counts {
            created: self.created - before.created,
            updated: self.updated - before.updated,
            published: self.published - before.published,
            deleted: self.deleted - before.deleted,
            warnings: self.warnings - before.warnings,
        }
    }

    /// The remote changes in words; none when there was none.
    pub(super) fn words(self) -> Option<String> {
        let words: Vec<String> = [
            (self.created, "created"),
            (self.updated, "updated"),
            (self.published, "published"),
            (self.deleted, "deleted"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Counts what is done on each page. Clones share the figures.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    inner: Arc<Mutex<Told>>,
}

#[derive(Debug, Default)]
struct Told {
    pages: BTreeMap<String, Counts>,
    /// The newest events, which still stand on the screen.
    recent: VecDeque<(ObjectKey, String)>,
}

/// A warning that stands so few lines above need not be repeated.
const ON_SCREEN: usize = 10;

impl Tally {
    fn inner(&self) -> MutexGuard<'_, Told> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an event of a page (`namespace/name`).
    pub(super) fn count(&self, page: &str, key: &ObjectKey, event: &Event) {
        let mut told = self.inner();
        if !is_summed_up(key, event) {
            told.recent.push_back((key.clone(), event.reason.clone()));
        }
        if told.recent.len() > ON_SCREEN {
            told.recent.pop_front();
        }
        let counts = told.pages.entry(page.to_owned()).or_default();
        match event.reason.as_str() {
            "Created" => counts.created += 1,
            "Updated" => counts.updated += 1,
            "Published" => counts.published += 1,
            "Deleted" => counts.deleted += 1,
            _ if event.kind == EventKind::Warning => counts.warnings += 1,
            _ => {}
        }
    }

    /// What was done on a page.
    pub(super) fn of(&self, page: &ObjectKey) -> Counts {
        let name = format!("{}/{}", page.namespace, page.name);
        self.inner().pages.get(&name).copied().unwrap_or_default()
    }

    /// Changes made on all pages.
    pub(super) fn writes(&self) -> u64 {
        let told = self.inner();
        let writes = |counts: &Counts| counts.created + counts.updated + counts.published + counts.deleted;
        told.pages.values().map(writes).sum()
    }

    /// True when an event has just said the same.
    pub(super) fn just_told(&self, finding: &Finding) -> bool {
        let reason = finding.reason.as_str();
        self.inner()
            .recent
            .iter()
            .any(|(key, told)| *key == finding.key && told == reason)
    }
}

/// True for what is said of many objects at once: the StatusPage says it with their number and their names.
pub(super) fn is_summed_up(key: &ObjectKey, event: &Event) -> bool {
    event.reason == Reason::DeletionCapped.as_str() && key.kind != Kind::StatusPage
}
