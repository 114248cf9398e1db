//! One task a page, and one for the declarations that have none.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::metrics::Metrics;
use crate::backoff::Backoff;
use crate::driver::{Clock, Interrupt, Observer, PageDriver, PageOptions, PassEnd, Recorder, Trigger};
use crate::engine::ObjectKey;
use crate::store::kubernetes::KubernetesStore;

/// `kubectl apply` of many files is one plan: this long is waited for the next change of a burst.
const BURST: Duration = Duration::from_millis(50);
/// A time that is over already is no reason to turn at once again and again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// After a panic, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A page may be applied a moment after what belongs to it: nobody is told in between.
const QUIET: Duration = Duration::from_millis(500);
const LONGEST_QUIET: Duration = Duration::from_secs(5);
const STRAYS_AGAIN: Duration = Duration::from_secs(5);

/// Has every page driven, until told to stop; returns when all have ended.
pub(super) async fn run(
    store: KubernetesStore,
    options: PageOptions,
    metrics: Arc<Metrics>,
    recorder: Option<Arc<dyn Recorder>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut tasks: JoinSet<ObjectKey> = JoinSet::new();
    let mut running: BTreeMap<ObjectKey, Arc<Trigger>> = BTreeMap::new();
    let mut changes = store.pages_watch();
    loop {
        changes.borrow_and_update();
        if store.missing().is_empty() {
            for page in store.pages() {
                if running.contains_key(&page) {
                    continue;
                }
                let trigger = store.trigger(&page);
                let interrupt = trigger.interrupt();
                running.insert(page.clone(), trigger);
                tasks.spawn(drive(
                    page,
                    store.clone(),
                    options.clone(),
                    Arc::clone(&metrics),
                    recorder.clone(),
                    interrupt,
                ));
            }
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = tasks.join_next() => {
                // Panics are caught within; what remains is a task that was aborted, which nobody does.
                if let Ok(page) = ended {
                    running.remove(&page);
                    store.drop_trigger(&page);
                    metrics.forget(&page);
                }
            }
        }
    }
    for trigger in running.values() {
        trigger.stop();
    }
    while tasks.join_next().await.is_some() {}
}

/// Drives one page until it is gone or everything stops. Returns its key.
async fn drive(
    page: ObjectKey,
    store: KubernetesStore,
    options: PageOptions,
    metrics: Arc<Metrics>,
    recorder: Option<Arc<dyn Recorder>>,
    mut interrupt: Interrupt,
) -> ObjectKey {
    let shared = Arc::new(store.clone());
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let mut driver = PageDriver::new(page.clone(), Arc::clone(&shared), options.clone())
            .taking_over()
            .observed_by(Arc::clone(&metrics) as Arc<dyn Observer>);
        if let Some(recorder) = &recorder {
            driver = driver.recorded_by(Arc::clone(recorder));
        }
        metrics.begun(&page, driver.pending());
        loop {
            tokio::select! {
                () = store.settled(&page) => {}
                () = until_stopped(interrupt.clone()) => return page,
            }
            let pass = AssertUnwindSafe(driver.pass(&mut interrupt)).catch_unwind().await;
            let wake = match pass {
                Ok(PassEnd::Gone | PassEnd::Stopped) => return page,
                Ok(PassEnd::Idle(wake)) => wake,
                Err(_) => break,
            };
            backoff.reset();
            idle(wake, &mut interrupt).await;
        }
        // A new driver knows nothing: it reads everything again, and finds what was under way by its journal.
        metrics.panicked();
        let pause = backoff.pause();
        tracing::error!(%page, pause = ?pause, "the driver of a page panicked; restarting it after a pause");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = until_stopped(interrupt.clone()) => return page,
        }
    }
}

/// Waits for a change, for the time of the next pass, or for the end.
async fn idle(wake: Option<Timestamp>, interrupt: &mut Interrupt) {
    let pause = wake.map(|wake| {
        let pause = Duration::try_from(wake.duration_since(Clock::System.steady())).unwrap_or_default();
        pause.max(SHORTEST_PAUSE) + jitter(pause)
    });
    let changed = async {
        interrupt.wait().await;
        // Not when it is time to stop: then nothing more is awaited.
        if !interrupt.stopped() {
            tokio::time::sleep(BURST).await;
        }
    };
    match pause {
        Some(pause) => tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(pause) => {}
        },
        None => changed.await,
    }
}

/// Keeps many pages from being read in the same moment; by chance, which `uuid` has of the operating system. Small, because what wakes a page may also be the time at which
/// an incident update is to be published.
fn jitter(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_u128() % 1000;
    let share = u32::try_from(random).unwrap_or(0);
    (pause / 10).min(Duration::from_secs(3)) * share / 1000
}

async fn until_stopped(mut interrupt: Interrupt) {
    while !interrupt.stopped() {
        interrupt.wait().await;
    }
}

/// Tells declarations without a page so, until told to stop.
pub(super) async fn settle_unattached(
    store: KubernetesStore,
    recorder: Option<Arc<dyn Recorder>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut changes = store.strays_watch();
    loop {
        let work = async {
            until_quiet(&mut changes).await;
            if store.settle_unattached(recorder.as_deref()).await {
                tokio::time::sleep(STRAYS_AGAIN).await;
            } else {
                // The sender lives as long as the store.
                let _ = changes.changed().await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn until_quiet(changes: &mut watch::Receiver<u64>) {
    let quiet = async {
        loop {
            changes.borrow_and_update();
            if tokio::time::timeout(QUIET, changes.changed()).await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LONGEST_QUIET, quiet).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_small() {
        for _ in 0..100 {
            assert!(jitter(Duration::from_secs(300)) < Duration::from_secs(3));
            assert!(jitter(Duration::from_secs(5)) <= Duration::from_millis(500));
        }
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    }
}
