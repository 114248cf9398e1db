//! Replacement: deleting a remote object to create it again with what only a creation can give it.
//!
//! Delete and create are two requests, and the object is gone between them. The journal holds its id from before the
//! first to after the second, so that a crash at any point leads to one object: see `identity`.
//!
//! Invariant: only what the declaration may delete is replaced. Invariant: the same declared values are given to one
//! new object only; what that one does not take either is reported.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::applied::AppliedName;
use super::attempt::{next_look_for, settled_at};
use super::context::Context;
use super::declaration::Declaration;
use super::fields::{self, Comparisons};
use super::journal::Operation;
use super::kinds;
use super::outcome::Blocked;
use super::plan::{Action, Applied, ReadWhat, Step};
use super::report::Report;
use super::rules::Rules;
use super::seal::hash;
use super::summary::Verb;
use crate::api::{Deletion, ManagementPolicy, Reason, ReplacePolicy, Status};
use crate::statuspage::Priority;

/// Whether an object is replaced.
pub(super) enum Replacement {
    /// By this step, after which it is created.
    Due(Box<Step>),
    /// It is to be, and cannot be now.
    Blocked(Blocked),
    /// It is not. What its owner may do about fields that cannot be written.
    Not(Option<String>),
}

/// True when the declaration asks for replacement where it is needed.
fn may_be_replaced(context: &Context<'_>) -> bool {
    let policies = context.policies();
    policies.replace == ReplacePolicy::WhenNeeded && policies.management == ManagementPolicy::Full
}

/// Decides whether an object that differs is to be replaced.
pub(super) fn plan<K: Rules>(
    context: &Context<'_>,
    rules: &K,
    remote: &K::Remote,
    found: &Comparisons,
    status: &Status,
) -> Replacement {
    let declaration = context.declaration;
    let names = needs_another_object(context, found);
    if names.is_empty() {
        return Replacement::Not(None);
    }
    if declaration.spec.replace_policy() == Some(ReplacePolicy::Never) {
        let way_out = "set replacePolicy: WhenNeeded to have it deleted and created again";
        return Replacement::Not(Some(way_out.to_owned()));
    }
    if !may_be_replaced(context) {
        return Replacement::Not(None);
    }
    if context.policies().deletion != Deletion::Delete {
        let way_out = "set deletionPolicy: Delete, without which it is not replaced";
        return Replacement::Not(Some(way_out.to_owned()));
    }
    if let Err(blocked) = rules.replaceable(context, remote) {
        return if blocked.reason == Reason::NotHonoured {
            Replacement::Not(Some(format!("have it replaced: {}", blocked.message)))
        } else {
            Replacement::Blocked(blocked)
        };
    }
    // Nothing is deleted that could not be created.
    let planned = values(context, rules).and_then(|(found, values)| {
        rules.create(context, found.body)?;
        Ok(values)
    });
    let values = match planned {
        Ok(values) => values,
        Err(blocked) => return Replacement::Blocked(blocked),
    };
    if status.object().applied.get(&*AppliedName::Replacement.text()) == Some(&values) {
        let way_out = "remove it: the page did not keep it in an object that was created with it either";
        return Replacement::Not(Some(way_out.to_owned()));
    }
    let id = K::id(remote).to_owned();
    let Some(request) = kinds::delete_request(declaration.key.kind, &id, &declaration.spec) else {
        return Replacement::Not(None);
    };
    let noun = declaration.key.kind.noun();
    let title = rules.title(context);
    let names = names.join(", ");
    let summary = Verb::Delete.of(format!("{noun} {title:?} to create it again: {names}"));
    Replacement::Due(Box::new(Step {
        replaces: Some(id),
        ..Step::new(declaration, Action::Replace(request), Priority::Delete, summary)
    }))
}

/// The fields that the object cannot be given: those that are only read at creation, and those that the page has
/// just not kept.
fn needs_another_object(context: &Context<'_>, found: &Comparisons) -> Vec<String> {
    let declaration = context.declaration;
    if !found.immutable.is_empty() {
        return found.immutable.iter().map(|name| (*name).to_owned()).collect();
    }
    let failure = context.world.failures.get(&declaration.key);
    let refused = failure.is_some_and(|failure| {
        failure.reason == Reason::NotHonoured && failure.blocks(declaration.generation, context.world.now)
    });
    let written = found.changes.iter().filter(|_| refused);
    written.map(|change| change.field.clone()).collect()
}

/// An object that was found after its creation was interrupted is known to be one that was created in the place
/// of another.
pub(super) fn note<K: Rules>(context: &Context<'_>, rules: &K, status: &mut Status) {
    let journal = context.declaration.status.object().journal.as_ref();
    let recovered =
        journal.is_some_and(|journal| Operation::of(journal) == Some(Operation::Create) && journal.replaces.is_some());
    if recovered && let Ok((_, values)) = values(context, rules) {
        let applied = &mut status.object_mut().applied;
        applied.insert(AppliedName::Replacement.to_string(), values);
    }
}

/// Closes the note of a deletion that is not wanted any more, once it is certain that it was never carried out.
pub(super) fn close<K: Rules>(context: &Context<'_>, status: &mut Status, report: &mut Report) {
    let (world, declaration) = (context.world, context.declaration);
    let Some(journal) = &declaration.status.object().journal else {
        return;
    };
    if Operation::of(journal) != Some(Operation::Replace) {
        return;
    }
    let settled = settled_at(world, declaration, journal, K::COLLECTION);
    let list = K::collection(world.snapshot);
    if list.is_some_and(|list| list.looks_since(settled) >= 2) {
        status.object_mut().journal = None;
        return;
    }
    let last = list.and_then(|list| list.looks.last().copied());
    let next = next_look_for(world, declaration, last, settled);
    if world.now < next {
        report.wait_for_proof(next);
    } else {
        report.pursue(world, ReadWhat::Collection(K::COLLECTION), Priority::Read);
    }
}

/// Makes the creation of an object that takes the place of a deleted one: the journal keeps the old id, and what it is
/// created for is recorded.
pub(super) fn carry_on(declaration: &Declaration, step: &mut Step) {
    let journal = declaration.status.object().journal.as_ref();
    let Some(replaced) = journal.and_then(|journal| journal.replaces.clone()) else {
        return;
    };
    let values = values_of(step.applied.iter().map(|one| (one.name.text(), one.hash.as_str())));
    step.applied.push(Applied {
        key: declaration.key.clone(),
        name: AppliedName::Replacement,
        hash: values,
    });
    step.replaces = Some(replaced);
}

/// What a creation would send, and the hash of all declared values.
fn values<K: Rules>(context: &Context<'_>, rules: &K) -> Result<(Comparisons, String), Blocked> {
    let found = fields::creation(&rules.fields(context, None)?, context.seal());
    let values = values_of(
        found
            .applied
            .iter()
            .map(|(name, hash)| (name.as_str().into(), hash.as_str())),
    );
    Ok((found, values))
}

fn values_of<'v>(applied: impl Iterator<Item = (Cow<'v, str>, &'v str)>) -> String {
    let applied: BTreeMap<Cow<'_, str>, &str> = applied.collect();
    hash(&serde_json::json!(applied))
}
