//! The pictures of the README: what the program printed on a terminal, drawn. A test keeps them current.

use std::path::Path;

use statuspage_operator::server::{Clock, Identifiers, ManualClock, PageSeed, ServerOptions};

use super::{Directory, Local, code, declaration, finish, options, shown, stdout};
use crate::support::picture::svg;
use crate::support::terminal::on_a_terminal;

/// Columns of the terminal.
const COLUMNS: usize = 92;

/// What a command prints on a terminal, and how it ends.
async fn on_screen(local: &Local, arguments: &[&str]) -> (String, i32) {
    let mut command = on_a_terminal(&local.command(arguments), &[("[y/N]", "n")]);
    command
        .env("COLUMNS", COLUMNS.to_string())
        .env("TERM", "xterm-256color");
    let output = finish(command).await;
    let said = stdout(&output);
    assert!(said.contains('\u{1b}'), "in colour: {}", shown(&output));
    (said, code(&output))
}

/// Compares a picture with the one that is checked in.
fn is_current(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == picture,
        "docs/images/{name} is not what the program prints: UPDATE_DOCS=1 cargo test --test it pictures"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_readme_are_what_the_program_prints() {
    let clock = ManualClock::new("2026-03-02T09:41:00Z".parse().unwrap());
    let local = Local::start_with(ServerOptions {
        pages: vec![PageSeed {
            id: Some("4kx9q2m7vt1b".to_owned()),
            name: "Acme Cloud".to_owned(),
        }],
        clock: Clock::Manual(clock.clone()),
        identifiers: Identifiers::Seeded(1),
        ..options()
    })
    .await;
    let directory = Directory::example("quickstart");
    // By the clock of the server its values are of the future.
    directory.remove("metrics.yaml");
    let incidents = std::fs::read_to_string(directory.path().join("incidents.yaml")).unwrap();
    directory.remove("incidents.yaml");
    local.apply(&directory).await;
    let (_, maintenance) = incidents.split_once("---\n").unwrap();
    directory.write("maintenance.yaml", maintenance);
    local.apply(&directory).await;

    let incident = [
        "name: Slow API responses",
        "components: {api: degraded_performance, search: degraded_performance}",
        "updates:",
        "  - status: investigating",
        "    body: |",
        "      Responses are slower than usual, searches most of all.",
        "      We are looking into it.",
    ];
    directory.write("slow-api.yaml", &declaration("Incident", "slow-api", &incident));
    directory.edit(
        "components.yaml",
        "REST and GraphQL, v2 and later.",
        "REST and GraphQL, v3 and later.",
    );
    let (plan, exit) = on_screen(&local, &["plan", directory.text()]).await;
    assert_eq!(exit, 2, "{plan}");
    is_current(
        "plan.svg",
        &svg("What statuspage plan shows", "statuspage plan pages/", &plan, COLUMNS),
    );

    local.apply(&directory).await;
    let (status, exit) = on_screen(&local, &["status", directory.text()]).await;
    assert_eq!(exit, 2, "{status}");
    let title = "A status page, as statuspage status shows it";
    is_current("status.svg", &svg(title, "statuspage status pages/", &status, COLUMNS));
}
