//! Insertion, retention and removal, by the one connection that writes.
//!
//! Invariant: a transaction that failed ends its connection. Whatever state it left behind, the next attempt begins with
//! a new one, and with the tables that are there then.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Connection};

use super::AuditError;
use super::event::{AuditEvent, Trait, read_traits, write_traits};
use super::statement::{Sql, list, rows, table, values};
use super::store::{EventStore, Location};
use super::value::{TraitType, TraitValue};

/// Events in one INSERT: a few hundred placeholders. (With numbers, SQLite looked each up in a list, and more of them cost the
/// square; without, it does not.)
const EVENTS_PER_STATEMENT: usize = 40;
/// Rows of other tables in one statement.
const ROWS_PER_STATEMENT: usize = 50;
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

/// What a transaction changes beside the events themselves: rows of traits, and what is counted. Ids of words that it makes
/// are remembered once it is committed.
struct Changes<'a> {
    store: &'a EventStore,
    made: HashMap<String, i64>,
    /// By tenant and type.
    types: BTreeMap<(i64, i64), i64>,
    /// By tenant, type, name and kind of value.
    traits: BTreeMap<(i64, i64, i64, &'static str), i64>,
    bytes: i64,
    /// Columns of traits, in the order of [`TRAIT_COLUMNS`].
    rows: HashMap<TraitType, Vec<[TraitValue; 6]>>,
}

const TRAIT_COLUMNS: &str = "tenant, name, value, generated, event, event_type";
/// Those that tell a trait from all others, which are the first ones.
const KEY_COLUMNS: (usize, &str) = (5, "tenant, name, value, generated, event");

/// Number, type, time, tenant and size of an event.
type Owner = (i64, i64, i64, i64, i64);

impl<'a> Changes<'a> {
    fn new(store: &'a EventStore) -> Self {
        Changes {
            store,
            made: HashMap::new(),
            types: BTreeMap::new(),
            traits: BTreeMap::new(),
            bytes: 0,
            rows: HashMap::new(),
        }
    }

    async fn id(&mut self, connection: &mut AnyConnection, word: &str) -> Result<i64, AuditError> {
        if let Some(id) = self.made.get(word).copied().or_else(|| self.store.known_id(word)) {
            return Ok(id);
        }
        sqlx::query("INSERT INTO words (word) VALUES ($1) ON CONFLICT (word) DO NOTHING")
            .bind(word.to_owned())
            .execute(&mut *connection)
            .await?;
        let id = sqlx::query_scalar("SELECT id FROM words WHERE word = $1").bind(word.to_owned());
        let id = id.fetch_one(&mut *connection).await?;
        self.made.insert(word.to_owned(), id);
        Ok(id)
    }

    /// Counts an event that comes (1) or goes (-1), and collects the rows of its traits.
    async fn count(
        &mut self,
        connection: &mut AnyConnection,
        sign: i64,
        (event, event_type, generated, tenant, size): Owner,
        traits: Vec<Trait>,
    ) -> Result<(), AuditError> {
        *self.types.entry((tenant, event_type)).or_default() += sign;
        self.bytes += sign * size;
        for Trait { name, value } in traits {
            let name = self.id(connection, &name).await?;
            let kind = value.kind();
            let counted = self.traits.entry((tenant, event_type, name, kind.as_str()));
            *counted.or_default() += sign;
            let [tenant, name, generated, event, event_type] =
                [tenant, name, generated, event, event_type].map(TraitValue::Integer);
            let row = [tenant, name, value, generated, event, event_type];
            self.rows.entry(kind).or_default().push(row);
        }
        Ok(())
    }

    /// Adds to the counted tables, or takes from them; what is counted down to nothing goes.
    async fn add(&self, connection: &mut AnyConnection) -> Result<(), AuditError> {
        let types = self.types.iter().map(|((tenant, event_type), events)| {
            let row = [*tenant, *event_type, *events];
            row.map(TraitValue::Integer)
        });
        self.each(
            connection,
            "INSERT INTO tenant_types (tenant, event_type, events) ",
            (3, &types.collect::<Vec<_>>()),
            " ON CONFLICT (tenant, event_type) DO UPDATE SET events = tenant_types.events + excluded.events",
        )
        .await?;
        let traits = self.traits.iter().map(|((tenant, event_type, name, kind), events)| {
            let [tenant, event_type, name, events] = [*tenant, *event_type, *name, *events].map(TraitValue::Integer);
            [tenant, event_type, name, TraitValue::String((*kind).to_owned()), events]
        });
        self.each(
            connection,
            "INSERT INTO tenant_traits (tenant, event_type, name, kind, events) ",
            (5, &traits.collect::<Vec<_>>()),
            " ON CONFLICT (tenant, event_type, name, kind) DO UPDATE \
             SET events = tenant_traits.events + excluded.events",
        )
        .await?;
        let mut sql = Sql::new("UPDATE totals SET bytes = bytes + ");
        sql.push_bind(self.bytes);
        self.run(connection, sql).await?;
        for ((tenant, event_type), _) in self.types.iter().filter(|(_, events)| **events < 0) {
            for table in ["tenant_traits", "tenant_types"] {
                let mut sql = Sql::new(format!("DELETE FROM {table} WHERE events <= 0 AND tenant = "));
                sql.push_bind(*tenant).push(" AND event_type = ").push_bind(*event_type);
                self.run(connection, sql).await?;
            }
        }
        Ok(())
    }

    /// Runs a statement on the first columns of rows, a few rows at a time.
    async fn each<const N: usize>(
        &self,
        connection: &mut AnyConnection,
        before: &str,
        (columns, rows): (usize, &[[TraitValue; N]]),
        after: &str,
    ) -> Result<(), AuditError> {
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let mut sql = Sql::new(before);
            values(&mut sql, chunk, columns).push(after);
            self.run(connection, sql).await?;
        }
        Ok(())
    }

    async fn run(&self, connection: &mut AnyConnection, sql: Sql) -> Result<(), AuditError> {
        rows::<()>(sql, self.store.postgres, connection).await.map(drop)
    }
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
    let file = store.changes();
    let mut transaction = begin(store, connection).await?;
    let mut changes = Changes::new(store);
    let mut stored = 0;
    for chunk in events.chunks(EVENTS_PER_STATEMENT) {
        stored += insert_chunk(&mut transaction, &mut changes, chunk).await?;
    }
    for (kind, rows) in &changes.rows {
        let before = format!("INSERT INTO {} ({TRAIT_COLUMNS}) ", table(*kind));
        changes.each(&mut transaction, &before, (6, rows), "").await?;
    }
    changes.add(&mut transaction).await?;
    let made = changes.made;
    transaction.commit().await?;
    store.remember(made, file);
    Ok(stored)
}

async fn insert_chunk(
    connection: &mut AnyConnection,
    changes: &mut Changes<'_>,
    events: &[AuditEvent],
) -> Result<usize, AuditError> {
    let mut by_id = HashMap::with_capacity(events.len());
    let mut new = Vec::with_capacity(events.len());
    for event in events {
        let id = event.message_id.as_str();
        if by_id.contains_key(id) {
            continue;
        }
        let event_type = changes.id(connection, &event.event_type).await?;
        let tenant = event.tenant.as_deref().unwrap_or_default();
        let tenant = changes.id(connection, tenant).await?;
        let generated = event.generated.as_microsecond();
        let raw = event.raw.to_string();
        let size = raw.len() + event.traits.iter().map(size).sum::<usize>();
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let [id_text, traits, raw] = [id.to_owned(), write_traits(&event.traits), raw].map(TraitValue::String);
        let [type_id, at, owner, bytes] = [event_type, generated, tenant, size].map(TraitValue::Integer);
        new.push([id_text, type_id, at, owner, bytes, traits, raw]);
        by_id.insert(id, (event, event_type, generated, tenant, size));
    }
    let mut sql = Sql::new("INSERT INTO events (message_id, event_type, generated, tenant, size, traits, raw) ");
    values(&mut sql, &new, 7).push(" ON CONFLICT (message_id) DO NOTHING RETURNING sequence, message_id");
    let stored: Vec<(i64, String)> = rows(sql, changes.store.postgres, &mut *connection).await?;
    for (sequence, id) in &stored {
        if let Some((event, event_type, generated, tenant, size)) = by_id.remove(id.as_str()) {
            let owner = (*sequence, event_type, generated, tenant, size);
            changes.count(connection, 1, owner, event.traits.clone()).await?;
        }
    }
    Ok(stored.len())
}

async fn delete_piece(store: &EventStore, connection: &mut AnyConnection, doomed: &Doomed) -> Result<u64, AuditError> {
    let mut transaction = begin(store, connection).await?;
    let Some(sql) = select_piece(store, &mut transaction, doomed).await? else {
        return Ok(0);
    };
    let piece: Vec<(i64, i64, i64, i64, i64, String)> = rows(sql, store.postgres, &mut *transaction).await?;
    if piece.is_empty() {
        return Ok(0);
    }
    let mut changes = Changes::new(store);
    let mut sequences = Vec::with_capacity(piece.len());
    for (event, event_type, generated, tenant, size, traits) in piece {
        let owner = (event, event_type, generated, tenant, size);
        changes.count(&mut transaction, -1, owner, read_traits(&traits)).await?;
        sequences.push(event);
    }
    let (columns, key) = KEY_COLUMNS;
    for (kind, rows) in &changes.rows {
        let before = format!("DELETE FROM {} WHERE ({key}) IN (", table(*kind));
        changes.each(&mut transaction, &before, (columns, rows), ")").await?;
    }
    let mut sql = Sql::new("DELETE FROM events WHERE sequence IN ");
    list(&mut sql, &sequences);
    changes.run(&mut transaction, sql).await?;
    changes.add(&mut transaction).await?;
    transaction.commit().await?;
    Ok(u64::try_from(sequences.len()).unwrap_or(u64::MAX))
}

/// The oldest of the events that are to go; none when none is.
async fn select_piece(
    store: &EventStore,
    connection: &mut AnyConnection,
    doomed: &Doomed,
) -> Result<Option<Sql>, AuditError> {
    let mut sql = Sql::new("SELECT e.sequence, e.event_type, e.generated, e.tenant, e.size, e.traits FROM events e");
    match doomed {
        Doomed::Tenant(name) => {
            let Some(id) = store.word(name).await? else {
                return Ok(None);
            };
            sql.push(" WHERE e.tenant = ")
                .push_bind(id)
                .push(" ORDER BY e.generated");
        }
        Doomed::Expired(retention, now) => {
            let too_many = match retention.bytes {
                Some(most) => {
                    let bytes = sqlx::query_scalar::<_, i64>("SELECT bytes FROM totals");
                    bytes.fetch_one(connection).await? > i64::try_from(most).unwrap_or(i64::MAX)
                }
                None => false,
            };
            let oldest = retention.age.map(|age| now.checked_sub(age).unwrap_or(Timestamp::MIN));
            match (too_many, oldest) {
                (true, _) => {}
                (false, Some(oldest)) => {
                    // What is exactly that old stays.
                    sql.push(" WHERE e.generated < ").push_bind(oldest.as_microsecond());
                }
                (false, None) => return Ok(None),
            }
            sql.push(" ORDER BY e.generated, e.message_id");
        }
    }
    sql.push(" LIMIT ").push_bind(PIECE);
    Ok(Some(sql))
}

/// Bytes of a trait, roughly.
fn size(known: &Trait) -> usize {
    match &known.value {
        TraitValue::String(text) => text.len() + 16,
        _ => 24,
    }
}
