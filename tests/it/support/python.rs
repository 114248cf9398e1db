//! Environments with published Python packages, made once and kept below `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a command and explains its failure.
pub fn run(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| {
        panic!("{shown} cannot be started ({error}). This test needs Python 3 with its venv module and pip.")
    });
    assert!(
        output.status.success(),
        "{shown} failed. This test needs Python 3 with venv, pip and a package index.\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// The directory of the programs of an environment that has these packages.
pub fn programs(name: &str, packages: &[&str]) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let programs = home.join("bin");
    let ready = home.join("ready");
    let wanted = packages.join(" ");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
        return programs;
    }
    if home.exists() {
        std::fs::remove_dir_all(&home).unwrap();
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home));
    run(Command::new(programs.join("python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages));
    std::fs::write(ready, wanted).unwrap();
    programs
}

/// A script of `tests/clients`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}
