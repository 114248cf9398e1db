//! Who is told how a driver fares: for metrics.

use std::fmt::Debug;
use std::time::Duration;

use super::{StoreError, Totals};
use crate::api::Kind;
use crate::engine::ObjectKey;
use crate::statuspage::RequestObserver;

/// Told of what a driver does, as it does it. Nothing here may block.
pub trait Observer: RequestObserver + Debug {
    /// The figures of a page have moved.
    fn counted(&self, page: &ObjectKey, totals: Totals);

    /// A pass over a page has ended; it took so long, waiting for replies and for the budget included.
    fn passed(&self, page: &ObjectKey, took: Duration);

    /// A write to the store of declarations has ended.
    fn stored(&self, result: &Result<(), StoreError>, took: Duration);

    /// What was declared while this process was watching is on the page now, so long after it was seen first.
    fn reached_page(&self, kind: Kind, took: Duration);
}
