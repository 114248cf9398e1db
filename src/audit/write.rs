//! Insertion and retention, both in batches.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use super::AuditError;
use super::event::AuditEvent;
use super::select::{Bind, Statement, table};
use super::store::EventStore;
use super::value::{TraitType, TraitValue};

/// Events in one INSERT. SQLite looks every placeholder up in a list, so that the time of a statement grows with the
/// square of their number: a few hundred are the best.
const EVENTS_PER_STATEMENT: usize = 40;
/// Traits in one INSERT.
const TRAITS_PER_STATEMENT: usize = 50;
/// Events that are deleted in one transaction, so that writers wait for milliseconds only.
const DELETED_AT_ONCE: i64 = 1000;
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

impl EventStore {
    /// Stores events; one that is there already is left as it is. Returns how many were new.
    pub(super) async fn insert(&self, events: &[AuditEvent]) -> Result<usize, AuditError> {
        if events.is_empty() {
            return Ok(0);
        }
        // SQLite: the right to write is taken at once, where waiting for it is possible.
        let begin = if self.postgres { "BEGIN" } else { "BEGIN IMMEDIATE" };
        let mut transaction = self.pool.begin_with(begin).await?;
        if self.postgres {
            sqlx::query("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS held")
                .bind(LOCK)
                .execute(&mut *transaction)
                .await?;
        }
        let mut made = HashMap::new();
        let mut stored = 0;
        for chunk in events.chunks(EVENTS_PER_STATEMENT) {
            stored += self.insert_chunk(&mut transaction, &mut made, chunk).await?;
        }
        transaction.commit().await?;
        self.remember(made);
        Ok(stored)
    }

    async fn insert_chunk(
        &self,
        connection: &mut AnyConnection,
        made: &mut HashMap<String, i64>,
        events: &[AuditEvent],
    ) -> Result<usize, AuditError> {
        let mut statement = Statement::default();
        statement.push("INSERT INTO events (message_id, event_type, generated, tenant, size, raw) VALUES ");
        let mut by_id = HashMap::with_capacity(events.len());
        for event in events {
            if by_id.contains_key(event.message_id.as_str()) {
                continue;
            }
            let event_type = self.intern(connection, made, &event.event_type).await?;
            let raw = event.raw.to_string();
            statement.push(if by_id.is_empty() { "" } else { ", " });
            let size = i64::try_from(raw.len() + event.traits.iter().map(size).sum::<usize>()).unwrap_or(i64::MAX);
            statement.list([
                Bind::Text(event.message_id.clone()),
                Bind::Integer(event_type),
                Bind::Integer(event.generated.as_microsecond()),
                Bind::Text(event.tenant.clone().unwrap_or_default()),
                Bind::Integer(size),
                Bind::Text(raw),
            ]);
            by_id.insert(event.message_id.as_str(), (event, event_type));
        }
        statement.push(" ON CONFLICT (message_id) DO NOTHING RETURNING sequence, message_id");
        let rows = statement.query().fetch_all(&mut *connection).await?;
        let mut traits: HashMap<TraitType, Vec<[Bind; 5]>> = HashMap::new();
        for row in &rows {
            let (sequence, id): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            let Some((event, event_type)) = by_id.get(id.as_str()) else {
                continue;
            };
            for known in &event.traits {
                let name = self.intern(connection, made, &known.name).await?;
                traits.entry(known.value.kind()).or_default().push([
                    Bind::Integer(sequence),
                    Bind::Integer(name),
                    Bind::from(&known.value),
                    Bind::Integer(*event_type),
                    Bind::Integer(event.generated.as_microsecond()),
                ]);
            }
        }
        for (kind, rows) in traits {
            for chunk in rows.chunks(TRAITS_PER_STATEMENT) {
                let mut statement = Statement::default();
                statement.push("INSERT INTO ");
                statement.push(table(kind));
                statement.push(" (event, name, value, event_type, generated) VALUES ");
                for (position, row) in chunk.iter().enumerate() {
                    statement.push(if position > 0 { ", " } else { "" });
                    statement.list(row.iter().cloned());
                }
                statement.push(" ON CONFLICT (event, name) DO NOTHING");
                statement.query().execute(&mut *connection).await?;
            }
        }
        Ok(rows.len())
    }

    /// Deletes what retention does not keep. Returns how many events went.
    pub(super) async fn prune(&self, retention: Retention, now: Timestamp) -> Result<u64, AuditError> {
        let mut deleted = 0;
        if let Some(age) = retention.age {
            let oldest = now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond();
            // No id is smaller than the empty one: what is exactly that old stays.
            deleted += self.delete_until(oldest, "").await?;
        }
        if let Some(bytes) = retention.bytes
            && let Some((generated, id)) = self.first_beyond(bytes).await?
        {
            deleted += self.delete_until(generated, &id).await?;
        }
        Ok(deleted)
    }

    /// Time and id of the newest event that does not fit any more.
    async fn first_beyond(&self, bytes: u64) -> Result<Option<(i64, String)>, AuditError> {
        let most = i64::try_from(bytes).unwrap_or(i64::MAX);
        let total: i64 = sqlx::query("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM events")
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        if total <= most {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT generated, message_id FROM (SELECT generated, message_id, \
             SUM(size) OVER (ORDER BY generated DESC, message_id DESC) AS newer FROM events) AS summed \
             WHERE newer > $1 ORDER BY generated DESC, message_id DESC LIMIT 1",
        )
        .bind(most)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    /// Deletes all events up to one, in batches. Several processes may do this at the same time.
    async fn delete_until(&self, generated: i64, id: &str) -> Result<u64, AuditError> {
        let mut deleted = 0;
        loop {
            let result = sqlx::query(
                "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events \
                 WHERE (generated, message_id) <= ($1, $2) ORDER BY generated, message_id LIMIT $3)",
            )
            .bind(generated)
            .bind(id.to_owned())
            .bind(DELETED_AT_ONCE)
            .execute(&self.pool)
            .await?;
            deleted += result.rows_affected();
            if result.rows_affected() == 0 {
                return Ok(deleted);
            }
        }
    }
}

/// Bytes of a trait, roughly.
fn size(known: &super::event::Trait) -> usize {
    match &known.value {
        TraitValue::String(text) => text.len() + 16,
        _ => 24,
    }
}
