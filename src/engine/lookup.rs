//! The remote objects of one kind by id and by what they are recognised by, so that a plan of n declarations does not
//! cost n times n.

use std::collections::HashMap;

use super::kinds::Rules;
use crate::statuspage::Snapshot;

/// Positions in the list of the kind.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    by_id: HashMap<String, usize>,
    by_handle: HashMap<String, Vec<usize>>,
}

impl Lookup {
    pub(super) fn of<K: Rules>(snapshot: &Snapshot) -> Self {
        let mut lookup = Lookup::default();
        let items = K::collection(snapshot).into_iter().flat_map(|list| &list.items);
        for (position, remote) in items.enumerate().filter(|(_, remote)| K::belongs(remote)) {
            lookup.by_id.insert(K::id(remote).to_owned(), position);
            for handle in K::handles(remote) {
                lookup.by_handle.entry(handle).or_default().push(position);
            }
        }
        lookup
    }

    /// True when there is an object with this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The object with this id.
    pub(super) fn get<'s, K: Rules>(&self, snapshot: &'s Snapshot, id: &str) -> Option<&'s K::Remote> {
        K::collection(snapshot)?.items.get(*self.by_id.get(id)?)
    }

    /// The objects that have one of these handles, in the order of the list.
    pub(super) fn matching<'s, K: Rules>(&self, snapshot: &'s Snapshot, handles: &[String]) -> Vec<&'s K::Remote> {
        let mut positions: Vec<usize> = handles
            .iter()
            .filter_map(|handle| self.by_handle.get(handle))
            .flatten()
            .copied()
            .collect();
        positions.sort_unstable();
        positions.dedup();
        let Some(list) = K::collection(snapshot) else {
            return Vec::new();
        };
        positions
            .into_iter()
            .filter_map(|position| list.items.get(position))
            .collect()
    }
}
