//! What all passes until the end would do, without doing it: plans against a model of the page.

use std::collections::BTreeMap;

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
                declaration.stored.clone_from(status);
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
            let reply: Reply = model::perform(&mut snapshot, request, &format!("(new-{number})"), world.now);
            for declaration in &mut declarations {
                engine::record(declaration, &step, &reply);
            }
            engine::record(&mut page, &step, &reply);
        }
        steps.push(step);
    }
    Preview {
        steps,
        findings: findings.unwrap_or_default(),
    }
}
