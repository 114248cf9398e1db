//! Operations on incidents and their updates.

use reqwest::Method;

use super::super::Error;
use super::super::paging::{ListReader, Paging};
use super::super::types::{Incident, IncidentUpdate, IncidentUpdateWrite, IncidentWrite, Subscriber};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Postmortems, Readable, Resource, Resources, Updatable};

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

impl Resource for Incident {
    type Write = IncidentWrite;
    const OPERATIONS: Operations = operations!("incident");
    const PATH: &'static str = "incidents";
    const ENVELOPE: &'static str = "incident";
    /// The size has one name in the description and another in practice.
    const PAGING: Paging = Paging {
        size_parameters: &["limit", "per_page"],
        ..Paging::USUAL
    };

    /// A text or a change of phase publishes an update each time it is sent.
    fn is_effectful(change: &IncidentWrite) -> bool {
        change.body.is_some() || change.status.is_some()
    }
}

impl Creatable for Incident {}
impl Readable for Incident {}
impl Updatable for Incident {}
impl Deletable for Incident {}

impl Resources<Incident> {
    /// The newest incidents, at most `pages` requests of 100 each.
    pub fn newest(&self, pages: usize) -> ListReader<Incident> {
        let paging = Paging {
            pages,
            ..Incident::PAGING
        };
        self.client.list(paging, self.call("list incidents", Method::GET, &[]))
    }

    /// Incidents whose name, status or texts hold some words.
    pub fn search(&self, words: &str) -> ListReader<Incident> {
        let call = self.call("search incidents", Method::GET, &[]).query("q", words);
        self.client.list(Incident::PAGING, call)
    }

    /// The incidents of a selection.
    pub fn view(&self, view: IncidentView) -> ListReader<Incident> {
        let call = self.call("list selected incidents", Method::GET, &[view.segment()]);
        self.client.list(Paging::USUAL, call)
    }

    /// Corrects an update that was published.
    pub async fn correct_update(
        &self,
        incident: &str,
        id: &str,
        update: &IncidentUpdateWrite,
    ) -> Result<IncidentUpdate, Error> {
        let below = [incident, "incident_updates", id];
        let call = self.call("correct incident update", Method::PATCH, &below);
        let call = call.about(id).enveloped("incident_update", update);
        self.client.fetch_one(call).await
    }

    /// The postmortem of an incident.
    #[must_use]
    pub fn postmortem(&self, incident: &str) -> Postmortems {
        Postmortems::new(&self.client, &self.path(&[incident, "postmortem"]))
    }

    /// Those who subscribed to one incident, by email or text message.
    #[must_use]
    pub fn subscribers(&self, incident: &str) -> Resources<Subscriber, Incident> {
        Resources::new(&self.client, &self.path(&[incident]))
    }
}
