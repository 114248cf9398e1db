//! Statuspage answers badly for a while.

use std::process::Command;
use std::time::Duration;

use statuspage_operator::server::Effect;

use super::{Directory, Local, Running, code, components, finish, page, program, shown, stderr, stdout};
use crate::support::small_disk::SmallDisk;

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_waited_out() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    let effect = Effect::Answer {
        status: 503,
        body: None,
        retry_after: None,
    };
    local.server.faults().next(2, "GET", "/pages", effect.clone());
    local.server.faults().next(2, "POST", "/components", effect);
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(stdout(&output).contains("Unreachable"), "{}", shown(&output));
    assert_eq!(local.component_names().await.len(), 3);
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_wait_is_obeyed() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    let effect = Effect::Answer {
        status: 429,
        body: None,
        retry_after: Some(2),
    };
    local.server.faults().next(1, "POST", "/components", effect);
    let begun = std::time::Instant::now();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2));
    assert_eq!(local.component_names().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_leads_to_no_duplicate() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(6));
    local.apply(&directory).await;
    directory.write("components.yaml", &components(6).replace("A part.", "Another part."));
    local.server.faults().next(1, "PATCH", "/components", Effect::LoseReply);
    local
        .server
        .faults()
        .next(1, "PATCH", "/components", Effect::LoseRequest);
    local.apply(&directory).await;
    assert_eq!(local.component_names().await.len(), 6);
    local.is_settled(&directory).await;
}

/// A server that takes connections, and never answers.
struct Mute {
    url: String,
    asked: tokio::sync::watch::Receiver<usize>,
}

impl Mute {
    async fn start() -> Mute {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (count, asked) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                held.push(connection);
                count.send_replace(held.len());
            }
        });
        Mute { url, asked }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env("STATUSPAGE_TOKEN", super::TOKEN);
        command.env("STATUSPAGE_API_URL", &self.url);
        command
    }
}

/// The exit code that a shell shows: for one that a signal has ended, 128 and its number.
fn as_in_a_shell(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| Some(128 + status.signal()?)).unwrap()
}

/// A request is given up after 30 s; whoever wants the end does not wait for that.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_the_end_does_not_wait_for_a_reading_that_hangs() {
    for (arguments, signal, exit) in [
        (&["apply"][..], Some("-INT"), 130),
        (&["apply"], Some("-TERM"), 143),
        (&["apply", "--timeout", "1"], None, 1),
        (&["sync"], Some("-INT"), 130),
        (&["sync"], Some("-TERM"), 0),
        (&["plan"], Some("-INT"), 130),
        (&["plan"], Some("-TERM"), 143),
        (&["export", "--missing"], Some("-INT"), 130),
    ] {
        let mut mute = Mute::start().await;
        let directory = Directory::new();
        directory.write("components.yaml", &components(1));
        let mut all = arguments.to_vec();
        let place = if arguments.contains(&"--missing") { 2 } else { 1 };
        all.insert(place, directory.text());
        let mut command = Running::start(mute.command(&all));
        mute.asked.wait_for(|asked| *asked > 0).await.unwrap();
        if let Some(signal) = signal {
            command.signal(signal);
        }
        let begun = std::time::Instant::now();
        let status = command.ends(AT_ONCE).await;
        println!("{arguments:?} {signal:?}: {:?}", begun.elapsed());
        assert_eq!(as_in_a_shell(status), exit, "{arguments:?} {signal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_command_with_a_word_or_does_not_matter_to_it() {
    let local = Local::start().await;
    let disk = SmallDisk::new(256);
    std::fs::write(disk.path().join("page.yaml"), page("")).unwrap();
    std::fs::write(disk.path().join("components.yaml"), components(2)).unwrap();
    disk.fill_but(0);
    let directory = disk.path().to_str().unwrap();
    let run = |command: &str| finish(local.command(&[command, directory, "--requests-per-minute", "60"]));
    let plan = run("plan").await;
    assert_eq!(code(&plan), 2, "{}", shown(&plan));
    assert!(
        stderr(&plan).contains("requests of the last minute are not counted across commands"),
        "{}",
        shown(&plan)
    );
    disk.free();
    let apply = run("apply").await;
    assert_eq!(code(&apply), 0, "{}", shown(&apply));
}
