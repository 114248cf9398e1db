//! A page in words, with colours and symbols where there is somebody to see them.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::shown::{Notice, PageStatus, Row};
use crate::cli::columns::{cut, harmless, padded, width, wrapped};
use crate::statuspage::{ComponentStatus, IncidentImpact};

/// How a page is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Whether a symbol stands before each state.
    pub(super) symbols: bool,
    /// Columns of a line, where lines have an end.
    pub(super) width: Option<usize>,
}

/// Nobody likes to read longer lines than this.
const LONGEST: usize = 100;
/// A name is cut to no less, with its indentation.
const SHORTEST_NAME: usize = 10;
const BOLD: Style = Style::new().bold();
const DIMMED: Style = Style::new().dimmed();

pub(super) fn text(pages: &[PageStatus], look: Look, out: &mut dyn Write) -> io::Result<()> {
    for (index, page) in pages.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        Shown { page, look }.write(out)?;
    }
    Ok(())
}

struct Shown<'a> {
    page: &'a PageStatus,
    look: Look,
}

impl Shown<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let page = self.page;
        let name = self.fitting(&harmless(&page.name), 0);
        let url = page.url.iter().map(|url| harmless(url));
        let url = url.filter(|url| {
            self.look
                .width
                .is_none_or(|columns| width(&name) + 2 + width(url) <= columns)
        });
        write!(out, "{BOLD}{name}{BOLD:#}")?;
        for url in url {
            write!(out, "  {DIMMED}{url}{DIMMED:#}")?;
        }
        writeln!(out)?;
        let (style, symbol) = of_impact(&page.indicator);
        let description = self.fitting(&harmless(&page.description), 2);
        writeln!(out, "{}{style}{description}{style:#}", self.symbol(style, symbol))?;

        let (running, ahead): (Vec<_>, Vec<_>) = page.maintenances.iter().partition(|notice| notice.is_running());
        self.notices(out, "Open incidents", &page.incidents.iter().collect::<Vec<_>>())?;
        self.notices(out, "Maintenance under way", &running)?;
        self.components(out)?;
        self.notices(out, "Scheduled maintenance", &ahead)?;
        if page.incidents.is_empty() {
            writeln!(out, "\nNo open incident.")?;
        }
        Ok(())
    }

    /// As much of a text as fits behind an indentation.
    fn fitting(&self, text: &str, indentation: usize) -> String {
        match self.look.width {
            Some(columns) => cut(text, columns.saturating_sub(indentation)),
            None => text.to_owned(),
        }
    }

    fn symbol(&self, style: Style, symbol: char) -> String {
        match self.look.symbols {
            true => format!("{style}{symbol}{style:#} "),
            false => String::new(),
        }
    }

    fn components(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows = &self.page.components;
        let names = rows
            .iter()
            .map(|row| indentation(row).len() + width(&harmless(&row.name)));
        let states = rows.iter().map(|row| width(&status_words(&row.status)));
        let (names, states) = (names.max().unwrap_or_default(), states.max().unwrap_or_default());
        // Two columns for the symbol, two before the state.
        let room = |columns: usize| columns.saturating_sub(4 + states).max(SHORTEST_NAME);
        let names = self.look.width.map_or(names, |columns| names.min(room(columns)));
        let mut group: Option<&Option<String>> = None;
        for row in rows {
            if group != Some(&row.group_id) {
                writeln!(out)?;
                if let Some(name) = &row.group {
                    writeln!(out, "{BOLD}{}{BOLD:#}", self.fitting(&harmless(name), 0))?;
                }
            }
            group = Some(&row.group_id);
            self.component(out, row, names)?;
        }
        match self.page.hidden {
            0 => Ok(()),
            1 => writeln!(
                out,
                "\n{DIMMED}1 component is shown only while it is degraded.{DIMMED:#}"
            ),
            more => writeln!(
                out,
                "\n{DIMMED}{more} components are shown only while they are degraded.{DIMMED:#}"
            ),
        }
    }

    fn component(&self, out: &mut dyn Write, row: &Row, columns: usize) -> io::Result<()> {
        let (style, symbol) = of_status(&row.status);
        let indentation = indentation(row);
        // All states stand below each other, whether their components are in a group or not.
        let columns = columns.saturating_sub(indentation.len());
        let name = padded(&cut(&harmless(&row.name), columns), columns);
        let (symbol, state) = (self.symbol(style, symbol), status_words(&row.status));
        writeln!(out, "{indentation}{symbol}{name}  {style}{state}{style:#}")
    }

    fn notices(&self, out: &mut dyn Write, title: &str, notices: &[&Notice]) -> io::Result<()> {
        if notices.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{BOLD}{title}{BOLD:#}")?;
        for (index, notice) in notices.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            self.notice(out, notice)?;
        }
        Ok(())
    }

    fn notice(&self, out: &mut dyn Write, notice: &Notice) -> io::Result<()> {
        let (style, symbol) = of_impact(&notice.impact);
        let indentation = "    ";
        let name = self.fitting(&harmless(&notice.name), indentation.len());
        writeln!(out, "  {}{BOLD}{name}{BOLD:#}", self.symbol(style, symbol))?;
        let mut lines = Vec::new();
        if let Some(start) = notice.scheduled_for {
            lines.push(window(start, notice.scheduled_until));
        }
        let status = words(notice.status.as_str());
        match notice.latest_update.as_ref().and_then(|latest| latest.at) {
            Some(at) => lines.push(format!("{status} · {}", instant(at))),
            None => lines.push(status),
        }
        if !notice.components.is_empty() {
            lines.push(format!("Affects {}", notice.components.join(", ")));
        }
        for line in lines {
            self.paragraph(out, indentation, DIMMED, &line)?;
        }
        if let Some(latest) = &notice.latest_update {
            self.paragraph(out, indentation, Style::new(), &latest.body)?;
        }
        Ok(())
    }

    fn paragraph(&self, out: &mut dyn Write, indentation: &str, style: Style, text: &str) -> io::Result<()> {
        let columns = self
            .look
            .width
            .map(|columns| columns.min(LONGEST).saturating_sub(indentation.len()));
        let lines = match columns {
            Some(columns) => wrapped(text, columns),
            None => text.trim_end().lines().map(harmless).collect(),
        };
        for line in lines {
            match line.is_empty() {
                true => writeln!(out)?,
                false => writeln!(out, "{indentation}{style}{line}{style:#}")?,
            }
        }
        Ok(())
    }
}

/// What is in a group stands below its name.
fn indentation(row: &Row) -> &'static str {
    if row.group.is_some() { "  " } else { "" }
}

/// A word of the API as people read it.
fn words(word: &str) -> String {
    let mut text = harmless(word).replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// A state as Statuspage writes it.
fn status_words(status: &ComponentStatus) -> String {
    match status {
        ComponentStatus::Operational => "Operational".to_owned(),
        ComponentStatus::UnderMaintenance => "Under Maintenance".to_owned(),
        ComponentStatus::DegradedPerformance => "Degraded Performance".to_owned(),
        ComponentStatus::PartialOutage => "Partial Outage".to_owned(),
        ComponentStatus::MajorOutage => "Major Outage".to_owned(),
        ComponentStatus::Unknown(word) if word.is_empty() => "Unknown".to_owned(),
        ComponentStatus::Unknown(word) => words(word),
    }
}

fn of_status(status: &ComponentStatus) -> (Style, char) {
    match status {
        ComponentStatus::Operational => (AnsiColor::Green.on_default(), '●'),
        ComponentStatus::UnderMaintenance => (AnsiColor::Blue.on_default(), '◆'),
        ComponentStatus::DegradedPerformance => (AnsiColor::Yellow.on_default(), '▲'),
        ComponentStatus::PartialOutage => (AnsiColor::BrightRed.on_default(), '■'),
        ComponentStatus::MajorOutage => (AnsiColor::Red.on_default().bold(), '✖'),
        ComponentStatus::Unknown(_) => (Style::new(), '?'),
    }
}

fn of_impact(impact: &IncidentImpact) -> (Style, char) {
    of_status(&match impact {
        IncidentImpact::None => ComponentStatus::Operational,
        IncidentImpact::Maintenance => ComponentStatus::UnderMaintenance,
        IncidentImpact::Minor => ComponentStatus::DegradedPerformance,
        IncidentImpact::Major => ComponentStatus::PartialOutage,
        IncidentImpact::Critical => ComponentStatus::MajorOutage,
        IncidentImpact::Unknown(word) => ComponentStatus::Unknown(word.clone()),
    })
}

/// As Statuspage writes it.
fn instant(at: Timestamp) -> String {
    at.strftime("%b %d, %Y - %H:%M UTC").to_string()
}

/// From when until when; the day is said once.
fn window(start: Timestamp, end: Option<Timestamp>) -> String {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    match end {
        None => format!("from {}", instant(start)),
        Some(end) if day(start) == day(end) => {
            format!(
                "{} to {}",
                start.strftime("%b %d, %Y - %H:%M"),
                end.strftime("%H:%M UTC")
            )
        }
        Some(end) => format!("{} to {}", instant(start), instant(end)),
    }
}

#[cfg(test)]
mod tests;
