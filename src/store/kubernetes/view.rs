//! The view of a page: the cache, seen by one driver.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::KubernetesStore;
use super::cache::{Cache, Grant};
use super::secrets::Absent;
use crate::api::{Kind, NamespaceGrant, Reason, StatusPageSpec};
use crate::driver::{Access, View};
use crate::engine::{Claimant, Declaration, ObjectKey, Spec, Surroundings};
use crate::statuspage::{BaseUrl, Secret, Token};

impl KubernetesStore {
    pub(super) fn view_of(&self, page: &ObjectKey) -> Option<View> {
        let now = Timestamp::now();
        let (page, mut declarations, around) = {
            let cache = self.shared.cache();
            let declared = cache.get(page)?.declaration(page, now)?;
            let declarations: Vec<Declaration> = declarations_of(&cache, &declared, now)
                .map(|declaration| with_pages(&cache, declaration))
                .collect();
            let around = Surroundings {
                ending: cache.all_ending(),
                elsewhere: elsewhere(&cache, page, now),
            };
            (declared, declarations, around)
        };
        declarations.sort_by(|one, other| {
            (one.created, &one.key.name, &one.key.namespace, one.key.kind).cmp(&(
                other.created,
                &other.key.name,
                &other.key.namespace,
                other.key.kind,
            ))
        });
        for declaration in &mut declarations {
            declaration.secrets = self.secrets_of(declaration);
        }
        let Spec::StatusPage(spec) = &*page.spec else {
            return None;
        };
        let access = self.access(&page.key, spec);
        Some(View::new(page, declarations, access).amid(around))
    }

    pub(super) fn declaration_of(&self, page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        let now = Timestamp::now();
        let mut declaration = {
            let cache = self.shared.cache();
            let object = cache.get(key)?;
            let declaration = object.declaration(key, now)?;
            if key != page {
                let declared = cache.get(page)?.declaration(page, now)?;
                let belongs = object.page(key).as_ref() == Some(page);
                if !belongs || cache.grant(page, &declared.spec, &key.namespace) != Grant::Granted {
                    return None;
                }
            }
            with_pages(&cache, declaration)
        };
        declaration.secrets = self.secrets_of(&declaration);
        Some(declaration)
    }

    fn secrets_of(&self, declaration: &Declaration) -> BTreeMap<&'static str, Result<Secret, String>> {
        let references = declaration.spec.secret_references();
        references
            .into_iter()
            .map(|(field, reference)| {
                let namespace = &declaration.key.namespace;
                let value = self
                    .shared
                    .secrets
                    .value(namespace, reference, "the provider's credential");
                let value = value.map_err(|absent| match absent {
                    Absent::Unread => format!("Secret {namespace}/{} is being read", reference.name),
                    Absent::Because(reason) => reason,
                });
                (field, value)
            })
            .collect()
    }

    pub(super) fn access(&self, page: &ObjectKey, spec: &StatusPageSpec) -> Result<Access, (Reason, String)> {
        let base_url = match (&self.base_url, &spec.api.url) {
            (Some(base_url), _) => base_url.clone(),
            (None, url) => {
                let address = url.as_deref().unwrap_or(BaseUrl::DEFAULT);
                // Who may write a StatusPage may choose where its token goes; in clear only within the machine.
                BaseUrl::parse(address, false)
                    .map_err(|error| (Reason::Invalid, format!("api.url cannot be used: {error}")))?
            }
        };
        let reference = &spec.api.token_secret_ref;
        let name = format!("Secret {}/{}", page.namespace, reference.name);
        let secrets = &self.shared.secrets;
        let value = secrets.value(&page.namespace, reference, "the API token");
        let value = value.or_else(|absent| {
            let (is_deleted, namespace_ends) = {
                let cache = self.shared.cache();
                let is_deleted = cache.get(page).is_some_and(|page| page.deleting);
                (is_deleted, cache.ending(&page.namespace).is_some())
            };
            // Secrets go first when everything is deleted at once: what is still to be deleted on the page is deleted with
            // the token that was there.
            let last = secrets.last_value(&page.namespace, reference);
            match (absent, last.filter(|_| is_deleted || namespace_ends)) {
                (_, Some(last)) => Ok(last),
                (Absent::Unread, None) => Err((Reason::WaitingForReference, format!("{name} is being read"))),
                (Absent::Because(_), None) if namespace_ends => {
                    let message = format!("{name} with the API token is gone, and its namespace is being deleted");
                    Err((Reason::SecretNotFound, message))
                }
                (Absent::Because(reason), None) => Err((Reason::SecretNotFound, reason)),
            }
        })?;
        let token = Token::new(value.expose().to_owned()).map_err(|error| {
            let key = reference.key();
            (Reason::SecretNotFound, format!("key {key} of {name}: {error}"))
        })?;
        Ok(Access { base_url, token })
    }

    /// True when nothing that the view of this page depends on is still being read.
    pub(super) fn is_settled(&self, page: &ObjectKey) -> bool {
        let cache = self.shared.cache();
        let Some(spec) = cache.get(page).and_then(|page| page.spec.as_deref().ok()) else {
            return true;
        };
        let by_labels = matches!(spec, Spec::StatusPage(spec) if spec
            .allowed_namespaces
            .as_ref()
            .is_some_and(|allowed| allowed.from == NamespaceGrant::Selector));
        if cache.namespaces.is_none() && (by_labels || !self.shared.namespaces_refused()) {
            return false;
        }
        let declared = cache
            .of_page(page)
            .filter_map(|(key, object)| Some((key, object.spec.as_deref().ok()?)));
        std::iter::once((page, spec)).chain(declared).all(|(key, spec)| {
            spec.secret_references()
                .into_iter()
                .all(|(_, reference)| self.shared.secrets.value(&key.namespace, reference, "") != Err(Absent::Unread))
        })
    }
}

/// The declarations that a page admits.
fn declarations_of<'a>(
    cache: &'a Cache,
    page: &'a Declaration,
    now: Timestamp,
) -> impl Iterator<Item = Declaration> + 'a {
    cache
        .of_page(&page.key)
        .filter(|(key, _)| cache.grant(&page.key, &page.spec, &key.namespace) == Grant::Granted)
        .filter_map(move |(key, object)| object.declaration(key, now))
}

/// What the declarations of other StatusPages of the same remote page have recorded.
fn elsewhere(cache: &Cache, page: &ObjectKey, now: Timestamp) -> Vec<Claimant> {
    let mut claimants = Vec::new();
    // Only of those whose token was seen to reach the page: what somebody merely declares takes nothing from anybody.
    let twins = cache.twins(page).filter(|(_, twin)| twin.reached_page_id().is_some());
    for (key, twin) in twins {
        if let Some(twin) = twin.declaration(key, now) {
            claimants.extend(declarations_of(cache, &twin, now).filter_map(|one| Claimant::of(&one)));
        }
    }
    claimants
}

/// A declaration with the ids of the pages that it names. Only pages of its own namespace can be named: who may write
/// there may read them too.
fn with_pages(cache: &Cache, mut declaration: Declaration) -> Declaration {
    let namespace = declaration.key.namespace.clone();
    declaration.resolve_pages(|name| {
        let key = ObjectKey::new(Kind::StatusPage, namespace.as_str(), name);
        cache.get(&key)?.remote_page_id().map(str::to_owned)
    });
    declaration
}
