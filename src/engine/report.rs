//! What one declaration calls for. The stage that finds it out returns it; nobody else writes into it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use super::outcome::Outcome;
use super::plan::{Applied, Read, ReadWhat, State, Step};
use super::pursuit::{Pursuit, after, pursue};
use super::world::World;
use crate::statuspage::{MetricPoint, Priority};

/// What one declaration calls for.
#[derive(Default)]
pub(super) struct Report {
    /// How it stands; none for what stays as it was seen.
    pub(super) outcome: Option<Outcome>,
    pub(super) steps: Vec<Step>,
    pub(super) reads: Vec<Read>,
    /// When to plan again.
    pub(super) wake: Option<Timestamp>,
    /// When the next proof can be had that it waits for.
    pub(super) proof_at: Option<Timestamp>,
    /// Data points, which are sent together with those of other metrics.
    pub(super) data: Option<DataPoints>,
    /// The creation of an object that no declaration stands for, and that others may need too.
    pub(super) provides: Option<Box<Step>>,
}

/// The data points of one metric.
pub(super) struct DataPoints {
    /// Id of the metric.
    pub(super) id: String,
    pub(super) points: Vec<MetricPoint>,
    /// What is recorded once they are sent.
    pub(super) applied: Applied,
}

impl Report {
    /// Nothing but how it stands.
    pub(super) fn of(outcome: Outcome) -> Self {
        Report::default().with(outcome)
    }

    /// How it stands.
    pub(super) fn with(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.wake = self.wake.into_iter().chain([at]).min();
    }

    /// Comes back when a proof can be had.
    pub(super) fn wait_for_proof(&mut self, at: Timestamp) {
        self.wake_at(at);
        self.proof_at = self.proof_at.into_iter().chain([at]).min();
    }

    /// Reads something, unless that has just failed.
    pub(super) fn pursue(&mut self, world: &World<'_>, what: ReadWhat, priority: Priority) {
        self.follow(pursue(world, what), priority);
    }

    /// Does what brings proof.
    pub(super) fn follow(&mut self, pursuit: Pursuit, priority: Priority) {
        if let Some(wake) = pursuit.wake {
            self.wake_at(wake);
        }
        if let Some(proof_at) = pursuit.proof_at() {
            self.wait_for_proof(proof_at);
        }
        let reads = pursuit.reads.into_iter().map(|what| Read { what, priority });
        self.reads.extend(reads);
    }

    /// Asks for a read unless what was read is fresh, and comes back when it no longer is.
    pub(super) fn keep_fresh(
        &mut self,
        world: &World<'_>,
        what: ReadWhat,
        read_at: Option<Timestamp>,
        seen: Timestamp,
    ) {
        self.keep_fresh_for(world, Duration::ZERO, what, read_at, seen);
    }

    /// The same for what is read so often at most.
    pub(super) fn keep_fresh_for(
        &mut self,
        world: &World<'_>,
        pause: Duration,
        what: ReadWhat,
        read_at: Option<Timestamp>,
        seen: Timestamp,
    ) {
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        let due = |read_at| world.due(read_at).max(after(read_at, pause));
        match read_at.filter(|read_at| *read_at >= seen).map(due) {
            Some(due) if world.now < due => self.wake_at(due),
            _ => self.pursue(world, what, Priority::Read),
        }
    }

    /// The outcome of a declaration whose last request failed and is not to be tried again yet.
    pub(super) fn failure(&mut self, context: &Context<'_>) -> Option<Outcome> {
        let declaration = context.declaration;
        let failure = context.world.failures.get(&declaration.key)?;
        if !failure.blocks(declaration.generation, context.world.now) {
            return None;
        }
        self.wake_at(failure.retry_at());
        let state = match failure.terminal {
            true => State::Stalled,
            false => State::Progressing,
        };
        let message = failure.message.clone();
        Some(Outcome::new(declaration, state, failure.reason, message))
    }
}
