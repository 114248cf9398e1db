//! `statuspage apply`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::session::{
    Counts, PageResult, Record, Session, asked_to_end, block_on, lines, print_problems, settle, summary,
};
use super::{Connection, Failure, Outcome};
use crate::driver::Trigger;
use crate::engine::State;

/// Options of `apply`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Directory with the manifests, or one file.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Gives up after so many seconds without being done; the next apply goes on.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub timeout: u64,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// Where what is done is recorded.
    #[command(flatten)]
    pub record: Record,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Serialize)]
struct Report<'a> {
    counts: Counts,
    pages: Vec<PageReport<'a>>,
    manifest_errors: usize,
}

#[derive(Serialize)]
struct PageReport<'a> {
    page: String,
    url: Option<&'a str>,
    reads: u64,
    writes: u64,
    failures: u64,
    complete: bool,
    objects: Vec<ObjectReport<'a>>,
}

#[derive(Serialize)]
struct ObjectReport<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    ready: bool,
    reason: &'static str,
    message: &'a str,
}

/// Applies a directory.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let print = (arguments.output == Format::Text).then(lines);
    let session = Session::open(&arguments.directory, &arguments.connection, print)?;
    print_problems(&session.manifests);
    let pages = session.store.pages();
    if pages.is_empty() && !session.manifests.has_errors() {
        return Err(Failure::NoPage(arguments.directory.clone()));
    }
    let results = block_on(async {
        session.record(&arguments.record).await?;
        let trigger = Trigger::default();
        let deadline = Some(Duration::from_secs(arguments.timeout));
        let work = futures::future::join_all(pages.into_iter().map(|page| {
            let mut driver = session.driver(page);
            let mut interrupt = trigger.interrupt();
            async move { settle(&mut driver, &mut interrupt, deadline).await }
        }));
        tokio::pin!(work);
        let results = tokio::select! {
            results = &mut work => results,
            () = asked_to_end() => {
                // What is under way is finished and recorded, then it ends.
                trigger.stop();
                work.await
            }
        };
        session.close_record().await;
        Ok(results)
    })?;
    report(arguments, &session, &results, out).map_err(Failure::Output)?;
    let done = results
        .iter()
        .all(|result| !result.stopped && result.open().next().is_none());
    let stranded = session.store.stranded();
    for name in &stranded {
        super::session::lines()(&format!(
            "! {name}: its StatusPage is not declared any more; it stays on the page as it is"
        ));
    }
    Ok(if done && !session.manifests.has_errors() && stranded.is_empty() {
        Outcome::Success
    } else {
        Outcome::Problems
    })
}

fn report(
    arguments: &Arguments,
    session: &Session,
    results: &[PageResult],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let counts = session.counts();
    if arguments.output == Format::Json {
        let report = Report {
            counts,
            pages: results.iter().map(page_report).collect(),
            manifest_errors: session
                .manifests
                .problems
                .iter()
                .filter(|problem| problem.is_error())
                .count(),
        };
        serde_json::to_writer_pretty(&mut *out, &report)?;
        return writeln!(out);
    }
    for result in results {
        for line in summary(result, counts) {
            writeln!(out, "{line}")?;
        }
        if result.stopped {
            writeln!(out, "stopped before the end; apply again to go on")?;
        }
    }
    Ok(())
}

fn page_report(result: &PageResult) -> PageReport<'_> {
    PageReport {
        page: format!("{}/{}", result.key.namespace, result.key.name),
        url: result.address.as_deref(),
        reads: result.totals.reads,
        writes: result.totals.writes,
        failures: result.totals.failures,
        complete: !result.stopped && result.open().next().is_none(),
        objects: result
            .findings
            .iter()
            .map(|finding| ObjectReport {
                kind: finding.key.kind.as_str(),
                namespace: &finding.key.namespace,
                name: &finding.key.name,
                ready: finding.state == State::InSync,
                reason: finding.reason.as_str(),
                message: &finding.message,
            })
            .collect(),
    }
}
