//! `statuspage apply`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::only::Only;
use super::output::{Format, json};
use super::page_result::PageResult;
use super::plan::{self, PageReport as PagePlan, PlanFile, PlannedPage, Reviewed, differences, review, text};
use super::progress::{finding_lines, left_out, print_problems, stranded_lines, summary, unrecorded, warning_line};
use super::question::{self, Answer};
use super::record::Record;
use super::screen::{Lines, lines};
use super::session::{Session, block_on, settle};
use super::signal::{Asked, asked_to_end};
use super::tally::Counts;
use super::{Connection, Failure, Outcome};
use crate::api::Reason;
use crate::driver::{PageDriver, Trigger};
use crate::engine::State;
use crate::store::directory::DirectoryStore;

const EXAMPLES: &str = "\
Examples:
  statuspage apply pages/
  statuspage apply pages/ --yes
  statuspage apply pages/ --only incident/database-down
  statuspage apply reviewed.plan";

const EXIT_HELP: &str = "\
Exit code: 0 everything is as declared, 1 something is not or failed, 130
Ctrl-C, 143 SIGTERM. The next apply goes on where this one stopped.";

/// Options of `apply`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_HELP}\n\n{}", super::connection::SECRETS_HELP)
)]
pub struct Arguments {
    /// Directory with the manifests, or one file. Objects whose manifests were removed from a directory are deleted as
    /// their deletionPolicy says; one file deletes nothing. Or a file of `plan --out`: does exactly what it says, or
    /// nothing if the page or the files have changed.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Does not ask for confirmation. On a terminal, apply shows what it will publish, delete or adopt and asks once;
    /// without a terminal it never asks.
    #[arg(short, long)]
    pub yes: bool,
    /// What is applied.
    #[command(flatten)]
    pub only: Only,
    /// Form of the output; JSON is one object.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Stops after this many seconds, done or not; the next apply resumes. If Statuspage does not answer at all, apply
    /// gives up after two minutes.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub timeout: u64,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
    /// Where what is done is recorded.
    #[command(flatten)]
    pub record: Record,
}

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    pages: Vec<PageReport<'a>>,
    undeclared_pages: &'a BTreeMap<String, usize>,
    nothing_recorded: bool,
    manifest_errors: usize,
}

#[derive(Serialize)]
struct PageReport<'a> {
    page: String,
    url: Option<&'a str>,
    #[serde(flatten)]
    counts: Counts,
    requests: u64,
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

/// What is applied: a directory, or what was reviewed.
struct Order {
    directory: PathBuf,
    only: Only,
    reviewed: Option<PlanFile>,
}

impl Order {
    fn of(arguments: &Arguments) -> Result<Order, Failure> {
        match PlanFile::read(&arguments.directory)? {
            None => Ok(Order {
                directory: arguments.directory.clone(),
                only: arguments.only.clone(),
                reviewed: None,
            }),
            Some(_) if !arguments.only.only.is_empty() => Err(Failure::Usage(
                "a plan file has its own --only: give it to `plan --out`".to_owned(),
            )),
            Some(file) => Ok(Order {
                directory: file.directory.clone(),
                only: Only {
                    only: file.only.clone(),
                },
                reviewed: Some(file),
            }),
        }
    }
}

/// Applies a directory, or what was reviewed of one.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let order = Order::of(arguments)?;
    let print = (arguments.output == Format::Text).then(lines);
    let session = Session::open(&order.directory, &arguments.connection, print.clone())?;
    print_problems(&session.manifests);
    let pages = session.pages(&order.directory)?;
    let pages = order.only.narrow(&session.store, pages, &order.directory)?;
    let asks = !arguments.yes && question::is_possible();
    let worked = block_on(async {
        let mut drivers: Vec<_> = pages.into_iter().map(|page| session.driver(page)).collect();
        if order.reviewed.is_some() || asks {
            let consent = tokio::select! {
                consent = consent(arguments, &order, &session, &mut drivers, out) => consent,
                _ = asked_to_end() => Ok(Answer::Interrupted),
                () = session.asked_for() => Err(Failure::GaveWay),
                unrecorded = session.unrecorded() => Err(Failure::Unrecorded(unrecorded)),
            };
            match consent {
                Ok(Answer::Yes) => {}
                Ok(answer) => {
                    session.close_record().await;
                    return Ok(Worked::Not(answer));
                }
                Err(failure) => {
                    session.close_record().await;
                    return Err(failure);
                }
            }
        }
        let limit = Duration::from_secs(arguments.timeout);
        let (results, asked) = work(limit, &arguments.record, &session, drivers, print).await?;
        Ok(Worked::Until(results, asked))
    })?;
    let (results, asked) = match worked {
        Worked::Until(results, asked) => (results, asked),
        Worked::Not(Answer::Interrupted) => return Ok(Outcome::Interrupted),
        Worked::Not(_) => {
            say!(out, "Nothing was sent.")?;
            return Ok(Outcome::Problems);
        }
    };
    // What was sent is told, whether or not it could be recorded.
    let recorded = session.store.record();
    let stranded = session.store.stranded();
    report(arguments, &session, &results, &stranded, out).map_err(Failure::Output)?;
    recorded?;
    if let Some(asked) = asked {
        return Ok(asked.unfinished());
    }
    let done = results.iter().all(is_complete) && stranded.is_empty();
    Ok(Outcome::of(done && !session.manifests.has_errors()))
}

/// How far a command came.
enum Worked {
    /// To the end, or until it was asked to stop, with how each page stands.
    Until(Vec<PageResult>, Option<Asked>),
    /// Nowhere: somebody said no.
    Not(Answer),
}

/// Works on pages until nothing is left that time would mend, at most for `limit`.
pub(super) async fn work(
    limit: Duration,
    record: &Record,
    session: &Session,
    drivers: Vec<PageDriver<DirectoryStore>>,
    print: Option<Lines>,
) -> Result<(Vec<PageResult>, Option<Asked>), Failure> {
    session.record(record).await?;
    // One for each page: an outage ends the work on one of them.
    let triggers: Vec<Trigger> = drivers.iter().map(|_| Trigger::default()).collect();
    let work = futures::future::join_all(drivers.into_iter().zip(&triggers).map(|(driver, trigger)| {
        let mut driver = session.recorded(driver);
        let print = print.clone();
        async move { settle(&mut driver, trigger, limit, print.as_ref()).await }
    }));
    tokio::pin!(work);
    let (asked, why) = tokio::select! {
        results = &mut work => {
            session.close_record().await;
            return Ok((results, None));
        }
        asked = asked_to_end() => {
            (Some(asked), "Stopping: finishing the request that is under way. Ctrl-C again ends at once.".to_owned())
        }
        () = tokio::time::sleep(limit) => {
            (None, format!("{} s are over (--timeout): finishing the request that is under way.", limit.as_secs()))
        }
        unrecorded = session.unrecorded() => (None, format!("Stopping: {unrecorded}")),
        never = session.bar.show(&session.tally, print.as_ref()) => match never {},
        never = session.tell_of_used_window() => match never {},
        never = session.take_along(&triggers, print.as_ref()) => match never {},
    };
    if let Some(print) = &print {
        print(&why);
    }
    triggers.iter().for_each(Trigger::stop);
    let ended = tokio::select! {
        results = &mut work => Ok((results, asked)),
        _ = asked_to_end() => Err(Failure::Interrupted),
    };
    session.close_record().await;
    ended
}

/// After so long at the question, what was shown may not be true any more.
const STILL_TRUE: Duration = Duration::from_secs(60);

/// What is compared of pages that were looked at.
pub(super) fn planned(pages: &[Reviewed]) -> Vec<PlannedPage> {
    pages.iter().map(|one| one.planned.clone()).collect()
}

/// Finds out whether what would be done now is to be done: it is what was reviewed, or somebody says yes.
async fn consent(
    arguments: &Arguments,
    order: &Order,
    session: &Session,
    drivers: &mut Vec<PageDriver<DirectoryStore>>,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let shown = review(session, drivers).await?;
    let before = planned(&shown);
    if let Some(file) = &order.reviewed {
        return match file.differences(&before) {
            lines if lines.is_empty() => Ok(Answer::Yes),
            lines => Err(Failure::PlanMoved(lines)),
        };
    }
    let pages: Vec<_> = shown.into_iter().map(|one| one.report).collect();
    if !pages.iter().any(PagePlan::needs_consent) {
        return Ok(Answer::Yes);
    }
    let shown = plan::Report::new(session, pages);
    match arguments.output {
        Format::Text => text(&shown, out).and_then(|()| out.flush()),
        Format::Json => text(&shown, &mut anstream::AutoStream::auto(std::io::stderr()).lock()),
    }
    .map_err(Failure::Output)?;
    ask("Do this?", &before, session, drivers).await
}

/// Asks, and after a long time for an answer looks whether what was shown is still what would be done.
pub(super) async fn ask(
    question: &str,
    before: &[PlannedPage],
    session: &Session,
    drivers: &mut Vec<PageDriver<DirectoryStore>>,
) -> Result<Answer, Failure> {
    let asked = Instant::now();
    let answer = question::ask(question).await;
    if answer == Answer::Yes && asked.elapsed() > STILL_TRUE {
        // Read anew: somebody may have done the same in the console meanwhile.
        *drivers = drivers
            .iter()
            .map(|driver| session.driver(driver.key().clone()))
            .collect();
        let lines = differences(before, &planned(&review(session, drivers).await?));
        if !lines.is_empty() {
            return Err(Failure::PlanMoved(lines));
        }
    }
    Ok(answer)
}

/// True when every declaration of the page is as declared, or suspended.
fn is_complete(result: &PageResult) -> bool {
    !result.stopped && result.open().next().is_none()
}

fn report(
    arguments: &Arguments,
    session: &Session,
    results: &[PageResult],
    stranded: &BTreeMap<String, usize>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let findings = results.iter().flat_map(|result| &result.findings);
    let already_there = findings.filter(|finding| finding.reason == Reason::AlreadyExists);
    let unrecorded = unrecorded(&session.store, already_there.count());
    if arguments.output == Format::Json {
        let report = Report {
            version: 1,
            pages: results
                .iter()
                .map(|result| page_report(result, session.tally.of(&result.key)))
                .collect(),
            undeclared_pages: stranded,
            nothing_recorded: unrecorded.is_some(),
            manifest_errors: session.manifest_errors(),
        };
        return json(&report, out);
    }
    for result in results {
        // A stopped page is full of things still to do: the count says enough.
        let findings = result
            .open()
            .filter(|finding| !result.stopped || finding.state == State::Stalled)
            .filter(|finding| !session.tally.just_told(finding));
        for line in finding_lines(&result.key, findings) {
            writeln!(out, "{line}")?;
        }
        let counts = session.tally.of(&result.key);
        writeln!(
            out,
            "{}",
            summary(result, counts, result.totals.requests, session.public)
        )?;
        if result.stopped {
            writeln!(out, "Stopped before the end: apply again to go on.")?;
        }
    }
    for line in stranded_lines(stranded)
        .into_iter()
        .chain(unrecorded.as_deref().map(warning_line))
    {
        writeln!(out, "{line}")?;
    }
    if session.manifests.has_errors() {
        writeln!(out, "{}", left_out(session.manifest_errors()))?;
    }
    Ok(())
}

fn page_report(result: &PageResult, counts: Counts) -> PageReport<'_> {
    PageReport {
        page: format!("{}/{}", result.key.namespace, result.key.name),
        url: result.address.as_deref(),
        counts,
        requests: result.totals.requests,
        writes: result.totals.writes,
        failures: result.totals.failures,
        complete: is_complete(result),
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
