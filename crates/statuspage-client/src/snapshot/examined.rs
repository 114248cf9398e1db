//! What reading single objects by their ids has shown.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::types::{
    Component, ComponentGroup, Identified, Incident, Metric, MetricsProvider, PageAccessGroup, PageAccessUser,
    Subscriber,
};
use super::{CollectionKind, Dated, SPACING, Snapshot};

/// Makes everything that there is once per kind of object that can be read by its id.
macro_rules! objects {
    ($($(#[$doc:meta])* $kind:ident in $list:ident;)+) => {
        /// The kinds of objects that can be read by their id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ObjectKind {
            $($(#[$doc])* $kind,)+
        }

        impl ObjectKind {
            /// The list that shows it.
            #[must_use]
            pub fn collection(self) -> CollectionKind {
                match self {
                    $(Self::$kind => CollectionKind::$list,)+
                }
            }
        }

        /// An object that was read by its id.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Object {
            $($(#[$doc])* $kind(Box<$kind>),)+
        }

        impl Object {
            /// What it is.
            #[must_use]
            pub fn kind(&self) -> ObjectKind {
                match self {
                    $(Self::$kind(_) => ObjectKind::$kind,)+
                }
            }

            /// Its id.
            #[must_use]
            pub fn id(&self) -> &str {
                match self {
                    $(Self::$kind(one) => one.id(),)+
                }
            }
        }

        impl Snapshot {
            fn put_object(&mut self, object: Object) {
                match object {
                    $(Object::$kind(one) => self.put(*one),)+
                }
            }

            /// The object of this kind with this id was deleted.
            pub fn remove_object(&mut self, kind: ObjectKind, id: &str) {
                match kind {
                    $(ObjectKind::$kind => self.remove::<$kind>(id),)+
                }
            }
        }
    };
}

objects! {
    /// A component.
    Component in Components;
    /// A component group, with its members.
    ComponentGroup in Components;
    /// An incident.
    Incident in Incidents;
    /// A metrics provider.
    MetricsProvider in MetricsProviders;
    /// A metric.
    Metric in Metrics;
    /// A subscriber of the page.
    Subscriber in Subscribers;
    /// A page access user.
    PageAccessUser in PageAccessUsers;
    /// A page access group.
    PageAccessGroup in PageAccessGroups;
}

/// What is known of one object beside its list.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Examined {
    /// When the newest request began whose reply showed it whole: a reading by its id, or our own write.
    pub shown_at: Option<Timestamp>,
    /// When the newest reading by its id began, unless we have written it since: what a person did between a reading and
    /// our own write, or right after it, no reply to a write shows.
    pub read_at: Option<Timestamp>,
    /// When an earlier one began that counts beside the newest: far enough before it.
    pub shown_before: Option<Timestamp>,
    /// Since when its id is answered with "not found".
    pub missing: Option<Missing>,
    /// True after a write whose outcome is not known.
    pub doubted: bool,
}

/// Answers of "not found" in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missing {
    /// When the request of the first one began.
    pub first: Timestamp,
    /// When that of the newest one began.
    pub last: Timestamp,
    /// When that of the newest one began that counts as a proof: between it and the first one the list was read, which
    /// shows that the page answers, and does not have the object.
    pub confirmed: Option<Timestamp>,
}

impl Missing {
    /// From when on the list, and after it the id once more, are to be read to confirm it.
    #[must_use]
    pub fn confirmable_from(&self) -> Timestamp {
        self.first.saturating_add(SPACING).unwrap_or(Timestamp::MAX)
    }
}

impl Snapshot {
    /// What is known of one object beside its list.
    #[must_use]
    pub fn examined(&self, kind: ObjectKind, id: &str) -> Examined {
        self.examined
            .get(&kind)
            .and_then(|ids| ids.get(id))
            .copied()
            .unwrap_or_default()
    }

    fn examined_mut(&mut self, kind: ObjectKind, id: &str) -> &mut Examined {
        self.examined.entry(kind).or_default().entry(id.to_owned()).or_default()
    }

    pub(super) fn forget_object(&mut self, kind: ObjectKind, id: &str) {
        if let Some(ids) = self.examined.get_mut(&kind) {
            ids.remove(id);
        }
    }

    /// Notes that a reply which began at `at` showed the object whole.
    pub(super) fn shown(&mut self, kind: ObjectKind, id: &str, at: Timestamp) {
        let examined = self.examined_mut(kind, id);
        let earlier = examined
            .shown_at
            .filter(|earlier| at.duration_since(*earlier) >= SPACING);
        *examined = Examined {
            shown_at: Some(at),
            shown_before: earlier.or(examined.shown_before),
            ..Examined::default()
        };
    }

    /// An object was read by its id.
    pub fn found(&mut self, object: Object, began: Timestamp) {
        let before = std::mem::replace(&mut self.time, began);
        let kind = object.kind();
        let id = object.id().to_owned();
        let listed = self.lists(kind, &id);
        match object {
            Object::Incident(one) => self.put_read_incident(*one),
            other => self.put_object(other),
        }
        if !listed {
            self.not_listed(kind, &id);
        }
        self.shown(kind, &id, began);
        self.examined_mut(kind, &id).read_at = Some(began);
        self.time = before;
    }

    /// The id of an object was answered with "not found".
    pub fn not_found(&mut self, kind: ObjectKind, id: &str, began: Timestamp) {
        let list_read_at = self.read_at(kind.collection());
        let examined = self.examined_mut(kind, id);
        let mut missing = Missing {
            first: examined.missing.map_or(began, |missing| missing.first),
            last: began,
            confirmed: None,
        };
        let confirms = |read_at: Timestamp| read_at >= missing.confirmable_from() && began >= read_at;
        missing.confirmed = list_read_at.filter(|read_at| confirms(*read_at)).map(|_| began);
        *examined = Examined {
            missing: Some(missing),
            ..Examined::default()
        };
    }

    /// Something was written that changes an object as well: what was read of it is older than that.
    pub(super) fn outdated(&mut self, kind: ObjectKind, id: &str) {
        if let Some(examined) = self.examined.get_mut(&kind).and_then(|ids| ids.get_mut(id)) {
            examined.read_at = None;
        }
    }

    /// A write of an object had no clear outcome: what is known of it counts no more until it is read again.
    pub fn doubt(&mut self, kind: ObjectKind, id: &str) {
        let examined = self.examined_mut(kind, id);
        examined.doubted = true;
        examined.read_at = None;
    }

    /// Forgets what reading single objects has shown, but for these.
    pub fn examined_only(&mut self, keep: impl Fn(&str, &Examined) -> bool) {
        for ids in self.examined.values_mut() {
            ids.retain(|id, examined| keep(id, examined));
        }
        self.examined.retain(|_, ids| !ids.is_empty());
    }

    /// What a list shows is not missing, whatever its id was answered with before.
    pub(super) fn not_missing_in(&mut self, list: CollectionKind) {
        let answered = |(kind, ids): (&ObjectKind, &BTreeMap<String, Examined>)| {
            let missing = ids.iter().filter(|(_, examined)| examined.missing.is_some());
            missing.map(|(id, _)| (*kind, id.clone())).collect::<Vec<_>>()
        };
        let of_list = self.examined.iter().filter(|(kind, _)| kind.collection() == list);
        let missing: Vec<(ObjectKind, String)> = of_list.flat_map(answered).collect();
        for (kind, id) in missing {
            if self.lists(kind, &id) {
                self.examined_mut(kind, &id).missing = None;
            }
        }
    }

    /// True when the list of an object is known to have it.
    fn lists(&self, kind: ObjectKind, id: &str) -> bool {
        match kind {
            // One list has both.
            ObjectKind::Component | ObjectKind::ComponentGroup => {
                let row = self.get::<Component>(id);
                row.is_some_and(|row| row.group == (kind == ObjectKind::ComponentGroup))
            }
            _ => self.list(kind.collection()).is_some_and(|list| list.has(id)),
        }
    }

    /// Notes that a list which should have shown everything did not show this object.
    fn not_listed(&mut self, kind: ObjectKind, id: &str) {
        if let Some(list) = self.list_mut(kind.collection()) {
            list.not_listed(id);
        }
    }

    /// The members of a component group as its own reading showed them.
    #[must_use]
    pub fn members(&self, group: &str) -> Option<&Dated<Vec<String>>> {
        self.group_members.get(group)
    }
}
