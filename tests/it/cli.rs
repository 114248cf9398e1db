//! The command line as a process.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn statuspage() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for variable in [
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "STATUSPAGE_LOG_LEVEL",
        "STATUSPAGE_LOG_FORMAT",
    ] {
        command.env_remove(variable);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    statuspage().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn examples_are_valid() {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap() {
        let directory = entry.unwrap().path();
        let output = run(&["validate", directory.to_str().unwrap()]);
        assert!(
            text(&output.stdout).trim_end().ends_with(": no problems"),
            "{}",
            text(&output.stdout)
        );
        assert_eq!(code(&output), 0);
    }
}

#[test]
fn wrong_usage_is_an_error_and_not_a_change() {
    for arguments in [&["nonsense"][..], &["validate"], &["version", "--output", "xml"], &[]] {
        let output = run(arguments);
        assert_eq!(code(&output), 1, "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(code(&run(&["--help"])), 0);
    assert_eq!(code(&run(&["--version"])), 0);
}

#[test]
fn a_missing_directory_is_named() {
    let output = run(&["validate", "no/such/directory"]);
    assert_eq!(code(&output), 1);
    assert!(
        text(&output.stderr).starts_with("error: cannot read no/such/directory: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_directory_without_declarations_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&["validate", directory.path().to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stdout).starts_with("no declaration in "));
}

#[test]
fn problems_are_shown_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = "apiVersion: statuspage-operator.io/v1alpha1\nkind: StatusPage\nmetadata: {name: acme}\nspec:\n  \
                    pageId: 4kx9q2m7vt1b\n  api: {tokenSecretRef: {nam: x}}\n";
    std::fs::write(directory.path().join("a,b.yaml"), manifest).unwrap();
    let path = directory.path().to_str().unwrap();

    let output = run(&["validate", path]);
    assert_eq!(code(&output), 1);
    let shown = text(&output.stdout);
    assert!(shown.contains("error: unknown field `nam`\n"), "{shown}");
    assert!(shown.contains("a,b.yaml:6:26\n"), "{shown}");
    assert!(shown.contains("did you mean `name`?"), "{shown}");
    assert!(shown.ends_with("0 declarations in 1 file: 2 errors\n"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colour in a pipe");

    let output = run(&["--color", "always", "validate", path]);
    assert!(text(&output.stdout).contains('\u{1b}'));
    let output = statuspage()
        .env("NO_COLOR", "1")
        .args(["validate", path])
        .output()
        .unwrap();
    assert!(!text(&output.stdout).contains('\u{1b}'));

    let output = run(&["validate", path, "--output", "json"]);
    assert_eq!(code(&output), 1);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["errors"], 2);
    assert_eq!(report["problems"][1]["line"], 6);
    assert_eq!(report["problems"][1]["column"], 26);
    assert_eq!(report["problems"][1]["severity"], "error");

    let output = run(&["validate", path, "--output", "github"]);
    let shown = text(&output.stdout);
    assert!(
        shown.contains("a%2Cb.yaml,line=6,col=26::unknown field `nam`%0Ahelp: did you mean `name`?\n"),
        "{shown}"
    );
}

#[test]
fn prints_definitions_for_kubectl() {
    let output = run(&["crds"]);
    assert_eq!(code(&output), 0);
    let documents = text(&output.stdout)
        .split("---\n")
        .filter(|document| !document.trim().is_empty());
    assert_eq!(documents.count(), statuspage_operator::api::Kind::ALL.len());
}

#[test]
fn prints_version_and_completions() {
    let output = run(&["version", "--output", "json"]);
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let rust = version["rustVersion"].as_str().unwrap();
    // Exact, as the compiler said it: 1.95.0.
    assert_eq!(
        rust.split('.').filter(|part| part.parse::<u32>().is_ok()).count(),
        3,
        "{rust}"
    );
    assert!(!version["commit"].as_str().unwrap().is_empty());
    assert!(text(&run(&["version"]).stdout).starts_with("statuspage "));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell]);
        assert_eq!(code(&output), 0, "{shell}");
        // The script asks the program itself.
        assert!(text(&output.stdout).contains("COMPLETE"), "{shell}");
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let mut child = statuspage()
        .arg("crds")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
}

#[test]
fn a_wrong_log_level_is_an_error() {
    let output = run(&["--log-level", "a=b=c", "version"]);
    assert_eq!(code(&output), 1);
    assert!(
        text(&output.stderr).contains("is not a log level"),
        "{}",
        text(&output.stderr)
    );
}
