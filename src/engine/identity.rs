//! Identity: which remote object a declaration means. Annotation id, then status id, then journal, then adoption.
//!
//! Invariant: nothing is created while an earlier attempt may have succeeded, and nothing foreign is adopted unless
//! the declaration says so.

use std::collections::HashMap;

use jiff::Timestamp;

use super::attempt::{SKEW, next_look_for, settled_at};
use super::census::Census;
use super::claims::Claims;
use super::context::Context;
use super::declaration::{Declaration, ObjectKey};
use super::evidence::{Presence, another_look, has_looked, last_look, looks_since, presence, renewal};
use super::index::Index;
use super::journal::open_creation;
use super::plan::{Read, ReadWhat, State};
use super::pursuit::{Pursuit, after, pursue};
use super::rules::{Recreation, Rules};
use super::world::World;
use crate::api::{AdoptionPolicy, DriftPolicy, IncidentSpec, Journal, Kind, ManagementPolicy, Reason, with_spec};
use crate::statuspage::Priority;

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Identity {
    /// The remote object with this id. `adopted`: by policy, in this very plan.
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
        /// True while it is not known whether the recorded object is there.
        unproven: bool,
    },
}

impl Identity {
    /// True when the recorded object is proven to be gone, and is not created again. What an attempt to create one before came
    /// to is known, too.
    pub(super) fn is_gone(&self) -> bool {
        matches!(
            self,
            Identity::Stop {
                reason: Reason::RemoteNotFound | Reason::RemoteDeleted,
                unproven: false,
                ..
            }
        )
    }
}

/// The answer, with what has to be read to know more and when to ask again.
struct Identified {
    identity: Identity,
    reads: Vec<Read>,
    /// When what was read is too old.
    wake: Option<Timestamp>,
    /// When the next proof can be had.
    proof_at: Option<Timestamp>,
}

impl Identified {
    fn stop(state: State, reason: Reason, message: impl Into<String>) -> Self {
        Identified {
            identity: Identity::Stop {
                state,
                reason,
                message: message.into(),
                unproven: false,
            },
            reads: Vec::new(),
            wake: None,
            proof_at: None,
        }
    }

    fn unknown() -> Self {
        Identified::stop(
            State::Unknown,
            Reason::Progressing,
            "not known yet whether it is on the page",
        )
    }

    fn of(identity: Identity) -> Self {
        Identified {
            identity,
            reads: Vec::new(),
            wake: None,
            proof_at: None,
        }
    }

    /// Not known yet, with what keeps it if that is more than the next readings.
    fn unproven(pursuit: Pursuit, priority: Priority) -> Self {
        let mut stop = match &pursuit.says {
            Some(blocked) => Identified::stop(blocked.state, blocked.reason, blocked.message.clone()),
            None => Identified::unknown(),
        };
        if let Identity::Stop { unproven, .. } = &mut stop.identity {
            *unproven = true;
        }
        stop.pursuing(pursuit, priority)
    }

    fn pursuing(mut self, pursuit: Pursuit, priority: Priority) -> Self {
        self.proof_at = self.proof_at.into_iter().chain(pursuit.proof_at()).min();
        self.wake = self.wake.into_iter().chain(pursuit.wake).min();
        let reads = pursuit.reads.into_iter().map(|what| Read { what, priority });
        self.reads.extend(reads);
        self
    }

    fn waking(mut self, at: Timestamp) -> Self {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        self
    }
}

/// The identities of a whole page.
pub(super) struct Known {
    pub(super) claims: Claims,
    pub(super) identities: HashMap<ObjectKey, Identity>,
    /// What has to be read, for which declaration.
    pub(super) reads: Vec<(ObjectKey, Read)>,
    pub(super) wakes: Vec<Timestamp>,
    pub(super) proof_at: Option<Timestamp>,
}

/// Finds the remote objects of all declarations, in an order in which references point backwards.
pub(super) fn identify_all(world: &World<'_>, index: &Index<'_>) -> Known {
    let mut known = Known {
        claims: Claims::of(world),
        identities: HashMap::new(),
        reads: Vec::new(),
        wakes: Vec::new(),
        proof_at: None,
    };
    let mut order: Vec<&Declaration> = world.declarations.iter().collect();
    // What was created for somebody and is not recorded yet must be found before others look for objects to adopt.
    order.sort_by_key(|declaration| {
        (
            declaration.key.kind,
            open_creation(declaration.status.object()).is_none(),
        )
    });
    for declaration in order {
        // A deleted declaration needs its recorded id only, unless the outcome of its creation is not known.
        let needs_id_only = open_creation(declaration.status.object()).is_none();
        if declaration.deleting && (needs_id_only || declaration.lets_go(world.page_spec())) {
            continue;
        }
        let context = Context {
            world,
            claims: &known.claims,
            index,
            declaration,
            sent_title: None,
        };
        let identified = with_spec!(&*declaration.spec, spec => identify(&context, &**spec), _ => {
            match declaration.key.kind {
                // The mark of an incident says whose it is, whatever was declared.
                Kind::Incident => identify(&context, &IncidentSpec::default()),
                _ => continue,
            }
        });
        if !declaration.policies(world.page_spec()).suspend {
            let reads = identified.reads.into_iter();
            known.reads.extend(reads.map(|read| (declaration.key.clone(), read)));
            known
                .wakes
                .extend(identified.wake.into_iter().chain(identified.proof_at));
            known.proof_at = known.proof_at.into_iter().chain(identified.proof_at).min();
        }
        match &identified.identity {
            Identity::Here { id, .. } => known.claims.claim(&declaration.key, id),
            Identity::BeyondList { .. } => {}
            // What is not proven says nothing about presence.
            Identity::Stop { unproven: true, .. } => known.claims.mark_unproven(&declaration.key),
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
    let identified = match declaration.recorded_id() {
        Some(id) => recorded(context, rules, id, urgency),
        None => unrecorded(context, rules, urgency),
    };
    refreshed::<K>(context, rules, identified, urgency)
}

/// Reads again what has become too old.
fn refreshed<K: Rules>(context: &Context<'_>, rules: &K, identified: Identified, urgency: Priority) -> Identified {
    let world = context.world;
    let mut identified = identified;
    let mut lists = vec![(K::COLLECTION, urgency)];
    lists.extend(rules.also_needs().map(|also| (also, Priority::Read)));
    for (list, urgency) in lists {
        let what = ReadWhat::Collection(list);
        let read_at = world.snapshot.outline(list).map(|list| list.read_at);
        let Some(read_at) = read_at.filter(|read_at| *read_at > Timestamp::MIN) else {
            // What was never read is read by who decides with it; what only helps is read here, and so is a list of which
            // only our own writes are known: nobody else would ever see in it what others have done.
            if list != K::COLLECTION || world.snapshot.outline(list).is_some() {
                identified = identified.pursuing(pursue(world, what), Priority::Read);
            }
            continue;
        };
        // A request at the page asks for everything of it.
        let fresh = read_at >= context.declaration.seen || list != K::COLLECTION;
        let due = world.due(read_at);
        if fresh && world.now < due && read_at >= world.page.seen && world.now >= read_at {
            identified = identified.waking(due);
        } else {
            let urgency = if fresh { Priority::Read } else { urgency };
            identified = identified.pursuing(pursue(world, what), urgency);
        }
    }
    if let (Some(id), Some(kind)) = (context.declaration.recorded_id(), K::OBJECT)
        && is_asked_for_since::<K>(context, id)
        && world.snapshot.examined(kind, id).shown_at < Some(context.declaration.seen)
    {
        identified = identified.pursuing(pursue(world, ReadWhat::Object(kind, id.to_owned())), urgency);
    }
    identified
}

/// True when the owner asked for the object as it is now, and the list is not to be believed about it yet, because we
/// wrote it a moment ago.
fn is_asked_for_since<K: Rules>(context: &Context<'_>, id: &str) -> bool {
    K::collection(context.world.snapshot)
        .and_then(|list| list.known_better_since(id))
        .is_some_and(|since| since < context.declaration.seen)
}

/// The object whose id is recorded.
fn recorded<K: Rules>(context: &Context<'_>, rules: &K, id: &str, urgency: Priority) -> Identified {
    let declaration = context.declaration;
    if let Some(stop) = many_missing::<K>(context, id) {
        return stop;
    }
    match presence::<K>(context, id) {
        Presence::Here(_) => Identified::of(Identity::Here {
            id: id.to_owned(),
            adopted: false,
        }),
        Presence::Gone => {
            let gone = gone(context, rules, id, urgency).unwrap_or_else(|| unrecorded(context, rules, urgency));
            match renewal::<K>(context) {
                Some(pursuit) => gone.pursuing(pursuit, Priority::Read),
                None => gone,
            }
        }
        Presence::Beyond => Identified::of(Identity::BeyondList { id: id.to_owned() }),
        Presence::Unproven(pursuit) => {
            let changed = declaration.status.object().observed_generation != Some(declaration.generation);
            Identified::unproven(pursuit, if changed { K::PRIORITY } else { Priority::Read })
        }
    }
}

/// The object of a declaration whose id is not known, or whose recorded object is to be created again.
fn unrecorded<K: Rules>(context: &Context<'_>, rules: &K, urgency: Priority) -> Identified {
    let declaration = context.declaration;
    let world = context.world;
    let journal = open_creation(declaration.status.object());
    let sought = Context {
        sent_title: journal.and_then(|journal| journal.title.as_deref()),
        ..*context
    };
    let unclaimed = |remote: &&K::Remote| context.claims.owner(declaration.key.kind, K::id(remote)).is_none();
    let candidates: Vec<&K::Remote> = rules.alike(&sought).into_iter().filter(unclaimed).collect();
    if let Some(journal) = journal {
        return recover(&sought, rules, journal, &candidates, urgency);
    }
    // Whoever creates must have looked first. One look that shows nothing at all of a list is one too few.
    if candidates.is_empty() && !has_looked(&sought, rules, declaration.seen) && !may_go_blind(&sought, rules) {
        return Identified::unproven(another_look(&sought, rules), urgency);
    }
    // What an earlier look showed is not gone because a later one does not show it.
    let vanished = K::collection(world.snapshot)
        .into_iter()
        .flat_map(|list| &list.vanished);
    let mut vanished = vanished
        .map(|vanished| &vanished.item)
        .filter(|remote| K::belongs(remote) && rules.same_identity(&sought, remote))
        .filter(unclaimed)
        .filter(|remote| match presence::<K>(context, K::id(remote)) {
            Presence::Here(_) | Presence::Unproven(_) | Presence::Beyond => true,
            Presence::Gone => false,
        });
    if let (Some(missing), true) = (vanished.next(), candidates.is_empty()) {
        let id = K::id(missing).to_owned();
        let pursuit = match (presence::<K>(context, &id), K::OBJECT) {
            (Presence::Unproven(pursuit), _) => pursuit,
            (_, Some(kind)) => pursue(world, ReadWhat::Object(kind, id)),
            (_, None) => Pursuit::default(),
        };
        return Identified::unproven(pursuit, urgency);
    }
    let replaced = declaration
        .recorded_id()
        .and_then(|id| open_replacement(declaration, id));
    match replaced {
        // Whatever else has its name was there beside the object before.
        Some(_) => Identified::of(absent::<K>(&candidates)),
        None => adopt(context, rules, &candidates),
    }
}

/// True for what nothing was ever sent for and what people wait for, when what could show it could not be read the last time.
fn may_go_blind<K: Rules>(context: &Context<'_>, rules: &K) -> bool {
    let declaration = context.declaration;
    let failed = |what: &ReadWhat| context.world.read_failures.contains_key(what);
    declaration.fresh
        && declaration.key.kind == Kind::Incident
        && failed(&ReadWhat::Collection(K::COLLECTION))
        && rules
            .searches(context)
            .into_iter()
            .any(|search| failed(&ReadWhat::Search(search)))
}

/// Many recorded objects are missing at once, and that is no mistake of the list: a question for the owner of the page.
fn many_missing<K: Rules>(context: &Context<'_>, id: &str) -> Option<Identified> {
    let world = context.world;
    let kind = K::OBJECT?;
    let census = context.index.census(kind.collection())?;
    let many = census.many()?;
    if world.recreations_allowed() >= many || !census.lacks(id) || !census.is_proven(world.snapshot) {
        return None;
    }
    Some(Identified::stop(
        State::Stalled,
        Reason::ManyMissing,
        many_missing_message(census, many, &world.page.key.name),
    ))
}

/// What is said of many objects that are missing at once.
pub(super) fn many_missing_message(census: &Census, many: usize, page: &str) -> String {
    format!(
        "{many} of {} recorded objects are missing from the page at once, and nothing is created again: if they were deleted on purpose, annotate StatusPage {page} with {}={many}",
        census.recorded(),
        crate::api::ALLOW_RECREATES,
    )
}

/// The note of a deletion, after which the object is to be created again.
fn open_replacement<'d>(declaration: &'d Declaration, id: &str) -> Option<&'d Journal> {
    let journal = declaration.status.object().journal.as_ref();
    journal.filter(|journal| journal.replaces.as_deref() == Some(id))
}

/// What to do when the recorded object is gone: none when it is to be created again.
fn gone<K: Rules>(context: &Context<'_>, rules: &K, id: &str, urgency: Priority) -> Option<Identified> {
    let declaration = context.declaration;
    let noun = declaration.key.kind.noun();
    let object = declaration.status.object();
    if object.id.as_deref() != Some(id) {
        let stop = Identified::stop(
            State::Stalled,
            Reason::RemoteNotFound,
            format!(
                "the page has no {noun} with id {id}: correct the annotation {}, or remove it",
                crate::api::ID
            ),
        );
        // Whoever wrote the annotation need not know of an attempt that is under way: its object is looked for first.
        return Some(
            match open_creation(object).map(|_| unrecorded(context, rules, urgency)) {
                None => stop,
                Some(Identified {
                    identity: Identity::Absent { .. },
                    ..
                }) => stop,
                Some(recovered) => recovered,
            },
        );
    }
    // It was decided before to create it again.
    if open_replacement(declaration, id).is_some() || open_creation(object).is_some() {
        return None;
    }
    let policies = context.policies();
    let asked = declaration.spec.common().and_then(|common| common.drift_policy);
    let again = match K::RECREATION {
        Recreation::Always => true,
        Recreation::WhenAsked => asked == Some(DriftPolicy::Correct),
        Recreation::ByDriftPolicy => policies.drift == DriftPolicy::Correct,
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
    urgency: Priority,
) -> Identified {
    let world = context.world;
    let declaration = context.declaration;
    let noun = declaration.key.kind.noun();
    let ours: Vec<&&K::Remote> = candidates
        .iter()
        .filter(|remote| rules.is_attempt(context, remote))
        .filter(|remote| journal.beside.iter().all(|other| other != K::id(remote)))
        .collect();
    let earliest = journal.at.0.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
    let older = |remote: &&K::Remote| K::created_at(remote).is_some_and(|created_at| created_at < earliest);
    match ours.as_slice() {
        [found] if older(found) => Identified::stop(
            State::Stalled,
            Reason::Ambiguous,
            format!(
                "an attempt to create the {noun} was interrupted, and the page has one with id {} that seems to be older than the attempt: put its id into the annotation {} to adopt it, or delete it",
                K::id(found),
                crate::api::ID
            ),
        ),
        [found] => Identified::of(Identity::Here {
            id: K::id(found).to_owned(),
            adopted: false,
        }),
        [] => {
            let settled = settled_at(world, declaration, journal, K::COLLECTION);
            if looks_since(context, rules, settled) >= 2 {
                return Identified::of(absent::<K>(candidates));
            }
            let next = next_look_for(world, declaration, last_look(context, rules), settled);
            let failure = world.failures.get(&declaration.key);
            let why = failure.map_or_else(
                || "was interrupted".to_owned(),
                |failure| format!("failed ({})", failure.message),
            );
            let waiting = Identified::stop(
                State::Progressing,
                Reason::Progressing,
                format!(
                    "an earlier attempt to create the {noun} {why}; checking until {} whether it succeeded",
                    shown_time(world, settled)
                ),
            );
            if world.now < next {
                return waiting.pursuing(Pursuit::waking(next), urgency);
            }
            waiting.pursuing(another_look(context, rules), urgency)
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

/// A time of this process's clock as people read it.
pub(super) fn shown_time(world: &World<'_>, at: Timestamp) -> String {
    let by_wall = after(world.wall, at.duration_since(world.now));
    by_wall.strftime("%H:%M:%S UTC").to_string()
}

/// Nothing is recorded: an object of the same identity may be there already.
fn adopt<K: Rules>(context: &Context<'_>, rules: &K, candidates: &[&K::Remote]) -> Identified {
    let adoptable = |remote: &K::Remote| rules.adoptable(context, remote);
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
        // Its mark says that it was created for this very declaration, whatever was lost since.
        [only] if context.declaration.key.kind == Kind::Incident && rules.is_attempt(context, only) => {
            Identified::of(Identity::Here {
                id: K::id(only).to_owned(),
                adopted: false,
            })
        }
        [only] if observe || policies.adoption == AdoptionPolicy::ByName && adoptable(only) => {
            Identified::of(Identity::Here {
                id: K::id(only).to_owned(),
                adopted: true,
            })
        }
        _ if policies.adoption == AdoptionPolicy::CreateNew && !observe => Identified::of(absent::<K>(candidates)),
        [only] => {
            let whose = if rules.is_named_by(context, only) {
                "whose mark names this declaration: its record (lock file, status) is lost, or another copy of it is at work"
            } else {
                "which no declaration owns"
            };
            let (annotation, id) = (crate::api::ID, K::id(only));
            let by_name = match adoptable(only) {
                true => "adoptionPolicy: ByName or ",
                false => "",
            };
            Identified::stop(
                State::Stalled,
                Reason::AlreadyExists,
                format!(
                    "the page already has {} {:?} with id {id}, {whose}: to adopt it, set {by_name}the annotation {annotation}={id}; to create another one, set adoptionPolicy: CreateNew",
                    context.declaration.key.kind.with_article(),
                    rules.title(context),
                ),
            )
        }
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
