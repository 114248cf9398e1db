//! Changes a few values of one manifest in its file, and leaves the rest as its author wrote it: comments, order, quotes,
//! blank lines.
//!
//! Invariant: a file reads afterwards as it did before, plus the changes, in every document of it; else nothing is changed.

use std::ops::Range;

use serde_json::{Map, Value};
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

use super::document::{self, child, split};
use super::place::Piece;
use super::write::{is_plain_in_flow, to_yaml};
use crate::api::{GROUP, Kind};

/// A change of a manifest; the pointers begin at the object (`/spec/updates`).
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Adds an item to the end of a list, which is made if it is not there.
    Append {
        /// The list.
        list: String,
        /// The item.
        item: Value,
    },
    /// Gives a field another value, or adds it. Maps around it are made if they are not there.
    Set {
        /// The field.
        field: String,
        /// Its value.
        value: Value,
    },
}

/// A file cannot be changed without changing more than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The object is not in the file, or the file cannot be read.
    #[error("it does not declare this object any more")]
    NotFound,
    /// An anchor, a merge key or a text that ends in blank lines is in the way.
    #[error("it is written in a way that cannot be changed without touching the rest")]
    Entangled,
}

/// The text of a file with changes of the object of this kind, namespace (`default` when it names none) and name.
///
/// # Errors
/// The object is not there, or the changes would touch something else.
pub fn edit(text: &str, kind: Kind, namespace: &str, name: &str, edits: &[Edit]) -> Result<String, EditError> {
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let mut wanted = values(text)?;
    let (index, base) = find(&wanted, kind, namespace, name).ok_or(EditError::NotFound)?;
    let mut edited = text.to_owned();
    for edit in edits {
        let object = wanted.get_mut(index).and_then(|value| value.pointer_mut(&base));
        edit.apply(object.ok_or(EditError::NotFound)?)
            .ok_or(EditError::Entangled)?;
        edited = write(&edited, index, &base, edit).ok_or(EditError::Entangled)?;
    }
    match values(&edited) {
        Ok(values) if values == wanted => Ok(format!("{mark}{edited}")),
        _ => Err(EditError::Entangled),
    }
}

/// The values of all documents of a file.
fn values(text: &str) -> Result<Vec<Value>, EditError> {
    let value = |piece: Piece<'_>| match document::read(piece) {
        Ok(document) => Ok(document.map_or(Value::Null, |document| document.value)),
        Err(_) => Err(EditError::NotFound),
    };
    split(text).into_iter().map(value).collect()
}

/// The document that holds an object, and where in it.
fn find(documents: &[Value], kind: Kind, namespace: &str, name: &str) -> Option<(usize, String)> {
    let is_it = |value: &Value| {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let ours = text("/apiVersion").is_some_and(|version| version.split('/').next() == Some(GROUP));
        let here = text("/metadata/namespace").unwrap_or("default") == namespace;
        ours && here && text("/kind") == Some(kind.as_str()) && text("/metadata/name") == Some(name)
    };
    documents.iter().enumerate().find_map(|(index, document)| {
        if is_it(document) {
            return Some((index, String::new()));
        }
        let items = document.get("items").and_then(Value::as_array)?;
        let item = items.iter().position(is_it)?;
        Some((index, format!("/items/{item}")))
    })
}

impl Edit {
    /// Does the same to the object as a value. None when it has something else in that place.
    pub fn apply(&self, object: &mut Value) -> Option<()> {
        match self {
            Edit::Append { list, item } => match field(object, list)? {
                Value::Array(items) => items.push(item.clone()),
                empty @ Value::Null => *empty = Value::Array(vec![item.clone()]),
                _ => return None,
            },
            Edit::Set { field: name, value } => *field(object, name)? = value.clone(),
        }
        Some(())
    }
}

/// The field at a pointer, made with the maps around it if it is not there.
fn field<'v>(object: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    let mut at = object;
    for part in pointer.split('/').skip(1) {
        let key = unescaped(part);
        at = match at {
            Value::Object(fields) => fields.entry(key).or_insert(Value::Null),
            empty @ Value::Null => {
                *empty = Value::Object(Map::new());
                empty.as_object_mut()?.entry(key).or_insert(Value::Null)
            }
            Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// A part of a document as it is written, by bytes.
#[derive(Debug)]
struct Node {
    span: Range<usize>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Scalar,
    Map(Vec<(String, Node, Node)>),
    List(Vec<Node>),
}

impl Node {
    /// Where the last character of its content stands.
    fn end(&self, text: &str) -> usize {
        if self.is_flow(text) {
            return self.span.end;
        }
        let last = match &self.form {
            Form::Scalar => None,
            Form::Map(entries) => entries.last().map(|(_, key, value)| value.end(text).max(key.end(text))),
            Form::List(items) => items.last().map(|item| item.end(text)),
        };
        let end = last.unwrap_or(self.span.end).max(self.span.start);
        let content = text.get(..end).unwrap_or(text).trim_end();
        content.len().max(self.span.start)
    }

    fn is_flow(&self, text: &str) -> bool {
        let opens = |sign| text.get(self.span.start..).is_some_and(|rest| rest.starts_with(sign));
        match self.form {
            Form::Scalar => false,
            Form::Map(_) => opens('{'),
            Form::List(_) => opens('['),
        }
    }

    fn get(&self, pointer: &str) -> Option<&Node> {
        pointer
            .split('/')
            .skip(1)
            .try_fold(self, |node, part| match &node.form {
                Form::Map(_) => Some(node.entry(&unescaped(part))?.1),
                Form::List(items) => items.get(part.parse::<usize>().ok()?),
                Form::Scalar => None,
            })
    }

    fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        let Form::Map(entries) = &self.form else { return None };
        let found = entries.iter().find(|(name, ..)| name == key);
        found.map(|(_, key, value)| (key, value))
    }
}

/// Reads how a document is written. None for what has anchors, tags or broken parts in an unexpected place.
fn tree(text: &str) -> Option<Node> {
    let mut open: Vec<(Node, Option<(String, Node)>)> = Vec::new();
    for item in Parser::new_from_str(text) {
        let (event, span) = item.ok()?;
        let range = || span.byte_range();
        let done = match event {
            Event::MappingStart(..) => {
                let form = Form::Map(Vec::new());
                open.push((Node { span: range()?, form }, None));
                continue;
            }
            Event::SequenceStart(..) => {
                let form = Form::List(Vec::new());
                open.push((Node { span: range()?, form }, None));
                continue;
            }
            Event::Scalar(value, style, ..) => {
                let mut span = range()?;
                if value.is_empty() && style == ScalarStyle::Plain {
                    // Nothing is written there: it ends where it begins.
                    span.end = span.start;
                }
                let node = Node {
                    span,
                    form: Form::Scalar,
                };
                match open.last_mut() {
                    Some((Node { form: Form::Map(_), .. }, key @ None)) => {
                        *key = Some((value.into_owned(), node));
                        continue;
                    }
                    _ => node,
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Node {
                span: range()?,
                form: Form::Scalar,
            },
            Event::MappingEnd | Event::SequenceEnd => {
                let (mut node, _) = open.pop()?;
                node.span.end = range()?.end;
                node
            }
            _ => continue,
        };
        match open.last_mut() {
            None => return Some(done),
            Some((Node { form, .. }, key)) => match form {
                Form::Map(entries) => {
                    let (name, place) = key.take()?;
                    entries.push((name, place, done));
                }
                Form::List(items) => items.push(done),
                Form::Scalar => return None,
            },
        }
    }
    None
}

/// Makes one change in the text of a file.
fn write(text: &str, index: usize, base: &str, edit: &Edit) -> Option<String> {
    let pieces = split(text);
    let piece = pieces.get(index)?;
    let start: usize = pieces.iter().take(index).map(|piece| piece.text.len()).sum();
    let root = tree(piece.text)?;
    let mut page = Sheet {
        text: piece.text,
        json: root.is_flow(piece.text) && text.trim_start().starts_with('{') && is_quoted(&root, piece.text),
        newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
    };
    let (place, written) = match edit {
        Edit::Append { list, item } => match root.get(&format!("{base}{list}")) {
            Some(node) => page.append(node, item)?,
            None => page.set(&root, base, list, &Value::Array(vec![item.clone()]))?,
        },
        Edit::Set { field, value } => page.set(&root, base, field, value)?,
    };
    let place = place.start + start..place.end + start;
    let mut edited = text.to_owned();
    // A place inside a character is none of ours.
    text.get(place.clone())?;
    edited.replace_range(place, &written);
    Some(edited)
}

/// True when the keys are quoted, as in JSON.
fn is_quoted(root: &Node, text: &str) -> bool {
    match &root.form {
        Form::Map(entries) => entries
            .first()
            .is_some_and(|(_, key, _)| text.get(key.span.start..).is_some_and(|rest| rest.starts_with('"'))),
        _ => false,
    }
}

/// A document that is being written in: each change is a range and what takes its place.
struct Sheet<'t> {
    text: &'t str,
    json: bool,
    newline: &'static str,
}

impl Sheet<'_> {
    fn append(&mut self, list: &Node, item: &Value) -> Option<(Range<usize>, String)> {
        let Form::List(items) = &list.form else { return None };
        if list.is_flow(self.text) {
            return Some(self.in_brackets(list, items.last(), &self.flow(item)));
        }
        let last = items.last()?;
        let before = self.text.get(..last.span.start)?;
        let dash = before.rfind('-')?;
        let indent = self.column(dash)?;
        let lines = block(item, indent, "- ");
        self.below(list.end(self.text), &lines)
    }

    fn set(&mut self, root: &Node, base: &str, pointer: &str, value: &Value) -> Option<(Range<usize>, String)> {
        let (above, last) = pointer.rsplit_once('/')?;
        let key = unescaped(last);
        let Some(parent) = root.get(&format!("{base}{above}")) else {
            let mut fields = Map::new();
            fields.insert(key, value.clone());
            return self.set(root, base, above, &Value::Object(fields));
        };
        let Form::Map(entries) = &parent.form else { return None };
        let flow = parent.is_flow(self.text);
        let written = match flow {
            true => self.flow_entry(&key, value),
            false => {
                let mut fields = Map::new();
                fields.insert(key.clone(), value.clone());
                let first = entries.first().map(|(_, key, _)| key.span.start)?;
                block(&Value::Object(fields), self.column(first)?, "")
            }
        };
        match parent.entry(&key) {
            Some((name, node)) => {
                let end = node.end(self.text).max(name.span.end);
                let written = written.trim_start_matches(' ').trim_end_matches('\n');
                // A colon with nothing behind it belongs to the field too.
                let rest = self.text.get(end..)?;
                let colon = usize::from(node.span.is_empty() && rest.starts_with(':'));
                Some((name.span.start..end + colon, self.lines(written)))
            }
            None if flow => {
                let last = entries.last().map(|(_, _, value)| value);
                Some(self.in_brackets(parent, last, &written))
            }
            None => self.below(parent.end(self.text), &written),
        }
    }

    /// Puts something behind the last part of a collection in brackets.
    fn in_brackets(&self, collection: &Node, last: Option<&Node>, written: &str) -> (Range<usize>, String) {
        match last {
            Some(last) => {
                let end = last.end(self.text);
                (end..end, format!(", {written}"))
            }
            None => {
                let inside = collection.span.start + 1;
                (inside..inside, written.to_owned())
            }
        }
    }

    /// Puts lines below the line of a place.
    fn below(&self, place: usize, lines: &str) -> Option<(Range<usize>, String)> {
        let rest = self.text.get(place..)?;
        match rest.find('\n') {
            Some(end) => Some((place + end + 1..place + end + 1, self.lines(lines))),
            None => {
                let end = self.text.len();
                Some((end..end, format!("{}{}", self.newline, self.lines(lines).trim_end())))
            }
        }
    }

    fn lines(&self, text: &str) -> String {
        text.replace('\n', self.newline)
    }

    /// How far a place is from the beginning of its line.
    fn column(&self, place: usize) -> Option<usize> {
        let before = self.text.get(..place)?;
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        Some(line.chars().count())
    }

    /// A value inside brackets, on one line.
    fn flow(&self, value: &Value) -> String {
        match value {
            Value::Object(fields) => {
                let entries: Vec<String> = fields.iter().map(|(key, value)| self.flow_entry(key, value)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.flow(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::String(text) => self.flow_text(text),
            other => other.to_string(),
        }
    }

    fn flow_entry(&self, key: &str, value: &Value) -> String {
        format!("{}: {}", self.flow_text(key), self.flow(value))
    }

    fn flow_text(&self, text: &str) -> String {
        if !self.json && is_plain_in_flow(text) {
            return text.to_owned();
        }
        // What JSON escapes YAML reads, too.
        Value::String(text.to_owned()).to_string()
    }
}

/// A value as lines at an indentation, the first of which begins with `first`.
fn block(value: &Value, indent: usize, first: &str) -> String {
    let mut lines = String::new();
    for (number, line) in to_yaml(value).lines().enumerate() {
        let lead = if number == 0 { indent } else { indent + first.len() };
        if !line.is_empty() {
            lines.extend(std::iter::repeat_n(' ', lead));
            lines.push_str(if number == 0 { first } else { "" });
            lines.push_str(line);
        }
        lines.push('\n');
    }
    lines
}

/// The pointer of a field of the spec of an object, such as one component of an incident.
pub fn spec_field(map: &str, key: &str) -> String {
    child(&format!("/spec/{map}"), key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HEAD: &str = "apiVersion: statuspage-operator.io/v1alpha1\nkind: Incident\nmetadata:\n  name: down # ours\n";

    fn edited(text: &str, edits: &[Edit]) -> Result<String, EditError> {
        edit(text, Kind::Incident, "default", "down", edits)
    }

    fn update() -> Edit {
        Edit::Append {
            list: "/spec/updates".to_owned(),
            item: json!({"status": "identified", "body": "Found: a\nbad disk."}),
        }
    }

    fn component(name: &str, status: &str) -> Edit {
        Edit::Set {
            field: spec_field("components", name),
            value: json!(status),
        }
    }

    #[test]
    fn an_update_goes_below_the_last_one_and_comments_stay() {
        let text = format!(
            "# Call Ann first.\n{HEAD}spec:\n  updates:\n    # first\n    - status: investigating\n      body: |\n        Looking.\n\n        More.\n    # last\n\n  # who is hit\n  components:\n    api: major_outage   # all of it\n---\nkind: Other\n"
        );
        let after = edited(
            &text,
            &[
                update(),
                component("api", "operational"),
                component("web", "degraded_performance"),
            ],
        )
        .unwrap();
        let expected = format!(
            "# Call Ann first.\n{HEAD}spec:\n  updates:\n    # first\n    - status: investigating\n      body: |\n        Looking.\n\n        More.\n    - status: identified\n      body: |-\n        Found: a\n        bad disk.\n    # last\n\n  # who is hit\n  components:\n    api: operational   # all of it\n    web: degraded_performance\n---\nkind: Other\n"
        );
        assert_eq!(after, expected);
    }

    #[test]
    fn a_list_at_the_column_of_its_key_and_a_file_without_a_last_newline() {
        let text = format!("{HEAD}spec:\n  updates:\n  - {{status: investigating, body: Looking.}}");
        let after = edited(&text, &[update(), component("api", "major_outage")]).unwrap();
        let expected = format!(
            "{text}\n  - status: identified\n    body: |-\n      Found: a\n      bad disk.\n  components:\n    api: major_outage"
        );
        assert_eq!(after, expected);
    }

    #[test]
    fn brackets_stay_brackets() {
        let text = format!(
            "{HEAD}spec: {{updates: [{{status: investigating, body: Looking.}}], components: {{}}}} # one line\n"
        );
        let after = edited(
            &text,
            &[
                update(),
                component("api", "major_outage"),
                component("web", "operational"),
            ],
        )
        .unwrap();
        let expected = format!(
            "{HEAD}spec: {{updates: [{{status: investigating, body: Looking.}}, {{status: identified, body: \"Found: a\\nbad disk.\"}}], components: {{api: major_outage, web: operational}}}} # one line\n"
        );
        assert_eq!(after, expected);
    }

    #[test]
    fn json_stays_json() {
        let text = json!({
            "apiVersion": "statuspage-operator.io/v1alpha1", "kind": "Incident", "metadata": {"name": "down"},
            "spec": {"updates": [{"status": "investigating", "body": "x"}]},
        });
        let text = serde_json::to_string_pretty(&text).unwrap();
        let after = edited(&text, &[update(), component("api", "major_outage")]).unwrap();
        let value: Value = serde_json::from_str(&after).unwrap();
        assert_eq!(value["spec"]["updates"][1]["body"], "Found: a\nbad disk.");
        assert_eq!(value["spec"]["components"]["api"], "major_outage");
    }

    #[test]
    fn windows_lines_and_an_item_of_a_list() {
        let item = "apiVersion: v1\r\nkind: List\r\nitems:\r\n- apiVersion: statuspage-operator.io/v1alpha1\r\n  kind: Incident\r\n  metadata: {name: down}\r\n  spec:\r\n    updates:\r\n    - status: investigating\r\n      body: Looking.\r\n";
        let after = edited(item, &[update()]).unwrap();
        assert_eq!(
            after,
            format!("{item}    - status: identified\r\n      body: |-\r\n        Found: a\r\n        bad disk.\r\n")
        );
    }

    #[test]
    fn a_field_is_replaced_whatever_it_was() {
        let set = |body: &str| Edit::Set {
            field: "/spec/postmortem".to_owned(),
            value: json!({"body": body, "publish": false}),
        };
        let text = format!("{HEAD}spec:\n  updates: [{{status: resolved, body: Done.}}]\n");
        let first = edited(&text, &[set("One.\n\nTwo.")]).unwrap();
        assert_eq!(
            first,
            format!("{text}  postmortem:\n    body: |-\n      One.\n\n      Two.\n    publish: false\n")
        );
        let first = format!("{first}\n# the end\n");
        let second = edited(&first, &[set("Other.")]).unwrap();
        assert_eq!(
            second,
            format!("{text}  postmortem:\n    body: Other.\n    publish: false\n\n# the end\n")
        );
    }

    #[test]
    fn what_would_touch_something_else_is_refused() {
        let anchored = format!("{HEAD}spec:\n  updates: &all\n  - status: investigating\n    body: x\n  other: *all\n");
        assert_eq!(edited(&anchored, &[update()]), Err(EditError::Entangled));
        assert_eq!(edited("kind: Other\n", &[update()]), Err(EditError::NotFound));
        assert_eq!(edited("a: [", &[update()]), Err(EditError::NotFound));
    }
}
