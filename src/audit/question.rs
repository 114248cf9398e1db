//! From a [`Filter`] to the way in which it is answered: pure decisions.
//!
//! A question begins at one *source*: an index of which some columns are given. The smallest source wins. One with few
//! rows is read whole and put in order; one with many is walked in the order asked, window by window, so that no
//! statement takes long. What the source does not decide is decided event by event, by [`Question::admits`].
//!
//! Invariant: with the rights to one namespace, no row of another one is read, so that not even time tells what is there.

use super::event::AuditEvent;
use super::filter::{Filter, Operator, SortKey, TraitFilter};
use super::statement::{Sql, table, within};
use super::value::TraitValue;

/// What is read of an event.
pub(super) const COLUMNS: &str = "e.sequence, e.message_id, e.event_type, e.generated, e.tenant, e.traits, e.raw";
/// The same without what takes the most room.
const COLUMNS_TO_DECIDE: &str = "e.sequence, e.message_id, e.event_type, e.generated, e.tenant, e.traits, 'null'";

/// A filter of which all words were looked up.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub(super) filter: &'a Filter,
    /// The tenants of which something may be seen; none is all of them and what is nobody's.
    pub(super) tenants: Option<Vec<i64>>,
    /// The types that are asked for, or that may be seen; none is all of them.
    pub(super) types: Option<Vec<i64>>,
    /// The conditions on traits, with the ids of their names.
    pub(super) traits: Vec<(i64, &'a TraitFilter)>,
    /// Time and id of the marker.
    pub(super) marker: Option<(i64, String)>,
}

/// Where the answer to a question is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The event of one id.
    Id,
    /// Events with a trait, by its position among the conditions.
    Trait(usize),
    /// Events of some types of some tenants.
    Type,
    /// Events of some tenants.
    Tenant,
    /// All events, by time.
    Time,
    /// All events, by id.
    Ids,
}

/// A bound of a walk: the first key of the order, and whether it is part of the walk.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) key: TraitValue,
    pub(super) inclusive: bool,
}

/// The part of a source that a statement looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: Option<Bound>,
    pub(super) high: Option<Bound>,
}

impl Question<'_> {
    /// The sources that may be small, narrow ones only: what a condition selects is part of what its tenants have.
    pub(super) fn narrow(&self) -> Vec<Source> {
        if self.filter.message_id.is_some() {
            return vec![Source::Id];
        }
        let mut sources: Vec<Source> = (0..self.traits.len()).map(Source::Trait).collect();
        if self.types.is_some() {
            sources.push(Source::Type);
        }
        if sources.is_empty() && self.tenants.is_some() {
            sources.push(Source::Tenant);
        }
        sources
    }

    /// The source to walk when none is small.
    pub(super) fn walkable(&self) -> Source {
        let mut sources = self.narrow();
        sources.push(Source::Tenant);
        let ordered = sources.into_iter().find(|source| self.is_ordered(*source));
        ordered.unwrap_or(match self.first_key() {
            SortKey::Generated => Source::Time,
            SortKey::MessageId => Source::Ids,
        })
    }

    /// True when a source has its events in the order that is asked for.
    pub(super) fn is_ordered(&self, source: Source) -> bool {
        let one_tenant = self.tenants.as_ref().is_some_and(|tenants| tenants.len() == 1);
        let one_type = self.types.as_ref().is_some_and(|types| types.len() == 1);
        match (source, self.first_key()) {
            (Source::Id, _) | (Source::Time, SortKey::Generated) | (Source::Ids, SortKey::MessageId) => true,
            (Source::Trait(_), SortKey::Generated) => one_tenant && self.is_equal(source),
            (Source::Type, SortKey::Generated) => one_tenant && one_type,
            (Source::Tenant, SortKey::Generated) => one_tenant,
            _ => false,
        }
    }

    /// True when every row of a source matches, so that a walk ends after as many as are wanted.
    pub(super) fn is_exact(&self, source: Source) -> bool {
        let others = match source {
            Source::Id => return false,
            Source::Trait(_) => self.traits.len() > 1 || self.types.is_some(),
            Source::Type => !self.traits.is_empty(),
            Source::Tenant => !self.traits.is_empty() || self.types.is_some(),
            Source::Time => !self.traits.is_empty() || self.types.is_some() || self.tenants.is_some(),
            Source::Ids => {
                let filter = self.filter;
                let time = filter.from.is_some() || filter.until.is_some();
                time || !self.traits.is_empty() || self.types.is_some() || self.tenants.is_some()
            }
        };
        !others && self.filter.view.is_plain()
    }

    /// True when the statement alone decides which events match.
    fn is_decided(&self, source: Source) -> bool {
        let traits = match source {
            Source::Trait(_) => self.traits.len() > 1,
            _ => !self.traits.is_empty(),
        };
        !traits && self.filter.view.is_plain()
    }

    /// True when an event that a source has is asked for and may be seen.
    pub(super) fn admits(&self, event: &AuditEvent) -> bool {
        let tenant = event.tenant.as_deref().unwrap_or_default();
        self.traits.iter().all(|(_, test)| test.matches(event))
            && (self.filter.view).admits(tenant, &event.event_type, event.get("page").as_deref())
    }

    /// Counts the rows that reading a source would walk, up to a bound.
    pub(super) fn count(&self, source: Source, bound: i64) -> Sql {
        let mut sql = Sql::new("SELECT COUNT(*) FROM (SELECT 1 AS one");
        self.walk(&mut sql, source, &self.bounds(), "");
        sql.push(" LIMIT ").push_bind(bound).push(") AS counted");
        sql
    }

    /// Counts the same of a trait, and how many of those rows are of the types and the time that are asked for.
    pub(super) fn count_matching(&self, source: Source, bound: i64) -> Sql {
        let table = table_of(source);
        let mut sql = Sql::new("SELECT COUNT(*), COALESCE(SUM(hit), 0) FROM (SELECT CASE WHEN 1 = 1");
        if let Some(types) = &self.types {
            within(&mut sql, &format!("{table}.event_type"), types);
        }
        self.time(&mut sql, table);
        sql.push(" THEN 1 ELSE 0 END AS hit");
        self.walk(&mut sql, source, &self.bounds(), "");
        sql.push(" LIMIT ").push_bind(bound).push(") AS counted");
        sql
    }

    /// The key of the row that is so many rows into a source.
    pub(super) fn end_of_window(&self, source: Source, bounds: &Bounds, rows: i64) -> Sql {
        let key = self.key(source);
        let mut sql = Sql::new(format!("SELECT {key}"));
        self.walk(&mut sql, source, bounds, "");
        sql.push(format_args!(" ORDER BY {key}"));
        sql.push(if self.is_descending() { " DESC" } else { "" });
        sql.push(" LIMIT 1 OFFSET ").push_bind(rows);
        sql
    }

    /// The events of a part of a source, in the order asked; their bodies are left out where most may not match.
    pub(super) fn events(&self, source: Source, bounds: &Bounds, limit: Option<u32>) -> Sql {
        let decided = self.is_decided(source);
        let mut sql = Sql::new("SELECT ");
        sql.push(if decided { COLUMNS } else { COLUMNS_TO_DECIDE });
        // CROSS JOIN keeps SQLite from beginning at the events.
        self.walk(&mut sql, source, bounds, " CROSS JOIN events e");
        if let Source::Trait(_) = source {
            sql.push(" AND e.sequence = t.event");
        }
        let table = table_of(source);
        // Behind an expression no other index is chosen for it.
        if let (Some(types), true) = (&self.types, source != Source::Type) {
            within(&mut sql, &format!("+{table}.event_type"), types);
        }
        if let (Some(tenants), Source::Time | Source::Ids | Source::Id) = (&self.tenants, source) {
            within(&mut sql, "+e.tenant", tenants);
        }
        if !self.is_bounded_by_key(source) || source == Source::Ids {
            self.time(&mut sql, table);
        }
        self.after_marker(&mut sql, table);
        for (position, sort) in self.filter.order().iter().enumerate() {
            sql.push(if position > 0 { ", " } else { " ORDER BY " });
            sql.push(column(sort.key, table));
            sql.push(if sort.descending { " DESC" } else { "" });
        }
        if let (Some(limit), true) = (limit, decided) {
            sql.push(" LIMIT ").push_bind(i64::from(limit));
        }
        sql
    }

    /// The events of a range of numbers, in their order.
    pub(super) fn tail(&self, after: i64, until: i64) -> Sql {
        let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM events e WHERE e.sequence > "));
        sql.push_bind(after).push(" AND e.sequence <= ").push_bind(until);
        for (column, ids) in [("+e.tenant", &self.tenants), ("+e.event_type", &self.types)] {
            if let Some(ids) = ids {
                within(&mut sql, column, ids);
            }
        }
        sql.push(" ORDER BY e.sequence");
        sql
    }

    /// True when the first key of the order is the id.
    pub(super) fn is_by_id(&self) -> bool {
        self.first_key() == SortKey::MessageId
    }

    /// True when [`Question::events`] leaves bodies out.
    pub(super) fn leaves_bodies_out(&self, source: Source) -> bool {
        !self.is_decided(source)
    }

    /// What is asked for from the beginning: the time range and the marker, as far as the first key of the order goes.
    pub(super) fn bounds(&self) -> Bounds {
        let marker = self.marker.as_ref().map(|(generated, id)| match self.first_key() {
            SortKey::Generated => TraitValue::Integer(*generated),
            SortKey::MessageId => TraitValue::String(id.clone()),
        });
        let mut bounds = Bounds::default();
        if self.first_key() == SortKey::Generated {
            let inclusive = |at: jiff::Timestamp| Bound {
                key: TraitValue::Integer(at.as_microsecond()),
                inclusive: true,
            };
            bounds.low = self.filter.from.map(inclusive);
            bounds.high = self.filter.until.map(inclusive);
        }
        if let Some(key) = marker {
            // Its equals are told apart by the other keys.
            bounds.start(self.is_descending(), key, true);
        }
        bounds
    }

    pub(super) fn is_descending(&self) -> bool {
        self.filter.order().first().is_some_and(|sort| sort.descending)
    }

    fn first_key(&self) -> SortKey {
        self.filter.order().first().map_or(SortKey::Generated, |sort| sort.key)
    }

    fn is_equal(&self, source: Source) -> bool {
        matches!(source, Source::Trait(at)
            if self.traits.get(at).is_some_and(|(_, test)| test.operator == Operator::Equal))
    }

    /// True when the first key of the order is the next column of a source's index, so that a range of it bounds the walk.
    fn is_bounded_by_key(&self, source: Source) -> bool {
        match (source, self.first_key()) {
            (Source::Trait(_), SortKey::Generated) => self.is_equal(source),
            (Source::Type | Source::Tenant | Source::Time, SortKey::Generated) | (Source::Ids, SortKey::MessageId) => {
                true
            }
            _ => false,
        }
    }

    fn key(&self, source: Source) -> String {
        column(self.first_key(), table_of(source))
    }

    /// ` FROM … WHERE …` of the columns that lead a source's index, nothing else. What a trait leads to is joined.
    fn walk(&self, sql: &mut Sql, source: Source, bounds: &Bounds, join: &str) {
        match source {
            Source::Trait(at) => self.walk_trait(sql, at, join),
            Source::Id => {
                let id = self.filter.message_id.clone().unwrap_or_default();
                sql.push(" FROM events e WHERE e.message_id = ").push_bind(id);
            }
            Source::Type | Source::Tenant => {
                sql.push(" FROM events e WHERE 1 = 1");
                self.of_tenants(sql, "e");
                if let (Some(types), Source::Type) = (&self.types, source) {
                    within(sql, "e.event_type", types);
                }
            }
            Source::Time | Source::Ids => {
                sql.push(" FROM events e WHERE 1 = 1");
            }
        }
        if !self.is_bounded_by_key(source) {
            return;
        }
        let key = self.key(source);
        for (bound, strict, inclusive) in [(&bounds.low, ">", ">="), (&bounds.high, "<", "<=")] {
            if let Some(bound) = bound {
                let operator = if bound.inclusive { inclusive } else { strict };
                sql.push(format_args!(" AND {key} {operator} "))
                    .push_bind(bound.key.clone());
            }
        }
    }

    fn of_tenants(&self, sql: &mut Sql, alias: &str) {
        match &self.tenants {
            Some(tenants) => within(sql, &format!("{alias}.tenant"), tenants),
            None => {
                sql.push(format_args!(
                    " AND {alias}.tenant IN (SELECT s.tenant FROM tenant_types s)"
                ));
            }
        }
    }

    fn walk_trait(&self, sql: &mut Sql, at: usize, join: &str) {
        let Some((name, test)) = self.traits.get(at) else {
            return;
        };
        let table = table(test.value.kind());
        let prefix = |sql: &mut Sql, alias: &str, join: &str, operator: &str| {
            sql.push(format_args!(" FROM {table} {alias}{join} WHERE {alias}.name = "))
                .push_bind(*name);
            self.of_tenants(sql, alias);
            sql.push(format_args!(" AND {alias}.value {operator} "))
                .push_bind(test.value.clone());
        };
        if test.operator != Operator::NotEqual {
            prefix(sql, "t", join, test.operator.sql());
            return;
        }
        // Two ranges of the index, and not everything with a condition on it.
        sql.push(" FROM (SELECT u.event, u.event_type, u.generated");
        prefix(sql, "u", "", "<");
        sql.push(" UNION ALL SELECT v.event, v.event_type, v.generated");
        prefix(sql, "v", "", ">");
        sql.push(format_args!(") AS t{join} WHERE 1 = 1"));
    }

    fn time(&self, sql: &mut Sql, table: &str) {
        for (bound, operator) in [(self.filter.from, ">="), (self.filter.until, "<=")] {
            if let Some(at) = bound {
                sql.push(format_args!(" AND {table}.generated {operator} "))
                    .push_bind(at.as_microsecond());
            }
        }
    }

    /// ` AND …`: what comes after the marker in the order.
    fn after_marker(&self, sql: &mut Sql, table: &str) {
        let Some((generated, id)) = &self.marker else { return };
        let order = self.filter.order();
        let value = |key: SortKey| match key {
            SortKey::Generated => TraitValue::Integer(*generated),
            SortKey::MessageId => TraitValue::String(id.clone()),
        };
        sql.push(" AND (");
        for (position, sort) in order.iter().enumerate() {
            sql.push(if position > 0 { " OR (" } else { "(" });
            for equal in order.iter().take(position) {
                sql.push(format_args!("{} = ", column(equal.key, table)))
                    .push_bind(value(equal.key));
                sql.push(" AND ");
            }
            let operator = if sort.descending { "<" } else { ">" };
            sql.push(format_args!("{} {operator} ", column(sort.key, table)))
                .push_bind(value(sort.key));
            sql.push(")");
        }
        sql.push(")");
    }
}

impl Bounds {
    /// Begins at a key, in the direction of the walk.
    pub(super) fn start(&mut self, descending: bool, key: TraitValue, inclusive: bool) {
        let bound = Some(Bound { key, inclusive });
        if descending {
            self.high = tighter(self.high.take(), bound, |one, other| one < other);
        } else {
            self.low = tighter(self.low.take(), bound, |one, other| one > other);
        }
    }

    /// Ends with a key, in the direction of the walk.
    pub(super) fn end(&mut self, descending: bool, key: TraitValue) {
        let bound = Some(Bound { key, inclusive: true });
        if descending {
            self.low = bound;
        } else {
            self.high = bound;
        }
    }
}

/// The bound that leaves less.
fn tighter(
    one: Option<Bound>,
    other: Option<Bound>,
    is_tighter: fn(&TraitValue, &TraitValue) -> bool,
) -> Option<Bound> {
    match (one, other) {
        (Some(one), Some(other)) if is_tighter(&one.key, &other.key) => Some(one),
        (one, None) => one,
        (_, other) => other,
    }
}

fn column(key: SortKey, table: &str) -> String {
    match key {
        SortKey::Generated => format!("{table}.generated"),
        // Traits have no ids.
        SortKey::MessageId => "e.message_id".to_owned(),
    }
}

fn table_of(source: Source) -> &'static str {
    match source {
        Source::Trait(_) => "t",
        _ => "e",
    }
}
