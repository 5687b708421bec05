//! Classifies the errors of the drivers. This is the only place that does.
//!
//! Each error answers two questions: what should the caller do ([`Meaning`]), and may this connection and the others of
//! its generation be used again ([`Trust`])? PostgreSQL identifies errors by SQLSTATE, whose first two characters are
//! the class; SQLite by a number whose low byte is the class.

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Retry later: the database is unavailable, full or read-only.
    Unavailable,
    /// Retry at once: nothing was stored.
    Contention,
    /// Don't retry: the same operation would fail again.
    Refused,
}

/// What to do with the connection on which the error occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Keep it.
    Keep,
    /// Close it, because its state is unknown.
    DropThis,
    /// Close it and all others of its generation, because the cause affects them too.
    DropAll,
}

/// Classifies an error of PostgreSQL. `routine` is the server function that raised it; unlike the message it is never
/// translated.
pub(crate) fn of_postgres(code: &str, routine: Option<&str>) -> (Meaning, Trust) {
    use Meaning::{Contention, Refused, Unavailable};
    use Trust::{DropAll, DropThis, Keep};
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        // Connection exceptions.
        ("08", _) => (Unavailable, DropAll),
        // "cached plan must not change result type": the schema has changed since the statements were prepared.
        ("0A", _) if routine == Some("RevalidateCachedQuery") => (Contention, DropAll),
        // The server is read-only: it is a standby, or was one when this session started. New sessions may be writable.
        ("25", "25006") => (Unavailable, DropAll),
        // The server has ended this session because its transaction was idle or took too long.
        ("25", "25P03" | "25P04") => (Unavailable, DropThis),
        // The session is in a failed transaction. Since this error is seen outside of that transaction, it was left
        // open.
        ("25", "25P02") => (Unavailable, DropThis),
        ("25", _) => (Refused, DropThis),
        // A prepared statement or a portal is unknown or exists already: a pooler has exchanged the server session.
        ("26", _) | (_, "42P05") => (Contention, DropAll),
        ("34", _) => (Contention, DropThis),
        // It is unknown whether the transaction was committed.
        ("40", "40003") => (Unavailable, DropThis),
        // Serialisation failure, deadlock, lock timeout.
        ("40", _) | (_, "55P03") => (Contention, Keep),
        // Out of memory, disk space or connections.
        ("53", _) => (Unavailable, Keep),
        // The server is not in the state that the statement requires, for example because it is in recovery.
        ("55", "55000") => (Refused, DropThis),
        // Only the statement was cancelled, usually by its timeout.
        ("57", "57014") => (Unavailable, Keep),
        // The server is shutting down or starting, or has ended this session.
        ("57", _) => (Unavailable, DropAll),
        // I/O error of the server.
        ("58", _) => (Unavailable, DropThis),
        // Internal error or corrupted data.
        ("XX", _) => (Refused, DropThis),
        _ => (Refused, Keep),
    }
}

/// Classifies an error of SQLite by its extended code.
pub(crate) fn of_sqlite(code: u32) -> (Meaning, Trust) {
    use Meaning::{Contention, Refused, Unavailable};
    use Trust::{DropAll, DropThis, Keep};
    match code & 0xff {
        // Busy, locked.
        5 | 6 => (Contention, Keep),
        // Read-only: a connection that was opened while the file was not writable stays read-only.
        8 => (Unavailable, DropAll),
        // I/O error, cannot open.
        10 | 14 => (Unavailable, DropThis),
        // Disk full.
        13 => (Unavailable, Keep),
        // Corrupted, or not a database.
        11 | 26 => (Refused, DropThis),
        _ => (Refused, Keep),
    }
}

/// Classifies any error of a driver.
pub(crate) fn of(error: &sqlx::Error) -> (Meaning, Trust) {
    use sqlx::Error as E;
    use sqlx::postgres::PgDatabaseError;
    match error {
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
            (Meaning::Unavailable, Trust::DropAll)
        }
        E::Database(refusal) => match refusal.try_downcast_ref::<PgDatabaseError>() {
            Some(refusal) => of_postgres(refusal.code(), refusal.routine()),
            None => {
                let code = refusal.code().and_then(|code| code.parse().ok());
                code.map_or((Meaning::Refused, Trust::Keep), of_sqlite)
            }
        },
        _ => (Meaning::Refused, Trust::Keep),
    }
}

#[cfg(test)]
mod tests {
    use super::Meaning::{Contention, Refused, Unavailable};
    use super::Trust::{DropAll, DropThis, Keep};
    use super::*;

    #[test]
    fn each_class_of_the_server_is_answered_as_the_table_says() {
        for (code, routine, expected) in [
            ("08006", None, (Unavailable, DropAll)),
            ("0A000", Some("RevalidateCachedQuery"), (Contention, DropAll)),
            ("0A000", Some("transformAExprOp"), (Refused, Keep)),
            ("22P05", None, (Refused, Keep)),
            ("23505", None, (Refused, Keep)),
            ("25001", None, (Refused, DropThis)),
            ("25006", None, (Unavailable, DropAll)),
            ("25P02", None, (Unavailable, DropThis)),
            ("25P03", None, (Unavailable, DropThis)),
            ("26000", None, (Contention, DropAll)),
            ("34000", None, (Contention, DropThis)),
            ("40001", None, (Contention, Keep)),
            ("40003", None, (Unavailable, DropThis)),
            ("40P01", None, (Contention, Keep)),
            ("42601", None, (Refused, Keep)),
            ("42P05", None, (Contention, DropAll)),
            ("53100", None, (Unavailable, Keep)),
            ("53300", None, (Unavailable, Keep)),
            ("55000", None, (Refused, DropThis)),
            ("55P03", None, (Contention, Keep)),
            ("57014", None, (Unavailable, Keep)),
            ("57P01", None, (Unavailable, DropAll)),
            ("57P03", None, (Unavailable, DropAll)),
            ("58030", None, (Unavailable, DropThis)),
            ("XX001", None, (Refused, DropThis)),
            ("", None, (Refused, Keep)),
        ] {
            assert_eq!(of_postgres(code, routine), expected, "{code} {routine:?}");
        }
    }

    #[test]
    fn each_class_of_sqlite_is_answered_as_the_table_says_also_in_its_extended_forms() {
        for (code, expected) in [
            (1, (Refused, Keep)),
            (5, (Contention, Keep)),
            (517, (Contention, Keep)),
            (262, (Contention, Keep)),
            (8, (Unavailable, DropAll)),
            (1032, (Unavailable, DropAll)),
            (10, (Unavailable, DropThis)),
            (778, (Unavailable, DropThis)),
            (11, (Refused, DropThis)),
            (13, (Unavailable, Keep)),
            (14, (Unavailable, DropThis)),
            (2067, (Refused, Keep)),
        ] {
            assert_eq!(of_sqlite(code), expected, "{code}");
        }
    }
}
