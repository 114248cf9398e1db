//! A directory at work: opens it and runs its pages.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::bar::Bar;
use super::page_result::PageResult;
use super::progress::{event_line, waiting_line};
use super::record::Record;
use super::screen::Lines;
use super::signal::asked_to_end;
use super::tally::{Tally, is_summed_up};
use super::window::{self, WORTH_A_LINE, recorded_budgets};
use super::{Connection, Failure};
use crate::admin::Serving;
use crate::audit::AuditLog;
use crate::driver::{Clock, Event, PATIENCE, PageDriver, PageOptions, PassEnd, Settling, Trigger};
use crate::engine::{Declaration, ObjectKey};
use crate::manifest::Manifests;
use crate::statuspage::{BudgetRegistry, Token};
use crate::store::directory::{DirectoryOptions, DirectoryStore, local_state, urgent};

/// A directory that is being applied.
pub(super) struct Session {
    pub(super) store: Arc<DirectoryStore>,
    pub(super) manifests: Manifests,
    pub(super) options: PageOptions,
    /// What was done so far.
    pub(super) tally: Tally,
    /// What is still to be done.
    pub(super) bar: Bar,
    /// False when the pages are not those of Statuspage itself, whose public addresses would mislead.
    pub(super) public: bool,
    /// Where the manifests are.
    directory: PathBuf,
    /// Where it is recorded what was sent.
    local_state: PathBuf,
    log: OnceLock<AuditLog>,
}

/// A log that is away delays the end of a command by so much.
const LAST_EVENTS: Duration = Duration::from_secs(10);

impl Session {
    /// Opens a directory without writing to its lock file.
    pub(super) fn read_only(directory: &Path, connection: &Connection) -> Result<Session, Failure> {
        let options = DirectoryOptions {
            token: connection.token()?,
            read_only: true,
            ..Default::default()
        };
        let budgets = || recorded_budgets(&local_state(directory), connection);
        Session::start(directory, connection, options, Tally::default(), budgets)
    }

    /// Opens a directory for writing. Each event becomes a line.
    pub(super) fn open(directory: &Path, connection: &Connection, lines: Option<Lines>) -> Result<Session, Failure> {
        let budgets = recorded_budgets(&local_state(directory), connection);
        Session::write(directory, connection, connection.token()?, budgets, lines)
    }

    /// The same with a token of the caller's, for a server of its own that counts from nothing.
    pub(super) fn open_with_token(
        directory: &Path,
        connection: &Connection,
        token: &str,
        lines: Option<Lines>,
    ) -> Result<Session, Failure> {
        let token = Token::new(token)?;
        Session::write(directory, connection, Some(token), connection.budgets(), lines)
    }

    fn write(
        directory: &Path,
        connection: &Connection,
        token: Option<Token>,
        budgets: Arc<BudgetRegistry>,
        lines: Option<Lines>,
    ) -> Result<Session, Failure> {
        let tally = Tally::default();
        let counted = tally.clone();
        let observer = move |page: &str, declaration: &Declaration, event: &Event| {
            counted.count(page, &declaration.key, event);
            if let Some(lines) = lines.as_ref().filter(|_| !is_summed_up(&declaration.key, event)) {
                lines(&event_line(&declaration.key, event));
            }
        };
        let options = DirectoryOptions {
            token,
            observer: Some(Box::new(observer)),
            ..Default::default()
        };
        Session::start(directory, connection, options, tally, || budgets)
    }

    fn start(
        directory: &Path,
        connection: &Connection,
        mut options: DirectoryOptions,
        tally: Tally,
        budgets: impl FnOnce() -> Arc<BudgetRegistry>,
    ) -> Result<Session, Failure> {
        options.base_url = connection.base_url()?;
        let (store, manifests) = DirectoryStore::open(directory, options)?;
        // Only then: a directory that is not there is not made.
        let budgets = budgets();
        Ok(Session {
            store: Arc::new(store),
            manifests,
            options: PageOptions {
                budgets,
                clock: Clock::System,
                transport: None,
            },
            tally,
            bar: Bar::default(),
            public: connection.is_public()?,
            directory: directory.to_owned(),
            local_state: local_state(directory),
            log: OnceLock::new(),
        })
    }

    /// The pages that are declared, at least one unless what declares it cannot be read.
    pub(super) fn pages(&self, directory: &Path) -> Result<Vec<ObjectKey>, Failure> {
        let pages = self.store.pages();
        if pages.is_empty() && self.store.stranded().is_empty() && !self.manifests.has_errors() {
            return Err(Failure::NoPage(directory.to_owned()));
        }
        Ok(pages)
    }

    /// How many errors the manifests had when the directory was opened.
    pub(super) fn manifest_errors(&self) -> usize {
        let problems = self.manifests.problems.iter();
        problems.filter(|problem| problem.is_error()).count()
    }

    pub(super) fn driver(&self, page: ObjectKey) -> PageDriver<DirectoryStore> {
        let driver = PageDriver::new(page, Arc::clone(&self.store), self.options.clone());
        self.bar.follow(driver.pending());
        self.recorded(driver)
    }

    /// The same driver, which records what it does if there is an event log by now.
    pub(super) fn recorded(&self, driver: PageDriver<DirectoryStore>) -> PageDriver<DirectoryStore> {
        match self.log.get() {
            Some(log) => driver.recorded_by(Arc::new(log.clone())),
            None => driver,
        }
    }

    /// Opens the event log, if there is to be one. Drivers made from here on record in it.
    pub(super) async fn record(&self, record: &Record) -> Result<(), Failure> {
        if let Some(options) = record.options()? {
            // Set once, before any driver is made.
            let _ = self.log.set(AuditLog::open(options).await?);
        }
        Ok(())
    }

    /// The event log, if what is done is recorded.
    pub(super) fn log(&self) -> Option<&AuditLog> {
        self.log.get()
    }

    /// Ends what serves and what records, at the same time: streams of events end with the log, the server with its
    /// streams.
    pub(super) async fn end(&self, serving: Option<Serving>) {
        let served = async {
            if let Some(serving) = serving {
                serving.end().await;
            }
        };
        tokio::join!(served, self.close_record());
    }

    /// Does work that sends requests, as [`window::attended`].
    pub(super) async fn attended<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        window::attended(&self.options.budgets, &self.local_state, work).await
    }

    /// Tells when everything waits because the window is used up.
    pub(super) async fn tell_of_used_window(&self) -> Infallible {
        window::tell_of_used_window(&self.options.budgets).await
    }

    /// Returns, with what to say, when everything waits because requests cannot be put on record.
    pub(super) async fn unrecorded(&self) -> String {
        window::unrecorded(&self.options.budgets, &self.local_state).await
    }

    /// Returns when another command wants something sent.
    pub(super) async fn asked_for(&self) {
        while !urgent::is_asked(&self.directory) {
            tokio::time::sleep(URGENT_CHECK).await;
        }
    }

    /// Takes along what other commands declare meanwhile and cannot send themselves: incidents, which go first.
    pub(super) async fn take_along(&self, triggers: &[Trigger], print: Option<&Lines>) -> Infallible {
        loop {
            tokio::time::sleep(URGENT_CHECK).await;
            for key in urgent::asked(&self.directory) {
                match (self.store.take_along(&key), print) {
                    (Ok(()), Some(print)) => print(&format!("· {key}: declared meanwhile, goes first")),
                    (Err(error), Some(print)) => {
                        print(&format!("! {key}: declared meanwhile, and cannot be read: {error}"))
                    }
                    _ => {}
                }
                triggers.iter().for_each(Trigger::changed);
            }
        }
    }

    /// Stores what is still to be stored; the log says what is left.
    pub(super) async fn close_record(&self) {
        window::settled(&self.options.budgets).await;
        if let Some(log) = self.log.get() {
            log.close(LAST_EVENTS).await;
        }
    }
}

/// How often it is looked whether another command wants something sent.
const URGENT_CHECK: Duration = Duration::from_millis(250);

/// Runs a page until nothing is left that time would mend, or nothing succeeds for a while.
pub(super) async fn settle(
    driver: &mut PageDriver<DirectoryStore>,
    trigger: &Trigger,
    limit: Duration,
    print: Option<&Lines>,
) -> PageResult {
    let mut settling = Settling::begin(driver.now(), limit);
    let mut told = String::new();
    let mut interrupt = trigger.interrupt();
    loop {
        let outage = driver.outage();
        let end = {
            let pass = driver.pass(&mut interrupt);
            tokio::pin!(pass);
            tokio::select! {
                end = &mut pass => end,
                () = outage => {
                    if let Some(print) = print {
                        print(&format!("No answer for {} s: stopping.", PATIENCE.as_secs()));
                    }
                    trigger.stop();
                    pass.await;
                    PassEnd::Stopped
                }
            }
        };
        let stopped = end == PassEnd::Stopped;
        let Some(pause) = settling.pause(driver, end) else {
            return PageResult::of(driver, stopped);
        };
        if let (Some(print), true) = (print, pause >= WORTH_A_LINE) {
            print(&waiting_line(&PageResult::of(driver, false), pause, &mut told));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupt.wait() => {}
        }
    }
}

/// Time left until a point in the time of this process.
pub(super) fn until(at: Timestamp) -> Duration {
    at.duration_since(Clock::System.steady()).try_into().unwrap_or_default()
}

/// Runs a command that only reads, which ends at once when it is asked to.
pub(super) fn block_on_reading<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    block_on(async {
        tokio::select! {
            result = work => result,
            asked = asked_to_end() => Err(Failure::Asked(asked)),
        }
    })
}

/// Starts the asynchronous runtime and runs a command in it.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    crate::statuspage::install_crypto();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use tokio::time::Instant;

    use super::*;
    use crate::api::Reason;
    use crate::engine::Finding;
    use crate::statuspage::{BaseUrl, Incoming, Outgoing, Transport, TransportError};

    /// Takes requests, and answers none.
    #[derive(Debug, Default)]
    struct Mute {
        asked: AtomicUsize,
    }

    impl Transport for Mute {
        fn exchange(&self, _request: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            std::future::pending().boxed()
        }
    }

    const MANIFESTS: &str = "\
apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: acme}
spec:
  pageId: page00000001
  api: {tokenSecretRef: {name: token}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: api}
spec: {pageRef: {name: acme}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Incident
metadata: {name: outage}
spec:
  pageRef: {name: acme}
  updates: [{status: investigating, body: Looking.}]
";

    #[tokio::test(start_paused = true)]
    async fn an_outage_in_which_every_request_hangs_is_waited_for_two_minutes_and_told() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("all.yaml"), MANIFESTS).unwrap();
        let options = DirectoryOptions {
            base_url: Some(BaseUrl::parse("http://127.0.0.1:1/v1", true).unwrap()),
            token: Some(Token::new("token").unwrap()),
            ..Default::default()
        };
        let (store, _) = DirectoryStore::open(directory.path(), options).unwrap();
        let (store, mute) = (Arc::new(store), Arc::new(Mute::default()));
        let driver = || {
            let options = PageOptions {
                budgets: Arc::new(BudgetRegistry::new(0)),
                clock: Clock::with_the_runtime(Timestamp::UNIX_EPOCH),
                transport: Some(mute.clone()),
            };
            PageDriver::new(store.pages().remove(0), Arc::clone(&store), options)
        };
        let unreachable = |findings: &[Finding]| findings.iter().any(|one| one.reason == Reason::Unreachable);

        let begun = Instant::now();
        let stands = settle(&mut driver(), &Trigger::default(), Duration::from_secs(3600), None).await;
        // What changes something is not cut off in the middle: one request more.
        let took = begun.elapsed();
        assert!(
            (PATIENCE..=PATIENCE + Duration::from_secs(30)).contains(&took),
            "{took:?}"
        );
        assert!(stands.stopped, "{:#?}", stands.findings);
        let asked = mute.asked.swap(0, Ordering::Relaxed);
        assert!((4..=40).contains(&asked), "{asked}");

        let begun = Instant::now();
        let (_, plan) = driver().observe().await.unwrap();
        assert!(begun.elapsed() <= PATIENCE, "{:?}", begun.elapsed());
        assert!(unreachable(&plan.findings), "{:#?}", plan.findings);
    }
}
