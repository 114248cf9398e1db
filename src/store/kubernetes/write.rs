//! Writes of declarations.

use std::time::{Duration, Instant};

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, TypeMeta};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::KubernetesStore;
use super::cache::Origin;
use super::object::{self, Object, api_version};
use super::watch::reason;
use crate::api::{FINALIZER, ID};
use crate::driver::{StoreChange, StoreError};
use crate::engine::{Declaration, ObjectKey, Status};

/// Longer than this, no answer comes any more.
const LIMIT: Duration = Duration::from_secs(15);
/// After a write that did not get through, its page is planned again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often an edit is begun anew because somebody else was faster.
const ATTEMPTS: usize = 5;

/// The stored object that a write is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub key: &'a ObjectKey,
    pub uid: &'a str,
    pub version: &'a str,
    pub stored: &'a Status,
}

impl<'a> From<&'a Declaration> for Target<'a> {
    fn from(declaration: &'a Declaration) -> Self {
        Target {
            key: &declaration.key,
            uid: &declaration.uid,
            version: &declaration.version,
            stored: &declaration.stored,
        }
    }
}

/// Marks a write as under way for as long as it lives.
struct Writing<'a>(&'a KubernetesStore, &'a str);

impl<'a> Writing<'a> {
    fn begin(store: &'a KubernetesStore, uid: &'a str) -> Self {
        store.shared.cache_mut().begin_write(uid);
        Writing(store, uid)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.shared.cache_mut().end_write(self.1);
    }
}

impl KubernetesStore {
    pub(super) async fn change(&self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        let target = Target::from(declaration);
        let result = match change {
            StoreChange::AddFinalizer => self.set_finalizer(target, true).await,
            StoreChange::RemoveFinalizer => self.release(target).await,
            StoreChange::Prune => self.prune(target).await,
            StoreChange::RecordId(id) => self.record_id(target, &id).await,
            StoreChange::Status(status) => self.replace_status(target, &status).await,
            StoreChange::Journal(journal) => {
                let mut status = Status::clone(&declaration.status);
                status.object_mut().journal = Some(journal);
                self.put_status(target, target.version, &status).await
            }
        };
        match &result {
            // What was read meanwhile is worth a new plan at once, what did not get through later.
            Err(StoreError::Conflict(_)) => self.plan_again(target.key, Duration::ZERO),
            Err(StoreError::Unavailable { .. }) => self.plan_again(target.key, AGAIN),
            _ => {}
        }
        result
    }

    /// Takes the finalizer off; an object that is gone needs that no more.
    pub(super) async fn release(&self, target: Target<'_>) -> Result<(), StoreError> {
        match self.set_finalizer(target, false).await {
            Err(StoreError::Gone(_)) => Ok(()),
            result => result,
        }
    }

    async fn set_finalizer(&self, target: Target<'_>, on: bool) -> Result<(), StoreError> {
        let mut last = StoreError::Conflict(target.key.to_string());
        for _ in 0..ATTEMPTS {
            let patch = {
                let cache = self.shared.cache();
                let known = cache.get(target.key).filter(|known| *known.uid == *target.uid);
                let Some(known) = known else {
                    return Err(StoreError::Gone(target.key.to_string()));
                };
                if known.holds() == on {
                    return Ok(());
                }
                let mut finalizers: Vec<&str> = known.finalizers.iter().map(AsRef::as_ref).collect();
                if on {
                    finalizers.push(FINALIZER);
                } else {
                    finalizers.retain(|name| *name != FINALIZER);
                }
                // The version, because the list is replaced as a whole.
                json!({"metadata": {"resourceVersion": known.version, "finalizers": finalizers}})
            };
            match self.merge(target, patch).await {
                Err(error @ StoreError::Conflict(_)) => last = error,
                result => return result,
            }
        }
        Err(last)
    }

    async fn prune(&self, target: Target<'_>) -> Result<(), StoreError> {
        self.release(target).await?;
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(target.uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let (api, _) = self.api(target.key);
        let began = Instant::now();
        let result = tokio::time::timeout(LIMIT, api.delete(&target.key.name, &parameters)).await;
        match result {
            Ok(Ok(answer)) => match answer.left() {
                Some(object) if !object.finalizers().is_empty() => self.keep(target.key, object, began),
                _ => self.shared.ended_by_us(target.key, target.uid),
            },
            Ok(Err(error)) => match self.judge(target, error).await {
                StoreError::Gone(_) => {}
                error => return Err(error),
            },
            Err(_) => return Err(unavailable(target.key, "no answer in time")),
        }
        Ok(())
    }

    async fn record_id(&self, target: Target<'_>, id: &str) -> Result<(), StoreError> {
        // Not bound to a version: whatever else changed, the id is true. The uid keeps it from a successor of the
        // same name.
        let patch = json!({"metadata": {"uid": target.uid, "annotations": {ID: id}}});
        self.merge(target, patch).await
    }

    pub(super) async fn replace_status(&self, target: Target<'_>, status: &Status) -> Result<(), StoreError> {
        if status == target.stored {
            return Ok(());
        }
        let mut version = target.version.to_owned();
        for _ in 0..ATTEMPTS {
            match self.put_status(target, &version, status).await {
                Err(error @ StoreError::Conflict(_)) => {
                    // A change of something else than the status is no conflict; a status of somebody else is: it may
                    // hold the journal of another leader.
                    let cache = self.shared.cache();
                    match cache.get(target.key) {
                        Some(known) if *known.status == *target.stored && *known.version != *version => {
                            version = known.version.to_string();
                        }
                        _ => return Err(error),
                    }
                }
                result => return result,
            }
        }
        Err(StoreError::Conflict(target.key.to_string()))
    }

    /// Replaces the status over exactly this version, so that removed fields vanish.
    async fn put_status(&self, target: Target<'_>, version: &str, status: &Status) -> Result<(), StoreError> {
        let status = status
            .to_json()
            .map_err(|error| unavailable(target.key, &error.to_string()))?;
        let (api, resource) = self.api(target.key);
        let mut body = DynamicObject::new(&target.key.name, &resource).within(&target.key.namespace);
        body.types = Some(TypeMeta {
            api_version: api_version(),
            kind: resource.kind.clone(),
        });
        body.metadata.uid = Some(target.uid.to_owned());
        body.metadata.resource_version = Some(version.to_owned());
        body.data = json!({ "status": status });
        let _writing = Writing::begin(self, target.uid);
        let began = Instant::now();
        let parameters = PostParams::default();
        let write = api.replace_status(&target.key.name, &parameters, &body);
        let result = tokio::time::timeout(LIMIT, write).await;
        self.finish(target, began, result).await
    }

    async fn merge(&self, target: Target<'_>, patch: Value) -> Result<(), StoreError> {
        let (api, _) = self.api(target.key);
        let _writing = Writing::begin(self, target.uid);
        let began = Instant::now();
        let parameters = PatchParams::default();
        let patch = Patch::Merge(patch);
        let write = api.patch(&target.key.name, &parameters, &patch);
        let result = tokio::time::timeout(LIMIT, write).await;
        self.finish(target, began, result).await
    }

    async fn finish(
        &self,
        target: Target<'_>,
        began: Instant,
        result: Result<Result<DynamicObject, kube::Error>, tokio::time::error::Elapsed>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(Ok(object)) => {
                self.keep(target.key, object, began);
                Ok(())
            }
            Ok(Err(error)) => Err(self.judge(target, error).await),
            Err(_) => Err(unavailable(target.key, "no answer in time")),
        }
    }

    /// What a refusal means. After a conflict the newest version is read, so that the next attempt does not meet the
    /// same one when the watch is behind.
    async fn judge(&self, target: Target<'_>, error: kube::Error) -> StoreError {
        let kube::Error::Api(status) = &error else {
            return unavailable(target.key, &reason(&error));
        };
        match status.code {
            404 => {
                self.shared.ended(target.key, target.uid);
                StoreError::Gone(target.key.to_string())
            }
            // A changed uid is an invalid change of an object to some, a conflict to others.
            409 | 422 => match self.read_again(target).await {
                Some(StoreError::Gone(gone)) => StoreError::Gone(gone),
                _ if status.code == 409 => StoreError::Conflict(target.key.to_string()),
                _ => unavailable(target.key, &status.message),
            },
            _ => unavailable(target.key, &status.message),
        }
    }

    async fn read_again(&self, target: Target<'_>) -> Option<StoreError> {
        let (api, _) = self.api(target.key);
        let began = Instant::now();
        match tokio::time::timeout(LIMIT, api.get_opt(&target.key.name)).await {
            Ok(Ok(Some(object))) => {
                let same = object.metadata.uid.as_deref() == Some(target.uid);
                self.keep(target.key, object, began);
                (!same).then(|| StoreError::Gone(target.key.to_string()))
            }
            Ok(Ok(None)) => {
                self.shared.ended(target.key, target.uid);
                Some(StoreError::Gone(target.key.to_string()))
            }
            _ => None,
        }
    }

    /// Takes over the answer to a request that began then.
    fn keep(&self, key: &ObjectKey, object: DynamicObject, began: Instant) {
        let object = Object::read(key.kind, object);
        if self.shared.apply(key.clone(), object, Origin::Written(began)) {
            self.shared.went_back();
        }
    }

    fn api(&self, key: &ObjectKey) -> (Api<DynamicObject>, ApiResource) {
        let resource = object::resource(key.kind);
        let api = Api::namespaced_with(self.writer.clone(), &key.namespace, &resource);
        (api, resource)
    }

    fn plan_again(&self, key: &ObjectKey, after: Duration) {
        let page = self.shared.cache().get(key).and_then(|object| object.page(key));
        let shared = std::sync::Arc::clone(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(page) = page {
                shared.fire(&page);
            }
        });
    }
}

fn unavailable(key: &ObjectKey, message: &str) -> StoreError {
    StoreError::Unavailable {
        object: key.to_string(),
        message: message.to_owned(),
    }
}
