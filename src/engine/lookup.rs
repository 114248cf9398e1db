//! The remote objects of one kind by id and by what they are recognised by, so that a plan of n declarations does not
//! cost n times n.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::kinds::Rules;
use crate::statuspage::Snapshot;

/// Positions in the list of the kind.
#[derive(Debug, Default)]
pub(super) struct Lookup<'s> {
    by_id: HashMap<&'s str, usize>,
    /// Made for the first object that has to be recognised: a page that is as declared has none.
    by_handle: OnceCell<HashMap<String, Vec<usize>>>,
}

impl<'s> Lookup<'s> {
    pub(super) fn of<K: Rules>(snapshot: &'s Snapshot) -> Self {
        let by_id = positions::<K>(snapshot).map(|(position, remote)| (K::id(remote), position));
        Lookup {
            by_id: by_id.collect(),
            by_handle: OnceCell::new(),
        }
    }

    /// True when there is an object with this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The object with this id.
    pub(super) fn get<'w, K: Rules>(&self, snapshot: &'w Snapshot, id: &str) -> Option<&'w K::Remote> {
        K::collection(snapshot)?.items.get(*self.by_id.get(id)?)
    }

    /// The objects that have one of these handles, in the order of the list.
    pub(super) fn matching<'w, K: Rules>(&self, snapshot: &'w Snapshot, handles: &[String]) -> Vec<&'w K::Remote> {
        let by_handle = self.by_handle.get_or_init(|| {
            let mut by_handle: HashMap<String, Vec<usize>> = HashMap::new();
            for (position, remote) in positions::<K>(snapshot) {
                for handle in K::handles(remote) {
                    by_handle.entry(handle).or_default().push(position);
                }
            }
            by_handle
        });
        let mut positions: Vec<usize> = handles
            .iter()
            .filter_map(|handle| by_handle.get(handle))
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

/// The objects of the kind in its list, with their positions.
fn positions<K: Rules>(snapshot: &Snapshot) -> impl Iterator<Item = (usize, &K::Remote)> {
    let items = K::collection(snapshot).into_iter().flat_map(|list| &list.items);
    items.enumerate().filter(|(_, remote)| K::belongs(remote))
}
