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
mod persist;
mod queue;
mod read;
mod refresh;
mod remote_clock;
mod settling;
mod silence;
mod step;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::api::{Kind, Reason};
use crate::driver::preview::SupposedPage;
use crate::driver::{Clock, Interrupt, Observer, Recorder, Store, Trigger, View};
use crate::engine::{
    self, CircuitBreaker, Declaration, FRESH, Failure, ObjectKey, Plan, Read, ReadWhat, SealKey, Spec, Status, Step,
    World,
};
use crate::statuspage::{Bookmark, Budget, BudgetRegistry, Client, Error, Permit, Priority, Snapshot, Transport};

use contest::Contest;
use failure::StoreAway;
use persist::Written;
use queue::{Queue, Work};
use refresh::Target;
use remote_clock::RemoteClock;
pub use settling::Settling;
pub use silence::PATIENCE;
use silence::Silence;

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
/// Who only looks waits for proofs for so long at most.
const LOOKED_FOR: SignedDuration = SignedDuration::from_secs(20);
/// What is only shown may be based on what was read so long ago.
const SHOWN_FOR: SignedDuration = SignedDuration::from_mins(10);

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

/// Figures of a driver since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Passes begun.
    pub passes: u64,
    /// Plans made.
    pub plans: u64,
    /// Requests sent, failed ones included; a long list takes several.
    pub requests: u64,
    /// Lists and objects read.
    pub reads: u64,
    /// Remote writes that succeeded.
    pub writes: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Changes written to the store.
    pub store_writes: u64,
}

impl std::ops::Add for Totals {
    type Output = Totals;

    fn add(self, other: Totals) -> Totals {
        Totals {
            passes: self.passes + other.passes,
            plans: self.plans + other.plans,
            requests: self.requests + other.requests,
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
            failures: self.failures + other.failures,
            store_writes: self.store_writes + other.store_writes,
        }
    }
}

/// What a driver has still to do in the pass that is under way; nothing between passes.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Requests that change something, as far as they are known.
    pub changes: usize,
    /// The budget that they wait for.
    pub budget: Option<Budget>,
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

    /// Reads what a plan needs and returns it, writing nothing anywhere. An outage is not waited for.
    pub async fn observe(&mut self) -> Option<(View, Plan)> {
        let begun = self.options.clock.steady();
        loop {
            let (view, plan) = self.read_what_is_due().await?;
            // A proof that is a few seconds away is waited for; who only looks does not wait for more.
            let now = self.options.clock.steady();
            match plan.proof_at.filter(|at| at.duration_since(begun) <= LOOKED_FOR) {
                Some(at) if at > now => tokio::time::sleep(at.duration_since(now).unsigned_abs()).await,
                _ => return Some((view, plan)),
            }
        }
    }

    /// Reads what a plan needs now.
    async fn read_what_is_due(&mut self) -> Option<(View, Plan)> {
        self.fresh_for = SHOWN_FOR;
        loop {
            let view = self.refresh_view()?;
            let plan = self.plan(&view);
            let Some(read) = plan.reads.first().cloned() else {
                return Some((view, plan));
            };
            let Some((client, page_id)) = self.connection() else {
                return Some((view, plan));
            };
            if !self.look_up(&view, &client, &page_id, &read).await {
                let view = self.refresh_view()?;
                let plan = self.plan(&view);
                return Some((view, plan));
            }
        }
    }

    /// Reads something for who only looks; false when nothing was answered for as long as that is waited for.
    async fn look_up(&mut self, view: &View, client: &Client, page_id: &str, read: &Read) -> bool {
        let permit = client.budget().acquire(Priority::Read, page_id).await;
        let nobody = Trigger::default();
        let undisturbed = nobody.interrupt();
        let outage = self.outage();
        tokio::select! {
            () = self.read(view, client, page_id, read, permit, &undisturbed) => true,
            () = outage => {
                let message = format!("no answer within {} s", PATIENCE.as_secs());
                self.fail_reading(&read.what, false, Reason::Unreachable, message);
                false
            }
        }
    }

    /// How the page stands: the store's view and the plan of this moment. Performs nothing.
    pub fn current(&mut self) -> Option<(View, Plan)> {
        let view = self.refresh_view()?;
        let plan = engine::plan(&self.world(&view));
        Some((view, plan))
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

    /// The world as it is known now.
    pub fn world<'a>(&'a self, view: &'a View) -> World<'a> {
        let now = self.options.clock.steady();
        World {
            now,
            wall: self.options.clock.now(),
            remote_now: self.remote_clock.at(now),
            fresh_for: self.fresh_for,
            page: &view.page,
            around: &view.around,
            page_id: self.page_id.as_deref(),
            declarations: &view.declarations,
            snapshot: &self.snapshot,
            page_read_at: self.page_read_at,
            read_failures: &self.read_failures,
            failures: &self.failures,
            circuit_breaker: self.circuit_breaker.as_ref(),
            budget: self.budget().map(Budget::stats),
            seal_key: self.seal_key.as_ref(),
            single_points: self.single_points,
        }
    }

    fn plan(&mut self, view: &View) -> Plan {
        self.count(|totals| totals.plans += 1);
        self.written.clear();
        self.contested_until = None;
        let mut plan = self.planned(view);
        let previous = std::mem::take(&mut self.last_updates);
        if self.refuse_repetition(view, &plan, &previous) {
            plan = self.planned(view);
        }
        self.forget_what_is_stored(&plan);
        self.left_to_time = plan.proof_at.is_some() || has_open_attempt(view);
        engine::forget_settled(&mut self.failures, &plan.findings, self.options.clock.steady());
        plan
    }

    fn planned(&self, view: &View) -> Plan {
        #[cfg(test)]
        return crate::simulation::bugs::plan_distorted(self.world(view));
        #[cfg(not(test))]
        engine::plan(&self.world(view))
    }

    /// A field that would be written again right after it was written is one that the page does not keep. True when there
    /// is one.
    fn refuse_repetition(&mut self, view: &View, plan: &Plan, previous: &BTreeMap<ObjectKey, Step>) -> bool {
        let mut refused = false;
        for step in &plan.steps {
            let Some(previous) = previous.get(&step.key) else {
                continue;
            };
            let fields = step.repeats(previous);
            if fields.is_empty() {
                continue;
            }
            let message = format!(
                "Statuspage accepted the change but did not keep {}: the page's plan may not have this feature, or the API cannot change it; remove the field or change it in the console",
                fields.join(", ")
            );
            self.fail(view, &step.key, true, Reason::NotHonoured, message);
            refused = true;
        }
        refused
    }
}

/// True while it is not known of some attempt whether it succeeded: that shows in a while.
fn has_open_attempt(view: &View) -> bool {
    let page = match &*view.page.spec {
        Spec::StatusPage(spec) => Some(&**spec),
        _ => None,
    };
    let open = |declaration: &&Declaration| declaration.status.object().journal.is_some();
    let mut open = view.declarations.iter().filter(open);
    open.any(|declaration| !declaration.policies(page).suspend)
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

/// An error with all its causes: the outermost text hides them.
fn described(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
