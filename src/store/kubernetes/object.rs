//! One cached object: what decisions read of it, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use serde_json::Value;

use crate::api::{
    ALLOW_DELETES, ASKED_BESIDE, FINALIZER, GROUP, ID, Kind, KindSpec, PageReference, REQUESTED_AT, VERSION, with_kind,
};
use crate::engine::{Declaration, ObjectKey, Spec, Status};

/// An object as it is kept: managed fields, foreign annotations, labels and everything else that nobody reads are
/// gone, so that ten thousand of them fit in memory.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub uid: Box<str>,
    pub version: Box<str>,
    pub generation: i64,
    /// The field manager that last changed the spec.
    field_manager: Option<Box<str>>,
    pub created: Timestamp,
    pub deleting: bool,
    pub finalizers: Vec<Box<str>>,
    id_annotation: Option<Box<str>>,
    requested_at: Option<Box<str>>,
    allow_deletes: Option<Box<str>>,
    /// Those that ask for something once; most objects have none.
    annotations: BTreeMap<String, String>,
    pub spec: Result<Arc<Spec>, Unreadable>,
    pub status: Arc<Status>,
    /// When this process read it.
    pub read_at: Instant,
}

/// What can be told of an object whose spec does not fit its type.
#[derive(Clone, Debug)]
pub(super) struct Unreadable {
    /// What does not fit.
    pub message: Box<str>,
    /// Its page, if at least that can be read.
    pub page: Option<PageReference>,
    /// True when it says that the remote object is to be left alone.
    pub stays: bool,
}

/// The Kubernetes API of a kind.
pub fn resource(kind: Kind) -> ApiResource {
    with_kind!(kind, S => ApiResource::erase::<<S as KindSpec>::Object>(&()))
}

/// The key of an object, if it has a name and a namespace.
pub(super) fn key(kind: Kind, metadata: &ObjectMeta) -> Option<ObjectKey> {
    Some(ObjectKey::new(
        kind,
        metadata.namespace.clone()?,
        metadata.name.clone()?,
    ))
}

impl Object {
    /// Reads an object of a kind. What does not fit is kept as [`Unreadable`]; an unreadable status is empty.
    pub fn read(kind: Kind, object: DynamicObject) -> Self {
        let DynamicObject { metadata, mut data, .. } = object;
        let status = match data.get_mut("status").map(Value::take) {
            None | Some(Value::Null) => Status::empty(kind),
            Some(value) => Status::from_json(kind, value).unwrap_or_else(|error| {
                let name = metadata.name.as_deref().unwrap_or_default();
                tracing::warn!(%kind, name, %error, "a status cannot be read and counts as empty");
                Status::empty(kind)
            }),
        };
        let spec = data.get_mut("spec").map_or(Value::Null, Value::take);
        let annotation = |name: &str| -> Option<Box<str>> {
            let annotations = metadata.annotations.as_ref()?;
            annotations.get(name).map(|value| value.as_str().into())
        };
        Object {
            id_annotation: annotation(ID).filter(|id| !id.trim().is_empty()),
            requested_at: annotation(REQUESTED_AT),
            allow_deletes: annotation(ALLOW_DELETES),
            annotations: ASKED_BESIDE
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), annotation(name)?.into_string())))
                .collect(),
            uid: metadata.uid.unwrap_or_default().into(),
            version: metadata.resource_version.unwrap_or_default().into(),
            generation: metadata.generation.unwrap_or_default(),
            field_manager: last_editor(metadata.managed_fields.as_deref().unwrap_or_default()),
            created: metadata
                .creation_timestamp
                .map_or(Timestamp::UNIX_EPOCH, |created| created.0),
            deleting: metadata.deletion_timestamp.is_some(),
            finalizers: metadata
                .finalizers
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            spec: read_spec(kind, spec).map(Arc::new),
            status: Arc::new(status),
            read_at: Instant::now(),
        }
    }

    /// True while our finalizer is on it.
    pub fn holds(&self) -> bool {
        self.finalizers.iter().any(|name| &**name == FINALIZER)
    }

    /// The page that this object belongs to; a page belongs to itself.
    pub fn page(&self, key: &ObjectKey) -> Option<ObjectKey> {
        if key.kind == Kind::StatusPage {
            return Some(key.clone());
        }
        let reference = match &self.spec {
            Ok(spec) => &spec.common()?.page_ref,
            Err(unreadable) => unreadable.page.as_ref()?,
        };
        let namespace = reference.namespace.as_ref().unwrap_or(&key.namespace);
        Some(ObjectKey::new(Kind::StatusPage, namespace, &reference.name))
    }

    /// The id of the page that a StatusPage stands for, declared or found.
    pub fn remote_page_id(&self) -> Option<&str> {
        let declared = match self.spec.as_deref() {
            Ok(Spec::StatusPage(page)) => page.page_id.as_deref(),
            _ => None,
        };
        declared.or(self.status.object().id.as_deref())
    }

    /// The same once the page was read with the token of the StatusPage.
    pub fn reached_page_id(&self) -> Option<&str> {
        let reached = self.status.object().id.as_deref();
        reached.filter(|reached| self.remote_page_id() == Some(reached))
    }

    /// The id that this object records.
    pub fn recorded_id(&self) -> Option<&str> {
        self.id_annotation.as_deref().or(self.status.object().id.as_deref())
    }

    /// True when a plan could come out differently: everything but the status.
    pub fn differs_from(&self, other: &Object) -> bool {
        self.uid != other.uid
            || self.generation != other.generation
            || self.deleting != other.deleting
            || self.finalizers != other.finalizers
            || self.id_annotation != other.id_annotation
            || self.requested_at != other.requested_at
            || self.allow_deletes != other.allow_deletes
            || self.annotations != other.annotations
    }

    /// The version as a number, where it is one.
    pub fn revision(&self) -> Option<u128> {
        self.version.parse().ok()
    }

    /// True when this was stored before `other`, as far as the versions can be compared.
    pub fn is_older_than(&self, other: &Object) -> bool {
        match (self.revision(), other.revision()) {
            (Some(mine), Some(others)) => mine < others,
            _ => false,
        }
    }

    /// The object as the engine sees it; none when its spec cannot be read.
    pub fn declaration(&self, key: &ObjectKey, now: Timestamp) -> Option<Declaration> {
        let spec = self.spec.as_ref().ok()?;
        Some(Declaration {
            key: key.clone(),
            uid: self.uid.to_string(),
            version: self.version.to_string(),
            generation: self.generation,
            field_manager: self.field_manager.as_deref().map(str::to_owned),
            created: self.created,
            seen: now,
            spec_seen: now,
            fresh: false,
            attempt_seen: None,
            deleting: self.deleting,
            finalizer: self.holds(),
            id_annotation: self.id_annotation.as_deref().map(str::to_owned),
            requested_at: self.requested_at.as_deref().map(str::to_owned),
            set_aside: false,
            allow_deletes: self.allow_deletes.as_deref().map(str::to_owned),
            annotations: self.annotations.clone(),
            opened_by_template: false,
            spec: Arc::clone(spec),
            status: Arc::clone(&self.status),
            stored: Arc::clone(&self.status),
            secrets: Default::default(),
        })
    }
}

/// The manager that was the last to change a field of the spec. What we write is never part of it. Times have the
/// precision of a second: of two managers within the same one it may be the other.
fn last_editor(fields: &[ManagedFieldsEntry]) -> Option<Box<str>> {
    let in_spec = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        entry.subresource.as_deref().unwrap_or_default().is_empty()
            && fields.is_some_and(|fields| fields.0.get("f:spec").is_some())
    };
    let last = fields
        .iter()
        .filter(in_spec)
        .max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    last.manager.as_deref().map(Into::into)
}

fn read_spec(kind: Kind, value: Value) -> Result<Spec, Unreadable> {
    Spec::from_json(kind, &value).map_err(|error| Unreadable {
        message: error.to_string().into(),
        page: value
            .get("pageRef")
            .and_then(|page| serde_json::from_value(page.clone()).ok()),
        stays: [("deletionPolicy", "Orphan"), ("managementPolicy", "ObserveOnly")]
            .into_iter()
            .any(|(field, word)| value.get(field).and_then(Value::as_str) == Some(word)),
    })
}

/// The group and version of all kinds, as manifests write it.
pub(super) fn api_version() -> String {
    format!("{GROUP}/{VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn component(spec: Value, status: Value) -> Object {
        let object = json!({
            "apiVersion": api_version(), "kind": "Component",
            "metadata": {"name": "api", "namespace": "acme", "uid": "u", "resourceVersion": "10"},
            "spec": spec, "status": status,
        });
        Object::read(Kind::Component, serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_spec_that_does_not_fit_still_names_its_page() {
        let object = component(
            json!({"pageRef": {"name": "acme"}, "deletionPolicy": "Orphan", "showcase": "perhaps"}),
            json!({}),
        );
        let key = ObjectKey::new(Kind::Component, "acme", "api");
        assert_eq!(
            object.page(&key),
            Some(ObjectKey::new(Kind::StatusPage, "acme", "acme"))
        );
        let unreadable = object.spec.unwrap_err();
        assert!(unreadable.stays);
        assert!(
            unreadable.message.contains("expected a boolean"),
            "{}",
            unreadable.message
        );
    }

    #[test]
    fn who_changed_the_spec_last_is_told() {
        let entry = |manager: &str, second: i64, subresource: &str, field: &str| {
            serde_json::from_value(json!({
                "manager": manager, "operation": "Update", "apiVersion": api_version(), "subresource": subresource,
                "time": Timestamp::from_second(second).unwrap(), "fieldsType": "FieldsV1",
                "fieldsV1": {field: {"f:name": {}}},
            }))
            .unwrap()
        };
        let written = [
            entry("kubectl-create", 100, "", "f:spec"),
            entry("argocd", 200, "", "f:spec"),
            entry("statuspage", 300, "", "f:metadata"),
            entry("statuspage", 400, "status", "f:status"),
        ];
        assert_eq!(last_editor(&written).as_deref(), Some("argocd"));
        assert_eq!(last_editor(&written[2..]), None);
    }

    #[test]
    fn a_status_that_does_not_fit_is_empty() {
        let object = component(json!({"pageRef": {"name": "acme"}}), json!({"conditions": 7}));
        assert_eq!(*object.status, Status::empty(Kind::Component));
        assert!(object.spec.is_ok());
    }

    #[test]
    fn versions_are_numbers_where_they_can_be() {
        let older = component(json!({"pageRef": {"name": "acme"}}), json!({}));
        let mut newer = older.clone();
        newer.version = "9".into();
        assert!(newer.is_older_than(&older));
        newer.version = "x".into();
        assert!(!newer.is_older_than(&older) && !older.is_older_than(&newer));
    }
}
