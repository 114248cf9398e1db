//! The reports of a page's declarations, put together: the one place where they meet.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::attempt::settled_at;
use super::context::Context;
use super::declaration::ObjectKey;
use super::deletion::{Capped, Leaving};
use super::identity::Identity;
use super::journal::Operation;
use super::outcome::Outcome;
use super::plan::{Action, Read, ReadWhat, State, Step};
use super::record::undone;
use super::report::{DataPoints, Report};
use crate::api::{Reason, Status};
use crate::statuspage::{CollectionKind, Priority};

/// A plan that is not in order yet.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) outcomes: HashMap<ObjectKey, Outcome>,
    pub(super) steps: Vec<Step>,
    /// What has to be read, each once.
    pub(super) reads: Vec<Read>,
    /// What has to be read for whom.
    wanted: HashMap<ObjectKey, Vec<ReadWhat>>,
    pub(super) wake: Option<Timestamp>,
    pub(super) proof_at: Option<Timestamp>,
    pub(super) data: Vec<DataPoints>,
    /// The first creation of an object that no declaration stands for.
    pub(super) provides: Option<Step>,
}

impl Draft {
    /// Adds what one declaration calls for.
    pub(super) fn add(&mut self, context: &Context<'_>, identity: Option<&Identity>, report: Report) {
        let key = &context.declaration.key;
        for Read { what, priority } in report.reads {
            self.read(key, what, priority);
        }
        self.steps.extend(report.steps);
        self.wake_at(report.wake);
        self.proof_at = self.proof_at.into_iter().chain(report.proof_at).min();
        self.data.extend(report.data);
        if let (None, Some(step)) = (&self.provides, report.provides) {
            self.provides = Some(*step);
        }
        if let Some(outcome) = report.outcome {
            self.outcomes.insert(key.clone(), concluded(context, identity, outcome));
        }
    }

    /// Reads something for a declaration.
    pub(super) fn read(&mut self, key: &ObjectKey, what: ReadWhat, priority: Priority) {
        self.wanted.entry(key.clone()).or_default().push(what.clone());
        match self.reads.iter_mut().find(|read| read.what == what) {
            Some(read) => read.priority = read.priority.min(priority),
            None => self.reads.push(Read { what, priority }),
        }
    }

    pub(super) fn wake_at(&mut self, at: impl IntoIterator<Item = Timestamp>) {
        self.wake = self.wake.into_iter().chain(at).min();
    }

    /// Makes the creation of these objects as urgent as an incident, and what has to be read before it.
    pub(super) fn hasten(&mut self, awaited: &BTreeSet<ObjectKey>) {
        for step in &mut self.steps {
            if matches!(step.action, Action::Create(_)) && awaited.contains(&step.key) {
                step.priority = Priority::Incident;
            }
        }
        let wanted: Vec<&ReadWhat> = awaited
            .iter()
            .filter_map(|key| self.wanted.get(key))
            .flatten()
            .collect();
        for read in self.reads.iter_mut().filter(|read| wanted.contains(&&read.what)) {
            read.priority = Priority::Incident;
        }
    }

    /// Takes all deletions out, and says why.
    pub(super) fn cap(&mut self, page: &ObjectKey, capped: &Capped) {
        let (held, kept): (Vec<Step>, Vec<Step>) = std::mem::take(&mut self.steps)
            .into_iter()
            .partition(|step| step.action.is_deletion());
        self.steps = kept;
        for step in &held {
            self.stall(&step.key, Reason::DeletionCapped, &capped.object);
        }
        self.stall(page, Reason::DeletionCapped, &capped.page);
    }

    /// Stops a declaration until somebody does something.
    pub(super) fn stall(&mut self, key: &ObjectKey, reason: Reason, message: &str) {
        if let Some(outcome) = self.outcomes.get_mut(key) {
            outcome.stop(State::Stalled, reason, message);
        }
    }

    /// Lets declarations go, of which nothing is said any more.
    pub(super) fn leave(&mut self, leaving: Leaving) {
        for step in &leaving.steps {
            self.outcomes.remove(&step.key);
        }
        self.steps.extend(leaving.steps);
        self.wake_at(leaving.wakes);
    }
}

/// An outcome whose attempt is closed, if that is over.
fn concluded(context: &Context<'_>, identity: Option<&Identity>, mut outcome: Outcome) -> Outcome {
    let declaration = context.declaration;
    if attempt_is_over(context, identity) {
        let journal = &mut outcome.status_mut().object_mut().journal;
        *journal = journal.take().and_then(undone);
    }
    if Status::is_same(&outcome.status, &declaration.status) {
        // What has not changed is not kept twice.
        outcome.status = Arc::clone(&declaration.status);
    }
    outcome
}

/// True when an attempt is known to have had no effect, or to have had all of it, or was about an object that is gone.
fn attempt_is_over(context: &Context<'_>, identity: Option<&Identity>) -> bool {
    let (world, declaration) = (context.world, context.declaration);
    let Some(journal) = &declaration.status.object().journal else {
        return false;
    };
    if identity.is_some_and(Identity::is_gone) {
        return true;
    }
    match Operation::of(journal) {
        Some(Operation::Create) => matches!(identity, Some(Identity::Absent { .. })),
        Some(Operation::Provide) => {
            let settled = settled_at(world, declaration, journal, CollectionKind::MetricsProviders);
            let providers = world.snapshot.metrics_providers.as_ref();
            providers.is_some_and(|providers| providers.looks_since(settled) >= 2)
        }
        _ => false,
    }
}
