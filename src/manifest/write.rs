//! Writes manifests as YAML: as people write it, and so that every reader of YAML, old or new, reads the same.
//!
//! Whatever some reader could take for something else than a text is quoted. Texts of several lines are blocks, unless
//! a reader or an editor could stumble over their blanks.

use std::fmt::Write as _;

use serde_json::Value;

/// Words that YAML 1.1 or 1.2 takes for a boolean or for nothing.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// One document, without the line that begins it.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => block(&mut out, value, 0),
        value => line_of(&mut out, value, 0),
    }
    out
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// The lines of a map or a list; the place of the first one is reached already.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => {
            for (number, (key, value)) in fields.iter().enumerate() {
                if number > 0 {
                    pad(out, indent);
                }
                out.push_str(&scalar(key));
                out.push(':');
                if is_empty(value) {
                    out.push(' ');
                    line_of(out, value, indent + 2);
                } else {
                    // A list stands below its key, a map to the right of it.
                    let indent = if value.is_array() { indent } else { indent + 2 };
                    out.push('\n');
                    pad(out, indent);
                    block(out, value, indent);
                }
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                if is_empty(item) {
                    line_of(out, item, indent + 2);
                } else {
                    block(out, item, indent + 2);
                }
            }
        }
        _ => {}
    }
}

/// The rest of a line, and for a text of several lines those that follow, at this indentation.
fn line_of(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(text) if is_block(text) => {
            out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
            for line in lines(text) {
                out.push('\n');
                if !line.is_empty() {
                    pad(out, indent);
                    out.push_str(line);
                }
            }
        }
        Value::String(text) => out.push_str(&scalar(text)),
        // Null, booleans and numbers are the same in JSON.
        other => out.push_str(&other.to_string()),
    }
    out.push('\n');
}

/// True for lines that no reader and no editor changes.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with(['\n', ' '])
        && lines(text).all(|line| !line.ends_with(' ') && line.chars().all(is_plain_character))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n')
}

/// A text on one line, in quotes unless nobody could take it for anything else.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    if first.is_ascii_digit() {
        // Such as an id: no number, date or time has one of these letters without a sign beside it.
        let telling = |letter: char| matches!(letter, 'g'..='n' | 'p'..='w' | 'y' | 'z');
        return text.chars().all(|character| character.is_ascii_alphanumeric()) && text.chars().any(telling);
    }
    first.is_alphabetic()
        && !WORDS.contains(&text.to_lowercase().as_str())
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text
            .chars()
            .all(|character| character.is_alphanumeric() || " _-./@+()=&?,;:#'!".contains(character))
}

/// True for a text that needs no quotes between brackets.
pub(super) fn is_plain_in_flow(text: &str) -> bool {
    is_plain(text) && !text.contains([',', '?', ':', '#'])
}

/// A character that stands for itself in every reader.
fn is_plain_character(character: char) -> bool {
    let code = u32::from(character);
    let is_blank = character != ' ' && character.is_whitespace();
    // Beyond these YAML wants escapes, or sees the mark of a byte order.
    !is_blank && !character.is_control() && !matches!(code, 0xFEFF | 0xFFFE | 0xFFFF | 0xE000..=0xF8FF)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        // Writing to a text does not fail.
        let _ = match character {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\t' => out.write_str("\\t"),
            '\r' => out.write_str("\\r"),
            character if is_plain_character(character) => out.write_char(character),
            character => match u32::from(character) {
                code @ 0..=0xFF => write!(out, "\\x{code:02X}"),
                code @ 0x100..=0xFFFF => write!(out, "\\u{code:04X}"),
                code => write!(out, "\\U{code:08X}"),
            },
        };
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_looks_as_people_write_it() {
        let value = json!({
            "kind": "Component",
            "metadata": {"name": "no", "annotations": {"statuspage-operator.io/id": "2gcfmflvgs66"}},
            "spec": {
                "name": "API (v2), what's new?", "url": "https://example.com/?a=b#c", "hidden": false, "empty": [],
                "body": "First: a\n\n  - b\nlast\n", "tail": "a\nb", "trailing": "a \nb", "tab": "\tx\ny",
                "list": [{"status": "investigating", "at": "2026-01-01T00:00:00Z"}, {"on": {"y": 1}}], "names": ["1e3", "ok", ""],
                "minimum": 0.5,
            },
        });
        let expected = r##"kind: Component
metadata:
  name: "no"
  annotations:
    statuspage-operator.io/id: 2gcfmflvgs66
spec:
  name: API (v2), what's new?
  url: https://example.com/?a=b#c
  hidden: false
  empty: []
  body: |
    First: a

      - b
    last
  tail: |-
    a
    b
  trailing: "a \nb"
  tab: "\tx\ny"
  list:
  - status: investigating
    at: "2026-01-01T00:00:00Z"
  - "on":
      "y": 1
  names:
  - "1e3"
  - ok
  - ""
  minimum: 0.5
"##;
        assert_eq!(to_yaml(&value), expected);
    }

    #[test]
    fn what_could_be_something_else_is_quoted() {
        for text in [
            "",
            "no",
            "YES",
            "Null",
            "~",
            "1",
            "0x1f",
            "0o17",
            "1e3",
            "123e45678901",
            "1_000",
            "1:30",
            "12-31",
            "-",
            "- a",
            "a: b",
            "a:",
            "a #b",
            " a",
            "a ",
            "#a",
            "!a",
            "&a",
            "*a",
            "{a",
            "[a",
            "@a",
            "`a",
            "%a",
            "|",
            ">",
            "'a",
            "\"a",
            ".inf",
            "=",
            "<<",
            "🚀",
            "a\u{a0}b",
            "\u{feff}a",
        ] {
            assert!(!is_plain(text), "{text:?}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[ \\t\\n\\r:#'\"\\-a-z0-9~.|>]{0,40}",
            "[0-9][0-9a-z_.:+-]{0,12}",
            "[a-zA-Z]{1,5}",
        ];
        let leaf = prop_oneof![
            text.clone().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9f64..1e9).prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_reader_reads_what_was_written(value in values()) {
            let text = to_yaml(&value);
            let other: Value = yaml_oracle::from_str(&text).unwrap();
            prop_assert_eq!(&other, &value, "another reader\n{}", text);
            let ours: Value = serde_yaml::from_str(&text).unwrap();
            prop_assert_eq!(&ours, &value, "{}", text);
            // No editor takes away what counts.
            prop_assert!(text.lines().all(|line| !line.ends_with(' ')), "{}", text);
        }
    }
}
