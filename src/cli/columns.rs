//! Texts in columns of a terminal: how wide they are, cut and wrapped. What others wrote cannot steer the terminal.

use std::io::IsTerminal;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a line of standard output has; none where it goes to no terminal, and lines are as long as they are.
pub(super) fn line_width() -> Option<usize> {
    let width = || terminal_size::terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| usize::from(width.0));
    std::io::stdout().is_terminal().then(width)
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text of others on one line, with nothing in it that a terminal would obey.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// The text, or as much of it as fits and a sign that it goes on.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = columns.saturating_sub(1);
    for letter in text.chars() {
        let takes = letter.width().unwrap_or_default();
        if takes > left {
            break;
        }
        left -= takes;
        kept.push(letter);
    }
    format!("{}…", kept.trim_end())
}

/// The text with spaces behind it, so that it takes so many columns.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The lines of a text, those that are too long on several, broken between words where that is possible.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        let mut current = String::new();
        for word in harmless(line).split_whitespace() {
            if !current.is_empty() && width(&current) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            for letter in word.chars() {
                if !current.is_empty() && width(&current) + letter.width().unwrap_or_default() > columns {
                    lines.push(std::mem::take(&mut current));
                }
                current.push(letter);
            }
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(width("状態"), 4);
        assert_eq!(width("Zürich"), 6);
        assert_eq!(padded("状態", 6), "状態  ");
        assert_eq!(padded("longer", 3), "longer");
        for (columns, expected) in [(10, "状態ページ"), (9, "状態ペー…"), (8, "状態ペ…"), (1, "…"), (0, "…")]
        {
            assert_eq!(cut("状態ページ", columns), expected, "{columns}");
        }
        assert_eq!(cut("Search and more", 8), "Search…");
    }

    #[test]
    fn long_lines_are_broken_between_words_and_long_words_anywhere() {
        let text = "We are looking into it.\n\nMore soon: https://status.example.com/incidents/x\n";
        let expected = [
            "We are looking",
            "into it.",
            "",
            "More soon:",
            "https://status.",
            "example.com/inc",
            "idents/x",
        ];
        assert_eq!(wrapped(text, 15), expected);
        assert_eq!(wrapped("状態ページ", 5), ["状態", "ペー", "ジ"]);
        assert_eq!(wrapped("ab", 0), ["a", "b"]);
        assert_eq!(wrapped("", 10), Vec::<String>::new());
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\u{9b}c\nd"), "a [31mb c d");
        assert_eq!(wrapped("a\u{1b}[2Jb", 80), ["a [2Jb"]);
    }
}
