//! `statuspage completions`.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use super::{Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  statuspage completions bash > /etc/bash_completion.d/statuspage
  statuspage completions zsh > ~/.zfunc/_statuspage";

/// Options of `completions`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell.
    pub shell: Shell,
}

/// Prints the completion script.
pub fn run(arguments: &Arguments, command: &mut clap::Command, out: &mut dyn Write) -> Result<Outcome, Failure> {
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no reason to.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "statuspage", &mut script);
    out.write_all(&script).map_err(Failure::Output)?;
    Ok(Outcome::Success)
}
