//! From a [`Filter`] to SQL that both databases understand and that walks an index in the order asked.
//!
//! The statement begins either at the events or at one trait of which the exact value is asked, whichever leads to
//! fewer rows; everything else is checked row by row through primary keys.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::filter::{Filter, Operator, SortKey, Tenants};
use super::value::{TraitType, TraitValue};

/// A value to bind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bind {
    Text(String),
    Integer(i64),
    Float(f64),
}

impl From<&TraitValue> for Bind {
    fn from(value: &TraitValue) -> Self {
        match value {
            TraitValue::String(text) => Bind::Text(text.clone()),
            TraitValue::Integer(number) => Bind::Integer(*number),
            TraitValue::Float(number) => Bind::Float(*number),
            TraitValue::Datetime(at) => Bind::Integer(at.as_microsecond()),
        }
    }
}

/// A statement under construction: placeholders are numbered, because PostgreSQL knows no others.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) binds: Vec<Bind>,
}

impl Statement {
    pub(super) fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    pub(super) fn bind(&mut self, value: Bind) {
        self.binds.push(value);
        self.sql.push_str(&format!("${}", self.binds.len()));
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.bind(Bind::Integer(number));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bind(Bind::Text(text.to_owned()));
    }

    /// `(…, …)` of values.
    pub(super) fn list(&mut self, values: impl IntoIterator<Item = Bind>) {
        self.push("(");
        for (position, value) in values.into_iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self.push(")");
    }

    /// ` AND …` for an event `e` of these tenants that another index leads to: behind an expression that of the tenants is
    /// not used, which for a type without events would walk through all events of a tenant.
    pub(super) fn of_tenants(&mut self, tenants: &Tenants) {
        if *tenants == Tenants::Owned {
            self.push(" AND e.tenant <> ''");
        }
        match tenants.names() {
            Some(names) if names.is_empty() => self.push(" AND 1 = 0"),
            Some(names) => {
                self.push(" AND (e.tenant || '') IN ");
                self.list(names.into_iter().map(Bind::Text));
            }
            None => {}
        }
    }

    /// The query with all its values. Nothing but table names, operators and placeholders is ever in its text.
    pub(super) fn query(&self) -> Query<'_, Any, AnyArguments> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(self.sql.clone()));
        for value in &self.binds {
            query = match value {
                Bind::Text(text) => query.bind(text.clone()),
                Bind::Integer(number) => query.bind(*number),
                Bind::Float(number) => query.bind(*number),
            };
        }
        query
    }
}

/// The table that holds the traits of a type.
pub(super) fn table(kind: TraitType) -> &'static str {
    match kind {
        TraitType::String => "traits_string",
        TraitType::Integer => "traits_integer",
        TraitType::Float => "traits_float",
        TraitType::Datetime => "traits_datetime",
    }
}

/// A condition on a trait whose name was looked up.
#[derive(Clone, Debug)]
pub(super) struct TraitTest {
    pub(super) name: i64,
    pub(super) operator: Operator,
    pub(super) value: TraitValue,
}

/// A filter of which all words were looked up.
#[derive(Clone, Debug)]
pub(super) struct Resolved<'a> {
    pub(super) filter: &'a Filter,
    pub(super) event_type: Option<i64>,
    pub(super) traits: Vec<TraitTest>,
    /// Time and id of the marker.
    pub(super) marker: Option<(i64, String)>,
    /// Only events of a greater number, in the order of numbers.
    pub(super) after: Option<i64>,
}

impl Resolved<'_> {
    /// The traits that a statement can begin with.
    pub(super) fn drivers(&self) -> impl Iterator<Item = usize> {
        let usable = self.filter.message_id.is_none() && self.after.is_none();
        self.traits
            .iter()
            .enumerate()
            .filter(move |(_, test)| usable && test.operator == Operator::Equal)
            .map(|(position, _)| position)
    }

    /// Counts the rows that beginning with a trait would walk, up to a bound.
    pub(super) fn count_trait(&self, driver: usize, bound: i64) -> Option<Statement> {
        let test = self.traits.get(driver)?;
        let mut statement = Statement::default();
        statement.push("SELECT COUNT(*) FROM (SELECT 1 AS one FROM ");
        statement.push(table(test.value.kind()));
        statement.push(" t WHERE ");
        self.driver_conditions(&mut statement, test);
        statement.push(" LIMIT ");
        statement.integer(bound);
        statement.push(") AS counted");
        Some(statement)
    }

    /// Counts the rows of several tenants, up to a bound.
    pub(super) fn count_tenants(&self, bound: i64) -> Option<Statement> {
        let tenants = self.filter.tenants.names().filter(|tenants| tenants.len() > 1)?;
        let mut statement = Statement::default();
        statement.push("SELECT COUNT(*) FROM (SELECT 1 AS one FROM events e WHERE e.tenant IN ");
        statement.list(tenants.into_iter().map(Bind::Text));
        self.time(&mut statement, "e");
        statement.push(" LIMIT ");
        statement.integer(bound);
        statement.push(") AS counted");
        Some(statement)
    }

    fn driver_conditions(&self, statement: &mut Statement, test: &TraitTest) {
        if let Some(event_type) = self.event_type {
            statement.push("t.event_type = ");
            statement.integer(event_type);
            statement.push(" AND ");
        }
        statement.push("t.name = ");
        statement.integer(test.name);
        statement.push(" AND t.value = ");
        statement.bind(Bind::from(&test.value));
        self.time(statement, "t");
    }

    fn time(&self, statement: &mut Statement, table: &str) {
        for (bound, operator) in [(self.filter.from, ">="), (self.filter.until, "<=")] {
            if let Some(at) = bound {
                statement.push(&format!(" AND {table}.generated {operator} "));
                statement.integer(at.as_microsecond());
            }
        }
    }

    /// The statement. `few_tenants` says that going through the tenants' own events is the shorter way.
    pub(super) fn statement(&self, driver: Option<usize>, few_tenants: bool) -> Statement {
        let mut statement = Statement::default();
        statement.push("SELECT e.sequence, e.message_id, e.event_type, e.generated, e.tenant, e.raw FROM ");
        let test = driver.and_then(|driver| self.traits.get(driver));
        // Where the time is read from: only columns of the table that the statement begins with give the order.
        let time = if let Some(test) = test {
            // CROSS JOIN keeps SQLite from beginning elsewhere; PostgreSQL has statistics to decide for itself.
            statement.push(table(test.value.kind()));
            statement.push(" t CROSS JOIN events e WHERE ");
            self.driver_conditions(&mut statement, test);
            statement.push(" AND e.sequence = t.event");
            "t.generated"
        } else {
            statement.push("events e WHERE 1 = 1");
            if let Some(event_type) = self.event_type {
                statement.push(" AND e.event_type = ");
                statement.integer(event_type);
            }
            self.time(&mut statement, "e");
            "e.generated"
        };
        if let Some(id) = &self.filter.message_id {
            statement.push(" AND e.message_id = ");
            statement.text(id);
        }
        self.tenant_condition(&mut statement, driver.is_none() && few_tenants);
        for (position, test) in self.traits.iter().enumerate() {
            if Some(position) == driver {
                continue;
            }
            statement.push(" AND EXISTS (SELECT 1 FROM ");
            statement.push(table(test.value.kind()));
            statement.push(" x WHERE x.event = e.sequence AND x.name = ");
            statement.integer(test.name);
            statement.push(&format!(" AND x.value {} ", test.operator.sql()));
            statement.bind(Bind::from(&test.value));
            statement.push(")");
        }
        if let Some(after) = self.after {
            statement.push(" AND e.sequence > ");
            statement.integer(after);
            statement.push(" ORDER BY e.sequence");
        } else {
            self.order(&mut statement, time);
        }
        if let Some(limit) = self.filter.limit {
            statement.push(" LIMIT ");
            statement.integer(i64::from(limit));
        }
        statement
    }

    fn tenant_condition(&self, statement: &mut Statement, by_index: bool) {
        if self.filter.tenants == Tenants::Owned {
            statement.push(" AND e.tenant <> ''");
        }
        let Some(tenants) = self.filter.tenants.names() else {
            return;
        };
        match tenants.as_slice() {
            [] => statement.push(" AND 1 = 0"),
            [tenant] => {
                statement.push(" AND e.tenant = ");
                statement.text(tenant);
            }
            _ => {
                // Several tenants have no common order in the index; behind an expression it is not used.
                statement.push(if by_index {
                    " AND e.tenant IN "
                } else {
                    " AND (e.tenant || '') IN "
                });
                statement.list(tenants.into_iter().map(Bind::Text));
            }
        }
    }

    fn order(&self, statement: &mut Statement, time: &str) {
        let order = self.filter.order();
        let column = |key: SortKey| match key {
            SortKey::Generated => time,
            SortKey::MessageId => "e.message_id",
        };
        if let Some((generated, id)) = &self.marker {
            let value = |key: SortKey| match key {
                SortKey::Generated => Bind::Integer(*generated),
                SortKey::MessageId => Bind::Text(id.clone()),
            };
            // The first key alone bounds the walk through the index; the rest decides among its equals.
            if let Some(first) = order.first() {
                let operator = if first.descending { "<=" } else { ">=" };
                statement.push(&format!(" AND {} {operator} ", column(first.key)));
                statement.bind(value(first.key));
            }
            statement.push(" AND (");
            for (position, sort) in order.iter().enumerate() {
                statement.push(if position > 0 { " OR (" } else { "(" });
                for equal in order.iter().take(position) {
                    statement.push(&format!("{} = ", column(equal.key)));
                    statement.bind(value(equal.key));
                    statement.push(" AND ");
                }
                let operator = if sort.descending { "<" } else { ">" };
                statement.push(&format!("{} {operator} ", column(sort.key)));
                statement.bind(value(sort.key));
                statement.push(")");
            }
            statement.push(")");
        }
        for (position, sort) in order.iter().enumerate() {
            statement.push(if position > 0 { ", " } else { " ORDER BY " });
            statement.push(column(sort.key));
            if sort.descending {
                statement.push(" DESC");
            }
        }
    }
}
