//! The operator's own HTTP API: it answers for itself.
//!
//! One table ([`openapi`], [`routes`]) says what there is: the router and the OpenAPI document are both made from it.
//! One stack of [`middleware`] around everything checks credentials, limits, times and logs. What is kept of others'
//! APIs, so that their clients work, is in [`contracts`], each with its words and oddities.

#![allow(
    missing_docs,
    reason = "not a library for others: a comment says why, or is not there"
)]

mod access;
mod access_log;
pub mod caller;
mod contracts;
mod extract;
mod file_stamp;
pub mod identity;
mod listener;
mod middleware;
pub mod openapi;
pub mod problem;
pub mod resources;
mod routes;
mod server;
mod shares;
mod state;
pub mod status;

pub use contracts::panko as events;
pub use listener::{Listening, TlsError, TlsFiles};
pub use server::{AdminError, AdminServer, Serving};
pub use state::{AdminOptions, Limits, Mount};
