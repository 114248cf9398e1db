//! Operations on incidents and their updates.

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{Incident, IncidentUpdate, IncidentUpdateWrite, IncidentWrite};
use super::super::{Client, Error};
use super::{IncidentSubscribers, Postmortems};

/// The size has one name in the description and another in practice.
const INCIDENTS: Paging = Paging {
    size_parameters: &["limit", "per_page"],
    ..Paging::USUAL
};

/// A selection of incidents that the service makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentView {
    /// Open incidents that are not maintenances.
    Unresolved,
    /// Maintenances that have not begun.
    Scheduled,
    /// Maintenances that lie ahead.
    Upcoming,
    /// Maintenances under way.
    ActiveMaintenance,
}

impl IncidentView {
    fn segment(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Scheduled => "scheduled",
            Self::Upcoming => "upcoming",
            Self::ActiveMaintenance => "active_maintenance",
        }
    }
}

/// The incidents of a page: real-time, scheduled and backfilled.
#[derive(Clone, Debug)]
pub struct Incidents {
    client: Client,
    page: String,
}

impl Incidents {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All incidents of the page, newest first. A page that has been in use for years has many: see [`Self::newest`].
    pub fn list(&self) -> ListReader<Incident> {
        self.newest(INCIDENTS.pages)
    }

    /// The newest incidents, at most `pages` requests of 100 each.
    pub fn newest(&self, pages: usize) -> ListReader<Incident> {
        let paging = Paging { pages, ..INCIDENTS };
        let call = Call::get("list incidents", &["pages", &self.page, "incidents"]);
        self.client.list(paging, call)
    }

    /// Incidents whose name, status or texts hold some words.
    pub fn search(&self, words: &str) -> ListReader<Incident> {
        let call = Call::get("search incidents", &["pages", &self.page, "incidents"]).query("q", words);
        self.client.list(INCIDENTS, call)
    }

    /// The incidents of a selection.
    pub fn view(&self, view: IncidentView) -> ListReader<Incident> {
        let segments = ["pages", &self.page, "incidents", view.segment()];
        let call = Call::get("list selected incidents", &segments);
        self.client.list(Paging::USUAL, call)
    }

    /// One incident.
    pub async fn get(&self, id: &str) -> Result<Incident, Error> {
        let call = Call::get("read incident", &["pages", &self.page, "incidents", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Creates an incident.
    pub async fn create(&self, incident: &IncidentWrite) -> Result<Incident, Error> {
        let call = Call::post("create incident", &["pages", &self.page, "incidents"]).enveloped("incident", incident);
        self.client.fetch_one(call).await
    }

    /// Changes an incident; what is absent stays. A body is published as a new update.
    pub async fn update(&self, id: &str, incident: &IncidentWrite) -> Result<Incident, Error> {
        // A text or a change of phase publishes an update each time it is sent.
        let publishes = incident.body.is_some() || incident.status.is_some();
        let call = Call::patch("update incident", &["pages", &self.page, "incidents", id])
            .about(id)
            .enveloped("incident", incident)
            .effectful(publishes);
        self.client.fetch_one(call).await
    }

    /// Removes an incident; the reply may or may not show what it was.
    pub async fn delete(&self, id: &str) -> Result<Option<Incident>, Error> {
        let call = Call::delete("delete incident", &["pages", &self.page, "incidents", id]).about(id);
        self.client.remove(call).await
    }

    /// Corrects an update that was published.
    pub async fn correct_update(
        &self,
        incident: &str,
        id: &str,
        update: &IncidentUpdateWrite,
    ) -> Result<IncidentUpdate, Error> {
        let segments = ["pages", &self.page, "incidents", incident, "incident_updates", id];
        let call = Call::patch("correct incident update", &segments)
            .about(id)
            .enveloped("incident_update", update);
        self.client.fetch_one(call).await
    }

    /// The postmortem of an incident.
    #[must_use]
    pub fn postmortem(&self, incident: &str) -> Postmortems {
        Postmortems::new(self.client.clone(), &self.page, incident)
    }

    /// Those who subscribed to one incident.
    #[must_use]
    pub fn subscribers(&self, incident: &str) -> IncidentSubscribers {
        IncidentSubscribers::new(self.client.clone(), &self.page, incident)
    }
}
