//! What is known of a page: list replies, and the effects of own writes since.
//!
//! Pure: reading is in another module. `collection` is what is known of one list, `examined` what reading single objects
//! has shown, `listed` says which list is where, `writes` and `access` fold own writes in.

mod access;
mod again;
mod collection;
#[cfg(test)]
mod collection_tests;
mod examined;
mod items;
mod listed;
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
pub use listed::{Listed, Reading};
pub use writes::Written;

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

impl<T: Clone> Dated<T> {
    fn read_again(&self, read_at: Timestamp) -> Self {
        let value = self.value.clone();
        Dated { value, read_at }
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
