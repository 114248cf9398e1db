//! The operator's own HTTP API: it answers for itself.
//!
//! One table ([`openapi`], [`routes`]) says what there is: the router and the OpenAPI document are both made from it.
//! One gate in front of everything checks credentials, limits, times and logs; one place ([`family`]) gives failures the
//! shape that the clients of each family expect.

mod access;
pub mod caller;
pub mod events;
pub mod family;
mod file_stamp;
mod gate;
pub mod identity;
mod listener;
pub mod openapi;
mod paging;
pub mod resources;
mod routes;
pub mod server;
mod shares;
pub mod status;

pub use listener::{Listening, TlsError, TlsFiles};
pub use server::{AdminError, AdminOptions, AdminServer, Limits, Mount, Serving};
