//! A disk that is full: what was sent is said with its address, and what could not be recorded with the reason.

use statuspage_operator::server::Effect;

use super::*;
use crate::directory::stderr;
use crate::support::small_disk::SmallDisk;

async fn stage() -> (Local, SmallDisk) {
    let local = Local::start().await;
    let disk = SmallDisk::new(512);
    let component = declaration("Component", "api", &["name: Public API"]);
    std::fs::write(disk.path().join("page.yaml"), page("")).unwrap();
    std::fs::write(disk.path().join("api.yaml"), component).unwrap();
    on(&local, &disk, &["apply", "."], 0).await;
    (local, disk)
}

/// Runs a command there, which must end with an exit code.
async fn on(local: &Local, disk: &SmallDisk, arguments: &[&str], expected: i32) -> Output {
    let mut command = local.command(arguments);
    command.current_dir(disk.path());
    let output = finish(command).await;
    assert_eq!(code(&output), expected, "{arguments:?}: {}", shown(&output));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_and_cannot_be_recorded_is_said_with_its_address() {
    let (local, disk) = stage().await;
    // Long enough to fill the disk while the request is under way.
    let slow = Effect::Delay(Duration::from_secs(2));
    local.server.faults().next(1, "POST", "/incidents", slow);
    let fills = async {
        attempt_is_recorded(disk.path()).await;
        disk.fill_but(0);
    };
    let (output, ()) = tokio::join!(on(&local, &disk, &OPEN, 1), fills);
    let incident = only_incident(&local).await;
    let address = incident["shortlink"].as_str().unwrap();
    assert!(
        stdout(&output).contains(&format!("On the page: investigating, {address}")),
        "{}",
        shown(&output)
    );
    let said = stderr(&output);
    assert!(
        said.contains("was sent, and that could not be recorded") && said.contains("No space left on device"),
        "{said}"
    );
    assert!(!said.contains("so nothing is sent"), "{said}");

    disk.free();
    local.log().clear();
    on(&local, &disk, &["apply", "."], 0).await;
    assert_eq!(local.log().writes(), 0);
    only_incident(&local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_disk_nothing_is_sent_and_the_reason_is_said() {
    let (local, disk) = stage().await;
    disk.fill_but(4);
    local.log().clear();
    let output = on(&local, &disk, &OPEN, 1).await;
    assert!(shown(&output).contains("No space left on device"), "{}", shown(&output));
    assert_eq!(local.log().writes(), 0, "{}", shown(&output));
    disk.free();
    done_there(&local, &disk).await;
}

/// The way out that the message names.
async fn done_there(local: &Local, disk: &SmallDisk) {
    on(local, disk, &OPEN, 0).await;
    only_incident(local).await;
}
