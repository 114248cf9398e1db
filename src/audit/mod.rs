//! The event log: every remote write, transition, drift, adoption, refusal and recovery as one event with typed traits.
//!
//! What it promises:
//! - **Never in the way.** [`AuditLog::record`] and [`AuditLog::begin`] never wait for the store. Events wait in a queue
//!   of bounded length while the store is down; what does not fit is dropped and counted, never silently. The
//!   beginning of a dropped write may still be in the journal: the next process stores it with an unknown outcome.
//! - **Not lost with the process.** With a journal (the default beside a SQLite file) a remote write is noted on disk
//!   before it is sent. Whatever ends the process, the next one stores the event: with its outcome when that was known,
//!   else with the outcome `unknown`. A power cut can take the outcome of the last events, never a begun write itself.
//!   This holds as far as the journal's directory survives: with PostgreSQL in a cluster, put it on a volume that
//!   outlives the container. A journal that cannot be written stops no write, for an incident goes first; what is lost by
//!   that is counted and said, by this process or the next one.
//! - **Each once.** What happens gets an id that nothing else has. A message id is stored once; storing again changes
//!   nothing. Only a write to the store of declarations that was interrupted, and is tried again, is told with the id
//!   that it had.
//! - **No secrets, and nobody's address.** Events are made from the engine's changes, which carry `(secret)` in their
//!   place; addresses of people and webhooks are masked unless [`AuditOptions::personal_data`] says otherwise.

#![allow(
    missing_docs,
    reason = "not a library for others: a comment says why, or is not there"
)]

mod by_hand;
mod catalog;
mod database_url;
mod event;
mod filter;
mod follow;
mod journal;
mod log;
mod outage;
mod personal;
mod place;
mod question;
mod queue;
mod read;
mod recorder;
mod shared;
mod statement;
mod store;
mod trouble;
mod value;
mod view;
pub mod vocabulary;
mod write;
mod writer;

use std::path::PathBuf;

pub use by_hand::{ByHand, HandWritten};
pub use database_url::DatabaseUrl;
pub(crate) use event::WrittenTrait;
pub use event::{AuditEvent, TEXT_LIMIT, Trait, UNKNOWN, kind_of};
pub use filter::{Filter, Operator, Sort, SortKey, TraitFilter};
pub use follow::Follower;
pub use log::{AuditLog, AuditOptions, Pending};
pub use queue::Remains;
pub use shared::Counters;
pub use store::{EventStore, Location};
pub use value::{TraitType, TraitValue, read_integer, read_time, write_time};
pub use view::{Grant, Tenants, View};
pub use write::{Retention, purge};

/// Why the event log could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    #[error("no place for the event log: give a file, or a postgres:// URL")]
    NoLocation,
    /// This build has no PostgreSQL.
    #[error("this build keeps events in SQLite only: build with the feature `postgres`")]
    NoPostgres,
    /// There is no such log.
    #[error("there is no event log at {}", .0.display())]
    NoFile(PathBuf),
    /// A file cannot be used.
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// The marker is no event that the caller may see.
    #[error("Marker {0} not found.")]
    UnknownMarker(String),
    /// The answer is too far away.
    #[error(
        "more than {0} events would have to be examined: give start_timestamp and end_timestamp, or a narrower condition"
    )]
    TooMany(i64),
    /// An older version of this program has made the log.
    #[error("the event log has an older version: the next command that records in it upgrades it")]
    OldTables,
    /// Events were stored in a file that is gone.
    #[error("the file of the event log was removed or replaced")]
    Replaced,
    #[error("the event log is closed")]
    Closed,
    #[error("the event log's database failed")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the event log's tables cannot be upgraded")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
