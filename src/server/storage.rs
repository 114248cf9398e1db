//! The SQLite database: objects as documents, metric points as rows. Everything that one request changes is one
//! transaction, so a killed process leaves either all of it or nothing.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::errors::ServerError;
use super::state::{Batch, PointChange};

/// Where the data of the server lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataLocation {
    /// Nowhere: it is gone with the server.
    #[default]
    Memory,
    /// In a SQLite file, which is made when absent. One server at a time can have it open.
    File(PathBuf),
}

impl FromStr for DataLocation {
    type Err = Infallible;

    /// Reads a path; `:memory:` keeps nothing.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            ":memory:" => Self::Memory,
            path => Self::File(PathBuf::from(path)),
        })
    }
}

/// The version of the tables below.
const SCHEMA: i64 = 1;

/// What SQLite answers while another process holds the file.
const SQLITE_BUSY: &str = "5";

/// A stored object.
#[derive(Clone, Debug)]
pub(super) struct StoredRow {
    pub(super) page: String,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) sequence: i64,
    pub(super) body: String,
}

/// The open database.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pool: SqlitePool,
}

impl Storage {
    /// Opens the database and brings its tables up to date.
    pub(super) async fn open(location: &DataLocation) -> Result<Self, ServerError> {
        let options = match location {
            DataLocation::Memory => SqliteConnectOptions::new().in_memory(true),
            DataLocation::File(path) => SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                // The state is kept in memory, so a second server on the same file would overwrite this one's.
                .locking_mode(SqliteLockingMode::Exclusive)
                .busy_timeout(Duration::from_secs(2)),
        };
        // One connection: a memory database lives and dies with it, and writers queue for the state anyway.
        let busy = |error: sqlx::Error| match (error.as_database_error().and_then(|error| error.code()), location) {
            (Some(code), DataLocation::File(path)) if code == SQLITE_BUSY => {
                ServerError::InUse(path.display().to_string())
            }
            _ => error.into(),
        };
        let pool = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(busy)?;
        let storage = Self { pool };
        match storage.migrate().await {
            Ok(()) => Ok(storage),
            Err(ServerError::Storage(error)) => Err(busy(error)),
            Err(error) => Err(error),
        }
    }

    async fn migrate(&self) -> Result<(), ServerError> {
        let (found,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&self.pool).await?;
        if found > SCHEMA {
            return Err(ServerError::Schema { found, known: SCHEMA });
        }
        if found == SCHEMA {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        for statement in [
            "CREATE TABLE documents (
                page TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, body TEXT NOT NULL,
                PRIMARY KEY (page, kind, id)) WITHOUT ROWID",
            "CREATE TABLE points (
                page TEXT NOT NULL, metric TEXT NOT NULL, slot INTEGER NOT NULL, value REAL NOT NULL,
                PRIMARY KEY (page, metric, slot)) WITHOUT ROWID",
            "PRAGMA user_version = 1",
        ] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Every stored object, in the order of creation within its kind.
    pub(super) async fn load(&self) -> Result<Vec<StoredRow>, ServerError> {
        let rows: Vec<(String, String, String, i64, String)> =
            sqlx::query_as("SELECT page, kind, id, sequence, body FROM documents ORDER BY page, kind, sequence")
                .fetch_all(&self.pool)
                .await?;
        let stored = |(page, kind, id, sequence, body)| StoredRow {
            page,
            kind,
            id,
            sequence,
            body,
        };
        Ok(rows.into_iter().map(stored).collect())
    }

    /// Writes what one request changed.
    pub(super) async fn save(&self, batch: &Batch) -> Result<(), ServerError> {
        if batch.documents.is_empty() && batch.points.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        for change in &batch.documents {
            match &change.body {
                Some(body) => {
                    sqlx::query(
                        "INSERT INTO documents (page, kind, id, sequence, body) VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (page, kind, id) DO UPDATE SET sequence = excluded.sequence, body = excluded.body",
                    )
                    .bind(&change.page)
                    .bind(change.kind)
                    .bind(&change.id)
                    .bind(change.sequence)
                    .bind(body)
                    .execute(&mut *transaction)
                    .await?;
                }
                None => {
                    sqlx::query("DELETE FROM documents WHERE page = $1 AND kind = $2 AND id = $3")
                        .bind(&change.page)
                        .bind(change.kind)
                        .bind(&change.id)
                        .execute(&mut *transaction)
                        .await?;
                }
            }
        }
        for (page, change) in &batch.points {
            match change {
                PointChange::Put { metric, slot, value } => {
                    sqlx::query(
                        "INSERT INTO points (page, metric, slot, value) VALUES ($1, $2, $3, $4)
                         ON CONFLICT (page, metric, slot) DO UPDATE SET value = excluded.value",
                    )
                    .bind(page)
                    .bind(metric)
                    .bind(slot)
                    .bind(value)
                    .execute(&mut *transaction)
                    .await?;
                }
                PointChange::Clear { metric } => {
                    sqlx::query("DELETE FROM points WHERE page = $1 AND metric = $2")
                        .bind(page)
                        .bind(metric)
                        .execute(&mut *transaction)
                        .await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The points of a metric from one instant on, oldest first: seconds since 1970 and value.
    pub(super) async fn points(&self, page: &str, metric: &str, from: i64) -> Result<Vec<(i64, f64)>, ServerError> {
        Ok(sqlx::query_as(
            "SELECT slot, value FROM points WHERE page = $1 AND metric = $2 AND slot >= $3 ORDER BY slot",
        )
        .bind(page)
        .bind(metric)
        .bind(from)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Closes the file in good order.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
