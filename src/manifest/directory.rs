//! Finds and reads the manifest files of a directory: the only part that touches files.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use super::{Manifests, Problem, Source};

/// The file in which the directory front end keeps the ids; it is no manifest.
pub const LOCK_FILE: &str = "statuspage.lock.json";

/// A directory cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct ReadError {
    /// What was to be read.
    pub path: PathBuf,
    /// Why it cannot be.
    #[source]
    pub source: io::Error,
}

/// Reads all manifests below a directory, or of one file, and checks them.
///
/// Files end in `.yaml`, `.yml` or `.json` and are read in the order of their names. Hidden files and directories, the
/// lock file and files of Kustomize are left out. A file that cannot be read is a problem of that file only, and so is what
/// is no file: a named pipe would be waited for, a device never ends.
///
/// # Errors
/// The path itself cannot be read.
pub fn read_directory(path: &Path) -> Result<Manifests, ReadError> {
    let failed = |source| ReadError {
        path: path.to_owned(),
        source,
    };
    let mut files = Vec::new();
    let mut problems = Vec::new();
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        let mut above = BTreeSet::new();
        collect(path, &mut above, &mut files, &mut problems).map_err(failed)?;
    } else if let Some(what) = no_file(&metadata).filter(|_| !is_handed_over(path, &metadata)) {
        return Err(failed(io::Error::other(format!(
            "it is {what}, not a file or a directory"
        ))));
    } else {
        files.push(path.to_owned());
    }
    let mut texts = Vec::with_capacity(files.len());
    for file in files {
        match read_text(&file) {
            Ok(text) => texts.push((file, text)),
            Err(problem) => problems.push(*problem),
        }
    }
    let mut manifests = Manifests::from_texts(texts);
    manifests.problems.extend(problems);
    manifests.sort_problems();
    Ok(manifests)
}

/// Adds the manifest files below `directory`. `above` holds the real paths of the directories that lead here, so that a
/// link to one of them ends the walk instead of repeating it for ever.
fn collect(
    directory: &Path,
    above: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
    problems: &mut Vec<Problem>,
) -> io::Result<()> {
    let real = directory.canonicalize()?;
    if !above.insert(real.clone()) {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                if let Err(error) = collect(&path, above, files, problems) {
                    problems.push(unreadable(&path, &error));
                }
            }
            Ok(metadata) if is_manifest(&name) => match no_file(&metadata) {
                Some(what) => problems.push(
                    Problem::error(beginning(&path), 1, format!("{what}, not a file: it is not read"))
                        .with_help("move it out of the directory of the manifests"),
                ),
                None => files.push(path),
            },
            Ok(_) => {}
            Err(error) if is_manifest(&name) => problems.push(unreadable(&path, &error)),
            Err(_) => {}
        }
    }
    above.remove(&real);
    Ok(())
}

fn is_manifest(name: &str) -> bool {
    const NOT_OURS: [&str; 4] = [LOCK_FILE, "kustomization.yaml", "kustomization.yml", "Kustomization"];
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json")) && !NOT_OURS.contains(&name)
}

/// What this is that cannot be read to its end, if it is no file.
#[cfg(unix)]
fn no_file(metadata: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    match () {
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        () => None,
    }
}

#[cfg(not(unix))]
fn no_file(_: &Metadata) -> Option<&'static str> {
    None
}

/// True for a pipe that the shell has opened, such as that of `<(helm template .)`: its other end is there.
fn is_handed_over(path: &Path, metadata: &Metadata) -> bool {
    let by_shell = path.starts_with("/dev") || path.starts_with("/proc");
    by_shell && no_file(metadata) == Some("a named pipe")
}

fn read_text(file: &Path) -> Result<String, Box<Problem>> {
    let bytes = std::fs::read(file).map_err(|error| Box::new(unreadable(file, &error)))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Box::new(not_utf8(file, error.as_bytes(), error.utf8_error().valid_up_to())))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The first byte that is no part of UTF-8.
fn not_utf8(file: &Path, bytes: &[u8], valid: usize) -> Problem {
    let (before, rest) = bytes.split_at(valid);
    if before.is_empty() && matches!(rest, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Problem::error(beginning(file), 1, "the file is UTF-16, not UTF-8").with_help("save it as UTF-8");
    }
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let column = String::from_utf8_lossy(before.get(begins..).unwrap_or_default())
        .chars()
        .count()
        + 1;
    let byte = rest.first().copied().unwrap_or_default();
    let source = Source {
        file: file.to_owned(),
        line,
        column,
    };
    Problem::error(
        source,
        1,
        format!("not UTF-8: byte 0x{byte:02X} at offset {valid} of the file"),
    )
    .with_help("save the file as UTF-8")
}

fn unreadable(file: &Path, error: &io::Error) -> Problem {
    Problem::error(beginning(file), 1, format!("cannot be read: {error}"))
}

fn beginning(file: &Path) -> Source {
    Source {
        file: file.to_owned(),
        line: 1,
        column: 1,
    }
}
