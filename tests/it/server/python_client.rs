//! Clients that other people published, unmodified: the Python packages `statuspageio` 0.0.1, written by hand, and
//! `atlassian-statuspage` 1.0.2, generated from Atlassian's own description of the API.

use statuspage_operator::server::ServerOptions;

use super::{PAGE, Running, TOKEN, options};
use crate::support::clients::{python, run_python};

/// The package is Python 2 source; setuptools up to 57 translates it while it is built.
const INSTALLS: [&[&str]; 2] = [
    &["setuptools<58", "wheel"],
    &["--no-build-isolation", "statuspageio==0.0.1"],
];

const GENERATED: [&[&str]; 1] = [&["atlassian-statuspage==1.0.2"]];
const ORGANIZATION: &str = "organization";

async fn drive(scenario: &'static str, rate_limit: u32) -> Running {
    let running = Running::start_with(ServerOptions {
        rate_limit,
        organization: Some(ORGANIZATION.to_owned()),
        ..options()
    })
    .await;
    let origin = running.origin.clone();
    tokio::task::spawn_blocking(move || {
        let programs = python("statuspageio", &INSTALLS);
        run_python(&programs, "statuspageio.py", &[&origin, TOKEN, PAGE, scenario]);
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

#[tokio::test]
async fn the_published_typed_client_works_with_every_operation() {
    let running = Running::start_with(ServerOptions {
        organization: Some(ORGANIZATION.to_owned()),
        ..options()
    })
    .await;
    let origin = running.origin.clone();
    let output = tokio::task::spawn_blocking(move || {
        let programs = python("atlassian-statuspage", &GENERATED);
        let arguments = [&origin, TOKEN, PAGE, ORGANIZATION];
        run_python(&programs, "atlassian_statuspage_driver.py", &arguments)
    })
    .await
    .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "112");
    let odd = |status: u16| (420..=599).contains(&status) && status != 422;
    let entries = running.server.log().entries();
    assert!(!entries.iter().any(|entry| entry.status.is_none_or(odd)), "{entries:?}");
}
