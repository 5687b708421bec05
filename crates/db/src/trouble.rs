//! What an error of a driver means: one table for the whole program.
//!
//! Three questions are answered here and nowhere else. What should the caller do ([`Meaning`]: wait for the database, try
//! again at once, or give up)? May the connection be used again, and may those that are as old ([`Trust`])? The server
//! names its errors by SQLSTATE: a class of two characters and three more; SQLite by a number whose low byte is its class.

/// What the caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The database is away, full or not to be written to: try again later.
    Unavailable,
    /// Try again at once; nothing of it stands.
    Contention,
    /// Trying again changes nothing.
    Refused,
}

/// What becomes of the connection the error came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// It is as good as before.
    Keep,
    /// Its state is not to be relied on: it is closed.
    DropThis,
    /// What happened to it has happened to all that are as old: all are closed.
    DropAll,
}

/// What a server's error means. `routine` is the function of the server that raised it: unlike the message it is never
/// translated.
pub(crate) fn of_postgres(code: &str, routine: Option<&str>) -> (Meaning, Trust) {
    use Meaning::{Contention, Refused, Unavailable};
    use Trust::{DropAll, DropThis, Keep};
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        // Connection exceptions.
        ("08", _) => (Unavailable, DropAll),
        // "cached plan must not change result type": the schema changed under the statements that all have prepared.
        ("0A", _) if routine == Some("RevalidateCachedQuery") => (Contention, DropAll),
        // Read-only: a standby, or sessions from the time when this server was one. New sessions may be writable.
        ("25", "25006") => (Unavailable, DropAll),
        // The server has ended this session, which took too long over its transaction.
        ("25", "25P03" | "25P04") => (Unavailable, DropThis),
        // In the middle of a failed transaction: outside of one, somebody has left it behind.
        ("25", "25P02") => (Unavailable, DropThis),
        ("25", _) => (Refused, DropThis),
        // A prepared statement or a portal is unknown, or there twice: the session is not the one it was prepared on.
        ("26", _) | (_, "42P05") => (Contention, DropAll),
        ("34", _) => (Contention, DropThis),
        // A transaction that may or may not have been carried out.
        ("40", "40003") => (Unavailable, DropThis),
        // Serialisation failure, deadlock.
        ("40", _) | (_, "55P03") => (Contention, Keep),
        // Out of memory, of disk, of connections.
        ("53", _) => (Unavailable, Keep),
        // The server is not in the state for it, as in recovery.
        ("55", "55000") => (Refused, DropThis),
        // The statement was ended (its time is over), and only that.
        ("57", "57014") => (Unavailable, Keep),
        // The server ends, restarts, or has ended this session.
        ("57", _) => (Unavailable, DropAll),
        // The server's disk or files.
        ("58", _) => (Unavailable, DropThis),
        // Its own mistake, or damage.
        ("XX", _) => (Refused, DropThis),
        _ => (Refused, Keep),
    }
}

/// What an error of SQLite means, by its extended code.
pub(crate) fn of_sqlite(code: u32) -> (Meaning, Trust) {
    use Meaning::{Contention, Refused, Unavailable};
    use Trust::{DropAll, DropThis, Keep};
    match code & 0xff {
        // Busy, locked.
        5 | 6 => (Contention, Keep),
        // Read-only: a connection opened while the file could not be written stays so.
        8 => (Unavailable, DropAll),
        // I/O error, cannot open.
        10 | 14 => (Unavailable, DropThis),
        // Full.
        13 => (Unavailable, Keep),
        // Damaged, no database.
        11 | 26 => (Refused, DropThis),
        _ => (Refused, Keep),
    }
}

/// What any error of a driver means.
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
