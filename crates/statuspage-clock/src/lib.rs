//! Time as a parameter: the machine's, that of a runtime, or one that a test moves by hand.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

/// Where the time comes from.
///
/// A process has two times. What the clock on the wall shows is for people and for other processes; somebody may set it
/// back or forward at any moment. The time of the process itself never jumps, and says nothing to anybody else.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clocks of the machine.
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
        /// So many seconds the clock on the wall is ahead, as somebody sets it.
        ahead: Option<watch::Receiver<i64>>,
    },
}

impl Clock {
    /// A clock that shows `now` and goes with the runtime's from now on.
    pub fn with_the_runtime(now: Timestamp) -> Self {
        Self::Runtime {
            then: now,
            began: Instant::now(),
            ahead: None,
        }
    }

    /// The same clock, whose wall shows so many seconds more as `seconds` says; of no other than the runtime's clock.
    #[must_use]
    pub fn set_ahead_by(self, seconds: watch::Receiver<i64>) -> Self {
        match self {
            Self::Runtime { then, began, .. } => Self::Runtime {
                then,
                began,
                ahead: Some(seconds),
            },
            other => other,
        }
    }

    /// What the clock on the wall shows.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(clock) => clock.now(),
            Self::Runtime { ahead, .. } => {
                let ahead = ahead.as_ref().map_or(0, |seconds| *seconds.borrow());
                let steady = self.steady();
                steady.checked_add(SignedDuration::from_secs(ahead)).unwrap_or(steady)
            }
        }
    }

    /// How long the machine has been running, where that can be known: the same for all its processes.
    pub fn uptime(&self) -> Option<Uptime> {
        let simulated = |steady: Timestamp| {
            Some(Uptime {
                boot: "simulated".to_owned(),
                milliseconds: u64::try_from(steady.as_millisecond()).ok()?,
            })
        };
        match self {
            Self::System => Uptime::of_this_machine(),
            Self::Manual(clock) => simulated(clock.steady()),
            // Two of these do not begin at the same time.
            Self::Runtime { .. } => None,
        }
    }

    /// The time of this process: begins with what the wall showed when it was first asked for, and never jumps.
    pub fn steady(&self) -> Timestamp {
        match self {
            Self::System => {
                static BEGIN: OnceLock<(Timestamp, std::time::Instant)> = OnceLock::new();
                let (wall, instant) = BEGIN.get_or_init(|| (Timestamp::now(), std::time::Instant::now()));
                wall.checked_add(instant.elapsed()).unwrap_or(Timestamp::MAX)
            }
            Self::Manual(clock) => clock.steady(),
            Self::Runtime { then, began, .. } => then.checked_add(began.elapsed()).unwrap_or(Timestamp::MAX),
        }
    }
}

/// What a machine knows of time whoever sets its clock on the wall: how long it has been running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Uptime {
    /// Unique name of this run of the machine.
    pub boot: String,
    /// Milliseconds since it began, those included in which the machine slept.
    pub milliseconds: u64,
}

impl Uptime {
    #[cfg(target_os = "linux")]
    fn of_this_machine() -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let text = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
        Some(Self {
            boot: boot.trim().to_owned(),
            milliseconds: u64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_millis()).ok()?,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn of_this_machine() -> Option<Self> {
        None
    }
}

#[derive(Debug)]
struct Hands {
    steady: Timestamp,
    /// How far the clock on the wall is ahead.
    ahead: SignedDuration,
}

/// A clock for tests; clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    hands: Arc<Mutex<Hands>>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        let hands = Hands {
            steady: start,
            ahead: SignedDuration::ZERO,
        };
        Self {
            hands: Arc::new(Mutex::new(hands)),
        }
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        let hands = self.hands();
        hands.steady.checked_add(hands.ahead).unwrap_or(Timestamp::MAX)
    }

    /// The time that never jumps.
    pub fn steady(&self) -> Timestamp {
        self.hands().steady
    }

    /// Moves it forward; at the end of representable time it stays.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands();
        hands.steady = hands.steady.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Puts it to an instant, as a clock that nobody looked at before.
    pub fn set(&self, to: Timestamp) {
        *self.hands() = Hands {
            steady: to,
            ahead: SignedDuration::ZERO,
        };
    }

    /// Sets what it shows forward or back, as somebody sets a clock on the wall: the time that goes by is the same.
    pub fn jump(&self, by: SignedDuration) {
        let mut hands = self.hands();
        hands.ahead = hands.ahead.saturating_add(by);
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

    #[test]
    fn the_time_of_the_process_does_not_follow_a_clock_that_is_set() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(10));
        clock.jump(SignedDuration::from_secs(-600));
        clock.advance(Duration::from_secs(10));
        assert_eq!((clock.now().as_second(), clock.steady().as_second()), (-580, 20));
        let before = Clock::System.steady();
        assert!(Clock::System.steady() >= before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_machine_knows_how_long_it_has_been_running() {
        let [one, other] = [(); 2].map(|()| Clock::System.uptime().unwrap());
        assert!(!one.boot.is_empty() && one.boot == other.boot);
        assert!(one.milliseconds > 0 && one.milliseconds <= other.milliseconds);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_goes_with_the_runtime() {
        let clock = Clock::with_the_runtime(Timestamp::UNIX_EPOCH);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(clock.now().as_second(), 61);
    }
}
