//! A client that somebody else published, unmodified: the Python package `statuspageio` 0.0.1.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use statuspage_operator::server::ServerOptions;

use super::{PAGE, Running, TOKEN, options};

const PACKAGE: &str = "statuspageio==0.0.1";

const NEEDS: &str = "Python 3 with venv, pip and a package index";

/// Runs a command and explains its failure.
pub(super) fn run(command: &mut Command, needs: &str) -> Output {
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

/// The interpreter of an environment that has the package; it is made once and kept below `target`.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-statuspageio");
    let python = home.join("bin").join("python");
    let ready = home.join("ready");
    if ready.exists() {
        return python;
    }
    if home.exists() {
        std::fs::remove_dir_all(&home).unwrap();
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home), NEEDS);
    let install = |packages: &[&str]| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        run(pip.args(packages), NEEDS);
    };
    // The package is Python 2 source; setuptools up to 57 translates it while it is built.
    install(&["setuptools<58", "wheel"]);
    install(&["--no-build-isolation", PACKAGE]);
    std::fs::write(ready, PACKAGE).unwrap();
    python
}

async fn drive(scenario: &'static str, rate_limit: u32) -> Running {
    let running = Running::start_with(ServerOptions {
        rate_limit,
        organization: Some("organization".to_owned()),
        ..options()
    })
    .await;
    let origin = running.origin.clone();
    tokio::task::spawn_blocking(move || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/statuspageio.py");
        let mut client = Command::new(python());
        client
            // Isolated: the folder of the script would otherwise hide the package of the same name.
            .arg("-I")
            .arg(script)
            .args([origin.as_str(), TOKEN, PAGE, scenario])
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1");
        run(&mut client, NEEDS);
    })
    .await
    .unwrap();
    running
}

#[tokio::test]
async fn the_published_python_client_works_unmodified() {
    let running = drive("everything", 0).await;
    assert_eq!(running.server.log().answered(404), 0);
    assert!(running.server.log().count("POST", "/v1/pages") > 5);
    // One after the other: both need the environment that the first one makes.
    let limited = drive("limit", 3).await;
    assert_eq!(limited.server.log().answered(420), 1);
}
