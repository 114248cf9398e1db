//! The objects of a list in their order, found by their ids without a search.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use super::super::types::Identified;

/// Objects in their order. Whatever is done to them as to any vector is seen by the next look-up.
#[derive(Clone, Debug)]
pub struct Items<T> {
    list: Vec<T>,
    /// Positions by id, as of the first look-up since the list was touched.
    positions: OnceLock<HashMap<String, usize>>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Items::from(Vec::new())
    }
}

impl<T> From<Vec<T>> for Items<T> {
    fn from(list: Vec<T>) -> Self {
        Items {
            list,
            positions: OnceLock::new(),
        }
    }
}

impl<T: PartialEq> PartialEq for Items<T> {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl<T> Deref for Items<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.list
    }
}

impl<T> DerefMut for Items<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        self.positions.take();
        &mut self.list
    }
}

impl<T> IntoIterator for Items<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Items<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Items<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.deref_mut().iter_mut()
    }
}

impl<T: Identified> Items<T> {
    /// The first object with an id.
    pub(super) fn by_id(&self, id: &str) -> Option<&T> {
        self.list.get(self.position(id)?)
    }

    /// The same, to be changed in all but its id.
    pub(super) fn by_id_mut(&mut self, id: &str) -> Option<&mut T> {
        let position = self.position(id)?;
        self.list.get_mut(position)
    }

    /// Adds an object behind all others.
    pub(super) fn add(&mut self, item: T) {
        if let Some(positions) = self.positions.get_mut() {
            positions.entry(item.id().to_owned()).or_insert(self.list.len());
        }
        self.list.push(item);
    }

    fn position(&self, id: &str) -> Option<usize> {
        let positions = self.positions.get_or_init(|| {
            let mut positions = HashMap::with_capacity(self.list.len());
            for (position, item) in self.list.iter().enumerate() {
                positions.entry(item.id().to_owned()).or_insert(position);
            }
            positions
        });
        positions.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Component;

    fn named(id: &str) -> Component {
        Component {
            id: id.to_owned(),
            ..Component::default()
        }
    }

    #[test]
    fn every_change_is_seen_by_the_next_look_up() {
        let mut items = Items::from(vec![named("a"), named("b"), named("b")]);
        let position = |items: &Items<Component>, id: &str| {
            let found = items.by_id(id)?;
            items.iter().position(|item| std::ptr::eq(item, found))
        };
        assert_eq!((position(&items, "b"), position(&items, "c")), (Some(1), None));
        items.add(named("c"));
        assert_eq!(position(&items, "c"), Some(3));
        items.add(named("c"));
        assert_eq!(position(&items, "c"), Some(3), "the first of two");
        items.insert(0, named("d"));
        assert_eq!((position(&items, "a"), position(&items, "d")), (Some(1), Some(0)));
        items.retain(|item| item.id != "a");
        assert_eq!((position(&items, "a"), position(&items, "b")), (None, Some(1)));
        items[1].id = "e".to_owned();
        assert_eq!((position(&items, "e"), position(&items, "b")), (Some(1), Some(2)));
        for item in &mut items {
            item.id.push('2');
        }
        assert_eq!((position(&items, "e"), position(&items, "e2")), (None, Some(1)));
        let name = &mut items.by_id_mut("e2").unwrap().name;
        *name = Some("E".to_owned());
        assert_eq!(items.by_id("e2").unwrap().name.as_deref(), Some("E"));
    }
}
