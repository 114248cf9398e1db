//! From text to values with positions: a file is split into documents, each is read on its own.
//!
//! Invariant: a broken document never hides the others of its file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, Span};

use super::place::{Piece, Place};
use super::syntax::{self, SyntaxError};

/// A document as a value, with the place of every key and value.
#[derive(Clone, Debug)]
pub struct Document {
    /// The value.
    pub value: Value,
    /// The places.
    pub positions: Positions,
}

/// Where the fields of a value are written, by JSON pointer. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    /// Sorted by pointer: they are kept as long as the manifests are, and ten thousand of those have a lot of fields.
    places: Arc<[(Box<str>, Written)]>,
    prefix: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct FieldPlace {
    key: Option<Place>,
    value: Place,
}

/// A [`FieldPlace`] as it is kept: line, column and length of the key, where there is one, and of the value.
#[derive(Clone, Copy, Debug)]
struct Written {
    key: [u32; 3],
    value: [u32; 3],
}

impl From<FieldPlace> for Written {
    fn from(field: FieldPlace) -> Self {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let kept = |place: Place| [place.line, place.column, place.length].map(small);
        Written {
            key: kept(field.key.unwrap_or_default()),
            value: kept(field.value),
        }
    }
}

impl From<Written> for FieldPlace {
    fn from(written: Written) -> Self {
        let place = |kept: [u32; 3]| {
            let [line, column, length] = kept.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
            Place { line, column, length }
        };
        FieldPlace {
            // Lines begin with 1.
            key: Some(place(written.key)).filter(|key| key.line > 0),
            value: place(written.value),
        }
    }
}

impl Positions {
    /// The places of a part of the value, under pointers that begin at that part.
    pub fn inside(&self, pointer: &str) -> Positions {
        Positions {
            places: Arc::clone(&self.places),
            prefix: format!("{}{pointer}", self.prefix),
        }
    }

    /// Place of the value at `pointer`, or of the nearest part of the document around it.
    pub fn value(&self, pointer: &str) -> Place {
        match self.find(pointer) {
            (true, field) => field.value,
            (false, field) => field.key.unwrap_or(field.value),
        }
    }

    /// Place of the key at `pointer` (of the value, for an item of a list), or of the nearest part around it.
    pub fn key(&self, pointer: &str) -> Place {
        let (_, field) = self.find(pointer);
        field.key.unwrap_or(field.value)
    }

    /// The field at `pointer`, or the nearest one around it; the flag says which.
    fn find(&self, pointer: &str) -> (bool, FieldPlace) {
        let full = format!("{}{pointer}", self.prefix);
        let mut at = full.as_str();
        loop {
            if let Ok(index) = self.places.binary_search_by(|(pointer, _)| (**pointer).cmp(at)) {
                return (at.len() == full.len(), self.places[index].1.into());
            }
            match at.rfind('/') {
                Some(cut) => at = &at[..cut],
                None => {
                    return (
                        false,
                        FieldPlace {
                            key: None,
                            value: Place {
                                line: 1,
                                column: 1,
                                length: 0,
                            },
                        },
                    );
                }
            }
        }
    }
}

/// The pointer of a member of the value at `pointer`.
pub fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Splits a file at its `---` lines, as kubectl does.
pub fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut start_line, mut position) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix("---");
        let separator = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if separator && position > start && !only_directives(&text[start..position]) {
            pieces.push(Piece {
                text: &text[start..position],
                line: start_line,
            });
            (start, start_line) = (position, index + 1);
        }
        position += line.len();
    }
    if start < text.len() {
        pieces.push(Piece {
            text: &text[start..],
            line: start_line,
        });
    }
    pieces
}

/// `%YAML` and `%TAG` lines belong to the document after their `---`.
fn only_directives(text: &str) -> bool {
    let mut lines = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .peekable();
    lines.peek().is_some() && lines.all(|line| line.starts_with('%'))
}

/// Reads one document; `None` when it holds nothing but comments.
pub fn read(piece: Piece<'_>) -> Result<Option<Document>, SyntaxError> {
    let options = serde_yaml::options! {
        legacy_octal_numbers: true,
        // A `List` of an export has thousands of objects, and one anchor may well be used by all of them; against
        // documents that grow without end there is the limit of replayed events.
        budget: serde_yaml::budget! {
            max_events: 20_000_000,
            max_nodes: 10_000_000,
            enforce_alias_anchor_ratio: false,
        },
        with_snippet: false,
    };
    let mut value: Value = match serde_yaml::from_str_with_options(piece.text, options) {
        Ok(value) => value,
        Err(error) => return Err(syntax::explain(&error, piece)),
    };
    if value.is_null() {
        return Ok(None);
    }
    whole_floats_to_integers(&mut value);
    Ok(Some(Document {
        value,
        positions: positions(piece),
    }))
}

/// `1.0` and `1e3` reach an apiserver as integers, since JSON does not know the difference.
fn whole_floats_to_integers(value: &mut Value) {
    /// Beyond this a float does not hold every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() <= EXACT
            {
                let whole = float as i64;
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_floats_to_integers),
        Value::Object(members) => members.values_mut().for_each(whole_floats_to_integers),
        _ => {}
    }
}

/// Where the walk through the events is.
enum Frame {
    Map {
        pointer: String,
        key: Option<(String, Place)>,
    },
    List {
        pointer: String,
        index: usize,
    },
}

/// Notes where every key and value of a document is written. What an alias or a merge key brings in has the place of
/// what is around it.
fn positions(piece: Piece<'_>) -> Positions {
    let mut places = BTreeMap::new();
    let mut frames: Vec<Frame> = Vec::new();
    for item in Parser::new_from_str(piece.text) {
        let Ok((event, span)) = item else { break };
        let place = place_of(&span, piece.line);
        match event {
            Event::MappingEnd | Event::SequenceEnd => {
                frames.pop();
            }
            Event::Scalar(text, ..) => {
                if let Some(Frame::Map { key: key @ None, .. }) = frames.last_mut() {
                    *key = Some((text.into_owned(), place));
                } else {
                    enter(&mut frames, &mut places, place);
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                if let Some(Frame::Map { key: key @ None, .. }) = frames.last_mut() {
                    *key = Some((String::new(), place));
                } else {
                    enter(&mut frames, &mut places, place);
                }
            }
            Event::MappingStart(..) => {
                let pointer = enter(&mut frames, &mut places, Place { length: 0, ..place });
                frames.push(Frame::Map { pointer, key: None });
            }
            Event::SequenceStart(..) => {
                let pointer = enter(&mut frames, &mut places, Place { length: 0, ..place });
                frames.push(Frame::List { pointer, index: 0 });
            }
            _ => {}
        }
    }
    Positions {
        places: places
            .into_iter()
            .map(|(pointer, field)| (pointer, field.into()))
            .collect(),
        prefix: String::new(),
    }
}

/// Notes a value at the walk's place and gives its pointer.
fn enter(frames: &mut [Frame], places: &mut BTreeMap<Box<str>, FieldPlace>, value: Place) -> String {
    let (pointer, key) = match frames.last_mut() {
        None => (String::new(), None),
        Some(Frame::Map { pointer, key }) => match key.take() {
            Some((name, place)) => (child(pointer, &name), Some(place)),
            // A map as a key: no JSON value has one, so nothing will ask for it.
            None => (child(pointer, "?"), None),
        },
        Some(Frame::List { pointer, index }) => {
            *index += 1;
            (format!("{pointer}/{}", *index - 1), None)
        }
    };
    places.insert(pointer.as_str().into(), FieldPlace { key, value });
    pointer
}

fn place_of(span: &Span, first_line: usize) -> Place {
    let length = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        0
    };
    Place {
        line: span.start.line().max(1) + first_line - 1,
        column: span.start.col() + 1,
        length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_separators_only() {
        let pieces = split("a: 1\n---\nb: |\n  x\n  ---\n---- \n--- # c\nd: 4\n");
        let lines: Vec<usize> = pieces.iter().map(|piece| piece.line).collect();
        assert_eq!(lines, [1, 2, 7]);
        assert_eq!(split("").len(), 0);
        assert_eq!(split("%YAML 1.2\n---\na: 1\n").len(), 1);
        assert_eq!(split("---\n---\n").len(), 2);
    }

    #[test]
    fn knows_where_fields_are() {
        let text = "# first\n---\nä: {b: 1}\nlist:\n  - x\n  - y: \"z\"\n";
        let pieces = split(text);
        let document = read(pieces[1]).unwrap().unwrap();
        assert_eq!(
            document.positions.key("/ä/b"),
            Place {
                line: 3,
                column: 5,
                length: 1
            }
        );
        assert_eq!(
            document.positions.value("/ä/b"),
            Place {
                line: 3,
                column: 8,
                length: 1
            }
        );
        assert_eq!(
            document.positions.value("/list/1/y"),
            Place {
                line: 6,
                column: 8,
                length: 3
            }
        );
        assert_eq!(
            document.positions.value("/list/1/absent"),
            document.positions.key("/list/1")
        );
    }

    #[test]
    fn reads_numbers_as_an_apiserver_gets_them() {
        let piece = Piece {
            text: "a: 1e3\nb: 1.0\nc: 1.5\nd: 017\ne: yes\n",
            line: 1,
        };
        let document = read(piece).unwrap().unwrap();
        assert_eq!(
            document.value,
            serde_json::json!({"a": 1000, "b": 1, "c": 1.5, "d": 15, "e": true})
        );
    }

    #[test]
    fn says_where_the_syntax_is_wrong() {
        let error = read(Piece {
            text: "---\na: 1\na: 2\n",
            line: 11,
        })
        .unwrap_err();
        assert_eq!((error.place.line, error.place.column), (13, 1), "{}", error.message);
        assert!(error.message.contains("twice"), "{}", error.message);
        assert!(!error.message.contains("line"), "{}", error.message);
    }
}
