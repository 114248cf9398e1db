//! The lock file: ids and statuses of what a directory declares. Plain JSON, sorted, safe to commit: no token, no text
//! of a manifest, no address of a subscriber.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Kind;
use crate::engine::{Deletion, ObjectKey};

const VERSION: u32 = 1;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LockFile {
    pub(super) version: u32,
    /// By `Kind/namespace/name`.
    pub(super) objects: BTreeMap<String, Entry>,
}

/// One declaration that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) uid: String,
    pub(super) created: Timestamp,
    /// Counts the versions of the manifest's spec.
    pub(super) generation: i64,
    /// Hash of the spec of that generation.
    pub(super) spec: String,
    /// `namespace/name` of its StatusPage.
    pub(super) page: String,
    /// What to do when the manifest is gone.
    pub(super) deletion: Deletion,
    /// True once the remote object may exist: then the entry outlives the manifest.
    pub(super) held: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) status: Value,
}

/// Why the lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read or written.
    #[error("cannot use the lock file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what this program writes.
    #[error("the lock file {} cannot be read: take the last committed version of it, it holds the ids of the page's objects", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It was written by a newer program.
    #[error("the lock file {} has version {found}, this program knows {VERSION}: use a newer statuspage", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Another process works on the directory.
    #[error("another statuspage works on {}: wait until it has ended, or stop it", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
}

impl LockFile {
    /// Reads the file; a missing one is empty.
    pub(super) fn read(path: &Path) -> Result<LockFile, LockError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(LockFile {
                    version: VERSION,
                    objects: BTreeMap::new(),
                });
            }
            Err(source) => {
                return Err(LockError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let format = |source| LockError::Format {
            path: path.to_owned(),
            source,
        };
        // The version is looked at before the fields, which another version may have changed.
        let value: Value = serde_json::from_slice(&text).map_err(format)?;
        if let Some(found) = value.get("version").and_then(Value::as_u64)
            && found != u64::from(VERSION)
        {
            return Err(LockError::Version {
                path: path.to_owned(),
                found: u32::try_from(found).unwrap_or(u32::MAX),
            });
        }
        serde_json::from_value(value).map_err(format)
    }

    /// Fails when the file could not be written, without changing it.
    pub(super) fn probe(path: &Path) -> Result<(), LockError> {
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        let draft = draft(path);
        fs::File::create(&draft).map_err(io)?;
        fs::remove_file(&draft).map_err(io)
    }
}

/// The text of the file, from the texts of its entries.
pub(super) fn text<'a>(entries: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut text = format!("{{\n  \"version\": {VERSION},\n  \"objects\": {{");
    let mut separator = "\n";
    for (name, entry) in entries {
        let name = Value::String(name.clone());
        text.push_str(separator);
        text.push_str(&format!("    {name}: {entry}"));
        separator = ",\n";
    }
    text.push_str(if separator == "\n" { "}\n}\n" } else { "\n  }\n}\n" });
    text
}

/// Writes the file so that a crash leaves either the old or the new one; when `durable`, a crash of the machine too.
pub(super) fn write(path: &Path, text: &str, durable: bool) -> Result<(), LockError> {
    let io = |source| LockError::Io {
        path: path.to_owned(),
        source,
    };
    let draft = draft(path);
    let mut file = fs::File::create(&draft).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    if durable {
        file.sync_data().map_err(io)?;
    }
    fs::rename(&draft, path).map_err(io)?;
    match path.parent().filter(|parent| durable && !parent.as_os_str().is_empty()) {
        // The new name is only there for good once its directory is on the disk.
        Some(parent) => fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(io),
        None => Ok(()),
    }
}

impl Entry {
    /// The entry in the file; none for what was never sent and has nothing to tell.
    ///
    /// Words that may name a person stay out: a message repeats those of the remote service, which may repeat an address.
    pub(super) fn text(&self) -> Option<String> {
        if !self.held && self.status.is_null() {
            return None;
        }
        let mut shown = self.clone();
        for (list, fields) in [("conditions", &["message"][..]), ("drift", &["desired", "observed"])] {
            let items = shown.status.get_mut(list).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten() {
                for field in fields {
                    if let Some(value) = item.get_mut(*field)
                        && value.as_str().is_some_and(may_name_a_person)
                    {
                        *value = Value::String(String::new());
                    }
                }
            }
        }
        let text = serde_json::to_string_pretty(&shown).ok()?;
        Some(text.replace('\n', "\n    "))
    }
}

/// True for what looks like an e-mail address or a telephone number.
fn may_name_a_person(text: &str) -> bool {
    let mut digits = 0;
    text.chars().any(|character| {
        match character {
            '0'..='9' => digits += 1,
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => digits = 0,
        }
        character == '@' || digits >= 7
    })
}

/// Where the next version of the file is written before it takes its place.
fn draft(path: &Path) -> PathBuf {
    path.with_extension("json.new")
}

/// The name of a declaration in the lock file.
pub(super) fn entry_name(key: &ObjectKey) -> String {
    format!("{}/{}/{}", key.kind, key.namespace, key.name)
}

/// The declaration with this name in the lock file.
pub(super) fn entry_key(name: &str) -> Option<ObjectKey> {
    let mut parts = name.splitn(3, '/');
    let kind = Kind::parse(parts.next()?)?;
    Some(ObjectKey::new(kind, parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_are_found() {
        assert!(may_name_a_person("desk@example.com is subscribed already"));
        assert!(may_name_a_person("\"+1 (555) 010-0199\""));
        assert!(!may_name_a_person(
            "the remote service answered 422: name 12345 is too long"
        ));
        assert!(!may_name_a_person("waits for ComponentGroup data, id 2gcfmflvgs66"));
    }

    #[test]
    fn the_text_is_what_is_read() {
        let file = |text: &str| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("statuspage.lock.json");
            write(&path, text, true).unwrap();
            LockFile::read(&path).unwrap()
        };
        let none = BTreeMap::new();
        assert_eq!(file(&text(none.iter())).objects, BTreeMap::new());
        let entry = Entry {
            uid: "u".into(),
            created: Timestamp::UNIX_EPOCH,
            generation: 1,
            spec: "s".into(),
            page: "default/acme".into(),
            deletion: Deletion::Delete,
            held: true,
            id: Some("x".into()),
            status: serde_json::json!({"id": "x"}),
        };
        let texts: BTreeMap<String, String> = ["Component/default/a", "Component/default/b"]
            .into_iter()
            .map(|name| (name.to_owned(), entry.text().unwrap()))
            .collect();
        let text = text(texts.iter());
        let read = file(&text);
        assert_eq!(read.objects["Component/default/b"], entry);
        assert_eq!(
            serde_json::to_string_pretty(&read).unwrap() + "\n",
            text,
            "laid out as usual"
        );
    }
}
