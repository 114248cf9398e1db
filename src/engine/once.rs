//! What an annotation asks for once: operations on subscribers and on the data of metrics.
//!
//! The value that was acted on is recorded as a hash, so that the same value never acts twice.

use super::declaration::{Declaration, ObjectKey};
use super::fields::hash;
use super::plan::{Action, State, Step};
use super::planner::Planner;
use super::request::Request;
use crate::api::{Kind, REACTIVATE, RESEND_CONFIRMATION, RESET_DATA, Reason};
use crate::statuspage::Priority;

/// The name under which the data points of a metric are recorded as applied.
pub(super) const DATA: &str = "data";

struct Operation {
    kind: Kind,
    annotation: &'static str,
    /// The name under which the value that was acted on is recorded.
    name: &'static str,
    summary: &'static str,
    request: fn(String) -> Request,
    priority: Priority,
    /// What no longer is on the page afterwards, though it was applied.
    undoes: Option<&'static str>,
}

const OPERATIONS: [Operation; 3] = [
    Operation {
        kind: Kind::Subscriber,
        annotation: RESEND_CONFIRMATION,
        name: "once/resend-confirmation",
        summary: "ask the subscriber to confirm once more",
        request: Request::ResendConfirmation,
        priority: Priority::Subscriber,
        undoes: None,
    },
    Operation {
        kind: Kind::Subscriber,
        annotation: REACTIVATE,
        name: "once/reactivate",
        summary: "take the subscriber out of quarantine",
        request: Request::ReactivateSubscriber,
        priority: Priority::Subscriber,
        undoes: None,
    },
    Operation {
        kind: Kind::Metric,
        annotation: RESET_DATA,
        name: "once/reset-data",
        summary: "remove all data points of the metric",
        request: Request::ResetMetricData,
        priority: Priority::MetricData,
        undoes: Some(DATA),
    },
];

/// What the annotations of a declaration ask for, each with the hash of its value.
fn asked(declaration: &Declaration) -> impl Iterator<Item = (&'static Operation, String)> {
    OPERATIONS.iter().filter_map(|operation| {
        let value = declaration.annotations.get(operation.annotation)?;
        (operation.kind == declaration.key.kind).then(|| (operation, hash(&value.as_str().into())))
    })
}

/// What counts as done when the object is created: a subscriber is asked to confirm anyway and is in no quarantine, a
/// metric has no data.
pub(super) fn done_by_creation(declaration: &Declaration) -> Vec<(ObjectKey, String, String)> {
    asked(declaration)
        .map(|(operation, hash)| (declaration.key.clone(), operation.name.to_owned(), hash))
        .collect()
}

/// True when an annotation has a value that was not acted on yet.
pub(super) fn is_asked(declaration: &Declaration, annotation: &str) -> bool {
    let applied = &declaration.status.object().applied;
    asked(declaration)
        .filter(|(operation, _)| operation.annotation == annotation)
        .any(|(operation, hash)| applied.get(operation.name) != Some(&hash))
}

impl Planner<'_> {
    /// Plans what the annotations of an object ask for and what was not done yet. False when there is nothing.
    pub(super) fn once(&mut self, declaration: &Declaration, id: &str) -> bool {
        let mut planned = false;
        for (operation, hash) in asked(declaration) {
            if declaration.status.object().applied.get(operation.name) == Some(&hash) {
                continue;
            }
            planned = true;
            if let Some(failed) = self.failure(declaration) {
                self.record(declaration, failed);
                return planned;
            }
            if let Some(outcome) = self.outcomes.get_mut(&declaration.key) {
                outcome.state = State::Progressing;
                outcome.reason = Reason::Progressing;
                outcome.message = format!("will {}", operation.summary);
            }
            let done = |name: &str, hash| (declaration.key.clone(), name.to_owned(), hash);
            let mut applied = vec![done(operation.name, hash)];
            applied.extend(operation.undoes.map(|name| done(name, String::new())));
            self.plan.steps.push(Step {
                key: declaration.key.clone(),
                action: Action::Update((operation.request)(id.to_owned())),
                priority: operation.priority,
                summary: operation.summary.to_owned(),
                changes: Vec::new(),
                applied,
                beside: Vec::new(),
                replaces: None,
            });
        }
        planned
    }
}
