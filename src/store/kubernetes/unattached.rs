//! Declarations that no driver sees: their page is missing or does not admit them, or they cannot be read.
//!
//! They are told so in their own status, and they are let go when nothing remote depends on it.

use std::sync::Arc;

use jiff::Timestamp;

use super::KubernetesStore;
use super::cache::{Cache, Grant};
use super::object::Object;
use super::write::Target;
use crate::api::{Kind, ManagementPolicy, Reason};
use crate::driver::{Event, EventKind, Expectation, Happening, Recorder, Store, StoreError};
use crate::engine::{self, Declaration, Deletion, LEAVE_AFTER, ObjectKey, READY, Spec, State, Status};

/// A declaration that no driver sees.
#[derive(Debug)]
struct UnattachedDeclaration {
    key: ObjectKey,
    uid: String,
    version: String,
    stored: Arc<Status>,
    generation: i64,
    state: State,
    reason: Reason,
    message: String,
    release: bool,
    /// Why its remote object stays on the page though it should have been deleted.
    left: Option<String>,
    /// True when time alone lets it go.
    waits: bool,
    /// The page that it names, and itself, where its spec can be read: for the record.
    read: Option<(ObjectKey, Declaration)>,
}

impl KubernetesStore {
    /// Tells declarations that no driver sees why that is, and releases those whose deletion needs nothing remote.
    /// True when something could not be written, or is let go in a while: try again later.
    pub async fn settle_unattached(&self, recorder: Option<&dyn Recorder>) -> bool {
        if !self.missing().is_empty() {
            return false;
        }
        let unattached: Vec<UnattachedDeclaration> = {
            let cache = self.shared.cache();
            cache
                .objects()
                .filter_map(|(key, object)| without_page(&cache, key, object))
                .collect()
        };
        let mut again = unattached.iter().any(|one| one.waits);
        for one in unattached {
            if !self.may_write() {
                return false;
            }
            match self.settle(&one, recorder).await {
                Ok(()) | Err(StoreError::Gone(_)) => {}
                Err(error) => {
                    tracing::warn!(object = %one.key, %error, "will try again");
                    again = true;
                }
            }
        }
        again
    }

    async fn settle(&self, one: &UnattachedDeclaration, recorder: Option<&dyn Recorder>) -> Result<(), StoreError> {
        let expect = |happening: Happening<'_>| {
            let (page, declaration) = one.read.as_ref()?;
            recorder?.expect(page, None, declaration, happening)
        };
        let conclude = |expectation: Option<Box<dyn Expectation>>, written: &Result<(), StoreError>| {
            if let Some(expectation) = expectation {
                expectation.conclude(written.is_ok());
            }
        };
        let target = Target {
            key: &one.key,
            uid: &one.uid,
            version: &one.version,
            stored: &one.stored,
        };
        if one.release {
            let expectation = expect(Happening::Released);
            let released = self.release(target).await;
            conclude(expectation, &released);
            if let (Ok(()), Some(why)) = (&released, &one.left) {
                self.events.emit(&one.key, &one.uid, Event::left_on_page(why));
            }
            return released;
        }
        let mut status = Arc::clone(&one.stored);
        engine::apply_conditions(
            &mut status,
            one.state,
            one.reason,
            &one.message,
            Vec::new(),
            one.generation,
            Timestamp::now(),
        );
        let reason = |status: &Status| engine::find_condition(status.object(), READY).map(|ready| ready.reason.clone());
        let news = reason(&status) != reason(&one.stored);
        if status == one.stored {
            return Ok(());
        }
        let expectation = expect(Happening::Status(&status));
        let replaced = self.replace_status(target, &status).await;
        conclude(expectation, &replaced);
        replaced?;
        if news {
            let event = Event {
                kind: EventKind::Warning,
                reason: one.reason.to_string(),
                note: one.message.clone(),
            };
            self.events.emit(&one.key, &one.uid, event);
        }
        Ok(())
    }
}

fn without_page(cache: &Cache, key: &ObjectKey, object: &Object) -> Option<UnattachedDeclaration> {
    let (state, reason, message, page) = finding(cache, key, object)?;
    let mut one = UnattachedDeclaration {
        key: key.clone(),
        uid: object.uid.to_string(),
        version: object.version.to_string(),
        stored: Arc::clone(&object.status),
        generation: object.generation,
        state,
        reason,
        message,
        release: false,
        left: None,
        waits: false,
        read: object.page(key).zip(object.declaration(key, Timestamp::UNIX_EPOCH)),
    };
    if object.deleting {
        if !object.holds() {
            // Others hold it: not our business any more.
            return None;
        }
        let remote = object.recorded_id();
        let nothing_remote = remote.is_none() && object.status.object().journal.is_none();
        let orphan = match &object.spec {
            Err(unreadable) => unreadable.stays,
            Ok(_) => object
                .declaration(key, Timestamp::UNIX_EPOCH)
                .is_some_and(|declaration| {
                    let page = page.and_then(|page| match page {
                        Spec::StatusPage(spec) => Some(&**spec),
                        _ => None,
                    });
                    let policies = declaration.policies(page);
                    let stays =
                        policies.deletion == Deletion::Orphan || policies.management == ManagementPolicy::ObserveOnly;
                    stays && !policies.suspend
                }),
        };
        let journal = object.status.object().journal.as_ref();
        let is_over = |journal| engine::attempt_is_over(journal, key.kind, Timestamp::now());
        if !journal.is_none_or(is_over) {
            // A declaration of the same name that comes after it would know nothing of what this one may have sent.
            one.waits = true;
            one.message = format!(
                "{}; its last request got no clear answer, so it stays until that can no longer take effect",
                one.message
            );
            return Some(one);
        }
        one.release = nothing_remote || orphan;
        if let (false, Some(since)) = (one.release, cache.ending(&key.namespace)) {
            // Nobody can make a StatusPage in a namespace that is being deleted.
            let is_final = reason == Reason::PageNotFound;
            let now = Timestamp::now();
            one.release = is_final || now.duration_since(since) >= LEAVE_AFTER;
            one.waits = !one.release;
            let noun = key.kind.noun();
            let id = remote.unwrap_or("(its creation was not confirmed)");
            one.left = one.release.then(|| {
                let why = match is_final {
                    true => "its StatusPage is gone",
                    false => one.message.as_str(),
                };
                format!(
                    "{noun} {id} stays on the page, because namespace {} is being deleted and this keeps it from being deleted too: {why}",
                    key.namespace
                )
            });
        }
        one.state = State::Stalled;
        one.message = format!(
            "{}; until then {} {} cannot be deleted: set deletionPolicy: Orphan to leave it on the page and delete this declaration",
            one.message,
            key.kind.noun(),
            remote.unwrap_or("(its creation was not confirmed)"),
        );
    }
    Some(one)
}

/// Why no driver sees an object; none when one does.
fn finding<'a>(
    cache: &'a Cache,
    key: &ObjectKey,
    object: &Object,
) -> Option<(State, Reason, String, Option<&'a Spec>)> {
    if let Err(unreadable) = &object.spec {
        let message = format!(
            "the spec cannot be read: {}; correct it, or update the operator if it is older than the definitions",
            unreadable.message
        );
        return Some((State::Stalled, Reason::Invalid, message, None));
    }
    if key.kind == Kind::StatusPage {
        return None;
    }
    let page = object.page(key)?;
    let spec = cache.get(&page).map(|page| page.spec.as_deref());
    let (namespace, name) = (&page.namespace, &page.name);
    if page.namespace == key.namespace {
        return match spec {
            Some(Ok(_)) => None,
            Some(Err(_)) => {
                let message = format!("StatusPage {name} cannot be read; its own condition says why");
                Some((State::Stalled, Reason::PageNotReady, message, None))
            }
            None => {
                let message = format!("StatusPage {name} does not exist in namespace {namespace}: create it");
                Some((State::Progressing, Reason::PageNotFound, message, None))
            }
        };
    }
    let granted = match spec {
        Some(Ok(spec)) => cache.grant(&page, spec, &key.namespace),
        _ => Grant::Denied,
    };
    match granted {
        Grant::Granted | Grant::Unknown => None,
        Grant::Denied => {
            // The same words whether the page exists or not: what is in another namespace is not told.
            let message = format!(
                "no StatusPage {namespace}/{name} allows declarations in namespace {}: the owner of the page can allow it in spec.allowedNamespaces",
                key.namespace
            );
            let spec = spec.and_then(Result::ok);
            Some((State::Stalled, Reason::PageNotGranted, message, spec))
        }
    }
}
