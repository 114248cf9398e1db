//! The `statuspage` binary: maps a result to an exit code, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    statuspage_operator::cli::run(std::env::args_os())
}
