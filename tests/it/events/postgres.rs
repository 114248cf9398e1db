//! A real PostgreSQL, on a port of its own, for as long as the tests run.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::process::{self, OutputExt};
use crate::support::{POSTGRES_PREFIX, programs};

const LIMIT: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Server {
    /// The server that all tests of this process share; it ends with the process.
    pub(crate) fn shared() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let server = Server::create("shared");
            server.start();
            server
        })
    }

    /// Makes the files of a server that nobody shares, without starting it.
    pub(super) fn create(name: &str) -> Server {
        let temporary = std::env::temp_dir();
        remove_leftovers(&temporary);
        let programs = programs::postgres().unwrap_or_else(|problem| panic!("{problem}"));
        let data = temporary.join(format!("{POSTGRES_PREFIX}{}-{name}", std::process::id()));
        std::fs::create_dir(&data).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server {
            programs,
            data,
            port,
            databases: AtomicU32::new(0),
        };
        if is_root() {
            run(Command::new("chown").arg(user()).arg(&server.data));
        }
        run(server
            .command("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&server.data));
        server
    }

    /// Starts the server and waits until it answers. It is killed when this process ends, however it ends.
    pub(super) fn start(&self) {
        let mut command = self.supervised("postgres");
        command
            .arg("-D")
            .arg(&self.data)
            .args([
                "-p",
                &self.port.to_string(),
                "-h",
                "127.0.0.1",
                "-k",
                "",
                "-F",
                "-c",
                "max_connections=200",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.data.with_extension("log")).unwrap());
        let (sender, started) = mpsc::channel();
        // The signal comes with the end of the thread that started the server, so that one lives as long as it.
        std::thread::spawn(move || {
            let mut child = command.spawn().unwrap();
            sender.send(()).unwrap();
            drop(child.wait());
        });
        started.recv().unwrap();
        let deadline = Instant::now() + LIMIT;
        while !self.answers() {
            let log = std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not answer:\n{log}");
            std::thread::yield_now();
        }
    }

    /// Ends the server at once, as a crash would.
    pub(super) fn stop(&self) {
        run(self
            .command("pg_ctl")
            .args(["stop", "-m", "immediate", "-w", "-D"])
            .arg(&self.data));
    }

    /// The address of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("events{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        run(self
            .command("createdb")
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, &name]));
        format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        let status = Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port])
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Command {
        self.program(program, &[])
    }

    fn supervised(&self, program: &str) -> Command {
        self.program(program, &["--pdeathsig=QUIT"])
    }

    /// PostgreSQL refuses to be root.
    fn program(&self, program: &str, options: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        if is_root() {
            let user = user();
            command.args([&format!("--reuid={user}"), "--clear-groups"]);
            command.args(["--regid", &group_of(user)]);
        }
        command
            .args(options)
            .arg("--")
            .arg(self.programs.join(program))
            .current_dir("/");
        command
    }
}

/// Who it runs as in the place of root: the user of the distribution's package, or nobody.
fn user() -> &'static str {
    if entry_of("postgres").is_some() {
        "postgres"
    } else {
        "nobody"
    }
}

fn entry_of(user: &str) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = users.lines().find(|line| line.split(':').next() == Some(user))?;
    Some(entry.to_owned())
}

/// The number of the user's own group.
fn group_of(user: &str) -> String {
    let entry = entry_of(user).unwrap_or_else(|| panic!("there is no user {user}"));
    entry.split(':').nth(3).unwrap().to_owned()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn run(command: &mut Command) {
    let mut owned = Command::new(command.get_program());
    owned.args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        owned.current_dir(directory);
    }
    match process::run(owned, b"", LIMIT) {
        Ok(output) => drop(output.succeeded()),
        Err(problem) => panic!("{problem}"),
    }
}

/// Removes what processes that are gone have left.
fn remove_leftovers(temporary: &Path) {
    for entry in std::fs::read_dir(temporary).unwrap().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name
            .strip_prefix(POSTGRES_PREFIX)
            .and_then(|rest| rest.split('-').next())
        else {
            continue;
        };
        if !Path::new("/proc").join(process).exists() {
            drop(std::fs::remove_dir_all(entry.path()));
            drop(std::fs::remove_file(entry.path()));
        }
    }
}
