//! A client library for the Statuspage management API. It knows nothing of Kubernetes and can be used on its own.

pub mod types;

pub use types::*;
