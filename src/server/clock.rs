//! Time as the server sees it: the system's, or one that a test moves by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Where the server takes the time from: rate window, automatic transitions and every timestamp use it.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clock of the machine.
    #[default]
    System,
    /// A clock that stands still until somebody moves it.
    Manual(ManualClock),
}

impl Clock {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(clock) => clock.now(),
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

/// An instant with the second precision of components, groups, pages and incidents.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// An instant with the millisecond precision of incident updates.
pub(super) fn milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// An optional instant with second precision; unset is `null`.
pub(super) fn optional_seconds(at: Option<Timestamp>) -> serde_json::Value {
    at.map_or(serde_json::Value::Null, |at| seconds(at).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions() {
        let at: Timestamp = "2024-06-07T01:00:17.309876Z".parse().unwrap();
        assert_eq!(seconds(at), "2024-06-07T01:00:17Z");
        assert_eq!(milliseconds(at), "2024-06-07T01:00:17.309Z");
        let whole: Timestamp = "2024-06-07T01:00:17Z".parse().unwrap();
        assert_eq!(milliseconds(whole), "2024-06-07T01:00:17.000Z");
    }

    #[test]
    fn a_manual_clock_is_shared_by_its_clones() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let other = Clock::Manual(clock.clone());
        clock.advance(Duration::from_secs(61));
        assert_eq!(other.now().as_second(), 61);
    }
}
