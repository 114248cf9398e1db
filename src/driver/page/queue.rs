//! The order of what a plan calls for: readings and requests together.

use std::collections::VecDeque;

use crate::engine::{Plan, Read, ReadWhat, Step};
use crate::statuspage::{Priority, Snapshot};

/// One thing to do.
#[derive(Debug)]
pub(super) enum Work<'p> {
    Read(Read),
    Step(&'p Step),
}

impl Work<'_> {
    pub(super) fn priority(&self) -> Priority {
        match self {
            Work::Read(read) => read.priority,
            Work::Step(step) => step.priority,
        }
    }

    /// What one plan is good for: readings of one urgency, none of which was wanted for what another one shows, or
    /// requests of one urgency.
    pub(super) fn class(&self) -> (Priority, bool) {
        (self.priority(), matches!(self, Work::Read(_)))
    }
}

/// What is left of a plan, the most urgent first.
#[derive(Debug)]
pub(super) struct Queue<'p> {
    work: VecDeque<Work<'p>>,
}

impl<'p> Queue<'p> {
    /// A list that was never read goes before ordinary writes, because nothing can be decided without it; reading again
    /// goes last. Of equal urgency readings go first: what they show may change the rest.
    pub(super) fn of(plan: &'p Plan, snapshot: &Snapshot) -> Self {
        let urgency = |read: &Read| match &read.what {
            ReadWhat::Collection(kind) if !snapshot.has(*kind) => read.priority.min(Priority::ComponentStatus),
            _ => read.priority,
        };
        let reads = plan.reads.iter().map(|read| {
            // With this it also competes with the other pages of the token: one whose lists were never read must not
            // wait for the end of their backlog.
            Work::Read(Read {
                priority: urgency(read),
                ..read.clone()
            })
        });
        let steps = plan.remote_steps().map(Work::Step);
        let mut work: Vec<Work<'p>> = reads.chain(steps).collect();
        work.sort_by_key(Work::priority);
        Queue { work: work.into() }
    }

    pub(super) fn next(&mut self) -> Option<Work<'p>> {
        self.work.pop_front()
    }

    pub(super) fn first(&self) -> Option<&Work<'p>> {
        self.work.front()
    }
}
