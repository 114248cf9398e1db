//! The tables of the event log, in SQLite or PostgreSQL: one schema, one text of every query.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row, SqlStr};

use super::AuditError;
use super::database_url::DatabaseUrl;
use super::event::{AuditEvent, Trait};
use super::filter::{Filter, Tenants};
use super::select::{Bind, Resolved, TraitTest, table};
use super::value::{TraitType, TraitValue};

const SQLITE: &str = include_str!("migrations/sqlite/0001_events.sql");
const POSTGRES: &str = include_str!("migrations/postgres/0001_events.sql");

/// Up to so many rows are counted before the way of a query is chosen.
const PROBE: i64 = 10_000;

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

/// Ids of event types and trait names, both ways.
#[derive(Debug, Default)]
struct Words {
    ids: HashMap<String, i64>,
    words: HashMap<i64, String>,
}

/// The open tables. Clones share the connections.
#[derive(Clone, Debug)]
pub struct EventStore {
    pub(super) pool: AnyPool,
    pub(super) postgres: bool,
    /// How to connect apart from the pool; none for a memory database, which is its one connection.
    apart: Option<AnyConnectOptions>,
    words: Arc<RwLock<Words>>,
}

impl EventStore {
    /// Opens the tables without reaching for the database yet, which is a matter of [`EventStore::migrate`].
    pub(super) fn connect(location: &Location, read_only: bool) -> Result<Self, AuditError> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().acquire_timeout(Duration::from_secs(10));
        let (url, pool, postgres) = match location {
            // A memory database lives and dies with its one connection.
            Location::Memory => {
                let pool = pool.max_connections(1).idle_timeout(None).max_lifetime(None);
                ("sqlite::memory:".to_owned(), pool, false)
            }
            Location::File(path) => (sqlite_url(path, read_only)?, pool.max_connections(4), false),
            Location::Postgres(url) => {
                crate::statuspage::install_crypto();
                (url.expose().to_owned(), pool.max_connections(8), true)
            }
        };
        let options: AnyConnectOptions = url.parse()?;
        let apart = (*location != Location::Memory).then(|| options.clone());
        let pool = pool
            .after_connect(move |connection, _| Box::pin(prepare(connection, postgres, read_only)))
            .connect_lazy_with(options);
        Ok(EventStore {
            pool,
            postgres,
            apart,
            words: Arc::default(),
        })
    }

    /// Opens a log for reading only: what other processes write is seen.
    ///
    /// # Errors
    /// There is no log, or it cannot be reached.
    pub async fn open_read_only(location: &Location) -> Result<Self, AuditError> {
        if let Location::File(path) = location
            && !path.exists()
        {
            return Err(AuditError::NoFile(path.clone()));
        }
        let store = Self::connect(location, true)?;
        sqlx::query("SELECT COUNT(*) FROM words").fetch_one(&store.pool).await?;
        Ok(store)
    }

    /// Brings the tables up to date.
    pub(super) async fn migrate(&self) -> Result<(), AuditError> {
        let sql = if self.postgres { POSTGRES } else { SQLITE };
        let migration = Migration::new(
            1,
            "events".into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            false,
        );
        let migrator = Migrator::with_migrations(vec![migration]);
        match &self.apart {
            None => migrator.run(&self.pool).await?,
            // The pool would try again for a while, where the first answer says enough.
            Some(options) => {
                let mut connection = AnyConnection::connect_with(options).await?;
                prepare(&mut connection, self.postgres, false).await?;
                // `run` asks for more than a task can give, as its own comment says.
                migrator.run_direct(None, &mut connection, false).await?;
                connection.close().await?;
            }
        }
        Ok(())
    }

    /// Closes the connections in good order.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The events that a filter describes, in its order.
    ///
    /// # Errors
    /// The marker is unknown, or the database fails.
    pub async fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, AuditError> {
        let marker = match &filter.marker {
            Some(id) => Some((self.marker(id, &filter.tenants).await?, id.clone())),
            None => None,
        };
        let Some(resolved) = self.resolve(filter, marker, None).await? else {
            return Ok(Vec::new());
        };
        let (driver, few_tenants) = self.choose(&resolved).await?;
        let statement = resolved.statement(driver, few_tenants);
        let rows = statement.query().persistent(false).fetch_all(&self.pool).await?;
        Ok(self.events(rows).await?.into_iter().map(|(_, event)| event).collect())
    }

    /// The way that [`EventStore::query`] takes, in the database's words.
    ///
    /// # Errors
    /// As [`EventStore::query`].
    pub async fn explain(&self, filter: &Filter) -> Result<Vec<String>, AuditError> {
        let marker = match &filter.marker {
            Some(id) => Some((self.marker(id, &filter.tenants).await?, id.clone())),
            None => None,
        };
        let Some(resolved) = self.resolve(filter, marker, None).await? else {
            return Ok(Vec::new());
        };
        let (driver, few_tenants) = self.choose(&resolved).await?;
        let mut statement = resolved.statement(driver, few_tenants);
        let (prefix, column) = if self.postgres {
            ("EXPLAIN ", 0)
        } else {
            ("EXPLAIN QUERY PLAN ", 3)
        };
        statement.sql.insert_str(0, prefix);
        let rows = statement.query().persistent(false).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| row.try_get::<String, _>(column).map_err(AuditError::from))
            .collect()
    }

    /// Events stored after the one of this number, in the order in which they were stored, with their numbers.
    pub(super) async fn tail(&self, filter: &Filter, after: i64) -> Result<Vec<(i64, AuditEvent)>, AuditError> {
        let Some(resolved) = self.resolve(filter, None, Some(after)).await? else {
            return Ok(Vec::new());
        };
        let statement = resolved.statement(None, false);
        let rows = statement.query().fetch_all(&self.pool).await?;
        self.events(rows).await
    }

    /// The number of the event that was stored last.
    pub(super) async fn last_sequence(&self) -> Result<i64, AuditError> {
        let row = sqlx::query("SELECT COALESCE(MAX(sequence), 0) FROM events")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The number of the event with this id that is in scope.
    pub(super) async fn sequence_of(&self, id: &str, tenants: &Tenants) -> Result<i64, AuditError> {
        let (sequence, _) = self.find(id, tenants).await?;
        Ok(sequence)
    }

    async fn marker(&self, id: &str, tenants: &Tenants) -> Result<i64, AuditError> {
        let (_, generated) = self.find(id, tenants).await?;
        Ok(generated)
    }

    /// An event out of scope is as unknown as one that does not exist.
    async fn find(&self, id: &str, tenants: &Tenants) -> Result<(i64, i64), AuditError> {
        let unknown = || AuditError::UnknownMarker(id.to_owned());
        let row = sqlx::query("SELECT sequence, generated, tenant FROM events WHERE message_id = $1")
            .bind(id.to_owned())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(unknown)?;
        let tenant: String = row.try_get(2)?;
        if !tenants.include(&tenant) {
            return Err(unknown());
        }
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Looks up all words of a filter; none when one is unknown, because then nothing can match.
    async fn resolve<'a>(
        &self,
        filter: &'a Filter,
        marker: Option<(i64, String)>,
        after: Option<i64>,
    ) -> Result<Option<Resolved<'a>>, AuditError> {
        let event_type = match &filter.event_type {
            Some(word) => match self.word(word).await? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
            None => None,
        };
        let mut traits = Vec::new();
        for test in &filter.traits {
            // The databases disagree about what is no number: nothing matches it.
            let nothing = matches!(test.value, TraitValue::Float(number) if number.is_nan());
            let Some(name) = self.word(&test.name).await?.filter(|_| !nothing) else {
                return Ok(None);
            };
            traits.push(TraitTest {
                name,
                operator: test.operator,
                value: test.value.clone(),
            });
        }
        Ok(Some(Resolved {
            filter,
            event_type,
            traits,
            marker,
            after,
        }))
    }

    async fn choose(&self, resolved: &Resolved<'_>) -> Result<(Option<usize>, bool), AuditError> {
        let drivers: Vec<usize> = resolved.drivers().collect();
        let mut best = drivers.first().map(|driver| (*driver, i64::MAX));
        if drivers.len() > 1 {
            for driver in drivers {
                let Some(statement) = resolved.count_trait(driver, PROBE) else {
                    continue;
                };
                let count: i64 = statement.query().fetch_one(&self.pool).await?.try_get(0)?;
                if best.is_none_or(|(_, least)| count < least) {
                    best = Some((driver, count));
                }
            }
        }
        let few_tenants = match resolved.count_tenants(PROBE).filter(|_| best.is_none()) {
            Some(statement) => {
                let count: i64 = statement
                    .query()
                    .persistent(false)
                    .fetch_one(&self.pool)
                    .await?
                    .try_get(0)?;
                count < PROBE
            }
            None => false,
        };
        Ok((best.map(|(driver, _)| driver), few_tenants))
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

    fn known<T>(&self, look: impl FnOnce(&Words) -> T) -> T {
        look(&self.words.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn load_words(&self) -> Result<(), AuditError> {
        let rows = sqlx::query("SELECT id, word FROM words").fetch_all(&self.pool).await?;
        let mut fresh = Words::default();
        for row in rows {
            let (id, word): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            fresh.ids.insert(word.clone(), id);
            fresh.words.insert(id, word);
        }
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The ids of words, inside a transaction that makes those that are missing. `made` is remembered only once the
    /// transaction is committed.
    pub(super) async fn intern(
        &self,
        connection: &mut AnyConnection,
        made: &mut HashMap<String, i64>,
        word: &str,
    ) -> Result<i64, AuditError> {
        let known = self.known(|words| words.ids.get(word).copied());
        if let Some(id) = known.or_else(|| made.get(word).copied()) {
            return Ok(id);
        }
        sqlx::query("INSERT INTO words (word) VALUES ($1) ON CONFLICT (word) DO NOTHING")
            .bind(word.to_owned())
            .execute(&mut *connection)
            .await?;
        let row = sqlx::query("SELECT id FROM words WHERE word = $1")
            .bind(word.to_owned())
            .fetch_one(&mut *connection)
            .await?;
        let id = row.try_get(0)?;
        made.insert(word.to_owned(), id);
        Ok(id)
    }

    pub(super) fn remember(&self, made: HashMap<String, i64>) {
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        for (word, id) in made {
            words.ids.insert(word.clone(), id);
            words.words.insert(id, word);
        }
    }

    /// Makes events of rows, with their traits.
    async fn events(&self, rows: Vec<AnyRow>) -> Result<Vec<(i64, AuditEvent)>, AuditError> {
        let mut events = Vec::with_capacity(rows.len());
        let mut positions = HashMap::with_capacity(rows.len());
        for row in rows {
            let sequence: i64 = row.try_get(0)?;
            let tenant: String = row.try_get(4)?;
            let raw: String = row.try_get(5)?;
            let event = AuditEvent {
                message_id: row.try_get(1)?,
                event_type: self.spelled(row.try_get(2)?).await?,
                generated: microseconds(row.try_get(3)?),
                tenant: Some(tenant).filter(|tenant| !tenant.is_empty()),
                traits: Vec::new(),
                raw: serde_json::from_str(&raw).unwrap_or(serde_json::Value::String(raw)),
            };
            positions.insert(sequence, events.len());
            events.push((sequence, event));
        }
        let sequences: Vec<i64> = events.iter().map(|(sequence, _)| *sequence).collect();
        for chunk in sequences.chunks(500) {
            for kind in TraitType::ALL {
                let mut statement = super::select::Statement::default();
                statement.push("SELECT t.event, t.name, t.value FROM ");
                statement.push(table(kind));
                statement.push(" t WHERE t.event IN ");
                statement.list(chunk.iter().map(|sequence| Bind::Integer(*sequence)));
                for row in statement.query().persistent(false).fetch_all(&self.pool).await? {
                    let sequence: i64 = row.try_get(0)?;
                    let name = self.spelled(row.try_get(1)?).await?;
                    let value = read_value(kind, &row, 2)?;
                    if let Some((_, event)) = positions.get(&sequence).and_then(|at| events.get_mut(*at)) {
                        event.traits.push(Trait { name, value });
                    }
                }
            }
        }
        events.iter_mut().for_each(|(_, event)| event.sort_traits());
        Ok(events)
    }

    async fn spelled(&self, id: i64) -> Result<String, AuditError> {
        if let Some(word) = self.known(|words| words.words.get(&id).cloned()) {
            return Ok(word);
        }
        self.load_words().await?;
        self.known(|words| words.words.get(&id).cloned())
            .ok_or_else(|| AuditError::Database(sqlx::Error::RowNotFound))
    }
}

pub(super) fn read_value(kind: TraitType, row: &AnyRow, column: usize) -> Result<TraitValue, AuditError> {
    Ok(match kind {
        TraitType::String => TraitValue::String(row.try_get(column)?),
        TraitType::Integer => TraitValue::Integer(row.try_get(column)?),
        TraitType::Float => TraitValue::Float(row.try_get(column)?),
        TraitType::Datetime => TraitValue::Datetime(microseconds(row.try_get(column)?)),
    })
}

/// Makes a new connection fit for use.
async fn prepare(connection: &mut AnyConnection, postgres: bool, read_only: bool) -> Result<(), sqlx::Error> {
    if postgres {
        return Ok(());
    }
    // FULL: what was committed is there after a power cut too; the journal is shortened after it. 64 MB of cache at
    // most: a batch touches pages all over the indexes.
    connection
        .execute(
            "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA temp_store = \
             MEMORY; PRAGMA cache_size = -65536",
        )
        .await?;
    if !read_only {
        connection.execute("PRAGMA journal_mode = WAL").await?;
    }
    Ok(())
}

pub(super) fn microseconds(since_epoch: i64) -> Timestamp {
    Timestamp::from_microsecond(since_epoch).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A path as a URL. Relative paths are made absolute, because a URL would take their beginning for a host.
fn sqlite_url(path: &Path, read_only: bool) -> Result<String, AuditError> {
    let unusable = |source| AuditError::File {
        path: path.to_owned(),
        source,
    };
    let path = std::path::absolute(path).map_err(unusable)?;
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str(if read_only { "?mode=ro" } else { "?mode=rwc" });
    Ok(url)
}
