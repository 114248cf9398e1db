//! `statuspage plan`.

mod file;
mod render;
mod report;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::only::Only;
use super::progress::print_problems;
use super::session::{Session, block_on};
use super::{Connection, Failure, Outcome};
use crate::driver::PageDriver;
use crate::store::directory::DirectoryStore;
use file::planned_page;
pub(super) use file::{PlanFile, PlannedPage, differences};
use render::markdown;
pub(super) use render::{change_line, text};
use report::{Costs, page_report};
pub(super) use report::{PageReport, Report};

/// What the JSON is made of; for the help.
const JSON_HELP: &str = "\
JSON (--output json), one object:
  version             1; grows when a field changes its meaning or goes away
  manifest_errors     problems of manifests, which are explained on standard error
  undeclared_pages    pages (namespace/name) with recorded objects whose StatusPage is not declared any more
  nothing_recorded    true when the lock file has no object, and declared objects are on the page already
  pages[]             in the order of the files
    page, page_id     namespace/name of the StatusPage; its id, or null when it was not reached
    create, update, delete, requests
                      steps of each sort, and the requests that apply will send for them
    seconds           how long the request budget makes them take
    requests_to_plan  requests that this plan took
    steps[]           in the order of apply: action (create, update, delete), kind, namespace, name, summary,
                      changes[] of {field, from, to}; ids of declared objects appear as their names;
                      publishes {status, body, notifies, subscribers}: what visitors will read, whether subscribers
                      are told, and how many there are (null: not known);
                      object and lost: what a deletion takes from the page, and what goes with it
    moves[]           a declaration that was renamed, and would be deleted and created again: kind, namespace, from,
                      to, id, annotation that keeps the object
    left[]            objects whose manifests are gone and that stay on the page: kind, namespace, name, id, object
    adopts[]          objects of the page that declarations take over and write to from then on: kind, namespace, name,
                      id, object
    undeclared        numbers of objects of the page that nobody declares, by kind
    problems[]        what apply would not mend: kind, namespace, name, reason, message

Exit code: 0 nothing to do, 2 changes, 1 a problem or an error.
";

/// Options of `plan`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = format!("{JSON_HELP}\n{}", super::connection::SECRETS_HELP))]
pub struct Arguments {
    /// Directory with the manifests, or one file. What is missing in a directory is deleted by its policy; one file
    /// deletes nothing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Writes the plan to a file, for `apply FILE` to do exactly this, or to refuse because the page or the files have
    /// moved. It holds what is shown here, personal data included, and no secrets.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What the plan is about.
    #[command(flatten)]
    pub only: Only,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For a comment on a pull request.
    Markdown,
    /// One JSON object.
    Json,
}

/// A page as it was looked at: what is shown of it, and what a file holds of it.
pub(super) struct Reviewed {
    pub(super) report: PageReport,
    pub(super) planned: PlannedPage,
}

/// Finds out what an apply would do, page after page.
pub(super) async fn review(
    session: &Session,
    drivers: &mut [PageDriver<DirectoryStore>],
) -> Result<Vec<Reviewed>, Failure> {
    let mut reviewed = Vec::new();
    let used = session.tell_of_used_window();
    tokio::pin!(used);
    for driver in drivers {
        let foreseen = tokio::select! {
            foreseen = driver.foresee() => foreseen,
            unrecorded = session.unrecorded() => return Err(Failure::Unrecorded(unrecorded)),
            never = &mut used => match never {},
        };
        let Some((view, shown)) = foreseen else {
            continue;
        };
        let requests = shown.steps.len();
        let costs = Costs {
            seconds: driver.budget().map_or(0, |budget| budget.estimate(requests).as_secs()),
            requests_to_plan: driver.totals().requests,
        };
        let snapshot = driver.snapshot();
        let report = page_report(driver.key(), snapshot, &view, &shown, costs);
        let planned = planned_page(&view, &shown, snapshot, &report);
        reviewed.push(Reviewed { report, planned });
    }
    Ok(reviewed)
}

/// Shows what `apply` would do.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let session = Session::read_only(&arguments.directory, &arguments.connection)?;
    print_problems(&session.manifests);
    let pages = session.pages(&arguments.directory)?;
    let pages = arguments.only.narrow(&session.store, pages, &arguments.directory)?;
    let reviewed = block_on(async {
        let mut drivers: Vec<_> = pages.into_iter().map(|page| session.driver(page)).collect();
        let reviewed = review(&session, &mut drivers).await;
        session.close_record().await;
        reviewed
    })?;
    let (pages, planned) = reviewed.into_iter().map(|one| (one.report, one.planned)).unzip();
    let report = Report::new(&session, pages);
    match arguments.output {
        Format::Text => text(&report, out),
        Format::Markdown => markdown(&report, out),
        Format::Json => serde_json::to_writer_pretty(&mut *out, &report)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
    }
    .map_err(Failure::Output)?;
    if let Some(path) = &arguments.out {
        if report.has_problems() {
            return Err(Failure::PlanFile {
                path: path.clone(),
                why: "it was not written: mend what the plan says first".to_owned(),
            });
        }
        PlanFile::new(&arguments.directory, &arguments.only.only, planned).write(path)?;
        if arguments.output == Format::Text {
            writeln!(out, "To do exactly this: statuspage apply {}", path.display()).map_err(Failure::Output)?;
        }
    }
    Ok(if report.has_problems() {
        Outcome::Problems
    } else if report.pages.iter().any(|page| page.requests > 0) {
        Outcome::Changes
    } else {
        Outcome::Success
    })
}
