//! Bugs on purpose: each takes away something that a promise stands on, so that it shows whether an oracle bites.
//!
//! They are switched on in tests only. Most sit in the layers of the simulation (a store that loses journals, a network
//! that sends again); the others distort what the engine is told or what it answers, at one place each in the driver.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), expect(dead_code, reason = "some are only distortions of the engine"))]
pub(super) enum Bug {
    /// The store says that it has a journal, and has not.
    JournalNotKept,
    /// A journal is written over whatever is there, and every process takes itself for the leader.
    JournalOverAnything,
    /// What is deleted is gone at once, finalizer or not.
    FinalizerIgnored,
    /// The store takes no finalizer off.
    ReleaseRefused,
    /// Nobody is told that something has changed.
    DeafToChanges,
    /// What got no reply is sent again at once.
    SendsAgain,
    /// An Event holds the token.
    TokenInEvent,
    /// A status holds the token.
    TokenInStatus,
    /// What was read at any time may be written on.
    StaleIsFresh,
    /// A list that failed is read again at once.
    NoBackoffOfLists,
    /// Attempts are taken for settled at once.
    SettledAtOnce,
    /// Updates are never published.
    NothingPublished,
    /// Differences are never corrected.
    NothingCorrected,
    /// What is corrected is the first thing in the list.
    WrongTarget,
    /// Everything is Ready.
    AlwaysReady,
    /// Every plan writes a new time.
    TimesTouched,
    /// A status speaks of the generation to come.
    GenerationAhead,
    /// Incidents wait for a while.
    IncidentsWait,
    /// A process takes the window for twice as large as it is.
    WindowTooWide,
    /// A process knows of its own requests only.
    WindowOfItsOwn,
    /// The page is looked at again and again, without a reason.
    NeverAsleep,
}

#[cfg(test)]
pub(super) use switch::with;
#[cfg(test)]
pub(crate) use switch::{distort_view, plan_distorted};

/// True while this bug is switched on.
#[cfg(not(test))]
pub(super) fn is_on(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
pub(super) use switch::is_on;

#[cfg(test)]
mod switch {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::Bug::{self, *};
    use crate::driver::View;
    use crate::engine::{Action, Failure, ObjectKey, Plan, READY, Read, ReadWhat, Request, World};
    use crate::statuspage::{CollectionKind, ObjectKind, Priority, Snapshot};

    thread_local! {
        static ON: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Does something with a bug switched on in this thread.
    pub(in crate::simulation) fn with<T>(bug: Bug, work: impl FnOnce() -> T) -> T {
        ON.set(Some(bug));
        let result = work();
        ON.set(None);
        result
    }

    pub(in crate::simulation) fn is_on(bug: Bug) -> bool {
        ON.get() == Some(bug)
    }

    /// Distorts what the engine is told of the declarations.
    pub(crate) fn distort_view(view: &mut View) {
        let hour = SignedDuration::from_hours(1);
        for declaration in &mut view.declarations {
            if let Some(SettledAtOnce) = ON.get() {
                declaration.attempt_seen = declaration.attempt_seen.map(|at| at - hour);
                if let Some(journal) = &mut declaration.status_mut().object_mut().journal {
                    journal.at = Time(journal.at.0 - hour);
                }
            }
        }
    }

    static NO_READ_FAILURES: BTreeMap<ReadWhat, Failure> = BTreeMap::new();

    /// The plan of a world, either of them distorted.
    pub(crate) fn plan_distorted(world: World<'_>) -> Plan {
        let believed = (ON.get() == Some(StaleIsFresh)).then(|| read_a_moment_ago(&world));
        let world = World {
            snapshot: believed.as_ref().unwrap_or(world.snapshot),
            ..distort_world(world)
        };
        let mut plan = crate::engine::plan(&world);
        distort_plan(&world, &mut plan);
        plan
    }

    /// Distorts what the engine is told of everything else.
    fn distort_world(mut world: World<'_>) -> World<'_> {
        if let Some(NoBackoffOfLists) = ON.get() {
            world.read_failures = &NO_READ_FAILURES;
            world.circuit_breaker = None;
        }
        world
    }

    /// The page with all incidents read by their ids just now, as far as anybody believes.
    fn read_a_moment_ago(world: &World<'_>) -> Snapshot {
        let mut snapshot = world.snapshot.clone();
        let known = snapshot.incidents.iter().flat_map(|list| &list.items);
        let ids: Vec<String> = known.map(|incident| incident.id.clone()).collect();
        let examined = snapshot.examined.entry(ObjectKind::Incident).or_default();
        for id in ids {
            examined.entry(id).or_default().read_at = Some(world.now);
        }
        snapshot
    }

    /// Distorts what the engine answers.
    fn distort_plan(world: &World<'_>, plan: &mut Plan) {
        match ON.get() {
            Some(NothingPublished) => plan.steps.retain(|step| !matches!(step.action, Action::Publish { .. })),
            Some(NothingCorrected) => plan.steps.retain(|step| !matches!(step.action, Action::Update(_))),
            Some(WrongTarget) => {
                let rows = world.snapshot.components.as_ref().map(|rows| &rows.items);
                let first = rows.and_then(|rows| rows.first()).map(|row| row.id.clone());
                for step in &mut plan.steps {
                    if let (Action::Update(Request::UpdateComponent(id, _)), Some(first)) = (&mut step.action, &first) {
                        id.clone_from(first);
                    }
                }
            }
            Some(AlwaysReady) => {
                for (_, status) in &mut plan.statuses {
                    for condition in &mut Arc::make_mut(status).object_mut().conditions {
                        if condition.type_ == READY {
                            condition.status = "True".to_owned();
                        }
                    }
                }
            }
            Some(GenerationAhead) => {
                for (_, status) in &mut plan.statuses {
                    let seen = &mut Arc::make_mut(status).object_mut().observed_generation;
                    *seen = seen.map(|seen| seen + 1);
                }
            }
            Some(TimesTouched) => {
                for declaration in world.declarations {
                    let mut status = Arc::clone(&declaration.status);
                    let known = status.object().last_sync_time.is_some();
                    let untold = plan.statuses.iter().all(|(key, _)| *key != declaration.key);
                    if known && untold {
                        let second = Timestamp::from_second(world.wall.as_second()).unwrap_or(world.wall);
                        Arc::make_mut(&mut status).object_mut().last_sync_time = Some(Time(second));
                        plan.statuses.push((declaration.key.clone(), status));
                    }
                }
            }
            Some(NeverAsleep) => {
                let pause = SignedDuration::from_secs(20);
                let read_at = world.page_read_at.unwrap_or(world.now);
                if world.now.duration_since(read_at) >= pause {
                    plan.reads.push(Read {
                        what: ReadWhat::Collection(CollectionKind::Page),
                        priority: Priority::Read,
                    });
                }
                plan.wake = plan.wake.into_iter().chain([world.now + pause]).min();
            }
            Some(IncidentsWait) => {
                let is_new = |key: &ObjectKey| {
                    let mut known = world.declarations.iter();
                    let known = known.find(|declaration| declaration.key == *key);
                    known.is_some_and(|known| world.now.duration_since(known.seen) < SignedDuration::from_secs(8))
                };
                plan.steps
                    .retain(|step| step.priority != Priority::Incident || !is_new(&step.key));
                let later = world.now + SignedDuration::from_secs(8);
                plan.wake = Some(plan.wake.map_or(later, |wake| wake.min(later)));
            }
            _ => {}
        }
    }
}
