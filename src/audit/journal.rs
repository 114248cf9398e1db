//! The journal: a local file that remembers what is about to happen and what is not stored yet.
//!
//! A line is written, and forced to the disk, before a remote write is sent; another one once its outcome is known.
//! When the process ends in between, however it ends, the next one finds the first line and knows that something
//! may have happened. Lines of events that are stored are of no more use: the file is emptied whenever nothing is
//! outstanding, and written anew when it has grown.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::event::AuditEvent;

/// So many processes can have a log in the same place; each has a journal of its own.
const MOST_JOURNALS: u32 = 64;
/// A journal of this size is written anew with what is still outstanding.
const REWRITE_AT: u64 = 4 << 20;

/// An open journal. Closing the file gives the lock back.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// What is not stored yet, by message id: the event, and true when its outcome is known.
    outstanding: BTreeMap<String, (AuditEvent, bool)>,
    size: u64,
}

impl Journal {
    /// Opens the first journal beside `path` that no living process holds, and returns it with the events that dead
    /// processes left behind: those of a known outcome, and those of an unknown one.
    pub(super) fn open(path: &Path) -> std::io::Result<(Journal, Vec<AuditEvent>, Vec<AuditEvent>)> {
        let (mut finished, mut begun) = (Vec::new(), Vec::new());
        let mut mine: Option<Journal> = None;
        for number in 0..MOST_JOURNALS {
            let file = numbered(path, number);
            if mine.is_some() && !file.exists() {
                continue;
            }
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&file)?;
            match opened.try_lock() {
                Ok(()) => {}
                // Another process lives in it.
                Err(std::fs::TryLockError::WouldBlock) => continue,
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
            let journal = Journal::read(file, opened)?;
            for (event, known) in journal.outstanding.values() {
                if *known { &mut finished } else { &mut begun }.push(event.clone());
            }
            // The first free one is ours; others are emptied once theirs is in ours.
            match &mut mine {
                None => mine = Some(journal),
                Some(mine) => mine.adopt(journal)?,
            }
        }
        match mine {
            Some(journal) => Ok((journal, finished, begun)),
            None => Err(std::io::Error::other("too many processes write to this event log")),
        }
    }

    fn read(path: PathBuf, mut file: File) -> std::io::Result<Journal> {
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut outstanding: BTreeMap<String, (AuditEvent, bool)> = BTreeMap::new();
        // A line that the end of a process cut short is no line; its effect had not begun.
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            if let Some(id) = line.get("forgotten").and_then(Value::as_str) {
                outstanding.remove(id);
            }
            for (word, known) in [("begun", false), ("event", true)] {
                if let Some(event) = line.get(word).and_then(AuditEvent::from_json) {
                    outstanding.insert(event.message_id.clone(), (event, known));
                }
            }
        }
        let size = text.len() as u64;
        Ok(Journal {
            path,
            file,
            outstanding,
            size,
        })
    }

    /// Takes the outstanding events of a dead process's journal over. The file stays, because another process may just
    /// be opening it.
    fn adopt(&mut self, other: Journal) -> std::io::Result<()> {
        if other.outstanding.is_empty() {
            return Ok(());
        }
        for (event, known) in other.outstanding.into_values() {
            self.append(&event, known)?;
        }
        self.file.sync_data()?;
        other.file.set_len(0)
    }

    fn append(&mut self, event: &AuditEvent, known: bool) -> std::io::Result<()> {
        self.outstanding
            .insert(event.message_id.clone(), (event.clone(), known));
        self.append_line(&line(event, known))
    }

    fn append_line(&mut self, line: &Value) -> std::io::Result<()> {
        let mut text = line.to_string();
        text.push('\n');
        // One write: a process that is killed leaves a whole line or a cut one, never two mixed.
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(text.as_bytes())?;
        self.size += text.len() as u64;
        Ok(())
    }

    /// Notes what is about to happen. Returns once it is on the disk.
    pub(super) fn begin(&mut self, event: &AuditEvent) -> std::io::Result<()> {
        self.expect(event)?;
        self.file.sync_data()
    }

    /// Notes what is about to happen. In the hands of the operating system it survives the process.
    pub(super) fn expect(&mut self, event: &AuditEvent) -> std::io::Result<()> {
        self.append(event, false)
    }

    /// Notes an event that is to be stored. In the hands of the operating system it survives the process.
    pub(super) fn note(&mut self, event: &AuditEvent) -> std::io::Result<()> {
        self.append(event, true)
    }

    /// What was about to happen did not.
    pub(super) fn forget(&mut self, id: &str) -> std::io::Result<()> {
        self.append_line(&json!({ "forgotten": id }))?;
        self.settle([id])
    }

    /// Forgets events: they are stored, or given up.
    pub(super) fn settle<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) -> std::io::Result<()> {
        for id in ids {
            self.outstanding.remove(id);
        }
        if self.outstanding.is_empty() {
            if self.size > 0 {
                self.file.set_len(0)?;
                self.size = 0;
            }
            return Ok(());
        }
        if self.size > REWRITE_AT {
            return self.rewrite();
        }
        Ok(())
    }

    /// Writes a new file with what is outstanding and puts it in the place of the old one.
    fn rewrite(&mut self) -> std::io::Result<()> {
        let mut text = String::new();
        for (event, known) in self.outstanding.values() {
            text.push_str(&line(event, *known).to_string());
            text.push('\n');
        }
        if text.len() as u64 > self.size / 2 {
            // Nearly everything is outstanding: nothing to gain.
            return Ok(());
        }
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&name)?;
        // Locked before it has its name: nobody ever finds it free.
        file.try_lock()?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&name, &self.path)?;
        self.file = file;
        self.size = text.len() as u64;
        Ok(())
    }
}

fn line(event: &AuditEvent, known: bool) -> Value {
    json!({ (if known { "event" } else { "begun" }): event.to_json() })
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> AuditEvent {
        let mut event = AuditEvent::new("component.create", jiff::Timestamp::UNIX_EPOCH).text("name", name);
        event.normalise();
        event
    }

    fn open(path: &Path) -> (Journal, Vec<AuditEvent>, Vec<AuditEvent>) {
        Journal::open(path).unwrap()
    }

    #[test]
    fn what_a_dead_process_began_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let [began, done, stored, not] = ["began", "done", "stored", "not"].map(event);
        let (mut journal, ..) = open(&path);
        journal.begin(&began).unwrap();
        journal.begin(&done).unwrap();
        journal.expect(&not).unwrap();
        journal.forget(&not.message_id).unwrap();
        journal.note(&done).unwrap();
        journal.note(&stored).unwrap();
        journal.settle([stored.message_id.as_str()]).unwrap();
        journal.file.write_all(b"{\"event\": {\"mess").unwrap();
        drop(journal);
        let (mut journal, finished, begun) = open(&path);
        // What was stored may come again: the store knows its id.
        assert!(finished.contains(&done));
        assert!(!finished.contains(&began));
        assert_eq!(begun, std::slice::from_ref(&began));
        let all: Vec<String> = journal.outstanding.keys().cloned().collect();
        journal.settle(all.iter().map(String::as_str)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn living_processes_do_not_share_a_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let (mut first, ..) = open(&path);
        first.note(&event("first")).unwrap();
        let (mut second, finished, _) = open(&path);
        assert_eq!(finished, []);
        let left = event("second");
        second.note(&left).unwrap();
        drop(second);
        drop(first);
        let (third, finished, _) = open(&path);
        assert_eq!(finished.len(), 2);
        assert!(finished.contains(&left));
        drop(third);
        // Both are in one journal now.
        assert_eq!(open(&path).1.len(), 2);
    }

    #[test]
    fn a_journal_does_not_grow_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let (mut journal, ..) = open(&path);
        let open_one = event("open");
        journal.begin(&open_one).unwrap();
        let mut largest = 0;
        for _ in 0..200 {
            let mut large = event("large");
            large.raw = Value::String("x".repeat(100_000));
            journal.note(&large).unwrap();
            journal.settle([large.message_id.as_str()]).unwrap();
            largest = largest.max(journal.size);
        }
        assert!(largest < REWRITE_AT + 200_000);
        assert!(std::fs::metadata(&path).unwrap().len() <= REWRITE_AT);
        drop(journal);
        assert_eq!(open(&path).2, [open_one]);
    }
}
