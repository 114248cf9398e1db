//! The image, without a container engine: what the Dockerfile puts into it, alone, as the root of the file system, run as
//! the kubelet would run it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use statuspage_operator::api::Kind;

use super::{Operator, SOON, Stage, components};
use crate::support::clients::patiently;
use crate::support::control_plane::ControlPlane;
use crate::support::process::{self, OutputExt};
use crate::support::programs;

/// All dependencies are compiled once more, on a machine that runs tests.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Where a kubelet mounts what a service account is known by.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

fn manifest_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary as the image has it: for musl, and so without a shared library. Not optimised, which would take longer than all
/// other tests.
fn static_binary() -> PathBuf {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    patiently(|| install(&target)).unwrap();
    let compiler = programs::musl_compiler().unwrap();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(manifest_directory())
        .args([
            "build",
            "--locked",
            "--bin",
            "statuspage",
            "--target",
            &target,
            "--target-dir",
        ])
        .arg(directory)
        .env(format!("CC_{}", target.replace('-', "_")), compiler)
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    process::run(cargo, b"", BUILD_LIMIT).unwrap().succeeded();
    directory.join(target).join("debug/statuspage")
}

/// Rust's standard library for a target, where it is missing.
fn install(target: &str) -> Result<(), String> {
    let mut ask = Command::new("rustc");
    ask.args(["--print", "target-libdir", "--target", target]);
    let there = process::run(ask, b"", SOON)?;
    if Path::new(there.text().trim()).is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]).current_dir(manifest_directory());
    let output = process::run(rustup, b"", BUILD_LIMIT)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("rustup target add {target}: {}", output.error_text())),
    }
}

/// What the Dockerfile installs below `/image`, and nothing else.
fn assemble(root: &Path, binary: &Path) {
    let dockerfile = std::fs::read_to_string(manifest_directory().join("Dockerfile")).unwrap();
    let installs: Vec<&str> = dockerfile.split("install -D ").skip(1).collect();
    assert_eq!(installs.len(), 3, "the binary, the CAs, the licence");
    for line in installs {
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        let ["-m", mode, from, to] = words[..] else {
            panic!("install -D {line}")
        };
        let from = match from {
            "target/dist/statuspage" => binary.to_owned(),
            from => manifest_directory().join(from),
        };
        let to = root.join(to.strip_prefix("/image/").unwrap());
        let mut install = Command::new("install");
        install.args(["-D", "-m", mode]).arg(from).arg(to);
        process::run(install, b"", SOON).unwrap().succeeded();
    }
}

/// Begins a command whose root is this directory and whose user is the one of the image.
fn contained(root: &Path) -> [String; 6] {
    [
        "unshare".to_owned(),
        "--user".to_owned(),
        "--map-user=65532".to_owned(),
        "--map-group=65532".to_owned(),
        format!("--root={}", root.display()),
        "/statuspage".to_owned(),
    ]
}

fn run(root: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> std::process::Output {
    let [unshare, options @ ..] = contained(root);
    let mut command = Command::new(unshare);
    command
        .args(options)
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied());
    // The cleared PATH is for the container, not for finding `unshare`.
    command.env("PATH", std::env::var_os("PATH").unwrap());
    process::run(command, b"", SOON).unwrap()
}

/// All files below, with their paths in it.
fn files(directory: &Path, root: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, root, found),
            false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
        }
    }
}

fn listed(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    files(root, root, &mut found);
    found.sort();
    found
}

fn set_mode(root: &Path, mode: &str) {
    let mut chmod = Command::new("chmod");
    chmod.args(["-R", mode]).arg(root);
    process::run(chmod, b"", SOON).unwrap().succeeded();
}

/// Makes the directory removable again.
struct Root(tempfile::TempDir);

impl Drop for Root {
    fn drop(&mut self) {
        set_mode(self.0.path(), "u+w");
    }
}

#[tokio::test]
async fn the_image_runs_as_the_chart_runs_it_with_nothing_but_itself() {
    let binary = tokio::task::spawn_blocking(static_binary).await.unwrap();
    let root = Root(tempfile::tempdir().unwrap());
    let path = root.0.path();
    assemble(path, &binary);
    assert_eq!(
        listed(path),
        ["etc/ssl/certs/ca-certificates.crt", "licenses/LICENSE", "statuspage"]
    );

    // A control plane of its own: the operator of a default installation acts on all namespaces.
    let control_plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::own().await));
    let stage = Stage::set_on(control_plane).await;
    let (release, system) = ("operator", "statuspage-system");
    let chart = manifest_directory().join("charts/statuspage-operator");
    let install = [
        "install",
        release,
        chart.to_str().unwrap(),
        "--namespace",
        system,
        "--create-namespace",
    ];
    control_plane.helm(&install).await.succeeded();
    // What the kubelet puts into the container: the account, a volume with a CA, and where the API server is.
    let kubeconfig = control_plane
        .kubeconfig_for_service_account(system, "operator-statuspage-operator")
        .await;
    let kubeconfig: serde_json::Value = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    let cluster = &kubeconfig["clusters"][0]["cluster"];
    let server = cluster["server"].as_str().unwrap().to_owned();
    let account = path.join(ACCOUNT);
    std::fs::create_dir_all(&account).unwrap();
    let authority = cluster["certificate-authority"].as_str().map(std::fs::read);
    let authority = authority.expect("a file with the CA").unwrap();
    let private = path.join("etc/statuspage/ca");
    std::fs::create_dir_all(&private).unwrap();
    std::fs::write(private.join("ca.crt"), &authority).unwrap();
    std::fs::write(account.join("ca.crt"), authority).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    std::fs::write(account.join("token"), token).unwrap();
    std::fs::write(account.join("namespace"), system).unwrap();
    let before = listed(path);
    // Like readOnlyRootFilesystem: nobody may write anywhere.
    set_mode(path, "a-w,a+rX");

    let version = run(path, &[], &["version"]).succeeded();
    assert!(version.starts_with("statuspage "), "{version}");
    let token_of_nobody = ("STATUSPAGE_TOKEN", "of-nobody");
    // The public CAs are there, and do not know that of this cluster; the chart's privateCA adds one to them.
    let asked = ["pages", "--api-url", &format!("{server}/v1")];
    let error = run(path, &[token_of_nobody], &asked).failed();
    assert!(error.contains("signed by a CA that is not trusted here"), "{error}");
    let private = [token_of_nobody, ("SSL_CERT_DIR", "/etc/ssl/certs:/etc/statuspage/ca")];
    let error = run(path, &private, &asked).failed();
    assert!(!error.contains("CA") && !error.contains("certificate"), "{error}");

    let (host, port) = server.strip_prefix("https://").unwrap().rsplit_once(':').unwrap();
    let environment = format!(
        "unset KUBECONFIG HOME; export KUBERNETES_SERVICE_HOST={host} KUBERNETES_SERVICE_PORT={port} POD_NAME=operator-0 POD_NAMESPACE={system}"
    );
    let arguments = super::chart::arguments(control_plane, system).await;
    let command: Vec<String> = contained(path).into_iter().chain(arguments).collect();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let operator = Operator::run(stage.warden(), "operator", &environment, &command).await;
    stage.apply_page().await;
    stage.apply(&components(2)).await;
    stage.all_ready(Kind::Component, 2, SOON).await;
    assert_eq!(operator.get("/readyz").await, (200, "ok\n".to_owned()));
    operator.signal("TERM");
    operator.ended_in_order().await;
    assert_eq!(listed(path), before, "it needs no file of its own");
}
