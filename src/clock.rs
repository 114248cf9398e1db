//! Time as a parameter: the machine's, that of a runtime, or one that a test moves by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clock of the machine.
    #[default]
    System,
    /// A clock that stands still until somebody moves it.
    Manual(ManualClock),
    /// A clock that goes with the runtime's: where that one is paused, both move together.
    Runtime {
        /// What it showed at some moment.
        then: Timestamp,
        /// That moment.
        began: Instant,
    },
}

impl Clock {
    /// A clock that shows `now` and goes with the runtime's from now on.
    pub fn with_the_runtime(now: Timestamp) -> Self {
        Self::Runtime {
            then: now,
            began: Instant::now(),
        }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(clock) => clock.now(),
            Self::Runtime { then, began } => then.checked_add(began.elapsed()).unwrap_or(Timestamp::MAX),
        }
    }
}

/// A clock for tests; clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: Arc::new(Mutex::new(start)),
        }
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it forward; at the end of representable time it stays.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Puts it to an instant.
    pub fn set(&self, to: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_is_shared_by_its_clones() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let other = Clock::Manual(clock.clone());
        clock.advance(Duration::from_secs(61));
        assert_eq!(other.now().as_second(), 61);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_goes_with_the_runtime() {
        let clock = Clock::with_the_runtime(Timestamp::UNIX_EPOCH);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(clock.now().as_second(), 61);
    }
}
