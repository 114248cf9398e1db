//! `--only`: a few declarations, with what they depend on, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;

use super::Failure;
use super::name::{Name, parts};
use crate::api::Kind;
use crate::driver::{Store, View};
use crate::engine::{Declaration, ObjectKey, Spec};
use crate::store::directory::DirectoryStore;

/// Which declarations are meant.
#[derive(Clone, Debug, Default, Args)]
pub struct Only {
    /// Works on this declaration only, such as `incident/database-down`, and on what it refers to that is not on the
    /// page yet. Everything else that is pending stays as it is. May be repeated.
    #[arg(long, value_name = "KIND/NAME")]
    pub only: Vec<String>,
}

impl Only {
    /// Makes a store do nothing for other declarations; answers with the pages that are left.
    pub(super) fn narrow(
        &self,
        store: &DirectoryStore,
        pages: Vec<ObjectKey>,
        directory: &Path,
    ) -> Result<Vec<ObjectKey>, Failure> {
        if self.only.is_empty() {
            return Ok(pages);
        }
        let views: Vec<View> = pages.iter().filter_map(|page| store.view(page)).collect();
        let keys: BTreeSet<ObjectKey> = views.iter().flat_map(all_of).map(|one| one.key.clone()).collect();
        let keys: Vec<ObjectKey> = keys.into_iter().collect();
        let mut wanted = Vec::new();
        for text in &self.only {
            wanted.push(Name::parse(text)?.find(&keys, parts, directory)?.clone());
        }
        Ok(narrow_to(store, &views, wanted))
    }
}

/// Makes a store do nothing but for these declarations, and what they name that is not on the page yet; answers with the
/// pages that are left of these.
pub(super) fn narrow_to(store: &DirectoryStore, views: &[View], wanted: Vec<ObjectKey>) -> Vec<ObjectKey> {
    let all = views.iter().flat_map(all_of).map(|one| (&one.key, one)).collect();
    let meant = with_dependencies(wanted, &all);
    let has_some = |view: &&View| all_of(view).any(|one| meant.contains(&one.key));
    let left = views
        .iter()
        .filter(has_some)
        .map(|view| view.page.key.clone())
        .collect();
    store.narrow(meant);
    left
}

fn all_of(view: &View) -> impl Iterator<Item = &Declaration> {
    view.declarations.iter().chain([&view.page])
}

/// Adds what these name, and what that names, as far as it is not on the page yet: what is there already serves as it is.
fn with_dependencies(wanted: Vec<ObjectKey>, all: &BTreeMap<&ObjectKey, &Declaration>) -> BTreeSet<ObjectKey> {
    let mut meant = BTreeSet::new();
    let mut open = wanted;
    while let Some(key) = open.pop() {
        let Some(declaration) = all.get(&key) else { continue };
        if !meant.insert(key.clone()) || declaration.deleting {
            continue;
        }
        let mut needed = declaration.references();
        if key.kind == Kind::ComponentGroup && declaration.recorded_id().is_none() {
            // A group cannot be created without a component.
            needed.extend(members(&key, all));
        }
        let is_missing = |key: &ObjectKey| all.get(key).is_some_and(|one| one.recorded_id().is_none());
        open.extend(needed.into_iter().filter(is_missing));
    }
    meant
}

fn members<'a>(
    group: &'a ObjectKey,
    all: &'a BTreeMap<&ObjectKey, &Declaration>,
) -> impl Iterator<Item = ObjectKey> + 'a {
    let of_group = move |one: &&&Declaration| match &*one.spec {
        Spec::Component(spec) => {
            let named = spec
                .group_ref
                .as_ref()
                .is_some_and(|reference| reference.name == group.name);
            named && one.key.namespace == group.namespace
        }
        _ => false,
    };
    all.values().filter(of_group).map(|one| one.key.clone())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn declared(kind: Kind, name: &str, spec: serde_json::Value) -> Declaration {
        let mut spec = spec;
        spec["pageRef"] = json!({"name": "acme"});
        let key = ObjectKey::new(kind, "default", name);
        Declaration::new(
            key,
            name.to_owned(),
            Timestamp::UNIX_EPOCH,
            Spec::from_json(kind, &spec).unwrap(),
        )
    }

    fn recorded(mut declaration: Declaration) -> Declaration {
        declaration.id_annotation = Some("abc".to_owned());
        declaration
    }

    fn names(wanted: &Declaration, all: &[Declaration]) -> Vec<String> {
        let all: BTreeMap<&ObjectKey, &Declaration> = all.iter().map(|one| (&one.key, one)).collect();
        let meant = with_dependencies(vec![wanted.key.clone()], &all);
        meant.into_iter().map(|key| key.name).collect()
    }

    #[test]
    fn what_is_not_on_the_page_yet_comes_along_and_nothing_else() {
        let update = json!([{"status": "identified", "body": "Slow."}]);
        let incident = json!({"updates": update, "components": {"api": "major_outage", "web": "major_outage"}});
        let incident = declared(Kind::Incident, "down", incident);
        let group = declared(Kind::ComponentGroup, "europe", json!({}));
        let api = declared(Kind::Component, "api", json!({"groupRef": {"name": "europe"}}));
        let beside = declared(Kind::Component, "beside", json!({"groupRef": {"name": "europe"}}));
        let web = declared(Kind::Component, "web", json!({}));
        let all = [
            incident.clone(),
            group.clone(),
            api.clone(),
            beside.clone(),
            recorded(web.clone()),
        ];
        // A group is made of all its components.
        assert_eq!(names(&incident, &all), ["europe", "api", "beside", "down"]);
        let all = [incident.clone(), recorded(group), api, beside, recorded(web)];
        assert_eq!(names(&incident, &all), ["api", "down"]);
    }
}
