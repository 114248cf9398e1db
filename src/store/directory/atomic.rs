//! Files that are replaced whole: a crash leaves the old one or the new one.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Where the next version of a file is written before it takes its place.
fn draft(path: &Path) -> PathBuf {
    path.with_extension("json.new")
}

/// Room for what a command adds to a file at least, in bytes.
const ROOM: u64 = 4096;

/// Fails when the file could not be written, without changing it.
pub(super) fn probe(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let draft = draft(path);
    // A full disk takes a file, and nothing into it.
    let length = fs::metadata(path).map_or(0, |file| file.len()) + ROOM;
    let written = fs::File::create(&draft).and_then(|mut file| io::copy(&mut io::repeat(b' ').take(length), &mut file));
    let removed = fs::remove_file(&draft);
    written.and(removed)
}

/// Writes the file so that a crash, of the machine too, leaves either the old or the new one.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let draft = draft(path);
    let mut file = fs::File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(&draft, path)?;
    // The new name is only there for good once its directory is on the disk.
    sync_directory_of(path)
}

/// Writes a file that may be lost without harm: nobody waits for the disk.
pub(super) fn write_lightly(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let draft = draft(path);
    fs::write(&draft, text)?;
    fs::rename(&draft, path)
}

/// True when the file holds this text already.
pub(super) fn holds(path: &Path, text: &str) -> bool {
    let same_length = fs::metadata(path).is_ok_and(|file| file.len() == text.len() as u64);
    same_length && fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// Makes the names in the directory of a file durable.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
