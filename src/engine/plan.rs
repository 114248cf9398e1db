//! What a world calls for: reads, ordered steps, and the statuses that changed.

use jiff::Timestamp;

use super::declaration::{ObjectKey, Status};
use super::fields::Change;
use super::request::Request;
use crate::api::Reason;
use crate::statuspage::{CollectionKind, Priority};

/// The answer to "what has to happen now".
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Lists to read before more can be decided, most urgent first.
    pub reads: Vec<Read>,
    /// Effects in the order in which they are to be performed.
    pub steps: Vec<Step>,
    /// The status of every declaration whose stored one is another.
    pub statuses: Vec<(ObjectKey, Status)>,
    /// What was found about each declaration.
    pub findings: Vec<Finding>,
    /// When to plan again although nothing happened.
    pub wake: Option<Timestamp>,
}

impl Plan {
    /// Remote writes in this plan; one request each.
    pub fn remote_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action.request().is_some())
    }

    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadWhat {
    /// A whole list of the page.
    Collection(CollectionKind),
    /// One incident that the list no longer reaches.
    Incident(String),
    /// What one member of the organization may do.
    Permissions(String),
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
    pub summary: String,
    /// Declared fields that it writes.
    pub changes: Vec<Change>,
    /// What is applied once it succeeded: declaration, field, hash.
    pub applied: Vec<(ObjectKey, String, String)>,
}

impl Step {
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
    /// Changes the remote object.
    Update(Request),
    /// Deletes the remote object.
    Delete(Request),
    /// Records the id of the remote object in the id annotation.
    RecordId(String),
    /// Takes the finalizer off: nothing is left to do for a deleted declaration.
    Release,
    /// Deletes the declaration of an incident that was resolved long enough ago, and leaves the remote incident.
    Prune,
}

impl Action {
    /// The remote request of this effect, if it has one.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Action::Create(request) | Action::Update(request) | Action::Delete(request) => Some(request),
            Action::Publish { request, .. } => Some(request),
            Action::RecordId(_) | Action::Release | Action::Prune => None,
        }
    }

    /// True when a lost reply must not lead to a second request.
    pub fn is_journalled(&self) -> bool {
        matches!(self, Action::Create(_) | Action::Publish { .. })
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
