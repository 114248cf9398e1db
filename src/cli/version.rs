//! `statuspage version`.

use std::io::Write;

use clap::Args;

use super::output::Format;
use super::{Failure, Outcome};
use crate::admin::status::{commit, rust_version};
use crate::api::{GROUP, VERSION};

const EXAMPLES: &str = "\
Examples:
  statuspage version
  statuspage version --output json";

/// Options of `version`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Form of the output; JSON is one object.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
}

/// Prints the version.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match arguments.output {
        Format::Text => writeln!(
            out,
            "statuspage {version} ({GROUP}/{VERSION}), commit {}, Rust {}",
            commit(),
            rust_version()
        ),
        Format::Json => {
            let about = serde_json::json!({
                "version": version,
                "commit": commit(),
                "rustVersion": rust_version(),
                "apiVersion": format!("{GROUP}/{VERSION}"),
                "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
            });
            writeln!(out, "{about}")
        }
    }
    .map_err(Failure::Output)?;
    Ok(Outcome::Success)
}
