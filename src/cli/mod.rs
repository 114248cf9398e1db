//! The command line: one file per command, presentation only.
//!
//! Exit codes: 0 success, 1 error (wrong usage too), 2 changes found by `plan` or something wrong with the page of `status`,
//! 130 Ctrl-C, 143 SIGTERM before the end; a service ends with 0 on SIGTERM.

#[macro_use]
mod output;

mod access_key;
mod access_key_secret;
mod adopt;
mod api;
mod apply;
mod bar;
mod columns;
mod completions;
mod connection;
mod crds;
mod dev;
mod doctor;
mod events;
mod events_filter;
mod events_remote;
mod events_table;
mod export;
mod failure;
mod http_api;
mod incident;
mod logging;
mod name;
mod only;
mod operator;
mod page_result;
mod pages;
mod plan;
mod progress;
mod quantity;
mod question;
mod record;
mod schema;
mod screen;
mod serve;
mod session;
mod signal;
mod simulate;
mod status;
mod sync;
mod tally;
mod validate;
mod version;
mod window;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use anstream::AutoStream;
use clap::{Parser, Subcommand, ValueEnum};

pub use connection::Connection;
pub use failure::Failure;
pub use http_api::{HttpApi, HttpSettings};
pub use logging::{LogFormat, LogOptions};

/// Keeps an Atlassian Statuspage page equal to what is declared in YAML.
#[derive(Debug, Parser)]
#[command(
    name = "statuspage",
    version,
    about,
    max_term_width = 110,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// What is logged, and how.
    #[command(flatten)]
    pub log: LogOptions,
    /// Whether to colour the output: auto (on a terminal, unless NO_COLOR is set), always or never.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t = Color::Auto,
        hide_possible_values = true
    )]
    pub color: Color,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tries a directory out: starts the local server, applies the directory to it and watches it. Needs no account.
    Dev(dev::Arguments),
    /// Shows what apply would do. Exits with 0 when there is nothing to do, 2 when there are changes, 1 on errors.
    Plan(plan::Arguments),
    /// Makes the page match what a directory declares, then exits.
    Apply(apply::Arguments),
    /// Opens, updates and resolves incidents: an outage in one line.
    Incident(incident::Arguments),
    /// Applies a directory whenever it changes and keeps the page in sync until stopped.
    Sync(sync::Arguments),
    /// Lists the pages that the token sees, with their ids.
    Pages(pages::Arguments),
    /// Shows a page as its visitors see it. Exits with 0 when all is well, 2 when something is not, 1 on errors.
    Status(status::Arguments),
    /// Sends one request to the Statuspage API, with the token, inside its request window, and on record.
    Api(api::Arguments),
    /// Writes an existing page as manifests; applying them changes nothing.
    Export(export::Arguments),
    /// Binds a declaration to an object that is on the page already; writes nothing to the page.
    Adopt(Box<adopt::Arguments>),
    /// Shows who changed what on which page, and when, from the event log of a file, a database or an operator.
    Events(events::Arguments),
    /// Runs the local Statuspage-compatible server.
    Serve(serve::Arguments),
    /// Checks a directory of manifests, with no network.
    Validate(validate::Arguments),
    /// Creates, lists and revokes access keys for the HTTP API.
    AccessKey(access_key::Arguments),
    /// Prints the JSON Schema of all kinds, with which editors complete, explain and check manifests.
    Schema(schema::Arguments),
    /// Prints the CustomResourceDefinitions, or writes them to directories.
    Crds(crds::Arguments),
    /// Keeps pages equal to the declarations in a Kubernetes cluster.
    Operator(Box<operator::Arguments>),
    /// Says what is wrong with an installation in a cluster, and what to do. Exits with 0 when nothing is, else 1.
    Doctor(doctor::Arguments),
    /// Runs the operator against simulated faults and checks that it keeps its promises. Exits with 1 when a run breaks
    /// one.
    Simulate(simulate::Arguments),
    /// Prints a completion script for a shell.
    Completions(completions::Arguments),
    /// Prints the version.
    Version(version::Arguments),
}

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it should be.
    Success,
    /// The command worked and found something that is wrong.
    Problems,
    /// A plan has changes, or a page is not all operational.
    Changes,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM, before the end.
    Terminated,
}

impl Outcome {
    /// How a command ends that worked, and found all in order or not.
    fn of(is_fine: bool) -> Outcome {
        if is_fine { Outcome::Success } else { Outcome::Problems }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Success => 0,
            Outcome::Problems => 1,
            Outcome::Changes => 2,
            Outcome::Interrupted => 130,
            Outcome::Terminated => 143,
        })
    }
}

/// Runs the command that `arguments` (with the program's name first) ask for and prints what it has to say.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // A shell asks in this way what may come next.
    if let Some(code) = completions::answer(&arguments) {
        return code;
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // clap exits with 2 for wrong usage, which is taken: a plan with changes.
        Err(error) => {
            let code = ExitCode::from(u8::from(error.use_stderr()));
            return match error.print() {
                Ok(()) => code,
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => code,
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    cli.global.color.apply();
    screen::prepare(cli.global.log.log_format == LogFormat::Text);
    // Not locked: long commands print from several tasks.
    let mut out = AutoStream::auto(std::io::stdout());
    let result = logging::start(&cli.global.log, cli.command.log_level())
        .and_then(|()| cli.command.run(&mut out))
        .and_then(|outcome| out.flush().map_err(Failure::Output).map(|()| outcome));
    match result {
        Ok(outcome) => outcome.into(),
        // The reader of a pipe has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(&mut AutoStream::auto(std::io::stderr()).lock());
            failure.exit_code()
        }
    }
}

impl Command {
    /// What is logged when nobody says: a service tells what it does, a command only what is wrong; and who asks an HTTP
    /// API is told wherever one is served.
    fn log_level(&self) -> &'static str {
        let http = match self {
            Command::Operator(_) => return "info",
            Command::Sync(arguments) => &arguments.http,
            Command::Dev(arguments) => &arguments.http,
            // What goes wrong there is what it is about.
            Command::Simulate(_) => return "off",
            _ => return "warn",
        };
        match http.http_listen {
            Some(_) => "warn,statuspage::access=info",
            None => "warn",
        }
    }

    fn run(self, out: &mut dyn Write) -> Result<Outcome, Failure> {
        match self {
            Command::Dev(arguments) => dev::run(&arguments, out),
            Command::Plan(arguments) => plan::run(&arguments, out),
            Command::Apply(arguments) => apply::run(&arguments, out),
            Command::Incident(arguments) => incident::run(&arguments, out),
            Command::Sync(arguments) => sync::run(&arguments, out),
            Command::Pages(arguments) => pages::run(&arguments, out),
            Command::Status(arguments) => status::run(&arguments, out),
            Command::Api(arguments) => api::run(&arguments, out),
            Command::Export(arguments) => export::run(&arguments, out),
            Command::Adopt(arguments) => adopt::run(&arguments, out),
            Command::Events(arguments) => events::run(&arguments, out),
            Command::Serve(arguments) => serve::run(&arguments, out),
            Command::Validate(arguments) => validate::run(&arguments, out),
            Command::AccessKey(arguments) => access_key::run(arguments, out),
            Command::Schema(arguments) => schema::run(&arguments, out),
            Command::Crds(arguments) => crds::run(&arguments, out),
            Command::Operator(arguments) => operator::run(*arguments, out),
            Command::Doctor(arguments) => doctor::run(&arguments, out),
            Command::Simulate(arguments) => simulate::run(&arguments, out),
            Command::Completions(arguments) => completions::run(&arguments, out),
            Command::Version(arguments) => version::run(&arguments, out),
        }
    }
}

impl Color {
    /// Makes this the choice of everything that is printed from here on.
    fn apply(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// All commands with the words that call them.
    fn commands(of: &clap::Command, words: &[String]) -> Vec<(Vec<String>, clap::Command)> {
        let subcommands = of.get_subcommands().filter(|command| command.get_name() != "help");
        let all = subcommands.flat_map(|command| {
            let words = [words, &[command.get_name().to_owned()]].concat();
            let below = commands(command, &words);
            [vec![(words, command.clone())], below].concat()
        });
        all.collect()
    }

    /// The words of a line as a shell reads them, up to a redirection.
    fn words(line: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        for (number, part) in line.split('"').enumerate() {
            match number % 2 {
                // Between quotes.
                1 => words.push(part.into()),
                _ => words.extend(part.split_whitespace().map(OsString::from)),
            }
        }
        words.into_iter().take_while(|word| word != ">").collect()
    }

    #[test]
    fn every_command_has_an_example_that_it_understands() {
        for (called, mut command) in commands(&Cli::command(), &["statuspage".to_owned()]) {
            let help = command.render_long_help().to_string();
            let examples: Vec<&str> = help
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("statuspage "))
                .collect();
            let called = called.join(" ");
            assert!(help.contains("Examples:"), "{called} has no examples");
            assert!(
                examples
                    .iter()
                    .any(|line| format!("{line} ").starts_with(&format!("{called} "))),
                "{called} has no example of its own: {examples:?}"
            );
            // What stands in a table has its meaning behind it.
            for example in examples
                .iter()
                .filter(|line| !line.contains("  ") && !line.contains('['))
            {
                if let Err(error) = Cli::try_parse_from(words(example)) {
                    panic!("{called}: {example}: {error}");
                }
            }
        }
    }

    #[test]
    fn texts_behind_the_options_fit_into_eighty_columns() {
        for (called, command) in commands(&Cli::command(), &["statuspage".to_owned()]) {
            for text in [command.get_after_help(), command.get_after_long_help()]
                .into_iter()
                .flatten()
            {
                let text = text.to_string();
                let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
                assert!(wide.is_empty(), "{called:?}: {wide:#?}");
            }
        }
    }
}
