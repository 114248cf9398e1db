//! The clients that other people published: the Python package `pankoclient` 1.2.0, as a library and through
//! the commands that it brings to `openstack`.

use std::process::Command;

use secrecy::ExposeSecret;
use statuspage_operator::admin::events;

use super::{Place, event, sample};
use crate::admin::{Running, Setup};
use crate::support::python::{programs, run, script};

/// The package, the program that has its commands, and what the package finds its own version with, which newer Pythons
/// do not bring.
const PACKAGES: [&str; 3] = ["pankoclient==1.2.0", "python-openstackclient==10.5.0", "setuptools<81"];

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
    // The whole server, credentials included.
    let setup = Setup {
        mounts: vec![events::mount(log)],
        ..Setup::default()
    };
    let running = Running::with(setup).await;
    let origin = running.url("");
    let token = running.root.token.expose_secret().to_owned();
    tokio::task::spawn_blocking(move || {
        let programs = programs("pankoclient", &PACKAGES);
        run(Command::new(programs.join("python"))
            .arg("-I")
            .arg(script("pankoclient_driver.py"))
            .arg(&origin)
            .arg(programs.join("openstack"))
            .arg(&token)
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1"));
    })
    .await
    .unwrap();
}
