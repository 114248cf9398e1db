//! The Statuspage client against a scripted service: on a loopback socket, or inside the process.

mod access;
mod clock;
pub(crate) mod every_operation;
mod failures;
mod lists;
mod operations;
mod redaction;
mod remote;
mod requests;
mod throttling;
mod transport;
