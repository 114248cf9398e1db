//! The operator's own HTTP API: it answers for itself.

pub mod caller;
pub mod events;
