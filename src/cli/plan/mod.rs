//! `statuspage plan`.

mod file;
mod render;
mod report;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::only::Only;
use super::output::json;
use super::progress::print_problems;
use super::session::{Session, block_on_reading};
use super::{Connection, Failure, Outcome};
use crate::driver::PageDriver;
use crate::store::directory::DirectoryStore;
use file::planned_page;
pub(super) use file::{PlanFile, PlannedPage, differences};
use render::markdown;
pub(super) use render::{change_line, text};
use report::{Costs, page_report};
pub(super) use report::{PageReport, Report};

const EXAMPLES: &str = "\
Examples:
  statuspage plan pages/
  statuspage plan pages/ --only incident/database-down
  statuspage plan pages/ --output markdown
  statuspage plan pages/ --out reviewed.plan";

/// What the JSON is made of; for the help.
const JSON_HELP: &str = "\
JSON (--output json), one object:
  version           1; grows when a field changes its meaning or goes away
  manifest_errors   errors in manifests, which standard error explains
  undeclared_pages  pages (namespace/name) with recorded objects whose
                    StatusPage is no longer declared
  nothing_recorded  true when the lock file has no object, and declared objects
                    are on the page already
  pages[]           in the order of the files:
    page, page_id   namespace/name of the StatusPage; its id, or null when it
                    was not reached
    create, update, delete, requests
                    how many of each, and the requests that apply will send
    seconds         how long the request budget makes them take
    requests_to_plan
                    requests that this plan took
    steps[]         in the order of apply:
      action        create, update or delete
      kind, namespace, name, summary
      changes[]     {field, from, to}; declared objects by their names
      publishes     {status, body, notifies, subscribers}: what visitors will
                    read, whether subscribers are told, and how many there
                    are (null: not known)
      object, lost  what a deletion removes, and what is lost with it
      remark        what is odd about it, such as a maintenance that is over
    moves[]         a renamed declaration, which would be deleted and created
                    again: kind, namespace, from, to, id, and the annotation
                    that keeps the object
    left[]          objects that stay though their manifests are gone: kind,
                    namespace, name, id, object
    adopts[]        objects that declarations adopt: kind, namespace,
                    name, id, object
    undeclared      objects of the page that nobody declares, by kind
    problems[]      what apply cannot fix: kind, namespace, name, reason,
                    message

Exit code: 0 nothing to do, 2 changes, 1 a problem or an error.
";

/// Options of `plan`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{JSON_HELP}\n{}", super::connection::SECRETS_HELP)
)]
pub struct Arguments {
    /// Directory with the manifests, or one file. Objects whose manifests were removed from a directory are deleted as
    /// their deletionPolicy says; one file deletes nothing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// Writes the plan to a file, for `apply FILE` to do exactly this, or to refuse if the page or the files have
    /// changed. It holds what is shown here, personal data included, and no secrets.
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
    session.attended(async { Ok(review_all(drivers).await) }).await
}

async fn review_all(drivers: &mut [PageDriver<DirectoryStore>]) -> Vec<Reviewed> {
    let mut reviewed = Vec::new();
    for driver in drivers {
        let Some((view, shown)) = driver.foresee().await else {
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
    reviewed
}

/// Shows what `apply` would do.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let session = Session::read_only(&arguments.directory, &arguments.connection)?;
    print_problems(&session.manifests);
    let pages = session.pages(&arguments.directory)?;
    let pages = arguments.only.narrow(&session.store, pages, &arguments.directory)?;
    let reviewed = block_on_reading(async {
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
        Format::Json => json(&report, out),
    }
    .map_err(Failure::Output)?;
    if let Some(path) = &arguments.out {
        if report.has_problems() {
            return Err(Failure::PlanFile {
                path: path.clone(),
                why: "it was not written: fix the problems of the plan first".to_owned(),
            });
        }
        PlanFile::new(&arguments.directory, &arguments.only.only, planned).write(path)?;
        if arguments.output == Format::Text {
            say!(out, "To do exactly this: statuspage apply {}", path.display())?;
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
