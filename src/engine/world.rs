//! Everything that a decision about one page depends on.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::declaration::{Declaration, ObjectKey};
use super::failure::Failure;
use super::plan::ReadWhat;
use super::seal::SealKey;
use crate::api::{ALLOW_RECREATES, Reason, Spec, Status, StatusPageSpec, parse_duration};
use crate::statuspage::{BudgetStats, Snapshot};

/// Deletions are counted over this time for the page's deletion cap.
pub const DELETION_WINDOW: Duration = Duration::from_secs(600);
const DEFAULT_RESYNC: Duration = Duration::from_secs(300);
const SHORTEST_RESYNC: Duration = Duration::from_secs(30);
const DEFAULT_DELETION_CAP: i64 = 20;

/// Why nothing can be sent to a page at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreaker {
    /// The condition's reason on the StatusPage.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
    /// True when only a change by people helps.
    pub stalled: bool,
    /// True when incidents may still be sent: only a refused token stops those.
    pub lets_incidents_pass: bool,
    /// When it is worth trying again, if that is known.
    pub until: Option<Timestamp>,
}

/// The id that a declaration records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// True for an id that was only written into the annotation: see [`Declaration::is_to_take_over`].
    pub is_to_take_over: bool,
    /// When the declaration was written first.
    pub created: Timestamp,
    /// The declaration.
    pub key: ObjectKey,
    /// The id.
    pub id: String,
}

impl Claimant {
    /// What a declaration claims, if it does.
    pub fn of(declaration: &Declaration) -> Option<Self> {
        Some(Claimant {
            is_to_take_over: declaration.is_to_take_over(),
            created: declaration.created,
            key: declaration.key.clone(),
            id: declaration.recorded_id()?.to_owned(),
        })
    }
}

/// What a decision about a page depends on beside the page and its declarations.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Namespaces that are being deleted, and since when, by the clock of the store.
    pub ending: BTreeMap<String, Timestamp>,
    /// What declarations of other StatusPages of the same remote page have recorded.
    pub elsewhere: Vec<Claimant>,
}

impl Surroundings {
    /// Nothing else is there.
    pub const NONE: &'static Surroundings = &Surroundings {
        ending: BTreeMap::new(),
        elsewhere: Vec::new(),
    };
}

/// One page with all its declarations.
#[derive(Debug)]
pub struct World<'a> {
    /// The time of the decision, by a clock of this process that never jumps: readings, pauses and waits are measured by
    /// it.
    pub now: Timestamp,
    /// What the clock of the machine shows: for what people and other processes read.
    pub wall: Timestamp,
    /// What the clock of the remote service shows, as far as its replies have told: journals are dated by it, so that
    /// processes with other clocks understand them.
    pub remote_now: Option<Timestamp>,
    /// For how long what was read by its id may be written on: [`super::FRESH`], or longer where nothing is written.
    pub fresh_for: SignedDuration,
    /// The declaration of the page.
    pub page: &'a Declaration,
    /// The remote page's id, once known.
    pub page_id: Option<&'a str>,
    /// What else there is: other StatusPages of the same page, and namespaces that end.
    pub around: &'a Surroundings,
    /// All other declarations of the page, in the order in which they are to be created.
    pub declarations: &'a [Declaration],
    /// What was read from the remote page.
    pub snapshot: &'a Snapshot,
    /// When the page's own settings were read.
    pub page_read_at: Option<Timestamp>,
    /// What could not be read, and why.
    pub read_failures: &'a BTreeMap<ReadWhat, Failure>,
    /// The last failure of each object that failed.
    pub failures: &'a BTreeMap<ObjectKey, Failure>,
    /// Why nothing can be sent, if so.
    pub circuit_breaker: Option<&'a CircuitBreaker>,
    /// How the request budget of the page's token stands, once it is known.
    pub budget: Option<BudgetStats>,
    /// What hashes of secrets are keyed with, once the token is known.
    pub seal_key: Option<&'a SealKey>,
    /// True when the page has refused the data points of several metrics in one request.
    pub single_points: bool,
}

impl<'a> World<'a> {
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

    /// When a list is to be read again that was read at a time. What is a quarter as old as it may become when the page is read
    /// again is read with it, so that one look takes in all of the page.
    pub(super) fn due(&self, read_at: Timestamp) -> Timestamp {
        let interval = SignedDuration::try_from(self.resync_interval()).unwrap_or(SignedDuration::MAX);
        let with_page = self
            .page_read_at
            .filter(|page_read_at| page_read_at.duration_since(read_at) > interval / 4);
        let alone = read_at.saturating_add(interval).unwrap_or(Timestamp::MAX);
        with_page.map_or(alone, |with_page| with_page.min(alone))
    }

    /// Remote objects deleted within [`DELETION_WINDOW`].
    pub fn recent_deletions(&self) -> usize {
        let Status::StatusPage(status) = &*self.page.status else {
            return 0;
        };
        let window = SignedDuration::try_from(DELETION_WINDOW).unwrap_or(SignedDuration::ZERO);
        let recent = |at: &&Time| self.wall.duration_since(at.0).abs() < window;
        status.recent_deletions.iter().filter(recent).count()
    }

    /// How many objects that are missing from the page at once may be created again: without the annotation none.
    pub fn recreations_allowed(&self) -> usize {
        match self.page.annotations.get(ALLOW_RECREATES).map(String::as_str) {
            Some("true") => usize::MAX,
            Some(number) => number.parse().unwrap_or(0),
            None => 0,
        }
    }

    /// The time by the clock of this process at which the clock of the machine will show another time.
    pub(super) fn by_process_clock(&self, wall: Timestamp) -> Timestamp {
        self.now
            .saturating_add(wall.duration_since(self.wall))
            .unwrap_or(Timestamp::MAX)
    }

    /// The failure of a reading that is not to be tried again yet.
    pub(super) fn unreadable(&self, what: &ReadWhat) -> Option<&'a Failure> {
        let failure = self.read_failures.get(what)?;
        (self.now < failure.retry_at()).then_some(failure)
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
