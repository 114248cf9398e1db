//! Everything the server knows, in memory; the database holds the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::{ApiError, ServerError};
use super::ids::Ids;
use super::notifications::{Added, Listed, Notification};
use super::records::{
    Component, ComponentGroup, Incident, IncidentTemplate, Metric, MetricsProvider, Page, PageAccessGroup,
    PageAccessUser, Subscriber, User,
};
use super::table::{Change, Keep, Rows, StoredRow, Table};

/// A change of the points of a metric, written together with the documents.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PointChange {
    /// The point of a 30-second slot.
    Put { metric: String, slot: i64, value: f64 },
    /// All points of a metric go.
    Clear { metric: String },
}

/// What is stored in a table of its own on every page.
pub(super) trait Stored: Clone + Serialize + DeserializeOwned {
    /// Those of a page.
    fn table(page: &PageState) -> &Table<Self>;
    /// The same, to be changed.
    fn table_mut(page: &mut PageState) -> &mut Table<Self>;
    /// Its identifier.
    fn id(&self) -> &str;
}

/// Declares the tables of a page: the name of each, what it holds and the kind under which that is stored.
macro_rules! tables {
    ($($table:ident: $record:ident = $kind:literal),+; $($other:ident: $other_record:ident = $other_kind:literal),+) => {
        /// One page and what belongs to it.
        #[derive(Clone, Debug, Default)]
        pub(super) struct PageState {
            pub(super) id: String,
            $(pub(super) $table: Table<$record>,)+
            $(pub(super) $other: Table<$other_record>,)+
            /// Who would have been told something by the request at work.
            pub(super) announced: Vec<Notification>,
            pub(super) points: Vec<PointChange>,
            pub(super) ids: Ids,
        }

        impl PageState {
            fn tables(&self) -> impl Iterator<Item = (&'static str, &dyn Rows)> {
                let tables: [(&'static str, &dyn Rows); _] =
                    [$(($kind, &self.$table),)+ $(($other_kind, &self.$other),)+];
                tables.into_iter()
            }

            fn tables_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut dyn Rows)> {
                let tables: [(&'static str, &mut dyn Rows); _] =
                    [$(($kind, &mut self.$table),)+ $(($other_kind, &mut self.$other),)+];
                tables.into_iter()
            }
        }

        $(impl Stored for $record {
            fn table(page: &PageState) -> &Table<Self> { &page.$table }
            fn table_mut(page: &mut PageState) -> &mut Table<Self> { &mut page.$table }
            fn id(&self) -> &str { &self.id }
        })+
    };
}

tables! {
    page: Page = "page",
    components: Component = "component",
    groups: ComponentGroup = "component_group",
    incidents: Incident = "incident",
    templates: IncidentTemplate = "incident_template",
    access_users: PageAccessUser = "page_access_user",
    access_groups: PageAccessGroup = "page_access_group",
    providers: MetricsProvider = "metrics_provider",
    metrics: Metric = "metric",
    subscribers: Subscriber = "subscriber";
    incident_subscribers: Subscriber = "incident_subscriber"
}

impl PageState {
    fn empty(id: &str, ids: &Ids) -> Self {
        Self {
            id: id.to_owned(),
            ids: ids.clone(),
            ..Self::default()
        }
    }

    /// The settings of the page; every page in the state has them.
    pub(super) fn document(&self) -> Result<&Page, ApiError> {
        self.page.get(&self.id).ok_or_else(ApiError::not_found)
    }

    /// Whether nothing but the page itself exists, so that a seed may fill it.
    pub(super) fn is_blank(&self) -> bool {
        self.components.is_empty()
            && self.incidents.is_empty()
            && self.providers.is_empty()
            && self.subscribers.is_empty()
    }

    /// The place behind every component and group.
    pub(super) fn next_order(&self) -> i64 {
        let components = self.components.values().map(|component| component.order);
        let groups = self.groups.values().map(|group| group.order);
        components.chain(groups).max().unwrap_or(0).saturating_add(1)
    }

    /// Notes who would have been told something.
    pub(super) fn notify(&mut self, notification: Notification) {
        let page = self.id.clone();
        self.announced.push(Notification { page, ..notification });
    }

    /// Moves the page's own time of change.
    pub(super) fn touch(&mut self, now: Timestamp) {
        let id = self.id.clone();
        if let Some(page) = self.page.edit(&id) {
            page.updated_at = now;
        }
    }

    /// Whether a request changed anything.
    pub(super) fn is_changed(&self) -> bool {
        !self.points.is_empty() || !self.announced.is_empty() || self.tables().any(|(_, table)| table.is_changed())
    }
}

/// The kind of the users of the organization, who belong to no page.
const USER: &str = "organization_user";
/// The kind, and the only row, of the identifier of the organization.
pub(super) const ORGANIZATION: &str = "organization";
/// The kind of what would have been sent.
const NOTIFICATION: &str = "notification";

/// The organization of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Organization {
    pub(super) id: String,
    /// Keeps an identifier that was made up, so that it is the same after a restart.
    pub(super) identity: Table<String>,
    pub(super) users: Table<User>,
}

impl Organization {
    fn tables(&self) -> [(&'static str, &dyn Rows); 2] {
        [(USER, &self.users), (ORGANIZATION, &self.identity)]
    }

    fn tables_mut(&mut self) -> [(&'static str, &mut dyn Rows); 2] {
        [(USER, &mut self.users), (ORGANIZATION, &mut self.identity)]
    }
}

/// All pages.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) pages: BTreeMap<String, PageState>,
    /// Pages in the order of their creation.
    pub(super) order: Vec<String>,
    pub(super) organization: Organization,
    /// Where the identifiers of new objects come from.
    pub(super) ids: Ids,
    /// Set while changes are being written. Whoever finds it set knows that the writer gave up in the middle, and that
    /// only the database can tell what came of it.
    pub(super) is_being_saved: bool,
}

impl State {
    /// The state that the rows of the database describe, and the messages among them.
    pub(super) fn restored(rows: Vec<StoredRow>, ids: Ids) -> Result<(Self, Vec<Listed>), ServerError> {
        let mut state = Self { ids, ..Self::default() };
        let mut notifications = Vec::new();
        for row in rows {
            if row.kind == NOTIFICATION {
                notifications.push(Listed {
                    notification: serde_json::from_str(&row.body).map_err(ServerError::document(&row.kind, &row.id))?,
                    sequence: row.sequence,
                    id: row.id,
                });
                continue;
            }
            let known = |(kind, _): &(&'static str, &mut dyn Rows)| *kind == row.kind;
            let table = match state.organization.tables_mut().into_iter().find(known) {
                Some(table) => Some(table),
                None => {
                    if !state.pages.contains_key(&row.page) {
                        state.order.push(row.page.clone());
                    }
                    let blank = || PageState::empty(&row.page, &state.ids);
                    let page = state.pages.entry(row.page.clone()).or_insert_with(blank);
                    page.tables_mut().find(known)
                }
            };
            if let Some((_, table)) = table {
                table.restore(row)?;
            }
        }
        if let Some(id) = state.organization.identity.get(ORGANIZATION) {
            state.organization.id.clone_from(id);
        }
        let pages = &state.pages;
        state.order.sort_by_key(|id| {
            let created = pages
                .get(id)
                .and_then(|page| page.document().ok())
                .map(|page| page.created_at);
            (created, id.clone())
        });
        Ok((state, notifications))
    }

    /// Adds a page. When another has its subdomain, it gets one from its identifier.
    pub(super) fn create(&mut self, mut page: Page) {
        let id = page.id.clone();
        if self.has_subdomain_of(&page) {
            page.settings
                .insert("subdomain".to_owned(), id.to_ascii_lowercase().into());
        }
        let mut state = PageState::empty(&id, &self.ids);
        state.page.put(&id, page);
        self.pages.insert(id.clone(), state);
        self.order.push(id);
    }

    /// Whether another page has the subdomain of this one.
    pub(super) fn has_subdomain_of(&self, page: &Page) -> bool {
        let mut others = self.in_order().filter_map(|other| other.document().ok());
        others.any(|other| other.id != page.id && other.text("subdomain") == page.text("subdomain"))
    }

    /// A page, or the refusal that hides whether it exists elsewhere.
    pub(super) fn page_mut(&mut self, id: &str) -> Result<&mut PageState, ApiError> {
        self.pages.get_mut(id).ok_or_else(ApiError::not_found)
    }

    /// The pages in order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &PageState> {
        self.order.iter().filter_map(|id| self.pages.get(id))
    }

    fn tables(&self) -> impl Iterator<Item = (&str, &'static str, &dyn Rows)> {
        let organization = self.organization.tables().into_iter();
        let pages = self.pages.values();
        organization
            .map(|(kind, table)| ("", kind, table))
            .chain(pages.flat_map(|page| page.tables().map(|(kind, table)| (page.id.as_str(), kind, table))))
    }

    fn tables_mut(&mut self) -> impl Iterator<Item = &mut dyn Rows> {
        let pages = self.pages.values_mut().flat_map(PageState::tables_mut);
        let tables = self.organization.tables_mut().into_iter().chain(pages);
        tables.map(|(_, table)| table)
    }

    /// Whether a request changed anything.
    pub(super) fn is_changed(&self) -> bool {
        self.pages.values().any(PageState::is_changed) || self.tables().any(|(_, _, table)| table.is_changed())
    }

    /// Who would have been told something by the request at work.
    pub(super) fn announced(&self) -> Vec<Notification> {
        self.pages
            .values()
            .flat_map(|page| page.announced.iter().cloned())
            .collect()
    }

    /// The points that the request at work changed, each with its page.
    pub(super) fn points(&self) -> impl Iterator<Item = (&str, &PointChange)> {
        self.pages
            .values()
            .flat_map(|page| page.points.iter().map(|change| (page.id.as_str(), change)))
    }

    /// The documents that have to be written.
    pub(super) fn documents(&self, notifications: &Added) -> Result<Vec<Change>, ServerError> {
        let mut documents = Vec::new();
        for (page, kind, table) in self.tables() {
            table.changes(page, kind, &mut documents)?;
        }
        let change = |listed: &Listed, body: Option<String>| Change {
            page: listed.notification.page.clone(),
            kind: NOTIFICATION,
            id: listed.id.clone(),
            sequence: listed.sequence,
            body,
        };
        documents.extend(notifications.gone.iter().map(|gone| change(gone, None)));
        for fresh in &notifications.fresh {
            let body = serde_json::to_string(&fresh.notification);
            let body = body.map_err(ServerError::document(NOTIFICATION, &fresh.id))?;
            documents.push(change(fresh, Some(body)));
        }
        Ok(documents)
    }

    /// What was changed is safe.
    pub(super) fn commit(&mut self, keep: Option<Keep>) {
        self.tables_mut().for_each(|table| table.commit(keep));
        self.forget_announced();
    }

    /// What was changed is undone.
    pub(super) fn rollback(&mut self) {
        self.tables_mut().for_each(<dyn Rows>::rollback);
        self.forget_announced();
    }

    fn forget_announced(&mut self) {
        for page in self.pages.values_mut() {
            page.announced.clear();
            page.points.clear();
        }
    }

    /// What was at an instant, as far as it was kept; none when nothing has changed since.
    pub(super) fn as_of(&self, then: Timestamp) -> Option<Self> {
        self.tables()
            .any(|(_, _, table)| table.is_changed_since(then))
            .then(|| {
                let mut past = self.clone();
                past.tables_mut().for_each(|table| table.go_back(then));
                past
            })
    }
}
