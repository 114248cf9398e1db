//! What would bring proof: something to read, or a time to wait for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::declaration::Declaration;
use super::failure::Failure;
use super::outcome::Blocked;
use super::plan::{ReadWhat, State};
use super::world::World;
use crate::api::Reason;
use crate::statuspage::{Dated, ObjectKind};

/// What was read so long ago at most may be written on, or told to people.
pub const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// What would bring proof.
#[derive(Clone, Debug, Default)]
pub(super) struct Pursuit {
    pub(super) reads: Vec<ReadWhat>,
    pub(super) wake: Option<Timestamp>,
    /// What keeps it, for the owner; none while it is a matter of the next readings.
    pub(super) says: Option<Blocked>,
}

impl Pursuit {
    pub(super) fn reading(what: ReadWhat) -> Self {
        Pursuit {
            reads: vec![what],
            ..Pursuit::default()
        }
    }

    pub(super) fn waking(at: Timestamp) -> Self {
        Pursuit {
            wake: Some(at),
            ..Pursuit::default()
        }
    }

    fn failing(failure: &Failure) -> Self {
        Pursuit {
            wake: Some(failure.retry_at()),
            says: Some(failing(failure)),
            ..Pursuit::default()
        }
    }

    /// When it can be had. What its owner has to mend is tried again too, but nobody need stay for that.
    pub(super) fn proof_at(&self) -> Option<Timestamp> {
        let stalled = self.says.as_ref().is_some_and(|says| says.state == State::Stalled);
        self.wake.filter(|_| !stalled)
    }

    pub(super) fn saying(self, reason: Reason, message: impl Into<String>) -> Self {
        Pursuit {
            says: Some(Blocked::waiting(reason, message)),
            ..self
        }
    }
}

/// What a failed reading means for those who need it.
pub(super) fn failing(failure: &Failure) -> Blocked {
    Blocked {
        state: if failure.terminal {
            State::Stalled
        } else {
            State::Progressing
        },
        reason: failure.reason,
        message: failure.message.clone(),
    }
}

/// Reads something, unless it has just failed.
pub(super) fn pursue(world: &World<'_>, what: ReadWhat) -> Pursuit {
    match world.unreadable(&what) {
        Some(failure) => Pursuit::failing(failure),
        None => Pursuit::reading(what),
    }
}

/// Later by a duration, without an end of time.
pub(super) fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

/// Something of one object that no list has: a request of its own.
pub(super) struct Unlisted {
    pub(super) what: ReadWhat,
    /// When it was read last.
    pub(super) read_at: Option<Timestamp>,
    /// It is read so often at most, and else as often as the lists.
    pub(super) pause: Duration,
}

impl Unlisted {
    pub(super) fn new<T>(what: ReadWhat, known: Option<&Dated<T>>) -> Self {
        Unlisted {
            what,
            read_at: known.map(|known| known.read_at),
            pause: Duration::ZERO,
        }
    }
}

/// True when what is declared may be written on what was read at a time: a moment ago, and after this was declared.
pub(super) fn is_fresh(world: &World<'_>, declaration: &Declaration, read_at: Option<Timestamp>) -> bool {
    read_at
        .is_some_and(|read_at| read_at >= declaration.spec_seen && world.now.duration_since(read_at) <= world.fresh_for)
}

/// The same for an object that can be read by its id, which must not have been written by us since: a reply of ours shows
/// neither what a person did between the reading and the write, nor what they did right after.
pub(super) fn is_fresh_object(world: &World<'_>, declaration: &Declaration, kind: ObjectKind, id: &str) -> bool {
    is_fresh(world, declaration, world.snapshot.examined(kind, id).read_at)
}
