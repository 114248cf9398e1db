//! `incident list`: what is open.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use super::ListArguments;
use super::declared::DeclaredIncident;
use super::desk::Desk;
use super::words::minute;
use crate::cli::output::Format;
use crate::cli::screen::note;
use crate::cli::{Failure, Outcome};
use crate::statuspage::{Incident, IncidentStatus};

/// So many requests of 100 incidents each are sent for all of them.
const MOST: usize = 10;

/// An incident as it is listed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// Name of the manifest; none for an incident that nobody declares.
    pub(super) name: Option<String>,
    pub(super) page: String,
    pub(super) title: String,
    /// None while it is not on the page.
    pub(super) id: Option<String>,
    pub(super) status: String,
    pub(super) impact: Option<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) components: Vec<Affected>,
    pub(super) url: Option<String>,
    /// So many declared updates are not on the page.
    pub(super) unsent: usize,
    /// Why it is not as declared, if that was found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<String>,
}

/// A component and its status.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Affected {
    pub(super) name: String,
    pub(super) status: String,
}

impl Row {
    /// The impact behind a status; nothing when there is none.
    pub(super) fn impact_words(&self) -> String {
        let impact = self.impact.as_deref();
        impact.map(|impact| format!(", impact {impact}")).unwrap_or_default()
    }

    /// One that the page shows.
    pub(super) fn of(page: &str, remote: &Incident, declared: Option<&DeclaredIncident>) -> Row {
        let component = |row: &crate::statuspage::Component| Affected {
            name: row.name.clone().unwrap_or_else(|| row.id.clone()),
            status: row.status.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        Row {
            name: declared.map(|one| one.key.name.clone()),
            page: page.to_owned(),
            title: remote.name.clone().unwrap_or_default(),
            id: Some(remote.id.clone()),
            status: remote.status.as_ref().map(ToString::to_string).unwrap_or_default(),
            impact: remote.impact.as_ref().map(ToString::to_string),
            since: remote.started_at.or(remote.created_at),
            components: remote.components.iter().map(component).collect(),
            url: remote.shortlink.clone(),
            unsent: declared.map_or(0, |one| one.unsent(Some(remote)).count()),
            trouble: declared.and_then(DeclaredIncident::trouble),
        }
    }

    /// One as it is declared, with what is recorded of it.
    pub(super) fn declared(one: &DeclaredIncident, since: Option<Timestamp>) -> Row {
        let components = one.spec.components.iter().map(|(name, status)| Affected {
            name: name.clone(),
            status: status.as_str().to_owned(),
        });
        let status = one.known.status.clone();
        Row {
            name: Some(one.key.name.clone()),
            page: one.page.name.clone(),
            title: one.title().to_owned(),
            id: one.id.clone(),
            status: status.unwrap_or_else(|| "not on the page".to_owned()),
            impact: one.known.impact.clone(),
            since,
            components: components.collect(),
            url: one.known.object.url.clone(),
            unsent: one.unsent(None).count(),
            trouble: one.trouble(),
        }
    }
}

pub(super) async fn directory(arguments: &ListArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let desk = Desk::open(&arguments.place, true)?;
    let pages = match &arguments.place.page {
        Some(name) => vec![desk.declared.page(Some(name), &[])?],
        None if desk.declared.pages.is_empty() => vec![desk.declared.page(None, &[])?],
        None => desk.declared.pages.clone(),
    };
    let mut rows = Vec::new();
    for page in pages {
        let incidents = desk.page(&page).await?.incidents();
        let listing = incidents.newest(if arguments.all { MOST } else { 1 }).await?;
        let is_over = |incident: &Incident| incident.status.as_ref().is_some_and(IncidentStatus::is_over);
        let of_page = || desk.declared.incidents.iter().filter(|one| one.page == page);
        for remote in &listing.items {
            let declared = of_page().find(|one| one.id.as_deref() == Some(remote.id.as_str()));
            let row = Row::of(&page.name, remote, declared);
            // What somebody ended while an update was declared is not over for whoever declared it.
            if arguments.all || !is_over(remote) || row.unsent > 0 {
                rows.push(row);
            }
        }
        let listed = |one: &DeclaredIncident| {
            one.id
                .as_ref()
                .is_some_and(|id| listing.items.iter().any(|remote| remote.id == *id))
        };
        rows.extend(
            of_page()
                .filter(|one| one.is_open() && !listed(one))
                .map(|one| Row::declared(one, None)),
        );
        if !listing.complete {
            let more = if arguments.all { "" } else { "; --all reads more" };
            note(&format!(
                "page {}: only its newest {} incidents were read{more}",
                page.name,
                listing.items.len()
            ));
        }
    }
    desk.session.close_record().await;
    print(&rows, arguments.all, arguments.output, out)
}

pub(super) fn print(rows: &[Row], all: bool, output: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    output.print(rows, out, |out| match (rows.is_empty(), all) {
        (true, true) => writeln!(out, "There is no incident."),
        (true, false) => writeln!(out, "No incident is open."),
        (false, _) => rows.iter().try_for_each(|row| text(row, out)),
    })?;
    Ok(Outcome::Success)
}

fn text(row: &Row, out: &mut dyn Write) -> std::io::Result<()> {
    let bold = anstyle::Style::new().bold();
    writeln!(
        out,
        "{bold}{}{bold:#}  {}",
        row.name.as_deref().unwrap_or("(not declared)"),
        row.title
    )?;
    let since = row.since.map(|since| format!(", since {}", minute(since)));
    writeln!(
        out,
        "  {}{}{}",
        row.status,
        row.impact_words(),
        since.unwrap_or_default()
    )?;
    let components: Vec<String> = row
        .components
        .iter()
        .map(|one| format!("{} {}", one.name, one.status))
        .collect();
    if !components.is_empty() {
        writeln!(out, "  {}", components.join(", "))?;
    }
    match (row.unsent, &row.trouble) {
        (0, None) => {}
        (0, Some(trouble)) => writeln!(out, "  not as declared: {trouble}")?,
        (unsent, trouble) => {
            let updates = if unsent == 1 { "update is" } else { "updates are" };
            let why = trouble
                .as_ref()
                .map(|trouble| format!(": {trouble}"))
                .unwrap_or_default();
            writeln!(out, "  {unsent} declared {updates} not on the page{why}")?;
        }
    }
    let parts: Vec<&str> = [row.url.as_deref(), row.id.as_deref()].into_iter().flatten().collect();
    if !parts.is_empty() {
        writeln!(out, "  {}", parts.join("  "))?;
    }
    Ok(())
}
