//! SQL under construction, in the words that SQLite and PostgreSQL have in common.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use super::value::{TraitType, TraitValue};

/// A value to bind.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
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

    /// `(…), (…)` of rows of values.
    pub(super) fn rows<const N: usize>(&mut self, rows: &[[Bind; N]]) {
        for (position, row) in rows.iter().enumerate() {
            self.push(if position > 0 { ", " } else { "" });
            self.list(row.iter().cloned());
        }
    }

    /// ` AND column IN (…)`, or `=` for a single one; nothing is in an empty list.
    pub(super) fn within(&mut self, column: &str, values: &[i64]) {
        match values {
            [] => self.push(" AND 1 = 0"),
            [one] => {
                self.push(&format!(" AND {column} = "));
                self.integer(*one);
            }
            several => {
                self.push(&format!(" AND {column} IN "));
                self.list(several.iter().map(|value| Bind::Integer(*value)));
            }
        }
    }

    /// The query with all its values, prepared for this once. Nothing but table names, operators and placeholders is ever in its text.
    pub(super) fn query(&self) -> Query<'_, Any, AnyArguments> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(self.sql.clone()));
        for value in &self.binds {
            query = match value {
                Bind::Text(text) => query.bind(text.clone()),
                Bind::Integer(number) => query.bind(*number),
                Bind::Float(number) => query.bind(*number),
            };
        }
        query.persistent(false)
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
