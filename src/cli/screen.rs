//! The terminal: what is printed stays above, and in the last line stands how far the work is.
//!
//! By hand and not by indicatif, which fills its last line with blanks up to the last column, where a terminal that is made
//! narrower folds it and half of it stays; and which cuts what is too long at its end, where here the bar goes first, then the
//! time that is left (`bar`). It would stand in for the few lines of `redrawn` and bring a second judgement of colours and
//! widths, its own beside `anstream` and `unicode-width`.
//!
//! Invariant: whatever is printed on the terminal while work goes on holds [`printing`], so that the two never mix.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// There is one terminal.
static SCREEN: Mutex<Screen> = Mutex::new(Screen {
    has_bar: false,
    bar: None,
});

struct Screen {
    /// Whether the last line may be drawn and drawn again.
    has_bar: bool,
    bar: Option<String>,
}

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decides once whether there is a last line: on a terminal that understands it, for a person who reads it.
pub(super) fn prepare(log_for_people: bool) {
    let error = io::stderr();
    // The choice heeds --color, NO_COLOR and TERM=dumb.
    let plain = anstream::AutoStream::choice(&error) == anstream::ColorChoice::Never;
    screen().has_bar = error.is_terminal() && !plain && log_for_people;
}

/// How many characters fit into the last line; none when there is none.
pub(super) fn bar_width() -> Option<usize> {
    let width = || terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
    // In the very last column some terminals begin another line.
    screen().has_bar.then(|| width().saturating_sub(1))
}

/// Shows this in the last line, or takes it away.
pub(super) fn show(bar: Option<String>) {
    let mut screen = screen();
    if screen.has_bar && screen.bar != bar {
        write(&redrawn(screen.bar.as_deref(), bar.as_deref()));
        screen.bar = bar;
    }
}

/// The terminal while something is printed. The last line is away until this is dropped.
pub(super) struct Printing(MutexGuard<'static, Screen>);

/// Takes the terminal to print on it.
pub(super) fn printing() -> Printing {
    let screen = screen();
    write(&redrawn(screen.bar.as_deref(), None));
    Printing(screen)
}

impl Drop for Printing {
    fn drop(&mut self) {
        write(&redrawn(None, self.0.bar.as_deref()));
    }
}

/// What the log writes.
impl Write for Printing {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        io::stderr().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Where lines go: standard output, from whatever task.
pub(super) type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// Prints lines on standard output as they come.
pub(super) fn lines() -> Lines {
    Arc::new(|line: &str| {
        let _printing = printing();
        let mut out = anstream::AutoStream::auto(std::io::stdout()).lock();
        // A reader that closed the pipe has seen enough; the work goes on.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    })
}

const NOTE: anstyle::Style = anstyle::AnsiColor::Cyan.on_default();

/// Prints what is good to know on standard error.
pub(super) fn note(text: &str) {
    let _printing = printing();
    anstream::eprintln!("{NOTE}note{NOTE:#}: {text}");
}

fn write(text: &str) {
    if !text.is_empty() {
        // A terminal that is gone shows nothing; the work goes on.
        let mut error = io::stderr().lock();
        let _ = error.write_all(text.as_bytes()).and_then(|()| error.flush());
    }
}

/// What turns one last line into another: to the first column, the text, and away with what is behind it.
fn redrawn(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (None, None) => String::new(),
        (_, after) => format!("\r{}\x1b[K", after.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_replaced_and_leaves_nothing_behind() {
        assert_eq!(redrawn(None, None), "");
        assert_eq!(redrawn(None, Some("half")), "\rhalf\x1b[K");
        assert_eq!(redrawn(Some("more than half"), Some("all")), "\rall\x1b[K");
        assert_eq!(redrawn(Some("all"), None), "\r\x1b[K");
    }
}
