//! What a release is made with: workflows, the Dockerfile, the licences of dependencies, the manifest for Krew.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::process::{self, OutputExt};
use crate::support::{binaries, programs};

const LIMIT: Duration = Duration::from_secs(120);
/// The release whose minor version everything that builds names.
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of GitHub that name actions, by their paths.
fn workflows() -> BTreeMap<PathBuf, String> {
    let entries = std::fs::read_dir(root().join(".github/workflows")).unwrap();
    let found: BTreeMap<PathBuf, String> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(found.len() >= 3, "{found:?}");
    found
}

#[test]
fn the_workflows_are_sound() {
    let mut lint = Command::new(binaries::actionlint().unwrap());
    // Only what is part of the module: other linters that the machine may have are of any version.
    lint.args(["-no-color", "-shellcheck=", "-pyflakes="])
        .args(workflows().keys());
    let output = process::run(lint, b"", LIMIT).unwrap();
    assert!(output.status.success(), "{}{}", output.text(), output.error_text());
}

/// An action is named by its commit, and says for people which release that is: a tag can be moved to other code.
#[test]
fn actions_are_pinned_and_jobs_have_no_rights_by_default() {
    for (path, text) in workflows() {
        let path = path.display();
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else {
                continue;
            };
            let (name, version) = action.split_once(" # ").unwrap_or((action, ""));
            let commit = name.split_once('@').map_or("", |(_, commit)| commit);
            assert!(
                commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()),
                "{path}: {action} is not pinned to a commit"
            );
            assert!(
                version.starts_with('v'),
                "{path}: {action} does not say which release it is"
            );
        }
        assert!(
            text.contains("\npermissions: {}\n"),
            "{path}: rights are given to single jobs"
        );
        let checkouts = text.matches("actions/checkout@").count();
        let without_credentials = text.matches("persist-credentials: false").count();
        assert_eq!(
            checkouts, without_credentials,
            "{path}: a checkout keeps the token for every later step"
        );
        for toolchain in text.split("rustup toolchain install ").skip(1) {
            assert!(
                toolchain.starts_with(&format!("{RUST}.0 ")),
                "{path}: not Rust {RUST}.0"
            );
        }
    }
}

#[test]
fn the_image_is_built_from_what_is_pinned_and_runs_as_a_number() {
    let dockerfile = read("Dockerfile");
    let stages: Vec<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .collect();
    let [build, image] = stages.as_slice() else {
        panic!("two stages: {stages:?}")
    };
    assert!(build.starts_with(&format!("rust:{RUST}-alpine@sha256:")), "{build}");
    assert_eq!(*image, "scratch");
    let (_, last) = dockerfile.split_once("FROM scratch").unwrap();
    assert!(last.contains("\nUSER 65532:65532\n"), "{last}");
    assert!(last.contains("\nENTRYPOINT [\"/statuspage\"]\n"), "{last}");
    let version = format!("image.version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(last.contains(&version), "{last}");
    let chart = read("charts/statuspage-operator/Chart.yaml");
    assert!(
        chart.contains(&format!("appVersion: \"{}\"", env!("CARGO_PKG_VERSION"))),
        "{chart}"
    );
}

/// Licences, banned crates and sources, by deny.toml. Advisories are a list on the network: a workflow asks for them.
#[test]
fn dependencies_have_licences_that_are_allowed_and_none_is_banned() {
    let mut deny = Command::new(programs::cargo_deny().unwrap());
    deny.current_dir(root())
        .args([
            "--offline",
            "--locked",
            "--color",
            "never",
            "check",
            "--deny",
            "warnings",
        ])
        .args(["licenses", "bans", "sources"]);
    let output = process::run(deny, b"", LIMIT).unwrap();
    assert!(output.status.success(), "{}{}", output.text(), output.error_text());
}

fn krew(sums: &Path) -> std::process::Output {
    let mut krew = Command::new(root().join(".ci/krew"));
    krew.args(["1.2.3", "https://git.example/team/statuspage-operator"])
        .arg(sums);
    process::run(krew, b"", LIMIT).unwrap()
}

#[test]
fn the_manifest_for_krew_names_each_archive_of_the_release() {
    let directory = tempfile::tempdir().unwrap();
    let sums = directory.path().join("SHA256SUMS");
    let release = read(".github/workflows/release.yaml");
    let targets: Vec<&str> = release
        .split("{target: ")
        .skip(1)
        .map(|rest| rest.split(',').next().unwrap())
        .collect();
    assert_eq!(targets.len(), 4, "{targets:?}");
    let line = |(number, target): (usize, &&str)| format!("{number:064x}  statuspage-1.2.3-{target}.tar.gz\n");
    std::fs::write(&sums, targets.iter().enumerate().map(line).collect::<String>()).unwrap();
    let manifest: serde_json::Value = yaml_oracle::from_str(&krew(&sums).succeeded()).unwrap();
    assert_eq!(manifest["spec"]["version"], "v1.2.3");
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), targets.len());
    for (number, target) in targets.iter().enumerate() {
        let name = format!("statuspage-1.2.3-{target}");
        let uri = format!("https://git.example/team/statuspage-operator/releases/download/v1.2.3/{name}.tar.gz");
        let platform = platforms.iter().find(|platform| platform["uri"] == uri.as_str());
        let platform = platform.unwrap_or_else(|| panic!("{uri}: {manifest:#}"));
        // A string of digits only is still a string.
        assert_eq!(platform["sha256"], format!("{number:064x}"));
        assert_eq!(platform["files"][0]["from"], format!("{name}/statuspage"));
    }
    std::fs::write(&sums, "").unwrap();
    let error = krew(&sums).failed();
    assert!(error.contains("does not list statuspage-1.2.3-"), "{error}");
}

#[test]
fn an_archive_has_the_binary_its_manual_and_its_completions_and_is_the_same_twice() {
    let directory = tempfile::tempdir().unwrap();
    // In place of 200 MB: something that is run like the binary.
    let binary = directory.path().join("statuspage");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_statuspage"));
    std::fs::write(&binary, script).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let pack = || {
        let mut package = Command::new(root().join(".ci/package"));
        package
            .args(["1.2.3", "target"])
            .arg(directory.path())
            .env("BINARY", &binary);
        process::run(package, b"", LIMIT).unwrap().succeeded();
        std::fs::read(directory.path().join("statuspage-1.2.3-target.tar.gz")).unwrap()
    };
    let archive = pack();
    assert!(archive == pack(), "two archives of one binary differ");
    let mut list = Command::new("tar");
    list.args(["--list", "--gzip"]);
    let listed = process::run(list, &archive, LIMIT).unwrap().succeeded();
    for name in [
        "statuspage",
        "LICENSE",
        "man/statuspage-incident-open.1",
        "completions/_statuspage",
        "completions/statuspage.bash",
    ] {
        let name = format!("statuspage-1.2.3-target/{name}\n");
        assert!(listed.contains(&name), "{name}: {listed}");
    }
}
