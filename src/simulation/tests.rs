//! Thousands of runs, and what a run must be able to find.

use super::bugs::{self, Bug};
use super::{Report, run};

/// The beginning of a run that broke a promise is of no interest to anybody; its end and its seed are.
const SHOWN: usize = 60;

fn assert_kept(report: &Report) {
    if report.violations.is_empty() {
        return;
    }
    let trace: Vec<String> = report.trace().collect();
    let end = trace
        .get(trace.len().saturating_sub(SHOWN)..)
        .unwrap_or(&trace)
        .join("\n");
    let broken: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    panic!(
        "seed {}: {}\n{end}\nreplay with: statuspage simulate --seed {}",
        report.seed,
        broken.join("; "),
        report.seed
    );
}

/// Seeds whose runs break a promise in a way that is known and not mended yet, and what it is.
const OPEN: [(u64, &str); 1] = [(
    254,
    "two processes that know nothing of each other write over each other's statuses in turns",
)];

fn every_promise_is_kept(seeds: impl Iterator<Item = u64>) {
    let (mut runs, mut requests, mut effects) = (0, 0, 0);
    for seed in seeds.filter(|seed| OPEN.iter().all(|(open, _)| open != seed)) {
        let report = run(seed).unwrap();
        assert_kept(&report);
        runs += 1;
        requests += report.requests;
        effects += report.effects;
    }
    println!("{runs} runs, {requests} requests, {effects} writes");
    assert!(effects > runs * 10, "runs in which nothing happens show nothing");
}

/// So many runs of each of the two tests, which use two cores; without optimization a run takes a sixth of a second.
const RUNS: u64 = 150;

#[test]
fn every_promise_is_kept_with_even_seeds() {
    every_promise_is_kept((0..RUNS).map(|number| number * 2));
}

#[test]
fn every_promise_is_kept_with_odd_seeds() {
    every_promise_is_kept((0..RUNS).map(|number| number * 2 + 1));
}

#[test]
fn what_is_known_to_be_broken_is_still_broken() {
    for (seed, what) in OPEN {
        let report = run(seed).unwrap();
        assert!(
            !report.violations.is_empty(),
            "mended, so take seed {seed} off the list: {what}"
        );
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..10 {
        let [one, other] = [seed, seed].map(|seed| run(seed).unwrap());
        assert!(one.trace().eq(other.trace()), "seed {seed}");
        assert_eq!(one.violations, other.violations);
    }
    let [one, other] = [1, 2].map(|seed| run(seed).unwrap());
    assert!(!one.trace().eq(other.trace()));
}

/// So many seeds have a chance to show a bug.
const TRIES: u64 = 150;

fn is_found(bug: Bug, oracle: &str) {
    let mut others = Vec::new();
    let found = (0..TRIES).find(|seed| {
        let report = bugs::with(bug, || run(*seed).unwrap());
        others.extend(report.violations.iter().map(|violation| violation.oracle).take(1));
        report.violations.iter().any(|violation| violation.oracle == oracle)
    });
    others.sort_unstable();
    others.dedup();
    let seed = found.unwrap_or_else(|| panic!("{bug:?} is not found by {oracle:?}, but by {others:?}"));
    println!("{bug:?}: found by {oracle:?} with seed {seed}");
}

/// A test for each bug on purpose: its name, the bug, and the oracle that has to find it.
macro_rules! every_bug_is_found_by_its_oracle {
    ($($name:ident: $bug:ident, $oracle:literal;)*) => {
        mod every_bug_is_found_by_its_oracle {
            use super::{Bug, is_found};

            $(#[test]
            fn $name() {
                is_found(Bug::$bug, $oracle);
            })*
        }
    };
}

every_bug_is_found_by_its_oracle! {
    journal_not_kept: JournalNotKept, "one object per declaration";
    journal_over_anything: JournalOverAnything, "one object per declaration";
    finalizer_ignored: FinalizerIgnored, "once faults stop all is as declared";
    release_refused: ReleaseRefused, "once faults stop all is as declared";
    deaf_to_changes: DeafToChanges, "an incident goes out in time";
    sends_again: SendsAgain, "each update is told once";
    token_in_event: TokenInEvent, "no secret in any output";
    token_in_status: TokenInStatus, "no secret in any output";
    stale_is_fresh: StaleIsFresh, "what a person ended stays ended";
    no_backoff_of_lists: NoBackoffOfLists, "requests stay bounded while a fault lasts";
    settled_at_once: SettledAtOnce, "one object per declaration";
    nothing_published: NothingPublished, "an incident goes out in time";
    nothing_corrected: NothingCorrected, "once faults stop all is as declared";
    wrong_target: WrongTarget, "nothing foreign is touched";
    always_ready: AlwaysReady, "every status keeps the rules of kstatus";
    times_touched: TimesTouched, "nothing is written that has not changed";
    generation_ahead: GenerationAhead, "every status keeps the rules of kstatus";
    incidents_wait: IncidentsWait, "an incident goes out in time";
}
