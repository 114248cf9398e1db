//! The clients that other people published: the Python package `pankoclient` 1.2.0, as a library and through
//! the commands that it brings to `openstack`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::Extension;
use statuspage_operator::admin::events;

use super::{Place, admin, event, sample};

const PACKAGE: &str = "pankoclient==1.2.0";
/// The program that has the package's commands.
const PROGRAM: &str = "python-openstackclient==10.5.0";

/// Runs a command and explains its failure.
fn run(command: &mut Command) -> Output {
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

/// The programs of an environment that has the package; it is made once and kept below `target`.
fn programs() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-pankoclient");
    let programs = home.join("bin");
    let ready = home.join("ready");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == PROGRAM) {
        return programs;
    }
    if home.exists() {
        std::fs::remove_dir_all(&home).unwrap();
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home));
    // setuptools: the package's version comes from pkg_resources, which newer Pythons do not bring.
    run(Command::new(programs.join("python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "setuptools<81",
        PACKAGE,
        PROGRAM,
    ]));
    std::fs::write(ready, PROGRAM).unwrap();
    programs
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_client_works_unmodified() {
    let place = Place::sqlite();
    let mut all = vec![sample()];
    for number in 0..7 {
        let at = format!("2024-03-02T10:00:0{number}Z");
        let namespace = if number % 2 == 0 { "team-a" } else { "team-b" };
        all.push(event(&format!("event-{number}"), "component.update", &at, namespace).text("name", "two words"));
    }
    let log = place.filled(all).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = events::router(log).layer(Extension(admin()));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/pankoclient_driver.py");
    tokio::task::spawn_blocking(move || {
        let programs = programs();
        run(Command::new(programs.join("python"))
            .arg("-I")
            .arg(script)
            .arg(&origin)
            .arg(programs.join("openstack"))
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1"));
    })
    .await
    .unwrap();
    server.abort();
}
