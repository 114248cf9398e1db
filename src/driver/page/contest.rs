//! Statuses that somebody else writes over: another process that sees the page otherwise.
//!
//! Two of them would write over each other's word for ever, as fast as they hear of it. What was written and is not there any
//! more, though nothing of ours has changed, is written again once, and then after longer and longer pauses: by then both have
//! read the page again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::engine::{Declaration, ObjectKey, Status};

/// Pause before a status is written the third time; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// What was written so long ago is no contest.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// So often somebody may have written over ours before it is told.
const TOLD_AFTER: u32 = 3;

/// What was written last.
#[derive(Debug)]
struct Word {
    status: Arc<Status>,
    at: Timestamp,
    /// How often in a row it was written over.
    contested: u32,
}

/// What this process wrote last of each declaration.
#[derive(Debug, Default)]
pub(super) struct Contest {
    words: HashMap<ObjectKey, Word>,
}

impl Contest {
    /// Until when this status is not to be written, because somebody else has written over it.
    pub(super) fn holds_back(
        &self,
        declaration: &Declaration,
        status: &Arc<Status>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let word = self.contested(declaration, status, now)?;
        if word.contested == 0 {
            return None;
        }
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (word.contested - 1).min(16))
            .min(LONGEST_PAUSE);
        word.at.saturating_add(pause).ok().filter(|until| now < *until)
    }

    /// A status was written over what the store held. True when it is time to tell that somebody else keeps writing another.
    pub(super) fn wrote(&mut self, declaration: &Declaration, status: &Arc<Status>, now: Timestamp) -> bool {
        let contested = self
            .contested(declaration, status, now)
            .map_or(0, |word| word.contested + 1);
        let word = Word {
            status: Arc::clone(status),
            at: now,
            contested,
        };
        self.words.insert(declaration.key.clone(), word);
        contested == TOLD_AFTER
    }

    /// Forgets all but these.
    pub(super) fn retain(&mut self, keep: impl Fn(&ObjectKey) -> bool) {
        self.words.retain(|key, _| keep(key));
    }

    /// What was written last, if it is to be written again over something else.
    fn contested(&self, declaration: &Declaration, status: &Arc<Status>, now: Timestamp) -> Option<&Word> {
        let word = self.words.get(&declaration.key)?;
        let said = without_times(&word.status);
        let again = said == without_times(status) && said != without_times(&declaration.stored);
        (again && now.duration_since(word.at) < FORGOTTEN_AFTER).then_some(word)
    }
}

fn without_times(status: &Status) -> Status {
    let mut status = status.clone();
    let object = status.object_mut();
    object.last_sync_time = None;
    for condition in &mut object.conditions {
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;
    use crate::engine::Spec;

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn status(url: &str, synced: i64) -> Arc<Status> {
        let mut status = Status::empty(Kind::Component);
        status.object_mut().url = Some(url.to_owned());
        status.object_mut().last_sync_time = Some(Time(seconds(synced)));
        Arc::new(status)
    }

    #[test]
    fn what_somebody_else_writes_over_is_written_less_and_less() {
        let key = ObjectKey::new(Kind::Component, "team", "api");
        let mut declaration = Declaration::new(key, "uid".to_owned(), seconds(0), Spec::Removed(Default::default()));
        let mut contest = Contest::default();
        let mut now = 0;
        let mut written = Vec::new();
        let mut told = Vec::new();
        while now < 1000 {
            declaration.stored = status("theirs", now);
            let ours = status("ours", now);
            if contest.holds_back(&declaration, &ours, seconds(now)).is_none() {
                written.push(now);
                if contest.wrote(&declaration, &ours, seconds(now)) {
                    told.push(now);
                }
            }
            now += 1;
        }
        assert_eq!(written, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811]);
        assert_eq!(told, [7], "once");
        // Something else is told at once, and so is the same after a change of what we say.
        let other = status("other", now);
        assert_eq!(contest.holds_back(&declaration, &other, seconds(now)), None);
        contest.wrote(&declaration, &other, seconds(now));
        declaration.stored = status("other", now);
        assert_eq!(
            contest.holds_back(&declaration, &status("ours", now), seconds(now)),
            None
        );
        contest.retain(|_| false);
        assert!(contest.words.is_empty());
    }
}
