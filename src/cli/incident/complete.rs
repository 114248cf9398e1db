//! What a shell completes: components and incidents that are declared, and statuses.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;

use super::words::COMPONENT_STATUSES;
use crate::manifest::{Manifests, Object, read_directory};
use crate::statuspage::IncidentStatus;

/// `COMPONENT=STATUS`: the names first, behind the sign the statuses.
pub(super) fn components(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    if let Some((name, begun)) = current.split_once('=') {
        let statuses = COMPONENT_STATUSES.iter().map(|status| status.as_str());
        let fitting = statuses.filter(|status| status.starts_with(begun));
        return fitting
            .map(|status| CompletionCandidate::new(format!("{name}={status}")))
            .collect();
    }
    let components = titles(current, |object| match object {
        Object::Component(component) => Some(component.spec.name.clone()),
        _ => None,
    });
    components
        .into_iter()
        .map(|(name, title)| CompletionCandidate::new(format!("{name}=")).help(title.map(Into::into)))
        .collect()
}

/// The names of incidents that are open.
pub(super) fn open_incidents(current: &OsStr) -> Vec<CompletionCandidate> {
    incidents(current, true)
}

/// The names of all incidents.
pub(super) fn all_incidents(current: &OsStr) -> Vec<CompletionCandidate> {
    incidents(current, false)
}

fn incidents(current: &OsStr, open: bool) -> Vec<CompletionCandidate> {
    names(current, |object| match object {
        Object::Incident(incident) => {
            let last = incident.spec.updates.last()?;
            let over = IncidentStatus::from(last.status.as_str()).is_over();
            (!open || !over).then(|| incident.spec.name.clone())
        }
        _ => None,
    })
}

/// The names of templates of incidents.
pub(super) fn templates(current: &OsStr) -> Vec<CompletionCandidate> {
    names(current, |object| match object {
        Object::IncidentTemplate(template) => Some(Some(template.spec.title.clone())),
        _ => None,
    })
}

/// The names that begin so of the declarations for which `title` gives something, with what it gives as help.
fn names(current: &OsStr, title: impl Fn(&Object) -> Option<Option<String>>) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let named = titles(current, title).into_iter();
    named
        .map(|(name, title)| CompletionCandidate::new(name).help(title.map(Into::into)))
        .collect()
}

/// The declared names that begin so, with their titles.
fn titles(current: &str, title: impl Fn(&Object) -> Option<Option<String>>) -> Vec<(String, Option<String>)> {
    let manifests = manifests();
    let fitting = manifests.manifests.iter();
    let fitting = fitting.filter(|manifest| manifest.name.starts_with(current));
    fitting
        .filter_map(|manifest| Some((manifest.name.clone(), title(&manifest.object)?)))
        .collect()
}

/// The manifests of the directory on the line that is being completed.
fn manifests() -> Manifests {
    let words: Vec<String> = std::env::args().collect();
    let given = words
        .iter()
        .enumerate()
        .find_map(|(index, word)| match word.strip_prefix("--directory=") {
            Some(directory) => Some(PathBuf::from(directory)),
            None if word == "-d" || word == "--directory" => words.get(index + 1).map(PathBuf::from),
            None => None,
        });
    read_directory(&given.unwrap_or_else(|| PathBuf::from("."))).unwrap_or_default()
}
