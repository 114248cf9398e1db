//! What is known of a page: list replies, and the effects of own writes since.
//!
//! Pure: reading is in the next module. Each write is folded in by the entity that its reply brought, together with
//! what the service does on the side, so that nothing has to be read again after a write.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::types::{
    Component, ComponentGroup, Identified, Incident, IncidentTemplate, IncidentUpdate, Metric, MetricsProvider,
    OrganizationUser, Page, PageAccessGroup, PageAccessUser, Permissions, Postmortem, StatusEmbedConfig, Subscriber,
    SubscriberHistogram, Uptime,
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

/// One thing as it was when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated<T> {
    /// The thing.
    pub value: T,
    /// When the reading began.
    pub read_at: Timestamp,
}

/// Objects of one kind as they were when they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection<T> {
    /// The objects.
    pub items: Vec<T>,
    /// When the reading began.
    pub read_at: Timestamp,
    /// Whether these are all that there are; nothing can be called absent otherwise.
    pub complete: bool,
}

impl<T: Identified> Collection<T> {
    /// The object with an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&T> {
        self.items.iter().find(|item| item.id() == id)
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.items.iter_mut().find(|item| item.id() == id)
    }

    /// Replaces an object, or says where it would have to go by giving it back.
    fn replace(&mut self, item: T) -> Result<(), T> {
        match self.get_mut(item.id()) {
            Some(known) => {
                *known = item;
                Ok(())
            }
            None => Err(item),
        }
    }

    fn put_last(&mut self, item: T) {
        if let Err(item) = self.replace(item) {
            self.items.push(item);
        }
    }

    fn put_first(&mut self, item: T) {
        if let Err(item) = self.replace(item) {
            self.items.insert(0, item);
        }
    }

    fn remove(&mut self, id: &str) {
        self.items.retain(|item| item.id() != id);
    }
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
    /// The same reading with another time of its begin, for callers with a clock of their own.
    #[must_use]
    pub fn begun_at(mut self, at: Timestamp) -> Self {
        match &mut self {
            Reading::Page(_) => {}
            Reading::Components(read) => read.read_at = at,
            Reading::Incidents(read) => read.read_at = at,
            Reading::MetricsProviders(read) => read.read_at = at,
            Reading::Metrics(read) => read.read_at = at,
            Reading::Subscribers(read) => read.read_at = at,
            Reading::Unsubscribed(read) => read.read_at = at,
            Reading::SubscriberCounts(read) => read.read_at = at,
            Reading::IncidentTemplates(read) => read.read_at = at,
            Reading::PageAccessUsers(read) => read.read_at = at,
            Reading::PageAccessGroups(read) => read.read_at = at,
            Reading::StatusEmbed(read) => read.read_at = at,
            Reading::OrganizationUsers(read) => read.read_at = at,
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
}

impl Snapshot {
    /// Replaces a part by what was read. A reading that began before an own write must not be stored after it.
    pub fn store(&mut self, reading: Reading) {
        match reading {
            Reading::Page(page) => self.page = Some(*page),
            Reading::Components(read) => self.components = Some(read),
            Reading::Incidents(read) => self.incidents = Some(read),
            Reading::MetricsProviders(read) => self.metrics_providers = Some(read),
            Reading::Metrics(read) => self.metrics = Some(read),
            Reading::Subscribers(read) => self.subscribers = Some(read),
            Reading::Unsubscribed(read) => self.unsubscribed = Some(read),
            Reading::SubscriberCounts(read) => self.subscriber_counts = Some(read),
            Reading::IncidentTemplates(read) => self.incident_templates = Some(read),
            Reading::PageAccessUsers(read) => self.page_access_users = Some(read),
            Reading::PageAccessGroups(read) => self.page_access_groups = Some(read),
            Reading::StatusEmbed(read) => self.status_embed = Some(read),
            Reading::OrganizationUsers(read) => self.organization_users = Some(read),
        }
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

    /// The settings were changed.
    pub fn put_page(&mut self, page: Page) {
        if self.page.is_some() {
            self.page = Some(page);
        }
    }

    /// A component was created or changed. The group that it left is gone if it was the last member.
    pub fn put_component(&mut self, component: Component) {
        let Some(components) = &mut self.components else {
            return;
        };
        let left = components
            .get(&component.id)
            .and_then(|known| known.group_id.clone())
            .filter(|left| component.group_id.as_ref() != Some(left));
        components.put_last(component);
        if let Some(left) = left {
            drop_if_empty(components, &left);
        }
    }

    /// A component was removed. Its group is gone if it was the last member.
    pub fn remove_component(&mut self, id: &str) {
        for group in self.page_access_groups.iter_mut().flat_map(|groups| &mut groups.items) {
            group.component_ids.retain(|component| component != id);
        }
        for granted in self.user_components.values_mut() {
            granted.value.retain(|component| component != id);
        }
        let Some(components) = &mut self.components else {
            return;
        };
        let left = components.get(id).and_then(|component| component.group_id.clone());
        components.remove(id);
        if let Some(left) = left {
            drop_if_empty(components, &left);
        }
    }

    /// A component group was created or changed: its members are exactly the given ones.
    pub fn put_component_group(&mut self, group: ComponentGroup) {
        let Some(components) = &mut self.components else {
            return;
        };
        let mut left = Vec::new();
        for component in components.items.iter_mut().filter(|row| !row.group) {
            let inside = component.group_id.as_deref() == Some(group.id.as_str());
            if group.components.contains(&component.id) {
                if !inside {
                    left.extend(component.group_id.replace(group.id.clone()));
                }
            } else if inside {
                component.group_id = None;
            }
        }
        let known = components.get(&group.id).cloned().unwrap_or_default();
        components.put_last(Component {
            id: group.id,
            group: true,
            group_id: None,
            name: group.name,
            description: group.description,
            page_id: group.page_id.or(known.page_id),
            position: group.position.or(known.position),
            created_at: group.created_at.or(known.created_at),
            updated_at: group.updated_at.or(known.updated_at),
            ..known
        });
        for group in left {
            drop_if_empty(components, &group);
        }
    }

    /// A component group was removed: its members are without a group.
    pub fn remove_component_group(&mut self, id: &str) {
        let Some(components) = &mut self.components else {
            return;
        };
        components.remove(id);
        for component in &mut components.items {
            if component.group_id.as_deref() == Some(id) {
                component.group_id = None;
            }
        }
    }

    /// An incident was created or changed. Its components carry the states that it gave them.
    pub fn put_incident(&mut self, incident: Incident) {
        if let Some(components) = &mut self.components {
            for affected in &incident.components {
                if let (Some(component), Some(status)) = (components.get_mut(&affected.id), &affected.status) {
                    component.status = Some(status.clone());
                    component.updated_at = affected.updated_at.or(component.updated_at);
                }
            }
        }
        if let Some(incidents) = &mut self.incidents {
            incidents.put_first(incident);
        }
    }

    /// Adds incidents that were read in another way, such as open ones that the newest page no longer shows.
    pub fn merge_incidents(&mut self, read: Vec<Incident>) {
        if let Some(incidents) = &mut self.incidents {
            for incident in read {
                incidents.put_last(incident);
            }
        }
    }

    /// An incident was removed.
    pub fn remove_incident(&mut self, id: &str) {
        if let Some(incidents) = &mut self.incidents {
            incidents.remove(id);
        }
    }

    /// A published update was corrected.
    pub fn put_incident_update(&mut self, incident: &str, update: IncidentUpdate) {
        let Some(incident) = self.incident_mut(incident) else {
            return;
        };
        let updates = &mut incident.incident_updates;
        match updates.iter_mut().find(|known| known.id == update.id) {
            Some(known) => *known = update,
            None => updates.insert(0, update),
        }
    }

    /// The postmortem of an incident was changed, published or taken back.
    pub fn put_postmortem(&mut self, incident: &str, postmortem: &Postmortem) {
        if let Some(incident) = self.incident_mut(incident) {
            incident.postmortem_published_at = postmortem.published_at;
            incident.postmortem_body.clone_from(&postmortem.body);
            incident.postmortem_body_last_updated_at = postmortem.body_updated_at;
        }
    }

    /// The postmortem of an incident was removed.
    pub fn remove_postmortem(&mut self, incident: &str) {
        self.put_postmortem(incident, &Postmortem::default());
    }

    /// A metrics provider was created or changed.
    pub fn put_metrics_provider(&mut self, provider: MetricsProvider) {
        if let Some(providers) = &mut self.metrics_providers {
            providers.put_last(provider);
        }
    }

    /// A metrics provider was removed, and its metrics with it.
    pub fn remove_metrics_provider(&mut self, id: &str) {
        if let Some(providers) = &mut self.metrics_providers {
            providers.remove(id);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics
                .items
                .retain(|metric| metric.metrics_provider_id.as_deref() != Some(id));
        }
    }

    /// A metric was created or changed.
    pub fn put_metric(&mut self, metric: Metric) {
        if let Some(metrics) = &mut self.metrics {
            metrics.put_last(metric);
        }
    }

    /// A metric was removed.
    pub fn remove_metric(&mut self, id: &str) {
        for group in self.page_access_groups.iter_mut().flat_map(|groups| &mut groups.items) {
            group.metric_ids.retain(|metric| metric != id);
        }
        for granted in self.user_metrics.values_mut() {
            granted.value.retain(|metric| metric != id);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.remove(id);
        }
    }

    /// A subscriber was created or changed.
    pub fn put_subscriber(&mut self, subscriber: Subscriber) {
        if let Some(subscribers) = &mut self.subscribers {
            subscribers.put_last(subscriber);
        }
    }

    /// A subscriber was removed.
    pub fn remove_subscriber(&mut self, id: &str) {
        if let Some(subscribers) = &mut self.subscribers {
            subscribers.remove(id);
        }
    }

    fn incident_mut(&mut self, id: &str) -> Option<&mut Incident> {
        self.incidents.as_mut()?.get_mut(id)
    }
}

/// The service keeps no group without members.
fn drop_if_empty(components: &mut Collection<Component>, group: &str) {
    let has_members = components
        .items
        .iter()
        .any(|component| component.group_id.as_deref() == Some(group));
    if !has_members {
        components.remove(group);
    }
}

mod access;
#[cfg(test)]
mod tests;
