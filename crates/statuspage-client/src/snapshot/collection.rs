//! Objects of one kind as far as they are known: what the newest reading of their list showed, what is known better than
//! by the list, and what earlier readings showed and newer ones do not.
//!
//! Invariant: a list is evidence of what it shows. What it does not show is *missing*, which is not the same as gone: the
//! list may be answered from a cache, or from a page of it that moved while it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::types::Identified;
use super::items::Items;

/// How far the lists of the service may be behind its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Of most lists.
    pub lists: Duration,
    /// Of incidents and their updates: a mistake there is mailed.
    pub incidents: Duration,
}

impl Default for Lag {
    fn default() -> Self {
        Lag::of_lists(Duration::from_secs(60))
    }
}

impl Lag {
    /// Twice as much for incidents as for all others.
    #[must_use]
    pub fn of_lists(lists: Duration) -> Self {
        Lag {
            lists,
            incidents: lists.saturating_mul(2),
        }
    }
}

/// Two looks that count as two are at least so far apart.
pub const SPACING: SignedDuration = SignedDuration::from_secs(5);

/// So many objects are remembered that a list which is cut, such as that of incidents, does not show any more.
const VANISHED: usize = 1000;

/// So many looks are remembered.
const LOOKS: usize = 6;

/// Objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection<T> {
    /// The objects that are there.
    pub items: Items<T>,
    /// When the newest reading began.
    pub read_at: Timestamp,
    /// Whether the newest reading showed everything; nothing can be called absent otherwise.
    pub complete: bool,
    /// When complete readings began, oldest first. What is in neither [`Self::items`] nor [`Self::vanished`] was in none
    /// of them.
    pub looks: Vec<Timestamp>,
    /// Objects that an earlier reading showed and newer ones do not. They are not known to be gone.
    pub vanished: Vec<Vanished<T>>,
    /// Objects that were read by their id although the newest reading of the list did not show them.
    pub unlisted: BTreeSet<String>,
    /// How many readings in a row did not show what is there.
    pub contradictions: u32,
    /// Objects that are known better than by the list: own writes, and objects that were read by their id.
    known: BTreeMap<String, Known>,
}

/// An object that is missing from its list.
#[derive(Clone, Debug, PartialEq)]
pub struct Vanished<T> {
    /// As it was last seen.
    pub item: T,
    /// When the first reading began that did not show it.
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    at: Timestamp,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As the object itself was shown, by the reply to a write or by its own address.
    Shown,
    /// As it must be after what happened to another object.
    Inferred,
    /// Deleted by us.
    Gone,
}

/// True when a row of a list is at least as new as an object that was shown. Where times are equal both moved in one
/// second; what the row shows is confirmed by the object itself before anything is made of it.
fn is_as_new<T: Identified>(row: &T, known: &T) -> bool {
    match (row.updated_at(), known.updated_at()) {
        (Some(row), Some(known)) => row >= known,
        _ => false,
    }
}

impl<T> Collection<T> {
    /// What one reading has brought.
    #[must_use]
    pub fn read(items: Vec<T>, read_at: Timestamp, complete: bool) -> Self {
        Collection {
            items: Items::from(items),
            read_at,
            complete,
            looks: if complete { vec![read_at] } else { Vec::new() },
            vanished: Vec::new(),
            unlisted: BTreeSet::new(),
            contradictions: 0,
            known: BTreeMap::new(),
        }
    }

    /// What reading the list again would bring if everything is as it is known here.
    pub(super) fn read_again(&self, began: Timestamp) -> Self
    where
        T: Clone,
    {
        Collection::read(self.items.to_vec(), began, self.complete)
    }

    /// Looks that began at or after a time, as far as they count: those too near to the one before do not.
    #[must_use]
    pub fn looks_since(&self, from: Timestamp) -> usize {
        spaced_since(&self.looks, from)
    }
}

/// Looks that began at or after a time, without those that are too near to the one before.
#[must_use]
pub fn spaced_since(looks: &[Timestamp], from: Timestamp) -> usize {
    let mut count = 0;
    let mut last: Option<Timestamp> = None;
    for look in looks.iter().filter(|look| **look >= from) {
        if last.is_none_or(|last| look.duration_since(last) >= SPACING) {
            count += 1;
            last = Some(*look);
        }
    }
    count
}

impl<T: Identified> Collection<T> {
    /// The object with an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&T> {
        self.items.by_id(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.items.by_id_mut(id)
    }

    /// Takes the place of an earlier reading, of which it keeps what is known better than by a list that may be `lag` old.
    pub(super) fn after(mut self, earlier: Option<Self>, lag: Duration) -> Self {
        let Some(mut earlier) = earlier else { return self };
        let lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        let may_be_older = |known: &Known| known.at.saturating_add(lag).is_ok_and(|until| self.read_at < until);
        earlier.known.retain(|_, known| may_be_older(known));
        let mut shown: BTreeMap<String, T> = BTreeMap::new();
        let mut order = Vec::with_capacity(self.items.len());
        for item in std::mem::take(&mut self.items) {
            if earlier
                .known
                .get(item.id())
                .is_some_and(|known| known.state == State::Gone)
            {
                continue;
            }
            order.push(item.id().to_owned());
            shown.insert(item.id().to_owned(), item);
        }
        let mut kept = Vec::new();
        for item in std::mem::take(&mut earlier.items) {
            let known = earlier.known.get(item.id());
            match (shown.get_mut(item.id()), known) {
                (Some(listed), Some(known)) => {
                    let newer = match known.state {
                        State::Shown => is_as_new(listed, &item),
                        State::Inferred | State::Gone => listed.updated_at() > item.updated_at(),
                    };
                    if !newer {
                        *listed = item;
                    }
                }
                (Some(_), None) => {}
                (None, Some(_)) => kept.push(item),
                (None, None) => earlier.vanished.push(Vanished {
                    item,
                    since: self.read_at,
                }),
            }
        }
        let listed = order.into_iter().filter_map(|id| shown.remove(&id));
        self.items = Items::from(listed.chain(kept).collect::<Vec<T>>());
        if self.complete {
            earlier.looks.extend(self.looks);
            self.looks = thinned(earlier.looks);
        } else {
            self.looks = earlier.looks;
        }
        // What is here is not missing; what has been missing from all looks for longer than a list may lag is gone.
        let here: BTreeSet<&str> = self.items.iter().map(Identified::id).collect();
        let (complete, read_at) = (self.complete, self.read_at);
        let long_gone =
            |vanished: &Vanished<T>| complete && vanished.since.saturating_add(lag).is_ok_and(|until| read_at >= until);
        self.vanished = earlier
            .vanished
            .into_iter()
            .filter(|vanished| !here.contains(vanished.item.id()) && !long_gone(vanished))
            .collect();
        let surplus = self.vanished.len().saturating_sub(VANISHED);
        self.vanished.drain(..surplus);
        self.known = earlier.known;
        self.contradictions = match earlier.unlisted.is_empty() {
            true => 0,
            false => earlier.contradictions.saturating_add(1),
        };
        self
    }

    fn note(&mut self, id: &str, at: Timestamp, state: State) {
        self.vanished.retain(|vanished| vanished.item.id() != id);
        self.known.insert(id.to_owned(), Known { at, state });
    }

    /// Notes that an object is known better than by the list because of what happened to another one.
    pub(super) fn touch(&mut self, id: &str, at: Timestamp) {
        self.known.insert(
            id.to_owned(),
            Known {
                at,
                state: State::Inferred,
            },
        );
    }

    /// Replaces an object, or says where it would have to go by giving it back.
    fn replace(&mut self, item: T) -> Result<(), T> {
        match self.get_mut(item.id()) {
            Some(known) => {
                *known = item;
                Ok(())
            }
            None => Err(item),
        }
    }

    /// Puts an object that is known as it is at `at`, a new one behind all others. True for a new one.
    pub(super) fn put_last(&mut self, item: T, at: Timestamp) -> bool {
        self.note(item.id(), at, State::Shown);
        let new = self.replace(item);
        let is_new = new.is_err();
        new.err().into_iter().for_each(|item| self.items.add(item));
        is_new
    }

    /// The same with a new one before all others.
    pub(super) fn put_first(&mut self, item: T, at: Timestamp) {
        self.note(item.id(), at, State::Shown);
        if let Err(item) = self.replace(item) {
            self.items.insert(0, item);
        }
    }

    pub(super) fn remove(&mut self, id: &str, at: Timestamp) {
        self.note(id, at, State::Gone);
        self.items.retain(|item| item.id() != id);
    }

    /// True for an object that was deleted by us, and that lists may still show for a while.
    #[must_use]
    pub fn was_removed(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.state == State::Gone)
    }

    /// Since when an object is known better than by the list, which may show an older state of it.
    #[must_use]
    pub fn known_better_since(&self, id: &str) -> Option<Timestamp> {
        self.known
            .get(id)
            .filter(|known| known.state != State::Gone)
            .map(|known| known.at)
    }

    /// True when nothing is known of this list but a single reading that showed nothing at all.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.items.is_empty() && self.vanished.is_empty() && self.known.is_empty() && self.looks.len() < 2
    }

    /// True for an object that an earlier reading showed and newer ones do not.
    #[must_use]
    pub fn has_vanished(&self, id: &str) -> bool {
        self.vanished.iter().any(|vanished| vanished.item.id() == id)
    }
}

/// The looks that proofs need: the newest, and before it some that are far enough apart.
pub(super) fn thinned(looks: Vec<Timestamp>) -> Vec<Timestamp> {
    let mut kept: Vec<Timestamp> = Vec::with_capacity(looks.len());
    for look in looks {
        if let [.., before, last] = kept.as_slice()
            && last.duration_since(*before) < SPACING
        {
            kept.pop();
        }
        kept.push(look);
    }
    let surplus = kept.len().saturating_sub(LOOKS);
    kept.drain(..surplus);
    kept
}
