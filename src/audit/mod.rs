//! The event log: every remote write, transition, drift, adoption, refusal and recovery as one event with typed traits.
//!
//! What it promises:
//! - **Never in the way.** [`AuditLog::record`] and [`AuditLog::begin`] never wait for the store. Events wait in a spool
//!   of bounded length while the store is down; what does not fit is dropped and counted, never silently. The
//!   beginning of a dropped write may still be in the journal: the next process stores it with an unknown outcome.
//! - **Not lost with the process.** With a journal (the default beside a SQLite file) a remote write is noted on disk
//!   before it is sent. Whatever ends the process, the next one stores the event: with its outcome when that was known,
//!   else with the outcome `unknown`. A power cut can take the outcome of the last events, never a begun write itself.
//!   This holds as far as the journal's directory survives: with PostgreSQL in a cluster, put it on a volume that
//!   outlives the container.
//! - **None twice.** A message id is stored once; storing again changes nothing.
//! - **No secrets.** Events are made from the engine's changes, which carry `(secret)` in their place.
//!
//! A journal that cannot be written is counted and does not stop the write: an incident goes first.

mod catalog;
mod database_url;
mod event;
mod filter;
mod follow;
mod journal;
mod log;
mod outage;
mod recorder;
mod select;
mod store;
mod value;
mod write;

use std::path::PathBuf;

pub use database_url::DatabaseUrl;
pub use event::{AuditEvent, TEXT_LIMIT, Trait, UNKNOWN};
pub use filter::{Filter, Operator, Sort, SortKey, Tenants, TraitFilter};
pub use follow::Follower;
pub use log::{AuditLog, AuditOptions, Counters, Pending};
pub use store::{EventStore, Location};
pub use value::{TraitType, TraitValue, read_integer, read_time, write_time};
pub use write::Retention;

/// Why the event log could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// No place was given.
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
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The marker is no event that the caller may see.
    #[error("Marker {0} not found.")]
    UnknownMarker(String),
    /// The database failed.
    #[error("the event log's database failed")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the event log's tables cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
