//! What is wrong with a document that is no YAML, in words of ours.
//!
//! The reader's words are for people who write readers. What people who write manifests stumble over has a sentence here,
//! which quotes the text and says what to write; what remains keeps the reader's words.

use super::place::{Piece, Place};

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// What to do about a template that was not rendered.
pub const RENDER_FIRST: &str = "render it first: `helm template CHART --output-dir DIR`, and use DIR";

/// What the reader stumbled over, with the place inside the file.
pub fn explain(error: &serde_yaml::Error, piece: Piece<'_>) -> SyntaxError {
    let error = error.without_snippet();
    let text = Text::of(piece);
    let location = error.location();
    let number = |value: Option<u64>| usize::try_from(value.unwrap_or(1).max(1)).unwrap_or(1);
    let at = Place {
        line: number(location.map(|location| location.line())),
        column: number(location.map(|location| location.column())),
        length: 0,
    };
    let found = (text.conflict())
        .or_else(|| text.template(at))
        .or_else(|| known(error, &text, at))
        .unwrap_or_else(|| Found::new(at, plain(&error.to_string())));
    SyntaxError {
        place: Place {
            line: found.place.line + piece.line - 1,
            ..found.place
        },
        message: found.message,
        help: found.help,
    }
}

/// One finding, with its place inside the document.
struct Found {
    place: Place,
    message: String,
    help: Option<String>,
}

impl Found {
    fn new(place: Place, message: impl Into<String>) -> Found {
        Found {
            place,
            message: message.into(),
            help: None,
        }
    }

    fn help(self, help: impl Into<String>) -> Found {
        Found {
            help: Some(help.into()),
            ..self
        }
    }
}

/// The document as lines, to look around in.
struct Text<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Text<'a> {
    fn of(piece: Piece<'a>) -> Text<'a> {
        Text {
            lines: piece.text.lines().collect(),
        }
    }

    fn line(&self, number: usize) -> &'a str {
        self.lines.get(number.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// What is written from a place on.
    fn rest(&self, at: Place) -> &'a str {
        let line = self.line(at.line);
        let start = line.char_indices().nth(at.column - 1);
        start.map_or("", |(start, _)| &line[start..])
    }

    /// The place of a part of a line.
    fn place(&self, line: usize, byte: usize, length: usize) -> Place {
        let before = self.line(line).get(..byte).unwrap_or_default();
        Place {
            line,
            column: before.chars().count() + 1,
            length,
        }
    }

    /// The first line that Git left where two versions met.
    fn conflict(&self) -> Option<Found> {
        let is_mark = |line: &str| {
            let marks = ["<<<<<<<", "|||||||", ">>>>>>>"];
            *line == *"======="
                || marks.iter().any(|mark| {
                    line.strip_prefix(mark)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
                })
        };
        let index = self.lines.iter().position(|line| is_mark(line.trim_end()))?;
        let place = self.place(index + 1, 0, 7);
        Some(
            Found::new(place, "merge conflict: two versions of these lines were not merged")
                .help("keep what is right and delete the lines with <<<<<<<, ======= and >>>>>>>; `git diff --check` finds them"),
        )
    }

    /// The first `{{` of a template, if one can have led here.
    fn template(&self, at: Place) -> Option<Found> {
        let opens = |line: &str| {
            let start = line.find("{{")?;
            let end = line[start..].find("}}")? + start + 2;
            let code = line.trim_start().starts_with('#');
            (!code).then_some((start, end))
        };
        let numbers = std::iter::once(at.line).chain(1..=self.lines.len());
        let (number, (start, end)) = numbers
            .filter_map(|number| Some((number, opens(self.line(number))?)))
            .next()?;
        let shown = self.line(number).get(start..end).unwrap_or_default();
        let place = self.place(number, start, shown.chars().count());
        Some(Found::new(place, format!("`{}` is a template", crate::api::shortened(shown))).help(RENDER_FIRST))
    }

    /// The first tab that indents a line, from a line on.
    fn tab(&self, from: usize) -> Option<Place> {
        (from.max(1)..=self.lines.len()).find_map(|number| {
            let line = self.line(number);
            let indentation = &line[..line.len() - line.trim_start().len()];
            Some(self.place(number, indentation.find('\t')?, 1))
        })
    }

    /// The first escape from a place on that YAML does not know.
    fn escape(&self, from: Place) -> Option<(Place, String)> {
        const KNOWN: &str = "0abt\tnvfre \"/\\N_LP\n";
        for number in from.line..=self.lines.len() {
            let line = self.line(number);
            let mut letters = line.char_indices();
            while let Some((start, letter)) = letters.next() {
                if letter != '\\' || number == from.line && line[..start].chars().count() + 1 < from.column {
                    continue;
                }
                let Some((_, next)) = letters.next() else { break };
                let digits = match next {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                let rest = letters.as_str().chars();
                let whole = digits > 0 && rest.take(digits).filter(char::is_ascii_hexdigit).count() == digits;
                if !whole && !KNOWN.contains(next) {
                    return Some((self.place(number, start, 2), format!("\\{next}")));
                }
            }
        }
        None
    }

    /// The last line up to a place with a quote that is not closed in it.
    fn open_quote(&self, until: usize) -> Option<Place> {
        (1..=until.min(self.lines.len())).rev().find_map(|number| {
            let line = self.line(number);
            let quote = line.find(['"', '\''])?;
            let mark = line[quote..].chars().next()?;
            (line.matches(mark).count() % 2 == 1).then(|| self.place(number, quote, 0))
        })
    }
}

/// The sentence for what people are known to stumble over.
fn known(error: &serde_yaml::Error, text: &Text<'_>, at: Place) -> Option<Found> {
    use serde_yaml::Error;
    let rest = text.rest(at);
    Some(match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            let place = Place {
                length: key.chars().count(),
                ..at
            };
            Found::new(
                place,
                format!("`{}` is written twice in the same map", crate::api::shortened(key)),
            )
            .help("keep one of the two")
        }
        Error::UnknownAnchor { .. } => {
            let word = word(rest);
            let name = word.trim_start_matches('*');
            Found::new(
                sized(at, word),
                format!("`{word}` refers to an anchor `&{name}`, which is not in this document"),
            )
            .help("write the value here; a value that begins with `*` goes in quotes")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            let word = word(rest);
            Found::new(sized(at, word), format!("`{word}` is part of what it refers to")).help("write the value here")
        }
        Error::AliasError { error, .. } => return known(error, text, at),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            Found::new(at, "anchors repeat each other until the document is too large")
                .help("write the values without anchors")
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            Found::new(at, "`<<` merges maps, and this is not a map").help("refer to a map with `<<: *name`")
        }
        Error::InvalidBinaryBase64 { .. } | Error::BinaryNotUtf8 { .. } => {
            Found::new(at, "what follows `!!binary` is not text in base64")
                .help("write the text itself, without `!!binary`")
        }
        Error::NonFiniteFloat { value, .. } => {
            Found::new(sized(at, value), format!("`{value}` is not a number that JSON knows"))
                .help("put it in quotes if it is a string")
        }
        Error::Unexpected {
            expected: "string scalar",
            ..
        } => Found::new(at, "a key is a string, not a map or a list")
            .help("put a key or value that begins with `{` or `[` in quotes"),
        _ => return scanned(&error.to_string(), text, at),
    })
}

/// The sentence for a text that the scanner could not follow; it knows no cases, only words.
fn scanned(message: &str, text: &Text<'_>, at: Place) -> Option<Found> {
    let says = |words: &str| message.contains(words);
    let rest = text.rest(at);
    let quoted = "put the value in quotes";
    if says("tab") && (says("indentation") || says("found a tab") || says("tabs")) {
        let place = text.tab(at.line)?;
        return Some(
            Found::new(place, "a tab indents this line, and YAML takes spaces only")
                .help("replace the tab with spaces"),
        );
    }
    if says("escape") || says("hexadecimal") {
        let (place, escape) = text.escape(at)?;
        let found = Found::new(place, format!("`{escape}` means nothing in double quotes"));
        return Some(found.help(format!("write `\\{escape}`, or put the value in single quotes")));
    }
    if says("mapping values are not allowed") {
        let before = text
            .line(at.line)
            .get(..text.line(at.line).len() - rest.len())
            .unwrap_or_default();
        return Some(if before.contains(": ") {
            Found::new(at, "the value has `: ` in it, which begins a map").help(quoted)
        } else {
            Found::new(at, "a key where the line above has a value already")
                .help("align it with the key above, or put a value of several lines in quotes")
        });
    }
    if says("did not find expected key") {
        return Some(
            Found::new(at, "this line is indented like no line above it")
                .help("align it with the other keys of its map"),
        );
    }
    if says("did not find expected '-'") {
        return Some(
            Found::new(
                at,
                "this line is neither an item of the list nor aligned with the key of it",
            )
            .help("begin an item with `- `, or align the key with the others"),
        );
    }
    if says("simple key expected") {
        let line = text.line(at.line).trim();
        let place = Place {
            column: indentation(text.line(at.line)) + 1,
            ..at
        };
        let shown = crate::api::shortened(line);
        return Some(
            Found::new(place, format!("there is no `:` in `{shown}`"))
                .help("a key is written `key: value`; an item of a list begins with `- `"),
        );
    }
    if says("unexpected character") {
        let letter = rest.chars().next()?;
        let place = Place { length: 1, ..at };
        return Some(if letter.is_control() {
            let code = u32::from(letter);
            Found::new(place, format!("the control character U+{code:04X}")).help("delete it")
        } else {
            Found::new(place, format!("a value cannot begin with `{letter}`")).help(quoted)
        });
    }
    if says("unclosed bracket") {
        // Where a line ends with a carriage return alone, the place may be beside the bracket.
        let bracket = rest.chars().next().filter(|letter| "[{".contains(*letter));
        let bracket = bracket.map_or_else(|| "a bracket".to_owned(), |letter| format!("`{letter}`"));
        return Some(Found::new(
            Place { length: 1, ..at },
            format!("{bracket} is never closed"),
        ));
    }
    if says("multiline quoted scalar") || says("quoted scalar") && says("end of stream") {
        let place = text.open_quote(at.line)?;
        return Some(Found::new(place, "this quote is never closed"));
    }
    if says("only valid inside a block") {
        return Some(
            Found::new(
                Place { length: 1, ..at },
                "`-` begins an item of a list, and none is expected here",
            )
            .help("align it with the other items, or put the value in quotes"),
        );
    }
    None
}

/// The reader's message without the position that it carries inside the document, which is not the one in the file.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let end = ["at line ", "line "]
        .iter()
        .filter_map(|mark| first.rfind(mark))
        .find(|start| first[*start..].contains("column"))
        .unwrap_or(first.len());
    let tail = first[end..].split_once(": ").map_or("", |(_, tail)| tail);
    let head = first[..end]
        .trim_end_matches([' ', ',', '('])
        .trim_end_matches(" at")
        .trim_start_matches("error: ");
    match (head.is_empty(), tail.is_empty()) {
        (_, true) => head.to_owned(),
        (true, false) => tail.to_owned(),
        (false, false) => format!("{head}: {tail}"),
    }
}

/// The word at the beginning of a text.
fn word(text: &str) -> &str {
    let end = text.find(|letter: char| letter.is_whitespace() || ",]}".contains(letter));
    &text[..end.unwrap_or(text.len())]
}

fn sized(at: Place, text: &str) -> Place {
    Place {
        length: text.chars().count(),
        ..at
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::super::document::read;
    use super::*;

    /// Line and column, what is marked there, and the words.
    fn said(text: &str) -> (usize, usize, String, String, String) {
        let error = read(Piece { text, line: 1 }).unwrap_err();
        let line = text.lines().nth(error.place.line - 1).unwrap_or_default();
        let marked = line.chars().skip(error.place.column - 1);
        let marked: String = match error.place.length {
            0 => marked.collect(),
            length => marked.take(length).collect(),
        };
        let help = error.help.unwrap_or_default();
        (error.place.line, error.place.column, marked, error.message, help)
    }

    #[test]
    fn an_open_bracket_after_a_carriage_return_alone_is_told_without_its_place() {
        let error = read(Piece {
            text: "\r[[[[",
            line: 1,
        })
        .unwrap_err();
        assert_eq!(error.message, "a bracket is never closed");
    }

    #[test]
    fn what_people_stumble_over_has_a_sentence() {
        for (text, (line, column), marked, message, help) in [
            ("a: 1\nb: 2\na: 3\n", (3, 1), "a", "`a` is written twice", "keep one"),
            (
                "a: *page\n",
                (1, 4),
                "*page",
                "refers to an anchor `&page`",
                "in quotes",
            ),
            ("a: *API* x\n", (1, 4), "*API*", "refers to an anchor", "in quotes"),
            (
                "a: &x\n  b: *x\n",
                (2, 6),
                "*x",
                "part of what it refers to",
                "write the value",
            ),
            ("a:\n  <<: 3\n", (2, 7), "3", "`<<` merges maps", "refer to a map"),
            ("a:\n\tb: 1\n", (2, 1), "\t", "a tab indents this line", "with spaces"),
            (
                "a:\n  b: c\n\td: {}\n",
                (3, 1),
                "\t",
                "a tab indents this line",
                "with spaces",
            ),
            ("a: \"x\\qy\"\n", (1, 6), "\\q", "`\\q` means nothing", "write `\\\\q`"),
            (
                "a: \"C:\\Users\"\n",
                (1, 7),
                "\\U",
                "`\\U` means nothing",
                "single quotes",
            ),
            ("a: {b: c\n", (1, 4), "{", "`{` is never closed", ""),
            ("a: 1\nb: \"abc\n", (2, 4), "\"abc", "this quote is never closed", ""),
            (
                "a: API: the good\n",
                (1, 7),
                ": the good",
                "has `: ` in it",
                "in quotes",
            ),
            ("a: x\n  b: y\n", (2, 4), ": y", "has a value already", "align it"),
            (
                "a:\n   b: c\n  d: e\n",
                (3, 3),
                "d: e",
                "indented like no line above",
                "align it",
            ),
            ("a: @API\n", (1, 4), "@", "cannot begin with `@`", "in quotes"),
            ("a: %API\n", (1, 4), "%", "cannot begin with `%`", "in quotes"),
            ("a: `API\n", (1, 4), "`", "cannot begin with ```", "in quotes"),
            (
                "a: b\nname\n",
                (2, 1),
                "name",
                "there is no `:` in `name`",
                "key: value",
            ),
            (
                "a: b\n{c: d}: e\n",
                (2, 1),
                "{c: d}: e",
                "a key is a string",
                "in quotes",
            ),
            (
                "a: \"b\u{1}c\"\n",
                (1, 6),
                "\u{1}",
                "control character U+0001",
                "delete it",
            ),
            ("a: .nan\n", (1, 4), ".nan", "not a number", "in quotes"),
            ("a: !!binary x\n", (1, 13), "x", "not text in base64", "write the text"),
        ] {
            let said = said(text);
            let (found_line, found_column, found_marked, found_message, found_help) = &said;
            assert_eq!((*found_line, *found_column), (line, column), "{text:?}: {said:?}");
            assert_eq!(found_marked, marked, "{text:?}: {said:?}");
            assert!(found_message.contains(message), "{text:?}: {said:?}");
            assert!(found_help.contains(help), "{text:?}: {said:?}");
        }
    }

    #[test]
    fn a_merge_that_was_not_finished_is_recognised_at_any_of_its_marks() {
        for (text, line) in [
            ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> main\n", 2),
            ("a: 1\n=======\nb: 3\n", 2),
            ("a: 1\nb: 3\n>>>>>>> 1a2b3c4\n", 3),
        ] {
            let (found, column, marked, message, help) = said(text);
            assert_eq!((found, column, marked.len()), (line, 1, 7), "{text:?}");
            assert!(
                message.contains("merge conflict") && help.contains("git diff --check"),
                "{message} {help}"
            );
        }
        // In a text of several lines they are text.
        assert!(
            read(Piece {
                text: "a: |\n  <<<<<<< x\n  =======\n",
                line: 1
            })
            .is_ok()
        );
    }

    #[test]
    fn a_template_is_to_be_rendered_first() {
        for (text, place, marked) in [
            ("a: {{ .Values.x }}\n", (1, 4), "{{ .Values.x }}"),
            ("{{- if .Values.x }}\na: 1\n{{- end }}\n", (1, 1), "{{- if .Values.x }}"),
            (
                "# {{ no }}\na: 1\n  b: {{ include \"x\" . }}\n",
                (3, 6),
                "{{ include \"x\" . }}",
            ),
        ] {
            let (line, column, found, message, help) = said(text);
            assert_eq!(((line, column), found.as_str()), (place, marked), "{text:?}: {message}");
            assert!(
                message.contains("is a template") && help.contains("helm template"),
                "{message} {help}"
            );
        }
    }

    #[test]
    fn the_readers_words_lose_their_position() {
        assert_eq!(plain("odd"), "odd");
        assert_eq!(plain("odd at line 3, column 1"), "odd");
    }
}
