//! What a driver needs of the place where declarations live.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use reqwest::header::HeaderValue;

use crate::api::{Journal, Reason};
use crate::engine::{Declaration, ObjectKey, Status, Surroundings};
use crate::statuspage::{BaseUrl, BudgetRegistry, Client, ClientBuilder, Token};

/// A page with all its declarations, as the store has them now: own writes included.
#[derive(Debug)]
pub struct View {
    /// The declaration of the page.
    pub page: Declaration,
    /// All others, in the order in which they are to be created.
    pub declarations: Vec<Declaration>,
    /// How to reach the page, or why that is not known: reason and what to do.
    pub access: Result<Access, (Reason, String)>,
    /// What else there is that matters to it.
    pub around: Surroundings,
    /// Positions of the declarations, sorted by their keys.
    by_key: OnceLock<Vec<usize>>,
}

impl View {
    /// A page with its declarations and how to reach it.
    pub fn new(page: Declaration, declarations: Vec<Declaration>, access: Result<Access, (Reason, String)>) -> Self {
        View {
            page,
            declarations,
            access,
            around: Surroundings::default(),
            by_key: OnceLock::new(),
        }
    }

    /// The same amid what else there is.
    #[must_use]
    pub fn amid(self, around: Surroundings) -> Self {
        View { around, ..self }
    }

    /// The declaration with this key, that of the page included.
    pub fn get(&self, key: &ObjectKey) -> Option<&Declaration> {
        if self.page.key == *key {
            return Some(&self.page);
        }
        let key_at = |position: usize| self.declarations.get(position).map(|declaration| &declaration.key);
        let sorted = self.by_key.get_or_init(|| {
            let mut positions: Vec<usize> = (0..self.declarations.len()).collect();
            positions.sort_unstable_by_key(|position| key_at(*position));
            positions
        });
        let found = sorted.binary_search_by(|position| key_at(*position).cmp(&Some(key)));
        self.declarations.get(*sorted.get(found.ok()?)?)
    }
}

/// How to reach a page.
#[derive(Clone, Debug)]
pub struct Access {
    /// Address of the API.
    pub base_url: BaseUrl,
    /// Token of the API.
    pub token: Token,
}

impl Access {
    /// Begins the client of this program for such a page, within the budget that all its clients of this token share.
    #[must_use]
    pub fn client(&self, budgets: &BudgetRegistry) -> ClientBuilder {
        Client::builder(self.base_url.clone(), self.token.clone())
            .user_agent(USER_AGENT)
            .budget(budgets.budget(&self.token, &self.base_url))
    }
}

/// Who asks, in the logs of the service.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("statuspage-operator/", env!("CARGO_PKG_VERSION")));

/// A change of one stored declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreChange {
    /// Puts the finalizer on.
    AddFinalizer,
    /// Writes the status as it is known, with the journal in it. Must fail with [`StoreError::Conflict`] when the stored
    /// object is not the version that the declaration was read from: this is what keeps two writers from creating twice.
    Journal(Journal),
    /// Writes the id annotation.
    RecordId(String),
    /// Replaces the status.
    Status(Arc<Status>),
    /// Takes the finalizer off.
    RemoveFinalizer,
    /// Takes the finalizer off and deletes the declaration.
    Prune,
}

/// Why a change of a stored declaration failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed it: read again.
    #[error("{0} was changed by somebody else meanwhile")]
    Conflict(String),
    /// It is gone.
    #[error("{0} does not exist any more")]
    Gone(String),
    /// The store refuses or cannot be reached; tried again.
    #[error("cannot write {object}: {message}")]
    Unavailable {
        /// The declaration.
        object: String,
        /// The store's words.
        message: String,
    },
}

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Something was done, or recovered.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Something that happened to a declaration, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How it is meant.
    pub kind: EventKind,
    /// One word, such as Created or Rejected.
    pub reason: String,
    /// A sentence.
    pub note: String,
}

impl Event {
    /// A declaration ends, and its remote object stays though it should have been deleted.
    pub fn left_on_page(why: &str) -> Self {
        Event {
            kind: EventKind::Warning,
            reason: "LeftOnPage".to_owned(),
            note: why.to_owned(),
        }
    }
}

/// The place where declarations live.
pub trait Store: Send + Sync + 'static {
    /// The page and its declarations; none when there is no such page. `seen` of each declaration is set by the
    /// caller; `status` equals `stored`.
    fn view(&self, page: &ObjectKey) -> Option<View>;

    /// One declaration of a page, or the page's own, as [`Store::view`] would show it; none when it is not there.
    fn declaration(&self, page: &ObjectKey, key: &ObjectKey) -> Option<Declaration>;

    /// Writes one change. Once it returned, [`Store::view`] shows it.
    fn write(
        &self,
        declaration: &Declaration,
        change: StoreChange,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes everything written so far durable. A store may keep a [`StoreChange::Status`] and a
    /// [`StoreChange::AddFinalizer`] back until then, or until the next journal, id or release: what they say is found
    /// again after a crash.
    fn flush(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Does the same when a pass is over, and puts in order what a store may have left for a while with nothing to do.
    fn settle(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.flush()
    }

    /// Tells the owner of a declaration. Never blocks and never fails.
    fn emit_event(&self, declaration: &Declaration, event: Event);

    /// False when this process must not write any more, because another one leads.
    fn may_write(&self) -> bool {
        true
    }
}
