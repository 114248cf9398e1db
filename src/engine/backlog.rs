//! What a plan leaves to be sent: what of it incidents wait for, how much it is, and how long that takes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::context::Context;
use super::declaration::ObjectKey;
use super::outcome::Outcome;
use super::plan::{Action, Backlog, State, Step};
use crate::api::{Kind, Reason, Spec, Status};

/// What incidents wait for: the components that they name and that are not on the page yet, their groups, and the
/// component that each of these groups begins with.
pub(super) fn awaited(page: &Context<'_>, outcomes: &HashMap<ObjectKey, Outcome>) -> BTreeSet<ObjectKey> {
    let mut awaited: BTreeSet<ObjectKey> = BTreeSet::new();
    for incident in page.world.declarations {
        let Spec::Incident(spec) = &*incident.spec else {
            continue;
        };
        let outcome = outcomes.get(&incident.key);
        let waits = [Reason::WaitingForReference, Reason::Progressing];
        if outcome.is_none_or(|outcome| !waits.contains(&outcome.reason)) {
            continue;
        }
        let context = page.of(incident);
        let namespace = &incident.key.namespace;
        for name in spec.affects(&context) {
            let component = ObjectKey::new(Kind::Component, namespace, name);
            let declared = page.index.get(&component).map(|declaration| &*declaration.spec);
            if let Some(Spec::Component(spec)) = declared
                && let Some(group) = &spec.group_ref
            {
                let key = ObjectKey::new(Kind::ComponentGroup, namespace, &group.name);
                let absent = page.claims.is_to_create(&key);
                let first = context.first_member(namespace, &group.name);
                awaited.extend(first.filter(|_| absent).map(|first| first.key.clone()));
                awaited.insert(key);
            }
            awaited.insert(component);
        }
    }
    awaited
}

/// Every request that is still to be sent, as far as it is known: the steps of this plan, the creation of what
/// waits for them, and the updates that follow an incident's next one.
pub(super) fn backlog(page: &Context<'_>, steps: &[Step], outcomes: &HashMap<ObjectKey, Outcome>) -> Backlog {
    let mut changes = steps.iter().filter(|step| step.action.request().is_some()).count();
    // What is created or published next, and which update of an incident that is.
    let mut next: BTreeMap<&ObjectKey, usize> = BTreeMap::new();
    for step in steps {
        match &step.action {
            Action::Create(_) => next.insert(&step.key, 0),
            Action::Publish { index, .. } => next.insert(&step.key, *index),
            _ => None,
        };
    }
    for (key, outcome) in outcomes {
        if outcome.state == State::Progressing && page.claims.is_to_create(key) && !next.contains_key(key) {
            changes += 1;
            next.insert(key, 0);
        }
    }
    for declaration in page.world.declarations {
        let (Spec::Incident(spec), Status::Incident(status)) = (&*declaration.spec, &*declaration.status) else {
            continue;
        };
        // It is read before its next update is published.
        let outcome = outcomes.get(&declaration.key);
        let on_its_way = outcome.is_some_and(|outcome| outcome.state == State::Progressing);
        if on_its_way && !next.contains_key(&declaration.key) && !status.updates.is_empty() {
            changes += spec.updates.len().saturating_sub(status.updates.len());
        }
    }
    for (key, update) in next {
        if let Some(Spec::Incident(spec)) = page.index.get(key).map(|declaration| &*declaration.spec) {
            changes += spec.updates.len().saturating_sub(update + 1);
        }
    }
    let Some(budget) = page.world.budget.filter(|budget| budget.limit > 0) else {
        return Backlog { changes, minutes: 0 };
    };
    // Each minute brings the limit anew, but for what is kept for incidents; what is free now goes at once.
    let later = changes.saturating_sub(budget.remaining);
    let a_minute = budget.limit.saturating_sub(budget.reserve).max(1);
    let paused = usize::from(budget.paused_for.is_some() && changes > 0);
    let minutes = later.div_ceil(a_minute).max(paused);
    Backlog { changes, minutes }
}
