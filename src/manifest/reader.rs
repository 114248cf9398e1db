//! From the documents of a file to declarations.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::document::{self, Place, Positions, child};
use super::schema::{Finding, KindSchema, Side};
use super::{Declared, Manifest, Manifests, Object, Other, Problem, Source, suggestion};
use crate::api::{GROUP, Kind, VERSION};

/// Fields of metadata that only a server writes; `kubectl get -o yaml` prints them, so they may be in a manifest.
const SERVER_METADATA: [&str; 9] = [
    "uid",
    "resourceVersion",
    "managedFields",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
];

/// The schema of a kind, made once.
pub fn schema_of(kind: Kind) -> &'static KindSchema {
    static SCHEMAS: [OnceLock<KindSchema>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    SCHEMAS[kind as usize].get_or_init(|| KindSchema::new(kind))
}

/// The place that a finding is about.
pub fn place_of(positions: &Positions, finding: &Finding) -> Place {
    match finding.side {
        Side::Key => positions.key(&finding.pointer),
        Side::Value => positions.value(&finding.pointer),
    }
}

/// Reads all documents of a file.
pub fn read_file(file: &Path, text: &str, into: &mut Manifests) {
    for piece in document::split(text) {
        let confidential = may_hold_secrets(piece.text);
        match document::read(piece) {
            Ok(None) => {}
            Ok(Some(document)) => {
                let mut reader = Reader {
                    file,
                    confidential,
                    into: &mut *into,
                };
                reader.object(document.value, &document.positions);
            }
            Err(error) => {
                let source = Source {
                    file: file.to_owned(),
                    line: error.place.line,
                    column: error.place.column,
                };
                // The reader's message may quote the text that it stumbled over.
                let message = match confidential {
                    true => "not valid YAML".to_owned(),
                    false => format!("not valid YAML: {}", error.message),
                };
                into.problems.push(Problem {
                    confidential,
                    ..Problem::error(source, error.place.length, message)
                });
            }
        }
    }
}

/// True when a document has a Secret in it, as far as can be told before it is read.
fn may_hold_secrets(text: &str) -> bool {
    text.lines()
        .any(|line| line.contains("kind") && line.contains("Secret"))
}

/// Reads the objects of one document.
struct Reader<'a> {
    file: &'a Path,
    confidential: bool,
    into: &'a mut Manifests,
}

impl Reader<'_> {
    fn source(&self, place: Place) -> Source {
        Source {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
        }
    }

    fn error(&mut self, place: Place, message: impl Into<String>, help: Option<String>) {
        let problem = Problem::error(self.source(place), place.length, message);
        self.into.problems.push(Problem {
            help,
            confidential: self.confidential,
            ..problem
        });
    }

    /// An object of any kind.
    fn object(&mut self, value: Value, positions: &Positions) {
        let Value::Object(mut fields) = value else {
            return self.error(
                positions.value(""),
                "not a manifest: a manifest is a map with apiVersion, kind, metadata and spec",
                None,
            );
        };
        let api_version = self.word(&fields, "apiVersion", positions);
        let kind_name = self.word(&fields, "kind", positions);
        let (Some(api_version), Some(kind_name)) = (api_version, kind_name) else {
            return;
        };
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
        if kind_name.ends_with("List")
            && (group.is_empty() || group == GROUP)
            && let Some(Value::Array(items)) = fields.get_mut("items").map(Value::take)
        {
            for (index, item) in items.into_iter().enumerate() {
                self.object(item, &positions.inside(&format!("/items/{index}")));
            }
            return;
        }
        if group != GROUP {
            if Kind::parse(&kind_name).is_some() && suggestion::nearest(group, [GROUP]).is_some() {
                let help = format!("did you mean `{GROUP}/{VERSION}`?");
                return self.error(
                    positions.value("/apiVersion"),
                    format!("unknown API group `{group}`"),
                    Some(help),
                );
            }
            self.into.other.push(Other {
                source: self.source(positions.value("")),
                name: name_in(&fields).map(str::to_owned),
                api_version,
                kind: kind_name,
            });
            return;
        }
        let Some(kind) = Kind::parse(&kind_name) else {
            let help = suggestion::advice(&kind_name, Kind::ALL.map(Kind::as_str));
            return self.error(positions.value("/kind"), format!("unknown kind `{kind_name}`"), help);
        };
        if version != VERSION {
            let help = Some(format!("write `{GROUP}/{VERSION}`"));
            return self.error(
                positions.value("/apiVersion"),
                format!("unknown version `{version}`"),
                help,
            );
        }
        self.declaration(kind, fields, positions);
    }

    /// The text of `apiVersion` or `kind`.
    fn word(&mut self, fields: &Map<String, Value>, name: &str, positions: &Positions) -> Option<String> {
        match fields.get(name) {
            Some(Value::String(word)) if !word.is_empty() => Some(word.clone()),
            Some(_) => {
                self.error(positions.value(&child("", name)), format!("{name} is a text"), None);
                None
            }
            None => {
                let help = suggestion::nearest(name, fields.keys().map(String::as_str))
                    .map(|near| format!("`{near}` is written `{name}`"))
                    .unwrap_or_else(|| "keep files that are not manifests out of this directory".to_owned());
                self.error(
                    positions.value(""),
                    format!("not a manifest: {name} is missing"),
                    Some(help),
                );
                None
            }
        }
    }

    /// An object of one of our kinds.
    fn declaration(&mut self, kind: Kind, mut fields: Map<String, Value>, positions: &Positions) {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| !SERVER_METADATA.contains(&field.as_str()));
        }
        let schema = schema_of(kind);
        let mut value = Value::Object(fields);
        schema.prune(&mut value);
        let mut findings = schema.check(&value);
        if findings.iter().all(|finding| finding.unknown_field) {
            findings.extend(schema.check_rules(&value, None));
        }
        let namespace = text_at(&value, "/metadata/namespace").unwrap_or("default").to_owned();
        let name = text_at(&value, "/metadata/name").map(str::to_owned);
        findings.extend(
            name.as_deref()
                .and_then(|name| name_finding("/metadata/name", name, 253, true)),
        );
        findings.extend(name_finding("/metadata/namespace", &namespace, 63, false));
        let source = self.source(positions.value(""));
        if let Some(name) = &name {
            self.into.declared.push(Declared {
                kind,
                namespace: namespace.clone(),
                name: name.clone(),
                place: positions.value("/metadata/name"),
                source: self.source(positions.value("/metadata/name")),
                confidential: self.confidential,
            });
        }
        let broken = !findings.is_empty();
        for finding in findings {
            self.error(place_of(positions, &finding), finding.message, finding.help);
        }
        let (false, Some(name)) = (broken, name) else { return };
        match Object::from_value(kind, value) {
            Ok(mut object) => {
                object.metadata_mut().namespace = Some(namespace.clone());
                self.into.manifests.push(Manifest {
                    source,
                    kind,
                    namespace,
                    name,
                    object,
                    positions: positions.clone(),
                    confidential: self.confidential,
                });
            }
            // The schema refuses all that the types refuse, so this is the second net: a value beyond a range.
            Err(error) => {
                let pointer = pointer_of(error.path());
                self.error(positions.value(&pointer), error.inner().to_string(), None);
            }
        }
    }
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn name_in(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("metadata")?.get("name")?.as_str()
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => child(&pointer, key),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// What is wrong with a name of Kubernetes (RFC 1123), if anything.
fn name_finding(pointer: &str, name: &str, most: usize, dots: bool) -> Option<Finding> {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let valid = if dots { name.split('.').all(label) } else { label(name) };
    let message = match name {
        "" => "a name is needed".to_owned(),
        _ if name.len() > most => format!("the name has {} characters, at most {most} are allowed", name.len()),
        _ if !valid => format!(
            "`{}` is not a name that Kubernetes takes",
            super::schema::shortened(name)
        ),
        _ => return None,
    };
    let help = match dots {
        true => "use lower-case letters, digits, `-` and `.`; begin and end with a letter or digit",
        false => "use lower-case letters, digits and `-`; begin and end with a letter or digit",
    };
    Some(Finding::value(pointer, message).with_help(Some(help.to_owned())))
}
