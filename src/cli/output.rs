//! One way to print: what a command says, as text or as JSON.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::Failure;

/// Prints a line; `?` behind it ends a command whose output cannot be written.
macro_rules! say {
    ($($text:tt)*) => {
        writeln!($($text)*).map_err($crate::cli::Failure::Output)
    };
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON.
    Json,
}

impl Format {
    /// Prints a value as JSON, or as `text` does it.
    pub(super) fn print<'o, T: Serialize + ?Sized>(
        self,
        value: &T,
        out: &'o mut dyn Write,
        text: impl FnOnce(&'o mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        match self {
            Format::Text => text(out),
            Format::Json => json(value, out),
        }
        .map_err(Failure::Output)
    }
}

/// Prints a value as JSON, with line breaks.
pub(super) fn json<T: Serialize + ?Sized>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Prints lines.
pub(super) fn print_lines(lines: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| say!(out, "{line}"))
}

/// A number of things: `1 request`, `2 requests`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
