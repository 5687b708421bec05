//! Setup and checks of a PostgreSQL session.
//!
//! A role, a database or a server may have settings that this program is not written for: a limit that ends statements,
//! another isolation level, commits that are acknowledged before they are on disk. Each session therefore sets what can
//! be set, and checks the rest, in one round trip after connecting. Startup parameters could do the same, but poolers
//! refuse those they don't know.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

/// Settings of every session. Its pool may add more.
const SETTINGS: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("timezone", "UTC"),
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "iso_8601"),
    ("standard_conforming_strings", "on"),
    ("default_transaction_isolation", "read committed"),
    // Ends a transaction that was left open, which would otherwise keep its locks.
    ("idle_in_transaction_session_timeout", "20s"),
    // No separate limit: the statement timeout includes the wait for locks.
    ("lock_timeout", "0"),
];

/// Switches off, in server versions that have them, the timeouts for idle sessions and for whole transactions.
const OPTIONAL: &str = "SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('idle_session_timeout', 'transaction_timeout') AND setting <> '0'";

/// Makes a commit wait for the disk. Stricter values of `synchronous_commit` stay.
const SYNCHRONOUS: &str =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

const FACTS: &str = "SELECT current_setting('server_encoding') AS encoding, current_schema() AS schema,
  current_setting('search_path') AS search_path";

/// A session could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// The server's configuration makes it unusable.
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

/// Sets up and checks a new session. `settings` are applied after [`SETTINGS`] and override them.
pub(crate) async fn prepare(connection: &mut PgConnection, settings: &[(String, String)]) -> Result<(), ConnectError> {
    let own = SETTINGS.iter().copied();
    let all = own.chain(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    // Names and values come from this program, so they need no escaping.
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
