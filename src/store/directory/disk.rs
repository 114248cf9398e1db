//! What is on the disk: the lock file, the reports that belong to it, and the journal of what has changed since they were
//! written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::error::LockError;
use super::journal::{Journal, journal_path, line};
use super::lock::{VERSION, text};
use super::state::{Durable, State};
use super::{atomic, locked};

/// A journal may become so long, or as long as the lock file if that is more, before it is put into the lock file.
const LONG: u64 = 256 * 1024;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Save {
    /// What has changed, to the journal.
    Changes(Durable),
    /// Everything, to the lock file and the reports.
    Whole,
}

/// Writes one thing at a time. Nobody who only wants to know the state waits for it.
pub(super) struct Disk {
    lock_path: PathBuf,
    report_path: PathBuf,
    state: Arc<Mutex<State>>,
    files: Mutex<Files>,
    written: AtomicU64,
}

struct Files {
    journal: Journal,
    /// Bytes of the lock file and the reports, once it is known.
    whole: u64,
    /// True while there is a journal that another process has left.
    left: bool,
    /// True once it was told that reports are not kept.
    told: bool,
}

impl Disk {
    /// `left` says that another process has left a journal, which was read.
    pub(super) fn new(lock_path: PathBuf, report_path: PathBuf, state: Arc<Mutex<State>>, left: bool) -> Self {
        let files = Files {
            journal: Journal::new(journal_path(&lock_path)),
            whole: 0,
            left,
            told: false,
        };
        Disk {
            lock_path,
            report_path,
            state,
            files: Mutex::new(files),
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
                if files.journal.length() > files.whole.max(LONG) {
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
            let lines: String = names.iter().map(|name| line(name, &state.texts(name))).collect();
            (names, lines)
        };
        let appended = files.journal.append(&lines, durable == Durable::Machine);
        match appended {
            Ok(()) => {
                self.count(lines.len());
                Ok(())
            }
            Err(error) => {
                locked(&self.state).unsaved.extend(names);
                Err(error)
            }
        }
    }

    fn write_whole(&self, files: &mut Files) -> Result<(), LockError> {
        let (names, [lock, reports]) = {
            let mut state = locked(&self.state);
            if state.unsaved.is_empty() && files.journal.length() == 0 && !files.left {
                return Ok(());
            }
            let names = std::mem::take(&mut state.unsaved);
            let texts =
                [&state.lines, &state.reports].map(|lines| (!lines.is_empty()).then(|| text(VERSION, lines.iter())));
            (names, texts)
        };
        // Nothing at all was ever recorded: no file is better than an empty one.
        let [lock, reports] = [(lock, &self.lock_path), (reports, &self.report_path)].map(|(text_of, path)| {
            let text = text_of.or_else(|| path.exists().then(|| text(VERSION, std::iter::empty())));
            text.unwrap_or_default()
        });
        if is_news(&self.lock_path, &lock) {
            if let Err(source) = atomic::write(&self.lock_path, &lock) {
                locked(&self.state).unsaved.extend(names);
                return Err(LockError::Write {
                    path: self.lock_path.clone(),
                    source,
                });
            }
            self.count(lock.len());
        }
        if is_news(&self.report_path, &reports) {
            match atomic::write_lightly(&self.report_path, &reports) {
                Ok(()) => self.count(reports.len()),
                Err(error) if !files.told => {
                    files.told = true;
                    let path = self.report_path.display();
                    tracing::warn!(%path, %error, "how the objects stand is not kept for the next command");
                }
                Err(_) => {}
            }
        }
        files.whole = (lock.len() + reports.len()) as u64;
        files.journal.remove()?;
        files.left = false;
        Ok(())
    }

    fn count(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// True for a text that the file does not hold; none at all is no news.
fn is_news(path: &Path, text: &str) -> bool {
    !text.is_empty() && !atomic::holds(path, text)
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
