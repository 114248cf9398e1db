//! The lists of a page: which field of the snapshot holds which, and what is asked of every one, whatever is in it.

use jiff::Timestamp;

use super::{Collection, CollectionKind, ObjectKind, Outline, Snapshot};
use crate::types::{
    Component, Identified, Incident, IncidentTemplate, Metric, MetricsProvider, OrganizationUser, PageAccessGroup,
    PageAccessUser, Subscriber,
};

/// An object that has a list of its own.
pub trait Listed: Identified + Sized {
    /// As what it is read by its id; none for what is only ever listed.
    const KIND: Option<ObjectKind>;

    /// What is known of the list; none while it was not read.
    fn list(snapshot: &Snapshot) -> Option<&Collection<Self>>;

    /// The same, to be changed.
    fn list_mut(snapshot: &mut Snapshot) -> Option<&mut Collection<Self>>;
}

/// A list, whatever is in it.
pub(super) trait List {
    fn outline(&self) -> Outline;
    fn has(&self, id: &str) -> bool;
    fn was_removed(&self, id: &str) -> bool;
    /// Notes that an object is there which the newest reading, if it showed everything, did not show.
    fn not_listed(&mut self, id: &str);
}

impl<T: Identified> List for Collection<T> {
    fn outline(&self) -> Outline {
        Outline {
            read_at: self.read_at,
            unlisted: self.unlisted.len(),
            contradictions: self.contradictions,
        }
    }

    fn has(&self, id: &str) -> bool {
        self.get(id).is_some()
    }

    fn was_removed(&self, id: &str) -> bool {
        self.was_removed(id)
    }

    fn not_listed(&mut self, id: &str) {
        if self.complete {
            self.unlisted.insert(id.to_owned());
        }
    }
}

macro_rules! listed {
    ($($list:ident: $kind:ident of $object:ident, $by_id:expr;)+) => {
        $(impl Listed for $object {
            const KIND: Option<ObjectKind> = $by_id;

            fn list(snapshot: &Snapshot) -> Option<&Collection<Self>> {
                snapshot.$list.as_ref()
            }

            fn list_mut(snapshot: &mut Snapshot) -> Option<&mut Collection<Self>> {
                snapshot.$list.as_mut()
            }
        })+

        impl Snapshot {
            pub(super) fn list(&self, kind: CollectionKind) -> Option<&dyn List> {
                match kind {
                    $(CollectionKind::$kind => Some(self.$list.as_ref()?),)+
                    CollectionKind::Unsubscribed => Some(self.unsubscribed.as_ref()?),
                    CollectionKind::Page | CollectionKind::SubscriberCounts | CollectionKind::StatusEmbed => None,
                }
            }

            pub(super) fn list_mut(&mut self, kind: CollectionKind) -> Option<&mut dyn List> {
                match kind {
                    $(CollectionKind::$kind => Some(self.$list.as_mut()?),)+
                    CollectionKind::Unsubscribed => Some(self.unsubscribed.as_mut()?),
                    CollectionKind::Page | CollectionKind::SubscriberCounts | CollectionKind::StatusEmbed => None,
                }
            }

            /// Forgets a part, so that it has to be read again.
            pub fn forget(&mut self, kind: CollectionKind) {
                match kind {
                    $(CollectionKind::$kind => self.$list = None,)+
                    CollectionKind::Unsubscribed => self.unsubscribed = None,
                    CollectionKind::Page => self.page = None,
                    CollectionKind::SubscriberCounts => self.subscriber_counts = None,
                    CollectionKind::StatusEmbed => self.status_embed = None,
                }
                match kind {
                    CollectionKind::Incidents => self.incident_subscribers.clear(),
                    CollectionKind::PageAccessUsers => {
                        self.user_components.clear();
                        self.user_metrics.clear();
                    }
                    CollectionKind::OrganizationUsers => self.permissions.clear(),
                    _ => {}
                }
            }
        }
    };
}

listed! {
    components: Components of Component, Some(ObjectKind::Component);
    incidents: Incidents of Incident, Some(ObjectKind::Incident);
    metrics_providers: MetricsProviders of MetricsProvider, Some(ObjectKind::MetricsProvider);
    metrics: Metrics of Metric, Some(ObjectKind::Metric);
    subscribers: Subscribers of Subscriber, Some(ObjectKind::Subscriber);
    incident_templates: IncidentTemplates of IncidentTemplate, None;
    page_access_users: PageAccessUsers of PageAccessUser, Some(ObjectKind::PageAccessUser);
    page_access_groups: PageAccessGroups of PageAccessGroup, Some(ObjectKind::PageAccessGroup);
    organization_users: OrganizationUsers of OrganizationUser, None;
}

impl Snapshot {
    /// The object with this id, as its list or what is known better shows it.
    #[must_use]
    pub fn get<T: Listed>(&self, id: &str) -> Option<&T> {
        T::list(self)?.get(id)
    }

    /// How a list stands, whatever is in it.
    #[must_use]
    pub fn outline(&self, kind: CollectionKind) -> Option<Outline> {
        self.list(kind).map(List::outline)
    }

    /// Whether a part was read.
    #[must_use]
    pub fn has(&self, kind: CollectionKind) -> bool {
        match kind {
            CollectionKind::Page => self.page.is_some(),
            _ => self.read_at(kind).is_some(),
        }
    }

    /// When the reading of a list began; none for the settings and for what was never read.
    #[must_use]
    pub fn read_at(&self, kind: CollectionKind) -> Option<Timestamp> {
        match kind {
            CollectionKind::SubscriberCounts => self.subscriber_counts.as_ref().map(|counts| counts.read_at),
            CollectionKind::StatusEmbed => self.status_embed.as_ref().map(|embed| embed.read_at),
            _ => self.outline(kind).map(|outline| outline.read_at),
        }
    }
}
