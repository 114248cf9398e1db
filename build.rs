//! Tells the program what it is built from: the commit, and the compiler.

use std::path::Path;
use std::process::Command;

fn main() {
    // Nothing else is looked at: without this, Cargo runs it again for any file.
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=STATUSPAGE_BUILD_COMMIT");
    println!("cargo:rerun-if-env-changed=RUSTC");
    let commit = std::env::var("STATUSPAGE_BUILD_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
        .or_else(packaged)
        .or_else(checked_out);
    if let Some(commit) = commit {
        println!("cargo:rustc-env=STATUSPAGE_BUILD_COMMIT={commit}");
    }
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    // rustc 1.95.0 (59807616e 2026-04-14)
    if let Some(version) = output(Command::new(compiler).arg("--version"))
        && let Some(number) = version.split(' ').nth(1)
    {
        println!("cargo:rustc-env=STATUSPAGE_BUILD_RUSTC={number}");
    }
}

/// The commit that Cargo notes in the archive of a package.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    println!("cargo:rerun-if-changed=.cargo_vcs_info.json");
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

/// The commit of the working copy, for builds that are made to be used: one for every commit would make each commit
/// build everything anew.
fn checked_out() -> Option<String> {
    if std::env::var("PROFILE").ok()? != "release" {
        return None;
    }
    let git = |arguments: &[&str]| output(Command::new("git").args(arguments));
    // Sources that lie in somebody else's repository are none of its commits.
    let top = std::fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()?;
    if top != std::fs::canonicalize(std::env::var("CARGO_MANIFEST_DIR").ok()?).ok()? {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
