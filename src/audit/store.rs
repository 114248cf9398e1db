//! The tables of the event log, in SQLite or PostgreSQL: one schema, one text of every query.
//!
//! Readers share a few connections; who writes has one of its own ([`super::write::Writer`]), so that no reader is in its
//! way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, SqlStr};

use super::AuditError;
use super::database_url::DatabaseUrl;
use super::place::Place;

const SQLITE: [&str; 2] = [
    include_str!("migrations/sqlite/0001_events.sql"),
    include_str!("migrations/sqlite/0002_by_namespace.sql"),
];
const POSTGRES: [&str; 2] = [
    include_str!("migrations/postgres/0001_events.sql"),
    include_str!("migrations/postgres/0002_by_namespace.sql"),
];

/// Connections for reading. Each caches a little of the file.
const READERS: u32 = 4;
/// How long a reader waits for one of them.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Nowhere: they are gone with the process.
    Memory,
    /// In a SQLite file, which is made when absent.
    File(PathBuf),
    /// In the PostgreSQL database of this URL, for several replicas.
    Postgres(DatabaseUrl),
}

impl std::str::FromStr for Location {
    type Err = AuditError;

    /// Reads a path, `:memory:`, or a `postgres://` URL.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        match text {
            "" => Err(AuditError::NoLocation),
            ":memory:" => Ok(Location::Memory),
            _ if postgres && cfg!(not(feature = "postgres")) => Err(AuditError::NoPostgres),
            _ if postgres => Ok(Location::Postgres(DatabaseUrl::new(text))),
            path => Ok(Location::File(PathBuf::from(path))),
        }
    }
}

/// Ids of event types, names of traits and tenants, both ways.
#[derive(Debug, Default)]
struct Words {
    ids: HashMap<String, i64>,
    words: HashMap<i64, String>,
    /// Of which file they are: ids of one mean nothing in another.
    changes: u64,
}

impl Words {
    fn insert(&mut self, id: i64, word: String) {
        self.ids.insert(word.clone(), id);
        self.words.insert(id, word);
    }
}

/// The open tables. Clones share the connections.
#[derive(Clone, Debug)]
pub struct EventStore {
    pub(super) pool: AnyPool,
    pub(super) postgres: bool,
    /// How to connect apart from the pool; none for a memory database, which is its one connection.
    pub(super) apart: Option<AnyConnectOptions>,
    /// The file, which somebody may take away; none where there is none.
    pub(super) place: Option<Arc<Place>>,
    words: Arc<RwLock<Words>>,
}

impl EventStore {
    /// Opens the tables without reaching for the database yet, which is a matter of [`EventStore::migrate`].
    pub(super) fn connect(location: &Location, read_only: bool) -> Result<Self, AuditError> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().acquire_timeout(ACQUIRE_LIMIT);
        let postgres = matches!(location, Location::Postgres(_));
        let (reader, writer, pool) = match location {
            // A memory database lives and dies with its one connection, which is closed when whoever tests it before use
            // is cancelled.
            Location::Memory => {
                let pool = pool.max_connections(1).idle_timeout(None).max_lifetime(None);
                ("sqlite::memory:".to_owned(), None, pool.test_before_acquire(false))
            }
            Location::File(path) => {
                // Only who writes makes the file.
                let reader = sqlite_url(path, if read_only { "ro" } else { "rw" })?;
                (reader, Some(sqlite_url(path, "rwc")?), pool.max_connections(READERS))
            }
            Location::Postgres(url) => {
                crate::statuspage::install_crypto();
                let url = url.expose().to_owned();
                (url.clone(), Some(url), pool.max_connections(READERS))
            }
        };
        let place = match location {
            Location::File(path) => Some(Arc::new(Place::new(path))),
            Location::Memory | Location::Postgres(_) => None,
        };
        let shared = *location == Location::Memory;
        let mut pool = pool.after_connect(move |connection, _| {
            let role = if shared { Role::Both } else { Role::Reader };
            Box::pin(prepare(connection, postgres, role))
        });
        if let Some(place) = place.clone() {
            // A connection to a file that is no longer there reads what is no longer there.
            pool = pool.before_acquire(move |_, connection| {
                Box::pin(std::future::ready(Ok(place.is_current(connection.age))))
            });
        }
        Ok(EventStore {
            pool: pool.connect_lazy_with(reader.parse()?),
            postgres,
            apart: writer.map(|url| url.parse()).transpose()?,
            place,
            words: Arc::default(),
        })
    }

    /// Opens a log for reading only: what other processes write is seen.
    ///
    /// # Errors
    /// There is no log, or it cannot be reached, or it is of an older version and nobody has brought it up to date.
    pub async fn open_read_only(location: &Location) -> Result<Self, AuditError> {
        if let Location::File(path) = location {
            if path.is_dir() {
                super::place::check_place(path)?;
            }
            if !path.exists() {
                return Err(AuditError::NoFile(path.clone()));
            }
        }
        let store = Self::connect(location, true)?;
        // By a connection of its own: the pool would try again for a while, where the first answer says enough. A memory
        // database of somebody else cannot be read.
        let url = match location {
            Location::Memory => return Ok(store),
            Location::File(path) => sqlite_url(path, "ro")?,
            Location::Postgres(url) => url.expose().to_owned(),
        };
        let mut connection = AnyConnection::connect(&url).await?;
        // This table came last.
        if let Err(error) = connection.execute("SELECT COUNT(*) FROM tenant_types").await {
            let old = connection.execute("SELECT COUNT(*) FROM words").await;
            return Err(match old {
                Ok(_) => AuditError::OldTables,
                Err(_) => error.into(),
            });
        }
        connection.close().await?;
        Ok(store)
    }

    /// Connects for writing, apart from the readers; none where there is one connection only.
    pub(super) async fn connect_apart(&self) -> Result<Option<AnyConnection>, AuditError> {
        let Some(options) = &self.apart else { return Ok(None) };
        if let Some(place) = &self.place {
            // A file that cannot be made is told by the database too, in words that are known.
            let _ = place.prepare();
        }
        let mut connection = AnyConnection::connect_with(options).await?;
        prepare(&mut connection, self.postgres, Role::Writer).await?;
        if let Some(place) = &self.place {
            place.changes();
        }
        Ok(Some(connection))
    }

    /// Brings the tables up to date.
    pub(super) async fn migrate(&self, connection: &mut AnyConnection) -> Result<(), AuditError> {
        let texts = if self.postgres { POSTGRES } else { SQLITE };
        let migrations = (1..).zip(texts).map(|(version, sql)| {
            let kind = MigrationType::Simple;
            Migration::new(version, "events".into(), kind, SqlStr::from_static(sql), false)
        });
        let migrator = Migrator::with_migrations(migrations.collect());
        // `run` asks for more than a task can give, as its own comment says.
        migrator.run_direct(None, connection, false).await?;
        Ok(())
    }

    /// Closes the connections in good order.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The id of a word that is in use.
    pub(super) async fn word(&self, word: &str) -> Result<Option<i64>, AuditError> {
        let known = self.known(|words| words.ids.get(word).copied());
        if known.is_some() {
            return Ok(known);
        }
        // Another process may have written it meanwhile.
        self.load_words().await?;
        Ok(self.known(|words| words.ids.get(word).copied()))
    }

    /// The word of an id.
    pub(super) async fn spelled(&self, id: i64) -> Result<String, AuditError> {
        if let Some(word) = self.known(|words| words.words.get(&id).cloned()) {
            return Ok(word);
        }
        self.load_words().await?;
        self.known(|words| words.words.get(&id).cloned())
            .ok_or(AuditError::Database(sqlx::Error::RowNotFound))
    }

    pub(super) fn known_id(&self, word: &str) -> Option<i64> {
        self.known(|words| words.ids.get(word).copied())
    }

    fn known<T>(&self, look: impl FnOnce(&Words) -> Option<T>) -> Option<T> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        if words.changes == self.changes() {
            look(&words)
        } else {
            None
        }
    }

    /// How often the file was another one.
    pub(super) fn changes(&self) -> u64 {
        self.place.as_ref().map_or(0, |place| place.changes())
    }

    async fn load_words(&self) -> Result<(), AuditError> {
        let changes = self.changes();
        let words = sqlx::query_as("SELECT id, word FROM words");
        let words: Vec<(i64, String)> = words.fetch_all(&self.pool).await?;
        let mut fresh = Words {
            changes,
            ..Words::default()
        };
        words.into_iter().for_each(|(id, word)| fresh.insert(id, word));
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Remembers words that a transaction has made, once it is committed.
    pub(super) fn remember(&self, made: HashMap<String, i64>, changes: u64) {
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        if words.changes != changes {
            *words = Words {
                changes,
                ..Words::default()
            };
        }
        made.into_iter().for_each(|(word, id)| words.insert(id, word));
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Reader,
    Writer,
    /// The one connection of a memory database.
    Both,
}

/// Makes a new connection fit for use.
async fn prepare(connection: &mut AnyConnection, postgres: bool, role: Role) -> Result<(), sqlx::Error> {
    if postgres {
        return Ok(());
    }
    connection
        .execute("PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY")
        .await?;
    if role != Role::Writer {
        // What is read once is seldom read again, and the operating system caches too.
        connection.execute("PRAGMA cache_size = -4096").await?;
    }
    if role != Role::Reader {
        // FULL: what was committed is there after a power cut too; the journal is shortened after it. 24 MB of cache at
        // most: a batch touches pages all over the indexes.
        connection
            .execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -24576")
            .await?;
    }
    Ok(())
}

/// What has to be encoded of a path.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A path as a URL. Relative paths are made absolute, because a URL would take their beginning for a host.
fn sqlite_url(path: &Path, mode: &str) -> Result<String, AuditError> {
    let unusable = |source| AuditError::File {
        path: path.to_owned(),
        source,
    };
    let path = std::path::absolute(path).map_err(unusable)?;
    let encoded = percent_encode(path.as_os_str().as_encoded_bytes(), IN_PATHS);
    Ok(format!("sqlite://{encoded}?mode={mode}"))
}
