//! What a world calls for: reads, ordered steps, and the statuses that changed.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::applied::AppliedName;
use super::declaration::{Declaration, ObjectKey};
use super::fields::Change;
use super::journal::Operation;
use super::request::Request;
use super::summary::Summary;
use crate::api::{Journal, Reason, Status};
use crate::statuspage::{BudgetStats, CollectionKind, ObjectKind, Priority, Search};

/// The answer to "what has to happen now".
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Lists to read before more can be decided, most urgent first.
    pub reads: Vec<Read>,
    /// Effects in the order in which they are to be performed.
    pub steps: Vec<Step>,
    /// The status of every declaration whose stored one is another.
    pub statuses: Vec<(ObjectKey, Arc<Status>)>,
    /// What was found about each declaration.
    pub findings: Vec<Finding>,
    /// When to plan again although nothing happened.
    pub wake: Option<Timestamp>,
    /// When the next proof can be had that something waits for.
    pub proof_at: Option<Timestamp>,
    /// True when it was made while nothing but incidents could be sent.
    pub behind_circuit_breaker: bool,
    /// What is still to be sent.
    pub backlog: Backlog,
}

/// What is still to be sent to a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Requests that change something, as far as they are known: those of the plan and those that wait for them.
    pub changes: usize,
    /// How many minutes the last of them waits for the request budget, if nobody else uses it; 0 when all can be sent
    /// now.
    pub minutes: usize,
}

impl Backlog {
    /// What waits for the request budget, in a sentence; none while everything can be sent at once.
    pub(super) fn waits_for(&self, budget: &BudgetStats) -> Option<String> {
        if self.minutes == 0 {
            return None;
        }
        let asked = match budget.paused_for {
            Some(_) => "Statuspage asked to wait; ",
            None => "",
        };
        Some(format!(
            "{asked}{} for the request budget of {} a minute, about {}; incidents go first",
            plural(self.changes, "change waits", "changes wait"),
            budget.limit,
            plural(self.minutes, "minute", "minutes"),
        ))
    }
}

/// A number with its word.
fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl Plan {
    /// Remote writes in this plan; one request each.
    pub fn remote_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action.request().is_some())
    }
}

/// A list to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Which one.
    pub what: ReadWhat,
    /// How urgent it is.
    pub priority: Priority,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadWhat {
    /// A whole list of the page.
    Collection(CollectionKind),
    /// A selection in the place of a list that does not reach so far.
    Search(Search),
    /// One object by its id.
    Object(ObjectKind, String),
    /// What one member of the organization may do.
    Permissions(String),
    /// The components that one page access user may see beside those of its groups.
    UserComponents(String),
    /// The metrics that one page access user may see beside those of its groups.
    UserMetrics(String),
    /// Who subscribed to one incident alone.
    IncidentSubscribers(String),
    /// The uptime of one component.
    Uptime(String),
    /// The uptime of one component group.
    GroupUptime(String),
}

impl ReadWhat {
    /// The list that it shows all or a part of; none for what belongs to a single object.
    pub fn list(&self) -> Option<CollectionKind> {
        match self {
            ReadWhat::Collection(kind) => Some(*kind),
            ReadWhat::Search(search) => Some(search.collection()),
            _ => None,
        }
    }
}

/// One effect on one object.
#[derive(Clone, Debug)]
pub struct Step {
    /// The declaration that it is for.
    pub key: ObjectKey,
    /// The effect.
    pub action: Action,
    /// How urgent it is.
    pub priority: Priority,
    /// What it does, in a sentence for Events and logs, such as `create component "API"`.
    pub summary: Summary,
    /// Declared fields that it writes.
    pub changes: Vec<Change>,
    /// What is applied once it succeeded.
    pub applied: Vec<Applied>,
    /// For a creation: ids of the objects of the same identity that are there already.
    pub beside: Vec<String>,
    /// The id of the object that is deleted by this step, or was before it, to be created again.
    pub replaces: Option<String>,
}

/// What is recorded once a step has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The declaration.
    pub key: ObjectKey,
    /// What of it.
    pub name: AppliedName,
    /// The hash of what was applied.
    pub hash: String,
}

impl Step {
    /// A step that declares no field.
    pub(super) fn new(declaration: &Declaration, action: Action, priority: Priority, summary: Summary) -> Self {
        Step {
            key: declaration.key.clone(),
            action,
            priority,
            summary,
            changes: Vec::new(),
            applied: Vec::new(),
            beside: Vec::new(),
            replaces: None,
        }
    }

    /// The write-ahead note to store before the request; none when it may be sent twice.
    pub fn journal(&self, attempt: String, at: Timestamp) -> Option<Journal> {
        let (operation, after) = match &self.action {
            Action::Create(_) => (Operation::Create, None),
            Action::Provide(_) => (Operation::Provide, None),
            Action::Replace(_) => (Operation::Replace, None),
            Action::Publish { index, after, .. } => (Operation::Publish(*index), after.clone()),
            Action::Tell { name, .. } => (Operation::Tell(name.clone()), None),
            _ => return None,
        };
        let told = || {
            let Action::Tell { name, .. } = &self.action else {
                return None;
            };
            let mut applied = self.applied.iter();
            applied
                .find(|applied| applied.name == *name)
                .map(|applied| applied.hash.as_str())
        };
        Some(Journal {
            operation: operation.to_string(),
            attempt,
            at: Time(at),
            after,
            title: self
                .action
                .request()
                .and_then(Request::title)
                .or_else(told)
                .map(str::to_owned),
            beside: self.beside.clone(),
            replaces: self.replaces.clone(),
        })
    }

    /// The fields that this step would write again with the same values as `previous`, which has just succeeded: the
    /// page did not keep them.
    pub fn repeats(&self, previous: &Step) -> Vec<&str> {
        if self.key != previous.key || !matches!(self.action, Action::Update(_)) {
            return Vec::new();
        }
        let again = |change: &&Change| {
            previous
                .changes
                .iter()
                .any(|old| old.field == change.field && old.to == change.to)
        };
        self.changes
            .iter()
            .filter(again)
            .map(|change| change.field.as_str())
            .collect()
    }
}

/// The effects.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates the remote object: finalizer, journal, request, record.
    Create(Request),
    /// Publishes the incident update of this index: journal, request, record. Holds the newest known remote update.
    Publish {
        /// The request.
        request: Request,
        /// Index in spec.updates.
        index: usize,
        /// Newest remote update before the request.
        after: Option<String>,
    },
    /// Creates another object that this one needs and that no declaration stands for: journal, request.
    Provide(Request),
    /// Tells people something, and is recorded as applied under this name: journal, request, record.
    Tell {
        /// The request.
        request: Request,
        /// The name.
        name: AppliedName,
    },
    /// Changes the remote object.
    Update(Request),
    /// Deletes the remote object.
    Delete(Request),
    /// Deletes the remote object to create it again: journal, request. The next plan creates it.
    Replace(Request),
    /// Records the id of the remote object in the id annotation.
    RecordId(String),
    /// Puts the finalizer on a declaration whose deletion will have to be carried out on the page.
    AddFinalizer,
    /// Takes the finalizer off: nothing is left to do for a deleted declaration.
    RemoveFinalizer,
    /// The same for a declaration whose remote object stays on the page though it should have been deleted: its namespace
    /// is being deleted, and nothing else would ever let it end.
    Leave,
    /// Deletes the declaration of an incident that was resolved long enough ago, and leaves the remote incident.
    Prune,
}

impl Action {
    /// The remote request of this effect, if it has one.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Action::Create(request)
            | Action::Provide(request)
            | Action::Update(request)
            | Action::Delete(request)
            | Action::Replace(request) => Some(request),
            Action::Publish { request, .. } | Action::Tell { request, .. } => Some(request),
            Action::RecordId(_) | Action::AddFinalizer | Action::RemoveFinalizer | Action::Leave | Action::Prune => {
                None
            }
        }
    }

    /// True when it is on record before it is sent, because what follows from it depends on whether it was.
    pub fn is_journalled(&self) -> bool {
        !self.is_repeatable() || matches!(self, Action::Replace(_))
    }

    /// False when a lost reply must not lead to a second request.
    pub fn is_repeatable(&self) -> bool {
        !matches!(
            self,
            Action::Create(_) | Action::Provide(_) | Action::Publish { .. } | Action::Tell { .. }
        )
    }

    /// True when it takes an object from the page.
    pub fn is_deletion(&self) -> bool {
        matches!(self, Action::Delete(_) | Action::Replace(_))
    }
}

/// What was found about one declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The declaration.
    pub key: ObjectKey,
    /// How it stands.
    pub state: State,
    /// The reason of the Ready condition.
    pub reason: Reason,
    /// The message of the Ready condition.
    pub message: String,
}

/// How a declaration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The remote object was seen to match.
    InSync,
    /// On its way.
    Progressing,
    /// Stopped until somebody does something.
    Stalled,
    /// Stopped on request.
    Suspended,
    /// Not enough was read to tell; the status stays as it is.
    Unknown,
}
