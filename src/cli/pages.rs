//! `statuspage pages`.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::connection::Connection;
use super::session::block_on_reading;
use super::{Failure, Outcome};
use crate::statuspage::Page;

const EXAMPLES: &str = "\
Examples:
  statuspage pages
  statuspage pages --output json";

/// Options of `pages`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
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
    /// One JSON array.
    Json,
}

/// A page that the token sees.
#[derive(Debug, Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
    /// Where visitors find it.
    host: Option<String>,
}

impl<'a> Line<'a> {
    fn of(page: &'a Page) -> Self {
        Line {
            id: &page.id,
            name: page.name.as_deref().unwrap_or_default(),
            host: page.host(),
        }
    }
}

/// Lists the pages that the token sees, in one request.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let access = arguments.connection.access()?;
    let pages = block_on_reading(async {
        let client = access.client(&arguments.connection.budgets());
        let client = client.build().map_err(Failure::Statuspage)?;
        let listing = client.pages().list().await.map_err(Failure::Statuspage)?;
        Ok(listing.items)
    })?;
    let mut lines: Vec<Line<'_>> = pages.iter().map(Line::of).collect();
    lines.sort_by_key(|line| (line.name, line.id));
    let printed = match arguments.output {
        Format::Json => serde_json::to_writer_pretty(&mut *out, &lines)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
        Format::Text if lines.is_empty() => writeln!(out, "The token sees no page."),
        Format::Text => text(&lines, out),
    };
    printed.map_err(Failure::Output)?;
    Ok(Outcome::Success)
}

/// Ids are of one length; hosts are not.
fn text(lines: &[Line<'_>], out: &mut dyn Write) -> std::io::Result<()> {
    let host = |line: &Line<'_>| line.host.clone().unwrap_or_default();
    let ids = lines.iter().map(|line| line.id.len()).max().unwrap_or_default();
    let hosts = lines.iter().map(|line| host(line).len()).max().unwrap_or_default();
    for line in lines {
        writeln!(out, "{:ids$}  {:hosts$}  {}", line.id, host(line), line.name)?;
    }
    Ok(())
}
