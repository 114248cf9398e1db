//! A store in memory, with versions, conflicts and a process that ends at a chosen write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use statuspage_operator::api::{Kind, Reason};
use statuspage_operator::driver::{Access, Event, Store, StoreChange, StoreError, View};
use statuspage_operator::engine::{Declaration, ObjectKey, Spec, Status};
use statuspage_operator::server::ManualClock;
use tokio::sync::Notify;

/// When the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// Before this write takes effect.
    Before(usize),
    /// After it took effect, before the driver hears of it.
    After(usize),
}

/// What happens to a process once it has stored a journal.
#[derive(Clone, Debug, Default)]
pub(super) enum AfterJournal {
    #[default]
    Nothing,
    /// Another process takes over.
    Deposed,
    /// It is stopped for so long.
    Paused(ManualClock, Duration),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) page: Declaration,
    pub(super) declarations: Vec<Declaration>,
    pub(super) access: Result<Access, (Reason, String)>,
    /// All writes that took effect: whose and what.
    pub(super) writes: Vec<(ObjectKey, StoreChange)>,
    pub(super) events: Vec<(ObjectKey, Event)>,
    pub(super) crash: Option<Crash>,
    /// Writes that fail from now on, and how.
    pub(super) failing: Option<(usize, StoreError)>,
    /// What happens to the process once it has stored a journal.
    pub(super) after_journal: AfterJournal,
    /// Whether this process leads.
    pub(super) leads: bool,
    attempts: usize,
    version: u64,
}

/// Declarations in memory; clones are the same store.
#[derive(Clone, Debug)]
pub(super) struct MemoryStore {
    state: Arc<Mutex<State>>,
    /// Told when the process ends.
    pub(super) crashed: Arc<Notify>,
}

impl MemoryStore {
    pub(super) fn new(page: Declaration, access: Access) -> Self {
        MemoryStore {
            state: Arc::new(Mutex::new(State {
                page,
                declarations: Vec::new(),
                access: Ok(access),
                writes: Vec::new(),
                events: Vec::new(),
                crash: None,
                failing: None,
                after_journal: AfterJournal::Nothing,
                leads: true,
                attempts: 0,
                version: 1,
            })),
            crashed: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes that were tried.
    pub(super) fn attempts(&self) -> usize {
        self.state().attempts
    }

    pub(super) fn add(&self, declaration: Declaration) {
        self.state().declarations.push(declaration);
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Declaration> {
        let state = self.state();
        let mut all = state.declarations.iter().chain(std::iter::once(&state.page));
        all.find(|declaration| declaration.key == *key).cloned()
    }

    /// A change by the owner.
    pub(super) fn edit(&self, key: &ObjectKey, change: impl FnOnce(&mut Declaration)) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version.to_string();
        let State { page, declarations, .. } = &mut *state;
        for declaration in declarations.iter_mut().chain(std::iter::once(page)) {
            if declaration.key == *key {
                change(declaration);
                declaration.generation += 1;
                declaration.version = version;
                break;
            }
        }
    }

    pub(super) fn respecify(&self, key: &ObjectKey, spec: Value) {
        self.edit(key, |declaration| {
            declaration.spec = Arc::new(read_spec(key.kind, spec))
        });
    }

    pub(super) fn delete(&self, key: &ObjectKey) {
        self.edit(key, |declaration| declaration.deleting = true);
        self.state()
            .declarations
            .retain(|declaration| !declaration.deleting || declaration.finalizer);
    }

    /// Makes one write; none when the process ended instead.
    fn attempt(&self, declaration: &Declaration, change: &StoreChange) -> Option<Result<(), StoreError>> {
        let mut state = self.state();
        let number = state.attempts;
        state.attempts += 1;
        if state.crash == Some(Crash::Before(number)) {
            return None;
        }
        if let Some((from, error)) = &state.failing
            && number >= *from
        {
            return Some(Err(error.clone()));
        }
        let result = apply(&mut state, declaration, change);
        if matches!(change, StoreChange::Journal(_)) {
            match std::mem::take(&mut state.after_journal) {
                AfterJournal::Nothing => {}
                AfterJournal::Deposed => state.leads = false,
                AfterJournal::Paused(clock, time) => clock.advance(time),
            }
        }
        if state.crash == Some(Crash::After(number)) {
            return None;
        }
        Some(result)
    }
}

fn apply(state: &mut State, declaration: &Declaration, change: &StoreChange) -> Result<(), StoreError> {
    let key = &declaration.key;
    state.version += 1;
    let version = state.version.to_string();
    let State { page, declarations, .. } = state;
    let stored = declarations
        .iter_mut()
        .chain(std::iter::once(page))
        .find(|stored| stored.key == *key && stored.uid == declaration.uid)
        .ok_or_else(|| StoreError::Gone(key.to_string()))?;
    match change {
        StoreChange::AddFinalizer => stored.finalizer = true,
        StoreChange::Journal(journal) => {
            if stored.version != declaration.version {
                return Err(StoreError::Conflict(key.to_string()));
            }
            let mut status = Status::clone(&declaration.status);
            status.object_mut().journal = Some(journal.clone());
            stored.stored = Arc::new(status);
        }
        StoreChange::RecordId(id) => stored.id_annotation = Some(id.clone()),
        // As a status subresource whose fields went through JSON.
        StoreChange::Status(status) => {
            let json = status.to_json().unwrap();
            stored.stored = Arc::new(Status::from_json(key.kind, json).unwrap());
        }
        StoreChange::RemoveFinalizer => stored.finalizer = false,
        StoreChange::Prune => {
            stored.finalizer = false;
            stored.deleting = true;
        }
    }
    stored.version = version;
    stored.status = Arc::clone(&stored.stored);
    state.declarations.retain(|one| !one.deleting || one.finalizer);
    state.writes.push((key.clone(), change.clone()));
    Ok(())
}

impl Store for MemoryStore {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        let state = self.state();
        (state.page.key == *page && (!state.page.deleting || state.page.finalizer)).then(|| {
            let State {
                page,
                declarations,
                access,
                ..
            } = &*state;
            View::new(page.clone(), declarations.clone(), access.clone())
        })
    }

    fn declaration(&self, _page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        self.get(key)
    }

    async fn write(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        match self.attempt(declaration, &change) {
            Some(result) => result,
            None => {
                self.crashed.notify_one();
                // The process is over: whoever drives it drops it here.
                std::future::pending().await
            }
        }
    }

    fn may_write(&self) -> bool {
        self.state().leads
    }

    fn emit_event(&self, declaration: &Declaration, event: Event) {
        self.state().events.push((declaration.key.clone(), event));
    }
}

/// A declaration in namespace `team`; the spec is YAML's as JSON, without pageRef.
pub(super) fn declare(kind: Kind, name: &str, created: Timestamp, spec: Value) -> Declaration {
    let key = ObjectKey::new(kind, "team", name);
    Declaration {
        version: "1".into(),
        ..Declaration::new(key, format!("uid-{kind}-{name}"), created, read_spec(kind, spec))
    }
}

fn read_spec(kind: Kind, mut spec: Value) -> Spec {
    if kind != Kind::StatusPage {
        spec["pageRef"] = json!({"name": "page"});
    }
    Spec::from_json(kind, &spec).unwrap()
}
