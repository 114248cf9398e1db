//! The arithmetic of the budget, without clock and without waiting.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Length of the window over which the remote service counts.
pub const SPAN: Duration = Duration::from_secs(60);

/// Requests that still count against the allowance of a token.
///
/// A request counts from its start until [`SPAN`] after its end. It arrives at the remote service somewhere between the
/// two, so however long it travels, the remote service never sees more than the allowance in any window of that length.
#[derive(Clone, Debug)]
pub struct Window {
    limit: usize,
    /// What is kept for urgent requests at least.
    least_reserve: usize,
    /// What is kept for them now.
    reserve: usize,
    in_flight: usize,
    ended: VecDeque<Instant>,
    /// When the requests of other processes end, or have ended, in order.
    others: Vec<Instant>,
}

impl Window {
    /// A window of `limit` requests (0 is no limit), of which `reserve` are kept for urgent ones. The reserve is at
    /// most a quarter of the limit.
    #[must_use]
    pub fn new(limit: usize, reserve: usize) -> Self {
        let reserve = reserve.min(limit / 4);
        Self {
            limit,
            least_reserve: reserve,
            reserve,
            in_flight: 0,
            ended: VecDeque::new(),
            others: Vec::new(),
        }
    }

    /// Requests in any window; 0 is no limit.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Requests of any window that are kept for urgent ones.
    #[must_use]
    pub fn reserve(&self) -> usize {
        self.reserve
    }

    /// Leaves only `share` requests of any window to what is not urgent, and never more than the reserve allows.
    pub fn leave(&mut self, share: usize) {
        let least = self.least_reserve;
        let most = self.limit.saturating_sub(1).max(least);
        self.reserve = self.limit.saturating_sub(share).clamp(least, most);
    }

    fn kept(&self, urgent: bool) -> usize {
        if urgent { 0 } else { self.reserve }
    }

    /// Requests that have started and not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Requests that count at `now`.
    pub fn used(&mut self, now: Instant) -> usize {
        while let Some(ended) = self.ended.front() {
            if now < *ended + SPAN {
                break;
            }
            self.ended.pop_front();
        }
        self.others.retain(|ended| now < *ended + SPAN);
        self.in_flight + self.ended.len() + self.others.len()
    }

    /// What other processes have sent, by the ends of their requests, in the place of what was known of it before.
    pub fn share_with(&mut self, others: impl IntoIterator<Item = (Instant, usize)>) {
        let all = others.into_iter();
        let mut all: Vec<Instant> = all
            .flat_map(|(ended, requests)| std::iter::repeat_n(ended, requests.min(self.limit)))
            .collect();
        all.sort_unstable();
        // More than the limit says no more than the limit does, by the latest of them.
        let surplus = all.len().saturating_sub(self.limit);
        self.others = all.split_off(surplus);
    }

    /// True when more counts at `now` than may, the slots of requests that have started among it.
    pub fn is_overdrawn(&mut self, now: Instant, urgent: bool) -> bool {
        self.limit > 0 && self.used(now) + self.kept(urgent) > self.limit
    }

    /// Requests that may start at `now`.
    pub fn free(&mut self, now: Instant, urgent: bool) -> usize {
        if self.limit == 0 {
            return usize::MAX;
        }
        let kept = self.kept(urgent);
        self.limit.saturating_sub(self.used(now) + kept)
    }

    /// Starts a request if one may start.
    pub fn start(&mut self, now: Instant, urgent: bool) -> bool {
        let free = self.free(now, urgent) > 0;
        if free {
            self.in_flight += 1;
        }
        free
    }

    /// Ends a request: its slot is free again after [`SPAN`].
    pub fn end(&mut self, now: Instant) {
        if self.in_flight > 0 {
            self.in_flight -= 1;
            if self.limit > 0 {
                // Ends are kept in order even if a caller's clock reading is a little old.
                let latest = self.ended.back().map_or(now, |latest| now.max(*latest));
                self.ended.push_back(latest);
            }
        }
    }

    /// Requests of somebody else, or of an earlier process, ended at a time; no later than `now`.
    pub fn count(&mut self, now: Instant, ended: Instant, requests: usize) {
        if now >= ended + SPAN {
            return;
        }
        let place = self.ended.partition_point(|other| *other <= ended);
        for _ in 0..requests.min(self.limit) {
            self.ended.insert(place, ended.min(now));
        }
        // More than the limit says no more than the limit does, by the latest of them.
        let surplus = self.ended.len().saturating_sub(self.limit);
        self.ended.drain(..surplus);
    }

    /// When the requests that have ended and count at `now` did so, the oldest first.
    pub fn ended(&mut self, now: Instant) -> impl Iterator<Item = Instant> {
        self.used(now);
        self.ended.iter().copied()
    }

    /// Gives back a slot whose request was never sent.
    pub fn cancel(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// How long until the `count`-th further request may start. A request in flight is taken to end now, so with some
    /// of those the answer is a lower bound.
    pub fn wait(&mut self, now: Instant, urgent: bool, count: usize) -> Duration {
        if count <= self.free(now, urgent) {
            return Duration::ZERO;
        }
        let kept = self.kept(urgent);
        let capacity = self.limit - kept;
        // Slots in the order in which they come free; a normal request has to leave `kept` of them alone.
        let slot = kept + (count - 1) % capacity;
        let used = self.used(now);
        let mut ended: Vec<Instant> = self.ended.iter().chain(&self.others).copied().collect();
        ended.sort_unstable();
        let unused = self.limit.saturating_sub(used);
        // With more requests than the limit, the first to come free again are of no use.
        let surplus = used.saturating_sub(self.limit);
        let first = if slot < unused {
            Duration::ZERO
        } else {
            ended
                .get(slot - unused + surplus)
                .map_or(SPAN, |ended| (*ended + SPAN).saturating_duration_since(now))
        };
        let rounds = u32::try_from((count - 1) / capacity).unwrap_or(u32::MAX);
        first.saturating_add(SPAN.saturating_mul(rounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_slot_counts_until_a_window_after_the_end() {
        let start = Instant::now();
        let mut window = Window::new(1, 0);
        assert!(window.start(start, false));
        assert!(!window.start(start + seconds(100), false), "still in flight");
        window.end(start + seconds(100));
        assert_eq!(window.wait(start + seconds(110), false, 1), seconds(50));
        assert!(!window.start(start + seconds(159), false));
        assert!(window.start(start + seconds(160), false));
    }

    #[test]
    fn the_reserve_is_for_the_urgent_and_never_more_than_a_quarter() {
        let now = Instant::now();
        let mut window = Window::new(8, 5);
        assert_eq!((window.free(now, false), window.free(now, true)), (6, 8));
        while window.start(now, false) {}
        assert_eq!((window.free(now, false), window.free(now, true)), (0, 2));
        assert_eq!(Window::new(60, 5).free(now, false), 55);
        assert_eq!(Window::new(3, 5).free(now, false), 3);
    }

    #[test]
    fn what_was_sent_before_counts() {
        let now = Instant::now() + seconds(1000);
        let mut window = Window::new(4, 0);
        window.count(now, now - seconds(70), 4);
        assert_eq!(window.used(now), 0, "long over");
        window.count(now, now - seconds(10), 1);
        window.count(now, now - seconds(50), 2);
        window.count(now, now + seconds(500), 1);
        let ended: Vec<u64> = window.ended(now).map(|ended| (now - ended).as_secs()).collect();
        assert_eq!(ended, [50, 50, 10, 0]);
        assert_eq!(window.wait(now, false, 1), seconds(10));
        assert_eq!(window.wait(now, false, 3), seconds(50));
        window.count(now, now - seconds(20), usize::MAX);
        assert_eq!(window.used(now), 4);
        assert_eq!(window.wait(now, false, 1), seconds(40));
    }

    #[test]
    fn more_than_the_limit_waits_for_the_surplus_too() {
        let now = Instant::now() + seconds(1000);
        let mut window = Window::new(2, 0);
        assert!(window.start(now, false) && window.start(now, false));
        window.count(now, now - seconds(50), 1);
        window.count(now, now - seconds(20), 1);
        // Four of two: two under way, and both that have ended have to go first.
        assert_eq!(window.used(now), 4);
        window.end(now);
        window.end(now);
        assert_eq!(window.wait(now, false, 1), seconds(60));
        assert!(!window.start(now + seconds(59), false));
        assert!(window.start(now + seconds(60), false));
    }

    #[test]
    fn a_smaller_share_is_for_the_urgent() {
        let now = Instant::now();
        let mut window = Window::new(60, 5);
        for (share, normal) in [(100, 55), (60, 55), (55, 55), (30, 30), (1, 1), (0, 1)] {
            window.leave(share);
            assert_eq!(
                (window.free(now, false), window.free(now, true)),
                (normal, 60),
                "{share}"
            );
        }
        window.leave(30);
        while window.start(now, false) {}
        assert_eq!((window.free(now, false), window.free(now, true)), (0, 30));
        for _ in 0..30 {
            window.end(now);
        }
        assert_eq!(window.wait(now, false, 1), seconds(60));
        assert_eq!(window.wait(now, false, 31), seconds(120));
        let mut one = Window::new(1, 5);
        one.leave(0);
        assert_eq!(one.free(now, false), 1);
    }

    #[test]
    fn no_limit_is_no_limit() {
        let now = Instant::now();
        let mut window = Window::new(0, 5);
        for _ in 0..1000 {
            assert!(window.start(now, false));
            assert!(!window.is_overdrawn(now, false));
            window.end(now);
        }
        assert_eq!(window.used(now), 0, "nothing is kept in mind for ever");
        assert_eq!(window.wait(now, false, 5000), Duration::ZERO);
    }

    #[test]
    fn long_work_is_estimated_in_rounds() {
        let now = Instant::now();
        let mut window = Window::new(60, 5);
        assert_eq!(window.wait(now, false, 55), Duration::ZERO);
        assert_eq!(window.wait(now, false, 56), seconds(60));
        assert_eq!(window.wait(now, false, 110), seconds(60));
        assert_eq!(window.wait(now, false, 111), seconds(120));
        assert_eq!(window.wait(now, false, 212), seconds(180));
        assert_eq!(window.wait(now, true, 60), Duration::ZERO);
    }

    #[test]
    fn a_slot_that_was_not_used_comes_back_at_once() {
        let now = Instant::now();
        let mut window = Window::new(1, 0);
        assert!(window.start(now, false));
        window.cancel();
        assert!(window.start(now, false));
        window.cancel();
        window.end(now);
        assert_eq!(window.used(now), 0, "what never started does not end");
    }

    proptest! {
        /// Requests start whenever they may, arrive anywhere on their way and end at some time. No window of 60 s at
        /// the remote service ever holds more than the limit, and what is waited for is granted.
        #[test]
        fn never_more_than_the_limit_in_any_window(
            limit in 1_usize..12,
            requests in prop::collection::vec((0_u64..20_000, 0_u64..40_000, 0.0_f64..1.0, any::<bool>()), 1..120),
        ) {
            let epoch = Instant::now();
            let mut window = Window::new(limit, 5);
            let mut running: Vec<Instant> = Vec::new();
            let mut arrivals = Vec::new();
            let mut now = epoch;
            for (gap, duration, place, urgent) in requests {
                now += Duration::from_millis(gap);
                loop {
                    running.sort();
                    while running.first().is_some_and(|end| *end <= now) {
                        window.end(running.remove(0));
                    }
                    if window.start(now, urgent) {
                        break;
                    }
                    let wait = window.wait(now, urgent, 1);
                    prop_assert!(wait > Duration::ZERO);
                    now = running.first().map_or(now + wait, |end| (now + wait).min(*end));
                }
                let duration = Duration::from_millis(duration);
                arrivals.push(now + duration.mul_f64(place));
                running.push(now + duration);
            }
            arrivals.sort();
            for (index, first) in arrivals.iter().enumerate() {
                let seen = arrivals[index..].iter().take_while(|arrival| **arrival < *first + SPAN).count();
                prop_assert!(seen <= limit, "{seen} of {limit}");
            }
        }
    }
}
