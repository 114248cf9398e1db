//! What every object has in common on its way: where it begins, whose it is, how a comparison becomes a step.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::applied::AppliedName;
use super::context::Context;
use super::declaration::Declaration;
use super::fields::Comparisons;
use super::identity::Identity;
use super::journal::Operation;
use super::one_shot;
use super::outcome::{Blocked, Outcome};
use super::plan::{Action, Applied, ReadWhat, State, Step};
use super::report::Report;
use super::request::Request;
use super::summary::{Summary, Verb};
use crate::api::{Deletion, Drift, Kind, ManagementPolicy, Reason, Status};
use crate::statuspage::{ObjectKind, Priority};

/// Where an object's way begins.
pub(super) enum Start<'i> {
    /// Its outcome is settled already.
    Stopped,
    /// It has to be created.
    Create { beside: &'i [String] },
    /// It is on the page.
    Here { id: &'i str, adopted: bool },
}

/// The part that all kinds begin with: identity, failures.
pub(super) fn start<'i>(context: &Context<'_>, identity: Option<&'i Identity>, report: &mut Report) -> Start<'i> {
    let declaration = context.declaration;
    let start = match identity {
        None | Some(Identity::BeyondList { .. }) => return Start::Stopped,
        Some(Identity::Stop {
            state, reason, message, ..
        }) => {
            report.outcome = Some(Outcome::new(declaration, *state, *reason, message.clone()));
            return Start::Stopped;
        }
        Some(Identity::Absent { beside }) => Start::Create { beside },
        Some(Identity::Here { id, adopted }) => Start::Here { id, adopted: *adopted },
    };
    let Some(mut failed) = report.failure(context) else {
        return start;
    };
    if let Start::Here { id, adopted } = start {
        // What the page does not keep may be given to another object.
        if failed.reason == Reason::NotHonoured && declaration.spec.replace_policy().is_some() {
            return start;
        }
        take(context, id, adopted, failed.status_mut(), report);
    }
    report.outcome = Some(failed);
    Start::Stopped
}

/// The step that creates an object: the driver adds finalizer, journal and record.
pub(super) fn creation(
    declaration: &Declaration,
    request: Request,
    found: Comparisons,
    priority: Priority,
    summary: Summary,
    beside: &[String],
) -> Step {
    let mut applied = applied(declaration, &found.applied);
    applied.extend(one_shot::done_by_creation(declaration));
    Step {
        changes: found.changes,
        applied,
        beside: beside.to_vec(),
        ..Step::new(declaration, Action::Create(request), priority, summary)
    }
}

/// How a declaration stands whose object is created.
pub(super) fn creating(declaration: &Declaration, step: &Step) -> Outcome {
    let message = format!("will {}", step.summary);
    let mut outcome = Outcome::new(declaration, State::Progressing, Reason::Progressing, message);
    // The recorded id stays until another one takes its place: it tells what was there from what never was.
    outcome.status_mut().object_mut().applied.clear();
    outcome
}

/// What is applied once the declared fields are written.
pub(super) fn applied(declaration: &Declaration, hashes: &BTreeMap<String, String>) -> Vec<Applied> {
    let of = |(name, hash): (&String, &String)| Applied {
        key: declaration.key.clone(),
        name: AppliedName::Field(name.clone()),
        hash: hash.clone(),
    };
    hashes.iter().map(of).collect()
}

/// Takes the remote object: id in the status and in the annotation, journal of its creation closed.
pub(super) fn take(context: &Context<'_>, id: &str, adopted: bool, status: &mut Status, report: &mut Report) {
    let declaration = context.declaration;
    let known = status.object();
    let by_hand = declaration.is_to_take_over() && declaration.recorded_id() == Some(id);
    if by_hand && known.id.is_some() {
        // Nothing that was recorded of the other object is true of this one.
        let mut blank = Status::empty(declaration.key.kind);
        blank.object_mut().conditions.clone_from(&known.conditions);
        blank
            .object_mut()
            .last_handled_request
            .clone_from(&known.last_handled_request);
        *status = blank;
    }
    let object = status.object_mut();
    object.adopted |= adopted || by_hand;
    object.id = Some(id.to_owned());
    object.page_id = context.world.page_id.map(str::to_owned);
    match Operation::open(object) {
        Some(Operation::Create) => {
            object.journal = None;
            // What was recorded is about the object before it, if there was one.
            let done = one_shot::done_by_creation(declaration).into_iter();
            object.applied = done.map(|done| (done.name.to_string(), done.hash)).collect();
        }
        Some(Operation::Provide) => object.journal = None,
        _ => {}
    }
    let policies = context.policies();
    if !declaration.finalizer
        && (policies.deletion != Deletion::Orphan
            || declaration.is_to_take_over() && declaration.spec.own_deletion().is_none())
        && policies.management == ManagementPolicy::Full
    {
        let summary = Verb::Add.of("the finalizer");
        let hold = Step::new(declaration, Action::AddFinalizer, Priority::Incident, summary);
        report.steps.push(hold);
    }
    let annotated = declaration.id_annotation.as_deref();
    let out_of_date = annotated.is_some() && annotated == declaration.status.object().former_id.as_deref();
    if annotated != Some(id) && !out_of_date {
        let record = Action::RecordId(id.to_owned());
        let step = Step::new(declaration, record, Priority::Incident, Verb::Record.of("the id"));
        report.steps.push(step);
    }
}

/// What somebody else changed is told and put right only after the object itself was read: a list may be old. True
/// when it has to be read first.
pub(super) fn confirm_drift(
    context: &Context<'_>,
    kind: ObjectKind,
    id: &str,
    drift: &[Drift],
    priority: Priority,
    report: &mut Report,
) -> bool {
    let world = context.world;
    let known = &context.declaration.stored.object().drift;
    let news = drift.iter().any(|one| !known.contains(one));
    let shown_at = world.snapshot.examined(kind, id).shown_at;
    let list_read_at = world.snapshot.read_at(kind.collection());
    if !news || shown_at >= list_read_at {
        return false;
    }
    let what = ReadWhat::Object(kind, id.to_owned());
    if world.unreadable(&what).is_some() {
        // It cannot be read by its id: the list has the word.
        return false;
    }
    report.pursue(world, what, priority);
    true
}

/// Turns a comparison into a step and an outcome. True when the object matches and nothing is to be written.
pub(super) fn settle(
    context: &Context<'_>,
    outcome: &mut Outcome,
    found: Comparisons,
    priority: Priority,
    request: impl FnOnce(Map<String, Value>) -> Result<Request, Blocked>,
    noun: impl FnOnce() -> String,
    report: &mut Report,
) -> bool {
    let declaration = context.declaration;
    outcome.drift.clone_from(&found.drift);
    if context.policies().management == ManagementPolicy::ObserveOnly && !found.body.is_empty() {
        let names: Vec<&str> = found.changes.iter().map(|change| change.field.as_str()).collect();
        let message = format!(
            "{} differ on the page; managementPolicy is ObserveOnly: nothing is written",
            names.join(", ")
        );
        outcome.stop(State::Stalled, Reason::ObserveOnly, message);
    } else if !found.immutable.is_empty() {
        let way_out = found.way_out.unwrap_or_else(|| match declaration.key.kind {
            Kind::IncidentTemplate => "edit the template in the console to match, or declare another one".to_owned(),
            _ => "delete the declaration and create it again".to_owned(),
        });
        let message = format!(
            "{} can only be given when the {} is created: change it back, or {way_out}",
            found.immutable.join(", "),
            declaration.key.kind.noun()
        );
        outcome.stop(State::Stalled, Reason::NotHonoured, message);
    } else if !found.body.is_empty() {
        if let Some(failed) = report.failure(context) {
            let message = match &found.way_out {
                Some(way_out) if failed.reason == Reason::NotHonoured => {
                    format!("{}; or {way_out}", failed.message)
                }
                _ => failed.message,
            };
            outcome.stop(failed.state, failed.reason, message);
            return false;
        }
        match request(found.body) {
            Ok(request) => {
                let names: Vec<&str> = found.changes.iter().map(|change| change.field.as_str()).collect();
                let summary = Verb::Update.of(format!("{}: {}", noun(), names.join(", ")));
                outcome.will(&summary);
                report.steps.push(Step {
                    applied: applied(declaration, &found.applied),
                    changes: found.changes,
                    ..Step::new(declaration, Action::Update(request), priority, summary)
                });
            }
            Err(blocked) => outcome.block(blocked),
        }
    } else {
        let applied = &mut outcome.status_mut().object_mut().applied;
        applied.retain(|name, _| *name == AppliedName::Data.text() || found.keeps(name));
        applied.extend(found.applied);
    }
    outcome.state == State::InSync
}
