//! Deletion: by recorded id, as the policy says, never more than the page's cap.
//!
//! Invariant: the finalizer goes only when the policy was carried out, and not before it is known what came of the last
//! attempt: a declaration of the same name that comes after it would know nothing of it. Invariant: what another declaration
//! owns is not deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::attempt::{journalled_list, settled_at};
use super::context::Context;
use super::declaration::{Declaration, ObjectKey};
use super::evidence::{Presence, presence};
use super::fields::Change;
use super::identity::{Identity, shown_time};
use super::journal::open_creation;
use super::kinds;
use super::outcome::Outcome;
use super::plan::{Action, ReadWhat, State, Step};
use super::pursuit::{after, is_fresh_object};
use super::report::Report;
use super::request::Request;
use super::rules::Rules;
use super::summary::{Summary, Verb};
use super::world::World;
use crate::api::{ComponentGroupSpec, Deletion, IncidentSpec, Kind, Reason, Spec};
use crate::statuspage::{
    CollectionKind, ComponentStatus, Incident, IncidentStatus, IncidentWrite, ObjectKind, Priority,
};

/// The deletion of a namespace waits for so long for what may pass, or for an answer of somebody, before what stops it is
/// left as it is.
pub const LEAVE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Plans the end of a deleted declaration.
pub(super) fn plan(context: &Context<'_>, identity: Option<&Identity>) -> Report {
    let declaration = context.declaration;
    if !declaration.finalizer {
        return Report::default();
    }
    let contested = context.claims.contested_by(&declaration.key).is_some();
    if declaration.lets_go(context.world.page_spec()) || contested {
        return let_go(context, identity);
    }
    let journal_open = open_creation(declaration.status.object()).is_some();
    let id = match (declaration.recorded_id(), identity.filter(|_| journal_open)) {
        // What was being created in the place of the recorded object.
        (_, Some(Identity::Here { id, .. } | Identity::BeyondList { id })) => id.clone(),
        (Some(id), None) => id.to_owned(),
        (None, None) if !journal_open => return let_go(context, identity),
        (_, Some(Identity::Absent { .. })) => return release(declaration),
        (
            _,
            Some(Identity::Stop {
                state, reason, message, ..
            }),
        ) => return Report::of(Outcome::new(declaration, *state, *reason, message.clone())),
        (None, None) => {
            let message = "its creation was interrupted and its manifest is gone, so nobody knows whether it succeeded: restore the manifest, apply, then remove it again";
            return Report::of(Outcome::new(declaration, State::Stalled, Reason::Ambiguous, message));
        }
    };
    if is_handed_over(context, &id) {
        return release(declaration);
    }
    if context.policies().deletion == Deletion::Resolve && declaration.key.kind == Kind::Incident {
        return resolve(context, identity, &id);
    }
    if declaration.key.kind == Kind::ComponentGroup
        && let Some(ends) = group_ends_by_itself(context, &id)
    {
        return ends;
    }
    let mut report = Report::default();
    if let Some(failed) = report.failure(context) {
        return report.with(failed);
    }
    let Some(request) = kinds::delete_request(declaration.key.kind, &id, &declaration.spec) else {
        return report;
    };
    let summary = Verb::Delete.of(format!("{} {id}", declaration.key.kind.noun()));
    let outcome = Outcome::deleting(declaration, format!("will {summary}"));
    let delete = Step::new(declaration, Action::Delete(request), Priority::Delete, summary);
    report.steps.push(delete);
    report.with(outcome)
}

/// Plans the end of a deleted declaration while nothing can be sent to its page.
pub(super) fn plan_closed(context: &Context<'_>, identity: Option<&Identity>) -> Report {
    let declaration = context.declaration;
    let world = context.world;
    if !declaration.finalizer {
        return Report::default();
    }
    if context.policies().suspend {
        return Report::of(Outcome::suspended(declaration, "suspend is true: it is not deleted"));
    }
    let nothing_there = declaration.recorded_id().is_none() && open_creation(declaration.status.object()).is_none();
    if declaration.lets_go(world.page_spec()) || nothing_there {
        return let_go(context, identity);
    }
    if world.circuit_breaker.is_none() {
        return Report::default();
    }
    let message = format!(
        "cannot delete the {} on the page now: see the conditions of StatusPage {}; to leave it there set deletionPolicy: Orphan",
        declaration.key.kind.noun(),
        world.page.key.name
    );
    Report::of(Outcome::new(
        declaration,
        State::Progressing,
        Reason::PageNotReady,
        message,
    ))
}

/// True when another declaration of its namespace records its object: it was renamed, or one of two that claimed the same
/// object goes, and the object goes over to the one that stays. Of another namespace such a word counts for nothing.
fn is_handed_over(context: &Context<'_>, id: &str) -> bool {
    let key = &context.declaration.key;
    // What is being created in the place of the recorded object is nobody else's.
    if context.claims.id(key) != Some(id) {
        return false;
    }
    context.claims.contenders(key).iter().any(|contender| {
        // Those of other StatusPages of the same page are not in the index; they are asked when they own it.
        let deleting = context.index.get(contender).is_some_and(|other| other.deleting);
        contender.namespace == key.namespace && !deleting
    })
}

/// When it is over what the last attempt may still do to the page, if that is not known yet.
fn settles_at(world: &World<'_>, declaration: &Declaration, identity: Option<&Identity>) -> Option<Timestamp> {
    let object = declaration.status.object();
    let journal = object.journal.as_ref()?;
    let found = matches!(
        identity,
        Some(Identity::Here { .. } | Identity::BeyondList { .. } | Identity::Absent { .. })
    );
    if open_creation(object).is_some() && found {
        return None;
    }
    let list = journalled_list(journal, declaration.key.kind);
    Some(settled_at(world, declaration, journal, list))
}

/// Takes the finalizer off, once the last attempt cannot do anything any more.
fn let_go(context: &Context<'_>, identity: Option<&Identity>) -> Report {
    let settles_at = settles_at(context.world, context.declaration, identity);
    match settles_at.filter(|at| context.world.now < *at) {
        Some(at) => wait_for_attempt(context, at),
        None => release(context.declaration),
    }
}

fn wait_for_attempt(context: &Context<'_>, at: Timestamp) -> Report {
    let message = format!(
        "its last request got no clear answer and may still take effect until {}: it is released then",
        shown_time(context.world, at)
    );
    let mut report = Report::of(Outcome::deleting(context.declaration, message));
    report.wait_for_proof(at);
    report
}

fn release(declaration: &Declaration) -> Report {
    let mut report = Report::default();
    if declaration.finalizer {
        let summary = Verb::Release.of("");
        let step = Step::new(declaration, Action::RemoveFinalizer, Priority::Write, summary);
        report.steps.push(step);
    }
    report
}

fn resolve(context: &Context<'_>, identity: Option<&Identity>, id: &str) -> Report {
    let declaration = context.declaration;
    let world = context.world;
    let mut report = Report::default();
    let read_object = || ReadWhat::Object(ObjectKind::Incident, id.to_owned());
    let remote = match presence::<IncidentSpec>(context, id) {
        Presence::Here(remote) => Some(remote),
        Presence::Gone => None,
        Presence::Beyond => {
            report.pursue(world, read_object(), Priority::Incident);
            return report;
        }
        Presence::Unproven(pursuit) => {
            report.outcome = pursuit
                .says
                .clone()
                .map(|blocked| Outcome::blocked(declaration, blocked));
            report.follow(pursuit, Priority::Incident);
            return report;
        }
    };
    let over = |remote: &Incident| remote.status.as_ref().is_none_or(IncidentStatus::is_over);
    if remote.is_none_or(over) {
        let settles_at = settles_at(world, declaration, identity).filter(|_| remote.is_some());
        return match settles_at {
            Some(at) if world.now < at => wait_for_attempt(context, at),
            // An update that came late may have opened it again.
            Some(at) if world.snapshot.examined(ObjectKind::Incident, id).shown_at < Some(at) => {
                report.pursue(world, read_object(), Priority::Incident);
                report
            }
            _ => release(declaration),
        };
    }
    if let Some(failed) = report.failure(context) {
        return report.with(failed);
    }
    let summary = Verb::Resolve.of(format!("incident {id}"));
    let outcome = Outcome::deleting(declaration, format!("will {summary}"));
    if !is_fresh_object(world, declaration, ObjectKind::Incident, id) {
        // Somebody may have ended it meanwhile.
        report.pursue(world, read_object(), Priority::Incident);
        return report.with(outcome);
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
    let change = Change {
        field: "deletionPolicy".to_owned(),
        from: None,
        to: serde_json::json!(write.status),
    };
    let request = Request::UpdateIncident(id.to_owned(), Box::new(write));
    report.steps.push(Step {
        changes: vec![change],
        ..Step::new(declaration, Action::Update(request), Priority::Incident, summary)
    });
    report.with(outcome)
}

/// A group disappears with its last member: when all members are being deleted too, there is nothing to send.
fn group_ends_by_itself(context: &Context<'_>, id: &str) -> Option<Report> {
    let declaration = context.declaration;
    let world = context.world;
    if world.snapshot.components.is_none() {
        let list = ReadWhat::Collection(CollectionKind::Components);
        if world.unreadable(&list).is_some() {
            return None;
        }
        let message = "will be deleted, or go with its components";
        let mut report = Report::of(Outcome::deleting(declaration, message));
        report.pursue(world, list, Priority::Read);
        return Some(report);
    }
    if ComponentGroupSpec::shown(context, id).is_none() {
        return Some(release(declaration));
    }
    let ends_with_us = |component_id: &str| {
        let owner = context.claims.owner(Kind::Component, component_id);
        owner.and_then(|owner| context.index.get(owner)).is_some_and(|owner| {
            owner.deleting && !context.held(owner) && owner.policies(world.page_spec()).deletion == Deletion::Delete
        })
    };
    let members = context.index.remote_members(id);
    let all = !members.is_empty() && members.iter().all(|member| ends_with_us(member));
    all.then(|| {
        let message = "waiting for its components: it disappears with the last one";
        Report::of(Outcome::deleting(declaration, message))
    })
}

/// That a plan has too many deletions, so that none of them is carried out.
pub(super) struct Capped {
    /// What is said of the page.
    pub(super) page: String,
    /// What is said of each object that is not deleted.
    pub(super) object: String,
}

/// Counts the deletions of a plan.
pub(super) fn cap(world: &World<'_>, steps: &[Step]) -> Option<Capped> {
    let held: Vec<&Step> = steps.iter().filter(|step| step.action.is_deletion()).collect();
    let planned = held.len();
    let allowed = world.deletions_allowed();
    if planned == 0 || planned.saturating_add(world.recent_deletions()) <= allowed {
        return None;
    }
    let page = &world.page.key;
    let done = match world.recent_deletions() {
        0 => String::new(),
        done => format!(" and {done} were done in the last ten minutes"),
    };
    Some(Capped {
        page: format!(
            "{planned} deletions are pending ({}){done}; the deletionCap of StatusPage {} is {allowed}, so nothing is deleted. If they are meant, annotate the StatusPage with {}={}",
            named(held.iter().map(|step| &step.key)),
            page.name,
            crate::api::ALLOW_DELETES,
            planned.saturating_add(world.recent_deletions())
        ),
        object: format!("not deleted: see the deletionCap of StatusPage {}", page.name),
    })
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

/// Declarations that are let go though their remote objects stay on the page.
#[derive(Default)]
pub(super) struct Leaving {
    pub(super) steps: Vec<Step>,
    /// When there may be more of them.
    pub(super) wakes: Vec<Timestamp>,
}

/// Lets declarations go that would keep their namespace from ending, and leaves their remote objects on the page: at once
/// when nobody can mend any more what stops them, else after a while.
pub(super) fn leave(
    world: &World<'_>,
    identities: &HashMap<ObjectKey, Identity>,
    steps: &[Step],
    outcomes: &HashMap<ObjectKey, Outcome>,
) -> Leaving {
    let mut leaving = Leaving::default();
    if world.around.ending.is_empty() {
        return leaving;
    }
    let page_ends = world.around.ending.contains_key(&world.page.key.namespace);
    let is_final = page_ends
        && world
            .circuit_breaker
            .is_some_and(|circuit_breaker| circuit_breaker.stalled);
    let busy: BTreeSet<&ObjectKey> = steps.iter().map(|step| &step.key).collect();
    for declaration in world.declarations {
        let key = &declaration.key;
        let Some(since) = world.around.ending.get(&key.namespace) else {
            continue;
        };
        if !declaration.deleting || !declaration.finalizer || busy.contains(key) {
            continue;
        }
        let settles_at = settles_at(world, declaration, identities.get(key));
        if let Some(at) = settles_at.filter(|at| world.now < *at) {
            leaving.wakes.push(at);
            continue;
        }
        let stopped = |outcome: &&Outcome| {
            matches!(outcome.state, State::Stalled | State::Suspended)
                || world.circuit_breaker.is_some()
                || world.failures.contains_key(key)
        };
        let Some(outcome) = outcomes.get(key).filter(stopped) else {
            continue;
        };
        let until = after(*since, LEAVE_AFTER);
        if !is_final && world.wall < until {
            leaving.wakes.push(world.by_process_clock(until));
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
        let leave = Step::new(declaration, Action::Leave, Priority::Write, summary);
        leaving.steps.push(leave);
    }
    leaving
}
