//! What all passes until the end would do, without doing it: the driver itself, with a page and a store that are
//! supposed.
//!
//! Invariant: what is foreseen is what is done. There is no second loop that could decide otherwise.

mod page;
mod store;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::{Kind, ManagementPolicy};
use crate::engine::{Declaration, Finding, ObjectKey, Read, ReadWhat, Spec, Step, worth_declaring};
use crate::statuspage::Snapshot;

use super::View;
pub(super) use page::{Answer, SupposedPage};
pub(super) use store::HypotheticalStore;

/// Everything that an `apply` would do.
#[derive(Debug)]
pub struct Preview {
    /// The steps with a request, in their order.
    pub steps: Vec<Step>,
    /// How each declaration stands after them.
    pub findings: Vec<Finding>,
    /// Plans that it took.
    pub plans: u64,
    /// The declarations that adopt an object that is on the page already and write to it from then on, with its id.
    pub adopted: Vec<(ObjectKey, String)>,
    /// The declaration of each object of the page that has one, now or in the end.
    pub owners: BTreeMap<(Kind, String), ObjectKey>,
    /// How many objects of the page are of no declaration, by kind: people's own, or ones still to be declared.
    pub undeclared: BTreeMap<Kind, usize>,
}

/// How the ids begin that objects have before they exist.
const NEW: &str = "(new-";

impl Preview {
    /// What comes of a run: `before` and `afterwards` are the declarations as they were and as they would be.
    pub(super) fn new(snapshot: &Snapshot, before: &View, afterwards: &[Declaration], foreseen: Foreseen) -> Self {
        let Foreseen {
            mut steps,
            mut findings,
            plans,
            reads: _,
        } = foreseen;
        // Ids say nothing to people, least of all those that do not exist yet.
        let names: BTreeMap<String, &str> = afterwards
            .iter()
            .chain(&before.declarations)
            .filter_map(|declaration| Some((declaration.recorded_id()?.to_owned(), declaration.key.name.as_str())))
            .collect();
        for step in &mut steps {
            for change in &mut step.changes {
                change
                    .from
                    .iter_mut()
                    .chain([&mut change.to])
                    .for_each(|value| name_ids(value, &names));
            }
            step.summary = step.summary.renamed(|what| name_new_ids(what, &names));
        }
        for finding in &mut findings {
            finding.message = name_new_ids(&finding.message, &names);
        }
        let owned = before.declarations.iter().chain(afterwards);
        let owners: BTreeMap<(Kind, String), ObjectKey> = owned
            .filter_map(|one| Some(((one.key.kind, one.recorded_id()?.to_owned()), one.key.clone())))
            .collect();
        Preview {
            undeclared: undeclared(snapshot, &owners),
            owners,
            adopted: adopted(before, afterwards),
            steps,
            findings,
            plans,
        }
    }
}

/// What a run of the driver on a supposed page has shown.
#[derive(Debug, Default)]
pub(super) struct Foreseen {
    pub(super) steps: Vec<Step>,
    pub(super) findings: Vec<Finding>,
    pub(super) plans: u64,
    /// What has to be read of the real page before more can be foreseen.
    pub(super) reads: Vec<Read>,
}

/// What adopts an object that is on the page already: by its name, or by an id that somebody wrote into the annotation.
/// What only observes is left out: nothing is written to its object.
fn adopted(view: &View, afterwards: &[Declaration]) -> Vec<(ObjectKey, String)> {
    let page = match &*view.page.spec {
        Spec::StatusPage(spec) => Some(&**spec),
        _ => None,
    };
    let taken = afterwards.iter().filter_map(|declaration| {
        let before = view.get(&declaration.key)?;
        let id = declaration.status.object().id.as_deref()?;
        let object = before.status.object();
        let is_new = object.id.as_deref() != Some(id) && object.journal.is_none() && !id.starts_with(NEW);
        let writes = declaration.policies(page).management == ManagementPolicy::Full;
        (is_new && writes).then(|| (declaration.key.clone(), id.to_owned()))
    });
    taken.collect()
}

/// Counts what is on the page and of no declaration, as far as it was read. Incidents that are over and people are not
/// counted: nobody would declare them.
fn undeclared(snapshot: &Snapshot, owners: &BTreeMap<(Kind, String), ObjectKey>) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for (kind, id) in worth_declaring(snapshot) {
        if !owners.contains_key(&(kind, id.to_owned())) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

/// True for what cannot be read, because it does not exist yet.
fn is_new(what: &ReadWhat) -> bool {
    match what {
        ReadWhat::Collection(_) | ReadWhat::Search(_) => false,
        ReadWhat::Object(_, id)
        | ReadWhat::Permissions(id)
        | ReadWhat::UserComponents(id)
        | ReadWhat::UserMetrics(id)
        | ReadWhat::IncidentSubscribers(id)
        | ReadWhat::Uptime(id)
        | ReadWhat::GroupUptime(id) => id.starts_with(NEW),
    }
}

/// Puts the names of declarations in the place of the ids that their objects will have, in a sentence.
fn name_new_ids(text: &str, names: &BTreeMap<String, &str>) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find(NEW).map(|at| rest.split_at(at)) {
        let id = from.find(')').map_or(from, |end| &from[..=end]);
        named.push_str(before);
        match names.get(id) {
            Some(name) => named.push_str(&format!("{name:?}")),
            None => named.push_str(id),
        }
        rest = &from[id.len()..];
    }
    named + rest
}

/// Puts the names of declarations in the place of the ids of their objects.
fn name_ids(value: &mut Value, names: &BTreeMap<String, &str>) {
    match value {
        Value::String(text) => {
            if let Some(name) = names.get(text.as_str()) {
                *text = (*name).to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_ids(item, names)),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(field, mut value)| {
                    name_ids(&mut value, names);
                    let field = names.get(field.as_str()).map_or(field, |name| (*name).to_owned());
                    (field, value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
