//! The schema migrations, compiled into the program. Both engines have the same numbers and names.
//!
//! Migrations only add (expand first, contract in a later release), so that two versions of the program can run side by
//! side. Several processes may migrate at once: PostgreSQL is guarded by an advisory lock, an SQLite file by a lock
//! file next to it.

use std::path::PathBuf;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::connections::Connection;
use crate::{Db, DbError, Engine, Outage, Result};

/// One migration.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Determines the order and identifies the migration.
    pub version: i64,
    /// The name of its files without the extension.
    pub name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! steps {
    ($($version:literal => $name:literal),* $(,)?) => {
        &[$(Step {
            version: $version,
            name: $name,
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
        }),*]
    };
}

/// All migrations, oldest first. To add one, list it here and add a file of that name for each engine.
pub const MIGRATIONS: &[Step] = steps![
    1 => "0001_queue",
    2 => "0002_people",
    3 => "0003_records",
    4 => "0004_bookings",
    5 => "0005_messaging",
    6 => "0006_automations",
    7 => "0007_views",
    8 => "0008_booking_calls",
    9 => "0009_pricing",
    10 => "0010_schedules",
    11 => "0011_idempotency_holder",
    12 => "0012_country",
    13 => "0013_sign_in",
    14 => "0014_texts_state_times",
    15 => "0015_payments",
    16 => "0016_waiting_texts",
    17 => "0017_exceptions_lists",
    18 => "0018_bookings_list",
    19 => "0019_pricing_drifts_list",
    20 => "0020_reconciliation_runs_list",
    21 => "0021_automation_runs_list",
    22 => "0022_event_log_list",
];

/// The migrations that a database has and lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Versions that were applied.
    pub applied: Vec<i64>,
    /// Names of the migrations that this program knows and the database lacks.
    pub missing: Vec<&'static str>,
}

impl MigrationState {
    /// Returns whether the database has every migration of this program.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.missing.is_empty()
    }
}

pub(crate) fn sql_of(step: &Step, engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => step.postgres,
        Engine::Sqlite => step.sqlite,
    }
}

fn migrator(engine: Engine) -> Migrator {
    let steps = MIGRATIONS.iter().map(|step| {
        let sql = sql_of(step, engine).into_sql_str();
        Migration::new(step.version, step.name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(steps.collect());
    // A newer version of the program may have added migrations, which by rule don't disturb this version.
    migrator.set_ignore_missing(true);
    migrator
}

/// Applies the missing migrations. Safe to call from several processes at once.
///
/// # Errors
/// [`DbError::Migration`] if a migration fails, or if one that was applied has been changed since.
pub async fn migrate(db: &Db) -> Result<()> {
    let lock = match db.sqlite_path() {
        Some(path) => Some(lock_file(path.with_extension("migrate-lock")).await?),
        None => None,
    };
    let migrator = migrator(db.engine());
    let mut line = db.unhurried().take().await?;
    // Not `Migrator::run`: with its trait bounds the compiler can't prove that this future is `Send`.
    let migrated = match line.connection() {
        Connection::Postgres(connection) => migrator.run_direct(None, connection, false).await,
        Connection::Sqlite(connection) => migrator.run_direct(None, connection, false).await,
    };
    drop(lock);
    line.done(migrated.map_err(DbError::from))
}

/// Locks the file and waits while another process holds the lock. The lock ends when the result is dropped.
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

/// Returns the migrations that the database has and lacks, without changing it.
pub async fn migration_state(db: &Db) -> Result<MigrationState> {
    let table_exists: bool = db
        .read(match db.engine() {
            Engine::Postgres => "SELECT to_regclass('_sqlx_migrations') IS NOT NULL",
            Engine::Sqlite => "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')",
        })
        .scalar()
        .await?;
    let applied: Vec<(i64,)> = if table_exists {
        db.read("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version").all().await?
    } else {
        Vec::new()
    };
    let applied: Vec<i64> = applied.into_iter().map(|(version,)| version).collect();
    let missing = MIGRATIONS.iter().filter(|step| !applied.contains(&step.version)).map(|step| step.name).collect();
    Ok(MigrationState { applied, missing })
}
