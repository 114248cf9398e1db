//! Reads the parts of a snapshot, each with as few requests as the service allows.

use jiff::Timestamp;

use super::operations::{IncidentView, PageHandle, SubscriberQuery};
use super::types::{Identified, Incident, Permissions, Subscriber};
use super::{Collection, CollectionKind, Dated, Error, Listing, Object, ObjectKind, Reading};

fn collection<T: Identified>(read_at: Timestamp, listing: Listing<T>) -> Collection<T> {
    Collection::read(listing.items, read_at, listing.complete)
}

fn ids<T: Identified>(granted: Vec<T>, read_at: Timestamp) -> Dated<Vec<String>> {
    let value = granted.iter().map(|item| item.id().to_owned()).collect();
    Dated { value, read_at }
}

impl PageHandle {
    /// Reads one part of the page. Of incidents these are the newest 100: what is older is over, or among
    /// [`Self::read_open_incidents`].
    pub async fn read(&self, kind: CollectionKind) -> Result<Reading, Error> {
        let began = Timestamp::now();
        Ok(match kind {
            CollectionKind::Page => Reading::Page(Box::new(self.get().await?)),
            CollectionKind::Components => {
                let read = self.components().list().await?;
                Reading::Components(collection(began, read))
            }
            CollectionKind::Incidents => {
                let read = self.incidents().newest(1).await?;
                Reading::Incidents(collection(began, read))
            }
            CollectionKind::MetricsProviders => {
                let read = self.metrics_providers().list().await?;
                Reading::MetricsProviders(collection(began, read))
            }
            CollectionKind::Metrics => {
                let read = self.metrics().list().await?;
                Reading::Metrics(collection(began, read))
            }
            CollectionKind::Subscribers => {
                let read = self.subscribers().list(&SubscriberQuery::default()).await?;
                Reading::Subscribers(collection(began, read))
            }
            CollectionKind::Unsubscribed => {
                let read = self.subscribers().unsubscribed().await?;
                Reading::Unsubscribed(collection(began, read))
            }
            CollectionKind::SubscriberCounts => Reading::SubscriberCounts(Dated {
                value: self.subscribers().histogram().await?,
                read_at: began,
            }),
            CollectionKind::IncidentTemplates => {
                let read = self.incident_templates().list().await?;
                Reading::IncidentTemplates(collection(began, read))
            }
            CollectionKind::PageAccessUsers => {
                let read = self.page_access_users().list(None).await?;
                Reading::PageAccessUsers(collection(began, read))
            }
            CollectionKind::PageAccessGroups => {
                let read = self.page_access_groups().list().await?;
                Reading::PageAccessGroups(collection(began, read))
            }
            CollectionKind::StatusEmbed => Reading::StatusEmbed(Dated {
                value: self.status_embed_config().await?,
                read_at: began,
            }),
            CollectionKind::OrganizationUsers => {
                let read = self.own_organization()?.users().await?;
                Reading::OrganizationUsers(collection(began, read))
            }
        })
    }

    /// Reads one object by its id.
    pub async fn read_object(&self, kind: ObjectKind, id: &str) -> Result<Object, Error> {
        Ok(match kind {
            ObjectKind::Component => Object::Component(Box::new(self.components().get(id).await?)),
            ObjectKind::ComponentGroup => Object::ComponentGroup(Box::new(self.component_groups().get(id).await?)),
            ObjectKind::Incident => Object::Incident(Box::new(self.incidents().get(id).await?)),
            ObjectKind::MetricsProvider => Object::MetricsProvider(Box::new(self.metrics_providers().get(id).await?)),
            ObjectKind::Metric => Object::Metric(Box::new(self.metrics().get(id).await?)),
            ObjectKind::Subscriber => Object::Subscriber(Box::new(self.subscribers().get(id).await?)),
            ObjectKind::PageAccessUser => Object::PageAccessUser(Box::new(self.page_access_users().get(id).await?)),
            ObjectKind::PageAccessGroup => Object::PageAccessGroup(Box::new(self.page_access_groups().get(id).await?)),
        })
    }

    /// Subscribers in every state with these words in their address.
    pub async fn search_subscribers(&self, words: &str) -> Result<Listing<Subscriber>, Error> {
        let query = SubscriberQuery {
            words: Some(words.to_owned()),
            ..SubscriberQuery::default()
        };
        self.subscribers().list(&query).await
    }

    /// What a member of the page's organization may do.
    pub async fn read_permissions(&self, user: &str) -> Result<Dated<Permissions>, Error> {
        let read_at = Timestamp::now();
        let value = self.own_organization()?.permissions(user).await?;
        Ok(Dated { value, read_at })
    }

    /// The components that a page access user may see beside those of its groups.
    pub async fn read_user_components(&self, user: &str) -> Result<Dated<Vec<String>>, Error> {
        let read_at = Timestamp::now();
        Ok(ids(
            self.page_access_users().components(user).list().await?.items,
            read_at,
        ))
    }

    /// The metrics that a page access user may see beside those of its groups.
    pub async fn read_user_metrics(&self, user: &str) -> Result<Dated<Vec<String>>, Error> {
        let read_at = Timestamp::now();
        Ok(ids(self.page_access_users().metrics(user).list().await?.items, read_at))
    }

    /// Who subscribed to one incident alone.
    pub async fn read_incident_subscribers(&self, incident: &str) -> Result<Dated<Vec<Subscriber>>, Error> {
        let read_at = Timestamp::now();
        let value = self.incidents().subscribers(incident).list().await?.items;
        Ok(Dated { value, read_at })
    }

    /// Every incident that is not over, however old: for a page whose newest 100 do not show an open one. Three
    /// requests.
    pub async fn read_open_incidents(&self) -> Result<Vec<Incident>, Error> {
        let mut open: Vec<Incident> = Vec::new();
        for view in [
            IncidentView::Unresolved,
            IncidentView::Scheduled,
            IncidentView::ActiveMaintenance,
        ] {
            for incident in self.incidents().view(view).await?.items {
                if open.iter().all(|known| known.id != incident.id) {
                    open.push(incident);
                }
            }
        }
        Ok(open)
    }
}
