//! Clients that other people published: each is installed once, from its registry, and kept below `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::programs;

const PYTHON: &str = "Python 3 with venv, pip and a package index";
const NODE: &str = "a registry of Node.js packages";
/// Pauses before something is asked of a registry again: one hiccup decides nothing.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];

/// Runs a command and explains its failure.
fn run(command: &mut Command, needs: &str) -> Result<Output, String> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .map_err(|error| format!("{shown} cannot be started ({error}). This test needs {needs}."))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!(
        "{shown} failed. This test needs {needs}.\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    ))
}

/// Does something with a registry, a few times if need be.
pub(crate) fn patiently<T>(attempt: impl Fn() -> Result<T, String>) -> Result<T, String> {
    for pause in PAUSES {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(_) => std::thread::sleep(pause),
        }
    }
    attempt()
}

/// Makes a directory by `make`, unless it was made for `wanted` already.
fn once(name: &str, wanted: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let ready = home.join("ready");
    if !std::fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
        if home.exists() {
            std::fs::remove_dir_all(&home).unwrap();
        }
        std::fs::create_dir_all(&home).unwrap();
        make(&home)?;
        std::fs::write(ready, wanted).unwrap();
    }
    Ok(home)
}

/// The directory of the programs of a Python environment, filled by these calls of `pip install`.
pub(crate) fn python_environment(name: &str, installs: &[&[&str]]) -> Result<PathBuf, String> {
    let home = once(&format!("python-{name}"), &format!("{installs:?}"), |home| {
        run(Command::new("python3").args(["-m", "venv"]).arg(home), PYTHON)?;
        for packages in installs {
            patiently(|| {
                let mut pip = Command::new(home.join("bin/python"));
                pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
                run(pip.args(*packages), PYTHON)
            })?;
        }
        Ok(())
    })?;
    Ok(home.join("bin"))
}

/// The same for a test, which fails without it.
pub fn python(name: &str, installs: &[&[&str]]) -> PathBuf {
    python_environment(name, installs).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Runs a Python script of `tests/clients` to its end.
pub fn run_python(programs: &Path, script: &str, arguments: &[&str]) -> Output {
    let mut client = Command::new(programs.join("python"));
    client
        // Isolated: the folder of the script would otherwise hide a package of the same name.
        .arg("-I")
        .arg(self::script(script))
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
    run(&mut client, PYTHON).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Node.js with these arguments, and `npm` where it looks for it.
pub fn node_command(program: &str) -> Command {
    let programs = programs::node().unwrap_or_else(|problem| panic!("{problem}"));
    let mut command = Command::new(programs.join(program));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(programs).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(all).unwrap());
    command
}

/// The directory of a Node.js package and all that it needs.
pub fn node(package: &str) -> PathBuf {
    let name = package.split_once('@').map_or(package, |(name, _)| name);
    let home = once(&format!("node-{name}"), package, |home| {
        patiently(|| {
            let mut npm = node_command("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
            run(npm.arg(home).arg(package), NODE)
        })?;
        Ok(())
    });
    home.unwrap_or_else(|problem| panic!("{problem}")).join("node_modules")
}

/// A script of `tests/clients`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}
