//! The driver of one page.
//!
//! Here is the loop: look, plan, perform the most urgent effect, again. `look` takes what the store and the connection
//! say, `read` and `step` perform, `tell` writes to the store and tells owners.

mod look;
mod read;
mod step;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::api::{Kind, Reason};
use crate::driver::{Clock, Interrupt, Recorder, Store, View};
use crate::engine::{
    self, DELETION_WINDOW, Declaration, Failure, Gate, ObjectKey, Plan, Read, ReadWhat, Spec, Status, Step, World,
};
use crate::statuspage::{BaseUrl, Budget, BudgetRegistry, Client, CollectionKind, Error, Priority, Snapshot};

/// How often in a row statuses are written with nothing else to do before a pass ends all the same.
const QUIET_ROUNDS: u32 = 8;
/// Pause before the store is tried again with what it did not take.
const STORE_RETRY: SignedDuration = SignedDuration::from_secs(5);

/// While a backlog waits for the budget, the status of the StatusPage is written at most so often.
const PAGE_STATUS_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// What all drivers of a process share.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// The budgets of all tokens.
    pub budgets: Arc<BudgetRegistry>,
    /// Time.
    pub clock: Clock,
}

/// Why a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// Nothing is left to do until something changes, or until this time.
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
struct Knowledge {
    uid: String,
    status: Status,
    id_annotation: Option<String>,
}

/// Runs one page: one pass after the other, one effect after the other.
#[derive(Debug)]
pub struct PageDriver<S> {
    key: ObjectKey,
    store: Arc<S>,
    options: PageOptions,
    client: Option<(String, Client)>,
    base_url: Option<BaseUrl>,
    page_id: Option<String>,
    page_read_at: Option<Timestamp>,
    page_told_at: Option<Timestamp>,
    snapshot: Snapshot,
    failures: BTreeMap<ObjectKey, Failure>,
    read_failures: BTreeMap<CollectionKind, Failure>,
    missing_incidents: BTreeSet<String>,
    knowledge: BTreeMap<ObjectKey, Knowledge>,
    seen: BTreeMap<String, (Option<String>, Timestamp)>,
    deletions: Vec<Timestamp>,
    store_trouble: bool,
    single_points: bool,
    gate: Option<Gate>,
    gate_attempts: u32,
    last_update: Option<Step>,
    totals: Totals,
    recorder: Option<Arc<dyn Recorder>>,
    pending: watch::Sender<Pending>,
}

impl<S: Store> PageDriver<S> {
    /// A driver for the page with this key.
    pub fn new(key: ObjectKey, store: Arc<S>, options: PageOptions) -> Self {
        PageDriver {
            key,
            store,
            options,
            client: None,
            base_url: None,
            page_id: None,
            page_read_at: None,
            page_told_at: None,
            snapshot: Snapshot::default(),
            failures: BTreeMap::new(),
            read_failures: BTreeMap::new(),
            missing_incidents: BTreeSet::new(),
            knowledge: BTreeMap::new(),
            seen: BTreeMap::new(),
            deletions: Vec::new(),
            store_trouble: false,
            single_points: false,
            gate: None,
            gate_attempts: 0,
            last_update: None,
            totals: Totals::default(),
            recorder: None,
            pending: watch::Sender::default(),
        }
    }

    /// The same driver, which tells a recorder what it does.
    #[must_use]
    pub fn recorded_by(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The page's key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Figures since the driver was made.
    pub fn totals(&self) -> Totals {
        let sent = self.client.as_ref().map_or(0, |(_, client)| client.requests_sent());
        Totals {
            requests: self.totals.requests + sent,
            ..self.totals
        }
    }

    /// The request budget in use, once the page was reached for.
    pub fn budget(&self) -> Option<&Budget> {
        self.client.as_ref().map(|(_, client)| client.budget())
    }

    /// What is still to be done, as it changes.
    pub fn pending(&self) -> watch::Receiver<Pending> {
        self.pending.subscribe()
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
        self.totals.passes += 1;
        if self.recorder.is_some() {
            // What a store has just made up about new declarations is part of what is recorded of them.
            self.flush().await;
        }
        let end = self.work(interrupt).await;
        self.pending.send_replace(Pending::default());
        self.flush().await;
        end
    }

    async fn work(&mut self, interrupt: &mut Interrupt) -> PassEnd {
        let mut quiet_rounds = 0;
        self.store_trouble = false;
        loop {
            if interrupt.stopped() || !self.store.may_write() {
                return PassEnd::Stopped;
            }
            interrupt.acknowledge();
            let Some(view) = self.look() else { return PassEnd::Gone };
            let plan = self.plan(&view);
            self.pending.send_replace(Pending {
                changes: plan.backlog.changes,
                budget: self.budget().cloned(),
            });
            if self.small_steps(&view, &plan).await {
                continue;
            }
            let Some(work) = self.next_work(&plan) else {
                if self.write_statuses(&view, &plan, |_| true).await && quiet_rounds < QUIET_ROUNDS {
                    // What was found is recorded now; something may build on it.
                    quiet_rounds += 1;
                    continue;
                }
                return PassEnd::Idle(self.wake(&plan));
            };
            quiet_rounds = 0;
            // What was just done is told at once; what is still to be done is told when it is done, or when it has to
            // wait. What somebody changed on the page is told before it is put right.
            let waiting: BTreeSet<&ObjectKey> = plan.steps.iter().map(|step| &step.key).collect();
            let drifted = newly_drifted(&view, &plan);
            self.write_statuses(&view, &plan, |key| {
                drifted.contains(key) || key.kind != Kind::StatusPage && !waiting.contains(key)
            })
            .await;
            let Some((client, page_id)) = self.connection() else {
                return PassEnd::Idle(self.wake(&plan));
            };
            let permit = match client.budget().try_acquire(work.priority(), &page_id) {
                Ok(permit) => permit,
                Err(_) => {
                    // The page's own status counts what waits: told now and then, not after every request.
                    let now = self.options.clock.now();
                    let told = self
                        .page_told_at
                        .map_or(SignedDuration::MAX, |told| now.duration_since(told));
                    let page_due = told >= PAGE_STATUS_PAUSE;
                    let until_due = (PAGE_STATUS_PAUSE.saturating_sub(told)).unsigned_abs();
                    if page_due {
                        self.page_told_at = Some(now);
                    }
                    self.write_statuses(&view, &plan, |key| page_due || key.kind != Kind::StatusPage)
                        .await;
                    self.flush().await;
                    tokio::select! {
                        permit = client.budget().acquire(work.priority(), &page_id) => permit,
                        () = interrupt.wait() => continue,
                        () = tokio::time::sleep(until_due), if !page_due => continue,
                    }
                }
            };
            if interrupt.stopped() || !self.store.may_write() {
                permit.release_unused();
                return PassEnd::Stopped;
            }
            match work {
                Work::Read(read) => self.read(&view, &client, &page_id, &read, permit).await,
                Work::Step(step) => self.step(&view, &client, &page_id, &step, permit).await,
            }
        }
    }

    /// Reads what a plan needs and returns it, writing nothing anywhere: for `plan`.
    pub async fn observe(&mut self) -> Option<(View, Plan)> {
        loop {
            let view = self.look()?;
            let plan = self.plan(&view);
            let Some(read) = plan.reads.first().filter(|_| self.gate.is_none()).cloned() else {
                return Some((view, plan));
            };
            let Some((client, page_id)) = self.connection() else {
                return Some((view, plan));
            };
            let permit = client.budget().acquire(Priority::Read, &page_id).await;
            self.read(&view, &client, &page_id, &read, permit).await;
        }
    }

    /// How the page stands: the store's view and the plan of this moment. Performs nothing.
    pub fn current(&mut self) -> Option<(View, Plan)> {
        let view = self.look()?;
        let plan = engine::plan(&self.world(&view));
        Some((view, plan))
    }

    /// True when something failed, or is not decided yet, that another try in a while may mend.
    pub fn waits_for_time(&mut self) -> bool {
        let gate = self
            .gate
            .as_ref()
            .is_some_and(|gate| !gate.stalled && gate.until.is_some());
        let retried = |failure: &Failure| !failure.terminal;
        if gate || self.failures.values().any(retried) || self.read_failures.values().any(retried) {
            return true;
        }
        // A journal is open: whether the attempt succeeded shows in a while.
        self.look().is_some_and(|view| {
            let page = match &*view.page.spec {
                Spec::StatusPage(spec) => Some(&**spec),
                _ => None,
            };
            let open = |declaration: &&Declaration| declaration.status.object().journal.is_some();
            let mut open = view.declarations.iter().filter(open);
            open.any(|declaration| !declaration.policies(page).suspend)
        })
    }

    /// The world as it is known now.
    pub fn world<'a>(&'a self, view: &'a View) -> World<'a> {
        let now = self.options.clock.now();
        World {
            now,
            page: &view.page,
            page_id: self.page_id.as_deref(),
            declarations: &view.declarations,
            snapshot: &self.snapshot,
            page_read_at: self.page_read_at,
            read_failures: &self.read_failures,
            failures: &self.failures,
            gate: self.gate.as_ref(),
            budget: self.budget().map(Budget::stats),
            missing_incidents: &self.missing_incidents,
            recent_deletions: self.deletions.len(),
            single_points: self.single_points,
        }
    }

    fn plan(&mut self, view: &View) -> Plan {
        self.totals.plans += 1;
        let now = self.options.clock.now();
        let window = SignedDuration::try_from(DELETION_WINDOW).unwrap_or(SignedDuration::ZERO);
        self.deletions
            .retain(|at| at.saturating_add(window).is_ok_and(|end| end > now));
        let mut plan = engine::plan(&self.world(view));
        if let Some(previous) = self.last_update.take() {
            self.refuse_repetition(view, &mut plan, &previous);
        }
        engine::forget_settled(&mut self.failures, &plan.findings, now);
        plan
    }

    /// A field that would be written again right after it was written is one that the page does not keep.
    fn refuse_repetition(&mut self, view: &View, plan: &mut Plan, previous: &Step) {
        let Some(step) = plan.steps.iter().find(|step| step.key == previous.key) else {
            return;
        };
        let fields = step.repeats(previous);
        if fields.is_empty() {
            return;
        }
        let message = format!(
            "Statuspage accepted the change but did not keep {}: the page's plan may not have this feature, or the API cannot change it; remove the field or change it in the console",
            fields.join(", ")
        );
        let key = step.key.clone();
        self.fail(view, &key, true, Reason::NotHonoured, message);
        *plan = engine::plan(&self.world(view));
    }

    /// The most urgent thing to do. A list that was never read goes before ordinary writes, because nothing can be
    /// decided without it; reading again goes last.
    fn next_work(&self, plan: &Plan) -> Option<Work> {
        let step = plan.remote_steps().next();
        let urgency = |read: &Read| match &read.what {
            ReadWhat::Collection(kind) if !self.snapshot.has(*kind) => read.priority.min(Priority::ComponentStatus),
            _ => read.priority,
        };
        let read = plan.reads.iter().min_by_key(|read| urgency(read)).map(|read| Read {
            // With this it also competes with the other pages of the token: one whose lists were never read must not
            // wait for the end of their backlog.
            priority: urgency(read),
            ..read.clone()
        });
        match (read, step) {
            (Some(read), Some(step)) if read.priority <= step.priority => Some(Work::Read(read)),
            (_, Some(step)) => Some(Work::Step(Box::new(step.clone()))),
            (Some(read), None) => Some(Work::Read(read)),
            (None, None) => None,
        }
    }
}

enum Work {
    Read(Read),
    Step(Box<Step>),
}

impl Work {
    fn priority(&self) -> Priority {
        match self {
            Work::Read(read) => read.priority,
            Work::Step(step) => step.priority,
        }
    }
}

/// The organization of the page, where it is declared.
fn organization(view: &View) -> Option<String> {
    match &*view.page.spec {
        Spec::StatusPage(spec) => spec.organization_id.clone(),
        _ => None,
    }
}

/// The declarations of which a plan is the first to find that their objects differ on the page.
fn newly_drifted<'a>(view: &View, plan: &'a Plan) -> BTreeSet<&'a ObjectKey> {
    let drifted = plan
        .statuses
        .iter()
        .filter(|(_, status)| !status.object().drift.is_empty());
    let mut drifted: BTreeSet<&ObjectKey> = drifted.map(|(key, _)| key).collect();
    if !drifted.is_empty() {
        let known = by_key(view);
        drifted.retain(|key| {
            known
                .get(key)
                .is_some_and(|known| known.stored.object().drift.is_empty())
        });
    }
    drifted
}

/// All declarations of a view, for many look-ups.
fn by_key(view: &View) -> BTreeMap<&ObjectKey, &Declaration> {
    view.declarations
        .iter()
        .chain(std::iter::once(&view.page))
        .map(|declaration| (&declaration.key, declaration))
        .collect()
}

fn find<'a>(view: &'a View, key: &ObjectKey) -> Option<&'a Declaration> {
    if view.page.key == *key {
        return Some(&view.page);
    }
    view.declarations.iter().find(|declaration| declaration.key == *key)
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
