#![doc = include_str!("../README.md")]
//!
//! # Map
//! - [`types`]: what travels. Reading accepts anything, writing sends exactly what was set.
//! - [`Client`]: every operation, each request through the [`Budget`] of its token.
//! - [`Transport`]: how requests travel; HTTP unless a function takes its place.
//! - [`Snapshot`]: what was read from a page by list calls, own writes folded in.
//! - [`Error`]: what went wrong in the remote service's own words, and by [`ErrorClass`] what to do next.

mod base_url;
mod budget;
mod call;
mod client;
mod error;
mod error_body;
mod headers;
mod observer;
mod operations;
mod paging;
mod public_page;
mod raw;
mod read;
mod redaction;
mod reply;
mod request;
mod snapshot;
mod token;
mod transport;
pub mod types;

pub use base_url::BaseUrl;
pub use budget::{
    Book, Budget, BudgetRegistry, BudgetStats, DEFAULT_LIMIT, DEFAULT_RESERVE, FileLedger, Ledger, LedgerError,
    LedgerKey, MemoryLedger, Moment, Permit, Priority, Revision, SPAN, Spent, Usage, Window,
};
pub use client::{Client, ClientBuilder, Trace, install_crypto};
pub use error::{Error, ErrorClass, RequestIds};
pub use observer::{EndedRequest, RequestObserver, RequestOutcome};
pub use operations::{
    AccessGrants, Creatable, Deletable, IncidentView, Operations, Organization, PageHandle, Pages, Postmortems,
    Readable, Resource, Resources, SubscriberQuery, SubscriberSelection, Updatable, UptimeRange,
};
pub use paging::{Bookmark, ListReader, Listing};
pub use public_page::PublicPage;
pub use raw::{PathError, RawReply, RawRequest, RawRow};
pub use read::MeantSubscribers;
pub use redaction::is_secret;
pub use snapshot::{
    Addressed, Collection, CollectionKind, Dated, Examined, Items, Lag, Listed, Missing, Object, ObjectKind, Outline,
    Reading, SPACING, Search, Snapshot, Vanished, Written, spaced_since,
};
pub use token::Token;
pub use transport::{Incoming, Outgoing, Transport, TransportError, TransportErrorKind};
pub use types::*;
