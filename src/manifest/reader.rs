//! From the documents of a file to declarations.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::document::{self, Positions, child};
use super::place::Place;
use super::schema::{Finding, KindSchema, Side};
use super::syntax::RENDER_FIRST;
use super::{Declared, Manifest, Manifests, Object, Other, Problem, Source, suggestion};
use crate::api::{ANNOTATIONS, GROUP, Kind, VERSION};

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
                // Message and help may quote the text that the reader stumbled over.
                let (message, help) = match confidential {
                    true => ("not valid YAML".to_owned(), None),
                    false => (format!("not valid YAML: {}", error.message), error.help),
                };
                into.problems.push(Problem {
                    confidential,
                    help,
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
        self.problem(Problem::error(self.source(place), place.length, message), help);
    }

    fn warning(&mut self, place: Place, message: impl Into<String>, help: Option<String>) {
        self.problem(Problem::warning(self.source(place), place.length, message), help);
    }

    fn problem(&mut self, problem: Problem, help: Option<String>) {
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
            if kind_meant(&kind_name).is_some() && is_meant_as_ours(group) {
                return self.error(
                    positions.value("/apiVersion"),
                    format!(
                        "`{}` is not an apiVersion of a {kind_name}",
                        crate::api::shortened(&api_version)
                    ),
                    Some(format!("write `{GROUP}/{VERSION}`")),
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
            let help = match kind_meant(&kind_name) {
                Some(kind) => Some(format!("did you mean `{kind}`?")),
                None => suggestion::advice(&kind_name, Kind::ALL.map(Kind::as_str)),
            };
            let shown = crate::api::shortened(&kind_name);
            return self.error(positions.value("/kind"), format!("unknown kind `{shown}`"), help);
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
                self.error(
                    positions.value(&child("", name)),
                    format!("{name} must be a string"),
                    None,
                );
                None
            }
            None => {
                let near = suggestion::nearest(name, fields.keys().map(String::as_str));
                let (message, help) = match (near, what_is_missing(name, fields)) {
                    (Some(near), _) => (format!("{name} is missing"), format!("`{near}` is written `{name}`")),
                    (None, Some(help)) => (format!("{name} is missing"), help),
                    (None, None) => (
                        format!("not a manifest: {name} is missing"),
                        "keep files that are not manifests out of this directory".to_owned(),
                    ),
                };
                self.error(positions.value(""), message, Some(help));
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
        let broken = !findings.is_empty() | self.annotations(kind, &value, positions);
        for finding in findings {
            let help = advice(&finding, &value);
            self.error(place_of(positions, &finding), finding.message, help);
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

impl Reader<'_> {
    /// Says what is wrong with the annotations; true when one of them must be mended first: nobody would read it.
    fn annotations(&mut self, kind: Kind, value: &Value, positions: &Positions) -> bool {
        let mut broken = false;
        let annotations = value.pointer("/metadata/annotations").and_then(Value::as_object);
        for name in annotations.into_iter().flat_map(Map::keys) {
            let Some((group, word)) = name.split_once('/') else {
                continue;
            };
            let place = positions.key(&child("/metadata/annotations", name));
            let shown = crate::api::shortened(name);
            let known = ANNOTATIONS.iter().find(|(known, _)| known == name);
            match known {
                Some((_, Some(only))) if *only != kind => {
                    let help = format!("it belongs on a {only}");
                    self.warning(
                        place,
                        format!("annotation `{shown}` has no effect on a {kind}"),
                        Some(help),
                    );
                }
                Some(_) => {}
                None if group == GROUP => {
                    broken = true;
                    let known = ANNOTATIONS.map(|(known, _)| known);
                    // What all of them begin with makes none of them likely.
                    let words = known.iter().filter_map(|known| Some(known.split_once('/')?.1));
                    let help = match suggestion::nearest(word, words) {
                        Some(near) => format!("did you mean `{GROUP}/{near}`?"),
                        None => format!("known: {}", known.join(", ")),
                    };
                    self.error(place, format!("unknown annotation `{shown}`"), Some(help));
                }
                None => {
                    let ours = format!("{GROUP}/{word}");
                    if ANNOTATIONS.iter().any(|(known, _)| *known == ours) && is_meant_as_ours(group) {
                        let help = format!("did you mean `{ours}`?");
                        self.warning(place, format!("annotation `{shown}` has no effect"), Some(help));
                    }
                }
            }
        }
        broken
    }
}

/// The kind that a word means which is none: another case, the plural, or what Statuspage calls it.
fn kind_meant(word: &str) -> Option<Kind> {
    let plain: String = word.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let plain = plain.to_lowercase();
    let is = |name: &str| {
        let name = name.replace(' ', "").to_lowercase();
        name == plain || plain.strip_suffix('s') == Some(name.as_str())
    };
    let by_name = Kind::ALL.into_iter().find(|kind| is(kind.as_str()) || is(kind.noun()));
    by_name.or_else(|| {
        ["maintenance", "scheduledmaintenance"]
            .into_iter()
            .any(is)
            .then_some(Kind::Incident)
    })
}

/// True when a group that is not ours can only have been meant as ours. Other groups have kinds of the same
/// names (Backstage has a Component), and those are left alone.
fn is_meant_as_ours(group: &str) -> bool {
    match group {
        // No kind of ours is in the core group.
        "" => true,
        _ => group.to_lowercase().contains("statuspage") || suggestion::nearest(group, [GROUP]).is_some(),
    }
}

/// What to write for `apiVersion` or `kind` when the rest says that it is one of ours.
fn what_is_missing(name: &str, fields: &Map<String, Value>) -> Option<String> {
    let word = |name: &str| fields.get(name).and_then(Value::as_str);
    match name {
        "apiVersion" => {
            let kind = kind_meant(word("kind")?)?;
            Some(format!("write `apiVersion: {GROUP}/{VERSION}` for a {kind}"))
        }
        _ => {
            let (group, _) = word("apiVersion")?.rsplit_once('/')?;
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            is_meant_as_ours(group).then(|| format!("write `kind:` with one of {kinds}"))
        }
    }
}

/// What to do about a finding: its own help, or what its value tells.
fn advice(finding: &Finding, value: &Value) -> Option<String> {
    let Some(Value::String(text)) = value.pointer(&finding.pointer) else {
        return finding.help.clone();
    };
    if text.contains("{{") && text.contains("}}") {
        return Some(RENDER_FIRST.to_owned());
    }
    match finding.pointer.as_str() {
        "/spec/pageId" => page_id_in(text).or_else(|| finding.help.clone()),
        "/spec/subdomain" => subdomain_in(text)
            .map(|subdomain| format!("write `subdomain: {subdomain}`"))
            .or_else(|| finding.help.clone()),
        _ => finding.help.clone(),
    }
}

/// What to write for the address of a page.
pub fn page_id_in(address: &str) -> Option<String> {
    let trimmed = address.trim().trim_matches(['"', '\'']).trim();
    let is_id = |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric());
    let after = trimmed.split_once("pages/").map(|(_, after)| after);
    let id = after.map(|after| after.split(['/', '?', '#', '.']).next().unwrap_or_default());
    match id.or(Some(trimmed)).filter(|id| is_id(id)) {
        Some(id) => Some(format!("the id is `{id}`")),
        None => Some(format!(
            "write `subdomain: {}` instead of pageId",
            subdomain_in(trimmed)?
        )),
    }
}

/// The subdomain in the address of a page below statuspage.io.
fn subdomain_in(address: &str) -> Option<&str> {
    let address = address.trim();
    let host = address.split_once("://").map_or(address, |(_, host)| host);
    let host = host.split(['/', '?', '#']).next()?;
    let label = host.strip_suffix(".statuspage.io")?;
    let is_label = !label.is_empty() && !["manage", "api", "www"].contains(&label) && !label.contains('.');
    is_label.then_some(label)
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
        _ if !valid => format!("`{}` is not a valid name in Kubernetes", crate::api::shortened(name)),
        _ => return None,
    };
    let help = match dots {
        true => "use lower-case letters, digits, `-` and `.`; begin and end with a letter or digit",
        false => "use lower-case letters, digits and `-`; begin and end with a letter or digit",
    };
    Some(Finding::value(pointer, message).with_help(Some(help.to_owned())))
}
