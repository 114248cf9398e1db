//! Where the files of a directory lie.

use std::path::{Path, PathBuf};

use crate::manifest::LOCK_FILE;
use crate::statuspage::BaseUrl;

/// Directory inside the manifests' one for what belongs to this machine only.
pub const LOCAL_STATE: &str = ".statuspage";

/// The lock file of a directory: beside the manifests for Statuspage itself, in the local state for any other server,
/// so that one directory serves both.
pub fn lock_path(root: &Path, base_url: Option<&BaseUrl>) -> PathBuf {
    let directory = directory_of(root);
    match base_url
        .map(ToString::to_string)
        .filter(|address| address.as_str() != BaseUrl::DEFAULT)
    {
        None => directory.join(LOCK_FILE),
        Some(address) => {
            let name: String = address
                .trim_start_matches("https://")
                .trim_start_matches("http://")
                .chars()
                .map(|character| {
                    if character.is_ascii_alphanumeric() || character == '.' {
                        character
                    } else {
                        '-'
                    }
                })
                .collect();
            local_state(root).join(format!("{name}.lock.json"))
        }
    }
}

/// Where the reports lie that belong to a lock file.
pub(super) fn report_path(root: &Path, lock_path: &Path) -> PathBuf {
    let name = lock_path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".lock.json").unwrap_or(&name);
    local_state(root).join(format!("{stem}.status.json"))
}

/// Where a directory keeps what belongs to this machine only.
pub fn local_state(root: &Path) -> PathBuf {
    directory_of(root).join(LOCAL_STATE)
}

/// The directory that is meant by the path of a directory or of one of its files.
pub(super) fn directory_of(root: &Path) -> &Path {
    if root.is_dir() {
        return root;
    }
    match root.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
