//! A directory at work: opens it, runs its pages, prints what happens.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{Connection, Failure};
use crate::audit::{AuditLog, AuditOptions};
use crate::driver::{Clock, Event, EventKind, Interrupt, PageDriver, PageOptions, PassEnd, Totals};
use crate::engine::{self, Declaration, Finding, ObjectKey, State};
use crate::manifest::Manifests;
use crate::statuspage::Token;
use crate::store::directory::{DirectoryOptions, DirectoryStore};

/// Where lines go: standard output, from whatever task.
pub(super) type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// Prints lines on standard output as they come.
pub(super) fn lines() -> Lines {
    Arc::new(|line: &str| {
        let mut out = anstream::AutoStream::auto(std::io::stdout()).lock();
        // A reader that closed the pipe has seen enough; the work goes on.
        let _ = writeln!(out, "{line}");
    })
}

/// What was done, counted by the words of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) published: u64,
    pub(super) deleted: u64,
    pub(super) warnings: u64,
}

impl Counts {
    /// What was done since.
    pub(super) fn since(self, before: Counts) -> Counts {
        Counts {
            created: self.created - before.created,
            updated: self.updated - before.updated,
            published: self.published - before.published,
            deleted: self.deleted - before.deleted,
            warnings: self.warnings - before.warnings,
        }
    }
}

/// A directory that is being applied.
pub(super) struct Session {
    pub(super) store: Arc<DirectoryStore>,
    pub(super) manifests: Manifests,
    pub(super) options: PageOptions,
    counts: Arc<Mutex<Counts>>,
    log: OnceLock<AuditLog>,
}

/// Where what is done is recorded.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Record")]
pub struct Record {
    /// Records every change as an event in this log: a SQLite file, or a postgres:// URL. `statuspage events` shows it.
    #[arg(long, value_name = "PLACE", env = "STATUSPAGE_EVENTS", hide_env_values = true)]
    pub events: Option<String>,
}

/// A log that is away delays the end of a command by so much.
const LAST_EVENTS: Duration = Duration::from_secs(10);

impl Session {
    /// Opens a directory for writing. Each event becomes a line.
    pub(super) fn open(directory: &Path, connection: &Connection, lines: Option<Lines>) -> Result<Session, Failure> {
        Session::start(directory, connection, connection.token()?, lines)
    }

    /// The same with a token of the caller's.
    pub(super) fn open_with_token(
        directory: &Path,
        connection: &Connection,
        token: &str,
        lines: Option<Lines>,
    ) -> Result<Session, Failure> {
        let token = Token::new(token).map_err(Failure::Statuspage)?;
        Session::start(directory, connection, Some(token), lines)
    }

    fn start(
        directory: &Path,
        connection: &Connection,
        token: Option<Token>,
        lines: Option<Lines>,
    ) -> Result<Session, Failure> {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let counted = Arc::clone(&counts);
        let observer = move |declaration: &Declaration, event: &Event| {
            let mut counts = counted.lock().unwrap_or_else(PoisonError::into_inner);
            match event.reason.as_str() {
                "Created" => counts.created += 1,
                "Updated" => counts.updated += 1,
                "Published" => counts.published += 1,
                "Deleted" => counts.deleted += 1,
                _ if event.kind == EventKind::Warning => counts.warnings += 1,
                _ => {}
            }
            if let Some(lines) = &lines {
                lines(&event_line(&declaration.key, event));
            }
        };
        let options = DirectoryOptions {
            base_url: connection.base_url()?,
            token,
            observer: Some(Box::new(observer)),
            ..Default::default()
        };
        let (store, manifests) = DirectoryStore::open(directory, options)?;
        Ok(Session {
            store: Arc::new(store),
            manifests,
            options: PageOptions {
                budgets: connection.budgets(),
                clock: Clock::System,
            },
            counts,
            log: OnceLock::new(),
        })
    }

    /// Opens a directory without writing anything to it.
    pub(super) fn read_only(directory: &Path, connection: &Connection) -> Result<Session, Failure> {
        let options = DirectoryOptions {
            base_url: connection.base_url()?,
            token: connection.token()?,
            read_only: true,
            ..Default::default()
        };
        let (store, manifests) = DirectoryStore::open(directory, options)?;
        Ok(Session {
            store: Arc::new(store),
            manifests,
            options: PageOptions {
                budgets: connection.budgets(),
                clock: Clock::System,
            },
            counts: Arc::default(),
            log: OnceLock::new(),
        })
    }

    pub(super) fn driver(&self, page: ObjectKey) -> PageDriver<DirectoryStore> {
        let driver = PageDriver::new(page, Arc::clone(&self.store), self.options.clone());
        match self.log.get() {
            Some(log) => driver.recorded_by(Arc::new(log.clone())),
            None => driver,
        }
    }

    /// Opens the event log, if there is to be one. Drivers made from here on record in it.
    pub(super) async fn record(&self, record: &Record) -> Result<(), Failure> {
        if let Some(place) = &record.events {
            let options = AuditOptions {
                clock: self.options.clock.clone(),
                ..AuditOptions::new(place.parse()?)
            };
            // Set once, before any driver is made.
            let _ = self.log.set(AuditLog::open(options).await?);
        }
        Ok(())
    }

    /// Stores what is still to be stored.
    pub(super) async fn close_record(&self) {
        if let Some(log) = self.log.get()
            && !log.close(LAST_EVENTS).await
        {
            tracing::warn!("some events are not stored yet; the next command with this log stores them");
        }
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for a task that outlives the borrow.
    pub(super) fn counts_handle(&self) -> impl Fn() -> Counts + Send + 'static {
        let counts = Arc::clone(&self.counts);
        move || *counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a page stands after its passes.
pub(super) struct PageResult {
    pub(super) key: ObjectKey,
    pub(super) address: Option<String>,
    pub(super) findings: Vec<Finding>,
    pub(super) totals: Totals,
    pub(super) stopped: bool,
}

impl PageResult {
    /// The findings that a person has to look at.
    pub(super) fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| !matches!(finding.state, State::InSync | State::Suspended))
    }
}

/// Runs a page until nothing is left that time would mend, or until `deadline`.
pub(super) async fn settle(
    driver: &mut PageDriver<DirectoryStore>,
    interrupt: &mut Interrupt,
    deadline: Option<Duration>,
) -> PageResult {
    let started = tokio::time::Instant::now();
    loop {
        let end = driver.pass(interrupt).await;
        let stopped = end == PassEnd::Stopped;
        let wake = match end {
            PassEnd::Idle(wake) if driver.waits_for_time() => wake,
            _ => None,
        };
        let pause = wake.map(until);
        let in_time = pause.filter(|pause| deadline.is_none_or(|deadline| started.elapsed() + *pause <= deadline));
        let Some(pause) = in_time else {
            return result(driver, stopped);
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupt.wait() => {}
        }
    }
}

/// How a page stands, as the next plan sees it.
pub(super) fn result(driver: &mut PageDriver<DirectoryStore>, stopped: bool) -> PageResult {
    let (address, findings) = match driver.current() {
        Some((view, plan)) => {
            let address = match &view.page.status {
                engine::Status::StatusPage(status) => status.object.url.clone(),
                _ => None,
            };
            (address, plan.findings)
        }
        None => (None, Vec::new()),
    };
    PageResult {
        key: driver.key().clone(),
        address,
        findings,
        totals: driver.totals(),
        stopped,
    }
}

/// Time left until a point in time.
pub(super) fn until(at: Timestamp) -> Duration {
    at.duration_since(Timestamp::now()).try_into().unwrap_or_default()
}

fn event_line(key: &ObjectKey, event: &Event) -> String {
    let (mark, style) = match (event.kind, event.reason.as_str()) {
        (EventKind::Warning, _) => ("!", anstyle::AnsiColor::Yellow.on_default()),
        (_, "Created" | "Published") => ("+", anstyle::AnsiColor::Green.on_default()),
        (_, "Deleted") => ("-", anstyle::AnsiColor::Red.on_default()),
        (_, "Updated") => ("~", anstyle::AnsiColor::Cyan.on_default()),
        _ => ("·", anstyle::Style::new()),
    };
    match event.kind {
        EventKind::Warning => format!("{style}{mark}{style:#} {key}: {}: {}", event.reason, event.note),
        EventKind::Normal => format!("{style}{mark}{style:#} {key}: {}", event.note),
    }
}

/// The lines about one page at the end of a command.
pub(super) fn summary(result: &PageResult, counts: Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in result.open() {
        let style = anstyle::AnsiColor::Yellow.on_default();
        lines.push(format!(
            "{style}!{style:#} {}: {}: {}",
            finding.key, finding.reason, finding.message
        ));
    }
    let total = result.findings.len();
    let ready = result
        .findings
        .iter()
        .filter(|finding| finding.state == State::InSync)
        .count();
    let address = result
        .address
        .as_deref()
        .map(|address| format!(" ({address})"))
        .unwrap_or_default();
    let done = counts.created + counts.updated + counts.published + counts.deleted;
    let what = if done == 0 {
        "nothing to do".to_owned()
    } else {
        format!(
            "{} created, {} updated, {} updates published, {} deleted",
            counts.created, counts.updated, counts.published, counts.deleted
        )
    };
    lines.push(format!(
        "{}{address}: {what}; {ready} of {total} as declared; {} requests",
        result.key,
        result.totals.reads + result.totals.writes + result.totals.failures
    ));
    lines
}

/// Prints the problems of manifests on standard error.
pub(super) fn print_problems(manifests: &Manifests) {
    let mut to = anstream::AutoStream::auto(std::io::stderr()).lock();
    for problem in &manifests.problems {
        // Always with colours: the stream takes them out where they are not wanted.
        let _ = writeln!(to, "{}\n", problem.render(manifests.text(&problem.file), true));
    }
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

/// Returns when the process is asked to end: Ctrl-C or SIGTERM.
pub(super) async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
