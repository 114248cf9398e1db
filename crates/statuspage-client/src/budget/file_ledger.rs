//! A ledger in small files of a directory, one for each token and service.
//!
//! A file is replaced as a whole, so that a reader sees the old book or the new one. Who revises it holds a lock meanwhile, which
//! the operating system gives back when its process ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ledger::{Book, Ledger, LedgerError, LedgerKey, Revision};

const VERSION: u32 = 2;
/// Held by who revises a book of the directory.
const LOCK: &str = "requests.lock";
/// A revision takes a moment; whoever holds the lock for longer has been stopped.
const LOCKED_FOR: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// Largest file that is read; an honest one has a line for each second of a minute.
const LARGEST: u64 = 64 << 10;

/// One file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    token: String,
    address: String,
    #[serde(flatten)]
    book: Book,
}

/// A ledger in a directory. The files hold no token, only its fingerprint, and are for their owner alone.
#[derive(Clone, Debug)]
pub struct FileLedger {
    directory: PathBuf,
}

impl FileLedger {
    /// A ledger in a directory, which is made when it is needed.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    fn path(&self, key: &LedgerKey) -> PathBuf {
        let digest = Sha256::digest(key.address.as_bytes());
        let address: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!("requests-{}-{address}.json", key.token))
    }
}

impl Ledger for FileLedger {
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Book>, LedgerError>> {
        let (path, key) = (self.path(key), key.clone());
        Box::pin(apart(move || read(&path, &key)))
    }

    fn revise<'a>(&'a self, key: &'a LedgerKey, mut revision: Revision) -> BoxFuture<'a, Result<(), LedgerError>> {
        let (path, key, directory) = (self.path(key), key.clone(), self.directory.clone());
        Box::pin(apart(move || {
            let failed = |error: io::Error| unavailable(&path, &error);
            fs::create_dir_all(&directory).map_err(failed)?;
            // Held until the end.
            let _lock = lock(&directory.join(LOCK)).map_err(failed)?;
            let mut book = match read(&path, &key) {
                Ok(book) => book.unwrap_or_default(),
                Err(LedgerError::Unreadable(_)) => Book::default(),
                Err(error) => return Err(error),
            };
            revision(&mut book);
            let record = Record {
                version: VERSION,
                token: key.token,
                address: key.address,
                book,
            };
            write(&path, &record).map_err(failed)
        }))
    }
}

/// Takes a lock, which goes with the file.
fn lock(path: &Path) -> io::Result<File> {
    let file = private().open(path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= LOCKED_FOR => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds its lock",
                ));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
}

/// For writing by its owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Does what may block where it holds nobody up.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(LedgerError::Unavailable(error.to_string())))
}

fn unavailable(path: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Unavailable(format!("{}: {error}", path.display()))
}

fn read(path: &Path, key: &LedgerKey) -> Result<Option<Book>, LedgerError> {
    let unreadable = |reason: &str| LedgerError::Unreadable(format!("{}: {reason}", path.display()));
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unavailable(path, &error)),
        Ok(metadata) if !metadata.is_file() || metadata.len() > LARGEST => {
            return Err(unreadable("it is not what this program writes"));
        }
        Ok(_) => {}
    }
    let text = fs::read(path).map_err(|error| unavailable(path, &error))?;
    let record: Record = serde_json::from_slice(&text).map_err(|error| unreadable(&error.to_string()))?;
    if record.version != VERSION || record.token != key.token || record.address != key.address {
        return Err(unreadable("it is of another version, token or address"));
    }
    Ok(Some(record.book))
}

/// Replaces a file so that a killed process leaves the old or the new one. What a crash of the whole machine leaves may
/// be neither, which the next reader counts as a full window: waiting for the disk at every write would cost more.
fn write(path: &Path, record: &Record) -> io::Result<()> {
    let draft = path.with_extension("json.new");
    let mut file = private().open(&draft)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    drop(file);
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Budget, Priority, Usage};
    use statuspage_clock::Clock;

    fn key() -> LedgerKey {
        LedgerKey {
            token: "abcd1234".to_owned(),
            address: "https://api.statuspage.io/v1".to_owned(),
        }
    }

    /// A process that may have so many requests under way.
    fn book(open: usize) -> Book {
        let usage = Usage {
            open,
            open_until: Some("2026-01-05T10:00:00Z".parse().unwrap()),
            ..Usage::default()
        };
        Book {
            processes: [("process".to_owned(), usage)].into(),
        }
    }

    async fn store(ledger: &FileLedger, open: usize) -> Result<(), LedgerError> {
        ledger.revise(&key(), Box::new(move |known| *known = book(open))).await
    }

    fn budget(ledger: &FileLedger) -> Budget {
        Budget::recorded(60, Arc::new(ledger.clone()), key(), Clock::System)
    }

    #[tokio::test]
    async fn what_is_stored_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::new(directory.path().join("made/when/needed"));
        assert_eq!(ledger.load(&key()).await.unwrap(), None);
        for open in [7, 8] {
            store(&ledger, open).await.unwrap();
            assert_eq!(ledger.load(&key()).await.unwrap(), Some(book(open)));
        }
        let other = LedgerKey {
            address: "http://127.0.0.1/v1".to_owned(),
            ..key()
        };
        assert_eq!(ledger.load(&other).await.unwrap(), None, "a file of its own");
        let files: Vec<_> = fs::read_dir(directory.path().join("made/when/needed"))
            .unwrap()
            .collect();
        assert_eq!(files.len(), 2, "the book and its lock, no draft: {files:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn it_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::new(directory.path());
        store(&ledger, 1).await.unwrap();
        let mode = fs::metadata(ledger.path(&key())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn nonsense_is_told_from_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::new(directory.path());
        let path = ledger.path(&key());
        store(&ledger, 1).await.unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for bad in [
            String::new(),
            "null".to_owned(),
            "[]".to_owned(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":2", "\"version\":3"),
            good.replace("abcd1234", "12345678"),
            good.replace("\"open\":1", "\"open\":-1"),
            good.replace("2026-", "26-"),
            format!("{good}{}", " ".repeat(100_000)),
        ] {
            fs::write(&path, &bad).unwrap();
            let error = ledger.load(&key()).await.unwrap_err();
            assert!(matches!(error, LedgerError::Unreadable(_)), "{bad}: {error}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(ledger.load(&key()).await, Err(LedgerError::Unreadable(_))));
        assert!(matches!(store(&ledger, 1).await, Err(LedgerError::Unavailable(_))));
    }

    /// The record of a process that was killed is what the next one starts from, and a clean end leaves less behind.
    #[tokio::test]
    async fn the_next_process_goes_on_where_the_last_one_left_off() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::new(directory.path());
        let killed = budget(&ledger);
        for _ in 0..25 {
            drop(killed.acquire(Priority::Incident, "p").await);
        }
        let next = budget(&ledger);
        drop(next.acquire(Priority::Incident, "p").await);
        let used = next.stats().used;
        assert!((26..=36).contains(&used), "{used}");
        next.settle().await.unwrap();
        let last = budget(&ledger);
        drop(last.acquire(Priority::Incident, "p").await);
        assert_eq!(last.stats().used, used + 1, "nothing more than was sent");
    }

    #[tokio::test]
    async fn a_file_of_nonsense_leaves_the_reserve_to_incidents() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::new(directory.path());
        fs::write(ledger.path(&key()), "nonsense").unwrap();
        let budget = budget(&ledger);
        for _ in 0..5 {
            drop(budget.acquire(Priority::Incident, "p").await);
        }
        assert_eq!((budget.stats().used, budget.remaining()), (60, 0));
        assert!(ledger.load(&key()).await.unwrap().is_some(), "and is written anew");
    }

    #[tokio::test]
    async fn what_cannot_be_looked_at_is_told_from_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = FileLedger::new(file).load(&key()).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
    }

    /// Several processes at once, each with files of its own open: together they give what the window allows.
    #[tokio::test(flavor = "multi_thread")]
    async fn processes_at_the_same_time_share_one_window() {
        let directory = tempfile::tempdir().unwrap();
        let processes = (0..4).map(|_| {
            let ledger = FileLedger::new(directory.path());
            tokio::spawn(async move {
                let budget = budget(&ledger);
                let mut given = 0;
                while let Ok(permit) =
                    tokio::time::timeout(Duration::from_secs(1), budget.acquire(Priority::Write, "p")).await
                {
                    drop(permit);
                    given += 1;
                }
                given
            })
        });
        let given: Vec<usize> = futures::future::join_all(processes)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let sum: usize = given.iter().sum();
        // What one has reserved and does not use is lost to the others for a while.
        assert!((25..=55).contains(&sum), "{given:?}");
    }

    #[tokio::test]
    async fn a_lock_that_is_never_given_back_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = FileLedger::new(directory.path());
        store(&ledger, 1).await.unwrap();
        let held = lock(&directory.path().join(LOCK)).unwrap();
        let error = store(&ledger, 2).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
        drop(held);
        store(&ledger, 3).await.unwrap();
    }
}
