//! The database settings that this program depends on, and checks of their values.

use crate::{Db, Engine, Result};

/// One setting of the database, as seen by a session of this program.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

impl Setting {
    /// Describes the problem, and what to do about it, if the value breaks a guarantee of this program.
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

/// Returns the settings that this program depends on, as seen by its sessions.
pub async fn settings(db: &Db) -> Result<Vec<Setting>> {
    db.write(match db.engine() {
        Engine::Postgres => SETTINGS_POSTGRES,
        Engine::Sqlite => SETTINGS_SQLITE,
    })
    .all()
    .await
}
