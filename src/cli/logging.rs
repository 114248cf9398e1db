//! The log, on standard error.

use clap::{ArgAction, Args, ValueEnum};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

use super::Failure;

/// What is logged, and how.
#[derive(Clone, Debug, Args)]
pub struct LogOptions {
    /// What to log: error, warn, info, debug, trace, or directives such as info,kube=debug [default: warn; info for services].
    #[arg(long, global = true, env = "STATUSPAGE_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Logs more: -v info, -vv debug, -vvv trace.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "log_level")]
    pub verbose: u8,
    /// Form of the log: text for people, or json with one object a line.
    #[arg(
        long,
        global = true,
        env = "STATUSPAGE_LOG_FORMAT",
        value_enum,
        value_name = "FORMAT",
        default_value_t = LogFormat::Text,
        hide_possible_values = true
    )]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log, at `default` when no level was given. A second start in one process changes nothing.
pub fn start(options: &LogOptions, default: &str) -> Result<(), Failure> {
    let level = match (&options.log_level, options.verbose) {
        (Some(level), _) => level.as_str(),
        (None, 0) => default,
        (None, 1) => "info",
        (None, 2) => "debug",
        (None, _) => "trace",
    };
    let filter = EnvFilter::try_new(level).map_err(|_| Failure::LogLevel {
        level: level.to_owned(),
    })?;
    let colored = match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => {
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(super::screen::printing);
    // An error means that a log runs already: a test, or an embedder with its own.
    let _ = match options.log_format {
        LogFormat::Text => builder.with_ansi(colored).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
