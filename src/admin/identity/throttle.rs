//! Slows down whoever guesses: failures are counted by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures of one address within [`WINDOW`] after which it waits.
pub(super) const ATTEMPTS: u32 = 10;
/// How long failures count.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered at a time.
const ADDRESSES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: AtomicU64,
    addresses: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Throttle {
    /// Lets an attempt through, or says after how many seconds the next one is.
    pub(super) fn admit(&self, peer: IpAddr, now: Instant) -> Result<(), u64> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((since, count)) = addresses.get(&network(peer)) else {
            return Ok(());
        };
        let left = WINDOW.saturating_sub(now.saturating_duration_since(*since));
        if *count < ATTEMPTS || left.is_zero() {
            return Ok(());
        }
        Err(left.as_secs() + 1)
    }

    pub(super) fn failed(&self, peer: IpAddr, now: Instant) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |since: &Instant| now.saturating_duration_since(*since) >= WINDOW;
        if addresses.len() >= ADDRESSES {
            addresses.retain(|_, (since, _)| !over(since));
            if addresses.len() >= ADDRESSES {
                // So many addresses at once are one attacker; forgetting all is cheaper than growing.
                addresses.clear();
            }
        }
        let entry = addresses.entry(network(peer)).or_insert((now, 0));
        if over(&entry.0) {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }

    /// All failures since the start.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// One host owns a whole /64 of IPv6, and may change within it at will.
pub(in crate::admin) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_for_a_minute_and_by_address() {
        let throttle = Throttle::default();
        let [peer, other]: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
        let start = Instant::now();
        for _ in 0..ATTEMPTS {
            assert_eq!(throttle.admit(peer, start), Ok(()));
            throttle.failed(peer, start);
        }
        assert_eq!(throttle.admit(peer, start + Duration::from_secs(53)), Err(8));
        assert_eq!(throttle.admit(other, start), Ok(()));
        let later = start + WINDOW;
        assert_eq!(throttle.admit(peer, later), Ok(()));
        throttle.failed(peer, later);
        assert_eq!(throttle.admit(peer, later), Ok(()));
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for number in 0..ATTEMPTS {
            throttle.failed(format!("2001:db8::{number:x}").parse().unwrap(), now);
        }
        assert!(throttle.admit("2001:db8::ffff".parse().unwrap(), now).is_err());
        assert!(throttle.admit("2001:db8:0:1::1".parse().unwrap(), now).is_ok());
    }
}
