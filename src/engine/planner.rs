//! The planner: world in, plan out. Pure and deterministic, in stages. Each returns what it found out, and none writes into
//! what another one has returned; [`Draft`] is where it is put together.
//!
//! Invariant: one bad object stops only itself. Invariant: a second plan of an unchanged world is empty.

use std::collections::HashMap;

use super::backlog::{awaited, backlog};
use super::context::Context;
use super::converge;
use super::declaration::ObjectKey;
use super::deletion;
use super::draft::Draft;
use super::identity::{Known, identify_all};
use super::kinds;
use super::metric_data::submissions;
use super::order;
use super::outcome::Outcome;
use super::page::{self, Open};
use super::plan::{Plan, State};
use super::statuses::statuses;
use super::world::World;
use crate::api::Reason;

/// What the world calls for.
pub fn plan(world: &World<'_>) -> Plan {
    let index = kinds::index(world);
    // Identity: which remote object each declaration means.
    let known = identify_all(world, &index);
    let page = Context {
        world,
        claims: &known.claims,
        index: &index,
        declaration: world.page,
        sent_title: None,
    };
    // Differences, deletions and replacements: what each declaration calls for.
    let (open, mut draft) = reports(&page, &known);
    // What is sent for several of them together, or for none.
    if open == Open::All {
        let data = std::mem::take(&mut draft.data);
        draft.steps.extend(submissions(world, data));
        if let Some(message) = many_missing(&draft.outcomes) {
            draft.stall(&world.page.key, Reason::ManyMissing, &message);
        }
    }
    // Order: what incidents wait for is as urgent as they are.
    draft.hasten(&awaited(&page, &draft.outcomes));
    // Deletions: never more than the cap, and none that keeps a namespace from ending.
    if let Some(capped) = deletion::cap(world, &draft.steps) {
        draft.cap(&world.page.key, &capped);
    }
    draft.leave(deletion::leave(world, &known.identities, &draft.steps, &draft.outcomes));
    let backlog = backlog(&page, &draft.steps, &draft.outcomes);
    if let Some(waits) = world.budget.and_then(|budget| backlog.waits_for(&budget))
        && let Some(outcome) = draft.outcomes.get_mut(&world.page.key)
        && outcome.state == State::InSync
    {
        outcome.message = waits;
    }
    order::sort(&mut draft.steps);
    draft.reads.sort_by_key(|read| read.priority);
    // Conditions: how everything stands.
    let said = statuses(world, draft.outcomes);
    Plan {
        reads: draft.reads,
        steps: draft.steps,
        statuses: said.changed,
        findings: said.findings,
        wake: draft.wake,
        proof_at: draft.proof_at,
        behind_circuit_breaker: world.circuit_breaker.is_some(),
        backlog,
    }
}

/// What the page and each of its declarations call for.
fn reports(page: &Context<'_>, known: &Known) -> (Open, Draft) {
    let mut draft = Draft::default();
    let (open, report) = page::plan(page);
    draft.add(page, None, report);
    for (key, read) in known.reads.iter().filter(|(key, _)| open.passes(key)) {
        draft.read(key, read.what.clone(), read.priority);
    }
    if open == Open::All {
        draft.wake_at(known.wakes.iter().copied());
    }
    draft.proof_at = known.proof_at.filter(|_| open == Open::All);
    for declaration in page.world.declarations {
        let context = page.of(declaration);
        let identity = known.identities.get(&declaration.key);
        let report = match open.passes(&declaration.key) {
            true => converge::plan(&context, identity),
            false => page::closed(&context, identity),
        };
        draft.add(&context, identity, report);
    }
    if let Some(step) = draft.provides.take() {
        draft.add(page, None, converge::provide(page, step));
    }
    (open, draft)
}

/// Many objects that are missing from the page at once are a question for its owner.
fn many_missing(outcomes: &HashMap<ObjectKey, Outcome>) -> Option<String> {
    let stopped = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.reason == Reason::ManyMissing);
    let first = stopped.min_by_key(|(key, _)| *key);
    first.map(|(_, outcome)| outcome.message.clone())
}
