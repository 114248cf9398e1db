//! `statuspage sync`: applies a directory and keeps at it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::session::{Lines, Record, Session, asked_to_end, block_on, lines, print_problems, result, summary, until};
use super::{Connection, Failure, Outcome};
use crate::driver::{PassEnd, Trigger};
use crate::engine::ObjectKey;
use crate::store::directory::{DirectoryStore, LOCAL_STATE};

/// Options of `sync`.
#[derive(Clone, Debug, Args)]
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
}

/// Editors write a file in several steps: so long is waited for the last one.
const QUIET: Duration = Duration::from_millis(200);

/// Applies a directory whenever it changes, and mends drift.
pub fn run(arguments: &Arguments, _out: &mut dyn Write) -> Result<Outcome, Failure> {
    let print = lines();
    let session = Session::open(&arguments.directory, &arguments.connection, Some(Arc::clone(&print)))?;
    block_on(async {
        session.record(&arguments.record).await?;
        print(&format!("watching {}; Ctrl-C ends", arguments.directory.display()));
        let watched = watch(&session, &arguments.directory, &print, asked_to_end()).await;
        session.close_record().await;
        watched
    })?;
    Ok(Outcome::Success)
}

/// Runs all pages of a session until `end`, reading the directory again when it changes.
pub(super) async fn watch(
    session: &Session,
    directory: &Path,
    print: &Lines,
    end: impl Future<Output = ()>,
) -> Result<(), Failure> {
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
    tokio::pin!(end);
    loop {
        for page in session.store.pages() {
            running.retain(|(_, task)| !task.is_finished());
            if !running.iter().any(|(key, _)| *key == page) {
                let task = tokio::spawn(keep(session, page.clone(), &trigger, print));
                running.push((page, task));
            }
        }
        tokio::select! {
            () = &mut end => break,
            Some(()) = changes.recv() => {}
        }
        while tokio::time::timeout(QUIET, changes.recv()).await.is_ok() {}
        match session.store.reload() {
            Ok(manifests) => print_problems(&manifests),
            Err(error) => print(&format!("! {error}; the last version stays in force")),
        }
        trigger.changed();
    }
    trigger.stop();
    for (_, task) in running {
        // A page that panicked has said so; the others still end in order.
        let _ = task.await;
    }
    Ok(())
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
) -> impl Future<Output = ()> + Send + 'static {
    let mut driver: crate::driver::PageDriver<DirectoryStore> = session.driver(page);
    let mut interrupt = trigger.interrupt();
    let print = Arc::clone(print);
    let counted = session.counts_handle();
    async move {
        let mut told = Vec::new();
        loop {
            let before = counted();
            let wake = match driver.pass(&mut interrupt).await {
                PassEnd::Idle(wake) => wake,
                PassEnd::Gone | PassEnd::Stopped => return,
            };
            let mut stands = summary(&result(&mut driver, false), counted().since(before));
            let last = stands.pop();
            if stands != told || counted() != before {
                stands.iter().chain(&last).for_each(|line| print(line));
                told = stands;
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
