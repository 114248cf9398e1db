//! The system below, in the six words of uname.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The system that the process runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Platform {
    /// Name of the kernel, such as Linux.
    pub system: String,
    /// Name of the host, or of the Pod.
    pub node: String,
    /// Release of the kernel.
    pub release: String,
    /// Version of the kernel.
    pub version: String,
    /// Architecture, such as `x86_64`.
    pub machine: String,
    /// Always empty: Linux does not say.
    pub processor: String,
}

impl Platform {
    /// What the kernel says now. What it does not say is empty.
    pub fn read() -> Self {
        let kernel = |name: &str| {
            std::fs::read_to_string(format!("/proc/sys/kernel/{name}"))
                .map(|text| text.trim().to_owned())
                .unwrap_or_default()
        };
        Platform {
            system: kernel("ostype"),
            node: kernel("hostname"),
            release: kernel("osrelease"),
            version: kernel("version"),
            machine: std::env::consts::ARCH.to_owned(),
            processor: String::new(),
        }
    }
}
