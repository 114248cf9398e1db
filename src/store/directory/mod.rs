//! Declarations in a directory of manifests, with ids and statuses in a lock file beside them.
//!
//! What a fresh clone needs is in the lock file, to be committed; how the objects stand is a report in `.statuspage/`, which may
//! be lost ([`report`] says what is where, and why).
//!
//! Invariant: one process at a time writes. Invariant: a manifest with an error deletes nothing: while any file of the
//! directory has errors, what seems to be missing may be what cannot be read. Invariant: what is in memory and what is
//! in the lock file, with the journal beside it, differ only by what a crash may lose.

mod access;
mod atomic;
mod disk;
mod entry;
mod error;
mod journal;
mod lock;
mod object;
mod places;
mod reading;
mod report;
mod state;
#[cfg(test)]
mod tests;
pub mod turn;
pub mod urgent;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use error::{Difference, LockError, Place};
pub use places::{LOCAL_STATE, local_state, lock_path};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::api::{Kind, PublishedUpdate, StatusPageSpec};
use crate::clock::Clock;
use crate::driver::{Event, Store, StoreChange, StoreError, View};
use crate::engine::{Declaration, ObjectKey, Spec, Status};
use crate::manifest::{Manifests, ReadError, read_directory};
use crate::statuspage::{BaseUrl, Token};
use access::address;
use disk::{Disk, Save};
use entry::{Recorded, entry_key, entry_name};
use journal::{journal_path, replay};
use places::{directory_of, report_path};
use state::{Durable, State, page_name};

/// Called with everything that happens: the page as `namespace/name`, what it happened to, and what.
pub type Observer = Box<dyn Fn(&str, &Declaration, &Event) + Send + Sync>;

/// How a directory is opened.
#[derive(Default)]
pub struct DirectoryOptions {
    /// Address of the API in place of the manifests' one.
    pub base_url: Option<BaseUrl>,
    /// Token in place of the Secrets.
    pub token: Option<Token>,
    /// True never writes the lock file and needs no exclusion: for `plan`.
    pub read_only: bool,
    /// The lock file in place of the usual one.
    pub lock_file: Option<PathBuf>,
    /// Told of every event.
    pub observer: Option<Observer>,
    /// What dates new declarations.
    pub clock: Clock,
}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The manifests cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The lock file cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// A directory of manifests.
pub struct DirectoryStore {
    root: PathBuf,
    lock_path: PathBuf,
    options: DirectoryOptions,
    state: Arc<Mutex<State>>,
    /// None when nothing is to be written.
    disk: Option<Disk>,
    /// True when no object of any page was on record.
    blank: bool,
    /// Held until the store is dropped, or lets go.
    exclusion: Option<File>,
    let_go: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for DirectoryStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DirectoryStore")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl DirectoryStore {
    /// Opens a directory and reads its manifests, which are returned for their problems.
    ///
    /// # Errors
    /// The directory or the lock file cannot be read, or another process works on the directory.
    pub fn open(root: &Path, options: DirectoryOptions) -> Result<(Self, Manifests), DirectoryError> {
        let manifests = read_directory(root)?;
        let lock_path = options
            .lock_file
            .clone()
            .unwrap_or_else(|| lock_path(root, options.base_url.as_ref()));
        let exclusion = if options.read_only {
            None
        } else {
            let exclusion = exclude(directory_of(root))?;
            // Better now than after the first request.
            atomic::probe(&lock_path).map_err(|source| LockError::Unwritable {
                path: lock_path.clone(),
                source,
            })?;
            Some(exclusion)
        };
        let report_path = report_path(root, &lock_path);
        let now = options.clock.now();
        let mut entries = reading::read(&lock_path, &report_path, now)?;
        let mut state = State::new(entries.clone());
        // An interrupted command has noted what it did since the lock file was written.
        let interrupted = replay(&journal_path(&lock_path), &mut entries, now)?;
        let is_object = |name: &String| entry_key(name).is_some_and(|key| key.kind != Kind::StatusPage);
        let blank = !entries.iter().any(|(name, entry)| entry.held && is_object(name));
        state.entries = entries;
        let state = Arc::new(Mutex::new(state));
        let disk =
            (!options.read_only).then(|| Disk::new(lock_path.clone(), report_path, Arc::clone(&state), interrupted));
        let store = DirectoryStore {
            root: root.to_owned(),
            lock_path,
            options,
            state,
            disk,
            blank,
            exclusion,
            let_go: AtomicBool::new(false),
        };
        store.take(&manifests);
        if interrupted {
            store.record()?;
        }
        Ok((store, manifests))
    }

    /// Reads the manifests again.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn reload(&self) -> Result<Manifests, DirectoryError> {
        let manifests = read_directory(&self.root)?;
        self.take(&manifests);
        Ok(manifests)
    }

    /// Takes manifests as they will be once a file of them is written. What is foreseen from here on is of them; nothing
    /// is written.
    pub fn suppose(&self, manifests: &Manifests) {
        self.take(manifests);
    }

    /// Reads one declaration again, or anew, and leaves all others as they were read.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn take_along(&self, key: &ObjectKey) -> Result<(), DirectoryError> {
        let manifests = read_directory(&self.root)?;
        let now = self.options.clock.now();
        if let Some(object) = object::read_all(&manifests).take(key) {
            self.state().take_along(object, now, |spec| self.address_of(spec));
        }
        Ok(())
    }

    /// Writes what is not in the lock file yet.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&self) -> Result<(), DirectoryError> {
        Ok(self.save(Save::Whole)?)
    }

    /// Bytes written to the lock file, the journal beside it and the reports since the directory was opened.
    pub fn bytes_written(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.bytes_written())
    }

    /// From here on does something for these declarations only; the objects of the others stay theirs.
    pub fn narrow(&self, only: BTreeSet<ObjectKey>) {
        self.state().only = Some(only);
    }

    /// True when no object of any page was on record when the directory was opened: nothing was ever applied, or the lock
    /// file was lost.
    pub fn was_blank(&self) -> bool {
        self.blank
    }

    /// Gives the directory back to others while a person thinks. From here on this store writes nothing.
    pub fn let_go(&self) {
        self.let_go.store(true, Ordering::SeqCst);
        if let Some(exclusion) = &self.exclusion {
            // What cannot be given back now is given back at the end of the process.
            let _ = exclusion.unlock();
        }
    }

    /// The lock file in use.
    pub fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// The StatusPage that a declaration belongs to, declared or not.
    pub fn page_of(&self, key: &ObjectKey) -> Option<ObjectKey> {
        Some(self.state().objects.get(key)?.page.clone())
    }

    /// The pages that are declared.
    pub fn pages(&self) -> Vec<ObjectKey> {
        self.state()
            .objects
            .iter()
            .filter(|object| object.key.kind == Kind::StatusPage)
            .map(|object| object.key.clone())
            .collect()
    }

    /// Declarations of pages that are not declared, with those pages: no view has them.
    pub fn without_page(&self) -> Vec<(ObjectKey, Declaration)> {
        let state = self.state();
        let unattached = state.objects.iter();
        let unattached = unattached.filter(|object| state.objects.get(&object.page).is_none());
        unattached
            .filter_map(|object| {
                let entry = state.entries.get(&object.name)?;
                Some((object.page.clone(), object.declaration(entry)))
            })
            .collect()
    }

    /// Pages (`namespace/name`) that are not declared any more and how many recorded objects each has: nothing can be
    /// done about them.
    pub fn stranded(&self) -> BTreeMap<String, usize> {
        let state = self.state();
        let mut counts = BTreeMap::new();
        if !state.complete {
            return counts;
        }
        let pages: BTreeSet<String> = state
            .objects
            .iter()
            .filter(|object| object.key.kind == Kind::StatusPage)
            .map(|object| page_name(&object.key))
            .collect();
        for (name, entry) in &state.entries {
            let is_page = entry_key(name).is_some_and(|key| key.kind == Kind::StatusPage);
            if !is_page && entry.held && !pages.contains(&entry.page) {
                *counts.entry(entry.page.clone()).or_default() += 1;
            }
        }
        counts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Takes manifests that were read.
    fn take(&self, manifests: &Manifests) {
        // Of one file it is not known what the others declare.
        let complete = self.root.is_dir() && !manifests.has_errors();
        let objects = object::read_all(manifests);
        let now = self.options.clock.now();
        self.state().take(objects, complete, now, |spec| self.address_of(spec));
    }

    /// Where the ids of a page are good. A lock file of another address lies apart, and its name says so.
    fn address_of(&self, spec: &StatusPageSpec) -> Option<String> {
        self.options.base_url.is_none().then(|| address(spec))
    }

    /// Writes to the disk. Other tasks go on meanwhile, where the runtime has threads for them.
    fn save(&self, what: Save) -> Result<(), LockError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        if self.let_go.load(Ordering::SeqCst) {
            let path = directory_of(&self.root).to_owned();
            return Err(LockError::Busy { path });
        }
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => block_in_place(|| disk.save(what)),
            _ => disk.save(what),
        }
    }
}

/// What to say when nothing holds a token.
pub fn missing_token() -> &'static str {
    // A CI system sets a secret that it does not have, to nothing.
    if std::env::var_os("STATUSPAGE_TOKEN").is_some() {
        "STATUSPAGE_TOKEN is empty: put the API token into it, or give --token-file"
    } else {
        "there is no API token: set STATUSPAGE_TOKEN, or give --token-file"
    }
}

impl Store for DirectoryStore {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        let state = self.state();
        let found = state.objects.get(page)?;
        let page_declaration = state.declaration(found)?;
        let Spec::StatusPage(spec) = &*page_declaration.spec else {
            return None;
        };
        let access = self.access(spec, state.entries.get(&found.name));
        let mut declarations: Vec<Declaration> = state
            .objects
            .iter()
            .filter(|object| object.key.kind != Kind::StatusPage && object.page == *page)
            .filter_map(|object| state.declaration(object))
            .collect();
        if state.complete {
            let page_name = page_name(page);
            let removed = state.undeclared.iter().filter_map(|name| {
                let entry = state.entries.get(name)?;
                let belongs = entry.held && entry.page == page_name;
                belongs.then(|| Some(state.narrowed(object::removed(entry_key(name)?, entry))))?
            });
            declarations.extend(removed);
        }
        Some(View::new(page_declaration, declarations, access))
    }

    fn declaration(&self, page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        let state = self.state();
        match state.objects.get(key) {
            Some(object) => (object.page == *page).then(|| state.declaration(object))?,
            None => {
                let entry = state.entries.get(&entry_name(key))?;
                let is_removed = state.complete && entry.held && entry.page == page_name(page);
                is_removed.then(|| state.narrowed(object::removed(key.clone(), entry)))
            }
        }
    }

    async fn write(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        let name = entry_name(&declaration.key);
        let (before, durable) = {
            let mut state = self.state();
            let gone = || StoreError::Gone(declaration.key.to_string());
            let before = state.entries.get(&name).cloned().ok_or_else(gone)?;
            let durable = state.change(&name, declaration, change);
            state.refresh(&name);
            (before, durable)
        };
        let Some(durable) = durable else { return Ok(()) };
        if let Err(error) = self.save(Save::Changes(durable)) {
            // What is not on disk did not happen.
            let mut state = self.state();
            state.entries.insert(name.clone(), before);
            state.refresh(&name);
            return Err(unavailable(&declaration.key.to_string(), &error));
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let saved = self.save(Save::Changes(Durable::Machine));
        saved.map_err(|error| unavailable(&self.lock_path.display().to_string(), &error))
    }

    async fn settle(&self) -> Result<(), StoreError> {
        let saved = self.save(Save::Whole);
        saved.map_err(|error| unavailable(&self.lock_path.display().to_string(), &error))
    }

    fn emit_event(&self, declaration: &Declaration, event: Event) {
        if let Some(observer) = &self.options.observer {
            let page = {
                let state = self.state();
                let entry = state.entries.get(&entry_name(&declaration.key));
                entry.map(|entry| entry.page.clone()).unwrap_or_default()
            };
            observer(&page, declaration, &event);
        }
    }
}

fn unavailable(object: &str, error: &LockError) -> StoreError {
    StoreError::Unavailable {
        object: object.to_owned(),
        message: full_text(error),
    }
}

fn full_text(error: &LockError) -> String {
    let source = std::error::Error::source(error)
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    format!("{error}{source}")
}

/// The published updates of each incident that is on record, in the order of `spec.updates`: their ids and what was
/// written last. Reads only.
///
/// # Errors
/// The lock file, or the journal beside it, cannot be used.
pub fn published_updates(
    root: &Path,
    base_url: Option<&BaseUrl>,
) -> Result<BTreeMap<ObjectKey, Vec<PublishedUpdate>>, LockError> {
    let path = lock_path(root, base_url);
    // Nothing of it depends on the time.
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut entries = reading::read(&path, &report_path(root, &path), now)?;
    replay(&journal_path(&path), &mut entries, now)?;
    let published = entries.iter().filter_map(|(name, entry)| match &entry.status {
        Recorded::Status(status) => match &**status {
            Status::Incident(incident) => Some((entry_key(name)?, incident.updates.clone())),
            _ => None,
        },
        Recorded::Other(_) => None,
    });
    Ok(published.collect())
}

/// Takes the directory for this process. The operating system gives it back when the process ends, however it ends.
fn exclude(directory: &Path) -> Result<File, LockError> {
    let io = |source| LockError::Read {
        path: directory.to_owned(),
        source,
    };
    let file = File::open(directory).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LockError::Busy {
            path: directory.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
    }
}
