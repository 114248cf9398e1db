//! `statuspage pages`.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::connection::Connection;
use super::output::Format;
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
    /// Form of the output; JSON is an array.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
    /// How Statuspage is reached.
    #[command(flatten)]
    pub connection: Connection,
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
        let client = client.build()?;
        let listing = client.pages().list().await?;
        Ok(listing.items)
    })?;
    let mut lines: Vec<Line<'_>> = pages.iter().map(Line::of).collect();
    lines.sort_by_key(|line| (line.name, line.id));
    arguments.output.print(&lines, out, |out| match lines.is_empty() {
        true => writeln!(out, "The token sees no page."),
        false => text(&lines, out),
    })?;
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
