//! Short ways to write declarations and remote objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::Kind;
use crate::engine::{Declaration, ObjectKey, Spec};
use crate::statuspage::{Component, Incident, IncidentUpdate, Snapshot};

/// The time at which every test begins.
pub(super) fn start() -> Timestamp {
    "2026-01-10T10:00:00Z".parse().unwrap()
}

/// A declaration in namespace `team`; the spec is YAML's as JSON, without pageRef.
pub(super) fn declare(kind: Kind, name: &str, spec: Value) -> Declaration {
    let key = ObjectKey::new(kind, "team", name);
    let mut declaration = Declaration {
        version: "1".into(),
        ..Declaration::new(
            key,
            format!("uid-{kind}-{name}"),
            start(),
            Spec::Removed(Default::default()),
        )
    };
    respecify(&mut declaration, spec);
    declaration
}

/// Gives a declaration another spec; the generation stays.
pub(super) fn respecify(declaration: &mut Declaration, mut spec: Value) {
    if declaration.key.kind != Kind::StatusPage {
        spec["pageRef"] = json!({"name": "page"});
    }
    declaration.spec = Arc::new(Spec::from_json(declaration.key.kind, &spec).unwrap());
}

pub(super) fn component(name: &str, spec: Value) -> Declaration {
    declare(Kind::Component, name, spec)
}

pub(super) fn group(name: &str) -> Declaration {
    declare(Kind::ComponentGroup, name, json!({}))
}

pub(super) fn incident(name: &str, spec: Value) -> Declaration {
    declare(Kind::Incident, name, spec)
}

/// The declaration of the page, with more fields of its spec.
pub(super) fn page(more: Value) -> Declaration {
    let mut spec = json!({"pageId": "page", "api": {"tokenSecretRef": {"name": "token"}}});
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    declare(Kind::StatusPage, "page", spec)
}

/// The key of a declaration in namespace `team`.
pub(super) fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "team", name)
}

/// Entries of spec.updates: status and text.
pub(super) fn updates(entries: &[(&str, &str)]) -> Value {
    entries
        .iter()
        .map(|(status, body)| json!({"status": status, "body": body}))
        .collect()
}

/// A remote component that nobody declared.
pub(super) fn foreign_component(id: &str, name: &str) -> Component {
    Component {
        id: id.into(),
        name: Some(name.into()),
        status: Some(crate::statuspage::ComponentStatus::Operational),
        created_at: Some("2025-01-01T00:00:00Z".parse().unwrap()),
        ..Default::default()
    }
}

/// A remote group that nobody declared, with these members.
pub(super) fn put_foreign_group(remote: &mut Snapshot, id: &str, name: &str, members: &[&str]) {
    remote.put(crate::statuspage::ComponentGroup {
        id: id.into(),
        name: Some(name.into()),
        components: members.iter().map(|member| (*member).to_owned()).collect(),
        created_at: Some("2025-01-01T00:00:00Z".parse().unwrap()),
        ..Default::default()
    });
}

/// A remote incident that nobody declared, with its updates, oldest first.
pub(super) fn foreign_incident(id: &str, name: &str, posts: &[(&str, &str)]) -> Incident {
    let created: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    Incident {
        id: id.into(),
        name: Some(name.into()),
        status: posts.last().map(|(status, _)| (*status).into()),
        created_at: Some(created),
        incident_updates: posts
            .iter()
            .enumerate()
            .rev()
            .map(|(index, (status, body))| IncidentUpdate {
                id: format!("{id}-u{index}"),
                status: Some((*status).into()),
                body: Some((*body).into()),
                display_at: Some(created),
                created_at: Some(created),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    }
}
