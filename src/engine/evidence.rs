//! What a decision may take as proven about presence and absence (design, section 6a).
//!
//! Invariant: an object is *gone* when its id was answered with "not found" twice, some seconds apart, and a list that was
//! read in between does not have it. Invariant: an object whose id is not known is *absent* when complete looks do not
//! show it that began after everything that was sent for it must be visible.

use jiff::{SignedDuration, Timestamp};

use super::context::Context;
use super::plan::ReadWhat;
use super::pursuit::{Pursuit, after, pursue};
use super::rules::Rules;
use super::world::World;
use crate::api::Reason;
use crate::statuspage::{Collection, CollectionKind, ObjectKind, Search, spaced_since};

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

/// Where the object of this kind with this id stands.
pub(super) fn presence<'w, K: Rules>(context: &Context<'w>, id: &str) -> Presence<'w, K::Remote> {
    let world = context.world;
    let shown = K::shown(context, id);
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
