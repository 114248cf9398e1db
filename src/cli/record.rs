//! Options of the event log, shared by all commands that record what they do.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, quantity};
use crate::audit::{AuditError, AuditOptions, Retention};

/// Where what is done is recorded, and for how long.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Record")]
pub struct Record {
    /// Records every change as an event in this log: a SQLite file, or a postgres:// URL. `statuspage events` shows it.
    #[arg(long, value_name = "PLACE", env = "STATUSPAGE_EVENTS", hide_env_values = true)]
    pub events: Option<String>,
    /// File for events that are not in the log yet, so that a crash loses none; on a disk that outlives the process
    /// [default: beside a SQLite file; none with PostgreSQL].
    #[arg(long, value_name = "FILE")]
    pub events_journal: Option<PathBuf>,
    /// Deletes events that are older, such as 365d [default: none].
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
    pub events_max_age: Option<Duration>,
    /// Deletes the oldest events when the log grows beyond this, such as 500Mi; indexes take twice as much on top
    /// [default: no limit].
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes)]
    pub events_max_size: Option<u64>,
    /// Writes addresses of people and of webhooks into events as they are [default: masked, such as j…@example.com].
    #[arg(long)]
    pub events_personal_data: bool,
}

impl Record {
    /// How the log is kept, if there is to be one.
    pub(super) fn options(&self) -> Result<Option<AuditOptions>, Failure> {
        let Some(place) = &self.events else {
            return Ok(None);
        };
        let mut options = AuditOptions::new(place.parse()?);
        if let Some(journal) = &self.events_journal {
            options.journal = Some(journal.clone());
        }
        options.retention = Retention {
            age: self.events_max_age,
            bytes: self.events_max_size,
        };
        options.personal_data = self.events_personal_data;
        Ok(Some(options))
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Failure::Events(Box::new(error))
    }
}
