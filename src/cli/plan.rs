//! `statuspage plan`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::progress::{finding_lines, left_out, print_problems, stranded_lines};
use super::session::{Session, block_on};
use super::{Connection, Failure, Outcome};
use crate::driver::preview::{Preview, preview};
use crate::engine::{Action, Change, Finding, ObjectKey, State, Step};

/// What the JSON is made of; for the help.
const JSON_HELP: &str = "\
JSON (--output json), one object:
  version             1; grows when a field changes its meaning or goes away
  manifest_errors     problems of manifests, which are explained on standard error
  undeclared_pages    pages (namespace/name) with recorded objects whose StatusPage is not declared any more
  pages[]             in the order of the files
    page, page_id     namespace/name of the StatusPage; its id, or null when it was not reached
    create, update, delete, requests
                      steps of each sort, and the requests that apply will send for them
    seconds           how long the request budget makes them take
    requests_to_plan  requests that this plan took
    steps[]           in the order of apply: action (create, update, delete), kind, namespace, name, summary,
                      changes[] of {field, from, to}; ids of declared objects appear as their names
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

#[derive(Serialize)]
struct Report {
    version: u32,
    manifest_errors: usize,
    undeclared_pages: BTreeMap<String, usize>,
    pages: Vec<PageReport>,
}

#[derive(Serialize)]
struct PageReport {
    page: String,
    page_id: Option<String>,
    create: usize,
    update: usize,
    delete: usize,
    requests: usize,
    seconds: u64,
    requests_to_plan: u64,
    steps: Vec<StepReport>,
    problems: Vec<ProblemReport>,
    #[serde(skip)]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct StepReport {
    action: &'static str,
    kind: &'static str,
    namespace: String,
    name: String,
    summary: String,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct ProblemReport {
    kind: &'static str,
    namespace: String,
    name: String,
    reason: &'static str,
    message: String,
}

/// Shows what `apply` would do.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let session = Session::read_only(&arguments.directory, &arguments.connection)?;
    print_problems(&session.manifests);
    let pages = session.pages(&arguments.directory)?;
    let pages = block_on(async {
        let mut reports = Vec::new();
        let used = session.tell_of_used_window();
        tokio::pin!(used);
        for page in pages {
            let mut driver = session.driver(page.clone());
            let observed = tokio::select! {
                observed = driver.observe() => observed,
                never = &mut used => match never {},
            };
            let Some((view, _)) = observed else {
                continue;
            };
            let shown = preview(&driver.world(&view), &view);
            let requests = shown.steps.len();
            let seconds = driver.budget().map_or(0, |budget| budget.estimate(requests).as_secs());
            let page_id = driver.snapshot().page.as_ref().map(|page| page.id.clone());
            reports.push(page_report(&page, page_id, shown, seconds, driver.totals().requests));
        }
        session.close_record().await;
        Ok(reports)
    })?;
    let manifest_errors = session.manifest_errors();
    let report = Report {
        version: 1,
        manifest_errors,
        undeclared_pages: session.store.stranded(),
        pages,
    };
    match arguments.output {
        Format::Text => text(&report, out),
        Format::Markdown => markdown(&report, out),
        Format::Json => serde_json::to_writer_pretty(&mut *out, &report)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
    }
    .map_err(Failure::Output)?;
    let problems = manifest_errors > 0
        || !report.undeclared_pages.is_empty()
        || report.pages.iter().any(|page| !page.problems.is_empty());
    Ok(if problems {
        Outcome::Problems
    } else if report.pages.iter().any(|page| page.requests > 0) {
        Outcome::Changes
    } else {
        Outcome::Success
    })
}

fn page_report(
    page: &ObjectKey,
    page_id: Option<String>,
    shown: Preview,
    seconds: u64,
    requests_to_plan: u64,
) -> PageReport {
    let count = |wanted: fn(&Action) -> bool| shown.steps.iter().filter(|step| wanted(&step.action)).count();
    let problems: Vec<&Finding> = shown.findings.iter().filter(|finding| is_problem(finding)).collect();
    PageReport {
        page: format!("{}/{}", page.namespace, page.name),
        page_id,
        create: count(|action| matches!(action, Action::Create(_))),
        update: count(|action| !matches!(action, Action::Create(_)) && !action.is_deletion()),
        delete: count(Action::is_deletion),
        requests: shown.steps.len(),
        seconds,
        requests_to_plan,
        warnings: finding_lines(page, problems.iter().copied()),
        problems: problems.iter().copied().map(problem_report).collect(),
        steps: shown.steps.into_iter().map(step_report).collect(),
    }
}

/// What an apply would not mend by itself.
fn is_problem(finding: &Finding) -> bool {
    use crate::api::Reason;
    finding.state == State::Stalled
        || matches!(
            finding.reason,
            Reason::Unreachable | Reason::Unauthorized | Reason::PageNotReady | Reason::SecretNotFound
        )
}

fn problem_report(finding: &Finding) -> ProblemReport {
    ProblemReport {
        kind: finding.key.kind.as_str(),
        namespace: finding.key.namespace.clone(),
        name: finding.key.name.clone(),
        reason: finding.reason.as_str(),
        message: finding.message.clone(),
    }
}

fn step_report(step: Step) -> StepReport {
    StepReport {
        action: match step.action {
            Action::Create(_) => "create",
            Action::Delete(_) | Action::Replace(_) => "delete",
            _ => "update",
        },
        kind: step.key.kind.as_str(),
        namespace: step.key.namespace,
        name: step.key.name,
        summary: step.summary,
        changes: step.changes,
    }
}

fn text(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for (index, page) in report.pages.iter().enumerate() {
        let id = page
            .page_id
            .as_deref()
            .map(|id| format!(" (page {id})"))
            .unwrap_or_default();
        let bold = anstyle::Style::new().bold();
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{bold}StatusPage {}{bold:#}{id}", page.page)?;
        for step in &page.steps {
            let (mark, style) = mark(step.action);
            writeln!(out, "  {style}{mark}{style:#} {}", headline(step))?;
            for change in &step.changes {
                writeln!(out, "      {}", change_line(change))?;
            }
        }
        for line in &page.warnings {
            writeln!(out, "  {line}")?;
        }
        if !page.steps.is_empty() || !page.warnings.is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "{}", totals(page))?;
    }
    for line in stranded_lines(&report.undeclared_pages) {
        writeln!(out, "{line}")?;
    }
    if report.manifest_errors > 0 {
        writeln!(out, "{}", left_out(report.manifest_errors))?;
    }
    Ok(())
}

fn markdown(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for page in &report.pages {
        writeln!(out, "### StatusPage `{}`\n\n{}\n", page.page, totals(page))?;
        if !page.steps.is_empty() {
            // No text of a manifest may end the block.
            let block = fence(page);
            writeln!(out, "{block}diff")?;
            for step in &page.steps {
                let (mark, _) = mark(step.action);
                let mark = if mark == "~" { "!" } else { mark };
                writeln!(out, "{mark} {}", headline(step))?;
                for change in &step.changes {
                    writeln!(out, "    {}", change_line(change))?;
                }
            }
            writeln!(out, "{block}\n")?;
        }
        for problem in &page.problems {
            writeln!(
                out,
                "- **{}** {} `{}/{}`: {}",
                problem.reason,
                problem.kind,
                problem.namespace,
                problem.name,
                problem.message.replace('\n', " ")
            )?;
        }
    }
    for (page, count) in &report.undeclared_pages {
        writeln!(
            out,
            "- StatusPage `{page}` is not declared any more: its {count} recorded objects stay as they are"
        )?;
    }
    if report.manifest_errors > 0 {
        writeln!(out, "\n**{}**", left_out(report.manifest_errors))?;
    }
    Ok(())
}

/// Backticks enough to enclose what is shown of a page.
fn fence(page: &PageReport) -> String {
    let longest = page
        .steps
        .iter()
        .flat_map(|step| step.changes.iter().map(change_line).chain([headline(step)]))
        .flat_map(|line| {
            line.split(|character| character != '`')
                .map(str::len)
                .collect::<Vec<_>>()
        })
        .max()
        .unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// What a step is about; what it does too, unless the lines of its changes say so.
fn headline(step: &StepReport) -> String {
    let name = format!("{} {}/{}", step.kind, step.namespace, step.name);
    let told_by_changes = !step.changes.is_empty() && !step.summary.starts_with("publish");
    if told_by_changes {
        name
    } else {
        format!("{name}: {}", step.summary)
    }
}

fn mark(action: &str) -> (&'static str, anstyle::Style) {
    match action {
        "create" => ("+", anstyle::AnsiColor::Green.on_default()),
        "delete" => ("-", anstyle::AnsiColor::Red.on_default()),
        _ => ("~", anstyle::AnsiColor::Cyan.on_default()),
    }
}

pub(super) fn change_line(change: &Change) -> String {
    match &change.from {
        Some(from) => format!("{}: {} → {}", change.field, shown(from), shown(&change.to)),
        None => format!("{}: {}", change.field, shown(&change.to)),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn totals(page: &PageReport) -> String {
    let planned = match page.requests_to_plan {
        1 => "planned with 1 request".to_owned(),
        more => format!("planned with {more} requests"),
    };
    if page.requests == 0 {
        let what = if page.problems.is_empty() {
            "Nothing to do"
        } else {
            "Nothing that apply could do"
        };
        return format!("{what} ({planned}).");
    }
    let requests = match page.requests {
        1 => "1 request".to_owned(),
        more => format!("{more} requests"),
    };
    let time = match page.seconds {
        0 => String::new(),
        seconds @ 1..=119 => format!(", about {seconds} s"),
        more => format!(", about {} min", more.div_ceil(60)),
    };
    format!(
        "{} to create, {} to update, {} to delete: {requests}{time} ({planned}).",
        page.create, page.update, page.delete
    )
}
