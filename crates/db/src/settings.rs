//! The settings of the database that this program depends on, and what is wrong with them.

use crate::{Db, Engine, Result};

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
            ("fsync", "off") => Some("acknowledged work is lost when the power fails; set it to on"),
            ("full_page_writes", "off") => Some("the database may be damaged when the power fails; set it to on"),
            ("journal_mode", mode) if mode != "wal" => Some("readers and the writer block each other"),
            ("synchronous", level) if level != "2" => Some("acknowledged work may be lost when the power fails"),
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
