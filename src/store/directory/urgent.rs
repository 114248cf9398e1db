//! Notes by which a command asks the one that holds the directory to take a declaration along: an outage does not wait for
//! a backlog. A file each, so that none is lost; who takes it removes it.

use std::path::{Path, PathBuf};

use super::entry::{entry_key, entry_name};
use super::local_state;
use crate::engine::ObjectKey;

fn place(root: &Path) -> PathBuf {
    local_state(root).join("urgent")
}

/// Asks whoever holds the directory to take a declaration along.
///
/// # Errors
/// The note cannot be written.
pub fn ask(root: &Path, key: &ObjectKey) -> std::io::Result<()> {
    let place = place(root);
    std::fs::create_dir_all(&place)?;
    let name = uuid::Uuid::new_v4().to_string();
    let beside = place.join(format!("{name}.new"));
    std::fs::write(&beside, entry_name(key))?;
    std::fs::rename(beside, place.join(name))
}

/// True while somebody has asked and nobody has taken it along.
pub fn is_asked(root: &Path) -> bool {
    std::fs::read_dir(place(root)).is_ok_and(|mut entries| entries.next().is_some())
}

/// What was asked for since it was looked last.
pub fn asked(root: &Path) -> Vec<ObjectKey> {
    // Nobody has ever asked where there is no such directory.
    let Ok(entries) = std::fs::read_dir(place(root)) else {
        return Vec::new();
    };
    let notes = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let whole = notes.filter(|path| path.extension().is_none());
    whole
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            std::fs::remove_file(&path).ok()?;
            entry_key(text.trim())
        })
        .collect()
}
