//! What there is to filter by: namespaces, types, traits and their values. Counted as events come and go, so that
//! nothing has to be searched for.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use sqlx::any::AnyRow;

use super::AuditError;
use super::event::{kind_of, read_traits};
use super::statement::{Sql, table, within};
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
        let names = sqlx::query_scalar(
            "WITH RECURSIVE jump(tenant) AS (SELECT MIN(tenant) FROM tenant_types UNION ALL \
             SELECT (SELECT MIN(t.tenant) FROM tenant_types t WHERE t.tenant > jump.tenant) FROM jump \
             WHERE jump.tenant IS NOT NULL) \
             SELECT w.word FROM jump JOIN words w ON w.id = jump.tenant WHERE w.word <> '' ORDER BY w.word",
        );
        Ok(names.fetch_all(&self.pool).await?)
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
        let mut sql = Sql::new("SELECT t.tenant, t.event_type, t.events FROM tenant_types t WHERE 1 = 1");
        if let Some(tenants) = tenants {
            within(&mut sql, "t.tenant", tenants);
        }
        self.rows(sql).await
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
        let mut sql = Sql::new("SELECT DISTINCT t.name, t.kind FROM tenant_traits t WHERE t.event_type = ");
        within(sql.push_bind(event_type), "t.tenant", &tenants);
        let rows: Vec<(i64, String)> = self.rows(sql).await?;
        let mut found = BTreeSet::new();
        for (name, kind) in rows {
            if let Some(kind) = TraitType::parse(&kind) {
                found.insert((kind, self.spelled(name).await?));
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
            by_type.then_with(|| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal))
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
        let mut sql = Sql::new("SELECT e.tenant, e.traits FROM events e WHERE e.event_type = ");
        within(sql.push_bind(id), "e.tenant", tenants);
        let rows: Vec<(i64, String)> = self.rows(sql).await?;
        let mut found = Vec::new();
        for (tenant, traits) in rows {
            let traits = read_traits(&traits);
            let page = traits.iter().find(|known| known.name == "page");
            let page = page.map(|known| known.value.to_string());
            if view.admits(&self.spelled(tenant).await?, event_type, page.as_deref()) {
                let named = traits.into_iter().filter(|known| known.name == name);
                found.extend(named.map(|known| known.value));
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
            let mut sql = Sql::new(format!("SELECT t.value FROM {} t WHERE t.name = ", table(kind)));
            within(sql.push_bind(name), "t.tenant", tenants);
            sql.push(" AND t.event_type = ").push_bind(event_type);
            sql.push(" LIMIT ").push_bind(left.max(0));
            match kind {
                TraitType::String => found.extend(self.values(sql, TraitValue::String).await?),
                TraitType::Integer => found.extend(self.values(sql, TraitValue::Integer).await?),
                TraitType::Float => found.extend(self.values(sql, TraitValue::Float).await?),
                TraitType::Datetime => {
                    let at = |since: i64| TraitValue::Datetime(super::read::microseconds(since));
                    found.extend(self.values(sql, at).await?);
                }
            }
        }
        Ok(found)
    }

    async fn values<T>(&self, sql: Sql, value: fn(T) -> TraitValue) -> Result<Vec<TraitValue>, AuditError>
    where
        (T,): for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let values: Vec<(T,)> = self.rows(sql).await?;
        Ok(values.into_iter().map(|(one,)| value(one)).collect())
    }
}
