//! Declarations in a directory of manifests, with ids and statuses in a lock file beside them.
//!
//! Invariant: one process at a time writes. Invariant: a manifest with an error deletes nothing: while any file of the
//! directory has errors, what seems to be missing may be what cannot be read. Invariant: what is in memory and what is
//! in the lock file differ only by what a crash may lose.

mod lock;
mod object;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

pub use lock::LockError;

use crate::api::{Kind, ManagementPolicy, Reason, StatusPageSpec};
use crate::driver::{Access, Event, Store, StoreChange, StoreError, View};
use crate::engine::{Declaration, Deletion, ObjectKey, Spec, Status};
use crate::manifest::{LOCK_FILE, Manifests, ReadError, read_directory};
use crate::statuspage::{BaseUrl, Token};
use lock::{Entry, LockFile, entry_key, entry_name};
use object::Read;

/// Directory inside the manifests' one for what belongs to this machine only.
pub const LOCAL_STATE: &str = ".statuspage";

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
    state: Mutex<State>,
    /// Held until the store is dropped.
    _exclusion: Option<File>,
}

struct State {
    /// In the order of the files.
    objects: Vec<Read>,
    /// True when every declaration of the directory is known: only then is a missing one a removed one.
    complete: bool,
    lock: LockFile,
    /// The entries as they are written: one change does not cost the writing of a thousand entries.
    texts: BTreeMap<String, String>,
    /// The statuses of the entries, read.
    statuses: BTreeMap<String, Arc<Status>>,
    /// What the file holds, once it was written.
    written: String,
}

impl State {
    /// Takes note of a changed entry.
    fn refresh(&mut self, name: &str) {
        let entry = self.lock.objects.get(name);
        match entry.and_then(Entry::text) {
            Some(text) => self.texts.insert(name.to_owned(), text),
            None => self.texts.remove(name),
        };
        match (entry, entry_key(name)) {
            (Some(entry), Some(key)) => {
                let status = Arc::new(object::status(key.kind, entry));
                self.statuses.insert(name.to_owned(), status)
            }
            _ => self.statuses.remove(name),
        };
    }
}

impl State {
    /// A declaration with what is recorded of it.
    fn declaration(&self, object: &Read) -> Option<Declaration> {
        let name = entry_name(&object.key);
        let mut declaration = object.declaration(self.lock.objects.get(&name), self.statuses.get(&name))?;
        declaration.resolve_pages(|page| self.page_id(&object.key.namespace, page));
        Some(declaration)
    }

    /// The id of the page that a StatusPage stands for, declared or found.
    fn page_id(&self, namespace: &str, name: &str) -> Option<String> {
        let key = ObjectKey::new(Kind::StatusPage, namespace, name);
        let object = self.objects.iter().find(|object| object.key == key)?;
        let declared = object.page_spec().and_then(|spec| spec.page_id.clone());
        let found = || {
            let status = &self.lock.objects.get(&entry_name(&key))?.status;
            status.get("id")?.as_str().map(str::to_owned)
        };
        declared.or_else(found)
    }
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
            LockFile::probe(&lock_path)?;
            Some(exclusion)
        };
        let lock = LockFile::read(&lock_path)?;
        let store = DirectoryStore {
            root: root.to_owned(),
            lock_path: lock_path.clone(),
            options,
            state: Mutex::new(State {
                objects: Vec::new(),
                complete: false,
                texts: BTreeMap::new(),
                statuses: BTreeMap::new(),
                written: std::fs::read_to_string(&lock_path).unwrap_or_default(),
                lock,
            }),
            _exclusion: exclusion,
        };
        store.take(&manifests);
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

    /// Writes what is not in the lock file yet.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&self) -> Result<(), DirectoryError> {
        let mut state = self.state();
        Ok(self.save(&mut state, true)?)
    }

    /// The lock file in use.
    pub fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// The StatusPage that a declaration belongs to, declared or not.
    pub fn page_of(&self, key: &ObjectKey) -> Option<ObjectKey> {
        let state = self.state();
        let object = state.objects.iter().find(|object| object.key == *key)?;
        Some(object.page.clone())
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
        let is_declared = |page: &ObjectKey| state.objects.iter().any(|object| object.key == *page);
        let strays = state.objects.iter().filter(|object| !is_declared(&object.page));
        strays
            .filter_map(|object| {
                let name = entry_name(&object.key);
                let declaration = object.declaration(state.lock.objects.get(&name), state.statuses.get(&name))?;
                Some((object.page.clone(), declaration))
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
        for (name, entry) in &state.lock.objects {
            let is_page = entry_key(name).is_some_and(|key| key.kind == Kind::StatusPage);
            if !is_page && entry.held && !pages.contains(&entry.page) {
                *counts.entry(entry.page.clone()).or_default() += 1;
            }
        }
        counts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes manifests that were read: new declarations get an entry, changed ones another generation.
    fn take(&self, manifests: &Manifests) {
        let mut state = self.state();
        // Of one file it is not known what the others declare.
        state.complete = self.root.is_dir() && !manifests.has_errors();
        state.objects = object::read_all(manifests);
        let now = Timestamp::now();
        let State { objects, lock, .. } = &mut *state;
        let pages: BTreeMap<String, &StatusPageSpec> = objects
            .iter()
            .filter_map(|object| Some((page_name(&object.key), object.page_spec()?)))
            .collect();
        for object in objects.iter() {
            let entry = lock.objects.entry(entry_name(&object.key)).or_insert_with(|| Entry {
                uid: uuid::Uuid::new_v4().to_string(),
                created: now,
                generation: 1,
                spec: object.spec_hash.clone(),
                page: page_name(&object.page),
                deletion: Deletion::Orphan,
                held: false,
                id: None,
                status: serde_json::Value::Null,
            });
            if entry.spec != object.spec_hash {
                entry.generation = entry.generation.saturating_add(1);
                entry.spec.clone_from(&object.spec_hash);
            }
            entry.page = page_name(&object.page);
            // The manifest may be gone the next time.
            if let Some(declaration) = object.declaration(Some(entry), None) {
                entry.deletion = deletion_once_removed(&declaration, pages.get(&entry.page).copied());
            }
        }
        // What was never sent leaves no trace.
        let declared: BTreeSet<String> = objects.iter().map(|object| entry_name(&object.key)).collect();
        lock.objects.retain(|name, entry| entry.held || declared.contains(name));
        let names: BTreeSet<String> = state.lock.objects.keys().chain(state.texts.keys()).cloned().collect();
        names.iter().for_each(|name| state.refresh(name));
    }

    /// Writes the lock file unless it is what was written last.
    fn save(&self, state: &mut State, durable: bool) -> Result<(), LockError> {
        if self.options.read_only {
            return Ok(());
        }
        let text = lock::text(state.texts.iter());
        // Nothing was ever recorded: no file is better than an empty one.
        if text != state.written && !(state.texts.is_empty() && state.written.is_empty()) {
            lock::write(&self.lock_path, &text, durable)?;
            state.written = text;
        }
        Ok(())
    }

    fn access(&self, page: &StatusPageSpec) -> Result<Access, (Reason, String)> {
        let base_url = match &self.options.base_url {
            Some(base_url) => base_url.clone(),
            None => {
                let address = page.api.url.as_deref().unwrap_or(BaseUrl::DEFAULT);
                BaseUrl::parse(address, false).map_err(|error| (Reason::Invalid, error.to_string()))?
            }
        };
        let token = match &self.options.token {
            Some(token) => token.clone(),
            None => {
                let reference = &page.api.token_secret_ref;
                let value = object::secret(&reference.name, reference.key());
                let value = value.ok_or_else(|| {
                    let message = "there is no API token: set STATUSPAGE_TOKEN, or give --token-file";
                    (Reason::SecretNotFound, message.to_owned())
                })?;
                Token::new(value).map_err(|error| (Reason::Invalid, error.to_string()))?
            }
        };
        Ok(Access { base_url, token })
    }
}

impl Store for DirectoryStore {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        let state = self.state();
        let found = state.objects.iter().find(|object| object.key == *page)?;
        let page_declaration = state.declaration(found)?;
        let Spec::StatusPage(spec) = &*page_declaration.spec else {
            return None;
        };
        let access = self.access(spec);
        let mut declarations: Vec<Declaration> = state
            .objects
            .iter()
            .filter(|object| object.key.kind != Kind::StatusPage && object.page == *page)
            .filter_map(|object| state.declaration(object))
            .collect();
        if state.complete {
            let declared: BTreeSet<String> = state.objects.iter().map(|object| entry_name(&object.key)).collect();
            let page_name = page_name(page);
            let removed = state
                .lock
                .objects
                .iter()
                .filter(|(name, entry)| entry.held && entry.page == page_name && !declared.contains(*name));
            declarations.extend(removed.filter_map(|(name, entry)| Some(object::removed(entry_key(name)?, entry))));
        }
        Some(View {
            page: page_declaration,
            declarations,
            access,
        })
    }

    fn declaration(&self, page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        let state = self.state();
        match state.objects.iter().find(|object| object.key == *key) {
            Some(object) => (object.page == *page).then(|| state.declaration(object))?,
            None => {
                let entry = state.lock.objects.get(&entry_name(key))?;
                let is_removed = state.complete && entry.held && entry.page == page_name(page);
                is_removed.then(|| object::removed(key.clone(), entry))
            }
        }
    }

    async fn write(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let objects = &state.objects;
        let name = entry_name(&declaration.key);
        let Some(entry) = state.lock.objects.get_mut(&name) else {
            return Err(StoreError::Gone(declaration.key.to_string()));
        };
        let before = entry.clone();
        let durable = match change {
            StoreChange::AddFinalizer => {
                entry.held = true;
                None
            }
            StoreChange::Journal(journal) => {
                let mut status = declaration.status.clone();
                status.object_mut().journal = Some(journal);
                entry.status = status_json(&declaration.key, &status)?;
                Some(Durable::Machine)
            }
            StoreChange::RecordId(id) => {
                entry.id = Some(id);
                entry.held = true;
                // Should the machine lose it, the journal finds the object.
                Some(Durable::Process)
            }
            StoreChange::Status(status) => {
                entry.status = status_json(&declaration.key, &status)?;
                if !declaration.deleting {
                    let known = Declaration {
                        status: *status,
                        ..declaration.clone()
                    };
                    let page = objects
                        .iter()
                        .find(|object| object.key.kind == Kind::StatusPage && page_name(&object.key) == entry.page);
                    entry.deletion = deletion_once_removed(&known, page.and_then(Read::page_spec));
                }
                None
            }
            StoreChange::Release => {
                state.lock.objects.remove(&name);
                None
            }
            // A manifest is its owner's: it is not deleted, it has no effect any more.
            StoreChange::Prune => None,
        };
        state.refresh(&name);
        if let Some(durable) = durable
            && let Err(error) = self.save(state, durable == Durable::Machine)
        {
            // What is not on disk did not happen.
            state.lock.objects.insert(name.clone(), before);
            state.refresh(&name);
            return Err(unavailable(&declaration.key.to_string(), &error));
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        self.save(&mut state, true)
            .map_err(|error| unavailable(&self.lock_path.display().to_string(), &error))
    }

    fn tell(&self, declaration: &Declaration, event: Event) {
        if let Some(observer) = &self.options.observer {
            let page = {
                let state = self.state();
                let entry = state.lock.objects.get(&entry_name(&declaration.key));
                entry.map(|entry| entry.page.clone()).unwrap_or_default()
            };
            observer(&page, declaration, &event);
        }
    }
}

/// What a change has to survive at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durable {
    /// The end of this process.
    Process,
    /// The end of the machine.
    Machine,
}

fn unavailable(object: &str, error: &LockError) -> StoreError {
    StoreError::Unavailable {
        object: object.to_owned(),
        message: full_text(error),
    }
}

fn status_json(key: &ObjectKey, status: &Status) -> Result<serde_json::Value, StoreError> {
    status.to_json().map_err(|error| StoreError::Unavailable {
        object: key.to_string(),
        message: error.to_string(),
    })
}

fn full_text(error: &LockError) -> String {
    let source = std::error::Error::source(error)
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    format!("{error}{source}")
}

/// What removing the manifest is to do: what its policy says, but nothing to an object that is only observed or whose
/// declaration is suspended, since nobody could lift that any more.
fn deletion_once_removed(declaration: &Declaration, page: Option<&StatusPageSpec>) -> Deletion {
    let policies = declaration.policies(page);
    let suspended = declaration.spec.common().is_some_and(|common| common.suspend);
    if policies.management == ManagementPolicy::ObserveOnly || suspended {
        Deletion::Orphan
    } else {
        policies.deletion
    }
}

fn page_name(key: &ObjectKey) -> String {
    format!("{}/{}", key.namespace, key.name)
}

/// The lock file of a directory: beside the manifests for Statuspage itself, in the local state for any other server,
/// so that one directory serves both.
pub fn lock_path(root: &Path, base_url: Option<&BaseUrl>) -> PathBuf {
    let directory = directory_of(root);
    match base_url
        .map(ToString::to_string)
        .filter(|address| address.as_str() != BaseUrl::DEFAULT)
    {
        None => directory.join(LOCK_FILE),
        Some(address) => {
            let name: String = address
                .trim_start_matches("https://")
                .trim_start_matches("http://")
                .chars()
                .map(|character| {
                    if character.is_ascii_alphanumeric() || character == '.' {
                        character
                    } else {
                        '-'
                    }
                })
                .collect();
            local_state(root).join(format!("{name}.lock.json"))
        }
    }
}

/// Where a directory keeps what belongs to this machine only.
pub fn local_state(root: &Path) -> PathBuf {
    directory_of(root).join(LOCAL_STATE)
}

/// The directory that is meant by the path of a directory or of one of its files.
fn directory_of(root: &Path) -> &Path {
    if root.is_dir() {
        return root;
    }
    match root.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Takes the directory for this process. The operating system gives it back when the process ends, however it ends.
fn exclude(directory: &Path) -> Result<File, LockError> {
    let io = |source| LockError::Io {
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
