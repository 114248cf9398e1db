//! What a plan says of every declaration: its status, if that is another than the stored one, and what was found.

use std::collections::HashMap;
use std::sync::Arc;

use super::conditions;
use super::declaration::{Declaration, ObjectKey};
use super::outcome::Outcome;
use super::plan::{Finding, State};
use super::world::World;
use crate::api::{Kind, Status};

/// What is said of the declarations of a page.
#[derive(Default)]
pub(super) struct Statuses {
    /// The status of every declaration whose stored one is another.
    pub(super) changed: Vec<(ObjectKey, Arc<Status>)>,
    pub(super) findings: Vec<Finding>,
}

/// Makes conditions of outcomes.
pub(super) fn statuses(world: &World<'_>, mut outcomes: HashMap<ObjectKey, Outcome>) -> Statuses {
    let mut said = Statuses::default();
    let mut pending: i64 = 0;
    let page = std::iter::once(world.page);
    for declaration in world.declarations.iter().chain(page) {
        let mut status = match outcomes.remove(&declaration.key) {
            Some(outcome) => {
                if !matches!(outcome.state, State::InSync | State::Unknown) {
                    pending += 1;
                }
                let (status, finding) = concluded(world, declaration, outcome);
                said.findings.push(finding);
                status
            }
            None => Arc::clone(&declaration.status),
        };
        // Without conditions a status reads as if all were well: what is known waits for the plan that says how it stands.
        let speaks = conditions::find(status.object(), conditions::READY).is_some();
        if declaration.key.kind == Kind::StatusPage
            && speaks
            && let Status::StatusPage(page) = Arc::make_mut(&mut status)
        {
            page.managed = i64::try_from(world.declarations.len()).ok();
            page.pending = Some(pending);
            page.status = worst_status(world).or(page.status.take());
        }
        conditions::keep_times(&mut status, &declaration.stored);
        if speaks && !Status::is_same(&status, &declaration.stored) {
            said.changed.push((declaration.key.clone(), status));
        }
    }
    said
}

/// The status and the finding of one declaration.
fn concluded(world: &World<'_>, declaration: &Declaration, mut outcome: Outcome) -> (Arc<Status>, Finding) {
    conditions::apply(
        &mut outcome.status,
        outcome.state,
        outcome.reason,
        &outcome.message,
        std::mem::take(&mut outcome.drift),
        declaration.generation,
        world.wall,
    );
    let handled = &outcome.status.object().last_handled_request;
    if outcome.state != State::Unknown && *handled != declaration.requested_at {
        let object = outcome.status_mut().object_mut();
        object.last_handled_request.clone_from(&declaration.requested_at);
    }
    let finding = Finding {
        key: declaration.key.clone(),
        state: outcome.state,
        reason: outcome.reason,
        message: outcome.message,
    };
    (outcome.status, finding)
}

/// The worst status that a component of the page has.
fn worst_status(world: &World<'_>) -> Option<String> {
    let order = [
        "operational",
        "under_maintenance",
        "degraded_performance",
        "partial_outage",
        "major_outage",
    ];
    let rank = |component: &crate::statuspage::Component| {
        let status = component.status.as_ref()?;
        order.iter().position(|name| *name == status.as_str())
    };
    let components = world.snapshot.components.as_ref()?;
    let worst = components
        .items
        .iter()
        .filter(|component| !component.group)
        .filter_map(rank)
        .max()
        .unwrap_or(0);
    order.get(worst).map(|name| (*name).to_owned())
}
