//! The migrations, read from `migrations/{postgres,sqlite}` when the program is built.
//!
//! Both engines have the same versions and names. A migration expands the schema or contracts it, and its name says
//! which. A program works on a database with newer migrations, unless one of them has contracted away what the program
//! uses; then it is refused. Several processes may start at once: on PostgreSQL an advisory lock serialises them, on
//! SQLite a lock file beside the database.

use std::path::PathBuf;

use sqlx::migrate::Migrator;

use crate::connections::Connection;
use crate::contraction::{Contraction, name};
use crate::{Db, DbError, Engine, Outage, Result};

/// Which migrations a database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Versions that were applied.
    pub applied: Vec<i64>,
    /// Names of the migrations that this program knows and the database lacks.
    pub missing: Vec<String>,
    /// Names of the applied migrations that this program does not know: a newer version has applied them.
    pub newer: Vec<String>,
    /// Of those after which this program does not work, the one that needs the newest version.
    pub contraction: Option<Contraction>,
}

impl MigrationState {
    /// Whether the database has all migrations of this program.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.missing.is_empty()
    }

    /// Checks that no newer version has removed what this program uses.
    ///
    /// # Errors
    /// [`DbError::Contracted`] with the migration that has removed it.
    pub fn check(&self) -> Result<()> {
        self.contraction.clone().map_or(Ok(()), |contraction| Err(DbError::Contracted(contraction)))
    }
}

/// All migrations of an engine, oldest first.
pub(crate) fn migrator(engine: Engine) -> Migrator {
    let mut migrator = match engine {
        Engine::Postgres => sqlx::migrate!("../../migrations/postgres"),
        Engine::Sqlite => sqlx::migrate!("../../migrations/sqlite"),
    };
    // A newer version of the program may already have added migrations, which `MigrationState::check` judges.
    migrator.set_ignore_missing(true);
    migrator
}

/// Brings the database to this program's version. Safe to call from several processes at once.
///
/// # Errors
/// [`DbError::Migration`] when a migration fails, or was changed after it was applied; [`DbError::Contracted`] when a
/// newer version has removed what this program uses.
pub async fn migrate(db: &Db) -> Result<()> {
    let lock = match db.sqlite_path() {
        Some(path) => Some(lock_file(path.with_extension("migrate-lock")).await?),
        None => None,
    };
    migration_state(db).await?.check()?;
    let migrator = migrator(db.engine());
    let mut line = db.unhurried().take().await?;
    // Not `run`, whose bounds hide from the compiler that this future may go to another thread.
    let migrated = match line.connection() {
        Connection::Postgres(connection) => migrator.run_direct(None, connection, false).await,
        Connection::Sqlite(connection) => migrator.run_direct(None, connection, false).await,
    };
    drop(lock);
    line.done(migrated.map_err(DbError::from))
}

/// Waits until no other process holds the file's lock.
pub(crate) async fn lock_file(path: PathBuf) -> Result<std::fs::File> {
    let locked = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::create(path)?;
        file.lock()?;
        Ok(file)
    });
    locked
        .await
        .map_err(|_| DbError::Unavailable(Outage::Closed))?
        .map_err(|error: std::io::Error| DbError::Unavailable(error.into()))
}

/// What the database has and lacks, without changing it.
///
/// # Errors
/// [`DbError::Unavailable`] when the database can't be reached.
pub async fn migration_state(db: &Db) -> Result<MigrationState> {
    let table_exists: bool = db
        .read(match db.engine() {
            Engine::Postgres => "SELECT to_regclass('_sqlx_migrations') IS NOT NULL",
            Engine::Sqlite => "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')",
        })
        .scalar()
        .await?;
    let recorded = if table_exists { recorded(db).await? } else { Vec::new() };
    Ok(compared(&migrator(db.engine()), &recorded))
}

/// Checks a database that has all migrations of this program: has a newer version removed what the program uses?
///
/// # Errors
/// [`DbError::Contracted`] if one has; [`DbError::Unavailable`] when the database can't be reached.
pub async fn check_contractions(db: &Db) -> Result<()> {
    compared(&migrator(db.engine()), &recorded(db).await?).check()
}

/// Reads the applied migrations, oldest first.
async fn recorded(db: &Db) -> Result<Vec<(i64, String)>> {
    db.read("SELECT version, description FROM _sqlx_migrations WHERE success ORDER BY version").all().await
}

/// Compares what a database has recorded, in the order of versions, with what a program knows.
fn compared(known: &Migrator, recorded: &[(i64, String)]) -> MigrationState {
    let newest = known.iter().map(|migration| migration.version).max().unwrap_or(0);
    let newer = || recorded.iter().filter(|(version, _)| !known.version_exists(*version));
    let applied: Vec<i64> = recorded.iter().map(|(version, _)| *version).collect();
    let missing = known.iter().filter(|migration| !applied.contains(&migration.version));
    MigrationState {
        missing: missing.map(|migration| name(migration.version, &migration.description)).collect(),
        newer: newer().map(|(version, description)| name(*version, description)).collect(),
        contraction: newer()
            .filter_map(|(version, description)| Contraction::find(*version, description, newest))
            .max_by_key(|contraction| contraction.needs),
        applied,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::path::Path;

    use sqlx::migrate::{Migration, MigrationType};
    use sqlx::{AssertSqlSafe, SqlSafeStr};

    use super::*;

    /// Databases record the checksum of each file as a whole, and refuse to start with another one.
    #[test]
    fn every_file_is_a_migration_with_the_checksum_of_its_text() {
        for (engine, folder) in [(Engine::Postgres, "postgres"), (Engine::Sqlite, "sqlite")] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
            let files =
                std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
            let mut files: Vec<_> = files.collect();
            files.sort();
            let migrator = migrator(engine);
            let names: Vec<_> = migrator
                .iter()
                .map(|migration| format!("{}.sql", name(migration.version, &migration.description)))
                .collect();
            assert_eq!(names, files);
            for (migration, file) in migrator.iter().zip(&files) {
                let sql = std::fs::read_to_string(folder.join(file)).unwrap();
                let sql = AssertSqlSafe(sql).into_sql_str();
                let read = Migration::new(migration.version, file.clone().into(), MigrationType::Simple, sql, false);
                assert_eq!(migration.checksum, read.checksum, "{file}");
                assert!(migration.migration_type == MigrationType::Simple && !migration.no_tx, "{file}");
            }
        }
    }
}
