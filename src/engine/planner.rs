//! The planner: world in, plan out. Pure and deterministic.
//!
//! Invariant: one bad object stops only itself. Invariant: a second plan of an unchanged world is empty.

use std::collections::BTreeMap;

use super::claims::Claims;
use super::conditions;
use super::context::{Blocked, Context, Index};
use super::declaration::{Declaration, ObjectKey, Spec, Status};
use super::deletion;
use super::fields;
use super::identity::{Identity, elapsed, identify_all};
use super::journal::{CREATE, GRACE, PROVIDE};
use super::kinds;
use super::plan::{Action, Finding, Plan, Read, ReadWhat, State, Step};
use super::record::undone;
use super::world::World;
use crate::api::{Drift, Kind, ManagementPolicy, Reason};
use crate::statuspage::{CollectionKind, MetricPoint, Priority};

/// What the world calls for.
pub fn plan(world: &World<'_>) -> Plan {
    let index = Index::of(world);
    let known = identify_all(world, &index);
    let mut planner = Planner {
        world,
        index: &index,
        claims: &known.claims,
        identities: &known.identities,
        outcomes: BTreeMap::new(),
        points: Vec::new(),
        provider_implied: false,
        plan: Plan::default(),
    };
    if planner.page() {
        for read in &known.reads {
            planner.read(read.what.clone(), read.priority);
        }
        for wake in &known.wakes {
            planner.plan.wake_at(*wake);
        }
        for declaration in world.declarations {
            planner.converge(declaration);
        }
        planner.submit_points();
        planner.lend_urgency();
        deletion::cap(&mut planner);
    } else {
        for declaration in world.declarations {
            planner.closed(declaration);
        }
    }
    planner.finish()
}

/// What was found about one declaration, before it becomes conditions.
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) drift: Vec<Drift>,
    pub(super) status: Status,
}

impl Outcome {
    pub(super) fn new(declaration: &Declaration, state: State, reason: Reason, message: impl Into<String>) -> Self {
        Outcome {
            state,
            reason,
            message: message.into(),
            drift: Vec::new(),
            status: declaration.status.clone(),
        }
    }

    pub(super) fn blocked(declaration: &Declaration, blocked: Blocked) -> Self {
        Outcome::new(declaration, blocked.state, blocked.reason, blocked.message)
    }
}

/// The data points of one metric.
pub(super) struct PointsToSend {
    /// Id of the metric.
    pub(super) id: String,
    pub(super) points: Vec<MetricPoint>,
    /// What is recorded once they are sent.
    pub(super) applied: (ObjectKey, String, String),
}

pub(super) struct Planner<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) index: &'a Index<'a>,
    pub(super) claims: &'a Claims,
    pub(super) identities: &'a BTreeMap<ObjectKey, Identity>,
    pub(super) outcomes: BTreeMap<ObjectKey, Outcome>,
    /// Data points to send.
    pub(super) points: Vec<PointsToSend>,
    /// True once this plan creates the page's provider of type Self.
    pub(super) provider_implied: bool,
    pub(super) plan: Plan,
}

impl<'a> Planner<'a> {
    /// The page itself. False when nothing can be done for its declarations.
    fn page(&mut self) -> bool {
        let world = self.world;
        let page = world.page;
        if let Some(gate) = world.gate {
            let state = if gate.stalled {
                State::Stalled
            } else {
                State::Progressing
            };
            self.record(page, Outcome::new(page, state, gate.reason, gate.message.clone()));
            if let Some(until) = gate.until {
                self.plan.wake_at(until);
            }
            // A namespace is often deleted with its Secrets first.
            if page.deleting {
                self.release_page();
            }
            return false;
        }
        let Spec::StatusPage(spec) = &*page.spec else {
            self.plan.steps.extend(
                page.finalizer
                    .then(|| step(page, Action::Release, Priority::Write, "release")),
            );
            return false;
        };
        if spec.suspend {
            self.record(
                page,
                Outcome::new(
                    page,
                    State::Suspended,
                    Reason::Suspended,
                    "suspend is true: nothing is done for this page and its declarations",
                ),
            );
            return false;
        }
        let Some(remote) = &world.snapshot.page else {
            if page.deleting && self.release_page() {
                return false;
            }
            self.read(ReadWhat::Collection(CollectionKind::Page), Priority::Incident);
            return false;
        };
        if !page.deleting && !page.finalizer && self.held_declarations() > 0 {
            // Its declarations need it to the end: they cannot be deleted on a page whose token nobody knows.
            let hold = step(page, Action::Hold, Priority::Incident, "put the finalizer on");
            self.plan.steps.push(hold);
        }
        let read_at = world.page_read_at.unwrap_or(world.now);
        if elapsed(read_at, world.now) >= world.resync_interval() || read_at < page.seen {
            self.read(ReadWhat::Collection(CollectionKind::Page), Priority::Read);
        } else {
            self.plan.wake_at(
                read_at
                    .saturating_add(world.resync_interval())
                    .unwrap_or(jiff::Timestamp::MAX),
            );
        }
        let mut outcome = Outcome::new(
            page,
            State::InSync,
            Reason::Synced,
            "the page and its settings are as declared",
        );
        let status = outcome.status.object_mut();
        status.id = Some(remote.id.clone());
        status.page_id = Some(remote.id.clone());
        status.url = public_address(remote);
        if page.deleting {
            self.release_page();
            let left = self.held_declarations();
            outcome.state = State::Progressing;
            outcome.reason = Reason::Deleting;
            outcome.message = format!("waits until its {left} declarations are gone; the page on Statuspage stays");
            self.record(page, outcome);
            return true;
        }
        let fields = spec
            .settings
            .as_ref()
            .map(|settings| kinds::settings_fields(settings, remote))
            .unwrap_or_default();
        let policies = page.policies(Some(spec));
        self.subscriber_counts(spec, page, &mut outcome.status);
        let mut found = fields::compare(&fields, &outcome.status.object().applied, policies.drift);
        // Each has a request of its own: the settings first. The embed is read in any case, so that a preview knows it.
        let declared = spec.status_embed.as_ref();
        let embed = declared.map(|embed| self.status_embed(embed, page, policies.drift));
        if found.body.is_empty() || policies.management == ManagementPolicy::ObserveOnly {
            match embed {
                None => {}
                Some(Ok(compared)) => found.extend(compared),
                Some(Err(blocked)) => {
                    outcome.state = blocked.state;
                    outcome.reason = blocked.reason;
                    outcome.message = blocked.message;
                    self.record(page, outcome);
                    return true;
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
            "the page",
        );
        true
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
            let summary = "release the page; it is never deleted on Statuspage";
            let release = step(self.world.page, Action::Release, Priority::Write, summary);
            self.plan.steps.push(release);
        }
        true
    }

    /// Nothing can be sent: what was in sync stays as it was seen, what waits says why, deletions that leave the
    /// remote object alone go on.
    fn closed(&mut self, declaration: &'a Declaration) {
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
                "suspend is true: nothing is done for this object",
            )
        } else if self.world.gate.is_none() {
            return;
        } else {
            let message = format!("waits for StatusPage {page}: see its conditions");
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

    pub(super) fn read(&mut self, what: ReadWhat, priority: Priority) {
        match self.plan.reads.iter_mut().find(|read| read.what == what) {
            Some(read) => read.priority = read.priority.min(priority),
            None => self.plan.reads.push(Read { what, priority }),
        }
    }

    pub(super) fn record(&mut self, declaration: &Declaration, mut outcome: Outcome) {
        if self.attempt_is_over(declaration) {
            let journal = &mut outcome.status.object_mut().journal;
            *journal = journal.take().and_then(undone);
        }
        self.outcomes.insert(declaration.key.clone(), outcome);
    }

    /// True when an attempt to create something is known to have had no effect, or to have had all of it.
    fn attempt_is_over(&self, declaration: &Declaration) -> bool {
        let Some(journal) = &declaration.status.object().journal else {
            return false;
        };
        match journal.operation.as_str() {
            CREATE => matches!(self.identities.get(&declaration.key), Some(Identity::Absent { .. })),
            PROVIDE => {
                let settled = journal.at.0.saturating_add(GRACE).unwrap_or(jiff::Timestamp::MAX);
                let read_at = self.world.snapshot.read_at(CollectionKind::MetricsProviders);
                read_at.is_some_and(|read_at| read_at >= settled)
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
                        outcome.status.object_mut(),
                        outcome.state,
                        outcome.reason,
                        &outcome.message,
                        outcome.drift,
                        declaration.generation,
                        world.now,
                    );
                    if outcome.state != State::Unknown {
                        outcome
                            .status
                            .object_mut()
                            .last_handled_request
                            .clone_from(&declaration.requested_at);
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
                None => declaration.status.clone(),
            };
            if let Status::StatusPage(page) = &mut status {
                page.managed = i64::try_from(world.declarations.len()).ok();
                page.pending = Some(pending);
                page.status = worst_status(world).or(page.status.take());
            }
            if status != *declaration.stored {
                self.plan.statuses.push((declaration.key.clone(), status));
            }
        }
        let rank = |step: &Step| match step.action {
            Action::RecordId(_) | Action::Hold | Action::Release | Action::Prune => 0,
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

/// A step that declares no field.
pub(super) fn step(declaration: &Declaration, action: Action, priority: Priority, summary: impl Into<String>) -> Step {
    Step {
        key: declaration.key.clone(),
        action,
        priority,
        summary: summary.into(),
        changes: Vec::new(),
        applied: Vec::new(),
        beside: Vec::new(),
        replaces: None,
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
