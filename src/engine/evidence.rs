//! What a decision may take as proven about presence and absence (design, section 6a).
//!
//! Invariant: an object is *gone* when its id was answered with "not found" twice, some seconds apart, and a list that was
//! read in between does not have it. Invariant: an object whose id is not known is *absent* when complete looks do not
//! show it that began after everything that was sent for it must be visible.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::context::{Blocked, Context};
use super::declaration::Declaration;
use super::failure::Failure;
use super::journal::journalled_list;
use super::kinds::Rules;
use super::plan::{ReadWhat, State};
use super::world::World;
use crate::api::{Journal, Kind, Reason};
use crate::statuspage::{Collection, CollectionKind, ObjectKind, SPACING, Search, Snapshot, spaced_since};

/// Nothing is sent later than so long after the driver began to store its journal.
pub const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(5);
/// A request is under way for so long at most.
pub const REQUEST_LIFE: SignedDuration = SignedDuration::from_secs(30);
/// Journals are dated in whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);
/// Two clocks of which nothing is known may differ by so much.
pub(super) const SKEW: SignedDuration = SignedDuration::from_secs(120);
/// What was read so long ago at most may be written on, or told to people.
pub const FRESH: SignedDuration = SignedDuration::from_secs(10);
/// First pause before a list is read again that did not show what is there; doubled each time.
const CONTRADICTION_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// A proof that an object is gone holds for so long, unless somebody asks.
const GONE_FOR: SignedDuration = SignedDuration::from_secs(3600);

/// Where an object with a recorded id stands.
pub(super) enum Presence<'w, R> {
    /// On the page.
    Here(&'w R),
    /// Not on the page, and that is proven.
    Gone,
    /// Not in a list that reaches so far only.
    Beyond,
    /// Not known yet.
    Unproven(Pursuit),
}

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

    fn saying(self, reason: Reason, message: impl Into<String>) -> Self {
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

/// Where the object of this kind with this id stands.
pub(super) fn presence<'w, K: Rules>(context: &Context<'w>, id: &str) -> Presence<'w, K::Remote> {
    let world = context.world;
    let lookup = context.index.lookup(context.declaration.key.kind);
    let shown = lookup.and_then(|lookup| lookup.get::<K>(world.snapshot, id));
    let examined = K::OBJECT
        .map(|kind| world.snapshot.examined(kind, id))
        .unwrap_or_default();
    let list = K::collection(world.snapshot);
    // Its own address knows better than a list that was read before.
    let overruled = examined
        .missing
        .is_some_and(|missing| list.is_none_or(|list| list.read_at <= missing.last));
    if let (Some(shown), false, false) = (shown, examined.doubted, overruled) {
        return Presence::Here(shown);
    }
    if list.is_some_and(|list| list.was_removed(id)) {
        return Presence::Gone;
    }
    let read_list = ReadWhat::Collection(K::COLLECTION);
    let Some(kind) = K::OBJECT else {
        return match list {
            Some(list) => missing_from::<K::Remote>(world, list, read_list, K::COLLECTION),
            None => Presence::Unproven(pursue(world, read_list)),
        };
    };
    let read_object = ReadWhat::Object(kind, id.to_owned());
    let was_read = list.filter(|list| list.read_at > Timestamp::MIN);
    if was_read.is_none() {
        let pursuit = pursue(world, read_list.clone());
        // An incident is looked up whatever becomes of the list.
        if pursuit.says.is_none() || kind != ObjectKind::Incident {
            return Presence::Unproven(pursuit);
        }
    }
    if examined.doubted {
        return Presence::Unproven(pursue(world, read_object));
    }
    let census = context.index.census(kind.collection());
    if let Some(pursuit) = census.and_then(|census| census.holds_back(world, kind, id)) {
        return Presence::Unproven(pursuit);
    }
    let Some(missing) = examined.missing else {
        return match was_read.is_some_and(|list| list.complete) || kind != ObjectKind::Incident {
            true => Presence::Unproven(pursue(world, read_object)),
            false => Presence::Beyond,
        };
    };
    if missing
        .confirmed
        .is_some_and(|confirmed| context.declaration.seen <= confirmed)
    {
        return Presence::Gone;
    }
    let noun = context.declaration.key.kind.noun();
    let looking = format!("the page does not show {noun} {id}; checking whether it is gone");
    let from = missing.confirmable_from();
    let pursuit = if world.now < from {
        Pursuit::waking(from)
    } else if missing.confirmed.is_none() && list.is_none_or(|list| list.read_at < from) {
        pursue(world, read_list)
    } else {
        pursue(world, read_object)
    };
    Presence::Unproven(match pursuit.says {
        Some(_) => pursuit,
        None => pursuit.saying(Reason::Progressing, looking),
    })
}

/// A proof that something is gone holds that was made since then.
pub fn proofs_hold_from(now: Timestamp) -> Timestamp {
    now.saturating_sub(GONE_FOR).unwrap_or(Timestamp::MIN)
}

/// What proves anew that the recorded object is gone, when the proof is old: nothing is created on it, but what was found
/// out stays true until it is found out to be otherwise.
pub(super) fn renewal<K: Rules>(context: &Context<'_>) -> Option<Pursuit> {
    let (kind, id) = (K::OBJECT?, context.declaration.recorded_id()?);
    let confirmed = context.world.snapshot.examined(kind, id).missing?.confirmed?;
    let old = confirmed <= proofs_hold_from(context.world.now);
    old.then(|| pursue(context.world, ReadWhat::Object(kind, id.to_owned())))
}

/// An object that cannot be read by its id is gone when complete readings lack it that are further apart than a list may
/// be behind.
fn missing_from<'w, R>(
    world: &World<'_>,
    list: &Collection<R>,
    read_list: ReadWhat,
    kind: CollectionKind,
) -> Presence<'w, R> {
    let lag = SignedDuration::try_from(world.snapshot.lag_of(kind)).unwrap_or(SignedDuration::MAX);
    match (list.looks.first(), list.looks.last()) {
        (Some(first), Some(last)) if last.duration_since(*first) >= lag => Presence::Gone,
        (Some(first), _) if world.now < after(*first, lag) => Presence::Unproven(Pursuit::waking(after(*first, lag))),
        _ => Presence::Unproven(pursue(world, read_list)),
    }
}

/// How many looks that began at or after a time would have shown the object of a declaration, if it were there.
pub(super) fn looks_since<K: Rules>(context: &Context<'_>, rules: &K, from: Timestamp) -> usize {
    let by_list = K::collection(context.world.snapshot).map_or(0, |list| list.looks_since(from));
    by_list.max(searched_since(context, rules, from))
}

/// How many times all searches were made since then that together stand in for a list.
fn searched_since<K: Rules>(context: &Context<'_>, rules: &K, from: Timestamp) -> usize {
    let by_search = |search: &Search| {
        let looks = context.world.snapshot.searches.get(search);
        looks.map_or(0, |looks| spaced_since(looks, from))
    };
    rules.searches(context).iter().map(by_search).min().unwrap_or(0)
}

/// True once it was looked, at this time or after it, whether the object of a declaration is there for which nothing was
/// ever sent. One look that shows nothing at all of a list is one too few.
pub(super) fn has_looked<K: Rules>(context: &Context<'_>, rules: &K, from: Timestamp) -> bool {
    let list = K::collection(context.world.snapshot);
    let by_list = list.is_some_and(|list| list.looks_since(from) > 0 && !list.is_blank());
    by_list || searched_since(context, rules, from) > 0
}

/// When the newest of those looks began.
pub(super) fn last_look<K: Rules>(context: &Context<'_>, rules: &K) -> Option<Timestamp> {
    let snapshot = context.world.snapshot;
    let by_list = K::collection(snapshot).and_then(|list| list.looks.last().copied());
    let newest = |search: &Search| snapshot.searches.get(search)?.last().copied();
    let searches = rules.searches(context);
    let by_searches: Option<Vec<Timestamp>> = searches.iter().map(newest).collect();
    by_list.max(by_searches.and_then(|looks| looks.into_iter().min()))
}

/// What has to be read for another look: the list, or what stands in for one that is cut or cannot be read.
pub(super) fn another_look<K: Rules>(context: &Context<'_>, rules: &K) -> Pursuit {
    let world = context.world;
    let list = pursue(world, ReadWhat::Collection(K::COLLECTION));
    let searches = rules.searches(context);
    let cut = K::collection(world.snapshot).is_some_and(|list| !list.complete && list.read_at > Timestamp::MIN);
    if searches.is_empty() || (!cut && list.says.is_none()) {
        return list;
    }
    let mut pursuit = Pursuit::default();
    for search in searches {
        let one = pursue(world, ReadWhat::Search(search));
        pursuit.reads.extend(one.reads);
        pursuit.wake = pursuit.wake.into_iter().chain(one.wake).min();
        pursuit.says = pursuit.says.or(one.says);
    }
    if pursuit.says.is_some() {
        // One of them cannot be made: the others alone prove nothing.
        pursuit.reads.clear();
        pursuit.wake = pursuit.wake.into_iter().chain(list.wake).min();
        pursuit.reads.extend(list.reads);
    }
    pursuit
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
    fn holds_back(&self, world: &World<'_>, kind: ObjectKind, id: &str) -> Option<Pursuit> {
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
