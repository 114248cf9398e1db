//! The clients that other people published: the Python package `pankoclient` 1.2.0, as a library and through
//! the commands that it brings to `openstack`.

use secrecy::ExposeSecret;
use statuspage_operator::admin::events;

use super::{Place, event, sample};
use crate::admin::{Running, Setup};
use crate::support::clients::{python, run_python};

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
        let programs = python("pankoclient", &[&PACKAGES]);
        let commands = programs.join("openstack");
        let arguments = [origin.as_str(), commands.to_str().unwrap(), &token];
        run_python(&programs, "pankoclient_driver.py", &arguments);
    })
    .await
    .unwrap();
}
