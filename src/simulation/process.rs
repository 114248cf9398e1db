//! A process: a driver with its clock, its store and its budget, which crashes, is paused, told to stop and started again.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use super::bugs::{self, Bug};
use super::chance::Chance;
use super::fuse::Fuse;
use super::lease::{Elector, Lease};
use super::remote::Remote;
use super::stage::Stage;
use super::store::{Leads, ProcessStore, StoreOptions};
use super::trace::{Fact, Life};
use crate::clock::Clock;
use crate::driver::{Interrupt, PageDriver, PageOptions, PassEnd, Trigger};
use crate::engine::ObjectKey;
use crate::statuspage::{BudgetRegistry, MemoryLedger, Outgoing};

/// A burst of changes is one plan.
const BURST: Duration = Duration::from_millis(50);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What befalls a process from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// It ends after so many more effects.
    CrashAfter(u64),
    /// It stands still for a time.
    Pause(Duration),
    /// It is told to end.
    Stop,
    /// Its wall clock is set by so many seconds.
    Jump(i64),
}

/// The hand that deals blows.
#[derive(Debug)]
pub(super) struct Handle {
    process: usize,
    stage: Arc<Stage>,
    frozen_until: Arc<Mutex<Option<Instant>>>,
    present: Mutex<Option<(Arc<Fuse>, Arc<Trigger>)>>,
    ahead: watch::Sender<i64>,
}

impl Handle {
    fn note(&self, what: Life) {
        self.stage.note(Fact::Process {
            process: self.process,
            what,
        });
    }

    pub(super) fn deal(&self, blow: Blow) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((fuse, trigger)) = &*present else { return };
        match blow {
            Blow::CrashAfter(effects) => {
                fuse.set(Some(effects.max(1)));
            }
            Blow::Pause(time) => {
                self.note(Life::Paused(time));
                let until = Instant::now() + time;
                *self.frozen_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
                // Whoever waits is polled, and finds that time stands still.
                trigger.changed();
            }
            Blow::Stop => {
                self.note(Life::ToldToStop);
                trigger.stop();
            }
            Blow::Jump(seconds) => {
                self.note(Life::ClockJumped(seconds));
                self.ahead.send_modify(|ahead| *ahead += seconds);
            }
        }
    }

    /// No crash is due any more.
    pub(super) fn spare(&self) {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((fuse, _)) = &*present {
            fuse.set(None);
        }
    }
}

/// A future that is not polled while its process is paused.
struct Pausing<F> {
    inner: Pin<Box<F>>,
    handle: Arc<Handle>,
    waking: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Future for Pausing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            if let Some(waking) = &mut self.waking {
                if waking.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.waking = None;
                self.handle.note(Life::Woke);
            }
            let until = self
                .handle
                .frozen_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match until {
                Some(until) => self.waking = Some(Box::pin(tokio::time::sleep_until(until))),
                None => return self.inner.as_mut().poll(context),
            }
        }
    }
}

/// What all processes of a run have in common.
pub(super) struct House {
    pub(super) stage: Arc<Stage>,
    pub(super) store: Arc<StoreOptions>,
    pub(super) remote: Arc<Remote>,
    pub(super) ledger: MemoryLedger,
    pub(super) lease: Option<Arc<Lease>>,
    pub(super) page: ObjectKey,
    /// Requests in any 60 seconds.
    pub(super) limit: usize,
}

#[derive(Debug)]
struct Alone;

impl Leads for Alone {
    fn leads(&self) -> bool {
        true
    }
}

/// A process with its hand.
pub(super) fn begin(
    house: &Arc<House>,
    process: usize,
    skew: i64,
    chance: Chance,
) -> (Arc<Handle>, impl Future<Output = ()> + Send + 'static) {
    let handle = Arc::new(Handle {
        process,
        stage: Arc::clone(&house.stage),
        frozen_until: Arc::default(),
        present: Mutex::new(None),
        ahead: watch::Sender::new(skew),
    });
    let life = live(Arc::clone(house), Arc::clone(&handle), process, chance);
    let pausing = Pausing {
        inner: Box::pin(life),
        handle: Arc::clone(&handle),
        waking: None,
    };
    (handle, pausing)
}

/// One incarnation after the other.
async fn live(house: Arc<House>, handle: Arc<Handle>, process: usize, mut chance: Chance) {
    loop {
        let fuse = Fuse::new(process, &house.stage, None);
        let trigger = Arc::new(Trigger::default());
        *handle.present.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(&fuse), Arc::clone(&trigger)));
        handle.note(Life::Started);
        let clock = Clock::with_the_runtime(house.stage.now()).set_ahead_by(handle.ahead.subscribe());
        let (leads, elector): (Arc<dyn Leads>, _) = match &house.lease {
            None => (Arc::new(Alone), None),
            Some(lease) => {
                let elector = Elector::new(lease, process, chance.fork());
                (elector.leadership(), Some(elector))
            }
        };
        let store = ProcessStore::new(process, &house.store, &fuse, &leads, &trigger, chance.fork());
        let work = async {
            if let Some(elector) = &elector {
                elector.acquire().await;
                handle.note(Life::Leads);
            }
            drive(&house, process, &store, &fuse, &trigger, clock, chance.fork()).await;
        };
        let lost = async {
            match &elector {
                Some(elector) => elector.keep().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = fuse.blown() => {}
            () = store.watch() => {}
            () = lost => {}
            () = work => {
                if let Some(elector) = &elector {
                    elector.release();
                }
            }
        }
        handle.note(Life::Ended);
        let pause = chance.seconds(1, 20);
        sleep(pause).await;
    }
}

/// Drives the page until told to stop: what the operator does for each of its pages.
async fn drive(
    house: &Arc<House>,
    process: usize,
    store: &ProcessStore,
    fuse: &Arc<Fuse>,
    trigger: &Trigger,
    clock: Clock,
    mut chance: Chance,
) {
    let limit = match bugs::is_on(Bug::WindowTooWide) {
        true => house.limit * 2,
        false => house.limit,
    };
    let ledger = match bugs::is_on(Bug::WindowOfItsOwn) {
        true => MemoryLedger::default(),
        false => house.ledger.clone(),
    };
    let registry = BudgetRegistry::new(limit).recorded_in(Arc::new(ledger), clock.clone());
    let budgets = Arc::new(registry);
    let remote = Arc::clone(&house.remote);
    let fuse = Arc::clone(fuse);
    let transport = move |outgoing: Outgoing| Arc::clone(&remote).exchange(process, Arc::clone(&fuse), outgoing);
    let options = PageOptions {
        budgets: Arc::clone(&budgets),
        clock: clock.clone(),
        transport: Some(Arc::new(transport)),
    };
    let mut driver = PageDriver::new(house.page.clone(), Arc::new(store.clone()), options);
    let mut interrupt = trigger.interrupt();
    loop {
        match driver.pass(&mut interrupt).await {
            PassEnd::Stopped => break,
            PassEnd::Gone => interrupt.wait().await,
            PassEnd::Idle(wake) => idle(wake, &mut interrupt, &clock, &mut chance).await,
        }
    }
    let _ = budgets.settle().await;
}

/// Waits for a change, for the time of the next pass, or for the end.
async fn idle(wake: Option<Timestamp>, interrupt: &mut Interrupt, clock: &Clock, chance: &mut Chance) {
    let changed = async {
        interrupt.wait().await;
        if !interrupt.stopped() {
            sleep(BURST).await;
        }
    };
    let Some(wake) = wake else {
        return changed.await;
    };
    let pause = wake
        .duration_since(clock.steady())
        .max(SignedDuration::ZERO)
        .unsigned_abs();
    let jitter = chance.duration(Duration::ZERO, (pause / 10).min(Duration::from_secs(3)));
    tokio::select! {
        biased;
        () = changed => {}
        () = sleep(pause.max(SHORTEST_PAUSE) + jitter) => {}
    }
}
