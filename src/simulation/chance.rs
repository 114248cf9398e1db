//! Chance out of a seed.
//!
//! SplitMix64 (Steele, Lea and Flood, 2014), written out here so that a seed means the same run with every version of
//! every library.

use std::time::Duration;

/// A series of numbers that a seed decides.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// A series of its own: what is taken out of one does not move the other.
    pub(super) fn fork(&mut self) -> Self {
        Chance(self.number())
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero that is smaller than `end`; zero when there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub(super) fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let length = u64::try_from(of.len()).unwrap_or(0);
        of.get(usize::try_from(self.below(length)).unwrap_or(0))
    }

    /// A time between two, to the millisecond.
    pub(super) fn duration(&mut self, from: Duration, to: Duration) -> Duration {
        let span = u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX - 1);
        from + Duration::from_millis(self.below(span + 1))
    }

    /// The same in whole milliseconds.
    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        self.duration(Duration::from_millis(from), Duration::from_millis(to))
    }

    /// The same in seconds.
    pub(super) fn seconds(&mut self, from: u64, to: u64) -> Duration {
        self.duration(Duration::from_secs(from), Duration::from_secs(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_series_of_the_algorithm() {
        let mut chance = Chance::new(1_234_567);
        let series: Vec<u64> = (0..3).map(|_| chance.number()).collect();
        assert_eq!(
            series,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
        let mut other = Chance::new(7);
        let mut fork = other.fork();
        assert_ne!(fork.number(), other.number());
        assert_eq!(other.below(0), 0);
        assert_eq!(other.pick::<u8>(&[]), None);
        assert!((0..100).all(|_| other.below(3) < 3));
    }
}
