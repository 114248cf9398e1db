//! One line of what the doctor says.

use std::io::Write;

use serde::Serialize;

use crate::cli::columns::{harmless, line_width, padded, width, wrapped};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Works, and somebody should look.
    Warning,
    /// Does not work.
    Wrong,
    /// Could not be looked at.
    Skipped,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Wrong => "wrong",
            Verdict::Skipped => "skipped",
        }
    }
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) subject: String,
    pub(super) verdict: Verdict,
    /// What was seen.
    pub(super) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    fn new(subject: impl Into<String>, verdict: Verdict, message: impl Into<String>) -> Self {
        Finding {
            subject: subject.into(),
            verdict,
            message: message.into(),
            remedy: None,
        }
    }

    pub(super) fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(subject, Verdict::Ok, message)
    }

    pub(super) fn warning(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(subject, Verdict::Warning, message)
    }

    pub(super) fn wrong(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(subject, Verdict::Wrong, message)
    }

    pub(super) fn skipped(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(subject, Verdict::Skipped, message)
    }

    /// Says what to do.
    #[must_use]
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Finding {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// What a refused or failed read of the cluster is: what the caller may not see is no fault of the installation.
    pub(super) fn unread(subject: impl Into<String>, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                Finding::skipped(subject, format!("you may not look: {}", status.message))
            }
            kube::Error::Api(status) => Finding::wrong(subject, status.message.clone()),
            error => Finding::wrong(subject, error.to_string()),
        }
    }
}

/// Columns before what was seen: the verdict and a gap.
const VERDICT: usize = 9;

/// A line for each finding, what to do below it; and a last line that counts.
pub(super) fn print(findings: &[Finding], out: &mut dyn Write) -> std::io::Result<()> {
    let subjects = findings.iter().map(|finding| width(&finding.subject)).max();
    let indent = VERDICT + subjects.unwrap_or_default() + 2;
    let room = line_width().map_or(usize::MAX, |columns| columns.saturating_sub(indent).max(20));
    for finding in findings {
        let verdict = padded(finding.verdict.word(), VERDICT);
        let subject = padded(&harmless(&finding.subject), indent - VERDICT);
        let remedy = finding.remedy.iter().map(|remedy| format!("-> {remedy}"));
        let texts = std::iter::once(finding.message.clone()).chain(remedy);
        let lines = texts.flat_map(|text| wrapped(&text, room));
        for (number, line) in lines.enumerate() {
            match number {
                0 => writeln!(out, "{verdict}{subject}{line}")?,
                _ => writeln!(out, "{}{line}", " ".repeat(indent))?,
            }
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (wrong, warnings, skipped) = (count(Verdict::Wrong), count(Verdict::Warning), count(Verdict::Skipped));
    match (wrong, warnings, skipped) {
        (0, 0, 0) => writeln!(out, "\nNothing is wrong."),
        _ => writeln!(out, "\n{wrong} wrong, {warnings} to look at, {skipped} skipped."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_is_wrong() {
        let findings = [
            Finding::ok("API server", "v1.33.2"),
            Finding::wrong("operator", "no Pod is ready").remedy("kubectl get pods"),
        ];
        let mut printed = Vec::new();
        print(&findings, &mut printed).unwrap();
        assert_eq!(
            String::from_utf8(printed).unwrap(),
            "ok       API server  v1.33.2\n\
             wrong    operator    no Pod is ready\n\
             \u{20}                    -> kubectl get pods\n\
             \n1 wrong, 0 to look at, 0 skipped.\n"
        );
    }
}
