//! What is wrong with a manifest, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

/// A place in a file. Lines and columns count from 1, columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Source {
    /// The file, as it was named by the caller.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The declaration cannot be used.
    Error,
    /// The declaration can be used, but probably is not what its author meant.
    Warning,
}

impl Severity {
    /// The word shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One finding about one place. `Display` gives the one-line form `file:line:column: error: message (help)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of characters that the finding is about; 0 when it is the rest of the line.
    pub length: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Another place that belongs to the finding, such as the first of two equal declarations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Source>,
    /// True for a finding inside a document that may hold secret values: its text is never shown.
    #[serde(skip)]
    pub confidential: bool,
}

impl Problem {
    /// An error at a place.
    pub fn error(source: Source, length: usize, message: impl Into<String>) -> Problem {
        Problem {
            file: source.file,
            line: source.line,
            column: source.column,
            length,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            related: None,
            confidential: false,
        }
    }

    /// A warning at a place.
    pub fn warning(source: Source, length: usize, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Warning,
            ..Problem::error(source, length, message)
        }
    }

    /// The same problem with advice.
    pub fn with_help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// The same problem with a second place.
    pub fn with_related(mut self, related: Source) -> Problem {
        self.related = Some(related);
        self
    }

    /// True when the declaration cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The place of the problem.
    pub fn source(&self) -> Source {
        Source {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
        }
    }

    /// The problem as a compiler shows it: message, the line of `text` (the file's content), help. Lines of a document
    /// that may hold secret values are not shown.
    pub fn render(&self, text: Option<&str>, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = self.file.display().to_string();
        let line = text
            .filter(|_| !self.confidential)
            .and_then(|text| text.lines().nth(self.line.saturating_sub(1)));
        let mut group = level
            .primary_title(self.message.as_str())
            .elements(Vec::<annotate_snippets::Element<'_>>::new());
        group = match line {
            Some(line) => group.element(
                Snippet::source(line)
                    .path(path)
                    .line_start(self.line)
                    .annotation(AnnotationKind::Primary.span(self.span_in(line))),
            ),
            None => group.element(Origin::path(path).line(self.line).char_column(self.column)),
        };
        if let Some(related) = &self.related {
            group = group.element(Level::NOTE.message(format!("the other one is at {related}")));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// Byte range of the problem inside its line.
    fn span_in(&self, line: &str) -> std::ops::Range<usize> {
        let byte_of = |characters: usize| {
            line.char_indices()
                .nth(characters)
                .map_or(line.len(), |(position, _)| position)
        };
        let start = byte_of(self.column.saturating_sub(1));
        let end = match self.length {
            0 => line.trim_end().len().max(start),
            length => byte_of(self.column.saturating_sub(1).saturating_add(length)),
        };
        start..end
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {}: {}",
            self.source(),
            self.severity.as_str(),
            self.message
        )?;
        if let Some(related) = &self.related {
            write!(formatter, " (the other one is at {related})")?;
        }
        if let Some(help) = &self.help {
            write!(formatter, " (help: {help})")?;
        }
        Ok(())
    }
}

/// A text for a message, in quotes and shortened.
pub fn shown(text: &str) -> String {
    format!("`{}`", crate::api::shortened(text))
}
