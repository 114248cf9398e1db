//! Whose turn it is to write a manifest. A command that changes one compares the file with what it has read and puts the new
//! one in its place: between the two no other command may do the same, whoever holds the directory.
//!
//! Who does not get it tries again after a moment. A turn takes as long as a file is read, written and synced; a thread that
//! waits in `flock` could be given up neither after the limit nor at Ctrl-C, and no watch of files tells when a lock is free.

use std::fs::{File, TryLockError, create_dir_all};
use std::io;
use std::path::Path;

use super::local_state;

/// Takes the turn, until what is returned is dropped or the process ends; none while another command has it.
///
/// # Errors
/// The directory for what belongs to this machine cannot be made or opened.
pub fn take(root: &Path) -> io::Result<Option<File>> {
    let place = local_state(root);
    create_dir_all(&place)?;
    let file = File::open(place)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
