//! The memory of the watches: objects by key and by page.
//!
//! Invariant: an object never goes back to an older version, and an object that was released is not brought back by a
//! late event. Own writes enter here before anybody plans again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Instant;

use jiff::Timestamp;
use kube::core::{Selector, SelectorExt};

use super::object::Object;
use crate::api::{Kind, NamespaceGrant};
use crate::engine::{ObjectKey, Spec};

/// Everything that was watched or written.
#[derive(Debug, Default)]
pub(super) struct Cache {
    objects: HashMap<ObjectKey, Object>,
    by_page: HashMap<ObjectKey, BTreeSet<ObjectKey>>,
    /// Objects whose end was seen in the answer to a write, and when, until the watch sees it too.
    ended: HashMap<Box<str>, Instant>,
    /// The newest version of anything.
    pub newest: u128,
    /// Objects with a write under way.
    writing: HashMap<String, usize>,
    /// The namespaces, once they were read.
    pub namespaces: Option<HashMap<String, Namespace>>,
}

/// What matters of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Namespace {
    pub labels: BTreeMap<String, String>,
    /// Since when it is being deleted.
    pub ending: Option<Timestamp>,
}

/// Where a version of an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A watch, which may be behind.
    Watched,
    /// The answer to a list that began then.
    Listed(Instant),
    /// The answer to a write of this process that began then, or to what it has asked after one.
    Written(Instant),
}

impl Origin {
    /// True for the answer to a request that began after a time: what was known by then is not newer, unless the API
    /// server was put back to an earlier state.
    fn is_after(self, earlier: Instant) -> bool {
        match self {
            Origin::Watched => false,
            Origin::Listed(began) | Origin::Written(began) => began > earlier,
        }
    }
}

/// What follows from a change of the cache.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Consequences {
    /// The pages to plan again.
    pub pages: BTreeSet<ObjectKey>,
    /// True when pages came, went or changed.
    pub pages_changed: bool,
    /// True when other Secrets may be needed.
    pub secrets_changed: bool,
    /// True when the API server answers with an earlier state than it has shown before.
    pub went_back: bool,
}

impl Consequences {
    fn of(key: &ObjectKey, pages: impl IntoIterator<Item = ObjectKey>) -> Self {
        Consequences {
            pages: pages.into_iter().collect(),
            pages_changed: key.kind == Kind::StatusPage,
            secrets_changed: key.kind.may_name_secrets(),
            went_back: false,
        }
    }
}

/// Whether a namespace may hold declarations of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Granted,
    Denied,
    /// The labels of the namespaces are not read yet.
    Unknown,
}

impl Cache {
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    pub fn objects(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.objects.iter()
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// The declarations that name a page, granted or not.
    pub fn of_page<'a>(&'a self, page: &ObjectKey) -> impl Iterator<Item = (&'a ObjectKey, &'a Object)> {
        self.by_page
            .get(page)
            .into_iter()
            .flatten()
            .filter_map(|key| self.objects.get_key_value(key))
    }

    /// Keeps a version of an object unless a newer one is here.
    pub fn apply(&mut self, key: ObjectKey, object: Object, origin: Origin) -> Consequences {
        let mut went_back = false;
        if let Some(ended) = self.ended.get(&object.uid) {
            if !origin.is_after(*ended) {
                return Consequences::default();
            }
            went_back = true;
            self.ended.remove(&object.uid);
        }
        if object.deleting && object.finalizers.is_empty() {
            // The end of it: the answer to the write that took the last finalizer off.
            return self.end_now(&key, &object.uid);
        }
        let page = object.page(&key);
        let mut matters = true;
        let mut earlier_page = None;
        if let Some(known) = self.objects.get(&key) {
            if known.uid == object.uid {
                let is_older = object.is_older_than(known);
                if object.version == known.version || is_older && !origin.is_after(known.read_at) {
                    return Consequences::default();
                }
                went_back |= is_older;
            }
            earlier_page = known.page(&key);
            // Somebody else's change of a status matters too: it may have been emptied. Our own comes back by the
            // watch, perhaps before its answer.
            let foreign = !matches!(origin, Origin::Written(_)) && !self.writing.contains_key(&*object.uid);
            matters = went_back || object.differs_from(known) || (foreign && object.status != known.status);
        }
        if earlier_page != page {
            self.unlink(&key, earlier_page.as_ref());
            if let Some(page) = page.clone().filter(|page| *page != key) {
                self.by_page.entry(page).or_default().insert(key.clone());
            }
        }
        let mut consequences = if matters {
            Consequences::of(&key, page.into_iter().chain(earlier_page))
        } else {
            Consequences::default()
        };
        consequences.went_back = went_back;
        self.newest = self.newest.max(object.revision().unwrap_or(0));
        self.objects.insert(key, object);
        consequences
    }

    /// Forgets an object, if it is the one with this uid.
    pub fn remove(&mut self, key: &ObjectKey, uid: &str) -> Consequences {
        if self.objects.get(key).is_none_or(|known| *known.uid != *uid) {
            return Consequences::default();
        }
        let Some(object) = self.objects.remove(key) else {
            return Consequences::default();
        };
        let page = object.page(key);
        self.unlink(key, page.as_ref());
        Consequences::of(key, page)
    }

    /// The answer to a write was the end of an object: events that are still under way do not bring it back.
    pub fn end_now(&mut self, key: &ObjectKey, uid: &str) -> Consequences {
        self.ended.insert(uid.into(), Instant::now());
        self.remove(key, uid)
    }

    /// The watch has seen the end of an object.
    pub fn ended(&mut self, key: &ObjectKey, uid: &str) -> Consequences {
        self.ended.remove(uid);
        self.remove(key, uid)
    }

    /// After a whole list: what is not in it is gone.
    pub fn retain(&mut self, kind: Kind, namespace: Option<&str>, listed: &HashSet<ObjectKey>) -> Vec<Consequences> {
        let gone: Vec<(ObjectKey, Box<str>)> = self
            .objects
            .iter()
            .filter(|(key, _)| {
                key.kind == kind
                    && namespace.is_none_or(|namespace| key.namespace == namespace)
                    && !listed.contains(*key)
            })
            .map(|(key, object)| (key.clone(), object.uid.clone()))
            .collect();
        gone.iter().map(|(key, uid)| self.ended(key, uid)).collect()
    }

    /// A write begins: until it ends, a change of this object's status is taken as ours.
    pub fn begin_write(&mut self, uid: &str) {
        *self.writing.entry(uid.to_owned()).or_default() += 1;
    }

    /// A write ended.
    pub fn end_write(&mut self, uid: &str) {
        if let Some(count) = self.writing.get_mut(uid) {
            *count -= 1;
            if *count == 0 {
                self.writing.remove(uid);
            }
        }
    }

    /// Whether a page admits declarations of a namespace.
    pub fn grant(&self, page: &ObjectKey, spec: &Spec, namespace: &str) -> Grant {
        if page.namespace == namespace {
            return Grant::Granted;
        }
        let Spec::StatusPage(spec) = spec else {
            return Grant::Denied;
        };
        let Some(allowed) = &spec.allowed_namespaces else {
            return Grant::Denied;
        };
        match allowed.from {
            NamespaceGrant::Same => Grant::Denied,
            NamespaceGrant::All => Grant::Granted,
            NamespaceGrant::Selector => {
                let Some(selector) = allowed.selector.clone() else {
                    return Grant::Denied;
                };
                let Some(namespaces) = &self.namespaces else {
                    return Grant::Unknown;
                };
                let empty = BTreeMap::new();
                let labels = namespaces.get(namespace).map_or(&empty, |known| &known.labels);
                match Selector::try_from(selector) {
                    Ok(selector) if selector.matches(labels) => Grant::Granted,
                    _ => Grant::Denied,
                }
            }
        }
    }

    /// Since when a namespace is being deleted.
    pub fn ending(&self, namespace: &str) -> Option<Timestamp> {
        self.namespaces.as_ref()?.get(namespace)?.ending
    }

    /// The namespaces that are being deleted.
    pub fn all_ending(&self) -> BTreeMap<String, Timestamp> {
        let namespaces = self.namespaces.iter().flatten();
        namespaces
            .filter_map(|(name, known)| Some((name.clone(), known.ending?)))
            .collect()
    }

    /// The pages that have declarations in a namespace, or are in it.
    pub fn pages_in(&self, namespace: &str) -> BTreeSet<ObjectKey> {
        let own = self
            .objects
            .keys()
            .filter(|key| key.kind == Kind::StatusPage && key.namespace == namespace);
        let with_guests = self
            .by_page
            .iter()
            .filter(|(_, keys)| keys.iter().any(|key| key.namespace == namespace));
        own.chain(with_guests.map(|(page, _)| page)).cloned().collect()
    }

    /// The other StatusPages with declarations that stand for the same remote page.
    pub fn twins<'a>(&'a self, page: &'a ObjectKey) -> impl Iterator<Item = (&'a ObjectKey, &'a Object)> {
        fn remote(object: &Object) -> Option<(&str, Option<&str>)> {
            match object.spec.as_deref() {
                Ok(Spec::StatusPage(spec)) => Some((object.remote_page_id()?, spec.api.url.as_deref())),
                _ => None,
            }
        }
        let own = self.objects.get(page).and_then(remote);
        let others = self.by_page.keys().filter(move |other| *other != page);
        let others = others.filter_map(|other| self.objects.get_key_value(other));
        others.filter(move |(_, other)| own.is_some() && remote(other) == own)
    }

    /// The pages that admit namespaces by their labels.
    pub fn pages_by_label(&self) -> impl Iterator<Item = &ObjectKey> {
        self.objects
            .iter()
            .filter_map(|(key, object)| match object.spec.as_deref() {
                Ok(Spec::StatusPage(spec)) => {
                    let allowed = spec.allowed_namespaces.as_ref()?;
                    (allowed.from == NamespaceGrant::Selector).then_some(key)
                }
                _ => None,
            })
    }

    fn unlink(&mut self, key: &ObjectKey, page: Option<&ObjectKey>) {
        let Some(page) = page else { return };
        if let Some(keys) = self.by_page.get_mut(page) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_page.remove(page);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A Secret that a declaration names is watched from when it is declared on: of every kind that may name one.
    #[test]
    fn whoever_names_a_secret_has_it_watched() {
        let secret = json!({"name": "passwords"});
        let of = |kind: Kind, mut spec: Value, field: &str| {
            spec[field] = secret.clone();
            let spec = crate::engine::Spec::from_json(kind, &spec).unwrap();
            assert_eq!(spec.secret_references().len(), 1, "{kind}");
            let key = ObjectKey::new(kind, "acme", "one");
            Consequences::of(&key, []).secrets_changed
        };
        let page = json!({"name": "acme"});
        assert!(of(
            Kind::MetricsProvider,
            json!({"pageRef": page, "type": "Pingdom", "email": "a@example.com"}),
            "passwordSecretRef"
        ));
        assert!(of(
            Kind::OrganizationUser,
            json!({"pageRef": page, "email": "a@example.com", "firstName": "A", "lastName": "B"}),
            "passwordSecretRef"
        ));
    }

    fn object(version: &str, metadata: Value, status: Value) -> (ObjectKey, Object) {
        let mut object = json!({
            "apiVersion": super::super::object::api_version(), "kind": "Component",
            "metadata": {"name": "api", "namespace": "acme", "uid": "u1", "resourceVersion": version},
            "spec": {"pageRef": {"name": "acme"}}, "status": status,
        });
        for (name, value) in metadata.as_object().unwrap() {
            object["metadata"][name] = value.clone();
        }
        let key = ObjectKey::new(Kind::Component, "acme", "api");
        (
            key,
            Object::read(Kind::Component, serde_json::from_value(object).unwrap()),
        )
    }

    /// The answer to a request that began before anything was known.
    fn answered() -> Origin {
        static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        Origin::Written(*BEGAN)
    }

    fn apply(cache: &mut Cache, (key, object): (ObjectKey, Object), origin: Origin) -> bool {
        !cache.apply(key, object, origin).pages.is_empty()
    }

    #[test]
    fn own_writes_do_not_wake_and_older_events_do_not_undo_them() {
        let mut cache = Cache::default();
        assert!(apply(&mut cache, object("1", json!({}), json!({})), Origin::Watched));
        let written = object("5", json!({}), json!({"id": "abc"}));
        assert!(!apply(&mut cache, written.clone(), answered()));
        // The same write by the watch, and something older.
        assert!(!apply(&mut cache, written.clone(), Origin::Watched));
        assert!(!apply(&mut cache, object("3", json!({}), json!({})), Origin::Watched));
        assert_eq!(cache.get(&written.0).unwrap().recorded_id(), Some("abc"));
    }

    #[test]
    fn a_status_emptied_by_others_wakes() {
        let mut cache = Cache::default();
        apply(
            &mut cache,
            object("1", json!({}), json!({"id": "abc"})),
            Origin::Watched,
        );
        assert!(apply(&mut cache, object("2", json!({}), json!({})), Origin::Watched));
        cache.begin_write("u1");
        assert!(!apply(
            &mut cache,
            object("3", json!({}), json!({"id": "abc"})),
            Origin::Watched
        ));
        cache.end_write("u1");
        assert!(cache.writing.is_empty());
    }

    #[test]
    fn what_ended_stays_ended() {
        let mut cache = Cache::default();
        let gone = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        apply(&mut cache, object("1", json!({}), json!({})), Origin::Watched);
        assert!(apply(&mut cache, object("4", gone.clone(), json!({})), answered()));
        assert_eq!(cache.len(), 0);
        let held = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]});
        assert!(!apply(&mut cache, object("3", held, json!({})), Origin::Watched));
        assert_eq!(cache.len(), 0);
        // Written again under the same name: another object.
        let (key, _) = object("4", json!({}), json!({}));
        cache.ended(&key, "u1");
        assert!(apply(
            &mut cache,
            object("9", json!({"uid": "u2"}), json!({})),
            Origin::Watched
        ));
        // A late end of the first one leaves the second.
        cache.ended(&key, "u1");
        assert_eq!(cache.len(), 1);
        assert_eq!(
            cache.of_page(&ObjectKey::new(Kind::StatusPage, "acme", "acme")).count(),
            1
        );
    }

    #[test]
    fn a_request_that_began_later_shows_that_the_api_server_went_back() {
        let mut cache = Cache::default();
        let began = Instant::now();
        let (key, newer) = object("9", json!({}), json!({"id": "abc"}));
        cache.apply(key.clone(), newer, Origin::Watched);
        let (_, older) = object("4", json!({}), json!({}));
        // A watch, or a list that began before, is only behind.
        for origin in [Origin::Watched, Origin::Listed(began)] {
            assert_eq!(cache.apply(key.clone(), older.clone(), origin), Consequences::default());
        }
        let later = Origin::Listed(Instant::now());
        assert!(cache.apply(key.clone(), older.clone(), later).went_back);
        assert_eq!(cache.get(&key).unwrap().recorded_id(), None);
        // The same again is no news.
        assert!(
            !cache
                .apply(key.clone(), older.clone(), Origin::Listed(Instant::now()))
                .went_back
        );
        // What had ended is there again.
        cache.end_now(&key, "u1");
        assert!(!cache.apply(key.clone(), older.clone(), later).went_back);
        assert_eq!(cache.len(), 0);
        assert!(
            cache
                .apply(key.clone(), older, Origin::Listed(Instant::now()))
                .went_back
        );
        assert_eq!(cache.len(), 1);
    }
}
