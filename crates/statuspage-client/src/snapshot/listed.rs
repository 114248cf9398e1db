//! The lists of a page, in one table: which field of the snapshot holds which. And what is asked of every one, whatever is
//! in it.

use jiff::Timestamp;

use super::{Collection, CollectionKind, Dated, ObjectKind, Outline, Snapshot};
use crate::types::{
    Component, Identified, Incident, IncidentTemplate, Metric, MetricsProvider, OrganizationUser, Page,
    PageAccessGroup, PageAccessUser, StatusEmbedConfig, Subscriber, SubscriberHistogram,
};

/// An object that has a list of its own.
pub trait Listed: Identified + Sized {
    /// Which list that is.
    const LIST: CollectionKind;
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

/// Makes everything that there is once per list. A list that shows objects of another one says nothing of reading by id.
macro_rules! lists {
    ($($(#[$doc:meta])* $list:ident: $kind:ident of $object:ident $(, read by its id as $by_id:expr)?;)+) => {
        $($(impl Listed for $object {
            const LIST: CollectionKind = CollectionKind::$kind;
            const KIND: Option<ObjectKind> = $by_id;

            fn list(snapshot: &Snapshot) -> Option<&Collection<Self>> {
                snapshot.$list.as_ref()
            }

            fn list_mut(snapshot: &mut Snapshot) -> Option<&mut Collection<Self>> {
                snapshot.$list.as_mut()
            }
        })?)+

        /// What one reading has brought.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Reading {
            /// The settings.
            Page(Box<Page>),
            $($(#[$doc])* $kind(Collection<$object>),)+
            /// Numbers of subscribers.
            SubscriberCounts(Dated<SubscriberHistogram>),
            /// The status embed configuration.
            StatusEmbed(Dated<StatusEmbedConfig>),
        }

        impl Reading {
            /// The part that was read.
            #[must_use]
            pub fn kind(&self) -> CollectionKind {
                match self {
                    Reading::Page(_) => CollectionKind::Page,
                    $(Reading::$kind(_) => CollectionKind::$kind,)+
                    Reading::SubscriberCounts(_) => CollectionKind::SubscriberCounts,
                    Reading::StatusEmbed(_) => CollectionKind::StatusEmbed,
                }
            }
        }

        impl Snapshot {
            /// Takes what was read. What is known better than by a list that may lag is kept: see [`Collection`].
            pub fn store(&mut self, reading: Reading) {
                let kind = reading.kind();
                let lag = self.lag_of(kind);
                match reading {
                    Reading::Page(page) => self.page = Some(*page),
                    $(Reading::$kind(read) => self.$list = Some(read.after(self.$list.take(), lag)),)+
                    Reading::SubscriberCounts(read) => self.subscriber_counts = Some(read),
                    Reading::StatusEmbed(read) => self.status_embed = Some(read),
                }
                self.not_missing_in(kind);
            }

            /// What reading a part again would bring if the page is as it is known here; none for what was never read.
            #[must_use]
            pub fn read_again(&self, kind: CollectionKind, began: Timestamp) -> Option<Reading> {
                Some(match kind {
                    CollectionKind::Page => Reading::Page(Box::new(self.page.clone()?)),
                    $(CollectionKind::$kind => Reading::$kind(self.$list.as_ref()?.read_again(began)),)+
                    CollectionKind::SubscriberCounts => {
                        Reading::SubscriberCounts(self.subscriber_counts.as_ref()?.read_again(began))
                    }
                    CollectionKind::StatusEmbed => Reading::StatusEmbed(self.status_embed.as_ref()?.read_again(began)),
                })
            }

            /// Forgets a part, so that it has to be read again.
            pub fn forget(&mut self, kind: CollectionKind) {
                match kind {
                    CollectionKind::Page => self.page = None,
                    $(CollectionKind::$kind => self.$list = None,)+
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

            pub(super) fn list(&self, kind: CollectionKind) -> Option<&dyn List> {
                match kind {
                    $(CollectionKind::$kind => Some(self.$list.as_ref()?),)+
                    CollectionKind::Page | CollectionKind::SubscriberCounts | CollectionKind::StatusEmbed => None,
                }
            }

            pub(super) fn list_mut(&mut self, kind: CollectionKind) -> Option<&mut dyn List> {
                match kind {
                    $(CollectionKind::$kind => Some(self.$list.as_mut()?),)+
                    CollectionKind::Page | CollectionKind::SubscriberCounts | CollectionKind::StatusEmbed => None,
                }
            }
        }
    };
}

lists! {
    /// Components and component groups.
    components: Components of Component, read by its id as Some(ObjectKind::Component);
    /// Incidents, newest first.
    incidents: Incidents of Incident, read by its id as Some(ObjectKind::Incident);
    /// Metrics providers.
    metrics_providers: MetricsProviders of MetricsProvider, read by its id as Some(ObjectKind::MetricsProvider);
    /// Metrics.
    metrics: Metrics of Metric, read by its id as Some(ObjectKind::Metric);
    /// Subscribers.
    subscribers: Subscribers of Subscriber, read by its id as Some(ObjectKind::Subscriber);
    /// Those who have unsubscribed.
    unsubscribed: Unsubscribed of Subscriber;
    /// Incident templates.
    incident_templates: IncidentTemplates of IncidentTemplate, read by its id as None;
    /// Page access users.
    page_access_users: PageAccessUsers of PageAccessUser, read by its id as Some(ObjectKind::PageAccessUser);
    /// Page access groups.
    page_access_groups: PageAccessGroups of PageAccessGroup, read by its id as Some(ObjectKind::PageAccessGroup);
    /// Members of the organization.
    organization_users: OrganizationUsers of OrganizationUser, read by its id as None;
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
