//! Something that fails again and again: said once when it begins, once when it fails in another way, and once when it
//! is over.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What fails now, if anything does.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<(String, Instant)>>);

impl Trouble {
    /// Notes a failure. True when nobody has heard of it yet.
    pub(super) fn is_news(&self, reason: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some((old, _)) if old == reason => false,
            Some((old, _)) => {
                reason.clone_into(old);
                true
            }
            None => {
                *known = Some((reason.to_owned(), Instant::now()));
                true
            }
        }
    }

    /// Notes a success. Returns how long it had failed, the first time.
    pub(super) fn is_over(&self) -> Option<Duration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        known.map(|(_, since)| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_told_when_it_begins_changes_and_ends() {
        let trouble = Trouble::default();
        assert!(trouble.is_over().is_none());
        assert!(trouble.is_news("full") && !trouble.is_news("full") && trouble.is_news("read-only"));
        assert!(trouble.is_over().is_some() && trouble.is_over().is_none());
        assert!(trouble.is_news("full"), "again");
    }
}
