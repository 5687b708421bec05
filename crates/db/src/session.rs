//! What a session is set to, and what it must be.
//!
//! A role, a database or a server may come with settings that this program is not written for: a limit that ends
//! statements, another isolation, commits that are not on disk when they are answered. What a session can set is set right
//! after connecting, in the one round trip that also reads what it can't: start-up parameters would do the same but for
//! poolers, which refuse those they don't know.

use std::path::Path;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use crate::connections::Line;
use crate::trouble::Trust;
use crate::{Db, DbError, Engine, Result};

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
         make the database anew with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    #[error(
        "search_path is {0:?}, and no schema of that name exists or may be used; \
         create one, or set it with ALTER ROLE ... SET search_path = public"
    )]
    Schema(String),
    #[error("the server did not say what a session is set to")]
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

/// Refuses a file on which the promises would not hold.
pub(crate) async fn check_file(db: &Db, mut writer: Line, path: &Path) -> Result<()> {
    let shown = path.display();
    let read_only = is_read_only(&mut writer).await;
    if writer.done(read_only)? {
        return Err(DbError::Config(format!("{shown} can't be written: let this user write to it and its folder")));
    }
    let mode: String = db.write("SELECT journal_mode FROM pragma_journal_mode").scalar().await?;
    if mode != "wal" {
        return Err(DbError::Config(format!(
            "journal_mode is {mode} and can't become wal on {shown}: put the file on a local disk that takes locks"
        )));
    }
    Ok(())
}

/// Whether SQLite has opened the file for reading only. Asked of SQLite: a file that is opened and closed beside it loses
/// the locks that SQLite holds on it in this process.
async fn is_read_only(writer: &mut Line) -> Result<bool> {
    // Another process may be writing, which shows as well that the file can be written.
    writer.command("PRAGMA busy_timeout = 0").await?;
    let begun = writer.command("BEGIN IMMEDIATE").await;
    if begun.is_ok() {
        writer.command("ROLLBACK").await?;
    }
    // As in `open_sqlite`.
    writer.command("PRAGMA busy_timeout = 30000").await?;
    Ok(begun.is_err_and(|error| error.trust() == Trust::DropAll))
}

/// One setting of the database, as a session of this program sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Setting {
    /// Its name there.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Setting {
    /// What is wrong with it and what to do, when it costs what this program promises.
    #[must_use]
    pub fn trouble(&self) -> Option<&'static str> {
        match (self.name.as_str(), self.value.as_str()) {
            ("default_transaction_read_only" | "transaction_read_only", "on") => {
                Some("nothing can be written; connect to the primary, or reset it on the role and the database")
            }
            ("fsync", "off") => Some("what was answered is lost when the power fails; set it to on"),
            ("full_page_writes", "off") => Some("the database may be damaged when the power fails; set it to on"),
            ("journal_mode", mode) if mode != "wal" => Some("readers and the writer wait for each other"),
            ("synchronous", level) if level != "2" => Some("what was answered may be lost when the power fails"),
            _ => None,
        }
    }
}

const SETTINGS_POSTGRES: &str = "
SELECT name, current_setting(name) AS value FROM pg_settings
WHERE name IN ('server_version', 'server_encoding', 'search_path', 'TimeZone', 'synchronous_commit', 'fsync',
  'full_page_writes', 'default_transaction_read_only', 'default_transaction_isolation', 'statement_timeout',
  'lock_timeout', 'idle_in_transaction_session_timeout', 'max_connections', 'transaction_read_only')
ORDER BY name";

const SETTINGS_SQLITE: &str = "
SELECT 'journal_mode' AS name, journal_mode AS value FROM pragma_journal_mode
UNION ALL SELECT 'synchronous', CAST(synchronous AS TEXT) FROM pragma_synchronous
UNION ALL SELECT 'foreign_keys', CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys
UNION ALL SELECT 'encoding', encoding FROM pragma_encoding";

/// The settings that matter here, as this program's sessions see them.
///
/// # Errors
/// When the database can't be reached.
pub async fn settings(db: &Db) -> Result<Vec<Setting>> {
    db.write(match db.engine() {
        Engine::Postgres => SETTINGS_POSTGRES,
        Engine::Sqlite => SETTINGS_SQLITE,
    })
    .all()
    .await
}
