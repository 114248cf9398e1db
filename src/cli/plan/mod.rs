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
use crate::api::Kind;
use crate::driver::View;
use crate::driver::binding::description;
use crate::driver::preview::Preview;
use crate::engine::{
    Action, Change, Declaration, Deletion, Finding, ObjectKey, Request, Spec, State, Step, subscriber_totals,
};
use crate::statuspage::Snapshot;

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
                      changes[] of {field, from, to}; ids of declared objects appear as their names;
                      publishes {status, body, notifies, subscribers}: what visitors will read, whether subscribers
                      are told, and how many there are (null: not known);
                      object and lost: what a deletion takes from the page, and what goes with it
    moves[]           a declaration that was renamed, and would be deleted and created again: kind, namespace, from,
                      to, id, annotation that keeps the object
    left[]            objects whose manifests are gone and that stay on the page: kind, namespace, name, id, object
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
    moves: Vec<MoveReport>,
    left: Vec<LeftReport>,
    undeclared: BTreeMap<&'static str, usize>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    publishes: Option<PublicationReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'static str>,
}

/// What visitors will read.
#[derive(Serialize)]
struct PublicationReport {
    status: Option<String>,
    body: Option<String>,
    notifies: bool,
    subscribers: Option<i64>,
}

/// A declaration under another name whose object could stay.
#[derive(Serialize)]
struct MoveReport {
    kind: &'static str,
    namespace: String,
    from: String,
    to: String,
    id: String,
    annotation: String,
}

/// An object whose manifest is gone and that stays.
#[derive(Serialize)]
struct LeftReport {
    kind: &'static str,
    namespace: String,
    name: String,
    id: String,
    object: String,
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
            let foreseen = tokio::select! {
                foreseen = driver.foresee() => foreseen,
                never = &mut used => match never {},
            };
            let Some((view, shown)) = foreseen else {
                continue;
            };
            let requests = shown.steps.len();
            let seconds = driver.budget().map_or(0, |budget| budget.estimate(requests).as_secs());
            let snapshot = driver.snapshot();
            reports.push(page_report(
                &page,
                snapshot,
                &view,
                shown,
                seconds,
                driver.totals().requests,
            ));
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
    snapshot: &Snapshot,
    view: &View,
    shown: Preview,
    seconds: u64,
    requests_to_plan: u64,
) -> PageReport {
    let count = |wanted: fn(&Action) -> bool| shown.steps.iter().filter(|step| wanted(&step.action)).count();
    let problems: Vec<&Finding> = shown.findings.iter().filter(|finding| is_problem(finding)).collect();
    PageReport {
        page: format!("{}/{}", page.namespace, page.name),
        page_id: snapshot.page.as_ref().map(|page| page.id.clone()),
        create: count(|action| matches!(action, Action::Create(_))),
        update: count(|action| !matches!(action, Action::Create(_)) && !action.is_deletion()),
        delete: count(Action::is_deletion),
        requests: shown.steps.len(),
        seconds,
        requests_to_plan,
        warnings: finding_lines(page, problems.iter().copied()),
        problems: problems.iter().copied().map(problem_report).collect(),
        moves: moves(&shown.steps, view, snapshot),
        left: left(view, snapshot),
        undeclared: shown
            .undeclared
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect(),
        steps: shown
            .steps
            .into_iter()
            .map(|step| {
                let recorded = view.declarations.iter().find(|declaration| declaration.key == step.key);
                let id = recorded.and_then(Declaration::recorded_id).map(str::to_owned);
                step_report(step, id.as_deref(), snapshot)
            })
            .collect(),
    }
}

/// Declarations whose manifests are gone, with the ids of their objects.
fn removed(view: &View) -> impl Iterator<Item = (&Declaration, &str)> {
    let declarations = view.declarations.iter().filter(|declaration| declaration.deleting);
    declarations.filter_map(|declaration| Some((declaration, declaration.recorded_id()?)))
}

/// What is deleted under one name and created under another: its owner may have meant to rename it.
fn moves(steps: &[Step], view: &View, snapshot: &Snapshot) -> Vec<MoveReport> {
    let is_deleted = |key: &ObjectKey| {
        let mut deletions = steps.iter().filter(|step| step.action.is_deletion());
        deletions.any(|step| step.key == *key)
    };
    let mut found: Vec<MoveReport> = Vec::new();
    for step in steps {
        let (Action::Create(_), Some(title)) = (&step.action, step.action.request().and_then(Request::title)) else {
            continue;
        };
        let called_so = |id: &str| match step.key.kind {
            Kind::Component | Kind::ComponentGroup => {
                let row = snapshot.components.as_ref().and_then(|rows| rows.get(id));
                row.is_some_and(|row| row.name.as_deref() == Some(title))
            }
            Kind::Metric => {
                let metric = snapshot.metrics.as_ref().and_then(|metrics| metrics.get(id));
                metric.is_some_and(|metric| metric.name.as_deref() == Some(title))
            }
            _ => false,
        };
        let former = removed(view).find(|(former, id)| {
            former.key.kind == step.key.kind
                && former.key.namespace == step.key.namespace
                && is_deleted(&former.key)
                && called_so(id)
                && !found.iter().any(|one| one.id == *id)
        });
        if let Some((former, id)) = former {
            found.push(MoveReport {
                kind: step.key.kind.as_str(),
                namespace: step.key.namespace.clone(),
                from: former.key.name.clone(),
                to: step.key.name.clone(),
                id: id.to_owned(),
                annotation: format!("{}: {id}", crate::api::ID),
            });
        }
    }
    found
}

/// What stays on the page though its manifest is gone.
fn left(view: &View, snapshot: &Snapshot) -> Vec<LeftReport> {
    let kept = removed(view).filter(|(declaration, id)| {
        let moved = view
            .declarations
            .iter()
            .any(|other| !other.deleting && other.key.kind == declaration.key.kind && other.recorded_id() == Some(*id));
        matches!(&*declaration.spec, Spec::Removed(Deletion::Orphan)) && !moved
    });
    kept.filter_map(|(declaration, id)| {
        let object = description(snapshot, declaration.key.kind, id);
        // Without a description it is not on the page either.
        (!object.is_empty()).then(|| LeftReport {
            kind: declaration.key.kind.as_str(),
            namespace: declaration.key.namespace.clone(),
            name: declaration.key.name.clone(),
            id: id.to_owned(),
            object,
        })
    })
    .collect()
}

/// What goes with a deleted object.
fn lost(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Component => Some("its uptime history is lost"),
        Kind::ComponentGroup => Some("its components stay"),
        Kind::Incident => Some("its updates and its postmortem are lost"),
        Kind::MetricsProvider => Some("its metrics and their data are lost"),
        Kind::Metric => Some("its data points are lost"),
        _ => None,
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

fn step_report(step: Step, id: Option<&str>, snapshot: &Snapshot) -> StepReport {
    let deletes = step.action.is_deletion();
    let publication = step.action.request().and_then(Request::publication);
    let subscribers = snapshot.subscriber_counts.as_ref();
    let publishes = publication.map(|publication| PublicationReport {
        status: publication.status.map(str::to_owned),
        body: publication.body.map(str::to_owned),
        notifies: publication.notifies,
        subscribers: subscribers.map(|counts| subscriber_totals(&counts.value).active),
    });
    let object = id
        .filter(|_| deletes)
        .map(|id| description(snapshot, step.key.kind, id));
    StepReport {
        action: match step.action {
            Action::Create(_) => "create",
            Action::Delete(_) | Action::Replace(_) => "delete",
            _ => "update",
        },
        kind: step.key.kind.as_str(),
        lost: lost(step.key.kind).filter(|_| deletes),
        object: object.filter(|object| !object.is_empty()),
        publishes,
        namespace: step.key.namespace,
        name: step.key.name,
        summary: step.summary,
        changes: step.changes,
    }
}

/// What is said of a step below its headline: what visitors will read, word for word, then the fields.
fn details(step: &StepReport) -> Vec<String> {
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
    let said = |change: &&Change| step.publishes.is_none() || !change.field.starts_with("updates");
    lines.extend(step.changes.iter().filter(said).map(change_line));
    lines
}

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
            "{} {}/{} is not declared any more and stays on the page: {} ({}). To delete it, restore its manifest with deletionPolicy: Delete (or set defaults.deletionPolicy of the StatusPage), apply, and remove it again",
            one.kind, one.namespace, one.name, one.object, one.id
        ));
    }
    if !page.undeclared.is_empty() {
        let counts: Vec<String> = page
            .undeclared
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        lines.push(format!("Not declared here, and never touched: {}", counts.join(", ")));
    }
    lines
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
                for line in details(step) {
                    writeln!(out, "    {line}")?;
                }
            }
            writeln!(out, "{block}\n")?;
        }
        for line in remarks(page) {
            writeln!(out, "- {}", line.replace('\n', " "))?;
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
fn headline(step: &StepReport) -> String {
    let name = format!("{} {}/{}", step.kind, step.namespace, step.name);
    let told_by_changes = !step.changes.is_empty() && !step.summary.starts_with("publish");
    if told_by_changes {
        name
    } else if let Some(object) = &step.object {
        let lost = step.lost.map(|lost| format!("; {lost}")).unwrap_or_default();
        format!("{name}: {}, {object}{lost}", step.summary)
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
