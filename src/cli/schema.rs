//! `statuspage schema`.

use std::io::Write;

use clap::Args;

use super::{Failure, Outcome};
use crate::manifest::editor_schema;

const USE: &str = "\
Write it beside the manifests, and name it in the first line of each file:
  statuspage schema > pages/statuspage.jsonschema
  # yaml-language-server: $schema=statuspage.jsonschema
Files that `statuspage export` writes have both.";

/// Options of `schema`.
#[derive(Clone, Debug, Args)]
#[command(after_help = USE)]
pub struct Arguments {}

/// Prints the schema.
pub fn run(_arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    writeln!(out, "{:#}", editor_schema()).map_err(Failure::Output)?;
    Ok(Outcome::Success)
}
