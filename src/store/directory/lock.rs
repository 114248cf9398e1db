//! The lock file: ids and statuses of what a directory declares. Plain JSON, sorted, safe to commit: no token, no text
//! of a manifest, no address of a subscriber.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::api::Kind;
use crate::engine::{Deletion, ObjectKey, Status};

pub(super) const VERSION: u32 = 1;

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
    #[serde(default, skip_serializing_if = "Recorded::is_none")]
    pub(super) status: Recorded,
}

/// A status on record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Recorded {
    /// One that is understood, shared with the views.
    Status(Arc<Status>),
    /// None, or one that this program does not understand: left as it is.
    Other(Value),
}

impl Default for Recorded {
    fn default() -> Self {
        Recorded::NONE
    }
}

impl Recorded {
    pub(super) const NONE: Recorded = Recorded::Other(Value::Null);

    fn is_none(&self) -> bool {
        *self == Recorded::NONE
    }

    /// The status of an object of this kind. One that cannot be read is as good as none: the id stands beside it.
    pub(super) fn of(&self, kind: Kind) -> Arc<Status> {
        match self {
            Recorded::Status(status) => Arc::clone(status),
            Recorded::Other(_) => Arc::new(Status::empty(kind)),
        }
    }

    /// Reads what the file holds.
    fn understand(&mut self, kind: Kind) {
        if let Recorded::Other(value) = self
            && !value.is_null()
            && let Ok(status) = Status::from_json(kind, value.clone())
        {
            *self = Recorded::Status(Arc::new(status));
        }
    }
}

impl Serialize for Recorded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Recorded::Status(status) => status
                .to_json()
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
            Recorded::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Recorded::Other(Value::deserialize(deserializer)?))
    }
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
        let mut file: LockFile = serde_json::from_value(value).map_err(format)?;
        for (name, entry) in &mut file.objects {
            entry.understand(name);
        }
        Ok(file)
    }

    /// The entries as they are written.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let entries = self.objects.iter();
        entries
            .filter_map(|(name, entry)| Some((name.clone(), entry.text()?)))
            .collect()
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

/// True when the file holds this text already. Nothing at all was ever recorded: no file is better than an empty one.
pub(super) fn is_on_disk(path: &Path, text: &str, is_empty: bool) -> bool {
    match fs::read(path) {
        Ok(bytes) => bytes == text.as_bytes(),
        Err(error) => is_empty && error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Writes the file so that a crash, of the machine too, leaves either the old or the new one.
pub(super) fn write(path: &Path, text: &str) -> Result<(), LockError> {
    let written = || {
        let draft = draft(path);
        let mut file = fs::File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&draft, path)?;
        // The new name is only there for good once its directory is on the disk.
        sync_directory_of(path)
    };
    written().map_err(|source| LockError::Io {
        path: path.to_owned(),
        source,
    })
}

impl Entry {
    /// Reads the status that is on record under this name.
    pub(super) fn understand(&mut self, name: &str) {
        if let Some(key) = entry_key(name) {
            self.status.understand(key.kind);
        }
    }

    /// The entry in the file; none for what was never sent and has nothing to tell.
    ///
    /// Words that may name a person stay out: a message repeats those of the remote service, which may repeat an address.
    pub(super) fn text(&self) -> Option<String> {
        if !self.held && self.status.is_none() {
            return None;
        }
        let mut shown = serde_json::to_value(self).ok()?;
        for (list, fields) in [("conditions", &["message"][..]), ("drift", &["desired", "observed"])] {
            let status = shown.get_mut("status");
            let items = status.and_then(|status| status.get_mut(list)?.as_array_mut());
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
        let mut text = text.replace('\n', "\n    ");
        // It is kept for as long as the entry is.
        text.shrink_to_fit();
        Some(text)
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

/// Makes the names in the directory of a file durable.
pub(super) fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
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
            write(&path, text).unwrap();
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
            status: Recorded::Other(serde_json::json!({"id": "x"})),
        };
        let texts: BTreeMap<String, String> = ["Component/default/a", "Component/default/b"]
            .into_iter()
            .map(|name| (name.to_owned(), entry.text().unwrap()))
            .collect();
        let text = text(texts.iter());
        let read = file(&text);
        let mut understood = entry.clone();
        understood.understand("Component/default/b");
        assert!(matches!(understood.status, Recorded::Status(_)));
        assert_eq!(read.objects["Component/default/b"], understood);
        assert_eq!(
            serde_json::to_string_pretty(&read).unwrap() + "\n",
            text,
            "laid out as usual"
        );
    }
}
