//! How long a token pauses after the remote service said "too many requests".
//!
//! The service asks for a time with `Retry-After`, mostly. Whatever it asks for, or fails to ask for, asking again at
//! once would only be refused again: so there is a least pause, which grows while the refusals go on.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first refusal.
const SHORTEST: Duration = Duration::from_secs(5);
/// What the least pause grows to.
const LONGEST_LEAST: Duration = Duration::from_secs(600);
/// Longest pause that is honoured, so that one odd header does not stop a token for days.
const LONGEST: Duration = Duration::from_secs(3600);

/// Refusals in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throttle {
    refusals: u32,
    last: Option<Instant>,
}

impl Throttle {
    /// A request was refused: how long nobody sends. Requests that were under way together are refused together, which
    /// counts once.
    pub(super) fn refused(&mut self, started: Instant, now: Instant, asked: Option<Duration>) -> Duration {
        if self.is_news(started) {
            self.refusals = self.refusals.saturating_add(1);
            self.last = Some(now);
        }
        let doubled = SHORTEST.saturating_mul(1 << self.refusals.saturating_sub(1).min(16));
        let least = doubled.min(LONGEST_LEAST);
        asked.unwrap_or_default().clamp(least, LONGEST)
    }

    /// A request was answered: the service takes them again.
    pub(super) fn answered(&mut self, started: Instant) {
        if self.is_news(started) {
            *self = Self::default();
        }
    }

    /// Whether a request began after the last refusal: what happens to an older one says nothing new.
    pub(super) fn is_news(&self, started: Instant) -> bool {
        self.last.is_none_or(|last| started >= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Pauses after refusals in a row, each of a request that waited for the pause before it.
    fn pauses(throttle: &mut Throttle, now: &mut Instant, asked: &[Option<u64>]) -> Vec<u64> {
        let pause = |asked: &Option<u64>| {
            let pause = throttle.refused(*now, *now, asked.map(seconds));
            *now += pause;
            pause.as_secs()
        };
        asked.iter().map(pause).collect()
    }

    #[test]
    fn the_pause_grows_while_the_refusals_go_on() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let least = pauses(&mut throttle, &mut now, &[None; 10]);
        assert_eq!(least, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
        throttle.answered(now);
        assert_eq!(pauses(&mut throttle, &mut now, &[None; 2]), [5, 10]);
    }

    #[test]
    fn what_the_service_asks_for_is_honoured_within_bounds() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let asked = [Some(60), Some(1), Some(0), Some(7200), Some(30)];
        assert_eq!(pauses(&mut throttle, &mut now, &asked), [60, 10, 20, 3600, 80]);
    }

    #[test]
    fn requests_under_way_together_are_refused_together() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(throttle.refused(now, now + seconds(1), None), seconds(5));
        }
        // One of them gets through: it says nothing of what came after it.
        throttle.answered(now);
        assert_eq!(throttle.refused(now + seconds(6), now + seconds(7), None), seconds(10));
    }

    proptest! {
        /// However long the service refuses and whatever it asks for, the pause is within its bounds and there is never
        /// more than one request in it.
        #[test]
        fn a_pause_is_never_short(asked in prop::collection::vec(prop::option::of(any::<u64>()), 1..60)) {
            let (mut throttle, mut now) = (Throttle::default(), Instant::now());
            let mut least = seconds(5);
            for asked in asked {
                let asked = asked.map(seconds);
                let pause = throttle.refused(now, now, asked);
                prop_assert!(pause >= least && pause <= LONGEST);
                prop_assert!(pause >= asked.unwrap_or_default().min(LONGEST));
                least = (least * 2).min(LONGEST_LEAST);
                now += pause;
            }
        }
    }
}
