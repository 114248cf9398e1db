//! What a failed request means for its object, and when it is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::declaration::ObjectKey;
use super::plan::{Finding, State};
use crate::api::Reason;

/// Longest pause between tries of an object whose requests fail for reasons that may pass.
const SLOWEST: Duration = Duration::from_secs(420);
/// Pause before an object that Statuspage refused is examined again although nothing changed.
const REEXAMINE: Duration = Duration::from_secs(3600);

/// The last failure of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// True when the same request would fail again: only a change of the declaration helps.
    pub terminal: bool,
    /// The condition's reason.
    pub reason: Reason,
    /// The remote's own words and what to do.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
    /// Failures in a row, from 1.
    pub attempts: u32,
    /// Generation of the declaration that failed.
    pub generation: i64,
    /// A number from 0 to 1 that spreads tries; drawn by the driver.
    pub jitter: f64,
    /// True for a reading: even one that was refused is tried again soon, because others wait for it.
    pub reading: bool,
}

impl Failure {
    /// When the object may be tried again. Doubling pauses from one second, spread by a tenth.
    pub fn retry_at(&self) -> Timestamp {
        let pause = if self.terminal && !self.reading {
            REEXAMINE
        } else {
            Duration::from_secs(1_u64 << self.attempts.saturating_sub(1).min(9)).min(SLOWEST)
        };
        self.at
            .saturating_add(pause.mul_f64(1.0 + self.jitter.clamp(0.0, 1.0) / 10.0))
            .unwrap_or(Timestamp::MAX)
    }

    /// True while nothing is to be sent for the object: its declaration is the one that failed and the pause is not
    /// over.
    pub fn blocks(&self, generation: i64, now: Timestamp) -> bool {
        self.generation == generation && now < self.retry_at()
    }
}

/// Forgets the failures that nothing waits for any more: those of objects that were seen to match, because a lost reply
/// was a success, and those of objects that something else has stopped meanwhile.
pub fn forget_settled(failures: &mut BTreeMap<ObjectKey, Failure>, findings: &[Finding], now: Timestamp) {
    for finding in findings {
        let Some(failure) = failures.get(&finding.key) else {
            continue;
        };
        let passed = !failure.terminal && now >= failure.retry_at();
        let settled = match finding.state {
            State::InSync => true,
            State::Stalled | State::Suspended => passed,
            // It waits for something else now.
            State::Progressing => passed && ![Reason::Progressing, failure.reason].contains(&finding.reason),
            State::Unknown => false,
        };
        if settled {
            failures.remove(&finding.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(attempts: u32, terminal: bool) -> Failure {
        Failure {
            terminal,
            reason: Reason::Rejected,
            message: String::new(),
            at: Timestamp::UNIX_EPOCH,
            attempts,
            generation: 1,
            jitter: 0.0,
            reading: false,
        }
    }

    #[test]
    fn pauses_double_up_to_seven_minutes() {
        let pauses: Vec<i64> = [1, 2, 3, 9, 10, 99]
            .map(|n| failure(n, false).retry_at().as_second())
            .into();
        assert_eq!(pauses, [1, 2, 4, 256, 420, 420]);
    }

    #[test]
    fn a_refused_declaration_is_examined_again_when_it_changes_or_after_an_hour() {
        let refused = failure(1, true);
        assert!(refused.blocks(1, Timestamp::from_second(3599).unwrap()));
        assert!(!refused.blocks(1, Timestamp::from_second(3601).unwrap()));
        assert!(!refused.blocks(2, Timestamp::UNIX_EPOCH));
    }
}
