//! Everything the server knows, in memory; the database holds the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::errors::{ApiError, ServerError};
use super::ids::Ids;
use super::notifications::{Added, Listed, Notification};
use super::records::{
    Component, ComponentGroup, Incident, IncidentTemplate, Metric, MetricsProvider, Page, PageAccessGroup,
    PageAccessUser, Subscriber, User,
};
use super::table::{Change, Keep, StoredRow, Table};

/// A change of the points of a metric, written together with the documents.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PointChange {
    /// The point of a 30-second slot.
    Put { metric: String, slot: i64, value: f64 },
    /// All points of a metric go.
    Clear { metric: String },
}

/// One page and what belongs to it.
#[derive(Debug)]
pub(super) struct PageState {
    pub(super) id: String,
    pub(super) page: Table<Page>,
    pub(super) components: Table<Component>,
    pub(super) groups: Table<ComponentGroup>,
    pub(super) incidents: Table<Incident>,
    pub(super) templates: Table<IncidentTemplate>,
    pub(super) access_users: Table<PageAccessUser>,
    pub(super) access_groups: Table<PageAccessGroup>,
    pub(super) providers: Table<MetricsProvider>,
    pub(super) metrics: Table<Metric>,
    pub(super) subscribers: Table<Subscriber>,
    pub(super) incident_subscribers: Table<Subscriber>,
    /// Who would have been told something by the request at work.
    pub(super) announced: Vec<Notification>,
    pub(super) points: Vec<PointChange>,
    pub(super) ids: Ids,
}

/// Does the same with every table of a page.
macro_rules! every_table {
    ($state:expr, $each:ident) => {
        $each!($state, page, "page");
        $each!($state, components, "component");
        $each!($state, groups, "component_group");
        $each!($state, incidents, "incident");
        $each!($state, templates, "incident_template");
        $each!($state, access_users, "page_access_user");
        $each!($state, access_groups, "page_access_group");
        $each!($state, providers, "metrics_provider");
        $each!($state, metrics, "metric");
        $each!($state, subscribers, "subscriber");
        $each!($state, incident_subscribers, "incident_subscriber");
    };
}

impl PageState {
    fn empty(id: &str, ids: &Ids) -> Self {
        Self {
            id: id.to_owned(),
            page: Table::default(),
            components: Table::default(),
            groups: Table::default(),
            incidents: Table::default(),
            templates: Table::default(),
            access_users: Table::default(),
            access_groups: Table::default(),
            providers: Table::default(),
            metrics: Table::default(),
            subscribers: Table::default(),
            incident_subscribers: Table::default(),
            announced: Vec::new(),
            points: Vec::new(),
            ids: ids.clone(),
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
        self.announced.push(notification);
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
        let mut changed = !self.points.is_empty() || !self.announced.is_empty();
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                changed |= $state.$table.is_changed();
            };
        }
        every_table!(self, each);
        changed
    }

    fn changes(&self, into: &mut Vec<Change>) -> Result<(), serde_json::Error> {
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                $state.$table.changes(&$state.id, $kind, into)?;
            };
        }
        every_table!(self, each);
        Ok(())
    }

    fn commit(&mut self, keep: Option<Keep>) {
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                $state.$table.commit(keep);
            };
        }
        every_table!(self, each);
        self.announced.clear();
        self.points.clear();
    }

    fn is_changed_since(&self, then: Timestamp) -> bool {
        let mut changed = false;
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                changed |= $state.$table.is_changed_since(then);
            };
        }
        every_table!(self, each);
        changed
    }

    fn as_of(&self, then: Timestamp) -> Self {
        let mut past = Self::empty(&self.id, &self.ids);
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                past.$table = $state.$table.as_of(then);
            };
        }
        every_table!(self, each);
        past
    }

    fn rollback(&mut self) {
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                $state.$table.rollback();
            };
        }
        every_table!(self, each);
        self.announced.clear();
        self.points.clear();
    }

    fn restore(&mut self, row: StoredRow) -> Result<(), ServerError> {
        macro_rules! each {
            ($state:expr, $table:ident, $kind:literal) => {
                if row.kind == $kind {
                    let value = parse(&row)?;
                    $state.$table.restore(row.sequence, row.id, value);
                    return Ok(());
                }
            };
        }
        every_table!(self, each);
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(row: &StoredRow) -> Result<T, ServerError> {
    serde_json::from_str(&row.body).map_err(|source| ServerError::Document {
        kind: row.kind.clone(),
        id: row.id.clone(),
        source,
    })
}

/// The kind of the users of the organization, who belong to no page.
const USER: &str = "organization_user";
/// The kind, and the only row, of the identifier of the organization.
pub(super) const ORGANIZATION: &str = "organization";
/// The kind of what would have been sent.
const NOTIFICATION: &str = "notification";

/// The organization of a server.
#[derive(Debug, Default)]
pub(super) struct Organization {
    pub(super) id: String,
    /// Keeps an identifier that was made up, so that it is the same after a restart.
    pub(super) identity: Table<String>,
    pub(super) users: Table<User>,
}

/// All pages.
#[derive(Debug, Default)]
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
            match row.kind.as_str() {
                ORGANIZATION => {
                    let id: String = parse(&row)?;
                    state.organization.id = id.clone();
                    state.organization.identity.restore(row.sequence, row.id, id);
                }
                USER => {
                    let user = parse(&row)?;
                    state.organization.users.restore(row.sequence, row.id, user);
                }
                NOTIFICATION => notifications.push(Listed {
                    notification: parse(&row)?,
                    sequence: row.sequence,
                    id: row.id,
                }),
                _ => {
                    if !state.pages.contains_key(&row.page) {
                        state.order.push(row.page.clone());
                    }
                    state
                        .pages
                        .entry(row.page.clone())
                        .or_insert_with(|| PageState::empty(&row.page, &state.ids))
                        .restore(row)?;
                }
            }
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

    /// Whether a request changed anything.
    pub(super) fn is_changed(&self) -> bool {
        self.pages.values().any(PageState::is_changed)
            || self.organization.users.is_changed()
            || self.organization.identity.is_changed()
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
        let failed = |kind: &str, id: &str| {
            let (kind, id) = (kind.to_owned(), id.to_owned());
            move |source| ServerError::Document { kind, id, source }
        };
        self.organization
            .users
            .changes("", USER, &mut documents)
            .map_err(failed(USER, ""))?;
        self.organization
            .identity
            .changes("", ORGANIZATION, &mut documents)
            .map_err(failed(ORGANIZATION, ""))?;
        for page in self.pages.values().filter(|page| page.is_changed()) {
            page.changes(&mut documents).map_err(failed("page", &page.id))?;
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
            let body = serde_json::to_string(&fresh.notification).map_err(failed(NOTIFICATION, &fresh.id))?;
            documents.push(change(fresh, Some(body)));
        }
        Ok(documents)
    }

    /// What was changed is safe.
    pub(super) fn commit(&mut self, keep: Option<Keep>) {
        self.pages.values_mut().for_each(|page| page.commit(keep));
        self.organization.users.commit(keep);
        self.organization.identity.commit(keep);
    }

    /// What was at an instant, as far as it was kept; none when nothing has changed since.
    pub(super) fn as_of(&self, then: Timestamp) -> Option<Self> {
        let changed = self.organization.users.is_changed_since(then)
            || self.pages.values().any(|page| page.is_changed_since(then));
        changed.then(|| Self {
            pages: self
                .pages
                .iter()
                .map(|(id, page)| (id.clone(), page.as_of(then)))
                .collect(),
            order: self.order.clone(),
            organization: Organization {
                id: self.organization.id.clone(),
                identity: Table::default(),
                users: self.organization.users.as_of(then),
            },
            ids: self.ids.clone(),
            is_being_saved: false,
        })
    }

    /// What was changed is undone.
    pub(super) fn rollback(&mut self) {
        self.pages.values_mut().for_each(PageState::rollback);
        self.organization.users.rollback();
        self.organization.identity.rollback();
    }
}

/// An optional text as the API shows it.
pub(super) fn nullable(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}
