//! What is on the disk: the lock file, and the journal of what has changed since it was written.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::journal::{Journal, journal_path, line};
use super::lock::{self, LockError};
use super::locked;
use super::state::{Durable, State};

/// A journal may become so long, or as long as the lock file if that is more, before it is put into the lock file.
const LONG: u64 = 256 * 1024;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Save {
    /// What has changed, to the journal.
    Changes(Durable),
    /// Everything, to the lock file.
    Whole,
}

/// Writes one thing at a time. Nobody who only wants to know the state waits for it.
pub(super) struct Disk {
    lock_path: PathBuf,
    state: Arc<Mutex<State>>,
    files: Mutex<Files>,
    written: AtomicU64,
}

struct Files {
    journal: Journal,
    /// Bytes of the lock file, once it was written or found to be as it would be written.
    whole: Option<u64>,
}

impl Disk {
    pub(super) fn new(lock_path: PathBuf, state: Arc<Mutex<State>>) -> Self {
        let journal = Journal::new(journal_path(&lock_path));
        Disk {
            lock_path,
            state,
            files: Mutex::new(Files { journal, whole: None }),
            written: AtomicU64::new(0),
        }
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes what is not on the disk yet; whoever waits for the turn finds its own part written.
    pub(super) fn save(&self, what: Save) -> Result<(), LockError> {
        let mut files = locked(&self.files);
        match what {
            Save::Changes(durable) => {
                self.append(&mut files, durable)?;
                if files.journal.length() > files.whole.unwrap_or(0).max(LONG) {
                    self.write_whole(&mut files)?;
                }
                Ok(())
            }
            Save::Whole => self.write_whole(&mut files),
        }
    }

    fn append(&self, files: &mut Files, durable: Durable) -> Result<(), LockError> {
        let (names, lines) = {
            let mut state = locked(&self.state);
            let names = std::mem::take(&mut state.unsaved);
            let text = |name: &String| line(name, state.texts.get(name).map(String::as_str));
            let lines: String = names.iter().map(text).collect();
            (names, lines)
        };
        let appended = files.journal.append(&lines, durable == Durable::Machine);
        match appended {
            Ok(()) => {
                self.written.fetch_add(lines.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                locked(&self.state).unsaved.extend(names);
                Err(error)
            }
        }
    }

    fn write_whole(&self, files: &mut Files) -> Result<(), LockError> {
        let (names, text, is_empty) = {
            let mut state = locked(&self.state);
            if state.unsaved.is_empty() && files.journal.length() == 0 && files.whole.is_some() {
                return Ok(());
            }
            let names = std::mem::take(&mut state.unsaved);
            (names, lock::text(state.texts.iter()), state.texts.is_empty())
        };
        let is_there = files.whole.is_none() && lock::is_on_disk(&self.lock_path, &text, is_empty);
        let written = match is_there {
            true => Ok(()),
            false => lock::write(&self.lock_path, &text),
        };
        if let Err(error) = written {
            locked(&self.state).unsaved.extend(names);
            return Err(error);
        }
        if !is_there {
            self.written.fetch_add(text.len() as u64, Ordering::Relaxed);
        }
        files.whole = Some(text.len() as u64);
        files.journal.remove()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if locked(&self.files).journal.length() == 0 {
            return;
        }
        // Whatever has ended the command: the lock file that is committed is whole.
        if let Err(error) = self.save(Save::Whole) {
            tracing::warn!(
                error = super::full_text(&error),
                "the next command reads the journal beside it"
            );
        }
    }
}
