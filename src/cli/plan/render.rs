//! A plan in words: for a terminal, and for a comment on a pull request.

use std::io::Write;

use serde_json::Value;

use super::report::{PageReport, ProblemReport, Report, StepReport};
use crate::api::Reason;
use crate::cli::output::counted;
use crate::cli::progress::{alike, left_out, names, stranded_lines, warning_line};
use crate::engine::Change;

/// What is said of a step below its headline: what visitors will read, word for word, then the fields.
pub(in crate::cli) fn details(step: &StepReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(published) = &step.publishes {
        let status = published.status.as_deref().map(|status| format!("status {status}, "));
        let told = match (published.notifies, published.subscribers) {
            (false, _) => "tells no subscriber".to_owned(),
            (true, Some(1)) => "tells 1 subscriber".to_owned(),
            (true, Some(count)) => format!("tells {count} subscribers"),
            (true, None) => "tells the subscribers".to_owned(),
        };
        lines.push(format!("publishes: {}{told}", status.unwrap_or_default()));
        lines.extend(
            published
                .body
                .iter()
                .flat_map(|body| body.lines())
                .map(|line| format!("| {line}")),
        );
    }
    lines.extend(step.remark.iter().map(|remark| format!("note: {remark}")));
    let said = |change: &&Change| step.publishes.is_none() || !change.field.starts_with("updates");
    lines.extend(step.changes.iter().filter(said).map(change_line));
    lines
}

/// So many objects that are adopted are named.
const LISTED: usize = 20;

/// What a page has beside the steps: renames, what stays, what nobody declares.
fn remarks(page: &PageReport) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &page.moves {
        lines.push(format!(
            "{} {}/{} looks like {} under another name. To keep the object and its history, give it the annotation {}",
            one.kind, one.namespace, one.to, one.from, one.annotation
        ));
    }
    for one in &page.left {
        lines.push(format!(
            "{} {}/{} is no longer declared and stays on the page: {} ({}). To delete it, restore its manifest with deletionPolicy: Delete (or set defaults.deletionPolicy of the StatusPage), apply, and remove it again",
            one.kind, one.namespace, one.name, one.object, one.id
        ));
    }
    for one in page.adopts.iter().take(LISTED) {
        let object = match one.object.as_str() {
            "" => String::new(),
            object => format!(" ({object})"),
        };
        lines.push(format!(
            "{} {}/{} adopts {}{object}, which is on the page already, and writes to it from then on",
            one.kind, one.namespace, one.name, one.id
        ));
    }
    if page.adopts.len() > LISTED {
        lines.push(format!("… and {} more are adopted", page.adopts.len() - LISTED));
    }
    if !page.undeclared.is_empty() {
        let counts: Vec<String> = page
            .undeclared
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        lines.push(format!(
            "Not declared here, and never touched: {}. `statuspage export --missing DIR` adds their manifests",
            counts.join(", ")
        ));
    }
    lines
}

pub(in crate::cli) fn text(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
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
            for line in details(step) {
                writeln!(out, "      {line}")?;
            }
        }
        for line in &page.warnings {
            writeln!(out, "  {line}")?;
        }
        for line in remarks(page) {
            writeln!(out, "  {line}")?;
        }
        if !page.steps.is_empty() || !page.warnings.is_empty() || !remarks(page).is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "{}", totals(page))?;
        if let Some(line) = unanswered(page) {
            writeln!(out, "{line}")?;
        }
    }
    for line in stranded_lines(&report.undeclared_pages) {
        writeln!(out, "{line}")?;
    }
    if let Some(text) = &report.unrecorded {
        writeln!(out, "{}", warning_line(text))?;
    }
    if report.manifest_errors > 0 {
        writeln!(out, "{}", left_out(report.manifest_errors))?;
    }
    Ok(())
}

pub(in crate::cli) fn markdown(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
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
                for line in details(step) {
                    writeln!(out, "    {line}")?;
                }
            }
            writeln!(out, "{block}\n")?;
        }
        for line in remarks(page) {
            writeln!(out, "- {}", line.replace('\n', " "))?;
        }
        let same =
            |one: &&ProblemReport, other: &&ProblemReport| (one.reason, &one.message) == (other.reason, &other.message);
        for problems in alike(&page.problems, same) {
            let named = |one: &&ProblemReport| format!("{} `{}/{}`", one.kind, one.namespace, one.name);
            let names = names(problems.iter().map(named));
            let Some(first) = problems.first() else { continue };
            let message = first.message.replace('\n', " ");
            writeln!(out, "- **{}** {names}: {message}", first.reason)?;
        }
    }
    for (page, count) in &report.undeclared_pages {
        writeln!(
            out,
            "- StatusPage `{page}` is no longer declared: its {count} recorded objects stay as they are"
        )?;
    }
    if let Some(text) = &report.unrecorded {
        writeln!(out, "- {text}")?;
    }
    if report.manifest_errors > 0 {
        writeln!(out, "\n**{}**", left_out(report.manifest_errors))?;
    }
    Ok(())
}

/// What to do when Statuspage could not be asked: only `apply` and what goes on running try again.
fn unanswered(page: &PageReport) -> Option<&'static str> {
    let is_away = |problem: &ProblemReport| problem.reason == Reason::Unreachable.as_str();
    let away = page.problems.iter().any(is_away);
    away.then_some("`plan` does not retry: run it again once Statuspage answers.")
}

/// Backticks enough to enclose what is shown of a page.
fn fence(page: &PageReport) -> String {
    let longest = page
        .steps
        .iter()
        .flat_map(|step| details(step).into_iter().chain([headline(step)]))
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
pub(in crate::cli) fn headline(step: &StepReport) -> String {
    let name = format!("{} {}/{}", step.kind, step.namespace, step.name);
    let told_by_changes = !step.changes.is_empty() && !step.summary.starts_with("publish");
    if told_by_changes {
        name
    } else {
        let object = step.object.as_ref().map(|object| format!(", {object}"));
        let lost = step.lost.map(|lost| format!("; {lost}"));
        let (object, lost) = (object.unwrap_or_default(), lost.unwrap_or_default());
        format!("{name}: {}{object}{lost}", step.summary)
    }
}

fn mark(action: &str) -> (&'static str, anstyle::Style) {
    match action {
        "create" => ("+", anstyle::AnsiColor::Green.on_default()),
        "delete" => ("-", anstyle::AnsiColor::Red.on_default()),
        _ => ("~", anstyle::AnsiColor::Cyan.on_default()),
    }
}

pub(in crate::cli) fn change_line(change: &Change) -> String {
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
    let planned = format!("planned with {}", counted(page.requests_to_plan, "request"));
    if page.requests == 0 {
        let what = if page.problems.is_empty() {
            "Nothing to do"
        } else {
            "Nothing that apply could do"
        };
        return format!("{what} ({planned}).");
    }
    let requests = counted(page.requests as u64, "request");
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
