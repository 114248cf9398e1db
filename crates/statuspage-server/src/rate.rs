//! The request budget of one token: a window that rolls with time.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// The length of the window in seconds.
const WINDOW: i64 = 60;

/// The admitted requests of one token in the last minute. Rejected ones are not remembered, so they do not count.
#[derive(Debug, Default)]
pub(super) struct RateWindow {
    admitted: VecDeque<Timestamp>,
    unpaginated: BTreeMap<String, Timestamp>,
}

impl RateWindow {
    /// Admits a request at `now`, or says after how many seconds to come again. A list that is read without paging is
    /// named, because each of those is admitted once in a minute only.
    pub(super) fn admit(&mut self, now: Timestamp, limit: u32, unpaginated: Option<&str>) -> Result<(), u64> {
        if limit == 0 {
            return Ok(());
        }
        if unpaginated
            .and_then(|list| self.unpaginated.get(list))
            .is_some_and(|last| now.duration_since(*last) < SignedDuration::from_secs(WINDOW))
        {
            return Err(60);
        }
        while self
            .admitted
            .front()
            .is_some_and(|first| now.duration_since(*first) >= SignedDuration::from_secs(WINDOW))
        {
            self.admitted.pop_front();
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.admitted.len() < limit {
            self.admitted.push_back(now);
            if let Some(list) = unpaginated {
                // Whoever asks may name any list: only those that still count are remembered.
                self.unpaginated
                    .retain(|_, last| now.duration_since(*last) < SignedDuration::from_secs(WINDOW));
                self.unpaginated.insert(list.to_owned(), now);
            }
            return Ok(());
        }
        // The slot that frees next is the one that, once gone, leaves fewer than the limit.
        let position = self.admitted.len() - limit;
        Err(self.admitted.get(position).map_or(1, |first| remaining(*first, now)))
    }
}

/// Whole seconds until `first` leaves the window, at least one.
fn remaining(first: Timestamp, now: Timestamp) -> u64 {
    let left = SignedDuration::from_secs(WINDOW) - now.duration_since(first);
    let whole = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    u64::try_from(whole.max(1)).unwrap_or(1)
}

/// The largest number of instants that fall into any window of a minute; `instants` must be in order.
pub(super) fn peak(instants: &[Timestamp]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, now) in instants.iter().enumerate() {
        while instants
            .get(first)
            .is_some_and(|begin| now.duration_since(*begin) >= SignedDuration::from_secs(WINDOW))
        {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn sixty_fit_and_the_next_waits_for_the_oldest() {
        let mut window = RateWindow::default();
        for request in 0..60 {
            assert_eq!(window.admit(at(request * 100), 60, None), Ok(()));
        }
        assert_eq!(window.admit(at(6_000), 60, None), Err(54));
        assert_eq!(window.admit(at(59_999), 60, None), Err(1));
        assert_eq!(window.admit(at(60_000), 60, None), Ok(()));
        assert_eq!(window.admit(at(60_050), 60, None), Err(1));
    }

    #[test]
    fn rejected_requests_do_not_count_and_zero_is_no_limit() {
        let mut window = RateWindow::default();
        assert_eq!(window.admit(at(0), 1, None), Ok(()));
        for _ in 0..100 {
            assert!(window.admit(at(1_000), 1, None).is_err());
        }
        assert_eq!(window.admit(at(60_000), 1, None), Ok(()));
        for _ in 0..1_000 {
            assert_eq!(window.admit(at(60_000), 0, None), Ok(()));
        }
    }

    #[test]
    fn unpaginated_lists_are_once_a_minute_each() {
        let mut window = RateWindow::default();
        assert_eq!(window.admit(at(0), 2, Some("components")), Ok(()));
        assert_eq!(window.admit(at(59_000), 2, Some("components")), Err(60));
        assert_eq!(window.admit(at(59_000), 2, Some("page_access_users")), Ok(()));
        assert_eq!(window.admit(at(60_000), 2, Some("components")), Ok(()));
        assert_eq!(window.admit(at(60_001), 0, Some("components")), Ok(()));
        for minute in 2..100 {
            let list = format!("list {minute}");
            assert_eq!(window.admit(at(minute * 60_000), 2, Some(&list)), Ok(()));
        }
        assert_eq!(
            window.unpaginated.len(),
            1,
            "lists that do not count any more are forgotten"
        );
    }

    #[test]
    fn peaks_are_measured_over_any_window() {
        let instants: Vec<Timestamp> = [0, 30_000, 59_999, 60_000, 61_000, 200_000].map(at).into();
        assert_eq!(peak(&instants), 4);
        assert_eq!(peak(&[]), 0);
    }
}
