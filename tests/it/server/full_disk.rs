//! A database that cannot be written for a while: what is acknowledged before, meanwhile and afterwards is kept.
//!
//! The disk is made full by the limit on the size of a file, which any user can set for a process and lift again, as
//! root and in a container too. A small file system needs rights that a test may not have.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use statuspage_operator::server::{DataLocation, ServerOptions};

use super::{PAGE, Running, TOKEN, client, column, options};

/// Lets the process write files of at most so many bytes.
fn limit(child: &Child, bytes: Option<u64>) {
    let pid = Pid::from_child(child);
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(Some(pid), Resource::Fsize, limit).unwrap();
}

#[tokio::test]
async fn what_is_acknowledged_after_a_full_disk_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("statuspage.db");
    // Beyond the limit a write shall fail, as on a full disk, and not end the process.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_statuspage"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--rate-limit",
            "0",
            "--token",
            TOKEN,
        ])
        .args(["--page", &format!("{PAGE}=Acme"), "--data"])
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let origin = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("serving ")?.strip_suffix("/v1")?.to_owned()))
        .unwrap();
    let client = client();
    let url = format!("{origin}/v1/pages/{PAGE}/components");
    let mut acknowledged = Vec::new();
    let mut statuses = Vec::new();
    let mut post = async |name: String| {
        let body = json!({"component": {"name": name, "description": "x".repeat(3000)}});
        let request = client.post(&url).header("Authorization", format!("OAuth {TOKEN}"));
        let status = request.json(&body).send().await.unwrap().status().as_u16();
        statuses.push(status);
        if status == 201 {
            acknowledged.push(name);
        }
        status
    };
    // Room for nothing, and for parts of a transaction.
    for (round, room) in [1_000, 9_000, 14_000, 100_000].into_iter().enumerate() {
        for number in 0..5 {
            assert_eq!(post(format!("before {round} {number}")).await, 201);
        }
        limit(&child, Some(room));
        let mut refused = 0;
        for number in 0..20 {
            refused += usize::from(post(format!("meanwhile {round} {number}")).await == 500);
        }
        assert!(refused >= 3, "{room}: {statuses:?}");
        limit(&child, None);
        for number in 0..5 {
            assert_eq!(post(format!("after {round} {number}")).await, 201);
        }
    }
    let listed = async |url: String| {
        let request = client.get(url).query(&[("per_page", "1100")]);
        let request = request.header("Authorization", format!("OAuth {TOKEN}"));
        column(&request.send().await.unwrap().json().await.unwrap(), "name")
    };
    assert_eq!(listed(url.clone()).await, acknowledged);
    child.kill().unwrap();
    child.wait().unwrap();
    let running = Running::start_with(ServerOptions {
        data: DataLocation::File(path),
        ..options()
    })
    .await;
    assert_eq!(
        column(&running.get("/components?per_page=1100").await, "name"),
        acknowledged,
        "{statuses:?}"
    );
}
