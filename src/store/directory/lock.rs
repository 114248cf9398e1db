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

    /// Writes the file so that a crash, of the machine too, leaves either the old or the new one.
    pub(super) fn write(&self, path: &Path) -> Result<(), LockError> {
        let io = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let mut text = serde_json::to_string_pretty(self).map_err(|source| LockError::Format {
            path: path.to_owned(),
            source,
        })?;
        text.push('\n');
        let draft = draft(path);
        let mut file = fs::File::create(&draft).map_err(io)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(io)?;
        fs::rename(&draft, path).map_err(io)?;
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // The new name is only there for good once its directory is on the disk.
            Some(parent) => fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(io),
            None => Ok(()),
        }
    }
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
