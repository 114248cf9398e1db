//! Deletion: by recorded id, as the policy says, never more than the page's cap.
//!
//! Invariant: the finalizer goes only when the policy was carried out, and not before it is known what came of the last
//! attempt: a declaration of the same name that comes after it would know nothing of it. Invariant: what another declaration
//! owns is not deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::declaration::{Declaration, Deletion, ObjectKey, Spec};
use super::evidence::{Presence, after, is_fresh_object, presence, settled_at};
use super::fields::Change;
use super::identity::{Identity, shown_time};
use super::journal::{journalled_list, open_creation};
use super::kinds;
use super::plan::{Action, ReadWhat, State, Step};
use super::planner::{Outcome, Planner};
use super::request::Request;
use super::summary::{Summary, Verb};
use crate::api::{ComponentGroupSpec, IncidentSpec, Kind, Reason};
use crate::statuspage::{
    CollectionKind, ComponentStatus, Incident, IncidentStatus, IncidentWrite, ObjectKind, Priority,
};

/// The deletion of a namespace waits for so long for what may pass, or for an answer of somebody, before what stops it is
/// left as it is.
pub const LEAVE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Plans the end of a deleted declaration.
pub(super) fn plan<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration) {
    if !declaration.finalizer {
        return;
    }
    let page = planner.world.page_spec();
    let contested = planner.claims.contested_by(&declaration.key).is_some();
    if declaration.lets_go(page) || contested {
        return let_go(planner, declaration);
    }
    let policies = declaration.policies(page);
    let journal_open = open_creation(declaration.status.object()).is_some();
    let identity = planner.identities.get(&declaration.key).filter(|_| journal_open);
    let id = match (declaration.recorded_id(), identity) {
        // What was being created in the place of the recorded object.
        (_, Some(Identity::Here { id, .. } | Identity::BeyondList { id })) => id.clone(),
        (Some(id), None) => id.to_owned(),
        (None, None) if !journal_open => return let_go(planner, declaration),
        (_, Some(Identity::Absent { .. })) => return release(planner, declaration),
        (
            _,
            Some(Identity::Stop {
                state, reason, message, ..
            }),
        ) => {
            let outcome = Outcome::new(declaration, *state, *reason, message.clone());
            return planner.record(declaration, outcome);
        }
        (None, None) => {
            let message = "its creation was interrupted and its manifest is gone, so nobody knows whether it succeeded: restore the manifest, apply, then remove it again";
            return planner.record(
                declaration,
                Outcome::new(declaration, State::Stalled, Reason::Ambiguous, message),
            );
        }
    };
    if is_handed_over(planner, declaration, &id) {
        return release(planner, declaration);
    }
    if policies.deletion == Deletion::Resolve && declaration.key.kind == Kind::Incident {
        return resolve(planner, declaration, &id);
    }
    if declaration.key.kind == Kind::ComponentGroup && group_ends_by_itself(planner, declaration, &id) {
        return;
    }
    if let Some(outcome) = planner.failure(declaration) {
        return planner.record(declaration, outcome);
    }
    if let Some(request) = kinds::delete_request(declaration.key.kind, &id, &declaration.spec) {
        let summary = Verb::Delete.of(format!("{} {id}", declaration.key.kind.noun()));
        let outcome = Outcome::new(
            declaration,
            State::Progressing,
            Reason::Deleting,
            format!("will {summary}"),
        );
        planner.plan.steps.push(Step::new(
            declaration,
            Action::Delete(request),
            Priority::Delete,
            summary,
        ));
        planner.record(declaration, outcome);
    }
}

/// Plans the end of a deleted declaration while nothing can be sent to its page.
pub(super) fn plan_closed<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration) {
    let policies = declaration.policies(planner.world.page_spec());
    if !declaration.finalizer {
        return;
    }
    if policies.suspend {
        let outcome = Outcome::new(
            declaration,
            State::Suspended,
            Reason::Suspended,
            "suspend is true: it is not deleted",
        );
        return planner.record(declaration, outcome);
    }
    let nothing_there = declaration.recorded_id().is_none() && open_creation(declaration.status.object()).is_none();
    if declaration.lets_go(planner.world.page_spec()) || nothing_there {
        let_go(planner, declaration);
    } else if planner.world.circuit_breaker.is_some() {
        let message = format!(
            "cannot delete the {} on the page now: see the conditions of StatusPage {}; to leave it there set deletionPolicy: Orphan",
            declaration.key.kind.noun(),
            planner.world.page.key.name
        );
        planner.record(
            declaration,
            Outcome::new(declaration, State::Progressing, Reason::PageNotReady, message),
        );
    }
}

/// True when another declaration of its namespace records its object: it was renamed, or one of two that claimed the same
/// object goes, and the object goes over to the one that stays. Of another namespace such a word counts for nothing.
fn is_handed_over(planner: &Planner<'_>, declaration: &Declaration, id: &str) -> bool {
    // What is being created in the place of the recorded object is nobody else's.
    if planner.claims.id(&declaration.key) != Some(id) {
        return false;
    }
    let mut contenders = planner.claims.contenders(&declaration.key).iter();
    contenders.any(|contender| {
        // Those of other StatusPages of the same page are not in the index; they are asked when they own it.
        let deleting = planner.index.get(contender).is_some_and(|other| other.deleting);
        contender.namespace == declaration.key.namespace && !deleting
    })
}

/// When it is over what the last attempt may still do to the page, if that is not known yet.
fn settles_at(planner: &Planner<'_>, declaration: &Declaration) -> Option<Timestamp> {
    let object = declaration.status.object();
    let journal = object.journal.as_ref()?;
    let found = matches!(
        planner.identities.get(&declaration.key),
        Some(Identity::Here { .. } | Identity::BeyondList { .. } | Identity::Absent { .. })
    );
    if open_creation(object).is_some() && found {
        return None;
    }
    let list = journalled_list(journal, declaration.key.kind);
    Some(settled_at(planner.world, declaration, journal, list))
}

/// Takes the finalizer off, once the last attempt cannot do anything any more.
fn let_go<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration) {
    match settles_at(planner, declaration).filter(|at| planner.world.now < *at) {
        Some(at) => wait_for_attempt(planner, declaration, at),
        None => release(planner, declaration),
    }
}

fn wait_for_attempt(planner: &mut Planner<'_>, declaration: &Declaration, at: Timestamp) {
    let message = format!(
        "its last request got no clear answer and may still take effect until {}: it is released then",
        shown_time(planner.world, at)
    );
    planner.wait_for_proof(at);
    planner.record(
        declaration,
        Outcome::new(declaration, State::Progressing, Reason::Deleting, message),
    );
}

fn release<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration) {
    if declaration.finalizer {
        planner.plan.steps.push(Step::new(
            declaration,
            Action::RemoveFinalizer,
            Priority::Write,
            Verb::Release.of(""),
        ));
    }
}

fn resolve<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, id: &str) {
    let context = planner.context(declaration);
    let world = planner.world;
    let remote = match presence::<IncidentSpec>(&context, id) {
        Presence::Here(remote) => Some(remote),
        Presence::Gone => None,
        Presence::Beyond => {
            let what = ReadWhat::Object(ObjectKind::Incident, id.to_owned());
            return planner.pursue(declaration, what, Priority::Incident);
        }
        Presence::Unproven(pursuit) => {
            if let Some(blocked) = pursuit.says.clone() {
                planner.record(declaration, Outcome::blocked(declaration, blocked));
            }
            return planner.follow(declaration, pursuit, Priority::Incident);
        }
    };
    let over = |remote: &Incident| remote.status.as_ref().is_none_or(IncidentStatus::is_over);
    if remote.is_none_or(over) {
        let settles_at = settles_at(planner, declaration).filter(|_| remote.is_some());
        return match settles_at {
            Some(at) if world.now < at => wait_for_attempt(planner, declaration, at),
            // An update that came late may have opened it again.
            Some(at) if world.snapshot.examined(ObjectKind::Incident, id).shown_at < Some(at) => {
                let what = ReadWhat::Object(ObjectKind::Incident, id.to_owned());
                planner.pursue(declaration, what, Priority::Incident);
            }
            _ => release(planner, declaration),
        };
    }
    if let Some(outcome) = planner.failure(declaration) {
        return planner.record(declaration, outcome);
    }
    let summary = Verb::Resolve.of(format!("incident {id}"));
    if !is_fresh_object(world, declaration, ObjectKind::Incident, id) {
        // Somebody may have ended it meanwhile.
        let what = ReadWhat::Object(ObjectKind::Incident, id.to_owned());
        let outcome = Outcome::new(
            declaration,
            State::Progressing,
            Reason::Deleting,
            format!("will {summary}"),
        );
        planner.pursue(declaration, what, Priority::Incident);
        return planner.record(declaration, outcome);
    }
    let maintenance = remote.is_some_and(|remote| remote.scheduled_for.is_some());
    // Only what this declaration set: others may have added components of theirs to the incident.
    let declared: &dyn Fn(&str) -> bool = &|component_id| match &*declaration.spec {
        Spec::Incident(spec) => spec.components.keys().any(|name| {
            context
                .reference(Kind::Component, name)
                .is_ok_and(|id| id == component_id)
        }),
        _ => false,
    };
    let operational: BTreeMap<String, ComponentStatus> = remote
        .map(|remote| remote.components.as_slice())
        .unwrap_or_default()
        .iter()
        .filter(|component| declared(&component.id))
        .map(|component| (component.id.clone(), ComponentStatus::Operational))
        .collect();
    let write = IncidentWrite {
        status: Some(if maintenance {
            IncidentStatus::Completed
        } else {
            IncidentStatus::Resolved
        }),
        components: (!operational.is_empty()).then_some(operational),
        deliver_notifications: Some(false),
        ..Default::default()
    };
    let outcome = Outcome::new(
        declaration,
        State::Progressing,
        Reason::Deleting,
        format!("will {summary}"),
    );
    let change = Change {
        field: "deletionPolicy".to_owned(),
        from: None,
        to: serde_json::json!(write.status),
    };
    let request = Request::UpdateIncident(id.to_owned(), Box::new(write));
    let mut step = Step::new(declaration, Action::Update(request), Priority::Incident, summary);
    step.changes.push(change);
    planner.plan.steps.push(step);
    planner.record(declaration, outcome);
}

/// A group disappears with its last member: when all members are being deleted too, there is nothing to send.
fn group_ends_by_itself<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, id: &str) -> bool {
    if planner.world.snapshot.components.is_none() {
        let list = ReadWhat::Collection(CollectionKind::Components);
        if planner.world.unreadable(&list).is_some() {
            return false;
        }
        let waits = Outcome::new(
            declaration,
            State::Progressing,
            Reason::Deleting,
            "will be deleted, or go with its components",
        );
        planner.pursue(declaration, list, Priority::Read);
        planner.record(declaration, waits);
        return true;
    }
    let lookup = planner.index.lookup(Kind::ComponentGroup);
    let there = lookup.and_then(|lookup| lookup.get::<ComponentGroupSpec>(planner.world.snapshot, id));
    if there.is_none() {
        release(planner, declaration);
        return true;
    }
    let ends_with_us = |component_id: &str| {
        planner
            .claims
            .owner(Kind::Component, component_id)
            .and_then(|owner| planner.index.get(owner))
            .is_some_and(|owner| {
                owner.deleting
                    && !planner.context(owner).held(owner)
                    && owner.policies(planner.world.page_spec()).deletion == Deletion::Delete
            })
    };
    let members = planner.index.remote_members(id);
    if !members.is_empty() && members.iter().all(|member| ends_with_us(member)) {
        let message = "waiting for its components: it disappears with the last one";
        planner.record(
            declaration,
            Outcome::new(declaration, State::Progressing, Reason::Deleting, message),
        );
        return true;
    }
    false
}

/// Takes all deletions out of a plan that has too many of them.
pub(super) fn cap(planner: &mut Planner<'_>) {
    let world = planner.world;
    let planned = planner
        .plan
        .steps
        .iter()
        .filter(|step| step.action.is_deletion())
        .count();
    let allowed = world.deletions_allowed();
    if planned == 0 || planned.saturating_add(world.recent_deletions()) <= allowed {
        return;
    }
    let (held, kept): (Vec<Step>, Vec<Step>) = std::mem::take(&mut planner.plan.steps)
        .into_iter()
        .partition(|step| step.action.is_deletion());
    planner.plan.steps = kept;
    let page = &world.page.key;
    let done = match world.recent_deletions() {
        0 => String::new(),
        done => format!(" and {done} were done in the last ten minutes"),
    };
    let message = format!(
        "{planned} deletions are pending ({}){done}; the deletionCap of StatusPage {} is {allowed}, so nothing is deleted. If they are meant, annotate the StatusPage with {}={}",
        named(held.iter().map(|step| &step.key)),
        page.name,
        crate::api::ALLOW_DELETES,
        planned.saturating_add(world.recent_deletions())
    );
    let held_back = format!("not deleted: see the deletionCap of StatusPage {}", page.name);
    let messages = held
        .iter()
        .map(|step| (&step.key, &held_back))
        .chain([(page, &message)]);
    for (key, message) in messages {
        if let Some(outcome) = planner.outcomes.get_mut(key) {
            outcome.state = State::Stalled;
            outcome.reason = Reason::DeletionCapped;
            outcome.message.clone_from(message);
        }
    }
}

/// The first of many objects, by name.
fn named<'a>(keys: impl Iterator<Item = &'a ObjectKey>) -> String {
    const NAMED: usize = 5;
    let mut names: Vec<String> = keys.map(|key| format!("{} {}", key.kind, key.name)).collect();
    names.sort_unstable();
    match names.len() {
        0..=NAMED => names.join(", "),
        all => format!("{} and {} more", names[..NAMED].join(", "), all - NAMED),
    }
}

/// Lets declarations go that would keep their namespace from ending, and leaves their remote objects on the page: at once
/// when nobody can mend any more what stops them, else after a while.
pub(super) fn leave(planner: &mut Planner<'_>) {
    let world = planner.world;
    if world.around.ending.is_empty() {
        return;
    }
    let page_ends = world.around.ending.contains_key(&world.page.key.namespace);
    let is_final = page_ends
        && world
            .circuit_breaker
            .is_some_and(|circuit_breaker| circuit_breaker.stalled);
    let busy: BTreeSet<ObjectKey> = planner.plan.steps.iter().map(|step| step.key.clone()).collect();
    for declaration in world.declarations {
        let key = &declaration.key;
        let Some(since) = world.around.ending.get(&key.namespace) else {
            continue;
        };
        if !declaration.deleting || !declaration.finalizer || busy.contains(key) {
            continue;
        }
        if let Some(at) = settles_at(planner, declaration).filter(|at| world.now < *at) {
            planner.plan.wake_at(at);
            continue;
        }
        let stopped = |outcome: &&Outcome| {
            matches!(outcome.state, State::Stalled | State::Suspended)
                || world.circuit_breaker.is_some()
                || world.failures.contains_key(key)
        };
        let Some(outcome) = planner.outcomes.get(key).filter(stopped) else {
            continue;
        };
        let until = after(*since, LEAVE_AFTER);
        if !is_final && world.wall < until {
            planner.plan.wake_at(world.by_process_clock(until));
            continue;
        }
        let why = match world.circuit_breaker {
            Some(circuit_breaker) => &circuit_breaker.message,
            None => &outcome.message,
        };
        let noun = key.kind.noun();
        let id = declaration.recorded_id().unwrap_or("(its creation was not confirmed)");
        let summary = Summary::sentence(format!(
            "{noun} {id} stays on the page, because namespace {} is being deleted and this keeps it from being deleted too: {why}",
            key.namespace
        ));
        planner.outcomes.remove(key);
        let leave = Step::new(declaration, Action::Leave, Priority::Write, summary);
        planner.plan.steps.push(leave);
    }
}
