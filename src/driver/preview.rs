//! What all passes until the end would do, without doing it: plans against a model of the page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::engine::{self, Action, Declaration, Finding, ObjectKey, Plan, Reply, Step, World, model};
use crate::statuspage::Snapshot;

use super::View;

/// Everything that an `apply` would do.
#[derive(Debug)]
pub struct Preview {
    /// The steps with a request, in their order.
    pub steps: Vec<Step>,
    /// How each declaration stands before them.
    pub findings: Vec<Finding>,
    /// Plans that it took.
    pub plans: usize,
}

/// How the ids begin that objects have before they exist.
const NEW: &str = "(new-";

/// No page needs more plans than this: each goes one step deeper into what waits for what.
const LIMIT: usize = 10_000;

/// So many plans in a row may change nothing but statuses: what one of them has bound, the next may build on.
const QUIET: usize = 8;

/// Plays all steps on a copy of the snapshot, until nothing is left. Takes a plan for each generation of what waits for
/// what, as a driver does, not one for each object.
pub fn preview(world: &World<'_>, view: &View) -> Preview {
    let mut snapshot: Snapshot = world.snapshot.clone();
    snapshot.time = world.now;
    let mut page = view.page.clone();
    let mut declarations = view.declarations.clone();
    let mut steps: Vec<Step> = Vec::new();
    let mut findings = None;
    let mut last_updates: BTreeMap<ObjectKey, Step> = BTreeMap::new();
    let mut quiet = 0;
    let mut plans = 0;
    while plans < LIMIT {
        plans += 1;
        let plan: Plan = engine::plan(&World {
            page: &page,
            declarations: &declarations,
            snapshot: &snapshot,
            ..*world
        });
        findings.get_or_insert_with(|| plan.findings.clone());
        let mut known: BTreeMap<ObjectKey, &mut Declaration> = declarations
            .iter_mut()
            .chain(std::iter::once(&mut page))
            .map(|declaration| (declaration.key.clone(), declaration))
            .collect();
        // The status of this plan is what the next one builds on, conditions and recorded hashes included.
        let mut noted = false;
        for (key, status) in &plan.statuses {
            if let Some(declaration) = known.get_mut(key) {
                noted |= declaration.status != *status;
                declaration.status.clone_from(status);
                declaration.stored = Arc::new(status.clone());
            }
        }
        let mut progress = false;
        let mut gone: BTreeSet<ObjectKey> = BTreeSet::new();
        for step in &plan.steps {
            match &step.action {
                Action::RecordId(id) => {
                    if let Some(declaration) = known.get_mut(&step.key) {
                        declaration.id_annotation = Some(id.clone());
                        progress = true;
                    }
                }
                Action::Release | Action::Leave | Action::Prune => {
                    gone.insert(step.key.clone());
                }
                _ => {}
            }
        }
        let first = plan.remote_steps().map(|step| step.priority).min();
        let mut due: Vec<&Step> = plan.remote_steps().collect();
        due.retain(|step| Some(step.priority) == first);
        let repeats = |step: &&Step| {
            let last = last_updates.get(&step.key);
            last.is_some_and(|previous| !step.repeats(previous).is_empty())
        };
        // A field that would be written again right away is one that the page does not keep.
        due.retain(|step| !repeats(step));
        last_updates.clear();
        for step in due {
            let Some(request) = step.action.request() else {
                continue;
            };
            if let (Action::Replace(_), Some(declaration)) = (&step.action, known.get_mut(&step.key)) {
                // The plan after the deletion knows by its note that the object is to be created again.
                declaration.status.object_mut().journal = step.journal(String::new(), world.wall);
            }
            let reply: Reply = model::perform(&mut snapshot, request, &format!("{NEW}{})", steps.len()), world.now);
            let touched: BTreeSet<&ObjectKey> = step.applied.iter().map(|(key, ..)| key).chain([&step.key]).collect();
            for key in touched {
                if let Some(declaration) = known.get_mut(key) {
                    engine::record(declaration, step, &reply);
                }
            }
            if matches!(step.action, Action::Update(_)) {
                last_updates.insert(step.key.clone(), step.clone());
            }
            steps.push(step.clone());
            progress = true;
        }
        let before = declarations.len();
        declarations.retain(|declaration| !gone.contains(&declaration.key));
        progress |= declarations.len() != before;
        quiet = if progress { 0 } else { quiet + 1 };
        if !progress && !noted || quiet > QUIET {
            break;
        }
    }
    // Ids say nothing to people, least of all those that do not exist yet.
    let names: BTreeMap<String, &str> = declarations
        .iter()
        .chain(&view.declarations)
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
        step.summary = name_new_ids(&step.summary, &names);
    }
    Preview {
        steps,
        findings: findings.unwrap_or_default(),
        plans,
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
