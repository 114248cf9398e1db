//! What an annotation asks for once: operations on subscribers.
//!
//! The value that was acted on is recorded as a hash, so that the same value never acts twice.

use super::declaration::{Declaration, ObjectKey};
use super::fields::hash;
use super::plan::{Action, State, Step};
use super::planner::Planner;
use super::request::Request;
use crate::api::{REACTIVATE, RESEND_CONFIRMATION, Reason};
use crate::statuspage::Priority;

type MakeRequest = fn(String) -> Request;

const OPERATIONS: [(&str, &str, &str, MakeRequest); 2] = [
    (
        RESEND_CONFIRMATION,
        "once/resend-confirmation",
        "ask the subscriber to confirm once more",
        Request::ResendConfirmation,
    ),
    (
        REACTIVATE,
        "once/reactivate",
        "take the subscriber out of quarantine",
        Request::ReactivateSubscriber,
    ),
];

/// What counts as done when the subscriber is created: it is asked to confirm anyway, and is in no quarantine.
pub(super) fn done_by_creation(declaration: &Declaration) -> Vec<(ObjectKey, String, String)> {
    OPERATIONS
        .iter()
        .filter_map(|(annotation, name, ..)| {
            let value = declaration.annotations.get(*annotation)?;
            Some((
                declaration.key.clone(),
                (*name).to_owned(),
                hash(&value.as_str().into()),
            ))
        })
        .collect()
}

impl Planner<'_> {
    /// Plans what the annotations of a subscriber ask for and what was not done yet.
    pub(super) fn once(&mut self, declaration: &Declaration, id: &str) {
        for (annotation, name, summary, request) in OPERATIONS {
            let Some(value) = declaration.annotations.get(annotation) else {
                continue;
            };
            let hash = hash(&value.as_str().into());
            if declaration.status.object().applied.get(name) == Some(&hash) {
                continue;
            }
            if let Some(failed) = self.failure(declaration) {
                self.record(declaration, failed);
                return;
            }
            if let Some(outcome) = self.outcomes.get_mut(&declaration.key) {
                outcome.state = State::Progressing;
                outcome.reason = Reason::Progressing;
                outcome.message = format!("will {summary}");
            }
            self.plan.steps.push(Step {
                key: declaration.key.clone(),
                action: Action::Update(request(id.to_owned())),
                priority: Priority::Subscriber,
                summary: summary.to_owned(),
                changes: Vec::new(),
                applied: vec![(declaration.key.clone(), name.to_owned(), hash)],
                beside: Vec::new(),
            });
        }
    }
}
