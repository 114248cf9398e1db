//! Reading the lock file, the present format and the one before it, whatever people and merges have made of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::entry::{Entries, Entry, Recorded, entry_key};
use super::error::{Difference, LockError, Place};
use super::lock::VERSION;
use super::report;
use crate::api::Kind;
use crate::engine::Status;

/// The members of an object in their order, those of one name too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the objects by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    objects: Members,
}

/// What is looked at before the fields, which another version may have changed.
#[derive(Deserialize)]
struct Head {
    version: u64,
}

/// Reads the lock file with the reports that belong to it; a missing one is empty.
pub(super) fn read(path: &Path, report_path: &Path, now: Timestamp) -> Result<Entries, LockError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(with_reports(Entries::new(), report_path, now));
        }
        Err(source) => {
            return Err(LockError::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let text = Text { path, bytes: &bytes };
    let head: Head = serde_json::from_slice(&bytes).map_err(|error| text.unreadable(&error))?;
    if head.version > VERSION {
        return Err(LockError::Version {
            path: path.to_owned(),
            found: head.version,
        });
    }
    let file: File = serde_json::from_slice(&bytes).map_err(|error| text.unreadable(&error))?;
    if file.version == 0 {
        return Err(LockError::Format {
            place: text.place(1, 1),
            what: "has version 0, which no program wrote".to_owned(),
        });
    }
    let mut entries = Entries::new();
    for (written, value) in file.objects.0 {
        // The last member is only there for its comma.
        if value.is_null() {
            continue;
        }
        let entry: Entry = serde_json::from_value(value).map_err(|error| text.odd_entry(&written, &error))?;
        let (name, entry) = match head.version {
            VERSION => (written.clone(), entry),
            _ => upgraded(&written, entry),
        };
        match entries.get(&name) {
            Some(known) if *known != entry => return Err(text.twice(&written, known, &entry)),
            _ => entries.insert(name, entry),
        };
    }
    if head.version == VERSION {
        entries = with_reports(entries, report_path, now);
    }
    Ok(entries)
}

/// The kind of a name of the first version (`Kind/namespace/name`), and what it is called since.
fn present_name(name: &str) -> Option<(Kind, String)> {
    let (kind, rest) = name.split_once('/')?;
    let (namespace, name) = rest.split_once('/')?;
    Some((Kind::parse(kind)?, format!("{namespace}/{kind}/{name}")))
}

/// A name of the first version as it is since.
pub(super) fn renamed(name: &str) -> String {
    present_name(name).map_or_else(|| name.to_owned(), |(_, name)| name)
}

/// An entry of the first version, which held the whole status.
pub(super) fn upgraded(name: &str, mut entry: Entry) -> (String, Entry) {
    entry.pending = true;
    let Some((kind, renamed)) = present_name(name) else {
        return (name.to_owned(), entry);
    };
    if let Recorded::Other(value) = &entry.status
        && !value.is_null()
        && let Ok(status) = Status::from_json(kind, value.clone())
    {
        entry.pending = !entry.is_settled_by(&status);
        entry.status = Recorded::from(status);
    }
    (renamed, entry)
}

/// The entries with what is reported of them. A file of reports that cannot be read is as good as lost.
fn with_reports(mut entries: Entries, path: &Path, now: Timestamp) -> Entries {
    let bytes = fs::read(path).unwrap_or_default();
    let reports: BTreeMap<String, Value> = match serde_json::from_slice::<File>(&bytes) {
        Ok(file) if file.version == VERSION => file.objects.0.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    for (name, report) in &reports {
        if let (false, Some(_), Some(entry)) = (entries.contains_key(name), entry_key(name), report::unsent(report)) {
            entries.insert(name.clone(), entry);
        }
    }
    for (name, entry) in &mut entries {
        entry.restore(name, reports.get(name), now);
    }
    entries
}

/// What was found, without all that would have been understood.
fn found(words: &str) -> &str {
    words.split(", expected").next().unwrap_or(words)
}

/// The text of a lock file, to say where something is.
struct Text<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl Text<'_> {
    fn place(&self, line: usize, column: usize) -> Place {
        Place {
            path: self.path.to_owned(),
            line: line.max(1),
            column: column.max(1),
        }
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &[u8])> {
        (1..).zip(self.bytes.split(|byte| *byte == b'\n'))
    }

    /// What a merge has left: no line of JSON begins like this.
    fn conflict(&self) -> Option<LockError> {
        let is_marker = |line: &[u8]| {
            [&b"<<<<<<<"[..], b"|||||||", b"=======", b">>>>>>>"]
                .iter()
                .any(|one| line.starts_with(one))
        };
        let (number, line) = self.lines().find(|(_, line)| is_marker(line))?;
        let marker: String = String::from_utf8_lossy(line).trim_end().chars().take(60).collect();
        Some(LockError::Conflict {
            place: self.place(number, 1),
            marker: marker.escape_debug().to_string(),
        })
    }

    fn unreadable(&self, error: &serde_json::Error) -> LockError {
        if let Some(conflict) = self.conflict() {
            return conflict;
        }
        let what = if self.bytes.iter().all(u8::is_ascii_whitespace) {
            "is empty".to_owned()
        } else if error.is_eof() {
            "ends in the middle".to_owned()
        } else {
            let words = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            let words = words.strip_suffix(&place).unwrap_or(&words);
            let is_object = self.bytes.trim_ascii_start().starts_with(b"{");
            match (error.is_data(), is_object) {
                (true, true) => format!("is not as this program writes it ({})", found(words)),
                (true, false) => "is not as this program writes it".to_owned(),
                (false, _) => format!("is not JSON ({words})"),
            }
        };
        LockError::Format {
            place: self.place(error.line(), error.column()),
            what,
        }
    }

    /// Where the members of this name begin: line and column.
    fn places_of(&self, name: &str) -> Vec<Place> {
        let member = format!("{}:", Value::from(name));
        let spaced = format!("{} :", Value::from(name));
        self.lines()
            .filter_map(|(number, line)| {
                let text = String::from_utf8_lossy(line);
                let begin = text.trim_start();
                let begins = begin.starts_with(&member) || begin.starts_with(&spaced);
                begins.then(|| self.place(number, text.len() - begin.len() + 1))
            })
            .collect()
    }

    fn odd_entry(&self, name: &str, error: &serde_json::Error) -> LockError {
        let place = self.places_of(name).into_iter().next();
        LockError::Format {
            place: place.unwrap_or_else(|| self.place(1, 1)),
            what: format!(
                "has an object that cannot be understood, {name:?} ({})",
                found(&error.to_string())
            ),
        }
    }

    fn twice(&self, name: &str, first: &Entry, second: &Entry) -> LockError {
        let places = self.places_of(name);
        let id = |entry: &Entry| {
            let of_status = match &entry.status {
                Recorded::Status(status) => status.object().id.clone(),
                Recorded::Other(value) => value.get("id").and_then(Value::as_str).map(str::to_owned),
            };
            entry.id.clone().or(of_status)
        };
        LockError::Twice {
            place: places.get(1).cloned().unwrap_or_else(|| self.place(1, 1)),
            object: name.escape_debug().to_string(),
            first: places.first().map_or(1, |place| place.line),
            difference: match (id(first), id(second)) {
                (Some(first), Some(second)) if first != second => Difference::Ids(first, second),
                _ => Difference::Contents,
            },
        }
    }
}
