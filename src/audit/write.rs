//! Insertion, retention and removal, by the one connection that writes.
//!
//! Invariant: a transaction that failed ends its connection. Whatever state it left behind, the next attempt begins with
//! a new one, and with the tables that are there then.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Connection, Row};

use super::AuditError;
use super::event::{AuditEvent, Trait, read_traits, write_traits};
use super::statement::{Bind, Statement, table};
use super::store::{EventStore, Location};
use super::value::{TraitType, TraitValue};

/// Events in one INSERT. SQLite looks every placeholder up in a list, so that the time of a statement grows with the
/// square of their number: a few hundred are the best.
const EVENTS_PER_STATEMENT: usize = 40;
/// Rows of traits in one statement.
const TRAITS_PER_STATEMENT: usize = 50;
/// Events that are deleted in one transaction: new events wait for one of these at most.
pub(super) const PIECE: i64 = 50;
/// Between two of them others have their turn.
pub(super) const BETWEEN_PIECES: Duration = Duration::from_millis(5);
/// Writers to PostgreSQL queue for this lock, so that numbers become visible in their order and whoever follows
/// misses none.
const LOCK: i64 = 0x7374_6174_7573_7067;

/// How long events are kept, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Older events go; none keeps them for ever.
    pub age: Option<Duration>,
    /// When events and traits take more bytes than this the oldest go. Indexes are not counted; on disk it is about
    /// three times as much. None sets no bound.
    pub bytes: Option<u64>,
}

/// Which events are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doomed {
    /// Those that retention does not keep at this time.
    Expired(Retention, Timestamp),
    /// Those of one namespace.
    Tenant(String),
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    store: EventStore,
    connection: Option<Connected>,
    /// True once the tables were seen to be up to date.
    migrated: bool,
    /// Which file it was, counted by changes.
    changes: u64,
}

#[derive(Debug)]
enum Connected {
    Own(AnyConnection),
    /// A memory database has one connection.
    Shared(PoolConnection<Any>),
}

impl Connected {
    fn get(&mut self) -> &mut AnyConnection {
        match self {
            Connected::Own(connection) => connection,
            Connected::Shared(connection) => connection,
        }
    }
}

impl Writer {
    pub(super) fn new(store: EventStore) -> Self {
        let changes = store.changes();
        Writer {
            store,
            connection: None,
            migrated: false,
            changes,
        }
    }

    /// Connects, and brings the tables up to date.
    pub(super) async fn open(&mut self) -> Result<(), AuditError> {
        self.attempt(async |_, _| Ok(())).await
    }

    /// Stores events; one that is there already is left as it is. Returns how many were new.
    pub(super) async fn insert(&mut self, events: &[AuditEvent]) -> Result<usize, AuditError> {
        if events.is_empty() {
            return Ok(0);
        }
        let inserted = self
            .attempt(async |store, connection| insert(store, connection, events).await)
            .await?;
        if self.store.changes() != self.changes {
            // Stored in a file that is gone.
            return Err(AuditError::Replaced);
        }
        Ok(inserted)
    }

    /// Deletes a few of the events that are to go. Returns how many went; none when none is left.
    pub(super) async fn delete_piece(&mut self, doomed: &Doomed) -> Result<u64, AuditError> {
        self.attempt(async |store, connection| delete_piece(store, connection, doomed).await)
            .await
    }

    pub(super) async fn close(&mut self) {
        if let Some(Connected::Own(connection)) = self.connection.take() {
            // What was committed is stored; the rest is the database's to tidy up.
            let _ = connection.close().await;
        }
    }

    async fn attempt<T>(
        &mut self,
        work: impl AsyncFnOnce(&EventStore, &mut AnyConnection) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        let changes = self.store.changes();
        if changes != self.changes {
            tracing::warn!("the file of the event log was removed or replaced: what was stored in it is gone with it");
            (self.connection, self.migrated, self.changes) = (None, false, changes);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.store.connect_apart().await? {
                Some(connection) => Connected::Own(connection),
                None => Connected::Shared(self.store.pool.acquire().await?),
            },
        };
        self.changes = self.store.changes();
        if !self.migrated {
            self.store.migrate(connection.get()).await?;
            self.migrated = true;
        }
        let result = work(&self.store, connection.get()).await;
        match (&result, connection) {
            (Ok(_), connection @ Connected::Own(_)) => self.connection = Some(connection),
            // Others read by it.
            (_, Connected::Shared(_)) => {}
            (Err(_), Connected::Own(connection)) => {
                self.migrated = false;
                // It has failed already; what it says at the end adds nothing.
                let _ = connection.close_hard().await;
            }
        }
        result
    }
}

/// Deletes all events of a namespace from a log that nobody needs to have open. Returns how many went.
///
/// # Errors
/// There is no such log, or the database fails.
pub async fn purge(location: &Location, namespace: &str) -> Result<u64, AuditError> {
    if let Location::File(path) = location
        && !path.exists()
    {
        return Err(AuditError::NoFile(path.clone()));
    }
    let store = EventStore::connect(location, false)?;
    let mut writer = Writer::new(store.clone());
    let doomed = Doomed::Tenant(namespace.to_owned());
    let mut deleted = 0;
    loop {
        match writer.delete_piece(&doomed).await? {
            0 => break,
            more => deleted += more,
        }
        // Whoever records in it has its turn.
        tokio::time::sleep(BETWEEN_PIECES).await;
    }
    writer.close().await;
    store.close().await;
    Ok(deleted)
}

/// Ids of words inside a transaction; those that it makes are remembered once it is committed.
struct Interner<'a> {
    store: &'a EventStore,
    made: HashMap<String, i64>,
}

impl Interner<'_> {
    async fn id(&mut self, connection: &mut AnyConnection, word: &str) -> Result<i64, AuditError> {
        if let Some(id) = self.made.get(word).copied().or_else(|| self.store.known_id(word)) {
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
        self.made.insert(word.to_owned(), id);
        Ok(id)
    }
}

/// What a transaction adds to, or takes from, the counted tables.
#[derive(Default)]
struct Tally {
    types: BTreeMap<(i64, i64), i64>,
    traits: BTreeMap<(i64, i64, i64, &'static str), i64>,
    bytes: i64,
}

async fn begin<'c>(
    store: &EventStore,
    connection: &'c mut AnyConnection,
) -> Result<sqlx::Transaction<'c, Any>, AuditError> {
    // SQLite: the right to write is taken at once, where waiting for it is possible.
    let statement = if store.postgres { "BEGIN" } else { "BEGIN IMMEDIATE" };
    let mut transaction = connection.begin_with(statement).await?;
    if store.postgres {
        sqlx::query("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS held")
            .bind(LOCK)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction)
}

async fn insert(
    store: &EventStore,
    connection: &mut AnyConnection,
    events: &[AuditEvent],
) -> Result<usize, AuditError> {
    let changes = store.changes();
    let mut transaction = begin(store, connection).await?;
    let mut interner = Interner {
        store,
        made: HashMap::new(),
    };
    let mut tally = Tally::default();
    let mut stored = 0;
    for chunk in events.chunks(EVENTS_PER_STATEMENT) {
        stored += insert_chunk(&mut transaction, &mut interner, &mut tally, chunk).await?;
    }
    add(&mut transaction, &tally).await?;
    let made = interner.made;
    transaction.commit().await?;
    store.remember(made, changes);
    Ok(stored)
}

async fn insert_chunk(
    connection: &mut AnyConnection,
    interner: &mut Interner<'_>,
    tally: &mut Tally,
    events: &[AuditEvent],
) -> Result<usize, AuditError> {
    let mut statement = Statement::default();
    statement.push("INSERT INTO events (message_id, event_type, generated, tenant, size, traits, raw) VALUES ");
    let mut by_id = HashMap::with_capacity(events.len());
    for event in events {
        if by_id.contains_key(event.message_id.as_str()) {
            continue;
        }
        let event_type = interner.id(connection, &event.event_type).await?;
        let tenant = interner
            .id(connection, event.tenant.as_deref().unwrap_or_default())
            .await?;
        let (traits, raw) = (write_traits(&event.traits), event.raw.to_string());
        statement.push(if by_id.is_empty() { "" } else { ", " });
        let size = i64::try_from(raw.len() + event.traits.iter().map(size).sum::<usize>()).unwrap_or(i64::MAX);
        statement.list([
            Bind::Text(event.message_id.clone()),
            Bind::Integer(event_type),
            Bind::Integer(event.generated.as_microsecond()),
            Bind::Integer(tenant),
            Bind::Integer(size),
            Bind::Text(traits),
            Bind::Text(raw),
        ]);
        by_id.insert(event.message_id.as_str(), (event, event_type, tenant, size));
    }
    statement.push(" ON CONFLICT (message_id) DO NOTHING RETURNING sequence, message_id");
    let rows = statement.query().fetch_all(&mut *connection).await?;
    let mut traits: HashMap<TraitType, Vec<[Bind; 6]>> = HashMap::new();
    for row in &rows {
        let (sequence, id): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let Some((event, event_type, tenant, size)) = by_id.get(id.as_str()) else {
            continue;
        };
        *tally.types.entry((*tenant, *event_type)).or_default() += 1;
        tally.bytes += size;
        for known in &event.traits {
            let name = interner.id(connection, &known.name).await?;
            let kind = known.value.kind();
            *tally
                .traits
                .entry((*tenant, *event_type, name, kind.as_str()))
                .or_default() += 1;
            traits.entry(kind).or_default().push([
                Bind::Integer(*tenant),
                Bind::Integer(name),
                Bind::from(&known.value),
                Bind::Integer(event.generated.as_microsecond()),
                Bind::Integer(sequence),
                Bind::Integer(*event_type),
            ]);
        }
    }
    for (kind, rows) in traits {
        for chunk in rows.chunks(TRAITS_PER_STATEMENT) {
            let mut statement = Statement::default();
            statement.push(&format!(
                "INSERT INTO {} (tenant, name, value, generated, event, event_type) VALUES ",
                table(kind)
            ));
            statement.rows(chunk);
            statement.query().execute(&mut *connection).await?;
        }
    }
    Ok(rows.len())
}

/// Adds to the counted tables, or takes from them; what is counted down to nothing goes.
async fn add(connection: &mut AnyConnection, tally: &Tally) -> Result<(), AuditError> {
    let types: Vec<[Bind; 3]> = tally
        .types
        .iter()
        .map(|((tenant, event_type), events)| [*tenant, *event_type, *events].map(Bind::Integer))
        .collect();
    for chunk in types.chunks(TRAITS_PER_STATEMENT) {
        let mut statement = Statement::default();
        statement.push("INSERT INTO tenant_types (tenant, event_type, events) VALUES ");
        statement.rows(chunk);
        statement
            .push(" ON CONFLICT (tenant, event_type) DO UPDATE SET events = tenant_types.events + excluded.events");
        statement.query().execute(&mut *connection).await?;
    }
    let traits: Vec<[Bind; 5]> = tally
        .traits
        .iter()
        .map(|((tenant, event_type, name, kind), events)| {
            let number = Bind::Integer;
            let kind = Bind::Text((*kind).to_owned());
            [
                number(*tenant),
                number(*event_type),
                number(*name),
                kind,
                number(*events),
            ]
        })
        .collect();
    for chunk in traits.chunks(TRAITS_PER_STATEMENT) {
        let mut statement = Statement::default();
        statement.push("INSERT INTO tenant_traits (tenant, event_type, name, kind, events) VALUES ");
        statement.rows(chunk);
        statement.push(
            " ON CONFLICT (tenant, event_type, name, kind) DO UPDATE \
             SET events = tenant_traits.events + excluded.events",
        );
        statement.query().execute(&mut *connection).await?;
    }
    sqlx::query("UPDATE totals SET bytes = bytes + $1")
        .bind(tally.bytes)
        .execute(&mut *connection)
        .await?;
    for ((tenant, event_type), events) in &tally.types {
        if *events < 0 {
            for table in ["tenant_traits", "tenant_types"] {
                let mut statement = Statement::default();
                statement.push(&format!("DELETE FROM {table} WHERE tenant = "));
                statement.integer(*tenant);
                statement.push(" AND event_type = ");
                statement.integer(*event_type);
                statement.push(" AND events <= 0");
                statement.query().execute(&mut *connection).await?;
            }
        }
    }
    Ok(())
}

async fn delete_piece(store: &EventStore, connection: &mut AnyConnection, doomed: &Doomed) -> Result<u64, AuditError> {
    let mut transaction = begin(store, connection).await?;
    let Some(statement) = select_piece(store, &mut transaction, doomed).await? else {
        return Ok(0);
    };
    let rows = statement.query().fetch_all(&mut *transaction).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut interner = Interner {
        store,
        made: HashMap::new(),
    };
    let mut tally = Tally::default();
    let mut sequences = Vec::new();
    let mut traits: HashMap<TraitType, Vec<[Bind; 5]>> = HashMap::new();
    for row in &rows {
        let (sequence, event_type, generated): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (tenant, size): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
        let text: String = row.try_get(5)?;
        sequences.push([Bind::Integer(sequence)]);
        *tally.types.entry((tenant, event_type)).or_default() -= 1;
        tally.bytes -= size;
        for known in read_traits(&text) {
            let name = interner.id(&mut transaction, &known.name).await?;
            let kind = known.value.kind();
            *tally
                .traits
                .entry((tenant, event_type, name, kind.as_str()))
                .or_default() -= 1;
            traits.entry(kind).or_default().push([
                Bind::Integer(tenant),
                Bind::Integer(name),
                Bind::from(&known.value),
                Bind::Integer(generated),
                Bind::Integer(sequence),
            ]);
        }
    }
    for (kind, rows) in traits {
        for chunk in rows.chunks(TRAITS_PER_STATEMENT) {
            let mut statement = Statement::default();
            statement.push(&format!(
                "DELETE FROM {} WHERE (tenant, name, value, generated, event) IN (VALUES ",
                table(kind)
            ));
            statement.rows(chunk);
            statement.push(")");
            statement.query().execute(&mut *transaction).await?;
        }
    }
    let mut statement = Statement::default();
    statement.push("DELETE FROM events WHERE sequence IN (VALUES ");
    statement.rows(&sequences);
    statement.push(")");
    statement.query().execute(&mut *transaction).await?;
    add(&mut transaction, &tally).await?;
    transaction.commit().await?;
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

/// The oldest of the events that are to go; none when none is.
async fn select_piece(
    store: &EventStore,
    connection: &mut AnyConnection,
    doomed: &Doomed,
) -> Result<Option<Statement>, AuditError> {
    let mut statement = Statement::default();
    statement.push("SELECT e.sequence, e.event_type, e.generated, e.tenant, e.size, e.traits FROM events e");
    match doomed {
        Doomed::Tenant(name) => {
            let Some(id) = store.word(name).await? else {
                return Ok(None);
            };
            statement.push(" WHERE e.tenant = ");
            statement.integer(id);
            statement.push(" ORDER BY e.generated LIMIT ");
            statement.integer(PIECE);
        }
        Doomed::Expired(retention, now) => {
            let too_many = match retention.bytes {
                Some(most) => {
                    let row = sqlx::query("SELECT bytes FROM totals")
                        .fetch_one(&mut *connection)
                        .await?;
                    let bytes: i64 = row.try_get(0)?;
                    bytes > i64::try_from(most).unwrap_or(i64::MAX)
                }
                None => false,
            };
            let oldest = retention.age.map(|age| now.checked_sub(age).unwrap_or(Timestamp::MIN));
            match (too_many, oldest) {
                (true, _) => {}
                (false, Some(oldest)) => {
                    // What is exactly that old stays.
                    statement.push(" WHERE e.generated < ");
                    statement.integer(oldest.as_microsecond());
                }
                (false, None) => return Ok(None),
            }
            statement.push(" ORDER BY e.generated, e.message_id LIMIT ");
            statement.integer(PIECE);
        }
    }
    Ok(Some(statement))
}

/// Bytes of a trait, roughly.
fn size(known: &Trait) -> usize {
    match &known.value {
        TraitValue::String(text) => text.len() + 16,
        _ => 24,
    }
}
