//! Which failures pass and which do not: a log that is away now is waited for, one that can never be is refused.

use super::AuditError;

/// True when the database cannot be reached or written now, as opposed to reached and refusing.
pub(super) fn is_outage(error: &AuditError) -> bool {
    use sqlx::migrate::MigrateError;
    let error = match error {
        AuditError::Database(error) | AuditError::Migrate(MigrateError::Execute(error)) => error,
        _ => return false,
    };
    match error {
        sqlx::Error::Database(error) => {
            // Connection failures, too many of them, and a server that starts or stops.
            let code = error.code().unwrap_or_default();
            if code.len() < 5 {
                // SQLite, in the low byte: permissions, busy, locked, read-only, broken disk, full disk, cannot be opened.
                return code
                    .parse::<u32>()
                    .is_ok_and(|code| [3, 5, 6, 8, 10, 13, 14].contains(&(code & 0xff)));
            }
            ["08", "53", "57"].iter().any(|class| code.starts_with(class))
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// True when the database refuses the event itself: it will do so again.
pub(super) fn is_refusal(error: &AuditError) -> bool {
    match error {
        AuditError::Database(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            if code.len() == 5 {
                // PostgreSQL: wrong data, broken constraint.
                return code.starts_with("22") || code.starts_with("23");
            }
            // SQLite, in the low byte: too big, constraint, mismatch.
            code.parse::<u32>()
                .is_ok_and(|code| [18, 19, 20].contains(&(code & 0xff)))
        }
        AuditError::Database(sqlx::Error::Encode(_)) => true,
        _ => false,
    }
}
