//! Clients that other people published: each is installed once, from its registry, and kept below `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PYTHON: &str = "Python 3 with venv, pip and a package index";
const NODE: &str = "Node.js with npm and a package registry";

/// Runs a command and explains its failure.
fn run(command: &mut Command, needs: &str) -> Output {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{shown} cannot be started ({error}). This test needs {needs}."));
    assert!(
        output.status.success(),
        "{shown} failed. This test needs {needs}.\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// Makes a directory by `make`, unless it was made for `wanted` already.
fn once(name: &str, wanted: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let ready = home.join("ready");
    if !std::fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
        if home.exists() {
            std::fs::remove_dir_all(&home).unwrap();
        }
        std::fs::create_dir_all(&home).unwrap();
        make(&home);
        std::fs::write(ready, wanted).unwrap();
    }
    home
}

/// The directory of the programs of a Python environment, filled by these calls of `pip install`.
pub fn python(name: &str, installs: &[&[&str]]) -> PathBuf {
    let home = once(&format!("python-{name}"), &format!("{installs:?}"), |home| {
        run(Command::new("python3").args(["-m", "venv"]).arg(home), PYTHON);
        for packages in installs {
            let mut pip = Command::new(home.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            run(pip.args(*packages), PYTHON);
        }
    });
    home.join("bin")
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
    run(&mut client, PYTHON)
}

/// The directory of a Node.js package and all that it needs.
pub fn node(package: &str) -> PathBuf {
    let name = package.split_once('@').map_or(package, |(name, _)| name);
    let home = once(&format!("node-{name}"), package, |home| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        run(npm.arg(home).arg(package), NODE);
    });
    home.join("node_modules")
}

/// A script of `tests/clients`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}
