//! Questions that a command asks on a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use super::screen::printing;
use super::signal::asked_to_end;

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// No, nothing, or the end of the input.
    No,
    /// Ctrl-C, or SIGTERM.
    Interrupted,
}

/// What somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without blanks around it.
    Text(String),
    /// The input has ended.
    Ended,
    /// Ctrl-C, or SIGTERM.
    Interrupted,
}

/// True when there is somebody to ask: input and output are a terminal.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Asks once; only a plain yes is one.
pub(super) async fn ask(question: &str) -> Answer {
    match line(&format!("{question} [y/N] ")).await {
        Line::Text(text) if is_yes(&text) => Answer::Yes,
        Line::Text(_) | Line::Ended => Answer::No,
        Line::Interrupted => Answer::Interrupted,
    }
}

/// Asks for a line.
pub(super) async fn line(question: &str) -> Line {
    let (sender, answered) = tokio::sync::oneshot::channel();
    // Reading a line cannot be interrupted, and a thread of the runtime would be waited for at its end.
    let reads = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
        let mut line = String::new();
        let _ = sender.send(match io::stdin().lock().read_line(&mut line) {
            Ok(1..) => Line::Text(line.trim().to_owned()),
            _ => Line::Ended,
        });
    });
    if reads.is_err() {
        return Line::Ended;
    }
    let ended = asked_to_end();
    tokio::pin!(ended);
    // Looked at once before anybody sees the question: from here on Ctrl-C does not end the process by itself.
    let _ = futures::poll!(ended.as_mut());
    {
        let _printing = printing();
        let mut to = io::stderr().lock();
        // Without a terminal to write to nobody has seen the question, and nobody answers.
        let _ = write!(to, "{question}").and_then(|()| to.flush());
    }
    tokio::select! {
        biased;
        _ = &mut ended => {
            let _printing = printing();
            let _ = writeln!(io::stderr());
            Line::Interrupted
        }
        answer = answered => answer.unwrap_or(Line::Ended),
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_plain_yes_is_one() {
        assert!(["y\n", "Y\n", "yes\r\n", " Yes \n"].into_iter().all(is_yes));
        assert!(!["\n", "", "n\n", "yep\n", "no\n", "y y\n"].into_iter().any(is_yes));
    }
}
