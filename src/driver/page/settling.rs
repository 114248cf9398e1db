//! Whether a command that works until all is as declared goes on after a pass, and when.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{PATIENCE, PageDriver, PassEnd};
use crate::api::Reason;
use crate::driver::Store;
use crate::engine::{Finding, ObjectKey, State};

/// Nothing could be recorded for so long: whoever ran the command has to see to it.
const UNRECORDED: Duration = Duration::from_secs(30);

/// What a command has seen of its passes so far.
#[derive(Debug)]
pub struct Settling {
    /// It goes on for so long at most.
    until: Timestamp,
    last_success: Timestamp,
    succeeded: u64,
    last_progress: (Timestamp, Vec<(ObjectKey, String)>),
}

impl Settling {
    /// Begins at a time of the process; `limit` is how long the command may take.
    pub fn begin(now: Timestamp, limit: Duration) -> Self {
        Settling {
            until: after(now, limit),
            last_success: now,
            succeeded: 0,
            last_progress: (now, Vec::new()),
        }
    }

    /// How long to wait before the next pass; none when nothing is left that time would mend, when nothing has succeeded
    /// or moved for [`PATIENCE`], or nothing could be recorded for half a minute.
    pub fn pause<S: Store>(&mut self, driver: &mut PageDriver<S>, end: PassEnd) -> Option<Duration> {
        let now = driver.options.clock.steady();
        let totals = driver.totals();
        let done = totals.reads + totals.writes + totals.requests;
        let successes = done - totals.failures.min(done);
        if successes > self.succeeded {
            (self.last_success, self.succeeded) = (now, successes);
        }
        let findings = driver.current().map(|(_, plan)| plan.findings).unwrap_or_default();
        let moving = progressing(findings);
        if moving != self.last_progress.1 {
            self.last_progress = (now, moving);
        }
        if let Some(away) = &driver.store_away
            && now > after(away.since, UNRECORDED)
        {
            return None;
        }
        let (wake, since) = match end {
            PassEnd::Idle(Some(wake)) if driver.waits_for_time() => (wake, self.last_success),
            // Nothing fails: something is on its way, and is waited for as long as it moves.
            PassEnd::Idle(Some(wake)) if !self.last_progress.1.is_empty() => (wake, self.last_progress.0),
            _ => return None,
        };
        let wake = wake.max(now);
        (wake <= self.until && wake <= after(since, PATIENCE)).then(|| wake.duration_since(now).unsigned_abs())
    }
}

fn after(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// What is on its way, and does not wait for something that only a person can do.
fn progressing(findings: Vec<Finding>) -> Vec<(ObjectKey, String)> {
    let moves = |finding: &Finding| match finding.state {
        State::Unknown => true,
        State::Progressing => finding.reason != Reason::WaitingForReference,
        State::InSync | State::Suspended | State::Stalled => false,
    };
    let moving = findings.into_iter().filter(moves);
    moving.map(|finding| (finding.key, finding.message)).collect()
}
