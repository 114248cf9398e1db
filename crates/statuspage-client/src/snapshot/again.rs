//! What reading the page again would bring if it is as it is known here, for who supposes what does not exist yet.

use jiff::Timestamp;

use super::{Listed, Object, ObjectKind, Search, Snapshot};
use crate::types::{Component, ComponentGroup};

/// What reading an object by its id would bring.
#[derive(Clone, Debug, PartialEq)]
pub enum Addressed {
    /// The object.
    Shown(Object),
    /// That it is not there.
    Gone,
    /// Nobody knows: it was never read by its id, nor written.
    Unknown,
}

impl Snapshot {
    /// What reading an object by its id would bring.
    #[must_use]
    pub fn addressed(&self, kind: ObjectKind, id: &str) -> Addressed {
        let list = self.list(kind.collection());
        let deleted = list.is_some_and(|list| list.was_removed(id));
        let examined = self.examined(kind, id);
        if deleted || examined.missing.is_some() {
            return Addressed::Gone;
        }
        match self.object(kind, id).filter(|_| examined.shown_at.is_some()) {
            Some(object) => Addressed::Shown(object),
            None => Addressed::Unknown,
        }
    }

    /// An object as the lists show it, with what is known better.
    fn object(&self, kind: ObjectKind, id: &str) -> Option<Object> {
        fn of<T: Clone + Listed>(snapshot: &Snapshot, id: &str) -> Option<Box<T>> {
            snapshot.get::<T>(id).cloned().map(Box::new)
        }
        Some(match kind {
            ObjectKind::Component => Object::Component(of::<Component>(self, id).filter(|row| !row.group)?),
            ObjectKind::ComponentGroup => {
                let row = self.get::<Component>(id).filter(|row| row.group)?;
                Object::ComponentGroup(Box::new(self.group_of(row.clone())))
            }
            ObjectKind::Incident => Object::Incident(of(self, id)?),
            ObjectKind::MetricsProvider => Object::MetricsProvider(of(self, id)?),
            ObjectKind::Metric => Object::Metric(of(self, id)?),
            ObjectKind::Subscriber => Object::Subscriber(of(self, id)?),
            ObjectKind::PageAccessUser => Object::PageAccessUser(of(self, id)?),
            ObjectKind::PageAccessGroup => Object::PageAccessGroup(of(self, id)?),
        })
    }

    fn group_of(&self, row: Component) -> ComponentGroup {
        let rows = self.components.iter().flat_map(|rows| &rows.items);
        let members = rows.filter(|member| !member.group && member.group_id.as_deref() == Some(row.id.as_str()));
        ComponentGroup {
            components: members.map(|member| member.id.clone()).collect(),
            id: row.id,
            page_id: row.page_id,
            name: row.name,
            description: row.description,
            position: row.position,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// Takes over what a search has found that another snapshot knows; false when it does not know the search.
    pub fn search_again(&mut self, known: &Snapshot, search: &Search, began: Timestamp) -> bool {
        if !known.searches.contains_key(search) {
            return false;
        }
        match search {
            Search::Incidents(_) | Search::IncidentView(_) => {
                let items = known.incidents.iter().flat_map(|list| &list.items);
                self.merge_incidents(items.cloned().collect(), began);
            }
            Search::Subscribers(_) => {
                let items = known.subscribers.iter().flat_map(|list| &list.items);
                self.merge_subscribers(items.cloned().collect(), began);
            }
        }
        self.searched(search.clone(), began);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collection, CollectionKind, Reading};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn component(id: &str, group: Option<&str>) -> Component {
        Component {
            id: id.to_owned(),
            group_id: group.map(str::to_owned),
            ..Component::default()
        }
    }

    /// A page with a group of two components, read at second 10.
    fn page() -> Snapshot {
        let group = Component {
            group: true,
            ..component("g", None)
        };
        let rows = vec![group, component("a", Some("g")), component("b", Some("g"))];
        let mut page = Snapshot {
            time: at(10),
            ..Snapshot::default()
        };
        page.store(Reading::Components(Collection::read(rows, at(10), true)));
        page
    }

    #[test]
    fn a_list_is_read_again_with_what_was_written_and_with_its_new_time() {
        let mut page = page();
        page.put(component("c", None));
        let Some(Reading::Components(again)) = page.read_again(CollectionKind::Components, at(20)) else {
            panic!("there is a list");
        };
        let ids: Vec<&str> = again.items.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(
            (ids, again.read_at, again.looks),
            (vec!["g", "a", "b", "c"], at(20), vec![at(20)])
        );
        assert_eq!(
            page.read_again(CollectionKind::Metrics, at(20)),
            None,
            "it was never read"
        );
    }

    #[test]
    fn an_object_is_known_by_its_id_when_it_was_read_so_written_or_deleted() {
        let mut page = page();
        assert_eq!(
            page.addressed(ObjectKind::Component, "a"),
            Addressed::Unknown,
            "a list may be old"
        );
        page.found(Object::Component(Box::new(component("a", Some("g")))), at(11));
        assert!(matches!(
            page.addressed(ObjectKind::Component, "a"),
            Addressed::Shown(_)
        ));
        page.not_found(ObjectKind::Component, "x", at(12));
        assert_eq!(page.addressed(ObjectKind::Component, "x"), Addressed::Gone);
        page.remove::<Component>("b");
        assert_eq!(page.addressed(ObjectKind::Component, "b"), Addressed::Gone);
        assert_eq!(
            page.addressed(ObjectKind::ComponentGroup, "a"),
            Addressed::Unknown,
            "it is no group"
        );
    }

    #[test]
    fn a_group_goes_with_its_last_member_and_is_shown_with_those_that_it_has() {
        let mut page = page();
        let group = page.group_of(page.components.as_ref().unwrap().get("g").unwrap().clone());
        page.found(Object::ComponentGroup(Box::new(group)), at(11));
        page.remove::<Component>("a");
        let Addressed::Shown(Object::ComponentGroup(group)) = page.addressed(ObjectKind::ComponentGroup, "g") else {
            panic!("the group is there");
        };
        assert_eq!(group.components, ["b"]);
        page.remove::<Component>("b");
        assert_eq!(page.addressed(ObjectKind::ComponentGroup, "g"), Addressed::Gone);
    }
}
