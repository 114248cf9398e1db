//! The journal: a local file that remembers what is about to happen and what is not stored yet.
//!
//! A line is written, and forced to the disk, before a remote write is sent; another one once its outcome is known.
//! When the process ends in between, however it ends, the next one finds the first line and knows that something
//! may have happened. Lines of events that are stored are of no more use: the file is emptied whenever nothing is
//! outstanding, and written anew when it has grown.
//!
//! What cannot be written, because the disk is full, is written as soon as it can be. Until then the first line of the
//! file counts it, in place and without more room: a process that is killed cannot say what is lost with it, the next
//! one can.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::AuditEvent;
use super::place::{PRIVATE, keep_private};

/// So many processes can have a log in the same place; each has a journal of its own.
const MOST_JOURNALS: u32 = 64;
/// A journal of this size is written anew with what is still outstanding.
const REWRITE_AT: u64 = 4 << 20;

/// What makes two tellings of something that is written to the store the same: a write that was interrupted is tried
/// again, and is told once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Telling {
    /// What is written: an object, and which part of it.
    pub(super) subject: String,
    /// From what to what.
    pub(super) content: String,
}

/// What dead processes left behind.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Events of a known outcome.
    pub(super) finished: Vec<AuditEvent>,
    /// Events of which nothing is known but that they began.
    pub(super) begun: Vec<(AuditEvent, Option<Telling>)>,
    /// How many are lost: they could not be written.
    pub(super) lost: u64,
}

/// An open journal. Closing the file gives the lock back.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// What is not stored yet, in the order in which it came.
    outstanding: BTreeMap<u64, Entry>,
    numbers: HashMap<String, u64>,
    next: u64,
    /// Lines that are to be written still.
    unwritten: VecDeque<(Option<u64>, Arc<str>)>,
    /// How many outstanding events are in no line of the file.
    missing: u64,
    /// What the first line says of them; none when there is no such line.
    counted: Option<u64>,
    /// Bytes of whole lines. What comes after them in the file was cut short.
    size: u64,
}

#[derive(Debug)]
struct Entry {
    id: String,
    line: Arc<str>,
    in_file: bool,
}

impl Journal {
    /// Opens the first journal beside `path` that no living process holds, and returns it with what dead processes left
    /// behind.
    pub(super) fn open(path: &Path) -> io::Result<(Journal, Left)> {
        let mut left = Left::default();
        let mut mine: Option<Journal> = None;
        for number in 0..MOST_JOURNALS {
            let path = numbered(path, number);
            if mine.is_some() && !path.exists() {
                continue;
            }
            let file = open_private(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                // Another process lives in it.
                Err(std::fs::TryLockError::WouldBlock) => continue,
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
            let journal = Journal::read(path, file, &mut left)?;
            // The first free one is ours; others are emptied once theirs is in ours.
            match &mut mine {
                None => mine = Some(journal),
                Some(mine) => mine.adopt(journal)?,
            }
        }
        let mut journal = mine.ok_or_else(|| io::Error::other("too many processes write to this event log"))?;
        // What an earlier process lost is told now. On a full disk the line is written later.
        journal.missing = 0;
        let _ = journal.count_missing();
        Ok((journal, left))
    }

    fn read(path: PathBuf, mut file: File, left: &mut Left) -> io::Result<Journal> {
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // A line that the end of a process cut short is no line; its effect had not begun.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut journal = Journal {
            path,
            file,
            outstanding: BTreeMap::new(),
            numbers: HashMap::new(),
            next: 0,
            unwritten: VecDeque::new(),
            missing: 0,
            counted: None,
            size: whole as u64,
        };
        let mut events: HashMap<String, (AuditEvent, Option<Telling>, bool)> = HashMap::new();
        for line in text[..whole].split_inclusive(|byte| *byte == b'\n') {
            let Ok(document) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            if let Some(count) = document.get("unwritten").and_then(Value::as_u64) {
                journal.counted = Some(count);
                left.lost += count;
            }
            if let Some(id) = document.get("forgotten").and_then(Value::as_str) {
                journal.remove(id);
                events.remove(id);
            }
            for (word, known) in [("begun", false), ("event", true)] {
                if let Some(event) = document.get(word).and_then(AuditEvent::from_json) {
                    let text = Arc::from(String::from_utf8_lossy(line));
                    let id = event.message_id.clone();
                    let number = journal.insert(&id, text);
                    if let Some(entry) = journal.outstanding.get_mut(&number) {
                        entry.in_file = true;
                    }
                    events.insert(id, (event, Telling::deserialize(&document).ok(), known));
                }
            }
        }
        for entry in journal.outstanding.values() {
            match events.remove(&entry.id) {
                Some((event, _, true)) => left.finished.push(event),
                Some((event, telling, false)) => left.begun.push((event, telling)),
                None => {}
            }
        }
        Ok(journal)
    }

    /// Takes the outstanding events of a dead process's journal over. The file stays, because another process may just
    /// be opening it; and all that is in it when it cannot be written here.
    fn adopt(&mut self, other: Journal) -> io::Result<()> {
        if other.outstanding.is_empty() && other.counted.unwrap_or(0) == 0 {
            return Ok(());
        }
        let ids: Vec<String> = other.outstanding.values().map(|entry| entry.id.clone()).collect();
        for entry in other.outstanding.into_values() {
            let number = self.insert(&entry.id, entry.line);
            self.unwritten.push_back((Some(number), Arc::from("")));
        }
        if self.write_out().and_then(|()| self.file.sync_data()).is_err() {
            for id in &ids {
                self.remove(id);
            }
            return Ok(());
        }
        other.file.set_len(0)
    }

    /// Notes what is about to happen. Returns once it is on the disk.
    pub(super) fn begin(&mut self, event: &AuditEvent) -> io::Result<()> {
        self.expect(event, None)?;
        self.file.sync_data()
    }

    /// Notes what is about to happen. In the hands of the operating system it survives the process.
    pub(super) fn expect(&mut self, event: &AuditEvent, telling: Option<&Telling>) -> io::Result<()> {
        let mut document = telling.map_or(json!({}), |telling| json!(telling));
        document["begun"] = event.to_json();
        self.append(&event.message_id, format!("{document}\n"))
    }

    /// Notes an event that is to be stored, as JSON. In the hands of the operating system it survives the process.
    pub(super) fn note(&mut self, id: &str, event: &str) -> io::Result<()> {
        self.append(id, format!("{{\"event\":{event}}}\n"))
    }

    fn append(&mut self, id: &str, line: String) -> io::Result<()> {
        let line: Arc<str> = line.into();
        let number = self.insert(id, Arc::clone(&line));
        self.unwritten.push_back((Some(number), line));
        self.write_out()
    }

    /// What was about to happen did not.
    pub(super) fn forget(&mut self, id: &str) -> io::Result<()> {
        let line = format!("{}\n", json!({ "forgotten": id }));
        let written = self.outstanding_in_file(id);
        self.remove(id);
        if written {
            self.unwritten.push_back((None, line.into()));
        }
        self.write_out()?;
        self.tidy()
    }

    /// Forgets events: they are stored, or given up.
    pub(super) fn settle<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        for id in ids {
            self.remove(id);
        }
        self.tidy()
    }

    /// How many events are lost when the process ends now.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// What is lost has been said: the next process need not say it again.
    pub(super) fn conclude(&mut self) {
        self.missing = 0;
        // There is nobody left to tell of a failure.
        let _ = self.count_missing();
    }

    fn insert(&mut self, id: &str, line: Arc<str>) -> u64 {
        if let Some(number) = self.numbers.get(id).copied()
            && let Some(entry) = self.outstanding.get_mut(&number)
        {
            entry.line = line;
            return number;
        }
        let number = self.next;
        self.next += 1;
        self.missing += 1;
        self.numbers.insert(id.to_owned(), number);
        let entry = Entry {
            id: id.to_owned(),
            line,
            in_file: false,
        };
        self.outstanding.insert(number, entry);
        number
    }

    fn outstanding_in_file(&self, id: &str) -> bool {
        let number = self.numbers.get(id);
        number
            .and_then(|number| self.outstanding.get(number))
            .is_some_and(|entry| entry.in_file)
    }

    fn remove(&mut self, id: &str) {
        if let Some(number) = self.numbers.remove(id)
            && let Some(entry) = self.outstanding.remove(&number)
            && !entry.in_file
        {
            self.missing -= 1;
        }
    }

    /// Writes what is to be written, in its order; all of it, or as far as it goes.
    fn write_out(&mut self) -> io::Result<()> {
        let result = self.revive().and_then(|()| self.write_lines());
        if result.is_err() {
            // A line that was cut short would spoil the next one. Making a file shorter needs no room.
            let _ = self.file.set_len(self.size);
        }
        // Where not even this can be written, the process itself still says what is lost.
        let _ = self.count_missing();
        result
    }

    fn write_lines(&mut self) -> io::Result<()> {
        while let Some((number, line)) = self.unwritten.front() {
            let entry = number.and_then(|number| self.outstanding.get_mut(&number));
            let line = match (&entry, number) {
                // Stored meanwhile.
                (None, Some(_)) => None,
                (Some(entry), _) => Some(Arc::clone(&entry.line)),
                (None, None) => Some(Arc::clone(line)),
            };
            if let Some(line) = line {
                // One write: a process that is killed leaves a whole line or a cut one, never two mixed.
                self.file.seek(SeekFrom::Start(self.size))?;
                self.file.write_all(line.as_bytes())?;
                self.size += line.len() as u64;
            }
            if let Some(entry) = entry
                && !entry.in_file
            {
                entry.in_file = true;
                self.missing -= 1;
            }
            self.unwritten.pop_front();
        }
        Ok(())
    }

    /// Begins a new file when somebody has removed this one.
    fn revive(&mut self) -> io::Result<()> {
        if self.file.metadata()?.nlink() > 0 {
            return Ok(());
        }
        let file = open_private(&self.path)?;
        file.try_lock()?;
        file.set_len(0)?;
        (self.file, self.size, self.counted) = (file, 0, None);
        self.unwritten.clear();
        self.missing = self.outstanding.len() as u64;
        for (number, entry) in &mut self.outstanding {
            entry.in_file = false;
            self.unwritten.push_back((Some(*number), Arc::from("")));
        }
        Ok(())
    }

    /// Brings the first line up to date.
    fn count_missing(&mut self) -> io::Result<()> {
        if self.counted == Some(self.missing) {
            return Ok(());
        }
        let line = first_line(self.missing);
        if self.counted.is_some() || self.size == 0 {
            self.file.write_all_at(line.as_bytes(), 0)?;
            self.size = self.size.max(line.len() as u64);
            self.counted = Some(self.missing);
        }
        Ok(())
    }

    /// Empties the file when nothing is outstanding, and writes it anew when most of it is of no more use.
    fn tidy(&mut self) -> io::Result<()> {
        if self.outstanding.is_empty() {
            self.unwritten.clear();
            let empty = if self.counted.is_some() {
                first_line(0).len() as u64
            } else {
                0
            };
            if self.size > empty {
                self.file.set_len(empty)?;
                self.size = empty;
            }
            return self.count_missing();
        }
        if self.size > REWRITE_AT {
            return self.rewrite();
        }
        self.count_missing()
    }

    /// Writes a new file with what is outstanding and puts it in the place of the old one.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut text = first_line(0);
        for entry in self.outstanding.values() {
            text.push_str(&entry.line);
        }
        if text.len() as u64 > self.size / 2 {
            // Nearly everything is outstanding: nothing to gain.
            return Ok(());
        }
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let write = || {
            let mut file = open_private(Path::new(&name))?;
            // Locked before it has its name: nobody ever finds it free.
            file.try_lock()?;
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            std::fs::rename(&name, &self.path)?;
            Ok(file)
        };
        let file = write().inspect_err(|_: &io::Error| {
            // It would only take room.
            let _ = std::fs::remove_file(&name);
        })?;
        (self.file, self.size, self.counted, self.missing) = (file, text.len() as u64, Some(0), 0);
        self.unwritten.clear();
        for entry in self.outstanding.values_mut() {
            entry.in_file = true;
        }
        Ok(())
    }
}

/// The first line of a file, always as long.
fn first_line(missing: u64) -> String {
    format!("{{\"unwritten\": {missing:>10}}}\n")
}

fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(path)?;
    keep_private(&file)?;
    Ok(file)
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn event(name: &str) -> AuditEvent {
        let mut event = AuditEvent::new("component.create", jiff::Timestamp::UNIX_EPOCH).text("name", name);
        event.normalise();
        event
    }

    fn note(journal: &mut Journal, event: &AuditEvent) -> io::Result<()> {
        journal.note(&event.message_id, &event.to_json().to_string())
    }

    fn open(path: &Path) -> (Journal, Left) {
        Journal::open(path).unwrap()
    }

    fn begun(left: &Left) -> Vec<AuditEvent> {
        left.begun.iter().map(|(event, _)| event.clone()).collect()
    }

    #[test]
    fn what_a_dead_process_began_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let [began, done, stored, not] = ["began", "done", "stored", "not"].map(event);
        let (mut journal, _) = open(&path);
        let telling = Telling {
            subject: "s".into(),
            content: "c".into(),
        };
        journal.expect(&began, Some(&telling)).unwrap();
        journal.begin(&done).unwrap();
        journal.expect(&not, None).unwrap();
        journal.forget(&not.message_id).unwrap();
        note(&mut journal, &done).unwrap();
        note(&mut journal, &stored).unwrap();
        journal.settle([stored.message_id.as_str()]).unwrap();
        journal.file.write_all(b"{\"event\": {\"mess").unwrap();
        drop(journal);
        let (mut journal, left) = open(&path);
        // What was stored may come again: the store knows its id.
        assert!(left.finished.contains(&done));
        assert!(!left.finished.contains(&began));
        assert_eq!(left.begun, [(began, Some(telling))]);
        assert_eq!(left.lost, 0);
        let all: Vec<String> = journal.numbers.keys().cloned().collect();
        journal.settle(all.iter().map(String::as_str)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first_line(0));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
    }

    #[test]
    fn a_journal_without_a_first_line_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let old = event("old");
        std::fs::write(&path, format!("{}\n", json!({"event": old.to_json()}))).unwrap();
        let (mut journal, left) = open(&path);
        assert_eq!(left.finished, std::slice::from_ref(&old));
        note(&mut journal, &event("new")).unwrap();
        drop(journal);
        let (mut journal, left) = open(&path);
        assert_eq!(left.finished.len(), 2);
        let all: Vec<String> = journal.numbers.keys().cloned().collect();
        journal.settle(all.iter().map(String::as_str)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first_line(0));
    }

    #[test]
    fn living_processes_do_not_share_a_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let (mut first, _) = open(&path);
        note(&mut first, &event("first")).unwrap();
        let (mut second, left) = open(&path);
        assert_eq!(left.finished, []);
        let other = event("second");
        note(&mut second, &other).unwrap();
        drop(second);
        drop(first);
        let (third, left) = open(&path);
        assert_eq!(left.finished.len(), 2);
        assert!(left.finished.contains(&other));
        drop(third);
        // Both are in one journal now.
        assert_eq!(open(&path).1.finished.len(), 2);
    }

    #[test]
    fn a_journal_does_not_grow_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let (mut journal, _) = open(&path);
        let open_one = event("open");
        journal.begin(&open_one).unwrap();
        let mut largest = 0;
        for _ in 0..200 {
            let mut large = event("large");
            large.raw = Value::String("x".repeat(100_000));
            note(&mut journal, &large).unwrap();
            journal.settle([large.message_id.as_str()]).unwrap();
            largest = largest.max(journal.size);
        }
        assert!(largest < REWRITE_AT + 200_000);
        assert!(std::fs::metadata(&path).unwrap().len() <= REWRITE_AT);
        drop(journal);
        assert_eq!(begun(&open(&path).1), [open_one]);
    }

    #[test]
    fn a_journal_that_is_removed_begins_anew_with_what_was_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let (mut journal, _) = open(&path);
        let [one, other] = ["one", "other"].map(event);
        journal.begin(&one).unwrap();
        std::fs::remove_file(&path).unwrap();
        note(&mut journal, &other).unwrap();
        assert_eq!(journal.missing(), 0);
        drop(journal);
        let (_journal, left) = open(&path);
        assert_eq!((begun(&left), left.finished), (vec![one], vec![other]));
    }

    /// A journal on a device that takes nothing.
    #[test]
    fn what_cannot_be_written_is_counted_and_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.journal");
        let (mut journal, _) = open(&path);
        let [early, late, stored] = ["early", "late", "stored"].map(event);
        note(&mut journal, &early).unwrap();
        let full = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/full")
            .unwrap();
        let file = std::mem::replace(&mut journal.file, full);
        for one in [&late, &stored] {
            assert!(note(&mut journal, one).is_err());
        }
        assert_eq!(journal.missing(), 2);
        // There is room in place, although not for more.
        journal.file = file;
        journal.count_missing().unwrap();
        let copy = directory.path().join("copy.journal");
        std::fs::copy(&path, &copy).unwrap();
        let (_, left) = open(&copy);
        assert_eq!((left.finished, left.lost), (vec![early.clone()], 2));
        assert_eq!(open(&copy).1.lost, 0, "told once");
        // Stored after all, and written after all.
        journal.settle([stored.message_id.as_str()]).unwrap();
        let last = event("last");
        note(&mut journal, &last).unwrap();
        assert_eq!(journal.missing(), 0);
        drop(journal);
        let (_, left) = open(&path);
        assert_eq!((left.finished, left.lost), (vec![early, late, last], 0));
    }
}
