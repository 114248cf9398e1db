//! What is known of a page: list replies, and the effects of own writes since.
//!
//! Pure: reading is in another module. `collection` is what is known of one list, `examined` what reading single objects
//! has shown, `writes` and `access` fold own writes in.

mod access;
mod again;
mod collection;
mod examined;
mod items;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

pub use again::Addressed;
pub use collection::{Collection, Lag, SPACING, Vanished, spaced_since};
pub use examined::{Examined, Missing, Object, ObjectKind};
pub use items::Items;

use super::operations::IncidentView;
use super::types::{
    Component, Incident, IncidentTemplate, Metric, MetricsProvider, OrganizationUser, Page, PageAccessGroup,
    PageAccessUser, Permissions, StatusEmbedConfig, Subscriber, SubscriberHistogram, Uptime,
};

/// The parts of a page that are read separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CollectionKind {
    /// The settings.
    Page,
    /// Components and component groups.
    Components,
    /// Incidents with their updates and postmortems.
    Incidents,
    /// Metrics providers.
    MetricsProviders,
    /// Metrics of all providers.
    Metrics,
    /// Subscribers in every state.
    Subscribers,
    /// Those who have unsubscribed.
    Unsubscribed,
    /// Numbers of subscribers by type and state.
    SubscriberCounts,
    /// Incident templates.
    IncidentTemplates,
    /// Page access users.
    PageAccessUsers,
    /// Page access groups, with what is granted to them.
    PageAccessGroups,
    /// The status embed configuration.
    StatusEmbed,
    /// Members of the organization.
    OrganizationUsers,
}

impl CollectionKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Page,
        Self::Components,
        Self::Incidents,
        Self::MetricsProviders,
        Self::Metrics,
        Self::Subscribers,
        Self::Unsubscribed,
        Self::SubscriberCounts,
        Self::IncidentTemplates,
        Self::PageAccessUsers,
        Self::PageAccessGroups,
        Self::StatusEmbed,
        Self::OrganizationUsers,
    ];

    /// True when every page has this part, so that "not found" means that the page itself is not there. The others
    /// depend on the plan, on the kind of the page or on the organization.
    #[must_use]
    pub fn is_on_every_page(self) -> bool {
        match self {
            Self::Page
            | Self::Components
            | Self::Incidents
            | Self::MetricsProviders
            | Self::Metrics
            | Self::Subscribers => true,
            Self::Unsubscribed
            | Self::SubscriberCounts
            | Self::IncidentTemplates
            | Self::PageAccessUsers
            | Self::PageAccessGroups
            | Self::StatusEmbed
            | Self::OrganizationUsers => false,
        }
    }
}

/// How a list stands, whatever is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// When the newest reading began.
    pub read_at: Timestamp,
    /// How many objects are known to be there that it did not show.
    pub unlisted: usize,
    /// How many readings before it in a row did not show what is there.
    pub contradictions: u32,
}

/// A selection of objects that the service makes, in the place of a list that is too long or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Search {
    /// Incidents with these words in their name or texts, however old.
    Incidents(String),
    /// Incidents in some state.
    IncidentView(IncidentView),
    /// Subscribers with these words in their address, in every state.
    Subscribers(String),
}

impl Search {
    /// The list that it stands in for.
    #[must_use]
    pub fn collection(&self) -> CollectionKind {
        match self {
            Self::Incidents(_) | Self::IncidentView(_) => CollectionKind::Incidents,
            Self::Subscribers(_) => CollectionKind::Subscribers,
        }
    }
}

/// One thing as it was when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated<T> {
    /// The thing.
    pub value: T,
    /// When the reading began.
    pub read_at: Timestamp,
}

/// What one reading has brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The settings.
    Page(Box<Page>),
    /// Components and component groups.
    Components(Collection<Component>),
    /// Incidents, newest first.
    Incidents(Collection<Incident>),
    /// Metrics providers.
    MetricsProviders(Collection<MetricsProvider>),
    /// Metrics.
    Metrics(Collection<Metric>),
    /// Subscribers.
    Subscribers(Collection<Subscriber>),
    /// Those who have unsubscribed.
    Unsubscribed(Collection<Subscriber>),
    /// Numbers of subscribers.
    SubscriberCounts(Dated<SubscriberHistogram>),
    /// Incident templates.
    IncidentTemplates(Collection<IncidentTemplate>),
    /// Page access users.
    PageAccessUsers(Collection<PageAccessUser>),
    /// Page access groups.
    PageAccessGroups(Collection<PageAccessGroup>),
    /// The status embed configuration.
    StatusEmbed(Dated<StatusEmbedConfig>),
    /// Members of the organization.
    OrganizationUsers(Collection<OrganizationUser>),
}

impl Reading {
    /// The part that was read.
    #[must_use]
    pub fn kind(&self) -> CollectionKind {
        match self {
            Reading::Page(_) => CollectionKind::Page,
            Reading::Components(_) => CollectionKind::Components,
            Reading::Incidents(_) => CollectionKind::Incidents,
            Reading::MetricsProviders(_) => CollectionKind::MetricsProviders,
            Reading::Metrics(_) => CollectionKind::Metrics,
            Reading::Subscribers(_) => CollectionKind::Subscribers,
            Reading::Unsubscribed(_) => CollectionKind::Unsubscribed,
            Reading::SubscriberCounts(_) => CollectionKind::SubscriberCounts,
            Reading::IncidentTemplates(_) => CollectionKind::IncidentTemplates,
            Reading::PageAccessUsers(_) => CollectionKind::PageAccessUsers,
            Reading::PageAccessGroups(_) => CollectionKind::PageAccessGroups,
            Reading::StatusEmbed(_) => CollectionKind::StatusEmbed,
            Reading::OrganizationUsers(_) => CollectionKind::OrganizationUsers,
        }
    }

    /// The same reading with another time of its begin, for callers with a clock of their own.
    #[must_use]
    pub fn begun_at(mut self, at: Timestamp) -> Self {
        match &mut self {
            Reading::Page(_) => {}
            Reading::Components(read) => read.begun_at(at),
            Reading::Incidents(read) => read.begun_at(at),
            Reading::MetricsProviders(read) => read.begun_at(at),
            Reading::Metrics(read) => read.begun_at(at),
            Reading::Subscribers(read) => read.begun_at(at),
            Reading::Unsubscribed(read) => read.begun_at(at),
            Reading::SubscriberCounts(read) => read.read_at = at,
            Reading::IncidentTemplates(read) => read.begun_at(at),
            Reading::PageAccessUsers(read) => read.begun_at(at),
            Reading::PageAccessGroups(read) => read.begun_at(at),
            Reading::StatusEmbed(read) => read.read_at = at,
            Reading::OrganizationUsers(read) => read.begun_at(at),
        }
        self
    }
}

/// What is known of a page. A part that was never read is absent, and stays so whatever is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The settings.
    pub page: Option<Page>,
    /// Components, and a row with `group: true` for each component group.
    pub components: Option<Collection<Component>>,
    /// Incidents, newest first.
    pub incidents: Option<Collection<Incident>>,
    /// Metrics providers.
    pub metrics_providers: Option<Collection<MetricsProvider>>,
    /// Metrics.
    pub metrics: Option<Collection<Metric>>,
    /// Subscribers.
    pub subscribers: Option<Collection<Subscriber>>,
    /// Those who have unsubscribed.
    pub unsubscribed: Option<Collection<Subscriber>>,
    /// Numbers of subscribers.
    pub subscriber_counts: Option<Dated<SubscriberHistogram>>,
    /// Incident templates.
    pub incident_templates: Option<Collection<IncidentTemplate>>,
    /// Page access users.
    pub page_access_users: Option<Collection<PageAccessUser>>,
    /// Page access groups.
    pub page_access_groups: Option<Collection<PageAccessGroup>>,
    /// The status embed configuration.
    pub status_embed: Option<Dated<StatusEmbedConfig>>,
    /// Members of the organization.
    pub organization_users: Option<Collection<OrganizationUser>>,
    /// What members of the organization may do, by their id; each is read on its own.
    pub permissions: BTreeMap<String, Dated<Permissions>>,
    /// Ids of the components that page access users may see beside those of their groups, by the user's id.
    pub user_components: BTreeMap<String, Dated<Vec<String>>>,
    /// Ids of the metrics that page access users may see beside those of their groups, by the user's id.
    pub user_metrics: BTreeMap<String, Dated<Vec<String>>>,
    /// Who subscribed to one incident alone, by the incident's id; each is read on its own.
    pub incident_subscribers: BTreeMap<String, Dated<Vec<Subscriber>>>,
    /// Uptimes by the id of the component or component group, none where the page shows none; each is read on its own.
    pub uptimes: BTreeMap<String, Dated<Option<Uptime>>>,
    /// When searches began that were read to their end, oldest first.
    pub searches: BTreeMap<Search, Vec<Timestamp>>,
    /// Members of component groups, each read on its own.
    pub group_members: BTreeMap<String, Dated<Vec<String>>>,
    /// What reading single objects by their ids has shown.
    pub examined: BTreeMap<ObjectKind, BTreeMap<String, Examined>>,
    /// How far lists may be behind.
    pub lag: Lag,
    /// When the request began whose reply is folded in.
    pub time: Timestamp,
}

impl Snapshot {
    /// Takes what was read. What is known better than by a list that may lag is kept: see [`Collection`].
    pub fn store(&mut self, reading: Reading) {
        let Lag { lists: lag, incidents } = self.lag;
        let kind = reading.kind();
        match reading {
            Reading::Page(page) => self.page = Some(*page),
            Reading::Components(read) => self.components = Some(read.after(self.components.take(), lag)),
            Reading::Incidents(read) => self.incidents = Some(read.after(self.incidents.take(), incidents)),
            Reading::MetricsProviders(read) => {
                self.metrics_providers = Some(read.after(self.metrics_providers.take(), lag))
            }
            Reading::Metrics(read) => self.metrics = Some(read.after(self.metrics.take(), lag)),
            Reading::Subscribers(read) => self.subscribers = Some(read.after(self.subscribers.take(), lag)),
            Reading::Unsubscribed(read) => self.unsubscribed = Some(read.after(self.unsubscribed.take(), lag)),
            Reading::SubscriberCounts(read) => self.subscriber_counts = Some(read),
            Reading::IncidentTemplates(read) => {
                self.incident_templates = Some(read.after(self.incident_templates.take(), lag))
            }
            Reading::PageAccessUsers(read) => {
                self.page_access_users = Some(read.after(self.page_access_users.take(), lag))
            }
            Reading::PageAccessGroups(read) => {
                self.page_access_groups = Some(read.after(self.page_access_groups.take(), lag))
            }
            Reading::StatusEmbed(read) => self.status_embed = Some(read),
            Reading::OrganizationUsers(read) => {
                self.organization_users = Some(read.after(self.organization_users.take(), lag))
            }
        }
        self.not_missing_in(kind);
    }

    /// Whether a part was read.
    #[must_use]
    pub fn has(&self, kind: CollectionKind) -> bool {
        match kind {
            CollectionKind::Page => self.page.is_some(),
            CollectionKind::Components => self.components.is_some(),
            CollectionKind::Incidents => self.incidents.is_some(),
            CollectionKind::MetricsProviders => self.metrics_providers.is_some(),
            CollectionKind::Metrics => self.metrics.is_some(),
            CollectionKind::Subscribers => self.subscribers.is_some(),
            CollectionKind::Unsubscribed => self.unsubscribed.is_some(),
            CollectionKind::SubscriberCounts => self.subscriber_counts.is_some(),
            CollectionKind::IncidentTemplates => self.incident_templates.is_some(),
            CollectionKind::PageAccessUsers => self.page_access_users.is_some(),
            CollectionKind::PageAccessGroups => self.page_access_groups.is_some(),
            CollectionKind::StatusEmbed => self.status_embed.is_some(),
            CollectionKind::OrganizationUsers => self.organization_users.is_some(),
        }
    }

    /// When the reading of a list began; none for the settings and for what was never read.
    #[must_use]
    pub fn read_at(&self, kind: CollectionKind) -> Option<Timestamp> {
        match kind {
            CollectionKind::Page => None,
            CollectionKind::Components => self.components.as_ref().map(|list| list.read_at),
            CollectionKind::Incidents => self.incidents.as_ref().map(|list| list.read_at),
            CollectionKind::MetricsProviders => self.metrics_providers.as_ref().map(|list| list.read_at),
            CollectionKind::Metrics => self.metrics.as_ref().map(|list| list.read_at),
            CollectionKind::Subscribers => self.subscribers.as_ref().map(|list| list.read_at),
            CollectionKind::Unsubscribed => self.unsubscribed.as_ref().map(|list| list.read_at),
            CollectionKind::SubscriberCounts => self.subscriber_counts.as_ref().map(|counts| counts.read_at),
            CollectionKind::IncidentTemplates => self.incident_templates.as_ref().map(|list| list.read_at),
            CollectionKind::PageAccessUsers => self.page_access_users.as_ref().map(|list| list.read_at),
            CollectionKind::PageAccessGroups => self.page_access_groups.as_ref().map(|list| list.read_at),
            CollectionKind::StatusEmbed => self.status_embed.as_ref().map(|embed| embed.read_at),
            CollectionKind::OrganizationUsers => self.organization_users.as_ref().map(|list| list.read_at),
        }
    }

    /// Forgets a part, so that it has to be read again.
    pub fn forget(&mut self, kind: CollectionKind) {
        match kind {
            CollectionKind::Page => self.page = None,
            CollectionKind::Components => self.components = None,
            CollectionKind::Incidents => {
                self.incidents = None;
                self.incident_subscribers.clear();
            }
            CollectionKind::MetricsProviders => self.metrics_providers = None,
            CollectionKind::Metrics => self.metrics = None,
            CollectionKind::Subscribers => self.subscribers = None,
            CollectionKind::Unsubscribed => self.unsubscribed = None,
            CollectionKind::SubscriberCounts => self.subscriber_counts = None,
            CollectionKind::IncidentTemplates => self.incident_templates = None,
            CollectionKind::PageAccessUsers => {
                self.page_access_users = None;
                self.user_components.clear();
                self.user_metrics.clear();
            }
            CollectionKind::PageAccessGroups => self.page_access_groups = None,
            CollectionKind::StatusEmbed => self.status_embed = None,
            CollectionKind::OrganizationUsers => {
                self.organization_users = None;
                self.permissions.clear();
            }
        }
    }

    /// How a list stands, whatever is in it.
    #[must_use]
    pub fn outline(&self, kind: CollectionKind) -> Option<Outline> {
        fn of<T>(list: Option<&Collection<T>>) -> Option<Outline> {
            list.map(|list| Outline {
                read_at: list.read_at,
                unlisted: list.unlisted.len(),
                contradictions: list.contradictions,
            })
        }
        match kind {
            CollectionKind::Page | CollectionKind::SubscriberCounts | CollectionKind::StatusEmbed => None,
            CollectionKind::Components => of(self.components.as_ref()),
            CollectionKind::Incidents => of(self.incidents.as_ref()),
            CollectionKind::MetricsProviders => of(self.metrics_providers.as_ref()),
            CollectionKind::Metrics => of(self.metrics.as_ref()),
            CollectionKind::Subscribers => of(self.subscribers.as_ref()),
            CollectionKind::Unsubscribed => of(self.unsubscribed.as_ref()),
            CollectionKind::IncidentTemplates => of(self.incident_templates.as_ref()),
            CollectionKind::PageAccessUsers => of(self.page_access_users.as_ref()),
            CollectionKind::PageAccessGroups => of(self.page_access_groups.as_ref()),
            CollectionKind::OrganizationUsers => of(self.organization_users.as_ref()),
        }
    }

    /// How far a list may be behind.
    #[must_use]
    pub fn lag_of(&self, kind: CollectionKind) -> Duration {
        match kind {
            CollectionKind::Incidents => self.lag.incidents,
            _ => self.lag.lists,
        }
    }

    /// A search of a list was read to its end.
    pub fn searched(&mut self, search: Search, began: Timestamp) {
        let looks = self.searches.entry(search).or_default();
        *looks = collection::thinned(std::mem::take(looks).into_iter().chain([began]).collect());
    }
}
