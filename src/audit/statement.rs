//! SQL under construction, in the words that SQLite and PostgreSQL have in common, and its rows.

use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfo};
use sqlx::database::Database;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::{Any, AssertSqlSafe, Execute, Executor, FromRow, QueryBuilder, Type};

use super::AuditError;
use super::store::EventStore;
use super::value::{TraitType, TraitValue};

pub(super) type Sql = QueryBuilder<Any>;

impl Type<Any> for TraitValue {
    fn type_info() -> AnyTypeInfo {
        // Asked of values that are null, which these never are.
        <str as Type<Any>>::type_info()
    }
}

impl Encode<'_, Any> for TraitValue {
    fn encode_by_ref(&self, buffer: &mut <Any as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            TraitValue::String(text) => Encode::<Any>::encode_by_ref(text, buffer),
            TraitValue::Integer(number) => Encode::<Any>::encode_by_ref(number, buffer),
            TraitValue::Float(number) => Encode::<Any>::encode_by_ref(number, buffer),
            TraitValue::Datetime(at) => Encode::<Any>::encode_by_ref(&at.as_microsecond(), buffer),
        }
    }
}

/// ` AND column IN (…)`, or `=` for a single one; nothing is in an empty list.
pub(super) fn within(sql: &mut Sql, column: &str, values: &[i64]) {
    match values {
        [] => {
            sql.push(" AND 1 = 0");
        }
        [one] => {
            sql.push(format_args!(" AND {column} = ")).push_bind(*one);
        }
        several => {
            sql.push(format_args!(" AND {column} IN "));
            list(sql, several);
        }
    }
}

/// `(…, …)` of numbers.
pub(super) fn list(sql: &mut Sql, numbers: &[i64]) {
    let mut list = sql.push("(").separated(", ");
    for number in numbers {
        list.push_bind(*number);
    }
    sql.push(")");
}

/// `VALUES (…), (…)` of the first columns of rows.
pub(super) fn values<'s, const N: usize>(sql: &'s mut Sql, rows: &[[TraitValue; N]], columns: usize) -> &'s mut Sql {
    sql.push_values(rows, |mut values, row| {
        for value in row.iter().take(columns) {
            values.push_bind(value.clone());
        }
    })
}

/// Runs a statement, prepared for this once. Nothing but names of tables, operators and placeholders is ever in its text.
pub(super) async fn rows<'c, T>(
    sql: Sql,
    postgres: bool,
    by: impl Executor<'c, Database = Any>,
) -> Result<Vec<T>, AuditError>
where
    T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
{
    prefixed("", sql, postgres, by).await
}

async fn prefixed<'c, T>(
    prefix: &str,
    mut sql: Sql,
    postgres: bool,
    by: impl Executor<'c, Database = Any>,
) -> Result<Vec<T>, AuditError>
where
    T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
{
    let mut query = sql.build();
    let values: AnyArguments = query.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
    let text = query.sql();
    let text = if postgres {
        numbered(text.as_str())
    } else {
        text.as_str().to_owned()
    };
    let query = sqlx::query_as_with(AssertSqlSafe(format!("{prefix}{text}")), values);
    Ok(query.persistent(false).fetch_all(by).await?)
}

/// The builder writes the placeholders of SQLite, as it does not know of which database it is; those of PostgreSQL have
/// numbers. In our texts nothing else is a question mark.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    (1..)
        .zip(parts)
        .fold(first, |text, (number, part)| format!("{text}${number}{part}"))
}

impl EventStore {
    /// Reads rows by one of the readers.
    pub(super) async fn rows<T>(&self, sql: Sql) -> Result<Vec<T>, AuditError>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        rows(sql, self.postgres, &self.pool).await
    }

    /// The way that a statement takes, in the database's words.
    pub(super) async fn plan_of(&self, sql: Sql) -> Result<Vec<String>, AuditError> {
        if self.postgres {
            let lines = prefixed::<(String,)>("EXPLAIN ", sql, true, &self.pool).await?;
            return Ok(lines.into_iter().map(|(line,)| line).collect());
        }
        let lines = prefixed::<(i64, i64, i64, String)>("EXPLAIN QUERY PLAN ", sql, false, &self.pool).await?;
        Ok(lines.into_iter().map(|(.., line)| line).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_postgresql_have_numbers() {
        let mut sql = Sql::new("SELECT 1 FROM events WHERE size = ");
        sql.push_bind(1_i64);
        within(&mut sql, "tenant", &[2, 3]);
        let text = sql.build().sql();
        assert_eq!(
            text.as_str(),
            "SELECT 1 FROM events WHERE size = ? AND tenant IN (?, ?)"
        );
        assert_eq!(
            numbered(text.as_str()),
            "SELECT 1 FROM events WHERE size = $1 AND tenant IN ($2, $3)"
        );
    }
}
