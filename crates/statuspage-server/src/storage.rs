//! Where data lives beside the state in memory: nowhere, or in a SQLite database with objects as documents and metric
//! points as rows. Everything that one request changes is one transaction, so a killed process leaves either all of it
//! or nothing.
//!
//! Invariant: a connection is used again only after it did everything that was asked of it. One that failed, on a full
//! disk for example, may be inside of a transaction that nothing commits any more.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, Transaction};

use super::errors::ServerError;
use super::notifications::Added;
use super::state::{PointChange, State};
use super::table::{Change, StoredRow};

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

/// Where the data is kept.
#[derive(Debug)]
pub(super) enum Storage {
    /// Objects are in the state only, and points here.
    Memory(Mutex<Points>),
    /// The open database.
    File(Database),
}

/// The points of every metric by page, metric and slot.
type Points = BTreeMap<(String, String), BTreeMap<i64, f64>>;

impl Storage {
    /// Opens what there is.
    pub(super) async fn open(location: &DataLocation) -> Result<Self, ServerError> {
        match location {
            DataLocation::Memory => Ok(Self::Memory(Mutex::default())),
            DataLocation::File(path) => Database::open(path).await.map(Self::File),
        }
    }

    /// Every stored object, in the order of creation within its kind.
    pub(super) async fn load(&self) -> Result<Vec<StoredRow>, ServerError> {
        match self {
            Self::Memory(_) => Ok(Vec::new()),
            Self::File(database) => database.load().await,
        }
    }

    /// Writes what one request changed.
    pub(super) async fn save(&self, state: &State, notifications: &Added) -> Result<(), ServerError> {
        match self {
            Self::Memory(points) => {
                let mut points = points.lock().unwrap_or_else(PoisonError::into_inner);
                for (page, change) in state.points() {
                    keep(&mut points, page, change);
                }
                Ok(())
            }
            Self::File(database) => {
                let documents = state.documents(notifications)?;
                database.save(&documents, &state.points().collect::<Vec<_>>()).await
            }
        }
    }

    /// The points of a metric from one instant on, oldest first: seconds since 1970 and value.
    pub(super) async fn points(&self, page: &str, metric: &str, from: i64) -> Result<Vec<(i64, f64)>, ServerError> {
        match self {
            Self::Memory(points) => {
                let points = points.lock().unwrap_or_else(PoisonError::into_inner);
                let kept = points.get(&(page.to_owned(), metric.to_owned()));
                Ok(kept.map_or_else(Vec::new, |kept| {
                    kept.range(from..).map(|(slot, value)| (*slot, *value)).collect()
                }))
            }
            Self::File(database) => database.points(page, metric, from).await,
        }
    }

    /// Closes the file in good order.
    pub(super) async fn close(&self) -> Result<(), ServerError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(database) => database.close().await,
        }
    }
}

fn keep(points: &mut Points, page: &str, change: &PointChange) {
    match change {
        PointChange::Put { metric, slot, value } => {
            let kept = points.entry((page.to_owned(), metric.clone())).or_default();
            kept.insert(*slot, *value);
        }
        PointChange::Clear { metric } => {
            points.remove(&(page.to_owned(), metric.clone()));
        }
    }
}

/// A SQLite file with one connection: writers queue for the state anyway.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    /// None after a failure: the next request connects again.
    connection: tokio::sync::Mutex<Option<SqliteConnection>>,
    /// Set in the end, so that a straggler does not take the file again.
    is_closed: AtomicBool,
}

impl Database {
    /// Opens the file and brings its tables up to date.
    async fn open(path: &Path) -> Result<Self, ServerError> {
        let database = Self {
            path: path.to_owned(),
            connection: tokio::sync::Mutex::default(),
            is_closed: AtomicBool::new(false),
        };
        let opened = database.with(async |connection| migrate(connection).await).await;
        match opened {
            Ok(()) => Ok(database),
            Err(ServerError::Storage(error)) if is_busy(&error) => Err(ServerError::InUse(path.display().to_string())),
            Err(error) => Err(error),
        }
    }

    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            // The state is kept in memory, so a second server on the same file would overwrite this one's.
            .locking_mode(SqliteLockingMode::Exclusive)
            .busy_timeout(Duration::from_secs(2));
        SqliteConnection::connect_with(&options).await
    }

    /// Does something with the connection. It is taken out meanwhile, so that one that fails, or is given up in the
    /// middle of its work, is never used again.
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let mut place = self.connection.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None if self.is_closed.load(Ordering::Relaxed) => return Err(sqlx::Error::PoolClosed.into()),
            None => self.connect().await?,
        };
        match work(&mut connection).await {
            Ok(done) => {
                *place = Some(connection);
                Ok(done)
            }
            Err(error) => {
                // Closing waits for the end of its lock on the file; what it says does not matter any more.
                let _ = connection.close().await;
                Err(error)
            }
        }
    }

    async fn load(&self) -> Result<Vec<StoredRow>, ServerError> {
        self.with(async |connection| {
            let rows: Vec<(String, String, String, i64, String)> =
                sqlx::query_as("SELECT page, kind, id, sequence, body FROM documents ORDER BY page, kind, sequence")
                    .fetch_all(connection)
                    .await?;
            let stored = |(page, kind, id, sequence, body)| StoredRow {
                page,
                kind,
                id,
                sequence,
                body,
            };
            Ok(rows.into_iter().map(stored).collect())
        })
        .await
    }

    async fn save(&self, documents: &[Change], points: &[(&str, &PointChange)]) -> Result<(), ServerError> {
        self.with(async |connection| {
            let mut transaction = connection.begin().await?;
            for change in documents {
                write_document(&mut transaction, change).await?;
            }
            for (page, change) in points {
                write_point(&mut transaction, page, change).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    async fn points(&self, page: &str, metric: &str, from: i64) -> Result<Vec<(i64, f64)>, ServerError> {
        self.with(async |connection| {
            Ok(sqlx::query_as(
                "SELECT slot, value FROM points WHERE page = $1 AND metric = $2 AND slot >= $3 ORDER BY slot",
            )
            .bind(page)
            .bind(metric)
            .bind(from)
            .fetch_all(connection)
            .await?)
        })
        .await
    }

    async fn close(&self) -> Result<(), ServerError> {
        let mut place = self.connection.lock().await;
        self.is_closed.store(true, Ordering::Relaxed);
        match place.take() {
            Some(connection) => Ok(connection.close().await?),
            None => Ok(()),
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == SQLITE_BUSY)
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), ServerError> {
    let (found,): (i64,) = sqlx::query_as("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    if found > SCHEMA {
        return Err(ServerError::Schema { found, known: SCHEMA });
    }
    if found == SCHEMA {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
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

async fn write_document(transaction: &mut Transaction<'_, Sqlite>, change: &Change) -> Result<(), sqlx::Error> {
    let query = match &change.body {
        Some(body) => sqlx::query(
            "INSERT INTO documents (page, kind, id, sequence, body) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (page, kind, id) DO UPDATE SET sequence = excluded.sequence, body = excluded.body",
        )
        .bind(&change.page)
        .bind(change.kind)
        .bind(&change.id)
        .bind(change.sequence)
        .bind(body),
        None => sqlx::query("DELETE FROM documents WHERE page = $1 AND kind = $2 AND id = $3")
            .bind(&change.page)
            .bind(change.kind)
            .bind(&change.id),
    };
    query.execute(&mut **transaction).await?;
    Ok(())
}

async fn write_point(
    transaction: &mut Transaction<'_, Sqlite>,
    page: &str,
    change: &PointChange,
) -> Result<(), sqlx::Error> {
    let query = match change {
        PointChange::Put { metric, slot, value } => sqlx::query(
            "INSERT INTO points (page, metric, slot, value) VALUES ($1, $2, $3, $4)
             ON CONFLICT (page, metric, slot) DO UPDATE SET value = excluded.value",
        )
        .bind(page)
        .bind(metric)
        .bind(slot)
        .bind(value),
        PointChange::Clear { metric } => sqlx::query("DELETE FROM points WHERE page = $1 AND metric = $2")
            .bind(page)
            .bind(metric),
    };
    query.execute(&mut **transaction).await?;
    Ok(())
}
