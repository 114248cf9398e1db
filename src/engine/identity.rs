//! Identity: which remote object a declaration means. Annotation id, then status id, then journal, then adoption.
//!
//! Invariant: nothing is created while an earlier attempt may have succeeded, and nothing foreign is taken over unless
//! the declaration says so.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::claims::Claims;
use super::context::{Context, Index};
use super::declaration::{Declaration, ObjectKey, Spec};
use super::journal::{GRACE, REPLACE, open_creation};
use super::kinds::Rules;
use super::plan::{Read, ReadWhat, State};
use super::world::World;
use crate::api::{AdoptionPolicy, DriftPolicy, Journal, Kind, ManagementPolicy, Reason};
use crate::statuspage::Priority;

/// Clocks of the two sides may differ by so much.
const SKEW: SignedDuration = SignedDuration::from_secs(120);

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Identity {
    /// The remote object with this id. `adopted`: taken over by policy in this very plan.
    Here { id: String, adopted: bool },
    /// There is none: create it. Objects of the same identity that are left alone are named.
    Absent { beside: Vec<String> },
    /// Its id is recorded but the list does not reach so far.
    BeyondList { id: String },
    /// Nothing can be done now.
    Stop {
        state: State,
        reason: Reason,
        message: String,
    },
}

/// The answer, with what has to be read to know more and when to ask again.
struct Identified {
    identity: Identity,
    reads: Vec<Read>,
    wake: Option<Timestamp>,
}

impl Identified {
    fn stop(state: State, reason: Reason, message: impl Into<String>) -> Self {
        Identified {
            identity: Identity::Stop {
                state,
                reason,
                message: message.into(),
            },
            reads: Vec::new(),
            wake: None,
        }
    }

    fn unknown() -> Self {
        Identified::stop(State::Unknown, Reason::Progressing, "")
    }

    fn of(identity: Identity) -> Self {
        Identified {
            identity,
            reads: Vec::new(),
            wake: None,
        }
    }

    fn reading(mut self, what: ReadWhat, priority: Priority) -> Self {
        self.reads.push(Read { what, priority });
        self
    }

    fn waking(mut self, at: Timestamp) -> Self {
        self.wake = Some(at);
        self
    }
}

/// The identities of a whole page.
pub(super) struct Known {
    pub(super) claims: Claims,
    pub(super) identities: BTreeMap<ObjectKey, Identity>,
    pub(super) reads: Vec<Read>,
    pub(super) wakes: Vec<Timestamp>,
}

/// Finds the remote objects of all declarations, in an order in which references point backwards.
pub(super) fn identify_all(world: &World<'_>, index: &Index<'_>) -> Known {
    let mut known = Known {
        claims: Claims::of(world.declarations.iter()),
        identities: BTreeMap::new(),
        reads: Vec::new(),
        wakes: Vec::new(),
    };
    let mut order: Vec<&Declaration> = world.declarations.iter().collect();
    // What was created for somebody and is not recorded yet must be found before others look for objects to take over.
    order.sort_by_key(|declaration| {
        (
            identification_rank(&declaration.key),
            open_creation(declaration.status.object()).is_none(),
        )
    });
    for declaration in order {
        // A deleted declaration needs its recorded id only, unless the outcome of its creation is not known.
        if declaration.deleting && open_creation(declaration.status.object()).is_none() {
            continue;
        }
        let context = Context {
            world,
            claims: &known.claims,
            index,
            declaration,
            sent_title: None,
        };
        let identified = match &*declaration.spec {
            Spec::Component(spec) => identify(&context, spec),
            Spec::ComponentGroup(spec) => identify(&context, spec),
            Spec::Incident(spec) => identify(&context, &**spec),
            Spec::MetricsProvider(spec) => identify(&context, &**spec),
            Spec::Metric(spec) => identify(&context, &**spec),
            Spec::Subscriber(spec) => identify(&context, spec),
            Spec::IncidentTemplate(spec) => identify(&context, &**spec),
            Spec::PageAccessUser(spec) => identify(&context, &**spec),
            Spec::PageAccessGroup(spec) => identify(&context, &**spec),
            Spec::OrganizationUser(spec) => identify(&context, &**spec),
            Spec::StatusPage(_) | Spec::Removed(_) => continue,
        };
        if !declaration.policies(world.page_spec()).suspend {
            known.reads.extend(identified.reads);
            known.wakes.extend(identified.wake);
        }
        match &identified.identity {
            Identity::Here { id, .. } => known.claims.claim(&declaration.key, id),
            Identity::BeyondList { .. } => {}
            // A list that was not read says nothing about presence.
            Identity::Stop {
                state: State::Unknown, ..
            } => {}
            Identity::Absent { .. } => {
                known.claims.mark_absent(&declaration.key);
                let policies = declaration.policies(world.page_spec());
                if !policies.suspend && policies.management == ManagementPolicy::Full {
                    known.claims.mark_to_create(&declaration.key);
                }
            }
            Identity::Stop { .. } => known.claims.mark_absent(&declaration.key),
        }
        known.identities.insert(declaration.key.clone(), identified.identity);
    }
    known
}

/// Finds the remote object of a declaration.
fn identify<K: Rules>(context: &Context<'_>, rules: &K) -> Identified {
    let declaration = context.declaration;
    let world = context.world;
    let noun = declaration.key.kind.noun();
    if let Some(owner) = context.claims.contested_by(&declaration.key) {
        return Identified::stop(
            State::Stalled,
            Reason::ClaimedByAnother,
            // Who may read this declaration need not know of what is in other namespaces.
            match owner.namespace == declaration.key.namespace {
                true => format!("{owner} owns the same {noun}: delete one of the two, or correct the id annotation"),
                false => format!("a declaration of another namespace owns this {noun}: correct the id annotation"),
            },
        );
    }
    if let Err(blocked) = rules.possible(context) {
        return Identified::stop(blocked.state, blocked.reason, blocked.message);
    }
    let incident = declaration.key.kind == Kind::Incident;
    let urgency = if incident { Priority::Incident } else { Priority::Read };
    if let Some(failure) = world
        .read_failures
        .get(&K::COLLECTION)
        .filter(|failure| world.now < failure.retry_at())
    {
        let state = if failure.terminal {
            State::Stalled
        } else {
            State::Progressing
        };
        return Identified::stop(state, failure.reason, failure.message.clone()).waking(failure.retry_at());
    }
    let Some(collection) = K::collection(world.snapshot) else {
        return Identified::unknown().reading(ReadWhat::Collection(K::COLLECTION), urgency);
    };
    // A request at the page asks for everything of it.
    let stale =
        elapsed(collection.read_at, world.now) >= world.resync_interval() || collection.read_at < world.page.seen;
    let fresh = collection.read_at >= declaration.seen;
    let also = rules
        .also_needs()
        .filter(|kind| !world.read_failures.contains_key(kind));
    let also_read_at = also.and_then(|kind| world.snapshot.read_at(kind));
    let also_stale =
        also.filter(|_| also_read_at.is_none_or(|read_at| elapsed(read_at, world.now) >= world.resync_interval()));
    let refresh = |mut identified: Identified| {
        if let Some(kind) = also_stale {
            identified = identified.reading(ReadWhat::Collection(kind), Priority::Read);
        }
        if fresh && !stale {
            let next = collection
                .read_at
                .saturating_add(world.resync_interval())
                .unwrap_or(Timestamp::MAX);
            Identified {
                wake: Some(identified.wake.map_or(next, |wake| wake.min(next))),
                ..identified
            }
        } else {
            identified.reading(
                ReadWhat::Collection(K::COLLECTION),
                if fresh { Priority::Read } else { urgency },
            )
        }
    };
    let lookup = context.index.lookup(declaration.key.kind);
    let has = |id: &str| lookup.is_some_and(|lookup| lookup.get::<K>(world.snapshot, id).is_some());
    if let Some(id) = declaration.recorded_id() {
        if has(id) {
            return refresh(Identified::of(Identity::Here {
                id: id.to_owned(),
                adopted: false,
            }));
        }
        if incident && !world.missing_incidents.contains(id) {
            return refresh(Identified::of(Identity::BeyondList { id: id.to_owned() }));
        }
        if !fresh {
            return Identified::unknown().reading(ReadWhat::Collection(K::COLLECTION), urgency);
        }
        if let Some(stop) = gone::<K>(context, id, collection.read_at) {
            return refresh(stop);
        }
    } else if !fresh {
        // Whoever creates must have looked first.
        return Identified::unknown().reading(ReadWhat::Collection(K::COLLECTION), urgency);
    }
    let journal = open_creation(declaration.status.object());
    let sought = Context {
        sent_title: journal.and_then(|journal| journal.title.as_deref()),
        ..*context
    };
    let unclaimed = |remote: &&K::Remote| context.claims.owner(declaration.key.kind, K::id(remote)).is_none();
    let handles = rules.wanted_handles(&sought);
    let candidates: Vec<&K::Remote> = lookup
        .map(|lookup| lookup.matching::<K>(world.snapshot, &handles))
        .unwrap_or_default()
        .into_iter()
        .filter(|remote| rules.same_identity(&sought, remote))
        .filter(unclaimed)
        .collect();
    let replaced = declaration
        .recorded_id()
        .and_then(|id| open_replacement(declaration, id));
    refresh(match journal {
        Some(journal) => recover(context, rules, journal, &candidates, collection.read_at, urgency),
        // Whatever else has its name was there beside the object before.
        None if replaced.is_some() => Identified::of(absent::<K>(&candidates)),
        None => adopt(context, rules, &candidates),
    })
}

/// The note of a deletion, after which the object is to be created again.
fn open_replacement<'d>(declaration: &'d Declaration, id: &str) -> Option<&'d Journal> {
    let journal = declaration.status.object().journal.as_ref();
    journal.filter(|journal| journal.replaces.as_deref() == Some(id))
}

/// What to do when the recorded object is not on the page: none when it is to be created again.
fn gone<K: Rules>(context: &Context<'_>, id: &str, read_at: Timestamp) -> Option<Identified> {
    let declaration = context.declaration;
    let noun = declaration.key.kind.noun();
    let object = declaration.status.object();
    // A list may lag behind a write by a little: an object created or seen a moment ago is not gone yet.
    let begun = open_creation(declaration.status.object());
    let last_seen = object
        .last_sync_time
        .as_ref()
        .into_iter()
        .chain(begun.map(|journal| &journal.at))
        .max();
    let replacement = open_replacement(declaration, id);
    // Nothing but our own deletion takes an object out of a list that was read before it was asked for.
    let deleted_by_us = replacement.is_some_and(|journal| journal.operation == REPLACE && read_at < journal.at.0);
    if let Some(seen) = last_seen.filter(|_| !deleted_by_us) {
        let settled = seen.0.saturating_add(GRACE).unwrap_or(Timestamp::MAX);
        if read_at < settled {
            let unknown = Identified::unknown();
            return Some(if context.world.now < settled {
                unknown.waking(settled)
            } else {
                unknown.reading(ReadWhat::Collection(K::COLLECTION), Priority::Read)
            });
        }
    }
    if object.id.as_deref() != Some(id) {
        return Some(Identified::stop(
            State::Stalled,
            Reason::RemoteNotFound,
            format!(
                "the page has no {noun} with id {id}: correct the annotation {}, or remove it",
                crate::api::ID
            ),
        ));
    }
    // It was decided before to create it again.
    if replacement.is_some() || begun.is_some() {
        return None;
    }
    let policies = context.policies();
    // People unsubscribe by themselves, an incident that somebody deleted must not be announced again, and who was
    // shut out must not get in again, unless the declaration asks for exactly that.
    let delicate = matches!(
        declaration.key.kind,
        Kind::Subscriber | Kind::Incident | Kind::PageAccessUser | Kind::OrganizationUser
    );
    let asked = declaration.spec.common().and_then(|common| common.drift_policy);
    let again = match declaration.key.kind {
        Kind::ComponentGroup => true,
        _ if delicate => asked == Some(DriftPolicy::Correct),
        _ => policies.drift == DriftPolicy::Correct,
    };
    if again {
        return None;
    }
    Some(Identified::stop(
        State::Stalled,
        Reason::RemoteDeleted,
        format!(
            "somebody deleted {noun} {id} on the page: delete this declaration too, or set driftPolicy: Correct to create it again"
        ),
    ))
}

/// A create was begun and its outcome is not known: look for its object.
fn recover<K: Rules>(
    context: &Context<'_>,
    rules: &K,
    journal: &Journal,
    candidates: &[&K::Remote],
    read_at: Timestamp,
    urgency: Priority,
) -> Identified {
    let begun = journal.at.0;
    if read_at < begun {
        return Identified::unknown().reading(ReadWhat::Collection(K::COLLECTION), urgency);
    }
    let earliest = begun.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
    let ours: Vec<&&K::Remote> = candidates
        .iter()
        .filter(|remote| rules.is_attempt(context, remote))
        .filter(|remote| journal.beside.iter().all(|other| other != K::id(remote)))
        .filter(|remote| K::created_at(remote).is_none_or(|created_at| created_at >= earliest))
        .collect();
    let noun = context.declaration.key.kind.noun();
    match ours.as_slice() {
        [found] => Identified::of(Identity::Here {
            id: K::id(found).to_owned(),
            adopted: false,
        }),
        [] => {
            let settled = begun.saturating_add(GRACE).unwrap_or(Timestamp::MAX);
            let waiting = Identified::stop(
                State::Progressing,
                Reason::Progressing,
                format!("an earlier attempt to create the {noun} was interrupted; looking whether it succeeded"),
            );
            if read_at >= settled {
                Identified::of(absent::<K>(candidates))
            } else if context.world.now >= settled {
                waiting.reading(ReadWhat::Collection(K::COLLECTION), urgency)
            } else {
                waiting.waking(settled)
            }
        }
        several => Identified::stop(
            State::Stalled,
            Reason::Ambiguous,
            format!(
                "an attempt to create the {noun} was interrupted and {} objects match ({}): put the right id into the annotation {}",
                several.len(),
                ids::<K>(several.iter().map(|remote| **remote)),
                crate::api::ID
            ),
        ),
    }
}

/// Nothing is recorded: an object of the same identity may be there already.
fn adopt<K: Rules>(context: &Context<'_>, rules: &K, candidates: &[&K::Remote]) -> Identified {
    let policies = context.policies();
    let noun = context.declaration.key.kind.noun();
    let observe = policies.management == ManagementPolicy::ObserveOnly;
    match candidates {
        [] if observe => Identified::stop(
            State::Stalled,
            Reason::ObserveOnly,
            format!(
                "the page has no {noun} {:?} and managementPolicy is ObserveOnly: nothing is created",
                rules.title(context)
            ),
        ),
        [] => Identified::of(absent::<K>(candidates)),
        [only] if observe || policies.adoption == AdoptionPolicy::ByName => Identified::of(Identity::Here {
            id: K::id(only).to_owned(),
            adopted: true,
        }),
        _ if policies.adoption == AdoptionPolicy::CreateNew && !observe => Identified::of(absent::<K>(candidates)),
        [only] => Identified::stop(
            State::Stalled,
            Reason::AlreadyExists,
            format!(
                "the page already has {} {:?} with id {}, which no declaration owns: to take it over set adoptionPolicy: ByName or the annotation {}={}, to create another one set adoptionPolicy: CreateNew",
                context.declaration.key.kind.with_article(),
                rules.title(context),
                K::id(only),
                crate::api::ID,
                K::id(only)
            ),
        ),
        several => Identified::stop(
            State::Stalled,
            Reason::Ambiguous,
            format!(
                "the page has {} objects that match {noun} {:?} ({}): put the right id into the annotation {}",
                several.len(),
                rules.title(context),
                ids::<K>(several.iter().copied()),
                crate::api::ID
            ),
        ),
    }
}

fn absent<K: Rules>(beside: &[&K::Remote]) -> Identity {
    Identity::Absent {
        beside: beside.iter().map(|remote| K::id(remote).to_owned()).collect(),
    }
}

fn ids<'r, K: Rules>(remotes: impl Iterator<Item = &'r K::Remote>) -> String
where
    K::Remote: 'r,
{
    remotes.take(5).map(K::id).collect::<Vec<_>>().join(", ")
}

/// Time from one point to a later one; zero when the clock went back.
pub(super) fn elapsed(from: Timestamp, to: Timestamp) -> std::time::Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// The kinds in an order in which references point backwards.
fn identification_rank(key: &ObjectKey) -> u8 {
    match key.kind {
        Kind::StatusPage | Kind::ComponentGroup => 0,
        Kind::Component => 1,
        Kind::MetricsProvider => 2,
        Kind::Metric => 3,
        Kind::Incident => 4,
        Kind::Subscriber => 5,
        Kind::IncidentTemplate => 6,
        Kind::PageAccessUser => 7,
        Kind::PageAccessGroup => 8,
        Kind::OrganizationUser => 9,
    }
}
