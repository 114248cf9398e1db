//! The driver of one page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::perform::{collection_of, perform};
use super::{
    Access, Clock, Conclusion, Effect, Event, EventKind, Happening, Interrupt, Recorder, Store, StoreChange,
    StoreError, Ticket, View,
};
use crate::api::{Journal, Kind, Reason};
use crate::engine::{
    self, Action, DELETION_WINDOW, Declaration, Failure, Gate, ObjectKey, Plan, READY, Read, ReadWhat, Reply, Spec,
    Status, Step, World,
};
use crate::statuspage::{
    Budget, BudgetRegistry, Client, CollectionKind, Error, ErrorClass, Page, Permit, Priority, Snapshot, Trace,
};

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
    /// Lists and objects read.
    pub reads: u64,
    /// Remote writes that succeeded.
    pub writes: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Changes written to the store.
    pub store_writes: u64,
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
    page_id: Option<String>,
    page_read_at: Option<Timestamp>,
    snapshot: Snapshot,
    failures: BTreeMap<ObjectKey, Failure>,
    read_failures: BTreeMap<CollectionKind, Failure>,
    missing_incidents: BTreeSet<String>,
    knowledge: BTreeMap<ObjectKey, Knowledge>,
    seen: BTreeMap<String, (Option<String>, Timestamp)>,
    deletions: Vec<Timestamp>,
    gate: Option<Gate>,
    gate_attempts: u32,
    last_update: Option<Step>,
    totals: Totals,
    attempts: u64,
    recorder: Option<Arc<dyn Recorder>>,
}

impl<S: Store> PageDriver<S> {
    /// A driver for the page with this key.
    pub fn new(key: ObjectKey, store: Arc<S>, options: PageOptions) -> Self {
        PageDriver {
            key,
            store,
            options,
            client: None,
            page_id: None,
            page_read_at: None,
            snapshot: Snapshot::default(),
            failures: BTreeMap::new(),
            read_failures: BTreeMap::new(),
            missing_incidents: BTreeSet::new(),
            knowledge: BTreeMap::new(),
            seen: BTreeMap::new(),
            deletions: Vec::new(),
            gate: None,
            gate_attempts: 0,
            last_update: None,
            totals: Totals::default(),
            attempts: 0,
            recorder: None,
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
        self.totals
    }

    /// The request budget in use, once the page was reached for.
    pub fn budget(&self) -> Option<&Budget> {
        self.client.as_ref().map(|(_, client)| client.budget())
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
        loop {
            if interrupt.stopped() || !self.store.may_write() {
                return PassEnd::Stopped;
            }
            interrupt.acknowledge();
            let Some(view) = self.look() else { return PassEnd::Gone };
            let plan = self.plan(&view);
            if self.small_steps(&view, &plan).await {
                continue;
            }
            let Some(work) = self.next_work(&plan) else {
                self.write_statuses(&view, &plan, |_| true).await;
                return PassEnd::Idle(plan.wake);
            };
            // What was just done is told at once; what is still to be done is told when it is done, or when it has to
            // wait.
            let waiting: BTreeSet<&ObjectKey> = plan.steps.iter().map(|step| &step.key).collect();
            self.write_statuses(&view, &plan, |key| {
                key.kind != Kind::StatusPage && !waiting.contains(key)
            })
            .await;
            let Some((client, page_id)) = self.connection() else {
                return PassEnd::Idle(plan.wake);
            };
            let permit = match client.budget().try_acquire(work.priority(), &page_id) {
                Ok(permit) => permit,
                Err(_) => {
                    self.write_statuses(&view, &plan, |_| true).await;
                    tokio::select! {
                        permit = client.budget().acquire(work.priority(), &page_id) => permit,
                        () = interrupt.wait() => continue,
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
            view.declarations
                .iter()
                .any(|declaration| declaration.status.object().journal.is_some())
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
            missing_incidents: &self.missing_incidents,
            recent_deletions: self.deletions.len(),
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

    /// Looks at the store, adds what is known but not stored yet, and takes the page's address and token.
    fn look(&mut self) -> Option<View> {
        let mut view = self.store.view(&self.key)?;
        let now = self.options.clock.now();
        let mut uids = BTreeSet::new();
        for declaration in view.declarations.iter_mut().chain(std::iter::once(&mut view.page)) {
            uids.insert(declaration.uid.clone());
            let entry = self
                .seen
                .entry(declaration.uid.clone())
                .or_insert_with(|| (declaration.requested_at.clone(), now));
            if entry.0 != declaration.requested_at {
                *entry = (declaration.requested_at.clone(), now);
                self.failures.remove(&declaration.key);
            }
            declaration.seen = entry.1;
            if let Some(known) = self.knowledge.get(&declaration.key) {
                if known.uid == declaration.uid {
                    declaration.status.clone_from(&known.status);
                    declaration.id_annotation.clone_from(&known.id_annotation);
                } else {
                    self.knowledge.remove(&declaration.key);
                }
            }
        }
        self.seen.retain(|uid, _| uids.contains(uid));
        let keys: BTreeSet<&ObjectKey> = view
            .declarations
            .iter()
            .map(|declaration| &declaration.key)
            .chain(std::iter::once(&self.key))
            .collect();
        self.failures.retain(|key, _| keys.contains(key));
        self.knowledge.retain(|key, _| keys.contains(key));
        self.connect(&view, now);
        Some(view)
    }

    fn connect(&mut self, view: &View, now: Timestamp) {
        let access = match &view.access {
            Ok(access) => access,
            Err((reason, message)) => {
                self.client = None;
                self.gate = Some(Gate {
                    reason: *reason,
                    message: message.clone(),
                    stalled: true,
                    until: None,
                });
                return;
            }
        };
        let fingerprint = format!("{} {}", access.base_url, access.token.fingerprint());
        if self.client.as_ref().is_none_or(|(known, _)| *known != fingerprint) {
            // Another token or address: everything known about the connection is void.
            self.gate = None;
            self.gate_attempts = 0;
            self.failures.clear();
            self.read_failures.clear();
            match client_for(&self.options, access) {
                Ok(client) => self.client = Some((fingerprint, client)),
                Err(error) => {
                    self.client = None;
                    let message = described(&error);
                    self.gate = Some(Gate {
                        reason: Reason::Invalid,
                        message,
                        stalled: true,
                        until: None,
                    });
                }
            }
        }
        if self
            .gate
            .as_ref()
            .is_some_and(|gate| gate.until.is_some_and(|until| now >= until))
        {
            self.gate = None;
        }
    }

    fn connection(&self) -> Option<(Client, String)> {
        let (_, client) = self.client.as_ref()?;
        let page = self.page_id.clone().unwrap_or_else(|| self.key.to_string());
        Some((client.for_page(&page), page))
    }

    /// The most urgent thing to do. A list that was never read goes before ordinary writes, because nothing can be
    /// decided without it; reading again goes last.
    fn next_work(&self, plan: &Plan) -> Option<Work> {
        let step = plan.remote_steps().next();
        let urgency = |read: &Read| match &read.what {
            ReadWhat::Collection(kind) if !self.snapshot.has(*kind) => read.priority.min(Priority::ComponentStatus),
            _ => read.priority,
        };
        let read = plan.reads.iter().min_by_key(|read| urgency(read));
        match (read, step) {
            (Some(read), Some(step)) if urgency(read) <= step.priority => Some(Work::Read(read.clone())),
            (_, Some(step)) => Some(Work::Step(Box::new(step.clone()))),
            (Some(read), None) => Some(Work::Read(read.clone())),
            (None, None) => None,
        }
    }

    /// Performs the steps that need no request. True when there were any: then it is time to plan again.
    async fn small_steps(&mut self, view: &View, plan: &Plan) -> bool {
        let mut any = false;
        for step in &plan.steps {
            let Some(declaration) = find(view, &step.key) else {
                continue;
            };
            let change = match &step.action {
                Action::RecordId(id) => StoreChange::RecordId(id.clone()),
                Action::Release => StoreChange::Release,
                Action::Prune => StoreChange::Prune,
                _ => continue,
            };
            match self.write(declaration, change).await {
                Ok(()) => {
                    any = true;
                    let recovered = declaration.status.object().journal.is_some();
                    match &step.action {
                        Action::RecordId(id) => self.note(declaration, Happening::Adopted { id, recovered }),
                        Action::Release => self.note(declaration, Happening::Released),
                        _ => self.note(declaration, Happening::Pruned),
                    }
                    if let Action::RecordId(id) = &step.action
                        && let Some(known) = self.knowledge.get_mut(&step.key)
                    {
                        known.id_annotation = Some(id.clone());
                    }
                }
                Err(StoreError::Gone(_)) => any = true,
                Err(error) => tracing::warn!(object = %step.key, %error, "will try again"),
            }
        }
        any
    }

    async fn write_statuses(&mut self, view: &View, plan: &Plan, due: impl Fn(&ObjectKey) -> bool) {
        for (key, status) in plan.statuses.iter().filter(|(key, _)| due(key)) {
            let Some(declaration) = find(view, key) else { continue };
            if *status == declaration.stored {
                continue;
            }
            match self
                .write(declaration, StoreChange::Status(Box::new(status.clone())))
                .await
            {
                Ok(()) => {
                    self.knowledge.remove(key);
                    self.tell_transition(declaration, status);
                    self.note(declaration, Happening::Status(status));
                }
                Err(StoreError::Gone(_)) => {}
                Err(error) => tracing::warn!(object = %key, %error, "status will be written again"),
            }
        }
    }

    async fn write(&mut self, declaration: &Declaration, change: StoreChange) -> Result<(), StoreError> {
        self.totals.store_writes += 1;
        self.store.write(declaration, change).await
    }

    fn note(&self, declaration: &Declaration, happening: Happening<'_>) {
        if let Some(recorder) = &self.recorder {
            recorder.note(&self.key, self.page_id.as_deref(), declaration, happening);
        }
    }

    /// An Event when a declaration begins or ceases to need its owner.
    fn tell_transition(&self, declaration: &Declaration, status: &Status) {
        let ready = |status: &Status| engine::find_condition(status.object(), READY).cloned();
        let (before, Some(after)) = (ready(&declaration.stored), ready(status)) else {
            return;
        };
        let drifted = |status: &Status| !status.object().drift.is_empty();
        if drifted(status) && !drifted(&declaration.stored) {
            let note = status.object().drift.first().map_or_else(String::new, |drift| {
                format!(
                    "{} is {} on the page, declared is {}",
                    drift.field, drift.observed, drift.desired
                )
            });
            let event = Event {
                kind: EventKind::Warning,
                reason: Reason::DriftDetected.to_string(),
                note,
            };
            self.store.tell(declaration, event);
        }
        let quiet = [
            Reason::Progressing,
            Reason::Synced,
            Reason::WaitingForReference,
            Reason::NoMembers,
            Reason::Deleting,
        ]
        .map(Reason::as_str);
        let was = before.map(|condition| condition.reason).unwrap_or_default();
        if was == after.reason {
            return;
        }
        if !quiet.contains(&after.reason.as_str()) {
            let event = Event {
                kind: EventKind::Warning,
                reason: after.reason,
                note: after.message,
            };
            self.store.tell(declaration, event);
        } else if after.status == "True" && !was.is_empty() && !quiet.contains(&was.as_str()) {
            let event = Event {
                kind: EventKind::Normal,
                reason: "Recovered".into(),
                note: format!("no longer {was}"),
            };
            self.store.tell(declaration, event);
        }
    }

    async fn read(&mut self, view: &View, client: &Client, page_id: &str, read: &Read, permit: Permit) {
        self.totals.reads += 1;
        let client = client.with_priority(read.priority).with_permit(permit);
        match &read.what {
            ReadWhat::Collection(CollectionKind::Page) => self.read_page(view, &client).await,
            ReadWhat::Collection(kind) => match client.page(page_id).read(*kind).await {
                Ok(reading) => {
                    self.snapshot.store(reading);
                    self.read_failures.remove(kind);
                    self.reached();
                }
                Err(error) => self.read_failed(view, Some(*kind), &error),
            },
            ReadWhat::Incident(id) => match client.page(page_id).incidents().get(id).await {
                Ok(incident) => {
                    self.snapshot.merge_incidents(vec![incident]);
                    self.reached();
                }
                Err(error) if error.is_not_found() => {
                    self.missing_incidents.insert(id.clone());
                }
                Err(error) => self.read_failed(view, Some(CollectionKind::Incidents), &error),
            },
        }
    }

    /// All pages of the token in one request: id, subdomain and settings.
    async fn read_page(&mut self, view: &View, client: &Client) {
        let Spec::StatusPage(spec) = &view.page.spec else {
            return;
        };
        let pages = match client.pages().list().await {
            Ok(pages) => pages,
            Err(error) => return self.read_failed(view, None, &error),
        };
        self.reached();
        let label = |page: &Page| {
            page.subdomain
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches(".statuspage.io")
                .to_ascii_lowercase()
        };
        let found = pages.into_iter().find(|page| match (&spec.page_id, &spec.subdomain) {
            (Some(id), _) => page.id == *id,
            (None, Some(subdomain)) => label(page) == subdomain.trim_end_matches(".statuspage.io").to_ascii_lowercase(),
            (None, None) => false,
        });
        match found {
            Some(page) => {
                self.page_id = Some(page.id.clone());
                self.page_read_at = Some(self.options.clock.now());
                self.snapshot.page = Some(page);
            }
            None => {
                let wanted = match (&spec.page_id, &spec.subdomain) {
                    (Some(id), _) => format!("id {id}"),
                    (None, subdomain) => format!("subdomain {}", subdomain.as_deref().unwrap_or_default()),
                };
                let message = format!(
                    "the token sees no page with {wanted}: correct it, or use a token of a user who may see the page"
                );
                self.close(view, Reason::RemotePageNotFound, message, true);
            }
        }
    }

    fn reached(&mut self) {
        self.gate_attempts = 0;
    }

    fn read_failed(&mut self, view: &View, kind: Option<CollectionKind>, error: &Error) {
        self.totals.failures += 1;
        match (error.class(), kind) {
            // The client has paused the budget of the token.
            (ErrorClass::Throttled { .. }, _) => {}
            (ErrorClass::Unauthorized, _) => self.close(view, Reason::Unauthorized, described(error), true),
            (ErrorClass::NotFound, _) => {
                // The list of a page is never missing unless the page is.
                self.page_id = None;
                self.snapshot = Snapshot::default();
                self.close(view, Reason::RemotePageNotFound, described(error), true);
            }
            (ErrorClass::Terminal, Some(kind)) => {
                let attempts = self.read_failures.get(&kind).map_or(0, |failure| failure.attempts) + 1;
                let failure = self.failure(true, Reason::Rejected, described(error), attempts, 0);
                self.read_failures.insert(kind, failure);
            }
            (ErrorClass::Terminal, None) => self.close(view, Reason::Rejected, described(error), true),
            (ErrorClass::Transient | ErrorClass::Ambiguous, _) => {
                self.close(view, Reason::Unreachable, described(error), false);
            }
        }
    }

    /// Sends nothing to the page until a pause is over, longer each time.
    fn close(&mut self, view: &View, reason: Reason, message: String, stalled: bool) {
        self.gate_attempts += 1;
        let now = self.options.clock.now();
        let spec = match &view.page.spec {
            Spec::StatusPage(spec) => Some(&**spec),
            _ => None,
        };
        // One probe an interval for what people have to mend, backoff for what passes.
        let until = if stalled {
            now.saturating_add(engine::resync_interval(spec))
                .unwrap_or(Timestamp::MAX)
        } else {
            let interval = engine::resync_interval(spec);
            let pause = Duration::from_secs(1_u64 << self.gate_attempts.saturating_sub(1).min(8)).min(interval);
            now.saturating_add(pause.mul_f64(1.0 + self.jitter() / 10.0))
                .unwrap_or(Timestamp::MAX)
        };
        self.gate = Some(Gate {
            reason,
            message,
            stalled,
            until: Some(until),
        });
    }

    async fn step(&mut self, view: &View, client: &Client, page_id: &str, step: &Step, permit: Permit) {
        let (Some(request), Some(declaration)) = (step.action.request(), find(view, &step.key)) else {
            return;
        };
        let trace = Trace::default();
        let client = client
            .with_priority(step.priority)
            .with_permit(permit)
            .with_trace(&trace);
        let page = client.page(page_id);
        let finalizer_due = !declaration.finalizer && declaration.key.kind != Kind::StatusPage && !declaration.deleting;
        if finalizer_due && let Err(error) = self.write(declaration, StoreChange::AddFinalizer).await {
            tracing::warn!(object = %step.key, %error, "cannot put the finalizer on; nothing was sent");
            return;
        }
        if step.action.is_journalled() && !self.write_journal(step).await {
            return;
        }
        // On the record before it is sent: what a crash interrupts is found there.
        let ticket = self.recorder.as_ref().map(|recorder| {
            recorder.begin(Effect {
                page: &self.key,
                page_id,
                declaration,
                step,
            })
        });
        let result = perform(&page, &mut self.snapshot, request).await;
        if let Some(ticket) = ticket {
            conclude(ticket, &result, &trace);
        }
        match result {
            Ok(reply) => self.succeeded(view, step, &reply).await,
            Err(error) => self.failed(view, step, &error),
        }
    }

    /// Writes the journal of a step on the newest version of its declaration. False when that did not succeed: then
    /// nothing may be sent.
    async fn write_journal(&mut self, step: &Step) -> bool {
        // The finalizer may have made a new version.
        let Some(view) = self.look() else { return false };
        let Some(declaration) = find(&view, &step.key) else {
            return false;
        };
        if declaration.deleting {
            return false;
        }
        self.attempts += 1;
        let (operation, after) = match &step.action {
            Action::Publish { index, after, .. } => (format!("update/{index}"), after.clone()),
            _ => ("create".to_owned(), None),
        };
        let journal = Journal {
            operation,
            attempt: uuid::Uuid::new_v4().simple().to_string(),
            at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.options.clock.now()),
            after,
        };
        let result = self.write(declaration, StoreChange::Journal(journal.clone())).await;
        match result {
            Ok(()) => {
                let mut status = declaration.status.clone();
                status.object_mut().journal = Some(journal);
                self.know(declaration, status, declaration.id_annotation.clone());
                true
            }
            Err(error) => {
                tracing::info!(object = %step.key, %error, "nothing was sent");
                false
            }
        }
    }

    async fn succeeded(&mut self, view: &View, step: &Step, reply: &Reply) {
        self.totals.writes += 1;
        self.reached();
        self.failures.remove(&step.key);
        if matches!(step.action, Action::Delete(_)) {
            self.deletions.push(self.options.clock.now());
        }
        if matches!(step.action, Action::Update(_)) {
            self.last_update = Some(step.clone());
        }
        let mut keys: BTreeSet<&ObjectKey> = step.applied.iter().map(|(key, ..)| key).collect();
        keys.insert(&step.key);
        for key in keys {
            let Some(declaration) = find(view, key) else { continue };
            let mut after = declaration.clone();
            if let Some(known) = self.knowledge.get(key) {
                after.status.clone_from(&known.status);
                after.id_annotation.clone_from(&known.id_annotation);
            }
            engine::record(&mut after, step, reply);
            self.know(declaration, after.status, after.id_annotation);
        }
        let Some(declaration) = find(view, &step.key) else {
            return;
        };
        if let (Action::Create(_), Reply::Created(id, _)) = (&step.action, reply) {
            // The id is recorded before anything else happens; the status follows with the next plan.
            if let Err(error) = self.write(declaration, StoreChange::RecordId(id.clone())).await {
                tracing::warn!(object = %step.key, %error, "the journal will find the created object");
            }
        }
        let reason = match &step.action {
            Action::Create(_) => "Created",
            Action::Publish { .. } => "Published",
            Action::Delete(_) => "Deleted",
            _ => "Updated",
        };
        let id = match reply {
            Reply::Created(id, _) => format!(" ({id})"),
            _ => String::new(),
        };
        let note = format!("{}{id}", step.summary);
        self.store.tell(
            declaration,
            Event {
                kind: EventKind::Normal,
                reason: reason.into(),
                note,
            },
        );
    }

    fn failed(&mut self, view: &View, step: &Step, error: &Error) {
        self.totals.failures += 1;
        tracing::info!(object = %step.key, step = step.summary, error = described(error), "a request failed");
        let class = error.class();
        let Some(request) = step.action.request() else { return };
        if step.action.is_journalled() && class != ErrorClass::Ambiguous {
            // It certainly did not happen: the journal is closed with the next status.
            if let Some(known) = self.knowledge.get_mut(&step.key) {
                known.status.object_mut().journal = None;
            }
        }
        match class {
            ErrorClass::Throttled { .. } => {}
            ErrorClass::Unauthorized => self.close(view, Reason::Unauthorized, described(error), true),
            ErrorClass::NotFound => {
                // Somebody deleted it meanwhile: look again before deciding.
                self.snapshot.forget(collection_of(request));
                self.fail(view, &step.key, false, Reason::RemoteDeleted, described(error));
            }
            ErrorClass::Terminal => self.fail(view, &step.key, true, Reason::Rejected, described(error)),
            ErrorClass::Transient => {
                if error.status().is_none() {
                    // No answer at all is about the page, not about the object.
                    self.close(view, Reason::Unreachable, described(error), false);
                } else {
                    self.fail(view, &step.key, false, Reason::Unreachable, described(error));
                }
                if !step.action.is_journalled() {
                    self.snapshot.forget(collection_of(request));
                }
            }
            ErrorClass::Ambiguous => {
                self.snapshot.forget(collection_of(request));
                if !step.action.is_journalled() {
                    self.fail(view, &step.key, false, Reason::Unreachable, described(error));
                }
            }
        }
    }

    fn fail(&mut self, view: &View, key: &ObjectKey, terminal: bool, reason: Reason, message: String) {
        let generation = find(view, key).map_or(0, |declaration| declaration.generation);
        let attempts = self
            .failures
            .get(key)
            .filter(|failure| failure.generation == generation)
            .map_or(0, |failure| failure.attempts);
        let failure = self.failure(terminal, reason, message, attempts + 1, generation);
        self.failures.insert(key.clone(), failure);
    }

    fn failure(&self, terminal: bool, reason: Reason, message: String, attempts: u32, generation: i64) -> Failure {
        let at = self.options.clock.now();
        Failure {
            terminal,
            reason,
            message,
            at,
            attempts,
            generation,
            jitter: self.jitter(),
        }
    }

    /// A number from 0 to 1, another one for each attempt and page.
    fn jitter(&self) -> f64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.key, self.totals.failures, self.gate_attempts).hash(&mut hasher);
        f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    fn know(&mut self, declaration: &Declaration, status: Status, id_annotation: Option<String>) {
        let known = Knowledge {
            uid: declaration.uid.clone(),
            status,
            id_annotation,
        };
        self.knowledge.insert(declaration.key.clone(), known);
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

/// Puts the end of a request on the record.
fn conclude(ticket: Box<dyn Ticket>, result: &Result<Reply, Error>, trace: &Trace) {
    let ids = trace.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let error = result.as_ref().err();
    let text = error.map(described);
    ticket.conclude(Conclusion {
        outcome: match error.map(Error::class) {
            None => "succeeded",
            Some(ErrorClass::Ambiguous) => "unknown",
            Some(_) => "failed",
        },
        created: match result {
            Ok(Reply::Created(id, _)) => Some(id),
            _ => None,
        },
        error: text.as_deref(),
        status: error.and_then(Error::status),
        request_id: ids.request_id.as_deref().or(ids.trace_id.as_deref()),
    });
}

fn client_for(options: &PageOptions, access: &Access) -> Result<Client, Error> {
    let budget = options.budgets.budget(&access.token, &access.base_url);
    Client::builder(access.base_url.clone(), access.token.clone())
        .budget(budget)
        .build()
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
