//! The operations of the API, a module per resource.
//!
//! They hang off the client: `client.page("id").components().list()`. Each handle owns what it needs and can be kept.

mod component_groups;
mod components;
mod incident_templates;
mod incidents;
mod metrics;
mod metrics_providers;
mod organizations;
mod page_access;
mod postmortems;
mod status_embed;
mod subscribers;

use std::future::IntoFuture;

use super::call::Call;
use super::error::LIST_PAGES;
use super::paging::{ListReader, Paging};
use super::types::{Indicator, Page, PageWrite, Summary, SummaryPage};
use super::{Client, Error};

pub use component_groups::ComponentGroups;
pub use components::Components;
pub use incident_templates::IncidentTemplates;
pub use incidents::{IncidentView, Incidents};
pub use metrics::Metrics;
pub use metrics_providers::MetricsProviders;
pub use organizations::Organization;
pub use page_access::{AccessGrants, PageAccessGroups, PageAccessUsers};
pub use postmortems::Postmortems;
pub use subscribers::{IncidentSubscribers, SubscriberQuery, SubscriberSelection, Subscribers};

/// A range of days, and what to tell of it. The ends are `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UptimeRange {
    /// First day.
    pub start: Option<String>,
    /// Last day.
    pub end: Option<String>,
    /// Leaves the incidents of the range out of the reply.
    pub skip_related_events: bool,
}

impl UptimeRange {
    fn apply(&self, call: Call) -> Call {
        call.query_if("start", self.start.as_ref())
            .query_if("end", self.end.as_ref())
            .query_if("skip_related_events", self.skip_related_events.then_some(true))
    }
}

/// The pages that a token can see. Pages cannot be created or removed here.
#[derive(Clone, Debug)]
pub struct Pages {
    client: Client,
}

impl Pages {
    /// All of them, with their settings; the list has no pages.
    pub fn list(&self) -> ListReader<Page> {
        self.client.list(Paging::NONE, Call::get(LIST_PAGES, &["pages"]))
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct PageHandle {
    client: Client,
    page: String,
    /// The organization that the page belongs to, where that is known.
    organization: Option<String>,
}

impl Client {
    /// The pages that the token can see.
    #[must_use]
    pub fn pages(&self) -> Pages {
        Pages { client: self.clone() }
    }

    /// One page, by its id.
    #[must_use]
    pub fn page(&self, id: &str) -> PageHandle {
        PageHandle {
            client: self.clone(),
            page: id.to_owned(),
            organization: None,
        }
    }

    /// One organization, by its id.
    #[must_use]
    pub fn organization(&self, id: &str) -> Organization {
        Organization::new(self.clone(), id)
    }
}

impl PageHandle {
    /// The id of the page.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.page
    }

    /// The same page, with the id of its organization: needed to read the members.
    #[must_use]
    pub fn in_organization(self, organization: Option<String>) -> Self {
        Self { organization, ..self }
    }

    /// The organization of this page.
    ///
    /// # Errors
    /// Its id was not given with [`Self::in_organization`].
    pub fn own_organization(&self) -> Result<Organization, Error> {
        match &self.organization {
            Some(id) => Ok(self.organization(id)),
            None => Err(Error::InvalidRequest {
                operation: "find organization",
                reason: "the id of the organization is not known".to_owned(),
            }),
        }
    }

    /// An organization, through the client of this page.
    #[must_use]
    pub fn organization(&self, id: &str) -> Organization {
        Organization::new(self.client.clone(), id)
    }

    /// The incident templates.
    #[must_use]
    pub fn incident_templates(&self) -> IncidentTemplates {
        IncidentTemplates::new(self.client.clone(), &self.page)
    }

    /// The page access users.
    #[must_use]
    pub fn page_access_users(&self) -> PageAccessUsers {
        PageAccessUsers::new(self.client.clone(), &self.page)
    }

    /// The page access groups.
    #[must_use]
    pub fn page_access_groups(&self) -> PageAccessGroups {
        PageAccessGroups::new(self.client.clone(), &self.page)
    }

    /// The settings of the page.
    pub async fn get(&self) -> Result<Page, Error> {
        let call = Call::get("read page", &["pages", &self.page]).about(&self.page);
        self.client.fetch_one(call).await
    }

    /// Changes settings of the page; what is absent stays.
    pub async fn update(&self, page: &PageWrite) -> Result<Page, Error> {
        let call = Call::patch("update page", &["pages", &self.page])
            .about(&self.page)
            .enveloped("page", page);
        self.client.fetch_one(call).await
    }

    /// The page as its visitors see it, from four lists that are read at the same time; `about` is what the list of pages
    /// says of it.
    ///
    /// # Errors
    /// A list cannot be read.
    pub async fn summary(&self, about: &Page) -> Result<Summary, Error> {
        let incidents = self.incidents();
        let view = |view| incidents.view(view).into_future();
        let (components, open, running, ahead) = futures::try_join!(
            self.components().list().into_future(),
            view(IncidentView::Unresolved),
            view(IncidentView::ActiveMaintenance),
            view(IncidentView::Scheduled),
        )?;
        let mut scheduled_maintenances = running.items;
        scheduled_maintenances.extend(ahead.items);
        Ok(Summary {
            page: SummaryPage {
                id: self.page.clone(),
                name: about.name.clone(),
                url: about.host().map(|host| format!("https://{host}")),
            },
            status: Indicator::of(&components.items),
            components: components.items,
            incidents: open.items,
            scheduled_maintenances,
        })
    }

    /// The components.
    #[must_use]
    pub fn components(&self) -> Components {
        Components::new(self.client.clone(), &self.page)
    }

    /// The component groups.
    #[must_use]
    pub fn component_groups(&self) -> ComponentGroups {
        ComponentGroups::new(self.client.clone(), &self.page)
    }

    /// The incidents.
    #[must_use]
    pub fn incidents(&self) -> Incidents {
        Incidents::new(self.client.clone(), &self.page)
    }

    /// The metrics providers.
    #[must_use]
    pub fn metrics_providers(&self) -> MetricsProviders {
        MetricsProviders::new(self.client.clone(), &self.page)
    }

    /// The metrics and their data.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::new(self.client.clone(), &self.page)
    }

    /// The subscribers.
    #[must_use]
    pub fn subscribers(&self) -> Subscribers {
        Subscribers::new(self.client.clone(), &self.page)
    }
}
