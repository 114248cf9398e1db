#![doc = include_str!("../README.md")]
//!
//! # How it is made
//! One file per resource decides what a request does to the state in memory; everything that a request changed is
//! committed to the SQLite file, if there is one, in one transaction before it is answered. Requests are worked on one
//! after the other.

mod access_grants;
mod auth;
mod body;
mod component_groups;
mod components;
pub mod connections;
mod draft;
mod errors;
mod exchange;
mod faults;
mod fields;
mod http;
mod ids;
mod incident_request;
mod incident_subscribers;
mod incident_templates;
mod incident_timeline;
mod incident_updates;
mod incident_write;
mod incidents;
mod instants;
mod layout;
mod metric_data;
mod metrics;
mod metrics_providers;
mod notifications;
mod organization;
mod page_access_groups;
mod page_access_users;
mod pages;
mod pagination;
mod postmortems;
mod public;
mod rate;
mod records;
mod references;
mod reply;
mod request;
mod request_log;
mod resource;
mod routes;
mod seed;
mod state;
mod status_embed;
mod storage;
mod subscribers;
mod subscribers_bulk;
mod table;
mod telephone;
mod time_zones;
mod uptime;
mod vocabulary;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

pub use errors::{ErrorShape, ServerError};
pub use exchange::Broken;
pub use faults::{Behaviour, Effect, Fault, Faults, MetricPatch};
pub use ids::Identifiers;
pub use notifications::{Notification, NotificationKind};
pub use request_log::{LoggedRequest, OnRequest, RequestLog};
pub use statuspage_clock::{Clock, ManualClock};
pub use storage::DataLocation;

use ids::Ids;
use notifications::Notifications;
use rate::RateWindow;
use state::State;
use storage::Storage;
use table::Rows as _;

/// How a server is set up.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where the data lives.
    pub data: DataLocation,
    /// Tokens that are let in; without any, one is made.
    pub tokens: Vec<String>,
    /// Pages that have to exist; absent ones are made.
    pub pages: Vec<PageSeed>,
    /// The identifier of the organization; without one, one is made.
    pub organization: Option<String>,
    /// Requests per token in any 60 seconds; 0 turns every limit off.
    pub rate_limit: u32,
    /// A YAML file that fills blank pages.
    pub seed: Option<PathBuf>,
    /// The time that the server goes by.
    pub clock: Clock,
    /// Where identifiers, generated tokens and the ids of requests come from.
    pub identifiers: Identifiers,
    /// What is not known of the real service, or differs between accounts.
    pub behaviour: Behaviour,
    /// How long a client may take for the head of a request, for its body, to take a piece of the answer, and until it
    /// asks again. Then its connection is closed.
    pub patience: Duration,
    /// Gets every request when it has its answer.
    pub on_request: Option<OnRequest>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            data: DataLocation::default(),
            tokens: Vec::new(),
            pages: Vec::new(),
            organization: None,
            rate_limit: 0,
            seed: None,
            clock: Clock::default(),
            identifiers: Identifiers::default(),
            behaviour: Behaviour::default(),
            patience: Duration::from_secs(60),
            on_request: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    /// Shows everything but the tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerOptions")
            .field("data", &self.data)
            .field("tokens", &self.tokens.len())
            .field("pages", &self.pages)
            .field("organization", &self.organization)
            .field("rate_limit", &self.rate_limit)
            .field("seed", &self.seed)
            .field("clock", &self.clock)
            .field("identifiers", &self.identifiers)
            .field("behaviour", &self.behaviour)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// A page that has to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSeed {
    /// Its identifier; without one it is found by its name, or made with a new identifier.
    pub id: Option<String>,
    /// Its name, used when it is made.
    pub name: String,
}

impl FromStr for PageSeed {
    type Err = ServerError;

    /// Reads `ID=NAME`, or a name alone.
    fn from_str(text: &str) -> Result<Self, ServerError> {
        let (id, name) = match text.split_once('=') {
            Some((id, name)) => (Some(id.trim()), name.trim()),
            None => (None, text.trim()),
        };
        if name.is_empty() {
            return Err(ServerError::PageArgument(text.to_owned()));
        }
        match id {
            Some(id) if !ids::is_identifier(id) => Err(ServerError::PageId(id.to_owned())),
            id => Ok(Self {
                id: id.map(str::to_owned),
                name: name.to_owned(),
            }),
        }
    }
}

/// A page that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSummary {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A running server; clones are handles on the same one.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Storage,
    state: tokio::sync::Mutex<State>,
    clock: Clock,
    tokens: Vec<String>,
    organization: String,
    rate_limit: u32,
    patience: Duration,
    windows: Mutex<Vec<RateWindow>>,
    log: RequestLog,
    faults: Faults,
    request_ids: Ids,
    // Copies of what is committed, for readers that must not wait for a request.
    summaries: Mutex<Vec<PageSummary>>,
    notifications: Mutex<Notifications>,
}

impl fmt::Debug for Server {
    /// Shows the pages: the tokens are secret, and the rest is long.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("pages", &self.pages())
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Opens the data, makes the pages that are absent and applies the seed.
    pub async fn open(options: ServerOptions) -> Result<Self, ServerError> {
        let mut tokens = options.tokens;
        if tokens
            .iter()
            .any(|token| token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(ServerError::Token);
        }
        if options.identifiers != Identifiers::Random && options.data != DataLocation::Memory {
            return Err(ServerError::SeededFile);
        }
        let ids = Ids::new(options.identifiers, "objects");
        if tokens.is_empty() {
            tokens.push(Ids::new(options.identifiers, "tokens").token());
        }
        let storage = Storage::open(&options.data).await?;
        let (mut state, notifications) = State::restored(storage.load().await?, ids)?;
        if let Some(id) = options.organization {
            state.organization.id = id;
        } else if state.organization.id.is_empty() {
            state.organization.id = state.ids.identifier();
        }
        if state.organization.identity.get(state::ORGANIZATION) != Some(&state.organization.id) {
            let id = state.organization.id.clone();
            state.organization.identity.put(state::ORGANIZATION, id);
        }
        let organization = state.organization.id.clone();
        let now = options.clock.now();
        for page in options.pages {
            add_page(&mut state, page, now)?;
        }
        if let Some(path) = options.seed {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|source| ServerError::SeedFile {
                path: shown.clone(),
                source,
            })?;
            seed::apply(&mut state, &text, now).map_err(|reason| ServerError::Seed { path: shown, reason })?;
        }
        let windows = tokens.iter().map(|_| RateWindow::default()).collect();
        let server = Self {
            inner: Arc::new(Inner {
                storage,
                state: tokio::sync::Mutex::new(State::default()),
                clock: options.clock,
                tokens,
                organization,
                rate_limit: options.rate_limit,
                patience: options.patience,
                windows: Mutex::new(windows),
                log: RequestLog::new(options.on_request),
                faults: Faults::new(options.behaviour),
                request_ids: Ids::new(options.identifiers, "requests"),
                summaries: Mutex::new(Vec::new()),
                notifications: Mutex::new(Notifications::restored(notifications)),
            }),
        };
        server.persist(&mut state, now).await?;
        server.refresh(&state);
        *server.inner.state.lock().await = state;
        Ok(server)
    }

    /// The pages, in the order of their creation.
    pub fn pages(&self) -> Vec<PageSummary> {
        locked(&self.inner.summaries).clone()
    }

    /// The tokens that are let in, a generated one included.
    pub fn tokens(&self) -> &[String] {
        &self.inner.tokens
    }

    /// The identifier of the organization.
    pub fn organization(&self) -> &str {
        &self.inner.organization
    }

    /// The requests that arrived.
    pub fn log(&self) -> RequestLog {
        self.inner.log.clone()
    }

    /// What would have been sent to whom, oldest first. Only so much is kept that it takes some megabytes at most.
    pub fn notifications(&self) -> Vec<Notification> {
        locked(&self.inner.notifications).all()
    }

    /// The faults and habits, to be changed at any time.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// The points of a metric from a time on, oldest first: seconds since 1970 and value. The API never shows them.
    pub async fn points(&self, page: &str, metric: &str, from: Timestamp) -> Result<Vec<(i64, f64)>, ServerError> {
        self.inner.storage.points(page, metric, from.as_second()).await
    }

    /// Does what the person behind an address does with the message that asks to confirm. False: no such subscriber.
    pub async fn confirm_subscriber(&self, page: &str, subscriber: &str) -> Result<bool, ServerError> {
        self.change_subscriber(page, subscriber, |subscriber, _| subscriber.activate())
            .await
    }

    /// Does what the service does when messages cannot be delivered. False: no such subscriber.
    pub async fn quarantine_subscriber(&self, page: &str, subscriber: &str) -> Result<bool, ServerError> {
        self.change_subscriber(page, subscriber, records::Subscriber::quarantine)
            .await
    }

    async fn change_subscriber(
        &self,
        page: &str,
        id: &str,
        change: impl FnOnce(&mut records::Subscriber, Timestamp),
    ) -> Result<bool, ServerError> {
        let mut state = self.state().await?;
        let now = self.now();
        let found = state.pages.get_mut(page).and_then(|page| page.subscribers.edit(id));
        let Some(subscriber) = found else {
            return Ok(false);
        };
        change(subscriber, now);
        self.persist(&mut state, now).await?;
        Ok(true)
    }

    /// Closes the data in good order. Dropping the server loses nothing either.
    pub async fn close(&self) {
        // Everything that was acknowledged is written already.
        let _ = self.inner.storage.close().await;
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn patience(&self) -> Duration {
        self.inner.patience
    }

    fn request_log(&self) -> &RequestLog {
        &self.inner.log
    }

    fn request_id(&self) -> String {
        self.inner.request_ids.token()
    }

    /// The state as it was committed last, to be read and changed by one request.
    async fn state(&self) -> Result<tokio::sync::MutexGuard<'_, State>, ServerError> {
        let mut state = self.inner.state.lock().await;
        // Only a request that panicked or was given up can have left something behind.
        state.rollback();
        if state.is_being_saved {
            let (stored, notifications) = State::restored(self.inner.storage.load().await?, state.ids.clone())?;
            *locked(&self.inner.notifications) = Notifications::restored(notifications);
            self.refresh(&stored);
            *state = stored;
        }
        Ok(state)
    }

    /// Takes one request out of the budget of a token, or says after how many seconds to come again.
    fn spend(&self, token: usize, now: Timestamp, unpaginated: Option<&str>) -> Result<(), u64> {
        if self.inner.rate_limit == 0 {
            return Ok(());
        }
        match locked(&self.inner.windows).get_mut(token) {
            Some(window) => window.admit(now, self.inner.rate_limit, unpaginated),
            None => Ok(()),
        }
    }

    /// Commits what was changed at an instant, or undoes it when the database refuses.
    async fn persist(&self, state: &mut State, at: Timestamp) -> Result<(), ServerError> {
        if !state.is_changed() {
            return Ok(());
        }
        let added = locked(&self.inner.notifications).adding(state.announced());
        state.is_being_saved = true;
        let saved = self.inner.storage.save(state, &added).await;
        state.is_being_saved = false;
        if let Err(error) = saved {
            state.rollback();
            return Err(error);
        }
        locked(&self.inner.notifications).add(added);
        let named = state.pages.values().any(|page| page.page.is_changed());
        state.commit(self.faults().behaviour().keeps(at));
        if named {
            self.refresh(state);
        }
        Ok(())
    }

    fn refresh(&self, state: &State) {
        let pages = state
            .in_order()
            .filter_map(pages::summary)
            .map(|(id, name)| PageSummary { id, name });
        *locked(&self.inner.summaries) = pages.collect();
    }
}

fn add_page(state: &mut State, page: PageSeed, now: Timestamp) -> Result<(), ServerError> {
    let known = match &page.id {
        Some(id) => state.pages.contains_key(id),
        None => state
            .in_order()
            .filter_map(pages::summary)
            .any(|(_, name)| name == page.name),
    };
    if known {
        return Ok(());
    }
    let id = page.id.unwrap_or_else(|| state.ids.identifier());
    if !ids::is_identifier(&id) {
        return Err(ServerError::PageId(id));
    }
    state.create(records::Page::new(id, page.name, now));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_arguments() {
        let page: PageSeed = "abc=Acme = Status".parse().unwrap();
        assert_eq!((page.id.as_deref(), page.name.as_str()), (Some("abc"), "Acme = Status"));
        let page: PageSeed = "Acme".parse().unwrap();
        assert_eq!(page.id, None);
        assert!("abc=".parse::<PageSeed>().is_err());
        assert!("=Acme".parse::<PageSeed>().is_err());
        assert!("a/b=Acme".parse::<PageSeed>().is_err());
    }
}
