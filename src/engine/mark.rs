//! Our mark in the metadata of an incident: for which declaration it was created, how many of its updates are published,
//! and whether a template gave the first of them. It stands on the page, so that it outlives every record of our own.

use serde_json::{Map, Value, json};

use super::declaration::Declaration;
use super::seal::hash;
use crate::api::{Spec, TemplateReference};
use crate::statuspage::Incident;

/// Key of the mark.
const MARK: &str = "statuspage-operator";

/// The declaration that an incident was created for.
pub(super) struct Mark<'r> {
    uid: &'r str,
    pub(super) namespace: &'r str,
    pub(super) name: &'r str,
    /// Tells the template and the values that gave its first post, where a template did.
    pub(super) template: Option<&'r str>,
}

/// The mark of an incident.
pub(super) fn mark_of(remote: &Incident) -> Option<Mark<'_>> {
    let mark = remote.metadata.get(MARK)?;
    Some(Mark {
        uid: mark.get("uid").and_then(Value::as_str).unwrap_or_default(),
        namespace: mark.get("namespace")?.as_str()?,
        name: mark.get("name")?.as_str()?,
        template: mark.get("template").and_then(Value::as_str),
    })
}

impl Mark<'_> {
    /// True when it names this very declaration, or one of its name: its successor, or a second copy of it.
    pub(super) fn is_of(&self, declaration: &Declaration) -> bool {
        self.is_from(declaration) || self.names(declaration)
    }

    /// True when it was left by this very declaration.
    pub(super) fn is_from(&self, declaration: &Declaration) -> bool {
        self.uid == declaration.uid
    }

    /// True when it has the name of this declaration.
    pub(super) fn names(&self, declaration: &Declaration) -> bool {
        self.namespace == declaration.key.namespace && self.name == declaration.key.name
    }
}

/// How many updates the mark counts as published; 0 where it does not say.
pub(super) fn published_count(remote: &Incident) -> usize {
    let count = remote.metadata.get(MARK).and_then(|mark| mark.get("updates"));
    count
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0)
}

/// The metadata of an incident with our mark in it; what others have put there stays.
pub(super) fn metadata(declaration: &Declaration, remote: Option<&Incident>, updates: usize) -> Map<String, Value> {
    let key = &declaration.key;
    let mut mark = json!({"uid": declaration.uid, "namespace": key.namespace, "name": key.name, "updates": updates});
    if let Some(template) = marked_template(declaration, remote.and_then(mark_of).as_ref()) {
        mark["template"] = json!(template);
    }
    let mut metadata = remote.map(|remote| remote.metadata.clone()).unwrap_or_default();
    metadata.insert(MARK.to_owned(), mark);
    metadata
}

/// The text under which an incident with the mark of a declaration is looked up.
pub(super) fn handle(namespace: &str, name: &str) -> String {
    format!("{MARK} {namespace}/{name}")
}

/// What the mark of an incident says of the template that gave its first post.
fn marked_template(declaration: &Declaration, mark: Option<&Mark<'_>>) -> Option<String> {
    let Spec::Incident(spec) = &*declaration.spec else {
        return None;
    };
    let before = mark.and_then(|mark| mark.template).map(str::to_owned);
    let named = || spec.template_ref.as_ref().map(reference_hash);
    before.or_else(|| named().filter(|_| declaration.opened_by_template))
}

/// Tells two references to templates apart.
pub(super) fn reference_hash(reference: &TemplateReference) -> String {
    hash(&json!([reference.name, reference.variables]))
}
