//! Everything that a decision about one page depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::declaration::{Declaration, ObjectKey, Spec};
use super::failure::Failure;
use crate::api::{Reason, StatusPageSpec, parse_duration};
use crate::statuspage::{BudgetStats, CollectionKind, Snapshot};

/// Deletions are counted over this time for the page's deletion cap.
pub const DELETION_WINDOW: Duration = Duration::from_secs(600);
const DEFAULT_RESYNC: Duration = Duration::from_secs(300);
const SHORTEST_RESYNC: Duration = Duration::from_secs(30);
const DEFAULT_DELETION_CAP: i64 = 20;

/// Why nothing can be sent to a page at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The condition's reason on the StatusPage.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
    /// True when only a change by people helps.
    pub stalled: bool,
    /// When it is worth trying again, if that is known.
    pub until: Option<Timestamp>,
}

/// One page with all its declarations.
#[derive(Debug)]
pub struct World<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// The declaration of the page.
    pub page: &'a Declaration,
    /// The remote page's id, once known.
    pub page_id: Option<&'a str>,
    /// All other declarations of the page, in the order in which they are to be created.
    pub declarations: &'a [Declaration],
    /// What was read from the remote page.
    pub snapshot: &'a Snapshot,
    /// When the page's own settings were read.
    pub page_read_at: Option<Timestamp>,
    /// Lists that could not be read, and why.
    pub read_failures: &'a BTreeMap<CollectionKind, Failure>,
    /// The last failure of each object that failed.
    pub failures: &'a BTreeMap<ObjectKey, Failure>,
    /// Why nothing can be sent, if so.
    pub gate: Option<&'a Gate>,
    /// How the request budget of the page's token stands, once it is known.
    pub budget: Option<BudgetStats>,
    /// Recorded incidents that were looked up one by one and are not on the page.
    pub missing_incidents: &'a BTreeSet<String>,
    /// Remote objects deleted within [`DELETION_WINDOW`].
    pub recent_deletions: usize,
    /// True when the page has refused the data points of several metrics in one request.
    pub single_points: bool,
}

impl World<'_> {
    /// The spec of the page; none when its manifest was removed.
    pub fn page_spec(&self) -> Option<&StatusPageSpec> {
        match &*self.page.spec {
            Spec::StatusPage(spec) => Some(spec),
            _ => None,
        }
    }

    /// How old a list may become before it is read again.
    pub fn resync_interval(&self) -> Duration {
        resync_interval(self.page_spec())
    }

    /// How many remote objects may be deleted within [`DELETION_WINDOW`]: the page's cap, raised by the annotation.
    pub fn deletions_allowed(&self) -> usize {
        let cap = self
            .page_spec()
            .and_then(|page| page.deletion_cap)
            .unwrap_or(DEFAULT_DELETION_CAP);
        let annotated = match self.page.allow_deletes.as_deref() {
            Some("true") => usize::MAX,
            Some(number) => number.parse().unwrap_or(0),
            None => 0,
        };
        usize::try_from(cap).unwrap_or(0).max(annotated)
    }
}

/// How old a list of this page may become before it is read again.
pub fn resync_interval(page: Option<&StatusPageSpec>) -> Duration {
    page.and_then(|page| page.resync_interval.as_deref())
        .and_then(parse_duration)
        .unwrap_or(DEFAULT_RESYNC)
        .max(SHORTEST_RESYNC)
}
