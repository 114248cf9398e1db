//! What there is to filter by: namespaces, types, traits and their values.

use sqlx::Row;

use super::AuditError;
use super::filter::Tenants;
use super::select::{Statement, table};
use super::store::{EventStore, read_value};
use super::value::{TraitType, TraitValue};

impl EventStore {
    /// The namespaces of which there are events, sorted. Jumps from one to the next in the index, so that a million
    /// events of ten namespaces cost ten steps.
    ///
    /// # Errors
    /// The database fails.
    pub async fn tenants(&self) -> Result<Vec<String>, AuditError> {
        let rows = sqlx::query(
            "WITH RECURSIVE jump(tenant) AS (SELECT MIN(tenant) FROM events UNION ALL \
             SELECT (SELECT MIN(e.tenant) FROM events e WHERE e.tenant > jump.tenant) FROM jump \
             WHERE jump.tenant IS NOT NULL) \
             SELECT tenant FROM jump WHERE tenant <> '' ORDER BY tenant",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// All types of which these tenants have events, sorted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn event_types(&self, tenants: &Tenants) -> Result<Vec<String>, AuditError> {
        let mut statement = Statement::default();
        statement.push("SELECT w.word FROM words w WHERE EXISTS (SELECT 1 FROM events e WHERE e.event_type = w.id");
        statement.of_tenants(tenants);
        statement.push(") ORDER BY w.word");
        let rows = statement.query().persistent(false).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Names and types of the traits that these tenants' events of a type have.
    ///
    /// # Errors
    /// The database fails.
    pub async fn traits(&self, event_type: &str, tenants: &Tenants) -> Result<Vec<(String, TraitType)>, AuditError> {
        let Some(event_type) = self.word(event_type).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for kind in TraitType::ALL {
            let mut statement = Statement::default();
            statement.push("SELECT w.word FROM words w WHERE EXISTS (SELECT 1 FROM ");
            statement.push(table(kind));
            statement.push(" t WHERE t.event_type = ");
            statement.integer(event_type);
            statement.push(" AND t.name = w.id");
            of_events_of(&mut statement, tenants);
            statement.push(") ORDER BY w.word");
            for row in statement.query().persistent(false).fetch_all(&self.pool).await? {
                found.push((row.try_get(0)?, kind));
            }
        }
        Ok(found)
    }

    /// The values that a trait has in these tenants' events of a type: one for each event, at most `limit`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn trait_values(
        &self,
        event_type: &str,
        name: &str,
        limit: u32,
        tenants: &Tenants,
    ) -> Result<Vec<TraitValue>, AuditError> {
        let (Some(event_type), Some(name)) = (self.word(event_type).await?, self.word(name).await?) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for kind in TraitType::ALL {
            let left = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(found.len());
            let mut statement = Statement::default();
            statement.push("SELECT t.value FROM ");
            statement.push(table(kind));
            statement.push(" t WHERE t.event_type = ");
            statement.integer(event_type);
            statement.push(" AND t.name = ");
            statement.integer(name);
            of_events_of(&mut statement, tenants);
            statement.push(" ORDER BY t.value, t.generated, t.event LIMIT ");
            statement.integer(i64::try_from(left).unwrap_or(i64::MAX));
            for row in statement.query().persistent(false).fetch_all(&self.pool).await? {
                found.push(read_value(kind, &row, 0)?);
            }
        }
        Ok(found)
    }
}

/// Leaves out traits `t` of other tenants' events.
fn of_events_of(statement: &mut Statement, tenants: &Tenants) {
    if *tenants != Tenants::All {
        statement.push(" AND EXISTS (SELECT 1 FROM events e WHERE e.sequence = t.event");
        statement.of_tenants(tenants);
        statement.push(")");
    }
}
