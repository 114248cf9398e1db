//! What all passes until the end would do, without doing it: plans against a model of the page.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use crate::engine::{self, Action, Finding, Plan, Reply, Step, World, model};
use crate::statuspage::Snapshot;

use super::View;

/// Everything that an `apply` would do.
#[derive(Debug)]
pub struct Preview {
    /// The steps with a request, in their order.
    pub steps: Vec<Step>,
    /// How each declaration stands before them.
    pub findings: Vec<Finding>,
}

/// How the ids begin that objects have before they exist.
const NEW: &str = "(new-";

/// No page needs more plans than this; a plan that never ends is a bug of ours, not of the user.
const LIMIT: usize = 100_000;

/// Plays all steps on a copy of the snapshot, one plan after the other, until nothing is left.
pub fn preview(world: &World<'_>, view: &View) -> Preview {
    let mut snapshot: Snapshot = world.snapshot.clone();
    let mut page = view.page.clone();
    let mut declarations = view.declarations.clone();
    let mut steps = Vec::new();
    let mut findings = None;
    for number in 0..LIMIT {
        let plan: Plan = engine::plan(&World {
            page: &page,
            declarations: &declarations,
            snapshot: &snapshot,
            ..*world
        });
        findings.get_or_insert_with(|| plan.findings.clone());
        // The status of this plan is what the next one builds on, conditions and recorded hashes included.
        let statuses: BTreeMap<_, _> = plan.statuses.iter().cloned().collect();
        for declaration in declarations.iter_mut().chain(std::iter::once(&mut page)) {
            if let Some(status) = statuses.get(&declaration.key) {
                declaration.status.clone_from(status);
                declaration.stored = Arc::new(status.clone());
            }
        }
        let mut progress = false;
        for step in &plan.steps {
            match &step.action {
                Action::RecordId(id) => {
                    for declaration in declarations
                        .iter_mut()
                        .filter(|declaration| declaration.key == step.key)
                    {
                        declaration.id_annotation = Some(id.clone());
                        progress = true;
                    }
                }
                Action::Release | Action::Prune => {
                    let before = declarations.len();
                    declarations.retain(|declaration| declaration.key != step.key);
                    progress |= declarations.len() != before;
                }
                _ => {}
            }
        }
        let Some(step) = plan.remote_steps().next().cloned() else {
            if progress {
                continue;
            }
            break;
        };
        let repeated = steps.last().is_some_and(|previous| !step.repeats(previous).is_empty());
        if repeated {
            break;
        }
        if let Some(request) = step.action.request() {
            if let Action::Replace(_) = step.action {
                // The plan after the deletion knows by its note that the object is to be created again. The time is
                // after that of the lists, as it would be.
                let at = world
                    .now
                    .saturating_add(SignedDuration::from_secs(1))
                    .unwrap_or(world.now);
                for declaration in declarations
                    .iter_mut()
                    .filter(|declaration| declaration.key == step.key)
                {
                    declaration.status.object_mut().journal = step.journal(String::new(), at);
                }
            }
            let reply: Reply = model::perform(&mut snapshot, request, &format!("{NEW}{number})"), world.now);
            for declaration in &mut declarations {
                engine::record(declaration, &step, &reply);
            }
            engine::record(&mut page, &step, &reply);
        }
        steps.push(step);
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
        for (id, name) in names.iter().filter(|(id, _)| id.starts_with(NEW)) {
            if step.summary.contains(id.as_str()) {
                step.summary = step.summary.replace(id.as_str(), &format!("{name:?}"));
            }
        }
    }
    Preview {
        steps,
        findings: findings.unwrap_or_default(),
    }
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
