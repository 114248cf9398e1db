//! Limits for each address and each credential, so that nobody uses up what is there for all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places for each of those who are told apart by a key.
#[derive(Debug)]
pub(super) struct Shares<K> {
    limit: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share<K: Hash + Eq> {
    shares: Arc<Shares<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// So many places each.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Shares {
            limit,
            taken: Mutex::default(),
        })
    }

    /// Takes a place; none when all of them are taken.
    pub(super) fn take(self: &Arc<Self>, key: &K) -> Option<Share<K>> {
        let mut taken = self.taken();
        let count = taken.entry(key.clone()).or_default();
        if *count >= self.limit {
            if *count == 0 {
                taken.remove(key);
            }
            return None;
        }
        *count += 1;
        Some(Share {
            shares: Arc::clone(self),
            key: key.clone(),
        })
    }
}

impl<K> Shares<K> {
    fn taken(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

/// So many at a time of each credential; further ones wait for their turn, behind their own and nobody else's.
#[derive(Debug)]
pub(super) struct Lanes {
    width: usize,
    lanes: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Lanes {
    /// So many at a time.
    pub(super) fn new(width: usize) -> Self {
        Lanes {
            width,
            lanes: Mutex::default(),
        }
    }

    /// Waits for a turn; none when it does not come in time.
    pub(super) async fn enter(&self, credential: &str, limit: Duration) -> Option<OwnedSemaphorePermit> {
        let lane = self.lane(credential);
        tokio::time::timeout(limit, lane.acquire_owned()).await.ok()?.ok()
    }

    fn lane(&self, credential: &str) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(credential).and_then(Weak::upgrade) {
            return lane;
        }
        lanes.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::new(Semaphore::new(self.width));
        lanes.insert(credential.to_owned(), Arc::downgrade(&lane));
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_same_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let [one, other] = ["one", "other"];
        let held = [shares.take(&one).unwrap(), shares.take(&one).unwrap()];
        assert!(shares.take(&one).is_none());
        assert!(shares.take(&other).is_some());
        drop(held);
        assert!(shares.take(&one).is_some());
        assert!(shares.taken().is_empty(), "nobody is remembered for ever");
        assert!(Shares::new(0).take(&one).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_waits_behind_itself_alone() {
        let lanes = Lanes::new(1);
        let limit = Duration::from_secs(5);
        let first = lanes.enter("ann", limit).await.unwrap();
        assert!(lanes.enter("ann", limit).await.is_none());
        assert!(lanes.enter("bob", limit).await.is_some());
        drop(first);
        assert!(lanes.enter("ann", limit).await.is_some());
    }
}
