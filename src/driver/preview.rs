//! What all passes until the end would do, without doing it: plans against a model of the page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use crate::api::{Kind, ManagementPolicy};
use crate::engine::{
    self, Action, Declaration, Finding, ObjectKey, Plan, Read, ReadWhat, Reply, Spec, Status, Step, World, model,
};
use crate::statuspage::{IncidentStatus, Snapshot};

use super::View;

/// Everything that an `apply` would do.
#[derive(Debug)]
pub struct Preview {
    /// The steps with a request, in their order.
    pub steps: Vec<Step>,
    /// How each declaration stands before them, once what only concerns the store is done.
    pub findings: Vec<Finding>,
    /// Plans that it took.
    pub plans: usize,
    /// The declarations that take over an object that is on the page already and write to it from then on, with its id.
    pub adopted: Vec<(ObjectKey, String)>,
    /// The declaration of each object of the page that has one, now or in the end.
    pub owners: BTreeMap<(Kind, String), ObjectKey>,
    /// How many objects of the page are of no declaration, by kind: people's own, or ones still to be declared.
    pub undeclared: BTreeMap<Kind, usize>,
    /// What would have to be read of the page before more can be foreseen.
    pub reads: Vec<Read>,
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
    let mut reads = Vec::new();
    while plans < LIMIT {
        plans += 1;
        let plan: Plan = engine::plan(&World {
            page: &page,
            declarations: &declarations,
            snapshot: &snapshot,
            ..*world
        });
        reads.clone_from(&plan.reads);
        // What only the store is told goes first, as a driver does it, and leads to another plan.
        if tell(&mut page, &mut declarations, &plan) {
            continue;
        }
        let mut known = by_key(&mut page, &mut declarations);
        findings.get_or_insert_with(|| plan.findings.clone());
        // The status of this plan is what the next one builds on, conditions and recorded hashes included.
        let mut noted = false;
        for (key, status) in &plan.statuses {
            if let Some(declaration) = known.get_mut(key) {
                noted |= !Status::is_same(&declaration.status, status);
                declaration.status.clone_from(status);
                declaration.stored = Arc::clone(status);
            }
        }
        let mut progress = false;
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
            if let Some(declaration) = known.get_mut(&step.key) {
                declaration.finalizer = true;
            }
            if step.action.is_deletion()
                && let Some(page) = known.get_mut(&view.page.key)
                && let Status::StatusPage(status) = page.status_mut()
            {
                // The cap counts what was done before.
                status.recent_deletions.push(Time(world.wall));
            }
            if let (Action::Replace(_), Some(declaration)) = (&step.action, known.get_mut(&step.key)) {
                // The plan after the deletion knows by its note that the object is to be created again.
                declaration.status_mut().object_mut().journal = step.journal(String::new(), world.wall);
            }
            let reply: Reply = model::perform(&mut snapshot, request, &format!("{NEW}{})", steps.len()), world.now);
            let touched: BTreeSet<&ObjectKey> = step.applied.iter().map(|(key, ..)| key).chain([&step.key]).collect();
            for key in touched {
                if let Some(declaration) = known.get_mut(key) {
                    engine::record(declaration, step, &reply);
                }
            }
            // Nobody else writes here: what was written is as if it had been read again.
            snapshot.suppose_read(world.now);
            if matches!(step.action, Action::Update(_)) {
                last_updates.insert(step.key.clone(), step.clone());
            }
            steps.push(step.clone());
            progress = true;
        }
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
    reads.retain(|read| !is_new(&read.what));
    let owned = view.declarations.iter().chain(&declarations);
    let owners: BTreeMap<(Kind, String), ObjectKey> = owned
        .filter_map(|one| Some(((one.key.kind, one.recorded_id()?.to_owned()), one.key.clone())))
        .collect();
    Preview {
        undeclared: undeclared(world.snapshot, &owners),
        owners,
        adopted: adopted(view, &declarations),
        steps,
        findings: findings.unwrap_or_default(),
        plans,
        reads,
    }
}

/// Does to declarations what of a plan only concerns the store; false when there is nothing of that. What one lets go of
/// may be taken over by another then.
fn tell(page: &mut Declaration, declarations: &mut Vec<Declaration>, plan: &Plan) -> bool {
    let mut gone: BTreeSet<&ObjectKey> = BTreeSet::new();
    let mut told = false;
    let mut known = by_key(page, declarations);
    for step in &plan.steps {
        let Some(declaration) = known.get_mut(&step.key) else {
            continue;
        };
        match &step.action {
            Action::RecordId(_) => {
                engine::record(declaration, step, &Reply::Done);
                told = true;
            }
            Action::Hold => {
                told |= !declaration.finalizer;
                declaration.finalizer = true;
            }
            Action::Release | Action::Leave | Action::Prune => {
                gone.insert(&step.key);
            }
            _ => {}
        }
    }
    let before = declarations.len();
    declarations.retain(|declaration| !gone.contains(&declaration.key));
    told || declarations.len() < before
}

fn by_key<'a>(
    page: &'a mut Declaration,
    declarations: &'a mut [Declaration],
) -> BTreeMap<ObjectKey, &'a mut Declaration> {
    let all = declarations.iter_mut().chain(std::iter::once(page));
    all.map(|declaration| (declaration.key.clone(), declaration)).collect()
}

/// What takes over an object that is on the page already: by its name, or by an id that somebody wrote into the annotation.
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
    let mut count = |kind: Kind, id: &str| {
        if !owners.contains_key(&(kind, id.to_owned())) {
            *counts.entry(kind).or_default() += 1;
        }
    };
    for row in snapshot.components.iter().flat_map(|list| &list.items) {
        let kind = if row.group {
            Kind::ComponentGroup
        } else {
            Kind::Component
        };
        count(kind, &row.id);
    }
    for incident in snapshot.incidents.iter().flat_map(|list| &list.items) {
        if !incident.status.as_ref().is_some_and(IncidentStatus::is_over) {
            count(Kind::Incident, &incident.id);
        }
    }
    for metric in snapshot.metrics.iter().flat_map(|list| &list.items) {
        count(Kind::Metric, &metric.id);
    }
    for template in snapshot.incident_templates.iter().flat_map(|list| &list.items) {
        count(Kind::IncidentTemplate, &template.id);
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
