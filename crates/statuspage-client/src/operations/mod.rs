//! The operations of the API, a module per resource.
//!
//! They hang off the client: `client.page("id").components().list()`. Each handle owns what it needs and can be kept.
//! What all kinds of objects have in common is in `resources`; the other files say where a kind is, and what else can be
//! done with it.

mod component_groups;
mod components;
mod incident_templates;
mod incidents;
mod metrics;
mod metrics_providers;
mod organizations;
mod page_access;
mod postmortems;
mod resources;
mod status_embed;
mod subscribers;

use std::future::IntoFuture;

use super::call::Call;
use super::error::LIST_PAGES;
use super::paging::{ListReader, Paging};
use super::types::{
    Component, ComponentGroup, Incident, IncidentTemplate, Indicator, Metric, MetricsProvider, Page, PageAccessGroup,
    PageAccessUser, PageWrite, Subscriber, Summary, SummaryPage,
};
use super::{Client, Error};

pub use incidents::IncidentView;
pub use organizations::Organization;
pub use page_access::AccessGrants;
pub use postmortems::Postmortems;
pub use resources::{Creatable, Deletable, Operations, Readable, Resource, Resources, Updatable};
pub use subscribers::{SubscriberQuery, SubscriberSelection};

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

    fn resources<R: Resource>(&self) -> Resources<R> {
        Resources::new(&self.client, &["pages", &self.page])
    }

    /// The components, and in their list a row with `group: true` for each component group.
    #[must_use]
    pub fn components(&self) -> Resources<Component> {
        self.resources()
    }

    /// The component groups. A change needs name and members: whoever is left out becomes ungrouped. The members of a
    /// group that is deleted stay, and a group that loses its last member is removed by the service.
    #[must_use]
    pub fn component_groups(&self) -> Resources<ComponentGroup> {
        self.resources()
    }

    /// The incidents: real-time, scheduled and backfilled, the newest first. A page that has been in use for years has
    /// many: see [`Resources::newest`]. A change with a body publishes a new update.
    #[must_use]
    pub fn incidents(&self) -> Resources<Incident> {
        self.resources()
    }

    /// The metrics and their data. A metric is created through its provider: see [`Resources::metrics`].
    #[must_use]
    pub fn metrics(&self) -> Resources<Metric> {
        self.resources()
    }

    /// The metrics providers.
    #[must_use]
    pub fn metrics_providers(&self) -> Resources<MetricsProvider> {
        self.resources()
    }

    /// The subscribers, in every state.
    #[must_use]
    pub fn subscribers(&self) -> Resources<Subscriber> {
        self.resources()
    }

    /// The incident templates. The API can neither change nor delete them.
    #[must_use]
    pub fn incident_templates(&self) -> Resources<IncidentTemplate> {
        self.resources()
    }

    /// The users who may see parts of an audience-specific page.
    #[must_use]
    pub fn page_access_users(&self) -> Resources<PageAccessUser> {
        self.resources()
    }

    /// The groups of users who may see the same parts of an audience-specific page. In a change a list that is given
    /// replaces the known one. The users of a group that is deleted stay.
    #[must_use]
    pub fn page_access_groups(&self) -> Resources<PageAccessGroup> {
        self.resources()
    }
}
