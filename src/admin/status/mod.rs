//! What is told of the process: what runs, on which system, and how it is connected.

mod modules;
mod platform;
pub(super) mod process;

pub use modules::modules;
pub use platform::Platform;

/// The commit that this was built from: `STATUSPAGE_BUILD_COMMIT` at the build or in the environment of the process, else
/// what the package or, for a release build, the working copy says.
pub fn commit() -> String {
    option_env!("STATUSPAGE_BUILD_COMMIT")
        .map(str::to_owned)
        .or_else(|| std::env::var("STATUSPAGE_BUILD_COMMIT").ok())
        .filter(|commit| !commit.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The version of the compiler and its library; the oldest that can have been when it did not say.
pub fn rust_version() -> &'static str {
    match option_env!("STATUSPAGE_BUILD_RUSTC") {
        Some(version) if !version.is_empty() => version,
        _ => concat!(env!("CARGO_PKG_RUST_VERSION"), " or later"),
    }
}

/// What the status documents tell of the process beside its resources.
pub trait StatusSource: Send + Sync + 'static {
    /// The cluster, where there is one.
    fn cluster(&self) -> Option<Cluster> {
        None
    }

    /// What keeps the process from working; none when it works.
    fn waiting_for(&self) -> Option<String> {
        None
    }

    /// Tasks that panicked and began anew since the start.
    fn panics(&self) -> u64 {
        0
    }
}

/// The cluster that declarations live in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// True while its API server answers.
    pub connected: bool,
    /// The version of its API server.
    pub version: Option<String>,
}

/// A process that works on a directory: there is no cluster, and it is ready when it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standalone;

impl StatusSource for Standalone {}
