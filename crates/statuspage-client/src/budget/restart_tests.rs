//! A window over several processes, each of which may be killed at any point.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio::time::{sleep, sleep_until, timeout_at};

use super::*;
use statuspage_clock::ManualClock;

fn key() -> LedgerKey {
    LedgerKey {
        token: "abcd1234".to_owned(),
        address: "https://api.statuspage.io/v1".to_owned(),
    }
}

fn noon() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A ledger that takes its time: before it stores, and again before it says so.
#[derive(Clone, Debug, Default)]
struct SlowLedger {
    memory: MemoryLedger,
    before: Duration,
    after: Duration,
    stores: Arc<AtomicUsize>,
}

impl Ledger for SlowLedger {
    fn load<'a>(&'a self, key: &'a LedgerKey) -> BoxFuture<'a, Result<Option<Book>, LedgerError>> {
        async move {
            sleep(self.before).await;
            self.memory.load(key).await
        }
        .boxed()
    }

    fn revise<'a>(&'a self, key: &'a LedgerKey, revision: Revision) -> BoxFuture<'a, Result<(), LedgerError>> {
        async move {
            sleep(self.before).await;
            self.stores.fetch_add(1, Ordering::Relaxed);
            self.memory.revise(key, revision).await?;
            sleep(self.after).await;
            Ok(())
        }
        .boxed()
    }
}

fn recorded(limit: usize, ledger: &(impl Ledger + Clone + 'static), clock: &Clock) -> Budget {
    Budget::recorded(limit, Arc::new(ledger.clone()), key(), clock.clone())
}

async fn spend(budget: &Budget, requests: usize) {
    for _ in 0..requests {
        drop(budget.acquire(Priority::Write, "page").await);
    }
}

fn broken() -> LedgerError {
    LedgerError::Unavailable("the disk is full".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_leaves_at_least_what_it_sent() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    spend(&recorded(60, &ledger, &clock), 40).await;
    let next = recorded(60, &ledger, &clock);
    let begin = Instant::now();
    spend(&next, 1).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let used = next.stats().used;
    assert!((41..=51).contains(&used), "{used}");
    spend(&next, 60 - used).await;
    assert_eq!(begin.elapsed().as_secs(), 60, "the reserve is not for these");
}

#[tokio::test(start_paused = true)]
async fn what_an_old_process_left_open_does_not_count_for_ever() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    spend(&recorded(60, &ledger, &clock), 1).await;
    sleep(seconds(3600)).await;
    let next = recorded(60, &ledger, &clock);
    spend(&next, 1).await;
    assert_eq!(next.stats().used, 1);
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_leaves_exactly_what_was_sent() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    let budget = recorded(60, &ledger, &clock);
    spend(&budget, 3).await;
    sleep(seconds(20)).await;
    spend(&budget, 2).await;
    budget.settle().await.unwrap();
    let spent = |at: i64, requests| Spent {
        at: noon() + SignedDuration::from_secs(at),
        requests,
    };
    let book = ledger.book(&key()).unwrap();
    let [usage] = book.processes.values().collect::<Vec<_>>()[..] else {
        panic!("one process: {book:?}");
    };
    assert_eq!((&usage.ended, usage.open), (&vec![spent(0, 3), spent(20, 2)], 0));
    let next = recorded(60, &ledger, &clock);
    spend(&next, 1).await;
    assert_eq!(next.stats().used, 6);
}

#[tokio::test(start_paused = true)]
async fn a_pause_survives_the_process() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    let budget = recorded(60, &ledger, &clock);
    spend(&budget, 1).await;
    budget.refused(Instant::now(), Some(seconds(90)));
    budget.record_pause().await;
    drop(budget);
    sleep(seconds(30)).await;
    let next = recorded(60, &ledger, &clock);
    let begin = Instant::now();
    drop(next.acquire(Priority::Incident, "page").await);
    assert_eq!(begin.elapsed().as_secs(), 60);
}

/// What a process has left behind at noon.
fn left(usage: Usage) -> Book {
    Book {
        processes: [("before".to_owned(), usage)].into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_in_the_future_is_now_and_stays_what_it_became() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    let far = Timestamp::MAX;
    let spent = |at, requests| Spent { at, requests };
    let usage = Usage {
        ended: vec![spent(far, 3), spent(Timestamp::MIN, 3)],
        open: 2,
        open_until: Some(far),
        paused_until: None,
        written: None,
    };
    let book = left(usage);
    ledger
        .revise(&key(), Box::new(move |known| *known = book.clone()))
        .await
        .unwrap();
    let budget = recorded(10, &ledger, &clock);
    spend(&budget, 1).await;
    assert_eq!(budget.stats().used, 6, "and one long ago is over");
    sleep(seconds(61)).await;
    spend(&budget, 1).await;
    assert_eq!(budget.stats().used, 3, "what may have been under way counts for longer");
    sleep(seconds(60)).await;
    spend(&budget, 1).await;
    assert_eq!(budget.stats().used, 1);
}

#[tokio::test(start_paused = true)]
async fn more_than_the_limit_is_the_limit() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    let book = left(Usage {
        open: usize::MAX,
        open_until: Some(noon()),
        ..Usage::default()
    });
    ledger
        .revise(&key(), Box::new(move |known| *known = book.clone()))
        .await
        .unwrap();
    let budget = recorded(10, &ledger, &clock);
    let begin = Instant::now();
    drop(budget.acquire(Priority::Incident, "page").await);
    assert_eq!(begin.elapsed().as_secs(), 60);
}

/// A machine whose clock is set while one process follows the other.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_between_two_processes_frees_nothing() {
    for set in [3600, -3600, 86_400 * 365] {
        let manual = ManualClock::new(noon());
        let (ledger, clock) = (MemoryLedger::default(), Clock::Manual(manual.clone()));
        spend(&recorded(60, &ledger, &clock), 20).await;
        manual.advance(seconds(10));
        manual.jump(SignedDuration::from_secs(set));
        let next = recorded(60, &ledger, &clock);
        spend(&next, 1).await;
        let used = next.stats().used;
        assert!((21..=31).contains(&used), "{used} after {set} s");
        // Another machine, or another run of it, shows nothing of that.
        let elsewhere = Clock::with_the_runtime(manual.now());
        let other = recorded(60, &ledger, &elsewhere);
        spend(&other, 1).await;
        let used = other.stats().used;
        assert!(used >= 22, "{used} after {set} s: put right by the one before");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_requests_cost_one_write() {
    let clock = Clock::with_the_runtime(noon());
    let ledger = SlowLedger::default();
    let budget = recorded(60, &ledger, &clock);
    spend(&budget, 11).await;
    assert_eq!(ledger.stores.load(Ordering::Relaxed), 1);
    spend(&budget, 1).await;
    assert_eq!(ledger.stores.load(Ordering::Relaxed), 2);
    // What is not used is given back, and costs no write either.
    for _ in 0..50 {
        budget.acquire(Priority::Write, "page").await.release_unused();
    }
    assert_eq!(ledger.stores.load(Ordering::Relaxed), 2);
    // A reservation is good for a while only.
    sleep(seconds(16)).await;
    spend(&budget, 1).await;
    assert_eq!(ledger.stores.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_try_takes_only_what_is_on_record() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    let budget = recorded(60, &ledger, &clock);
    assert_eq!(budget.try_acquire(Priority::Write, "page").err(), Some(Duration::ZERO));
    assert_eq!(ledger.book(&key()), None);
    drop(budget.acquire(Priority::Write, "page").await);
    let more = std::iter::from_fn(|| budget.try_acquire(Priority::Write, "page").ok()).count();
    assert_eq!(more, 10);
    assert_eq!((budget.stats().used, budget.stats().in_flight), (11, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_ledger_incidents_go_on_and_the_rest_waits() {
    let (ledger, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
    ledger.fail(Some(broken()));
    let budget = recorded(60, &ledger, &clock);
    let begin = Instant::now();
    let waiting = {
        let budget = budget.clone();
        tokio::spawn(async move { drop(budget.acquire(Priority::ComponentStatus, "page").await) })
    };
    for _ in 0..20 {
        drop(budget.acquire(Priority::Incident, "page").await);
    }
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert!(budget.stats().unrecorded);
    sleep(seconds(100)).await;
    assert!(!waiting.is_finished());
    assert_eq!(budget.stats().granted, 20);
    ledger.fail(None);
    waiting.await.unwrap();
    assert!(begin.elapsed() < seconds(131), "{:?}", begin.elapsed());
    assert!(!budget.stats().unrecorded);

    // And when it fails later.
    spend(&budget, 10).await;
    ledger.fail(Some(broken()));
    let begin = Instant::now();
    let mut late = Box::pin(budget.acquire(Priority::Write, "page"));
    assert!(timeout_at(begin + seconds(600), &mut late).await.is_err());
    drop(budget.acquire(Priority::Incident, "page").await);
    assert_eq!(budget.stats().in_flight, 0, "who waits for the ledger holds no slot");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_hangs_delays_an_incident_by_a_second() {
    let clock = Clock::with_the_runtime(noon());
    let ledger = SlowLedger {
        before: seconds(3600),
        ..SlowLedger::default()
    };
    let budget = recorded(60, &ledger, &clock);
    let other = {
        let budget = budget.clone();
        tokio::spawn(async move { drop(budget.acquire(Priority::Write, "page").await) })
    };
    sleep(Duration::from_millis(10)).await;
    let begin = Instant::now();
    drop(budget.acquire(Priority::Incident, "page").await);
    assert_eq!(begin.elapsed().as_secs(), 1);
    drop(budget.acquire(Priority::Incident, "page").await);
    assert_eq!(begin.elapsed().as_secs(), 1, "and the next one not at all");
    assert!(!other.is_finished());
    other.abort();
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_for_the_ledger_gives_the_slot_back() {
    let clock = Clock::with_the_runtime(noon());
    let ledger = SlowLedger {
        after: seconds(5),
        ..SlowLedger::default()
    };
    let budget = recorded(1, &ledger, &clock);
    let begin = Instant::now();
    assert!(
        timeout_at(begin + seconds(3), budget.acquire(Priority::Write, "page"))
            .await
            .is_err()
    );
    assert_eq!(
        (budget.stats().in_flight, budget.stats().waiting, budget.stats().used),
        (0, 0, 0)
    );
    drop(budget.acquire(Priority::Write, "page").await);
    assert_eq!(begin.elapsed().as_secs(), 8);
}

/// A process: what it wants to send, and how long it lives.
#[derive(Clone, Debug)]
struct Life {
    requests: Vec<Wish>,
    lasts: u64,
    /// Whether it ends by itself, with everything written down.
    clean: bool,
    /// Until the next process is started.
    gap: u64,
    before: u64,
    after: u64,
}

/// One request: when it is wanted, how long it takes, and where on the way it arrives.
#[derive(Clone, Debug)]
struct Wish {
    at: u64,
    takes: u64,
    arrives: f64,
    urgent: bool,
    unused: bool,
}

prop_compose! {
    fn wish()(
        at in 0_u64..60_000, takes in 0_u64..30_000, arrives in 0.0_f64..1.0, urgent in prop::bool::weighted(0.2),
        unused in prop::bool::weighted(0.1),
    ) -> Wish {
        Wish { at, takes, arrives, urgent, unused }
    }
}

prop_compose! {
    fn life()(
        requests in prop::collection::vec(wish(), 1..60), lasts in 0_u64..90_000, clean in prop::bool::weighted(0.2),
        gap in prop_oneof![Just(0_u64), 0_u64..5_000, 0_u64..90_000],
        // An incident waits a second for the ledger, and may have to wait for two writes.
        before in prop_oneof![Just(0_u64), 0_u64..400], after in prop_oneof![Just(0_u64), 0_u64..90],
    ) -> Life {
        Life { requests, lasts, clean, gap, before, after }
    }
}

/// Lives one process and returns when its requests arrived.
async fn live(life: &Life, limit: usize, memory: &MemoryLedger, clock: &Clock) -> Vec<Instant> {
    let ledger = SlowLedger {
        memory: memory.clone(),
        before: Duration::from_millis(life.before),
        after: Duration::from_millis(life.after),
        stores: Arc::default(),
    };
    let budget = recorded(limit, &ledger, clock);
    let begin = Instant::now();
    let end = begin + Duration::from_millis(life.lasts);
    let arrived: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let requests = life.requests.iter().cloned().map(|wish| {
        let (budget, arrived) = (budget.clone(), Arc::clone(&arrived));
        async move {
            sleep_until(begin + Duration::from_millis(wish.at)).await;
            let priority = if wish.urgent {
                Priority::Incident
            } else {
                Priority::Write
            };
            let permit = budget.acquire(priority, "page").await;
            if wish.unused {
                sleep(Duration::from_millis(wish.takes / 100)).await;
                return permit.release_unused();
            }
            let takes = Duration::from_millis(wish.takes);
            // What is on its way when the process is killed arrives then at the latest.
            arrived
                .lock()
                .unwrap()
                .push((Instant::now() + takes.mul_f64(wish.arrives)).min(end));
            sleep(takes).await;
        }
    });
    let all = futures::future::join_all(requests);
    if timeout_at(end, all).await.is_ok() && life.clean {
        let _ = timeout_at(end, budget.settle()).await;
    }
    arrived.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn what_was_not_used_needs_no_other_record() {
    let (ledger, clock) = (SlowLedger::default(), Clock::with_the_runtime(noon()));
    let budget = recorded(60, &ledger, &clock);
    budget.acquire(Priority::Write, "page").await.release_unused();
    // Ten were put on record beside it.
    let mut permits = Vec::new();
    for (number, stores) in (1..=12).zip([1; 11].into_iter().chain([2])) {
        permits.push(budget.acquire(Priority::Write, "page").await);
        assert_eq!(ledger.stores.load(Ordering::Relaxed), stores, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_without_a_limit_keeps_no_record() {
    let (ledger, clock) = (SlowLedger::default(), Clock::with_the_runtime(noon()));
    let budget = recorded(0, &ledger, &clock);
    drop(budget.acquire(Priority::Write, "page").await);
    budget.settle().await.unwrap();
    assert_eq!(ledger.stores.load(Ordering::Relaxed), 0);
    assert_eq!(ledger.memory.book(&key()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However processes follow each other and whenever they are killed, the remote service sees no more than the limit
    /// in any 60 seconds.
    #[test]
    fn no_kill_makes_a_window_hold_more_than_the_limit(
        limit in 1_usize..40,
        lives in prop::collection::vec(life(), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut arrivals = runtime.block_on(async {
            let (memory, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
            let mut arrivals = Vec::new();
            for life in &lives {
                arrivals.extend(live(life, limit, &memory, &clock).await);
                sleep(Duration::from_millis(life.gap)).await;
            }
            arrivals
        });
        arrivals.sort();
        for (index, first) in arrivals.iter().enumerate() {
            let seen = arrivals[index..].iter().take_while(|arrival| **arrival < *first + SPAN).count();
            prop_assert!(seen <= limit, "{seen} of {limit}");
        }
    }

    /// The same for processes that live at the same time.
    #[test]
    fn processes_together_hold_no_more_than_the_limit(
        limit in 1_usize..40,
        lives in prop::collection::vec(life(), 2..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut arrivals = runtime.block_on(async {
            let (memory, clock) = (MemoryLedger::default(), Clock::with_the_runtime(noon()));
            let together = lives.iter().map(|life| async {
                sleep(Duration::from_millis(life.gap)).await;
                // An incident may have to wait for writes that find no room, and waits no longer than a second.
                let life = &Life { before: life.before / 4, after: life.after / 4, ..life.clone() };
                live(life, limit, &memory, &clock).await
            });
            futures::future::join_all(together).await.concat()
        });
        arrivals.sort();
        for (index, first) in arrivals.iter().enumerate() {
            let seen = arrivals[index..].iter().take_while(|arrival| **arrival < *first + SPAN).count();
            prop_assert!(seen <= limit, "{seen} of {limit}");
        }
    }
}
