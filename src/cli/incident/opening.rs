//! The manifest of a new incident. Pure.

use serde_json::{Map, Value, json};

use super::OpenArguments;
use super::declared::{Declared, DeclaredComponent, usage};
use super::draft::update_of;
use crate::api::{GROUP, IncidentStatusName, Kind, VERSION};
use crate::cli::Failure;
use crate::engine::ObjectKey;

/// A new incident.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opening {
    pub(super) page: ObjectKey,
    pub(super) key: ObjectKey,
    pub(super) manifest: Value,
}

/// The manifest of a new incident. `date` is the day, such as 2026-11-30.
pub(super) fn open(declared: &Declared, arguments: &OpenArguments, date: &str) -> Result<Opening, Failure> {
    let place = &arguments.sending.place;
    let wanted = place
        .page
        .as_deref()
        .map(|name| declared.page(Some(name), &[]))
        .transpose()?;
    let affected = declared.affected(&arguments.components, wanted.as_ref())?;
    let components: Vec<_> = affected.iter().map(|(component, _)| *component).collect();
    let template = arguments.template.as_deref();
    let template =
        template.map(|name| declared.template(name, wanted.as_ref().or(components.first().map(|one| &one.page))));
    let template = template.transpose()?;
    let page = match (wanted, template, components.first()) {
        (None, Some((_, page)), None) => page.clone(),
        _ => declared.page(place.page.as_deref(), &components)?,
    };
    if arguments.title.as_deref().is_some_and(|title| title.trim().is_empty()) {
        return Err(usage("the title is empty".to_owned()));
    }
    if let Some(status) = arguments.status.filter(|status| status.is_of_maintenance()) {
        let known = "use investigating, identified, monitoring or resolved";
        return Err(usage(format!(
            "{} is a status of a maintenance: {known}",
            status.as_str()
        )));
    }
    let namespace = namespace_of(&page, template.map(|(key, _)| key), &components)?;
    // Titles of templates may have placeholders: their names tell enough.
    let title = arguments
        .title
        .as_deref()
        .or(template.map(|(key, _)| key.name.as_str()));
    let name = match &arguments.name {
        Some(name) => {
            let mut incidents = declared.incidents.iter();
            if incidents.any(|one| one.key.namespace == namespace && one.key.name == *name) {
                let instead =
                    format!("`statuspage incident update {name}` says more of it; give a new one another --name");
                return Err(usage(format!("Incident {name} is declared already: {instead}")));
            }
            name.clone()
        }
        None => declared.free_name(&namespace, date, title.unwrap_or_default()),
    };
    let mut metadata = json!({"name": name});
    let mut reference = json!({"name": page.name});
    if namespace != "default" {
        metadata["namespace"] = json!(namespace);
    }
    if namespace != page.namespace {
        reference["namespace"] = json!(page.namespace);
    }
    let mut spec = json!({"pageRef": reference});
    if let Some(title) = &arguments.title {
        spec["name"] = json!(title);
    }
    if let Some((key, _)) = template {
        spec["templateRef"] = json!({"name": key.name});
        let variables = variables(&arguments.set)?;
        if !variables.is_empty() {
            spec["templateRef"]["variables"] = Value::Object(variables);
        }
    }
    match (&arguments.message, template) {
        (None, Some(_)) if arguments.status.is_some() || arguments.sending.no_notify => {
            let message =
                "the first post is the template's, with its status and its notify: give -m to say it yourself";
            return Err(usage(message.to_owned()));
        }
        (None, Some(_)) => {}
        (message, _) => {
            let status = arguments.status.unwrap_or(IncidentStatusName::Investigating);
            let message = message.as_deref().unwrap_or_default();
            spec["updates"] = json!([update_of(status, message, !arguments.sending.no_notify)]);
        }
    }
    if !affected.is_empty() {
        let map: Map<String, Value> = affected
            .iter()
            .map(|(one, status)| (one.key.name.clone(), json!(status)))
            .collect();
        spec["components"] = Value::Object(map);
    }
    if let Some(impact) = arguments.impact {
        spec["impactOverride"] = json!(impact);
    }
    let version = format!("{GROUP}/{VERSION}");
    Ok(Opening {
        key: ObjectKey::new(Kind::Incident, namespace, name),
        page,
        manifest: json!({"apiVersion": version, "kind": "Incident", "metadata": metadata, "spec": spec}),
    })
}

/// The namespace of an incident: that of what it names, since references stay inside a namespace; else that of its page.
fn namespace_of(
    page: &ObjectKey,
    template: Option<&ObjectKey>,
    components: &[&DeclaredComponent],
) -> Result<String, Failure> {
    let mut named = components.iter().map(|one| &one.key).chain(template);
    let Some(first) = named.next() else {
        return Ok(page.namespace.clone());
    };
    match named.find(|other| other.namespace != first.namespace) {
        Some(other) => Err(usage(format!(
            "{first} and {other} are declared in different namespaces: one incident cannot name both"
        ))),
        None => Ok(first.namespace.clone()),
    }
}

/// Reads `KEY=VALUE`, as often as it is given.
fn variables(words: &[String]) -> Result<Map<String, Value>, Failure> {
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), json!(value))),
        _ => Err(usage(format!("{word:?} is no KEY=VALUE: write --set region=eu-west-1"))),
    };
    words.iter().map(pair).collect()
}
