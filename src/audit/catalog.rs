//! What there is to filter by: namespaces, types, traits and their values. Counted as events come and go, so that
//! nothing has to be searched for.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;

use super::AuditError;
use super::event::{kind_of, read_traits};
use super::statement::{Statement, table};
use super::store::EventStore;
use super::value::{TraitType, TraitValue};
use super::view::View;
use crate::api::Kind;

/// Fewer events of a type are read to find the values of a trait; of more, the trait is walked.
const FEW: i64 = 5_000;

impl EventStore {
    /// The namespaces of which there are events, sorted. Jumps from one to the next, so that a million events of ten
    /// namespaces cost ten steps.
    ///
    /// # Errors
    /// The database fails.
    pub async fn tenants(&self) -> Result<Vec<String>, AuditError> {
        let rows = sqlx::query(
            "WITH RECURSIVE jump(tenant) AS (SELECT MIN(tenant) FROM tenant_types UNION ALL \
             SELECT (SELECT MIN(t.tenant) FROM tenant_types t WHERE t.tenant > jump.tenant) FROM jump \
             WHERE jump.tenant IS NOT NULL) \
             SELECT w.word FROM jump JOIN words w ON w.id = jump.tenant WHERE w.word <> '' ORDER BY w.word",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The namespaces of which there are events, with the kinds that they are about.
    ///
    /// # Errors
    /// The database fails.
    pub async fn tenant_kinds(&self) -> Result<BTreeMap<String, BTreeSet<Kind>>, AuditError> {
        let mut all: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
        for (tenant, event_type, _) in self.types_of(None).await? {
            let tenant = self.spelled(tenant).await?;
            if !tenant.is_empty() {
                let kind = kind_of(&self.spelled(event_type).await?);
                all.entry(tenant).or_default().extend(kind);
            }
        }
        Ok(all)
    }

    /// The types of which these tenants have events: id of the tenant, id of the type, number of events.
    async fn types_of(&self, tenants: Option<&[i64]>) -> Result<Vec<(i64, i64, i64)>, AuditError> {
        let mut statement = Statement::default();
        statement.push("SELECT t.tenant, t.event_type, t.events FROM tenant_types t WHERE 1 = 1");
        if let Some(tenants) = tenants {
            statement.within("t.tenant", tenants);
        }
        let rows = statement.query().fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .collect()
    }

    /// The ids of types that may be seen of some of these tenants.
    pub(super) async fn visible_types(&self, view: &View, tenants: Option<&[i64]>) -> Result<Vec<i64>, AuditError> {
        let mut visible = BTreeSet::new();
        for (tenant, event_type, _) in self.types_of(tenants).await? {
            if !visible.contains(&event_type)
                && view.admits_type(&self.spelled(tenant).await?, &self.spelled(event_type).await?)
            {
                visible.insert(event_type);
            }
        }
        Ok(visible.into_iter().collect())
    }

    /// All types of events that may be seen, sorted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn event_types(&self, view: &View) -> Result<Vec<String>, AuditError> {
        let tenants = self.tenant_ids(&view.tenants()).await?;
        let mut words = BTreeSet::new();
        for id in self.visible_types(view, tenants.as_deref()).await? {
            words.insert(self.spelled(id).await?);
        }
        Ok(words.into_iter().collect())
    }

    /// The ids of tenants whose events of a type may be seen, with the number of events of that type.
    async fn tenants_with(&self, event_type: &str, view: &View) -> Result<(Vec<i64>, i64), AuditError> {
        let (mut found, mut events) = (Vec::new(), 0);
        let Some(id) = self.word(event_type).await? else {
            return Ok((found, events));
        };
        let tenants = self.tenant_ids(&view.tenants()).await?;
        for (tenant, known, count) in self.types_of(tenants.as_deref()).await? {
            if known == id && view.admits_type(&self.spelled(tenant).await?, event_type) {
                found.push(tenant);
                events += count;
            }
        }
        Ok((found, events))
    }

    /// Names and types of the traits that events of a type have which may be seen.
    ///
    /// # Errors
    /// The database fails.
    pub async fn traits(&self, event_type: &str, view: &View) -> Result<Vec<(String, TraitType)>, AuditError> {
        let (tenants, _) = self.tenants_with(event_type, view).await?;
        let Some(event_type) = self.word(event_type).await? else {
            return Ok(Vec::new());
        };
        let mut statement = Statement::default();
        statement.push("SELECT DISTINCT t.name, t.kind FROM tenant_traits t WHERE t.event_type = ");
        statement.integer(event_type);
        statement.within("t.tenant", &tenants);
        let mut found = BTreeSet::new();
        for row in statement.query().fetch_all(&self.pool).await? {
            let kind: String = row.try_get(1)?;
            if let Some(kind) = TraitType::parse(&kind) {
                found.insert((kind, self.spelled(row.try_get(0)?).await?));
            }
        }
        Ok(found.into_iter().map(|(kind, name)| (name, kind)).collect())
    }

    /// The values that a trait has in events of a type which may be seen: one for each event, at most `limit`. Those of
    /// one type of value are together; which come first of too many is not said.
    ///
    /// # Errors
    /// The database fails.
    pub async fn trait_values(
        &self,
        event_type: &str,
        name: &str,
        limit: u32,
        view: &View,
    ) -> Result<Vec<TraitValue>, AuditError> {
        let (tenants, events) = self.tenants_with(event_type, view).await?;
        let mut found = if events < FEW || view.is_by_page() {
            self.values_in_events(event_type, name, view, &tenants).await?
        } else {
            self.values_by_index(event_type, name, limit, &tenants).await?
        };
        found.sort_by(|one, other| {
            let by_type = one.kind().cmp(&other.kind());
            by_type.then_with(|| one.compare(other).unwrap_or(std::cmp::Ordering::Equal))
        });
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn values_in_events(
        &self,
        event_type: &str,
        name: &str,
        view: &View,
        tenants: &[i64],
    ) -> Result<Vec<TraitValue>, AuditError> {
        let Some(id) = self.word(event_type).await? else {
            return Ok(Vec::new());
        };
        let mut statement = Statement::default();
        statement.push("SELECT e.tenant, e.traits FROM events e WHERE e.event_type = ");
        statement.integer(id);
        statement.within("e.tenant", tenants);
        let mut found = Vec::new();
        for row in statement.query().fetch_all(&self.pool).await? {
            let tenant = self.spelled(row.try_get(0)?).await?;
            let traits: String = row.try_get(1)?;
            let traits = read_traits(&traits);
            let text = |name: &str| {
                traits
                    .iter()
                    .find(|known| known.name == name)
                    .map(|known| known.value.to_string())
            };
            if view.admits(&tenant, event_type, text("page").as_deref()) {
                found.extend(
                    traits
                        .into_iter()
                        .filter(|known| known.name == name)
                        .map(|known| known.value),
                );
            }
        }
        Ok(found)
    }

    async fn values_by_index(
        &self,
        event_type: &str,
        name: &str,
        limit: u32,
        tenants: &[i64],
    ) -> Result<Vec<TraitValue>, AuditError> {
        let (Some(event_type), Some(name)) = (self.word(event_type).await?, self.word(name).await?) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for kind in TraitType::ALL {
            let left = i64::from(limit) - i64::try_from(found.len()).unwrap_or(i64::MAX);
            let mut statement = Statement::default();
            statement.push(&format!("SELECT t.value FROM {} t WHERE t.name = ", table(kind)));
            statement.integer(name);
            statement.within("t.tenant", tenants);
            statement.push(" AND t.event_type = ");
            statement.integer(event_type);
            statement.push(" LIMIT ");
            statement.integer(left.max(0));
            for row in statement.query().fetch_all(&self.pool).await? {
                found.push(match kind {
                    TraitType::String => TraitValue::String(row.try_get(0)?),
                    TraitType::Integer => TraitValue::Integer(row.try_get(0)?),
                    TraitType::Float => TraitValue::Float(row.try_get(0)?),
                    TraitType::Datetime => TraitValue::Datetime(super::read::microseconds(row.try_get(0)?)),
                });
            }
        }
        Ok(found)
    }
}
