//! Objects of one kind in memory, with a journal of what a request changed: it is written to the database before the
//! answer, or undone when the request is refused.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

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

/// Objects in the order of their creation.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    rows: BTreeMap<i64, Row<T>>,
    index: HashMap<String, i64>,
    next: i64,
    journal: BTreeMap<i64, Option<Row<T>>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            index: HashMap::new(),
            next: 1,
            journal: BTreeMap::new(),
        }
    }
}

impl<T: Clone + Serialize> Table<T> {
    /// Puts back a stored row; the journal does not see it.
    pub(super) fn restore(&mut self, sequence: i64, id: String, value: T) {
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

    /// Whether a request changed anything since the last commit.
    pub(super) fn is_changed(&self) -> bool {
        !self.journal.is_empty()
    }

    /// The rows to write.
    pub(super) fn changes(
        &self,
        page: &str,
        kind: &'static str,
        into: &mut Vec<Change>,
    ) -> Result<(), serde_json::Error> {
        for (sequence, before) in &self.journal {
            let (id, body) = match (self.rows.get(sequence), before) {
                (Some(row), _) => (row.id.clone(), Some(serde_json::to_string(&row.value)?)),
                (None, Some(row)) => (row.id.clone(), None),
                // Made and removed by the same request: the database never knew it.
                (None, None) => continue,
            };
            into.push(Change {
                page: page.to_owned(),
                kind,
                id,
                sequence: *sequence,
                body,
            });
        }
        Ok(())
    }

    /// The changes are safe in the database.
    pub(super) fn commit(&mut self) {
        self.journal.clear();
    }

    /// Undoes everything since the last commit.
    pub(super) fn rollback(&mut self) {
        let journal = std::mem::take(&mut self.journal);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<String> {
        let mut table = Table::default();
        table.restore(4, "a".into(), "one".into());
        table.restore(7, "b".into(), "two".into());
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
        table.commit();
        assert!(!table.is_changed());
        assert_eq!(table.ids(), ["b", "d"]);
    }
}
