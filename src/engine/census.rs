//! How many recorded objects a list lacks: many at once are no matter of each of them.

use jiff::SignedDuration;

use super::plan::ReadWhat;
use super::pursuit::{Pursuit, after, pursue};
use super::world::World;
use crate::api::Reason;
use crate::statuspage::{ObjectKind, Snapshot};

/// First pause before a list is read again that did not show what is there; doubled each time.
const CONTRADICTION_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// The recorded objects of a list that its newest reading does not show: many at once are a question for the
/// owner, or a list that does not tell the truth.
#[derive(Debug, Default)]
pub(super) struct Census {
    recorded: usize,
    missing: Vec<(ObjectKind, String)>,
}

/// So many may be missing before it is many.
const FLOOR: usize = 5;
/// Of so many recorded one may be missing before it is many.
const SHARE: usize = 5;
/// So many of many are looked up by their ids.
const SAMPLE: usize = 3;

impl Census {
    /// Counts a recorded object of the list that `kind` is in.
    pub(super) fn count(&mut self, kind: ObjectKind, id: &str, is_shown: bool) {
        self.recorded += 1;
        if !is_shown {
            self.missing.push((kind, id.to_owned()));
        }
    }

    /// How many are missing, if that is many.
    pub(super) fn many(&self) -> Option<usize> {
        let missing = self.missing.len();
        (missing > FLOOR && missing.saturating_mul(SHARE) > self.recorded).then_some(missing)
    }

    /// True for an id that is missing.
    pub(super) fn lacks(&self, id: &str) -> bool {
        self.missing.iter().any(|(_, missing)| missing == id)
    }

    /// How many are recorded.
    pub(super) fn recorded(&self) -> usize {
        self.recorded
    }

    fn sample(&self) -> &[(ObjectKind, String)] {
        self.missing.get(..SAMPLE).unwrap_or(&self.missing)
    }

    /// True when all that were looked up are proven to be gone, so that it is no mistake of the list.
    pub(super) fn is_proven(&self, snapshot: &Snapshot) -> bool {
        let confirmed = |(kind, id): &(ObjectKind, String)| {
            let missing = snapshot.examined(*kind, id).missing;
            missing.is_some_and(|missing| missing.confirmed.is_some())
        };
        self.sample().iter().all(confirmed)
    }

    /// While many are missing: what to wait for instead of looking each of them up.
    pub(super) fn holds_back(&self, world: &World<'_>, kind: ObjectKind, id: &str) -> Option<Pursuit> {
        let many = self.many()?;
        if world.recreations_allowed() >= many {
            return None;
        }
        let list = world.snapshot.outline(kind.collection())?;
        if list.unlisted > 0 {
            let pause = CONTRADICTION_PAUSE.saturating_mul(1_i32 << list.contradictions.min(6));
            let due = after(list.read_at, pause.min(SignedDuration::from_mins(10)));
            let message = format!(
                "the page's list lacks {many} of {} recorded objects, but some of those exist: the list is not trusted and is read again",
                self.recorded
            );
            let pursuit = if world.now < due {
                Pursuit::waking(due)
            } else {
                pursue(world, ReadWhat::Collection(kind.collection()))
            };
            return Some(pursuit.saying(Reason::Progressing, message));
        }
        let in_sample = self.sample().iter().any(|(_, sampled)| sampled == id);
        (!in_sample).then(Pursuit::default)
    }
}
