//! The driver of one page.
//!
//! Here is the loop: look, plan, work through the plan, again. `look` takes what the store and the connection say, `queue`
//! puts in order, `read` and `step` perform, `failure` decides whose failure it is, `tell` writes to the store and tells
//! owners.
//!
//! A plan is worked through as long as what happens is what it predicted; whatever it did not foresee (a change of the
//! store, a failure of the page, a reading) leads to another one, and so does a second that has gone by, so that owners
//! are told how far it is.

mod contest;
mod failure;
mod foresee;
mod give_way;
mod observe;
mod persist;
mod planning;
mod queue;
mod read;
mod refresh;
mod remote_clock;
mod settling;
mod silence;
mod step;
mod totals;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::api::Kind;
use crate::driver::preview::SupposedPage;
use crate::driver::{Clock, Interrupt, Observer, Recorder, Store, View};
use crate::engine::{CircuitBreaker, FRESH, Failure, ObjectKey, Plan, ReadWhat, SealKey, Spec, Status, Step};
use crate::statuspage::{Bookmark, Budget, BudgetRegistry, Client, Permit, Priority, Snapshot, Transport};

use contest::Contest;
use failure::StoreAway;
use persist::Written;
use queue::{Queue, Work};
use refresh::Target;
use remote_clock::RemoteClock;
pub use settling::Settling;
pub use silence::PATIENCE;
use silence::Silence;
pub use totals::{Pending, Totals};

/// So many rounds in a row that send nothing end a pass: what is left can only be something that never ends.
const QUIET_ROUNDS: u32 = 64;
/// Pause before the next pass then.
const QUIET_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// A plan is worked through for so long at most before owners are told how far it is.
const STRETCH: SignedDuration = SignedDuration::from_secs(1);
/// Or for so many times as long as it took to make.
const PLANNING_SHARE: i32 = 10;
/// While a backlog waits for the budget, the status of the StatusPage is written at most so often.
const PAGE_STATUS_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// What all drivers of a process share.
#[derive(Clone)]
pub struct PageOptions {
    /// The budgets of all tokens.
    pub budgets: Arc<BudgetRegistry>,
    /// Time.
    pub clock: Clock,
    /// What carries requests, in the place of connections.
    pub transport: Option<Arc<dyn Transport>>,
}

impl std::fmt::Debug for PageOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PageOptions")
            .field("budgets", &self.budgets)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Why a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// Nothing is left to do until something changes, or until this time of the process.
    Idle(Option<Timestamp>),
    /// The StatusPage is gone from the store.
    Gone,
    /// It was asked to stop.
    Stopped,
}

/// What is known of a declaration before the store shows it.
#[derive(Debug)]
struct UnsavedStatus {
    uid: String,
    status: Arc<Status>,
    id_annotation: Option<String>,
}

/// When this process saw what of a declaration.
#[derive(Debug)]
struct Seen {
    requested_at: Option<String>,
    generation: i64,
    at: Timestamp,
    /// When this generation was.
    spec_at: Timestamp,
    /// True for one that was not there when this process looked first.
    fresh: bool,
    /// The attempt in its journal, and when it was seen first.
    attempt: Option<(String, Timestamp)>,
}

/// Runs one page: one pass after the other, one effect after the other.
#[derive(Debug)]
pub struct PageDriver<S> {
    key: ObjectKey,
    store: Arc<S>,
    options: PageOptions,
    client: Option<(String, Client)>,
    target: Option<Target>,
    page_id: Option<String>,
    page_read_at: Option<Timestamp>,
    page_told_at: Option<Timestamp>,
    remote_clock: RemoteClock,
    snapshot: Snapshot,
    failures: BTreeMap<ObjectKey, Failure>,
    read_failures: BTreeMap<ReadWhat, Failure>,
    /// What was begun to read and is not read to its end: since when, and the pages that there are.
    unfinished: BTreeMap<ReadWhat, (Timestamp, Bookmark)>,
    unsaved: BTreeMap<ObjectKey, UnsavedStatus>,
    seen: HashMap<String, Seen>,
    /// When this process first saw the declarations.
    first_view: Option<Timestamp>,
    /// Since when this process acts for one that may have been stopped in the middle of a request.
    took_over: Option<Timestamp>,
    store_away: Option<StoreAway>,
    /// What hashes of secrets are keyed with.
    seal_key: Option<SealKey>,
    single_points: bool,
    circuit_breaker: Option<CircuitBreaker>,
    failed_probes: u32,
    /// How often in a row the page was not among those that the token sees.
    page_missed: u32,
    silence: u32,
    unanswered: Silence,
    ever_reached: bool,
    fresh_for: SignedDuration,
    /// How often in a row the same was read in this pass while nothing else happened.
    rereads: BTreeMap<ReadWhat, u32>,
    /// Statuses that were written since the store was looked at.
    written: BTreeMap<ObjectKey, Arc<Status>>,
    /// What this process wrote last of each status, and until when one is held back that somebody else writes over.
    contest: Contest,
    contested_until: Option<Timestamp>,
    /// Updates since the last plan: what it would write again was not kept.
    last_updates: BTreeMap<ObjectKey, Step>,
    /// True while a journal was open, or a proof on its way, when the last plan was made.
    left_to_time: bool,
    /// How long the last plan took.
    planning: SignedDuration,
    totals: Totals,
    recorder: Option<Arc<dyn Recorder>>,
    observer: Option<Arc<dyn Observer>>,
    pending: watch::Sender<Pending>,
    /// What stands in for the page while this driver only finds out what it would do.
    supposed: Option<SupposedPage>,
}

/// How the work on a plan ended.
enum Stretch {
    /// Time for another plan, with a permit that was waited for.
    PlanAgain(Option<(Permit, Priority)>),
    Idle(Option<Timestamp>),
    Stopped,
}

impl<S: Store> PageDriver<S> {
    /// A driver for the page with this key.
    pub fn new(key: ObjectKey, store: Arc<S>, options: PageOptions) -> Self {
        PageDriver {
            key,
            store,
            options,
            client: None,
            target: None,
            page_id: None,
            page_read_at: None,
            page_told_at: None,
            remote_clock: RemoteClock::default(),
            snapshot: Snapshot::default(),
            failures: BTreeMap::new(),
            read_failures: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            unsaved: BTreeMap::new(),
            seen: HashMap::new(),
            first_view: None,
            took_over: None,
            store_away: None,
            seal_key: None,
            single_points: false,
            circuit_breaker: None,
            failed_probes: 0,
            page_missed: 0,
            silence: 0,
            unanswered: Silence::default(),
            ever_reached: false,
            fresh_for: FRESH,
            rereads: BTreeMap::new(),
            written: BTreeMap::new(),
            contest: Contest::default(),
            contested_until: None,
            last_updates: BTreeMap::new(),
            left_to_time: false,
            planning: SignedDuration::ZERO,
            totals: Totals::default(),
            recorder: None,
            observer: None,
            pending: watch::Sender::default(),
            supposed: None,
        }
    }

    /// The same driver, which tells a recorder what it does.
    #[must_use]
    pub fn recorded_by(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The same driver, which tells an observer how it fares.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The same driver, which takes over from a process that may have sent something a moment ago: it reads the page once
    /// more when that must show.
    #[must_use]
    pub fn taking_over(mut self) -> Self {
        self.took_over = Some(self.options.clock.steady());
        self
    }

    /// The page's key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The time of the process, by the clock in use.
    pub fn now(&self) -> Timestamp {
        self.options.clock.steady()
    }

    /// Figures since the driver was made.
    pub fn totals(&self) -> Totals {
        let sent = self.client.as_ref().map_or(0, |(_, client)| client.requests_sent());
        Totals {
            requests: self.totals.requests + sent,
            ..self.totals
        }
    }

    /// Moves the figures, and tells whoever wants to know.
    fn count(&mut self, change: impl FnOnce(&mut Totals)) {
        change(&mut self.totals);
        if let Some(observer) = &self.observer {
            observer.counted(&self.key, self.totals());
        }
    }

    /// How long ago something was, by the time of the process.
    fn since(&self, moment: Timestamp) -> Duration {
        self.now().duration_since(moment).unsigned_abs()
    }

    /// The request budget in use, once the page was reached for.
    pub fn budget(&self) -> Option<&Budget> {
        self.client.as_ref().map(|(_, client)| client.budget())
    }

    /// What is still to be done, as it changes.
    pub fn pending(&self) -> watch::Receiver<Pending> {
        self.pending.subscribe()
    }

    /// Returns when nothing was answered for [`PATIENCE`]. Needs no borrow of the driver.
    pub fn outage(&self) -> impl Future<Output = ()> + Send + use<S> {
        self.unanswered.lasts()
    }

    /// The last failure of each declaration that failed.
    pub fn failures(&self) -> &BTreeMap<ObjectKey, Failure> {
        &self.failures
    }

    /// What was read from the page.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Works until nothing is left to do now. Waits for the budget where it must; `interrupt` brings it back to
    /// planning meanwhile.
    ///
    /// Not cancel safe: let it return, by way of [`super::Trigger::stop`].
    pub async fn pass(&mut self, interrupt: &mut Interrupt) -> PassEnd {
        let began = self.now();
        self.count(|totals| totals.passes += 1);
        self.fresh_for = FRESH;
        self.rereads.clear();
        if self.recorder.is_some() {
            // What a store has just made up about new declarations is part of what is recorded of them.
            self.flush().await;
        }
        let end = self.work(interrupt).await;
        self.pending.send_replace(Pending::default());
        if let Err(error) = self.store.settle().await {
            self.store_is_away(&error);
        }
        if let Some(observer) = &self.observer {
            observer.passed(&self.key, self.since(began));
        }
        end
    }

    async fn work(&mut self, interrupt: &mut Interrupt) -> PassEnd {
        let mut quiet_rounds = 0;
        let mut held = None;
        loop {
            if interrupt.stopped() || !self.store.may_write() || self.lacks_a_reading() {
                release(held);
                return PassEnd::Stopped;
            }
            interrupt.acknowledge();
            let began = self.options.clock.steady();
            let Some(view) = self.refresh_view() else {
                release(held);
                return PassEnd::Gone;
            };
            self.forget_unrecorded(&view);
            let plan = self.plan(&view);
            self.planning = self.options.clock.steady().duration_since(began);
            self.pending.send_replace(Pending {
                changes: plan.backlog.changes,
                budget: self.budget().cloned(),
            });
            let now = self.options.clock.steady();
            if let Some(until) = self.store_pauses() {
                release(held);
                return PassEnd::Idle(Some(until));
            }
            let sent = self.totals.reads + self.totals.writes + self.totals.failures;
            match self.work_through(&view, &plan, held.take(), interrupt).await {
                Stretch::PlanAgain(permit) => held = permit,
                Stretch::Idle(wake) => return PassEnd::Idle(wake),
                Stretch::Stopped => return PassEnd::Stopped,
            }
            if sent == self.totals.reads + self.totals.writes + self.totals.failures {
                quiet_rounds += 1;
            } else {
                quiet_rounds = 0;
            }
            if quiet_rounds >= QUIET_ROUNDS {
                release(held);
                tracing::warn!(page = %self.key, rounds = quiet_rounds, "writes to the store keep leading to more of the same; pausing");
                return PassEnd::Idle(now.saturating_add(QUIET_PAUSE).ok());
            }
        }
    }

    /// Does what a plan calls for, as far as it goes as predicted.
    async fn work_through(
        &mut self,
        view: &View,
        plan: &Plan,
        mut held: Option<(Permit, Priority)>,
        interrupt: &mut Interrupt,
    ) -> Stretch {
        match self.store_steps(view, plan, interrupt).await {
            Written::Nothing => {}
            Written::Some | Written::Interrupted => return Stretch::PlanAgain(held),
        }
        let mut queue = Queue::of(plan, &self.snapshot);
        let planned_at = self.options.clock.steady();
        // A page so large that planning takes long is not planned for most of the time.
        let stretch = STRETCH.max(self.planning.saturating_mul(PLANNING_SHARE));
        if queue.first().is_none() || self.connection().is_none() {
            release(held);
            return match self.write_statuses(view, plan, |_| true, interrupt).await {
                // What was found is recorded now; something may build on it.
                Written::Some | Written::Interrupted => Stretch::PlanAgain(None),
                Written::Nothing => Stretch::Idle(self.wake(plan)),
            };
        }
        // What was done is told; what is still to be done is told when it is done, or when it has to wait. What somebody
        // changed on the page is told before it is put right.
        let waiting: BTreeSet<&ObjectKey> = plan.steps.iter().map(|step| &step.key).collect();
        let told = {
            let urgent = persist::due_early(view, plan, planned_at);
            let due = |key: &ObjectKey| urgent.contains(key) || key.kind != Kind::StatusPage && !waiting.contains(key);
            self.write_statuses(view, plan, due, interrupt).await
        };
        if told == Written::Interrupted {
            return Stretch::PlanAgain(held);
        }
        let first = queue.first().map(Work::class);
        let mut done = 0;
        while let Some(work) = queue.next() {
            let Some((client, page_id)) = self.connection() else {
                return Stretch::PlanAgain(held);
            };
            let late = self.options.clock.steady().duration_since(planned_at) >= stretch;
            // What was done may have made something more urgent possible than what comes next.
            let descends = done > 0 && first != Some(work.class());
            if interrupt.is_due() || done > 0 && late || descends || self.gate_closed_meanwhile(plan) {
                return Stretch::PlanAgain(held);
            }
            let permit = match held.take() {
                // One that was waited for more urgent work may be from the reserve.
                Some((permit, priority)) if priority >= work.priority() => permit,
                other => {
                    release(other);
                    match client.budget().try_acquire(work.priority(), &page_id) {
                        Ok(permit) => permit,
                        // The record of the window is written first.
                        Err(wait) if wait.is_zero() => tokio::select! {
                            permit = client.budget().acquire(work.priority(), &page_id) => permit,
                            () = interrupt.wait() => return Stretch::PlanAgain(None),
                        },
                        Err(_) => return self.wait_for_budget(view, plan, &work, interrupt).await,
                    }
                }
            };
            if interrupt.stopped() || !self.store.may_write() {
                permit.release_unused();
                return Stretch::Stopped;
            }
            match work {
                Work::Read(read) => {
                    self.read(view, &client, &page_id, &read, permit, interrupt).await;
                }
                Work::Step(step) => {
                    let predicted = self.step(view, &client, &page_id, step, permit, interrupt).await;
                    if !predicted {
                        return Stretch::PlanAgain(None);
                    }
                }
            }
            done += 1;
        }
        Stretch::PlanAgain(held)
    }

    /// True when the page was closed since the plan was made.
    fn gate_closed_meanwhile(&self, plan: &Plan) -> bool {
        self.circuit_breaker.is_some() && !plan.behind_circuit_breaker || self.store_pauses().is_some()
    }

    /// Tells what waits, and waits for the right to send the next request.
    async fn wait_for_budget(
        &mut self,
        view: &View,
        plan: &Plan,
        work: &Work<'_>,
        interrupt: &mut Interrupt,
    ) -> Stretch {
        let Some((client, page_id)) = self.connection() else {
            return Stretch::PlanAgain(None);
        };
        // The page's own status counts what waits: told now and then, not after every request.
        let now = self.options.clock.steady();
        let told = self
            .page_told_at
            .map_or(SignedDuration::MAX, |told| now.duration_since(told));
        let page_due = told >= PAGE_STATUS_PAUSE;
        let until_due = PAGE_STATUS_PAUSE.saturating_sub(told).unsigned_abs();
        if page_due {
            self.page_told_at = Some(now);
        }
        let due = |key: &ObjectKey| page_due || key.kind != Kind::StatusPage;
        if self.write_statuses(view, plan, due, interrupt).await == Written::Interrupted {
            return Stretch::PlanAgain(None);
        }
        self.flush().await;
        let priority = work.priority();
        tokio::select! {
            biased;
            () = interrupt.wait() => Stretch::PlanAgain(None),
            permit = client.budget().acquire(priority, &page_id) => Stretch::PlanAgain(Some((permit, priority))),
            () = tokio::time::sleep(until_due), if !page_due => Stretch::PlanAgain(None),
        }
    }

    /// True when something failed, or is not decided yet, that another try in a while may mend.
    pub fn waits_for_time(&self) -> bool {
        let circuit_breaker = self
            .circuit_breaker
            .as_ref()
            .is_some_and(|circuit_breaker| !circuit_breaker.stalled && circuit_breaker.until.is_some());
        let retried = |failure: &Failure| !failure.terminal;
        let failed = self.failures.values().chain(self.read_failures.values()).any(retried);
        if circuit_breaker || failed || self.store_pauses().is_some() {
            return true;
        }
        self.left_to_time
    }
}

/// Gives back what was waited for and is not needed.
fn release(held: Option<(Permit, Priority)>) {
    if let Some((permit, _)) = held {
        permit.release_unused();
    }
}

/// The organization of the page, where it is declared.
fn organization(view: &View) -> Option<String> {
    match &*view.page.spec {
        Spec::StatusPage(spec) => spec.organization_id.clone(),
        _ => None,
    }
}
