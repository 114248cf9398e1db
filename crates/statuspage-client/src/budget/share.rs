//! What of a token's window is ours, when other programs use the same token.
//!
//! A refusal though our own window has room says that somebody else sends too. Then everything but incidents makes do
//! with half of what it had, and gets it back bit by bit while nothing is refused. Programs that all do so use the window
//! well and are seldom refused; they do not always get the same.

use std::time::Duration;

use tokio::time::Instant;

use super::SPAN;

/// The part of the limit that is always ours, and the part that comes back after each minute without a refusal.
const PART: usize = 12;

/// The part of a limit that may be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    limit: usize,
    /// What was left after the last refusal, and since when it grows.
    reduced: Option<(usize, Instant)>,
}

impl Share {
    /// All of it.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, reduced: None }
    }

    fn part(&self) -> usize {
        (self.limit / PART).max(1)
    }

    /// Requests in any window that everything but incidents may use at `now`.
    pub(super) fn at(&self, now: Instant) -> usize {
        let Some((left, since)) = self.reduced else {
            return self.limit;
        };
        let minutes = now.saturating_duration_since(since).as_secs() / SPAN.as_secs();
        let back = usize::try_from(minutes)
            .unwrap_or(usize::MAX)
            .saturating_mul(self.part());
        left.saturating_add(back).min(self.limit)
    }

    /// A request was refused though there was room; nothing is sent for the length of the pause.
    pub(super) fn refused(&mut self, now: Instant, pause: Duration) {
        let left = (self.at(now) / 2).max(self.part()).min(self.limit);
        self.reduced = Some((left, now + pause));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::super::throttle::Throttle;
    use super::super::window::Window;
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn half_of_it_after_a_refusal_and_the_rest_bit_by_bit() {
        let now = Instant::now();
        let mut share = Share::new(60);
        assert_eq!(share.at(now), 60);
        share.refused(now, seconds(10));
        let later = |after| share.at(now + seconds(after));
        assert_eq!([0, 69, 70, 129, 130, 369, 370].map(later), [30, 30, 35, 35, 40, 55, 60]);
        assert_eq!(later(1_000_000), 60);
    }

    #[test]
    fn some_of_it_is_always_left() {
        let now = Instant::now();
        for limit in [1, 2, 11, 12, 60, 600] {
            let mut share = Share::new(limit);
            for _ in 0..20 {
                share.refused(now, Duration::ZERO);
            }
            assert_eq!(share.at(now), (limit / 12).max(1), "{limit}");
        }
    }

    /// A service that counts requests in a window and refuses what is too much.
    struct Service {
        limit: usize,
        taken: VecDeque<Instant>,
        /// Whether it says how long to wait.
        tells: bool,
    }

    impl Service {
        /// Takes a request, or says how long to wait.
        fn take(&mut self, now: Instant) -> Result<(), Option<Duration>> {
            while self.taken.front().is_some_and(|taken| *taken + SPAN <= now) {
                self.taken.pop_front();
            }
            if self.taken.len() < self.limit {
                self.taken.push_back(now);
                return Ok(());
            }
            let free = self.taken.front().map(|taken| *taken + SPAN - now);
            Err(free.filter(|_| self.tells))
        }
    }

    /// A program that always has something to send.
    struct Program {
        window: Window,
        share: Share,
        throttle: Throttle,
        paused_until: Instant,
        taken: usize,
        refused: usize,
    }

    impl Program {
        fn new(limit: usize, now: Instant) -> Self {
            Self {
                window: Window::new(limit, 5),
                share: Share::new(limit),
                throttle: Throttle::default(),
                paused_until: now,
                taken: 0,
                refused: 0,
            }
        }

        /// Sends what it may.
        fn go(&mut self, now: Instant, service: &mut Service) {
            loop {
                self.window.leave(self.share.at(now));
                if now < self.paused_until || !self.window.start(now, false) {
                    return;
                }
                self.window.end(now);
                match service.take(now) {
                    Ok(()) => {
                        self.taken += 1;
                        self.throttle.answered(now);
                    }
                    Err(asked) => {
                        self.refused += 1;
                        let pause = self.throttle.refused(now, now, asked);
                        self.paused_until = now + pause;
                        if self.window.free(now, true) > 0 {
                            self.share.refused(now, pause);
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Programs that share a token, each with more to send than there is: the window is well used and little is
        /// refused.
        #[test]
        fn programs_share_a_token(
            limit in prop::sample::select(vec![30_usize, 60, 120]),
            starts in prop::collection::vec(0_u64..300, 2..4),
            tells in any::<bool>(),
            // Who comes first in each second.
            order in prop::collection::vec(0_usize..3, 97),
        ) {
            let begin = Instant::now();
            let minutes = 60;
            let mut service = Service { limit, taken: VecDeque::new(), tells };
            let mut programs: Vec<_> = starts.iter().map(|_| Program::new(limit, begin)).collect();
            for second in 0..minutes * 60 {
                let first = order[usize::try_from(second).unwrap() % order.len()];
                for number in 0..programs.len() {
                    let number = (first + number) % programs.len();
                    if second >= starts[number] {
                        programs[number].go(begin + seconds(second), &mut service);
                    }
                }
            }
            let taken: usize = programs.iter().map(|program| program.taken).sum();
            let refused: usize = programs.iter().map(|program| program.refused).sum();
            let most = limit * usize::try_from(minutes).unwrap();
            prop_assert!(taken * 2 >= most, "{taken} of {most}");
            prop_assert!(refused * 10 <= taken, "{refused} refused, {taken} taken");
        }

        /// Another program sends at its own pace and knows nothing of us: what it leaves is mostly used.
        #[test]
        fn what_others_leave_is_used(others in 5_u64..50, tells in any::<bool>()) {
            let begin = Instant::now();
            let (limit, minutes) = (60, 60);
            let mut service = Service { limit, taken: VecDeque::new(), tells };
            let mut program = Program::new(limit, begin);
            for tick in 0..minutes * others {
                let now = begin + SPAN.mul_f64(f64::from(u32::try_from(tick).unwrap()) / others as f64);
                let _ = service.take(now);
                program.go(now, &mut service);
            }
            let left = (limit - usize::try_from(others).unwrap()) * usize::try_from(minutes).unwrap();
            prop_assert!(program.taken * 2 >= left, "{} of {left}", program.taken);
            prop_assert!(program.refused * 5 <= program.taken.max(200), "{} refused", program.refused);
        }

        /// Never nothing, never more than the limit, less after each refusal, and all of it after a quiet while.
        #[test]
        fn a_share_stays_within_its_bounds(
            limit in 1_usize..500,
            events in prop::collection::vec((0_u64..400, 0_u64..100, any::<bool>()), 0..60),
        ) {
            let mut now = Instant::now();
            let mut share = Share::new(limit);
            for (wait, pause, refused) in events {
                let before = share.at(now);
                now += seconds(wait);
                prop_assert!(share.at(now) >= before);
                if refused {
                    let before = share.at(now);
                    share.refused(now, seconds(pause));
                    prop_assert!(share.at(now) <= before);
                }
                prop_assert!((1..=limit).contains(&share.at(now)));
            }
            prop_assert_eq!(share.at(now + seconds(100) + SPAN * 24), limit);
        }
    }
}
