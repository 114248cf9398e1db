//! The file of a log: made for its owner alone, and noticed when somebody takes it away.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::AuditError;

/// Events name people and what they did: only the owner reads them.
pub(super) const PRIVATE: u32 = 0o600;

/// A file that others may remove, or put another one in the place of, at any time.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Device and number of the file.
    identity: Option<(u64, u64)>,
    /// When it was another one for the last time.
    changed: Option<Instant>,
    changes: u64,
}

impl Place {
    pub(super) fn new(path: &Path) -> Self {
        Place {
            path: path.to_owned(),
            seen: Mutex::default(),
        }
    }

    /// Makes the file if it is absent, and keeps others from reading it.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(PRIVATE)
            .open(&self.path)?;
        keep_private(&file)
    }

    /// How often the file was found to be another one; grows when it is so now. A file that is gone may come back.
    pub(super) fn changes(&self) -> u64 {
        let now = fs::metadata(&self.path).map(|file| (file.dev(), file.ino())).ok();
        let mut seen = self.seen();
        if seen.identity.is_some() && seen.identity != now {
            seen.changed = Some(Instant::now());
            seen.changes += 1;
        }
        if now.is_some() || seen.identity.is_some() {
            seen.identity = now;
        }
        seen.changes
    }

    /// True when a connection that was made so long ago is one to the file that is there.
    pub(super) fn is_current(&self, age: Duration) -> bool {
        self.changes();
        self.seen().changed.is_none_or(|changed| age < changed.elapsed())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes away what others may do with a file. Whoever may not change that leaves it as its owner wants it.
pub(super) fn keep_private(file: &fs::File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0
        && let Err(error) = file.set_permissions(Permissions::from_mode(PRIVATE))
    {
        tracing::warn!(%error, "other users may be able to read the event log: its permissions cannot be changed");
    }
    Ok(())
}

/// A file can be made or opened there, one day at least.
pub(super) fn check_place(path: &Path) -> Result<(), AuditError> {
    let unusable = |source| AuditError::File {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        return Err(unusable(io::ErrorKind::IsADirectory.into()));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match directory.map(fs::metadata) {
        Some(Err(source)) if is_no_place(&source) => Err(unusable(source)),
        _ => Ok(()),
    }
}

/// True when a path names a place that is not there.
pub(super) fn is_no_place(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | IsADirectory | NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_in_its_place_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let place = Place::new(&path);
        assert_eq!(place.changes(), 0, "not there yet");
        place.prepare().unwrap();
        assert_eq!(place.changes(), 0);
        fs::remove_file(&path).unwrap();
        assert_eq!(place.changes(), 1);
        // A new one beside the old one, so that it cannot have the same number.
        let other = directory.path().join("other");
        fs::write(&other, "").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(place.changes(), 1, "it came back");
        let before = Instant::now().elapsed();
        fs::write(&other, "").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(place.changes(), 2);
        assert!(place.is_current(before) && !place.is_current(Duration::from_secs(60)));
    }

    #[test]
    fn the_file_is_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        Place::new(&path).prepare().unwrap();
        assert_eq!(mode(), PRIVATE);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        Place::new(&path).prepare().unwrap();
        assert_eq!(mode(), PRIVATE);
    }
}
