//! How a declaration stands, before it becomes conditions.

use std::fmt::Display;
use std::sync::Arc;

use super::declaration::Declaration;
use super::plan::State;
use super::summary::Summary;
use crate::api::{Drift, Reason, Status};

/// Why an object cannot be compared or created yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blocked {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Blocked {
    pub(super) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Blocked {
            state: State::Progressing,
            reason,
            message: message.into(),
        }
    }

    /// Not enough was read to tell.
    pub(super) fn unread(what: impl Display) -> Self {
        Blocked {
            state: State::Unknown,
            reason: Reason::Progressing,
            message: format!("not read yet: {what}"),
        }
    }

    pub(super) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Blocked {
            state: State::Stalled,
            reason,
            message: message.into(),
        }
    }
}

/// What was found about one declaration.
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

    pub(super) fn blocked(declaration: &Declaration, blocked: Blocked) -> Self {
        Outcome::new(declaration, blocked.state, blocked.reason, blocked.message)
    }

    /// Stopped on request.
    pub(super) fn suspended(declaration: &Declaration, message: &str) -> Self {
        Outcome::new(declaration, State::Suspended, Reason::Suspended, message)
    }

    /// On its way to be deleted.
    pub(super) fn deleting(declaration: &Declaration, message: impl Into<String>) -> Self {
        Outcome::new(declaration, State::Progressing, Reason::Deleting, message)
    }

    pub(super) fn status_mut(&mut self) -> &mut Status {
        Arc::make_mut(&mut self.status)
    }

    /// Something is on its way.
    pub(super) fn progress(&mut self, message: impl Into<String>) {
        self.stop(State::Progressing, Reason::Progressing, message);
    }

    /// A step is on its way.
    pub(super) fn will(&mut self, summary: &Summary) {
        self.progress(format!("will {summary}"));
    }

    /// Something keeps it.
    pub(super) fn stop(&mut self, state: State, reason: Reason, message: impl Into<String>) {
        (self.state, self.reason, self.message) = (state, reason, message.into());
    }

    /// The same, as it was found.
    pub(super) fn block(&mut self, blocked: Blocked) {
        self.stop(blocked.state, blocked.reason, blocked.message);
    }
}
