//! Keeps the ledger of one budget: reads it before the first permit, and writes it before permits are given that it does not
//! count, with what others have written meanwhile in view.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::ledger::{Book, Ledger, LedgerError, LedgerKey, Moment, OPEN_FOR, Spent, Usage};
use super::reservation::size;
use super::{Budget, Priority, Shared, State};
use statuspage_clock::Clock;

/// How long an incident waits for the ledger before it is sent without.
const INCIDENT_PATIENCE: Duration = Duration::from_secs(1);
/// How long everything else waits for one attempt.
const PATIENCE: Duration = Duration::from_secs(15);

/// The ledger of one budget.
#[derive(Debug)]
pub(super) struct Keeper {
    ledger: Arc<dyn Ledger>,
    key: LedgerKey,
    clock: Clock,
    /// The name of this process in the ledger.
    process: String,
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
            process: uuid::Uuid::new_v4().simple().to_string(),
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
                Ok(Some(mut book)) => {
                    let now = Moment::of(&self.clock);
                    book.bring_up_to(&now);
                    state.share_with(&book, &self.process, now.wall, Instant::now());
                }
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

    /// Puts on record what waits for it, this slot among it, and a few requests more, unless others have taken what was
    /// left of the window.
    pub(super) async fn record(&self, shared: &Arc<Shared>, slot: u64, priority: Priority) -> Recorded {
        let work = async {
            let _turn = self.turn.lock().await;
            let began = Instant::now();
            {
                let state = shared.state();
                let Some(reservation) = &state.reservation else {
                    return Ok(());
                };
                // Somebody else may have had a turn meanwhile, with success or without.
                if reservation.covers(slot) || reservation.blocked(began).is_some() {
                    return Ok(());
                }
            }
            let covered: Arc<Mutex<Option<(u64, usize)>>> = Arc::default();
            let (sharing, clock) = (Arc::clone(shared), self.clock.clone());
            let (process, covering) = (self.process.clone(), Arc::clone(&covered));
            let revision = Box::new(move |book: &mut Book| {
                let (now, instant) = (Moment::of(&clock), Instant::now());
                book.bring_up_to(&now);
                let mut state = sharing.state();
                state.share_with(book, &process, now.wall, instant);
                let mut covering = covering.lock().unwrap_or_else(PoisonError::into_inner);
                *covering = None;
                if state.window.is_overdrawn(instant, true) {
                    // What was there before counts all that was given.
                    return;
                }
                let more = size(state.window.limit()).min(state.window.free(instant, true));
                if let Some(reservation) = &mut state.reservation {
                    *covering = Some((reservation.close(), more));
                }
                book.processes.insert(process.clone(), state.usage(&now, instant, more));
            });
            self.ledger.revise(&self.key, revision).await?;
            let covered = *covered.lock().unwrap_or_else(PoisonError::into_inner);
            let mut state = shared.state();
            if let Some(reservation) = &mut state.reservation {
                match covered {
                    Some((slot, more)) => reservation.open(began, slot, more),
                    None => reservation.works(),
                }
            }
            Ok(())
        };
        let outcome = timeout(patience(priority), work).await;
        self.conclude(shared, outcome.unwrap_or_else(|_| Err(too_slow())));
        let mut state = shared.state();
        let overdrawn = state
            .window
            .is_overdrawn(Instant::now(), priority == Priority::Incident);
        match state.reservation {
            Some(reservation) if reservation.is_failing() => Recorded::Failed,
            Some(reservation) if reservation.covers(slot) && !overdrawn => Recorded::Done,
            _ => Recorded::NoRoom,
        }
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
    async fn settle(&self, shared: &Arc<Shared>) -> Result<(), LedgerError> {
        let _turn = self.turn.lock().await;
        if !shared
            .state()
            .reservation
            .is_some_and(|reservation| reservation.is_read())
        {
            return Ok(());
        }
        let (sharing, clock, process) = (Arc::clone(shared), self.clock.clone(), self.process.clone());
        let revision = Box::new(move |book: &mut Book| {
            let now = Moment::of(&clock);
            book.bring_up_to(&now);
            let mut state = sharing.state();
            if let Some(reservation) = &mut state.reservation {
                reservation.close();
            }
            let usage = state.usage(&now, Instant::now(), 0);
            book.processes.insert(process.clone(), usage);
        });
        self.ledger.revise(&self.key, revision).await
    }
}

/// What became of a slot that had to be put on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The ledger counts it.
    Done,
    /// The ledger cannot be reached.
    Failed,
    /// Others have taken what was left.
    NoRoom,
}

fn too_slow() -> LedgerError {
    LedgerError::Unavailable("no answer in time".to_owned())
}

impl State {
    /// What counts now, if `more` requests may be started before this is written again.
    fn usage(&mut self, now: &Moment, instant: Instant, more: usize) -> Usage {
        let mut ended: Vec<Spent> = Vec::new();
        for at in self.window.ended(instant) {
            let ago = SignedDuration::try_from(instant.saturating_duration_since(at)).unwrap_or(SignedDuration::MAX);
            let at = up_to_the_second(now.wall.saturating_sub(ago).unwrap_or(Timestamp::MIN));
            match ended.last_mut().filter(|last| last.at == at) {
                Some(last) => last.requests += 1,
                None => ended.push(Spent { at, requests: 1 }),
            }
        }
        let open = self.window.in_flight() + more;
        let later = |duration: SignedDuration| now.wall.saturating_add(duration).unwrap_or(Timestamp::MAX);
        let pause = self.pause_left(instant);
        Usage {
            ended,
            open,
            open_until: (open > 0).then(|| later(OPEN_FOR)),
            paused_until: pause.map(|left| later(SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX))),
            written: Some(now.clone()),
        }
    }

    /// Counts what others have sent, and pauses with them.
    fn share_with(&mut self, book: &Book, own: &str, now: Timestamp, instant: Instant) {
        let at = |at: Timestamp| match Duration::try_from(now.duration_since(at)) {
            // Further back than the clock reaches is further back than the window.
            Ok(ago) => instant.checked_sub(ago),
            Err(_) => Some(instant + Duration::try_from(at.duration_since(now)).unwrap_or_default()),
        };
        let others = || book.processes.iter().filter(|(process, _)| *process != own);
        let spent = others().flat_map(|(_, usage)| {
            let open = usage.open_until.map(|until| (until, usage.open));
            let ended = usage.ended.iter().map(|spent| (spent.at, spent.requests));
            ended
                .chain(open)
                .filter_map(|(ended, requests)| Some((at(ended)?, requests)))
        });
        let spent: Vec<(Instant, usize)> = spent.collect();
        self.window.share_with(spent);
        let paused = others().filter_map(|(_, usage)| at(usage.paused_until?)).max();
        if let Some(until) = paused.filter(|until| *until > instant) {
            self.paused_until = Some(self.paused_until.unwrap_or(instant).max(until));
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
    pub(crate) async fn record_pause(&self) {
        if let Some(keeper) = &self.shared.keeper
            && let Ok(Err(error)) = timeout(INCIDENT_PATIENCE, keeper.settle(&self.shared)).await
        {
            tracing::debug!(%error, "the pause is not on record");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_put_on_record_no_earlier_than_it_was() {
        for (nanosecond, second) in [(0, 7), (1, 8), (999_999_999, 8)] {
            let at = Timestamp::new(7, nanosecond).unwrap();
            assert_eq!(up_to_the_second(at), Timestamp::from_second(second).unwrap());
        }
    }
}
