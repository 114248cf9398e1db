//! What the clock of the remote service shows, as far as its replies tell.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// So many replies have a say.
const KEPT: usize = 5;

/// How far the remote clock is ahead of the time of this process. One odd reply does not move it.
#[derive(Clone, Debug, Default)]
pub(super) struct RemoteClock {
    ahead: VecDeque<SignedDuration>,
}

impl RemoteClock {
    /// A reply came that was dated by the remote service.
    pub(super) fn observe(&mut self, date: Timestamp, received: Timestamp) {
        if self.ahead.len() == KEPT {
            self.ahead.pop_front();
        }
        self.ahead.push_back(date.duration_since(received));
    }

    /// What it shows at a time of this process; none before the first reply.
    pub(super) fn at(&self, now: Timestamp) -> Option<Timestamp> {
        let mut ahead: Vec<SignedDuration> = self.ahead.iter().copied().collect();
        ahead.sort_unstable();
        let median = *ahead.get(ahead.len() / 2)?;
        now.checked_add(median).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_odd_date_among_several_means_nothing() {
        let mut clock = RemoteClock::default();
        assert_eq!(clock.at(at(0)), None);
        for second in 0..4 {
            clock.observe(at(second + 600), at(second));
        }
        clock.observe(at(1_000_000), at(4));
        assert_eq!(clock.at(at(10)), Some(at(610)));
    }
}
