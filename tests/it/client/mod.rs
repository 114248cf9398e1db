//! The Statuspage client against a scripted service on a loopback socket.

mod access;
mod failures;
mod lists;
mod operations;
mod remote;
mod requests;
