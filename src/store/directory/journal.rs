//! What has changed since the lock file was written: lines at the end of a file beside it, so that one step costs the
//! bytes of one declaration and not those of all of them.
//!
//! It is there while a pass is under way, and after one that was killed; whoever opens the directory next puts it into the
//! lock file. A line is whole or was not promised to anybody: a torn one is the end.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::atomic::sync_directory_of;
use super::entry::{Entries, Entry};
use super::error::LockError;
use super::lock::{Texts, VERSION};
use super::{reading, report};

/// The journal of one lock file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of whole lines in it.
    length: u64,
    /// True while a crash of the machine may lose some of it.
    unsynced: bool,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

/// The journal that belongs to a lock file.
pub(super) fn journal_path(lock_path: &Path) -> PathBuf {
    lock_path.with_extension("json.journal")
}

/// The line of one entry: its line of the lock file and what is reported of it, as they are written; nothing for one
/// that is gone.
pub(super) fn line(name: &str, texts: &Texts) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    format!(
        "{{{}:[{},{}]}}\n",
        Value::from(name),
        part(&texts.line),
        part(&texts.report)
    )
}

/// Puts what a killed process has left behind into what was read from the lock file. True when there was a journal.
///
/// # Errors
/// The journal cannot be read, or a newer program wrote it.
pub(super) fn replay(path: &Path, entries: &mut Entries, now: Timestamp) -> Result<bool, LockError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            return Err(LockError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let header = lines
        .next()
        .and_then(|line| serde_json::from_slice::<Header>(line).ok());
    let version = header.map_or(VERSION, |header| header.version);
    if version > VERSION {
        return Err(LockError::Version {
            path: path.to_owned(),
            found: version,
        });
    }
    let read = match version {
        VERSION => noted,
        _ => noted_by_the_version_before,
    };
    for line in lines {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let Some(notes) = read(line, now) else {
            tracing::warn!(path = %path.display(), "the last notes of an interrupted command cannot be read");
            break;
        };
        for (name, entry) in notes {
            match entry {
                Some(entry) => entries.insert(name, entry),
                None => entries.remove(&name),
            };
        }
    }
    Ok(true)
}

/// The entries that a line notes, by their names.
type Notes = Vec<(String, Option<Entry>)>;

fn noted(line: &[u8], now: Timestamp) -> Option<Notes> {
    let notes: BTreeMap<String, (Option<Entry>, Option<Value>)> = serde_json::from_slice(line).ok()?;
    let understood = notes.into_iter().map(|(name, (entry, reported))| {
        let mut entry = entry.or_else(|| report::unsent(reported.as_ref()?));
        if let Some(entry) = &mut entry {
            entry.restore(&name, reported.as_ref(), now);
        }
        (name, entry)
    });
    Some(understood.collect())
}

fn noted_by_the_version_before(line: &[u8], _: Timestamp) -> Option<Notes> {
    let notes: BTreeMap<String, Option<Entry>> = serde_json::from_slice(line).ok()?;
    let upgraded = notes.into_iter().map(|(name, entry)| match entry {
        Some(entry) => {
            let (name, entry) = reading::upgraded(&name, entry);
            (name, Some(entry))
        }
        None => (reading::renamed(&name), None),
    });
    Some(upgraded.collect())
}

impl Journal {
    /// The journal of a lock file; nothing is touched before there is something to write.
    pub(super) fn new(path: PathBuf) -> Self {
        Journal {
            path,
            file: None,
            length: 0,
            unsynced: false,
        }
    }

    /// Bytes in it since it was begun.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Adds lines; when `durable`, everything in it survives a crash of the machine.
    pub(super) fn append(&mut self, lines: &str, durable: bool) -> Result<(), LockError> {
        let result = self.try_append(lines, durable);
        result.map_err(|source| {
            // Half a line would hide those that come after it.
            let length = self.length;
            if self.file.as_ref().is_some_and(|file| file.set_len(length).is_err()) {
                self.file = None;
            }
            LockError::Write {
                path: self.path.clone(),
                source,
            }
        })
    }

    fn try_append(&mut self, lines: &str, durable: bool) -> io::Result<()> {
        if lines.is_empty() && (self.file.is_none() || !self.unsynced) {
            return Ok(());
        }
        let is_new = self.length == 0;
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
                // Also what another process has left, or what could not be cut off: whole lines stay.
                file.set_len(self.length)?;
                self.file.insert(file)
            }
        };
        let header = if is_new {
            format!("{{\"version\":{VERSION}}}\n")
        } else {
            String::new()
        };
        file.write_all(header.as_bytes())?;
        file.write_all(lines.as_bytes())?;
        self.unsynced = true;
        if durable {
            file.sync_data()?;
            if is_new {
                sync_directory_of(&self.path)?;
            }
            self.unsynced = false;
        }
        self.length += (header.len() + lines.len()) as u64;
        Ok(())
    }

    /// Everything in it is in the lock file: it goes.
    pub(super) fn remove(&mut self) -> Result<(), LockError> {
        self.file = None;
        (self.length, self.unsynced) = (0, false);
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LockError::Write {
                path: self.path.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }
}
