//! Finds and reads the manifest files of a directory: the only part that touches files.

use std::collections::BTreeSet;
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
/// lock file and files of Kustomize are left out. A file that cannot be read is a problem of that file only.
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
    if std::fs::metadata(path).map_err(failed)?.is_dir() {
        let mut above = BTreeSet::new();
        collect(path, &mut above, &mut files, &mut problems).map_err(failed)?;
    } else {
        files.push(path.to_owned());
    }
    let mut texts = Vec::with_capacity(files.len());
    for file in files {
        match read_text(&file) {
            Ok(text) => texts.push((file, text)),
            Err(error) => problems.push(unreadable(&file, &error)),
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
            Ok(_) if is_manifest(&name) => files.push(path),
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

fn read_text(file: &Path) -> io::Result<String> {
    let bytes = std::fs::read(file)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error
            .as_bytes()
            .iter()
            .take(valid)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8 text"))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn unreadable(file: &Path, error: &io::Error) -> Problem {
    Problem::error(
        Source {
            file: file.to_owned(),
            line: 1,
            column: 1,
        },
        1,
        format!("cannot be read: {error}"),
    )
}
