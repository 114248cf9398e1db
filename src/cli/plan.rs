//! `statuspage plan`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::session::{Session, block_on, print_problems};
use super::{Connection, Failure, Outcome};
use crate::driver::preview::{Preview, preview};
use crate::engine::{Action, Change, Finding, State, Step};

/// Options of `plan`.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Directory with the manifests, or one file.
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
    pages: Vec<PageReport>,
    manifest_errors: usize,
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
    let pages = session.store.pages();
    if pages.is_empty() && !session.manifests.has_errors() {
        return Err(Failure::NoPage(arguments.directory.clone()));
    }
    let pages = block_on(async {
        let mut reports = Vec::new();
        for page in pages {
            let mut driver = session.driver(page.clone());
            let Some((view, _)) = driver.observe().await else {
                continue;
            };
            let shown = preview(&driver.world(&view), &view);
            let requests = shown.steps.len();
            let seconds = driver.budget().map_or(0, |budget| budget.estimate(requests).as_secs());
            let page_id = driver.snapshot().page.as_ref().map(|page| page.id.clone());
            reports.push(page_report(
                format!("{}/{}", page.namespace, page.name),
                page_id,
                shown,
                seconds,
                driver.totals().reads,
            ));
        }
        Ok(reports)
    })?;
    let manifest_errors = session
        .manifests
        .problems
        .iter()
        .filter(|problem| problem.is_error())
        .count();
    let report = Report { pages, manifest_errors };
    match arguments.output {
        Format::Text => text(&report, out),
        Format::Markdown => markdown(&report, out),
        Format::Json => serde_json::to_writer_pretty(&mut *out, &report)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
    }
    .map_err(Failure::Output)?;
    let problems = manifest_errors > 0 || report.pages.iter().any(|page| !page.problems.is_empty());
    Ok(if problems {
        Outcome::Problems
    } else if report.pages.iter().any(|page| page.requests > 0) {
        Outcome::Changes
    } else {
        Outcome::Success
    })
}

fn page_report(page: String, page_id: Option<String>, shown: Preview, seconds: u64, reads: u64) -> PageReport {
    let count = |wanted: fn(&Action) -> bool| shown.steps.iter().filter(|step| wanted(&step.action)).count();
    PageReport {
        page,
        page_id,
        create: count(|action| matches!(action, Action::Create(_))),
        update: count(|action| matches!(action, Action::Update(_) | Action::Publish { .. })),
        delete: count(|action| matches!(action, Action::Delete(_))),
        requests: shown.steps.len(),
        seconds,
        requests_to_plan: reads,
        problems: shown
            .findings
            .iter()
            .filter(|finding| is_problem(finding))
            .map(problem_report)
            .collect(),
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
            Action::Delete(_) => "delete",
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
    for page in &report.pages {
        let id = page
            .page_id
            .as_deref()
            .map(|id| format!(" (page {id})"))
            .unwrap_or_default();
        writeln!(out, "StatusPage {}{id}", page.page)?;
        for step in &page.steps {
            let (mark, style) = mark(step.action);
            writeln!(
                out,
                "  {style}{mark}{style:#} {} {}/{}: {}",
                step.kind, step.namespace, step.name, step.summary
            )?;
            for change in &step.changes {
                writeln!(out, "      {}", change_line(change))?;
            }
        }
        for problem in &page.problems {
            let style = anstyle::AnsiColor::Yellow.on_default();
            writeln!(
                out,
                "  {style}!{style:#} {} {}/{}: {}: {}",
                problem.kind, problem.namespace, problem.name, problem.reason, problem.message
            )?;
        }
        writeln!(out, "{}", totals(page))?;
    }
    Ok(())
}

fn markdown(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for page in &report.pages {
        writeln!(out, "### StatusPage `{}`\n\n{}\n", page.page, totals(page))?;
        if !page.steps.is_empty() {
            writeln!(out, "```diff")?;
            for step in &page.steps {
                let (mark, _) = mark(step.action);
                let mark = if mark == "~" { "!" } else { mark };
                writeln!(
                    out,
                    "{mark} {} {}/{}: {}",
                    step.kind, step.namespace, step.name, step.summary
                )?;
                for change in &step.changes {
                    writeln!(out, "    {}", change_line(change))?;
                }
            }
            writeln!(out, "```\n")?;
        }
        for problem in &page.problems {
            writeln!(
                out,
                "- **{}** {} `{}/{}`: {}",
                problem.reason, problem.kind, problem.namespace, problem.name, problem.message
            )?;
        }
    }
    Ok(())
}

fn mark(action: &str) -> (&'static str, anstyle::Style) {
    match action {
        "create" => ("+", anstyle::AnsiColor::Green.on_default()),
        "delete" => ("-", anstyle::AnsiColor::Red.on_default()),
        _ => ("~", anstyle::AnsiColor::Cyan.on_default()),
    }
}

fn change_line(change: &Change) -> String {
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
    if page.requests == 0 {
        return format!("Nothing to do. (planned with {} requests)", page.requests_to_plan);
    }
    format!(
        "{} to create, {} to update, {} to delete: {} requests, about {} s (planned with {} requests)",
        page.create, page.update, page.delete, page.requests, page.seconds, page.requests_to_plan
    )
}
