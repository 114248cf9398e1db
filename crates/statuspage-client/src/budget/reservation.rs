//! How many requests may be started before the ledger is written again. Without clock and without waiting.

use std::time::Duration;

use tokio::time::Instant;

/// Requests that one write of the ledger allows, of a window of the usual size.
const MOST: usize = 10;
/// How long they may be started after the write. What a killed process had left is counted until a minute after this.
pub(super) const LIFE: Duration = Duration::from_secs(15);
/// Pause after the ledger failed for the first time.
const RETRY: Duration = Duration::from_secs(1);
/// Longest pause between attempts to reach the ledger.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// How much to put on record at once for a window of `limit` requests.
pub(super) fn size(limit: usize) -> usize {
    (limit / 6).clamp(1, MOST)
}

/// What is on record beyond what was started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reservation {
    /// Whether what an earlier process left was read.
    read: bool,
    left: usize,
    until: Option<Instant>,
    /// Slots that were taken and wait for a record, as a running number, and those of them that have it.
    waiting: u64,
    covered: u64,
    failures: u32,
    retry_at: Option<Instant>,
}

impl Reservation {
    pub(super) fn is_read(&self) -> bool {
        self.read
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// What an earlier process left is known now.
    pub(super) fn was_read(&mut self) {
        self.read = true;
        self.works();
    }

    /// Takes one request that is on record, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let fresh = self.until.is_some_and(|until| now < until);
        if self.left == 0 || !fresh {
            return false;
        }
        self.left -= 1;
        true
    }

    /// A request that is on record was not started after all.
    pub(super) fn give_back(&mut self) {
        self.left += 1;
    }

    /// A slot was taken that has to wait for the next record. Returns its number.
    pub(super) fn wait(&mut self) -> u64 {
        self.waiting += 1;
        self.waiting
    }

    /// Whether a slot that had to wait is on record.
    pub(super) fn covers(&self, slot: u64) -> bool {
        slot <= self.covered
    }

    /// Something new is about to be put on record. What was left before is no longer: the new record does not count it.
    /// Returns the last slot that it does count.
    pub(super) fn close(&mut self) -> u64 {
        self.left = 0;
        self.waiting
    }

    /// The slots up to this one are on record since `began`, and so many requests more.
    pub(super) fn open(&mut self, began: Instant, slot: u64, requests: usize) {
        self.covered = slot;
        // Given back meanwhile were requests that were under way when the record was made: it counts them.
        self.left += requests;
        self.until = Some(began + LIFE);
        self.works();
    }

    /// The ledger can be reached.
    pub(super) fn works(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// The ledger could not be reached.
    pub(super) fn failed(&mut self, now: Instant) {
        let pause = RETRY.saturating_mul(1 << self.failures.min(8)).min(LONGEST_RETRY);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + pause);
    }

    /// How long the ledger is not to be tried, because it has just failed.
    pub(super) fn blocked(&self, now: Instant) -> Option<Duration> {
        self.retry_at
            .map(|at| at.saturating_duration_since(now))
            .filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn so_many_requests_for_so_long() {
        let now = Instant::now();
        let mut reservation = Reservation::default();
        assert!(!reservation.take(now));
        reservation.open(now, 0, 2);
        assert!(reservation.take(now) && reservation.take(now + seconds(14)) && !reservation.take(now));
        reservation.give_back();
        assert!(!reservation.take(now + LIFE), "too old");
        assert!(reservation.take(now + seconds(14)));
        reservation.open(now, 0, 1);
        let slots = [reservation.wait(), reservation.wait()];
        assert_eq!(reservation.close(), slots[1]);
        assert!(!reservation.take(now), "a new record does not count the old one's rest");
        let late = reservation.wait();
        reservation.open(now, slots[1], 1);
        assert!(reservation.covers(slots[0]) && reservation.covers(slots[1]) && !reservation.covers(late));
    }

    #[test]
    fn a_ledger_that_fails_is_tried_less_and_less() {
        let mut now = Instant::now();
        let mut reservation = Reservation::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            reservation.failed(now);
            let pause = reservation.blocked(now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(reservation.blocked(now), None);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        reservation.open(now, 0, 1);
        assert!(!reservation.is_failing());
    }

    #[test]
    fn small_windows_reserve_little() {
        assert_eq!([0, 1, 6, 12, 60, 600].map(size), [1, 1, 1, 2, 10, 10]);
    }
}
