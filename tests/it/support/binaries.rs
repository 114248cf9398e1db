//! Real Kubernetes programs and Helm, built from their published Go modules.
//!
//! The modules under `tests/kubernetes/` pin every version. They are built the
//! first time that a test asks for them, into `kubernetes/` of the target
//! directory, and built again only when their sources or the Go toolchain
//! change: a fresh clone pays once.

use super::clients::patiently;
use super::process::{self, OutputExt, tail};
use super::programs;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where people who have Kubernetes binaries already say that they are.
pub(crate) const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// How long the largest build may take: about four minutes on two idle cores.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);

/// The programs that `tests/kubernetes/controlplane` is, by the name it is
/// called by.
const CONTROL_PLANE: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/// A Go module under `tests/kubernetes/`.
struct Module {
    /// Its directory, and the executable that it is built to.
    name: &'static str,
    /// The package to build.
    package: &'static str,
    /// Further names of the executable.
    links: &'static [&'static str],
    /// Build tags, which leave parts out.
    tags: &'static str,
}

impl Module {
    /// A program of other people, unchanged.
    const fn of(name: &'static str, package: &'static str) -> Self {
        Self {
            name,
            package,
            links: &[],
            tags: "",
        }
    }
}

/// A program of the control plane, from the assets given or built.
pub(crate) fn kubernetes(program: &str) -> Result<PathBuf, String> {
    if let Some(directory) = std::env::var_os(ASSETS) {
        let path = Path::new(&directory).join(program);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!(
                "{ASSETS} is set, but {} is not there; add it in the version of the others, \
                 or unset {ASSETS} and have all of them built with Go",
                path.display()
            ))
        };
    }
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    build_once(
        &BUILT,
        &Module {
            links: &CONTROL_PLANE,
            ..Module::of("controlplane", ".")
        },
    )
    .map(|directory| directory.join(program))
}

/// Helm, from the assets given (where it is optional) or built.
pub(crate) fn helm() -> Result<PathBuf, String> {
    if let Some(directory) = std::env::var_os(ASSETS) {
        let path = Path::new(&directory).join("helm");
        if path.is_file() {
            return Ok(path);
        }
    }
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    build_once(&BUILT, &Module::of("helm", "helm.sh/helm/v4/cmd/helm")).map(|directory| directory.join("helm"))
}

/// The linter of workflows.
pub(crate) fn actionlint() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    build_once(
        &BUILT,
        &Module::of("actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
    )
    .map(|directory| directory.join("actionlint"))
}

/// The checker of rules for Prometheus, which computes them, too.
pub(crate) fn promtool() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let module = Module {
        // Without the clients of all clouds.
        tags: "remove_all_sd",
        ..Module::of("promtool", "github.com/prometheus/prometheus/cmd/promtool")
    };
    build_once(&BUILT, &module).map(|directory| directory.join("promtool"))
}

/// The Lua interpreter that Argo CD runs its scripts with.
pub(crate) fn glua() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    build_once(&BUILT, &Module::of("glua", "github.com/yuin/gopher-lua/cmd/glua"))
        .map(|directory| directory.join("glua"))
}

/// The directory of a Go module that is not built: for the definitions of custom resources that it holds. The versions are
/// those of `tests/kubernetes/definitions/go.mod`.
pub(crate) fn definitions(module: &str) -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/definitions");
    let output = patiently(|| {
        let mut command = go(&sources)?;
        command.args(["mod", "download", "-json", module]);
        let output = process::run(command, b"", BUILD_LIMIT).map_err(|reason| missing_go(&reason))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(format!(
                "go mod download {module}:\n{}{}",
                output.text(),
                tail(&output.stderr)
            )),
        }
    })?;
    let module: serde_json::Value = serde_json::from_slice(&output).map_err(|error| error.to_string())?;
    module["Dir"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| format!("no directory: {module}"))
}

/// The keeper of the processes: see `tests/kubernetes/warden/main.go`.
pub(crate) fn warden() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    build_once(&BUILT, &Module::of("warden", ".")).map(|directory| directory.join("warden"))
}

/// Builds a module at most once in this process, failures included: a test
/// binary with a broken Go says so in every test, not after every build.
fn build_once(built: &OnceLock<Result<PathBuf, String>>, module: &Module) -> Result<PathBuf, String> {
    match built.get() {
        Some(Err(_)) => Err(format!(
            "{} could not be built: the first test that needed it says why",
            module.name
        )),
        _ => built.get_or_init(|| build(module)).clone(),
    }
}

/// Builds a module unless that has been done, and gives the directory of its
/// executables.
fn build(module: &Module) -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/kubernetes")
        .join(module.name);
    let mut flags = flags(&sources)?;
    if !module.tags.is_empty() {
        flags.push(format!("-tags={}", module.tags));
    }
    let fingerprint = fingerprint(&sources, &flags)?;
    // Cargo gives tests `tmp` in the target directory; the cache is beside it.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .ok_or("the target directory has no name")?
        .join("kubernetes");
    let directory = cache.join(format!("{}-{fingerprint}", module.name)).join("bin");
    if directory.is_dir() {
        return Ok(directory);
    }
    let prepare = || -> io::Result<File> {
        fs::create_dir_all(&cache)?;
        let lock = File::create(cache.join("build.lock"))?;
        // One build at a time, since each takes all cores and much memory; and
        // another `cargo test` may be at the same one: take its work then.
        lock.lock()?;
        Ok(lock)
    };
    let lock = prepare().map_err(|error| format!("{}: {error}", cache.display()))?;
    if !directory.is_dir() {
        compile(module, &sources, &flags, &directory)?;
    }
    drop(lock);
    Ok(directory)
}

/// Compiles a module into `directory`, which is there only when it is complete.
fn compile(module: &Module, sources: &Path, flags: &[String], directory: &Path) -> Result<(), String> {
    announce(&format!(
        "building {} with Go, once; the first build of all takes some minutes",
        module.name
    ));
    let started = Instant::now();
    let partial = directory.with_extension("partial");
    // Of a build that was killed.
    drop(fs::remove_dir_all(&partial));
    patiently(|| {
        let mut command = go(sources)?;
        command.args(["mod", "download"]);
        let output = process::run(command, b"", BUILD_LIMIT)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "go mod download of {}:\n{}",
                sources.display(),
                tail(&output.stderr)
            )),
        }
    })?;
    let mut command = go(sources)?;
    command.arg("build").args(flags);
    command.arg("-o").arg(partial.join(module.name)).arg(module.package);
    let output = process::run(command, b"", BUILD_LIMIT).map_err(|reason| missing_go(&reason))?;
    if !output.status.success() {
        return Err(format!(
            "go build of {}: {}\n{}",
            sources.display(),
            output.status,
            tail(&output.stderr)
        ));
    }
    let publish = || -> io::Result<()> {
        for link in module.links {
            symlink(module.name, partial.join(link))?;
        }
        fs::rename(&partial, directory)
    };
    publish().map_err(|error| format!("{}: {error}", directory.display()))?;
    announce(&format!("built {} in {:.0?}", module.name, started.elapsed()));
    Ok(())
}

/// The flags of a build. Those of Kubernetes stamp its version into it, as its
/// release does: `kubeVersion` of a chart is compared with what the API server
/// says of itself.
fn flags(sources: &Path) -> Result<Vec<String>, String> {
    let mut link = String::from("-s -w");
    let manifest =
        fs::read_to_string(sources.join("go.mod")).map_err(|error| format!("{}: {error}", sources.display()))?;
    if let Some(version) = required(&manifest, "k8s.io/kubernetes") {
        let mut numbers = version.trim_start_matches('v').split('.');
        let major = numbers.next().unwrap_or_default();
        let minor = numbers.next().unwrap_or_default();
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            for (variable, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
                link.push_str(&format!(" -X {package}.{variable}={value}"));
            }
        }
    }
    Ok(vec![
        // The version of this repository is not the version of what is built.
        "-buildvcs=false".to_owned(),
        "-trimpath".to_owned(),
        format!("-ldflags={link}"),
    ])
}

/// The version of a module that a go.mod requires.
fn required<'a>(manifest: &'a str, module: &str) -> Option<&'a str> {
    manifest.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(module)).then(|| words.next()).flatten()
    })
}

/// A short name for everything that decides what a build gives.
fn fingerprint(sources: &Path, flags: &[String]) -> Result<String, String> {
    let mut version = go(sources)?;
    version.args(["version"]);
    let version = process::run(version, b"", Duration::from_secs(60)).map_err(|reason| missing_go(&reason))?;
    if !version.status.success() {
        return Err(missing_go(&version.error_text()));
    }
    let mut hash = Sha256::new();
    hash.update(&version.stdout);
    hash.update(flags.join(" "));
    let mut files: Vec<PathBuf> = fs::read_dir(sources)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| format!("{}: {error}", sources.display()))?;
    files.sort();
    for file in files {
        let content = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(&content);
    }
    Ok(hash
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// The Go command in the directory of a module.
fn go(sources: &Path) -> Result<Command, String> {
    let mut command = Command::new(programs::go()?);
    command.current_dir(sources);
    // Static executables, and no C compiler needed to make them.
    command.env("CGO_ENABLED", "0");
    // Not a workspace that happens to be around the repository.
    command.env("GOWORK", "off");
    Ok(command)
}

fn missing_go(reason: &str) -> String {
    format!(
        "{reason}\nThese tests run on real Kubernetes programs and build them with Go 1.26 or \
         later: that of PATH or of the variable GO, else one from a package of PyPI. With {ASSETS} set to a directory of \
         etcd, kube-apiserver, kube-controller-manager, kubectl and helm, only a small \
         one is left to build."
    )
}

/// Tells the person who waits what they wait for. The test harness keeps what
/// tests print; it does not keep what is written to the stream itself.
fn announce(message: &str) {
    drop(writeln!(io::stderr(), "     tests: {message}"));
}
