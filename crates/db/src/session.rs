//! What a session is set to, and what it must be.
//!
//! A role, a database or a server may come with settings that this program is not written for: a limit that ends
//! statements, another isolation, commits that are not on disk when they are answered. What a session can set is set right
//! after connecting, in the one round trip that also reads what it can't: start-up parameters would do the same but for
//! poolers, which refuse those they don't know.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

/// What every session is set to, on top of what its pool asks for.
const SETTINGS: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("timezone", "UTC"),
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "iso_8601"),
    ("standard_conforming_strings", "on"),
    ("default_transaction_isolation", "read committed"),
    // A transaction that somebody left open would hold its locks.
    ("idle_in_transaction_session_timeout", "20s"),
    // A statement's limit holds for its locks too.
    ("lock_timeout", "0"),
];

/// Those that not every version has: sessions that are idle are kept, a transaction ends with its statements.
const OPTIONAL: &str = "SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('idle_session_timeout', 'transaction_timeout') AND setting <> '0'";

/// A commit is answered when it is on disk; what is stricter than that stays.
const SYNCHRONOUS: &str =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

const FACTS: &str = "SELECT current_setting('server_encoding') AS encoding, current_schema() AS schema,
  current_setting('search_path') AS search_path";

/// There is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The driver's error.
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
    /// The server answers and can't be used.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// The server can't be used as it is set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(
        "server_encoding is {0}, which can't hold every text; it must be UTF8: \
         create the database again with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    #[error(
        "search_path is {0:?}, and no schema of that name exists or may be used; \
         create one, or set it with ALTER ROLE ... SET search_path = public"
    )]
    Schema(String),
    #[error("the server did not report the settings of the session")]
    Silent,
}

/// Brings a new session to where statements may be run on it. `settings` come after [`SETTINGS`], so they win.
pub(crate) async fn prepare(connection: &mut PgConnection, settings: &[(String, String)]) -> Result<(), ConnectError> {
    let own = SETTINGS.iter().copied();
    let all = own.chain(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    // Names and values are this program's own; the quotes keep a value together.
    let mut sql: String = all.map(|(name, value)| format!("SET {name} = '{value}';\n")).collect();
    sql.push_str(&format!("{OPTIONAL};\n{SYNCHRONOUS};\n{FACTS}"));
    let rows = connection.fetch_all(AssertSqlSafe(sql)).await?;
    let facts = rows.last().ok_or(Unfit::Silent)?;
    let encoding: String = facts.try_get("encoding")?;
    if encoding != "UTF8" {
        return Err(Unfit::Encoding(encoding).into());
    }
    if facts.try_get::<Option<String>, _>("schema")?.is_none() {
        return Err(Unfit::Schema(facts.try_get("search_path")?).into());
    }
    Ok(())
}
