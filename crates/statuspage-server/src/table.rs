//! Objects of one kind in memory, with a journal of what a request changed: it is written to the database before the
//! answer, or undone when the request is refused. Journals that are kept afterwards lead back to what was.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::ServerError;

/// One row of the database as it was read.
#[derive(Clone, Debug)]
pub(super) struct StoredRow {
    pub(super) page: String,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) sequence: i64,
    pub(super) body: String,
}

/// One row of the database to write (`body` present) or to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) page: String,
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) sequence: i64,
    pub(super) body: Option<String>,
}

#[derive(Clone, Debug)]
struct Row<T> {
    id: String,
    value: T,
}

/// What rows were before a change; none for those that it made.
type Journal<T> = BTreeMap<i64, Option<Row<T>>>;

/// How much of the past a commit leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// When it happens.
    pub(super) at: Timestamp,
    /// Nobody will ask what was before this.
    pub(super) since: Timestamp,
}

/// Objects in the order of their creation.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    rows: BTreeMap<i64, Row<T>>,
    index: HashMap<String, i64>,
    next: i64,
    journal: Journal<T>,
    /// The journals of earlier changes, oldest first.
    past: VecDeque<(Timestamp, Journal<T>)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            index: HashMap::new(),
            next: 1,
            journal: Journal::new(),
            past: VecDeque::new(),
        }
    }
}

impl<T: Clone + Serialize> Table<T> {
    fn put_back(&mut self, sequence: i64, id: String, value: T) {
        self.index.insert(id.clone(), sequence);
        self.rows.insert(sequence, Row { id, value });
        self.next = self.next.max(sequence.saturating_add(1));
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        let sequence = self.index.get(id)?;
        self.rows.get(sequence).map(|row| &row.value)
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.index.contains_key(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Those of these that exist, in this order.
    pub(super) fn all(&self, ids: &[String]) -> Vec<&T> {
        ids.iter().filter_map(|id| self.get(id)).collect()
    }

    /// The values, oldest first.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values().map(|row| &row.value)
    }

    /// The identifiers, oldest first.
    pub(super) fn ids(&self) -> Vec<String> {
        self.rows.values().map(|row| row.id.clone()).collect()
    }

    /// A value to change.
    pub(super) fn edit(&mut self, id: &str) -> Option<&mut T> {
        let sequence = *self.index.get(id)?;
        let row = self.rows.get_mut(&sequence)?;
        self.journal.entry(sequence).or_insert_with(|| Some(row.clone()));
        Some(&mut row.value)
    }

    /// Changes every value that is concerned.
    pub(super) fn edit_where(&mut self, concerned: impl Fn(&T) -> bool, change: impl Fn(&mut T)) {
        for (sequence, row) in &mut self.rows {
            if concerned(&row.value) {
                self.journal.entry(*sequence).or_insert_with(|| Some(row.clone()));
                change(&mut row.value);
            }
        }
    }

    /// Takes an identifier out of every list that has it.
    pub(super) fn forget(&mut self, id: &str, list: impl Fn(&mut T) -> &mut Vec<String>) {
        for (sequence, row) in &mut self.rows {
            let before = row.clone();
            let list = list(&mut row.value);
            let known = list.len();
            list.retain(|known| known != id);
            if list.len() < known {
                self.journal.entry(*sequence).or_insert(Some(before));
            }
        }
    }

    /// Removes every value that is to go, and says which they were.
    pub(super) fn remove_where(&mut self, goes: impl Fn(&T) -> bool) -> Vec<String> {
        let gone = self.rows.values().filter(|row| goes(&row.value));
        let gone: Vec<String> = gone.map(|row| row.id.clone()).collect();
        for id in &gone {
            self.remove(id);
        }
        gone
    }

    /// Adds a value at the end, or replaces the one with this identifier.
    pub(super) fn put(&mut self, id: &str, value: T) {
        if let Some(old) = self.edit(id) {
            *old = value;
            return;
        }
        let sequence = self.next;
        self.next += 1;
        self.journal.entry(sequence).or_insert(None);
        self.index.insert(id.to_owned(), sequence);
        self.rows.insert(
            sequence,
            Row {
                id: id.to_owned(),
                value,
            },
        );
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let sequence = self.index.remove(id)?;
        let row = self.rows.remove(&sequence)?;
        let value = row.value.clone();
        self.journal.entry(sequence).or_insert(Some(row));
        Some(value)
    }

    fn undo(&mut self, journal: Journal<T>) {
        for sequence in journal.keys() {
            if let Some(row) = self.rows.remove(sequence) {
                self.index.remove(&row.id);
            }
        }
        for (sequence, before) in journal {
            if let Some(row) = before {
                self.index.insert(row.id.clone(), sequence);
                self.rows.insert(sequence, row);
            }
        }
    }
}

/// What is done with a table whatever it holds.
pub(super) trait Rows {
    /// Puts back a stored row; the journal does not see it.
    fn restore(&mut self, row: StoredRow) -> Result<(), ServerError>;
    /// Whether a request changed anything since the last commit.
    fn is_changed(&self) -> bool;
    /// The rows to write.
    fn changes(&self, page: &str, kind: &'static str, into: &mut Vec<Change>) -> Result<(), ServerError>;
    /// The changes are safe in the database.
    fn commit(&mut self, keep: Option<Keep>);
    /// Undoes everything since the last commit.
    fn rollback(&mut self);
    /// Whether anything was committed after an instant, as far as the past was kept.
    fn is_changed_since(&self, then: Timestamp) -> bool;
    /// Goes back to what was at an instant, as far as the past was kept.
    fn go_back(&mut self, then: Timestamp);
}

impl<T: Clone + Serialize + DeserializeOwned> Rows for Table<T> {
    fn restore(&mut self, row: StoredRow) -> Result<(), ServerError> {
        let value = serde_json::from_str(&row.body).map_err(ServerError::document(&row.kind, &row.id))?;
        self.put_back(row.sequence, row.id, value);
        Ok(())
    }

    fn is_changed(&self) -> bool {
        !self.journal.is_empty()
    }

    fn changes(&self, page: &str, kind: &'static str, into: &mut Vec<Change>) -> Result<(), ServerError> {
        for (sequence, before) in &self.journal {
            let (id, body) = match (self.rows.get(sequence), before) {
                (Some(row), _) => {
                    let body = serde_json::to_string(&row.value);
                    (&row.id, Some(body.map_err(ServerError::document(kind, &row.id))?))
                }
                (None, Some(row)) => (&row.id, None),
                // Made and removed by the same request: the database never knew it.
                (None, None) => continue,
            };
            into.push(Change {
                page: page.to_owned(),
                kind,
                id: id.clone(),
                sequence: *sequence,
                body,
            });
        }
        Ok(())
    }

    fn commit(&mut self, keep: Option<Keep>) {
        let journal = std::mem::take(&mut self.journal);
        let Some(keep) = keep else {
            self.past.clear();
            return;
        };
        if !journal.is_empty() {
            // A clock that was put back does not change the order of what happened.
            let at = self.past.back().map_or(keep.at, |(last, _)| keep.at.max(*last));
            self.past.push_back((at, journal));
        }
        while self.past.front().is_some_and(|(at, _)| *at <= keep.since) {
            self.past.pop_front();
        }
    }

    fn rollback(&mut self) {
        let journal = std::mem::take(&mut self.journal);
        self.undo(journal);
    }

    fn is_changed_since(&self, then: Timestamp) -> bool {
        self.past.back().is_some_and(|(at, _)| *at > then)
    }

    fn go_back(&mut self, then: Timestamp) {
        while self.is_changed_since(then) {
            if let Some((_, journal)) = self.past.pop_back() {
                self.undo(journal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<String> {
        let mut table = Table::default();
        table.put_back(4, "a".into(), "one".into());
        table.put_back(7, "b".into(), "two".into());
        table
    }

    #[test]
    fn a_rollback_restores_everything() {
        let mut table = table();
        *table.edit("a").unwrap() = "changed".into();
        table.put("c", "new".into());
        table.remove("b");
        table.remove("c");
        table.put("d", "newer".into());
        assert!(table.is_changed());
        table.rollback();
        assert!(!table.is_changed());
        assert_eq!(table.ids(), ["a", "b"]);
        assert_eq!(table.get("a").unwrap(), "one");
        assert_eq!(table.get("b").unwrap(), "two");
        assert!(!table.contains("d"));
    }

    #[test]
    fn changes_are_what_differs_from_the_database() {
        let mut table = table();
        table.put("c", "new".into());
        table.remove("c");
        table.remove("a");
        table.put("b", "changed".into());
        table.put("d", "newer".into());
        let mut changes = Vec::new();
        table.changes("p", "k", &mut changes).unwrap();
        let seen: Vec<_> = changes
            .iter()
            .map(|change| (change.id.as_str(), change.body.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [("a", None), ("b", Some("\"changed\"")), ("d", Some("\"newer\""))]
        );
        table.commit(None);
        assert!(!table.is_changed());
        assert_eq!(table.ids(), ["b", "d"]);
    }

    #[test]
    fn the_past_is_what_was_committed_by_then() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let keep = |second| {
            Some(Keep {
                at: at(second),
                since: at(second - 10),
            })
        };
        let mut table = table();
        *table.edit("a").unwrap() = "changed".into();
        table.put("c", "new".into());
        table.commit(keep(100));
        table.remove("b");
        *table.edit("a").unwrap() = "changed again".into();
        table.commit(keep(105));
        // Comes back under its own name at another place.
        table.put("b", "another".into());
        table.remove("c");
        table.commit(keep(106));
        let shown = |then| {
            let mut past = table.clone();
            past.go_back(at(then));
            assert!(past.ids().iter().all(|id| past.contains(id)));
            past.values().cloned().collect::<Vec<_>>()
        };
        assert_eq!(shown(99), ["one", "two"]);
        assert_eq!(shown(100), ["changed", "two", "new"]);
        assert_eq!(shown(105), ["changed again", "new"]);
        assert_eq!(shown(106), ["changed again", "another"]);
        assert!(table.is_changed_since(at(105)));
        assert!(!table.is_changed_since(at(106)));
        table.commit(keep(115));
        assert_eq!(table.past.len(), 1, "what nobody can ask for any more is dropped");
        table.commit(None);
        assert!(table.past.is_empty());
    }
}
