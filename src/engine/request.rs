//! The remote writes that the engine can ask for.

use std::collections::BTreeMap;

use crate::statuspage::{
    CollectionKind, ComponentGroupWrite, ComponentWrite, IncidentTemplateWrite, IncidentUpdateWrite, IncidentWrite,
    MetricPoint, MetricWrite, MetricsProviderWrite, ObjectKind, OrganizationUserWrite, PageAccessGroupWrite,
    PageAccessUserWrite, PageWrite, Permissions, PostmortemPublish, PostmortemWrite, StatusEmbedConfigWrite,
    SubscriberWrite,
};

/// What visitors of the page will read because of a request, and whether subscribers are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Publication<'a> {
    /// The status that the incident has from then on.
    pub status: Option<&'a str>,
    /// The text.
    pub body: Option<&'a str>,
    /// True when subscribers are told.
    pub notifies: bool,
}

/// One remote write: exactly one HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Deletes the object with this id, and what the service deletes with it; a subscriber is told.
    Delete(ObjectKind, String),
    /// Unsubscribes the subscriber with this id and says nothing to it.
    DeleteSubscriberQuietly(String),
    /// Changes settings of the page.
    UpdatePage(Box<PageWrite>),
    /// Creates a component.
    CreateComponent(ComponentWrite),
    /// Changes the component with this id.
    UpdateComponent(String, ComponentWrite),
    /// Creates a group.
    CreateComponentGroup(ComponentGroupWrite),
    /// Changes the group with this id.
    UpdateComponentGroup(String, ComponentGroupWrite),
    /// Creates an incident, with its first update.
    CreateIncident(Box<IncidentWrite>),
    /// Changes the incident with this id; a body publishes an update.
    UpdateIncident(String, Box<IncidentWrite>),
    /// Corrects a published update: incident, update, change.
    UpdateIncidentUpdate(String, String, IncidentUpdateWrite),
    /// Stores the draft of the postmortem of this incident.
    WritePostmortem(String, PostmortemWrite),
    /// Publishes the postmortem of this incident.
    PublishPostmortem(String, PostmortemPublish),
    /// Takes the postmortem of this incident back into a draft.
    RevertPostmortem(String),
    /// Subscribes somebody to this incident alone.
    CreateIncidentSubscriber(String, Box<SubscriberWrite>),
    /// Unsubscribes somebody from this incident: incident, subscriber.
    DeleteIncidentSubscriber(String, String),
    /// Creates a provider.
    CreateMetricsProvider(Box<MetricsProviderWrite>),
    /// Changes the provider with this id.
    UpdateMetricsProvider(String, Box<MetricsProviderWrite>),
    /// Creates a metric under the provider with this id.
    CreateMetric(String, Box<MetricWrite>),
    /// Changes the metric with this id.
    UpdateMetric(String, Box<MetricWrite>),
    /// Sends data points, by metric id.
    SubmitMetricData(BTreeMap<String, Vec<MetricPoint>>),
    /// Removes all data points of the metric with this id.
    ResetMetricData(String),
    /// Creates a subscriber.
    CreateSubscriber(Box<SubscriberWrite>),
    /// Chooses what the subscriber with this id hears about; none is everything.
    UpdateSubscriber(String, Option<Vec<String>>),
    /// Asks the subscriber with this id to confirm once more.
    ResendConfirmation(String),
    /// Takes the subscriber with this id out of quarantine.
    ReactivateSubscriber(String),
    /// Changes how the status of the page looks inside other sites.
    UpdateStatusEmbed(Box<StatusEmbedConfigWrite>),
    /// Creates an incident template.
    CreateIncidentTemplate(Box<IncidentTemplateWrite>),
    /// Creates a page access user.
    CreatePageAccessUser(Box<PageAccessUserWrite>),
    /// Changes the page access user with this id.
    UpdatePageAccessUser(String, Box<PageAccessUserWrite>),
    /// Grants exactly these components to the page access user with this id, beside those of its groups.
    GrantComponents(String, Vec<String>),
    /// Grants exactly these metrics to the page access user with this id.
    GrantMetrics(String, Vec<String>),
    /// Creates a page access group.
    CreatePageAccessGroup(Box<PageAccessGroupWrite>),
    /// Changes the page access group with this id.
    UpdatePageAccessGroup(String, Box<PageAccessGroupWrite>),
    /// Creates a member of the page's organization.
    CreateOrganizationUser(Box<OrganizationUserWrite>),
    /// Deletes the member of the organization with this id.
    DeleteOrganizationUser(String),
    /// Sets what the member of the organization with this id may do, on all pages.
    SetPermissions(String, Permissions),
}

impl Request {
    /// What is published; none for what tells nobody anything.
    pub fn publication(&self) -> Option<Publication<'_>> {
        match self {
            Request::CreateIncident(write) | Request::UpdateIncident(_, write)
                if write.body.is_some() || write.status.is_some() =>
            {
                // The page tells subscribers unless it is asked not to.
                let notifies = write.deliver_notifications != Some(false) && write.backfilled != Some(true);
                Some(Publication {
                    status: write.status.as_ref().map(crate::statuspage::IncidentStatus::as_str),
                    body: write.body.as_deref(),
                    notifies,
                })
            }
            Request::UpdateIncidentUpdate(_, _, write) if write.body.is_some() => Some(Publication {
                status: None,
                body: write.body.as_deref(),
                notifies: false,
            }),
            Request::PublishPostmortem(_, publish) => Some(Publication {
                status: None,
                body: None,
                notifies: publish.notify_subscribers == Some(true),
            }),
            _ => None,
        }
    }

    /// The name that a creation sends, for objects that are recognised by their name.
    pub fn title(&self) -> Option<&str> {
        match self {
            Request::CreateComponent(write) => write.name.as_deref(),
            Request::CreateComponentGroup(write) => write.name.as_deref(),
            Request::CreateMetric(_, write) => write.name.as_deref(),
            _ => None,
        }
    }

    /// The method on the wire.
    pub fn method(&self) -> &'static str {
        use Request::*;
        match self {
            UpdatePage(_)
            | UpdateStatusEmbed(_)
            | UpdateComponent(..)
            | UpdateComponentGroup(..)
            | UpdateIncident(..)
            | UpdateIncidentUpdate(..)
            | UpdateMetricsProvider(..)
            | UpdateMetric(..)
            | UpdateSubscriber(..)
            | UpdatePageAccessUser(..)
            | UpdatePageAccessGroup(..) => "PATCH",
            WritePostmortem(..) | PublishPostmortem(..) | RevertPostmortem(_) | SetPermissions(..) => "PUT",
            Delete(..)
            | DeleteSubscriberQuietly(_)
            | DeleteOrganizationUser(_)
            | DeleteIncidentSubscriber(..)
            | ResetMetricData(_) => "DELETE",
            CreateComponent(_)
            | CreateComponentGroup(_)
            | CreateIncident(_)
            | CreateMetricsProvider(_)
            | CreateMetric(..)
            | SubmitMetricData(_)
            | CreateSubscriber(_)
            | CreateIncidentSubscriber(..)
            | ResendConfirmation(_)
            | ReactivateSubscriber(_)
            | CreateIncidentTemplate(_)
            | CreatePageAccessUser(_)
            | GrantComponents(..)
            | GrantMetrics(..)
            | CreatePageAccessGroup(_)
            | CreateOrganizationUser(_) => "POST",
        }
    }

    /// The other objects that a request names, as far as there are few: those whose absence would explain a refusal.
    pub fn references(&self) -> Vec<(ObjectKind, String)> {
        use Request::*;
        /// Of more than so many nobody can tell.
        const MOST: usize = 10;
        let of = |kind: ObjectKind, ids: &mut dyn Iterator<Item = &String>| -> Vec<(ObjectKind, String)> {
            ids.take(MOST).map(|id| (kind, id.clone())).collect()
        };
        match self {
            CreateComponent(write) | UpdateComponent(_, write) => {
                let group = write.group_id.as_ref().and_then(Option::as_ref);
                of(ObjectKind::ComponentGroup, &mut group.into_iter())
            }
            CreateComponentGroup(write) | UpdateComponentGroup(_, write) => {
                of(ObjectKind::Component, &mut write.components.iter().flatten())
            }
            CreateIncident(write) | UpdateIncident(_, write) => {
                let ids = write.component_ids.iter().flatten();
                let mapped = write.components.iter().flat_map(BTreeMap::keys);
                of(ObjectKind::Component, &mut ids.chain(mapped))
            }
            CreateMetric(provider, _) => vec![(ObjectKind::MetricsProvider, provider.clone())],
            CreateSubscriber(write) => of(ObjectKind::Component, &mut write.component_ids.iter().flatten()),
            UpdateSubscriber(_, components) => of(ObjectKind::Component, &mut components.iter().flatten()),
            CreateIncidentTemplate(write) => of(ObjectKind::Component, &mut write.component_ids.iter().flatten()),
            GrantComponents(_, ids) => of(ObjectKind::Component, &mut ids.iter()),
            GrantMetrics(_, ids) => of(ObjectKind::Metric, &mut ids.iter()),
            CreatePageAccessGroup(write) | UpdatePageAccessGroup(_, write) => {
                let mut named = of(ObjectKind::Component, &mut write.component_ids.iter().flatten());
                named.extend(of(ObjectKind::Metric, &mut write.metric_ids.iter().flatten()));
                named.extend(of(
                    ObjectKind::PageAccessUser,
                    &mut write.page_access_user_ids.iter().flatten(),
                ));
                named
            }
            _ => Vec::new(),
        }
    }

    /// The list that a request's object is in: what to read again when the outcome is not known.
    pub fn collection(&self) -> CollectionKind {
        use Request::*;
        match self {
            Delete(kind, _) => kind.collection(),
            UpdatePage(_) => CollectionKind::Page,
            UpdateStatusEmbed(_) => CollectionKind::StatusEmbed,
            CreateComponent(_) | UpdateComponent(..) | CreateComponentGroup(_) | UpdateComponentGroup(..) => {
                CollectionKind::Components
            }
            CreateIncident(_)
            | UpdateIncident(..)
            | UpdateIncidentUpdate(..)
            | WritePostmortem(..)
            | PublishPostmortem(..)
            | RevertPostmortem(_)
            | CreateIncidentSubscriber(..)
            | DeleteIncidentSubscriber(..) => CollectionKind::Incidents,
            CreateMetricsProvider(_) | UpdateMetricsProvider(..) => CollectionKind::MetricsProviders,
            CreateMetric(..) | UpdateMetric(..) | SubmitMetricData(_) | ResetMetricData(_) => CollectionKind::Metrics,
            CreateSubscriber(_)
            | UpdateSubscriber(..)
            | DeleteSubscriberQuietly(_)
            | ResendConfirmation(_)
            | ReactivateSubscriber(_) => CollectionKind::Subscribers,
            CreateIncidentTemplate(_) => CollectionKind::IncidentTemplates,
            CreatePageAccessUser(_) | UpdatePageAccessUser(..) | GrantComponents(..) | GrantMetrics(..) => {
                CollectionKind::PageAccessUsers
            }
            CreatePageAccessGroup(_) | UpdatePageAccessGroup(..) => CollectionKind::PageAccessGroups,
            CreateOrganizationUser(_) | DeleteOrganizationUser(_) | SetPermissions(..) => {
                CollectionKind::OrganizationUsers
            }
        }
    }
}
