//! `GET /api/v2/status`: every field is true of this process; docs/http-api.md says what each one means here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::JSON_WITH_CHARSET;
use crate::admin::caller::Caller;
use crate::admin::extract::Reader;
use crate::admin::problem::Problem;
use crate::admin::resources::ManagedPage;
use crate::admin::state::AppState;
use crate::admin::status::process::{self, up_time};
use crate::admin::status::{Platform, commit, rust_version};
use crate::api::Reason;

/// Health of the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WebitelStatus {
    /// Version and commit.
    #[serde(rename = "Version")]
    pub version: String,
    /// Memory of the process.
    #[serde(rename = "Node memory")]
    pub memory: NodeMemory,
    /// Id of the process.
    #[serde(rename = "Process ID")]
    pub process: u32,
    /// Connections that this server has open.
    #[serde(rename = "Socket sessions")]
    pub sockets: usize,
    /// How long the process runs, `HH:MM:SS`.
    #[serde(rename = "Process up time")]
    pub up_time: String,
    /// The machine.
    #[serde(rename = "OS")]
    pub system: OperatingSystem,
    /// Declarations that are Ready.
    #[serde(rename = "Users session")]
    pub ready: usize,
    /// All declarations.
    #[serde(rename = "Max users session")]
    pub declarations: usize,
    /// Namespaces that have declarations.
    #[serde(rename = "Domain session")]
    pub namespaces: usize,
    /// The other sides: Statuspage and, where there is one, the cluster.
    #[serde(rename = "Webitel")]
    pub backend: Backend,
    /// Tasks that panicked and began anew.
    #[serde(rename = "CRASH_WORKER_COUNT")]
    pub panics: u64,
    /// How long all pages work without a break.
    #[serde(rename = "freeSWITCH")]
    pub connected_for: String,
    /// The version of Rust.
    #[serde(rename = "Node version")]
    pub runtime: String,
}

/// Memory of the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeMemory {
    /// In physical memory.
    pub rss: String,
    /// Reserved for data and heap.
    pub heap_total: String,
    /// Of the resident memory, what no file backs.
    pub heap_used: String,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct OperatingSystem {
    /// All memory.
    #[serde(rename = "Total memory")]
    pub total: String,
    /// What could be had without swapping.
    #[serde(rename = "Free memory")]
    pub free: String,
    /// The platform, in small letters.
    pub platform: String,
    /// The name of the kernel.
    pub name: String,
    /// The architecture, in the words of these clients: `x64`, `arm64`.
    pub architecture: String,
}

/// The other sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Backend {
    /// `Connected` when the cluster and Statuspage can be reached, else `Offline`.
    pub status: String,
    /// Declarations for which something is still to be done on a page.
    pub api_queue: usize,
    /// Pages that have such declarations.
    pub cmd_queue: usize,
    /// The version of Statuspage's API and of the cluster.
    pub version: String,
    /// The name of this run of the process.
    pub sid: String,
}

/// `GET /api/v2/status`.
pub(in crate::admin) async fn status(
    State(state): State<Arc<AppState>>,
    Reader(caller): Reader,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&document(&state, &caller)).map_err(|_| Problem::Internal)?;
    let hash = Sha256::digest(&body);
    let hash: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{:x}-{hash}\"", body.len());
    let mut known = headers.get_all(header::IF_NONE_MATCH).iter();
    let is_known = known.any(|value| {
        let tags = value.to_str().unwrap_or_default().split(',');
        tags.map(str::trim).any(|known| known == tag || known == "*")
    });
    let fields = [
        (header::CONTENT_TYPE, JSON_WITH_CHARSET.to_owned()),
        (header::ETAG, tag),
    ];
    Ok(match is_known {
        true => (StatusCode::NOT_MODIFIED, fields).into_response(),
        false => (fields, body).into_response(),
    })
}

/// `GET /api/v2/status/config`: nothing, as in the original.
pub(in crate::admin) async fn configuration(Reader(_): Reader) -> StatusCode {
    StatusCode::OK
}

fn document(state: &AppState, caller: &Caller) -> WebitelStatus {
    let inventory = state.resources.inventory().seen_by(caller);
    let pages = inventory.pages();
    let namespaces = inventory.resources.iter().map(|resource| resource.namespace.as_str());
    let namespaces: BTreeSet<&str> = namespaces.collect();
    let cluster = state.status.cluster();
    let connected = cluster.as_ref().is_none_or(|cluster| cluster.connected) && pages.iter().all(is_reached);
    let memory = process::memory();
    let machine = process::machine_memory();
    let version = match cluster.and_then(|cluster| cluster.version) {
        Some(version) => format!("v1 (Kubernetes {version})"),
        None => "v1".to_owned(),
    };
    WebitelStatus {
        version: format!("{}-sha1:{}", env!("CARGO_PKG_VERSION"), commit()),
        memory: NodeMemory {
            rss: size(memory.resident),
            heap_total: size(memory.reserved),
            heap_used: size(memory.anonymous),
        },
        process: std::process::id(),
        sockets: state.open_connections(),
        up_time: clock(up_time()),
        system: OperatingSystem {
            total: size(machine.total),
            free: size(machine.available),
            platform: std::env::consts::OS.to_owned(),
            name: Platform::read().system,
            architecture: architecture(std::env::consts::ARCH).to_owned(),
        },
        ready: inventory.resources.iter().filter(|resource| resource.ready).count(),
        declarations: inventory.resources.len(),
        namespaces: namespaces.len(),
        backend: Backend {
            status: if connected { "Connected" } else { "Offline" }.to_owned(),
            api_queue: inventory.resources.iter().filter(|resource| resource.pending).count(),
            cmd_queue: pages.iter().filter(|page| page.pending_changes > 0).count(),
            version,
            sid: state.session.clone(),
        },
        panics: state.status.panics(),
        connected_for: if connected {
            long_clock(connected_for(&pages))
        } else {
            "Connect server error.".to_owned()
        },
        runtime: format!("Rust {}", rust_version()),
    }
}

/// False while the page's token, address or network does not work.
fn is_reached(page: &ManagedPage) -> bool {
    let lost = [
        Reason::Unreachable,
        Reason::Unauthorized,
        Reason::SecretNotFound,
        Reason::PageNotReady,
    ];
    !lost
        .iter()
        .any(|reason| page.resource.reason.as_deref() == Some(reason.as_str()))
}

/// Since the last page came to work, at most as long as the process runs.
fn connected_for(pages: &[ManagedPage]) -> Duration {
    let now = Timestamp::now();
    let latest: Option<Timestamp> = pages
        .iter()
        .filter_map(|page| page.resource.since.as_ref()?.parse().ok())
        .max();
    let since = latest.map_or(Duration::MAX, |latest| {
        now.duration_since(latest).try_into().unwrap_or_default()
    });
    since.min(up_time())
}

/// Bytes in steps of 1024 with one decimal, which is left out when it is 0.
fn size(bytes: u64) -> String {
    let units = ["Bytes", "kB", "MB", "GB"];
    let mut unit = 0;
    let mut step: u64 = 1;
    while unit + 1 < units.len() && bytes / step >= 1024 {
        step *= 1024;
        unit += 1;
    }
    // In tenths, rounded, without going through floating point.
    let tenths = (u128::from(bytes) * 10 + u128::from(step) / 2) / u128::from(step);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {}", units[unit]),
        (whole, tenth) => format!("{whole}.{tenth} {}", units[unit]),
    }
}

/// `HH:MM:SS`; hours go on beyond a day.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn long_clock(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    let days = minutes / 60 / 24;
    format!(
        "UP {} years, {} days, {} hours, {} minutes\n",
        days / 365,
        days % 365,
        minutes / 60 % 24,
        minutes % 60
    )
}

fn architecture(name: &str) -> &str {
    match name {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_recorded_ones() {
        let expected = [
            (0, "0 Bytes"),
            (1, "1 Bytes"),
            (1023, "1023 Bytes"),
            (1024, "1 kB"),
            (1536, "1.5 kB"),
            (1_000_000, "976.6 kB"),
            (61_236_838, "58.4 MB"),
            (8_267_812_045, "7.7 GB"),
        ];
        for (bytes, text) in expected {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_are_the_recorded_ones() {
        assert_eq!(clock(Duration::ZERO), "00:00:00");
        assert_eq!(clock(Duration::from_secs(144 * 3600 + 34 * 60 + 32)), "144:34:32");
        assert_eq!(
            long_clock(Duration::from_secs(4 * 3600 + 34 * 60)),
            "UP 0 years, 0 days, 4 hours, 34 minutes\n"
        );
        assert_eq!(
            long_clock(Duration::from_secs(366 * 24 * 3600)),
            "UP 1 years, 1 days, 0 hours, 0 minutes\n"
        );
    }
}
