//! `statuspage validate`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::output::{counted, json};
use super::{Failure, Outcome};
use crate::causes::with_causes;
use crate::manifest::{Manifests, Problem, Source, read_directory};
use crate::store::directory::{LockError, lock_path, published_updates};

const EXAMPLES: &str = "\
Examples:
  statuspage validate pages/
  statuspage validate pages/ --output github";

/// Options of `validate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Directory with the manifests, or one file.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Form of the output; `github` makes annotations of GitHub Actions.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub output: Format,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// The result as JSON.
#[derive(Serialize)]
struct Report<'a> {
    files: usize,
    declarations: usize,
    other: usize,
    errors: usize,
    warnings: usize,
    problems: &'a [Problem],
}

/// Checks the manifests.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut manifests = read_directory(&arguments.directory)?;
    manifests.check_times(jiff::Timestamp::now());
    match published_updates(&arguments.directory, None) {
        Ok(published) => {
            let by_name = published
                .into_iter()
                .map(|(key, updates)| ((key.namespace, key.name), updates));
            manifests.check_published(&by_name.collect());
        }
        Err(error) => {
            let lock_file = lock_path(&arguments.directory, None);
            manifests.problems.push(unreadable(lock_file, &error));
        }
    }
    match arguments.output {
        Format::Text => text(&manifests, arguments, out),
        Format::Json => json(&report(&manifests), out),
        Format::Github => github(&manifests, out),
    }
    .map_err(Failure::Output)?;
    let nothing = manifests.manifests.is_empty() && manifests.problems.is_empty();
    Ok(Outcome::of(!manifests.has_errors() && !nothing))
}

fn unreadable(lock_file: PathBuf, error: &LockError) -> Problem {
    let place = Source {
        file: lock_file,
        line: 1,
        column: 1,
    };
    Problem::error(place, 0, with_causes(error))
}

fn errors(manifests: &Manifests) -> usize {
    manifests.problems.iter().filter(|problem| problem.is_error()).count()
}

fn text(manifests: &Manifests, arguments: &Arguments, out: &mut dyn Write) -> std::io::Result<()> {
    for problem in &manifests.problems {
        // Always with colours: the stream takes them out where they are not wanted.
        writeln!(out, "{}\n", problem.render(manifests.text(&problem.file), true))?;
    }
    let (declarations, files, other) = (
        manifests.manifests.len(),
        manifests.files().count(),
        manifests.other.len(),
    );
    if declarations == 0 && manifests.problems.is_empty() {
        return writeln!(
            out,
            "no declaration in {}: manifests end in .yaml, .yml or .json and have an apiVersion of {}",
            arguments.directory.display(),
            crate::api::GROUP
        );
    }
    let errors = errors(manifests);
    let warnings = manifests.problems.len() - errors;
    write!(
        out,
        "{} in {}",
        counted(declarations as u64, "declaration"),
        counted(files as u64, "file")
    )?;
    if other > 0 {
        write!(out, ", {} of other kinds left alone", counted(other as u64, "object"))?;
    }
    match (errors, warnings) {
        (0, 0) => writeln!(out, ": no problems"),
        (errors, 0) => writeln!(out, ": {}", counted(errors as u64, "error")),
        (0, warnings) => writeln!(out, ": {}", counted(warnings as u64, "warning")),
        (errors, warnings) => writeln!(
            out,
            ": {}, {}",
            counted(errors as u64, "error"),
            counted(warnings as u64, "warning")
        ),
    }
}

fn report(manifests: &Manifests) -> Report<'_> {
    let errors = errors(manifests);
    Report {
        files: manifests.files().count(),
        declarations: manifests.manifests.len(),
        other: manifests.other.len(),
        errors,
        warnings: manifests.problems.len() - errors,
        problems: &manifests.problems,
    }
}

fn github(manifests: &Manifests, out: &mut dyn Write) -> std::io::Result<()> {
    for problem in &manifests.problems {
        let mut message = problem.message.clone();
        if let Some(related) = &problem.related {
            message.push_str(&format!("\nthe other one is at {related}"));
        }
        if let Some(help) = &problem.help {
            message.push_str(&format!("\nhelp: {help}"));
        }
        writeln!(
            out,
            "::{} file={},line={},col={}::{}",
            problem.severity.as_str(),
            escaped(&problem.file.display().to_string())
                .replace(':', "%3A")
                .replace(',', "%2C"),
            problem.line,
            problem.column,
            escaped(&message)
        )?;
    }
    Ok(())
}

/// The escapes of workflow commands.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
