//! How far the work on all pages is: a line that moves on a terminal, a line now and then elsewhere.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::screen::{self, Lines};
use super::tally::Tally;
use crate::driver::Pending;

const TICK: Duration = Duration::from_millis(250);
/// Where no line can move, another one is worth its place after so long.
const PAUSE: Duration = Duration::from_secs(60);
/// Characters of the bar itself.
const BAR: usize = 24;

/// What the drivers of a session have still to do. Clones share the drivers.
#[derive(Clone, Debug, Default)]
pub(super) struct Bar {
    drivers: Arc<Mutex<Vec<watch::Receiver<Pending>>>>,
}

/// How far all pages are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    done: u64,
    left: usize,
    /// How long the rest waits for the request budget.
    wait: Duration,
    /// How long the next request waits for it.
    next: Duration,
}

/// Takes the line away, however the work ends.
struct Shown;

impl Drop for Shown {
    fn drop(&mut self) {
        screen::show(None);
    }
}

impl Bar {
    fn drivers(&self) -> MutexGuard<'_, Vec<watch::Receiver<Pending>>> {
        self.drivers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a driver in.
    pub(super) fn follow(&self, driver: watch::Receiver<Pending>) {
        self.drivers().push(driver);
    }

    /// What is left to do, how long it takes, with the pages of one token one after the other, and when it goes on.
    fn left(&self) -> (usize, Duration, Duration) {
        let mut drivers = self.drivers();
        drivers.retain(|driver| driver.has_changed().is_ok());
        let all: Vec<Pending> = drivers.iter().map(|driver| driver.borrow().clone()).collect();
        let wait = |pending: &Pending| {
            let budget = pending.budget.as_ref()?;
            let same = all
                .iter()
                .filter(|other| other.budget.as_ref().is_some_and(|other| other.is_same(budget)));
            Some(budget.estimate(same.map(|other| other.changes).sum()))
        };
        let left = all.iter().map(|pending| pending.changes).sum();
        // The soonest of those that have something to do: the others do not stand still.
        let busy = all.iter().filter(|pending| pending.changes > 0);
        let next = busy
            .filter_map(|pending| Some(pending.budget.as_ref()?.estimate(1)))
            .min();
        let wait = all.iter().filter_map(wait).max();
        (left, wait.unwrap_or_default(), next.unwrap_or_default())
    }

    /// Shows how far the work is, as long as this is polled.
    pub(super) async fn show(&self, tally: &Tally, lines: Option<&Lines>) -> Infallible {
        let _shown = Shown;
        let mut ticks = tokio::time::interval(TICK);
        let mut before = tally.writes();
        let mut told: Option<Instant> = None;
        loop {
            ticks.tick().await;
            let (left, wait, next) = self.left();
            if left == 0 {
                // The next work begins at nothing again.
                before = tally.writes();
                screen::show(None);
                continue;
            }
            let standing = Standing {
                done: tally.writes() - before,
                left,
                wait,
                next,
            };
            match (screen::bar_width(), lines) {
                (Some(width), _) => screen::show(Some(drawn(standing, width))),
                (None, Some(lines)) if !wait.is_zero() && told.is_none_or(|told| told.elapsed() >= PAUSE) => {
                    told = Some(Instant::now());
                    lines(&format!("· {}", words(standing)));
                }
                (None, _) => {}
            }
        }
    }
}

/// The line that moves, of at most so many characters.
fn drawn(standing: Standing, width: usize) -> String {
    let words = words(standing);
    let all = standing.done.saturating_add(standing.left as u64).max(1);
    let full = usize::try_from(standing.done.saturating_mul(BAR as u64) / all).unwrap_or(BAR);
    let line = format!("[{}{}] {words}", "=".repeat(full), " ".repeat(BAR - full));
    // What happens next is worth more than how long all of it takes.
    let short = self::words(Standing {
        wait: Duration::ZERO,
        ..standing
    });
    let fits = |line: &&String| line.chars().count() <= width;
    let line = [&line, &words].into_iter().find(fits).unwrap_or(&short);
    line.chars().take(width).collect()
}

/// How much is done and how long the rest takes.
fn words(standing: Standing) -> String {
    let all = standing.done.saturating_add(standing.left as u64);
    let unit = if all == 1 { "change" } else { "changes" };
    let time = match standing.wait.as_secs_f64().ceil() as u64 {
        0 => String::new(),
        1 => ", about 1 second left".to_owned(),
        seconds @ 2..=90 => format!(", about {seconds} seconds left"),
        seconds => format!(", about {} minutes left", seconds.div_ceil(60)),
    };
    let next = match standing.next.as_secs_f64().ceil() as u64 {
        0 | 1 => String::new(),
        seconds => format!("; waiting for the request budget, next in {seconds} s"),
    };
    format!("{} of {} {unit}{time}{next}", thousands(standing.done), thousands(all))
}

/// A number with a comma for each thousand.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(done: u64, left: usize, seconds: u64) -> Standing {
        Standing {
            done,
            left,
            wait: Duration::from_secs(seconds),
            next: Duration::ZERO,
        }
    }

    #[test]
    fn words_tell_number_and_time() {
        assert_eq!(words(standing(0, 1, 0)), "0 of 1 change");
        assert_eq!(words(standing(3, 9, 1)), "3 of 12 changes, about 1 second left");
        assert_eq!(words(standing(55, 55, 60)), "55 of 110 changes, about 60 seconds left");
        assert_eq!(
            words(standing(54, 1_107, 1_260)),
            "54 of 1,161 changes, about 21 minutes left"
        );
        assert_eq!(
            words(standing(999, 9_999_001, 91)),
            "999 of 10,000,000 changes, about 2 minutes left"
        );
    }

    #[test]
    fn a_bar_that_stands_still_says_why() {
        let waiting = Standing {
            next: Duration::from_millis(40_200),
            ..standing(54, 1_107, 1_260)
        };
        assert_eq!(
            words(waiting),
            "54 of 1,161 changes, about 21 minutes left; waiting for the request budget, next in 41 s"
        );
        assert_eq!(
            drawn(waiting, 79),
            "54 of 1,161 changes; waiting for the request budget, next in 41 s"
        );
    }

    #[test]
    fn the_bar_grows_and_fits() {
        let line = |done, left| drawn(standing(done, left, 0), 79);
        assert_eq!(line(0, 4), "[                        ] 0 of 4 changes");
        assert_eq!(line(2, 2), "[============            ] 2 of 4 changes");
        assert_eq!(line(4, 0), "[========================] 4 of 4 changes");
        let narrow = standing(54, 1_107, 1_260);
        assert_eq!(drawn(narrow, 45), words(narrow), "42 characters, and 69 with the bar");
        assert_eq!(drawn(narrow, 30), "54 of 1,161 changes");
        assert_eq!(drawn(narrow, 10), "54 of 1,16");
        assert_eq!(drawn(narrow, 0), "");
        assert_eq!(
            drawn(standing(0, 0, 0), 79),
            "[                        ] 0 of 0 changes"
        );
    }
}
