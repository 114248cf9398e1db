//! What this driver would do until nothing is left, found out by letting it: on a copy of the declarations, on a page that
//! answers as the real one was read, in a time that goes by only while everything waits.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::settling::Settling;
use super::{PageDriver, PageOptions};
use crate::clock::ManualClock;
use crate::driver::preview::{Answer, Foreseen, HypotheticalStore, Preview, SupposedPage};
use crate::driver::{Clock, Store, Trigger, View};
use crate::engine::{self, CircuitBreaker, Read, ReadWhat, Request, Step};
use crate::statuspage::{BudgetRegistry, CollectionKind, Outgoing, Priority, TransportError, TransportErrorKind};

/// As long as `apply` goes on when nobody says otherwise.
const LIMIT: Duration = Duration::from_secs(3600);
/// No command takes so many passes.
const PASSES: usize = 1000;

impl<S: Store> PageDriver<S> {
    /// Foresees all that passes would do until nothing is left, writing nothing anywhere: for `plan`. What turns out to be
    /// needed only on the way is read too, and what is needed only to show it.
    pub async fn foresee(&mut self) -> Option<(View, Preview)> {
        self.foresee_with(|driver, steps| driver.to_show(steps)).await
    }

    /// The same, without reading what is not needed to do it.
    pub async fn foresee_effects(&mut self) -> Option<(View, Preview)> {
        self.foresee_with(|_, _| Vec::new()).await
    }

    async fn foresee_with(&mut self, to_show: impl Fn(&Self, &[Step]) -> Vec<Read>) -> Option<(View, Preview)> {
        let (view, _) = self.read_what_is_due().await?;
        let mut wanted: BTreeSet<ReadWhat> = BTreeSet::new();
        loop {
            let (foreseen, afterwards) = self.suppose(&view).await;
            let mut reads = foreseen.reads.clone();
            if reads.is_empty() {
                reads = to_show(self, &foreseen.steps);
            }
            reads.retain(|read| wanted.insert(read.what.clone()));
            let connection = self.connection().filter(|_| !reads.is_empty());
            let mut goes_on = connection.is_some();
            if let Some((client, page_id)) = connection {
                for read in reads {
                    goes_on = goes_on && self.look_up(&view, &client, &page_id, &read).await;
                }
            }
            if !goes_on {
                let after = afterwards.as_ref().map_or(&view, |after| after);
                let preview = Preview::new(&self.snapshot, &view, &after.declarations, foreseen);
                return Some((view, preview));
            }
        }
    }

    /// How many are told, and what is deleted, is not needed to do it, but to know what is done.
    fn to_show(&self, steps: &[Step]) -> Vec<Read> {
        let mut lists = Vec::new();
        for step in steps {
            let publication = step.action.request().and_then(Request::publication);
            if publication.is_some_and(|publication| publication.notifies) {
                lists.push(CollectionKind::SubscriberCounts);
            }
            let list = engine::list_of(step.key.kind);
            if step.action.is_deletion() && self.snapshot.outline(list).is_none() {
                lists.push(list);
            }
        }
        let reads = lists.into_iter().map(|list| Read {
            what: ReadWhat::Collection(list),
            priority: Priority::Read,
        });
        reads.collect()
    }

    /// Lets a driver that knows nothing yet, as that of an `apply` would, do everything to the page as this one has read
    /// it. Gives what came of it, and the declarations as they would be.
    async fn suppose(&self, view: &View) -> (Foreseen, Option<View>) {
        let now = self.options.clock.steady();
        let clock = ManualClock::new(now);
        clock.jump(self.options.clock.now().duration_since(now));
        let options = PageOptions {
            budgets: Arc::new(BudgetRegistry::new(0)),
            clock: Clock::Manual(clock.clone()),
            transport: Some(Arc::new(|_: Outgoing| ready(Err(unsent())))),
        };
        let mut driver = PageDriver::new(self.key.clone(), Arc::new(HypotheticalStore::of(view)), options);
        driver.supposed = Some(SupposedPage::new(self.snapshot.clone(), self.read_failures.clone()));
        driver.remote_clock = self.remote_clock.clone();
        // The connection is made before the page is closed: a new one opens it.
        driver.refresh_view();
        driver.circuit_breaker = self.circuit_breaker.clone().map(|circuit_breaker| CircuitBreaker {
            until: None,
            ..circuit_breaker
        });
        let trigger = Trigger::default();
        let mut interrupt = trigger.interrupt();
        let mut settling = Settling::begin(now, LIMIT);
        for _ in 0..PASSES {
            let end = driver.pass(&mut interrupt).await;
            if driver.lacks_a_reading() {
                break;
            }
            let Some(pause) = settling.pause(&mut driver, end) else {
                break;
            };
            clock.advance(pause);
        }
        // What keeps everything back is told by who has met with it.
        let (afterwards, findings) = match (&self.circuit_breaker, driver.current()) {
            (None, Some((after, plan))) => (Some(after), plan.findings),
            (_, after) => (after.map(|(after, _)| after), engine::plan(&self.world(view)).findings),
        };
        let plans = driver.totals.plans;
        let (reads, steps) = driver.supposed.map(SupposedPage::into_parts).unwrap_or_default();
        let foreseen = Foreseen {
            steps,
            findings,
            plans,
            reads,
        };
        (foreseen, afterwards)
    }

    /// True when the supposed page was asked for something that has to be read of the real one first.
    pub(super) fn lacks_a_reading(&self) -> bool {
        let supposed = self.supposed.as_ref();
        supposed.is_some_and(|page| !page.unknown().is_empty())
    }

    /// Reads something of the supposed page.
    pub(super) fn read_supposed(&mut self, read: &Read, began: Timestamp) {
        let Some(page) = &mut self.supposed else { return };
        match page.answer(&mut self.snapshot, read, began) {
            Answer::Page(page) => self.take_page(*page),
            Answer::Taken => {}
            Answer::Unreadable(failure) => {
                return self.fail_reading(&read.what, failure.terminal, failure.reason, failure.message);
            }
            Answer::Unknown => return,
        }
        self.reached();
        self.read_failures.remove(&read.what);
    }
}

/// Nothing of what is foreseen is sent.
fn unsent() -> TransportError {
    TransportError {
        kind: TransportErrorKind::Setup,
        message: "nothing is sent while planning".to_owned(),
    }
}
