//! The request budget of a token: the remote service counts the requests of a token in any 60 seconds, whatever page or
//! program they come from, and so do we, before it does.

mod file_ledger;
mod ledger;
mod record;
mod registry;
mod reservation;
mod share;
mod throttle;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use statuspage_clock::Clock;

pub use file_ledger::FileLedger;
pub use ledger::{Book, Ledger, LedgerError, LedgerKey, MemoryLedger, Moment, Revision, Spent, Usage};
use record::{Keeper, Recorded};
pub use registry::BudgetRegistry;
use reservation::Reservation;
use share::Share;
use throttle::Throttle;
pub use window::{SPAN, Window};

/// Requests in 60 seconds that a token has unless Atlassian granted more.
pub const DEFAULT_LIMIT: usize = 60;

/// Requests that only [`Priority::Incident`] may use.
pub const DEFAULT_RESERVE: usize = 5;

/// What a request is for, the most urgent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Incidents and maintenances: what visitors wait for. May use the reserve.
    Incident,
    /// The state of a component.
    ComponentStatus,
    /// Everything else that is created or changed.
    Write,
    /// What is removed.
    Delete,
    /// Subscribers.
    Subscriber,
    /// Points of metrics.
    MetricData,
    /// Reading again what was read before.
    #[default]
    Read,
}

/// What a budget has done and can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetStats {
    /// Requests in any 60 seconds; 0 is no limit.
    pub limit: usize,
    /// Those of them that only incidents may use: all but the share, while others use the token too.
    pub reserve: usize,
    /// What of the limit is taken for ours: less than all of it after the remote service has refused requests though
    /// there was room, because others use the token too.
    pub share: usize,
    /// Requests that count against the limit now.
    pub used: usize,
    /// Requests under way.
    pub in_flight: usize,
    /// Requests that could start now, the reserve left alone.
    pub remaining: usize,
    /// Callers that wait for a permit.
    pub waiting: usize,
    /// How much longer the token pauses, if it does.
    pub paused_for: Option<Duration>,
    /// Permits given since the start.
    pub granted: u64,
    /// Pauses asked for since the start.
    pub pauses: u64,
    /// Whether the record of what was sent cannot be kept: then only incidents are sent.
    pub unrecorded: bool,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    priority: Priority,
    page: String,
}

#[derive(Debug)]
struct State {
    window: Window,
    waiters: Vec<Waiter>,
    next_ticket: u64,
    throttle: Throttle,
    share: Share,
    paused_until: Option<Instant>,
    /// When each page was last given a permit, as a running number.
    served: HashMap<String, u64>,
    granted: u64,
    pauses: u64,
    /// What is on record, where a record is kept.
    reservation: Option<Reservation>,
}

impl State {
    /// How long the token pauses at `now`.
    fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.paused_until
            .map(|until| until.saturating_duration_since(now))
            .filter(|left| !left.is_zero())
    }

    /// The window with what is left of it now.
    fn window(&mut self, now: Instant) -> &mut Window {
        self.window.leave(self.share.at(now));
        &mut self.window
    }

    /// A request that began at `started` was refused: for how long nobody sends.
    fn refused(&mut self, started: Instant, now: Instant, asked: Option<Duration>) -> Duration {
        let others = self.throttle.is_news(started) && self.window.free(now, true) > 0;
        let pause = self.throttle.refused(started, now, asked);
        if others && self.window.limit() > 0 {
            self.share.refused(now, pause);
        }
        self.pause(now + pause);
        pause
    }

    fn pause(&mut self, until: Instant) {
        self.pauses += 1;
        self.paused_until = Some(self.paused_until.map_or(until, |paused| paused.max(until)));
    }

    fn urgency(&self, priority: Priority, page: &str, ticket: u64) -> (Priority, u64, u64) {
        let served = self.served.get(page).copied().unwrap_or_default();
        (priority, served, ticket)
    }

    /// Takes a slot, or says how long until that is worth another try.
    fn take(&mut self, now: Instant, priority: Priority, page: &str, ticket: u64) -> Result<(), Duration> {
        let own = self.urgency(priority, page, ticket);
        let ahead = self
            .waiters
            .iter()
            .filter(|waiter| {
                waiter.ticket != ticket && self.urgency(waiter.priority, &waiter.page, waiter.ticket) < own
            })
            .count();
        let urgent = priority == Priority::Incident;
        let wait = self
            .window(now)
            .wait(now, urgent, ahead.saturating_add(1))
            .max(self.pause_left(now).unwrap_or_default());
        if !wait.is_zero() {
            return Err(wait);
        }
        if !self.window.start(now, urgent) {
            return Err(SPAN);
        }
        Ok(())
    }

    /// What the next request of this urgency needs.
    fn step(&mut self, now: Instant, priority: Priority, page: &str, ticket: u64) -> Step {
        let urgent = priority == Priority::Incident;
        let mut unread = false;
        if let Some(reservation) = &self.reservation {
            unread = !reservation.is_read();
            match reservation.blocked(now) {
                Some(wait) if !urgent => return Step::Wait(wait),
                None if unread => return Step::Read,
                _ => {}
            }
        }
        if let Err(wait) = self.take(now, priority, page, ticket) {
            return Step::Wait(wait);
        }
        let Some(reservation) = &mut self.reservation else {
            return Step::Go { recorded: true };
        };
        if !unread && reservation.take(now) {
            return Step::Go { recorded: true };
        }
        match reservation.blocked(now) {
            // Only incidents come here, and they do not wait for a ledger.
            Some(_) => Step::Go { recorded: false },
            None => Step::Record {
                slot: reservation.wait(),
            },
        }
    }

    fn grant(&mut self, page: &str) {
        self.granted += 1;
        self.served.insert(page.to_owned(), self.granted);
    }
}

/// What has to happen before a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: a slot was taken.
    Go {
        /// Whether the ledger counts it.
        recorded: bool,
    },
    /// A slot was taken, but the ledger does not count it yet.
    Record {
        /// Its number among those that wait for the ledger.
        slot: u64,
    },
    /// What an earlier process has left in the ledger has to be read.
    Read,
    /// Time has to go by.
    Wait(Duration),
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    keeper: Option<Keeper>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change, so a poisoned state is still a valid one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to send one request now. Dropping it says that the request has ended.
#[derive(Debug)]
#[must_use = "dropping a permit uses up a request"]
pub struct Permit {
    shared: Option<Arc<Shared>>,
    /// Whether the ledger counts it.
    recorded: bool,
}

impl Permit {
    /// Gives the permit back without having sent anything.
    pub fn release_unused(mut self) {
        if let Some(shared) = self.shared.take() {
            let mut state = shared.state();
            state.window.cancel();
            if let Some(reservation) = state.reservation.as_mut().filter(|_| self.recorded) {
                reservation.give_back();
            }
            drop(state);
            shared.changed.notify_waiters();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.state().window.end(Instant::now());
            shared.changed.notify_waiters();
        }
    }
}

/// A waiting caller; leaves the queue when it is dropped.
struct Queued<'a> {
    shared: &'a Arc<Shared>,
    ticket: u64,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.shared.state().waiters.retain(|waiter| waiter.ticket != ticket);
        self.shared.changed.notify_waiters();
    }
}

/// A slot that was taken for a permit that is not given yet; dropping it gives the slot back.
struct TakenSlot<'a>(&'a Shared);

impl TakenSlot<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for TakenSlot<'_> {
    fn drop(&mut self) {
        self.0.state().window.cancel();
        self.0.changed.notify_waiters();
    }
}

/// The budget of one token. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl Budget {
    /// A budget of `limit` requests in any 60 seconds (0 is no limit), with the usual reserve.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::with_reserve(limit, DEFAULT_RESERVE)
    }

    /// The same with another reserve, which is cut to a quarter of the limit.
    #[must_use]
    pub fn with_reserve(limit: usize, reserve: usize) -> Self {
        Self::build(limit, reserve, None)
    }

    /// A budget with the usual reserve that goes on where the last process has left off, and puts on record what it
    /// gives. The record is read when the first permit is asked for.
    ///
    /// While the ledger fails, incidents are sent and everything else waits. A budget without a limit keeps no record.
    #[must_use]
    pub fn recorded(limit: usize, ledger: Arc<dyn Ledger>, key: LedgerKey, clock: Clock) -> Self {
        Self::build(limit, DEFAULT_RESERVE, Some(Keeper::new(ledger, key, clock)))
    }

    fn build(limit: usize, reserve: usize, keeper: Option<Keeper>) -> Self {
        let keeper = keeper.filter(|_| limit > 0);
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    window: Window::new(limit, reserve),
                    waiters: Vec::new(),
                    next_ticket: 0,
                    throttle: Throttle::default(),
                    share: Share::new(limit),
                    paused_until: None,
                    served: HashMap::new(),
                    granted: 0,
                    pauses: 0,
                    reservation: keeper.as_ref().map(|_| Reservation::default()),
                }),
                changed: Notify::new(),
                keeper,
            }),
        }
    }

    fn permit(&self, page: &str, recorded: bool) -> Permit {
        self.shared.state().grant(page);
        Permit {
            shared: Some(Arc::clone(&self.shared)),
            recorded,
        }
    }

    /// Waits for the right to send one request. The more urgent go first, then the page that was served longest ago,
    /// then who came first. A caller that stops waiting loses nothing and holds nobody up.
    pub async fn acquire(&self, priority: Priority, page: &str) -> Permit {
        let queued = {
            let mut state = self.shared.state();
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            state.waiters.push(Waiter {
                ticket,
                priority,
                page: page.to_owned(),
            });
            Queued {
                shared: &self.shared,
                ticket,
            }
        };
        loop {
            // Registered before looking, so that a change between the look and the wait is not missed.
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = Instant::now();
            let step = self.shared.state().step(now, priority, page, queued.ticket);
            match (step, &self.shared.keeper) {
                (Step::Go { recorded }, _) => return self.permit(page, recorded),
                (Step::Record { slot }, Some(keeper)) => {
                    let taken = TakenSlot(&self.shared);
                    let recorded = keeper.record(&self.shared, slot, priority).await;
                    // Incidents do not wait for a ledger.
                    let unrecorded = recorded == Recorded::Failed && priority == Priority::Incident;
                    if recorded == Recorded::Done || unrecorded {
                        taken.keep();
                        return self.permit(page, recorded == Recorded::Done);
                    }
                }
                (Step::Read, Some(keeper)) => keeper.read(&self.shared, priority).await,
                (Step::Record { .. } | Step::Read, None) => {}
                (Step::Wait(wait), _) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = sleep_until(now + wait) => {}
                    }
                }
            }
        }
    }

    /// Takes the right to send one request if it is there, nobody more urgent waits for it, and the ledger need not be
    /// written for it.
    ///
    /// # Errors
    /// How long until another try is worth while; no time at all when [`Self::acquire`] would get it, after a write of
    /// the ledger.
    pub fn try_acquire(&self, priority: Priority, page: &str) -> Result<Permit, Duration> {
        let mut state = self.shared.state();
        // Behind everybody who waits, and nobody's ticket: it does not wait itself.
        let ticket = state.next_ticket;
        match state.step(Instant::now(), priority, page, ticket) {
            Step::Go { recorded } => {
                drop(state);
                Ok(self.permit(page, recorded))
            }
            Step::Record { .. } => {
                state.window.cancel();
                Err(Duration::ZERO)
            }
            Step::Read => Err(Duration::ZERO),
            Step::Wait(wait) => Err(wait),
        }
    }

    /// Nobody starts a request before `until`; a later pause that was asked for before stays.
    pub fn pause(&self, until: Instant) {
        self.shared.state().pause(until);
        self.shared.changed.notify_waiters();
    }

    /// The remote service refused a request that began at `started` with "too many requests". Returns how long nobody
    /// sends: as long as it asks for, and at least a while that grows with every refusal in a row.
    pub fn refused(&self, started: Instant, asked: Option<Duration>) -> Duration {
        let now = Instant::now();
        let mut state = self.shared.state();
        let pause = state.refused(started, now, asked);
        drop(state);
        self.shared.changed.notify_waiters();
        pause
    }

    /// The remote service answered a request that began at `started`: it takes requests.
    pub fn answered(&self, started: Instant) {
        self.shared.state().throttle.answered(started);
    }

    /// Requests that could start now, the reserve left alone; `usize::MAX` without a limit.
    #[must_use]
    pub fn remaining(&self) -> usize {
        let now = Instant::now();
        let mut state = self.shared.state();
        match state.pause_left(now) {
            Some(_) => 0,
            None => state.window(now).free(now, false),
        }
    }

    /// How long until the last of `requests` more requests may start, if nobody else sends any.
    #[must_use]
    pub fn estimate(&self, requests: usize) -> Duration {
        if requests == 0 {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let mut state = self.shared.state();
        let pause = state.pause_left(now).unwrap_or_default();
        state.window(now).wait(now, false, requests).max(pause)
    }

    /// Figures for metrics and for the status of a page.
    #[must_use]
    pub fn stats(&self) -> BudgetStats {
        let now = Instant::now();
        let mut state = self.shared.state();
        let paused_for = state.pause_left(now);
        BudgetStats {
            limit: state.window.limit(),
            reserve: state.window(now).reserve(),
            share: state.share.at(now),
            used: state.window.used(now),
            in_flight: state.window.in_flight(),
            remaining: if paused_for.is_some() {
                0
            } else {
                state.window.free(now, false)
            },
            waiting: state.waiters.len(),
            paused_for,
            granted: state.granted,
            pauses: state.pauses,
            unrecorded: state.reservation.is_some_and(|reservation| reservation.is_failing()),
        }
    }

    /// Whether both are the budget of the same token.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod tests;
