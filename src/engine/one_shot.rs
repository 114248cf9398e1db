//! What an annotation asks for once: operations on subscribers and on the data of metrics.
//!
//! The value that was acted on is recorded as a hash, so that the same value never acts twice.

use super::applied::{AppliedName, OneShot};
use super::context::Context;
use super::declaration::Declaration;
use super::journal::Operation as Attempt;
use super::outcome::Outcome;
use super::plan::{Action, Applied, State, Step};
use super::report::Report;
use super::request::Request;
use super::seal::hash;
use super::summary::{Summary, Verb};
use crate::api::{Kind, REACTIVATE, RESEND_CONFIRMATION, RESET_DATA};
use crate::statuspage::Priority;

struct Operation {
    kind: Kind,
    annotation: &'static str,
    /// The name under which the value that was acted on is recorded.
    name: OneShot,
    verb: Verb,
    object: &'static str,
    request: fn(String) -> Request,
    priority: Priority,
    /// True when somebody is told something: never sent twice for one value.
    tells: bool,
    /// What no longer is on the page afterwards, though it was applied.
    undoes: Option<AppliedName>,
}

/// Before the hash of a value that may have been acted on.
const UNCLEAR: char = '?';

static OPERATIONS: [Operation; 3] = [
    Operation {
        kind: Kind::Subscriber,
        annotation: RESEND_CONFIRMATION,
        name: OneShot::ResendConfirmation,
        verb: Verb::Ask,
        object: "the subscriber to confirm once more",
        request: Request::ResendConfirmation,
        priority: Priority::Subscriber,
        tells: true,
        undoes: None,
    },
    Operation {
        kind: Kind::Subscriber,
        annotation: REACTIVATE,
        name: OneShot::Reactivate,
        verb: Verb::Take,
        object: "the subscriber out of quarantine",
        request: Request::ReactivateSubscriber,
        priority: Priority::Subscriber,
        tells: false,
        undoes: None,
    },
    Operation {
        kind: Kind::Metric,
        annotation: RESET_DATA,
        name: OneShot::ResetData,
        verb: Verb::Remove,
        object: "all data points of the metric",
        request: Request::ResetMetricData,
        priority: Priority::MetricData,
        tells: false,
        undoes: Some(AppliedName::Data),
    },
];

impl Operation {
    fn applied(&self) -> AppliedName {
        AppliedName::OneShot(self.name)
    }

    fn summary(&self) -> Summary {
        self.verb.of(self.object)
    }
}

/// What the annotations of a declaration ask for, each with the hash of its value.
fn asked(declaration: &Declaration) -> impl Iterator<Item = (&'static Operation, String)> {
    OPERATIONS.iter().filter_map(|operation| {
        let value = declaration.annotations.get(operation.annotation)?;
        (operation.kind == declaration.key.kind).then(|| (operation, hash(&value.as_str().into())))
    })
}

/// What counts as done when the object is created: a subscriber is asked to confirm anyway and is in no quarantine, a
/// metric has no data.
pub(super) fn done_by_creation(declaration: &Declaration) -> Vec<Applied> {
    let done = |(operation, hash): (&Operation, String)| Applied {
        key: declaration.key.clone(),
        name: operation.applied(),
        hash,
    };
    asked(declaration).map(done).collect()
}

/// True when an annotation has a value that was not acted on yet.
pub(super) fn is_asked(declaration: &Declaration, annotation: &str) -> bool {
    let applied = &declaration.status.object().applied;
    asked(declaration)
        .filter(|(operation, _)| operation.annotation == annotation)
        .any(|(operation, hash)| !is_done(applied.get(&*operation.applied().text()), &hash))
}

/// True when a value was acted on, or may have been where that must not happen twice.
fn is_done(applied: Option<&String>, hash: &str) -> bool {
    applied.is_some_and(|applied| applied.trim_start_matches(UNCLEAR) == hash)
}

/// Plans what the annotations of an object ask for and what was not done yet. False when there is nothing.
pub(super) fn plan(context: &Context<'_>, id: &str, outcome: &mut Outcome, report: &mut Report) -> bool {
    let declaration = context.declaration;
    close_telling(declaration, outcome);
    let mut planned = false;
    for (operation, hash) in asked(declaration) {
        let name = operation.applied();
        let recorded = outcome.status.object().applied.get(&*name.text());
        if is_done(recorded, &hash) {
            if recorded.is_some_and(|recorded| recorded.starts_with(UNCLEAR)) && outcome.state == State::InSync {
                outcome.message = unclear(operation);
            }
            continue;
        }
        planned = true;
        if let Some(failed) = report.failure(context) {
            *outcome = failed;
            return planned;
        }
        outcome.will(&operation.summary());
        let done = |name, hash| Applied {
            key: declaration.key.clone(),
            name,
            hash,
        };
        let mut applied = vec![done(name.clone(), hash)];
        applied.extend(operation.undoes.clone().map(|name| done(name, String::new())));
        let request = (operation.request)(id.to_owned());
        let action = match operation.tells {
            true => Action::Tell { request, name },
            false => Action::Update(request),
        };
        report.steps.push(Step {
            applied,
            ..Step::new(declaration, action, operation.priority, operation.summary())
        });
    }
    planned
}

/// Takes what was sent without a clear answer as done: nobody is told twice.
fn close_telling(declaration: &Declaration, outcome: &mut Outcome) {
    let Some(journal) = &declaration.status.object().journal else {
        return;
    };
    let Some(Attempt::Tell(name @ AppliedName::OneShot(_))) = Attempt::of(journal) else {
        return;
    };
    let object = outcome.status_mut().object_mut();
    let hash = journal.title.as_deref().unwrap_or_default();
    object.applied.insert(name.to_string(), format!("{UNCLEAR}{hash}"));
    object.journal = None;
}

fn unclear(operation: &Operation) -> String {
    format!(
        "the request to {} got no clear answer and may have been carried out; it is not sent again: give the annotation {} another value to ask once more",
        operation.summary(),
        operation.annotation
    )
}
