//! The driver: performs plans. Store + client + engine, the same for every front end.
//!
//! One [`PageDriver`] runs one page: it looks at the store, asks the engine what to do, performs the most urgent thing
//! that the budget allows now, folds the result in and asks again. It never sleeps holding a backlog: while it waits
//! for the budget an [`Interrupt`] brings it back to planning, so that a new incident goes first.
//!
//! Invariant: create = finalizer, journal, request, record. Between the request and its record nothing cancels it.

pub mod binding;
mod interrupt;
mod observer;
mod page;
mod pages_seen;
mod perform;
pub mod preview;
mod recorder;
mod store;

pub use crate::clock::Clock;
pub use interrupt::{Interrupt, Trigger};
pub use observer::Observer;
pub use page::{PATIENCE, PageDriver, PageOptions, PassEnd, Pending, Settling, Totals};
pub use pages_seen::pages_seen;
pub use recorder::{Conclusion, Expectation, Happening, PendingRecord, Recorder, RemoteWrite};
pub use store::{Access, Event, EventKind, Store, StoreChange, StoreError, View};
