//! Runs other programs to their end, with a limit on how long that may take.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// Runs `command` with `input` on its standard input and gives what it printed.
///
/// An `Err` is a program that could not be started or that was still running
/// at the limit (and has been killed); a program that fails is an `Ok`, for its
/// caller to judge.
pub(crate) fn run(mut command: Command, input: &[u8], limit: Duration) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    let mut writing = child.stdin.take().expect("the input is a pipe");
    let input = input.to_vec();
    // A program may end without reading its input: that it was not read is
    // nothing that its caller would want to know.
    let writer = thread::spawn(move || drop(writing.write_all(&input)));
    let stdout = drain(child.stdout.take().expect("the output is a pipe"));
    let stderr = drain(child.stderr.take().expect("the errors are a pipe"));
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() >= deadline => {
                drop(child.kill());
                drop(child.wait());
                break Err(format!("{name} still ran after {limit:?} and was killed"));
            }
            Ok(None) => thread::sleep(GLANCE),
            Err(error) => break Err(format!("{name} cannot be waited for: {error}")),
        }
    };
    let read = |reader: thread::JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    drop(writer.join());
    let (stdout, stderr) = (read(stdout), read(stderr));
    match status {
        Ok(status) => Ok(Output { status, stdout, stderr }),
        Err(reason) => Err(format!("{reason}; it printed: {}", tail(&stderr))),
    }
}

/// Reads a pipe to its end beside the program, which would stop at a full one.
fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut read = Vec::new();
        drop(pipe.read_to_end(&mut read));
        read
    })
}

/// The last lines of what a program printed, for messages.
pub(crate) fn tail(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// What the tests ask of an [`Output`].
pub(crate) trait OutputExt {
    /// Standard output as text.
    fn text(&self) -> String;
    /// Standard error as text.
    fn error_text(&self) -> String;
    /// Standard output of a program that must have succeeded.
    fn succeeded(self) -> String;
    /// Standard error of a program that must have failed.
    fn failed(self) -> String;
}

impl OutputExt for Output {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    fn succeeded(self) -> String {
        assert!(
            self.status.success(),
            "{}\n{}\n{}",
            self.status,
            self.error_text(),
            self.text()
        );
        self.text()
    }

    #[track_caller]
    fn failed(self) -> String {
        assert!(!self.status.success(), "succeeded with\n{}", self.text());
        self.error_text()
    }
}
