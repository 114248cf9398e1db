//! What a plan leaves to be sent: what of it incidents wait for, how much it is, and how long that takes.

use std::collections::{BTreeMap, BTreeSet};

use super::declaration::{ObjectKey, Spec, Status};
use super::plan::{Action, Backlog, ReadWhat, State};
use super::planner::Planner;
use crate::api::{Kind, Reason};
use crate::statuspage::Priority;

impl Planner<'_> {
    /// Makes what an incident waits for as urgent as the incident: the components that it names and that are not on
    /// the page yet, their group, and the component that this group begins with.
    pub(super) fn inherit_priority(&mut self) {
        let mut awaited: BTreeSet<ObjectKey> = BTreeSet::new();
        for incident in self.world.declarations {
            let Spec::Incident(spec) = &*incident.spec else {
                continue;
            };
            let outcome = self.outcomes.get(&incident.key);
            let waits = [Reason::WaitingForReference, Reason::Progressing];
            if outcome.is_none_or(|outcome| !waits.contains(&outcome.reason)) {
                continue;
            }
            let namespace = &incident.key.namespace;
            for name in spec.affects(&self.context(incident)) {
                let component = ObjectKey::new(Kind::Component, namespace, name);
                let declared = self.index.get(&component).map(|declaration| &*declaration.spec);
                if let Some(Spec::Component(spec)) = declared
                    && let Some(group) = &spec.group_ref
                {
                    let key = ObjectKey::new(Kind::ComponentGroup, namespace, &group.name);
                    let absent = self.claims.is_to_create(&key);
                    let first = self.context(incident).first_member(namespace, &group.name);
                    awaited.extend(first.filter(|_| absent).map(|first| first.key.clone()));
                    awaited.insert(key);
                }
                awaited.insert(component);
            }
        }
        let creations = self.plan.steps.iter_mut();
        for step in creations.filter(|step| matches!(step.action, Action::Create(_)) && awaited.contains(&step.key)) {
            step.priority = Priority::Incident;
        }
        // And what has to be read before they can be created.
        let wanted: Vec<&ReadWhat> = awaited
            .iter()
            .filter_map(|key| self.wanted.get(key))
            .flatten()
            .collect();
        for read in self.plan.reads.iter_mut().filter(|read| wanted.contains(&&read.what)) {
            read.priority = Priority::Incident;
        }
    }

    /// Every request that is still to be sent, as far as it is known: the steps of this plan, the creation of what
    /// waits for them, and the updates that follow an incident's next one.
    pub(super) fn backlog(&self) -> Backlog {
        let mut changes = self.plan.remote_steps().count();
        // What is created or published next, and which update of an incident that is.
        let mut next: BTreeMap<&ObjectKey, usize> = BTreeMap::new();
        for step in &self.plan.steps {
            match &step.action {
                Action::Create(_) => next.insert(&step.key, 0),
                Action::Publish { index, .. } => next.insert(&step.key, *index),
                _ => None,
            };
        }
        for (key, outcome) in &self.outcomes {
            if outcome.state == State::Progressing && self.claims.is_to_create(key) && !next.contains_key(key) {
                changes += 1;
                next.insert(key, 0);
            }
        }
        for declaration in self.world.declarations {
            let (Spec::Incident(spec), Status::Incident(status)) = (&*declaration.spec, &*declaration.status) else {
                continue;
            };
            // It is read before its next update is published.
            let outcome = self.outcomes.get(&declaration.key);
            let on_its_way = outcome.is_some_and(|outcome| outcome.state == State::Progressing);
            if on_its_way && !next.contains_key(&declaration.key) && !status.updates.is_empty() {
                changes += spec.updates.len().saturating_sub(status.updates.len());
            }
        }
        for (key, update) in next {
            if let Some(Spec::Incident(spec)) = self.index.get(key).map(|declaration| &*declaration.spec) {
                changes += spec.updates.len().saturating_sub(update + 1);
            }
        }
        let Some(budget) = self.world.budget.filter(|budget| budget.limit > 0) else {
            return Backlog { changes, minutes: 0 };
        };
        // Each minute brings the limit anew, but for what is kept for incidents; what is free now goes at once.
        let later = changes.saturating_sub(budget.remaining);
        let a_minute = budget.limit.saturating_sub(budget.reserve).max(1);
        let paused = usize::from(budget.paused_for.is_some() && changes > 0);
        let minutes = later.div_ceil(a_minute).max(paused);
        Backlog { changes, minutes }
    }
}
