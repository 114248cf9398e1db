//! The planner: world in, plan out. Pure and deterministic.
//!
//! Invariant: one bad object stops only itself. Invariant: a second plan of an unchanged world is empty.

use std::collections::HashMap;
use std::sync::Arc;

use super::applied::Applied;
use super::claims::Claims;
use super::conditions;
use super::context::{Blocked, Context, Index};
use super::declaration::{Declaration, ObjectKey, Spec, Status};
use super::deletion;
use super::evidence::{Pursuit, pursue, settled_at};
use super::failure::Failure;
use super::fields;
use super::identity::{Identity, elapsed, identify_all};
use super::journal::Operation;
use super::kinds;
use super::plan::{Action, Finding, Plan, Read, ReadWhat, State, Step};
use super::record::undone;
use super::summary::Verb;
use super::world::World;
use crate::api::{Drift, Kind, ManagementPolicy, Reason};
use crate::statuspage::{CollectionKind, MetricPoint, ObjectKind, Priority};

/// What the world calls for.
pub fn plan(world: &World<'_>) -> Plan {
    let index = Index::of(world);
    let known = identify_all(world, &index);
    let mut planner = Planner {
        world,
        index: &index,
        claims: &known.claims,
        identities: &known.identities,
        outcomes: HashMap::new(),
        points: Vec::new(),
        provider_implied: false,
        wanted: HashMap::new(),
        plan: Plan::default(),
    };
    let open = planner.page();
    let passes = |key: &ObjectKey| match open {
        Open::All => true,
        Open::Incidents => key.kind == Kind::Incident,
        Open::Nothing => false,
    };
    for (key, read) in known.reads.iter().filter(|(key, _)| passes(key)) {
        planner.read_for(key, read.what.clone(), read.priority);
    }
    planner.plan.behind_circuit_breaker = world.circuit_breaker.is_some();
    planner.plan.proof_at = known.proof_at.filter(|_| open == Open::All);
    for wake in known.wakes.iter().filter(|_| open == Open::All) {
        planner.plan.wake_at(*wake);
    }
    for declaration in world.declarations {
        match passes(&declaration.key) {
            true => planner.converge(declaration),
            false => planner.closed(declaration),
        }
    }
    if open == Open::All {
        planner.submit_points();
        planner.missing_objects();
    }
    planner.inherit_priority();
    deletion::cap(&mut planner);
    deletion::leave(&mut planner);
    planner.finish()
}

/// For what a page is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    All,
    /// Nothing can be sent at the moment but what is tried all the same.
    Incidents,
    Nothing,
}

/// What was found about one declaration, before it becomes conditions.
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) drift: Vec<Drift>,
    /// Shared with the declaration until it is changed.
    pub(super) status: Arc<Status>,
}

impl Outcome {
    pub(super) fn new(declaration: &Declaration, state: State, reason: Reason, message: impl Into<String>) -> Self {
        Outcome {
            state,
            reason,
            message: message.into(),
            drift: Vec::new(),
            status: Arc::clone(&declaration.status),
        }
    }

    pub(super) fn status_mut(&mut self) -> &mut Status {
        Arc::make_mut(&mut self.status)
    }

    pub(super) fn blocked(declaration: &Declaration, blocked: Blocked) -> Self {
        Outcome::new(declaration, blocked.state, blocked.reason, blocked.message)
    }

    /// Something is on its way.
    pub(super) fn progress(&mut self, message: impl Into<String>) {
        self.stop(State::Progressing, Reason::Progressing, message);
    }

    /// Something keeps it.
    pub(super) fn stop(&mut self, state: State, reason: Reason, message: impl Into<String>) {
        (self.state, self.reason, self.message) = (state, reason, message.into());
    }
}

/// The data points of one metric.
pub(super) struct PointsToSend {
    /// Id of the metric.
    pub(super) id: String,
    pub(super) points: Vec<MetricPoint>,
    /// What is recorded once they are sent.
    pub(super) applied: Applied,
}

pub(super) struct Planner<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) index: &'a Index<'a>,
    pub(super) claims: &'a Claims,
    pub(super) identities: &'a HashMap<ObjectKey, Identity>,
    pub(super) outcomes: HashMap<ObjectKey, Outcome>,
    /// Data points to send.
    pub(super) points: Vec<PointsToSend>,
    /// True once this plan creates the page's provider of type Self.
    pub(super) provider_implied: bool,
    /// What has to be read for whom.
    pub(super) wanted: HashMap<ObjectKey, Vec<ReadWhat>>,
    pub(super) plan: Plan,
}

impl<'a> Planner<'a> {
    /// The page itself, and what can be done for its declarations.
    fn page(&mut self) -> Open {
        let world = self.world;
        let page = world.page;
        if let Some(circuit_breaker) = world.circuit_breaker {
            let state = if circuit_breaker.stalled {
                State::Stalled
            } else {
                State::Progressing
            };
            self.record(
                page,
                Outcome::new(page, state, circuit_breaker.reason, circuit_breaker.message.clone()),
            );
            if let Some(until) = circuit_breaker.until {
                self.plan.wake_at(until);
            }
            // A namespace is often deleted with its Secrets first.
            if page.deleting {
                self.release_page();
            }
            // An incident is tried all the same, where it is known where to.
            let tried = circuit_breaker.lets_incidents_pass && world.page_id.is_some();
            return if tried { Open::Incidents } else { Open::Nothing };
        }
        let Spec::StatusPage(spec) = &*page.spec else {
            self.plan.steps.extend(
                page.finalizer
                    .then(|| Step::new(page, Action::RemoveFinalizer, Priority::Write, Verb::Release.of(""))),
            );
            return Open::Nothing;
        };
        if spec.suspend {
            self.record(
                page,
                Outcome::new(
                    page,
                    State::Suspended,
                    Reason::Suspended,
                    "suspend is true: this page and its declarations are left alone",
                ),
            );
            if page.deleting && world.around.ending.contains_key(&page.key.namespace) {
                self.release_page();
            }
            return Open::Nothing;
        }
        let read_page = ReadWhat::Collection(CollectionKind::Page);
        let Some(remote) = &world.snapshot.page else {
            if page.deleting && self.release_page() {
                return Open::Nothing;
            }
            let pursuit = pursue(world, read_page);
            let failing = pursuit.says.clone();
            self.follow(page, pursuit, Priority::Incident);
            let Some(blocked) = failing else { return Open::Nothing };
            // The settings cannot be read; all else is another matter, where the id of the page is known.
            self.record(page, Outcome::blocked(page, blocked));
            return if world.page_id.is_some() {
                Open::All
            } else {
                Open::Nothing
            };
        };
        if !page.deleting && !page.finalizer && self.held_declarations() > 0 {
            // Its declarations need it to the end: they cannot be deleted on a page whose token nobody knows.
            let hold = Step::new(
                page,
                Action::AddFinalizer,
                Priority::Incident,
                Verb::Add.of("the finalizer"),
            );
            self.plan.steps.push(hold);
        }
        let read_at = world.page_read_at.unwrap_or(world.now);
        if read_at == jiff::Timestamp::MIN {
            // Something said that it is not there.
            self.pursue(page, read_page, Priority::Incident);
        } else if elapsed(read_at, world.now) >= world.resync_interval() || read_at < page.seen {
            self.pursue(page, read_page, Priority::Read);
        } else {
            self.plan.wake_at(world.due(read_at));
        }
        let mut outcome = Outcome::new(
            page,
            State::InSync,
            Reason::Synced,
            "the page and its settings are as declared",
        );
        let status = outcome.status_mut().object_mut();
        status.id = Some(remote.id.clone());
        status.page_id = Some(remote.id.clone());
        status.url = public_address(remote);
        if page.deleting {
            self.release_page();
            let left = self.held_declarations();
            outcome.state = State::Progressing;
            outcome.reason = Reason::Deleting;
            outcome.message = format!("waiting until its {left} declarations are gone; the page itself stays");
            self.record(page, outcome);
            return Open::All;
        }
        if let Some((what, failure)) = self.failing_list() {
            let message = format!("cannot read {what}, everything else continues: {}", failure.message);
            if failure.terminal {
                // A matter of whoever needs the list; the page itself is well.
                outcome.message = message;
            } else {
                outcome.stop(State::Progressing, failure.reason, message);
            }
        }
        if page.set_aside {
            "its settings were not checked".clone_into(&mut outcome.message);
            self.record(page, outcome);
            return Open::All;
        }
        let fields = spec
            .settings
            .as_ref()
            .map(|settings| kinds::settings_fields(settings, remote))
            .unwrap_or_default();
        let policies = page.policies(Some(spec));
        self.subscriber_counts(spec, page, outcome.status_mut());
        let seal = self.context(page).seal();
        let mut found = fields::compare(&fields, &outcome.status.object().applied, policies.drift, seal);
        // Each has a request of its own: the settings first. The embed is read in any case, so that a preview knows it.
        let declared = spec.status_embed.as_ref();
        let embed = declared.map(|embed| self.status_embed(embed, page, policies.drift));
        if found.body.is_empty() || policies.management == ManagementPolicy::ObserveOnly {
            match embed {
                None => {}
                Some(Ok(compared)) => found.extend(compared),
                Some(Err(blocked)) => {
                    outcome.stop(blocked.state, blocked.reason, blocked.message);
                    self.record(page, outcome);
                    return Open::All;
                }
            }
        }
        let context = self.context(page);
        self.settle(
            &context,
            outcome,
            found,
            policies.management,
            Priority::Write,
            kinds::settings_request,
            || "the page".to_owned(),
        );
        Open::All
    }

    /// A list that fails, with the word for it.
    fn failing_list(&self) -> Option<(&'static str, &'a Failure)> {
        self.world.read_failures.iter().find_map(|(what, failure)| match what {
            ReadWhat::Collection(kind) => Some((list_name(*kind), failure)),
            _ => None,
        })
    }

    /// Many objects that are missing from the page at once are a question for its owner.
    fn missing_objects(&mut self) {
        let stopped = self.outcomes.iter();
        let stopped = stopped.filter(|(_, outcome)| outcome.reason == Reason::ManyMissing);
        let Some(message) = stopped
            .min_by_key(|(key, _)| *key)
            .map(|(_, outcome)| outcome.message.clone())
        else {
            return;
        };
        if let Some(page) = self.outcomes.get_mut(&self.world.page.key) {
            page.stop(State::Stalled, Reason::ManyMissing, message);
        }
    }

    fn held_declarations(&self) -> usize {
        let declarations = self.world.declarations.iter();
        declarations.filter(|declaration| declaration.finalizer).count()
    }

    /// Lets a deleted page go once none of its declarations needs it any more. True when that is so.
    fn release_page(&mut self) -> bool {
        if self.held_declarations() > 0 {
            return false;
        }
        if self.world.page.finalizer {
            let summary = Verb::Release.of("the page; it is never deleted on Statuspage");
            let release = Step::new(self.world.page, Action::RemoveFinalizer, Priority::Write, summary);
            self.plan.steps.push(release);
        }
        true
    }

    /// Nothing can be sent: what was in sync stays as it was seen, what waits says why, deletions that leave the
    /// remote object alone go on.
    fn closed(&mut self, declaration: &'a Declaration) {
        if declaration.set_aside {
            return;
        }
        if declaration.deleting {
            deletion::plan_closed(self, declaration);
            return;
        }
        let status = declaration.status.object();
        let settled = conditions::find(status, conditions::READY)
            .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(declaration.generation));
        let suspended = declaration.policies(self.world.page_spec()).suspend;
        if settled && !suspended {
            return;
        }
        let page = &self.world.page.key.name;
        let outcome = if suspended {
            Outcome::new(
                declaration,
                State::Suspended,
                Reason::Suspended,
                "suspend is true: this object is left alone",
            )
        } else if self.world.circuit_breaker.is_none() {
            return;
        } else {
            let message = format!("waiting for StatusPage {page}: see its conditions");
            Outcome::new(declaration, State::Progressing, Reason::PageNotReady, message)
        };
        self.record(declaration, outcome);
    }

    pub(super) fn context(&self, declaration: &'a Declaration) -> Context<'a> {
        Context {
            world: self.world,
            claims: self.claims,
            index: self.index,
            declaration,
            sent_title: None,
        }
    }

    /// Reads something for a declaration, unless that has just failed.
    pub(super) fn pursue(&mut self, declaration: &Declaration, what: ReadWhat, priority: Priority) {
        let pursuit = pursue(self.world, what);
        self.follow(declaration, pursuit, priority);
    }

    /// Does for a declaration what brings proof.
    pub(super) fn follow(&mut self, declaration: &Declaration, pursuit: Pursuit, priority: Priority) {
        if let Some(wake) = pursuit.wake {
            self.plan.wake_at(wake);
        }
        if let Some(proof_at) = pursuit.proof_at() {
            self.wait_for_proof(proof_at);
        }
        for what in pursuit.reads {
            self.read_for(&declaration.key, what, priority);
        }
    }

    /// Comes back when a proof can be had.
    pub(super) fn wait_for_proof(&mut self, at: jiff::Timestamp) {
        self.plan.wake_at(at);
        self.plan.proof_at = self.plan.proof_at.into_iter().chain([at]).min();
    }

    fn read_for(&mut self, key: &ObjectKey, what: ReadWhat, priority: Priority) {
        self.wanted.entry(key.clone()).or_default().push(what.clone());
        self.read(what, priority);
    }

    /// What somebody else changed is told and put right only after the object itself was read: a list may be old. True
    /// when it has to be read first.
    pub(super) fn confirm_drift(
        &mut self,
        declaration: &Declaration,
        kind: ObjectKind,
        id: &str,
        drift: &[Drift],
        priority: Priority,
    ) -> bool {
        let known = &declaration.stored.object().drift;
        let news = drift.iter().any(|one| !known.contains(one));
        let shown_at = self.world.snapshot.examined(kind, id).shown_at;
        let list_read_at = self.world.snapshot.read_at(kind.collection());
        if !news || shown_at >= list_read_at {
            return false;
        }
        let what = ReadWhat::Object(kind, id.to_owned());
        if self.world.unreadable(&what).is_some() {
            // It cannot be read by its id: the list has the word.
            return false;
        }
        self.pursue(declaration, what, priority);
        true
    }

    fn read(&mut self, what: ReadWhat, priority: Priority) {
        match self.plan.reads.iter_mut().find(|read| read.what == what) {
            Some(read) => read.priority = read.priority.min(priority),
            None => self.plan.reads.push(Read { what, priority }),
        }
    }

    pub(super) fn record(&mut self, declaration: &Declaration, mut outcome: Outcome) {
        if self.attempt_is_over(declaration) {
            let journal = &mut outcome.status_mut().object_mut().journal;
            *journal = journal.take().and_then(undone);
        }
        if Status::is_same(&outcome.status, &declaration.status) {
            // What has not changed is not kept twice.
            outcome.status = Arc::clone(&declaration.status);
        }
        self.outcomes.insert(declaration.key.clone(), outcome);
    }

    /// True when an attempt is known to have had no effect, or to have had all of it, or was about an object that is gone.
    fn attempt_is_over(&self, declaration: &Declaration) -> bool {
        let Some(journal) = &declaration.status.object().journal else {
            return false;
        };
        if self.identities.get(&declaration.key).is_some_and(Identity::is_gone) {
            return true;
        }
        match Operation::of(journal) {
            Some(Operation::Create) => matches!(self.identities.get(&declaration.key), Some(Identity::Absent { .. })),
            Some(Operation::Provide) => {
                let settled = settled_at(self.world, declaration, journal, CollectionKind::MetricsProviders);
                let providers = self.world.snapshot.metrics_providers.as_ref();
                providers.is_some_and(|providers| providers.looks_since(settled) >= 2)
            }
            _ => false,
        }
    }

    fn finish(mut self) -> Plan {
        let world = self.world;
        self.plan.backlog = self.backlog();
        if let Some(waits) = world.budget.and_then(|budget| self.plan.backlog.waits_for(&budget))
            && let Some(page) = self.outcomes.get_mut(&world.page.key)
            && page.state == State::InSync
        {
            page.message = waits;
        }
        let mut pending: i64 = 0;
        let page = std::iter::once(world.page);
        for declaration in world.declarations.iter().chain(page) {
            let outcome = self.outcomes.remove(&declaration.key);
            let mut status = match outcome {
                Some(mut outcome) => {
                    conditions::apply(
                        &mut outcome.status,
                        outcome.state,
                        outcome.reason,
                        &outcome.message,
                        std::mem::take(&mut outcome.drift),
                        declaration.generation,
                        world.wall,
                    );
                    let handled = &outcome.status.object().last_handled_request;
                    if outcome.state != State::Unknown && *handled != declaration.requested_at {
                        let object = outcome.status_mut().object_mut();
                        object.last_handled_request.clone_from(&declaration.requested_at);
                    }
                    if !matches!(outcome.state, State::InSync | State::Unknown) {
                        pending += 1;
                    }
                    self.plan.findings.push(Finding {
                        key: declaration.key.clone(),
                        state: outcome.state,
                        reason: outcome.reason,
                        message: outcome.message,
                    });
                    outcome.status
                }
                None => Arc::clone(&declaration.status),
            };
            // Without conditions a status reads as if all were well: what is known waits for the plan that says how it stands.
            let speaks = conditions::find(status.object(), conditions::READY).is_some();
            if declaration.key.kind == Kind::StatusPage
                && speaks
                && let Status::StatusPage(page) = Arc::make_mut(&mut status)
            {
                page.managed = i64::try_from(world.declarations.len()).ok();
                page.pending = Some(pending);
                page.status = worst_status(world).or(page.status.take());
            }
            conditions::keep_times(&mut status, &declaration.stored);
            if speaks && !Status::is_same(&status, &declaration.stored) {
                self.plan.statuses.push((declaration.key.clone(), status));
            }
        }
        let rank = |step: &Step| match step.action {
            Action::RecordId(_) | Action::AddFinalizer | Action::RemoveFinalizer | Action::Leave | Action::Prune => 0,
            _ => 1,
        };
        // An incident that can be sent now goes before what another one waits for.
        let awaited = |step: &Step| step.priority == Priority::Incident && step.key.kind != Kind::Incident;
        self.plan
            .steps
            .sort_by_key(|step| (rank(step), step.priority, awaited(step), kind_rank(step)));
        self.plan.reads.sort_by_key(|read| read.priority);
        self.plan
    }
}

/// What others wait for comes first; deletions go the other way round.
fn kind_rank(step: &Step) -> i8 {
    let rank = match step.key.kind {
        Kind::StatusPage => 0,
        Kind::ComponentGroup => 1,
        Kind::Component => 2,
        Kind::MetricsProvider => 3,
        Kind::Metric => 4,
        Kind::Incident => 5,
        Kind::IncidentTemplate => 6,
        Kind::PageAccessUser => 7,
        Kind::PageAccessGroup => 8,
        Kind::OrganizationUser => 9,
        Kind::Subscriber => 10,
    };
    if step.action.is_deletion() { -rank } else { rank }
}

/// The word for a list.
pub(super) fn list_name(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Page => "the settings of the page",
        CollectionKind::Components => "the list of components",
        CollectionKind::Incidents => "the list of incidents",
        CollectionKind::MetricsProviders => "the list of metrics providers",
        CollectionKind::Metrics => "the list of metrics",
        CollectionKind::Subscribers => "the list of subscribers",
        CollectionKind::Unsubscribed => "the list of those who have unsubscribed",
        CollectionKind::SubscriberCounts => "the number of subscribers",
        CollectionKind::IncidentTemplates => "the list of incident templates",
        CollectionKind::PageAccessUsers => "the list of page access users",
        CollectionKind::PageAccessGroups => "the list of page access groups",
        CollectionKind::StatusEmbed => "the status embed",
        CollectionKind::OrganizationUsers => "the list of members of the organization",
    }
}

fn public_address(page: &crate::statuspage::Page) -> Option<String> {
    let domain = page.domain.as_deref().filter(|domain| !domain.is_empty());
    let subdomain = page.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty());
    match (domain, subdomain) {
        (Some(domain), _) => Some(format!("https://{domain}")),
        (None, Some(label)) => Some(format!(
            "https://{}.statuspage.io",
            label.trim_end_matches(".statuspage.io")
        )),
        (None, None) => None,
    }
}

fn worst_status(world: &World<'_>) -> Option<String> {
    let order = [
        "operational",
        "under_maintenance",
        "degraded_performance",
        "partial_outage",
        "major_outage",
    ];
    let rank = |component: &crate::statuspage::Component| {
        let status = component.status.as_ref()?;
        order.iter().position(|name| *name == status.as_str())
    };
    let components = world.snapshot.components.as_ref()?;
    let worst = components
        .items
        .iter()
        .filter(|component| !component.group)
        .filter_map(rank)
        .max()
        .unwrap_or(0);
    order.get(worst).map(|name| (*name).to_owned())
}
