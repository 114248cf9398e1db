//! Tells whether a file was replaced or changed since it was read.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What changes when a file does: also when a Secret's mount swaps the directory below a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
}

impl FileStamp {
    /// The stamp of a file as it is now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(FileStamp {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            length: metadata.len(),
        })
    }
}
