//! What is said of incidents beside other manifests: what their templates give, components that they leave red, and
//! updates that are published.

use std::collections::HashMap;

use super::document::child;
use super::{Manifest, Object, Problem, Severity};
use crate::api::{
    ComponentSpec, ComponentStatusName, IncidentSpec, IncidentTemplateSpec, Kind, ManagementPolicy, OpeningError,
    PublishedUpdate,
};
use crate::engine;

/// All that is declared and readable, by kind, namespace and name.
type Declared<'a> = HashMap<(Kind, &'a str, &'a str), &'a Manifest>;

/// Adds what is wrong with incidents, given everything else that is declared.
pub(super) fn check(manifests: &[Manifest]) -> Vec<Problem> {
    let declared: Declared<'_> = manifests
        .iter()
        .map(|manifest| {
            (
                (manifest.kind, manifest.namespace.as_str(), manifest.name.as_str()),
                manifest,
            )
        })
        .collect();
    let incidents = || {
        manifests
            .iter()
            .filter_map(|manifest| Some((manifest, incident(manifest)?)))
    };
    // Which components open incidents decide about.
    let mut open: HashMap<(&str, &str), usize> = HashMap::new();
    for (manifest, spec) in incidents().filter(|(manifest, spec)| !is_over(spec, template(manifest, spec, &declared))) {
        for name in spec.components.keys() {
            *open.entry((&manifest.namespace, name)).or_default() += 1;
        }
    }
    let mut problems = Vec::new();
    for (manifest, spec) in incidents() {
        let template = template(manifest, spec, &declared);
        if let Some(template) = template {
            problems.extend(check_template(manifest, spec, template));
        }
        if is_over(spec, template) {
            problems.extend(left_red(manifest, spec, &declared, &open));
        }
    }
    problems
}

fn incident(manifest: &Manifest) -> Option<&IncidentSpec> {
    match &manifest.object {
        Object::Incident(incident) => Some(&incident.spec),
        _ => None,
    }
}

/// The template that an incident of the same page begins with.
fn template<'a>(manifest: &Manifest, spec: &IncidentSpec, declared: &Declared<'a>) -> Option<&'a IncidentTemplateSpec> {
    let named = spec.template_ref.as_ref()?;
    let template = lookup(manifest, Kind::IncidentTemplate, &named.name, declared)?;
    match &template.object {
        Object::IncidentTemplate(template) => Some(&template.spec),
        _ => None,
    }
}

/// Another declaration of the namespace and the page of a manifest.
fn lookup<'a>(manifest: &Manifest, kind: Kind, name: &str, declared: &Declared<'a>) -> Option<&'a Manifest> {
    let found = declared.get(&(kind, manifest.namespace.as_str(), name))?;
    (found.page() == manifest.page()).then_some(*found)
}

/// True when the last thing that an incident says ends it.
fn is_over(spec: &IncidentSpec, template: Option<&IncidentTemplateSpec>) -> bool {
    let given = template.and_then(|template| template.update_status);
    let last = spec.updates.last().map(|update| update.status).or(given);
    last.is_some_and(|status| status.is_end())
}

/// Placeholders without a value, and values without a placeholder.
fn check_template(manifest: &Manifest, spec: &IncidentSpec, template: &IncidentTemplateSpec) -> Vec<Problem> {
    let Some(named) = &spec.template_ref else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if let Err(error) = template.opening(spec) {
        let pointer = match error {
            OpeningError::Missing(_) | OpeningError::TooLong { .. } => "/spec/templateRef/variables",
            OpeningError::Status { .. } => "/spec/templateRef/name",
        };
        let message = format!("IncidentTemplate `{}`: {error}", named.name);
        // One that is over was sent, and what the template says by now matters no more.
        let problem = match spec.updates.last().is_some_and(|last| last.status.is_end()) {
            false => manifest.error_at(pointer, message),
            true => manifest.warning_at(pointer, message),
        };
        problems.push(problem.with_help(error.remedy()));
    }
    let placeholders = template.placeholders();
    for name in named
        .variables
        .keys()
        .filter(|name| !placeholders.contains(name.as_str()))
    {
        let place = manifest.positions.key(&child("/spec/templateRef/variables", name));
        let message = format!(
            "IncidentTemplate `{}` has no {{{{{name}}}}}: the value is not used",
            named.name
        );
        let mut problem = manifest.problem(Severity::Warning, place, message);
        problem.help = super::suggestion::advice(name, placeholders.iter().copied())
            .or_else(|| Some("remove it, or put the placeholder into the template".to_owned()));
        problems.push(problem);
    }
    problems
}

/// Components that an incident leaves at something else than operational when it ends, and that nothing puts right.
fn left_red(
    manifest: &Manifest,
    spec: &IncidentSpec,
    declared: &Declared<'_>,
    open: &HashMap<(&str, &str), usize>,
) -> Vec<Problem> {
    let observes = spec.common.management_policy == Some(ManagementPolicy::ObserveOnly);
    let restores = spec.schedule.as_ref().is_some_and(|schedule| {
        // The end of the maintenance moves them.
        schedule.restore_components.unwrap_or(schedule.transition_components)
    });
    if observes || restores {
        return Vec::new();
    }
    let component = |name: &str| -> Option<&ComponentSpec> {
        match &lookup(manifest, Kind::Component, name, declared)?.object {
            Object::Component(component) => Some(&component.spec),
            _ => None,
        }
    };
    let stays = |(name, status): &(&String, &ComponentStatusName)| {
        **status != ComponentStatusName::Operational
            // A declared status holds again once the incident is over, and until then another incident decides.
            && component(name).is_some_and(|component| component.status.is_none())
            && !open.contains_key(&(manifest.namespace.as_str(), name.as_str()))
    };
    let over = match spec.schedule {
        Some(_) => "completed",
        None => "resolved",
    };
    let warning = |(name, status): (&String, &ComponentStatusName)| {
        let place = manifest.positions.key(&child("/spec/components", name));
        let message = format!(
            "the incident is {over} and leaves component `{name}` at {}: nothing puts it right",
            status.as_str()
        );
        manifest.problem(Severity::Warning, place, message).with_help(format!(
            "write `{name}: operational` here, or declare `status` in Component `{name}`"
        ))
    };
    spec.components.iter().filter(stays).map(warning).collect()
}

/// What is wrong with the updates of an incident of which these are published.
pub(super) fn misplaced(manifest: &Manifest, published: &[PublishedUpdate]) -> Option<Problem> {
    let spec = incident(manifest)?;
    let given = usize::from(published.first().is_some_and(|first| first.from_template));
    let misplaced = engine::misplaced(&spec.updates, &published[given..])?;
    Some(manifest.error_at(&format!("/spec{}", misplaced.pointer), misplaced.message))
}
