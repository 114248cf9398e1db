//! Processes that end with the tests, however these end.

use super::process::tail;
use super::{START_LIMIT, binaries};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The process that keeps the others: it kills them and removes the directory
/// when the pipe to it closes, which the kernel does however this process ends.
pub(crate) struct Warden {
    child: Child,
    directory: PathBuf,
    input: Mutex<ChildStdin>,
}

impl Warden {
    /// Starts a warden with a new directory that only this user can look into.
    pub(crate) fn start() -> Result<Self, String> {
        // Removed by us if the warden does not start, and else by the warden.
        let directory = tempfile::Builder::new()
            // Short: paths of sockets have little room.
            .prefix("statuspage-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| format!("no temporary directory: {error}"))?;
        let mut child = Command::new(binaries::warden()?)
            .arg("supervise")
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the tests. It learns of their end by the pipe.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the warden does not start: {error}"))?;
        let input = child.stdin.take().ok_or("the warden has no input")?;
        Ok(Self {
            child,
            directory: directory.keep(),
            input: Mutex::new(input),
        })
    }

    /// The directory, which goes with the warden.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has a program run; whether it does is seen by [`Warden::wait_for`].
    pub(crate) fn run(&self, name: &str, program: &Path, arguments: &[String]) -> Result<(), String> {
        // Of an earlier attempt.
        drop(fs::remove_file(self.directory.join(format!("{name}.exit"))));
        let argv: Vec<String> = std::iter::once(program.display().to_string())
            .chain(arguments.iter().cloned())
            .collect();
        let mut line = json!({"name": name, "argv": argv}).to_string();
        line.push('\n');
        let mut input = self.input.lock().map_err(|error| error.to_string())?;
        input
            .write_all(line.as_bytes())
            .and_then(|()| input.flush())
            .map_err(|error| format!("the warden is gone: {error}"))
    }

    /// Waits until a program does what it is for. Fails with the end of its
    /// log when it has ended, or at the limit.
    pub(crate) fn wait_for(&self, name: &str, mut works: impl FnMut() -> bool) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        let log = || {
            let log = fs::read(self.directory.join(format!("{name}.log")));
            tail(&log.unwrap_or_default())
        };
        loop {
            if works() {
                return Ok(());
            }
            if let Ok(status) = fs::read_to_string(self.directory.join(format!("{name}.exit"))) {
                return Err(format!("{name} ended ({status}):\n{}", log()));
            }
            if Instant::now() >= deadline {
                return Err(format!("{name} is not ready after {START_LIMIT:?}:\n{}", log()));
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Closes the pipe and waits for the warden, as the kernel and nobody do
    /// at the end of a test process.
    pub(crate) fn end(mut self) {
        drop(self.input);
        self.child.wait().expect("the warden can be waited for");
    }
}
