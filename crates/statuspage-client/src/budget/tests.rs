use super::*;

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fill(budget: &Budget) -> Vec<Permit> {
    std::iter::from_fn(|| budget.try_acquire(Priority::Read, "filler").ok()).collect()
}

/// Starts a waiter that notes its name when it is served and holds its permit for no time.
fn wait_as(
    budget: &Budget,
    order: &Arc<Mutex<Vec<&'static str>>>,
    priority: Priority,
    page: &'static str,
    name: &'static str,
) -> tokio::task::JoinHandle<()> {
    let (budget, order) = (budget.clone(), Arc::clone(order));
    tokio::spawn(async move {
        let permit = budget.acquire(priority, page).await;
        order.lock().unwrap().push(name);
        drop(permit);
    })
}

#[tokio::test(start_paused = true)]
async fn sixty_at_once_and_then_a_minute_of_silence() {
    let budget = Budget::with_reserve(60, 0);
    let start = Instant::now();
    for _ in 0..120 {
        drop(budget.acquire(Priority::Write, "page").await);
    }
    assert_eq!(start.elapsed().as_secs(), 60);
    drop(budget.acquire(Priority::Write, "page").await);
    assert_eq!(start.elapsed().as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn the_reserve_is_left_for_incidents() {
    let budget = Budget::new(60);
    let permits = fill(&budget);
    assert_eq!(permits.len(), 55);
    assert_eq!(budget.remaining(), 0);
    assert!(budget.try_acquire(Priority::ComponentStatus, "page").is_err());
    let incidents: Vec<_> = std::iter::from_fn(|| budget.try_acquire(Priority::Incident, "page").ok()).collect();
    assert_eq!(incidents.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_most_urgent_goes_first() {
    let budget = Budget::with_reserve(1, 0);
    drop(budget.acquire(Priority::Read, "page").await);
    let order = Arc::default();
    let tasks = [
        wait_as(&budget, &order, Priority::Read, "a", "read"),
        wait_as(&budget, &order, Priority::Write, "a", "write"),
        wait_as(&budget, &order, Priority::Incident, "a", "incident"),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["incident", "write", "read"]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_page_does_not_starve_another() {
    let budget = Budget::with_reserve(1, 0);
    drop(budget.acquire(Priority::Write, "busy").await);
    let order = Arc::default();
    let mut tasks = Vec::new();
    for name in ["busy 1", "busy 2", "busy 3"] {
        tasks.push(wait_as(&budget, &order, Priority::Write, "busy", name));
    }
    settle().await;
    tasks.push(wait_as(&budget, &order, Priority::Write, "quiet", "quiet"));
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["quiet", "busy 1", "busy 2", "busy 3"]);
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_holds_nobody_up() {
    let budget = Budget::with_reserve(1, 0);
    let held = budget.acquire(Priority::Write, "page").await;
    let order = Arc::default();
    let leaver = wait_as(&budget, &order, Priority::Incident, "page", "leaver");
    let stayer = wait_as(&budget, &order, Priority::Write, "page", "stayer");
    settle().await;
    assert_eq!(budget.stats().waiting, 2);
    leaver.abort();
    settle().await;
    drop(held);
    stayer.await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["stayer"]);
    assert_eq!((budget.stats().waiting, budget.stats().granted), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_slot_counts_from_the_start_to_a_minute_after_the_end() {
    let budget = Budget::with_reserve(1, 0);
    let start = Instant::now();
    let permit = budget.acquire(Priority::Write, "page").await;
    let waiting = {
        let budget = budget.clone();
        tokio::spawn(async move { budget.acquire(Priority::Write, "page").await })
    };
    tokio::time::advance(seconds(90)).await;
    settle().await;
    assert!(!waiting.is_finished(), "the first request is still under way");
    drop(permit);
    drop(waiting.await.unwrap());
    assert_eq!(start.elapsed().as_secs(), 150);
}

#[tokio::test(start_paused = true)]
async fn an_unused_permit_is_free_at_once() {
    let budget = Budget::with_reserve(1, 0);
    budget.acquire(Priority::Write, "page").await.release_unused();
    assert_eq!(budget.remaining(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_everybody() {
    let budget = Budget::new(60);
    let start = Instant::now();
    budget.pause(start + seconds(30));
    budget.pause(start + seconds(10));
    assert_eq!(budget.remaining(), 0);
    assert_eq!(budget.estimate(1), seconds(30));
    assert_eq!(budget.try_acquire(Priority::Incident, "page").err(), Some(seconds(30)));
    drop(budget.acquire(Priority::Incident, "page").await);
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(budget.stats().paused_for, None);
}

#[tokio::test(start_paused = true)]
async fn a_try_does_not_jump_the_queue() {
    let budget = Budget::with_reserve(1, 0);
    drop(budget.acquire(Priority::Write, "page").await);
    let order = Arc::default();
    let urgent = wait_as(&budget, &order, Priority::Incident, "page", "incident");
    settle().await;
    // The slot is free again, but the waiter has not woken up yet.
    let refused = budget.try_acquire(Priority::Write, "page").err();
    assert_eq!(
        refused,
        Some(seconds(120)),
        "after the waiter, who needs a window of its own"
    );
    urgent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn estimates_say_how_long_a_backlog_takes() {
    let budget = Budget::new(60);
    assert_eq!(budget.estimate(0), Duration::ZERO);
    assert_eq!(budget.estimate(55), Duration::ZERO);
    assert_eq!(budget.estimate(212), seconds(180));
    assert_eq!(Budget::new(0).estimate(100_000), Duration::ZERO);
    assert_eq!(Budget::new(0).remaining(), usize::MAX);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_with_room_left_makes_do_with_less() {
    let budget = Budget::new(60);
    drop(budget.acquire(Priority::Write, "page").await);
    let (share, reserve) = (budget.stats().share, budget.stats().reserve);
    assert_eq!((share, reserve), (60, 5));
    budget.refused(Instant::now(), Some(seconds(10)));
    assert_eq!(
        (budget.stats().share, budget.stats().reserve, budget.stats().limit),
        (30, 30, 60)
    );
    tokio::time::advance(seconds(11)).await;
    assert_eq!(fill(&budget).len(), 29, "one was sent before");
    let incidents = std::iter::from_fn(|| budget.try_acquire(Priority::Incident, "page").ok()).count();
    assert_eq!(incidents, 30, "an incident may use all that the service may give");
    tokio::time::advance(seconds(360)).await;
    assert_eq!((budget.stats().share, budget.stats().reserve), (60, 5));
    assert_eq!(fill(&budget).len(), 55);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_a_full_window_is_nobody_elses_fault() {
    let budget = Budget::new(60);
    let begin = Instant::now();
    while budget.try_acquire(Priority::Incident, "page").is_ok() {}
    budget.refused(begin, None);
    assert_eq!(budget.stats().share, 60);
    let unlimited = Budget::new(0);
    unlimited.refused(begin, None);
    assert_eq!((unlimited.stats().share, unlimited.stats().reserve), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn requests_refused_together_halve_the_share_once() {
    let budget = Budget::new(60);
    let begin = Instant::now();
    let permits = [(); 10].map(|()| budget.try_acquire(Priority::Write, "page").unwrap());
    tokio::time::advance(seconds(1)).await;
    for permit in permits {
        drop(permit);
        budget.refused(begin, None);
    }
    assert_eq!((budget.stats().share, budget.stats().pauses), (30, 10));
}

#[tokio::test(start_paused = true)]
async fn only_a_refusal_although_there_was_room_says_that_others_use_the_token() {
    for (sent, share) in [(4, 4), (3, 2)] {
        let budget = Budget::with_reserve(4, 0);
        for _ in 0..sent {
            drop(budget.try_acquire(Priority::Incident, "page").unwrap());
        }
        budget.refused(Instant::now(), None);
        assert_eq!(budget.stats().share, share, "{sent} of 4 were ours");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_a_row_of_refusals() {
    for (answered, expected) in [(false, 10), (true, 5)] {
        let budget = Budget::new(60);
        assert_eq!(budget.refused(Instant::now(), None), seconds(5));
        tokio::time::advance(seconds(5)).await;
        if answered {
            budget.answered(Instant::now());
        }
        assert_eq!(budget.refused(Instant::now(), None), seconds(expected));
    }
}
