//! `statuspage sync`: applies a directory and keeps at it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::page_result::PageResult;
use super::progress::{finding_lines, print_problems, stranded_lines, summary, unrecorded, warning_line};
use super::record::Record;
use super::screen::{Lines, lines};
use super::session::{Session, block_on, until};
use super::signal::{Asked, asked_to_end};
use super::tally::Tally;
use super::{Connection, Failure, HttpApi, Outcome};
use crate::api::Reason;
use crate::driver::{PageDriver, PassEnd, Trigger};
use crate::engine::ObjectKey;
use crate::store::directory::{DirectoryStore, LOCAL_STATE};

const EXAMPLES: &str = "\
Examples:
  statuspage sync pages/
  statuspage sync pages/ --http-listen 127.0.0.1:9090";

const EXIT_HELP: &str = "\
Ctrl-C or SIGTERM finishes the request that is under way and ends with exit
code 130 or 0.";

/// Options of `sync`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_HELP}\n\n{}", super::connection::SECRETS_HELP)
)]
pub struct Arguments {
    /// Directory with the manifests.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// Where what is done is recorded.
    #[command(flatten)]
    pub record: Record,
    /// The HTTP API.
    #[command(flatten)]
    pub http: HttpApi,
}

/// Editors write a file in several steps: so long is waited for the last one.
const QUIET: Duration = Duration::from_millis(200);

/// Applies a directory whenever it changes, and mends drift.
pub fn run(arguments: &Arguments, _out: &mut dyn Write) -> Result<Outcome, Failure> {
    let print = lines();
    let session = Session::open(&arguments.directory, &arguments.connection, Some(Arc::clone(&print)))?;
    block_on(async {
        session.record(&arguments.record).await?;
        let hint = format!("Watching {}. Ctrl-C stops.", arguments.directory.display());
        let serving = arguments.http.serve(&session, &print, false).await?;
        let watched = watch(&session, &arguments.directory, &print, vec![hint], asked_to_end()).await;
        session.end(serving).await;
        Ok(watched?.of_service())
    })
}

/// Runs all pages of a session until `end`, reading the directory again when it changes. The hint is printed once the
/// first page has been worked on.
pub(super) async fn watch(
    session: &Session,
    directory: &Path,
    print: &Lines,
    hint: Vec<String>,
    end: impl Future<Output = Asked>,
) -> Result<Asked, Failure> {
    let (sender, mut changes) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| concerns_manifests(&event)) {
            // One note is enough: all files are read again.
            let _ = sender.try_send(());
        }
    })
    .map_err(Failure::Watch)?;
    watcher
        .watch(directory, RecursiveMode::Recursive)
        .map_err(Failure::Watch)?;
    print_problems(&session.manifests);
    let trigger = Arc::new(Trigger::default());
    let mut running: Vec<(ObjectKey, tokio::task::JoinHandle<()>)> = Vec::new();
    let hint = Arc::new(Mutex::new(hint));
    if session.store.pages().is_empty() {
        print(&format!("! no StatusPage in {}: waiting for one", directory.display()));
    }
    let bar = session.bar.show(&session.tally, Some(print));
    let used = session.tell_of_used_window();
    tokio::pin!(end, bar, used);
    let asked = loop {
        for line in stranded_lines(&session.store.stranded()) {
            print(&line);
        }
        for page in session.store.pages() {
            running.retain(|(_, task)| !task.is_finished());
            if !running.iter().any(|(key, _)| *key == page) {
                let task = tokio::spawn(keep(session, page.clone(), &trigger, print, &hint));
                running.push((page, task));
            }
        }
        tokio::select! {
            asked = &mut end => break asked,
            Some(()) = changes.recv() => {}
            never = &mut bar => match never {},
            never = &mut used => match never {},
        }
        while tokio::time::timeout(QUIET, changes.recv()).await.is_ok() {}
        match session.store.reload() {
            Ok(manifests) => print_problems(&manifests),
            Err(error) => print(&format!("! {error}; still using the last version")),
        }
        trigger.changed();
    };
    trigger.stop();
    for (_, task) in running {
        // A page that panicked has said so; the others still end in order.
        let _ = task.await;
    }
    Ok(asked)
}

fn concerns_manifests(event: &notify::Event) -> bool {
    let ours = |path: &PathBuf| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        name.contains(".lock.json") || path.components().any(|part| part.as_os_str() == LOCAL_STATE)
    };
    !matches!(event.kind, notify::EventKind::Access(_)) && !event.paths.iter().all(ours)
}

/// Keeps one page as declared.
fn keep(
    session: &Session,
    page: ObjectKey,
    trigger: &Arc<Trigger>,
    print: &Lines,
    hint: &Arc<Mutex<Vec<String>>>,
) -> impl Future<Output = ()> + Send + 'static {
    let mut driver: PageDriver<DirectoryStore> = session.driver(page.clone());
    let mut interrupt = trigger.interrupt();
    let print = Arc::clone(print);
    let hint = Arc::clone(hint);
    let tally: Tally = session.tally.clone();
    let public = session.public;
    let store = Arc::clone(&session.store);
    async move {
        let mut told = Vec::new();
        let mut before = (tally.of(&page), driver.totals().requests);
        let mut first = true;
        loop {
            let wake = match driver.pass(&mut interrupt).await {
                PassEnd::Idle(wake) => wake,
                PassEnd::Gone | PassEnd::Stopped => return,
            };
            let stands = PageResult::of(&mut driver, false);
            let done = (tally.of(&page), stands.totals.requests);
            let all: Vec<_> = stands.open().cloned().collect();
            // A pass that changed nothing and found nothing new is not worth a line.
            if all != told || done.0 != before.0 || first {
                let fresh = all.iter().filter(|finding| !tally.just_told(finding));
                for line in finding_lines(&page, fresh) {
                    print(&line);
                }
                print(&summary(&stands, done.0.since(before.0), done.1 - before.1, public));
                let already_there = all.iter().filter(|finding| finding.reason == Reason::AlreadyExists);
                if let (true, Some(text)) = (first, unrecorded(&store, already_there.count())) {
                    print(&warning_line(&text));
                }
                told = all;
            }
            (before, first) = (done, false);
            for line in std::mem::take(&mut *hint.lock().unwrap_or_else(PoisonError::into_inner)) {
                print(&line);
            }
            match wake {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep(until(at)) => {}
                    () = interrupt.wait() => {}
                },
                None => interrupt.wait().await,
            }
        }
    }
}
