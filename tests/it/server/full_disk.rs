//! A database that cannot be written for a while: what is acknowledged before, meanwhile and afterwards is there after a
//! kill.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use statuspage_operator::server::{DataLocation, ServerOptions};

use super::{PAGE, Running, TOKEN, client, column, options};
use crate::support::small_disk::SmallDisk;

/// The program with its data in a file; killed in the end.
struct Served {
    child: Child,
    /// Kept open: a server whose reader is gone before it has said everything ends.
    output: Lines<BufReader<ChildStdout>>,
    path: PathBuf,
    url: String,
    client: reqwest::Client,
    acknowledged: Vec<Value>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(path: &Path) -> Self {
        // Beyond a limit on its files a write shall fail, as on a full disk, and not end the process.
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_statuspage"))
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limit", "0"])
            .args(["--token", TOKEN, "--page", &format!("{PAGE}=Acme"), "--data"])
            .arg(path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut served = Self {
            child,
            output,
            path: path.to_owned(),
            url: String::new(),
            client: client(),
            acknowledged: Vec::new(),
        };
        let root = served
            .output
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("serving ")?.to_owned()));
        served.url = format!("{}/pages/{PAGE}/components", root.unwrap());
        served
    }

    /// Makes so many components and gives the statuses of the answers.
    async fn post(&mut self, name: &str, number: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for number in 0..number {
            let name = format!("{name} {number}");
            let body = json!({"component": {"name": name, "description": "x".repeat(3000)}});
            let request = self.client.post(&self.url).header("Authorization", TOKEN).json(&body);
            let status = request.send().await.unwrap().status().as_u16();
            if status == 201 {
                self.acknowledged.push(name.into());
            }
            statuses.push(status);
        }
        statuses
    }

    /// Makes components while there is room, while there is little, and while there is room again.
    async fn go_through(&mut self, what: &str, full: impl FnOnce(&Child), free: impl FnOnce(&Child)) {
        assert_eq!(self.post(&format!("before {what}"), 5).await, [201; 5]);
        full(&self.child);
        let statuses = self.post(&format!("meanwhile {what}"), 20).await;
        assert!(
            statuses.iter().all(|status| [201, 500].contains(status)),
            "{statuses:?}"
        );
        let refused = statuses.iter().filter(|status| **status == 500).count();
        assert!(refused >= 3, "{what}: {statuses:?}");
        free(&self.child);
        assert_eq!(self.post(&format!("after {what}"), 5).await, [201; 5]);
    }

    /// Kills it, and looks at what is there.
    async fn check(mut self) {
        let request = self.client.get(&self.url).query(&[("per_page", "1100")]);
        let request = request.header("Authorization", TOKEN);
        let listed = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(column(&listed, "name"), self.acknowledged);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let running = Running::start_with(ServerOptions {
            data: DataLocation::File(self.path.clone()),
            ..options()
        })
        .await;
        let listed = running.get("/components?per_page=1100").await;
        assert_eq!(column(&listed, "name"), self.acknowledged);
        running.stop().await;
    }
}

#[tokio::test]
async fn what_is_acknowledged_after_a_full_disk_is_kept() {
    let disk = SmallDisk::new(4096);
    let mut served = Served::start(&disk.path().join("statuspage.db"));
    // Room for nothing, and for parts of a transaction.
    for kib in [0, 4, 8, 16, 64] {
        let what = format!("{kib} KiB");
        served.go_through(&what, |_| disk.fill_but(kib), |_| disk.free()).await;
    }
    served.check().await;
}

/// Lets the process write files of at most so many bytes.
fn limit(child: &Child, bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(Pid::from_child(child)), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn what_is_acknowledged_after_a_file_reached_its_limit_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut served = Served::start(&directory.path().join("statuspage.db"));
    for bytes in [1_000, 9_000, 14_000, 100_000] {
        let (full, free) = (
            |child: &Child| limit(child, Some(bytes)),
            |child: &Child| limit(child, None),
        );
        served.go_through(&format!("{bytes} bytes"), full, free).await;
    }
    served.check().await;
}
