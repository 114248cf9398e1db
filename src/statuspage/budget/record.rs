//! Keeps the ledger of one budget: reads it once, and writes it before permits are given that it does not count.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::ledger::{Ledger, LedgerError, LedgerKey, Spent, Usage};
use super::reservation::{LIFE, size};
use super::{Budget, Priority, SPAN, Shared, State};
use crate::clock::Clock;

/// How long an incident waits for the ledger before it is sent without.
const INCIDENT_PATIENCE: Duration = Duration::from_secs(1);
/// How long everything else waits for one attempt.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest pause that is taken over from a record.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(3600);

/// The ledger of one budget.
#[derive(Debug)]
pub(super) struct Keeper {
    ledger: Arc<dyn Ledger>,
    key: LedgerKey,
    clock: Clock,
    /// Held by who reads or writes.
    turn: tokio::sync::Mutex<()>,
}

fn patience(priority: Priority) -> Duration {
    match priority {
        Priority::Incident => INCIDENT_PATIENCE,
        _ => PATIENCE,
    }
}

impl Keeper {
    pub(super) fn new(ledger: Arc<dyn Ledger>, key: LedgerKey, clock: Clock) -> Self {
        Self {
            ledger,
            key,
            clock,
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Takes over what an earlier process has left.
    pub(super) async fn read(&self, shared: &Shared, priority: Priority) {
        let work = async {
            let _turn = self.turn.lock().await;
            if shared
                .state()
                .reservation
                .is_some_and(|reservation| reservation.is_read())
            {
                return Ok(());
            }
            let loaded = self.ledger.load(&self.key).await;
            let mut state = shared.state();
            match loaded {
                Ok(Some(usage)) => state.restore(&usage, self.clock.now(), Instant::now()),
                Ok(None) => {}
                Err(error @ LedgerError::Unreadable(_)) => {
                    tracing::warn!(%error, "taking the whole window for used, except for what incidents may use");
                    state.count_all(Instant::now());
                }
                Err(error @ LedgerError::Unavailable(_)) => return Err(error),
            }
            if let Some(reservation) = &mut state.reservation {
                reservation.was_read();
            }
            Ok(())
        };
        let outcome = timeout(patience(priority), work).await;
        self.conclude(shared, outcome.unwrap_or_else(|_| Err(too_slow())));
    }

    /// Puts on record what waits for it, this slot among it, and a few requests more. Returns whether that is done.
    pub(super) async fn record(&self, shared: &Shared, slot: u64, priority: Priority) -> bool {
        let work = async {
            let _turn = self.turn.lock().await;
            let began = Instant::now();
            let (usage, covered, more) = {
                let mut state = shared.state();
                let more = size(state.window.limit());
                let Some(reservation) = &mut state.reservation else {
                    return Ok(());
                };
                // Somebody else may have had a turn meanwhile, with success or without.
                if reservation.covers(slot) || reservation.blocked(began).is_some() {
                    return Ok(());
                }
                let covered = reservation.close();
                (state.usage(self.clock.now(), began, more), covered, more)
            };
            self.ledger.store(&self.key, &usage).await?;
            if let Some(reservation) = &mut shared.state().reservation {
                reservation.open(began, covered, more);
            }
            Ok(())
        };
        let outcome = timeout(patience(priority), work).await;
        self.conclude(shared, outcome.unwrap_or_else(|_| Err(too_slow())));
        shared
            .state()
            .reservation
            .is_some_and(|reservation| reservation.covers(slot))
    }

    /// Takes note of a failure of the ledger, and says it once.
    fn conclude(&self, shared: &Shared, outcome: Result<(), LedgerError>) {
        let mut state = shared.state();
        if let (Some(reservation), Err(error)) = (&mut state.reservation, outcome) {
            if !reservation.is_failing() {
                let token = &self.key.token;
                tracing::warn!(%token, %error, "only incidents are sent until it works again");
            }
            reservation.failed(Instant::now());
        }
        drop(state);
        shared.changed.notify_waiters();
    }

    /// Writes down exactly what counts.
    async fn settle(&self, shared: &Shared) -> Result<(), LedgerError> {
        let _turn = self.turn.lock().await;
        let usage = {
            let mut state = shared.state();
            let Some(reservation) = state.reservation.as_mut().filter(|reservation| reservation.is_read()) else {
                return Ok(());
            };
            reservation.close();
            state.usage(self.clock.now(), Instant::now(), 0)
        };
        self.ledger.store(&self.key, &usage).await
    }
}

fn too_slow() -> LedgerError {
    LedgerError::Unavailable("no answer in time".to_owned())
}

impl State {
    /// What counts now, if `more` requests may be started before this is written again.
    fn usage(&mut self, now: Timestamp, instant: Instant, more: usize) -> Usage {
        let mut ended: Vec<Spent> = Vec::new();
        for at in self.window.ended(instant) {
            let ago = SignedDuration::try_from(instant.saturating_duration_since(at)).unwrap_or(SignedDuration::MAX);
            let at = up_to_the_second(now.saturating_sub(ago).unwrap_or(Timestamp::MIN));
            match ended.last_mut().filter(|last| last.at == at) {
                Some(last) => last.requests += 1,
                None => ended.push(Spent { at, requests: 1 }),
            }
        }
        let open = self.window.in_flight() + more;
        let later = |duration: Duration| now.saturating_add(duration).unwrap_or(Timestamp::MAX);
        Usage {
            ended,
            open,
            // Started at the last moment, and under way for as long as a request may be.
            open_until: (open > 0).then(|| later(LIFE + SPAN)),
            paused_until: self.pause_left(instant).map(later),
        }
    }

    /// Counts what was sent before.
    fn restore(&mut self, usage: &Usage, now: Timestamp, instant: Instant) {
        // What is said to have ended in the future has ended by now: the record is older than now.
        let ended = |at: Timestamp| {
            let ago = Duration::try_from(now.duration_since(at)).unwrap_or_default();
            // Further back than the clock reaches is further back than the window.
            instant.checked_sub(ago)
        };
        let open = usage.open_until.unwrap_or(now);
        let open = std::iter::once((open, usage.open));
        let spent = usage.ended.iter().map(|spent| (spent.at, spent.requests));
        for (at, requests) in spent.chain(open) {
            if let Some(at) = ended(at) {
                self.window.count(instant, at, requests);
            }
        }
        if let Some(until) = usage.paused_until {
            let left = now.duration_until(until).min(LONGEST_PAUSE);
            if let Some(left) = Duration::try_from(left).ok().filter(|left| !left.is_zero()) {
                self.paused_until = Some(self.paused_until.unwrap_or(instant).max(instant + left));
            }
        }
    }

    /// Counts as much as may have been sent, and leaves incidents their reserve.
    fn count_all(&mut self, now: Instant) {
        let most = self.window.limit() - self.window.reserve();
        self.window.count(now, now, most);
    }
}

/// Rounded to the later second: what counts too long does no harm.
fn up_to_the_second(at: Timestamp) -> Timestamp {
    let second = at.as_second().saturating_add(i64::from(at.subsec_nanosecond() > 0));
    Timestamp::from_second(second).unwrap_or(at)
}

impl Budget {
    /// What counts against the window at `now`, the time of the machine's clock.
    #[must_use]
    pub fn usage(&self, now: Timestamp) -> Usage {
        self.shared.state().usage(now, Instant::now(), 0)
    }

    /// Counts what was sent before, by another process for example.
    pub fn restore(&self, usage: &Usage, now: Timestamp) {
        self.shared.state().restore(usage, now, Instant::now());
        self.shared.changed.notify_waiters();
    }

    /// Writes down exactly what counts, so that the next process has all the rest. For the end of a process; whatever
    /// is sent afterwards is put on record as before.
    ///
    /// # Errors
    /// The ledger failed. The record that it has counts more than was sent, never less.
    pub async fn settle(&self) -> Result<(), LedgerError> {
        match &self.shared.keeper {
            Some(keeper) => {
                let settled = timeout(PATIENCE, keeper.settle(&self.shared)).await;
                settled.unwrap_or_else(|_| Err(too_slow()))
            }
            None => Ok(()),
        }
    }

    /// The same for a pause, which the next process has to keep too. Nobody waits long for it: nothing is sent anyway.
    pub(in crate::statuspage) async fn record_pause(&self) {
        if let Some(keeper) = &self.shared.keeper
            && let Ok(Err(error)) = timeout(INCIDENT_PATIENCE, keeper.settle(&self.shared)).await
        {
            tracing::debug!(%error, "the pause is not on record");
        }
    }
}
