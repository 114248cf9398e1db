//! The store of one process: a cache that a watch fills, and writes as the Kubernetes store makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::bugs::{self, Bug};
use super::chance::Chance;
use super::cluster::{Change, Cluster, Metadata, Refusal};
use super::fuse::Fuse;
use super::log::TOKEN;
use super::stage::Stage;
use super::trace::Fact;
use crate::api::{ID, Kind};
use crate::driver::{Access, Event, Store, StoreChange, StoreError, Trigger, View};
use crate::engine::{Declaration, ObjectKey, Spec, Status};
use crate::statuspage::{BaseUrl, Token};

/// How often an edit is begun anew because somebody else was faster.
const ATTEMPTS: usize = 5;
/// Longer than this no answer is waited for.
const LIMIT: Duration = Duration::from_secs(15);

/// A time in which the API server is slow, or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) kind: TroubleKind,
}

/// What troubles the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// Writes are refused.
    Away,
    /// Writes take long, some longer than anybody waits.
    Slow,
    /// Writes are done, and the answer is lost.
    Mute,
    /// The watch tells nothing; at the end it lists again.
    Blind,
}

/// What the processes of a run have of the store in common.
#[derive(Debug)]
pub(super) struct StoreOptions {
    pub(super) cluster: Arc<Cluster>,
    pub(super) stage: Arc<Stage>,
    pub(super) troubles: Vec<Trouble>,
}

/// The store as one process has it. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub(super) struct ProcessStore {
    process: usize,
    options: Arc<StoreOptions>,
    fuse: Arc<Fuse>,
    leads: Arc<dyn Leads>,
    inner: Arc<Mutex<Inner>>,
    trigger: Arc<Trigger>,
}

/// Whether a process may write.
pub(super) trait Leads: Send + Sync + std::fmt::Debug {
    fn leads(&self) -> bool;
}

#[derive(Debug)]
struct Inner {
    objects: BTreeMap<ObjectKey, Declaration>,
    /// The end of these was seen in the answer to a write.
    ended: BTreeSet<String>,
    chance: Chance,
}

impl ProcessStore {
    pub(super) fn new(
        process: usize,
        options: &Arc<StoreOptions>,
        fuse: &Arc<Fuse>,
        leads: &Arc<dyn Leads>,
        trigger: &Arc<Trigger>,
        chance: Chance,
    ) -> Self {
        ProcessStore {
            process,
            options: Arc::clone(options),
            fuse: Arc::clone(fuse),
            leads: Arc::clone(leads),
            trigger: Arc::clone(trigger),
            inner: Arc::new(Mutex::new(Inner {
                objects: BTreeMap::new(),
                ended: BTreeSet::new(),
                chance,
            })),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self, wanted: &[TroubleKind]) -> Option<Trouble> {
        let at = self.options.stage.elapsed();
        let mut troubles = self.options.troubles.iter().copied();
        troubles.find(|trouble| (trouble.from..trouble.to).contains(&at) && wanted.contains(&trouble.kind))
    }

    /// Fills the cache for as long as it is polled: a list first, then changes, some time after they happened.
    pub(super) async fn watch(&self) {
        let cluster = &self.options.cluster;
        let mut changes = cluster.changes();
        let (mut version, objects) = cluster.list();
        self.relist(objects);
        loop {
            changes.borrow_and_update();
            let pending = cluster.since(version);
            if let Some(blind) = self.trouble(&[TroubleKind::Blind]) {
                sleep(blind.to.saturating_sub(self.options.stage.elapsed())).await;
                let (listed, objects) = cluster.list();
                version = listed;
                self.relist(objects);
                continue;
            }
            if pending.is_empty() {
                let _ = changes.changed().await;
                let lag = self.inner().chance.millis(1, 80);
                sleep(lag).await;
                continue;
            }
            for change in pending {
                version = change.version;
                self.see(change);
            }
        }
    }

    fn relist(&self, objects: Vec<Declaration>) {
        let keys: BTreeSet<ObjectKey> = objects.iter().map(|object| object.key.clone()).collect();
        let gone: Vec<Declaration> = {
            let inner = self.inner();
            let gone = inner.objects.values().filter(|known| !keys.contains(&known.key));
            gone.cloned().collect()
        };
        for known in gone {
            self.forget(&known.key, &known.uid);
        }
        for object in objects {
            self.keep(object, true);
        }
    }

    fn see(&self, change: Change) {
        match change.object {
            Some(object) => self.keep(object, true),
            None => {
                self.inner().ended.remove(&change.uid);
                self.forget(&change.key, &change.uid);
            }
        }
    }

    /// Keeps a version of an object unless a newer one is here. What others did wakes the driver.
    fn keep(&self, object: Declaration, watched: bool) {
        let mut inner = self.inner();
        if inner.ended.contains(&object.uid) {
            return;
        }
        if object.deleting && !object.finalizer {
            inner.ended.insert(object.uid.clone());
            drop(inner);
            return self.forget(&object.key, &object.uid);
        }
        let version = |object: &Declaration| object.version.parse::<u64>().unwrap_or(0);
        let matters = match inner.objects.get(&object.key) {
            Some(known) if known.uid == object.uid => {
                if version(&object) <= version(known) {
                    return;
                }
                object.spec != known.spec
                    || object.deleting != known.deleting
                    || object.annotations != known.annotations
                    || watched && object.stored != known.stored
            }
            _ => true,
        };
        inner.objects.insert(object.key.clone(), object);
        drop(inner);
        if matters && watched && !bugs::is_on(Bug::DeafToChanges) {
            self.trigger.changed();
        }
    }

    fn forget(&self, key: &ObjectKey, uid: &str) {
        let mut inner = self.inner();
        if inner.objects.get(key).is_some_and(|known| known.uid == uid) {
            inner.objects.remove(key);
            drop(inner);
            self.trigger.changed();
        }
    }

    /// One request to the API server.
    async fn ask<T>(&self, key: &ObjectKey, request: impl FnOnce(&Cluster) -> T) -> Result<T, StoreError> {
        let unavailable = |message: &str| StoreError::Unavailable {
            object: key.to_string(),
            message: message.to_owned(),
        };
        let [there, back] = {
            let mut inner = self.inner();
            [inner.chance.millis(1, 15), inner.chance.millis(1, 15)]
        };
        sleep(there).await;
        match self.trouble(&[TroubleKind::Away, TroubleKind::Slow, TroubleKind::Mute]) {
            Some(trouble) if trouble.kind == TroubleKind::Away => Err(unavailable("connection refused")),
            Some(trouble) if trouble.kind == TroubleKind::Slow => {
                let (before, after) = {
                    let mut inner = self.inner();
                    (inner.chance.seconds(0, 12), inner.chance.seconds(0, 8))
                };
                sleep(before).await;
                let answer = request(&self.options.cluster);
                if before + after >= LIMIT {
                    sleep(LIMIT.saturating_sub(before)).await;
                    return Err(unavailable("no answer in time"));
                }
                sleep(after).await;
                Ok(answer)
            }
            Some(_) => {
                let answer = request(&self.options.cluster);
                sleep(back).await;
                if self.inner().chance.permille(600) {
                    return Err(unavailable("connection reset by peer"));
                }
                Ok(answer)
            }
            None => {
                let answer = request(&self.options.cluster);
                sleep(back).await;
                Ok(answer)
            }
        }
    }

    /// One write, and what its answer means. After a conflict the newest version is read.
    async fn put(
        &self,
        declaration: &Declaration,
        write: impl FnOnce(&Cluster) -> Result<Declaration, Refusal>,
    ) -> Result<(), StoreError> {
        let key = &declaration.key;
        match self.ask(key, write).await? {
            Ok(object) => {
                self.keep(object, false);
                Ok(())
            }
            Err(Refusal::NotFound) => {
                self.forget(key, &declaration.uid);
                Err(StoreError::Gone(key.to_string()))
            }
            Err(Refusal::Conflict | Refusal::Exists) => {
                let wanted = key.clone();
                match self.ask(key, |cluster| cluster.get(&wanted)).await {
                    Ok(Some(object)) if object.uid == declaration.uid => {
                        self.keep(object, false);
                        self.trigger.changed();
                        Err(StoreError::Conflict(key.to_string()))
                    }
                    Ok(_) => {
                        self.forget(key, &declaration.uid);
                        Err(StoreError::Gone(key.to_string()))
                    }
                    Err(_) => Err(StoreError::Conflict(key.to_string())),
                }
            }
        }
    }

    fn known(&self, declaration: &Declaration) -> Option<Declaration> {
        let known = self.inner().objects.get(&declaration.key).cloned();
        known.filter(|known| known.uid == declaration.uid)
    }

    async fn set_finalizer(&self, declaration: &Declaration, on: bool) -> Result<(), StoreError> {
        let (key, uid) = (&declaration.key, &declaration.uid);
        let mut last = StoreError::Conflict(key.to_string());
        for _ in 0..ATTEMPTS {
            let Some(known) = self.known(declaration) else {
                return Err(StoreError::Gone(key.to_string()));
            };
            if known.finalizer == on {
                return Ok(());
            }
            let change = Metadata::Finalizer(on);
            let write = |cluster: &Cluster| cluster.patch_metadata(key, Some(uid), Some(&known.version), change);
            match self.put(declaration, write).await {
                Err(error @ StoreError::Conflict(_)) => last = error,
                result => return result,
            }
        }
        Err(last)
    }

    async fn release(&self, declaration: &Declaration) -> Result<(), StoreError> {
        match self.set_finalizer(declaration, false).await {
            Err(StoreError::Gone(_)) => Ok(()),
            result => result,
        }
    }

    async fn replace_status(&self, declaration: &Declaration, status: &Status) -> Result<(), StoreError> {
        if *status == *declaration.stored {
            return Ok(());
        }
        let (key, uid) = (&declaration.key, &declaration.uid);
        let mut version = declaration.version.clone();
        for _ in 0..ATTEMPTS {
            let over = version.clone();
            let write = |cluster: &Cluster| cluster.replace_status(key, uid, &over, status);
            match self.put(declaration, write).await {
                Err(error @ StoreError::Conflict(_)) => match self.known(declaration) {
                    // A change of something else is no conflict; a status of somebody else is.
                    Some(known) if known.stored == declaration.stored && known.version != version => {
                        version = known.version;
                    }
                    _ => return Err(error),
                },
                result => return result,
            }
        }
        Err(StoreError::Conflict(key.to_string()))
    }

    async fn change(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        let (key, uid) = (&declaration.key, &declaration.uid);
        match change {
            StoreChange::RemoveFinalizer if bugs::is_on(Bug::ReleaseRefused) => Err(StoreError::Unavailable {
                object: key.to_string(),
                message: "read-only".to_owned(),
            }),
            StoreChange::Journal(_) if bugs::is_on(Bug::JournalNotKept) => Ok(()),
            StoreChange::AddFinalizer => self.set_finalizer(declaration, true).await,
            StoreChange::RemoveFinalizer => self.release(declaration).await,
            StoreChange::Prune => {
                self.release(declaration).await?;
                match self.ask(key, |cluster| cluster.delete(key, Some(uid))).await? {
                    Ok(()) | Err(Refusal::NotFound | Refusal::Exists) => {
                        self.inner().ended.insert(uid.clone());
                        self.forget(key, uid);
                        Ok(())
                    }
                    Err(Refusal::Conflict) => Err(StoreError::Conflict(key.to_string())),
                }
            }
            StoreChange::RecordId(id) => {
                let change = Metadata::Annotation(ID, Some(id));
                self.put(declaration, |cluster| {
                    cluster.patch_metadata(key, Some(uid), None, change)
                })
                .await
            }
            StoreChange::Status(mut status) => {
                if bugs::is_on(Bug::TokenInStatus) {
                    let conditions = &mut Arc::make_mut(&mut status).object_mut().conditions;
                    conditions
                        .iter_mut()
                        .for_each(|condition| condition.message.push_str(TOKEN));
                }
                self.replace_status(declaration, &status).await
            }
            StoreChange::Journal(journal) => {
                let mut status = Status::clone(&declaration.status);
                status.object_mut().journal = Some(journal);
                let write = |cluster: &Cluster| {
                    let present = cluster.get(key).filter(|_| bugs::is_on(Bug::JournalOverAnything));
                    let version = present.map_or(declaration.version.clone(), |present| present.version);
                    cluster.replace_status(key, uid, &version, &status)
                };
                self.put(declaration, write).await
            }
        }
    }
}

/// How every page of a run is reached.
fn access() -> Option<Access> {
    Some(Access {
        base_url: BaseUrl::parse("https://api.statuspage.test/v1", false).ok()?,
        token: Token::new(TOKEN.to_owned()).ok()?,
    })
}

impl Store for ProcessStore {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        let inner = self.inner();
        let declared = inner.objects.get(page)?.clone();
        let others = inner.objects.values().filter(|one| one.key.kind != Kind::StatusPage);
        let mut declarations: Vec<Declaration> = others.cloned().collect();
        drop(inner);
        declarations.sort_by(|one, other| {
            let order = |one: &Declaration| (one.created, one.key.name.clone(), one.key.kind);
            order(one).cmp(&order(other))
        });
        matches!(&*declared.spec, Spec::StatusPage(_)).then_some(())?;
        let access = access().ok_or((crate::api::Reason::SecretNotFound, "no token".to_owned()));
        Some(View::new(declared, declarations, access))
    }

    fn declaration(&self, _page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        self.inner().objects.get(key).cloned()
    }

    async fn write(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        self.fuse.burn("before a store write").await;
        let key = &declaration.key;
        let mut before = self.options.cluster.get(key);
        let result = self.change(declaration, change.clone()).await;
        let after = self.options.cluster.get(key);
        if let (StoreChange::Status(_), Ok(()), Some(before)) = (&change, &result, &mut before) {
            // Somebody else may have written in between; what was taken went over this.
            before.stored = Arc::clone(&declaration.stored);
        }
        let change = match (change, &after) {
            // As it is stored now.
            (StoreChange::Status(_), Some(after)) if result.is_ok() => StoreChange::Status(Arc::clone(&after.status)),
            (change, _) => change,
        };
        let version = |one: &Option<Declaration>| one.as_ref().map(|one| one.version.clone());
        // Without an answer it may have been done all the same.
        let unheard = matches!(result, Err(StoreError::Unavailable { .. }));
        let is_there = match (&change, &after) {
            (StoreChange::Status(status), Some(after)) => after.status == *status,
            _ => true,
        };
        let done = version(&before) != version(&after) && (result.is_ok() || unheard && is_there);
        if done || result.is_err() {
            self.options.stage.note(Fact::Stored {
                process: self.process,
                change,
                before: before.map(Box::new),
                key: key.clone(),
                result: result.as_ref().map(|_| ()).map_err(ToString::to_string),
                done,
            });
        }
        self.fuse.burn("after a store write").await;
        result
    }

    fn emit_event(&self, declaration: &Declaration, event: Event) {
        self.options.stage.note(Fact::Told {
            key: declaration.key.clone(),
            kind: event.kind,
            reason: event.reason,
            note: match bugs::is_on(Bug::TokenInEvent) {
                true => format!("{} {TOKEN}", event.note),
                false => event.note,
            },
        });
    }

    fn may_write(&self) -> bool {
        self.leads.leads() || bugs::is_on(Bug::JournalOverAnything)
    }
}
