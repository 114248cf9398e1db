//! Where the remote objects of one kind stand in their list, by id and by what they are recognised by, so that a plan of n
//! declarations does not cost n times n.

use std::cell::OnceCell;
use std::collections::HashMap;

/// Positions in the list of the kind.
#[derive(Debug, Default)]
pub(super) struct Lookup<'s> {
    by_id: HashMap<&'s str, usize>,
    /// Made for the first object that has to be recognised: a page that is as declared has none.
    by_handle: OnceCell<HashMap<String, Vec<usize>>>,
}

impl<'s> Lookup<'s> {
    /// Ids with their positions.
    pub(super) fn of(ids: impl Iterator<Item = (&'s str, usize)>) -> Self {
        Lookup {
            by_id: ids.collect(),
            by_handle: OnceCell::new(),
        }
    }

    /// True when there is an object with this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Where the object with this id stands.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Where the objects stand that have one of the wanted handles, in the order of the list. `handles` are those of all
    /// objects.
    pub(super) fn positions<H: Iterator<Item = (usize, String)>>(
        &self,
        wanted: &[String],
        handles: impl FnOnce() -> H,
    ) -> Vec<usize> {
        let by_handle = self.by_handle.get_or_init(|| {
            let mut by_handle: HashMap<String, Vec<usize>> = HashMap::new();
            for (position, handle) in handles() {
                by_handle.entry(handle).or_default().push(position);
            }
            by_handle
        });
        let found = wanted.iter().filter_map(|handle| by_handle.get(handle));
        let mut positions: Vec<usize> = found.flatten().copied().collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}
