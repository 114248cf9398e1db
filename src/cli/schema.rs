//! `statuspage schema`.

use std::io::Write;

use clap::Args;

use super::{Failure, Outcome};
use crate::manifest::editor_schema;

const EXAMPLES: &str = "\
Examples:
  statuspage schema > pages/statuspage.jsonschema

Name it in the first line of each manifest:
  # yaml-language-server: $schema=statuspage.jsonschema
What `statuspage export` writes has both.";

/// Options of `schema`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {}

/// Prints the schema.
pub fn run(_arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    say!(out, "{:#}", editor_schema())?;
    Ok(Outcome::Success)
}
