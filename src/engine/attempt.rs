//! An attempt whose outcome is not known: when it is over, and when to look for its trace.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::declaration::Declaration;
use super::journal::Operation;
use super::lists::list_of;
use super::pursuit::after;
use super::world::World;
use crate::api::{Journal, Kind};
use crate::statuspage::{CollectionKind, SPACING, Snapshot};

/// Nothing is sent later than so long after the driver began to store its journal.
pub const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(5);
/// A request is under way for so long at most.
pub const REQUEST_LIFE: SignedDuration = SignedDuration::from_secs(30);
/// Journals are dated in whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);
/// Two clocks of which nothing is known may differ by so much.
pub(super) const SKEW: SignedDuration = SignedDuration::from_secs(120);

/// The list that shows what came of an attempt of a declaration of this kind.
pub(super) fn journalled_list(journal: &Journal, kind: Kind) -> CollectionKind {
    match Operation::of(journal) {
        Some(Operation::Provide) => CollectionKind::MetricsProviders,
        _ => list_of(kind),
    }
}

/// When everything shows that an attempt can have caused, by the clock of this process. A journal that is dated in the
/// future is one from now.
pub(super) fn settled_at(
    world: &World<'_>,
    declaration: &Declaration,
    journal: &Journal,
    list: CollectionKind,
) -> Timestamp {
    let seen = declaration.attempt_seen.unwrap_or(world.now);
    let begun = match world.remote_now {
        Some(remote_now) => remote_now.duration_since(journal.at.0),
        None => world.wall.duration_since(journal.at.0).saturating_sub(SKEW),
    };
    let ago = begun.max(world.now.duration_since(seen)).max(SignedDuration::ZERO);
    let life = trace_within(world.snapshot.lag_of(list));
    after(world.now.saturating_sub(ago).unwrap_or(Timestamp::MIN), life)
}

/// How long after its journal was dated all shows that an attempt can have caused, where lists lag so much.
fn trace_within(lag: Duration) -> SignedDuration {
    SEND_WITHIN
        .saturating_add(ROUNDING)
        .saturating_add(REQUEST_LIFE)
        .saturating_add(SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX))
}

/// The last moment at which an attempt can have been carried out, by the clock that dated its journal.
pub(super) fn carried_out_until(journal: &Journal) -> Timestamp {
    after(journal.at.0, trace_within(Duration::ZERO))
}

/// Whether an attempt is over, by the clock of the machine, for a declaration of this kind whose page cannot be asked.
pub fn attempt_is_over(journal: &Journal, kind: Kind, wall: Timestamp) -> bool {
    let lag = Snapshot::default().lag_of(journalled_list(journal, kind));
    wall >= after(after(journal.at.0, SKEW), trace_within(lag))
}

/// When to look for the trace of an attempt of a declaration next.
pub(super) fn next_look_for(
    world: &World<'_>,
    declaration: &Declaration,
    last: Option<Timestamp>,
    settled: Timestamp,
) -> Timestamp {
    let seen = declaration.attempt_seen.unwrap_or(world.now);
    let failures = world
        .failures
        .get(&declaration.key)
        .map_or(0, |failure| failure.attempts);
    next_look(seen, last, settled, failures)
}

/// Soon at first, then less often, and twice after it must show. An attempt that follows others without an answer is looked for
/// less often from the beginning: a request that fails for ever must not cost a reading every ten seconds.
pub(super) fn next_look(seen: Timestamp, last: Option<Timestamp>, settled: Timestamp, failures: u32) -> Timestamp {
    let Some(last) = last.filter(|last| *last >= seen) else {
        return seen;
    };
    if last >= settled {
        return after(last, SPACING);
    }
    let waited = last.duration_since(seen);
    let pause = waited.max(SignedDuration::from_secs(1 << failures.clamp(1, 6)));
    after(last, pause).min(settled)
}
