//! Reads the parts of a snapshot, each with as few requests as the service allows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::operations::{IncidentView, PageHandle, SubscriberQuery};
use super::types::{Identified, Incident, Subscriber, SubscriberHistogram, SubscriberMode, SubscriberStates};
use super::{Collection, CollectionKind, Dated, Error, ListReader, Object, ObjectKind, Reading};

/// Rows of a page of the list of subscribers.
const ROWS: u64 = 100;

/// Reads a list to its end.
async fn all<T>(list: ListReader<T>, began: Timestamp) -> Result<Collection<T>, Error>
where
    T: Identified + DeserializeOwned + Send + 'static,
{
    let read = list.await?;
    Ok(Collection::read(read.items, began, read.complete))
}

/// The subscribers that somebody wants to know of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeantSubscribers {
    /// By their e-mail addresses.
    pub emails: BTreeSet<String>,
    /// Some are reached by text message.
    pub sms: bool,
    /// Some are webhooks.
    pub webhooks: bool,
}

impl MeantSubscribers {
    /// What to ask for in order to see them all, given how many there are; none when to list everybody takes no more
    /// requests. One page of that list was read already.
    fn questions(&self, audience: &SubscriberHistogram) -> Option<Vec<SubscriberQuery>> {
        let pages = |states: &[&SubscriberStates]| states.iter().map(|states| states.total).sum::<u64>() / ROWS + 1;
        let everybody = pages(&[
            &audience.email,
            &audience.sms,
            &audience.webhook,
            &audience.integration_partner,
            &audience.slack,
            &audience.teams,
        ]);
        let of_mode = |mode| SubscriberQuery {
            mode: Some(mode),
            ..SubscriberQuery::default()
        };
        let mut requests = self.emails.len() as u64;
        let mut questions: Vec<SubscriberQuery> = self
            .emails
            .iter()
            .map(|email| SubscriberQuery {
                words: Some(email.clone()),
                ..of_mode(SubscriberMode::Email)
            })
            .collect();
        if self.sms {
            requests += pages(&[&audience.sms]);
            questions.push(of_mode(SubscriberMode::Sms));
        }
        if self.webhooks {
            requests += pages(&[&audience.webhook]);
            questions.push(of_mode(SubscriberMode::Webhook));
        }
        (requests < everybody - 1).then_some(questions)
    }
}

impl PageHandle {
    /// Reads one part of the page, as of the time at which that begins. Of incidents these are the newest 100: what is
    /// older is over, or among [`Self::read_open_incidents`].
    pub async fn read(&self, kind: CollectionKind, began: Timestamp) -> Result<Reading, Error> {
        Ok(match kind {
            CollectionKind::Page => Reading::Page(Box::new(self.get().await?)),
            CollectionKind::Components => Reading::Components(all(self.components().list(), began).await?),
            CollectionKind::Incidents => Reading::Incidents(all(self.incidents().newest(1), began).await?),
            CollectionKind::MetricsProviders => {
                Reading::MetricsProviders(all(self.metrics_providers().list(), began).await?)
            }
            CollectionKind::Metrics => Reading::Metrics(all(self.metrics().list(), began).await?),
            CollectionKind::Subscribers => Reading::Subscribers(all(self.subscribers().list(), began).await?),
            CollectionKind::Unsubscribed => Reading::Unsubscribed(all(self.subscribers().unsubscribed(), began).await?),
            CollectionKind::SubscriberCounts => Reading::SubscriberCounts(Dated {
                value: self.subscribers().histogram().await?,
                read_at: began,
            }),
            CollectionKind::IncidentTemplates => {
                Reading::IncidentTemplates(all(self.incident_templates().list(), began).await?)
            }
            CollectionKind::PageAccessUsers => {
                Reading::PageAccessUsers(all(self.page_access_users().list(), began).await?)
            }
            CollectionKind::PageAccessGroups => {
                Reading::PageAccessGroups(all(self.page_access_groups().list(), began).await?)
            }
            CollectionKind::StatusEmbed => Reading::StatusEmbed(Dated {
                value: self.status_embed_config().await?,
                read_at: began,
            }),
            CollectionKind::OrganizationUsers => {
                Reading::OrganizationUsers(all(self.own_organization()?.users().list(), began).await?)
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

    /// Deletes one object by its id; a subscriber is told.
    pub async fn delete_object(&self, kind: ObjectKind, id: &str) -> Result<(), Error> {
        match kind {
            ObjectKind::Component => self.components().delete(id).await.map(drop),
            ObjectKind::ComponentGroup => self.component_groups().delete(id).await.map(drop),
            ObjectKind::Incident => self.incidents().delete(id).await.map(drop),
            ObjectKind::MetricsProvider => self.metrics_providers().delete(id).await.map(drop),
            ObjectKind::Metric => self.metrics().delete(id).await.map(drop),
            ObjectKind::Subscriber => self.subscribers().delete(id, true).await.map(drop),
            ObjectKind::PageAccessUser => self.page_access_users().delete(id).await.map(drop),
            ObjectKind::PageAccessGroup => self.page_access_groups().delete(id).await.map(drop),
        }
    }

    /// Reads the subscribers that are meant: all of them where the list is short, otherwise each address by itself, and
    /// those reached by text message and by webhook, whose addresses cannot be searched for with certainty. Whatever
    /// takes fewer requests; the first page of the list is read in any case.
    pub async fn read_subscribers(
        &self,
        meant: &MeantSubscribers,
        began: Timestamp,
    ) -> Result<Collection<Subscriber>, Error> {
        let subscribers = self.subscribers();
        let mut everybody = subscribers.list();
        if everybody.pages() == 0 {
            everybody.next().await?;
        }
        let questions = match everybody.pages() {
            // Where their number is not told they are listed.
            1 if !everybody.is_done() => subscribers.histogram().await.ok(),
            // Already being listed.
            _ => None,
        };
        let Some(questions) = questions.and_then(|audience| meant.questions(&audience)) else {
            return all(everybody, began).await;
        };
        let mut items: BTreeMap<String, Subscriber> = BTreeMap::new();
        let mut complete = true;
        for question in questions {
            let mut found = subscribers.matching(&question);
            while found.next().await? {}
            complete &= found.is_complete();
            // What was found stays with the bookmark until all questions are answered.
            items.extend(found.items().iter().map(|one| (one.id.clone(), one.clone())));
        }
        Ok(Collection::read(items.into_values().collect(), began, complete))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribers_are_looked_up_where_that_takes_fewer_requests() {
        let states = |total| SubscriberStates {
            total,
            ..SubscriberStates::default()
        };
        let questions = |emails: usize, sms, webhooks, audience: [u64; 3]| {
            let [email, by_sms, webhook] = audience.map(states);
            let audience = SubscriberHistogram {
                email,
                sms: by_sms,
                webhook,
                ..SubscriberHistogram::default()
            };
            let meant = MeantSubscribers {
                emails: (0..emails).map(|number| format!("{number}@example.com")).collect(),
                sms,
                webhooks,
            };
            meant.questions(&audience).map(|questions| questions.len())
        };
        // The rest of the list is as long as there are addresses, or longer.
        assert_eq!(questions(2, false, false, [250, 0, 0]), None);
        assert_eq!(questions(2, false, false, [350, 0, 0]), Some(2));
        assert_eq!(questions(0, false, false, [9_000, 0, 0]), Some(0));
        // A list for each other way, as long as that is.
        assert_eq!(questions(1, true, true, [300, 20, 20]), None);
        assert_eq!(questions(1, true, true, [500, 20, 20]), Some(3));
        assert_eq!(questions(1, true, false, [100, 9_000, 0]), None);
    }
}
