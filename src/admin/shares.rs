//! Limits for each address and each credential, so that nobody uses up what is there for all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places for each of those who are told apart by a key.
#[derive(Debug)]
pub(super) struct Shares<K> {
    limit: usize,
    /// Of those who hold a place, and of a few who did until somebody else came.
    places: Mutex<HashMap<K, Weak<Semaphore>>>,
}

/// A place that is given back when it is dropped.
pub(super) type Share = OwnedSemaphorePermit;

impl<K: Hash + Eq + Clone> Shares<K> {
    pub(super) fn new(limit: usize) -> Self {
        Shares {
            limit,
            places: Mutex::default(),
        }
    }

    /// Takes a place; none when all of them are taken.
    pub(super) fn take(&self, key: &K) -> Option<Share> {
        self.of(key).try_acquire_owned().ok()
    }

    /// Waits for a place, behind others of the same key and nobody else; none when it does not come in time.
    pub(super) async fn wait(&self, key: &K, limit: Duration) -> Option<Share> {
        let place = self.of(key).acquire_owned();
        tokio::time::timeout(limit, place).await.ok()?.ok()
    }

    fn of(&self, key: &K) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = places.get(key).and_then(Weak::upgrade) {
            return known;
        }
        places.retain(|_, places| places.strong_count() > 0);
        let all = Arc::new(Semaphore::new(self.limit));
        places.insert(key.clone(), Arc::downgrade(&all));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_same_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let [one, other, third] = ["one", "other", "third"];
        let held = [shares.take(&one).unwrap(), shares.take(&one).unwrap()];
        assert!(shares.take(&one).is_none());
        assert!(shares.take(&other).is_some());
        drop(held);
        assert!(shares.take(&one).is_some());
        let _held = shares.take(&third).unwrap();
        assert_eq!(shares.places.lock().unwrap().len(), 1, "nobody is remembered for ever");
        assert!(Shares::new(0).take(&one).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_credential_waits_behind_itself_alone() {
        let shares = Shares::new(1);
        let limit = Duration::from_secs(5);
        let first = shares.wait(&"ann", limit).await.unwrap();
        assert!(shares.wait(&"ann", limit).await.is_none());
        assert!(shares.wait(&"bob", limit).await.is_some());
        drop(first);
        assert!(shares.wait(&"ann", limit).await.is_some());
    }
}
